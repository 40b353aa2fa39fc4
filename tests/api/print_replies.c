/* SPDX-License-Identifier: MIT */
/* Makes replies of every kind and prints each as a line of JSON, for replies_test.js to hold against openapi.yaml. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void print(const struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct exchange *e = w->exchanges[i];
		json_t *line;
		char *dumped;

		if (!e->answered || e->request.route[0] == '\0' || strcmp(e->request.method, "OPTIONS") == 0 ||
			status(e) == 405)
			continue;
		line = json_object();
		json_object_set_new(line, "method", json_string(e->request.method));
		json_object_set_new(line, "route", json_string(e->request.route));
		json_object_set_new(line, "status", json_integer(e->reply.status));
		json_object_set_new(line, "location",
							json_boolean(e->reply.location[0] != '\0' || e->reply.location_long != NULL));
		json_object_set_new(line, "retry_after", json_boolean(e->reply.retry_after > 0));
		json_object_set_new(line, "content_type",
							e->reply.content_type != NULL ? json_string(e->reply.content_type) : json_null());
		json_object_set_new(line, "body", e->json != NULL ? json_incref(e->json) : json_null());
		dumped = json_dumps(line, JSON_COMPACT);
		puts(dumped);
		free(dumped);
		json_decref(line);
	}
}

static void each_refusal(struct world *w)
{
	static const char *const lines[] = {"POST /tenants",
										"GET /tenants",
										"GET /tenants/alice",
										"PATCH /tenants/alice",
										"DELETE /tenants/alice",
										"POST /leases",
										"GET /leases",
										"DELETE /leases",
										"GET /leases/ls_00000000000000000000000000",
										"PUT /leases/ls_00000000000000000000000000",
										"DELETE /leases/ls_00000000000000000000000000",
										"POST /heartbeats",
										"GET /stats",
										"GET /events",
										"GET /pools",
										"GET /pools/x",
										"PUT /pools/x",
										"PATCH /pools/x",
										"DELETE /pools/x",
										"GET /check",
										"GET /healthz",
										"GET /metrics",
										"GET /readyz",
										"GET /openapi.yaml",
										"GET /",
										"GET /page/page.css"};
	char line[128];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(line, sizeof(line), "%s?nonsense=1", lines[i]);
		ask(w, line, "{\"tenant_id\":\"a b\"}");
		ask(w, lines[i], "{");
		ask_with(w, lines[i], NULL, 0, (struct headers){.sec_fetch_site = "cross-site"});
		ask_with(w, lines[i], NULL, 0, (struct headers){.body_too_large = true});
	}
}

static void leases(struct world *w)
{
	struct exchange *a = acquire(w, "alice", ",\"label\":\"x\"", "k"),
					*b = acquire(w, "alice", ",\"ttl_seconds\":1.5", NULL);
	struct exchange *place;
	char line[128], body[128];

	acquire(w, "alice", "", "k");
	acquire(w, "nobody", "", NULL);
	acquire(w, "alice", ",\"slots\":3", NULL);
	acquire(w, "alice", ",\"pool\":\"nowhere\"", NULL);
	acquire(w, "bob", ",\"wait_seconds\":5", "place");
	acquire(w, "bob", ",\"wait_seconds\":0", NULL);
	place = acquire(w, "bob", ",\"wait_seconds\":0", "place");
	ask(w, "GET /leases", NULL);
	ask(w, "GET /stats", NULL);
	ask(w, "GET /tenants", NULL);
	ask(w, "GET /leases?limit=1", NULL);
	ask(w, "GET /leases?pool=nowhere", NULL);
	ask(w, "GET /leases?tenant_id=nobody", NULL);
	ask(w, "GET /tenants?pool=nowhere", NULL);
	ask(w, "GET /stats?pool=nowhere", NULL);
	ask_with(w, "GET /stats", NULL, 0, (struct headers){.accept = "text/plain"});
	lease(w, "GET", a, "", NULL);
	lease(w, "GET", place, "", NULL);
	lease(w, "GET", place, "?wait=0", NULL);
	lease(w, "PUT", place, "", NULL);
	lease(w, "PUT", a, "", "{\"ttl_seconds\":7}");
	snprintf(line, sizeof(line), "GET /check?lease=%s", text(a, "id"));
	ask(w, line, NULL);
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\",\"%s\",\"x\"]}", text(a, "id"), text(place, "id"));
	ask(w, "POST /heartbeats", body);
	lease(w, "DELETE", b, "", NULL);
	lease(w, "GET", b, "", NULL);
	lease(w, "PUT", b, "", NULL);
	ask(w, "PUT /leases/ls_00000000000000000000000000", NULL);
	pass(w, 8 * S);
	lease(w, "DELETE", a, "", NULL);
	acquire(w, "alice", "", "k");
	ask(w, line, NULL);
	ask_key(w, "DELETE /leases?tenant_id=alice", NULL, "k");
	ask_key(w, "DELETE /leases?tenant_id=alice", NULL, "");
	ask(w, "GET /pools", NULL);
	ask(w, "GET /pools/default", NULL);
	ask(w, "DELETE /leases?revoke=true&pool=nowhere", NULL);
	ask(w, "DELETE /leases?revoke=true&pool=other", NULL);
}

static void pools(struct world *w)
{
	struct exchange *a;

	ask(w, "PUT /pools/farm", "{\"max_slots\":1,\"slot_urls\":[\"ws://farm:9222/0\"]}");
	ask(w, "PUT /pools/farm", "{\"max_slots\":2}");
	ask(w, "PUT /pools/a%2Fb", "{\"max_slots\":2}");
	ask(w, "PATCH /pools/farm",
		"{\"policy\":\"max-min\",\"cordoned\":[1],\"max_lease_seconds\":60,\"slot_rest_seconds\":0.5}");
	ask(w, "GET /stats?pool=farm", NULL);
	ask(w, "PATCH /pools/farm", "{\"min_share\":2}");
	ask(w, "PATCH /pools/nowhere", "{\"min_share\":2}");
	ask(w, "POST /tenants", "{\"tenant_id\":\"erin\",\"pool\":\"farm\"}");
	a = acquire(w, "erin", ",\"pool\":\"farm\"", NULL);
	ask(w, "DELETE /pools/farm", NULL);
	lease(w, "DELETE", a, "", NULL);
	ask(w, "DELETE /pools/farm", NULL);
	ask(w, "DELETE /pools/farm", NULL);
	ask(w, "DELETE /pools/default", NULL);
}

static void files(struct world *w)
{
	static const struct headers known = {.if_none_match = "*"};
	static const char *const lines[] = {"GET /openapi.yaml", "GET /", "GET /page/page.css"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ask(w, lines[i], NULL);
		ask_with(w, lines[i], NULL, 0, known);
	}
	ask(w, "GET /page/none.css", NULL);
}

static void tenants(struct world *w)
{
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\",\"instance\":\"p1\"}");
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\",\"instance\":\"p2\"}");
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\",\"pool\":\"nowhere\"}");
	ask(w, "GET /tenants/carol", NULL);
	ask(w, "PATCH /tenants/carol", "{\"max_slots\":3,\"max_waiting\":7}");
	ask(w, "PATCH /tenants/carol", "{\"weight\":2.5}");
	ask(w, "PATCH /tenants/nobody", "{}");
	ask(w, "DELETE /tenants/carol?instance=p1", NULL);
	ask(w, "DELETE /tenants/carol", NULL);
	ask(w, "DELETE /tenants/carol", NULL);
	ask(w, "GET /tenants/carol", NULL);
	acquire(w, "bob", "", NULL);
	ask(w, "DELETE /tenants/bob", NULL);
	acquire(w, "bob", "", NULL);
	ask(w, "GET /healthz", NULL);
	ask(w, "GET /metrics", NULL);
	ask(w, "GET /readyz", NULL);
	files(w);
	api_set_readiness(w->api, w->now, API_DRAINING);
	ask(w, "GET /readyz", NULL);
	acquire(w, "alice", "", NULL);
}

static void limits(void)
{
	struct world *w = world_create((struct world_config){.max_tenants = 1, .max_slots = 1, .max_waiting = 1});

	ask(w, "POST /tenants", "{\"tenant_id\":\"dave\"}");
	acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", "k");
	acquire(w, "alice", "", NULL);
	acquire(w, "alice", ",\"ttl_seconds\":9", "k");
	acquire(w, "alice", "", "k");
	print(w);
	world_destroy(w);
}

/* Each request whose answer waits for the store, when that fails. */
static void store(void)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *a = acquire(w, "alice", "", NULL);
	char body[128];

	ask(w, "PUT /pools/old", "{\"max_slots\":1}");
	w->slow = true;
	ask(w, "PUT /pools/new", "{\"max_slots\":1}");
	ask(w, "PATCH /pools/new", "{\"max_slots\":2}");
	ask(w, "DELETE /pools/old", NULL);
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	ask(w, "DELETE /tenants/carol", NULL);
	lease(w, "PUT", a, "", "{\"ttl_seconds\":7}");
	lease(w, "GET", a, "", NULL);
	snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\"]}", text(a, "id"));
	ask(w, "POST /heartbeats", body);
	acquire(w, "bob", ",\"wait_seconds\":1", "k");
	pass(w, 2 * S);
	lease(w, "DELETE", a, "", NULL);
	acquire(w, "alice", "", NULL);
	fail(w);
	print(w);
	world_destroy(w);
}

