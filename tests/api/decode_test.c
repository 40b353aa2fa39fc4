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
		{"POST /leases", "{\"tenant_id\":\"alice\",\"slots\":1}", 422, "invalid-value", "/slots"},
		{"POST /leases", "{\"tenant_id\":\"alice\",\"priority\":0}", 422, "invalid-value", "/priority"},
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

	cr_expect(strstr(fault_detail(acquire(w, "alice", ",\"ttl_secs\":5", NULL)), "'ttl_seconds'") != NULL);
	cr_expect(strstr(fault_detail(acquire(w, "alice", ",\"lable\":\"x\"", NULL)), "'label'") != NULL);
	cr_expect(strstr(fault_detail(ask(w, "GET /stats?pol=x", NULL)), "'pool'") != NULL);
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
		{"GET /leases?cursor=1~other&pool=default", NULL, 422, "invalid-value", "cursor"},
		{"GET /leases?tenant_id=a%20b", NULL, 422, "invalid-value", "tenant_id"},
		{"POST /leases?wait=-1", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=301", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=5x", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=1s1m", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?wait=1e1", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "wait"},
		{"POST /leases?tenant_id=bob", "{\"tenant_id\":\"alice\"}", 422, "invalid-value", "tenant_id"},
		{"DELETE /leases/ls_00000000000000000000000000?revoke=true", NULL, 422, "invalid-value", "revoke"},
		{"DELETE /leases?tenant_id=alice&revoke=true", NULL, 422, "invalid-value", "revoke"},
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

Test(decode, gathers_every_fault)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "POST /leases?wait=x", "{\"ttl_seconds\":0,\"a\":1}");

	cr_expect(json_array_size(json_object_get(e->json, "errors")) == 4);
	world_destroy(w);
}
