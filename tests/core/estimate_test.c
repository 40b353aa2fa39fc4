/* SPDX-License-Identifier: MIT */
/*
 * "An estimate (from the pool's hold times, with its measured error in the tests)": worlds of tenants that always ask are
 * played, each waiter's estimate at its arrival is compared with how long it waited. `bias` is the sum of all estimates by
 * the sum of all waits, `error` the mean difference by the mean wait. No estimate can be without error where holds are
 * chosen by lot: in a line of 10 for one slot with exponential holds, who knows all but the lots is 0.25 off.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fair.h"

#define SECOND UINT64_C(1000000000)
#define LEASES_MAX 4096
#define TENANTS_MAX 100

enum holds { ALL_THE_SAME, EVEN, EXPONENTIAL, HEAVY };

struct world {
	const char *name;
	uint32_t slots, tenants;
	uint32_t waiting[2];   /* how many of a tenant's requests are there at once: of the first tenant, of each other */
	enum holds holds;
	enum fair_policy policy;
	double least_bias, most_bias, most_error;
};

struct lease {
	bool used, granted;
	uint32_t tenant;
	uint64_t arrived, ends, estimate;
};

struct play {
	struct fair *fair;
	uint64_t now, random;
	uint32_t last;
	struct lease leases[LEASES_MAX];
	uint32_t counted;
	double estimates, waits, errors;
};

static double chance(struct play *p)
{
	p->random = p->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(p->random >> 11) + 0.5) / 9007199254740992.0;
}

/* A mean of 10 s. */
static uint64_t some_hold(struct play *p, enum holds holds)
{
	double x = chance(p), seconds = 10;

	if (holds == EVEN)
		seconds = 20 * x;
	else if (holds == EXPONENTIAL)
		seconds = -10 * log(x);
	else if (holds == HEAVY)   /* Pareto with exponent 2.5: one of a hundred lasts longer than 38 s */
		seconds = 6 / pow(x, 0.4);
	return (uint64_t)(seconds * (double)SECOND) + 1;
}

static struct fair_id id_of(uint32_t i)
{
	struct fair_id id = {{1}};

	memcpy(id.bytes + 4, &i, sizeof(i));
	id.bytes[0] = (uint8_t)(i * 37);
	return id;
}

static uint32_t number_of(const struct fair_id *id)
{
	uint32_t i;

	memcpy(&i, id->bytes + 4, sizeof(i));
	return i;
}

static void drain(struct play *p, const struct world *w)
{
	struct fair_event e;

	while (fair_next_event(p->fair, &e)) {
		if (e.type != FAIR_EV_GRANTED)
			continue;

		struct lease *l = &p->leases[number_of(&e.id) % LEASES_MAX];
		double waited = (double)(p->now - l->arrived), estimate = (double)l->estimate;

		fair_confirm(p->fair, p->now, &e.id);
		fair_claim(p->fair, p->now, &e.id);
		l->granted = true;
		l->ends = p->now + some_hold(p, w->holds);
		if (l->estimate == 0)
			continue;
		p->counted++;
		p->estimates += estimate;
		p->waits += waited;
		p->errors += estimate > waited ? estimate - waited : waited - estimate;
	}
}

static void ask(struct play *p, const struct world *w, uint32_t tenant, bool count)
{
	struct lease *l = &p->leases[++p->last % LEASES_MAX];
	char name[16];
	struct fair_request r = {.id = id_of(p->last),
							 .pool = "p",
							 .tenant = name,
							 .label = "",
							 .ttl_ns = 1000000 * SECOND,
							 .wait = true};
	struct fair_acquired got;
	struct fair_place place;

	cr_assert_not(l->used);
	snprintf(name, sizeof(name), "t%u", tenant);
	*l = (struct lease){.used = true, .tenant = tenant, .arrived = p->now};
	cr_assert_eq(fair_acquire(p->fair, p->now, &r, &got), FAIR_OK);
	if (count && fair_lease_place(p->fair, &r.id, &place) == FAIR_OK) {
		cr_assert_neq(place.estimated_wait_ns, FAIR_NEVER);
		l->estimate = place.estimated_wait_ns;
	}
	drain(p, w);
}

