/* SPDX-License-Identifier: MIT */
#include "write.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#define ROOM_FIRST 1024
#define ROOM_KEPT 65536 /* a longer text gives its memory back */

struct writer {
	yajl_gen gen;
	char *text;
	size_t len, room;
	bool failed;
};

static bool make_room(struct writer *w, size_t size)
{
	size_t room = w->room > 0 ? w->room : ROOM_FIRST;
	char *text;

	while (room - w->len < size)
		room *= 2;
	text = realloc(w->text, room);
	if (text == NULL)
		return false;
	w->text = text;
	w->room = room;
	return true;
}

static void append(void *context, const char *bytes, size_t len)
{
	struct writer *w = context;

	if (len > w->room - w->len && !make_room(w, len)) {
		w->failed = true;
		return;
	}
	if (len == 1)
		w->text[w->len] = *bytes; /* two of three pieces are a sign */
	else
		memcpy(w->text + w->len, bytes, len);
	w->len += len;
}

struct writer *write_create(void)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (w != NULL)
		w->gen = yajl_gen_alloc(NULL);
	if (w == NULL || w->gen == NULL) {
		free(w);
		return NULL;
	}
	yajl_gen_config(w->gen, yajl_gen_print_callback, append, w);
	return w;
}

void write_destroy(struct writer *w)
{
	if (w == NULL)
		return;
	yajl_gen_free(w->gen);
	free(w->text);
	free(w);
}

static void check(struct writer *w, yajl_gen_status status)
{
	if (status != yajl_gen_status_ok)
		w->failed = true;
}

static void put_string(struct writer *w, const char *text)
{
	check(w, yajl_gen_string(w->gen, (const unsigned char *)text, strlen(text)));
}

static void put_name(struct writer *w, const char *name)
{
	if (name != NULL)
		put_string(w, name);
}

void write_object(struct writer *w, const char *name)
{
	put_name(w, name);
	check(w, yajl_gen_map_open(w->gen));
}

void write_object_end(struct writer *w)
{
	check(w, yajl_gen_map_close(w->gen));
}

void write_array(struct writer *w, const char *name)
{
	put_name(w, name);
	check(w, yajl_gen_array_open(w->gen));
}

void write_array_end(struct writer *w)
{
	check(w, yajl_gen_array_close(w->gen));
}

void write_string(struct writer *w, const char *name, const char *value)
{
	put_name(w, name);
	put_string(w, value);
}

void write_count(struct writer *w, const char *name, uint64_t value)
{
	write_ratio(w, name, value, 1);
}

void write_count_or_null(struct writer *w, const char *name, uint64_t value)
{
	if (value > 0)
		write_count(w, name, value);
	else
		write_null(w, name);
}

/* Digits by hand: printf was a tenth of the time of a reply. */
static void write_number(struct writer *w, const char *name, bool negative, uint64_t count, uint64_t per_one)
{
	char text[48], *end = text + sizeof(text), *at = end;
	uint64_t whole = count / per_one, rest = count % per_one;

	/* Trailing zeros of the fraction are left out. */
	for (bool digits = false; per_one > 1; per_one /= 10, rest /= 10) {
		digits = digits || rest % 10 != 0;
		if (digits)
			*--at = (char)('0' + rest % 10);
	}
	if (at != end)
		*--at = '.';
	do
		*--at = (char)('0' + whole % 10);
	while ((whole /= 10) > 0);
	if (negative)
		*--at = '-';
	put_name(w, name);
	check(w, yajl_gen_number(w->gen, at, (size_t)(end - at)));
}

void write_ratio(struct writer *w, const char *name, uint64_t count, uint64_t per_one)
{
	write_number(w, name, false, count, per_one);
}

void write_integer(struct writer *w, const char *name, int64_t value)
{
	write_number(w, name, value < 0, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);
}

void write_bool(struct writer *w, const char *name, bool value)
{
	put_name(w, name);
	check(w, yajl_gen_bool(w->gen, value));
}

void write_null(struct writer *w, const char *name)
{
	put_name(w, name);
	check(w, yajl_gen_null(w->gen));
}

static void begin_anew(struct writer *w)
{
	yajl_gen_reset(w->gen, NULL);
	w->len = 0;
	w->failed = false;
	if (w->room <= ROOM_KEPT)
		return;
	free(w->text);
	w->text = NULL;
	w->room = 0;
}

char *write_finish(struct writer *w, size_t *ret_len)
{
	char *text = NULL;

	append(w, "\n", 2);
	if (!w->failed && w->room > ROOM_KEPT) { /* it would be given back anyway */
		text = w->text;
		w->text = NULL;
		w->room = 0;
	} else if (!w->failed) {
		text = malloc(w->len);
		if (text != NULL)
			memcpy(text, w->text, w->len);
	}
	*ret_len = w->len - 1;
	begin_anew(w);
	return text;
}
