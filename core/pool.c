/* SPDX-License-Identifier: MIT */
/* Pools, the share, and who is granted next (policy `equal`). */
#include "state.h"

#define SHARE_MAX INT32_MAX

struct pool *pool_find(const struct fair *f, const char *name)
{
	struct pool *p;

	DL_FOREACH(f->pools, p) {
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static int by_pool_name(const struct pool *a, const struct pool *b)
{
	return strcmp(a->name, b->name);
}

enum fair_err fair_pool_add(struct fair *f, const struct fair_pool_config *config)
{
	size_t length = strlen(config->pool);

	FAIR_ASSERT(length >= 1 && length <= FAIR_NAME_MAX);
	FAIR_ASSERT(config->max_slots >= 1 && config->max_slots <= FAIR_SLOTS_MAX);
	FAIR_ASSERT(config->min_share >= 1 && config->min_share <= config->max_slots);
	if (pool_find(f, config->pool))
		return FAIR_E_POOL_EXISTS;

	struct pool *p = memory_get(f, sizeof(*p));

	if (!p)
		return FAIR_E_NO_MEMORY;
	if (!slots_init(f, &p->slots, config->max_slots)) {
		memory_put(f, p);
		return FAIR_E_NO_MEMORY;
	}
	p->config = *config;
	memcpy(p->name, config->pool, length + 1);
	p->config.pool = p->name;
	p->share = config->max_slots;
	DL_INSERT_INORDER(f->pools, p, by_pool_name);
	return FAIR_OK;
}

void pool_free(struct fair *f, struct pool *p)
{
	struct tenant *t, *after_t;
	struct lease *l, *after_l;

	while ((l = pool_lease_after(p, 0, FAIR_ENDED))) {
		leases_remove(p, l);
		lease_free(f, l);
	}
	DL_FOREACH_SAFE(p->ended, l, after_l)
		lease_erase(f, l);
	HASH_ITER(by_name, p->by_name, t, after_t)
		tenant_free(f, t);
	slots_fini(f, &p->slots);
	DL_DELETE(f->pools, p);
	memory_put(f, p);
}

void pool_dirty(struct fair *f, struct pool *p)
{
	if (p->dirty)
		return;
	p->dirty = true;
	DL_APPEND2(f->dirty, p, dirty_prev, dirty_next);
}

/*
 * share = max(min_share, calculator(max_slots, num_demanding_tenants)), while nobody demands max_slots.
 * A calculator that fails is replaced by max_slots / num_demanding_tenants for this number.
 */
void pool_share_update(struct fair *f, struct pool *p)
{
	uint32_t demanding = pool_demanding(p);
	uint64_t share = p->config.max_slots;

	if (demanding == p->share_demanding)
		return;
	p->share_demanding = demanding;
	if (demanding > 0) {
		share = p->config.max_slots / demanding;
		if (p->config.calculator) {
			uint64_t calculated;

			if (p->config.calculator(p->config.max_slots, demanding, p->config.calculator_context, &calculated))
				share = calculated;
			else
				p->calculator_failures++;
		}
		if (share < p->config.min_share)
			share = p->config.min_share;
		if (share > SHARE_MAX)
			share = SHARE_MAX;
	}
	p->share = (uint32_t)share;
	pool_dirty(f, p);
}

/* Grants the oldest request that may be granted: present, first of its tenant, and its tenant below the share. */
bool pool_grant_one(struct fair *f, struct pool *p)
{
	if (p->held || pool_counts(p).active >= p->config.max_slots)
		return false;

	struct tenant *t = candidate_oldest_below(p, p->share);

	if (!t)
		return false;
	lease_grant(f, tenant_first_present(t));
	return true;
}
