/* SPDX-License-Identifier: MIT */
/* The model's rules of who is next: shares by filling, what is usable, whose turn it is, and saving. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t above(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

static bool present(const struct model_lease *l)
{
	return l->state == FAIR_PENDING && l->attached > 0;
}

/* "A step counts as priority_step of earlier arrival within the tenant." */
bool model_earlier(const struct model_pool *p, const struct model_lease *a, const struct model_lease *b)
{
	int64_t step = (int64_t)p->config.priority_step_ns;
	int64_t left = (int64_t)a->arrived - a->priority * step, right = (int64_t)b->arrived - b->priority * step;

	return left != right ? left < right : a->number < b->number;
}

struct model_lease *model_first_of(struct model *m, uint32_t pool, uint32_t tenant)
{
	struct model_lease *first = NULL;

	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->pool == pool && l->tenant == tenant && present(l) &&
			(!first || model_earlier(&m->pools[pool], l, first)))
			first = l;
	}
	return first;
}

/* ---- what is usable ---- */

static bool cordoned(const struct model_pool *p, uint32_t slot)
{
	for (uint32_t i = 0; i < p->config.num_cordoned; i++) {
		if (p->cordoned[i] == slot)
			return true;
	}
	return false;
}

bool model_slot_is_held(const struct model *m, uint32_t pool, uint32_t slot)
{
	for (const struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		for (uint32_t i = 0; l->pool == pool && l->state == FAIR_ACTIVE && i < l->slots; i++) {
			if (l->slot_ids[i] == slot)
				return true;
		}
	}
	return false;
}

int model_first_rest(const struct model_pool *p)
{
	int first = -1;

	for (int slot = 0; slot < MODEL_SLOTS_MAX; slot++) {
		if (p->rests[slot].on && (first < 0 || p->rests[slot].order < p->rests[first].order))
			first = slot;
	}
	return first;
}

/* Whether it could be given now; with `resting` also those that would if they did not rest. */
bool model_slot_is_free(const struct model *m, uint32_t pool, uint32_t slot, bool resting)
{
	const struct model_pool *p = &m->pools[pool];

	return slot < p->config.max_slots && !model_slot_is_held(m, pool, slot) && !cordoned(p, slot) &&
		   (resting || !p->rests[slot].on);
}

/* "Shrinking waits for leases to end": none is free while as many are held as the pool has. */
static uint32_t free_slots(const struct model *m, uint32_t pool, bool resting)
{
	const struct model_pool *p = &m->pools[pool];
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < p->config.max_slots; slot++)
		count += model_slot_is_free(m, pool, slot, resting);
	return least(count, above(p->config.max_slots, model_count(m, pool, -1).active));
}

/* "Held free for it while it is registered." */
static uint32_t kept_for(const struct model *m, uint32_t pool, uint32_t tenant)
{
	const struct model_tenant *t = &m->pools[pool].tenants[tenant];

	/* Under equal a reserve, which only a restart can bring there, keeps nothing. */
	if (t->state != MODEL_OPEN || t->policy.reserved_slots == 0 || m->pools[pool].config.policy != FAIR_POLICY_MAX_MIN)
		return 0;
	return above(t->policy.reserved_slots, model_count(m, pool, (int)tenant).active);
}

static uint32_t kept_for_others(const struct model *m, uint32_t pool, uint32_t tenant)
{
	uint32_t count = 0;

	for (uint32_t t = 0; t < MODEL_TENANTS; t++)
		count += t == tenant ? 0 : kept_for(m, pool, t);
	return count;
}

/* No reserve is kept against a request that its own tenant's covers. */
static uint32_t kept_against(const struct model *m, const struct model_lease *l)
{
	return l->slots <= kept_for(m, l->pool, l->tenant) ? 0 : kept_for_others(m, l->pool, l->tenant);
}

static uint32_t saved_for_another(const struct model *m, const struct model_lease *l)
{
	const struct model_lease *saver = model_saver(m, l->pool);

	return saver && saver != l ? model_saved(m, l->pool) : 0;
}

