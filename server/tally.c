/* SPDX-License-Identifier: MIT */
#include "tally.h"

#include "clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NO_ROUTE ROUTES_MAX
#define TIME_LEAST (50 * CLOCK_US)
#define TIME_MOST (10 * CLOCK_S)

/* The last of each stands for all that is not named: clients must not be able to make series. */
static const char *const methods[TALLY_METHODS] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};
static const unsigned codes[TALLY_CODES] = {200, 201, 202, 204, 304, 400, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503, 0};

void tally_init(struct tally *tally)
{
	size_t count;
	const struct route *routes = api_routes(&count);

	memset(tally, 0, sizeof(*tally));
	for (size_t i = 0; i < count; i++)
		while (strcmp(routes[tally->templates[i]].path, routes[i].path) != 0)
			tally->templates[i]++;
}

static unsigned method_index(const char *method)
{
	unsigned i = 0;

	while (i + 1 < TALLY_METHODS && strcmp(methods[i], method) != 0)
		i++;
	return i;
}

static unsigned code_index(unsigned status)
{
	unsigned i = 0;

	while (i + 1 < TALLY_CODES && codes[i] != status)
		i++;
	return i;
}

void tally_answer(struct tally *tally, const struct api_request *request, unsigned status, uint64_t ns)
{
	unsigned row = request->route && *request->route ? tally->templates[request->route_number] : NO_ROUTE;

	tally->answers[row][method_index(request->method)][code_index(status)]++;
	fair_spans_add(&tally->took[row], ns);
}

static const char *template(unsigned row)
{
	size_t count;
	const struct route *routes = api_routes(&count);

	return row == NO_ROUTE ? "none" : row < count ? routes[row].path : NULL;
}

/* Rows with one template are counted at the first of them. */
static bool is_first(const struct tally *tally, unsigned row)
{
	return template(row) && (row == NO_ROUTE || tally->templates[row] == row);
}

/* Whether a series is there from the start: what a route answers when all goes well, and what an alarm may look for. */
static bool is_expected(const char *method, unsigned code)
{
	if (strcmp(method, "POST") == 0)
		return code == 200 || code == 201 || code == 429 || code == 503;
	return code == (strcmp(method, "DELETE") == 0 ? 204 : 200) || code == 503;
}

static bool has_route(const char *path, const char *method)
{
	size_t count;
	const struct route *routes = api_routes(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(routes[i].path, path) == 0 && strcmp(routes[i].method, method) == 0)
			return true;
	return false;
}

static void write_code(const char *route, unsigned method, unsigned code, uint64_t value, struct exposition *out)
{
	char text[16] = "other";

	if (codes[code] > 0)
		snprintf(text, sizeof(text), "%u", codes[code]);
	exposition_count(out, value, "method=\"%s\",route=\"%s\",code=\"%s\"", methods[method], route, text);
}

static void write_method(const struct tally *tally, unsigned row, unsigned method, struct exposition *out)
{
	const char *route = template(row);
	bool served = has_route(route, methods[method]);

	for (unsigned code = 0; code < TALLY_CODES; code++) {
		uint64_t value = tally->answers[row][method][code];

		if (value > 0 || (served && is_expected(methods[method], codes[code])))
			write_code(route, method, code, value, out);
	}
}

void tally_write_answers(const struct tally *tally, struct exposition *out)
{
	exposition_family(out, "fairshared_http_requests_total", "counter", "Requests answered, by method, route and code.");
	for (unsigned row = 0; row <= NO_ROUTE; row++)
		for (unsigned method = 0; is_first(tally, row) && method < TALLY_METHODS; method++)
			write_method(tally, row, method, out);
}

void tally_write_times(const struct tally *tally, struct exposition *out)
{
	exposition_family(out, "fairshared_http_request_duration_seconds", "histogram",
	                  "From a whole request to its answer, without the time it waited for a slot.");
	for (unsigned row = 0; row <= NO_ROUTE; row++)
		if (is_first(tally, row))
			exposition_spans(out, &tally->took[row], TIME_LEAST, TIME_MOST, "route=\"%s\"", template(row));
}
