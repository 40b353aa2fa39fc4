/* SPDX-License-Identifier: MIT */
/* What is no proper HTTP: refused and closed, or harmless; and clients that are slow on purpose. */
#include "harness.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

TestSuite(framing, .fini = harness_fini, .timeout = MORE_TIME);

#define TEXT_MAX 512

struct row {
	char name[64];
	char text[TEXT_MAX];
	size_t size; /* 0: that of the text */
};

/* alive asks on a connection of its own. */
static void alive(struct server *server)
{
	cr_assert(conn_call(conn_open(server_port(server)), "GET", "/healthz", NULL, NULL)->status == 200);
}

#define SMUGGLED "POST /tenants HTTP/1.1\r\nHost: x\r\nContent-Length: 25\r\n\r\n{\"tenant_id\":\"smuggled\"} "

#define POST "POST /leases HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CHUNKS "\r\n0\r\n\r\n" SMUGGLED

ParameterizedTestParameters(framing, errors)
{
	static struct row rows[] = {
		{"two lengths", POST "Content-Length: 0\r\nContent-Length: 80\r\n\r\n" SMUGGLED, 0},
		{"two lengths, turned", POST "Content-Length: 80\r\nContent-Length: 0\r\n\r\n" SMUGGLED, 0},
		{"lengths in a list", POST "Content-Length: 0, 80\r\n\r\n" SMUGGLED, 0},
		{"chunked with a length", POST "Content-Length: 4\r\n" CHUNKED CHUNKS, 0},
		{"a length with chunked", POST CHUNKED "Content-Length: 4\r\n" CHUNKS, 0},
		{"chunked twice", POST CHUNKED CHUNKED CHUNKS, 0},
		{"another coding", POST "Transfer-Encoding: gzip, chunked\r\n" CHUNKS, 0},
		{"no Host", "GET /healthz HTTP/1.1\r\n\r\n" SMUGGLED, 0},
		{"two Hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" SMUGGLED, 0},
		{"a negative length", POST "Content-Length: -1\r\n\r\n" SMUGGLED, 0},
		{"a length of words", POST "Content-Length: many\r\n\r\n" SMUGGLED, 0},
		{"a length with words", POST "Content-Length: 34abc\r\n\r\n" SMUGGLED, 0},
		{"a length with a sign", POST "Content-Length: +5\r\n\r\n" SMUGGLED, 0},
		{"a length of two", POST "Content-Length: 34,34\r\n\r\n" SMUGGLED, 0},
		{"an empty length", POST "Content-Length:\r\n\r\n" SMUGGLED, 0},
		{"a blank length", POST "Content-Length:  \r\n\r\n" SMUGGLED, 0},
		{"a huge length", POST "Content-Length: 99999999999999999999\r\n\r\n" SMUGGLED, 0},
		{"a length past 64 bit", POST "Content-Length: 18446744073709551616\r\n\r\n" SMUGGLED, 0},
		{"a folded length", POST "Content-Length:\r\n 80\r\n\r\n" SMUGGLED, 0},
		{"a length that is cut", POST "Content-Length: 8\r\n\t0\r\n\r\n" SMUGGLED, 0},
		{"a folded coding", POST "Transfer-Encoding:\r\n chunked\r\n" CHUNKS, 0},
		{"a folded key", POST "Idempotency-Key:\r\n key\r\nContent-Length: 2\r\n\r\n{}" SMUGGLED, 0},
		{"a space in the target", "GET /healthz x HTTP/1.1\r\nHost: x\r\n\r\n" SMUGGLED, 0},
	};

	return cr_make_param_array(struct row, rows, sizeof(rows) / sizeof(rows[0]));
}

static bool row_is_too_long(const struct row *row)
{
	return strstr(row->name, "huge") || strstr(row->name, "past 64 bit");
}

