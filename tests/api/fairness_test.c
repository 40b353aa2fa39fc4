/* SPDX-License-Identifier: MIT */
/* What tenants may have, requests for several slots, and what operators do to pools and leases. */
#include "check.h"

TestSuite(fairness);

static size_t length(const struct exchange *e, const char *name)
{
	return json_array_size(json_object_get(e->json, name));
}

static long slot(const struct exchange *e, size_t i)
{
	return (long)json_integer_value(json_array_get(json_object_get(e->json, "slot_ids"), i));
}

static bool is_null(const struct exchange *e, const char *name)
{
	return json_is_null(json_object_get(e->json, name));
}

static void expect_audit(struct world *w, const char *wanted)
{
	cr_expect_str_eq(w->audit, wanted);
	w->audit[0] = '\0';
}

/* ---- tenants ---- */

Test(fairness, a_tenant_begins_with_neutral_values)
{
	struct world *w = world_create((struct world_config){.tenant_max_waiting = 12});
	struct exchange *e = ask(w, "GET /tenants/alice", NULL);

	expect_number(e, "weight", 1);
	expect_number(e, "reserved_slots", 0);
	cr_expect(is_null(e, "max_slots"));
	expect_number(e, "max_waiting", 12);
	world_destroy(w);
}

Test(fairness, patch_changes_only_what_it_names)
{
	struct world *w = world_create((struct world_config){.max_slots = 10});
	struct exchange *e;

	expect_status(ask(w, "PATCH /pools/default", "{\"policy\":\"max-min\"}"), 200);
	w->audit[0] = '\0';
	e = ask(w, "PATCH /tenants/alice", "{\"weight\":2.5,\"reserved_slots\":3,\"max_slots\":6,\"max_waiting\":7}");
	expect_status(e, 200);
	expect_number(e, "weight", 2.5);
	expect_number(e, "reserved_slots", 3);
	expect_number(e, "max_slots", 6);
	expect_number(e, "max_waiting", 7);
	expect_audit(w, "set pool=default tenant_id=alice key=weight was=1 is=2.5\n"
					"set pool=default tenant_id=alice key=reserved_slots was=0 is=3\n"
					"set pool=default tenant_id=alice key=max_slots was=0 is=6\n"
					"set pool=default tenant_id=alice key=max_waiting was=0 is=7\n");
	e = ask(w, "PATCH /tenants/alice", "{\"max_slots\":null,\"max_waiting\":null}");
	expect_number(e, "weight", 2.5);
	expect_number(e, "reserved_slots", 3);
	cr_expect(is_null(e, "max_slots"));
	expect_number(e, "max_waiting", 1000);
	w->audit[0] = '\0';
	expect_status(ask(w, "PATCH /tenants/alice", "{}"), 200);
	expect_audit(w, "");
	/* Whoever registers anew sets nothing of it, and the registration keeps it. */
	expect_fault(ask(w, "POST /tenants", "{\"tenant_id\":\"alice\",\"weight\":9}"), "/weight");
	expect_number(ask(w, "POST /tenants", "{\"tenant_id\":\"alice\"}"), "weight", 2.5);
	world_destroy(w);
}

Test(fairness, patch_of_who_is_not_there_is_404)
{
	struct world *w = world_create((struct world_config){0});

	expect_problem(ask(w, "PATCH /tenants/nobody", "{}"), 404, "tenant-not-found");
	expect_problem(ask(w, "PATCH /tenants/a%2Fb", "{}"), 404, "tenant-not-found");
	expect_problem(ask(w, "PATCH /tenants/alice?pool=other", "{}"), 404, "tenant-not-found");
	expect_problem(ask(w, "PATCH /tenants/alice?pool=nowhere", "{}"), 404, "pool-not-found");
	expect_audit(w, "");
	world_destroy(w);
}

