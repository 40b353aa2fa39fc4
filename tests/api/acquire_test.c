/* SPDX-License-Identifier: MIT */
/* Every row of the table of answers to POST /leases. */
#include "check.h"

TestSuite(acquire);

Test(acquire, is_granted_at_once_while_slots_are_free)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = acquire(w, "alice", ",\"label\":\"w:1\"", NULL);
	char location[64];

	expect_status(e, 201);
	expect_text(e, "state", "active");
	expect_text(e, "tenant_id", "alice");
	expect_text(e, "pool", "default");
	expect_text(e, "label", "w:1");
	expect_number(e, "slots", 1);
	expect_number(e, "priority", 0);
	expect_number(e, "fencing_token", 100);
	expect_number(e, "ttl_seconds", 30);
	expect_number(e, "heartbeat_seconds", 10);
	expect_number(e, "expires_in_seconds", 30);
	expect_number(e, "waited_seconds", 0);
	expect_text(e, "acquired_at", "2025-11-24T16:00:00.000Z");
	expect_text(e, "expires_at", "2025-11-24T16:00:30.000Z");
	snprintf(location, sizeof(location), "/leases/%s", text(e, "id"));
	cr_expect_str_eq(e->reply.location, location);
	cr_expect_str_eq(e->request.route, "/leases");
	cr_expect(e->reply.retry_after == 0);
	world_destroy(w);
}

Test(acquire, waits_in_line_and_is_granted_by_a_release)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *b = acquire(w, "alice", "", NULL);
	struct exchange *c = acquire(w, "bob", "", NULL);

	expect_status(c, 0);
	cr_expect(c->request.parked);
	pass(w, 412 * MS);
	expect_status(lease(w, "DELETE", a, "", NULL), 204);
	expect_status(c, 201);
	cr_expect_not(c->request.parked);
	expect_number(c, "waited_seconds", 0.412);
	expect_status(lease(w, "DELETE", b, "", NULL), 204);
	world_destroy(w);
}

Test(acquire, tells_its_place_when_the_wait_runs_out)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	acquire(w, "bob", "", NULL);
	acquire(w, "bob", "", NULL);
	acquire(w, "bob", "", NULL);
	e = acquire(w, "alice", ",\"wait_seconds\":1.5", NULL);
	pass(w, 1400 * MS);
	expect_status(e, 0);
	pass(w, 200 * MS);
	expect_problem(e, 429, "no-slot");
	expect_number(e, "position", 1);
	expect_number(e, "ahead", 1);
	expect_number(e, "active_slots", 0);
	expect_number(e, "share", 1);
	expect_number(e, "waiting", 0);
	expect_text(e, "reason", "pool-full");
	expect_text(e, "id", "");
	cr_expect(e->reply.retry_after == 1);
	expect_stat(w, "no_slot_total", 1);
	expect_stat(w, "waiting", 1);
	world_destroy(w);
}

Test(acquire, with_a_wait_of_0_never_joins_the_line)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", NULL);
	e = acquire(w, "alice", ",\"wait_seconds\":0", "k");
	expect_problem(e, 429, "no-slot");
	expect_text(e, "id", "");
	cr_expect_str_eq(e->reply.location, "");
	expect_stat(w, "waiting", 0);
	expect_stat(w, "absent", 0);
	world_destroy(w);
}

Test(acquire, takes_the_wait_of_the_query_over_that_of_the_body)
{
	struct world *w = world_create((struct world_config){0});

	acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", NULL);
	expect_problem(ask(w, "POST /leases?wait=0", "{\"tenant_id\":\"alice\",\"wait_seconds\":30}"), 429, "no-slot");
	world_destroy(w);
}

Test(acquire, is_refused_when_the_line_is_full)
{
	struct world *w = world_create((struct world_config){.max_slots = 1, .max_waiting = 1, .auto_register = true});
	struct exchange *e;

	acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", NULL);
	e = acquire(w, "alice", "", "k");
	expect_problem(e, 429, "queue-full");
	cr_expect(e->reply.retry_after == 1);
	expect_text(e, "detail",
				"pool 'default' has its limit of 1 waiters: ask again later, or start the server with a larger "
				"--max-waiting");
	acquire(w, "alice", ",\"pool\":\"other\"", NULL);
	acquire(w, "alice", ",\"pool\":\"other\"", NULL);
	expect_text(
		acquire(w, "alice", ",\"pool\":\"other\"", NULL), "detail",
		"pool 'other' has its limit of 1 waiters: ask again later, or start the server with a larger max_waiting "
		"in the section [pool other]");
	world_destroy(w);
}

Test(acquire, is_refused_when_its_tenant_has_too_many_waiters_absent_ones_too)
{
	struct world *w = world_create(
		(struct world_config){.max_slots = 1, .max_waiting = 9, .tenant_max_waiting = 2, .auto_register = true});
	struct exchange *e;

	acquire(w, "bob", "", NULL);
	hang_up(w, acquire(w, "alice", "", "k"));
	acquire(w, "alice", "", NULL);
	e = acquire(w, "alice", "", NULL);
	expect_problem(e, 429, "queue-full");
	expect_text(
		e, "detail",
		"tenant 'alice' has its limit of 2 waiters in pool 'default': ask again later, or start the server with "
		"a larger --tenant-max-waiting");
	acquire(w, "alice", ",\"pool\":\"other\"", NULL);
	acquire(w, "alice", ",\"pool\":\"other\"", NULL);
	acquire(w, "alice", ",\"pool\":\"other\"", NULL);
	expect_text(
		acquire(w, "alice", ",\"pool\":\"other\"", NULL), "detail",
		"tenant 'alice' has its limit of 2 waiters in pool 'other': ask again later, or start the server with a "
		"larger tenant_max_waiting in the section [pool other]");
	world_destroy(w);
}

