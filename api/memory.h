/* SPDX-License-Identifier: MIT */
/*
 * When memory runs out while JSON is built: jansson drops what it has no memory for, and whoever builds a reply would
 * have to look at every member. So its allocator takes a note, and the one place that sends replies asks for it.
 */
#ifndef FAIRSHARED_API_MEMORY_H
#define FAIRSHARED_API_MEMORY_H

#include <stdbool.h>

/* memory_watch makes jansson allocate with malloc, and notes its failures. */
void memory_watch(void);
/* memory_note notes another failure that must not go into a reply. */
void memory_note(void);
/* memory_short tells whether there was a failure in this thread since it was asked last. */
bool memory_short(void);

#endif