/* An event of each kind, as {"event", "body"}. */
static void print_piece(struct world *w, struct exchange *stream)
{
	listen_to(w, stream);
	for (size_t i = 0; i < w->told_count; i++) {
		json_t *line = json_object();
		char *dumped;

		json_object_set_new(line, "event", json_string(w->told[i].event));
		json_object_set(line, "body", w->told[i].data);
		dumped = json_dumps(line, JSON_COMPACT);
		puts(dumped);
		free(dumped);
		json_decref(line);
	}
}

static void events(void)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *stream = watch(w, "", NULL), *a = acquire(w, "alice", ",\"label\":\"x\"", NULL);

	acquire(w, "bob", ",\"wait_seconds\":0", NULL);
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	ask(w, "PUT /pools/farm", "{\"max_slots\":1}");
	print_piece(w, stream);
	lease(w, "DELETE", a, "", NULL);
	ask(w, "DELETE /tenants/carol", NULL);
	ask(w, "DELETE /pools/farm", NULL);
	print_piece(w, stream);
	print_piece(w, watch(w, "", "unknown"));
	for (int i = 0; i < 201; i++)
		acquire(w, "nobody", "", NULL);
	print_piece(w, stream);
	watch(w, "?pool=nowhere", NULL);
	print(w);
	world_destroy(w);
}

int main(void)
{
	struct world *w = world_create((struct world_config){0});

	leases(w);
	each_refusal(w);
	pools(w);
	tenants(w);
	print(w);
	world_destroy(w);
	limits();
	store();
	events();
	return 0;
}
