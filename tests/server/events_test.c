/* SPDX-License-Identifier: MIT */
/* GET /events over sockets: what a client sees, and that a slow one costs nobody anything. */
#include "harness.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

TestSuite(events, .fini = harness_fini, .timeout = MORE_TIME);

#define HEARD_MAX (4 << 20)

/* What was heard so far, of one stream a test. */
static char heard[HEARD_MAX + 1];
static size_t heard_len;

/* hear reads what is there within the time; false when nothing came, or the end. */
static bool hear(struct conn *conn, int timeout_ms)
{
	struct pollfd fd = {.fd = conn_fd(conn), .events = POLLIN};
	ssize_t n = poll(&fd, 1, timeout_ms) > 0 ? recv(conn_fd(conn), heard + heard_len, HEARD_MAX - heard_len, 0) : 0;

	heard_len += n > 0 ? (size_t)n : 0;
	heard[heard_len] = '\0';
	return n > 0;
}

/* hear_until fails the test unless these words come; it returns where what was heard after them begins. */
static const char *hear_until(struct conn *conn, const char *from, const char *words)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	const char *at;

	while ((at = strstr(from, words)) == NULL && now_ms() < until)
		hear(conn, 100);
	cr_assert(at != NULL, "'%s' did not come: %.2000s", words, from);
	return at + strlen(words);
}

static struct conn *follow(struct server *server, const char *query)
{
	struct conn *conn = conn_open(server_port(server));

	conn_ask(conn, "GET", text_format("/events%s", query), NULL, NULL);
	hear_until(conn, heard, "event: stats\n");
	return conn;
}

static unsigned count(const char *from, const char *words)
{
	unsigned n = 0;

	while ((from = strstr(from, words)) != NULL) {
		from += strlen(words);
		n++;
	}
	return n;
}

