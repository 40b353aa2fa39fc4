/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <stdio.h>
#include <string.h>

#define SQLITE "sqlite:"
#define TEST "test:"

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

bool store_is_known(const char *text, char error[STORE_ERROR_MAX])
{
	if (!strcmp(text, "memory") || begins(text, TEST) || (begins(text, SQLITE) && text[strlen(SQLITE)]))
		return true;
	snprintf(error, STORE_ERROR_MAX, "store is '%s', but must be sqlite:PATH or memory", text);
	return false;
}

struct store *store_create(const char *text, enum store_durability durability, char error[STORE_ERROR_MAX])
{
	if (!store_is_known(text, error))
		return NULL;
	if (begins(text, SQLITE))
		return store_sqlite_create(text + strlen(SQLITE), durability, error);
	return begins(text, TEST) ? store_test_create(text + strlen(TEST), error) : store_memory_create();
}

void store_destroy(struct store *store)
{
	if (store)
		store->ops->destroy(store);
}

bool store_next_token(struct store *store, uint64_t *ret_token, char error[STORE_ERROR_MAX])
{
	*ret_token = 0;
	return !store->ops->next_token || store->ops->next_token(store, ret_token, error);
}

bool store_load_pools(struct store *store, bool (*each)(void *context, const struct store_pool *pool), void *context,
                      char error[STORE_ERROR_MAX])
{
	return !store->ops->load_pools || store->ops->load_pools(store, each, context, error);
}

bool store_load(struct store *store, struct fair *fair, uint64_t now, char error[STORE_ERROR_MAX])
{
	return !store->ops->load || store->ops->load(store, fair, now, error);
}

bool store_keep_pools(struct store *store, const struct store_pool *pools, size_t count, char error[STORE_ERROR_MAX])
{
	return !store->ops->keep_pools || store->ops->keep_pools(store, pools, count, error);
}
