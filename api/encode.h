/* SPDX-License-Identifier: MIT */
/* Replies: the shapes of the API as JSON, and the one place where JSON becomes text. */
#ifndef FAIRSHARED_API_ENCODE_H
#define FAIRSHARED_API_ENCODE_H

#include <jansson.h>

#include "api.h"

#define ENCODE_TIME_SIZE 25 /* "2026-01-02T03:04:05.678Z" and a NUL */

/* Members of an object; all take memory failures in silence: reply_send() answers then without a body. */
void encode_string(json_t *object, const char *name, const char *value);
void encode_count(json_t *object, const char *name, uint64_t value);
void encode_bool(json_t *object, const char *name, bool value);
void encode_null(json_t *object, const char *name);
/* encode_seconds writes nanoseconds as a number of seconds, to the millisecond. */
void encode_seconds(json_t *object, const char *name, uint64_t ns);
/* encode_time writes the wall time of a monotonic time. */
void encode_time(struct api *api, uint64_t ns, char ret_text[ENCODE_TIME_SIZE]);

/* encode_lease makes the lease object; an active lease whose grant is not durable yet is shown as pending. */
json_t *encode_lease(struct api *api, uint64_t now, const struct fair_lease_view *view);
/* encode_place adds what a waiter may know of its place to a refusal. */
void encode_place(json_t *object, const struct fair_place *place);
json_t *encode_tenant(struct api *api, const struct fair_tenant_view *view);
json_t *encode_pool(struct api *api, const struct fair_pool_view *view);
/* encode_quantiles makes {"p50", "p95", "p99", "max"}, to the microsecond. */
json_t *encode_quantiles(const struct fair_quantiles *quantiles);

/* reply_locate sets Location; NULL for none. */
void reply_locate(struct api_reply *reply, const char *location);
/* reply_send answers the request; `body` (moves) becomes the text, NULL for no body. */
void reply_send(struct api *api, struct api_request *request, struct api_reply *reply, json_t *body);
/* reply_json answers with a status and an object (moves). */
void reply_json(struct api *api, struct api_request *request, unsigned status, json_t *body);
/* reply_text answers 200 with a text (moves; NULL without memory). */
void reply_text(struct api *api, struct api_request *request, const char *content_type, char *text, size_t len);
/* reply_empty answers without a body. */
void reply_empty(struct api *api, struct api_request *request, unsigned status, const char *allow);

#endif
