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

/* ---- addresses ---- */

static const char *url_of(const struct exchange *e, size_t i)
{
	const char *url = json_string_value(json_array_get(json_object_get(e->json, "slot_urls"), i));

	return url != NULL ? url : "";
}

Test(pool, addresses_of_slots_go_out_with_the_lease)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, PUT, "{\"max_slots\":2,\"slot_urls\":[\"ws://farm:9222/0\",\"ws://farm:9222/1\"]}"), *a,
					*b;

	expect_status(e, 201);
	cr_expect_str_eq(url_of(e, 0), "ws://farm:9222/0");
	cr_expect_str_eq(url_of(e, 1), "ws://farm:9222/1");
	expect_status(ask(w, "POST /tenants", "{\"tenant_id\":\"alice\",\"pool\":\"farm\"}"), 201);
	a = ask(w, "POST /leases", "{\"tenant_id\":\"alice\",\"pool\":\"farm\"}");
	b = ask(w, "POST /leases", "{\"tenant_id\":\"alice\",\"pool\":\"farm\"}");
	cr_expect(json_array_size(json_object_get(a->json, "slot_urls")) == 1);
	cr_expect_str_eq(url_of(a, 0), "ws://farm:9222/0");
	cr_expect_str_eq(url_of(b, 0), "ws://farm:9222/1");
	cr_expect_str_eq(url_of(lease(w, "PUT", b, "", NULL), 0), "ws://farm:9222/1");
	/* Other addresses are told from the next answer on; none at all are no member. */
	expect_status(ask(w, "PATCH /pools/farm", "{\"slot_urls\":[\"a:0\",\"a:1\"]}"), 200);
	cr_expect_str_eq(url_of(lease(w, "GET", b, "", NULL), 0), "a:1");
	e = ask(w, "PATCH /pools/farm", "{\"slot_urls\":null}");
	cr_expect(json_is_null(json_object_get(e->json, "slot_urls")));
	cr_expect(json_object_get(lease(w, "GET", b, "", NULL)->json, "slot_urls") == NULL);
	world_destroy(w);
}

/* A slot that is no more has no address: its lease goes on without one. */
Test(pool, a_slot_past_the_end_has_no_address)
{
	struct world *w = world_create((struct world_config){.max_slots = 2});
	struct exchange *a = acquire(w, "alice", "", NULL), *b = acquire(w, "alice", "", NULL);

	expect_status(ask(w, "PATCH /pools/default", "{\"max_slots\":1,\"slot_urls\":[\"a:0\"]}"), 200);
	cr_expect_str_eq(url_of(lease(w, "GET", a, "", NULL), 0), "a:0");
	cr_expect(json_object_get(lease(w, "GET", b, "", NULL)->json, "slot_urls") == NULL);
	world_destroy(w);
}

Test(pool, that_shrinks_keeps_the_addresses_of_its_slots)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	expect_status(ask(w, PUT, "{\"max_slots\":3,\"slot_urls\":[\"a:0\",\"a:1\",\"a:2\"]}"), 201);
	w->audit[0] = '\0';
	e = ask(w, "PATCH /pools/farm", "{\"max_slots\":2}");
	expect_status(e, 200);
	cr_expect(json_array_size(json_object_get(e->json, "slot_urls")) == 2);
	cr_expect_str_eq(url_of(e, 1), "a:1");
	cr_expect_str_eq(w->audit, "resize pool=farm key=max_slots was=3 is=2\nset pool=farm key=slot_urls count=2\n");
	expect_fault(ask(w, "PATCH /pools/farm", "{\"max_slots\":3}"), "/max_slots");
	world_destroy(w);
}

