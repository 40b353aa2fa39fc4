/* SPDX-License-Identifier: MIT */
/* Strict readers of the texts of flags, environment and file: the whole text must be the value, nothing is clamped. */
#ifndef FAIRSHARED_VALUE_H
#define FAIRSHARED_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_DURATION_TEXT 64

/* value_number reads decimal digits. */
bool value_number(const char *text, uint64_t *ret_number);

/* value_fraction reads a number from 0 to 1. */
bool value_fraction(const char *text, double *ret);

/* value_bool reads true or false. */
bool value_bool(const char *text, bool *ret_value);

/* value_duration reads 0.5 (seconds), 250ms, 30s, 1m30s, 2h, as the API does; fractions below a nanosecond are lost. */
bool value_duration(const char *text, uint64_t *ret_ns);

/* value_duration_text writes what value_duration reads. */
void value_duration_text(uint64_t ns, char text[VALUE_DURATION_TEXT]);

/* value_address splits 127.0.0.1:8080 or [::1]:8080 into a numeric host and a port. */
bool value_address(const char *text, char *ret_host, size_t host_size, uint16_t *ret_port);

#endif
