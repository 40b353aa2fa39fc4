/* SPDX-License-Identifier: MIT */
#include "framing.h"

#include "parse.h"

#include <string.h>
#include <strings.h>

void framing_target(struct framing *framing, const char *target)
{
	if (strchr(target, ' '))
		framing->bad = true;
}

/*
 * libmicrohttpd joins a continuation line to the name of its header: a length, a coding or a key on such a line would be
 * lost, and others would still read it. RFC 9112, 5.2 has it refused.
 */
static bool is_folded(const char *name)
{
	static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Idempotency-Key"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncasecmp(name, names[i], strlen(names[i])) && name[strlen(names[i])])
			return true;
	return false;
}

void framing_header(struct framing *framing, const char *name, const char *value)
{
	framing->headers++;
	if (!strcasecmp(name, "Content-Length")) {
		if (framing->length && strcmp(framing->length, value) != 0)
			framing->bad = true;
		framing->length = value;
	} else if (!strcasecmp(name, "Transfer-Encoding")) {
		if (strcasecmp(value, "chunked") != 0)
			framing->bad = true;
		framing->codings++;
	} else if (!strcasecmp(name, "Host")) {
		framing->hosts++;
	}
	/* A name with a space is read otherwise by others: RFC 9112, 5.1 has it refused. */
	if (strpbrk(name, " \t") || is_folded(name))
		framing->bad = true;
}

bool framing_end(struct framing *framing, bool needs_host)
{
	if (framing->codings > 1 || (framing->codings && framing->length) || framing->hosts > 1 ||
	    (framing->hosts == 0 && needs_host))
		framing->bad = true;
	return !framing->bad;
}

uint64_t framing_announced(const struct framing *framing)
{
	const char *digits = framing->length ? framing->length + strspn(framing->length, "0") : "";
	uint64_t size = 0;

	/* libmicrohttpd has seen to it that these are digits: what cannot be read is too large. */
	return !*digits || parse_count(digits, strlen(digits), &size) ? size : UINT64_MAX;
}
