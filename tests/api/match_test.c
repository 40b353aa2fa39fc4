/* SPDX-License-Identifier: MIT */
/* The route table and its pure match. */
#include "check.h"

#include "route.h"

TestSuite(match);

struct row {
	const char *method, *path;
	enum route_found found;
	const char *route, *param;
};

Test(match, splits_first_and_decodes_then)
{
	static const struct row table[] = {
		{"GET", "/leases", ROUTE_FOUND, "/leases", ""},
		{"HEAD", "/leases", ROUTE_FOUND, "/leases", ""},
		{"GET", "/%6ceases", ROUTE_FOUND, "/leases", ""},
		{"PATCH", "/leases", ROUTE_NO_METHOD, "/leases", ""},
		{"get", "/leases", ROUTE_NO_METHOD, "/leases", ""},
		{"HEAD", "/heartbeats", ROUTE_NO_METHOD, "/heartbeats", ""},
		{"GET", "//leases", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/leases/", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/leases//", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/leases/a/b", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/lease", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/leasess", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/Leases", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/", ROUTE_FOUND, "/", ""},
		{"GET", "//", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/page/", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/page/page.css", ROUTE_FOUND, "/page/{file}", "page.css"},
		{"GET", "", ROUTE_NO_PATH, NULL, NULL},
		{"OPTIONS", "*", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "leases", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/leases%2Fx", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/metrics", ROUTE_FOUND, "/metrics", ""},
		{"GET", "/nowhere", ROUTE_NO_PATH, NULL, NULL},
		{"GET", "/leases/x", ROUTE_FOUND, "/leases/{id}", "x"},
		{"GET", "/leases/a%2Fb", ROUTE_FOUND, "/leases/{id}", "a/b"},
		{"GET", "/leases/..", ROUTE_FOUND, "/leases/{id}", ".."},
		{"GET", "/leases/%00", ROUTE_FOUND, "/leases/{id}", ""},
		{"GET", "/leases/%", ROUTE_FOUND, "/leases/{id}", ""},
		{"GET", "/leases/%4", ROUTE_FOUND, "/leases/{id}", ""},
		{"GET", "/leases/a+b", ROUTE_FOUND, "/leases/{id}", "a+b"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct route *route = NULL;
		char param[ROUTE_PARAM_SIZE] = "";
		enum route_found found = route_match(table[i].method, table[i].path, &route, param);

		cr_expect(found == table[i].found, "%s %s: %d", table[i].method, table[i].path, (int)found);
		if (found == ROUTE_FOUND) {
			cr_expect_str_eq(route->path, table[i].route);
			cr_expect_str_eq(param, table[i].param);
		}
	}
}

Test(match, names_that_cannot_be_are_404)
{
	static const struct row table[] = {
		{"GET", "/tenants/a%2Fb", ROUTE_FOUND, "tenant-not-found", NULL},
		{"GET", "/tenants/%00", ROUTE_FOUND, "tenant-not-found", NULL},
		{"GET", "/tenants/%ff", ROUTE_FOUND, "tenant-not-found", NULL},
		{"GET", "/tenants/a%20b", ROUTE_FOUND, "tenant-not-found", NULL},
		{"DELETE", "/tenants/a%", ROUTE_FOUND, "tenant-not-found", NULL},
		{"GET", "/tenants/carol", ROUTE_FOUND, "tenant-not-found", NULL},
		{"GET", "/pools/a%2Fb", ROUTE_FOUND, "pool-not-found", NULL},
		{"GET", "/pools/nowhere", ROUTE_FOUND, "pool-not-found", NULL},
		{"GET", "/tenants/", ROUTE_FOUND, "not-found", NULL},
		{"GET", "/nowhere", ROUTE_FOUND, "not-found", NULL},
		{"GET", "//leases", ROUTE_FOUND, "not-found", NULL},
		{"GET", "/leases/ls_", ROUTE_FOUND, "lease-not-found", NULL},
		{"GET", "/leases/ls_0000000000000000000000000", ROUTE_FOUND, "lease-not-found", NULL},
		{"GET", "/leases/ls_00000000000000000000000000", ROUTE_FOUND, "lease-not-found", NULL},
		{"GET", "/leases/ls_000000000000000000000000000", ROUTE_FOUND, "lease-not-found", NULL},
		{"GET", "/leases/ls_8zzzzzzzzzzzzzzzzzzzzzzzzz", ROUTE_FOUND, "lease-not-found", NULL},
		{"GET", "/leases/ls_0000000000000000000000000u", ROUTE_FOUND, "lease-not-found", NULL},
		{"GET", "/leases/LS_00000000000000000000000000", ROUTE_FOUND, "lease-not-found", NULL},
		{"GET", "/leases/ls_0000000000000000000000000A", ROUTE_FOUND, "lease-not-found", NULL},
		{"DELETE", "/leases/%00", ROUTE_FOUND, "lease-not-found", NULL},
		{"PUT", "/leases/x", ROUTE_FOUND, "lease-not-found", NULL},
	};
	struct world *w = world_create((struct world_config){0});
	char line[300];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(line, sizeof(line), "%s %s", table[i].method, table[i].path);
		expect_problem(ask(w, line, NULL), 404, table[i].route);
	}
	snprintf(line, sizeof(line), "GET /tenants/%0129d", 0);
	expect_problem(ask(w, line, NULL), 404, "tenant-not-found");
	world_destroy(w);
}

Test(match, a_method_that_is_not_there_is_405_with_allow)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "PATCH /leases", NULL);

	expect_problem(e, 405, "method-not-allowed");
	cr_expect_str_eq(e->reply.allow, "POST, GET, HEAD, DELETE, OPTIONS");
	expect_problem(ask(w, "BREW /tenants/alice", NULL), 405, "method-not-allowed");
	e = ask(w, "OPTIONS /heartbeats", NULL);
	expect_status(e, 204);
	cr_expect_str_eq(e->reply.allow, "POST, OPTIONS");
	expect_problem(ask(w, "OPTIONS /nowhere", NULL), 404, "not-found");
	world_destroy(w);
}

Test(match, head_works_where_get_does)
{
	static const char *const paths[] = {"/tenants",		  "/tenants/alice", "/leases", "/stats",		"/pools",
										"/pools/default", "/healthz",		"/readyz", "/openapi.yaml", "/"};
	struct world *w = world_create((struct world_config){0});

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char line[64];
		struct exchange *e;

		snprintf(line, sizeof(line), "HEAD %s", paths[i]);
		e = ask(w, line, NULL);
		expect_status(e, 200);
		cr_expect(e->reply.head && (e->reply.body_len > 0 || e->reply.file != NULL));
	}
	world_destroy(w);
}
