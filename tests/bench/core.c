/* SPDX-License-Identifier: MIT */
/* The core alone: one acquire and its release, all tenants demanding, uniformly random tenants. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fair.h"

#define SECOND UINT64_C(1000000000)
#define ROUNDS 200000
#define TRIES 10      /* the best of so many counts: a noisy machine only ever adds */

static uint64_t state = 88172645463325252;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void require(enum fair_err err)
{
	if (err != FAIR_OK) {
		fprintf(stderr, "bench: %s\n", fair_err_code(err));
		abort();
	}
}

static void drain(struct fair *f, uint64_t now)
{
	struct fair_event e;

	while (fair_next_event(f, &e)) {
		if (e.type == FAIR_EV_GRANTED) {
			fair_confirm(f, now, &e.id);
			fair_claim(f, now, &e.id);
		}
	}
}

static struct fair_id acquire(struct fair *f, uint64_t now, const char *tenant)
{
	struct fair_acquired got;
	struct fair_request r = {.pool = "p", .tenant = tenant, .label = "", .ttl_ns = 3600 * SECOND, .wait = true};
	uint64_t random[2] = {random64(), random64()};

	memcpy(r.id.bytes, random, sizeof(random));
	require(fair_acquire(f, now, &r, &got));
	drain(f, now);
	return got.id;
}

/* Every tenant holds a slot. `full`: all slots are taken and every tenant waits, so each release is a hand-off. */
static double measure(uint32_t tenants, bool full)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {.pool = "p", .max_slots = full ? tenants : 2 * tenants, .min_share = 1,
	                                .max_waiting = UINT32_MAX, .tenant_max_waiting = UINT32_MAX};
	struct fair_id *held = calloc(tenants, sizeof(*held));
	char (*names)[24] = calloc(tenants, sizeof(*names));
	struct fair *f = fair_create(&config);
	uint64_t now = 1;
	bool created;

	if (!held || !names || !f)
		abort();
	require(fair_pool_add(f, &pool));
	for (uint32_t i = 0; i < tenants; i++) {
		snprintf(names[i], sizeof(names[i]), "tenant-%" PRIu32, i);
		require(fair_register(f, now, "p", names[i], NULL, &created));
		drain(f, now);
	}
	for (uint32_t i = 0; i < tenants; i++)
		held[i] = acquire(f, now, names[i]);

	double best = 0;

	for (uint32_t try = 0; try < TRIES; try++) {
		double start = seconds(), took;

		for (uint32_t i = 0; i < ROUNDS; i++) {
			uint32_t who = (uint32_t)(random64() % tenants);
			struct fair_id id = acquire(f, now += 1000, names[who]);

			require(fair_release(f, now, full ? &held[who] : &id));
			drain(f, now);
			if (full)
				held[who] = id;
		}
		took = (seconds() - start) / ROUNDS;
		best = try == 0 || took < best ? took : best;
	}
	fair_destroy(f);
	free(held);
	free(names);
	return best * 1e6;
}

int main(void)
{
	static const uint32_t tenants[] = {10, 1000, 100000};

	printf("core: acquire + release, us each, the best of %d times %d rounds\n", TRIES, ROUNDS);
	printf("%10s %12s %12s\n", "tenants", "slots free", "hand-off");
	for (size_t i = 0; i < sizeof(tenants) / sizeof(*tenants); i++)
		printf("%10" PRIu32 " %12.2f %12.2f\n", tenants[i], measure(tenants[i], false), measure(tenants[i], true));
	return 0;
}
