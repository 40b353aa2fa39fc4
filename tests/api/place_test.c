/* SPDX-License-Identifier: MIT */
/* "Where am I": position, ahead, reason and an estimate; and Jain's index over the tenants that demand. */
#include "check.h"

TestSuite(place);

#define TRY ",\"wait_seconds\":0"

static struct world *max_min(uint32_t slots)
{
	struct world *w = world_create((struct world_config){.max_slots = slots, .auto_register = true});

	expect_status(ask(w, "PATCH /pools/default", "{\"policy\":\"max-min\"}"), 200);
	return w;
}

static bool has_estimate(const struct exchange *e)
{
	return json_object_get(e->json, "estimated_wait_seconds") != NULL;
}

/* A list shows each waiter as its GET does: the pending lease with this label. */
static const json_t *waiter(struct world *w, const char *label)
{
	char line[128];

	snprintf(line, sizeof(line), "GET /leases?state=pending&label=%s", label);
	return json_array_get(json_object_get(ask(w, line, NULL)->json, "items"), 0);
}

static void expect_waiter(struct world *w, const char *label, const char *reason, int position, int ahead)
{
	const json_t *found = waiter(w, label);

	cr_expect_str_eq(json_string_value(json_object_get(found, "reason")), reason, "%s", label);
	cr_expect_eq(json_integer_value(json_object_get(found, "position")), position, "%s", label);
	cr_expect_eq(json_integer_value(json_object_get(found, "ahead")), ahead, "%s", label);
}

/* ---- places ---- */

/* position counts in the tenant's own line, where priority counts; ahead in the pool's, where arrival does. */
Test(place, position_is_of_the_tenant_and_ahead_of_the_pool)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *away, *e;

	expect_status(acquire(w, "alice", "", NULL), 201);
	acquire(w, "bob", ",\"label\":\"b1\"", NULL);
	acquire(w, "alice", ",\"label\":\"a1\"", NULL);
	away = acquire(w, "alice", ",\"label\":\"away\"", "k");
	acquire(w, "alice", ",\"label\":\"a2\",\"priority\":10", NULL);
	acquire(w, "bob", ",\"label\":\"b2\"", NULL);
	expect_waiter(w, "b1", "pool-full", 1, 0);
	expect_waiter(w, "a2", "at-share", 1, 3);
	expect_waiter(w, "a1", "at-share", 2, 1);
	expect_waiter(w, "away", "at-share", 3, 2);
	expect_waiter(w, "b2", "pool-full", 2, 4);
	/* Who is absent counts for nobody, and itself stands after those who are there. */
	hang_up(w, away);
	expect_waiter(w, "a2", "at-share", 1, 2);
	expect_waiter(w, "b2", "pool-full", 2, 3);
	expect_waiter(w, "away", "absent", 3, 2);
	e = acquire(w, "alice", TRY, NULL);
	expect_problem(e, 429, "no-slot");
	expect_number(e, "position", 3);
	expect_number(e, "ahead", 4);
	expect_number(e, "active_slots", 1);
	expect_number(e, "share", 1);
	expect_number(e, "waiting", 2);
	world_destroy(w);
}

/* ---- reasons: the first that applies ---- */

Test(place, held_while_the_store_fails)
{
	struct world *w = world_create((struct world_config){0});

	w->slow = true;
	acquire(w, "alice", "", NULL);
	fail(w);
	expect_text(acquire(w, "alice", TRY, NULL), "reason", "held");
	expect_status(ask(w, "PATCH /tenants/alice", "{\"max_slots\":1}"), 0);
	expect_text(acquire(w, "alice", TRY, NULL), "reason", "held");
	world_destroy(w);
}

Test(place, pool_draining_before_at_cap_before_at_share)
{
	struct world *w = world_create((struct world_config){.max_slots = 4});

	expect_status(acquire(w, "alice", "", NULL), 201);
	expect_status(acquire(w, "alice", "", NULL), 201);
	expect_status(acquire(w, "bob", "", NULL), 201);
	expect_text(acquire(w, "alice", TRY, NULL), "reason", "at-share");
	expect_status(ask(w, "PATCH /tenants/alice", "{\"max_slots\":2}"), 200);
	expect_text(acquire(w, "alice", TRY, NULL), "reason", "at-cap");
	expect_text(acquire(w, "bob", ",\"slots\":2" TRY, NULL), "reason", "at-share");
	expect_status(ask(w, "PATCH /pools/default", "{\"draining\":true}"), 200);
	expect_text(acquire(w, "alice", TRY, NULL), "reason", "pool-draining");
	expect_text(acquire(w, "bob", TRY, NULL), "reason", "pool-draining");
	world_destroy(w);
}

