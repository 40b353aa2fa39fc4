/* SPDX-License-Identifier: MIT */
/* Clients that leave: no slot is ever spent on them. */
#include "harness.h"

#include <criterion/criterion.h>
#include <signal.h>

#define TIMES 1000

TestSuite(hangup, .fini = harness_fini, .timeout = MORE_TIME);

static void leave(struct conn *conn, int how)
{
	if (how % 3 == 0)
		conn_close(conn);
	else if (how % 3 == 1)
		conn_half_close(conn);
	else
		conn_reset(conn);
}

Test(hangup, while_waiting_frees_the_line)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *last;

	for (int how = 0; how < 3; how++) {
		struct conn *waiter = conn_open(server_port(server));

		conn_acquire(waiter, "alice", "", NULL);
		wait_stat(server, "waiting", 1);
		cr_assert(stat_of(server, "demanding_tenants") == 2);
		leave(waiter, how);
		wait_stat(server, "waiting", 0);
		cr_assert(stat_of(server, "demanding_tenants") == 1);
	}
	last = conn_open(server_port(server));
	conn_acquire(last, "bob", "", NULL);
	wait_stat(server, "waiting", 1);
	must_release(server, held);
	granted(conn_reply(last));
	server_stop(server);
}

Test(hangup, half_a_close_breaks_the_request)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	struct conn *waiter = conn_open(server_port(server));

	must_acquire(server, "holder", "", NULL);
	conn_acquire(waiter, "alice", "", NULL);
	wait_stat(server, "waiting", 1);
	conn_half_close(waiter);
	wait_stat(server, "waiting", 0);
	conn_ends(waiter);
	server_stop(server);
}

/* The FIN is there before the release is sent: the slot must pass the one who left, whatever is read first. */
Test(hangup, at_the_moment_of_the_grant_holds_no_slot)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	struct conn *conn = conn_open(server_port(server));

	for (int i = 0; i < TIMES; i++) {
		struct conn *waiter = conn_open(server_port(server));
		const char *held;

		conn_acquire(conn, "holder", "", NULL);
		held = granted(conn_reply(conn));
		conn_acquire(waiter, "alice", "", NULL);
		wait_stat(server, "waiting", 1);
		leave(waiter, i);
		cr_assert(conn_call(conn, "DELETE", lease_path(held, ""), NULL, NULL)->status == 204);
	}
	wait_stat(server, "total_active_slots", 0);
	cr_assert(stat_of(server, "waiting") == 0);
	granted(acquire(server, "bob", ",\"wait_seconds\":0", NULL));
	server_stop(server);
}

/* The server wakes up with the release and the hang-up both there, the release first. */
Test(hangup, in_the_same_turn_as_the_release_holds_no_slot)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	struct conn *conn = conn_open(server_port(server));

	for (int i = 0; i < TIMES; i++) {
		struct conn *waiter = conn_open(server_port(server));
		const char *held;

		conn_acquire(conn, "holder", "", NULL);
		held = granted(conn_reply(conn));
		conn_acquire(waiter, "alice", "", NULL);
		wait_stat(server, "waiting", 1);
		server_signal(server, SIGSTOP);
		conn_ask(conn, "DELETE", lease_path(held, ""), NULL, NULL);
		leave(waiter, i);
		server_signal(server, SIGCONT);
		cr_assert(conn_reply(conn)->status == 204);
	}
	wait_stat(server, "total_active_slots", 0);
	granted(acquire(server, "bob", ",\"wait_seconds\":0", NULL));
	server_stop(server);
}

/* told takes the answer that was on its way when the client left, and gives its lease back; false: there was none. */
static bool told(struct server *server, struct conn *waiter)
{
	struct reply *reply = conn_maybe_reply(waiter);

	if (reply)
		must_release(server, granted(reply));
	return reply != NULL;
}

/*
 * With a slow store there is a time between the grant and its answer. Who leaves in it, without a key, ends the lease
 * as unclaimed; the counters tell that this is what happened.
 */
