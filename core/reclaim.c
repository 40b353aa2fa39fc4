/* SPDX-License-Identifier: MIT */
/* Which leases are asked back: those of a tenant beyond its share, the youngest first, while another waits for slots. */
#include "state.h"

/* It would be granted to somebody else; to its own tenant it need not be given back. */
static bool others_wait(const struct tenant *t)
{
	const struct pool *p = t->pool;
	const struct tenant *next = p->held || p->config.draining ? NULL : pool_turn(p);

	return next && next != t;
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