Test(pool, addresses_are_as_many_as_slots)
{
	static const char *const rows[][2] = {
		{"{\"max_slots\":2,\"slot_urls\":[\"a:0\"]}", "/slot_urls"},
		{"{\"max_slots\":2,\"slot_urls\":[]}", "/slot_urls"},
		{"{\"max_slots\":2,\"slot_urls\":\"a:0\"}", "/slot_urls"},
		{"{\"max_slots\":2,\"slot_urls\":[\"a:0\",7]}", "/slot_urls/1"},
		{"{\"max_slots\":2,\"slot_urls\":[\"nowhere\",\"a:1\"]}", "/slot_urls/0"},
		{"{\"max_slots\":2,\"slot_urls\":[\"a:0\",\"a: 1\"]}", "/slot_urls/1"},
		{"{\"max_slots\":2,\"slot_urls\":[\"a:0\",\":1\"]}", "/slot_urls/1"},
		{"{\"max_slots\":2,\"slot_urls\":[\"a:0\",\"b:\"]}", "/slot_urls/1"},
	};
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_fault(ask(w, PUT, rows[i][0]), rows[i][1]);
	expect_problem(ask(w, "GET /pools/farm", NULL), 404, "pool-not-found");
	expect_status(ask(w, PUT, "{\"max_slots\":1,\"slot_urls\":[\"a:0\"]}"), 201);
	e = ask(w, "PATCH /pools/farm", "{\"max_slots\":2}");
	expect_fault(e, "/max_slots");
	cr_expect_str_eq(fault_detail(e), "the pool has slot_urls for 1 slots: send slot_urls with 2, or null for none");
	expect_status(ask(w, "PATCH /pools/farm", "{\"max_slots\":2,\"slot_urls\":[\"a:0\",\"a:1\"]}"), 200);
	expect_status(ask(w, "PATCH /pools/farm", "{\"max_slots\":3,\"slot_urls\":null}"), 200);
	world_destroy(w);
}

/* ---- who did it ---- */

static void expect_audit(struct world *w, const char *wanted)
{
	cr_expect_str_eq(w->audit, wanted);
	w->audit[0] = '\0';
}

Test(pool, changes_are_in_the_audit_once_each)
{
	struct world *w = world_create((struct world_config){0});

	ask(w, PUT, "{\"max_slots\":2}");
	expect_audit(w, "make pool=farm max_slots=2\n");
	ask(w, "PATCH /pools/farm", "{\"max_slots\":5,\"min_share\":2}");
	expect_audit(w, "resize pool=farm key=max_slots was=2 is=5\nset pool=farm key=min_share was=1 is=2\n");
	ask(w, "PATCH /pools/farm", "{\"max_slots\":5}");
	ask(w, "PATCH /pools/farm", "{\"max_slots\":1}");
	ask(w, "PATCH /pools/farm", "{\"share_calculator\":\"2\"}");
	ask(w, "GET /pools/farm", NULL);
	expect_audit(w, "");
	ask(w, PUT, "{\"max_slots\":2,\"slot_urls\":[\"a:0\",\"a:1\"],\"max_waiting\":7}");
	expect_audit(w, "resize pool=farm key=max_slots was=5 is=2\nset pool=farm key=min_share was=2 is=1\n"
					"set pool=farm key=max_waiting was=10000 is=7\nset pool=farm key=slot_urls count=2\n");
	ask(w, "PATCH /pools/farm", "{\"slot_urls\":[\"a:0\",\"a:1\"]}");
	expect_audit(w, "");
	ask(w, "PATCH /pools/farm", "{\"slot_urls\":null}");
	expect_audit(w, "set pool=farm key=slot_urls count=0\n");
	ask(w, "DELETE /pools/farm", NULL);
	expect_audit(w, "remove pool=farm\n");
	ask(w, "DELETE /pools/farm", NULL);
	expect_audit(w, "");
	world_destroy(w);
}

Test(pool, default_cannot_be_removed)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "DELETE /pools/default", NULL);

	expect_problem(e, 409, "pool-configured");
	cr_expect_str_eq(text(e, "detail"), "pool 'default' is that of requests that name none: it cannot be removed");
	world_destroy(w);
}
