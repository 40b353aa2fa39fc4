/* SPDX-License-Identifier: MIT */
#include "pools.h"

#include "calculator.h"
#include "clock.h"
#include "log.h"
#include "urls.h"

#include <stdlib.h>
#include <string.h>

struct pool {
	struct store_pool kept;		   /* its texts are ours */
	struct calculator *calculator; /* NULL: max_slots / num_demanding_tenants */
	const char **urls;			   /* of its slots, and then of those that it had before it shrank */
	uint32_t num_urls, num_old_urls;
	bool transient; /* configured, and not as it is configured */
};

struct pools {
	const struct config *config;
	struct pool *list;
	size_t count;
	struct pools *configured; /* what the configuration says; NULL: these are that */
	char *error;			  /* while loading */
};

static void pool_fini(struct pool *pool)
{
	calculator_destroy(pool->calculator);
	free(pool->urls);
	free((char *)(uintptr_t)pool->kept.core.pool);
	free((uint32_t *)(uintptr_t)pool->kept.core.cordoned);
	free((char *)(uintptr_t)pool->kept.share_calculator);
	free((char *)(uintptr_t)pool->kept.slot_urls);
}

/* cordon copies the numbers of the cordoned slots; false without memory. */
static bool cordon(struct fair_pool_config *core, const uint32_t *slots, uint32_t count)
{
	uint32_t *copy = calloc(count + 1, sizeof(*copy));

	if (copy && count > 0)
		memcpy(copy, slots, count * sizeof(*copy));
	free((uint32_t *)(uintptr_t)core->cordoned);
	core->cordoned = copy;
	core->num_cordoned = copy ? count : 0;
	return copy != NULL;
}

/* pool_copy is false without memory. */
static bool pool_copy(struct pool *pool, const struct store_pool *kept)
{
	*pool = (struct pool){.kept = *kept};
	pool->kept.core.cordoned = NULL;
	pool->kept.core.pool = strdup(kept->core.pool);
	pool->kept.share_calculator = strdup(kept->share_calculator);
	pool->kept.slot_urls = strdup(kept->slot_urls);
	pool->urls = urls_split(kept->slot_urls, &pool->num_urls);
	return cordon(&pool->kept.core, kept->core.cordoned, kept->core.num_cordoned) && pool->kept.core.pool &&
		   pool->kept.share_calculator && pool->kept.slot_urls && pool->urls;
}

/* add copies a pool and compiles its expression; false with the reason. */
static bool add(struct pools *pools, const struct store_pool *kept, char reason[API_REASON_MAX])
{
	struct pool *list = reallocarray(pools->list, pools->count + 1, sizeof(*list)), *pool;
	bool copied;

	snprintf(reason, API_REASON_MAX, "out of memory");
	if (!list)
		return false;
	pools->list = list;
	pool = &list[pools->count];
	copied = pool_copy(pool, kept);
	if (copied && *kept->share_calculator)
		pool->calculator = calculator_create(pool->kept.core.pool, pool->kept.share_calculator, kept->core.max_slots,
											 reason, API_REASON_MAX);
	if (!copied || (*kept->share_calculator && !pool->calculator)) {
		pool_fini(pool);
		return false;
	}
	pools->count++;
	return true;
}

/* configured_pool is what the configuration says of a pool; *ret_urls is to be freed, NULL with the reason in error. */
static struct store_pool configured_pool(const struct config_pool *pool, char **ret_urls, char *error)
{
	const char *wrong;

	*ret_urls = urls_expand(pool->slot_urls, (uint32_t)pool->max_slots, &wrong);
	if (!*ret_urls)
		config_fail(error, "%s: slot_urls of pool '%s' (max_slots %llu) %s", config_origin(pool, "slot_urls"),
					pool->name, (unsigned long long)pool->max_slots, wrong);
	return (struct store_pool){
		.core = {.pool = pool->name,
				 .max_slots = (uint32_t)pool->max_slots,
				 .min_share = (uint32_t)pool->min_share,
				 .max_waiting = (uint32_t)pool->max_waiting,
				 .tenant_max_waiting = (uint32_t)pool->tenant_max_waiting,
				 .policy = pool->policy,
				 .slot_rest_ns = pool->slot_rest_ns,
				 .max_lease_ns = pool->max_lease_ns,
				 .pass_over_ns = pool->pass_over_ns,
				 .priority_step_ns = pool->priority_step_ns},
		.share_calculator = pool->share_calculator,
		.slot_urls = *ret_urls,
		.configured = true,
	};
}

