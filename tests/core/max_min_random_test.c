/* SPDX-License-Identifier: MIT */
/*
 * Policy max-min against its definition, from random demands: what tenants hold once every lease has turned over, and
 * the share that is told, are what progressive filling gives, written here as plainly as it is said.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fair.h"

#define TENANTS 6
#define ROUNDS 300

struct world {
	struct fair *fair;
	struct fair_pool_config pool;
	struct fair_tenant_policy policies[TENANTS];
	uint32_t tenants, demand[TENANTS];
	uint32_t filled[TENANTS];
	uint64_t now, next_id, dice;
};

static uint32_t roll(struct world *w, uint32_t sides)
{
	w->dice = w->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(w->dice >> 33) % sides;
}

static const char *name_of(uint32_t tenant)
{
	static const char *const names[TENANTS] = {"a", "b", "c", "d", "e", "f"};

	return names[tenant];
}

static void settle(struct world *w)
{
	struct fair_event e;

	while (fair_next_event(w->fair, &e)) {
		if (e.type == FAIR_EV_GRANTED)
			fair_confirm(w->fair, w->now, &e.id);
	}
	fair_check(w->fair, w->now);
}

static void acquire(struct world *w, uint32_t tenant, uint32_t slots, int32_t priority)
{
	struct fair_acquired got;
	struct fair_request r = {.pool = "p",
							 .tenant = name_of(tenant),
							 .label = "",
							 .ttl_ns = UINT64_C(1) << 50,
							 .wait = true,
							 .slots = slots,
							 .priority = priority};

	w->next_id++;
	memcpy(r.id.bytes, &w->next_id, sizeof(w->next_id));
	(void)!fair_acquire(w->fair, w->now, &r, &got);
	settle(w);
}

static struct fair_tenant_view view_of(const struct world *w, uint32_t tenant)
{
	struct fair_tenant_view view;

	cr_assert_eq(fair_tenant_get(w->fair, "p", name_of(tenant), &view), FAIR_OK);
	return view;
}

static void begin(struct world *w, uint64_t seed)
{
	struct fair_config config = fair_config_default();
	uint32_t left;
	bool created;

	*w = (struct world){.dice = seed, .now = 1};
	(void)roll(w, 2);
	w->tenants = 1 + roll(w, TENANTS);
	w->pool = (struct fair_pool_config){.pool = "p",
										.max_slots = w->tenants + roll(w, 20),
										.min_share = 1,
										.max_waiting = 1000,
										.tenant_max_waiting = 1000,
										.policy = FAIR_POLICY_MAX_MIN,
										.pass_over_ns = 50,
										.priority_step_ns = 10};
	w->fair = fair_create(&config);
	cr_assert(w->fair);
	cr_assert_eq(fair_pool_add(w->fair, &w->pool), FAIR_OK);
	left = w->pool.max_slots - w->tenants;
	for (uint32_t t = 0; t < w->tenants; t++) {
		struct fair_tenant_policy *policy = &w->policies[t];

		policy->weight = roll(w, 2) ? FAIR_WEIGHT_ONE : 1 + roll(w, 4000);
		policy->reserved_slots = roll(w, 3) ? 0 : roll(w, left + 1);
		policy->max_slots = roll(w, 3) ? 0 : policy->reserved_slots + 1 + roll(w, 6);
		left -= policy->reserved_slots;
		cr_assert_eq(fair_register(w->fair, w->now, "p", name_of(t), NULL, &created), FAIR_OK);
		cr_assert_eq(fair_tenant_set(w->fair, w->now, "p", name_of(t), policy), FAIR_OK);
	}
	settle(w);
}

/* ---- the definition ---- */

static uint32_t wants(const struct world *w, uint32_t t)
{
	uint32_t cap = w->policies[t].max_slots;

	return cap > 0 && cap < w->demand[t] ? cap : w->demand[t];
}

/* The lowest (filled + 1) / weight of those that want more, the first of them; -1: nobody. */
static int lowest(const struct world *w)
{
	int best = -1;

	for (uint32_t t = 0; t < w->tenants; t++) {
		if (w->filled[t] < wants(w, t) && (best < 0 || (uint64_t)(w->filled[t] + 1) * w->policies[best].weight <
														   (uint64_t)(w->filled[best] + 1) * w->policies[t].weight))
			best = (int)t;
	}
	return best;
}

static void fill(struct world *w)
{
	uint32_t left = w->pool.max_slots;

	for (uint32_t t = 0; t < w->tenants; t++) {
		uint32_t reserved = w->policies[t].reserved_slots;

		left -= reserved;
		w->filled[t] = reserved < wants(w, t) ? reserved : wants(w, t);
	}
	for (uint32_t t = 0; t < w->tenants; t++) { /* min_share is 1, and there is one for each */
		if (w->filled[t] == 0 && wants(w, t) > 0) {
			w->filled[t] = 1;
			left--;
		}
	}
	for (int t; left > 0 && (t = lowest(w)) >= 0; left--)
		w->filled[t]++;
}

/* Whether both numbers of slots come of a tie: the last slot of each was as good as the next of another. */
static bool is_tie(const struct world *w, uint32_t t, uint32_t has)
{
	if (has == w->filled[t])
		return true;
	if (has != w->filled[t] + 1 && has + 1 != w->filled[t])
		return false;
	for (uint32_t o = 0; o < w->tenants; o++) {
		uint64_t mine = has > w->filled[t] ? has : w->filled[t];
		uint64_t other = has > w->filled[t] ? w->filled[o] : w->filled[o] + 1;

		if (o != t && mine * w->policies[o].weight == other * w->policies[t].weight)
			return true;
	}
	return false;
}

