/* SPDX-License-Identifier: MIT */
/*
 * Policy max-min: weighted max-min fairness, work-conserving. Who holds least for its weight is next, so that nothing
 * idles beside a waiter; what the turns lead to is worked out as the shares, by filling the pool from empty:
 *
 *   1. the reserves: of what a tenant demands, as much as is reserved for it; what is reserved and not demanded stays
 * so;
 *   2. up to min_share to each, a tenant at a time: those without a present waiter first, by oldest lease, then by
 * oldest present waiter;
 *   3. each next slot to the lowest (filled + 1) / weight, up to its demand and cap; ties as in 2.
 *
 * A filling touches all tenants, so it is done in slices, from a copy of what they demand, and its result is stored
 * when it is done: shares are those of a moment ago. An idle tenant has the share that it would have if it asked for
 * everything: one more filling for each policy of a tenant that idle ones have.
 */
#include "policy.h"

#define PACE_NS UINT64_C(500000000)		   /* from the start of a filling to that of the next, at most ... */
#define PACE_OF_SLICE_NS UINT64_C(1000000) /* ... and for each slice that it took */
#define SLICE 64						   /* tenants or slots of one slice */
#define LEVEL_ONE (UINT64_C(1) << 20)

struct filler {
	uint64_t number; /* of the tenant */
	uint64_t oldest; /* present waiter, else lease */
	struct fair_tenant_policy policy;
	uint32_t wants, filled;
	bool waits;
};

enum stage { GATHER, RESERVES, MIN_SHARES, BULK, WEIGHTS, STORE, IDLE };

/* One filling after the other: of those that demand, then with each kind of idle tenant as the last filler. */
struct filling {
	enum stage stage;
	uint64_t cursor;		  /* number of a tenant */
	uint32_t at, count, room; /* of fillers */
	uint32_t max_slots, min_share;
	uint32_t left;
	bool gave;		   /* the pass of BULK under way: it gave something */
	uint64_t weight;   /* of those that want more */
	uint64_t level;	   /* slots for each thousandth of weight, times LEVEL_ONE */
	uint64_t demanded; /* the reserves of all */
	uint32_t heap_count;
	struct filler *fillers; /* with room for one more */
	uint32_t *heap;			/* of indices into fillers */
	uint32_t slices;
	bool idle; /* the last filler is an idle one */
};

/* ---- whose turn ---- */

static void turn(const struct pool *p, const struct tenant *t, const struct lease *l, uint32_t active, struct turn *ret)
{
	ret->rank = active < t->policy.reserved_slots ? 0 : active < p->config.min_share ? 1 : 2;
	if (ret->rank < 2)
		return;
	ret->asked = active + l->slots;
	ret->weight = t->policy.weight;
}

static uint32_t limit(const struct pool *p)
{
	(void)p;
	return UINT32_MAX;
}

static uint32_t share(const struct pool *p, const struct tenant *t)
{
	uint32_t reserve = t->policy.reserved_slots;

	if (t->fillings > 0)
		return t->filled;
	return reserve > p->config.min_share ? reserve : p->config.min_share; /* new: its first claim */
}

static void changed(struct fair *f, struct pool *p)
{
	(void)f;
	p->share_demanding = pool_demanding(p);
	p->share = p->config.max_slots;
	p->stale = true;
}

/* ---- the heap ---- */

static bool older(const struct filler *a, const struct filler *b)
{
	return a->waits != b->waits ? b->waits : a->oldest < b->oldest;
}

static bool fills_before(const struct filling *x, uint32_t a, uint32_t b)
{
	const struct filler *l = &x->fillers[a], *r = &x->fillers[b];

	if (x->stage == MIN_SHARES)
		return older(l, r);

	uint64_t left = (uint64_t)(l->filled + 1) * r->policy.weight, right = (uint64_t)(r->filled + 1) * l->policy.weight;

	return left != right ? left < right : older(l, r);
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_down(struct filling *x, uint32_t i)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= x->heap_count)
			return;
		if (child + 1 < x->heap_count && fills_before(x, x->heap[child + 1], x->heap[child]))
			child++;
		if (!fills_before(x, x->heap[child], x->heap[i]))
			return;
		swap(&x->heap[child], &x->heap[i]);
		i = child;
	}
}