/* 400, once, the connection is closed, and what follows is not taken for a request. */
ParameterizedTest(struct row *row, framing, errors, .fini = harness_fini, .timeout = MORE_TIME)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));
	struct reply *reply;

	conn_say(conn, row->text);
	reply = conn_reply(conn);
	cr_assert(reply->status == (row_is_too_long(row) ? 413 : 400), "%s: %u %s", row->name, reply->status, reply->body);
	cr_assert(!conn_maybe_reply(conn), "%s: was answered twice", row->name);
	refused(call(server, "GET", "/tenants/smuggled", NULL, NULL), 404, "tenant-not-found");
	server_stop(server);
}

/* refused_once reads all that the server says: one reply of this status without a body, and the end. */
static void refused_once(struct conn *conn, unsigned status)
{
	struct reply *reply;

	conn_read_all(conn);
	reply = conn_maybe_reply(conn);
	cr_assert(reply && reply->status == status && reply->body_len == 0, "%u", reply ? reply->status : 0);
	cr_assert_str_eq(reply_header(reply, "Connection"), "close");
	cr_assert(!conn_maybe_reply(conn), "was answered twice");
}

/* The refusal is libmicrohttpd's own, of one of several connections whose requests have only begun. */
Test(framing, a_length_that_is_none_is_answered_to_whom_it_came_from)
{
	struct server *server = server_start("--http-daemons", "1", NULL);
	struct conn *before = conn_open(server_port(server)), *bad = conn_open(server_port(server));
	struct conn *after = conn_open(server_port(server));

	conn_say(before, POST);
	cr_assert(conn_call(bad, "GET", "/healthz", NULL, NULL)->status == 200);
	conn_say(bad, POST);
	conn_say(after, POST);
	cr_assert(!conn_readable(before, 100) && !conn_readable(bad, 0) && !conn_readable(after, 0));
	conn_say(bad, "Content-Length: 34abc\r\n\r\n" SMUGGLED);
	refused_once(bad, 400);
	conn_say(before, "Content-Length: 2\r\n\r\n{}");
	refused(conn_reply(before), 422, "invalid-value");
	conn_say(after, "Content-Length: 2\r\n\r\n{}");
	refused(conn_reply(after), 422, "invalid-value");
	server_stop(server);
}

Test(framing, a_cookie_that_is_too_long_is_refused_once)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));

	conn_say(conn, text_format(POST "Content-Length: 3x\r\nCookie: %s\r\n\r\n", text_repeat(';', 14000)));
	refused_once(conn, 431);
	server_stop(server);
}

