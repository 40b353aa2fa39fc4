/* SPDX-License-Identifier: MIT */
/* Durable before visible: nobody is told of a grant, a tenant, a place or a ttl before its batch is committed. */
#include "check.h"

TestSuite(slow_store);

static struct world *slow(void)
{
	struct world *w = world_create((struct world_config){0});

	w->slow = true;
	return w;
}

static void only_pending(struct world *w, char ret_id[40])
{
	struct exchange *list = ask(w, "GET /leases?state=pending", NULL);
	const json_t *items = json_object_get(list->json, "items");

	cr_assert(json_array_size(items) == 1);
	snprintf(ret_id, 40, "%s", json_string_value(json_object_get(json_array_get(items, 0), "id")));
	cr_expect(json_array_size(json_object_get(ask(w, "GET /leases?state=active", NULL)->json, "items")) == 0);
}

Test(slow_store, a_grant_is_told_when_it_is_committed_and_its_ttl_runs_from_then)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", ",\"wait_seconds\":0", NULL);
	char id[40];

	expect_status(a, 0);
	cr_expect(w->changed == 1);
	only_pending(w, id);
	pass(w, 2 * S);
	commit(w);
	expect_status(a, 201);
	expect_text(a, "id", id);
	expect_number(a, "expires_in_seconds", 30);
	cr_expect(json_array_size(json_object_get(ask(w, "GET /leases?state=active", NULL)->json, "items")) == 1);
	world_destroy(w);
}

Test(slow_store, requests_that_name_the_lease_wait_for_the_commit)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", "", NULL), *get, *put, *beat, *check, *head;
	char id[40], line[128];

	only_pending(w, id);
	snprintf(line, sizeof(line), "GET /leases/%s", id);
	get = ask(w, line, NULL);
	snprintf(line, sizeof(line), "HEAD /leases/%s", id);
	head = ask(w, line, NULL);
	snprintf(line, sizeof(line), "PUT /leases/%s", id);
	put = ask(w, line, NULL);
	snprintf(line, sizeof(line), "GET /check?lease=%s", id);
	check = ask(w, line, NULL);
	snprintf(line, sizeof(line), "{\"lease_ids\":[\"%s\"]}", id);
	beat = ask(w, "POST /heartbeats", line);
	expect_status(get, 0);
	expect_status(check, 0);
	expect_status(beat, 0);
	commit(w);
	expect_status(a, 201);
	expect_status(get, 200);
	expect_status(head, 200);
	cr_expect(head->reply.head);
	expect_status(put, 200);
	expect_status(check, 204);
	expect_status(beat, 200);
	cr_expect(json_array_size(json_object_get(beat->json, "renewed")) == 1);
	world_destroy(w);
}

Test(slow_store, a_delete_by_id_waits_too)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", "", NULL), *gone;
	char id[40], line[128];

	only_pending(w, id);
	snprintf(line, sizeof(line), "DELETE /leases/%s", id);
	gone = ask(w, line, NULL);
	expect_status(gone, 0);
	commit(w);
	expect_status(a, 201);
	expect_status(gone, 204);
	world_destroy(w);
}

Test(slow_store, a_failed_batch_is_taken_back_and_a_key_keeps_its_place)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", "", "k"), *again, *get;
	char id[40], line[128];

	only_pending(w, id);
	snprintf(line, sizeof(line), "GET /leases/%s", id);
	get = ask(w, line, NULL);
	api_set_readiness(w->api, w->now, API_STORE_UNAVAILABLE);
	fail(w);
	expect_problem(a, 503, "store-unavailable");
	cr_expect(a->reply.retry_after == 1);
	expect_status(get, 200);
	expect_text(get, "state", "pending");
	expect_problem(ask(w, "GET /readyz", NULL), 503, "store-unavailable");
	again = acquire(w, "alice", "", "k");
	expect_status(again, 0);
	w->slow = false;
	cr_expect(fair_hold(w->fair, w->now, NULL, false) == FAIR_OK);
	pass(w, 1 * MS);
	expect_status(again, 201);
	expect_text(again, "id", id);
	world_destroy(w);
}

