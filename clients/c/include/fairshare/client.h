/* SPDX-License-Identifier: MIT */
/*
 * libfairshare-client: takes and keeps slots of a fairshared server, as easily as a lock.
 *
 *     struct fairshare_client *client;
 *     struct fairshare_lease *lease;
 *     struct fairshare_error error;
 *
 *     if (fairshare_open(&client, NULL, &error) != FAIRSHARE_OK ||
 *         fairshare_acquire(client, NULL, &lease, &error) != FAIRSHARE_OK)
 *         errx(1, "%s", error.message);
 *     work(fairshare_lease_slot_id(lease, 0));
 *     fairshare_release(lease, NULL);
 *     fairshare_close(client);
 *
 * What the library does behind these calls: a new Idempotency-Key for each acquire and the same over its retries, so
 * that no slot is taken twice and no place in line is lost; polls of 30 s until the caller's deadline; back-off with
 * full jitter; heartbeats for all leases of a client in one batch, from a thread of the library; DELETE with the key
 * when an acquire is given up.
 *
 * Two forms. fairshare_* block and may be called from any thread. fairshare_loop_* never block, start no thread, and
 * run on an event loop of the caller's; all calls on one loop come from one thread. The getters of leases serve both.
 *
 * Units. Seconds are double; instants are nanoseconds of CLOCK_BOOTTIME, which counts while the machine sleeps.
 *
 * Strings handed in are copied. Strings handed out are UTF-8, belong to the object they were asked of and live as long.
 *
 * Threads. Every function without `loop` in its name is thread-safe, with one limit: fairshare_close() is the last call
 * on a client; acquires and requests of other threads that wait then are cancelled, but none may begin any more. A
 * lease is valid until its fairshare_release() or fairshare_detach(), also after the close of its client.
 *
 * Fork. The library's thread does not live on in a forked child, and the leases are its parent's. A child that wants
 * slots opens a client of its own. Calls in it on a client of the parent answer FAIRSHARE_E_INVALID and do nothing, its
 * fairshare_close() does nothing. A child may exec: what the library opens is close-on-exec, but for a pair of sockets
 * by which libcurl wakes itself and which is of no harm there.
 *
 * Signals. The library's thread blocks all of them. With https: in loops, ignore SIGPIPE.
 */
#ifndef FAIRSHARE_CLIENT_H
#define FAIRSHARE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FAIRSHARE_CLIENT_VERSION "0.1.0"

#define FAIRSHARE_EXPORT __attribute__((visibility("default")))
#define FAIRSHARE_MUST_CHECK __attribute__((warn_unused_result))

/* What a call can answer, with the text of fairshare_err_text(). */
#define FAIRSHARE_ERR_LIST(X)                                                                                          \
	X(OK, "ok")						/* done */                                                                         \
	X(E_NO_SLOT, "no-slot")			/* the caller's deadline passed without a slot; the place in line is left */       \
	X(E_CANCELLED, "cancelled")		/* by fairshare_cancel(), or by the close of the client */                         \
	X(E_REFUSED, "refused")			/* the server said no: code, status and message of struct fairshare_error */       \
	X(E_UNREACHABLE, "unreachable") /* no answer, or none of a fairshared */                                           \
	X(E_LOST, "lost")				/* release: the lease had ended before */                                          \
	X(E_NO_MEMORY, "no-memory")		/* nothing was changed, or what was is taken back */                               \
	X(E_INVALID, "invalid")			/* the caller's mistake: an option, a forked child, a call from a callback */

enum fairshare_err {
#define FAIRSHARE_X(name, text) FAIRSHARE_##name,
	FAIRSHARE_ERR_LIST(FAIRSHARE_X)
#undef FAIRSHARE_X
};

/* fairshare_err_text returns the short name of an error; never NULL. */
FAIRSHARE_EXPORT const char *fairshare_err_text(enum fairshare_err err);