/* These may be parsed or refused; they must neither be answered twice nor hurt anybody else. */
ParameterizedTestParameters(framing, oddities)
{
	static struct row rows[] = {
		{"bare LF", "GET /healthz HTTP/1.1\nHost: x\n\n", 0},
		{"bare LF in part", "GET /healthz HTTP/1.1\r\nHost: x\nAccept: */*\r\n\r\n", 0},
		{"bare CR", "GET /healthz HTTP/1.1\rHost: x\r\r", 0},
		{"NUL in the path", "GET /hea\0lthz HTTP/1.1\r\nHost: x\r\n\r\n", 35},
		{"NUL in the query", "GET /stats?po\0ol=x HTTP/1.1\r\nHost: x\r\n\r\n", 40},
		{"NUL in a header", "GET /healthz HTTP/1.1\r\nHost: x\0y\r\n\r\n", 36},
		{"a folded header", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n", 0},
		{"a space before the colon", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", 0},
		{"no version", "GET /healthz\r\n\r\n", 0},
		{"a version of tomorrow", "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 0},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15},
		{"empty lines first", "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 0},
		{"an asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 0},
		{"an absolute target", "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 0},
		{"no path", "GET ?x HTTP/1.1\r\nHost: x\r\n\r\n", 0},
		{"a broken chunk", "POST /leases HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 0},
	};

	return cr_make_param_array(struct row, rows, sizeof(rows) / sizeof(rows[0]));
}

static void harmless(const struct row *row, const struct reply *reply)
{
	bool fine = !reply || reply->status == 200 || reply->status == 204 || reply->status == 505 ||
				(reply->status >= 400 && reply->status < 500);

	cr_assert(fine, "%s: %u %s", row->name, reply ? reply->status : 0, reply ? reply->body : "");
}

ParameterizedTest(struct row *row, framing, oddities, .fini = harness_fini, .timeout = MORE_TIME)
{
	struct server *server = server_start("--request-timeout", "1s", NULL);
	struct conn *conn = conn_open(server_port(server));
	struct reply *reply;

	conn_send(conn, row->text, row->size ? row->size : strlen(row->text));
	reply = conn_maybe_reply(conn);
	harmless(row, reply);
	if (reply && conn_try_say(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") && (reply = conn_maybe_reply(conn))) {
		harmless(row, reply);
		conn_half_close(conn);
		cr_assert(!conn_maybe_reply(conn), "%s: was answered twice", row->name);
	}
	alive(server);
	cr_assert(stat_of(server, "active_tenants") == 0);
	server_stop(server);
}

Test(framing, http_1_0_needs_no_host)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));

	conn_say(conn, "GET /healthz HTTP/1.0\r\n\r\n");
	cr_assert(conn_reply(conn)->status == 200);
	conn_ends(conn);
	server_stop(server);
}

Test(framing, chunked_bodies_and_pipelines_work)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));

	conn_say(conn, "POST /leases HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "5\r\n{\"ten\r\n14\r\nant_id\":\"alice\"    }\r\n0\r\n\r\n"
				   "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\n");
	granted(conn_reply(conn));
	cr_assert(conn_reply(conn)->status == 200);
	refused(conn_reply(conn), 404, "not-found");
	server_stop(server);
}

Test(framing, headers_of_8_kib_are_accepted_and_of_100_kib_refused)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));
	struct reply *reply;

	conn_say(conn, text_format("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", text_repeat('a', 8000)));
	cr_assert(conn_reply(conn)->status == 200);
	conn_try_say(conn, text_format("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", text_repeat('a', 102400)));
	reply = conn_maybe_reply(conn);
	cr_assert(!reply || (reply->status >= 400 && reply->status < 500), "%u", reply ? reply->status : 0);
	if (reply)
		conn_ends(conn);
	alive(server);

	conn = conn_open(server_port(server));
	conn_try_say(conn, text_format("GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", text_repeat('a', 102400)));
	reply = conn_maybe_reply(conn);
	cr_assert(!reply || (reply->status >= 400 && reply->status < 500), "%u", reply ? reply->status : 0);
	alive(server);
	server_stop(server);
}

Test(framing, headers_of_100_kib_get_their_status)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));

	/* Only as much as the server must read to refuse, so that its answer is not lost to a reset. */
	conn_say(conn, text_format("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s", text_repeat('a', 33000)));
	cr_assert(conn_reply(conn)->status == 431);
	conn_ends(conn);
	conn = conn_open(server_port(server));
	conn_say(conn, text_format("GET /%s", text_repeat('a', 33000)));
	cr_assert(conn_reply(conn)->status == 414);
	conn_ends(conn);
	server_stop(server);
}

/* many says a0, b1, c2, ... each followed by the same. */
static const char *many(const char *after, unsigned count)
{
	char *text = text_repeat('\0', (size_t)count * 16), *end = text;

	for (unsigned i = 0; i < count; i++)
		end = stpcpy(end, text_format("%c%u%s", 'a' + (char)(i % 26), i, after));
	return text;
}

static void wrong_parameter(const struct reply *reply)
{
	refused(reply, 422, "invalid-value");
	cr_assert(strstr(reply->body, "\"parameter\":\"a0\""), "%s", reply->body);
}

