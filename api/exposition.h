/* SPDX-License-Identifier: MIT */
/*
 * Metrics in Prometheus' text format 0.0.4. Families follow each other, and all samples of a family its head. A lack of
 * memory shows at exposition_take() only. Values of labels must need no escapes: names of ours do not.
 */
#ifndef FAIRSHARED_API_EXPOSITION_H
#define FAIRSHARED_API_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fair.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_LABELS_MAX 512

struct exposition {
	const char *family; /* the name of the family that is being written */
	char *text;
	size_t len, room;
	uint32_t lines;
	bool failed;
};

/* exposition_family begins one: name (kept by reference), "gauge", "counter" or "histogram", and a sentence. */
void exposition_family(struct exposition *out, const char *name, const char *type, const char *help);
/* The samples: labels as a format, "" for none. exposition_seconds takes nanoseconds. */
void exposition_count(struct exposition *out, uint64_t value, const char *labels, ...) __attribute__((format(printf, 3, 4)));
void exposition_seconds(struct exposition *out, uint64_t ns, const char *labels, ...) __attribute__((format(printf, 3, 4)));
/* exposition_spans writes a histogram; only the bounds from `least` to `most` ns are shown. */
void exposition_spans(struct exposition *out, const struct fair_spans *spans, uint64_t least, uint64_t most,
					  const char *labels, ...) __attribute__((format(printf, 5, 6)));
/* exposition_bins writes a histogram of counts: bins[i] are values of at most 2^i, the last of `count` any. */
void exposition_bins(struct exposition *out, const uint64_t *bins, unsigned count, uint64_t sum);

/* exposition_take takes the text (heap); NULL without memory. */
char *exposition_take(struct exposition *out, size_t *ret_len);
void exposition_fini(struct exposition *out);

#endif
