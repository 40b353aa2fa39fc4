/* SPDX-License-Identifier: MIT */
/* Errors as RFC 9457 problems: problem.c holds the only table from a code to its status and title. */
#ifndef FAIRSHARED_API_PROBLEM_H
#define FAIRSHARED_API_PROBLEM_H

#include "api.h"

/* The problems that the core does not know; below them the values of enum fair_err are problems too. */
enum problem {
	PROBLEM_OWN = 100,
	PROBLEM_BAD_JSON = PROBLEM_OWN,
	PROBLEM_BODY_TOO_LARGE,
	PROBLEM_INVALID_VALUE,
	PROBLEM_KEY_INVALID,
	PROBLEM_NOT_FOUND,
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_CROSS_SITE,
	PROBLEM_LEASE_NOT_ACTIVE,
	PROBLEM_SUPERSEDED,
	PROBLEM_NAMED_POOL, /* pool-not-found of a pool that the body names */
	PROBLEM_POOL_CONFIGURED,
	PROBLEM_DRAINING,
	PROBLEM_NOT_READY,
	PROBLEM_STORE_UNAVAILABLE,
	PROBLEM_END,
};

/* problem_status returns the HTTP status of a problem (an enum problem, or an enum fair_err but FAIR_OK). */
unsigned problem_status(int problem);
/* problem_code returns its code. */
const char *problem_code(int problem);

/* problem_send answers a request with a problem whose detail is formatted from what follows. */
void problem_send(struct api *api, struct api_request *request, int problem, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* problem_begin writes a problem up to where more members may follow; problem_end closes it and answers, with a value of
 * Location, of Allow, or NULL. */
void problem_begin(struct api *api, const struct api_request *request, int problem, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void problem_end(struct api *api, struct api_request *request, int problem, const char *location, const char *allow);

#endif
