/* SPDX-License-Identifier: MIT */
/*
 * The HTTP API without HTTP: turns requests into calls of the core, and the core's events into replies.
 * No sockets, no clock, no libmicrohttpd. One thread owns a struct api and the struct fair under it.
 *
 * The way of a request: api_handle() -> route -> decode -> core call -> events -> hooks.store ->
 * (at once, or when the batch is committed: api_committed()) -> encode -> hooks.answer.
 *
 * A struct api_request belongs to the caller and lives from api_handle() until the caller has been given its reply
 * by hooks.answer and has told api_sent(), or has called api_broken(). hooks.answer is called exactly once for a
 * request that does not break: from within api_handle(), or later while it is parked.
 */
#ifndef FAIRSHARED_API_H
#define FAIRSHARED_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fair.h"

#define API_BODY_MAX 65536
#define API_REQUEST_ID_MAX 128

struct api;
struct exposition;

struct api_request {
	/* Set by the caller; strings are borrowed and live as long as the request. NULL: the header is absent. */
	const char *method; /* "GET" */
	const char *path;	/* as sent, still percent-encoded, without the query */
	const char *query;	/* as sent, without "?"; NULL or "" for none */
	const char *body;	/* NULL when empty */
	size_t body_len;
	bool body_too_large; /* it was longer than API_BODY_MAX and not kept */
	const char *request_id, *idempotency_key, *traceparent, *sec_fetch_site, *origin, *host, *accept, *if_none_match,
		*last_event_id;

	/* Read by the caller. */
	char id[API_REQUEST_ID_MAX + 1]; /* the request id, set by api_handle: echoed in X-Request-Id and logged */
	const char *route;				 /* the route's template ("/leases/{id}"), "" when none matched */
	int route_number;				 /* of a row of api_routes() with that template, -1 when none matched */
	bool parked;					 /* waits: watch its socket, and call api_broken() when the client leaves */
	bool brief;						 /* parked, and for no more than a commit or some slices of work */
	struct stream *stream;			 /* not NULL: its reply is followed by a stream, see api_stream_next() */
	bool told_grant;				 /* its reply tells of a grant: check that the client is there before sending */

	/* The api's own; zero at first. */
	struct api_parked *waiting; /* where it waits */
	struct revoking *revoking;	/* what it waits for to be revoked */
	struct withheld *withheld;	/* its reply, while that is withheld */
	struct sliced *sliced;		/* its reply, while that is made slice by slice */
	uint64_t batch;				/* the batch that makes durable what its reply tells; 0: nothing has to */
	struct fair_id told;		/* the lease whose grant its reply tells of */
};

/* A file that is served as it is, by GET of its path. All of it is borrowed and lives as long as the api. */
struct api_file {
	const char *path; /* "/", or what a route with a parameter stands for: "/page/page.css" */
	const char *content_type, *cache_control;
	const char *etag; /* with its quotes */
	const char *bytes;
	size_t len;
};

struct api_reply {
	unsigned status;
	const char *content_type; /* NULL without body */
	char *body;				  /* heap, moves to hooks.answer; NULL for none */
	size_t body_len;
	const struct api_file *file; /* whose headers go with it, and with 200 its bytes for a body; or NULL */
	const char *allow;			 /* value of Allow (static), or NULL */
	char location[64];			 /* value of Location, "" for none; long ones live in location_long */
	char *location_long;		 /* heap, moves to hooks.answer, or NULL */
	unsigned retry_after;		 /* seconds, 0 for none */
	bool head;					 /* HEAD: send the headers and the length of the body, not the body */
};

/* What was changed, and how: a text, or a number where text is NULL. Borrowed. */
struct api_detail {
	const char *name;
	const char *text;
	double number;
};

#define API_DETAILS_MAX 8

struct api_hooks {
	void *context;
	/* answer takes the reply (its body moves). Must not call back into the api. */
	void (*answer)(void *context, struct api_request *request, struct api_reply *reply);
	/* store hands an event to the store. 0: it is durable already. Else the number of the batch that it is part of,
	 * from 1 and never less than before: api_committed() for it follows, or api_failed(). */
	uint64_t (*store)(void *context, const struct fair_event *event);
	/* random fills with cryptographically secure bytes. */
	void (*random)(void *context, void *bytes, size_t size);
	/* audit is told what an operator's request has changed, when it has; NULL: nobody wants to know. */
	void (*audit)(void *context, struct api_request *request, const char *act, const struct api_detail *details,
				  size_t count);
};

#define API_REASON_MAX 512

/* What PUT and PATCH say of a pool. */
struct api_pool {
	struct fair_pool_config core; /* without the calculator */
	const char *share_calculator; /* NULL: none */
	const char *const *slot_urls; /* one for each of its slots; NULL: none */
};

struct api_pool_info {
	const char *share_calculator; /* borrowed; NULL: none */
	const char *const *slot_urls; /* borrowed, one for each of its slots */
	uint32_t num_slot_urls;		  /* 0: it has none */
	uint32_t num_old_urls;		  /* so many follow, of slots that it had before it shrank */
	bool configured;			  /* named by flags, environment or file */
	bool transient;				  /* and not as it is configured */
};