/* What is saved counts as held by its tenant: so much less is kept for that. */
static uint32_t kept_beside_saving(const struct model *m, const struct model_lease *l)
{
	const struct model_lease *saver = model_saver(m, l->pool);
	uint32_t own = kept_for(m, l->pool, l->tenant), others = kept_for_others(m, l->pool, l->tenant), saved, kept;

	if (!saver || saver == l)
		return kept_against(m, l);
	saved = model_saved(m, l->pool);
	kept = kept_for(m, l->pool, saver->tenant);
	if (saver->tenant == l->tenant)
		own = above(own, saved);
	else
		others = others - kept + above(kept, saved);
	return l->slots <= own ? 0 : others;
}

/* Free, not reserved for others, not being saved for another request, not resting. */
static uint32_t usable(const struct model *m, const struct model_lease *l)
{
	return above(free_slots(m, l->pool, false), saved_for_another(m, l) + kept_beside_saving(m, l));
}

/* It would not be, were all reserves kept against it. */
static bool only_within_reserve(const struct model *m, const struct model_lease *l)
{
	return above(free_slots(m, l->pool, false), kept_for_others(m, l->pool, l->tenant)) < l->slots;
}

/* ---- saving ---- */

static bool at_cap(const struct model *m, const struct model_lease *l)
{
	uint32_t cap = m->pools[l->pool].tenants[l->tenant].policy.max_slots;

	return cap > 0 && model_count(m, l->pool, (int)l->tenant).active + l->slots > cap;
}

const struct model_lease *model_saver(const struct model *m, uint32_t pool)
{
	for (const struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->pool == pool && l->state != FAIR_ENDED && l->saving)
			return l;
	}
	return NULL;
}

uint32_t model_saved(const struct model *m, uint32_t pool)
{
	const struct model_lease *saver = model_saver(m, pool);

	return saver ? least(saver->slots, usable(m, saver)) : 0;
}

/* A saving ends with the presence of who is saved for, with its being the first of its tenant, and with its grant. */
static void saving_anew(struct model *m, uint32_t pool)
{
	struct model_pool *p = &m->pools[pool];
	struct model_lease *next = NULL;

	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->pool != pool)
			continue;
		if (!present(l)) {
			l->passed_over = FAIR_NEVER;
			l->saving = false;
		}
		if (l->saving && (p->tenants[l->tenant].state != MODEL_OPEN || model_first_of(m, pool, l->tenant) != l))
			l->saving = false;
	}
	if (model_saver(m, pool) || p->held || p->config.draining)
		return;
	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->pool != pool || l->passed_over == FAIR_NEVER || l->passed_over + p->config.pass_over_ns > m->now)
			continue;
		if (p->tenants[l->tenant].state == MODEL_OPEN && model_first_of(m, pool, l->tenant) == l &&
			(!next || l->passed_over < next->passed_over))
			next = l;
	}
	if (next)
		next->saving = true;
}

/* Free, but kept for tenants by their reserves. */
uint32_t model_reserved(const struct model *m, uint32_t pool)
{
	const struct model_lease *saver = model_saver(m, pool);
	uint32_t saved = model_saved(m, pool), kept = 0;

	for (uint32_t t = 0; t < MODEL_TENANTS; t++)
		kept += saver && saver->tenant == t ? above(kept_for(m, pool, t), saved) : kept_for(m, pool, t);
	return least(kept, free_slots(m, pool, false) - saved);
}

/* When saving begins; FAIR_NEVER: it has begun, or nobody was passed over who is there. */
uint64_t model_saving_begins(struct model *m, uint32_t pool)
{
	const struct model_pool *p = &m->pools[pool];
	uint64_t first = FAIR_NEVER;

	if (p->held || p->config.draining || model_saver(m, pool))
		return FAIR_NEVER;
	for (uint32_t t = 0; t < MODEL_TENANTS; t++) {
		const struct model_lease *l = model_first_of(m, pool, t);

		if (l && p->tenants[t].state == MODEL_OPEN && l->passed_over < first)
			first = l->passed_over;
	}
	return first == FAIR_NEVER ? first : first + p->config.pass_over_ns;
}

/* ---- whose turn it is ---- */

/* "Under `equal` a tenant that holds nothing may take a request larger than its share." */
static bool at_share(const struct model *m, const struct model_lease *l)
{
	const struct model_pool *p = &m->pools[l->pool];
	uint32_t active = model_count(m, l->pool, (int)l->tenant).active;

	return p->config.policy == FAIR_POLICY_EQUAL && active > 0 && active + l->slots > p->share;
}

