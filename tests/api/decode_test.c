/* SPDX-License-Identifier: MIT */
/* Everything that a body, a query string and headers can do wrong. */
#include "check.h"

TestSuite(decode);

struct row {
	const char *line, *body;
	unsigned status;
	const char *code, *fault; /* fault: the first pointer or parameter, NULL: none */
};

static void rows(const struct row *at, size_t count)
{
	struct world *w = world_create((struct world_config){0});

	for (size_t i = 0; i < count; i++) {
		struct exchange *e = ask(w, at[i].line, at[i].body);

		cr_expect(status(e) == at[i].status && strcmp(text(e, "code"), at[i].code) == 0 &&
					  (at[i].fault == NULL || strcmp(fault(e), at[i].fault) == 0),
				  "%s %s: %u %s", at[i].line, at[i].body != NULL ? at[i].body : "-", status(e),
				  e->reply.body != NULL ? e->reply.body : "");
	}
	world_destroy(w);
}

#define ROWS(table) rows(table, sizeof(table) / sizeof(table[0]))

Test(decode, refuses_what_is_not_one_json_object)
{
	static const struct row table[] = {
		{"POST /leases", NULL, 400, "bad-json", NULL},
		{"POST /leases", " ", 400, "bad-json", NULL},
		{"POST /leases", "{", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"alice\"", 400, "bad-json", NULL},
		{"POST /leases", "[]", 400, "bad-json", NULL},
		{"POST /leases", "\"x\"", 400, "bad-json", NULL},
		{"POST /leases", "null", 400, "bad-json", NULL},
		{"POST /leases", "{} {}", 400, "bad-json", NULL},
		{"POST /leases", "{'tenant_id':'alice'}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"tenant_id\":\"bob\"}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"a\\u0000b\"}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant\\u0000\":1}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"\xff\"}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"\xed\xa0\x80\"}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":1e999}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":99999999999999999999}", 400, "bad-json", NULL},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":NaN}", 400, "bad-json", NULL},
		{"POST /leases", "tenant_id=alice", 400, "bad-json", NULL},
		{"POST /tenants", NULL, 400, "bad-json", NULL},
		{"POST /heartbeats", "[1]", 400, "bad-json", NULL},
		{"PUT /leases/ls_00000000000000000000000000", "[]", 400, "bad-json", NULL},
	};

	ROWS(table);
}

Test(decode, tells_line_and_column_of_bad_json)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "POST /leases", "{\n\"tenant_id\": oops}");

	cr_expect(strstr(text(e, "detail"), "line 2, column ") != NULL, "%s", text(e, "detail"));
	world_destroy(w);
}

Test(decode, says_in_whole_sentences_what_is_bad_about_json)
{
	static const struct {
		const char *body, *detail;
	} table[] = {
		{"{\"a", "line 1, column 3: the body ends too early: send one whole JSON object"},
		{"{\"a\nb\":1}", "line 1, column 3: unexpected newline: send one JSON object"},
		{"{\"tenant_id\":oops}", "line 1, column 17: invalid token oops: send one JSON object"},
		{"{'a':1}", "line 1, column 2: string or '}' expected: send one JSON object"},
		{"{\"a\":\"\\q\"}", "line 1, column 8: invalid escape: send one JSON object"},
		{"{\"a\":1} x", "line 1, column 9: something follows the object: send one JSON object"},
		{"{\"a\":1,\"a\":2}", "line 1, column 10: a member is there more than once, \"a\": give it once"},
		{"{\"a\":\"\xff\"}", "line 1, column 6: the body is not UTF-8: send one JSON object in UTF-8"},
		{"{\"a\":\"b\\u0000\"}",
		 "line 1, column 14: a NUL character (\\u0000) in a string is not allowed: leave it out"},
		{"{\"a\\u0000\":1}", "line 1, column 10: a NUL character (\\u0000) in a string is not allowed: leave it out"},
		{"{\"a\":1e999}",
		 "line 1, column 10: 1e999 is beyond all that can be read: give a number that its member takes"},
		{"{\"a\":-99999999999999999999}",
		 "line 1, column 26: a number is beyond all that can be read: give a number that its member takes"},
	};
	struct world *w = world_create((struct world_config){0});

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct exchange *e = ask(w, "POST /leases", table[i].body);

		expect_problem(e, 400, "bad-json");
		cr_expect_str_eq(text(e, "detail"), table[i].detail, "%s: %s", table[i].body, text(e, "detail"));
	}
	world_destroy(w);
}