static bool add_configured(struct pools *pools, const struct config_pool *pool, char *error)
{
	char reason[API_REASON_MAX], *urls;
	const struct store_pool kept = configured_pool(pool, &urls, error);
	bool added = urls && add(pools, &kept, reason);

	free(urls);
	if (added || !urls)
		return added;
	return config_fail(error, "%s: share_calculator of pool '%s': %s", config_origin(pool, "share_calculator"),
					   pool->name, reason);
}

static struct pools *create_configured(const struct config *config, char error[CONFIG_ERROR_MAX])
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

struct pools *pools_create(const struct config *config, char error[CONFIG_ERROR_MAX])
{
	struct pools *pools = create_configured(config, error);

	if (!pools)
		return NULL;
	pools->configured = create_configured(config, error);
	if (pools->configured)
		return pools;
	pools_destroy(pools);
	return NULL;
}

void pools_destroy(struct pools *pools)
{
	if (!pools)
		return;
	pools_destroy(pools->configured);
	for (size_t i = 0; i < pools->count; i++)
		pool_fini(&pools->list[i]);
	free(pools->list);
	free(pools);
}

static struct pool *find(const struct pools *pools, const char *name)
{
	for (size_t i = 0; i < pools->count; i++)
		if (!strcmp(pools->list[i].kept.core.pool, name))
			return &pools->list[i];
	return NULL;
}

/* ---- the store ---- */

static void log_number(const char *pool, const char *key, double was, double is)
{
	const struct log_field fields[] = {{"pool", pool, 0}, {"key", key, 0}, {"was", NULL, was}, {"is", NULL, is}};

	if (was != is)
		log_write(LOG_INFO, "the configuration changes a pool", fields, 4);
}

static void log_span(const char *pool, const char *key, uint64_t was_ns, uint64_t is_ns)
{
	log_number(pool, key, (double)was_ns / CLOCK_S, (double)is_ns / CLOCK_S);
}

static void log_text_of(const char *pool, const char *key, const char *was, const char *is)
{
	const struct log_field fields[] = {{"pool", pool, 0}, {"key", key, 0}, {"was", was, 0}, {"is", is, 0}};

	if (strcmp(was, is) != 0)
		log_write(LOG_INFO, "the configuration changes a pool", fields, 4);
}

static void log_differences(const struct store_pool *was, const struct store_pool *is)
{
	const char *pool = is->core.pool;

	log_number(pool, "max_slots", was->core.max_slots, is->core.max_slots);
	log_number(pool, "min_share", was->core.min_share, is->core.min_share);
	log_number(pool, "max_waiting", was->core.max_waiting, is->core.max_waiting);
	log_number(pool, "tenant_max_waiting", was->core.tenant_max_waiting, is->core.tenant_max_waiting);
	log_span(pool, "slot_rest_seconds", was->core.slot_rest_ns, is->core.slot_rest_ns);
	log_span(pool, "max_lease_seconds", was->core.max_lease_ns, is->core.max_lease_ns);
	log_span(pool, "pass_over_seconds", was->core.pass_over_ns, is->core.pass_over_ns);
	log_span(pool, "priority_step_seconds", was->core.priority_step_ns, is->core.priority_step_ns);
	log_text_of(pool, "policy", fair_policy_code(was->core.policy), fair_policy_code(is->core.policy));
	log_text_of(pool, "share_calculator", was->share_calculator, is->share_calculator);
	log_text_of(pool, "slot_urls", was->slot_urls, is->slot_urls);
}