Test(slow_store, a_failed_batch_leaves_nothing_of_one_that_would_not_wait)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", ",\"wait_seconds\":0", "k");

	fail(w);
	expect_problem(a, 503, "store-unavailable");
	expect_stat(w, "total_active_slots", 0);
	expect_stat(w, "waiting", 0);
	expect_stat(w, "absent", 0);
	world_destroy(w);
}

Test(slow_store, a_wait_that_runs_out_meanwhile_does_not_lose_the_grant)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", ",\"wait_seconds\":1", NULL);

	pass(w, 3 * S);
	expect_status(a, 0);
	commit(w);
	expect_status(a, 201);
	world_destroy(w);
}

Test(slow_store, a_client_that_leaves_meanwhile_loses_the_lease)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", "", NULL);

	hang_up(w, a);
	commit(w);
	expect_status(a, 0);
	expect_stat(w, "total_active_slots", 0);
	expect_stat(w, "unclaimed_total", 1);
	world_destroy(w);
}

Test(slow_store, a_repetition_meanwhile_supersedes_and_gets_the_grant)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", "", "k"), *b = acquire(w, "alice", "", "k");

	expect_problem(a, 409, "superseded");
	expect_status(b, 0);
	commit(w);
	expect_status(b, 201);
	world_destroy(w);
}

Test(slow_store, a_key_cancelled_meanwhile_answers_its_request)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", "", "k");

	expect_status(ask_key(w, "DELETE /leases?tenant_id=alice", NULL, "k"), 204);
	expect_problem(a, 410, "lease-ended");
	commit(w);
	expect_stat(w, "total_active_slots", 0);
	world_destroy(w);
}

/* ---- changes of tenants ---- */

Test(slow_store, a_registration_is_told_when_it_is_committed)
{
	struct world *w = slow();
	struct exchange *carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}"), *again, *refused;

	expect_status(carol, 0);
	cr_expect(carol->request.parked);
	refused = ask(w, "POST /tenants", "{\"tenant_id\":\"a b\"}");
	expect_problem(refused, 422, "invalid-value");
	/* It changes nothing, but tells of the same tenant. */
	again = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	expect_status(again, 0);
	commit(w);
	expect_status(carol, 201);
	expect_text(carol, "tenant_id", "carol");
	cr_expect(strcmp(carol->reply.location, "/tenants/carol") == 0);
	cr_expect(!carol->request.parked);
	expect_status(again, 200);
	cr_expect(carol->order < again->order);
	expect_status(ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}"), 200);
	world_destroy(w);
}

Test(slow_store, a_registration_that_failed_is_refused_and_its_repetition_waits_for_the_next_commit)
{
	struct world *w = slow();
	struct exchange *carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}"), *again;

	fail(w);
	expect_problem(carol, 503, "store-unavailable");
	expect_text(carol, "detail", "the change could not be stored: repeat the request");
	cr_expect(carol->reply.retry_after == 1);
	cr_expect(carol->reply.location[0] == '\0');
	again = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	expect_status(again, 0);
	fail(w);
	expect_problem(again, 503, "store-unavailable");
	again = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	expect_status(again, 0);
	commit(w);
	expect_status(again, 200);
	world_destroy(w);
}

Test(slow_store, an_unregistration_is_told_when_it_is_committed)
{
	struct world *w = slow();
	struct exchange *gone = ask(w, "DELETE /tenants/bob", NULL), *again = ask(w, "DELETE /tenants/bob", NULL);

	expect_status(gone, 0);
	expect_status(again, 0);
	expect_status(ask(w, "GET /tenants/bob", NULL), 404);
	commit(w);
	expect_status(gone, 204);
	expect_problem(again, 404, "tenant-not-found");
	world_destroy(w);
}