/*
 * What went wrong, in the caller's storage. Filled by every call that takes one and fails; untouched by success. Each
 * such parameter may be NULL.
 */
struct fairshare_error {
	int status;			/* of HTTP, 0 when there was no answer */
	char code[64];		/* of the server's problem ("tenant-not-registered", see openapi.yaml), else the error's text */
	char message[1024]; /* one sentence, that of the server where there is one */
};

struct fairshare_client; /* a connection to one server, for one tenant of one pool */
struct fairshare_lease;	 /* a slot that is held, or was */
struct fairshare_cancel; /* a handle to give an acquire up */

/*
 * Tells that a lease is lost: the server ended it or does not know it (`reason` "expired", "revoked", "not-found", …),
 * its longest life is over ("max-lease"), or its ttl passed since the start of the last heartbeat that got through
 * (`reason` "no-heartbeat"). Called once a lease, never for one whose release has begun. The slot may be somebody
 * else's already: stop working. The lease is still to be released.
 *
 * Comes from the library's thread, or from inside fairshare_loop_ready() and fairshare_loop_timeout(). It must return
 * soon, for heartbeats wait for it; of the blocking calls it may make none (FAIRSHARE_E_INVALID).
 */
typedef void fairshare_lost_fn(void *data, struct fairshare_lease *lease, const char *reason);

/*
 * Tells that the server wishes a lease back within `by_seconds`, as others wait and its tenant has more than its share:
 * whoever can releases it by then; nothing is taken by force. Comes with a heartbeat, once until the wish is over; see
 * also fairshare_lease_reclaim_ns(). From where fairshare_lost_fn comes from, with the same limits.
 */
typedef void fairshare_reclaim_fn(void *data, struct fairshare_lease *lease, double by_seconds);

/* What a client is told at its open. Made by fairshare_options_init(); what is left NULL or 0 is filled as noted. */
struct fairshare_options {
	size_t size;		/* of this struct, as the caller knows it */
	const char *url;	/* "http://host:port", "https://host", "unix:/path"; $FAIRSHARE_URL, http://127.0.0.1:8080 */
	const char *tenant; /* $FAIRSHARE_TENANT; without either only fairshare_request() works */
	const char *pool;	/* $FAIRSHARE_POOL, "default" */
	const char *token;	/* sent as bearer; $FAIRSHARE_TOKEN, none */
	const char *label;	/* of leases, for people; "host:pid" */
	const char *user_agent;	 /* "fairshare-c/0.1.0" */
	double ttl_seconds;		 /* of leases; the server's default for the pool */
	bool register_tenant;	 /* register the tenant, with instance host:pid, and unregister that at the close */
	fairshare_lost_fn *lost; /* NULL: see fairshare_lease_lost() */
	void *lost_data;
	fairshare_reclaim_fn *reclaim; /* NULL: see fairshare_lease_reclaim_ns() */
	void *reclaim_data;
};

/* fairshare_options_init fills `options` with defaults, all but `size` NULL or 0; `size` is sizeof(*options). */
FAIRSHARE_EXPORT void fairshare_options_init(struct fairshare_options *options, size_t size);
#define FAIRSHARE_OPTIONS_INIT(options) fairshare_options_init((options), sizeof(*(options)))

/*
 * fairshare_open opens a client and starts its thread. NULL options: all from the environment. It speaks to the server
 * only where the tenant is to be registered, and then tries for up to 5 s. *ret_client is the caller's, until
 * fairshare_close(). Errors: INVALID, REFUSED, UNREACHABLE, NO_MEMORY (also when no thread or descriptor is to be had).
 */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK enum fairshare_err fairshare_open(struct fairshare_client **ret_client,
																		const struct fairshare_options *options,
																		struct fairshare_error *error);

/*
 * fairshare_close cancels what waits, gives back all leases and the registration, ends the thread and frees the client.
 * Returns after at most 2 s: what the server did not answer by then runs out by itself. Leases not released yet stay
 * valid, as lost ones with reason "closed", until they are. NULL is accepted.
 */
