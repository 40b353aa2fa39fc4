/* SPDX-License-Identifier: MIT */
/* Waiting for a slot, and holding it: by the real server and the real clock. */
#include "harness.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MANY 1000
#define SLOTS 10

TestSuite(waiting, .fini = harness_fini, .timeout = MORE_TIME);

Test(waiting, a_parked_request_is_granted_when_a_slot_is_released)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "alice", "", NULL);
	struct conn *waiter = conn_open(server_port(server));
	struct reply *reply;

	conn_acquire(waiter, "bob", ",\"wait_seconds\":60,\"label\":\"worker-7\"", NULL);
	wait_stat(server, "waiting", 1);
	cr_assert(!conn_readable(waiter, 0), "a waiter was answered though no slot was free");
	must_release(server, held);
	reply = conn_reply(waiter);
	granted(reply);
	cr_assert_str_eq(text_of(reply, "tenant_id"), "bob");
	cr_assert_str_eq(text_of(reply, "label"), "worker-7");
	cr_assert(json_integer_value(json_array_get(json_object_get(reply->json, "slot_ids"), 0)) == 0, "%s", reply->body);
	cr_assert(number_of(reply, "fencing_token") > 0);
	cr_assert(stat_of(server, "waiting") == 0);
	cr_assert(stat_of(server, "total_active_slots") == 1);
	must_release(server, text_of(reply, "id"));
	must_release(server, text_of(reply, "id"));
	server_stop(server);
}

Test(waiting, the_connection_of_a_long_poll_goes_on_to_serve)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "alice", "", NULL);
	struct conn *conn = conn_open(server_port(server));

	for (int i = 0; i < 5; i++) {
		conn_acquire(conn, "bob", "", NULL);
		wait_stat(server, "waiting", 1);
		must_release(server, held);
		held = granted(conn_reply(conn));
		cr_assert(conn_call(conn, "PUT", lease_path(held, ""), NULL, NULL)->status == 200);
		cr_assert(conn_call(conn, "GET", "/healthz", NULL, NULL)->status == 200);
	}
	server_stop(server);
}

Test(waiting, a_wait_that_runs_out_is_answered_in_time)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	struct conn *conn = conn_open(server_port(server));
	struct reply *reply;
	uint64_t began, took;

	must_acquire(server, "alice", "", NULL);
	reply = acquire(server, "bob", ",\"wait_seconds\":0", NULL);
	refused(reply, 429, "no-slot");
	cr_assert_str_eq(text_of(reply, "id"), "", "a wait of 0 without a key has no id: %s", reply->body);
	began = now_ms();
	conn_ask(conn, "POST", "/leases?wait=500ms", "{\"tenant_id\":\"bob\",\"wait_seconds\":60}", NULL);
	reply = conn_reply(conn);
	took = now_ms() - began;
	refused(reply, 429, "no-slot");
	cr_assert(took >= 500 && took < 10000, "a wait of 500 ms took %u ms", (unsigned)took);
	cr_assert(number_of(reply, "position") == 1 && number_of(reply, "ahead") == 0, "%s", reply->body);
	cr_assert(number_of(reply, "active_slots") == 0 && number_of(reply, "waiting") == 0, "%s", reply->body);
	cr_assert_str_eq(text_of(reply, "reason"), "pool-full");
	cr_assert(stat_of(server, "no_slot_total") == 2);
	cr_assert(stat_of(server, "waiting") == 0);
	server_stop(server);
}

/* The ttl runs from the grant, and waiting has no influence on it. */
Test(waiting, the_slot_of_a_crashed_holder_returns_after_the_ttl)
{
	struct server *server = server_start("--max-slots", "1", NULL);
	struct conn *holder = conn_open(server_port(server)), *waiter = conn_open(server_port(server));
	struct reply *reply;
	uint64_t began;
	const char *id;

	conn_acquire(waiter, "x", ",\"wait_seconds\":0", NULL);
	must_release(server, granted(conn_reply(waiter)));
	began = now_ms();
	conn_ask(holder, "POST", "/leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":1}", NULL);
	id = granted(conn_reply(holder));
	conn_reset(holder);
	conn_acquire(waiter, "bob", "", NULL);
	reply = conn_reply(waiter);
	granted(reply);
	cr_assert(now_ms() - began >= 1000, "the lease ended before its ttl");
	cr_assert(now_ms() - began < 10000, "the lease ended long after its ttl");
	reply = heartbeat(server, id);
	refused(reply, 410, "lease-ended");
	cr_assert_str_eq(text_of(reply, "reason"), "expired");
	refused(release(server, id), 410, "lease-ended");
	cr_assert(stat_of(server, "expired_total") == 1);
	server_stop(server);
}

