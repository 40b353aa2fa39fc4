/* SPDX-License-Identifier: MIT */
/*
 * A store for tests: it keeps nothing, but each commit takes `delay` and fails with the probability `fail`, drawn
 * from `seed`. It stands for a slow disk and a full one.
 */
#include "store.h"

#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store_test {
	struct store store;
	uint64_t delay_ns;
	double fail;
	uint64_t random;         /* the state of the generator */
	uint64_t ends;           /* of the commit in flight; FAIR_NEVER: none */
};

static void commit(struct store *store, uint64_t now, const struct batch *batch)
{
	struct store_test *test = (struct store_test *)store;

	(void)batch;
	test->ends = now + test->delay_ns;
}

/* draw returns the next number in [0, 1): splitmix64, so that a seed gives the same failures everywhere. */
static double draw(struct store_test *test)
{
	uint64_t x = test->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return (double)(x >> 11) / (double)(UINT64_C(1) << 53);
}

static enum store_state ended(struct store *store, uint64_t now)
{
	struct store_test *test = (struct store_test *)store;

	if (now < test->ends)
		return STORE_BUSY;
	test->ends = FAIR_NEVER;
	return draw(test) < test->fail ? STORE_FAILED : STORE_COMMITTED;
}

static int descriptor(const struct store *store)
{
	(void)store;
	return -1;
}

static uint64_t deadline(const struct store *store)
{
	return ((const struct store_test *)store)->ends;
}

static const char *reason(const struct store *store)
{
	(void)store;
	return "drawn by lot";
}

static void destroy(struct store *store)
{
	free(store);
}

static bool read_setting(struct store_test *test, const char *setting)
{
	if (!strncmp(setting, "delay=", 6))
		return value_duration(setting + 6, &test->delay_ns) && test->delay_ns <= UINT64_C(3600000000000);
	if (!strncmp(setting, "fail=", 5))
		return value_fraction(setting + 5, &test->fail);
	if (!strncmp(setting, "seed=", 5))
		return value_number(setting + 5, &test->random);
	return false;
}

static bool read_settings(struct store_test *test, const char *settings)
{
	char *copy = strdup(settings), *rest = copy, *setting;
	bool ok = copy != NULL;

	while (ok && (setting = strsep(&rest, ",")) != NULL)
		ok = read_setting(test, setting);
	free(copy);
	return ok;
}

struct store *store_test_create(const char *settings, char error[STORE_ERROR_MAX])
{
	static const struct store_ops ops = {
		.commit = commit,
		.ended = ended,
		.descriptor = descriptor,
		.deadline = deadline,
		.reason = reason,
		.destroy = destroy,
	};
	struct store_test *test = calloc(1, sizeof(*test));

	if (test && read_settings(test, settings)) {
		test->store.ops = &ops;
		test->ends = FAIR_NEVER;
		return &test->store;
	}
	free(test);
	snprintf(error, STORE_ERROR_MAX, "the test store is written test:delay=5ms,fail=0.1,seed=7, not 'test:%s'", settings);
	return NULL;
}
