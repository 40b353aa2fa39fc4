/* SPDX-License-Identifier: MIT */
#include "pools.h"

#include "calculator.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

struct pool {
	struct store_pool kept;            /* its texts are ours */
	struct calculator *calculator;     /* NULL: max_slots / num_demanding_tenants */
	bool transient;                    /* configured, and changed since */
};

struct pools {
	const struct config *config;
	struct pool *list;
	size_t count;
	char *error;                       /* while loading */
};

static void pool_fini(struct pool *pool)
{
	calculator_destroy(pool->calculator);
	free((char *)(uintptr_t)pool->kept.name);
	free((char *)(uintptr_t)pool->kept.share_calculator);
}

/* add copies a pool and compiles its expression; false with the reason. */
static bool add(struct pools *pools, const struct store_pool *kept, char reason[API_REASON_MAX])
{
	struct pool *list = reallocarray(pools->list, pools->count + 1, sizeof(*list)), *pool;

	snprintf(reason, API_REASON_MAX, "out of memory");
	if (!list)
		return false;
	pools->list = list;
	pool = &list[pools->count];
	*pool = (struct pool){.kept = *kept};
	pool->kept.name = strdup(kept->name);
	pool->kept.share_calculator = strdup(kept->share_calculator);
	if (pool->kept.name && *kept->share_calculator && pool->kept.share_calculator)
		pool->calculator =
			calculator_create(pool->kept.name, pool->kept.share_calculator, kept->max_slots, reason, API_REASON_MAX);
	if (!pool->kept.name || !pool->kept.share_calculator || (*kept->share_calculator && !pool->calculator)) {
		pool_fini(pool);
		return false;
	}
	pools->count++;
	return true;
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
	char reason[API_REASON_MAX];

	return add(pools, &kept, reason) || config_fail(error, "%s: share_calculator of pool '%s': %s",
	                                                config_origin(pool, "share_calculator"), pool->name, reason);
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
	for (size_t i = 0; i < pools->count; i++)
		pool_fini(&pools->list[i]);
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
	char reason[API_REASON_MAX];

	if (configured) {
		log_differences(kept, &configured->kept);
		return true;
	}
	if (kept->configured)
		log_text(LOG_WARNING, "a stored pool is configured no longer: it lives on as it was stored", "pool", kept->name);
	lives_on.configured = false;
	return add(pools, &lives_on, reason) || config_fail(pools->error, "%s: share_calculator of the stored pool '%s': %s",
	                                                    pools->config->store, kept->name, reason);
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

static struct fair_pool_config config_of(const struct pool *pool)
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
	return config;
}

bool pools_add(const struct pools *pools, struct fair *fair)
{
	for (size_t i = 0; i < pools->count; i++) {
		struct fair_pool_config config = config_of(&pools->list[i]);

		if (fair_pool_add(fair, &config) != FAIR_OK)
			return false;
	}
	return true;
}

/* ---- at run time ---- */

bool pools_get(void *context, const char *name, struct store_pool *ret)
{
	const struct pool *pool = find(context, name);

	if (pool)
		*ret = pool->kept;
	return pool != NULL;
}

static void forget(struct pools *pools, size_t i)
{
	pool_fini(&pools->list[i]);
	pools->list[i] = pools->list[--pools->count];
}

/* The new one is made beside the old, which is let go when the state has taken the new. */
enum fair_err pools_set(void *context, struct fair *fair, uint64_t now, const struct api_pool *pool, bool *ret_created,
                        char reason[API_REASON_MAX])
{
	struct pools *pools = context;
	const struct pool *old = find(pools, pool->name);
	size_t old_at = old ? (size_t)(old - pools->list) : 0;
	const struct store_pool kept = {
		.name = pool->name,
		.max_slots = pool->max_slots,
		.min_share = pool->min_share,
		.max_waiting = pool->max_waiting,
		.tenant_max_waiting = pool->tenant_max_waiting,
		.share_calculator = pool->share_calculator ? pool->share_calculator : "",
		.configured = old && old->kept.configured,
	};
	struct fair_pool_config config;
	enum fair_err err;

	if (!add(pools, &kept, reason))
		return FAIR_OK;
	*reason = '\0';
	pools->list[pools->count - 1].transient = kept.configured;
	config = config_of(&pools->list[pools->count - 1]);
	err = fair_pool_set(fair, now, &config, ret_created);
	if (err)
		forget(pools, pools->count - 1);
	else if (old)
		forget(pools, old_at);
	return err;
}

enum fair_err pools_remove(void *context, struct fair *fair, uint64_t now, const char *name)
{
	struct pools *pools = context;
	const struct pool *pool = find(pools, name);
	enum fair_err err = fair_pool_remove(fair, now, name);

	if (!err && pool)
		forget(pools, (size_t)(pool - pools->list));
	return err;
}

struct api_pool_info pools_info(void *context, const char *name)
{
	const struct pool *pool = find(context, name);

	if (!pool)
		return (struct api_pool_info){0};
	return (struct api_pool_info){.share_calculator = *pool->kept.share_calculator ? pool->kept.share_calculator : NULL,
	                              .configured = pool->kept.configured,
	                              .transient = pool->transient};
}
