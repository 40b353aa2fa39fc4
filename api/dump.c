/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 1024 /* a lease takes about 450 bytes */

/* A text that grows. Once there was no memory for it `bytes` is NULL, and nothing is put any more. */
struct text {
	char *bytes;
	size_t len, size;
};

static bool room(struct text *text, size_t more)
{
	char *bytes;
	size_t size = text->size;

	if (text->bytes == NULL)
		return false;
	if (text->len + more <= size)
		return true;
	while (size < text->len + more)
		size *= 2;
	bytes = realloc(text->bytes, size);
	if (bytes == NULL)
		free(text->bytes);
	text->bytes = bytes;
	text->size = size;
	return bytes != NULL;
}

static void put(struct text *text, const char *bytes, size_t len)
{
	if (!room(text, len))
		return;
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void put_escape(struct text *text, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF", from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = strchr(from, c);
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	/* No string holds a NUL, so that strchr() does not find the end of `from`. */
	if (found != NULL)
		escape[1] = to[found - from];
	put(text, escape, found != NULL ? 2 : 6);
}

static void put_string(struct text *text, const char *string, size_t len)
{
	size_t from = 0;

	put(text, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)string[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		put(text, string + from, i - from);
		put_escape(text, c);
		from = i + 1;
	}
	put(text, string + from, len - from);
	put(text, "\"", 1);
}

static void put_integer(struct text *text, json_int_t value)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		digits[--at] = '-';
	put(text, digits + at, sizeof(digits) - at);
}

static void put_real(struct text *text, const json_t *value)
{
	char digits[40];
	size_t len = json_dumpb(value, digits, sizeof(digits), JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	put(text, digits, len <= sizeof(digits) ? len : 0);
}

static void put_value(struct text *text, json_t *value);

static void put_object(struct text *text, json_t *object)
{
	const char *name, *comma = "{";
	json_t *value;

	json_object_foreach(object, name, value)
	{
		put(text, comma, 1);
		put_string(text, name, strlen(name));
		put(text, ":", 1);
		put_value(text, value);
		comma = ",";
	}
	/* The brace that opens came with the first member. */
	put(text, "{", json_object_size(object) == 0 ? 1 : 0);
	put(text, "}", 1);
}

static void put_array(struct text *text, const json_t *array)
{
	put(text, "[", 1);
	for (size_t i = 0; i < json_array_size(array); i++) {
		put(text, ",", i > 0 ? 1 : 0);
		put_value(text, json_array_get(array, i));
	}
	put(text, "]", 1);
}

static void put_value(struct text *text, json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(text, value);
		break;
	case JSON_ARRAY:
		put_array(text, value);
		break;
	case JSON_STRING:
		put_string(text, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		put_integer(text, json_integer_value(value));
		break;
	case JSON_REAL:
		put_real(text, value);
		break;
	case JSON_TRUE:
		put(text, "true", 4);
		break;
	case JSON_FALSE:
		put(text, "false", 5);
		break;
	default:
		put(text, "null", 4);
	}
}

char *dump_json(json_t *value, size_t *ret_len)
{
	struct text text = {.bytes = malloc(FIRST_SIZE), .size = FIRST_SIZE};

	put_value(&text, value);
	put(&text, "", 1);
	*ret_len = text.bytes != NULL ? text.len - 1 : 0;
	return text.bytes;
}
