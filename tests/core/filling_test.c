/* SPDX-License-Identifier: MIT */
/*
 * Tenants that always ask for more than they get: once every lease has turned over, each holds exactly what the
 * progressive filling gives it, but for ties. Where all requests are for several slots, so many are given at a time. With
 * requests of many sizes nobody holds on average more than the filling and one request.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fair.h"

#define TENANTS_MAX 8
#define REQUESTS_MAX 4096
#define WORLDS 1000
#define SAMPLES 500

static uint64_t random_state;

static uint64_t random64(void)
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(random64() % n);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static const char *const names[TENANTS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};

struct party {
	struct fair_tenant_policy policy;
	uint32_t demand;   /* slots that it holds and asks for, in requests of `size` */
	uint32_t size;
	uint32_t holds;
	uint64_t sum;      /* of what it held at each of the samples */
};

struct request {
	uint32_t tenant;
	bool holds, initial;
};

struct world {
	struct fair *fair;
	struct fair_pool_config pool;
	struct party parties[TENANTS_MAX];
	uint32_t num_parties, largest;
	uint32_t unit;     /* of the filling: slots that are given at a time */
	struct request requests[REQUESTS_MAX];
	uint32_t num_requests, num_samples;
	uint64_t now;
};

/* ---- the filling ---- */

static uint32_t wants(const struct party *p)
{
	return p->policy.max_slots ? least(p->demand, p->policy.max_slots) : p->demand;
}

/* Whether a goes before b for the next `unit`; of those that tie, first who holds more than it was given so far. */
static bool goes_before(const struct party *a, uint32_t given_a, const struct party *b, uint32_t given_b, uint32_t unit)
{
	uint64_t left = (uint64_t)(given_a + unit) * b->policy.weight;
	uint64_t right = (uint64_t)(given_b + unit) * a->policy.weight;

	if (left != right)
		return left < right;
	return a->holds > given_a && b->holds <= given_b;
}

/* Up to min_share to each; where there is not enough for all, first to those (`hold`) that have it. */
static void fill_min_shares(const struct world *w, uint32_t *given, uint32_t *left, bool hold)
{
	for (uint32_t i = 0; i < w->num_parties; i++) {
		uint32_t upto = least(w->pool.min_share, wants(&w->parties[i]));

		for (; given[i] < upto && *left > 0 && (w->parties[i].holds > given[i]) == hold; given[i] += w->unit)
			*left -= w->unit;
	}
}

/* Progressive filling from empty, word by word, its ties resolved as they came to be. */
static void fill(const struct world *w, uint32_t *given)
{
	uint32_t left = w->pool.max_slots;

	for (uint32_t i = 0; i < w->num_parties; i++) {
		given[i] = least(w->parties[i].policy.reserved_slots, wants(&w->parties[i]));
		left -= w->parties[i].policy.reserved_slots;
	}
	fill_min_shares(w, given, &left, true);
	fill_min_shares(w, given, &left, false);
	for (; left > 0; left -= w->unit) {
		uint32_t best = TENANTS_MAX;

		for (uint32_t i = 0; i < w->num_parties; i++) {
			if (given[i] >= wants(&w->parties[i]))
				continue;
			if (best == TENANTS_MAX || goes_before(&w->parties[i], given[i], &w->parties[best], given[best], w->unit))
				best = i;
		}
		if (best == TENANTS_MAX)
			return;
		given[best] += w->unit;
	}
}

/* ---- calls ---- */

static struct fair_id to_id(uint32_t number)
{
	struct fair_id id = {{0}};

	memcpy(id.bytes, &number, sizeof(number));
	return id;
}

static void settle(struct world *w)
{
	struct fair_event e;

	while (fair_next_event(w->fair, &e)) {
		uint32_t number;

		if (e.type != FAIR_EV_GRANTED)
			continue;
		memcpy(&number, e.id.bytes, sizeof(number));
		w->requests[number].holds = true;
		w->parties[w->requests[number].tenant].holds += w->parties[w->requests[number].tenant].size;
		fair_confirm(w->fair, w->now, &e.id);
		fair_claim(w->fair, w->now, &e.id);
	}
	fair_check(w->fair, w->now);
}

