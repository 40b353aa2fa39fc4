/* SPDX-License-Identifier: MIT */
/*
 * The leases whose ttl was changed and is not durable yet, each with the batch of its change: a client that trusted the
 * new one would heartbeat too late after a crash. Each stays until its batch, or a later one, is committed; not
 * until a failure, after which the change is still to be stored.
 */
#ifndef FAIRSHARED_API_RENEWED_H
#define FAIRSHARED_API_RENEWED_H

#include "api.h"

struct renewed;

struct renewed_set {
	struct renewed *leases; /* uthash, in the order of their batches */
	uint64_t lost;			/* the last batch of a change that found no memory: it stands for every lease */
};

/* renewed_add notes that the ttl of a lease is changed with a batch. */
void renewed_add(struct api *api, const struct fair_id *id, uint64_t batch);
/* renewed_batch returns the batch that makes the ttl of a lease durable; 0, or one that is committed: it is. */
uint64_t renewed_batch(const struct api *api, const struct fair_id *id);
/* renewed_forget drops what is committed. */
void renewed_forget(struct api *api);
/* renewed_fini drops all. */
void renewed_fini(struct api *api);

#endif
