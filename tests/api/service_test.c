/* SPDX-License-Identifier: MIT */
/* Manners, stats, pools, health. */
#include "check.h"

TestSuite(service);

static struct exchange *with(struct world *w, const char *line, struct headers headers)
{
	return ask_with(w, line, "{\"tenant_id\":\"alice\"}", strncmp(line, "POST", 4) == 0 ? 21 : 0, headers);
}

Test(service, request_ids_are_taken_over_or_made)
{
	struct world *w = world_create((struct world_config){0});
	char long_id[140];
	struct exchange *e = with(w, "GET /nowhere", (struct headers){.request_id = "my-id"});

	expect_text(e, "request_id", "my-id");
	cr_expect_str_eq(e->request.id, "my-id");
	memset(long_id, 'x', sizeof(long_id));
	long_id[129] = '\0';
	cr_expect(strlen(with(w, "GET /nowhere", (struct headers){.request_id = long_id})->request.id) == 26);
	long_id[128] = '\0';
	cr_expect_str_eq(with(w, "GET /nowhere", (struct headers){.request_id = long_id})->request.id, long_id);
	cr_expect(strlen(with(w, "GET /nowhere", (struct headers){.request_id = "a b"})->request.id) == 26);
	cr_expect(strlen(with(w, "GET /nowhere", (struct headers){.request_id = "\xc3\xa4"})->request.id) == 26);
	cr_expect(strlen(with(w, "GET /nowhere", (struct headers){.request_id = ""})->request.id) == 26);
	world_destroy(w);
}

Test(service, cross_site_requests_change_nothing)
{
	static const struct {
		struct headers headers;
		unsigned status;
	} table[] = {
		{{.sec_fetch_site = "same-origin"}, 200},
		{{.sec_fetch_site = "none"}, 200},
		{{.sec_fetch_site = "cross-site"}, 403},
		{{.sec_fetch_site = "same-site"}, 403},
		{{.sec_fetch_site = ""}, 403},
		{{.sec_fetch_site = "same-origin", .origin = "http://evil", .host = "here"}, 200},
		{{.origin = "http://here:8080", .host = "here:8080"}, 200},
		{{.origin = "http://HERE:8080", .host = "here:8080"}, 200},
		{{.origin = "http://evil", .host = "here"}, 403},
		{{.origin = "null", .host = "here"}, 403},
		{{.origin = "http://here", .host = NULL}, 403},
		{{0}, 200},
	};
	struct world *w = world_create((struct world_config){0});

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct exchange *e = with(w, "POST /tenants", table[i].headers);

		cr_expect(status(e) == table[i].status, "row %zu: %u", i, status(e));
		expect_status(with(w, "GET /tenants", table[i].headers), 200);
	}
	expect_problem(with(w, "PATCH /tenants", (struct headers){.sec_fetch_site = "cross-site"}), 403, "cross-site");
	world_destroy(w);
}

Test(service, problems_are_rfc_9457)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "GET /nowhere", NULL);

	cr_expect_str_eq(e->reply.content_type, "application/problem+json");
	expect_text(e, "type", "urn:fairshare:problem:not-found");
	expect_number(e, "status", 404);
	cr_expect(*text(e, "title") != '\0');
	cr_expect(strstr(text(e, "detail"), "/nowhere") != NULL);
	world_destroy(w);
}

Test(service, stats_have_the_names_of_the_contract)
{
	static const char *const numbers[] = {
		"max_slots",		  "min_share",			 "share",		  "active_tenants", "demanding_tenants",
		"total_active_slots", "available_slots",	 "waiting",		  "absent",			"tenants_omitted",
		"granted_total",	  "released_total",		 "expired_total", "revoked_total",	"unclaimed_total",
		"no_slot_total",	  "calculator_failures", "uptime_seconds"};
	struct world *w = world_create((struct world_config){.max_slots = 10});
	struct exchange *e;
	const json_t *tenants;

	expect_stat(w, "share", 10);
	acquire(w, "alice", "", NULL);
	acquire(w, "bob", "", NULL);
	pass(w, 1500 * MS);
	e = ask(w, "GET /stats", NULL);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		cr_expect(number(e, numbers[i]) >= 0, "%s", numbers[i]);
	expect_number(e, "share", 5);
	expect_number(e, "uptime_seconds", 1.5);
	expect_text(e, "version", "1.2.3");
	tenants = json_object_get(e->json, "tenants");
	cr_expect(json_object_size(tenants) == 2);
	cr_expect(json_integer_value(json_object_get(json_object_get(tenants, "alice"), "active_slots")) == 1);
	cr_expect(json_object_size(json_object_get(e->json, "wait_seconds")) == 4);
	e = ask(w, "GET /stats?limit=1", NULL);
	cr_expect(json_object_size(json_object_get(e->json, "tenants")) == 1);
	expect_number(e, "tenants_omitted", 1);
	e = ask(w, "GET /stats?tenants=false", NULL);
	cr_expect(json_object_size(json_object_get(e->json, "tenants")) == 0);
	expect_number(e, "tenants_omitted", 0);
	expect_problem(ask(w, "GET /stats?pool=nowhere", NULL), 404, "pool-not-found");
	expect_text(ask(w, "GET /stats?pool=other", NULL), "pool", "other");
	world_destroy(w);
}

