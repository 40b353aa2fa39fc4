/* SPDX-License-Identifier: MIT */
/* Prints the route table, one "METHOD /path parameter,… member,…" a line, for routes_test.js. */
#include <stdio.h>

#include "decode.h"
#include "route.h"

static void names(const struct field *fields)
{
	bool any = false;

	putchar(' ');
	for (; fields != NULL && fields->name != NULL; fields++) {
		printf("%s%s%s", any ? "," : "", fields->name, fields->required ? "!" : "");
		any = true;
	}
	if (!any)
		putchar('-');
}

int main(void)
{
	size_t count;
	const struct route *routes = api_routes(&count);

	for (size_t i = 0; i < count; i++) {
		printf("%s %s", routes[i].method, routes[i].path);
		names(routes[i].query);
		names(routes[i].body);
		putchar('\n');
	}
	return 0;
}
