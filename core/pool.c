/* SPDX-License-Identifier: MIT */
/* Pools: their making, changing and going. */
#include "policy.h"

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

/* The name as it lives as long as the whole state; NULL without memory. */
static const char *keep_name(struct fair *f, const char *text)
{
	size_t size = strlen(text) + 1;
	struct pool_name *name;

	LL_FOREACH(f->pool_names, name) {
		if (strcmp(name->text, text) == 0)
			return name->text;
	}
	name = memory_get(f, sizeof(*name) + size);
	if (!name)
		return NULL;
	memcpy(name->text, text, size);
	LL_PREPEND(f->pool_names, name);
	return name->text;
}

static void assert_config(const struct fair_pool_config *config)
{
	size_t length = strlen(config->pool);

	FAIR_ASSERT(length >= 1 && length <= FAIR_NAME_MAX);
	FAIR_ASSERT(config->max_slots >= 1 && config->max_slots <= FAIR_SLOTS_MAX);
	FAIR_ASSERT(config->min_share >= 1 && config->min_share <= config->max_slots);
	FAIR_ASSERT(config->slot_rest_ns <= FAIR_SPAN_MAX && config->max_lease_ns <= FAIR_SPAN_MAX);
	for (uint32_t i = 0; i < config->num_cordoned; i++)
		FAIR_ASSERT(config->cordoned[i] < FAIR_SLOTS_MAX);
}

/* *ret is NULL when none is cordoned; false without memory. */
static bool copy_cordoned(struct fair *f, const struct fair_pool_config *config, uint32_t **ret)
{
	size_t size = config->num_cordoned * sizeof(**ret);

	*ret = NULL;
	if (size == 0)
		return true;
	*ret = memory_get(f, size);
	if (*ret)
		memcpy(*ret, config->cordoned, size);
	return *ret != NULL;
}

static void cordon_all(struct pool *p, bool on)
{
	for (uint32_t i = 0; i < p->config.num_cordoned; i++)
		slots_cordon(&p->slots, p->cordoned[i], on);
}

enum fair_err fair_pool_add(struct fair *f, const struct fair_pool_config *config)
{
	uint32_t *cordoned = NULL;
	const char *name;
	struct pool *p;

	assert_config(config);
	if (pool_find(f, config->pool))
		return FAIR_E_POOL_EXISTS;
	name = keep_name(f, config->pool);
	p = name ? memory_get(f, sizeof(*p)) : NULL;
	if (!p)
		return FAIR_E_NO_MEMORY;
	if (!copy_cordoned(f, config, &cordoned) || !slots_init(f, &p->slots, config->max_slots, config->slot_rest_ns > 0)) {
		memory_put(f, cordoned);
		memory_put(f, p);
		return FAIR_E_NO_MEMORY;
	}
	p->config = *config;
	p->name = p->config.pool = name;
	p->config.cordoned = p->cordoned = cordoned;
	cordon_all(p, true);
	p->share = config->max_slots;
	DL_INSERT_INORDER(f->pools, p, by_pool_name);
	return FAIR_OK;
}

/* Slots that leases hold past the old end, from when the pool was larger, are theirs when the pool grows over them again. */
static void take_strange_slots(struct pool *p, uint32_t old_count)
{
	struct lease *l = pool_lease_after(p, 0, FAIR_ACTIVE);

	for (; l; l = pool_lease_after(p, l->number, FAIR_ACTIVE)) {
		for (uint32_t i = 0; i < l->slots; i++)
			if (l->slot_ids[i] >= old_count && l->slot_ids[i] < p->config.max_slots)
				slots_take_this(&p->slots, l->slot_ids[i]);
	}
}

/* The list of pools with resting slots, after any change of these. */
void pool_rests_settle(struct fair *f, struct pool *p)
{
	bool resting = p->slots.resting > 0;

	if (resting && !p->resting)
		DL_APPEND2(f->resting, p, resting_prev, resting_next);
	else if (!resting && p->resting)
		DL_DELETE2(f->resting, p, resting_prev, resting_next);
	p->resting = resting;
}

void pool_slot_rests(struct fair *f, struct pool *p, uint32_t slot, uint64_t since)
{
	slots_rest(&p->slots, slot, since);
	pool_rests_settle(f, p);
}

/* A rest lasts as long as the configuration says now, also one that began before. */
static uint64_t rest_end(const struct pool *p)
{
	return slots_resting_since(&p->slots) + p->config.slot_rest_ns;
}

bool pool_rest_due(struct fair *f)
{
	struct pool *p;

	DL_FOREACH2(f->resting, p, resting_next) {
		if (rest_end(p) <= f->now) {
			slots_rest_over(&p->slots, p->slots.first_rest);
			pool_rests_settle(f, p);
			pool_dirty(f, p);
			return true;
		}
	}
	return false;
}