Test(decode, survives_deep_nesting_nul_and_64_kib)
{
	struct world *w = world_create((struct world_config){0});
	char deep[20010] = "{\"tenant_id\":";

	memset(deep + 13, '[', 10000);
	expect_problem(ask_with(w, "POST /leases", deep, 10013, (struct headers){0}), 400, "bad-json");
	for (size_t i = 0; i < 10000; i += 5)
		memcpy(deep + i, "{\"a\":", 5);
	expect_problem(ask_with(w, "POST /leases", deep, 10000, (struct headers){0}), 400, "bad-json");
	expect_problem(ask_with(w, "POST /leases", "{\"tenant_id\":\"alice\"}\0", 22, (struct headers){0}), 400,
				   "bad-json");
	expect_problem(ask_with(w, "POST /leases", "\0", 1, (struct headers){0}), 400, "bad-json");
	expect_problem(ask_with(w, "POST /leases", NULL, 0, (struct headers){.body_too_large = true}), 413,
				   "body-too-large");
	world_destroy(w);
}

Test(decode, refuses_members_that_are_missing_unknown_or_of_the_wrong_type)
{
	static const struct row table[] = {
		{"POST /leases", "{}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":null}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":7}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":[\"alice\"]}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":\"\"}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":\"a b\"}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":\"a/b\"}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":\"\xc3\xa4\"}", 422, "invalid-value", "/tenant_id"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"pool\":\"\"}", 422, "invalid-value", "/pool"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"slots\":0}", 422, "invalid-value", "/slots"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"slots\":1001}", 422, "invalid-value", "/slots"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"slots\":1.5}", 422, "invalid-value", "/slots"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"slots\":null}", 422, "invalid-value", "/slots"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"priority\":11}", 422, "invalid-value", "/priority"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"priority\":-11}", 422, "invalid-value", "/priority"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"priority\":\"1\"}", 422, "invalid-value", "/priority"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"max_lease_seconds\":0}", 422, "invalid-value",
		 "/max_lease_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"max_lease_seconds\":0.09}", 422, "invalid-value",
		 "/max_lease_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"max_lease_seconds\":2592001}", 422, "invalid-value",
		 "/max_lease_seconds"},
		{"PATCH /tenants/alice", "{\"weight\":0}", 422, "invalid-value", "/weight"},
		{"PATCH /tenants/alice", "{\"weight\":0.0005}", 422, "invalid-value", "/weight"},
		{"PATCH /tenants/alice", "{\"weight\":1.0005}", 422, "invalid-value", "/weight"},
		{"PATCH /tenants/alice", "{\"weight\":1000.001}", 422, "invalid-value", "/weight"},
		{"PATCH /tenants/alice", "{\"weight\":1e300}", 422, "invalid-value", "/weight"},
		{"PATCH /tenants/alice", "{\"weight\":\"2\"}", 422, "invalid-value", "/weight"},
		{"PATCH /tenants/alice", "{\"reserved_slots\":-1}", 422, "invalid-value", "/reserved_slots"},
		{"PATCH /tenants/alice", "{\"max_slots\":0}", 422, "invalid-value", "/max_slots"},
		{"PATCH /tenants/alice", "{\"max_waiting\":0}", 422, "invalid-value", "/max_waiting"},
		{"PATCH /tenants/alice", "{\"wieght\":2}", 422, "invalid-value", "/wieght"},
		{"PATCH /tenants/alice?pol=other", "{\"weight\":1}", 422, "invalid-value", "pol"},
		{"PATCH /tenants/alice", NULL, 400, "bad-json", NULL},
		{"PATCH /pools/default", "{\"draining\":1}", 422, "invalid-value", "/draining"},
		{"PATCH /pools/default", "{\"draining\":null}", 422, "invalid-value", "/draining"},
		{"PATCH /pools/default", "{\"cordoned\":null}", 422, "invalid-value", "/cordoned"},
		{"PATCH /pools/default", "{\"cordoned\":3}", 422, "invalid-value", "/cordoned"},
		{"PATCH /pools/default", "{\"cordoned\":[0,\"1\"]}", 422, "invalid-value", "/cordoned/1"},
		{"PATCH /pools/default", "{\"cordoned\":[1,0,1]}", 422, "invalid-value", "/cordoned/2"},
		{"PATCH /pools/default", "{\"cordoned\":[0,2]}", 422, "invalid-value", "/cordoned/1"},
		{"PATCH /pools/default", "{\"cordoned\":[-1]}", 422, "invalid-value", "/cordoned/0"},
		{"PATCH /pools/default", "{\"cordoned\":[1000000]}", 422, "invalid-value", "/cordoned/0"},
		{"PATCH /pools/default", "{\"slot_rest_seconds\":-1}", 422, "invalid-value", "/slot_rest_seconds"},
		{"PATCH /pools/default", "{\"slot_rest_seconds\":86401}", 422, "invalid-value", "/slot_rest_seconds"},
		{"PATCH /pools/default", "{\"slot_rest_seconds\":null}", 422, "invalid-value", "/slot_rest_seconds"},
		{"PATCH /pools/default", "{\"max_lease_seconds\":0.05}", 422, "invalid-value", "/max_lease_seconds"},
		{"PATCH /pools/default", "{\"pass_over_seconds\":\"5s\"}", 422, "invalid-value", "/pass_over_seconds"},
		{"PATCH /pools/default", "{\"priority_step_seconds\":90000}", 422, "invalid-value", "/priority_step_seconds"},
		{"PATCH /pools/default", "{\"policy\":\"max_min\"}", 422, "invalid-value", "/policy"},
		{"PATCH /pools/default", "{\"policy\":7}", 422, "invalid-value", "/policy"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl\":5}", 422, "invalid-value", "/ttl"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"a/b~c\":5}", 422, "invalid-value", "/a~1b~0c"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":\"30\"}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":true}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":null}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":0}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":-1}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":0.999}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":3600.001}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":9007199254740993}", 422, "invalid-value",
		 "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"ttl_seconds\":1e300}", 422, "invalid-value", "/ttl_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"wait_seconds\":-0.1}", 422, "invalid-value", "/wait_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"wait_seconds\":301}", 422, "invalid-value", "/wait_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"wait_seconds\":\"5s\"}", 422, "invalid-value", "/wait_seconds"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"label\":7}", 422, "invalid-value", "/label"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"label\":\"a\\nb\"}", 422, "invalid-value", "/label"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"label\":\"\\u0085\"}", 422, "invalid-value", "/label"},
		{"POST /tenants", "{\"tenant_id\":\"alice\",\"instance\":\" \"}", 422, "invalid-value", "/instance"},
		{"POST /heartbeats", "{}", 422, "invalid-value", "/lease_ids"},
		{"POST /heartbeats", "{\"lease_ids\":[]}", 422, "invalid-value", "/lease_ids"},
		{"POST /heartbeats", "{\"lease_ids\":\"x\"}", 422, "invalid-value", "/lease_ids"},
		{"POST /heartbeats", "{\"lease_ids\":[\"x\",7]}", 422, "invalid-value", "/lease_ids/1"},
		{"POST /heartbeats", "{\"lease_ids\":[\"x\"],\"ttl_seconds\":0}", 422, "invalid-value", "/ttl_seconds"},
		{"PUT /leases/ls_00000000000000000000000000", "{\"ttl\":1}", 422, "invalid-value", "/ttl"},
	};

	ROWS(table);
}