/* Ends the next lease; its tenant asks again. */
static void step(struct play *p, const struct world *w, bool count)
{
	uint32_t first = 0;
	struct fair_id id;

	for (uint32_t n = p->last; n > 0 && n + LEASES_MAX > p->last; n--) {
		const struct lease *l = &p->leases[n % LEASES_MAX];

		if (l->used && l->granted && (first == 0 || l->ends < p->leases[first % LEASES_MAX].ends))
			first = n;
	}
	cr_assert_neq(first, 0);
	p->now = p->leases[first % LEASES_MAX].ends;
	p->leases[first % LEASES_MAX].used = false;
	id = id_of(first);
	cr_assert_eq(fair_release(p->fair, p->now, &id), FAIR_OK);
	drain(p, w);
	ask(p, w, p->leases[first % LEASES_MAX].tenant, count);
}

static void begin(struct play *p, const struct world *w)
{
	struct fair_config config = fair_config_default();
	const struct fair_pool_config pool = {.pool = "p",
										  .max_slots = w->slots,
										  .min_share = 1,
										  .max_waiting = 10000,
										  .tenant_max_waiting = 10000,
										  .policy = w->policy};
	bool created;

	*p = (struct play){.fair = fair_create(&config), .random = 42};
	cr_assert_eq(fair_pool_add(p->fair, &pool), FAIR_OK);
	for (uint32_t t = 0; t < w->tenants; t++) {
		char name[16];

		snprintf(name, sizeof(name), "t%u", t);
		cr_assert_eq(fair_register(p->fair, 0, "p", name, NULL, &created), FAIR_OK);
	}
	for (uint32_t i = 0; i < w->waiting[0] || i < w->waiting[1]; i++)
		for (uint32_t t = 0; t < w->tenants; t++)
			if (i < w->waiting[t > 0])
				ask(p, w, t, false);
}

/*
 * Measured: bias 0.90 to 1.03; errors 0.05, 0.27, 0.12, 0.11, 0.28, 0.20, 0.73 (who waits for one hold: 2 / e), 0.14, 0.18;
 * under max-min 0.28, 0.21, 0.43 with a bias of 1.43 (the greedy one also has what small ones leave between two requests,
 * which is no share), 0.14.
 */
static const struct world worlds[] = {
	{"one slot, a line of 10, all holds the same", 1, 1, {11, 0}, ALL_THE_SAME, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.1},
	{"one slot, a line of 10, exponential holds", 1, 1, {11, 0}, EXPONENTIAL, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.35},
	{"one tenant on ten slots, even holds", 10, 1, {30, 0}, EVEN, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.2},
	{"one tenant on ten slots, heavy holds", 10, 1, {30, 0}, HEAVY, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.2},
	{"five tenants on ten slots", 10, 5, {10, 10}, EXPONENTIAL, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.35},
	{"three tenants on ten slots", 10, 3, {20, 20}, EXPONENTIAL, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.3},
	{"a greedy tenant and nine small ones", 10, 10, {200, 2}, EXPONENTIAL, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.8},
	{"more tenants than slots, a request each", 10, 50, {1, 1}, EXPONENTIAL, FAIR_POLICY_EQUAL, 0.9, 1.1, 0.2},
	{"more tenants than slots, two requests each", 10, 30, {2, 2}, EXPONENTIAL, FAIR_POLICY_EQUAL, 0.8, 1.15, 0.25},
	{"max-min: five tenants on ten slots", 10, 5, {10, 10}, EXPONENTIAL, FAIR_POLICY_MAX_MIN, 0.9, 1.1, 0.35},
	{"max-min: three tenants on ten slots", 10, 3, {20, 20}, EXPONENTIAL, FAIR_POLICY_MAX_MIN, 0.9, 1.1, 0.3},
	{"max-min: a greedy tenant and four small ones", 10, 5, {100, 2}, EXPONENTIAL, FAIR_POLICY_MAX_MIN, 0.9, 1.5, 0.5},
	{"max-min: more tenants than slots", 10, 50, {1, 1}, EXPONENTIAL, FAIR_POLICY_MAX_MIN, 0.9, 1.1, 0.2},
};