enum api_readiness { API_READY, API_NOT_READY, API_DRAINING, API_STORE_UNAVAILABLE };

struct api_config {
	uint64_t min_ttl_ns, max_ttl_ns, default_ttl_ns; /* 1 s, 1 h, 30 s */
	uint64_t max_wait_ns, default_wait_ns;			 /* 300 s, 30 s */
	bool auto_register;
	const char *version;
	/* metrics writes what the api does not know: its part number `part`, about a slice's work, false when that is none. A
	 * sequence that is begun (at 0) need not be ended. */
	bool (*metrics)(void *context, unsigned part, struct exposition *out);
	void *metrics_context;
	const struct api_file *files; /* borrowed */
	size_t files_count;
	/* What is nothing to the core of a pool that is there. */
	struct api_pool_info (*pool_info)(void *context, const char *pool);
	/* For PUT, PATCH and DELETE /pools: calls fair_pool_set() and fair_pool_remove() and keeps the rest. `reason` is
	 * why the expression is wrong, "" when it is not. */
	enum fair_err (*pool_set)(void *context, struct fair *fair, uint64_t now, const struct api_pool *pool,
							  bool *ret_created, char reason[API_REASON_MAX]);
	enum fair_err (*pool_remove)(void *context, struct fair *fair, uint64_t now, const char *pool);
	void *pools_context;
	uint32_t max_waiting, tenant_max_waiting; /* of a pool made at run time that names none */
	uint32_t requests_max;					  /* parked requests and streams at most, else 503 overloaded */
	uint32_t streams_max;					  /* streams of GET /events at most, else 503 overloaded */
};

struct api_config api_config_default(void);

/* api_create returns NULL without memory. `fair` is borrowed; the api drains its events. `now` starts the uptime. */
struct api *api_create(struct fair *fair, const struct api_config *config, const struct api_hooks *hooks, uint64_t now);
/* api_destroy frees it; every request must have been answered or broken before. */
void api_destroy(struct api *api);

/* api_clock says which wall time (ms since 1970) belongs to `now`: for the timestamps people read. Once a turn. */
void api_clock(struct api *api, uint64_t now, int64_t wall_ms);

/* api_handle takes one complete request. */
void api_handle(struct api *api, struct api_request *request, uint64_t now);
/* api_broken: the client of a request that has not been answered is gone. No answer follows. */
void api_broken(struct api *api, struct api_request *request, uint64_t now);
/* api_sent: the answer was handed to the kernel (or, false, could not be: the client had left). Once an answered
 * request. */
void api_sent(struct api *api, struct api_request *request, uint64_t now, bool handed_over);

/*
 * GET /events: the reply has no body; what follows it until api_sent() or api_broken() comes in pieces, for as long as
 * the caller likes to ask. Who asks late or seldom makes nobody wait and nothing grow: it is told that it missed something.
 */
/* api_stream_mark is another number whenever a stream may have something to tell. */
uint64_t api_stream_mark(const struct api *api);
/* api_stream_next returns the next piece (heap, *ret_len bytes); NULL when nothing is new, or without memory for it.
 * *ret_over: the stream ends after that. */
char *api_stream_next(struct api *api, struct api_request *request, uint64_t now, size_t *ret_len, bool *ret_over);

/*
 * Nothing is told that a crash could take back, but for the end of a lease. The answer to a request that was granted
 * waits for the batch of its grant; all answers about registering and unregistering, those that tell the ttl of a
 * lease, and a no-slot that tells of a kept place wait for the batch of the last such change: also where an earlier
 * request made it. Lists, GET /tenants/{tenant_id} and the statistics show what is, durable or not.
 */
/* api_committed: everything up to this batch is durable, with the grants of these leases; answers who waited for it. */
void api_committed(struct api *api, uint64_t now, uint64_t batch, const struct fair_id *ids, size_t count);
/* api_failed: nothing after the last committed batch is durable. These are all the grants since: they are withdrawn.
 * Their requests, and all others that waited for a batch, are answered 503 store-unavailable. The caller has put
 * fair_hold() on before, and ends it when the store is well again. All other changes stay: whichever batch is committed
 * next, by its old number or a larger one, must hold them; until then their repetitions wait. */
void api_failed(struct api *api, uint64_t now, const struct fair_id *ids, size_t count);

/* api_advance works off what is due (core and waits); true when there is more to do. */
bool api_advance(struct api *api, uint64_t now, uint32_t budget);
/* api_next_deadline: as fair_next_deadline, over the waits too. */
uint64_t api_next_deadline(const struct api *api);

/* api_readiness sets what GET /readyz says. API_DRAINING: new acquires get 503, and all waiters are answered so now. */
void api_set_readiness(struct api *api, uint64_t now, enum api_readiness readiness);

/* api_drained: no lease is active in any pool, and no answer waits for a batch. */
bool api_drained(struct api *api, uint64_t now);

#endif