static void push(struct filling *x, uint32_t filler)
{
	uint32_t i = x->heap_count++;

	x->heap[i] = filler;
	for (; i > 0 && fills_before(x, x->heap[i], x->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&x->heap[i], &x->heap[(i - 1) / 2]);
}

static void pop(struct filling *x)
{
	x->heap[0] = x->heap[--x->heap_count];
	sift_down(x, 0);
}

/* ---- gathering ---- */

static void stop(struct fair *f, struct pool *p)
{
	if (!p->filling)
		return;
	memory_put(f, p->filling->fillers);
	memory_put(f, p->filling->heap);
	memory_put(f, p->filling);
	p->filling = NULL;
}

static bool start(struct fair *f, struct pool *p)
{
	struct filling *x = memory_get(f, sizeof(*x));

	p->filled_at = f->now;
	p->pace_ns = PACE_NS; /* without memory it is tried again */
	p->filling = x;
	if (!x)
		return false;
	x->room = pool_demanding(p) + 1;
	x->fillers = memory_get(f, x->room * sizeof(*x->fillers));
	x->heap = memory_get(f, x->room * sizeof(*x->heap));
	x->max_slots = p->config.max_slots;
	x->min_share = p->config.min_share;
	if (!x->fillers || !x->heap) {
		stop(f, p);
		return false;
	}
	p->stale = false;
	return true;
}

static uint32_t wants(const struct fair_tenant_policy *policy, uint64_t demand)
{
	uint64_t most = policy->max_slots > 0 ? policy->max_slots : FAIR_SLOTS_MAX;

	return (uint32_t)(demand < most ? demand : most);
}

static struct filler filler_of(const struct tenant *t)
{
	const struct lease *first = tenant_first_present(t), *lease = first ? first : tenant_lease_after(t, 0, FAIR_ACTIVE);

	return (struct filler){.number = t->number,
						   .oldest = lease ? lease->number : 0,
						   .policy = t->policy,
						   .wants = wants(&t->policy, tenant_demand(t)),
						   .waits = first != NULL};
}

static void next_stage(struct filling *x, enum stage stage)
{
	x->stage = stage;
	x->at = 0;
}

/* Tenants that begin to demand while this goes on, beyond those there were, are in the next filling. */
static void gather(const struct pool *p, struct filling *x)
{
	for (uint32_t i = 0; i < SLICE; i++) {
		const struct tenant *t = tenants_after(p, x->cursor);

		if (!t) {
			x->cursor = 0;
			next_stage(x, RESERVES);
			return;
		}
		x->cursor = t->number;
		if (t->state == TENANT_OPEN)
			x->demanded += t->policy.reserved_slots;
		if (t->is_demanding && x->count + 1 < x->room)
			x->fillers[x->count++] = filler_of(t);
	}
}

/* ---- filling ---- */

static uint32_t least(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static void give(struct filling *x, struct filler *filler, uint32_t slots)
{
	filler->filled += slots;
	x->left -= slots;
}

static void fill_reserves(struct filling *x)
{
	x->left = x->max_slots - least(x->demanded, x->max_slots);
	for (uint32_t i = 0; i < SLICE; i++, x->at++) {
		if (x->at == x->count) {
			x->heap_count = 0;
			next_stage(x, MIN_SHARES);
			return;
		}
		x->fillers[x->at].filled = least(x->fillers[x->at].policy.reserved_slots, x->fillers[x->at].wants);
		x->heap[x->at] = x->at;
	}
}

/* The first half makes the heap, the second takes one after the other from it. */
static void fill_min_shares(struct filling *x)
{
	for (uint32_t i = 0; i < SLICE; i++) {
		if (x->at < x->count) {
			push(x, x->at++);
			continue;
		}
		if (x->heap_count == 0 || x->left == 0) {
			x->level = 0;
			x->gave = false;
			next_stage(x, x->count > 0 ? BULK : WEIGHTS);
			return;
		}

		struct filler *filler = &x->fillers[x->heap[0]];
		uint32_t entitled = least(x->min_share, filler->wants);

		if (filler->filled < entitled)
			give(x, filler, least(entitled - filler->filled, x->left));
		pop(x);
	}
}

/* Each passes the level at most by a part of a slot, which is why one for each is left out. */
static void raise_level(struct filling *x)
{
	if (x->weight > 0 && x->left > x->count)
		x->level += (x->left - x->count) * LEVEL_ONE / x->weight;
}

/*
 * A shortcut where there are many slots for each: the first half of a pass finds the weight of all that want more, the
 * second lifts them to a level at which nothing of what is given comes after a slot of somebody else.
 */
static void fill_bulk(struct filling *x)
{
	for (uint32_t i = 0; i < SLICE; i++, x->at++) {
		if (x->at == 2 * x->count) {
			if (!x->gave || x->left <= 2 * x->count) {
				x->heap_count = 0;
				next_stage(x, WEIGHTS);
				return;
			}
			x->at = 0;
		}
		if (x->at == 0) {
			x->weight = 0;
			x->gave = false;
		}
		if (x->at == x->count)
			raise_level(x);

		struct filler *filler = &x->fillers[x->at % x->count];

		if (filler->filled >= filler->wants)
			continue;
		if (x->at < x->count) {
			x->weight += filler->policy.weight;
			continue;
		}

		uint32_t level = least(x->level * filler->policy.weight / LEVEL_ONE, filler->wants);

		if (level > filler->filled) {
			x->gave = true;
			give(x, filler, level - filler->filled);
		}
	}
}

static void fill_by_weight(struct filling *x)
{
	for (uint32_t i = 0; i < SLICE; i++) {
		if (x->at < x->count) {
			if (x->fillers[x->at].filled < x->fillers[x->at].wants)
				push(x, x->at);
			x->at++;
			continue;
		}
		if (x->heap_count == 0 || x->left == 0) {
			next_stage(x, STORE);
			return;
		}

		struct filler *filler = &x->fillers[x->heap[0]];

		give(x, filler, 1);
		if (filler->filled == filler->wants)
			pop(x);
		else
			sift_down(x, 0);
	}
}

/* ---- results ---- */

static void store(const struct pool *p, struct filling *x)
{
	for (uint32_t i = 0; i < SLICE; i++, x->at++) {
		if (x->idle || x->at == x->count) {
			next_stage(x, IDLE);
			return;
		}

		struct tenant *t = tenants_after(p, x->fillers[x->at].number - 1);

		if (t && t->number == x->fillers[x->at].number) {
			t->filled = x->fillers[x->at].filled;
			t->fillings = p->fillings;
		}
	}
}

static bool same_policy(const struct fair_tenant_policy *a, const struct fair_tenant_policy *b)
{
	return a->weight == b->weight && a->reserved_slots == b->reserved_slots && a->max_slots == b->max_slots;
}

/* What a tenant of this policy would get beside those that demand: the last filler is one that asks for everything. */
static void fill_for_idle(struct filling *x, const struct tenant *t)
{
	uint32_t demanding = x->idle ? x->count - 1 : x->count;

	x->fillers[demanding] = (struct filler){.number = t->number,
											.oldest = UINT64_MAX,
											.policy = t->policy,
											.wants = wants(&t->policy, x->max_slots),
											.waits = true};
	x->count = demanding + 1;
	x->idle = true;
	x->at = 0;
	x->stage = RESERVES;
}

/* Tenants that have no share of this filling are idle; false when there is none left. */
static bool store_idle(const struct pool *p, struct filling *x)
{
	for (uint32_t i = 0; i < SLICE; i++) {
		struct tenant *t = tenants_after(p, x->cursor);

		if (!t)
			return false;
		if (t->fillings != p->fillings) {
			if (!x->idle || !same_policy(&t->policy, &x->fillers[x->count - 1].policy)) {
				fill_for_idle(x, t);
				return true;
			}
			t->filled = x->fillers[x->count - 1].filled;
			t->fillings = p->fillings;
		}
		x->cursor = t->number;
	}
	return true;
}

static uint64_t deadline(const struct pool *p)
{
	return p->stale && !p->filling ? p->filled_at + p->pace_ns : FAIR_NEVER;
}

static void finish(struct fair *f, struct pool *p)
{
	uint64_t pace = p->filling->slices * PACE_OF_SLICE_NS;

	p->pace_ns = pace < PACE_NS ? pace : PACE_NS;
	stop(f, p);
}

static bool work(struct fair *f, struct pool *p)
{
	struct filling *x = p->filling;

	if (!x) {
		if (deadline(p) > f->now || !start(f, p))
			return false;
		p->fillings++;
		return true;
	}
	x->slices++;
	switch (x->stage) {
	case GATHER:
		gather(p, x);
		return true;
	case RESERVES:
		fill_reserves(x);
		return true;
	case MIN_SHARES:
		fill_min_shares(x);
		return true;
	case BULK:
		fill_bulk(x);
		return true;
	case WEIGHTS:
		fill_by_weight(x);
		return true;
	case STORE:
		store(p, x);
		return true;
	case IDLE:
		if (!store_idle(p, x))
			finish(f, p);
		return true;
	}
	return true;
}

const struct policy policy_max_min = {
	.turn = turn, .limit = limit, .share = share, .changed = changed, .work = work, .deadline = deadline, .stop = stop};