Test(estimate, is_as_good_as_is_written_here)
{
	static struct play p;

	for (size_t i = 0; i < sizeof(worlds) / sizeof(*worlds); i++) {
		const struct world *w = &worlds[i];

		begin(&p, w);
		for (uint32_t n = 0; n < 2000; n++)
			step(&p, w, n >= 500);
		fair_check(p.fair, p.now);
		cr_assert_gt(p.counted, 500, "%s: only %u waited", w->name, p.counted);

		double bias = p.estimates / p.waits, error = p.errors / p.waits;

		cr_log_info("%-50s bias %.3f error %.3f", w->name, bias, error);
		cr_expect(bias >= w->least_bias && bias <= w->most_bias, "%s: bias %.3f", w->name, bias);
		cr_expect_leq(error, w->most_error, "%s: error %.3f", w->name, error);
		fair_destroy(p.fair);
	}
}

static void expect_estimate(struct fair *f, uint8_t number, uint64_t want)
{
	const struct fair_id id = {{number}};
	struct fair_place place;

	cr_assert_eq(fair_lease_place(f, &id, &place), FAIR_OK);
	cr_expect_eq(place.estimated_wait_ns, want, "lease %u: %" PRIu64, number, place.estimated_wait_ns);
}

static void acquire(struct fair *f, uint64_t now, uint8_t number, const char *key)
{
	const struct fair_request r = {.id = {{number}},
								   .pool = "p",
								   .tenant = "a",
								   .key = key,
								   .key_len = key ? strlen(key) : 0,
								   .label = "",
								   .ttl_ns = 1000 * SECOND,
								   .wait = true};
	struct fair_acquired got;

	cr_assert_eq(fair_acquire(f, now, &r, &got), FAIR_OK);
	fair_confirm(f, now, &r.id);
	fair_claim(f, now, &r.id);
}

/* One hold of 10 s was seen: half of one is to be waited for, then a whole one each. */
Test(estimate, is_unknown_until_a_lease_has_ended_and_while_nothing_is_granted)
{
	struct fair_config config = fair_config_default();
	const struct fair_pool_config pool = {
		.pool = "p", .max_slots = 1, .min_share = 1, .max_waiting = 10, .tenant_max_waiting = 10};
	struct fair *f = fair_create(&config);
	bool created;

	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	cr_assert_eq(fair_register(f, 0, "p", "a", NULL, &created), FAIR_OK);
	acquire(f, 0, 1, NULL);
	acquire(f, 0, 2, NULL);
	acquire(f, 0, 3, "k");
	acquire(f, 0, 4, NULL);
	expect_estimate(f, 3, FAIR_NEVER);
	cr_assert_eq(fair_release(f, 10 * SECOND, &(struct fair_id){{1}}), FAIR_OK);
	expect_estimate(f, 3, 5 * SECOND);
	expect_estimate(f, 4, 15 * SECOND);
	fair_detach(f, 10 * SECOND, &(struct fair_id){{3}}, FAIR_DETACH_BROKEN);
	expect_estimate(f, 3, FAIR_NEVER);
	expect_estimate(f, 4, 5 * SECOND);
	cr_assert_eq(fair_hold(f, 10 * SECOND, "p", true), FAIR_OK);
	expect_estimate(f, 4, FAIR_NEVER);
	cr_assert_eq(fair_hold(f, 10 * SECOND, "p", false), FAIR_OK);
	expect_estimate(f, 4, 5 * SECOND);
	/* What was held longer than 10 minutes ago is known no more. */
	fair_advance(f, 700 * SECOND, 100);
	expect_estimate(f, 4, FAIR_NEVER);
	fair_destroy(f);
}