Test(decode, takes_fractions_and_the_limits_themselves)
{
	struct world *w = world_create((struct world_config){.max_slots = 9});

	expect_number(acquire(w, "alice", ",\"ttl_seconds\":1", NULL), "ttl_seconds", 1);
	expect_number(acquire(w, "alice", ",\"ttl_seconds\":1.5", NULL), "ttl_seconds", 1.5);
	expect_number(acquire(w, "alice", ",\"ttl_seconds\":3600.0,\"wait_seconds\":300", NULL), "ttl_seconds", 3600);
	world_destroy(w);
}

Test(decode, counts_the_characters_of_labels_and_the_bytes_of_names)
{
	struct world *w = world_create((struct world_config){.max_slots = 9, .auto_register = true});
	char more[1200] = ",\"label\":\"", name[140];
	size_t len = strlen(more);

	for (size_t i = 0; i < 256; i++, len += 4)
		memcpy(more + len, "\xf0\x9f\x98\x80", 4);
	memcpy(more + len, "\"", 2);
	{
		char body[1400];

		snprintf(body, sizeof(body), "{\"tenant_id\":\"alice\"%s}", more);
		expect_status(ask(w, "POST /leases", body), 201);
		memcpy(more + len, "x\"", 3);
		snprintf(body, sizeof(body), "{\"tenant_id\":\"alice\"%s}", more);
		expect_fault(ask(w, "POST /leases", body), "/label");
	}
	memset(name, 'n', sizeof(name));
	name[128] = '\0';
	expect_status(acquire(w, name, "", NULL), 201);
	name[128] = 'n';
	name[129] = '\0';
	expect_fault(acquire(w, name, "", NULL), "/tenant_id");
	world_destroy(w);
}