/* To a tenant below its reserve, to one below min_share, to the lowest (active + slots asked) / weight. */
static int class_of(const struct model *m, const struct model_lease *l)
{
	const struct model_pool *p = &m->pools[l->pool];
	uint32_t active = model_count(m, l->pool, (int)l->tenant).active;

	if (p->config.policy == FAIR_POLICY_EQUAL)
		return 0;
	return active < p->tenants[l->tenant].policy.reserved_slots ? 0 : active < p->config.min_share ? 1 : 2;
}

static bool turn_before(const struct model *m, const struct model_lease *a, const struct model_lease *b)
{
	const struct model_tenant *ta = &m->pools[a->pool].tenants[a->tenant], *tb = &m->pools[b->pool].tenants[b->tenant];
	int class = class_of(m, a);

	if (class != class_of(m, b))
		return class < class_of(m, b);
	if (class == 2) {
		uint64_t left = (uint64_t)(model_count(m, a->pool, (int)a->tenant).active + a->slots) * tb->policy.weight;
		uint64_t right = (uint64_t)(model_count(m, b->pool, (int)b->tenant).active + b->slots) * ta->policy.weight;

		if (left != right)
			return left < right;
	}
	return a->number < b->number;
}

/* The first requests of the open tenants that may take more, in the order of their turns. */
static uint32_t line_up(struct model *m, uint32_t pool, struct model_lease *line[MODEL_TENANTS])
{
	uint32_t count = 0;

	for (uint32_t t = 0; t < MODEL_TENANTS; t++) {
		struct model_lease *l = model_first_of(m, pool, t);
		uint32_t at = count;

		if (!l || m->pools[pool].tenants[t].state != MODEL_OPEN || at_cap(m, l) || at_share(m, l))
			continue;
		for (; at > 0 && turn_before(m, l, line[at - 1]); at--)
			line[at] = line[at - 1];
		line[at] = l;
		count++;
	}
	return count;
}

static struct model_lease *chosen(struct model *m, struct model_lease *l)
{
	m->within_reserve += only_within_reserve(m, l);
	return l;
}

struct model_lease *model_next(struct model *m, uint32_t pool)
{
	struct model_lease *line[MODEL_TENANTS];
	struct model_pool *p = &m->pools[pool];
	uint32_t count;

