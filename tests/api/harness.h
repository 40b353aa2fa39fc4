/* SPDX-License-Identifier: MIT */
/*
 * A whole API by value: core, api, a clock that is set, and a store that does what the test says. Requests live in the
 * world until it ends; whatever was answered is told as sent at once, unless the test holds that back.
 */
#ifndef FAIRSHARED_TESTS_API_HARNESS_H
#define FAIRSHARED_TESTS_API_HARNESS_H

#include <jansson.h>
#include <stdbool.h>

#include "api.h"

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define EXCHANGES_MAX 20000
#define CHANGES_MAX 20000
#define TOLD_MAX 256

/* True while code of the product runs: a test of failing memory fails nothing else. */
extern bool harness_inside;

struct exchange {
	struct api_request request;
	char *line; /* owns what method, path and query point into */
	bool answered, sent;
	size_t made;  /* what the store had been handed when the answer was made; 0: it is not, or is not withheld */
	size_t order; /* of its answer, from 1 */
	struct api_reply reply;
	json_t *json; /* of the body, or NULL */
};

/* An event that the slow store took and has not committed. A failure takes out only the grants: all else stays to be
 * stored. */
struct change {
	struct fair_event event;
	uint64_t batch;
	size_t number; /* of all that were handed to the store */
};

/* An event of GET /events. */
struct told {
	char id[64], event[16];
	json_t *data;
};

struct world {
	struct fair *fair;
	struct api *api;
	uint64_t now;
	bool slow;			/* the store takes its time: events gather in batches */
	bool no_send;		/* answers are not handed over by themselves */
	uint64_t batch;		/* its number, of the one that gathers; from 1 */
	uint64_t committed; /* the last one that was, or that failed */
	struct change changes[CHANGES_MAX];
	size_t changed;
	size_t stored; /* events handed to the store */
	size_t answers;
	size_t told_early; /* answers that told of one of the changes */
	uint64_t dice;
	struct exchange *exchanges[EXCHANGES_MAX];
	size_t count;
	char audit[4096];		  /* "act name=value ...", a line each; the test empties it */
	struct world_pool *pools; /* what the core does not know of them */
	struct told told[TOLD_MAX]; /* the last piece of a stream */
	size_t told_count;
	bool over; /* the stream ends after it */
};

struct world_config {
	uint32_t max_slots;	  /* 0: 2 */
	uint32_t min_share;	  /* 0: 1 */
	uint32_t max_waiting; /* 0: 10000 */
	uint32_t tenant_max_waiting;
	uint32_t max_tenants;
	uint32_t accounts_max; /* 0: 100 */
	uint32_t requests_max, streams_max;
	bool auto_register;
};

struct headers {
	const char *key, *request_id, *sec_fetch_site, *origin, *host, *accept, *if_none_match, *last_event_id;
	bool body_too_large;
};

/* world_create makes pools "default" and "other" (1 slot), and registers alice and bob in the first. */
struct world *world_create(struct world_config config);
void world_destroy(struct world *w);

/* ask sends "METHOD /path?query" with a body or NULL; ask_key with an Idempotency-Key. */
struct exchange *ask(struct world *w, const char *line, const char *body);
struct exchange *ask_key(struct world *w, const char *line, const char *body, const char *key);
struct exchange *ask_with(struct world *w, const char *line, const char *body, size_t len, struct headers headers);
/* acquire asks for a slot of a tenant with these more members ("" or ",\"ttl_seconds\":5"). */
struct exchange *acquire(struct world *w, const char *tenant, const char *more, const char *key);
/* lease sends METHOD /leases/{id of a reply}rest. */
struct exchange *lease(struct world *w, const char *method, const struct exchange *of, const char *rest,
					   const char *body);

/* watch opens a stream of events: GET /events with a query or "", and a Last-Event-ID or NULL. */
struct exchange *watch(struct world *w, const char *query, const char *last_event_id);
/* listen_to takes the next piece of it to w->told, and names its events in their order, with a blank between them:
 * "stats", "tenant granted stats"; "" when nothing is new. */
const char *listen_to(struct world *w, struct exchange *stream);

/* pass lets time go by, in small steps. */
void pass(struct world *w, uint64_t ns);
/* hang_up breaks a request. hand_over tells that an answer went, or could not go, to the kernel. */
void hang_up(struct world *w, struct exchange *e);
void hand_over(struct world *w, struct exchange *e, bool handed_over);
/* A slow store: send_off ends the batch that gathers; commit commits the oldest one, ended or not; fail fails all. */
void send_off(struct world *w);
void commit(struct world *w);
void fail(struct world *w);

/* status is 0 while nothing was answered. text, number: a member of the reply, "" and -1 when it is not there. */
unsigned status(const struct exchange *e);
const char *text(const struct exchange *e, const char *name);
double number(const struct exchange *e, const char *name);
/* stat_of is a number of GET /stats of the default pool. */
double stat_of(struct world *w, const char *name);
/* fault is the pointer or parameter of the first entry of "errors". */
const char *fault(const struct exchange *e);
const char *fault_detail(const struct exchange *e);

#endif
