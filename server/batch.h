/* SPDX-License-Identifier: MIT */
/*
 * What has changed since the last batch: events gather, and become one batch of puts and deletes when it is sent off.
 * A record is the state of that moment, which all gathered events are part of: a batch is never sent in parts, so that
 * what is kept is always the state after some call. In particular no grant is without the end of the lease before it.
 */
#ifndef FAIRSHARED_BATCH_H
#define FAIRSHARED_BATCH_H

#include <obstack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fair.h"

/* `gone`: to be deleted; then only the number of the lease, or the names of the tenant, are set. */
struct batch_lease {
	bool gone;
	struct fair_lease_record record;
};

struct batch_tenant {
	bool gone;
	struct fair_tenant_record record;
};

/* What is kept of a pool. `configured`: it is named by flags, environment or file. */
struct store_pool {
	struct fair_pool_config core;      /* without the calculator */
	const char *share_calculator;      /* "" for none */
	const char *slot_urls;             /* "" for none; see urls.h */
	bool configured;
};

/* `gone`: only the name is set; the pool is to be deleted with all its tenants and leases, before anything else. */
struct batch_pool {
	bool gone;
	struct store_pool pool;
};

struct batch {
	struct batch_lease *leases;
	struct batch_tenant *tenants;
	struct batch_pool *pools;
	size_t lease_count, tenant_count, pool_count;
	uint64_t next_token;
	struct obstack texts;              /* what the records borrow: another thread reads them */
};

/* What the state does not know of its pools: `get` is false when there is none of that name. */
struct batch_source {
	struct fair *fair;
	bool (*get)(void *context, const char *name, struct store_pool *ret);
	void *context;
};

/* batch_make takes the present records of all that these events are about. Call batch_clear in the end. */
void batch_make(struct batch *batch, const struct batch_source *source, const struct fair_event *events, size_t count);
void batch_clear(struct batch *batch);

/* batch_compact leaves one event for each lease and tenant, in any order; returns how many. */
size_t batch_compact(struct fair_event *events, size_t count);

/* batch_no_memory ends the process: a decision that can neither be stored nor undone leaves only a restart. */
void batch_no_memory(void);

#endif