Test(fairness, equal_refuses_weight_and_reserve)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "PATCH /tenants/alice", "{\"weight\":2}");

	expect_fault(e, "/weight");
	cr_expect(strstr(fault_detail(e), "policy equal") != NULL, "%s", fault_detail(e));
	expect_fault(ask(w, "PATCH /tenants/alice", "{\"reserved_slots\":1}"), "/reserved_slots");
	expect_fault(ask(w, "PATCH /tenants/alice", "{\"reserved_slots\":1,\"weight\":1}"), "/reserved_slots");
	expect_status(ask(w, "PATCH /tenants/alice", "{\"reserved_slots\":0,\"weight\":1,\"max_slots\":1}"), 200);
	/* And the other way round: a pool does not become equal over one that has a weight. */
	expect_status(ask(w, "PATCH /pools/default", "{\"policy\":\"max-min\"}"), 200);
	expect_status(ask(w, "PATCH /tenants/alice", "{\"weight\":2}"), 200);
	expect_fault(ask(w, "PATCH /pools/default", "{\"policy\":\"equal\"}"), "/policy");
	expect_text(ask(w, "GET /pools/default", NULL), "policy", "max-min");
	expect_status(ask(w, "PATCH /tenants/alice", "{\"weight\":1}"), 200);
	expect_text(ask(w, "PATCH /pools/default", "{\"policy\":\"equal\"}"), "policy", "equal");
	world_destroy(w);
}

Test(fairness, reserves_are_at_most_the_pool)
{
	struct world *w = world_create((struct world_config){.max_slots = 5});

	expect_status(ask(w, "PATCH /pools/default", "{\"policy\":\"max-min\"}"), 200);
	expect_status(ask(w, "PATCH /tenants/alice", "{\"reserved_slots\":3}"), 200);
	expect_fault(ask(w, "PATCH /tenants/bob", "{\"reserved_slots\":3}"), "/reserved_slots");
	expect_status(ask(w, "PATCH /tenants/bob", "{\"reserved_slots\":2}"), 200);
	expect_fault(ask(w, "PATCH /pools/default", "{\"max_slots\":4}"), "/max_slots");
	expect_number(ask(w, "GET /pools/default", NULL), "max_slots", 5);
	expect_fault(ask(w, "PATCH /tenants/bob", "{\"max_slots\":1}"), "/max_slots");
	expect_fault(ask(w, "PATCH /tenants/bob", "{\"max_slots\":3,\"reserved_slots\":4}"), "/reserved_slots");
	world_destroy(w);
}

Test(fairness, a_tenant_has_its_own_limit_of_waiters)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *e;

	expect_status(ask(w, "PATCH /tenants/bob", "{\"max_waiting\":1}"), 200);
	expect_status(acquire(w, "alice", "", NULL), 201);
	cr_expect_not(acquire(w, "bob", "", NULL)->answered);
	e = acquire(w, "bob", "", NULL);
	expect_problem(e, 429, "queue-full");
	cr_expect_str_eq(text(e, "detail"),
					 "tenant 'bob' has its limit of 1 waiters in pool 'default': ask again later, or set "
					 "a larger max_waiting with PATCH /tenants/bob");
	world_destroy(w);
}

Test(fairness, a_policy_is_told_when_it_is_durable)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e;

	w->slow = true;
	e = ask(w, "PATCH /tenants/alice", "{\"max_slots\":1}");
	cr_expect_not(e->answered);
	commit(w);
	expect_status(e, 200);
	expect_number(e, "max_slots", 1);
	world_destroy(w);
}

/* ---- requests ---- */

Test(fairness, several_slots_come_at_once)
{
	struct world *w = world_create((struct world_config){.max_slots = 4});
	struct exchange *a = acquire(w, "alice", ",\"slots\":3", NULL), *b;

	expect_status(a, 201);
	expect_number(a, "slots", 3);
	cr_expect(length(a, "slot_ids") == 3 && slot(a, 0) == 0 && slot(a, 1) == 1 && slot(a, 2) == 2);
	expect_stat(w, "total_active_slots", 3);
	b = acquire(w, "bob", ",\"slots\":2,\"wait_seconds\":0", NULL);
	expect_problem(b, 429, "no-slot");
	expect_status(acquire(w, "bob", "", NULL), 201);
	expect_status(lease(w, "DELETE", a, "", NULL), 204);
	expect_stat(w, "total_active_slots", 1);
	world_destroy(w);
}

