/* SPDX-License-Identifier: MIT */
/*
 * Group commit: one batch is with the store, the next gathers meanwhile. When a batch is committed what it holds
 * becomes visible; when it fails its grants are withdrawn, with those gathered behind it, and granting is held until
 * the store has taken the whole difference.
 */
#ifndef FAIRSHARED_COMMIT_H
#define FAIRSHARED_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "api.h"
#include "store.h"

struct commit;

/* commit_create returns NULL without memory. The store and what the source points at are borrowed. Destroy the store
 * first: until then it may read the batch in flight. */
struct commit *commit_create(struct store *store, const struct batch_source *source);
void commit_destroy(struct commit *commit);

/* commit_attach says whom to tell; before the first event. */
void commit_attach(struct commit *commit, struct api *api);

/* commit_event is api_hooks.store; context is the struct commit. */
uint64_t commit_event(void *context, const struct fair_event *event);

/* commit_settle holds granting until then: who waited before a restart comes back into the line first. */
void commit_settle(struct commit *commit, uint64_t now, uint64_t until);

/* commit_turn tells of what has ended and sends off what has gathered: once at the end of every turn. */
void commit_turn(struct commit *commit, uint64_t now);

/* commit_deadline says when commit_turn must run although nothing else happens; FAIR_NEVER: not. */
uint64_t commit_deadline(const struct commit *commit);

#define COMMIT_BINS 15   /* batches of at most 1, 2, 4, ... 8192 records, and larger ones */

/* What has happened since the start; borrowed. A store to which nothing is committed has nothing. */
struct commit_counts {
	uint64_t committed, failed;
	struct fair_spans took;
	uint64_t bins[COMMIT_BINS], records;
};
const struct commit_counts *commit_counts(const struct commit *commit);

/* commit_pending tells whether anything is not durable yet that will be soon: while the store fails nothing is. */
bool commit_pending(const struct commit *commit);

/* commit_holds tells whether granting is held: the store fails, or waiters come back. */
bool commit_holds(const struct commit *commit);

/* commit_drain sets the readiness that is told from now on to draining, whatever happens to the store. */
void commit_drain(struct commit *commit, uint64_t now);

#endif
