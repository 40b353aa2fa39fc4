/* SPDX-License-Identifier: MIT */
/*
 * Bodies and query strings, strictly: declarative tables of fields, read into struct input. What is wrong is
 * gathered and answered in one 422 that names each place.
 */
#ifndef FAIRSHARED_API_DECODE_H
#define FAIRSHARED_API_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct api;
struct call;
struct route;

enum field_type {
	FIELD_NAME,			 /* const char *: a name of a tenant, pool or instance */
	FIELD_LABEL,		 /* const char * */
	FIELD_TEXT,			 /* const char *: looked at by the handler */
	FIELD_TTL,			 /* uint64_t: nanoseconds from min_ttl to max_ttl */
	FIELD_WAIT,			 /* uint64_t: nanoseconds up to max_wait */
	FIELD_SPAN,			 /* uint64_t: nanoseconds up to a day */
	FIELD_LIFE,			 /* uint64_t: nanoseconds from 100 ms to 30 days; 0 for null */
	FIELD_LIMIT,		 /* uint64_t: 1..1000 */
	FIELD_STATS_LIMIT,	 /* uint64_t: 1..10000 */
	FIELD_BOOL,			 /* bool */
	FIELD_SWITCH,		 /* enum given */
	FIELD_STATE,		 /* enum fair_state: active or pending */
	FIELD_COUNT,		 /* uint64_t: 1..1 000 000 */
	FIELD_COUNT_OR_NONE, /* uint64_t: likewise; 0 for null */
	FIELD_AMOUNT,		 /* uint64_t: 0..1 000 000 */
	FIELD_SLOTS,		 /* uint64_t: 1..FAIR_LEASE_SLOTS_MAX */
	FIELD_PRIORITY,		 /* int64_t: -10..10 */
	FIELD_WEIGHT,		 /* uint64_t: thousandths of 0.001..1000 */
	FIELD_EXPRESSION,	 /* const char *: "" for null */
	FIELD_IDS,			 /* json_t *: 1..1000 strings */
	FIELD_SLOT_IDS,		 /* json_t *: an array of numbers of slots */
	FIELD_URLS,			 /* json_t *: an array of addresses, or null */
};

struct field {
	const char *name; /* NULL ends a table */
	enum field_type type;
	size_t offset; /* in struct input */
	bool required;
};

extern const struct field body_register[], body_acquire[], body_renew[], body_heartbeats[], body_put_pool[],
	body_patch_pool[], body_patch_tenant[];
extern const struct field query_tenants[], query_pool[], query_unregister[], query_wait[], query_leases[], query_end[],
	query_release[], query_stats[], query_events[], query_check[];

/* What decode_call() made, which lives as long as the call. */
struct decoded {
	json_t *body; /* or NULL */
	char *query;  /* the decoded query: names and values lie in it; or NULL */
};

/*
 * decode_call reads the query and the body of a call as its route says, into call->in. false: it was answered.
 * decode_fini frees in both cases.
 */
bool decode_call(struct api *api, struct call *call, const struct route *route, struct decoded *ret);
void decode_fini(struct decoded *decoded);

/* decode_refuse_member answers 422 invalid-value for one member of the body, by its pointer, with a detail. */
void decode_refuse_member(struct api *api, struct call *call, const char *pointer, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* decode_refuse answers 422 invalid-value for one query parameter or header, with a detail. */
void decode_refuse(struct api *api, struct call *call, const char *parameter, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * decode_key reads the Idempotency-Key of a call, bare or quoted, into `ret` (FAIR_KEY_MAX bytes). *ret_key is NULL
 * when there is none. false: it was answered.
 */
bool decode_key(struct api *api, struct call *call, char *ret, const char **ret_key, size_t *ret_len);

#endif
