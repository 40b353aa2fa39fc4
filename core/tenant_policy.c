/* SPDX-License-Identifier: MIT */
/* What single tenants may have: weight, reserve, cap and limit of waiters, and with which of them a tenant begins. */
#include "state.h"

struct fair_tenant_policy policy_filled(const struct fair_tenant_policy *policy)
{
	struct fair_tenant_policy filled = policy ? *policy : (struct fair_tenant_policy){0};

	if (filled.weight == 0)
		filled.weight = FAIR_WEIGHT_ONE;
	FAIR_ASSERT(filled.weight <= FAIR_WEIGHT_MAX);
	return filled;
}

bool policy_is_unequal(const struct fair_tenant_policy *policy)
{
	return policy->weight != FAIR_WEIGHT_ONE || policy->reserved_slots > 0;
}

static struct preset *preset_find(const struct pool *p, const char *tenant)
{
	struct preset *preset;

	LL_FOREACH(p->presets, preset) {
		if (strcmp(preset->tenant, tenant) == 0)
			return preset;
	}
	return NULL;
}

void policy_begin(struct tenant *t)
{
	const struct preset *preset = preset_find(t->pool, t->name);

	t->policy = policy_filled(preset ? &preset->policy : NULL);
}

void presets_free(struct fair *f, struct pool *p)
{
	while (p->presets) {
		struct preset *preset = p->presets;

		LL_DELETE(p->presets, preset);
		memory_put(f, preset);
	}
}

/*
 * All that is reserved: a name counts with the larger of its preset and what its tenant has, so that it finds its
 * reserve when it is registered again.
 */
static uint64_t reserves(const struct fair *f, const struct pool *p)
{
	uint64_t sum = pool_reserved(p);
	const struct preset *preset;

	LL_FOREACH(p->presets, preset) {
		const struct tenant *t = tenant_registered(p, f, preset->tenant);
		uint32_t counted = t ? t->policy.reserved_slots : 0;

		if (preset->policy.reserved_slots > counted)
			sum += preset->policy.reserved_slots - counted;
	}
	return sum;
}

static bool preset_is_unequal(const struct pool *p)
{
	const struct preset *preset;

	LL_FOREACH(p->presets, preset) {
		if (policy_is_unequal(&preset->policy))
			return true;
	}
	return false;
}

/* A pool that was restored with more reserves than slots may be changed, but not be made smaller still. */
enum fair_err policies_fit(const struct fair *f, const struct pool *p, const struct fair_pool_config *config)
{
	if (config->max_slots < p->config.max_slots && reserves(f, p) > config->max_slots)
		return FAIR_E_RESERVED;
	if (config->policy == FAIR_POLICY_EQUAL && p->config.policy != FAIR_POLICY_EQUAL &&
	    (pool_unequal(p) > 0 || preset_is_unequal(p)))
		return FAIR_E_POLICY;
	return FAIR_OK;
}

/* Whether a name that counted with `was` reserved slots may have this policy. */
static enum fair_err policy_fits(const struct fair *f, const struct pool *p, const struct fair_tenant_policy *policy,
                                 uint32_t was, uint32_t becomes)
{
	if (p->config.policy == FAIR_POLICY_EQUAL && policy_is_unequal(policy))
		return FAIR_E_POLICY;
	if (becomes > was && reserves(f, p) - was + becomes > p->config.max_slots)
		return FAIR_E_RESERVED;
	return FAIR_OK;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void policy_change(struct fair *f, struct tenant *t, const struct fair_tenant_policy *policy)
{
	t->policy = *policy;
	tenants_changed(t);
	event_add(f, (struct fair_event){.type = FAIR_EV_TENANT}, t);
	tenant_settle(f, t);
}

enum fair_err fair_tenant_set(struct fair *f, uint64_t now, const char *pool, const char *tenant,
                              const struct fair_tenant_policy *policy)
{
	const struct fair_tenant_policy filled = policy_filled(policy);
	struct pool *p = pool_find(f, pool);
	struct tenant *t;

	call_begin(f, now);
	t = p ? tenant_registered(p, f, tenant) : NULL;
	if (!t)
		return p ? FAIR_E_TENANT_NOT_FOUND : FAIR_E_POOL_NOT_FOUND;

	const struct preset *preset = preset_find(p, tenant);
	uint32_t preset_reserve = preset ? preset->policy.reserved_slots : 0;
	enum fair_err err = policy_fits(f, p, &filled, larger(preset_reserve, t->policy.reserved_slots),
	                                larger(preset_reserve, filled.reserved_slots));

	if (err)
		return err;
	policy_change(f, t, &filled);
	call_end(f);
	return FAIR_OK;
}

static struct preset *preset_make(struct fair *f, struct pool *p, const char *tenant)
{
	size_t length = strlen(tenant);
	struct preset *preset = preset_find(p, tenant);

	FAIR_ASSERT(length >= 1 && length <= FAIR_NAME_MAX);
	if (preset)
		return preset;
	preset = memory_get(f, sizeof(*preset));
	if (!preset)
		return NULL;
	memcpy(preset->tenant, tenant, length + 1);
	LL_PREPEND(p->presets, preset);
	return preset;
}

enum fair_err fair_tenant_preset(struct fair *f, uint64_t now, const char *pool, const char *tenant,
                                 const struct fair_tenant_policy *policy)
{
	const struct fair_tenant_policy filled = policy_filled(policy);
	struct pool *p = pool_find(f, pool);

	call_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;

	struct tenant *t = tenant_registered(p, f, tenant);
	struct preset *preset = preset_find(p, tenant);
	uint32_t was = larger(preset ? preset->policy.reserved_slots : 0, t ? t->policy.reserved_slots : 0);
	enum fair_err err = policy_fits(f, p, &filled, was, filled.reserved_slots);

	if (err)
		return err;
	if (policy) {
		preset = preset_make(f, p, tenant);
		if (!preset)
			return FAIR_E_NO_MEMORY;
		preset->policy = filled;
	} else if (preset) {
		LL_DELETE(p->presets, preset);
		memory_put(f, preset);
	}
	if (t && memcmp(&t->policy, &filled, sizeof(filled)) != 0)
		policy_change(f, t, &filled);
	call_end(f);
	return FAIR_OK;
}