Test(fairness, a_repetition_asks_for_the_same)
{
	static const char *const others[] = {",\"slots\":2", ",\"slots\":1,\"priority\":4", ",\"max_lease_seconds\":9"};
	struct world *w = world_create((struct world_config){.max_slots = 4});
	struct exchange *e = acquire(w, "alice", ",\"slots\":1,\"priority\":0", "k");

	expect_status(e, 201);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect_problem(acquire(w, "alice", others[i], "k"), 422, "idempotency-key-reused");
	/* Defaults are the same as what is left out. */
	cr_expect_str_eq(text(acquire(w, "alice", ",\"max_lease_seconds\":null", "k"), "id"), text(e, "id"));
	world_destroy(w);
}

Test(fairness, more_slots_than_can_be_are_409)
{
	struct world *w = world_create((struct world_config){.max_slots = 4});
	struct exchange *e = acquire(w, "alice", ",\"slots\":5", NULL), *waiter;

	expect_problem(e, 409, "too-many-slots");
	expect_text(e, "detail",
				"tenant 'alice' can never have so many slots at once here: ask for fewer, or have max_slots of the pool or "
				"the tenant raised or the reserved_slots of others lowered");
	expect_status(acquire(w, "alice", ",\"slots\":3", NULL), 201);
	/* A slot that is cordoned comes back some day. */
	expect_status(ask(w, "PATCH /pools/default", "{\"cordoned\":[3]}"), 200);
	waiter = acquire(w, "bob", ",\"slots\":4", NULL);
	cr_expect_not(waiter->answered);
	/* "Or no longer can after a change." */
	expect_status(ask(w, "PATCH /pools/default", "{\"max_slots\":3}"), 200);
	expect_problem(waiter, 409, "too-many-slots");
	world_destroy(w);
}

Test(fairness, priority_is_shown_and_goes_first_within_its_tenant)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *held = acquire(w, "alice", ",\"priority\":-10", NULL), *low, *high;

	expect_number(held, "priority", -10);
	low = acquire(w, "alice", ",\"priority\":-1", NULL);
	high = acquire(w, "alice", ",\"priority\":10", NULL);
	expect_status(lease(w, "DELETE", held, "", NULL), 204);
	expect_status(high, 201);
	expect_number(high, "priority", 10);
	cr_expect_not(low->answered);
	world_destroy(w);
}

Test(fairness, max_lease_ends_a_lease_that_beats)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = acquire(w, "alice", ",\"ttl_seconds\":4,\"max_lease_seconds\":6", NULL);
	char body[128];

	expect_number(e, "expires_in_seconds", 4);
	pass(w, 3 * S);
	/* What is left is told, and not the whole ttl. */
	expect_number(lease(w, "PUT", e, "", NULL), "expires_in_seconds", 3);
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\"]}", text(e, "id"));
	cr_expect(json_number_value(
				  json_object_get(json_array_get(json_object_get(ask(w, "POST /heartbeats", body)->json, "renewed"), 0),
								  "expires_in_seconds")) == 3);
	pass(w, 3 * S);
	expect_problem(lease(w, "PUT", e, "", NULL), 410, "lease-ended");
	expect_text(lease(w, "GET", e, "", NULL), "reason", "max-lease");
	/* The pool's counts where it is shorter. */
	expect_status(ask(w, "PATCH /pools/default", "{\"max_lease_seconds\":2}"), 200);
	e = acquire(w, "alice", ",\"max_lease_seconds\":6", NULL);
	expect_number(e, "expires_in_seconds", 2);
	world_destroy(w);
}