FAIRSHARE_EXPORT void fairshare_close(struct fairshare_client *client);

/* --- acquire and release ------------------------------------------------------------------------------------------ */

/* Where an acquire stands in line. */
struct fairshare_place {
	uint64_t position;	   /* in the tenant's own line, from 1 */
	uint64_t ahead;		   /* waiters of the pool that came earlier */
	const char *reason;	   /* why it waits: "at-share", "pool-full", … of openapi.yaml; valid during the callback */
	double waited_seconds; /* since the acquire began */
	double estimated_wait_seconds; /* until the grant, from how long slots were held of late; negative: not known */
};

/*
 * Tells the place in line while an acquire waits, about every 2 s, first after 1 s. Comes from the thread that called
 * fairshare_acquire(), or from inside fairshare_loop_ready() and fairshare_loop_timeout(). Of the blocking calls it may
 * make all but fairshare_close().
 */
typedef void fairshare_progress_fn(void *data, const struct fairshare_place *place);

/*
 * Tells what stands in the way when an acquire could not be answered (the server is not reached, does not take requests
 * now) and is tried again: the first time, and when the error's code is another one. From where progress comes from.
 */
typedef void fairshare_trouble_fn(void *data, const struct fairshare_error *error);

#define FAIRSHARE_FOREVER (-1.0)

/* What an acquire is told. Made by fairshare_acquire_options_init(). */
struct fairshare_acquire_options {
	size_t size;					 /* of this struct, as the caller knows it */
	double timeout_seconds;			 /* FAIRSHARE_FOREVER; 0 tries once, and waits for the answer up to 5 s */
	struct fairshare_cancel *cancel; /* NULL: cannot be cancelled. Ignored by fairshare_loop_acquire() */
	fairshare_progress_fn *progress; /* NULL: nobody asks for the place in line */
	void *progress_data;
	const char *label;			   /* NULL: the client's */
	double ttl_seconds;			   /* 0: the client's */
	uint32_t slots;				   /* at once, or none; 0: one. The server judges this and what follows */
	int32_t priority;			   /* among the tenant's own waiters, -10 to 10 */
	double max_lease_seconds;	   /* after its grant the lease ends, whatever its heartbeats; 0: the pool's */
	fairshare_trouble_fn *trouble; /* NULL: nobody asks */
	void *trouble_data;
};

/* fairshare_acquire_options_init fills `options` with defaults: waits for ever for one slot. */
FAIRSHARE_EXPORT void fairshare_acquire_options_init(struct fairshare_acquire_options *options, size_t size);
#define FAIRSHARE_ACQUIRE_OPTIONS_INIT(options) fairshare_acquire_options_init((options), sizeof(*(options)))

/*
 * fairshare_acquire waits in line for a slot and keeps it alive from then on. NULL options: the defaults. *ret_lease is
 * the caller's, until fairshare_release() or fairshare_detach(). Errors:
 *   NO_SLOT      the deadline passed; error->code is "no-slot", with the place in line in the message, or what stood in
 *                the way last: "unreachable", "queue-full", "draining", ...
 *   CANCELLED    by fairshare_cancel() or fairshare_close()
 *   REFUSED      the server will not do it, or with a timeout of 0 not now
 *   UNREACHABLE  only with a timeout of 0: no answer within 5 s
 *   NO_MEMORY, INVALID
 * After each of them nothing is held and no place kept: that is sent in the background. Returns at the latest half a
 * second after the deadline.
 */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK enum fairshare_err
fairshare_acquire(struct fairshare_client *client, const struct fairshare_acquire_options *options,
				  struct fairshare_lease **ret_lease, struct fairshare_error *error);

