/* SPDX-License-Identifier: MIT */
/* Bad input: each gets its 4xx and a sentence that names what is wrong, and the connection goes on to serve (but for 413). */
#include "harness.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(input, .fini = harness_fini, .timeout = MORE_TIME);

struct row {
	const char *method, *target, *body;
	unsigned status;
	const char *code;
	const char *names;	/* what the detail must say */
	const char *fault;	/* the first pointer or parameter of "errors", or NULL */
	const char *header; /* another line of the head, or NULL */
	size_t size;		/* of the body; 0: it ends at its NUL */
};

static void check_fault(const struct row *row, const struct reply *reply)
{
	const json_t *first = json_array_get(json_object_get(reply->json, "errors"), 0);
	const char *name = json_string_value(json_object_get(first, *row->fault == '/' ? "pointer" : "parameter"));

	cr_assert(name && !strcmp(name, row->fault), "%s %s: 'errors' does not name %s: %s", row->method, row->target,
			  row->fault, reply->body);
	cr_assert(json_string_length(json_object_get(first, "detail")) > 0, "%s", reply->body);
}

static void check_row(struct conn *conn, const struct row *row)
{
	size_t size = row->size ? row->size : row->body ? strlen(row->body) : 0;
	struct reply *reply;

	conn_say(conn, text_format("%s %s HTTP/1.1\r\nHost: localhost\r\n%s%sContent-Length: %zu\r\n\r\n", row->method,
							   row->target, row->header ? row->header : "", row->header ? "\r\n" : "", size));
	if (size > 0)
		conn_send(conn, row->body, size);
	reply = conn_maybe_reply(conn);
	cr_assert(reply, "%s %.60s '%.60s': closed without a reply", row->method, row->target, row->body ? row->body : "");
	cr_assert(reply->status == row->status, "%s %.60s '%.60s': %u instead of %u: %s", row->method, row->target,
			  row->body ? row->body : "", reply->status, row->status, reply->body);
	refused(reply, row->status, row->code);
	cr_assert(strstr(text_of(reply, "detail"), row->names), "%s %.60s '%.60s': the detail does not say '%s': %s",
			  row->method, row->target, row->body ? row->body : "", row->names, text_of(reply, "detail"));
	if (row->fault)
		check_fault(row, reply);
	if (row->status == 405)
		cr_assert(reply_header(reply, "Allow"), "405 without Allow");
}

static void goes_on(struct conn *conn)
{
	struct reply *reply = conn_call(conn, "GET", "/healthz", NULL, NULL);

	cr_assert(reply->status == 200, "the next request on the connection: %u %s", reply->status, reply->body);
}

static void check(const struct row *rows, size_t count)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));

	for (size_t i = 0; i < count; i++) {
		check_row(conn, &rows[i]);
		if (rows[i].status != 413) {
			goes_on(conn);
			continue;
		}
		cr_assert(!conn_maybe_reply(conn), "a connection goes on after a body that was not read");
		conn = conn_open(server_port(server));
	}
	cr_assert(stat_of(server, "granted_total") == 0 && stat_of(server, "active_tenants") == 0,
			  "something refused has left a trace");
	granted(acquire(server, "alice", "", NULL));
	server_stop(server);
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))
#define LEASE "POST", "/leases"
#define BAD_JSON 400, "bad-json"
#define INVALID 422, "invalid-value"

