/* SPDX-License-Identifier: MIT */
/*
 * Whether the end of a request can be told for sure. What could make two readers see two different requests is refused,
 * because libmicrohttpd lets it pass. (Its strict mode would refuse a missing Host and a space in the target, but
 * answers them with its status line twice.)
 */
#ifndef FAIRSHARED_FRAMING_H
#define FAIRSHARED_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

/* Of one request; begins as zeros. */
struct framing {
	bool bad;
	unsigned headers, hosts, codings;
	const char *length;              /* the first Content-Length, borrowed */
};

/* framing_target and framing_header look at the target as it was sent and at each header in turn. */
void framing_target(struct framing *framing, const char *target);
void framing_header(struct framing *framing, const char *name, const char *value);
/* framing_end is for when all headers have been seen: false when the request must be refused. */
bool framing_end(struct framing *framing, bool needs_host);
/* framing_announced is the length of the body as far as the headers of a good request tell it, else 0. */
uint64_t framing_announced(const struct framing *framing);

#endif
