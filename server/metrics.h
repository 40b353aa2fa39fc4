/* SPDX-License-Identifier: MIT */
/* What the process tells of itself at a scrape: HTTP, store, loop, and what every process tells. */
#ifndef FAIRSHARED_METRICS_H
#define FAIRSHARED_METRICS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "commit.h"
#include "http.h"

struct exposition;

struct metrics {
	const struct http *http;           /* borrowed, as the commit is */
	const struct commit *commit;
	struct fair_spans turns;           /* of the loop: the time from waking up to waiting again */
	int64_t started_ms;                /* since 1970 */
	DIR *descriptors;                  /* what is open, while that is counted; NULL: not yet */
	uint64_t open;
};

/* metrics_init notes when the process started. */
void metrics_init(struct metrics *metrics);
void metrics_fini(struct metrics *metrics);

/* metrics_write is api_config.metrics; context is the struct metrics, complete by then. */
bool metrics_write(void *context, unsigned part, struct exposition *out);

#endif
