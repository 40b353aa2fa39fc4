/* SPDX-License-Identifier: MIT */
/*
 * The configuration: one table of options (config.c) gives the flags, the variables of the environment, the keys of
 * the file, their defaults, limits and help. Flag over environment over file over default.
 */
#ifndef FAIRSHARED_CONFIG_H
#define FAIRSHARED_CONFIG_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fair.h"
#include "log.h"

#define CONFIG_OPTIONS_MAX 40
#define CONFIG_TENANT_KEYS 4
#define CONFIG_ERROR_MAX 1024

enum config_action { CONFIG_RUN, CONFIG_CHECK, CONFIG_PRINT, CONFIG_CHECK_STORE, CONFIG_HEALTH };

/*
 * What a [pool NAME] section holds. The first pool is `default`, configured by flags, environment and the top of the
 * file; what a section does not name is as in `default`.
 */
struct config_pool {
	char name[FAIR_NAME_MAX + 1];
	uint64_t max_slots, min_share, max_waiting, tenant_max_waiting;
	uint64_t max_lease_ns, slot_rest_ns, pass_over_ns, priority_step_ns;
	enum fair_policy policy;
	char *share_calculator;                /* "" for none */
	char *slot_urls;                       /* "" for none; see urls.h */
	char *origins[CONFIG_OPTIONS_MAX];     /* where each value comes from: FILE:LINE, --flag, VARIABLE, "default" */
};

/* What a [tenant NAME] or [tenant NAME POOL] section holds. */
struct config_tenant {
	char name[FAIR_NAME_MAX + 1], pool[FAIR_NAME_MAX + 1];
	unsigned line;                         /* of its section */
	uint64_t weight;                       /* in thousandths */
	uint64_t reserved_slots, max_slots, max_waiting;   /* 0 for none */
	char *origins[CONFIG_TENANT_KEYS];
};

struct config {
	enum config_action action;
	int argc;
	char **argv;                           /* borrowed */
	char *file;                            /* "" for none */
	char *listen;
	union value_address listen_address;
	char *store;
	char *check_store; /* the file to verify, or NULL */
	uint64_t durability; /* enum store_durability */
	uint64_t settle_ns;
	bool auto_register;
	uint64_t http_daemons, ended_max, max_tenants, metrics_max_tenants, max_connections, max_streams;
	uint64_t queue_grace_ns, claim_ns, drain_timeout_ns, key_memory_ns, tenant_idle_ns;
	uint64_t min_ttl_ns, max_ttl_ns, ttl_ns, max_wait_ns, request_timeout_ns;
	uint64_t log_level, log_format;        /* enum log_level, enum log_format */
	struct config_pool *pools;             /* heap */
	size_t pool_count;
	struct config_tenant *tenants;         /* heap */
	size_t tenant_count;
};

/* config_fail writes the reason of a refusal to start, and returns false for the caller to return. */
bool config_fail(char error[CONFIG_ERROR_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * config_load reads flags, environment and file; on false the reason is in error, with file and line where it has
 * them. `--help` and `--version` end the process. Call config_free in either case.
 */
bool config_load(struct config *config, int argc, char **argv, char error[CONFIG_ERROR_MAX]);
void config_free(struct config *config);

/* config_reload reads all of it once more, as `old` was read. config_differences names what only a restart changes. */
bool config_reload(struct config *config, const struct config *old, char error[CONFIG_ERROR_MAX]);
void config_differences(const struct config *old, const struct config *fresh, void (*each)(const char *key));

/* config_print writes the result as a configuration file; false when it could not be written. */
bool config_print(const struct config *config, FILE *out);

/* config_origin tells where the value of a key comes from; borrowed. */
const char *config_origin(const struct config_pool *pool, const char *key);

#endif
