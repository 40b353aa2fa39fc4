/* SPDX-License-Identifier: MIT */
#ifndef FAIRSHARED_API_NEAREST_H
#define FAIRSHARED_API_NEAREST_H

#include <stddef.h>

/* nearest_distance counts the insertions, deletions and replacements from one text to another; texts are cut at 64. */
size_t nearest_distance(const char *from, const char *to);

#endif
