/* SPDX-License-Identifier: MIT */
/* The strict readers of numbers and durations: all of the text, or nothing. */
#ifndef FAIRSHARED_API_PARSE_H
#define FAIRSHARED_API_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fair.h"

/* What no duration exceeds, in seconds: far above every limit, and its nanoseconds fit 64 bits. */
#define PARSE_SECONDS_MAX UINT64_C(1000000000)

/* parse_count reads decimal digits without sign or leading zeros, at most 2^63 - 1. */
bool parse_count(const char *text, size_t len, uint64_t *ret_value);
/* parse_duration reads "250ms", "30s", "1m30s", "2h", or a plain number of seconds, fractions allowed. What is longer
 * than PARSE_SECONDS_MAX is UINT64_MAX. */
bool parse_duration(const char *text, uint64_t *ret_ns);
/* parse_seconds turns a number of seconds into nanoseconds, likewise; false when it is negative or no number. */
bool parse_seconds(double seconds, uint64_t *ret_ns);
/* parse_quality reads the q of an Accept header, "0.5", in thousandths; false unless it is from 0 to 1. */
bool parse_quality(const char *text, size_t len, unsigned *ret_thousandths);

#define PARSE_POLICIES "equal or max-min"
/* parse_policy reads the name of a policy. */
bool parse_policy(const char *text, enum fair_policy *ret_policy);

#endif
