/* SPDX-License-Identifier: MIT */
/* The store that keeps nothing: the state lives and dies with the process. */
#include "store.h"

static void commit(struct store *store, uint64_t now, const struct batch *batch)
{
	(void)store;
	(void)now;
	(void)batch;
}

static enum store_state ended(struct store *store, uint64_t now)
{
	(void)store;
	(void)now;
	return STORE_COMMITTED;
}

static int descriptor(const struct store *store)
{
	(void)store;
	return -1;
}

static uint64_t deadline(const struct store *store)
{
	(void)store;
	return FAIR_NEVER;
}

static const char *reason(const struct store *store)
{
	(void)store;
	return "";
}

static void destroy(struct store *store)
{
	(void)store;
}

struct store *store_memory_create(void)
{
	static const struct store_ops ops = {
		.durable_at_once = true,
		.commit = commit,
		.ended = ended,
		.descriptor = descriptor,
		.deadline = deadline,
		.reason = reason,
		.destroy = destroy,
	};
	static struct store store = {.ops = &ops};

	return &store;
}