/*
 * fairshare_release gives a lease back and frees it, whatever it answers; heartbeats for it end at once. Waits for the
 * server for up to 2 s; after that the library goes on trying in the background until the lease has run out by itself.
 * Errors: LOST (code is the reason), UNREACHABLE (still trying), REFUSED, INVALID. NULL is accepted.
 */
FAIRSHARE_EXPORT enum fairshare_err fairshare_release(struct fairshare_lease *lease, struct fairshare_error *error);

/*
 * fairshare_detach frees a lease without giving it back: heartbeats end, the slot stays taken until its ttl runs out or
 * somebody renews or releases it by its id. NULL is accepted.
 */
FAIRSHARE_EXPORT void fairshare_detach(struct fairshare_lease *lease);

/*
 * fairshare_cancel_create makes a handle for acquires of this client. It is the caller's; it is to be destroyed after
 * the acquires it was given to have returned, and before the client is closed. Errors: NO_MEMORY, INVALID.
 */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK enum fairshare_err fairshare_cancel_create(struct fairshare_client *client,
																				 struct fairshare_cancel **ret_cancel);

/*
 * fairshare_cancel makes every acquire that was or will be given this handle answer FAIRSHARE_E_CANCELLED at once. It
 * may be called from any thread and from signal handlers, any number of times; it keeps errno. An acquire that was
 * granted before keeps its lease.
 */
FAIRSHARE_EXPORT void fairshare_cancel(struct fairshare_cancel *cancel);

/* fairshare_cancel_destroy frees a handle. NULL is accepted. */
FAIRSHARE_EXPORT void fairshare_cancel_destroy(struct fairshare_cancel *cancel);

/* --- what a lease is ---------------------------------------------------------------------------------------------- */

/* fairshare_lease_id returns the id, "ls_…", which is the key to the lease: whoever has it may renew and release it. */
FAIRSHARE_EXPORT const char *fairshare_lease_id(const struct fairshare_lease *lease);
FAIRSHARE_EXPORT const char *fairshare_lease_tenant(const struct fairshare_lease *lease);
FAIRSHARE_EXPORT const char *fairshare_lease_pool(const struct fairshare_lease *lease);

/* fairshare_lease_slots returns how many slots the lease holds, at least 1. */
FAIRSHARE_EXPORT size_t fairshare_lease_slots(const struct fairshare_lease *lease);

/* fairshare_lease_slot_id returns the number of the lease's i-th slot; i is below fairshare_lease_slots(). */
FAIRSHARE_EXPORT uint32_t fairshare_lease_slot_id(const struct fairshare_lease *lease, size_t i);

/* fairshare_lease_slot_url returns the address of the i-th slot, NULL where the pool has none. */
FAIRSHARE_EXPORT const char *fairshare_lease_slot_url(const struct fairshare_lease *lease, size_t i);

/* fairshare_lease_fencing_token returns a number that grows with every grant of the server, for what the slot guards.
 */
FAIRSHARE_EXPORT uint64_t fairshare_lease_fencing_token(const struct fairshare_lease *lease);

FAIRSHARE_EXPORT double fairshare_lease_ttl_seconds(const struct fairshare_lease *lease);

/* fairshare_lease_heartbeat_seconds returns how far apart heartbeats are now; the server may stretch it with any of
 * them.
 */
FAIRSHARE_EXPORT double fairshare_lease_heartbeat_seconds(const struct fairshare_lease *lease);

/* fairshare_lease_waited_seconds returns how long the lease was waited for, as the server counts. */
FAIRSHARE_EXPORT double fairshare_lease_waited_seconds(const struct fairshare_lease *lease);

/* fairshare_lease_json returns the lease as the server sent it with the grant: one JSON object. */
FAIRSHARE_EXPORT const char *fairshare_lease_json(const struct fairshare_lease *lease);

/*
 * fairshare_lease_lost tells whether the lease is lost; once true it stays so. Looks at the clock too, so it is right
 * also before the callback came. Cheap: no lock, no request.
 */