Test(decode, an_unknown_member_names_the_nearest_known_one)
{
	struct world *w = world_create((struct world_config){0});

	static const char *const members[][2] = {{"ttl_secs", "ttl_seconds"},	   {"lable", "label"},
											 {"ttl", "ttl_seconds"},		   {"wait", "wait_seconds"},
											 {"waitt", "wait_seconds"},		   {"tenantId", "tenant_id"},
											 {"wiat_seconds", "wait_seconds"}, {"TTL_SECONDS", "ttl_seconds"},
											 {"ttlSeconds", "ttl_seconds"},	   {"pool_name", "pool"}};
	char more[64], wanted[128];

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct exchange *e;

		snprintf(more, sizeof(more), ",\"%s\":5", members[i][0]);
		snprintf(wanted, sizeof(wanted), "there is no such member; the nearest known one is '%s'", members[i][1]);
		e = acquire(w, "alice", more, NULL);
		cr_expect_str_eq(fault_detail(e), wanted, "%s: %s", members[i][0], fault_detail(e));
	}
	cr_expect_str_eq(fault_detail(ask(w, "POST /leases?wiat=1", "{\"tenant_id\":\"alice\"}")),
					 "there is no such parameter; the nearest known one is 'wait'");
	cr_expect_str_eq(fault_detail(ask(w, "GET /stats?pol=x", NULL)),
					 "there is no such parameter; the nearest known one is 'pool'");
	world_destroy(w);
}

Test(decode, an_unknown_member_that_is_near_to_none_lists_the_known_ones)
{
	static const char *const members[] = {"weight", "urgency", "x", ""};
	struct world *w = world_create((struct world_config){0});
	char more[64];

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct exchange *e;

		snprintf(more, sizeof(more), ",\"%s\":5", members[i]);
		e = acquire(w, "alice", more, NULL);
		cr_expect_str_eq(fault_detail(e),
						 "there is no such member; known are tenant_id, pool, ttl_seconds, wait_seconds, label, slots, "
						 "priority, max_lease_seconds",
						 "%s: %s", members[i], fault_detail(e));
	}
	cr_expect_str_eq(fault_detail(ask(w, "GET /stats?nope=x", NULL)),
					 "there is no such parameter; known are pool, tenants, limit");
	cr_expect_str_eq(fault_detail(ask(w, "GET /pools?limit=5", NULL)),
					 "there is no such parameter; this request takes none");
	world_destroy(w);
}

