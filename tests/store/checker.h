/* SPDX-License-Identifier: MIT */
/*
 * What a client of a durable server may rely on, told in answers only: whoever plays clients says here what was asked
 * and what was answered, and shows what is there after each restart. Knows no time: who plays says when something may
 * have run out (checker_may_end), before the answers that follow.
 *
 * Strings are copied. Ids are texts; keys are scoped to tenant and pool. All calls come from one thread.
 */
#ifndef FAIRSHARED_TESTS_STORE_CHECKER_H
#define FAIRSHARED_TESTS_STORE_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct checker;

struct checker_lease {
	const char *id, *pool, *tenant;
	const char *key; /* NULL: none, or it is not shown */
	bool active;	 /* else it is a place in line, without what follows */
	uint32_t slot;
	uint64_t token, ttl_ms;
};

struct checker_tenant {
	const char *pool, *tenant;
	bool closing;
	const char *instances; /* joined by spaces in the order shown, "" for none */
};

/* All that is there after a restart. */
struct checker_state {
	const struct checker_lease *leases;
	size_t lease_count;
	const struct checker_tenant *tenants;
	size_t tenant_count;
};

/* A grant that was told is not there; something else that was told is not; all else that must not be. */
enum checker_fault { CHECKER_LOST_GRANT, CHECKER_LOST, CHECKER_WRONG };

/* `fault` is called for each fault, with what is wrong. */
struct checker *checker_create(void (*fault)(void *context, enum checker_fault kind, const char *what), void *context);
void checker_destroy(struct checker *c);

/* checker_asked: a request is sent now. The number tells later what it was sent after. */
uint64_t checker_asked(struct checker *c);

/* told_granted: an answer to an acquire shows an active lease. `asked` is of that request, `first_asked` of the first
 * one with its key. */
void checker_told_granted(struct checker *c, const struct checker_lease *lease, uint64_t first_asked, uint64_t asked);
/* told_alive: an answer says that the lease was active when it was asked for, or later, as a heartbeat's does. */
void checker_told_alive(struct checker *c, const char *id, uint64_t asked);
/* told_place: a no-slot that names a kept place. */
void checker_told_place(struct checker *c, const struct checker_lease *place, uint64_t asked);
/* asked_ttl: a heartbeat with another ttl is sent. It is answered by told_ttl, or its outcome is not known. */
void checker_asked_ttl(struct checker *c, const char *id);
void checker_told_ttl(struct checker *c, const char *id, uint64_t ttl_ms);
/* showed_ttl: an answer shows the ttl of a lease. Of a place that it, or told_alive, shows as a lease nothing is kept:
 * its grant is told by the answer to its acquire. */
void checker_showed_ttl(struct checker *c, const char *id, uint64_t ttl_ms);
/* may_end: its end was asked for, or its time may be over. */
void checker_may_end(struct checker *c, const char *id);
/* told_ended: 204, or 410 with a reason, or a lost heartbeat. */
void checker_told_ended(struct checker *c, const char *id, const char *reason);
/* told_unknown: 404 for a lease that was told. */
void checker_told_unknown(struct checker *c, const char *id);

/* asked_tenant: a change of the tenant is asked for: until it is told what became of it, nothing is known. */
void checker_asked_tenant(struct checker *c, const char *pool, const char *tenant);
void checker_told_tenant(struct checker *c, const struct checker_tenant *tenant);
void checker_told_tenant_gone(struct checker *c, const char *pool, const char *tenant);

/* look compares with what is there after a restart, before anything else is asked. */
void checker_look(struct checker *c, const struct checker_state *state);
/* lost: the server begins with nothing. Only tokens go on. */
void checker_lost(struct checker *c);
/* forgets: what has ended may be unknown at any time. */
void checker_forgets(struct checker *c, bool forgets);

/* ttl_is_asked: a change of the ttl was asked for, and nobody was told that it is kept. */
bool checker_ttl_is_asked(const struct checker *c, const char *id);
/* is_back: the lease was told as ended, and a restart brought it back: it has to run out. */
bool checker_is_back(const struct checker *c, const char *id);
/* has_ended: the last that was told of it is its end. */
bool checker_has_ended(const struct checker *c, const char *id);

struct checker_counts {
	uint64_t grants, ends, places, tenants;					 /* that were told */
	uint64_t looks, survived, back, untold, places_survived; /* leases seen after restarts */
	uint64_t same_lease;									 /* a key that got its lease again */
};

struct checker_counts checker_counts(const struct checker *c);

#endif
