/* SPDX-License-Identifier: MIT */
/*
 * JSON to text, by yajl: jansson's own dump calls a function for every character of every string, and took 4.6 us of
 * the 9.9 us of an acquire.
 */
#ifndef FAIRSHARED_API_DUMP_H
#define FAIRSHARED_API_DUMP_H

#include <jansson.h>

/* dump_json writes a value and a line's end into a text of its own (to be freed); NULL without memory. */
char *dump_json(json_t *value, size_t *ret_len);

#endif