Test(decode, refuses_query_parameters_that_are_wrong)
{
	static const struct row table[] = {
		{"GET /stats?nope=1", NULL, 422, "invalid-value", "nope"},
		{"GET /stats?pool=default&pool=default", NULL, 422, "invalid-value", "pool"},
		{"GET /stats?pool=", NULL, 422, "invalid-value", "pool"},
		{"GET /stats?pool=a%00b", NULL, 422, "invalid-value", "pool"},
		{"GET /stats?pool=%zz", NULL, 422, "invalid-value", "pool"},
		{"GET /stats?pool=%", NULL, 422, "invalid-value", "pool"},
		{"GET /stats?limit=0", NULL, 422, "invalid-value", "limit"},
		{"GET /stats?limit=10001", NULL, 422, "invalid-value", "limit"},
		{"GET /stats?limit=1.5", NULL, 422, "invalid-value", "limit"},
		{"GET /stats?limit=+5", NULL, 422, "invalid-value", "limit"},
		{"GET /stats?limit=99999999999999999999", NULL, 422, "invalid-value", "limit"},
		{"GET /stats?tenants=yes", NULL, 422, "invalid-value", "tenants"},
		{"GET /leases?limit=1001", NULL, 422, "invalid-value", "limit"},
		{"GET /leases?limit=-1", NULL, 422, "invalid-value", "limit"},
		{"GET /leases?limit", NULL, 422, "invalid-value", "limit"},
		{"GET /leases?state=ended", NULL, 422, "invalid-value", "state"},
		{"GET /leases?label=%ff", NULL, 422, "invalid-value", "label"},
		{"GET /leases?cursor=x", NULL, 422, "invalid-value", "cursor"},
		{"GET /leases?cursor=1~", NULL, 422, "invalid-value", "cursor"},
		{"GET /leases?cursor=01~default", NULL, 422, "invalid-value", "cursor"},
		{"GET /leases?cursor=1~default", NULL, 422, "invalid-value", "cursor"},
		{"GET /leases?cursor=1~00000000~default", NULL, 422, "invalid-value", "cursor"},
		{"GET /leases?tenant_id=a%20b", NULL, 422, "invalid-value", "tenant_id"},
		{"POST /leases?wait=-1", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=301", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=5x", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=1s1m", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=1e1", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?tenant_id=bob", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "tenant_id"},
		{"DELETE /leases?revoke=true", NULL, 422, "invalid-value", "revoke"},
		{"DELETE /leases?revoke=true&state=active", NULL, 422, "invalid-value", "revoke"},
		{"DELETE /leases?revoke=true&pool=nowhere", NULL, 404, "pool-not-found", NULL},
		{"DELETE /leases?revoke=true&tenant_id=nobody", NULL, 404, "tenant-not-found", NULL},
		{"DELETE /leases?revoke=true&pool=default&state=ended", NULL, 422, "invalid-value", "state"},
		{"DELETE /leases?revoke=false&pool=default&tenant_id=alice", NULL, 422, "invalid-value", "Idempotency-Key"},
		{"DELETE /leases?tenant_id=alice", NULL, 422, "invalid-value", "Idempotency-Key"},
		{"DELETE /leases", NULL, 422, "invalid-value", "tenant_id"},
		{"DELETE /tenants/alice?force=true&instance=p", NULL, 422, "invalid-value", "force"},
		{"GET /check", NULL, 422, "invalid-value", "lease"},
		{"GET /pools?limit=5", NULL, 422, "invalid-value", "limit"},
	};

	ROWS(table);
}

Test(decode, delete_leases_with_a_key_needs_a_tenant)
{
	struct world *w = world_create((struct world_config){0});

	expect_fault(ask_key(w, "DELETE /leases", NULL, "k"), "tenant_id");
	world_destroy(w);
}

Test(decode, reads_durations)
{
	static const struct {
		const char *wait;
		uint64_t ms;
	} table[] = {{"250ms", 250}, {"2s", 2000},	{"1m30s", 90000}, {"0.5", 500},
				 {"3", 3000},	 {"1m", 60000}, {"1s500ms", 1500}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct world *w = world_create((struct world_config){.max_slots = 1});
		struct exchange *e;
		char line[64];

		acquire(w, "bob", ",\"ttl_seconds\":3600", NULL);
		snprintf(line, sizeof(line), "POST /leases?wait=%s", table[i].wait);
		e = ask(w, line, "{\"tenant_id\":\"alice\"}");
		cr_expect(api_next_deadline(w->api) <= w->now + table[i].ms * MS);
		pass(w, table[i].ms * MS - 1);
		expect_status(e, 0);
		pass(w, 1);
		expect_problem(e, 429, "no-slot");
		world_destroy(w);
	}
}

Test(decode, a_duration_out_of_range_names_the_limit_however_large_it_is)
{
	static const struct {
		const char *line, *more, *detail;
	} table[] = {
		{"POST /leases?wait=301", "", "301 is too long: use at most 300 seconds (max_wait)"},
		{"POST /leases?wait=9999999999h", "", "9999999999h is too long: use at most 300 seconds (max_wait)"},
		{"POST /leases?wait=99999999999999999999999999999h", "",
		 "99999999999999999999999999999h is too long: use at most 300 seconds (max_wait)"},
		{"POST /leases?wait=18446744073709551617ms", "",
		 "18446744073709551617ms is too long: use at most 300 seconds (max_wait)"},
		{"POST /leases?wait=999999999h999999999m", "",
		 "999999999h999999999m is too long: use at most 300 seconds (max_wait)"},
		{"POST /leases?wait=99999999999999999999x", "",
		 "'99999999999999999999x' is no duration: use 250ms, 30s, 1m30s, 2h or a number of seconds"},
		{"POST /leases", ",\"wait_seconds\":1e300", "1e+300 is too long: use at most 300 seconds (max_wait)"},
		{"POST /leases", ",\"ttl_seconds\":3600.5", "3600.5 is too long: use at most 3600 seconds (max_ttl)"},
		{"POST /leases", ",\"ttl_seconds\":0.5", "0.5 is too short: use at least 1 seconds (min_ttl)"},
		{"POST /leases", ",\"wait_seconds\":-1", "-1 is negative: give seconds from 0 on"},
	};
	struct world *w = world_create((struct world_config){0});
	char body[100];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct exchange *e;

		snprintf(body, sizeof(body), "{\"tenant_id\":\"alice\"%s}", table[i].more);
		e = ask(w, table[i].line, body);
		expect_status(e, 422);
		cr_expect_str_eq(fault_detail(e), table[i].detail, "%s", fault_detail(e));
	}
	world_destroy(w);
}