Test(slow_store, a_closing_tenant_is_told_when_it_is_committed)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *closing, *last;

	w->slow = true;
	closing = ask(w, "DELETE /tenants/alice", NULL);
	expect_status(closing, 0);
	commit(w);
	expect_status(closing, 202);
	expect_text(closing, "state", "closing");
	/* With its last lease the tenant goes: nobody waits to hear of that. */
	last = lease(w, "DELETE", a, "", NULL);
	expect_status(last, 204);
	world_destroy(w);
}

/* ---- changes of a ttl ---- */

Test(slow_store, a_new_ttl_is_told_when_it_is_committed)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *b = acquire(w, "bob", "", NULL), *put, *plain, *get, *beat;
	char body[80];

	w->slow = true;
	expect_status(lease(w, "PUT", a, "", NULL), 200);
	expect_status(lease(w, "PUT", a, "", "{\"ttl_seconds\":30}"), 200);
	put = lease(w, "PUT", a, "", "{\"ttl_seconds\":600}");
	expect_status(put, 0);
	/* These would tell the new ttl too. */
	plain = lease(w, "PUT", a, "", NULL);
	get = lease(w, "GET", a, "", NULL);
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\"]}", text(a, "id"));
	beat = ask(w, "POST /heartbeats", body);
	expect_status(plain, 0);
	expect_status(get, 0);
	expect_status(beat, 0);
	expect_status(lease(w, "PUT", b, "", NULL), 200);
	commit(w);
	expect_status(put, 200);
	expect_number(put, "ttl_seconds", 600);
	expect_status(plain, 200);
	expect_status(get, 200);
	expect_status(beat, 200);
	expect_status(lease(w, "PUT", a, "", NULL), 200);
	world_destroy(w);
}

/* A lease whose answer is lost meanwhile is given back, and the same request may come again. */
Test(slow_store, a_repeated_acquire_tells_the_new_ttl_when_it_is_committed)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", "key"), *again, *lost, *failed;

	w->slow = true;
	lease(w, "PUT", a, "", "{\"ttl_seconds\":600}");
	again = acquire(w, "alice", "", "key");
	lost = acquire(w, "alice", "", "key");
	expect_status(again, 0);
	expect_status(lost, 0);
	hang_up(w, lost);
	commit(w);
	expect_status(again, 201);
	expect_number(again, "ttl_seconds", 600);
	cr_expect_str_eq(text(again, "id"), text(a, "id"));

	lease(w, "PUT", a, "", "{\"ttl_seconds\":500}");
	failed = acquire(w, "alice", "", "key");
	fail(w);
	expect_problem(failed, 503, "store-unavailable");
	failed = acquire(w, "alice", "", "key");
	commit(w);
	expect_status(failed, 201);
	expect_number(failed, "ttl_seconds", 500);
	expect_status(lease(w, "DELETE", a, "", NULL), 204);
	world_destroy(w);
}

Test(slow_store, a_new_ttl_that_failed_is_told_with_the_next_commit)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *b = acquire(w, "bob", "", NULL), *put;

	w->slow = true;
	put = lease(w, "PUT", a, "", "{\"ttl_seconds\":600}");
	fail(w);
	expect_problem(put, 503, "store-unavailable");
	expect_status(lease(w, "PUT", b, "", NULL), 200);
	put = lease(w, "PUT", a, "", "{\"ttl_seconds\":600}");
	expect_status(put, 0);
	commit(w);
	expect_status(put, 200);
	expect_number(put, "ttl_seconds", 600);
	world_destroy(w);
}

Test(slow_store, heartbeats_with_a_new_ttl_wait_and_others_do_not)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *b = acquire(w, "bob", "", NULL), *beat, *last, *turned;
	char body[160];

	w->slow = true;
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\",\"%s\"]}", text(a, "id"), text(b, "id"));
	expect_status(ask(w, "POST /heartbeats", body), 200);
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\"],\"ttl_seconds\":60}", text(a, "id"));
	beat = ask(w, "POST /heartbeats", body);
	expect_status(beat, 0);
	send_off(w);
	/* The ttl of one lease is part of the older batch, that of the other of the newer one. */
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\",\"%s\"],\"ttl_seconds\":60}", text(b, "id"), text(a, "id"));
	last = ask(w, "POST /heartbeats", body);
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\",\"%s\"]}", text(a, "id"), text(b, "id"));
	turned = ask(w, "POST /heartbeats", body);
	commit(w);
	expect_status(beat, 200);
	expect_status(last, 0);
	expect_status(turned, 0);
	cr_expect(json_array_size(json_object_get(beat->json, "renewed")) == 1);
	commit(w);
	expect_status(last, 200);
	expect_status(turned, 200);
	world_destroy(w);
}

