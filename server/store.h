/* SPDX-License-Identifier: MIT */
/*
 * Where the state is kept. A store loads everything once, and commits one batch of puts and deletes at a time, on its
 * own time; batch.c makes the batches, commit.c knows what follows from their ends. The rows of the table below are
 * all that a new store brings.
 */
#ifndef FAIRSHARED_STORE_H
#define FAIRSHARED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "batch.h"
#include "fair.h"

#define STORE_ERROR_MAX 512

struct store;

enum store_state { STORE_BUSY, STORE_COMMITTED, STORE_FAILED };

struct store_ops {
	bool durable_at_once;     /* nothing to commit: whatever happens is as durable as it ever gets */

	/* Before anything else, in this order, from one thread; false: the reason is in error. NULL: nothing is kept. */
	/* next_token gives the first fencing token that was never given; 0: none is known. */
	bool (*next_token)(struct store *store, uint64_t *ret_token, char error[STORE_ERROR_MAX]);
	/* load_pools calls `each` with every pool that is kept, borrowed, until it returns false. */
	bool (*load_pools)(struct store *store, bool (*each)(void *context, const struct store_pool *pool), void *context,
	                   char error[STORE_ERROR_MAX]);
	/* load puts all tenants and leases that are kept into a state that has the pools. */
	bool (*load)(struct store *store, struct fair *fair, uint64_t now, char error[STORE_ERROR_MAX]);
	/* keep_pools makes these pools those that are kept, durably. */
	bool (*keep_pools)(struct store *store, const struct store_pool *pools, size_t count, char error[STORE_ERROR_MAX]);

	/* commit begins to commit a batch, borrowed until ended() answers. None is in flight. A batch of nothing tries
	 * whether the store is well. */
	void (*commit)(struct store *store, uint64_t now, const struct batch *batch);
	/* ended tells how the commit in flight ended; asked when the descriptor is readable or the deadline has come. */
	enum store_state (*ended)(struct store *store, uint64_t now);
	/* descriptor is readable when a commit has ended; -1: there is none. */
	int (*descriptor)(const struct store *store);
	/* deadline says when ended() is to be asked although no descriptor tells; FAIR_NEVER: not. */
	uint64_t (*deadline)(const struct store *store);
	/* reason is why the last commit failed, for the log. */
	const char *(*reason)(const struct store *store);
	void (*destroy)(struct store *store);
};

/* A store begins with its operations; what follows is its own. */
struct store {
	const struct store_ops *ops;
};

/* The operations by which a store is loaded; one that keeps nothing has nothing. */
bool store_next_token(struct store *store, uint64_t *ret_token, char error[STORE_ERROR_MAX]);
bool store_load_pools(struct store *store, bool (*each)(void *context, const struct store_pool *pool), void *context,
                      char error[STORE_ERROR_MAX]);
bool store_load(struct store *store, struct fair *fair, uint64_t now, char error[STORE_ERROR_MAX]);
bool store_keep_pools(struct store *store, const struct store_pool *pools, size_t count, char error[STORE_ERROR_MAX]);

enum store_durability { STORE_FULL, STORE_NORMAL };

/*
 * store_create makes the store that the text names: `memory`, or `sqlite:PATH` (opened, locked and verified: a file
 * that is not ours, newer, corrupt, in use or in a folder that cannot be written is refused and left as it is).
 * NULL with the reason in error.
 */
struct store *store_create(const char *text, enum store_durability durability, char error[STORE_ERROR_MAX]);
void store_destroy(struct store *store);

/* The stores there are. store_test_create reads "delay=5ms,fail=0.1,seed=7". */
struct store *store_memory_create(void);
struct store *store_test_create(const char *settings, char error[STORE_ERROR_MAX]);
struct store *store_sqlite_create(const char *path, enum store_durability durability, char error[STORE_ERROR_MAX]);

/* store_is_known tells whether the text names a store; false with the reason in error. Opens nothing. */
bool store_is_known(const char *text, char error[STORE_ERROR_MAX]);

/* store_sqlite_check verifies a file that no server uses and tells on `out` what is in it; false with the reason in error. */
bool store_sqlite_check(const char *path, FILE *out, char error[STORE_ERROR_MAX]);

#endif
