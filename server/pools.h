/* SPDX-License-Identifier: MIT */
/* The pools of the server: those that the configuration names, and those that only the store knows. */
#ifndef FAIRSHARED_POOLS_H
#define FAIRSHARED_POOLS_H

#include "api.h"
#include "config.h"
#include "store.h"

struct pools;

/* pools_create takes those of the configuration (borrowed); NULL with the reason in error: an expression is wrong. */
struct pools *pools_create(const struct config *config, char error[CONFIG_ERROR_MAX]);
void pools_destroy(struct pools *pools);

/* pools_load takes in what the store keeps. What is configured wins, and each difference is logged. */
bool pools_load(struct pools *pools, struct store *store, char error[CONFIG_ERROR_MAX]);
/* pools_keep makes the store keep them as they are now. */
bool pools_keep(const struct pools *pools, struct store *store, char error[CONFIG_ERROR_MAX]);
/* pools_add adds all to an empty state; false without memory. */
bool pools_add(const struct pools *pools, struct fair *fair);

/* pools_get is that of a struct batch_source; context is the struct pools. */
bool pools_get(void *context, const char *name, struct store_pool *ret);

/*
 * For the api: pools_set changes or adds a pool at run time, pools_remove removes one (a configured one it does not).
 * *ret_reason is why an expression is wrong: then nothing changed and the result is FAIR_OK.
 */
enum fair_err pools_set(void *context, struct fair *fair, uint64_t now, const struct api_pool *pool, bool *ret_created,
						char reason[API_REASON_MAX]);
enum fair_err pools_remove(void *context, struct fair *fair, uint64_t now, const char *name);

/*
 * pools_reload sets the pools back to those of the configuration, which `fresh` was just made of, and adds new ones; each
 * difference is logged. What is configured no longer lives on.
 */
void pools_reload(struct pools *pools, struct pools *fresh, struct fair *fair, uint64_t now);

/* pools_configured is pool i as the configuration has it, NULL past the end, in a struct pools that was just made of it. */
const struct fair_pool_config *pools_configured(const struct pools *pools, size_t i);

/* pools_info is api_config.pool_info; context is the struct pools. */
struct api_pool_info pools_info(void *context, const char *name);

#endif