Test(hangup, between_the_grant_and_its_answer_is_unclaimed)
{
	struct server *server = server_start("--max-slots", "1", "--store", "test:delay=3ms", NULL);
	struct conn *conn = conn_open(server_port(server));
	double unclaimed;

	for (int i = 0; i < TIMES; i++) {
		struct conn *waiter = conn_open(server_port(server));
		const char *held;

		conn_acquire(conn, "holder", "", NULL);
		held = granted(conn_reply(conn));
		conn_acquire(waiter, "alice", "", NULL);
		wait_stat(server, "waiting", 1);
		cr_assert(conn_call(conn, "DELETE", lease_path(held, ""), NULL, NULL)->status == 204);
		conn_half_close(waiter);
		told(server, waiter);
	}
	wait_stat(server, "total_active_slots", 0);
	unclaimed = stat_of(server, "unclaimed_total");
	cr_assert(unclaimed >= TIMES / 2, "only %g of %d leases ended as unclaimed", unclaimed, TIMES);
	cr_assert(stat_of(server, "granted_total") == stat_of(server, "released_total") + unclaimed);
	server_stop(server);
}

/* A client that races the grant may find that its answer was on its way; nothing else may hold a slot. */
Test(hangup, that_races_the_grant_holds_only_what_was_handed_over)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	struct conn *conn = conn_open(server_port(server));
	int handed_over = 0;

	for (int i = 0; i < TIMES; i++) {
		struct conn *waiter = conn_open(server_port(server));
		const char *held;

		conn_acquire(conn, "holder", "", NULL);
		held = granted(conn_reply(conn));
		conn_acquire(waiter, "alice", "", NULL);
		wait_stat(server, "waiting", 1);
		conn_ask(conn, "DELETE", lease_path(held, ""), NULL, NULL);
		conn_half_close(waiter);
		cr_assert(conn_reply(conn)->status == 204);
		handed_over += told(server, waiter);
		cr_assert(stat_of(server, "total_active_slots") == 0, "a slot is held that was told to nobody (round %d)", i);
	}
	cr_log_info("%d of %d grants were handed over before the end", handed_over, TIMES);
	server_stop(server);
}

Test(hangup, a_keyed_grant_whose_answer_is_lost_waits_to_be_claimed)
{
	struct server *server = server_start("--max-slots", "1", "--store", "test:delay=300ms", "--claim", "2s", NULL);
	const char *held = must_acquire(server, "holder", "", NULL), *first;
	struct conn *waiter = conn_open(server_port(server));
	struct reply *reply;

	conn_acquire(waiter, "alice", "", "job-1");
	wait_stat(server, "waiting", 1);
	must_release(server, held);
	wait_stat(server, "waiting", 0);
	conn_close(waiter);
	first = must_acquire(server, "alice", "", "job-1");
	cr_assert(stat_of(server, "unclaimed_total") == 0 && stat_of(server, "total_active_slots") == 1);

	waiter = conn_open(server_port(server));
	conn_acquire(waiter, "alice", "", "job-2");
	wait_stat(server, "waiting", 1);
	must_release(server, first);
	wait_stat(server, "waiting", 0);
	conn_close(waiter);
	wait_stat(server, "unclaimed_total", 1);
	reply = acquire(server, "alice", "", "job-2");
	refused(reply, 410, "lease-ended");
	cr_assert_str_eq(text_of(reply, "reason"), "unclaimed");
	wait_stat(server, "total_active_slots", 0);
	server_stop(server);
}

/* The same faults of design.md's table, over sockets: the next one has the slot, nothing lies idle. */
Test(hangup, the_next_in_line_has_the_slot)
{
	struct server *server = server_start("--max-slots", "1", NULL);

	for (int i = 0; i < 50; i++) {
		const char *held = must_acquire(server, "holder", "", NULL);
		struct conn *one = conn_open(server_port(server)), *two = conn_open(server_port(server));

		conn_acquire(one, "alice", "", NULL);
		wait_stat(server, "waiting", 1);
		conn_acquire(two, "bob", "", NULL);
		wait_stat(server, "waiting", 2);
		leave(one, i);
		must_release(server, held);
		must_release(server, granted(conn_reply(two)));
	}
	wait_stat(server, "waiting", 0);
	server_stop(server);
}
