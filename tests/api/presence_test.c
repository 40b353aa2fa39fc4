/* SPDX-License-Identifier: MIT */
/* Presence, place, lost answers and Idempotency-Key, sentence by sentence. */
#include "check.h"

TestSuite(presence);

static struct world *full(void)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});

	acquire(w, "bob", ",\"ttl_seconds\":3600", "holder");
	return w;
}

static void give_back(struct world *w)
{
	expect_status(ask_key(w, "DELETE /leases?tenant_id=bob", NULL, "holder"), 204);
}

/* The one pending lease of the world. */
static struct exchange *pending(struct world *w, char ret_line[64], const char *method)
{
	struct exchange *list = ask(w, "GET /leases?state=pending", NULL);
	const json_t *item = json_array_get(json_object_get(list->json, "items"), 0);
	const char *id = json_string_value(json_object_get(item, "id"));

	snprintf(ret_line, 64, "%s /leases/%s", method, id != NULL ? id : "none");
	return list;
}

Test(presence, a_waiter_without_key_leaves_when_its_request_breaks)
{
	struct world *w = full();
	struct exchange *e = acquire(w, "alice", "", NULL), *gone;
	char line[64];

	pending(w, line, "GET");
	expect_stat(w, "waiting", 1);
	hang_up(w, e);
	expect_stat(w, "waiting", 0);
	gone = ask(w, line, NULL);
	expect_problem(gone, 410, "lease-ended");
	expect_text(gone, "reason", "left");
	expect_status(e, 0);
	world_destroy(w);
}

Test(presence, a_waiter_with_key_keeps_its_place_absent_for_the_grace)
{
	struct world *w = full();
	struct exchange *e = acquire(w, "alice", "", "k"), *shown;
	char line[64];

	hang_up(w, e);
	expect_stat(w, "waiting", 0);
	expect_stat(w, "absent", 1);
	expect_stat(w, "demanding_tenants", 1);
	pending(w, line, "GET");
	shown = ask(w, line, NULL);
	expect_status(shown, 200);
	expect_text(shown, "state", "pending");
	expect_text(shown, "reason", "absent");
	cr_expect(json_is_false(json_object_get(shown->json, "present")));
	pass(w, 14900 * MS);
	expect_stat(w, "absent", 1);
	pass(w, 200 * MS);
	expect_stat(w, "absent", 0);
	shown = ask(w, line, NULL);
	expect_problem(shown, 410, "lease-ended");
	expect_text(shown, "reason", "place-lost");
	world_destroy(w);
}

Test(presence, free_slots_pass_an_absent_waiter)
{
	struct world *w = full();
	struct exchange *first = acquire(w, "alice", "", "k"), *second = acquire(w, "alice", "", NULL);

	hang_up(w, first);
	give_back(w);
	expect_status(second, 201);
	world_destroy(w);
}

Test(presence, the_repetition_with_the_key_takes_up_the_same_place)
{
	struct world *w = full();
	struct exchange *first = acquire(w, "alice", ",\"wait_seconds\":1", "k"), *second, *third;

	pass(w, 1100 * MS);
	expect_problem(first, 429, "no-slot");
	cr_expect(strlen(text(first, "id")) == 29);
	cr_expect(strstr(first->reply.location, text(first, "id")) != NULL);
	second = acquire(w, "alice", "", NULL);
	third = acquire(w, "alice", "", "k");
	give_back(w);
	expect_status(third, 201);
	expect_text(third, "id", text(first, "id"));
	expect_status(second, 0);
	world_destroy(w);
}

Test(presence, a_newer_post_supersedes_an_older_one)
{
	struct world *w = full();
	struct exchange *older = acquire(w, "alice", "", "k"), *newer = acquire(w, "alice", "", "\"k\"");

	expect_problem(older, 409, "superseded");
	expect_status(newer, 0);
	give_back(w);
	expect_status(newer, 201);
	world_destroy(w);
}

Test(presence, a_newer_post_with_a_wait_of_0_supersedes_too_and_tells_the_place)
{
	struct world *w = full();
	struct exchange *older = acquire(w, "alice", "", "k"), *newer = acquire(w, "alice", ",\"wait_seconds\":0", "k");

	expect_problem(older, 409, "superseded");
	expect_problem(newer, 429, "no-slot");
	expect_number(newer, "position", 1);
	cr_expect(strlen(text(newer, "id")) == 29);
	expect_stat(w, "absent", 1);
	world_destroy(w);
}

