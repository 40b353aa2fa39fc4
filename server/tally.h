/* SPDX-License-Identifier: MIT */
/* What was answered over HTTP: how often by method, route's template and code, and how long it took without the wait. */
#ifndef FAIRSHARED_TALLY_H
#define FAIRSHARED_TALLY_H

#include <stdint.h>

#include "api.h"
#include "exposition.h"
#include "route.h"

#define TALLY_METHODS 8
#define TALLY_CODES 17

struct tally {
	uint8_t templates[ROUTES_MAX];     /* of each row of api_routes(), the first row with the same template */
	uint64_t answers[ROUTES_MAX + 1][TALLY_METHODS][TALLY_CODES];   /* by template; the last: none matched */
	struct fair_spans took[ROUTES_MAX + 1];
};

void tally_init(struct tally *tally);
/* tally_answer counts one that took so long. */
void tally_answer(struct tally *tally, const struct api_request *request, unsigned status, uint64_t ns);
/* tally_write_answers and tally_write_times write the two families. */
void tally_write_answers(const struct tally *tally, struct exposition *out);
void tally_write_times(const struct tally *tally, struct exposition *out);

#endif