/* ---- pools ---- */

Test(fairness, a_pool_shows_and_takes_all_of_it)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "PUT /pools/farm", "{\"max_slots\":8}");

	expect_text(e, "policy", "equal");
	cr_expect(json_is_false(json_object_get(e->json, "draining")) && length(e, "cordoned") == 0);
	cr_expect(is_null(e, "slot_urls") && is_null(e, "max_lease_seconds"));
	expect_number(e, "slot_rest_seconds", 0);
	expect_number(e, "pass_over_seconds", 5);
	expect_number(e, "priority_step_seconds", 30);
	expect_number(e, "debt_slots", 0);
	w->audit[0] = '\0';
	e = ask(w, "PATCH /pools/farm",
			"{\"policy\":\"max-min\",\"draining\":true,\"cordoned\":[7,2],\"slot_rest_seconds\":1.5,"
			"\"max_lease_seconds\":60,\"pass_over_seconds\":2,\"priority_step_seconds\":10}");
	expect_status(e, 200);
	expect_text(e, "policy", "max-min");
	cr_expect(json_is_true(json_object_get(e->json, "draining")) && length(e, "cordoned") == 2);
	expect_number(e, "slot_rest_seconds", 1.5);
	expect_number(e, "max_lease_seconds", 60);
	expect_number(e, "pass_over_seconds", 2);
	expect_number(e, "priority_step_seconds", 10);
	expect_audit(
		w, "drain pool=farm key=draining was=0 is=1\n"
		   "set pool=farm key=slot_rest_seconds was=0 is=1.5\n"
		   "set pool=farm key=max_lease_seconds was=0 is=60\nset pool=farm key=pass_over_seconds was=5 is=2\n"
		   "set pool=farm key=priority_step_seconds was=30 is=10\n"
		   "set pool=farm key=policy was=equal is=max-min\ncordon pool=farm slots=7,2 count=2\n");
	e = ask(w, "PATCH /pools/farm", "{\"max_slots\":9}");
	expect_number(e, "slot_rest_seconds", 1.5);
	cr_expect(json_is_true(json_object_get(e->json, "draining")) && length(e, "cordoned") == 2);
	/* PUT sets all: what it does not name gets its default. */
	e = ask(w, "PUT /pools/farm", "{\"max_slots\":8}");
	expect_text(e, "policy", "equal");
	cr_expect(json_is_false(json_object_get(e->json, "draining")) && length(e, "cordoned") == 0);
	cr_expect(is_null(e, "max_lease_seconds"));
	expect_number(e, "slot_rest_seconds", 0);
	expect_number(e, "pass_over_seconds", 5);
	world_destroy(w);
}

Test(fairness, a_draining_pool_lets_leases_finish)
{
	struct world *w = world_create((struct world_config){.max_slots = 2});
	struct exchange *held = acquire(w, "alice", "", NULL), *waiter;

	expect_status(ask(w, "PATCH /pools/default", "{\"draining\":true}"), 200);
	waiter = acquire(w, "bob", "", "k");
	cr_expect_not(waiter->answered);
	expect_text(acquire(w, "bob", ",\"wait_seconds\":0", NULL), "reason", "pool-draining");
	expect_status(lease(w, "PUT", held, "", NULL), 200);
	expect_status(ask(w, "PATCH /pools/default", "{\"draining\":false}"), 200);
	expect_status(waiter, 201);
	world_destroy(w);
}