Test(presence, gets_are_answered_beside_the_post)
{
	struct world *w = full();
	struct exchange *post = acquire(w, "alice", "", "k"), *get;
	char line[64], waiting[80];

	pending(w, line, "GET");
	snprintf(waiting, sizeof(waiting), "%s?wait=5", line);
	get = ask(w, waiting, NULL);
	expect_status(get, 0);
	expect_status(post, 0);
	give_back(w);
	expect_status(post, 201);
	expect_status(get, 200);
	expect_text(get, "state", "active");
	expect_text(get, "id", text(post, "id"));
	world_destroy(w);
}

Test(presence, a_get_with_wait_keeps_the_waiter_present_and_tells_when_it_runs_out)
{
	struct world *w = full();
	struct exchange *post = acquire(w, "alice", "", NULL), *get;
	char line[64], waiting[80];

	pending(w, line, "GET");
	snprintf(waiting, sizeof(waiting), "%s?wait=5s", line);
	get = ask(w, waiting, NULL);
	hang_up(w, post);
	expect_stat(w, "waiting", 1);
	pass(w, 5100 * MS);
	expect_status(get, 200);
	expect_text(get, "state", "pending");
	expect_text(get, "reason", "pool-full");
	cr_expect(json_is_true(json_object_get(get->json, "present")));
	expect_stat(w, "waiting", 0);
	expect_stat(w, "no_slot_total", 0);
	world_destroy(w);
}

Test(presence, a_get_with_a_wait_of_0_starts_the_grace_anew)
{
	struct world *w = full();
	struct exchange *post = acquire(w, "alice", "", "k"), *get;
	char line[64], instant[80];

	pending(w, line, "GET");
	snprintf(instant, sizeof(instant), "%s?wait=0", line);
	hang_up(w, post);
	pass(w, 10 * S);
	get = ask(w, instant, NULL);
	expect_status(get, 200);
	expect_text(get, "state", "pending");
	pass(w, 10 * S);
	expect_stat(w, "absent", 1);
	pass(w, 6 * S);
	expect_stat(w, "absent", 0);
	world_destroy(w);
}

Test(presence, delete_of_the_id_answers_all_who_wait_for_it)
{
	struct world *w = full();
	struct exchange *post = acquire(w, "alice", "", "k"), *get;
	char line[64], waiting[80];

	pending(w, line, "GET");
	snprintf(waiting, sizeof(waiting), "%s?wait=5", line);
	get = ask(w, waiting, NULL);
	pending(w, line, "DELETE");
	expect_status(ask(w, line, NULL), 204);
	expect_problem(post, 410, "lease-ended");
	expect_text(post, "reason", "left");
	expect_problem(get, 410, "lease-ended");
	expect_status(ask(w, line, NULL), 204);
	expect_status(acquire(w, "alice", ",\"wait_seconds\":0", "k"), 429);
	world_destroy(w);
}

Test(presence, delete_of_the_key_gives_the_place_up)
{
	struct world *w = full();
	struct exchange *post = acquire(w, "alice", "", "k");

	expect_status(ask_key(w, "DELETE /leases?tenant_id=alice", NULL, "k"), 204);
	expect_problem(post, 410, "lease-ended");
	expect_text(post, "reason", "left");
	expect_status(ask_key(w, "DELETE /leases?tenant_id=alice", NULL, "k"), 204);
	expect_status(ask_key(w, "DELETE /leases?tenant_id=nobody&pool=nowhere", NULL, "k"), 204);
	world_destroy(w);
}

Test(presence, delete_of_the_key_gives_the_lease_back)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", "k"), *gone;

	expect_status(ask_key(w, "DELETE /leases?tenant_id=alice", NULL, "k"), 204);
	gone = lease(w, "GET", a, "", NULL);
	expect_problem(gone, 410, "lease-ended");
	expect_text(gone, "reason", "released");
	world_destroy(w);
}

Test(presence, a_lost_answer_without_key_ends_the_lease_as_unclaimed)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a, *gone;

	w->no_send = true;
	a = acquire(w, "alice", "", NULL);
	expect_status(a, 201);
	cr_expect(a->request.told_grant);
	hand_over(w, a, false);
	gone = lease(w, "GET", a, "", NULL);
	expect_problem(gone, 410, "lease-ended");
	expect_text(gone, "reason", "unclaimed");
	world_destroy(w);
}

