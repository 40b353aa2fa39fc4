/* SPDX-License-Identifier: MIT */
/*
 * Group commit: one batch of events is with the store, the next gathers meanwhile. When a batch is committed its
 * grants become visible; when it fails they are withdrawn, with those of the batch behind it, and granting is held
 * until the store is well again.
 */
#ifndef FAIRSHARED_COMMIT_H
#define FAIRSHARED_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "api.h"
#include "store.h"

struct commit;

/* commit_create returns NULL without memory. Store and state are borrowed. */
struct commit *commit_create(struct store *store, struct fair *fair);
void commit_destroy(struct commit *commit);

/* commit_attach says whom to tell; before the first event. */
void commit_attach(struct commit *commit, struct api *api);

/* commit_event is api_hooks.store; context is the struct commit. */
bool commit_event(void *context, const struct fair_event *event);

/* commit_turn tells of what has ended and sends off what has gathered: once at the end of every turn. */
void commit_turn(struct commit *commit, uint64_t now);

/* commit_deadline says when commit_turn must run although nothing else happens; FAIR_NEVER: not. */
uint64_t commit_deadline(const struct commit *commit);

/* commit_drain sets the readiness that is told from now on to draining, whatever happens to the store. */
void commit_drain(struct commit *commit, uint64_t now);

#endif