/* ---- places ---- */

/* Both slots are taken, and that is durable. */
static struct world *full(struct exchange **ret_holder)
{
	struct world *w = world_create((struct world_config){0});

	*ret_holder = acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", NULL);
	w->slow = true;
	return w;
}

Test(slow_store, a_release_is_told_at_once_though_it_hands_over)
{
	struct exchange *holder, *bob, *carol;
	struct world *w = full(&holder);

	bob = acquire(w, "bob", "", NULL);
	expect_status(lease(w, "DELETE", holder, "", NULL), 204);
	expect_status(bob, 0);
	commit(w);
	expect_status(bob, 201);
	carol = ask_key(w, "DELETE /leases?tenant_id=bob", NULL, "k");
	expect_status(carol, 204);
	world_destroy(w);
}

Test(slow_store, a_place_is_told_when_it_is_committed)
{
	struct exchange *holder, *keyed, *again, *plain;
	struct world *w = full(&holder);

	keyed = acquire(w, "bob", ",\"wait_seconds\":1", "k");
	plain = acquire(w, "bob", ",\"wait_seconds\":1", NULL);
	pass(w, 2 * S);
	expect_problem(plain, 429, "no-slot");
	expect_status(keyed, 0);
	again = acquire(w, "bob", ",\"wait_seconds\":0", "k");
	expect_status(again, 0);
	commit(w);
	expect_problem(keyed, 429, "no-slot");
	expect_problem(again, 429, "no-slot");
	cr_expect(strncmp(text(keyed, "id"), "ls_", 3) == 0);
	cr_expect(strcmp(keyed->reply.location + strlen("/leases/"), text(keyed, "id")) == 0);
	expect_text(again, "id", text(keyed, "id"));
	expect_problem(acquire(w, "bob", ",\"wait_seconds\":0", "k"), 429, "no-slot");
	world_destroy(w);
}

Test(slow_store, a_place_that_failed_is_told_with_the_next_commit)
{
	struct exchange *holder, *keyed;
	struct world *w = full(&holder);

	keyed = acquire(w, "bob", ",\"wait_seconds\":1", "k");
	pass(w, 2 * S);
	fail(w);
	expect_problem(keyed, 503, "store-unavailable");
	keyed = acquire(w, "bob", ",\"wait_seconds\":0", "k");
	expect_status(keyed, 0);
	commit(w);
	expect_problem(keyed, 429, "no-slot");
	world_destroy(w);
}

Test(slow_store, the_place_of_a_grant_that_was_taken_back_is_told_when_it_is_committed)
{
	struct world *w = slow();
	struct exchange *a = acquire(w, "alice", "", "k"), *again;

	fail(w);
	expect_problem(a, 503, "store-unavailable");
	again = acquire(w, "alice", ",\"wait_seconds\":0", "k");
	expect_status(again, 0);
	commit(w);
	expect_problem(again, 429, "no-slot");
	world_destroy(w);
}

/* ---- batches ---- */

Test(slow_store, each_batch_answers_its_own)
{
	struct world *w = slow();
	struct exchange *carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}"), *dave, *eve;

	send_off(w);
	dave = ask(w, "POST /tenants", "{\"tenant_id\":\"dave\"}");
	send_off(w);
	eve = ask(w, "POST /tenants", "{\"tenant_id\":\"eve\"}");
	commit(w);
	expect_status(carol, 201);
	expect_status(dave, 0);
	commit(w);
	expect_status(dave, 201);
	expect_status(eve, 0);
	fail(w);
	expect_status(dave, 201);
	expect_problem(eve, 503, "store-unavailable");
	world_destroy(w);
}