Test(fairness, a_cordoned_slot_is_not_granted)
{
	struct world *w = world_create((struct world_config){.max_slots = 3});
	struct exchange *e, *waiter;

	expect_status(ask(w, "PATCH /pools/default", "{\"cordoned\":[0,2]}"), 200);
	e = acquire(w, "alice", "", NULL);
	cr_expect(slot(e, 0) == 1);
	waiter = acquire(w, "alice", "", NULL);
	cr_expect_not(waiter->answered);
	expect_status(ask(w, "PATCH /pools/default", "{\"cordoned\":[0]}"), 200);
	expect_status(waiter, 201);
	cr_expect(slot(waiter, 0) == 2);
	/* One that the pool has lost by shrinking stays cordoned, and may be named again. */
	expect_status(ask(w, "PATCH /pools/default", "{\"cordoned\":[0,2]}"), 200);
	e = ask(w, "PATCH /pools/default", "{\"max_slots\":2}");
	cr_expect(length(e, "cordoned") == 2);
	expect_number(e, "debt_slots", 0);
	expect_status(ask(w, "PATCH /pools/default", "{\"cordoned\":[2]}"), 200);
	expect_status(ask(w, "PATCH /pools/default", "{\"cordoned\":[]}"), 200);
	expect_fault(ask(w, "PATCH /pools/default", "{\"cordoned\":[2]}"), "/cordoned/0");
	world_destroy(w);
}

Test(fairness, slots_rest_after_a_revoke_and_not_after_a_release)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *e = acquire(w, "alice", "", NULL), *waiter;

	expect_status(ask(w, "PATCH /pools/default", "{\"slot_rest_seconds\":2}"), 200);
	expect_status(lease(w, "DELETE", e, "", NULL), 204);
	e = acquire(w, "alice", "", NULL);
	expect_status(e, 201);
	expect_status(lease(w, "DELETE", e, "?revoke=true", NULL), 204);
	expect_stat(w, "resting_slots", 1);
	waiter = acquire(w, "alice", "", NULL);
	pass(w, 1900 * MS);
	cr_expect_not(waiter->answered);
	expect_text(acquire(w, "bob", ",\"wait_seconds\":0", NULL), "reason", "resting");
	pass(w, 200 * MS);
	expect_status(waiter, 201);
	expect_stat(w, "resting_slots", 0);
	world_destroy(w);
}

Test(fairness, debt_is_shown_after_shrinking)
{
	struct world *w = world_create((struct world_config){.max_slots = 3});

	for (int i = 0; i < 3; i++)
		expect_status(acquire(w, "alice", "", NULL), 201);
	expect_number(ask(w, "PATCH /pools/default", "{\"max_slots\":1}"), "debt_slots", 2);
	expect_stat(w, "debt_slots", 2);
	expect_stat(w, "available_slots", 0);
	world_destroy(w);
}

Test(fairness, the_share_of_a_max_min_pool_is_each_tenants)
{
	struct world *w = world_create((struct world_config){.max_slots = 4});
	struct exchange *e;

	expect_status(ask(w, "PATCH /pools/default", "{\"policy\":\"max-min\"}"), 200);
	e = ask(w, "GET /stats", NULL);
	expect_text(e, "policy", "max-min");
	cr_expect(is_null(e, "share"));
	expect_number(e, "fairness_index", 1);
	expect_stat(w, "reserved_slots", 0);
	expect_stat(w, "saved_slots", 0);
	world_destroy(w);
}

/* ---- many at once ---- */

static struct world *shared_by_who_comes_first(int slots)
{
	struct world *w = world_create((struct world_config){.max_slots = (uint32_t)slots});
	char body[64];

	snprintf(body, sizeof(body), "{\"min_share\":%d}", slots);
	expect_status(ask(w, "PATCH /pools/default", body), 200);
	w->audit[0] = '\0';
	return w;
}

Test(fairness, all_leases_of_a_tenant_are_revoked)
{
	struct world *w = shared_by_who_comes_first(4);
	struct exchange *a = acquire(w, "alice", ",\"label\":\"x\"", NULL), *b = acquire(w, "bob", "", NULL), *e, *waiter;

	acquire(w, "alice", "", NULL);
	acquire(w, "alice", ",\"label\":\"x\"", NULL);
	waiter = acquire(w, "alice", "", NULL);
	e = ask(w, "DELETE /leases?revoke=true&tenant_id=alice", NULL);
	expect_status(e, 200);
	expect_number(e, "ended", 4);
	expect_audit(w, "revoke tenant_id=alice ended=4\n");
	expect_problem(waiter, 410, "lease-ended");
	expect_text(lease(w, "PUT", a, "", NULL), "reason", "revoked");
	expect_status(lease(w, "PUT", b, "", NULL), 200);
	e = ask(w, "DELETE /leases?revoke=true&tenant_id=alice", NULL);
	expect_number(e, "ended", 0);
	world_destroy(w);
}

