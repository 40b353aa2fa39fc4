/* SPDX-License-Identifier: MIT */
/*
 * Jain's index over the demanding tenants of a pool: (sum of x)^2 / (n * sum of x^2), x being slots by weight. The sums are
 * whole numbers and move with each x, so that nothing drifts: fair_check() adds them up anew.
 */
#include "state.h"

#define ONE (UINT64_C(1) << 20)   /* the x of a slot of weight 1 */

static_assert((uint64_t)FAIR_SLOTS_MAX * FAIR_WEIGHT_ONE <= UINT64_MAX / ONE, "x of all slots at the least weight");

uint64_t fairness_of(const struct tenant *t)
{
	return t->is_demanding ? tenant_counts(t).active * ONE * FAIR_WEIGHT_ONE / t->policy.weight : 0;
}

void fairness_settle(struct tenant *t)
{
	struct pool *p = t->pool;
	uint64_t x = fairness_of(t);

	p->fairness.sum += x;
	p->fairness.sum -= t->fairness;
	p->fairness.squares += (uint128)x * x;
	p->fairness.squares -= (uint128)t->fairness * t->fairness;
	t->fairness = x;
}

/* The compiler's own conversion would be a call into its library. */
static double to_double(uint128 value)
{
	return (double)(uint64_t)(value >> 64) * 0x1p64 + (double)(uint64_t)value;
}

double fairness_index(const struct pool *p)
{
	double sum = to_double(p->fairness.sum), squares = to_double(p->fairness.squares);
	uint32_t n = pool_demanding(p);

	return n < 2 || p->fairness.squares == 0 ? 1 : sum * sum / (n * squares);
}
