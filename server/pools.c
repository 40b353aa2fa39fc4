/* SPDX-License-Identifier: MIT */
#include "pools.h"

#include "calculator.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

struct pool {
	struct store_pool kept;            /* its texts are ours */
	struct calculator *calculator;     /* NULL: max_slots / num_demanding_tenants */
};

struct pools {
	const struct config *config;
	struct pool *list;
	size_t count;
	char *error;                       /* while loading */
};

/* add copies a pool and compiles its expression, which stands at `origin`. */
static bool add(struct pools *pools, const struct store_pool *kept, const char *origin, char *error)
{
	struct pool *list = reallocarray(pools->list, pools->count + 1, sizeof(*list)), *pool;
	char reason[512];

	if (!list)
		return config_fail(error, "out of memory");
	pools->list = list;
	pool = &list[pools->count++];
	*pool = (struct pool){.kept = *kept};
	pool->kept.name = strdup(kept->name);
	pool->kept.share_calculator = strdup(kept->share_calculator);
	if (!pool->kept.name || !pool->kept.share_calculator)
		return config_fail(error, "out of memory");
	if (!*kept->share_calculator)
		return true;
	pool->calculator = calculator_create(pool->kept.name, pool->kept.share_calculator, kept->max_slots, reason, sizeof(reason));
	return pool->calculator ||
	       config_fail(error, "%s: share_calculator of pool '%s': %s", origin, kept->name, reason);
}

static bool add_configured(struct pools *pools, const struct config_pool *pool, char *error)
{
	const struct store_pool kept = {
		.name = pool->name,
		.max_slots = (uint32_t)pool->max_slots,
		.min_share = (uint32_t)pool->min_share,
		.max_waiting = (uint32_t)pool->max_waiting,
		.tenant_max_waiting = (uint32_t)pool->tenant_max_waiting,
		.share_calculator = pool->share_calculator,
		.configured = true,
	};

	return add(pools, &kept, config_origin(pool, "share_calculator"), error);
}

struct pools *pools_create(const struct config *config, char error[CONFIG_ERROR_MAX])
{
	struct pools *pools = calloc(1, sizeof(*pools));

	if (!pools) {
		config_fail(error, "out of memory");
		return NULL;
	}
	pools->config = config;
	for (size_t i = 0; i < config->pool_count; i++)
		if (!add_configured(pools, &config->pools[i], error)) {
			pools_destroy(pools);
			return NULL;
		}
	return pools;
}

void pools_destroy(struct pools *pools)
{
	if (!pools)
		return;
	for (size_t i = 0; i < pools->count; i++) {
		calculator_destroy(pools->list[i].calculator);
		free((char *)(uintptr_t)pools->list[i].kept.name);
		free((char *)(uintptr_t)pools->list[i].kept.share_calculator);
	}
	free(pools->list);
	free(pools);
}

static const struct pool *find(const struct pools *pools, const char *name)
{
	for (size_t i = 0; i < pools->count; i++)
		if (!strcmp(pools->list[i].kept.name, name))
			return &pools->list[i];
	return NULL;
}

/* ---- the store ---- */

static void log_number(const char *pool, const char *key, uint32_t was, uint32_t is)
{
	const struct log_field fields[] = {{"pool", pool, 0}, {"key", key, 0}, {"was", NULL, was}, {"is", NULL, is}};

	if (was != is)
		log_write(LOG_INFO, "the configuration changes a stored pool", fields, 4);
}

static void log_differences(const struct store_pool *was, const struct store_pool *is)
{
	const struct log_field fields[] = {{"pool", is->name, 0},
	                                   {"key", "share_calculator", 0},
	                                   {"was", was->share_calculator, 0},
	                                   {"is", is->share_calculator, 0}};

	log_number(is->name, "max_slots", was->max_slots, is->max_slots);
	log_number(is->name, "min_share", was->min_share, is->min_share);
	log_number(is->name, "max_waiting", was->max_waiting, is->max_waiting);
	log_number(is->name, "tenant_max_waiting", was->tenant_max_waiting, is->tenant_max_waiting);
	if (strcmp(was->share_calculator, is->share_calculator) != 0)
		log_write(LOG_INFO, "the configuration changes a stored pool", fields, 4);
}

/* A pool that is configured no longer lives on with its leases, as it was. */
static bool take_in(void *context, const struct store_pool *kept)
{
	struct pools *pools = context;
	const struct pool *configured = find(pools, kept->name);
	struct store_pool lives_on = *kept;

	if (configured) {
		log_differences(kept, &configured->kept);
		return true;
	}
	log_text(LOG_WARNING, "a stored pool is not configured: it lives on as it was stored", "pool", kept->name);
	lives_on.configured = false;
	return add(pools, &lives_on, pools->config->store, pools->error);
}

bool pools_load(struct pools *pools, struct store *store, char error[CONFIG_ERROR_MAX])
{
	char reason[STORE_ERROR_MAX];
	bool loaded;

	pools->error = error;
	*error = '\0';
	loaded = store_load_pools(store, take_in, pools, reason);
	if (*error)
		return false;
	return loaded || config_fail(error, "%s", reason);
}

bool pools_keep(const struct pools *pools, struct store *store, char error[CONFIG_ERROR_MAX])
{
	struct store_pool *kept = calloc(pools->count, sizeof(*kept));
	char reason[STORE_ERROR_MAX];
	bool done;

	if (!kept)
		return config_fail(error, "out of memory");
	for (size_t i = 0; i < pools->count; i++)
		kept[i] = pools->list[i].kept;
	done = store_keep_pools(store, kept, pools->count, reason);
	free(kept);
	return done || config_fail(error, "%s", reason);
}

/* ---- the state ---- */

static bool add_to(struct fair *fair, const struct pool *pool)
{
	struct fair_pool_config config = {
		.pool = pool->kept.name,
		.max_slots = pool->kept.max_slots,
		.min_share = pool->kept.min_share,
		.max_waiting = pool->kept.max_waiting,
		.tenant_max_waiting = pool->kept.tenant_max_waiting,
	};

	if (pool->calculator) {
		config.calculator = calculator_share;
		config.calculator_context = pool->calculator;
	}
	return fair_pool_add(fair, &config) == FAIR_OK;
}

bool pools_add(const struct pools *pools, struct fair *fair)
{
	for (size_t i = 0; i < pools->count; i++)
		if (!add_to(fair, &pools->list[i]))
			return false;
	return true;
}

const char *pools_calculator_of(void *context, const char *name)
{
	const struct pool *pool = find(context, name);

	return pool && *pool->kept.share_calculator ? pool->kept.share_calculator : NULL;
}

bool pools_configured(void *context, const char *name)
{
	const struct pool *pool = find(context, name);

	return pool && pool->kept.configured;
}