static void ask(struct world *w, uint32_t tenant)
{
	uint32_t number = w->num_requests++;
	struct fair_acquired got;
	struct fair_request r = {.id = to_id(number),
	                         .pool = "p",
	                         .tenant = names[tenant],
	                         .label = "",
	                         .ttl_ns = FAIR_NEVER / 2,
	                         .wait = true,
	                         .slots = w->parties[tenant].size};

	cr_assert_lt(number, REQUESTS_MAX);
	w->requests[number] = (struct request){.tenant = tenant};
	cr_assert_eq(fair_acquire(w->fair, ++w->now, &r, &got), FAIR_OK);
	settle(w);
}

/* Whoever gives back has asked for the next before. */
static void turn_over(struct world *w, uint32_t number)
{
	struct request *r = &w->requests[number];
	struct fair_id id = to_id(number);

	ask(w, r->tenant);
	r->holds = r->initial = false;
	w->parties[r->tenant].holds -= w->parties[r->tenant].size;
	cr_assert_eq(fair_release(w->fair, ++w->now, &id), FAIR_OK);
	settle(w);
}

/* Some lease, or one that was there before the turn; false when there is none. */
static bool some_lease(const struct world *w, bool initial, uint32_t *ret)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->num_requests; i++) {
		if (w->requests[i].holds && (!initial || w->requests[i].initial) && below(++count) == 0)
			*ret = i;
	}
	return count > 0;
}

/* ---- worlds ---- */

static struct fair_tenant_policy some_policy(uint32_t slots, uint32_t *reservable, uint32_t unit)
{
	static const uint32_t weights[] = {1000, 1000, 1000, 2000, 3000, 500, 10000, 1};
	uint32_t reserved = below(4) == 0 ? below(*reservable + 1) : 0;
	uint32_t cap = below(4) == 0 ? 1 + below(slots) : 0;

	*reservable -= reserved;
	if (cap > 0 && cap < reserved)
		cap = reserved;
	return (struct fair_tenant_policy){.weight = below(3) ? weights[below(8)] : 1 + below(5000),
	                                   .reserved_slots = reserved * unit,
	                                   .max_slots = cap * unit};
}

/* A size in which its requests can be served. */
static uint32_t some_size(const struct world *w, const struct party *p, uint32_t largest)
{
	uint32_t most = w->pool.max_slots;

	for (uint32_t i = 0; i < w->num_parties; i++)
		most -= w->parties[i].policy.reserved_slots;
	most += p->policy.reserved_slots;
	if (p->policy.max_slots > 0)
		most = least(most, p->policy.max_slots);
	return 1 + below(least(most, largest));
}

/* Requests are of sizes up to `largest`, or all of that one, and all slots are counted in it. */
static void make(struct world *w, uint32_t largest, bool mixed)
{
	struct fair_config config = fair_config_default();
	uint32_t unit = mixed ? 1 : largest, slots = 4 + below(21), reservable = slots - 1; /* everybody can be served */
	uint32_t spare;
	bool created;

	*w = (struct world){.num_parties = 2 + below(TENANTS_MAX - 1), .unit = unit};
	for (uint32_t i = 0; i < w->num_parties; i++)
		w->parties[i].policy = some_policy(slots, &reservable, unit);
	spare = (reservable + 1) / w->num_parties;
	w->pool = (struct fair_pool_config){.pool = "p",
	                                    .max_slots = slots * unit,
	                                    .min_share = unit * (spare < 1 ? 1 : 1 + below(spare)),
	                                    .max_waiting = REQUESTS_MAX,
	                                    .tenant_max_waiting = REQUESTS_MAX,
	                                    .pass_over_ns = 5,
	                                    .policy = FAIR_POLICY_MAX_MIN};
	config.first_token = 1;
	w->fair = fair_create(&config);
	cr_assert(w->fair);
	cr_assert_eq(fair_pool_add(w->fair, &w->pool), FAIR_OK);
	for (uint32_t i = 0; i < w->num_parties; i++) {
		struct party *p = &w->parties[i];

		p->size = mixed ? some_size(w, p, largest) : largest;
		p->demand = p->size * (1 + below(2 * slots * unit / p->size + 1));
		w->largest = p->size > w->largest ? p->size : w->largest;
		cr_assert_eq(fair_register(w->fair, 0, "p", names[i], NULL, &created), FAIR_OK);
		cr_assert_eq(fair_tenant_set(w->fair, 0, "p", names[i], &p->policy), FAIR_OK);
	}
	settle(w);
}

