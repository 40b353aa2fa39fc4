/* SPDX-License-Identifier: MIT */
/*
 * What the files of the library share. A loop is the whole client without a thread: timers and exchanges (one request
 * and its answer) drive acquires, heartbeats, partings and the registration. client.c runs a loop in a thread.
 *
 * A *turn* is one call of fairshare_loop_ready() or fairshare_loop_timeout(). Functions of the caller are called in
 * turns only; whatever is decided outside of one arms a timer that is due at once.
 */
#ifndef FAIRSHARE_CLIENT_INTERNAL_H
#define FAIRSHARE_CLIENT_INTERNAL_H

#include "fairshare/client.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/types.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NEVER UINT64_MAX

#define POLL_SECONDS 30.0	   /* of one long-poll */
#define FIRST_POLL_SECONDS 1.0 /* of the first where progress is told: its answer names the place's id */
#define PROGRESS_SECONDS 2.0   /* between two looks at the place in line */
#define ANSWER_SECONDS 10.0	   /* for the answer to what does not wait */
#define TRY_ONCE_SECONDS 5.0   /* for the answer where the caller does not wait */
#define SLACK_SECONDS 0.25	   /* for the last answer to arrive after the caller's deadline */
#define GIVE_UP_SECONDS 15.0   /* a place without a request is gone by then, as the server's queue_grace says */
#define OVERTAKEN_SECONDS 2.0  /* a request that was sent this long ago has arrived */
#define ONCE_MORE_SECONDS 0.25 /* after which a key is given up again, where its last request may not have arrived */
#define OPEN_SECONDS 5.0	   /* for the registration at the open */
#define RELEASE_SECONDS 2.0	   /* that a blocking release waits */
#define CLOSE_SECONDS 1.8	   /* for giving everything back; leaves 0.2 s of the 2 s promised */
#define BEAT_SECONDS_MAX 5.0   /* for the answer to a heartbeat */
#define BACKOFF_MIN_SECONDS 0.1
#define BACKOFF_MAX_SECONDS 5.0
#define PARTINGS_AT_ONCE                                                                                               \
	16 /* requests of giving back under way, so that a close with many leases opens few connections */
#define BEAT_LEASES_MAX 1000 /* leases of one request, as openapi.yaml says */
#define BODY_MAX (16u << 20) /* bytes of an answer; more is no answer of a fairshared */
#define REASON_MAX 32		 /* bytes of a reason with its NUL */

/* --- time --------------------------------------------------------------------------------------------------------- */

struct timer {
	LIST_ENTRY(timer) link;
	uint64_t due_ns;
	bool armed;
	void (*fire)(struct timer *timer);
};
LIST_HEAD(timer_list, timer);

/*
 * Armed timers, in no order. `bound_ns` is not after the earliest: timers mostly move later, so the list is looked
 * through seldom.
 */
struct timers {
	struct timer_list list;
	uint64_t bound_ns;
};

void timers_init(struct timers *timers);
void timer_arm(struct timers *timers, struct timer *timer, uint64_t due_ns);
void timer_disarm(struct timer *timer);

/* timers_run fires each timer due at now_ns once. */
void timers_run(struct timers *timers, uint64_t now_ns);

uint64_t seconds_to_ns(double seconds);
double ns_to_seconds(uint64_t ns);

/* backoff_ns draws with full jitter for the n-th failure in a row, from 0; never less than `least_seconds`. */
uint64_t backoff_ns(unsigned failures, double least_seconds);

/* --- what a client is told ---------------------------------------------------------------------------------------- */

/* Options, environment and defaults put together; all strings owned. */
struct settings {
	char *url;		   /* as the caller knows it */
	char *base;		   /* what paths are appended to */
	char *socket_path; /* NULL: not a Unix socket */
	char *tenant;	   /* NULL: none */
	char *pool;
	char *authorization; /* value of the header; NULL: none */
	char *label;
	char *user_agent;
	char *instance; /* NULL: the tenant is not registered */
	double ttl_seconds;
	fairshare_lost_fn *lost;
	void *lost_data;
	fairshare_reclaim_fn *reclaim;
	void *reclaim_data;
};