Test(presence, a_lost_answer_with_key_waits_to_be_claimed)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a, *again;

	w->no_send = true;
	a = acquire(w, "alice", "", "k");
	hand_over(w, a, false);
	pass(w, 9 * S);
	again = acquire(w, "alice", "", "k");
	expect_status(again, 201);
	expect_text(again, "id", text(a, "id"));
	hand_over(w, again, true);
	pass(w, 15 * S);
	expect_status(lease(w, "GET", a, "", NULL), 200);
	world_destroy(w);
}

Test(presence, what_is_never_claimed_ends)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a, *gone;

	w->no_send = true;
	a = acquire(w, "alice", "", "k");
	hand_over(w, a, false);
	pass(w, 5 * S);
	lease(w, "HEAD", a, "", NULL);
	ask(w, "GET /leases", NULL);
	pass(w, 5200 * MS);
	gone = lease(w, "GET", a, "", NULL);
	expect_problem(gone, 410, "lease-ended");
	expect_text(gone, "reason", "unclaimed");
	world_destroy(w);
}

Test(presence, get_put_and_heartbeats_claim)
{
	static const char *const how[] = {"GET", "PUT", "heartbeat"};

	for (size_t i = 0; i < 3; i++) {
		struct world *w = world_create((struct world_config){0});
		struct exchange *a;
		char body[80];

		w->no_send = true;
		a = acquire(w, "alice", "", "k");
		hand_over(w, a, false);
		pass(w, 5 * S);
		snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\"]}", text(a, "id"));
		if (i == 2)
			expect_status(ask(w, "POST /heartbeats", body), 200);
		else
			expect_status(lease(w, how[i], a, "", NULL), 200);
		pass(w, 10 * S);
		expect_status(lease(w, "GET", a, "", NULL), 200);
		world_destroy(w);
	}
}

Test(presence, a_repeated_post_claims_and_does_not_renew)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", "k"), *again;

	pass(w, 10 * S);
	again = acquire(w, "alice", "", "k");
	expect_status(again, 201);
	expect_text(again, "id", text(a, "id"));
	expect_number(again, "expires_in_seconds", 20);
	world_destroy(w);
}

Test(presence, keys_are_scoped_to_tenant_and_pool)
{
	struct world *w = world_create((struct world_config){.auto_register = true});
	struct exchange *a = acquire(w, "alice", "", "k"), *b = acquire(w, "bob", "", "k");
	struct exchange *c = acquire(w, "alice", ",\"pool\":\"other\"", "k");

	expect_status(b, 201);
	expect_status(c, 201);
	cr_expect_str_neq(text(a, "id"), text(b, "id"));
	cr_expect_str_neq(text(a, "id"), text(c, "id"));
	world_destroy(w);
}

Test(presence, a_key_that_was_refused_is_free)
{
	struct world *w = full();

	expect_status(acquire(w, "alice", ",\"wait_seconds\":0", "k"), 429);
	expect_status(acquire(w, "carol", "", "k2"), 409);
	expect_status(acquire(w, "alice", ",\"ttl_seconds\":5", "k"), 0);
	world_destroy(w);
}

Test(presence, a_key_is_answered_before_its_tenant_is_looked_at)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", "k");

	expect_status(ask(w, "DELETE /tenants/alice", NULL), 202);
	expect_text(acquire(w, "alice", "", "k"), "id", text(a, "id"));
	world_destroy(w);
}

Test(presence, a_key_is_bare_or_quoted_and_of_1_to_256_bytes)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", "k\"1"), *b = acquire(w, "alice", "", "\"k\\\"1\"");
	char key[300];

	expect_text(b, "id", text(a, "id"));
	memset(key, 'k', sizeof(key));
	key[257] = '\0';
	expect_problem(acquire(w, "alice", "", key), 422, "idempotency-key-invalid");
	key[256] = '\0';
	expect_status(acquire(w, "alice", "", key), 201);
	expect_problem(acquire(w, "alice", "", ""), 422, "idempotency-key-invalid");
	expect_problem(acquire(w, "alice", "", "\"\""), 422, "idempotency-key-invalid");
	world_destroy(w);
}
