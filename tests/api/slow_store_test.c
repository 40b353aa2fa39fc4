/* SPDX-License-Identifier: MIT */
/* Durable before visible: nobody is told of a grant before its batch is committed. */
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
	cr_expect(w->batched == 1);
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