Test(waiting, heartbeats_keep_a_lease_alive)
{
	struct server *server = server_start("--max-slots", "1", "--min-ttl", "500ms", NULL);
	struct reply *reply = call(server, "POST", "/leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":0.5}", NULL);
	uint64_t began = now_ms(), beat = began;
	const char *id = granted(reply);

	cr_assert(number_of(reply, "heartbeat_seconds") > 0 && number_of(reply, "heartbeat_seconds") <= 0.5);
	while (beat < began + 2000) {
		pause_until(beat += 100);
		reply = heartbeat(server, id);
		cr_assert(reply->status == 200, "after %u ms: %u %s", (unsigned)(now_ms() - began), reply->status, reply->body);
	}
	reply = call(server, "POST", "/heartbeats", text_format("{\"lease_ids\":[\"%s\",\"ls_x\"]}", id), NULL);
	cr_assert(reply->status == 200 && json_array_size(json_object_get(reply->json, "renewed")) == 1, "%s", reply->body);
	cr_assert(json_array_size(json_object_get(reply->json, "lost")) == 1, "%s", reply->body);
	wait_stat(server, "total_active_slots", 0);
	cr_assert(stat_of(server, "expired_total") == 1);
	server_stop(server);
}

static void many_files(void)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > MANY + 100, "too few files may be open");
}

/* A stall of the server kills nobody whose heartbeat came in the meantime. */
Test(waiting, a_stalled_server_reads_the_heartbeats_before_anything_expires)
{
	struct server *server = server_start("--max-slots", "3", NULL);
	struct conn *old = conn_open(server_port(server)), *fresh;
	const char *ask = "{\"tenant_id\":\"alice\",\"ttl_seconds\":1}", *ids[3];
	struct reply *reply;

	for (int i = 0; i < 3; i++)
		ids[i] = granted(conn_call(old, "POST", "/leases", ask, NULL));
	server_signal(server, SIGSTOP);
	conn_ask(old, "PUT", lease_path(ids[0], ""), NULL, NULL);
	fresh = conn_open(server_port(server));
	conn_ask(fresh, "PUT", lease_path(ids[1], ""), NULL, NULL);
	pause_until(now_ms() + 2500);
	server_signal(server, SIGCONT);
	reply = conn_reply(old);
	cr_assert(reply->status == 200, "beat on a known connection: %u %s", reply->status, reply->body);
	reply = conn_reply(fresh);
	cr_assert(reply->status == 200, "beat on a fresh connection: %u %s", reply->status, reply->body);
	wait_stat(server, "expired_total", 1);
	reply = heartbeat(server, ids[2]);
	refused(reply, 410, "lease-ended");
	cr_assert_str_eq(text_of(reply, "reason"), "expired");
	cr_assert(heartbeat(server, ids[0])->status == 200);
	cr_assert(heartbeat(server, ids[1])->status == 200);
	server_stop(server);
}