Test(slow_store, an_answer_about_an_older_batch_does_not_wait_for_a_newer_one)
{
	struct exchange *holder, *keyed, *carol;
	struct world *w = full(&holder);

	keyed = acquire(w, "bob", ",\"wait_seconds\":1", "k");
	send_off(w);
	carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	pass(w, 2 * S);
	commit(w);
	expect_problem(keyed, 429, "no-slot");
	expect_status(carol, 0);
	commit(w);
	expect_status(carol, 201);
	world_destroy(w);
}

Test(slow_store, one_batch_has_a_grant_a_place_and_a_tenant)
{
	struct exchange *holder, *granted, *placed, *carol;
	struct world *w = full(&holder);

	granted = acquire(w, "bob", "", NULL);
	placed = acquire(w, "alice", ",\"wait_seconds\":1", "k");
	lease(w, "DELETE", holder, "", NULL);
	carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	pass(w, 2 * S);
	expect_status(granted, 0);
	expect_status(placed, 0);
	expect_status(carol, 0);
	commit(w);
	expect_status(granted, 201);
	expect_problem(placed, 429, "no-slot");
	expect_status(carol, 201);
	world_destroy(w);
}

Test(slow_store, a_failure_answers_all)
{
	struct exchange *holder, *granted, *placed, *carol, *gone, *put;
	struct world *w = full(&holder);

	placed = acquire(w, "alice", ",\"wait_seconds\":1", "k");
	granted = acquire(w, "bob", "", NULL);
	lease(w, "DELETE", holder, "", NULL);
	send_off(w);
	carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	gone = ask(w, "DELETE /tenants/carol", NULL);
	put = lease(w, "PUT", w->exchanges[3], "", "{\"ttl_seconds\":600}");
	pass(w, 2 * S);
	fail(w);
	expect_problem(granted, 503, "store-unavailable");
	expect_text(granted, "detail",
				"the grant could not be stored and was taken back: repeat the request, with the same key");
	expect_problem(placed, 503, "store-unavailable");
	expect_problem(carol, 503, "store-unavailable");
	expect_problem(gone, 503, "store-unavailable");
	expect_problem(put, 503, "store-unavailable");
	expect_stat(w, "total_active_slots", 1);
	world_destroy(w);
}

/* ---- those who wait ---- */

Test(slow_store, a_client_that_leaves_is_not_answered)
{
	struct world *w = slow();
	struct exchange *carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}"),
					*dave = ask(w, "POST /tenants", "{\"tenant_id\":\"dave\"}"),
					*eve = ask(w, "POST /tenants", "{\"tenant_id\":\"eve\"}");

	hang_up(w, dave);
	commit(w);
	expect_status(carol, 201);
	expect_status(dave, 0);
	expect_status(eve, 201);
	expect_status(ask(w, "POST /tenants", "{\"tenant_id\":\"dave\"}"), 200);
	world_destroy(w);
}

Test(slow_store, an_answer_that_waits_counts_as_a_waiting_request)
{
	struct world *w = world_create((struct world_config){.requests_max = 1});
	struct exchange *carol;

	w->slow = true;
	carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	expect_problem(acquire(w, "alice", "", NULL), 503, "overloaded");
	commit(w);
	expect_status(carol, 201);
	expect_status(acquire(w, "alice", "", NULL), 0);
	commit(w);
	world_destroy(w);
}

Test(slow_store, a_shutdown_does_not_lose_an_answer)
{
	struct world *w = slow();
	struct exchange *carol = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");

	api_set_readiness(w->api, w->now, API_DRAINING);
	expect_status(carol, 0);
	cr_expect(!api_drained(w->api, w->now));
	commit(w);
	expect_status(carol, 201);
	cr_expect(api_drained(w->api, w->now));
	world_destroy(w);
}
