/* SPDX-License-Identifier: MIT */
/* Strict readers of the texts of flags, environment and file: the whole text must be the value, nothing is clamped. */
#ifndef FAIRSHARED_VALUE_H
#define FAIRSHARED_VALUE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define VALUE_DURATION_TEXT 64

/* value_number reads decimal digits. */
bool value_number(const char *text, uint64_t *ret_number);

/* value_fraction reads a number from 0 to 1. */
bool value_fraction(const char *text, double *ret);

/* value_thousandths reads a decimal number with at most three places, in thousandths. */
bool value_thousandths(const char *text, uint64_t *ret);

/* value_bool reads true or false. */
bool value_bool(const char *text, bool *ret_value);

/* value_duration reads 0.5 (seconds), 250ms, 30s, 1m30s, 2h, as the API does; fractions below a nanosecond are lost. */
bool value_duration(const char *text, uint64_t *ret_ns);

/* value_duration_text writes what value_duration reads. */
void value_duration_text(uint64_t ns, char text[VALUE_DURATION_TEXT]);

#define VALUE_LOCAL "unix:" /* what the name of a local socket begins with */

/* Where a socket listens. */
union value_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un local;
};

/* value_address reads 127.0.0.1:8080, [::1]:8080 or unix:/run/fairshared.sock: numeric, or an absolute path. */
bool value_address(const char *text, union value_address *ret);

/* value_address_port is the port of a numeric address. */
uint16_t value_address_port(const union value_address *address);

#endif