	saving_anew(m, pool);
	if (p->held || p->config.draining || model_count(m, pool, -1).present == 0 || free_slots(m, pool, false) == 0)
		return NULL;
	count = line_up(m, pool, line);
	for (uint32_t i = 0; i < count; i++) {
		if (line[i]->saving && usable(m, line[i]) >= line[i]->slots)
			return chosen(m, line[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (usable(m, line[i]) < line[i]->slots)
			continue;
		for (uint32_t before = 0; before < i; before++) { /* for lack of room: the others are not in line */
			if (line[before]->passed_over == FAIR_NEVER)
				line[before]->passed_over = m->now;
		}
		return chosen(m, line[i]);
	}
	return NULL;
}

static bool any_rests(const struct model *m, uint32_t pool)
{
	bool any = false;

	for (uint32_t slot = 0; slot < m->pools[pool].config.max_slots; slot++)
		any |= model_slot_is_free(m, pool, slot, true) && !model_slot_is_free(m, pool, slot, false);
	return any;
}

enum fair_wait model_reason(const struct model *m, const struct model_lease *l)
{
	const struct model_pool *p = &m->pools[l->pool];
	const struct model_lease *saver = model_saver(m, l->pool);
	uint32_t rested = free_slots(m, l->pool, false), resting = free_slots(m, l->pool, true);
	uint32_t unreserved = above(rested, kept_beside_saving(m, l));

	if (!present(l))
		return FAIR_WAIT_ABSENT;
	if (p->held)
		return FAIR_WAIT_HELD;
	if (p->config.draining)
		return FAIR_WAIT_POOL_DRAINING;
	if (at_cap(m, l))
		return FAIR_WAIT_AT_CAP;
	if (at_share(m, l))
		return FAIR_WAIT_AT_SHARE;
	if (rested >= l->slots && unreserved < l->slots)
		return FAIR_WAIT_RESERVED;
	if (unreserved >= l->slots && saver && saver != l && usable(m, l) < l->slots)
		return FAIR_WAIT_SAVING;
	return any_rests(m, l->pool) && resting >= l->slots ? FAIR_WAIT_RESTING : FAIR_WAIT_POOL_FULL;
}

/* ---- the filling ---- */

struct filler {
	uint32_t demand, filled;
	uint64_t oldest; /* waiter, else lease: of those that wait first who has no waiter */
	bool waits, demands;
};

static struct filler filler_of(struct model *m, uint32_t pool, uint32_t tenant)
{
	const struct model_tenant *t = &m->pools[pool].tenants[tenant];
	const struct model_lease *first = model_first_of(m, pool, tenant);
	struct filler f = {.oldest = UINT64_MAX, .waits = first};

	for (const struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->pool != pool || l->tenant != tenant || (l->state != FAIR_ACTIVE && !present(l)))
			continue;
		f.demand += l->slots;
		if (!first && l->number < f.oldest)
			f.oldest = l->number;
	}
	if (first)
		f.oldest = first->number;
	f.demands = t->state == MODEL_OPEN && f.demand > 0;
	if (!f.demands)
		f.demand = 0;
	return f;
}

static uint32_t wants(const struct model_pool *p, const struct filler *fillers, uint32_t t)
{
	uint32_t cap = p->tenants[t].policy.max_slots;

	return cap > 0 ? least(cap, fillers[t].demand) : fillers[t].demand;
}

static bool older(const struct filler *a, const struct filler *b)
{
	return a->waits != b->waits ? b->waits : a->oldest < b->oldest;
}

static bool gets_before(const struct model_pool *p, const struct filler *fillers, uint32_t a, uint32_t b)
{
	uint64_t left = (uint64_t)(fillers[a].filled + 1) * p->tenants[b].policy.weight;
	uint64_t right = (uint64_t)(fillers[b].filled + 1) * p->tenants[a].policy.weight;

	return left != right ? left < right : older(&fillers[a], &fillers[b]);
}

/* Up to min_share to each demanding tenant, a tenant at a time; what is left. */
static uint32_t fill_min_shares(const struct model_pool *p, struct filler *fillers, uint32_t left)
{
	bool done[MODEL_TENANTS] = {false};

	for (;;) {
		int next = -1;

		for (int t = 0; t < MODEL_TENANTS; t++) {
			if (!done[t] && fillers[t].demand > 0 && (next < 0 || older(&fillers[t], &fillers[next])))
				next = t;
		}
		if (next < 0)
			return left;
		done[next] = true;
		while (left > 0 && fillers[next].filled < least(p->config.min_share, wants(p, fillers, (uint32_t)next))) {
			fillers[next].filled++;
			left--;
		}
	}
}

static void fill(const struct model_pool *p, struct filler *fillers)
{
	uint32_t left = p->config.max_slots;

	for (uint32_t t = 0; t < MODEL_TENANTS; t++) {
		if (p->tenants[t].state != MODEL_OPEN)
			continue;
		fillers[t].filled = least(p->tenants[t].policy.reserved_slots, wants(p, fillers, t));
		left = above(left, p->tenants[t].policy.reserved_slots);
	}
	left = fill_min_shares(p, fillers, left);
	for (; left > 0; left--) {
		int best = -1;

		for (int t = 0; t < MODEL_TENANTS; t++) {
			if (fillers[t].filled < wants(p, fillers, (uint32_t)t) &&
				(best < 0 || gets_before(p, fillers, (uint32_t)t, (uint32_t)best)))
				best = t;
		}
		if (best < 0)
			return;
		fillers[best].filled++;
	}
}

/* An idle tenant: what it would get if it asked for all. */
uint32_t model_share(struct model *m, uint32_t pool, uint32_t tenant)
{
	const struct model_pool *p = &m->pools[pool];
	struct filler fillers[MODEL_TENANTS];

	if (p->config.policy == FAIR_POLICY_EQUAL)
		return p->share;
	for (uint32_t t = 0; t < MODEL_TENANTS; t++)
		fillers[t] = filler_of(m, pool, t);
	if (!fillers[tenant].demands)
		fillers[tenant] = (struct filler){.demand = p->config.max_slots, .oldest = UINT64_MAX, .waits = true};
	fill(p, fillers);
	return fillers[tenant].filled;
}