Test(input, bodies_that_are_no_json_object)
{
	const char *deep = text_format("{\"tenant_id\":%s", text_repeat('[', 10000));
	const char *deep_objects = text_format("%s", text_repeat('{', 10000));
	const char *large = text_format("{\"tenant_id\":\"alice\",\"label\":\"%s\"}", text_repeat('x', 65 * 1024));
	const char *numbered = text_format("{\"ttl_seconds\":%s}", text_repeat('9', 400));
	const struct row rows[] = {
		{LEASE, "", BAD_JSON, "empty", NULL, NULL, 0},
		{LEASE, NULL, BAD_JSON, "empty", NULL, NULL, 0},
		{LEASE, " \r\n", BAD_JSON, "line ", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":", BAD_JSON, "line 1, column 13", NULL, NULL, 0},
		{LEASE, "{\n\"tenant_id\":\n\"alice\"\n\"pool\":\"x\"}", BAD_JSON, "line 4, column ", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"alice\",}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "{'tenant_id':'alice'}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "tenant_id=alice", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"alice\"} {}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "[]", BAD_JSON, "array", NULL, NULL, 0},
		{LEASE, "[{\"tenant_id\":\"alice\"}]", BAD_JSON, "array", NULL, NULL, 0},
		{LEASE, "\"alice\"", BAD_JSON, "object", NULL, NULL, 0},
		{LEASE, "17", BAD_JSON, "object", NULL, NULL, 0},
		{LEASE, "null", BAD_JSON, "object", NULL, NULL, 0},
		{LEASE, "true", BAD_JSON, "object", NULL, NULL, 0},
		{LEASE, deep, BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, deep_objects, BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, large, 413, "body-too-large", "65536 bytes", NULL, NULL, 0},
		{"PUT", "/leases/ls_00000000000000000000000000", large, 413, "body-too-large", "65536 bytes", NULL, NULL, 0},
		{"POST", "/heartbeats", large, 413, "body-too-large", "65536 bytes", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\\u0000b\"}", BAD_JSON, "u0000", NULL, NULL, 0},
		{LEASE, "{\"a\\u0000b\":1}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\0b\"}", BAD_JSON, "line 1", NULL, NULL, 19},
		{LEASE, "{\"tenant_id\":\"alice\"}\0", BAD_JSON, "line 1", NULL, NULL, 22},
		{LEASE, "\0", BAD_JSON, "line 1", NULL, NULL, 1},
		{LEASE, "{\"tenant_id\":\"\xff\"}", BAD_JSON, "not UTF-8", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"\xc3\"}", BAD_JSON, "not UTF-8", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"\xc0\xaf\"}", BAD_JSON, "not UTF-8", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"\xed\xa0\x80\"}", BAD_JSON, "not UTF-8", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"\\ud800\"}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "\xef\xbb\xbf{\"tenant_id\":\"alice\"}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"tenant_id\":\"b\"}", BAD_JSON, "tenant_id", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":30,\"ttl_seconds\":30}", BAD_JSON, "ttl_seconds", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":1e999}", BAD_JSON, "1e999", NULL, NULL, 0},
		{LEASE, numbered, BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":NaN}", BAD_JSON, "NaN", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":-Infinity}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":0x10}", BAD_JSON, "line 1", NULL, NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":030}", BAD_JSON, "line 1", NULL, NULL, 0},
		{"POST", "/tenants", "", BAD_JSON, "empty", NULL, NULL, 0},
		{"POST", "/tenants", "[]", BAD_JSON, "array", NULL, NULL, 0},
		{"POST", "/heartbeats", "{", BAD_JSON, "line 1", NULL, NULL, 0},
	};

	CHECK(rows);
}

Test(input, members_that_cannot_be)
{
	const char *long_name = text_format("{\"tenant_id\":\"%s\"}", text_repeat('n', 129));
	const char *long_pool = text_format("{\"tenant_id\":\"a\",\"pool\":\"%s\"}", text_repeat('n', 129));
	const char *long_label = text_format("{\"tenant_id\":\"a\",\"label\":\"%s\"}", text_repeat('n', 257));
	const char *long_instance = text_format("{\"tenant_id\":\"a\",\"instance\":\"%s\"}", text_repeat('n', 129));
	const struct row rows[] = {
		{LEASE, "{}", INVALID, "tenant_id", "/tenant_id", NULL, 0},
		{LEASE, long_name, INVALID, "128 characters", "/tenant_id", NULL, 0},
		{LEASE, long_pool, INVALID, "128 characters", "/pool", NULL, 0},
		{LEASE, long_label, INVALID, "256", "/label", NULL, 0},
		{LEASE, "{\"tenant_id\":\"\"}", INVALID, "characters", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a b\"}", INVALID, "'a b'", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a/b\"}", INVALID, "'a/b'", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":\"J\xc3\xbcrgen\"}", INVALID, "characters", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\\u0001\"}", INVALID, "characters", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":17}", INVALID, "string", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":null}", INVALID, "string", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":[\"a\"]}", INVALID, "string", "/tenant_id", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"label\":17}", INVALID, "string", "/label", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"label\":\"x\\ny\"}", INVALID, "controls", "/label", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":-5}", INVALID, "-5", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":0}", INVALID, "0 is", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":-0.0}", INVALID, "0", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":0.999}", INVALID, "0.999", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":3601}", INVALID, "3601", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":1e300}", INVALID, "1e+300", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":9223372036854775807}", INVALID, "too long", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":\"30\"}", INVALID, "number", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":\"NaN\"}", INVALID, "number", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_seconds\":true}", INVALID, "number", "/ttl_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"wait_seconds\":-1}", INVALID, "-1", "/wait_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"wait_seconds\":300.5}", INVALID, "300.5", "/wait_seconds", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"wait_seconds\":\"1m\"}", INVALID, "number", "/wait_seconds", NULL, 0},
		{LEASE, "{\"tenant\":\"a\"}", INVALID, "'tenant_id'", "/tenant", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"ttl_second\":30}", INVALID, "'ttl_seconds'", "/ttl_second", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"TTL_SECONDS\":30}", INVALID, "'ttl_seconds'", "/TTL_SECONDS", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"a/b~c\":30}", INVALID, "/a~1b~0c", "/a~1b~0c", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"\":30}", INVALID, "no such member", "/", NULL, 0},
		{LEASE, "{\"tenant_id\":\"a\",\"pool\":\"nope\"}", 409, "pool-not-found", "'nope'", NULL, NULL, 0},
		{"POST", "/tenants", "{\"tenant_id\":\"a\",\"pool\":\"nope\"}", 409, "pool-not-found", "'nope'", NULL, NULL, 0},
		{"POST", "/tenants", "{\"tenant_id\":\"a\",\"instance\":17}", INVALID, "string", "/instance", NULL, 0},
		{"POST", "/tenants", long_instance, INVALID, "128", "/instance", NULL, 0},
		{"POST", "/tenants", "{\"tenant_id\":\"a\",\"ttl_seconds\":30}", INVALID, "ttl_seconds", "/ttl_seconds", NULL,
		 0},
		{"POST", "/heartbeats", "{}", INVALID, "lease_ids", "/lease_ids", NULL, 0},
		{"POST", "/heartbeats", "{\"lease_ids\":[]}", INVALID, "1000", "/lease_ids", NULL, 0},
		{"POST", "/heartbeats", "{\"lease_ids\":\"ls_x\"}", INVALID, "lease_ids", "/lease_ids", NULL, 0},
		{"POST", "/heartbeats", "{\"lease_ids\":[17]}", INVALID, "string", "/lease_ids/0", NULL, 0},
		{"POST", "/heartbeats", "{\"lease_ids\":[\"ls_x\"],\"ttl_seconds\":0}", INVALID, "too short", "/ttl_seconds", NULL,
		 0},
	};

	CHECK(rows);
}

Test(input, too_many_heartbeats)
{
	char *ids = text_repeat(' ', 1001 * 6);
	struct row row = {"POST", "/heartbeats", NULL, INVALID, "1000", "/lease_ids", NULL, 0};

	for (int i = 0; i < 1001; i++)
		memcpy(ids + (ptrdiff_t)i * 6, i < 1000 ? "\"ls\", " : "\"ls\"  ", 6);
	row.body = text_format("{\"lease_ids\":[%s]}", ids);
	check(&row, 1);
}

Test(input, parameters_and_headers_that_cannot_be)
{
	const char *long_key = text_format("Idempotency-Key: %s", text_repeat('k', 257));
	const char *ask = "{\"tenant_id\":\"a\"}";
	const struct row rows[] = {
		{"POST", "/leases?wait=abc", ask, INVALID, "'abc'", "wait", NULL, 0},
		{"POST", "/leases?wait=", ask, INVALID, "wait", "wait", NULL, 0},
		{"POST", "/leases?wait", ask, INVALID, "wait", "wait", NULL, 0},
		{"POST", "/leases?wait=-1", ask, INVALID, "'-1'", "wait", NULL, 0},
		{"POST", "/leases?wait=301", ask, INVALID, "301", "wait", NULL, 0},
		{"POST", "/leases?wait=6m", ask, INVALID, "300", "wait", NULL, 0},
		{"POST", "/leases?wait=1e1", ask, INVALID, "'1e1'", "wait", NULL, 0},
		{"POST", "/leases?wait=99999999999999999999h", ask, INVALID, "max_wait", "wait", NULL, 0},
		{"POST", "/leases?wait=1s1m", ask, INVALID, "wait", "wait", NULL, 0},
		{"POST", "/leases?wait=1%00", ask, INVALID, "wait", "wait", NULL, 0},
		{"POST", "/leases?wait=1&wait=2", ask, INVALID, "once", "wait", NULL, 0},
		{"POST", "/leases?wait=%zz", ask, INVALID, "wait", "wait", NULL, 0},
		{"POST", "/leases?wiat=1", ask, INVALID, "'wait'", "wiat", NULL, 0},
		{"GET", "/stats?limit=0", NULL, INVALID, "'0'", "limit", NULL, 0},
		{"GET", "/stats?limit=10001", NULL, INVALID, "10001", "limit", NULL, 0},
		{"GET", "/stats?limit=1.5", NULL, INVALID, "'1.5'", "limit", NULL, 0},
		{"GET", "/stats?tenants=maybe", NULL, INVALID, "'maybe'", "tenants", NULL, 0},
		{"GET", "/leases?limit=-1", NULL, INVALID, "'-1'", "limit", NULL, 0},
		{"GET", "/leases?limit=1001", NULL, INVALID, "1001", "limit", NULL, 0},
		{"GET", "/leases?state=asleep", NULL, INVALID, "'asleep'", "state", NULL, 0},
		{"GET", "/leases?cursor=%25%25", NULL, INVALID, "cursor", "cursor", NULL, 0},
		{"GET", "/leases?cursor=never-given", NULL, INVALID, "cursor", "cursor", NULL, 0},
		{"GET", "/tenants?label=x", NULL, INVALID, "label", "label", NULL, 0},
		{"GET", "/stats?pool=nope", NULL, 404, "pool-not-found", "'nope'", NULL, NULL, 0},
		{"GET", "/leases?pool=nope", NULL, 404, "pool-not-found", "'nope'", NULL, NULL, 0},
		{"GET", "/leases?tenant_id=nobody", NULL, 404, "tenant-not-found", "'nobody'", NULL, NULL, 0},
		{"GET", "/pools/nope", NULL, 404, "pool-not-found", "'nope'", NULL, NULL, 0},
		{"GET", "/tenants/nobody", NULL, 404, "tenant-not-found", "'nobody'", NULL, NULL, 0},
		{"DELETE", "/tenants/nobody", NULL, 404, "tenant-not-found", "'nobody'", NULL, NULL, 0},
		{"DELETE", "/leases", NULL, INVALID, "tenant_id", "tenant_id", "Idempotency-Key: job-1", 0},
		{LEASE, ask, 422, "idempotency-key-invalid", "256", NULL, long_key, 0},
		{LEASE, ask, 422, "idempotency-key-invalid", "0 bytes", NULL, "Idempotency-Key:", 0},
		{LEASE, ask, 422, "idempotency-key-invalid", "256", NULL, "Idempotency-Key: \"\"", 0},
		{LEASE, ask, 422, "idempotency-key-invalid", "visible ASCII", NULL, "Idempotency-Key: \xff\x41", 0},
		{LEASE, ask, 422, "idempotency-key-invalid", "close it", NULL, "Idempotency-Key: \"abc", 0},
		{LEASE, ask, 403, "cross-site", "site", NULL, "Sec-Fetch-Site: cross-site", 0},
		{LEASE, ask, 403, "cross-site", "site", NULL, "Sec-Fetch-Site: same-site", 0},
		{LEASE, ask, 403, "cross-site", "site", NULL, "Origin: http://evil.example", 0},
		{LEASE, ask, 403, "cross-site", "site", NULL, "Origin: null", 0},
	};

	CHECK(rows);
}

#define NO_LEASE 404, "lease-not-found"
#define NO_PATH 404, "not-found"

Test(input, paths_methods_and_ids_that_are_not_there)
{
	const char *long_id = text_format("/leases/%s", text_repeat('0', 5000));
	const char *long_name = text_format("/tenants/%s", text_repeat('n', 129));
	const struct row rows[] = {
		{"GET", "/nope", NULL, NO_PATH, "/nope", NULL, NULL, 0},
		{"GET", "//leases", NULL, NO_PATH, "//leases", NULL, NULL, 0},
		{"POST", "//leases", "{\"tenant_id\":\"a\"}", NO_PATH, "//leases", NULL, NULL, 0},
		{"GET", "/leases/", NULL, NO_PATH, "/leases/", NULL, NULL, 0},
		{"GET", "/leases//", NULL, NO_PATH, "/leases//", NULL, NULL, 0},
		{"GET", "/leases%2Fx", NULL, NO_PATH, "/leases%2Fx", NULL, NULL, 0},
		{"GET", "%2Fleases", NULL, NO_PATH, "%2Fleases", NULL, NULL, 0},
		{"GET", "/LEASES", NULL, NO_PATH, "/LEASES", NULL, NULL, 0},
		{"GET", "/leases/../stats", NULL, NO_PATH, "/leases/../stats", NULL, NULL, 0},
		{"GET", "/stats/x", NULL, NO_PATH, "/stats/x", NULL, NULL, 0},
		{"GET", "/v1/leases", NULL, NO_PATH, "/v1/leases", NULL, NULL, 0},
		{"PUT", "/tenants", NULL, 405, "method-not-allowed", "PUT", NULL, NULL, 0},
		{"POST", "/stats", "{}", 405, "method-not-allowed", "POST", NULL, NULL, 0},
		{"DELETE", "/stats", NULL, 405, "method-not-allowed", "DELETE", NULL, NULL, 0},
		{"PATCH", "/leases", "{}", 405, "method-not-allowed", "PATCH", NULL, NULL, 0},
		{"BREW", "/leases", NULL, 405, "method-not-allowed", "BREW", NULL, NULL, 0},
		{"get", "/leases", NULL, 405, "method-not-allowed", "get", NULL, NULL, 0},
		{"GET", "/leases/x", NULL, NO_LEASE, "'x'", NULL, NULL, 0},
		{"GET", "/leases/ls_", NULL, NO_LEASE, "'ls_'", NULL, NULL, 0},
		{"GET", "/leases/ls_00000000000000000000000000", NULL, NO_LEASE, "'ls_0", NULL, NULL, 0},
		{"GET", "/leases/ls_0000000000000000000000000", NULL, NO_LEASE, "'ls_0", NULL, NULL, 0},
		{"GET", "/leases/ls_000000000000000000000000000", NULL, NO_LEASE, "'ls_0", NULL, NULL, 0},
		{"GET", "/leases/ls_zzzzzzzzzzzzzzzzzzzzzzzzzz", NULL, NO_LEASE, "'ls_z", NULL, NULL, 0},
		{"GET", "/leases/ls_0000000000000000000000000u", NULL, NO_LEASE, "'ls_0", NULL, NULL, 0},
		{"GET", "/leases/ls_0000000000000000000000000%00", NULL, NO_LEASE, "not there", NULL, NULL, 0},
		{"GET", "/leases/LS_00000000000000000000000000", NULL, NO_LEASE, "'LS_0", NULL, NULL, 0},
		{"GET", "/leases/00000000000000000000000000000", NULL, NO_LEASE, "'000", NULL, NULL, 0},
		{"GET", "/leases/%2F", NULL, NO_LEASE, "'/'", NULL, NULL, 0},
		{"GET", "/leases/%ff", NULL, NO_LEASE, "not there", NULL, NULL, 0},
		{"GET", "/leases/%zz", NULL, NO_LEASE, "not there", NULL, NULL, 0},
		{"GET", "/leases/%", NULL, NO_LEASE, "not there", NULL, NULL, 0},
		{"GET", long_id, NULL, NO_LEASE, "'000", NULL, NULL, 0},
		{"PUT", "/leases/x", NULL, NO_LEASE, "'x'", NULL, NULL, 0},
		{"DELETE", "/leases/x", NULL, NO_LEASE, "'x'", NULL, NULL, 0},
		{"GET", long_name, NULL, 404, "tenant-not-found", "'nnn", NULL, NULL, 0},
		{"GET", "/tenants/%00", NULL, 404, "tenant-not-found", "is no name of a tenant", NULL, NULL, 0},
		{"GET", "/tenants/a%2Fb", NULL, 404, "tenant-not-found", "'a/b'", NULL, NULL, 0},
		{"GET", "/tenants/%c3%28", NULL, 404, "tenant-not-found", "is no name of a tenant", NULL, NULL, 0},
		{"GET", "/check?lease=x", NULL, 403, "lease-not-active", "'x'", NULL, NULL, 0},
	};

	CHECK(rows);
}

Test(input, an_unknown_tenant_without_auto_register)
{
	struct server *server = server_start("--auto-register=false", NULL);
	struct conn *conn = conn_open(server_port(server));
	const struct row row = {
		LEASE, "{\"tenant_id\":\"alice\"}", 409, "tenant-not-registered", "POST /tenants", NULL, NULL, 0};
	struct reply *reply;

	check_row(conn, &row);
	goes_on(conn);
	reply = conn_call(conn, "POST", "/tenants", "{\"tenant_id\":\"alice\"}", NULL);
	cr_assert(reply->status == 201 && reply_header(reply, "Location"), "%u %s", reply->status, reply->body);
	granted(conn_call(conn, "POST", "/leases", "{\"tenant_id\":\"alice\"}", NULL));
	server_stop(server);
}

Test(input, the_manners_of_every_reply)
{
	struct server *server = server_start(NULL, NULL);
	struct conn *conn = conn_open(server_port(server));
	struct reply *reply = conn_call(conn, "OPTIONS", "/leases", NULL, NULL);

	cr_assert(reply->status == 204 && strstr(reply_header(reply, "Allow"), "POST"), "%s", reply->head);
	reply = conn_call(conn, "HEAD", "/stats", NULL, NULL);
	cr_assert(reply->status == 200 && strtoul(reply_header(reply, "Content-Length"), NULL, 10) > 0, "%s", reply->head);
	conn_say(conn, "GET /nope HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-17\r\n\r\n");
	reply = conn_reply(conn);
	refused(reply, 404, "not-found");
	cr_assert_str_eq(reply_header(reply, "X-Request-Id"), "abc-17");
	cr_assert_str_eq(text_of(reply, "request_id"), "abc-17");
	cr_assert_str_eq(reply_header(reply, "Cache-Control"), "no-store");
	conn_say(conn, text_format("GET /nope HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n", text_repeat('a', 129)));
	cr_assert(strlen(reply_header(conn_reply(conn), "X-Request-Id")) < 129);
	conn_say(conn, "POST /leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
				   "Content-Length: 21\r\nExpect: 100-continue\r\n\r\n");
	reply = conn_reply(conn);
	cr_assert(reply->status == 100, "%u %s", reply->status, reply->body);
	conn_say(conn, "{\"tenant_id\":\"alice\"}");
	granted(conn_reply(conn));
	reply = call(server, "GET", "/openapi.yaml", NULL, NULL);
	cr_assert(reply->status == 200 && strstr(reply->body, "\nopenapi: 3.0.3\n"), "%.80s", reply->body);
	server_stop(server);
}
