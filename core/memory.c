/* SPDX-License-Identifier: MIT */
#include "state.h"

void *memory_get(struct fair *f, size_t size)
{
	void *memory = f->config.alloc(size, f->config.alloc_context);

	if (memory)
		memset(memory, 0, size);
	return memory;
}

void memory_put(struct fair *f, void *memory)
{
	if (memory)
		f->config.free(memory, f->config.alloc_context);
}
