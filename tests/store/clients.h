/* SPDX-License-Identifier: MIT */
/*
 * Clients that register, acquire, wait, beat, release, give up and leave, by dice, against one machine. They tell the
 * checker what they ask and are answered, and keep what they need to go on.
 */
#ifndef FAIRSHARED_TESTS_STORE_CLIENTS_H
#define FAIRSHARED_TESTS_STORE_CLIENTS_H

#include "checker.h"
#include "machine.h"

enum kind { ACQUIRE, BEAT, RELEASE, CANCEL, REGISTER, UNREGISTER, LOOK };

#define SPARE 0 /* the tenant that only the story of failing disks uses */

/* A lease or a place that is there as far as the clients know. */
struct held {
	char id[32], key[24];
	size_t tenant;
	bool mine; /* a client was told and holds it */
	bool place;
	uint64_t ttl_ns;   /* the smallest that it may have */
	uint64_t deadline; /* it may be gone from then on */
};

struct client_counts {
	uint64_t answers, unstored, renewals, run_out;
};

extern struct machine machine;
extern struct checker *checker;
extern struct client_counts client_counts;
extern uint64_t latest; /* the latest time there was */

/* What the test does with a failure: expect fails where something does not hold. */
void fail(const char *what);
void expect(bool holds, const char *what);

uint64_t dice(uint64_t sides);

/* clients_forget: the server begins with nothing. */
void clients_forget(void);
/* clients_go_on with what is there after a restart. */
void clients_go_on(const struct checker_state *state);
void clients_free(void);

struct held *find_held(const char *id);
/* any_mine: a lease that may be used, NULL: there is none. */
struct held *any_mine(void);

/* One request. wait 0 and key "" are none. */
struct exchange *acquire(size_t tenant, uint64_t ttl_ms, uint64_t wait_ms, const char *key);
struct exchange *send_lease(enum kind kind, const char *method, const char *id, const char *body);
void register_tenant(size_t tenant, const char *instance);
void register_all(void);
/* play: some client does something. */
void play(void);

/* take_answers tells the checker; may_lose: some clients are gone before theirs. */
void take_answers(bool may_lose);
/* leave: the client of a request is gone before its answer, or does not get it. What it asked for may have happened. */
void leave(struct exchange *e);

/* pass: time goes on, and so does what runs out by it. */
void pass(uint64_t ns);
void pass_some(void);
/* step: one turn and its answers; `waits`: and the end of what is at the committer. */
void step(bool waits);

#endif
