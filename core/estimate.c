/* SPDX-License-Identifier: MIT */
/*
 * How long a waiter may still wait: so many leases have to end first, and so often do leases end, going by how long those
 * of the last minutes were held. A waiter beyond its tenant's share waits for its tenant's own leases, one within it for
 * any of the pool. Nothing is known of how long those that run will last: `m` ends among `n` leases are expected to take
 *
 *   hold / n * (m + (spread - 1) / 2n)
 *
 * which is m * hold / n for holds that forget how long they last already (spread 1), and half a hold for one lease that
 * always lasts the same (spread 0).
 */
#include "state.h"

#define SPREAD_MAX 4   /* of the longest holds the window has seen too few to go by them */

static double time_of_ends(const struct holds *holds, double ends, double leases)
{
	double spread = holds->spread < SPREAD_MAX ? holds->spread : SPREAD_MAX;
	double time = holds->mean / leases * (ends + (spread - 1) / (2 * leases));

	return ends > 0 && time > 0 ? time : 0;
}

static uint32_t above(uint64_t a, uint64_t b)
{
	return a > b ? (uint32_t)(a - b) : 0;
}

static uint32_t less(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* What its tenant may have; of what the share is a moment later nothing is known. */
static uint32_t slots_of_tenant(const struct tenant *t, const struct fair_place *place)
{
	uint32_t cap = t->policy.max_slots, share = place->share > 0 ? place->share : 1;

	return cap > 0 && cap < share ? cap : share;
}

/*
 * Ends of others' leases that older waiters of others take: they come first as long as their tenants are below their
 * share. How much that is together is known only where the shares are more than the pool, as with more tenants than slots.
 */
static uint32_t taken_by_others(const struct pool *p, const struct fair_place *place, uint32_t active)
{
	uint32_t older = above(place->ahead, place->position - 1);
	uint64_t each = p->config.policy == FAIR_POLICY_EQUAL ? p->share : 1;
	uint32_t below = above(above(pool_demanding(p), 1) * each, active - place->active_slots);

	return less(older, (uint64_t)place->position * below);
}

uint64_t estimate_wait(const struct fair *f, const struct lease *l, const struct fair_place *place)
{
	const struct pool *p = l->tenant->pool;
	const struct holds holds = window_holds(&p->hold, f->now);
	uint32_t active = pool_counts(p).active, own = slots_of_tenant(l->tenant, place);
	uint64_t asked = (uint64_t)place->position * l->slots;
	double time;

	if (!lease_is_present(l) || p->held || p->config.draining || holds.count == 0 || active == 0)
		return FAIR_NEVER;

	uint32_t within = less(asked, above(own, place->active_slots)), beyond = above(asked, within);
	uint32_t too_many = above(place->active_slots, own), debt = above(active, p->config.max_slots);

	time = time_of_ends(&holds, (double)within + taken_by_others(p, place, active) + debt, active);
	time += time_of_ends(&holds, beyond, own);
	if (too_many > 0 && beyond > 0)
		time += holds.mean * too_many * 2 / ((double)place->active_slots + own);
	return time < (double)FAIR_SPAN_MAX ? (uint64_t)time : FAIR_SPAN_MAX;
}