Test(fairness, leases_are_revoked_by_label_state_and_pool)
{
	struct world *w = shared_by_who_comes_first(2);
	struct exchange *x = acquire(w, "alice", ",\"label\":\"x\"", NULL),
					*y = acquire(w, "alice", ",\"label\":\"y\"", NULL);
	struct exchange *waiter = acquire(w, "bob", ",\"label\":\"x\"", NULL), *e;

	expect_problem(ask(w, "DELETE /leases?revoke=true&label=&pool=default", NULL), 422, "invalid-value");
	e = ask(w, "DELETE /leases?revoke=true&label=x&state=pending", NULL);
	expect_number(e, "ended", 1);
	expect_problem(waiter, 410, "lease-ended");
	expect_status(lease(w, "GET", x, "", NULL), 200);
	e = ask(w, "DELETE /leases?revoke=true&label=x&pool=other", NULL);
	expect_number(e, "ended", 0);
	w->audit[0] = '\0';
	e = ask(w, "DELETE /leases?revoke=true&label=x&pool=default&state=active", NULL);
	expect_number(e, "ended", 1);
	expect_audit(w, "revoke pool=default label=x state=active ended=1\n");
	expect_status(lease(w, "GET", y, "", NULL), 200);
	e = ask(w, "DELETE /leases?revoke=true&pool=default", NULL);
	expect_number(e, "ended", 1);
	expect_problem(lease(w, "GET", y, "", NULL), 410, "lease-ended");
	world_destroy(w);
}

/* More than one call does: the answer comes when all have ended, and a client that leaves stops nothing. */
Test(fairness, very_many_leases_are_revoked_before_the_answer)
{
	enum { MANY = 2000 };
	struct world *w = world_create((struct world_config){.max_slots = MANY});
	struct exchange *last = NULL, *e, *gone;

	for (int i = 0; i < MANY; i++)
		last = acquire(w, "alice", "", NULL);
	expect_stat(w, "total_active_slots", MANY);
	e = ask(w, "DELETE /leases?revoke=true&tenant_id=alice", NULL);
	cr_expect_not(e->answered, "one call is over after some hundred");
	gone = ask(w, "DELETE /leases?revoke=true&tenant_id=alice", NULL);
	hang_up(w, gone);
	pass(w, 100 * MS);
	expect_status(e, 200);
	expect_number(e, "ended", MANY);
	expect_stat(w, "total_active_slots", 0);
	expect_problem(lease(w, "GET", last, "", NULL), 410, "lease-ended");
	world_destroy(w);
}

Test(fairness, a_key_and_revoke_go_not_together)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = acquire(w, "alice", "", "k");

	expect_fault(ask_key(w, "DELETE /leases?tenant_id=alice&revoke=true", NULL, "k"), "revoke");
	expect_fault(ask_key(w, "DELETE /leases?tenant_id=alice&label=x", NULL, "k"), "label");
	expect_fault(ask_key(w, "DELETE /leases?tenant_id=alice&state=active", NULL, "k"), "state");
	expect_fault(ask_key(w, "DELETE /leases", NULL, "k"), "tenant_id");
	expect_status(lease(w, "GET", e, "", NULL), 200);
	expect_status(ask_key(w, "DELETE /leases?tenant_id=alice", NULL, "k"), 204);
	expect_problem(lease(w, "GET", e, "", NULL), 410, "lease-ended");
	world_destroy(w);
}