static void must_end(struct conn *conn)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	char byte;

	while (now_ms() < until && (hear(conn, 100) || recv(conn_fd(conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0))
		;
	cr_assert(recv(conn_fd(conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0, "the stream goes on");
}

Test(events, a_client_sees_a_grant_and_its_end)
{
	struct server *server = server_start("--max-slots", "2", NULL);
	struct conn *conn = follow(server, "");
	const char *id, *at = heard;

	cr_assert(!strncmp(heard, "HTTP/1.1 200 OK\r\n", 17));
	cr_assert(strstr(heard, "\r\nContent-Type: text/event-stream\r\n"));
	cr_assert(strstr(heard, "\r\nCache-Control: no-store\r\n"));
	cr_assert(strstr(heard, "\r\nX-Accel-Buffering: no\r\n"));
	cr_assert(strstr(heard, "\r\nX-Request-Id: "));
	cr_assert(strstr(heard, "\r\nDate: "));
	id = must_acquire(server, "alice", ",\"label\":\"here\"", NULL);
	at = hear_until(conn, at, "\nevent: granted\n");
	cr_assert(hear_until(conn, at, text_format("data: {\"id\":\"%s\",\"tenant_id\":\"alice\"", id)) != NULL);
	at = hear_until(conn, at, "\"total_active_slots\":1");
	must_release(server, id);
	at = hear_until(conn, at, "\nevent: ended\n");
	hear_until(conn, at, "\"reason\":\"released\"");
	cr_assert(call(server, "HEAD", "/events", NULL, NULL)->status == 200);
}

Test(events, a_client_that_comes_back_goes_on_where_it_was)
{
	struct server *server = server_start("--max-slots", "2", NULL);
	struct conn *conn = follow(server, "");
	const char *id = must_acquire(server, "alice", "", NULL), *at;
	char last[64] = "";

	at = strstr(hear_until(conn, heard, "\nevent: granted\n"), "\nid: ");
	while (!at || !strchr(at + 5, '\n')) {
		hear(conn, 100);
		at = strstr(hear_until(conn, heard, "\nevent: granted\n"), "\nid: ");
	}
	cr_assert(sscanf(at, "\nid: %63s", last) == 1);
	conn_close(conn);
	must_release(server, id);
	heard_len = 0;
	heard[0] = '\0';
	conn = conn_open(server_port(server));
	conn_say(conn, text_format("GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: %s\r\n\r\n", last));
	hear_until(conn, hear_until(conn, heard, "event: stats\n"), "event: ended\n");
	cr_assert(count(heard, "event: granted\n") == 0);
}

Test(events, a_stream_is_woken_at_most_four_times_a_second)
{
	struct server *server = server_start("--max-slots", "2", "--store", "memory", NULL);
	struct conn *conn = follow(server, "");
	uint64_t began = now_ms(), lasted;
	unsigned woken;

	while (now_ms() < began + 2000) {
		must_release(server, must_acquire(server, "alice", "", NULL));
		hear(conn, 0);
	}
	lasted = now_ms() - began;
	woken = count(heard, "\nevent: stats\n");
	cr_assert(woken <= lasted / 250 + 2, "%u pieces in %u ms", woken, (unsigned)lasted);
	cr_assert(woken >= 3, "%u pieces in %u ms", woken, (unsigned)lasted);
	cr_assert(count(heard, "\nevent: granted\n") + count(heard, "\nevent: missed\n") > 0);
}

Test(events, a_reader_that_does_not_read_keeps_nobody_waiting_and_misses_something)
{
	struct server *server = server_start("--max-slots", "2", "--store", "memory", NULL);
	struct conn *conn = conn_open_small(server_port(server)), *other = conn_open(server_port(server));
	const char *label = text_repeat('x', 256), *id, *at;
	uint64_t began = now_ms();

	conn_ask(conn, "GET", "/events", NULL, NULL);
	for (unsigned i = 0; now_ms() < began + 4000; i++) {
		conn_acquire(other, "alice", text_format(",\"label\":\"%s\"", label), NULL);
		id = granted(conn_reply(other));
		cr_assert(conn_call(other, "DELETE", lease_path(id, ""), NULL, NULL)->status == 204);
		if (i % 40 == 39)
			pause_until(now_ms() + 100); /* so that a piece holds events, and fills the socket */
	}
	at = hear_until(conn, heard, "\nevent: missed\ndata: {\"count\":");
	while (hear(conn, 1000))
		;
	id = must_acquire(server, "bob", "", NULL);
	hear_until(conn, at, text_format("\"id\":\"%s\",\"tenant_id\":\"bob\"", id));
}

Test(events, draining_ends_streams)
{
	struct server *server = server_start("--drain-timeout", "1h", NULL);
	struct conn *conn = follow(server, "");
	const char *id = must_acquire(server, "alice", "", NULL);

	server_signal(server, SIGTERM);
	must_end(conn);
	refused(call(server, "GET", "/events", NULL, NULL), 503, "draining");
	must_release(server, id);
	cr_assert(server_leaves(server) == 0);
}

Test(events, a_stream_that_is_open_does_not_keep_the_server)
{
	struct server *server = server_start("--drain-timeout", "1h", NULL);

	follow(server, "");
	server_stop(server);
}

Test(events, who_hangs_up_makes_room_for_another)
{
	struct server *server = server_start("--max-streams", "1", NULL);
	struct conn *conn = follow(server, "");
	struct reply *reply = call(server, "GET", "/events", NULL, NULL);
	uint64_t until = now_ms() + PATIENCE_MS;
	struct conn *next;

	refused(reply, 503, "overloaded");
	cr_assert(strstr(text_of(reply, "detail"), "max_streams"));
	conn_half_close(conn);
	must_end(conn);
	next = follow(server, "");
	conn_reset(next);
	do {
		next = conn_open(server_port(server));
		conn_ask(next, "GET", "/events", NULL, NULL);
		heard_len = 0;
		hear(next, PATIENCE_MS);
	} while (strncmp(heard, "HTTP/1.1 200", 12) != 0 && now_ms() < until);
	cr_assert(!strncmp(heard, "HTTP/1.1 200", 12), "%s", heard);
}
