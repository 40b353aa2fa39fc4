/* SPDX-License-Identifier: MIT */
/* Idempotency-Key: the place in line and the lease belong to the key, not to the connection. */
#include "harness.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(place, .fini = harness_fini, .timeout = MORE_TIME);

static struct conn *parked(struct server *server, const char *tenant, const char *key, double waiting)
{
	struct conn *conn = conn_open(server_port(server));

	conn_acquire(conn, tenant, ",\"wait_seconds\":60", key);
	wait_stat(server, "waiting", waiting);
	return conn;
}

Test(place, is_kept_over_a_cut_poll)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL), *first;
	struct conn *one = parked(server, "alice", "job-1", 1), *two = parked(server, "bob", NULL, 2);

	conn_close(one);
	wait_stat(server, "waiting", 1);
	cr_assert(stat_of(server, "absent") == 1);
	one = parked(server, "alice", "\"job-1\"", 2);
	cr_assert(stat_of(server, "absent") == 0);
	must_release(server, held);
	first = granted(conn_reply(one));
	cr_assert(!conn_readable(two, 0), "the second was granted beside the first");
	must_release(server, first);
	granted(conn_reply(two));
	server_stop(server);
}

Test(place, of_an_absent_waiter_is_passed_over_and_kept)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *one = parked(server, "alice", "job-1", 1), *two = parked(server, "bob", NULL, 2), *three;

	conn_reset(one);
	wait_stat(server, "absent", 1);
	must_release(server, held);
	held = granted(conn_reply(two));
	three = parked(server, "carol", NULL, 1);
	one = parked(server, "alice", "job-1", 2);
	must_release(server, held);
	held = granted(conn_reply(one));
	must_release(server, held);
	granted(conn_reply(three));
	server_stop(server);
}

Test(place, is_lost_after_the_grace)
{
	struct server *server = server_start("--max-slots", "1", "--queue-grace", "300ms", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *one = parked(server, "alice", "job-1", 1), *two = parked(server, "bob", NULL, 2);

	conn_close(one);
	wait_stat(server, "absent", 1);
	wait_stat(server, "absent", 0);
	one = parked(server, "alice", "job-1", 2);
	must_release(server, held);
	must_release(server, granted(conn_reply(two)));
	granted(conn_reply(one));
	server_stop(server);
}

Test(place, is_named_when_the_wait_runs_out)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL), *id;
	struct reply *reply = acquire(server, "alice", ",\"wait_seconds\":0.2", "job-1"), *seen;
	struct conn *two = parked(server, "bob", NULL, 1);

	refused(reply, 429, "no-slot");
	id = text_of(reply, "id");
	cr_assert(*id && reply_header(reply, "Location"), "a kept place has an id and a Location: %s", reply->body);
	cr_assert_str_eq(reply_header(reply, "Location"), lease_path(id, ""));
	seen = call(server, "GET", lease_path(id, ""), NULL, NULL);
	cr_assert(seen->status == 200, "%u %s", seen->status, seen->body);
	cr_assert_str_eq(text_of(seen, "state"), "pending");
	cr_assert(json_is_false(json_object_get(seen->json, "present")), "%s", seen->body);
	reply = acquire(server, "alice", ",\"wait_seconds\":0.2", "job-1");
	cr_assert_str_eq(text_of(reply, "id"), id, "the place has another id now: %s", reply->body);
	conn_ask(conn_open(server_port(server)), "GET", lease_path(id, "?wait=60"), NULL, NULL);
	wait_stat(server, "waiting", 2);
	must_release(server, held);
	must_release(server, id);
	granted(conn_reply(two));
	server_stop(server);
}

Test(place, is_given_up_by_delete)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *one = parked(server, "alice", "job-1", 1), *two = parked(server, "alice", "job-2", 2);
	struct reply *reply = call(server, "DELETE", "/leases?tenant_id=alice", NULL, "job-1");

	cr_assert(reply->status == 204, "%u %s", reply->status, reply->body);
	reply = conn_reply(one);
	refused(reply, 410, "lease-ended");
	cr_assert_str_eq(text_of(reply, "reason"), "left");
	must_release(server, held);
	granted(conn_reply(two));
	cr_assert(call(server, "DELETE", "/leases?tenant_id=alice", NULL, "job-2")->status == 204);
	cr_assert(stat_of(server, "total_active_slots") == 0);
	cr_assert(call(server, "DELETE", "/leases?tenant_id=nobody", NULL, "job-2")->status == 204);
	server_stop(server);
}

