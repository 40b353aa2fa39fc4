/* SPDX-License-Identifier: MIT */
/* The pools of the server: those that the configuration names, and those that only the store knows. */
#ifndef FAIRSHARED_POOLS_H
#define FAIRSHARED_POOLS_H

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

/* For the api; context is the struct pools. pools_calculator_of: NULL when there is no expression. */
const char *pools_calculator_of(void *context, const char *name);
bool pools_configured(void *context, const char *name);

#endif
