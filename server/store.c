/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <stdio.h>
#include <string.h>

struct store *store_create(const char *text, char *error, size_t error_size)
{
	struct store *store;

	if (!strncmp(text, "test:", 5))
		return store_test_create(text + 5, error, error_size);
	if (strcmp(text, "memory") != 0) {
		snprintf(error, error_size, "store is '%s', but only 'memory' is known", text);
		return NULL;
	}
	store = store_memory_create();
	if (!store)
		snprintf(error, error_size, "out of memory");
	return store;
}

void store_destroy(struct store *store)
{
	if (store)
		store->ops->destroy(store);
}