Test(place, a_retried_key_gets_the_same_lease)
{
	struct server *server = server_start(NULL, NULL);
	struct reply *first = acquire(server, "alice", "", "job-1"), *again;
	const char *id = granted(first);

	again = acquire(server, "alice", ",\"wait_seconds\":0", "\"job-1\"");
	cr_assert_str_eq(granted(again), id);
	cr_assert(number_of(again, "fencing_token") == number_of(first, "fencing_token"));
	refused(acquire(server, "alice", ",\"label\":\"other\"", "job-1"), 422, "idempotency-key-reused");
	cr_assert_str_neq(granted(acquire(server, "bob", "", "job-1")), id, "a key is its tenant's own");
	cr_assert(stat_of(server, "total_active_slots") == 2);
	must_release(server, id);
	refused(acquire(server, "alice", "", "job-1"), 410, "lease-ended");
	server_stop(server);
}

Test(place, a_second_post_supersedes_the_first)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *one = parked(server, "alice", "job-1", 1), *two = conn_open(server_port(server));

	conn_acquire(two, "alice", ",\"wait_seconds\":60", "job-1");
	refused(conn_reply(one), 409, "superseded");
	cr_assert(conn_call(one, "GET", "/healthz", NULL, NULL)->status == 200);
	cr_assert(stat_of(server, "waiting") == 1 && stat_of(server, "absent") == 0);
	must_release(server, held);
	granted(conn_reply(two));
	server_stop(server);
}

Test(place, of_many_posts_with_a_key_the_last_has_it)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *conns[100];

	for (int i = 0; i < 100; i++) {
		conns[i] = conn_open(server_port(server));
		conn_acquire(conns[i], "alice", ",\"wait_seconds\":60", "job-1");
		if (i == 0)
			wait_stat(server, "waiting", 1);
		else
			refused(conn_reply(conns[i - 1]), 409, "superseded");
	}
	cr_assert(stat_of(server, "waiting") == 1 && stat_of(server, "absent") == 0);
	must_release(server, held);
	granted(conn_reply(conns[99]));
	cr_assert(stat_of(server, "granted_total") == 2);
	server_stop(server);
}

/* pending_id is the id of the only pending lease of the pool. */
static const char *pending_id(struct server *server)
{
	struct reply *reply = call(server, "GET", "/leases?state=pending", NULL, NULL);
	json_t *items = json_object_get(reply->json, "items");

	cr_assert(reply->status == 200 && json_array_size(items) == 1, "%u %s", reply->status, reply->body);
	return json_string_value(json_object_get(json_array_get(items, 0), "id"));
}

Test(place, a_get_waits_beside_a_post)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL), *id;
	struct conn *post = parked(server, "alice", "job-1", 1), *get = conn_open(server_port(server));
	struct reply *reply;

	id = pending_id(server);
	conn_ask(get, "GET", lease_path(id, "?wait=60"), NULL, NULL);
	cr_assert(!conn_readable(post, 50) && !conn_readable(get, 0), "answered before a slot was free");
	cr_assert(stat_of(server, "waiting") == 1);
	must_release(server, held);
	cr_assert_str_eq(granted(conn_reply(post)), id);
	reply = conn_reply(get);
	cr_assert(reply->status == 200, "%u %s", reply->status, reply->body);
	cr_assert_str_eq(text_of(reply, "id"), id);
	cr_assert_str_eq(text_of(reply, "state"), "active");
	server_stop(server);
}

Test(place, a_get_alone_keeps_a_waiter_present)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL), *id;
	struct conn *post = parked(server, "alice", NULL, 1), *get = conn_open(server_port(server));
	struct reply *reply;

	id = pending_id(server);
	conn_ask(get, "GET", lease_path(id, "?wait=60"), NULL, NULL);
	cr_assert(!conn_readable(get, 50), "answered before a slot was free");
	conn_close(post);
	cr_assert(!conn_readable(get, 200), "the waiter left though a request is attached");
	cr_assert(stat_of(server, "waiting") == 1);
	must_release(server, held);
	reply = conn_reply(get);
	cr_assert(reply->status == 200, "%u %s", reply->status, reply->body);
	cr_assert_str_eq(text_of(reply, "state"), "active");
	server_stop(server);
}

Test(place, a_closing_tenant_is_refused_at_once)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	struct conn *waiter;
	struct reply *reply;

	must_acquire(server, "holder", "", NULL);
	waiter = parked(server, "alice", "job-1", 1);
	reply = call(server, "DELETE", "/tenants/alice", NULL, NULL);
	cr_assert(reply->status == 204, "%u %s", reply->status, reply->body);
	refused(conn_reply(waiter), 409, "tenant-closing");
	refused(call(server, "GET", "/tenants/alice", NULL, NULL), 404, "tenant-not-found");
	cr_assert(call(server, "DELETE", "/tenants/holder?force=true", NULL, NULL)->status == 204);
	cr_assert(stat_of(server, "total_active_slots") == 0);
	server_stop(server);
}