uint64_t pool_rest_deadline(const struct fair *f)
{
	uint64_t first = FAIR_NEVER;
	const struct pool *p;

	DL_FOREACH2(f->resting, p, resting_next) {
		if (rest_end(p) < first)
			first = rest_end(p);
	}
	return first;
}

static enum fair_err pool_change(struct fair *f, struct pool *p, const struct fair_pool_config *config)
{
	const struct fair_pool_config was = p->config;
	uint32_t old_count = p->slots.count;
	uint32_t *cordoned;
	enum fair_err err = policies_fit(f, p, config);

	if (err)
		return err;
	if (!copy_cordoned(f, config, &cordoned))
		return FAIR_E_NO_MEMORY;
	if ((config->max_slots != old_count || (config->slot_rest_ns > 0 && !p->slots.rests)) &&
	    !slots_resize(f, &p->slots, config->max_slots, config->slot_rest_ns > 0)) {
		memory_put(f, cordoned);
		return FAIR_E_NO_MEMORY;
	}
	if (config->policy != was.policy)
		policy_of(p)->stop(f, p);
	cordon_all(p, false);
	memory_put(f, p->cordoned);
	p->config = *config;
	p->config.pool = p->name;
	p->config.cordoned = p->cordoned = cordoned;
	cordon_all(p, true);
	pool_rests_settle(f, p);
	if (config->max_slots > old_count)
		take_strange_slots(p, old_count);
	if (config->policy != was.policy || config->min_share != was.min_share ||
	    config->priority_step_ns != was.priority_step_ns)
		turns_renew(f, p);
	pool_share_renew(f, p);
	return FAIR_OK;
}

enum fair_err fair_pool_set(struct fair *f, uint64_t now, const struct fair_pool_config *config, bool *ret_created)
{
	struct pool *p = pool_find(f, config->pool);
	enum fair_err err;

	assert_config(config);
	call_begin(f, now);
	*ret_created = !p;
	err = p ? pool_change(f, p, config) : fair_pool_add(f, config);
	if (err)
		return err;
	event_add_pool(f, FAIR_EV_POOL, pool_find(f, config->pool)->name);
	call_end(f);
	return FAIR_OK;
}

/* Takes the pool and what is in it out of all lists of the state. */
static void pool_close(struct fair *f, struct pool *p)
{
	struct tenant *t, *after;

	HASH_ITER(by_name, p->by_name, t, after) {
		if (t->state != TENANT_GHOST)
			tenant_remove(f, t);
	}
	if (p->dirty)
		DL_DELETE2(f->dirty, p, dirty_prev, dirty_next);
	if (p->resting)
		DL_DELETE2(f->resting, p, resting_prev, resting_next);
	sweeps_leave(f, p);
}

enum fair_err fair_pool_remove(struct fair *f, uint64_t now, const char *pool)
{
	struct pool *p = pool_find(f, pool);
	struct counts c;

	call_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	c = pool_counts(p);
	if (c.active + c.present + c.absent > 0)
		return FAIR_E_POOL_IN_USE;
	event_add_pool(f, FAIR_EV_POOL_GONE, p->name);
	pool_close(f, p);
	pool_free(f, p);
	call_end(f);
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
	policy_of(p)->stop(f, p);
	presets_free(f, p);
	memory_put(f, p->cordoned);
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

void pool_share_update(struct fair *f, struct pool *p)
{
	policy_of(p)->changed(f, p);
}

void pool_share_renew(struct fair *f, struct pool *p)
{
	p->share_demanding = UINT32_MAX;
	pool_share_update(f, p);
	pool_dirty(f, p);
}

bool pool_work_one(struct fair *f)
{
	struct pool *p;

	DL_FOREACH(f->pools, p) {
		if (policy_of(p)->work(f, p))
			return true;
	}
	return false;
}

uint64_t pool_work_deadline(const struct fair *f)
{
	uint64_t first = FAIR_NEVER;
	const struct pool *p;

	DL_FOREACH(f->pools, p) {
		uint64_t deadline = policy_of(p)->deadline(p);

		if (deadline < first)
			first = deadline;
	}
	return first;
}

uint32_t tenant_share(const struct tenant *t)
{
	return policy_of(t->pool)->share(t->pool, t);
}

/* After shrinking, what is in use beyond the pool is a debt: it is paid before anything is granted. */
uint32_t pool_free_slots(const struct pool *p)
{
	uint32_t active = pool_counts(p).active, most;

	if (active >= p->config.max_slots)
		return 0;
	most = p->config.max_slots - active;
	return most < p->slots.usable ? most : p->slots.usable;
}

uint32_t pool_room(const struct pool *p)
{
	return p->held || p->config.draining ? 0 : pool_free_slots(p);
}