FAIRSHARE_EXPORT bool fairshare_lease_lost(const struct fairshare_lease *lease);

/* fairshare_lease_lost_reason returns why a lease is lost, as fairshare_lost_fn gets it; NULL while it is not. */
FAIRSHARE_EXPORT const char *fairshare_lease_lost_reason(const struct fairshare_lease *lease);

/*
 * fairshare_lease_deadline_ns returns the instant (CLOCK_BOOTTIME) up to which the slot is this process's for certain:
 * the start of the last heartbeat that got through, and the ttl. It moves on with every heartbeat; whoever needs time
 * to stop begins that much before it.
 */
FAIRSHARE_EXPORT uint64_t fairshare_lease_deadline_ns(const struct fairshare_lease *lease);

/*
 * fairshare_lease_reclaim_ns returns the instant (CLOCK_BOOTTIME) by which the server wishes the lease back, as the
 * last heartbeat was told; 0 while it does not.
 */
FAIRSHARE_EXPORT uint64_t fairshare_lease_reclaim_ns(const struct fairshare_lease *lease);

/* fairshare_now_ns reads the clock of the deadlines. */
FAIRSHARE_EXPORT uint64_t fairshare_now_ns(void);

/* --- everything else the server offers ---------------------------------------------------------------------------- */

/* An answer of the server, in the caller's storage; to be given to fairshare_answer_fini(). */
struct fairshare_answer {
	int status;	 /* of HTTP */
	char *body;	 /* ends with NUL; "" where there is none */
	size_t size; /* of body, without the NUL */
};

/*
 * fairshare_request sends one request and waits for its answer: `method` "GET", `path` with its query
 * ("/leases?limit=10", values by fairshare_escape()), `body` JSON or NULL. Not repeated when it fails. *ret_answer is
 * filled with OK and with REFUSED (every status from 400 on; for programs that show the problem as it is). Errors:
 * REFUSED, UNREACHABLE (also after timeout_seconds), CANCELLED (the client closes), NO_MEMORY, INVALID.
 */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK enum fairshare_err
fairshare_request(struct fairshare_client *client, const char *method, const char *path, const char *body,
				  double timeout_seconds, struct fairshare_answer *ret_answer, struct fairshare_error *error);

/* fairshare_answer_fini frees what an answer holds; also one that is all zero. */
FAIRSHARE_EXPORT void fairshare_answer_fini(struct fairshare_answer *answer);

/* fairshare_escape returns `text` percent-encoded for a path or query, for free(3); NULL without memory. */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK char *fairshare_escape(const char *text);

/* What the client works with after options, environment and defaults. */
FAIRSHARE_EXPORT const char *fairshare_client_url(const struct fairshare_client *client);
FAIRSHARE_EXPORT const char *
fairshare_client_tenant(const struct fairshare_client *client); /* NULL where it has none */
FAIRSHARE_EXPORT const char *fairshare_client_pool(const struct fairshare_client *client);

/* --- on an event loop of the caller's ----------------------------------------------------------------------------- */

struct fairshare_loop;	  /* what a client is, without a thread */
struct fairshare_waiting; /* an acquire under way */

#define FAIRSHARE_READ 1u
#define FAIRSHARE_WRITE 2u

/*
 * What the library asks of the caller's event loop. Both may come from inside every fairshare_loop_ function.
 *   watch  call fairshare_loop_ready() when fd becomes readable or writable, as `events` says (level-triggered); it
 *          replaces what was asked for that fd before. 0: no more; the fd is closed right after
 *   timer  call fairshare_loop_timeout() once in `delay_ms`; it replaces the timer before. -1: no timer. One that
 * counts while the machine sleeps (CLOCK_BOOTTIME) notices at once that leases ran out meanwhile
 */
struct fairshare_loop_hooks {
	size_t size; /* of this struct, as the caller knows it */
	void (*watch)(void *data, int fd, unsigned events);
	void (*timer)(void *data, int64_t delay_ms);
	void *data;
};

