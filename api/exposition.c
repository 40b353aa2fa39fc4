/* SPDX-License-Identifier: MIT */
#include "exposition.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16384
#define NUMBER_SIZE 32

static bool make_room(struct exposition *out, size_t size)
{
	size_t room = out->room > 0 ? out->room : ROOM_FIRST;
	char *text;

	if (size <= out->room - out->len)
		return true;
	while (room - out->len < size)
		room *= 2;
	text = realloc(out->text, room);
	if (text == NULL) {
		out->failed = true;
		return false;
	}
	out->text = text;
	out->room = room;
	return true;
}

static void put(struct exposition *out, const char *text, size_t len)
{
	if (out->failed || !make_room(out, len))
		return;
	memcpy(out->text + out->len, text, len);
	out->len += len;
}

static void put_text(struct exposition *out, const char *text)
{
	put(out, text, strlen(text));
}

void exposition_family(struct exposition *out, const char *name, const char *type, const char *help)
{
	out->family = name;
	out->lines += 2;
	put_text(out, "# HELP ");
	put_text(out, name);
	put_text(out, " ");
	put_text(out, help);
	put_text(out, "\n# TYPE ");
	put_text(out, name);
	put_text(out, " ");
	put_text(out, type);
	put_text(out, "\n");
}

/* Digits by hand: there are thousands of these. Of billionths the zeros at the end are left out: 0.1. */
static const char *number(char text[NUMBER_SIZE], uint64_t value, bool billionths)
{
	uint64_t whole = billionths ? value / 1000000000 : value, rest = billionths ? value % 1000000000 : 0;
	char *end = text + NUMBER_SIZE - 1, *at = end;

	*at = '\0';
	for (int places = 0; billionths && places < 9; places++, rest /= 10)
		if (at != end || rest % 10 != 0)
			*--at = (char)('0' + rest % 10);
	if (at != end)
		*--at = '.';
	do
		*--at = (char)('0' + whole % 10);
	while ((whole /= 10) > 0);
	return at;
}

static void sample(struct exposition *out, const char *suffix, const char *labels, const char *value)
{
	out->lines++;
	put_text(out, out->family);
	put_text(out, suffix);
	if (*labels != '\0') {
		put_text(out, "{");
		put_text(out, labels);
		put_text(out, "}");
	}
	put_text(out, " ");
	put_text(out, value);
	put_text(out, "\n");
}

static void labels_of(char text[EXPOSITION_LABELS_MAX], const char *format, va_list arguments)
{
	int len = vsnprintf(text, EXPOSITION_LABELS_MAX, format, arguments);

	assert(len >= 0 && len < EXPOSITION_LABELS_MAX);
}

void exposition_count(struct exposition *out, uint64_t value, const char *format, ...)
{
	char labels[EXPOSITION_LABELS_MAX], digits[NUMBER_SIZE];
	va_list arguments;

	va_start(arguments, format);
	labels_of(labels, format, arguments);
	va_end(arguments);
	sample(out, "", labels, number(digits, value, false));
}

void exposition_seconds(struct exposition *out, uint64_t ns, const char *format, ...)
{
	char labels[EXPOSITION_LABELS_MAX], digits[NUMBER_SIZE];
	va_list arguments;

	va_start(arguments, format);
	labels_of(labels, format, arguments);
	va_end(arguments);
	sample(out, "", labels, number(digits, ns, true));
}

static void bucket(struct exposition *out, const char *labels, const char *bound, uint64_t count)
{
	char all[EXPOSITION_LABELS_MAX + 32], digits[NUMBER_SIZE];

	snprintf(all, sizeof(all), "%s%sle=\"%s\"", labels, *labels != '\0' ? "," : "", bound);
	sample(out, "_bucket", all, number(digits, count, false));
}

static void end_histogram(struct exposition *out, const char *labels, uint64_t count, const char *sum)
{
	char digits[NUMBER_SIZE];

	bucket(out, labels, "+Inf", count);
	sample(out, "_sum", labels, sum);
	sample(out, "_count", labels, number(digits, count, false));
}

void exposition_spans(struct exposition *out, const struct fair_spans *spans, uint64_t least, uint64_t most,
					  const char *format, ...)
{
	char labels[EXPOSITION_LABELS_MAX], digits[NUMBER_SIZE];
	uint64_t count = 0;
	va_list arguments;

	va_start(arguments, format);
	labels_of(labels, format, arguments);
	va_end(arguments);
	for (int i = 0; i < FAIR_SPANS; i++) {
		count += spans->counts[i];
		if (fair_span_bounds[i] >= least && fair_span_bounds[i] <= most)
			bucket(out, labels, number(digits, fair_span_bounds[i], true), count);
	}
	end_histogram(out, labels, count + spans->counts[FAIR_SPANS], number(digits, spans->sum_ns, true));
}

void exposition_bins(struct exposition *out, const uint64_t *bins, unsigned count, uint64_t sum)
{
	char digits[NUMBER_SIZE];
	uint64_t seen = 0;

	for (unsigned i = 0; i + 1 < count; i++) {
		seen += bins[i];
		bucket(out, "", number(digits, UINT64_C(1) << i, false), seen);
	}
	end_histogram(out, "", seen + bins[count - 1], number(digits, sum, false));
}

char *exposition_take(struct exposition *out, size_t *ret_len)
{
	char *text = out->text;

	if (out->failed || text == NULL)
		return NULL;
	*ret_len = out->len;
	out->text = NULL;
	out->len = out->room = 0;
	return text;
}

void exposition_fini(struct exposition *out)
{
	free(out->text);
	out->text = NULL;
}
