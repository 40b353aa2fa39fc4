/* SPDX-License-Identifier: MIT */
/* What `top` fetches and draws. */
#ifndef FAIRSHARE_CLI_TOP_H
#define FAIRSHARE_CLI_TOP_H

#include <jansson.h>
#include <stdbool.h>

/* The last that is known of a pool. */
struct view {
	const char *url;
	const char *pool;
	json_t *stats;		   /* NULL: nothing was heard yet */
	json_t *line;		   /* pending leases, first come first */
	char failure[1024];	   /* why the last look failed; "" when it did not */
	double silent_seconds; /* since the last look that went well, or the begin */
	bool back;			   /* the connection was lost, and came back lately */
};

void top_colours(bool on);

/* top_draw draws the whole screen. */
void top_draw(const struct view *view);

#endif