/*
 * All functions given here are called from inside fairshare_loop_ready() and fairshare_loop_timeout() and nowhere else,
 * exactly once for each call that took them, at the latest when the loop closes. They may call every fairshare_loop_
 * function but these two.
 */
typedef void fairshare_acquired_fn(void *data, enum fairshare_err err, struct fairshare_lease *lease,
								   const struct fairshare_error *error);
typedef void fairshare_released_fn(void *data, enum fairshare_err err, const struct fairshare_error *error);
typedef void fairshare_answered_fn(void *data, enum fairshare_err err, const struct fairshare_answer *answer,
								   const struct fairshare_error *error);
typedef void fairshare_closed_fn(void *data);

/*
 * fairshare_loop_open opens a client on the caller's loop. A tenant to be registered is so with the first acquire.
 * *ret_loop is the caller's, until fairshare_loop_close(). Errors: INVALID, NO_MEMORY.
 */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK enum fairshare_err fairshare_loop_open(struct fairshare_loop **ret_loop,
																			 const struct fairshare_options *options,
																			 const struct fairshare_loop_hooks *hooks,
																			 struct fairshare_error *error);

/* fairshare_loop_ready tells that fd is ready for `events`. */
FAIRSHARE_EXPORT void fairshare_loop_ready(struct fairshare_loop *loop, int fd, unsigned events);

/* fairshare_loop_timeout tells that the timer ran out. */
FAIRSHARE_EXPORT void fairshare_loop_timeout(struct fairshare_loop *loop);

/*
 * fairshare_loop_acquire begins to acquire. `acquired` gets the lease, which is the caller's, or the error, as
 * fairshare_acquire() answers. *ret_waiting may be NULL, and is valid until `acquired` is called. Errors: NO_MEMORY,
 * INVALID; `acquired` is not called then.
 */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK enum fairshare_err
fairshare_loop_acquire(struct fairshare_loop *loop, const struct fairshare_acquire_options *options,
					   fairshare_acquired_fn *acquired, void *data, struct fairshare_waiting **ret_waiting,
					   struct fairshare_error *error);

/* fairshare_loop_cancel gives an acquire up; `acquired` gets FAIRSHARE_E_CANCELLED, or the lease if that came first. */
FAIRSHARE_EXPORT void fairshare_loop_cancel(struct fairshare_waiting *waiting);

/*
 * fairshare_loop_release begins to give a lease of this loop back; the lease is the caller's no longer. `released`,
 * which may be NULL, gets what fairshare_release() answers. fairshare_detach() serves loops too.
 */
FAIRSHARE_EXPORT void fairshare_loop_release(struct fairshare_lease *lease, fairshare_released_fn *released,
											 void *data);

/*
 * fairshare_loop_request is fairshare_request() for loops. The answer that `answered` gets is the library's, and NULL
 * unless there is one. Errors: NO_MEMORY, INVALID; `answered` is not called then.
 */
FAIRSHARE_EXPORT FAIRSHARE_MUST_CHECK enum fairshare_err
fairshare_loop_request(struct fairshare_loop *loop, const char *method, const char *path, const char *body,
					   double timeout_seconds, fairshare_answered_fn *answered, void *data,
					   struct fairshare_error *error);

/*
 * fairshare_loop_close begins to give everything back, as fairshare_close(). `closed`, which may be NULL, is called
 * within 2 s as long as the loop is served; by then all fds are unwatched, and the loop is freed when that call
 * returns. Nothing but ready and timeout may be called on the loop in between. After closing, or with a loop that is
 * served no longer, leases are freed by fairshare_detach().
 */
FAIRSHARE_EXPORT void fairshare_loop_close(struct fairshare_loop *loop, fairshare_closed_fn *closed, void *data);

#ifdef __cplusplus
}
#endif

#endif