Test(service, stats_are_text_where_accept_prefers_it)
{
	static const struct {
		const char *accept;
		bool text;
	} table[] = {
		{NULL, false},
		{"*/*", false},
		{"text/plain", true},
		{"text/plain, */*", false},
		{"text/plain, application/json", false},
		{"text/plain;q=0.9, application/json;q=0.5", true},
		{"text/plain;q=0.5, application/json", false},
		{"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true},
		{"text/html, */*;q=0.8", false},
		{"text/plain;q=0", false},
		{"TEXT/PLAIN", true},
	};
	struct world *w = world_create((struct world_config){0});

	acquire(w, "alice", "", NULL);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct exchange *e = with(w, "GET /stats", (struct headers){.accept = table[i].accept});

		expect_status(e, 200);
		cr_expect((strncmp(e->reply.content_type, "text/plain", 10) == 0) == table[i].text, "%s", table[i].accept);
		if (table[i].text)
			cr_expect(strstr(e->reply.body, "fairshared_slots{pool=\"default\",state=\"active\"} 1\n") != NULL);
	}
	world_destroy(w);
}

Test(service, pools_are_shown)
{
	struct world *w = world_create((struct world_config){.max_slots = 10});
	struct exchange *e = ask(w, "GET /pools", NULL);

	cr_expect(json_array_size(json_object_get(e->json, "items")) == 2);
	cr_expect(json_is_null(json_object_get(e->json, "next_cursor")));
	e = ask(w, "GET /pools/default", NULL);
	expect_status(e, 200);
	expect_text(e, "pool", "default");
	expect_text(e, "policy", "equal");
	expect_number(e, "max_slots", 10);
	expect_number(e, "ttl_seconds", 30);
	cr_expect(json_is_null(json_object_get(e->json, "share_calculator")));
	cr_expect(json_is_true(json_object_get(e->json, "configured")));
	world_destroy(w);
}

Test(service, files_are_sent_once_for_each_etag)
{
	static const struct {
		const char *line, *if_none_match;
		unsigned status;
	} table[] = {
		{"GET /", NULL, 200},
		{"GET /", "", 200},
		{"GET /", "\"c1\"", 200},
		{"GET /", "\"h1\"", 304},
		{"HEAD /", "W/\"h1\"", 304},
		{"GET /", "\"x\", \"h1\"", 304},
		{"GET /", "*", 304},
		{"GET /page/page.css", NULL, 200},
		{"GET /page/page.css", "\"c1\"", 304},
		{"GET /openapi.yaml", "\"y1\"", 304},
	};
	struct world *w = world_create((struct world_config){0});

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct exchange *e = with(w, table[i].line, (struct headers){.if_none_match = table[i].if_none_match});

		expect_status(e, table[i].status);
		cr_expect(e->reply.file != NULL && e->reply.body == NULL, "%s", table[i].line);
		cr_expect((e->reply.content_type != NULL) == (table[i].status == 200), "%s", table[i].line);
	}
	cr_expect_str_eq(ask(w, "GET /", NULL)->reply.file->path, "/");
	expect_problem(ask(w, "GET /page/", NULL), 404, "not-found");
	expect_problem(ask(w, "GET /page/nothing.js", NULL), 404, "not-found");
	expect_problem(ask(w, "GET /page/..%2Fopenapi.yaml", NULL), 404, "not-found");
	expect_problem(ask(w, "GET //", NULL), 404, "not-found");
	expect_problem(ask(w, "POST /", NULL), 405, "method-not-allowed");
	world_destroy(w);
}

Test(service, tells_of_itself)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "GET /openapi.yaml", NULL);

	expect_status(e, 200);
	cr_expect(e->reply.file != NULL && e->reply.file->len == 15 &&
			  memcmp(e->reply.file->bytes, "openapi: 3.0.3\n", 15) == 0);
	expect_status(ask(w, "GET /healthz", NULL), 200);
	expect_status(ask(w, "GET /readyz", NULL), 200);
	api_set_readiness(w->api, w->now, API_NOT_READY);
	e = ask(w, "GET /readyz", NULL);
	expect_problem(e, 503, "not-ready");
	cr_expect(e->reply.retry_after == 1);
	world_destroy(w);
}
