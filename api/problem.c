/* SPDX-License-Identifier: MIT */
#include "problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "encode.h"
#include "internal.h"

struct row {
	const char *code;
	unsigned status;
	const char *title;
};

static const struct row core_rows[] = {
	[FAIR_E_POOL_NOT_FOUND] = {"pool-not-found", 404, "There is no such pool"},
	[FAIR_E_POOL_EXISTS] = {"pool-exists", 409, "The pool exists already"},
	[FAIR_E_POOL_IN_USE] = {"pool-in-use", 409, "The pool is in use"},
	[FAIR_E_TENANT_NOT_FOUND] = {"tenant-not-found", 404, "There is no such tenant"},
	[FAIR_E_TENANT_NOT_REGISTERED] = {"tenant-not-registered", 409, "The tenant is not registered"},
	[FAIR_E_TENANT_CLOSING] = {"tenant-closing", 409, "The tenant is closing"},
	[FAIR_E_TOO_MANY_TENANTS] = {"too-many-tenants", 429, "The pool has its limit of tenants"},
	[FAIR_E_TOO_MANY_INSTANCES] = {"too-many-instances", 429, "The tenant has its limit of instances"},
	[FAIR_E_QUEUE_FULL] = {"queue-full", 429, "The line is full"},
	[FAIR_E_NO_SLOT] = {"no-slot", 429, "No slot was free in time"},
	[FAIR_E_KEY_REUSED] = {"idempotency-key-reused", 422, "The idempotency key was used for another request"},
	[FAIR_E_LEASE_NOT_FOUND] = {"lease-not-found", 404, "There is no such lease"},
	[FAIR_E_LEASE_ENDED] = {"lease-ended", 410, "The lease has ended"},
	[FAIR_E_LEASE_PENDING] = {"lease-pending", 409, "The lease is still pending"},
	[FAIR_E_TOO_MANY_SLOTS] = {"too-many-slots", 409, "The pool can never have so many slots for it"},
	[FAIR_E_NO_MEMORY] = {"overloaded", 503, "The server is overloaded"},
};

static const struct row own_rows[] = {
	[PROBLEM_BAD_JSON - PROBLEM_OWN] = {"bad-json", 400, "The body is not one JSON object"},
	[PROBLEM_BODY_TOO_LARGE - PROBLEM_OWN] = {"body-too-large", 413, "The body is too large"},
	[PROBLEM_INVALID_VALUE - PROBLEM_OWN] = {"invalid-value", 422, "A value is not valid"},
	[PROBLEM_KEY_INVALID - PROBLEM_OWN] = {"idempotency-key-invalid", 422, "The idempotency key is not valid"},
	[PROBLEM_NOT_FOUND - PROBLEM_OWN] = {"not-found", 404, "There is no such path"},
	[PROBLEM_METHOD_NOT_ALLOWED - PROBLEM_OWN] = {"method-not-allowed", 405, "The path does not have this method"},
	[PROBLEM_CROSS_SITE - PROBLEM_OWN] = {"cross-site", 403, "Another site may not change anything here"},
	[PROBLEM_LEASE_NOT_ACTIVE - PROBLEM_OWN] = {"lease-not-active", 403, "The lease is not active"},
	[PROBLEM_SUPERSEDED - PROBLEM_OWN] = {"superseded", 409, "A newer request took over"},
	[PROBLEM_NAMED_POOL - PROBLEM_OWN] = {"pool-not-found", 409, "There is no such pool"},
	[PROBLEM_POOL_CONFIGURED - PROBLEM_OWN] = {"pool-configured", 409, "The pool is configured"},
	[PROBLEM_DRAINING - PROBLEM_OWN] = {"draining", 503, "The server is shutting down"},
	[PROBLEM_NOT_READY - PROBLEM_OWN] = {"not-ready", 503, "The server is not ready yet"},
	[PROBLEM_STORE_UNAVAILABLE - PROBLEM_OWN] = {"store-unavailable", 503, "The store is unavailable"},
};

static const struct row *row_of(int problem)
{
	if (problem >= PROBLEM_OWN) {
		assert(problem < PROBLEM_END);
		return &own_rows[problem - PROBLEM_OWN];
	}
	assert(problem > FAIR_OK && problem < (int)(sizeof(core_rows) / sizeof(core_rows[0])));
	return &core_rows[problem];
}

unsigned problem_status(int problem)
{
	return row_of(problem)->status;
}

const char *problem_code(int problem)
{
	return row_of(problem)->code;
}

static void begin(struct api *api, const struct api_request *request, int problem, const char *format, va_list args)
{
	const struct row *row = row_of(problem);
	struct writer *out = api->out;
	char type[80], detail[1024];

	snprintf(type, sizeof(type), "urn:fairshare:problem:%s", row->code);
	vsnprintf(detail, sizeof(detail), format, args);
	write_object(out, NULL);
	write_string(out, "type", type);
	write_string(out, "code", row->code);
	write_string(out, "title", row->title);
	write_count(out, "status", row->status);
	write_string(out, "detail", detail);
	write_string(out, "request_id", request->id);
}

void problem_begin(struct api *api, const struct api_request *request, int problem, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	begin(api, request, problem, format, args);
	va_end(args);
}

void problem_end(struct api *api, struct api_request *request, int problem, const char *location, const char *allow)
{
	const struct row *row = row_of(problem);
	struct api_reply reply = {.status = row->status, .content_type = "application/problem+json", .allow = allow};

	write_object_end(api->out);
	if (row->status == 429 || row->status == 503)
		reply.retry_after = 1;
	reply_locate(&reply, location);
	reply_written(api, request, &reply);
}

void problem_send(struct api *api, struct api_request *request, int problem, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	begin(api, request, problem, format, args);
	va_end(args);
	problem_end(api, request, problem, NULL, NULL);
}