/* same tells whether all is as the configuration could set it. */
static bool same(const struct store_pool *a, const struct store_pool *b)
{
	return a->core.max_slots == b->core.max_slots && a->core.min_share == b->core.min_share &&
		   a->core.max_waiting == b->core.max_waiting && a->core.tenant_max_waiting == b->core.tenant_max_waiting &&
		   a->core.policy == b->core.policy && a->core.slot_rest_ns == b->core.slot_rest_ns &&
		   a->core.max_lease_ns == b->core.max_lease_ns && a->core.pass_over_ns == b->core.pass_over_ns &&
		   a->core.priority_step_ns == b->core.priority_step_ns && !strcmp(a->share_calculator, b->share_calculator) &&
		   !strcmp(a->slot_urls, b->slot_urls);
}

/* differs tells whether a pool is not as it is configured; to drain and to cordon can be said at run time alone. */
static bool differs(const struct pools *pools, const struct store_pool *kept)
{
	const struct pool *configured = kept->configured ? find(pools->configured, kept->core.pool) : NULL;

	return configured && (kept->core.draining || kept->core.num_cordoned > 0 || !same(&configured->kept, kept));
}

/* A pool that is configured no longer lives on with its leases, as it was. */
static bool take_in(void *context, const struct store_pool *kept)
{
	struct pools *pools = context;
	struct pool *configured = find(pools, kept->core.pool);
	struct store_pool lives_on = *kept;
	char reason[API_REASON_MAX];

	if (configured) {
		log_differences(kept, &configured->kept);
		/* What an operator alone can set. */
		configured->kept.core.draining = kept->core.draining;
		if (!cordon(&configured->kept.core, kept->core.cordoned, kept->core.num_cordoned))
			return config_fail(pools->error, "out of memory");
		configured->transient = differs(pools, &configured->kept);
		return true;
	}
	if (kept->configured)
		log_text(LOG_WARNING, "a stored pool is configured no longer: it lives on as it was stored", "pool",
				 kept->core.pool);
	lives_on.configured = false;
	return add(pools, &lives_on, reason) ||
		   config_fail(pools->error, "%s: share_calculator of the stored pool '%s': %s", pools->config->store,
					   kept->core.pool, reason);
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
	struct fair_pool_config config = pool->kept.core;

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

/* "A slot id that is no more stays with its lease", and so does its address. false without memory. */
static bool keep_old_urls(struct pool *pool, const struct pool *old)
{
	uint32_t had = old->num_urls + old->num_old_urls, all;
	char *more, *text = NULL;
	const char **urls = NULL;

	if (pool->num_urls == 0 || had <= pool->num_urls)
		return true;
	more = urls_join(old->urls + pool->num_urls, had - pool->num_urls);
	if (more && asprintf(&text, "%s %s", pool->kept.slot_urls, more) > 0)
		urls = urls_split(text, &all);
	free(more);
	free(text);
	if (!urls)
		return false;
	free(pool->urls);
	pool->urls = urls;
	pool->num_old_urls = all - pool->num_urls;
	return true;
}

/*
 * change makes a pool so. The new one is made beside the old, which is let go when the state has taken the new. Where
 * *reason is set, FAIR_OK means that nothing changed.
 */
static enum fair_err change(struct pools *pools, struct fair *fair, uint64_t now, const struct store_pool *kept,
							bool *ret_created, char reason[API_REASON_MAX])
{
	const struct pool *old = find(pools, kept->core.pool);
	size_t old_at = old ? (size_t)(old - pools->list) : 0;
	struct fair_pool_config config;
	struct pool *pool;
	enum fair_err err = FAIR_E_NO_MEMORY;

	if (!add(pools, kept, reason))
		return FAIR_OK;
	*reason = '\0';
	pool = &pools->list[pools->count - 1];
	pool->transient = differs(pools, kept);
	config = config_of(pool);
	if (!old || keep_old_urls(pool, &pools->list[old_at]))
		err = fair_pool_set(fair, now, &config, ret_created);
	if (err)
		forget(pools, pools->count - 1);
	else if (old)
		forget(pools, old_at);
	return err;
}

enum fair_err pools_set(void *context, struct fair *fair, uint64_t now, const struct api_pool *pool, bool *ret_created,
						char reason[API_REASON_MAX])
{
	struct pools *pools = context;
	const struct pool *old = find(pools, pool->core.pool);
	char *urls = urls_join(pool->slot_urls, pool->slot_urls ? pool->core.max_slots : 0);
	const struct store_pool kept = {.core = pool->core,
									.share_calculator = pool->share_calculator ? pool->share_calculator : "",
									.slot_urls = urls,
									.configured = old && old->kept.configured};
	enum fair_err err = FAIR_E_NO_MEMORY;

	if (urls)
		err = change(pools, fair, now, &kept, ret_created, reason);
	free(urls);
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
								  .slot_urls = pool->urls,
								  .num_slot_urls = pool->num_urls,
								  .num_old_urls = pool->num_old_urls,
								  .configured = pool->kept.configured,
								  .transient = pool->transient};
}

