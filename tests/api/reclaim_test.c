/* SPDX-License-Identifier: MIT */
/*
 * "When a tenant holds more than its share while others wait, heartbeat answers for its youngest leases beyond it carry
 * `reclaim: {"by_seconds"}`, so that clients that can, give back. Nothing is taken by force."
 */
#include "check.h"

TestSuite(reclaim);

#define HELD 4

/* alice holds all four slots of a pool, the oldest lease first. */
static struct world *alice_holds_all(struct exchange *leases[HELD], const char *pool)
{
	struct world *w = world_create((struct world_config){.max_slots = HELD});

	expect_status(ask(w, "PATCH /pools/default", pool), 200);
	for (int i = 0; i < HELD; i++) {
		leases[i] = acquire(w, "alice", "", NULL);
		expect_status(leases[i], 201);
	}
	return w;
}

static double by_seconds(const json_t *of)
{
	const json_t *value = json_object_get(json_object_get(of, "reclaim"), "by_seconds");

	return json_is_number(value) ? json_number_value(value) : -1;
}

/* Each lease beats, alone and with the others: `wanted` are the seconds it is told, -1 for none. */
static void expect_beats(struct world *w, struct exchange *leases[HELD], const double wanted[HELD])
{
	char body[256];
	const struct exchange *together;

	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\",\"%s\",\"%s\",\"%s\"]}", text(leases[0], "id"),
			 text(leases[1], "id"), text(leases[2], "id"), text(leases[3], "id"));
	together = ask(w, "POST /heartbeats", body);
	expect_status(together, 200);
	for (size_t i = 0; i < HELD; i++) {
		const struct exchange *e = lease(w, "PUT", leases[i], "", NULL);
		const json_t *beat = json_array_get(json_object_get(together->json, "renewed"), i);

		expect_status(e, 200);
		cr_expect(by_seconds(e->json) == wanted[i], "lease %zu: %g, wanted %g", i, by_seconds(e->json), wanted[i]);
		cr_expect(by_seconds(beat) == wanted[i], "lease %zu among all: %g", i, by_seconds(beat));
	}
}

Test(reclaim, the_youngest_beyond_the_share_are_asked_back_while_another_waits)
{
	struct exchange *leases[HELD], *bob;
	struct world *w = alice_holds_all(leases, "{}");

	expect_beats(w, leases, (double[]){-1, -1, -1, -1});
	bob = acquire(w, "bob", "", NULL);
	expect_beats(w, leases, (double[]){-1, -1, 30, 30});
	/* The time stands, whatever the heartbeats; nothing is taken when it has come. */
	pass(w, 10 * S);
	expect_beats(w, leases, (double[]){-1, -1, 20, 20});
	hang_up(w, bob);
	expect_beats(w, leases, (double[]){-1, -1, -1, -1});
	bob = acquire(w, "bob", ",\"wait_seconds\":60", NULL);
	expect_beats(w, leases, (double[]){-1, -1, 30, 30});
	pass(w, 25 * S);
	expect_beats(w, leases, (double[]){-1, -1, 5, 5});
	pass(w, 10 * S);
	expect_beats(w, leases, (double[]){-1, -1, 0, 0});
	cr_expect_not(bob->answered);
	world_destroy(w);
}

Test(reclaim, it_is_over_when_the_tenant_is_back_at_its_share)
{
	struct exchange *leases[HELD], *bob[2];
	struct world *w = alice_holds_all(leases, "{}");

	bob[0] = acquire(w, "bob", "", NULL);
	bob[1] = acquire(w, "bob", "", NULL);
	expect_beats(w, leases, (double[]){-1, -1, 30, 30});
	expect_status(lease(w, "DELETE", leases[3], "", NULL), 204);
	expect_status(bob[0], 201);
	cr_expect(by_seconds(lease(w, "PUT", leases[2], "", NULL)->json) == 30, "bob waits still");
	expect_status(lease(w, "DELETE", leases[2], "", NULL), 204);
	expect_status(bob[1], 201);
	acquire(w, "bob", "", NULL);
	for (int i = 0; i < 2; i++)
		cr_expect(by_seconds(lease(w, "PUT", leases[i], "", NULL)->json) == -1, "two are its share");
	world_destroy(w);
}

/* Under max-min a share is what the filling gives: bob wants one slot only, so that alice has three. */
Test(reclaim, under_max_min_as_many_as_the_filling_gives_others)
{
	struct exchange *leases[HELD];
	struct world *w = alice_holds_all(leases, "{\"policy\":\"max-min\"}");

	acquire(w, "bob", "", NULL);
	pass(w, 1 * S);
	expect_beats(w, leases, (double[]){-1, -1, -1, 30});
	expect_number(ask(w, "GET /tenants/alice", NULL), "share", 3);
	acquire(w, "bob", "", NULL);
	pass(w, 1 * S);
	expect_beats(w, leases, (double[]){-1, -1, 30, 29});
	world_destroy(w);
}
