/* SPDX-License-Identifier: MIT */
/* Pools that are made, changed and removed at run time. */
#include "check.h"

TestSuite(pool);

#define PUT "PUT /pools/farm"


Test(pool, is_made_by_put_and_has_slots_at_once)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, PUT, "{\"max_slots\":2,\"min_share\":2}");

	expect_status(e, 201);
	cr_expect_str_eq(e->reply.location, "/pools/farm");
	expect_text(e, "pool", "farm");
	expect_number(e, "max_slots", 2);
	expect_number(e, "min_share", 2);
	expect_number(e, "max_waiting", 10000);
	cr_expect(json_is_false(json_object_get(e->json, "configured")));
	expect_status(ask(w, "POST /tenants", "{\"tenant_id\":\"alice\",\"pool\":\"farm\"}"), 201);
	expect_status(ask(w, "POST /leases", "{\"tenant_id\":\"alice\",\"pool\":\"farm\"}"), 201);
	expect_status(ask(w, PUT, "{\"max_slots\":2,\"min_share\":2}"), 200);
	world_destroy(w);
}

Test(pool, that_grows_grants_at_once)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *waiter;

	expect_status(acquire(w, "alice", "", NULL), 201);
	waiter = acquire(w, "bob", "", NULL);
	cr_expect_not(waiter->answered);
	expect_status(ask(w, "PATCH /pools/default", "{\"max_slots\":2}"), 200);
	expect_status(waiter, 201);
	world_destroy(w);
}

/* "Shrinking never kills, it waits for leases to end"; ids past the end are not given out again. */
Test(pool, that_shrinks_waits_for_leases_to_end)
{
	struct world *w = world_create((struct world_config){.max_slots = 3});
	struct exchange *first = acquire(w, "alice", "", NULL), *second = acquire(w, "alice", "", NULL);
	struct exchange *third = acquire(w, "alice", "", NULL), *waiter;

	expect_status(ask(w, "PATCH /pools/default", "{\"max_slots\":1}"), 200);
	expect_stat(w, "total_active_slots", 3);
	expect_stat(w, "available_slots", 0);
	waiter = acquire(w, "bob", "", NULL);
	expect_status(lease(w, "DELETE", first, "", NULL), 204);
	cr_expect_not(waiter->answered);
	expect_status(lease(w, "DELETE", second, "", NULL), 204);
	cr_expect_not(waiter->answered, "one lease of the old size is one of the new size");
	expect_status(lease(w, "DELETE", third, "", NULL), 204);
	expect_status(waiter, 201);
	cr_expect(json_integer_value(json_array_get(json_object_get(waiter->json, "slot_ids"), 0)) == 0);
	world_destroy(w);
}

Test(pool, that_grows_again_does_not_give_a_held_slot_twice)
{
	struct world *w = world_create((struct world_config){.max_slots = 2});
	struct exchange *first = acquire(w, "alice", "", NULL), *next;

	expect_status(acquire(w, "alice", "", NULL), 201);
	expect_status(ask(w, "PATCH /pools/default", "{\"max_slots\":1}"), 200);
	expect_status(lease(w, "DELETE", first, "", NULL), 204);
	expect_status(ask(w, "PATCH /pools/default", "{\"max_slots\":3}"), 200);
	for (int slot = 0; slot < 3; slot += 2) {
		next = acquire(w, "alice", "", NULL);
		expect_status(next, 201);
		cr_expect(json_integer_value(json_array_get(json_object_get(next->json, "slot_ids"), 0)) == slot);
	}
	expect_status(acquire(w, "alice", ",\"wait_seconds\":0", NULL), 429);
	world_destroy(w);
}

Test(pool, changes_only_what_patch_names_and_put_sets_all)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	expect_status(ask(w, PUT, "{\"max_slots\":8,\"min_share\":3,\"max_waiting\":7}"), 201);
	e = ask(w, "PATCH /pools/farm", "{\"max_slots\":9}");
	expect_number(e, "max_slots", 9);
	expect_number(e, "min_share", 3);
	expect_number(e, "max_waiting", 7);
	e = ask(w, PUT, "{\"max_slots\":5}");
	expect_status(e, 200);
	expect_number(e, "min_share", 1);
	expect_number(e, "max_waiting", 10000);
	world_destroy(w);
}

Test(pool, share_follows_the_new_values)
{
	struct world *w = world_create((struct world_config){.max_slots = 10});

	acquire(w, "alice", "", NULL);
	acquire(w, "bob", "", NULL);
	expect_stat(w, "share", 5);
	expect_status(ask(w, "PATCH /pools/default", "{\"max_slots\":20}"), 200);
	expect_stat(w, "share", 10);
	expect_status(ask(w, "PATCH /pools/default", "{\"min_share\":15}"), 200);
	expect_stat(w, "share", 15);
	world_destroy(w);
}

Test(pool, in_use_or_configured_is_not_removed)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	expect_problem(ask(w, "DELETE /pools/default", NULL), 409, "pool-configured");
	expect_problem(ask(w, "DELETE /pools/farm", NULL), 404, "pool-not-found");
	expect_problem(ask(w, "PATCH /pools/farm", "{\"max_slots\":1}"), 404, "pool-not-found");
	expect_status(ask(w, PUT, "{\"max_slots\":1}"), 201);
	expect_status(ask(w, "POST /tenants", "{\"tenant_id\":\"alice\",\"pool\":\"farm\"}"), 201);
	e = ask(w, "POST /leases", "{\"tenant_id\":\"alice\",\"pool\":\"farm\"}");
	expect_problem(ask(w, "DELETE /pools/farm", NULL), 409, "pool-in-use");
	expect_status(lease(w, "DELETE", e, "", NULL), 204);
	expect_status(ask(w, "DELETE /pools/farm", NULL), 204);
	expect_problem(ask(w, "GET /pools/farm", NULL), 404, "pool-not-found");
	expect_problem(lease(w, "GET", e, "", NULL), 404, "lease-not-found");
	/* Made anew it has nothing of the old one. */
	expect_status(ask(w, PUT, "{\"max_slots\":1}"), 201);
	expect_problem(ask(w, "GET /tenants/alice?pool=farm", NULL), 404, "tenant-not-found");
	world_destroy(w);
}

Test(pool, wrong_values_are_named)
{
	static const char *const bodies[] = {
		"{}",
		"{\"max_slots\":0}",
		"{\"max_slots\":1000001}",
		"{\"max_slots\":1.5}",
		"{\"max_slots\":\"8\"}",
		"{\"max_slots\":2,\"min_share\":3}",
		"{\"max_slots\":2,\"policy\":\"lottery\"}",
		"{\"max_slots\":2,\"share_calculator\":3}",
		"{\"max_slots\":2,\"slots\":3}",
	};
	struct world *w = world_create((struct world_config){0});

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		expect_problem(ask(w, PUT, bodies[i]), 422, "invalid-value");
	expect_problem(ask(w, "PUT /pools/a%2Fb", "{\"max_slots\":1}"), 404, "pool-not-found");
	expect_problem(ask(w, "GET /pools/farm", NULL), 404, "pool-not-found");
	world_destroy(w);
}

Test(pool, change_is_told_when_it_is_durable)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	w->slow = true;
	e = ask(w, PUT, "{\"max_slots\":1}");
	cr_expect_not(e->answered);
	commit(w);
	expect_status(e, 201);
	e = ask(w, "DELETE /pools/farm", NULL);
	cr_expect_not(e->answered);
	commit(w);
	expect_status(e, 204);
	world_destroy(w);
}
