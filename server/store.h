/* SPDX-License-Identifier: MIT */
/*
 * Where the state is kept. A store commits one batch of events at a time, on its own time; commit.c gathers the
 * batches and knows what follows from their ends. The rows of the table below are all that a new store brings.
 */
#ifndef FAIRSHARED_STORE_H
#define FAIRSHARED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fair.h"

struct store;

enum store_state { STORE_BUSY, STORE_COMMITTED, STORE_FAILED };

struct store_ops {
	bool durable_at_once;     /* nothing to commit: whatever happens is as durable as it ever gets */

	/* load puts what is kept into an empty state; false: it cannot. */
	bool (*load)(struct store *store, struct fair *fair);
	/* commit begins to commit these events in order; they are borrowed until ended() answers. None is in flight. A
	 * batch without events tries whether the store is well. */
	void (*commit)(struct store *store, uint64_t now, const struct fair_event *events, size_t count);
	/* ended tells how the commit in flight ended; asked when the descriptor is readable or the deadline has come. */
	enum store_state (*ended)(struct store *store, uint64_t now);
	/* descriptor is readable when a commit has ended; -1: there is none. */
	int (*descriptor)(const struct store *store);
	/* deadline says when ended() is to be asked although no descriptor tells; FAIR_NEVER: not. */
	uint64_t (*deadline)(const struct store *store);
	void (*destroy)(struct store *store);
};

/* A store begins with its operations; what follows is its own. */
struct store {
	const struct store_ops *ops;
};

/* store_create makes the store that the text names, `memory`; NULL with the reason in error. */
struct store *store_create(const char *text, char *error, size_t error_size);
void store_destroy(struct store *store);

/* The stores there are. store_test_create reads "delay=5ms,fail=0.1,seed=7". */
struct store *store_memory_create(void);
struct store *store_test_create(const char *settings, char *error, size_t error_size);

#endif
