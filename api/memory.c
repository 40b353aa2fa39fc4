/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <jansson.h>
#include <stdlib.h>

static _Thread_local bool failed;

static void *take(size_t size)
{
	void *memory = malloc(size);

	if (memory == NULL)
		failed = true;
	return memory;
}

void memory_watch(void)
{
	json_set_alloc_funcs(take, free);
}

void memory_note(void)
{
	failed = true;
}

bool memory_short(void)
{
	bool was = failed;

	failed = false;
	return was;
}
