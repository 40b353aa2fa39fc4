/* SPDX-License-Identifier: MIT */
/* SIGTERM: waiters are sent away, holders may finish. */
#include "harness.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(drain, .fini = harness_fini, .timeout = MORE_TIME);

/* The best of some tries: a loaded machine may take its time once. */
Test(drain, a_server_without_leases_leaves_at_once)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 5 && best > 500; i++) {
		struct server *server = server_start("--drain-timeout", "1h", NULL);
		uint64_t began, took;

		cr_assert(call(server, "GET", "/readyz", NULL, NULL)->status == 200);
		cr_assert(call(server, "GET", "/healthz", NULL, NULL)->status == 200);
		began = now_ms();
		server_stop(server);
		took = now_ms() - began;
		best = took < best ? took : best;
	}
	cr_assert(best <= 500, "it left only after %u ms", (unsigned)best);
}

Test(drain, sigint_drains_too)
{
	struct server *server = server_start("--drain-timeout", "1h", NULL);

	server_signal(server, SIGINT);
	cr_assert(server_leaves(server) == 0);
}

/* Operators send it to reload: it ends nothing. */
Test(drain, sighup_does_not_stop_the_server)
{
	struct server *server = server_start("--drain-timeout", "1h", NULL);
	const char *id = must_acquire(server, "alice", "", NULL);

	server_signal(server, SIGHUP);
	server_says(server, "the configuration was read again");
	cr_assert(call(server, "GET", "/readyz", NULL, NULL)->status == 200);
	cr_assert(heartbeat(server, id)->status == 200);
	server_signal(server, SIGTERM);
	server_says(server, "told to stop");
	refused(call(server, "GET", "/readyz", NULL, NULL), 503, "draining");
	server_signal(server, SIGHUP);
	cr_assert(heartbeat(server, id)->status == 200, "a SIGHUP is no second signal to stop");
	must_release(server, id);
	cr_assert(server_leaves(server) == 0);
}

Test(drain, waiters_are_refused_and_holders_go_on)
{
	struct server *server = server_start("--max-slots", "2", "--drain-timeout", "1h", NULL);
	const char *one = must_acquire(server, "alice", "", "job-1"), *two = must_acquire(server, "bob", "", NULL);
	struct conn *keyed = conn_open(server_port(server)), *plain = conn_open(server_port(server));
	struct reply *reply;

	conn_acquire(keyed, "alice", ",\"wait_seconds\":300", "job-2");
	conn_acquire(plain, "bob", ",\"wait_seconds\":300", NULL);
	wait_stat(server, "waiting", 2);
	server_signal(server, SIGTERM);
	refused(conn_reply(keyed), 503, "draining");
	refused(conn_reply(plain), 503, "draining");
	refused(acquire(server, "carol", "", NULL), 503, "draining");
	refused(call(server, "GET", "/readyz", NULL, NULL), 503, "draining");
	cr_assert(call(server, "GET", "/healthz", NULL, NULL)->status == 200);
	cr_assert(heartbeat(server, one)->status == 200);
	cr_assert_str_eq(granted(acquire(server, "alice", "", "job-1")), one, "a lease that is there is answered");
	must_release(server, one);
	refused(acquire(server, "carol", "", NULL), 503, "draining");
	reply = conn_call(conn_open(server_port(server)), "PUT", lease_path(two, ""), NULL, NULL);
	cr_assert(reply->status == 200, "a new connection is let in: %u %s", reply->status, reply->body);
	must_release(server, two);
	cr_assert(server_leaves(server) == 0);
}

Test(drain, ends_when_the_last_lease_expires)
{
	struct server *server = server_start("--drain-timeout", "1h", NULL);

	granted(call(server, "POST", "/leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":1}", NULL));
	server_signal(server, SIGTERM);
	cr_assert(server_leaves(server) == 0);
}

Test(drain, ends_after_the_drain_timeout)
{
	struct server *server = server_start("--drain-timeout", "700ms", NULL);
	uint64_t began, took;

	must_acquire(server, "alice", "", NULL);
	began = now_ms();
	server_signal(server, SIGTERM);
	cr_assert(server_leaves(server) == 0);
	took = now_ms() - began;
	cr_assert(took >= 700 && took < 10000, "a drain timeout of 700 ms took %u ms", (unsigned)took);
}

Test(drain, a_second_signal_leaves_at_once)
{
	struct server *server = server_start("--drain-timeout", "1h", NULL);
	struct conn *waiter = conn_open(server_port(server));

	must_acquire(server, "alice", "", NULL);
	conn_ask(waiter, "GET", "/readyz", NULL, NULL);
	cr_assert(conn_reply(waiter)->status == 200);
	server_signal(server, SIGTERM);
	server_says(server, "told to stop");
	refused(call(server, "GET", "/readyz", NULL, NULL), 503, "draining");
	server_signal(server, SIGTERM);
	cr_assert(server_leaves(server) == 1);
}

/* Answers begun are sent before it leaves: 300 refusals must all arrive though nothing holds the server back. */
Test(drain, all_waiters_have_their_answer_before_it_leaves)
{
	struct server *server = server_start("--max-slots", "1", "--drain-timeout", "0s", NULL);
	struct conn *waiters[300];

	must_acquire(server, "alice", "", NULL);
	for (int i = 0; i < 300; i++) {
		waiters[i] = conn_open(server_port(server));
		conn_acquire(waiters[i], "bob", ",\"wait_seconds\":300", NULL);
	}
	wait_stat(server, "waiting", 300);
	server_signal(server, SIGTERM);
	cr_assert(server_leaves(server) == 0);
	for (int i = 0; i < 300; i++)
		refused(conn_reply(waiters[i]), 503, "draining");
}

/*
 * A client asks for more than the kernel takes off the server's hands and reads nothing, so when the signal comes an
 * answer is half sent. It must arrive whole; requests behind it need not be answered.
 */
Test(drain, an_answer_begun_is_sent_before_it_leaves)
{
	struct server *server = server_start("--max-slots", "1000", "--drain-timeout", "0s", NULL);
	struct conn *conn = conn_open_small(server_port(server));
	const char *label = text_format(",\"label\":\"%s\"", text_repeat('x', 250));
	struct reply *reply;
	size_t bytes = 0;

	for (int i = 0; i < 1000; i++)
		must_acquire(server, "alice", label, NULL);
	for (int i = 0; i < 10; i++)
		conn_ask(conn, "GET", "/leases?limit=1000", NULL, NULL);
	cr_assert(conn_readable(conn, PATIENCE_MS), "no reply");
	cr_assert(stat_of(server, "total_active_slots") == 1000);
	server_signal(server, SIGTERM);
	pause_until(now_ms() + 100);
	conn_read_all(conn);
	while ((reply = conn_maybe_reply(conn)) != NULL) {
		cr_assert(reply->status == 200 && json_array_size(json_object_get(reply->json, "items")) == 1000);
		bytes += reply->body_len;
	}
	cr_assert(bytes > 0, "nothing arrived");
	cr_assert(server_leaves(server) == 0);
}
