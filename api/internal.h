/* SPDX-License-Identifier: MIT */
/*
 * What the files of api/ share: the state of the api, and a call, which is one request on its way to its handler.
 *
 * A handler answers its request (reply_*, problem_*) or parks it (parked_add). It leaves the core's events to
 * api_settle(), which drains them in one place and answers whom they concern; but a handler whose answer tells of a
 * change drains before it answers (api_drain), as only then it knows the batch to wait for (request->batch).
 */
#ifndef FAIRSHARED_API_INTERNAL_H
#define FAIRSHARED_API_INTERNAL_H

#include <jansson.h>
#include <string.h>

#include "api.h"
#include "events.h"
#include "parked.h"
#include "renewed.h"
#include "route.h"
#include "sliced.h"
#include "withheld.h"
#include "write.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)
#define NS_PER_S UINT64_C(1000000000)
#define API_PARAMS_MAX 1
#define API_SEGMENT_MAX 160 /* longer than any name: what does not fit cannot be one */
#define API_SECONDS_KEPT 64 /* written out seconds remembered by encode_time() */

/* A second of wall time, written out once: leases of one second share it. */
struct api_second {
	int64_t second;
	char text[24];
};

struct api {
	struct fair *fair;
	struct api_config config;
	struct api_hooks hooks;
	uint64_t started;
	int64_t clock_offset_ms; /* from the clock of the calls to the wall clock */
	struct api_second seconds[API_SECONDS_KEPT];
	enum api_readiness readiness;
	uint64_t unconfirmed;							   /* grants handed to the store and not yet heard of */
	uint64_t committed;								   /* the last batch that is durable */
	uint64_t tenants_batch, places_batch, pools_batch; /* of the last change of any tenant, of any place, of any pool */
	struct renewed_set renewed;
	struct parked_set parked;
	struct withheld_set withheld;
	struct revoking *revoking; /* requests that wait for many leases to end */
	struct events events;
	uint32_t streams; /* of GET /events, open */
	struct sliced_line sliced;
	struct writer *out;	  /* the body of the reply that is being made */
	uint8_t random[8192]; /* drawn ahead: one system call serves many ids */
	size_t random_left;
	char allow[ROUTES_MAX][64]; /* value of Allow for the template of each route */
};

/* A truth that a body may leave out. */
enum given { GIVEN_NOT, GIVEN_FALSE, GIVEN_TRUE };

/* What the fields of decode.c are read into. What is absent keeps the value of input_none(). */
struct input {
	const char *tenant_id, *pool, *instance, *label, *cursor, *lease; /* NULL: absent */
	uint64_t ttl_ns, body_wait_ns, query_wait_ns;					  /* FAIR_NEVER: absent */
	uint64_t limit;													  /* 0: absent */
	enum fair_state state;											  /* FAIR_ENDED: absent */
	bool force, tenants, revoke;
	uint64_t max_slots, min_share, max_waiting;							 /* 0: absent */
	uint64_t slots;														 /* 0: absent */
	int64_t priority;													 /* 0: absent, too */
	uint64_t max_lease_ns, slot_rest_ns, pass_over_ns, priority_step_ns; /* FAIR_NEVER: absent; 0: none */
	uint64_t weight, reserved_slots, cap, own_waiting;					 /* of a tenant; likewise */
	enum given draining;
	const char *policy, *share_calculator;	  /* NULL: absent; "": no expression */
	json_t *lease_ids, *slot_urls, *cordoned; /* borrowed from the body; NULL: absent */
};

struct call {
	struct api_request *request;
	uint64_t now;
	bool head;		   /* HEAD: shows, and claims and attaches nothing */
	const char *param; /* the path's parameter; "" when it cannot be a name */
	struct input in;
};

/* call_pool names the pool that a call is about. */
static inline const char *call_pool(const struct call *call)
{
	return call->in.pool != NULL ? call->in.pool : "default";
}

/* pools.c: what api_config_default() has for pools: they have no expressions, and all are configured. */
struct api_pool_info pool_info_plain(void *context, const char *pool);
enum fair_err pool_set_plain(void *context, struct fair *fair, uint64_t now, const struct api_pool *pool,
							 bool *ret_created, char reason[API_REASON_MAX]);
enum fair_err pool_remove_plain(void *context, struct fair *fair, uint64_t now, const char *pool);
/* api_settle drains the core's events, answers whom they concern, and dispatches anew what was set aside. */
void api_settle(struct api *api, uint64_t now);
/* api_drain does only the first two: for handlers that make many events, or tell of what they changed. It answers
 * others, so that it comes before the first word of the reply is written. */
void api_drain(struct api *api, uint64_t now);
/* api_full: as many requests wait as may. */
bool api_full(const struct api *api);
/* api_random fills with random bytes. */
void api_random(struct api *api, void *bytes, size_t size);

#endif