FAIRSHARE_MUST_CHECK enum fairshare_err
settings_init(struct settings *settings, const struct fairshare_options *options, struct fairshare_error *error);
void settings_fini(struct settings *settings);

/* acquire_options_read copies and checks what the caller gave, NULL for the defaults. */
FAIRSHARE_MUST_CHECK enum fairshare_err acquire_options_read(struct fairshare_acquire_options *ret_options,
															 const struct fairshare_acquire_options *options,
															 struct fairshare_error *error);

/* --- errors ------------------------------------------------------------------------------------------------------- */

/* error_set fills `error`, where there is one, with the text of `err` and a sentence; returns `err`. */
enum fairshare_err error_set(struct fairshare_error *error, enum fairshare_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
enum fairshare_err error_no_memory(struct fairshare_error *error);

/* error_kind tells what an error is by its code: NO_MEMORY, UNREACHABLE, NO_SLOT, else another answer, so REFUSED. */
enum fairshare_err error_kind(const struct fairshare_error *error);

/* --- one request and its answer ----------------------------------------------------------------------------------- */

struct exchange {
	LIST_ENTRY(exchange) link;
	struct fairshare_loop *loop;
	CURL *easy;
	struct curl_slist *headers;
	void (*done)(struct exchange *exchange); /* called once, in a turn; the exchange is freed after it */
	void *owner;
	uint64_t begun_ns;
	uint64_t ended_ns;
	char *body;
	size_t size;
	bool no_memory; /* the body did not fit */
	char failure[CURL_ERROR_SIZE];
	CURLcode result;
	int status;			/* 0: no answer */
	double retry_after; /* 0: none given */
};
LIST_HEAD(exchange_list, exchange);

/* What to do with an answer. */
enum verdict {
	VERDICT_GOOD,	 /* 2xx; *ret_body is its JSON, NULL where it has none */
	VERDICT_AGAIN,	 /* no answer, an answer of something in between, or one of a server that cannot now */
	VERDICT_REFUSED, /* repeating it changes nothing */
};

struct request {
	const char *method;
	const char *path;
	const char *key;  /* Idempotency-Key; NULL: none */
	const char *body; /* NULL: none */
	double timeout_seconds;
};

/* exchange_begin sends a request; NULL without memory. */
struct exchange *exchange_begin(struct fairshare_loop *loop, const struct request *request,
								void (*done)(struct exchange *exchange), void *owner);

/* exchange_drop ends an exchange, under way or not, without calling `done`. NULL is accepted. */
void exchange_drop(struct exchange *exchange);

/* exchange_verdict judges an answer and fills `error` unless it is good. *ret_body is the caller's, also of problems.
 */
enum verdict exchange_verdict(struct exchange *exchange, json_t **ret_body, struct fairshare_error *error);

/* --- giving back -------------------------------------------------------------------------------------------------- */

/*
 * A DELETE that is repeated until it is answered or `until_ns` passed, of a lease by its id or of a key. Lives in what
 * it parts from, so that giving back needs no memory that may be missing.
 */
struct parting {
	TAILQ_ENTRY(parting) link; /* in loop->queued, then in loop->parting */
	struct fairshare_loop *loop;
	struct exchange *exchange;
	struct timer timer;
	unsigned failures;
	uint64_t until_ns;
	const char *path; /* NULL: nothing to send, `err` and `error` are set already */
	const char *key;  /* NULL: the path names a lease */
	enum fairshare_err err;
	struct fairshare_error error;
	bool once_more; /* what it gives up may have been overtaken on its way: DELETE again a moment later */
	void (*parted)(struct parting *parting); /* called once, in a turn; may free it */
};
TAILQ_HEAD(parting_list, parting);

/* parting_begin begins a parting whose path, key, until_ns and parted are set. */
void parting_begin(struct fairshare_loop *loop, struct parting *parting);

/* partings_end ends all, in this turn, with FAIRSHARE_E_UNREACHABLE. */
void partings_end(struct fairshare_loop *loop);

/* Gives up what a key stands for. */
struct give_up {
	struct parting parting;
	char *path;
	char key[40];
};

/* --- leases ------------------------------------------------------------------------------------------------------- */

/*
 * In loop->leases from the grant to the end of its parting. What getters read is written before the lease is handed
 * out, but for the atomics. Two may hold it: the caller or its parting, and a callback about to be called.
 */
struct fairshare_lease {
	LIST_ENTRY(fairshare_lease) link;
	STAILQ_ENTRY(fairshare_lease) news_link;
	bool has_news;					 /* is in loop->news */
	struct fairshare_loop *loop;	 /* NULL: closed */
	struct fairshare_client *client; /* NULL: of a loop */
	unsigned refs;
	bool parting_begun;
	struct parting parting;
	fairshare_released_fn *released;
	void *released_data;
	struct timer deadline;
	uint64_t beat_ns; /* when its next heartbeat is due */
	_Atomic uint64_t beat_every_ns;
	_Atomic uint64_t deadline_ns;
	_Atomic uint64_t reclaim_ns; /* 0: it is not asked back */
	_Atomic bool over;			 /* its longest life ends before another heartbeat is due, said the last one */
	_Atomic bool lost;			 /* set after lost_reason is written */
	char lost_reason[REASON_MAX];
	json_t *json;
	char *text;
	char *path; /* "/leases/{id}" */
	const char *id;
	const char *tenant;
	const char *pool;
	json_t *slot_ids;
	json_t *slot_urls; /* NULL: none */
	uint64_t fencing_token;
	double ttl_seconds;
	double waited_seconds;
};
LIST_HEAD(lease_list, fairshare_lease);
STAILQ_HEAD(news_queue, fairshare_lease);

/* lease_create makes a lease of a grant; takes over `json`, whatever comes. *ret_lease NULL: no memory, or no lease. */
enum fairshare_err lease_create(struct fairshare_loop *loop, json_t *json, struct fairshare_lease **ret_lease,
								struct fairshare_error *error);
void lease_ref(struct fairshare_lease *lease);
void lease_unref(struct fairshare_lease *lease);

/*
 * lease_renewed notes that the lease lasts expires_in_seconds from since_ns on. What a heartbeat leaves with less than
 * the time to the next has come to the end of its life: `by_heartbeat`.
 */
void lease_renewed(struct fairshare_lease *lease, uint64_t since_ns, double expires_in_seconds,
				   double heartbeat_seconds, bool by_heartbeat);

/* lease_lose marks a lease as lost, the first time, and puts it into loop->news. */
void lease_lose(struct fairshare_lease *lease, const char *reason);

/* lease_wished notes by when the lease is wished back, 0: it is not; a wish that is new goes into loop->news. */
void lease_wished(struct fairshare_lease *lease, uint64_t reclaim_ns);

/* lease_close marks a lease as lost by the close, which the caller knows of; its place in the loop is to be taken over.
 */
void lease_close(struct fairshare_lease *lease);

/* lease_part begins to give a lease back; takes over the caller's hold. */
void lease_part(struct fairshare_lease *lease, fairshare_released_fn *released, void *data);

/* lease_forget takes a lease out of its loop, if it is in one, and drops the caller's hold. */
void lease_forget(struct fairshare_lease *lease);

/*
 * news_next takes a lease that the caller is to be told of out of the queue, with the hold of the queue; NULL: none.
 * *ret_lost: it is lost; else it is wished back. news_tell tells the caller, without any lock.
 */
struct fairshare_lease *news_next(struct news_queue *queue, bool *ret_lost);
void news_tell(const struct settings *settings, struct fairshare_lease *lease, bool lost);

/* --- heartbeats --------------------------------------------------------------------------------------------------- */

struct beats {
	struct timer timer;
	unsigned under_way; /* requests of one beat */
	bool missed;		/* one of them, or of those before, was not answered well */
	unsigned failures;	/* beats missed in a row */
};

void beats_init(struct fairshare_loop *loop);

/* beats_plan arms the timer for the lease whose beat is due first. */
void beats_plan(struct fairshare_loop *loop);

/* --- registration ------------------------------------------------------------------------------------------------- */

/* One POST /tenants for all acquires that wait for it. */
struct registration {
	bool done;
	bool ever; /* so there is something to unregister at the close */
	struct exchange *exchange;
	struct timer retry;
	unsigned failures;
	struct fairshare_error error;														   /* of the last try */
	void (*told)(void *data, enum fairshare_err err, const struct fairshare_error *error); /* NULL: nobody waits */
	void *told_data;
};

void registration_init(struct fairshare_loop *loop);

/* registration_begin registers the tenant; waitings_registered() is called when that is decided. */
void registration_begin(struct fairshare_loop *loop);

/* registration_stop ends what is under way. */
void registration_stop(struct fairshare_loop *loop);

/* --- acquires ----------------------------------------------------------------------------------------------------- */

struct fairshare_waiting {
	LIST_ENTRY(fairshare_waiting) link;
	struct fairshare_loop *loop;
	struct fairshare_acquire_options options; /* its label is not kept */
	fairshare_acquired_fn *acquired;
	void *data;
	char *body;				 /* of the request, without the wait */
	struct give_up *give_up; /* has the key; made ahead */
	bool key_stands;		 /* for a place or a lease, as far as we know */
	uint64_t begun_ns;
	uint64_t deadline_ns;
	uint64_t wait_ns;  /* that the poll under way asked for */
	unsigned failures; /* in a row */
	unsigned polls;	   /* begun since the key stands for something, for all we know */
	bool tried;		   /* with any key */
	char told[64];	   /* the code of the trouble that was told last, "" for none */
	bool cancelled;
	bool refused;		   /* the registration was */
	bool registering;	   /* loop->registration wakes it */
	bool registered_again; /* the server forgot the tenant; once, until it took us into the line */
	struct exchange *poll;
	struct timer retry;
	struct timer end; /* at the deadline, or at once where cancelled */
	char *place_path; /* "/leases/{id}" of the place in line; NULL: not known */
	struct exchange *look;
	struct timer look_again;
	struct fairshare_error error; /* of the last poll */
};
LIST_HEAD(waiting_list, fairshare_waiting);

/* waitings_registered goes on with the acquires that waited for the registration, or ends them with `error`. */
void waitings_registered(struct fairshare_loop *loop, enum fairshare_err err, const struct fairshare_error *error);

/* waitings_cancel ends, in this turn, all acquires; waitings_cancelled those whose handle says so. */
void waitings_cancel(struct fairshare_loop *loop);
void waitings_cancelled(struct fairshare_loop *loop);

struct fairshare_cancel {
	struct fairshare_client *client;
	atomic_bool cancelled;
};

/* --- the loop ----------------------------------------------------------------------------------------------------- */

/* A fairshare_loop_request() under way. */
struct asking;
LIST_HEAD(asking_list, asking);

struct fairshare_loop {
	struct settings settings;
	struct fairshare_loop_hooks hooks;
	struct fairshare_client *client; /* NULL: the caller's own loop */
	CURLM *multi;
	struct timers timers;
	uint64_t curl_due_ns; /* when libcurl wants a turn */
	uint64_t armed_ns;	  /* what the caller's timer is set to */
	bool in_turn;
	struct exchange_list exchanges;
	struct waiting_list waitings;
	struct lease_list leases;
	struct news_queue news;		 /* to be told to the caller when nothing is in the middle of a list; each is held */
	struct parting_list queued;	 /* partings not begun */
	struct parting_list parting; /* those being sent, or to be sent again; at most PARTINGS_AT_ONCE */
	unsigned parting_count;
	struct asking_list askings;
	struct registration registration;
	struct beats beats;
	bool closing;	  /* asked for */
	bool close_begun; /* everything is being given back */
	bool late;		  /* and took too long */
	struct exchange *unregister;
	struct timer close_timer;
	fairshare_closed_fn *closed_fn;
	void *closed_data;
};

/* loop_rearm sets the caller's timer to what is due first; after everything that arms a timer outside of a turn. */
void loop_rearm(struct fairshare_loop *loop);

/* loop_free frees a loop, and ends what is not given back yet. */
void loop_free(struct fairshare_loop *loop);

/* Of the client that runs a loop in its thread. */
void client_unref(struct fairshare_client *client);
void client_ref(struct fairshare_client *client);

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
