/* SPDX-License-Identifier: MIT */
/* The one table of what the API serves, and the pure match over it. */
#ifndef FAIRSHARED_API_ROUTE_H
#define FAIRSHARED_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#define ROUTES_MAX 32
#define ROUTE_PARAM_SIZE 161 /* longer than any name: a longer segment cannot be one */

struct api;
struct call;
struct field;

enum route_body { ROUTE_BODY_NONE, ROUTE_BODY_OPTIONAL, ROUTE_BODY_REQUIRED };

struct route {
	const char *method;
	const char *path; /* the template: "/leases/{id}"; at most one parameter */
	void (*handle)(struct api *api, struct call *call);
	const struct field *query; /* its parameters, NULL for none; see decode.h */
	const struct field *body;  /* its members */
	enum route_body takes_body;
};

/* api_routes returns the table; for the test that holds it to openapi.yaml. */
const struct route *api_routes(size_t *ret_count);

enum route_found { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

/*
 * route_match looks a request up. The raw path is split at "/" and each segment decoded after that, so that %2F is
 * part of a name. HEAD is served by GET. *ret_route is set but for ROUTE_NO_PATH: for ROUTE_NO_METHOD to a route of
 * the path. The parameter is copied to ret_param: "" when the path has none, or one that cannot be a name.
 */
enum route_found route_match(const char *method, const char *path, const struct route **ret_route,
							 char ret_param[ROUTE_PARAM_SIZE]);

/* route_allow writes the value of Allow for the path of a route. */
void route_allow(const struct route *route, char *ret_text, size_t size);

#endif