Test(framing, a_query_of_many_parameters_is_answered)
{
	static const unsigned counts[] = {300, 1000, 1300};
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));
	const char *body = text_format("{\"tenant_id\":\"alice\"}%s", text_repeat(' ', 20000));

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		const char *query = many("=1&", counts[i]);

		wrong_parameter(conn_call(conn, "GET", text_format("/stats?%s", query), NULL, NULL));
		wrong_parameter(conn_call(conn, "POST", text_format("/leases?%s", query), body, NULL));
	}
	cr_assert(conn_call(conn, "GET", "/stats?pool=default&tenants=false", NULL, NULL)->status == 200);
	refused(conn_call(conn, "GET", "/stats?pool=default&tenants=perhaps", NULL, NULL), 422, "invalid-value");
	server_stop(server);
}

/* numbered says `count` headers which make up `size` bytes. */
static const char *numbered(unsigned count, size_t size)
{
	const char *fill = text_repeat('y', size / count - strlen("x000: \r\n"));
	char *text = text_repeat('\0', size), *end = text;

	for (unsigned i = 0; i < count; i++)
		end = stpcpy(end, text_format("x%03u: %s\r\n", i, fill));
	return text;
}

Test(framing, many_headers_are_accepted)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));
	const char *headers[] = {numbered(100, 8000), many(":1234\r\n", 160), numbered(2, 8000)};
	const char *padding = text_repeat(' ', 60000);

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		conn_say(conn, text_format("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers[i]));
		cr_assert(conn_reply(conn)->status == 200);
		conn_say(conn, text_format(POST "Content-Length: 2\r\n%s\r\n{}", headers[i]));
		refused(conn_reply(conn), 422, "invalid-value");
	}
	conn_say(conn, text_format(POST "Content-Length: 60002\r\n%s\r\n{}%s", headers[0], padding));
	refused(conn_reply(conn), 422, "invalid-value");
	server_stop(server);
}

/* Wherever the memory of a connection runs out: in libmicrohttpd's hands or before the reply. */
Test(framing, headers_that_are_too_many_are_refused_once)
{
	struct server *server = server_start(NULL, NULL);
	unsigned accepted = 0, refusals = 0;

	for (unsigned count = 90; count < 330; count += 6) {
		struct conn *conn = conn_open(server_port(server));
		struct reply *reply;

		conn_say(conn, text_format("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", numbered(count, 6000)));
		reply = conn_reply(conn);
		cr_assert(reply->status == 200 || reply->status == 431, "%u lines: %u", count, reply->status);
		accepted += reply->status == 200;
		refusals += reply->status == 431;
		if (reply->status == 431)
			cr_assert(!conn_maybe_reply(conn), "was answered twice");
		conn_close(conn);
	}
	cr_assert(accepted > 0 && refusals > 0, "%u accepted, %u refused", accepted, refusals);
	alive(server);
	server_stop(server);
}

/* too_large announces a body that is, and reads the refusal. */
static void too_large(struct conn *conn, const char *length, const char *more)
{
	struct reply *reply;

	conn_say(conn, text_format(POST "Content-Length: %s\r\n%s\r\n", length, more));
	reply = conn_reply(conn);
	refused(reply, 413, "body-too-large");
	cr_assert_str_eq(reply_header(reply, "Connection"), "close");
}

Test(framing, a_body_announced_too_large_is_refused_at_once)
{
	static const char *const lengths[] = {"65537", "1000000000", "18446744073709551615"};
	struct server *server = server_start("--request-timeout", "1h", NULL);
	struct conn *conn;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		conn = conn_open(server_port(server));
		too_large(conn, lengths[i], "");
		cr_assert(!conn_maybe_reply(conn));
		conn = conn_open(server_port(server));
		too_large(conn, lengths[i], "Expect: 100-continue\r\n");
		cr_assert(!conn_maybe_reply(conn));
	}
	conn = conn_open(server_port(server));
	conn_say(conn, POST "Content-Length: 65536\r\nExpect: 100-continue\r\n\r\n");
	cr_assert(conn_reply(conn)->status == 100);
	conn_say(conn, text_repeat(' ', 65536));
	refused(conn_reply(conn), 400, "bad-json");
	cr_assert(conn_call(conn, "GET", "/healthz", NULL, NULL)->status == 200);
	server_stop(server);
}

