/* SPDX-License-Identifier: MIT */
/* The tenants that the configuration names: with which policy they begin, whenever they are registered. */
#ifndef FAIRSHARED_PRESETS_H
#define FAIRSHARED_PRESETS_H

#include "config.h"
#include "fair.h"

struct presets;

/* presets_create copies what the configuration says; NULL without memory. */
struct presets *presets_create(const struct config *config);
void presets_destroy(struct presets *presets);

/* presets_log tells of each registered tenant that is about to get another policy: by these, or as only `old` (or NULL)
 * names it. */
void presets_log(const struct presets *presets, const struct presets *old, const struct fair *fair);
/* presets_make_room takes what was given at run time to tenants that are not named, where it would stand against what the
 * pool shall be: the configuration wins. Each difference is logged. */
void presets_make_room(const struct presets *presets, struct fair *fair, uint64_t now, const struct fair_pool_config *pool);
/* presets_clear gives those that are named the neutral policy, which makes room for other reserves; presets_set sets
 * them, and logs what the state does not take. Between the two nothing should be granted. */
void presets_clear(const struct presets *presets, struct fair *fair, uint64_t now);
void presets_set(const struct presets *presets, struct fair *fair, uint64_t now);

#endif
