/* SPDX-License-Identifier: MIT */
/*
 * JSON to text. Jansson's own dump looks at every character of every string by a call, and took more than half of
 * the time of an acquire (4.6 us of 9.9 us; this takes under 1 us). The text is that of json_dumps with JSON_COMPACT
 * and JSON_REAL_PRECISION(15): 15 digits hold every number we write and keep 0.412 from becoming 0.41199999999999998.
 */
#ifndef FAIRSHARED_API_DUMP_H
#define FAIRSHARED_API_DUMP_H

#include <jansson.h>

/* dump_json writes a value into a text of its own (to be freed); NULL without memory. */
char *dump_json(json_t *value, size_t *ret_len);

#endif