Test(framing, a_client_that_sends_all_of_a_large_body_reads_the_refusal)
{
	struct server *server = server_start(NULL, NULL);
	const char *body = text_repeat(' ', 1 << 20);

	for (unsigned i = 0; i < 3; i++) {
		struct conn *conn = conn_open(server_port(server));

		conn_ask(conn, "POST", "/leases", body, NULL);
		conn_half_close(conn);
		refused(conn_reply(conn), 413, "body-too-large");
		cr_assert(!conn_maybe_reply(conn));
	}
	for (unsigned i = 0; i < 3; i++) {
		struct conn *conn = conn_open(server_port(server));

		conn_say(conn, text_format(POST "Content-Length: 34abc\r\n\r\n%s", body));
		refused_once(conn, 400);
	}
	server_stop(server);
}

/* Twice as many as there is room for: the oldest make room. */
Test(framing, refused_clients_that_stay_keep_nobody_out)
{
	struct server *server = server_start("--max-connections", "10", NULL);
	uint64_t began = now_ms();
	struct conn *conns[20];

	for (size_t i = 0; i < 20; i++) {
		conns[i] = conn_open(server_port(server));
		too_large(conns[i], "1000000000", "");
	}
	alive(server);
	cr_assert(now_ms() < began + 5000, "new clients waited for those that were refused");
	for (size_t i = 0; i < 20; i++)
		conn_ends(conns[i]);
	server_stop(server);
}

/* Who says nothing, or half a request, for a second makes room, too: heartbeats of others must get in. */
Test(framing, clients_that_never_finish_a_request_keep_nobody_out)
{
	struct server *server = server_start("--max-connections", "10", "--request-timeout", "1m", NULL);
	uint64_t began = now_ms();

	for (size_t i = 0; i < 30; i++) {
		struct conn *conn = conn_open(server_port(server));

		if (i % 2)
			conn_say(conn, "POST /leases HTTP/1.1\r\nHo");
	}
	alive(server);
	cr_assert(now_ms() < began + 10000, "new clients waited for those that never finish");
	server_stop(server);
}

Test(framing, a_refused_client_that_never_stops_sending_is_cut)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));
	uint64_t began = now_ms();

	too_large(conn, "1000000000", "");
	cr_assert(!conn_maybe_reply(conn));
	while (conn_try_say(conn, "{"))
		pause_until(now_ms() + 20);
	cr_assert(now_ms() >= began + 8000 && now_ms() < began + PATIENCE_MS, "%u ms", (unsigned)(now_ms() - began));
	server_stop(server);
}

/* trickle says one byte each 20 ms until the server has had enough, and returns how long that took. */
static uint64_t trickle(struct server *server, const char *begin, const char *byte)
{
	struct conn *conn = conn_open(server_port(server));
	uint64_t began = now_ms();

	conn_say(conn, begin);
	while (!conn_readable(conn, 20)) {
		cr_assert(now_ms() < began + PATIENCE_MS, "a request that trickles in is never cut");
		if (!conn_try_say(conn, byte))
			break;
	}
	conn_ends(conn);
	return now_ms() - began;
}

Test(framing, requests_that_trickle_in_are_cut)
{
	static const char *const begins[] = {
		"",
		"GET /heal",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ",
		"POST /leases HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
	};
	struct server *server = server_start("--request-timeout", "500ms", NULL);

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		uint64_t took = trickle(server, begins[i], i == 0 ? "" : "a");

		cr_assert(took >= 400 && took < 10000, "'%s' was cut after %u ms", begins[i], (unsigned)took);
	}
	server_stop(server);
}

Test(framing, a_long_poll_is_not_cut_by_the_request_timeout)
{
	struct server *server = server_start("--request-timeout", "300ms", "--max-slots", "1", NULL);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *waiter = conn_open(server_port(server));

	conn_acquire(waiter, "alice", "", NULL);
	cr_assert(!conn_readable(waiter, 1500), "a waiter was cut by the request timeout");
	must_release(server, held);
	granted(conn_reply(waiter));
	server_stop(server);
}
