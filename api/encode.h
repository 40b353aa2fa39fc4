/* SPDX-License-Identifier: MIT */
/*
 * Replies: the shapes of the API, written to api->out, and sent; or withheld, when request->batch is not committed.
 * Whatever tells of a grant has no batch: it is told when its own is committed.
 */
#ifndef FAIRSHARED_API_ENCODE_H
#define FAIRSHARED_API_ENCODE_H

#include "api.h"
#include "write.h"

#define ENCODE_TIME_SIZE 25 /* "2026-01-02T03:04:05.678Z" and a NUL */

/* encode_seconds writes nanoseconds as a number of seconds, to the millisecond. */
void encode_seconds(struct writer *out, const char *name, uint64_t ns);
/* encode_time writes the wall time of a monotonic time. */
void encode_time(struct api *api, uint64_t ns, char ret_text[ENCODE_TIME_SIZE]);

/* encode_lease writes the lease object; an active lease whose grant is not durable yet is shown as pending. */
void encode_lease(struct api *api, uint64_t now, const struct fair_lease_view *view);
/* encode_place adds what a waiter may know of its place to a refusal. */
void encode_place(struct writer *out, const struct fair_place *place);
/* lease_left is how long a lease lives on without a heartbeat. */
uint64_t lease_left(const struct fair_lease_view *view, uint64_t now);
/* encode_reclaim writes by when a lease is asked back, where it is. */
void encode_reclaim(struct writer *out, uint64_t now, uint64_t reclaim_ns);
void encode_tenant(struct api *api, const struct fair_tenant_view *view);
void encode_pool(struct api *api, const struct fair_pool_view *view);
/* encode_stats writes the body of GET /stats, with so many tenants at most. */
void encode_stats(struct api *api, uint64_t now, const struct fair_pool_view *view, uint64_t limit);
/* encode_quantiles writes {"p50", "p95", "p99", "max"}, to the microsecond. */
void encode_quantiles(struct writer *out, const char *name, const struct fair_quantiles *quantiles);

/* reply_locate sets Location; NULL for none. */
void reply_locate(struct api_reply *reply, const char *location);
/* reply_send hands a finished reply to the hook, durable or not. */
void reply_send(struct api *api, struct api_request *request, struct api_reply *reply);
/* reply_fini frees what a reply that is not sent owns. */
void reply_fini(struct api_reply *reply);
/*
 * reply_written answers the request with what was written. Without the memory for a whole reply it answers 503 without
 * a body, which tells of no grant, and returns false.
 */
bool reply_written(struct api *api, struct api_request *request, struct api_reply *reply);
/* reply_json answers likewise with a status and the object that was written. */
bool reply_json(struct api *api, struct api_request *request, unsigned status);
/* reply_lease answers likewise 200 with a lease. */
bool reply_lease(struct api *api, struct api_request *request, uint64_t now, const struct fair_lease_view *view);
/* reply_text answers 200 with a text (moves; NULL without memory). */
void reply_text(struct api *api, struct api_request *request, const char *content_type, char *text, size_t len);
/* reply_empty answers without a body. */
void reply_empty(struct api *api, struct api_request *request, unsigned status, const char *allow);

#endif