/* A slot that is free is kept for bob, who has reserved it and does not want it now. */
Test(place, reserved_while_what_is_free_is_kept_for_another)
{
	struct world *w = max_min(3);

	expect_status(ask(w, "PATCH /tenants/bob", "{\"reserved_slots\":1}"), 200);
	expect_status(acquire(w, "alice", "", NULL), 201);
	expect_status(acquire(w, "alice", "", NULL), 201);
	expect_stat(w, "reserved_slots", 1);
	expect_text(acquire(w, "alice", TRY, NULL), "reason", "reserved");
	acquire(w, "alice", ",\"label\":\"a\"", NULL);
	expect_waiter(w, "a", "reserved", 1, 0);
	expect_status(acquire(w, "bob", "", NULL), 201);
	expect_waiter(w, "a", "pool-full", 1, 0);
	expect_stat(w, "reserved_slots", 0);
	world_destroy(w);
}

/* carol asks for both slots, bob's grant passes over it, and what he gives back is saved after pass_over. */
Test(place, saving_while_what_is_free_is_saved_for_a_big_request)
{
	struct world *w = max_min(2);
	struct exchange *a = acquire(w, "alice", "", NULL), *big, *b;

	big = acquire(w, "carol", ",\"slots\":2,\"label\":\"big\"", NULL);
	b = acquire(w, "bob", "", NULL);
	expect_status(b, 201);
	pass(w, 5 * S);
	expect_stat(w, "saved_slots", 0);
	expect_status(lease(w, "DELETE", b, "", NULL), 204);
	expect_stat(w, "saved_slots", 1);
	expect_text(acquire(w, "dave", TRY, NULL), "reason", "saving");
	expect_waiter(w, "big", "pool-full", 1, 0);
	expect_status(lease(w, "DELETE", a, "", NULL), 204);
	expect_status(big, 201);
	expect_stat(w, "saved_slots", 0);
	expect_text(acquire(w, "dave", TRY, NULL), "reason", "pool-full");
	world_destroy(w);
}

/* What is saved counts as held by its tenant: then its reserve keeps nothing any more, as /stats says, too. */
Test(place, saving_where_what_is_reserved_is_saved)
{
	struct world *w = max_min(4);
	struct exchange *b, *d;

	expect_status(ask(w, "PATCH /tenants/alice", "{\"reserved_slots\":2}"), 200);
	b = acquire(w, "bob", "", NULL);
	expect_status(acquire(w, "bob", "", NULL), 201);
	expect_text(acquire(w, "carol", TRY, NULL), "reason", "reserved");
	acquire(w, "alice", ",\"slots\":4,\"label\":\"big\"", NULL);
	expect_status(lease(w, "DELETE", b, "", NULL), 204);
	d = acquire(w, "dave", "", NULL);
	expect_status(d, 201);
	expect_text(acquire(w, "carol", TRY, NULL), "reason", "reserved");
	pass(w, 5 * S);
	expect_stat(w, "saved_slots", 2);
	expect_stat(w, "reserved_slots", 0);
	expect_text(acquire(w, "carol", TRY, NULL), "reason", "saving");
	expect_waiter(w, "big", "pool-full", 1, 0);
	world_destroy(w);
}

Test(place, resting_while_enough_slots_rest)
{
	struct world *w = world_create((struct world_config){.max_slots = 2});
	struct exchange *a = acquire(w, "alice", "", NULL);

	expect_status(ask(w, "PATCH /pools/default", "{\"slot_rest_seconds\":60}"), 200);
	expect_status(acquire(w, "bob", "", NULL), 201);
	expect_status(lease(w, "DELETE", a, "?revoke=true", NULL), 204);
	expect_text(acquire(w, "alice", TRY, NULL), "reason", "resting");
	/* Two at once would have to wait for bob, too. */
	expect_text(acquire(w, "alice", ",\"slots\":2" TRY, NULL), "reason", "pool-full");
	world_destroy(w);
}

/* ---- estimates ---- */