Test(decode, takes_keys_that_are_bare_or_quoted_and_refuses_all_else)
{
	static const struct {
		const char *key, *same; /* same: how it can also be written, or NULL where it is refused: */
		const char *detail;
	} table[] = {
		{"k", "\"k\"", NULL},
		{"a\"b\\c~!", "\"a\\\"b\\\\c~!\"", NULL},
		{"\"a b\"", "\"a b\"", NULL},
		{"a b", NULL,
		 "Idempotency-Key has a byte that is not visible ASCII: use other characters, or quotes for spaces"},
		{"\xff"
		 "abc",
		 NULL, "Idempotency-Key has a byte that is not visible ASCII: use other characters, or quotes for spaces"},
		{"a\x7f", NULL,
		 "Idempotency-Key has a byte that is not visible ASCII: use other characters, or quotes for spaces"},
		{"a\tb", NULL,
		 "Idempotency-Key has a byte that is not visible ASCII: use other characters, or quotes for spaces"},
		{"\"a\xc3\xa4\"", NULL, "Idempotency-Key has a byte that is not printable ASCII: use other characters"},
		{"\"abc", NULL, "Idempotency-Key begins with a quote and ends without one: close it"},
		{"\"", NULL, "Idempotency-Key begins with a quote and ends without one: close it"},
		{"\"abc\\\"", NULL, "Idempotency-Key begins with a quote and ends without one: close it"},
		{"\"abc\\", NULL, "Idempotency-Key has a backslash that is not before a quote or a backslash: write it twice"},
		{"\"a\\b\"", NULL, "Idempotency-Key has a backslash that is not before a quote or a backslash: write it twice"},
		{"\"a\"b", NULL, "Idempotency-Key goes on after its closing quote: end it there"},
		{"\"a\";q=1", NULL, "Idempotency-Key goes on after its closing quote: end it there"},
		{"\"\"", NULL, "Idempotency-Key has 0 bytes: use 1 to 256"},
	};
	struct world *w = world_create((struct world_config){.max_slots = 99});

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct exchange *e = acquire(w, "alice", "", table[i].key);

		if (table[i].same != NULL) {
			expect_status(e, 201);
			expect_text(acquire(w, "alice", "", table[i].same), "id", text(e, "id"));
			continue;
		}
		expect_problem(e, 422, "idempotency-key-invalid");
		cr_expect_str_eq(text(e, "detail"), table[i].detail, "%s: %s", table[i].key, text(e, "detail"));
	}
	world_destroy(w);
}

