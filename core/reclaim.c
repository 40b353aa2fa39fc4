/* SPDX-License-Identifier: MIT */
/* Which leases are asked back: those of a tenant beyond its share, the youngest first, while another waits for slots. */
#include "state.h"

/*
 * Whose turn goes by slots for their weight has less for it even with one more. Else nothing is gained: who of the two has
 * the larger share changes with who waits longest, and what one gives back it would soon be asked for.
 */
static bool evens_out(const struct tenant *next, const struct tenant *t)
{
	uint64_t with_one = (uint64_t)(tenant_counts(next).active + 1) * t->policy.weight;

	return next->turn.asked == 0 || with_one < (uint64_t)tenant_counts(t).active * next->policy.weight;
}

/* It would be granted to somebody else; to its own tenant it need not be given back. */
static bool others_wait(const struct tenant *t)
{
	const struct pool *p = t->pool;
	const struct tenant *next = p->held || p->config.draining ? NULL : pool_turn(p);

	return next && next != t && evens_out(next, t);
}

/* Older ones of the tenant have its whole share: arrivals count, as in the line. */
static bool is_beyond_share(const struct lease *l)
{
	uint32_t share = tenant_share(l->tenant);

	return tenant_counts(l->tenant).active > share && tenant_active_before(l->tenant, l->number) >= share;
}

void reclaim_update(const struct fair *f, struct lease *l)
{
	if (!is_beyond_share(l) || !others_wait(l->tenant))
		l->reclaim_ns = 0;
	else if (l->reclaim_ns == 0)
		l->reclaim_ns = f->now + l->ttl_ns;
}