/* alice holds the only slot for ten seconds, some times. */
static void hold_ten_seconds(struct world *w, int times)
{
	for (int i = 0; i < times; i++) {
		struct exchange *e = acquire(w, "alice", "", NULL);

		expect_status(e, 201);
		pass(w, 10 * S);
		expect_status(lease(w, "DELETE", e, "", NULL), 204);
	}
}

Test(place, nothing_is_estimated_before_a_lease_has_ended)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});

	expect_status(acquire(w, "alice", "", NULL), 201);
	cr_expect_not(has_estimate(acquire(w, "bob", TRY, NULL)));
	acquire(w, "bob", ",\"label\":\"b\"", NULL);
	cr_expect_null(json_object_get(waiter(w, "b"), "estimated_wait_seconds"));
	world_destroy(w);
}

/*
 * All leases last ten seconds, and one has lasted five: the first in line has five to wait, each after it ten more. So it
 * comes: who is estimated to wait 25 seconds waits as long.
 */
Test(place, the_estimate_goes_by_the_hold_times)
{
	struct world *w = world_create((struct world_config){.max_slots = 1, .auto_register = true});
	struct exchange *held, *line[3], *late;
	static const char *const names[] = {"bob", "carol", "dave"};

	hold_ten_seconds(w, 4);
	held = acquire(w, "alice", "", NULL);
	pass(w, 5 * S);
	expect_number(acquire(w, "bob", TRY, NULL), "estimated_wait_seconds", 5);
	for (int i = 0; i < 3; i++) {
		char more[64];

		snprintf(more, sizeof(more), ",\"wait_seconds\":60,\"label\":\"%s\"", names[i]);
		line[i] = acquire(w, names[i], more, names[i]);
	}
	for (int i = 0; i < 3; i++) {
		double told = json_number_value(json_object_get(waiter(w, names[i]), "estimated_wait_seconds"));

		cr_expect_float_eq(told, 5 + 10 * i, 0.01, "%s: %g", names[i], told);
	}
	/* The answer of a wait that ran out tells it, too; nothing is told to who is away, or while nothing is granted. */
	late = acquire(w, "erin", ",\"wait_seconds\":0.1", "late");
	pass(w, 100 * MS);
	expect_problem(late, 429, "no-slot");
	expect_number(late, "estimated_wait_seconds", 35);
	late = lease(w, "GET", late, "", NULL);
	expect_text(late, "reason", "absent");
	cr_expect_not(has_estimate(late));
	expect_status(ask(w, "PATCH /pools/default", "{\"draining\":true}"), 200);
	cr_expect_null(json_object_get(waiter(w, "bob"), "estimated_wait_seconds"));
	expect_status(ask(w, "PATCH /pools/default", "{\"draining\":false}"), 200);
	for (int i = 0; i < 3; i++) {
		pass(w, i == 0 ? 4900 * MS : 10 * S);
		expect_status(lease(w, "DELETE", held, "", NULL), 204);
		held = line[i];
		expect_status(held, 201);
		expect_number(held, "waited_seconds", 5 + 10 * i);
	}
	world_destroy(w);
}

/* ---- Jain's index ---- */

/*
 * alice has weight 3 and bob 1. Two slots each are 2/3 and 2 for their weights: (8/3)^2 / (2 * (4/9 + 4)) = 64 / 80; three
 * and one are 1 and 1.
 */
Test(place, fairness_index_is_weighted)
{
	struct world *w = max_min(4);
	struct exchange *a, *b;

	expect_status(ask(w, "PATCH /tenants/alice", "{\"weight\":3}"), 200);
	b = acquire(w, "bob", "", NULL);
	expect_status(acquire(w, "bob", "", NULL), 201);
	expect_number(ask(w, "GET /stats", NULL), "fairness_index", 1);
	expect_status(acquire(w, "alice", "", NULL), 201);
	expect_status(acquire(w, "alice", "", NULL), 201);
	expect_number(ask(w, "GET /stats", NULL), "fairness_index", 0.8);
	a = acquire(w, "alice", "", NULL);
	expect_status(lease(w, "DELETE", b, "", NULL), 204);
	expect_status(a, 201);
	expect_number(ask(w, "GET /stats", NULL), "fairness_index", 1);
	/* One that waits and holds nothing: (1 + 1 + 0)^2 / (3 * 2). */
	acquire(w, "carol", "", NULL);
	expect_number(ask(w, "GET /stats", NULL), "fairness_index", 4.0 / 6);
	world_destroy(w);
}