Test(decode, gathers_every_fault)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "POST /leases?wait=x", "{\"ttl_seconds\":0,\"a\":1}");

	cr_expect(json_array_size(json_object_get(e->json, "errors")) == 4);
	world_destroy(w);
}

/* "A name in a path that cannot be one: 404", and the sentence says what is wrong with it. */
Test(decode, a_path_that_names_nothing_is_told_why)
{
#define RULE "use 1 to 128 characters of A-Z a-z 0-9 . _ : @ -"
	static const struct {
		const char *line, *body, *code, *detail;
	} table[] = {
		{"GET /%00", NULL, "not-found", "'/%00' is not there: GET /openapi.yaml tells what is"},
		{"GET /stats%", NULL, "not-found", "'/stats%' is not there: GET /openapi.yaml tells what is"},
		{"PUT /pools/a%20b", "{\"max_slots\":1}", "pool-not-found", "'a b' is no name of a pool: " RULE},
		{"PATCH /pools/a%2Fb", "{}", "pool-not-found", "'a/b' is no name of a pool: " RULE},
		{"GET /pools/caf%C3%A9", NULL, "pool-not-found", "'caf?\?' is no name of a pool: " RULE},
		{"DELETE /pools/%zz", NULL, "pool-not-found", "'%zz' is no name of a pool: " RULE},
		{"GET /pools/nowhere", NULL, "pool-not-found", "pool 'nowhere' is not there: GET /pools lists those that are"},
		{"GET /tenants/a%20b", NULL, "tenant-not-found", "'a b' is no name of a tenant: " RULE},
		{"PATCH /tenants/a*b?pool=other", "{}", "tenant-not-found", "'a*b' is no name of a tenant: " RULE},
		{"DELETE /tenants/a%0Ab", NULL, "tenant-not-found", "'a?b' is no name of a tenant: " RULE},
		{"GET /tenants/carol", NULL, "tenant-not-found",
		 "tenant 'carol' is not there in pool 'default': POST /tenants registers it"},
		{"GET /leases/ls_nonsense", NULL, "lease-not-found",
		 "lease 'ls_nonsense' is not there, or not any more: use the id of the reply"},
	};
	struct world *w = world_create((struct world_config){0});
	char line[256] = "PUT /pools/";

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct exchange *e = ask(w, table[i].line, table[i].body);

		expect_problem(e, 404, table[i].code);
		expect_text(e, "detail", table[i].detail);
	}
	memset(line + strlen(line), 'x', 129);
	expect_problem(ask(w, line, "{\"max_slots\":1}"), 404, "pool-not-found");
	cr_expect(strstr(text(ask(w, line, "{\"max_slots\":1}"), "detail"), "is no name of a pool: " RULE) != NULL);
	line[strlen(line) - 1] = '\0';
	expect_status(ask(w, line, "{\"max_slots\":1}"), 201);
	world_destroy(w);
}