/* stall_with_beats stops the server while a heartbeat for each lease comes, on known or on fresh connections. */
static void stall_with_beats(bool fresh)
{
	struct server *server = server_start("--max-slots", "600", NULL);
	static struct conn *conns[600];
	static const char *ids[600];

	many_files();
	for (int i = 0; i < 600; i++) {
		conns[i] = conn_open(server_port(server));
		ids[i] = granted(conn_call(conns[i], "POST", "/leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":3}", NULL));
	}
	server_signal(server, SIGSTOP);
	for (int i = 0; i < 600; i++) {
		if (fresh)
			conns[i] = conn_open(server_port(server));
		conn_ask(conns[i], "PUT", lease_path(ids[i], ""), NULL, NULL);
	}
	pause_until(now_ms() + 4000);
	server_signal(server, SIGCONT);
	for (int i = 0; i < 600; i++) {
		struct reply *reply = conn_reply(conns[i]);

		cr_assert(reply->status == 200, "beat %d of 600: %u %s", i, reply->status, reply->body);
	}
	cr_assert(stat_of(server, "expired_total") == 0);
	server_stop(server);
}

Test(waiting, a_stalled_server_reads_600_heartbeats_on_known_connections)
{
	stall_with_beats(false);
}

Test(waiting, a_stalled_server_reads_600_heartbeats_on_fresh_connections)
{
	stall_with_beats(true);
}

Test(waiting, a_thousand_waiters_are_granted_in_their_order)
{
	static const char *const tenants[] = {"alice", "bob", "carol", "dave"};
	struct server *server = server_start("--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	static struct conn *waiters[MANY];

	many_files();
	for (int i = 0; i < MANY; i++) {
		waiters[i] = conn_open(server_port(server));
		conn_acquire(waiters[i], tenants[i % 4], ",\"wait_seconds\":300", NULL);
		wait_stat(server, "waiting", i + 1);
	}
	for (int i = 0; i < MANY; i++) {
		cr_assert(!conn_readable(waiters[i], 0), "waiter %d was answered before its turn", i);
		must_release(server, held);
		held = granted(conn_reply(waiters[i]));
	}
	must_release(server, held);
	cr_assert(stat_of(server, "waiting") == 0 && stat_of(server, "total_active_slots") == 0);
	cr_assert(stat_of(server, "granted_total") == MANY + 1);
	server_stop(server);
}

/* serve_ready takes the grants that are there, checks their slots and gives them back; it returns how many. */
static int serve_ready(struct server *server, struct conn **waiters, bool *done, struct pollfd *polls)
{
	const char *ids[MANY];
	bool used[SLOTS] = {false};
	int count = 0;

	cr_assert(poll(polls, MANY, PATIENCE_MS) > 0, "nobody is granted a slot though %g are free",
			  stat_of(server, "available_slots"));
	for (int i = 0; i < MANY; i++)
		if (polls[i].revents) {
			struct reply *reply = conn_reply(waiters[i]);
			json_int_t slot = json_integer_value(json_array_get(json_object_get(reply->json, "slot_ids"), 0));

			cr_assert(!done[i], "waiter %d was answered twice", i);
			ids[count++] = granted(reply);
			cr_assert(slot >= 0 && slot < SLOTS && !used[slot], "slot %d is held twice", (int)slot);
			used[slot] = done[i] = true;
			polls[i].fd = -1;
		}
	for (int i = 0; i < count; i++)
		must_release(server, ids[i]);
	return count;
}

Test(waiting, a_thousand_waiters_who_come_at_once_are_all_granted)
{
	struct server *server = server_start("--max-slots", "10", NULL);
	static struct conn *waiters[MANY];
	static struct pollfd polls[MANY];
	static bool done[MANY];
	const char *held[SLOTS];

	many_files();
	for (int i = 0; i < SLOTS; i++)
		held[i] = must_acquire(server, "holder", "", NULL);
	for (int i = 0; i < MANY; i++)
		waiters[i] = conn_open(server_port(server));
	for (int i = 0; i < MANY; i++) {
		conn_acquire(waiters[i], text_format("t%d", i % 7), ",\"wait_seconds\":300", NULL);
		polls[i] = (struct pollfd){.fd = conn_fd(waiters[i]), .events = POLLIN};
	}
	wait_stat(server, "waiting", MANY);
	for (int i = 0; i < SLOTS; i++)
		must_release(server, held[i]);
	for (int served = 0; served < MANY;)
		served += serve_ready(server, waiters, done, polls);
	cr_assert(stat_of(server, "waiting") == 0 && stat_of(server, "total_active_slots") == 0);
	server_stop(server);
}

Test(waiting, waiters_beyond_the_limit_are_refused_and_heartbeats_get_in)
{
	struct server *server = server_start("--max-slots", "1", "--max-waiting", "2", NULL);
	const char *held = must_acquire(server, "alice", "", NULL);

	for (int i = 0; i < 2; i++)
		conn_acquire(conn_open(server_port(server)), "bob", "", NULL);
	wait_stat(server, "waiting", 2);
	refused(acquire(server, "carol", "", NULL), 429, "queue-full");
	cr_assert(heartbeat(server, held)->status == 200);
	server_stop(server);
}

/* Parked requests never use up the connections: there is always room for a heartbeat. */
Test(waiting, waiters_leave_connections_for_the_holders)
{
	struct server *server = server_start("--max-slots", "1", "--max-connections", "40", NULL);
	const char *held = must_acquire(server, "alice", "", NULL);
	struct conn *waiters[36];
	int parked = 0;

	for (int i = 0; i < 36; i++) {
		waiters[i] = conn_open(server_port(server));
		conn_acquire(waiters[i], "bob", ",\"wait_seconds\":300", NULL);
		if (i == 0)
			wait_stat(server, "waiting", 1);   /* the first in line, whatever order the others are read in */
	}
	wait_stat(server, "waiting", 36);
	for (int i = 0; i < 36; i++)
		parked += !conn_readable(waiters[i], 0);
	cr_assert(parked == 36);
	refused(acquire(server, "carol", "", NULL), 503, "overloaded");
	for (int i = 0; i < 10; i++) {
		struct conn *conn = conn_open(server_port(server));
		struct reply *reply = conn_call(conn, "PUT", lease_path(held, ""), NULL, NULL);

		cr_assert(reply->status == 200, "%u %s", reply->status, reply->body);
	}
	must_release(server, held);
	granted(conn_reply(waiters[0]));
	server_stop(server);
}

/* design.md's table: demanding tenants over ten slots. */
Test(waiting, ten_slots_are_shared_by_who_demands)
{
	struct server *server = server_start("--max-slots", "10", NULL);
	struct conn *second = conn_open(server_port(server));
	const char *ids[10];

	for (int i = 0; i < 10; i++)
		ids[i] = must_acquire(server, "alice", ",\"wait_seconds\":0", NULL);
	cr_assert(stat_of(server, "share") == 10);
	conn_acquire(second, "bob", "", NULL);
	wait_stat(server, "waiting", 1);
	cr_assert(stat_of(server, "share") == 5 && stat_of(server, "demanding_tenants") == 2);
	must_release(server, ids[0]);
	granted(conn_reply(second));
	refused(acquire(server, "alice", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	for (int i = 1; i < 5; i++)
		must_release(server, ids[i]);
	refused(acquire(server, "alice", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	for (int i = 0; i < 4; i++)
		must_acquire(server, "bob", ",\"wait_seconds\":0", NULL);
	refused(acquire(server, "bob", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	server_stop(server);
}
