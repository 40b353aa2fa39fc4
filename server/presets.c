/* SPDX-License-Identifier: MIT */
#include "presets.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

struct preset {
	char tenant[FAIR_NAME_MAX + 1], pool[FAIR_NAME_MAX + 1];
	struct fair_tenant_policy policy;
};

struct presets {
	size_t count;
	struct preset list[];
};

static struct preset preset_of(const struct config_tenant *tenant)
{
	struct preset preset = {.policy = {.weight = (uint32_t)tenant->weight,
									   .reserved_slots = (uint32_t)tenant->reserved_slots,
									   .max_slots = (uint32_t)tenant->max_slots,
									   .max_waiting = (uint32_t)tenant->max_waiting}};

	memcpy(preset.tenant, tenant->name, sizeof(preset.tenant));
	memcpy(preset.pool, tenant->pool, sizeof(preset.pool));
	return preset;
}

struct presets *presets_create(const struct config *config)
{
	struct presets *presets = calloc(1, sizeof(*presets) + config->tenant_count * sizeof(presets->list[0]));

	if (!presets)
		return NULL;
	presets->count = config->tenant_count;
	for (size_t i = 0; i < presets->count; i++)
		presets->list[i] = preset_of(&config->tenants[i]);
	return presets;
}

void presets_destroy(struct presets *presets)
{
	free(presets);
}

static bool names(const struct presets *presets, const struct preset *preset)
{
	for (size_t i = 0; i < presets->count; i++)
		if (!strcmp(presets->list[i].tenant, preset->tenant) && !strcmp(presets->list[i].pool, preset->pool))
			return true;
	return false;
}

static void log_number(const struct preset *preset, const char *key, double was, double is)
{
	const struct log_field fields[] = {{"tenant_id", preset->tenant, 0},
									   {"pool", preset->pool, 0},
									   {"key", key, 0},
									   {"was", NULL, was},
									   {"is", NULL, is}};

	if (was != is)
		log_write(LOG_INFO, "the configuration changes a tenant", fields, 5);
}

static void log_differences(const struct preset *preset, const struct fair *fair, const struct fair_tenant_policy *is)
{
	struct fair_tenant_view view;

	if (fair_tenant_get(fair, preset->pool, preset->tenant, &view) != FAIR_OK)
		return;
	log_number(preset, "weight", (double)view.policy.weight / FAIR_WEIGHT_ONE, (double)is->weight / FAIR_WEIGHT_ONE);
	log_number(preset, "reserved_slots", view.policy.reserved_slots, is->reserved_slots);
	log_number(preset, "max_slots", view.policy.max_slots, is->max_slots);
	log_number(preset, "max_waiting", view.policy.max_waiting, is->max_waiting);
}

void presets_log(const struct presets *presets, const struct presets *old, const struct fair *fair)
{
	const struct fair_tenant_policy neutral = {.weight = FAIR_WEIGHT_ONE};

	for (size_t i = 0; i < presets->count; i++)
		log_differences(&presets->list[i], fair, &presets->list[i].policy);
	for (size_t i = 0; old && i < old->count; i++)
		if (!names(presets, &old->list[i]))
			log_differences(&old->list[i], fair, &neutral);
}

static struct preset preset_now(const struct fair_tenant_view *view)
{
	struct preset preset = {.policy = view->policy};

	memcpy(preset.tenant, view->tenant, strlen(view->tenant) + 1);
	memcpy(preset.pool, view->pool, strlen(view->pool) + 1);
	return preset;
}

/* What is reserved in a pool by the configuration, and by others for tenants that it does not name. */
static uint64_t reserved(const struct presets *presets, const struct fair *fair, const char *pool)
{
	struct fair_tenant_view view = {.number = 0};
	uint64_t sum = 0;

	for (size_t i = 0; i < presets->count; i++)
		if (!strcmp(presets->list[i].pool, pool))
			sum += presets->list[i].policy.reserved_slots;
	while (fair_tenant_next(fair, pool, view.number, &view)) {
		struct preset preset = preset_now(&view);

		if (!names(presets, &preset))
			sum += view.policy.reserved_slots;
	}
	return sum;
}

void presets_make_room(const struct presets *presets, struct fair *fair, uint64_t now, const struct fair_pool_config *pool)
{
	bool equal = pool->policy == FAIR_POLICY_EQUAL, full = reserved(presets, fair, pool->pool) > pool->max_slots;
	struct fair_tenant_view view = {.number = 0};

	while ((equal || full) && fair_tenant_next(fair, pool->pool, view.number, &view)) {
		struct preset preset = preset_now(&view);

		preset.policy.reserved_slots = 0;
		if (equal)
			preset.policy.weight = FAIR_WEIGHT_ONE;
		if (names(presets, &preset) || memcmp(&preset.policy, &view.policy, sizeof(view.policy)) == 0)
			continue;
		log_differences(&preset, fair, &preset.policy);
		if (fair_tenant_set(fair, now, preset.pool, preset.tenant, &preset.policy) != FAIR_OK)
			log_text(LOG_ERROR, "a tenant cannot be set to the configuration", "tenant_id", preset.tenant);
	}
}

static void set(struct fair *fair, uint64_t now, const struct preset *preset, const struct fair_tenant_policy *policy)
{
	enum fair_err err = fair_tenant_preset(fair, now, preset->pool, preset->tenant, policy);
	const struct log_field fields[] = {
		{"tenant_id", preset->tenant, 0},
		{"pool", preset->pool, 0},
		{"reason",
		 err == FAIR_E_RESERVED ? "the reserved_slots of all tenants are more than the pool has"
		 : err == FAIR_E_POLICY ? "the policy of the pool knows no weight and no reserved_slots"
								: fair_err_code(err),
		 0}};

	/* A pool that was removed meanwhile has taken its tenants with it. */
	if (err != FAIR_OK && (policy || err != FAIR_E_POOL_NOT_FOUND))
		log_write(LOG_ERROR, "a tenant cannot be set to the configuration", fields, 3);
}

void presets_clear(const struct presets *presets, struct fair *fair, uint64_t now)
{
	for (size_t i = 0; i < presets->count; i++)
		set(fair, now, &presets->list[i], NULL);
}

void presets_set(const struct presets *presets, struct fair *fair, uint64_t now)
{
	for (size_t i = 0; i < presets->count; i++)
		set(fair, now, &presets->list[i], &presets->list[i].policy);
}
