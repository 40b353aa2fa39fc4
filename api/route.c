/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "handlers.h"
#include "text.h"

static const struct route routes[] = {
	{"POST", "/tenants", tenant_register, NULL, body_register, ROUTE_BODY_REQUIRED},
	{"GET", "/tenants", tenant_list, query_tenants, NULL, ROUTE_BODY_NONE},
	{"GET", "/tenants/{tenant_id}", tenant_get, query_pool, NULL, ROUTE_BODY_NONE},
	{"PATCH", "/tenants/{tenant_id}", tenant_patch, query_pool, body_patch_tenant, ROUTE_BODY_REQUIRED},
	{"DELETE", "/tenants/{tenant_id}", tenant_unregister, query_unregister, NULL, ROUTE_BODY_NONE},
	{"POST", "/leases", lease_acquire, query_wait, body_acquire, ROUTE_BODY_REQUIRED},
	{"GET", "/leases", lease_list, query_leases, NULL, ROUTE_BODY_NONE},
	{"DELETE", "/leases", lease_end_many, query_end, NULL, ROUTE_BODY_NONE},
	{"GET", "/leases/{id}", lease_get, query_wait, NULL, ROUTE_BODY_NONE},
	{"PUT", "/leases/{id}", lease_renew, NULL, body_renew, ROUTE_BODY_OPTIONAL},
	{"DELETE", "/leases/{id}", lease_release, query_release, NULL, ROUTE_BODY_NONE},
	{"POST", "/heartbeats", heartbeats_send, NULL, body_heartbeats, ROUTE_BODY_REQUIRED},
	{"GET", "/stats", stats_get, query_stats, NULL, ROUTE_BODY_NONE},
	{"GET", "/events", events_get, query_events, NULL, ROUTE_BODY_NONE},
	{"GET", "/metrics", metrics_get, NULL, NULL, ROUTE_BODY_NONE},
	{"GET", "/pools", pool_list, NULL, NULL, ROUTE_BODY_NONE},
	{"GET", "/pools/{pool}", pool_get, NULL, NULL, ROUTE_BODY_NONE},
	{"PUT", "/pools/{pool}", pool_put, NULL, body_put_pool, ROUTE_BODY_REQUIRED},
	{"PATCH", "/pools/{pool}", pool_patch, NULL, body_patch_pool, ROUTE_BODY_REQUIRED},
	{"DELETE", "/pools/{pool}", pool_delete, NULL, NULL, ROUTE_BODY_NONE},
	{"GET", "/check", lease_check, query_check, NULL, ROUTE_BODY_NONE},
	{"GET", "/healthz", service_health, NULL, NULL, ROUTE_BODY_NONE},
	{"GET", "/readyz", service_ready, NULL, NULL, ROUTE_BODY_NONE},
	{"GET", "/openapi.yaml", file_get, NULL, NULL, ROUTE_BODY_NONE},
	{"GET", "/", file_get, NULL, NULL, ROUTE_BODY_NONE},
	{"GET", "/page/{file}", file_get, NULL, NULL, ROUTE_BODY_NONE},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static_assert(ROUTES <= ROUTES_MAX, "struct api keeps one Allow for each");

const struct route *api_routes(size_t *ret_count)
{
	*ret_count = ROUTES;
	return routes;
}

/* Decodes one segment; "" for what cannot be part of any path or name. */
static void segment(const char *raw, size_t len, char ret_text[ROUTE_PARAM_SIZE])
{
	/* An escaped character takes three bytes: longer than that cannot become a name. */
	char text[ROUTE_PARAM_SIZE * 3];

	ret_text[0] = '\0';
	if (len >= sizeof(text) || !text_unescape(raw, len, false, text) || strlen(text) >= ROUTE_PARAM_SIZE)
		return;
	memcpy(ret_text, text, strlen(text) + 1);
}

/* One segment of the path against one of the template. Plain ones are compared as they stand. */
static bool segment_matches(const char *template, size_t wanted, const char *path, size_t len,
							char ret_param[ROUTE_PARAM_SIZE])
{
	char text[ROUTE_PARAM_SIZE];

	/* Only the root has an empty one: what cannot be decoded is no such. */
	if (len == 0 || wanted == 0)
		return len == wanted;
	if (*template == '{') {
		segment(path, len, ret_param);
		return true;
	}
	if (memchr(path, '%', len) == NULL)
		return len == wanted && memcmp(path, template, len) == 0;
	segment(path, len, text);
	return strlen(text) == wanted && memcmp(text, template, wanted) == 0;
}

static bool path_matches(const char *template, const char *path, char ret_param[ROUTE_PARAM_SIZE])
{
	ret_param[0] = '\0';
	while (*template == '/' && *path == '/') {
		size_t wanted = strcspn(++template, "/"), len = strcspn(++path, "/");

		if (!segment_matches(template, wanted, path, len, ret_param))
			return false;
		template += wanted;
		path += len;
	}
	return *template == '\0' && *path == '\0';
}

enum route_found route_match(const char *method, const char *path, const struct route **ret_route,
							 char ret_param[ROUTE_PARAM_SIZE])
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;

	for (size_t i = 0; i < ROUTES; i++) {
		if (strcmp(routes[i].method, wanted) != 0 || !path_matches(routes[i].path, path, ret_param))
			continue;
		*ret_route = &routes[i];
		return ROUTE_FOUND;
	}
	for (size_t i = 0; i < ROUTES; i++) {
		if (!path_matches(routes[i].path, path, ret_param))
			continue;
		*ret_route = &routes[i];
		return ROUTE_NO_METHOD;
	}
	return ROUTE_NO_PATH;
}

void route_allow(const struct route *route, char *ret_text, size_t size)
{
	size_t len = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < ROUTES; i++) {
		const char *method = routes[i].method;

		if (strcmp(routes[i].path, route->path) != 0)
			continue;
		len +=
			(size_t)snprintf(ret_text + len, size - len, "%s%s, ", method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
		assert(len < size);
	}
	snprintf(ret_text + len, size - len, "OPTIONS");
}