/* One tenant has all it can get before the others come. */
static void begin(struct world *w)
{
	uint32_t first = below(w->num_parties);

	for (uint32_t n = 0; n < w->num_parties; n++) {
		uint32_t tenant = (first + n) % w->num_parties;

		for (uint32_t i = 0; i < w->parties[tenant].demand / w->parties[tenant].size; i++)
			ask(w, tenant);
	}
}

/* Every lease that is held now is given back, in any order. */
static void turn_all_over(struct world *w)
{
	uint32_t number = 0;

	for (uint32_t i = 0; i < w->num_requests; i++)
		w->requests[i].initial = w->requests[i].holds;
	while (some_lease(w, true, &number))
		turn_over(w, number);
}

/* Leases end as they happen to end; what is held meanwhile is summed up. */
static void turn_for_long(struct world *w)
{
	uint32_t number = 0;

	for (w->num_samples = 0; w->num_samples < SAMPLES; w->num_samples++) {
		cr_assert(some_lease(w, false, &number));
		turn_over(w, number);
		for (uint32_t i = 0; i < w->num_parties; i++)
			w->parties[i].sum += w->parties[i].holds;
	}
}

static bool is_filled(const struct world *w)
{
	uint32_t given[TENANTS_MAX];

	fill(w, given);
	for (uint32_t i = 0; i < w->num_parties; i++) {
		if (w->parties[i].holds != given[i])
			return false;
	}
	return true;
}

/*
 * Whose filling is less than its request holds more, and others hold less for it. But nobody holds on average more than
 * the filling and one request.
 */
static bool nobody_is_above(const struct world *w)
{
	uint32_t given[TENANTS_MAX];

	fill(w, given);
	for (uint32_t i = 0; i < w->num_parties; i++) {
		if (w->parties[i].sum > (uint64_t)(given[i] + w->largest) * w->num_samples)
			return false;
	}
	return true;
}

static void print(uint64_t seed, const struct world *w)
{
	uint32_t given[TENANTS_MAX];

	fill(w, given);
	fprintf(stderr, "seed %lu: %u slots, min_share %u\n", (unsigned long)seed, w->pool.max_slots, w->pool.min_share);
	for (uint32_t i = 0; i < w->num_parties; i++) {
		const struct party *p = &w->parties[i];

		fprintf(stderr, "%s weight %u reserve %u cap %u demand %u in %u: holds %u, filling %u\n", names[i],
		        p->policy.weight, p->policy.reserved_slots, p->policy.max_slots, p->demand, p->size, p->holds, given[i]);
	}
}

/* All requests of a world are of `size`; so are its slots, reserves and caps, in which that is one. */
static void all_turn_over(uint32_t size)
{
	static struct world w;
	uint32_t changed = 0;

	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		random_state = seed;
		make(&w, size, false);
		begin(&w);
		changed += !is_filled(&w);
		turn_all_over(&w);
		if (!is_filled(&w)) {
			print(seed, &w);
			cr_assert_fail("not what the filling gives");
		}
		fair_destroy(w.fair);
	}
	cr_assert_gt(changed, WORLDS / 4, "most worlds must begin otherwise");
}

Test(filling, always_demanding_tenants_turn_over_to_exactly_what_it_gives)
{
	all_turn_over(1);
}

Test(filling, with_requests_of_one_size_they_turn_over_to_it_in_that_size)
{
	all_turn_over(3);
}

Test(filling, with_requests_of_many_sizes_nobody_holds_more_than_it_gives_and_one_request)
{
	static struct world w;

	for (uint64_t seed = 1; seed <= WORLDS / 4; seed++) {
		random_state = seed;
		make(&w, 5, true);
		begin(&w);
		turn_all_over(&w);
		turn_for_long(&w);
		if (!nobody_is_above(&w)) {
			print(seed, &w);
			cr_assert_fail("more than the filling gives");
		}
		fair_destroy(w.fair);
	}
}
