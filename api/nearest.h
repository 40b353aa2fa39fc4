/* SPDX-License-Identifier: MIT */
/* Which known name an unknown one was meant to be. */
#ifndef FAIRSHARED_API_NEAREST_H
#define FAIRSHARED_API_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * nearest_distance counts the insertions, deletions, replacements and swaps of neighbours that make `name` the known
 * one or a beginning of it, since people shorten: "ttl" is at 0 from "ttl_seconds". So is what begins with the known
 * one. Case does not count; names are cut at 64.
 */
size_t nearest_distance(const char *name, const char *known);
/* nearest_is_near tells whether that distance is at most a third of the name: farther ones look like chance. */
bool nearest_is_near(const char *name, const char *known);

#endif
