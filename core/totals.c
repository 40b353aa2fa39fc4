/* SPDX-License-Identifier: MIT */
/*
 * What has happened since the start. The account of a tenant holds slot_ns less the time at which each slot that it
 * holds now was taken: so taking and giving cost one addition, and its value at any moment is slot_ns + active * now. All
 * of it is modulo 2^64, and true as long as that value fits.
 */
#include "state.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

const uint64_t fair_span_bounds[FAIR_SPANS] = {
	50 * US, 100 * US, 250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
	500 * MS, 1 * S, 2500 * MS, 5 * S, 10 * S, 30 * S, 60 * S, 120 * S, 300 * S, 600 * S, 1800 * S, 3600 * S};

void fair_spans_add(struct fair_spans *spans, uint64_t ns)
{
	uint32_t i = 0;

	while (i < FAIR_SPANS && ns > fair_span_bounds[i])
		i++;
	spans->counts[i]++;
	spans->sum_ns += ns;
}

struct fair_account account_now(const struct fair *f, const struct fair_account *account, uint32_t active)
{
	return (struct fair_account){.grants = account->grants, .slot_ns = account->slot_ns + active * f->now};
}

void account_take(struct fair *f, struct tenant *t, uint32_t slots)
{
	struct pool *p = t->pool;

	if (t->has_account) {
		t->account.slot_ns -= slots * f->now;
		return;
	}
	p->others.slot_ns -= slots * f->now;
	p->others_active += slots;
}

void account_give(struct fair *f, struct tenant *t, uint32_t slots)
{
	struct pool *p = t->pool;

	if (t->has_account) {
		t->account.slot_ns += slots * f->now;
		return;
	}
	FAIR_ASSERT(p->others_active >= slots);
	p->others.slot_ns += slots * f->now;
	p->others_active -= slots;
}

void account_grant(struct tenant *t)
{
	struct fair_account *account = t->has_account ? &t->account : &t->pool->others;

	account->grants++;
}

/* It begins with nothing: what it holds is given by the others and taken by it at this moment. */
static void begin(struct fair *f, struct tenant *t)
{
	struct pool *p = t->pool;
	uint32_t active = tenant_counts(t).active;

	account_give(f, t, active);
	t->has_account = true;
	t->account = (struct fair_account){0};
	account_take(f, t, active);
	p->accounts++;
	if (t->number > p->last_account)
		p->last_account = t->number;
}

void account_open(struct fair *f, struct tenant *t)
{
	if (t->pool->accounts < f->config.accounts_max)
		begin(f, t);
}

void account_close(struct fair *f, struct tenant *t)
{
	struct pool *p = t->pool;
	struct tenant *next;

	FAIR_ASSERT(tenant_counts(t).active == 0);
	if (!t->has_account)
		return;
	t->has_account = false;
	p->accounts--;
	next = tenants_after(p, p->last_account);
	if (next)
		begin(f, next);
}