Test(acquire, is_refused_for_a_tenant_that_is_not_registered)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = acquire(w, "carol", "", NULL);

	expect_problem(e, 409, "tenant-not-registered");
	cr_expect(strstr(text(e, "detail"), "--auto-register") != NULL);
	cr_expect(strstr(text(e, "detail"), "carol") != NULL);
	world_destroy(w);
}

Test(acquire, registers_an_unknown_tenant_with_auto_register)
{
	struct world *w = world_create((struct world_config){.auto_register = true});

	expect_status(acquire(w, "carol", "", NULL), 201);
	expect_status(ask(w, "GET /tenants/carol", NULL), 200);
	world_destroy(w);
}

Test(acquire, is_refused_past_the_limit_of_tenants)
{
	struct world *w = world_create((struct world_config){.auto_register = true, .max_tenants = 1});

	expect_problem(acquire(w, "carol", "", NULL), 429, "too-many-tenants");
	world_destroy(w);
}

Test(acquire, is_refused_for_an_unknown_pool)
{
	struct world *w = world_create((struct world_config){0});

	expect_problem(acquire(w, "alice", ",\"pool\":\"nowhere\"", NULL), 409, "pool-not-found");
	world_destroy(w);
}

Test(acquire, is_refused_while_its_tenant_closes_and_so_are_its_waiters)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *waiter, *waiter_get;

	acquire(w, "alice", "", NULL);
	waiter = acquire(w, "alice", "", "k");
	waiter_get = ask(w, "GET /leases?state=pending", NULL);
	expect_status(waiter_get, 200);
	expect_status(ask(w, "DELETE /tenants/alice", NULL), 202);
	expect_problem(waiter, 409, "tenant-closing");
	expect_problem(acquire(w, "alice", "", NULL), 409, "tenant-closing");
	world_destroy(w);
}

Test(acquire, is_410_when_the_lease_of_its_key_has_ended)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", "k"), *again;

	expect_status(a, 201);
	lease(w, "DELETE", a, "", NULL);
	again = acquire(w, "alice", "", "k");
	expect_problem(again, 410, "lease-ended");
	expect_text(again, "reason", "released");
	expect_text(again, "ended_at", "2025-11-24T16:00:00.000Z");
	world_destroy(w);
}

Test(acquire, is_422_when_its_key_stood_for_another_request)
{
	struct world *w = world_create((struct world_config){0});

	expect_status(acquire(w, "alice", "", "k"), 201);
	expect_problem(acquire(w, "alice", ",\"ttl_seconds\":31", "k"), 422, "idempotency-key-reused");
	expect_problem(acquire(w, "alice", ",\"label\":\"x\"", "k"), 422, "idempotency-key-reused");
	expect_status(acquire(w, "alice", ",\"wait_seconds\":7,\"ttl_seconds\":30", "k"), 201);
	world_destroy(w);
}

Test(acquire, is_503_for_more_parked_requests_than_there_is_room_for)
{
	struct world *w = world_create((struct world_config){.max_slots = 1, .requests_max = 1});
	struct exchange *e;

	acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", NULL);
	e = acquire(w, "alice", "", NULL);
	expect_problem(e, 503, "overloaded");
	cr_expect(e->reply.retry_after == 1);
	expect_problem(acquire(w, "alice", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	world_destroy(w);
}

Test(acquire, is_503_before_the_server_is_ready)
{
	struct world *w = world_create((struct world_config){0});

	api_set_readiness(w->api, w->now, API_NOT_READY);
	expect_problem(acquire(w, "alice", "", NULL), 503, "not-ready");
	world_destroy(w);
}

Test(acquire, while_draining_only_gets_what_is_there)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", "held"), *plain, *keyed, *again, *first, *looks;

	acquire(w, "alice", "", NULL);
	plain = acquire(w, "bob", "", NULL);
	first = acquire(w, "bob", ",\"wait_seconds\":0.1", "place");
	pass(w, 1 * S);
	looks = lease(w, "GET", first, "?wait=20s", NULL);
	keyed = acquire(w, "bob", "", "place");
	cr_expect_not(api_drained(w->api, w->now));
	api_set_readiness(w->api, w->now, API_DRAINING);
	expect_problem(plain, 503, "draining");
	expect_problem(keyed, 503, "draining");
	expect_problem(looks, 503, "draining");
	expect_problem(lease(w, "GET", first, "?wait=20s", NULL), 503, "draining");
	expect_text(lease(w, "GET", first, "", NULL), "state", "pending");
	cr_expect(keyed->reply.retry_after == 1);
	expect_stat(w, "waiting", 0);
	expect_stat(w, "absent", 1);
	expect_problem(acquire(w, "bob", "", NULL), 503, "draining");
	expect_problem(acquire(w, "bob", "", "place"), 503, "draining");
	again = acquire(w, "alice", "", "held");
	expect_status(again, 201);
	expect_text(again, "id", text(a, "id"));
	expect_problem(ask(w, "GET /readyz", NULL), 503, "draining");
	expect_status(ask(w, "GET /healthz", NULL), 200);
	expect_status(lease(w, "PUT", a, "", NULL), 200);
	expect_status(lease(w, "DELETE", a, "", NULL), 204);
	world_destroy(w);
}

Test(acquire, leaves_nothing_active_when_drained)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL);

	api_set_readiness(w->api, w->now, API_DRAINING);
	cr_expect_not(api_drained(w->api, w->now));
	lease(w, "DELETE", a, "", NULL);
	cr_expect(api_drained(w->api, w->now));
	world_destroy(w);
}