static void same_as_filling(struct world *w, uint64_t seed, bool held)
{
	fill(w);
	for (uint32_t t = 0; t < w->tenants; t++) {
		struct fair_tenant_view view = view_of(w, t);
		uint32_t has = held ? view.active_slots : view.share;

		cr_assert(is_tie(w, t, has), "seed %u: tenant %s %s %u, the filling gives it %u", (unsigned)seed, name_of(t),
				  held ? "holds" : "is told a share of", has, w->filled[t]);
	}
}

/* ---- the tests ---- */

static void release_one(struct world *w, uint32_t *ret_tenant)
{
	struct fair_pool_view pool;
	struct fair_lease_view l = {0};
	uint64_t number = 0;
	uint32_t skip;

	cr_assert_eq(fair_pool_get(w->fair, w->now, "p", &pool), FAIR_OK);
	skip = roll(w, pool.active_slots > 0 ? pool.active_slots : 1);
	do {
		cr_assert(fair_lease_next(w->fair, "p", NULL, FAIR_ACTIVE, number, &l) || number > 0);
		number = l.number;
	} while (skip-- > 0);
	*ret_tenant = (uint32_t)(l.tenant[0] - 'a');
	cr_assert_eq(fair_release(w->fair, ++w->now, &l.id), FAIR_OK);
	settle(w);
}

Test(max_min_random, each_tenant_that_always_demands_holds_what_the_filling_gives_it)
{
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct world w;

		begin(&w, seed);
		for (uint32_t i = 0; i < 40 * w.tenants; i++)
			acquire(&w, i % w.tenants, 1, 0);
		for (uint32_t t = 0; t < w.tenants; t++)
			w.demand[t] = 1000;
		for (uint32_t i = 0; i < 12 * w.pool.max_slots; i++) {
			uint32_t tenant;

			release_one(&w, &tenant);
			acquire(&w, tenant, 1, 0);
		}
		same_as_filling(&w, seed, true);
		w.now += UINT64_C(1000000000);
		while (fair_advance(w.fair, w.now, 100))
			;
		same_as_filling(&w, seed, false);
		fair_destroy(w.fair);
	}
}

Test(max_min_random, the_share_is_the_filling_also_of_those_that_demand_little_or_nothing)
{
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct world w;

		begin(&w, seed);
		for (uint32_t t = 0; t < w.tenants; t++) {
			w.demand[t] = roll(&w, 4) ? 1 + roll(&w, 12) : 0;
			for (uint32_t i = 0; i < w.demand[t]; i++)
				acquire(&w, t, 1, 0);
		}
		w.now += UINT64_C(1000000000);
		while (fair_advance(w.fair, w.now, 3))
			;
		fill(&w);
		for (uint32_t t = 0; t < w.tenants; t++) {
			if (w.demand[t] > 0)
				cr_assert(is_tie(&w, t, view_of(&w, t).share), "seed %u: tenant %s is told %u, the filling gives it %u",
						  (unsigned)seed, name_of(t), view_of(&w, t).share, w.filled[t]);
		}
		for (uint32_t t = 0; t < w.tenants; t++) {
			uint32_t demand = w.demand[t];

			if (demand > 0)
				continue;
			w.demand[t] = 1000; /* "what it would get if it asked" */
			fill(&w);
			cr_assert(is_tie(&w, t, view_of(&w, t).share),
					  "seed %u: idle tenant %s is told %u, the filling gives it %u", (unsigned)seed, name_of(t),
					  view_of(&w, t).share, w.filled[t]);
			w.demand[t] = 0;
		}
		fair_destroy(w.fair);
	}
}

/* fair_check() follows each call: nothing usable idles, and all sums are true. */
Test(max_min_random, whatever_is_asked_and_changed_the_pool_comes_to_rest)
{
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct world w;
		bool created;

		begin(&w, seed);
		for (uint32_t i = 0; i < 150; i++) {
			uint32_t t = roll(&w, w.tenants), what = roll(&w, 20);

			w.now += roll(&w, 40);
			if (what < 12) {
				acquire(&w, t, 1 + roll(&w, roll(&w, 3) ? 2 : w.pool.max_slots), (int32_t)roll(&w, 5) - 2);
			} else if (what < 18) {
				struct fair_lease_view l;

				if (fair_lease_next(w.fair, "p", name_of(t), roll(&w, 4) ? FAIR_ACTIVE : FAIR_ENDED, 0, &l))
					(void)!fair_release(w.fair, w.now, &l.id);
			} else if (what == 18) {
				struct fair_tenant_policy policy = w.policies[roll(&w, w.tenants)];

				(void)!fair_tenant_set(w.fair, w.now, "p", name_of(t), &policy);
			} else {
				w.pool.min_share = 1 + roll(&w, 2);
				w.pool.priority_step_ns = roll(&w, 30);
				w.pool.max_slots += 1 + roll(&w, 2);
				w.pool.policy = roll(&w, 2) ? FAIR_POLICY_EQUAL : FAIR_POLICY_MAX_MIN;
				if (fair_pool_set(w.fair, w.now, &w.pool, &created) == FAIR_E_POLICY) {
					w.pool.policy = FAIR_POLICY_MAX_MIN;
					cr_assert_eq(fair_pool_set(w.fair, w.now, &w.pool, &created), FAIR_OK);
				}
			}
			settle(&w);
		}
		fair_destroy(w.fair);
	}
}