/* ---- anew from the configuration ---- */

static const char *why_not(enum fair_err err)
{
	switch (err) {
	case FAIR_E_RESERVED:
		return "its tenants have more reserved_slots than it would have slots";
	case FAIR_E_POLICY:
		return "a tenant has a weight or reserved_slots, which policy equal does not know";
	default:
		return fair_err_code(err);
	}
}

static void log_refused(const char *pool, const char *why)
{
	const struct log_field fields[] = {{"pool", pool, 0}, {"reason", why, 0}};

	log_write(LOG_ERROR, "a pool cannot be set to the configuration", fields, 2);
}

/* set_back makes a pool as the configuration has it; what an operator alone can set stays. */
static void set_back(struct pools *pools, struct fair *fair, uint64_t now, const struct store_pool *configured)
{
	struct pool *old = find(pools, configured->core.pool);
	struct store_pool wanted = *configured;
	char reason[API_REASON_MAX] = "";
	bool created;
	enum fair_err err;

	if (old && old->kept.configured && same(&old->kept, &wanted)) {
		old->transient = differs(pools, &old->kept);
		return;
	}
	if (old) {
		log_differences(&old->kept, &wanted);
		wanted.core.draining = old->kept.core.draining;
		wanted.core.cordoned = old->kept.core.cordoned;
		wanted.core.num_cordoned = old->kept.core.num_cordoned;
	} else {
		log_text(LOG_INFO, "the configuration adds a pool", "pool", wanted.core.pool);
	}
	err = change(pools, fair, now, &wanted, &created, reason);
	if (err || *reason)
		log_refused(wanted.core.pool, err ? why_not(err) : reason);
}

/* A pool that is configured no longer lives on as it is. */
static void let_go(struct pools *pools, struct fair *fair, uint64_t now, const struct pool *pool)
{
	struct store_pool lives_on = pool->kept;
	char reason[API_REASON_MAX] = "";
	bool created;
	enum fair_err err;

	log_text(LOG_WARNING, "a pool is configured no longer: it lives on as it is", "pool", lives_on.core.pool);
	lives_on.configured = false;
	err = change(pools, fair, now, &lives_on, &created, reason);
	if (err || *reason)
		log_refused(lives_on.core.pool, err ? why_not(err) : reason);
}

const struct fair_pool_config *pools_configured(const struct pools *pools, size_t i)
{
	return i < pools->count ? &pools->list[i].kept.core : NULL;
}

void pools_reload(struct pools *pools, struct pools *fresh, struct fair *fair, uint64_t now)
{
	pools_destroy(pools->configured);
	pools->configured = fresh->configured;
	fresh->configured = NULL;
	for (size_t i = 0; i < pools->count; i++)
		if (pools->list[i].kept.configured && !find(fresh, pools->list[i].kept.core.pool))
			let_go(pools, fair, now, &pools->list[i]);
	for (size_t i = 0; i < fresh->count; i++)
		set_back(pools, fair, now, &fresh->list[i].kept);
}
