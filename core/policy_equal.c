/* SPDX-License-Identifier: MIT */
/*
 * Policy equal: each demanding tenant may hold as much as any other, and the oldest request of those below their share
 * is next. share = max(min_share, calculator(max_slots, demanding tenants)), max_slots while nobody demands.
 */
#include "policy.h"

#define SHARE_MAX INT32_MAX

/* "A tenant that holds nothing may take a request larger than its share." */
static void turn(const struct pool *p, const struct tenant *t, const struct lease *l, uint32_t active, struct turn *ret)
{
	(void)p;
	(void)t;
	ret->limit = active > 0 ? active + l->slots : 0;
}

static uint32_t limit(const struct pool *p)
{
	return p->share;
}

static uint32_t share(const struct pool *p, const struct tenant *t)
{
	(void)t;
	return p->share;
}

/* A calculator that fails is replaced by max_slots / num_demanding_tenants for this number. */
static uint64_t calculate(struct pool *p, uint32_t demanding)
{
	uint64_t calculated;

	if (!p->config.calculator)
		return p->config.max_slots / demanding;
	if (p->config.calculator(p->config.max_slots, demanding, p->config.calculator_context, &calculated))
		return calculated;
	p->calculator_failures++;
	return p->config.max_slots / demanding;
}

static void changed(struct fair *f, struct pool *p)
{
	uint32_t demanding = pool_demanding(p);
	uint64_t new_share = p->config.max_slots;

	(void)f;
	if (demanding == p->share_demanding)
		return;
	p->share_demanding = demanding;
	if (demanding > 0)
		new_share = calculate(p, demanding);
	if (demanding > 0 && new_share < p->config.min_share)
		new_share = p->config.min_share;
	p->share = (uint32_t)(new_share < SHARE_MAX ? new_share : SHARE_MAX);
}

static bool work(struct fair *f, struct pool *p)
{
	(void)f;
	(void)p;
	return false;
}

static uint64_t deadline(const struct pool *p)
{
	(void)p;
	return FAIR_NEVER;
}

static void stop(struct fair *f, struct pool *p)
{
	(void)f;
	(void)p;
}

const struct policy policy_equal = {
	.turn = turn, .limit = limit, .share = share, .changed = changed, .work = work, .deadline = deadline, .stop = stop};
