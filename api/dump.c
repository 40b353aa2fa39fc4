/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

/* 15 digits hold every number we write and keep 0.412 from becoming 0.41199999999999998. */
static yajl_gen_status put_real(yajl_gen gen, double number)
{
	char text[40];
	int len = snprintf(text, sizeof(text), "%.15g", number);

	return yajl_gen_number(gen, text, (size_t)len);
}

static yajl_gen_status put_string(yajl_gen gen, const char *text, size_t len)
{
	return yajl_gen_string(gen, (const unsigned char *)text, len);
}

static yajl_gen_status put(yajl_gen gen, json_t *value);

static yajl_gen_status put_object(yajl_gen gen, json_t *object)
{
	yajl_gen_status status = yajl_gen_map_open(gen);
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (status == yajl_gen_status_ok)
			status = put_string(gen, name, strlen(name));
		if (status == yajl_gen_status_ok)
			status = put(gen, value);
	}
	return status == yajl_gen_status_ok ? yajl_gen_map_close(gen) : status;
}

static yajl_gen_status put_array(yajl_gen gen, json_t *array)
{
	yajl_gen_status status = yajl_gen_array_open(gen);

	for (size_t i = 0; i < json_array_size(array) && status == yajl_gen_status_ok; i++)
		status = put(gen, json_array_get(array, i));
	return status == yajl_gen_status_ok ? yajl_gen_array_close(gen) : status;
}

static yajl_gen_status put(yajl_gen gen, json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_object(gen, value);
	case JSON_ARRAY:
		return put_array(gen, value);
	case JSON_STRING:
		return put_string(gen, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		return yajl_gen_integer(gen, json_integer_value(value));
	case JSON_REAL:
		return put_real(gen, json_real_value(value));
	case JSON_NULL:
		return yajl_gen_null(gen);
	default:
		return yajl_gen_bool(gen, json_is_true(value));
	}
}

/* The line that ends a body is for people at a terminal. */
char *dump_json(json_t *value, size_t *ret_len)
{
	yajl_gen gen = yajl_gen_alloc(NULL);
	const unsigned char *bytes;
	char *text = NULL;
	size_t len;

	if (!gen)
		return NULL;
	if (put(gen, value) == yajl_gen_status_ok && yajl_gen_get_buf(gen, &bytes, &len) == yajl_gen_status_ok)
		text = malloc(len + 2);
	if (text) {
		memcpy(text, bytes, len);
		memcpy(text + len, "\n", 2);
		*ret_len = len + 1;
	}
	yajl_gen_free(gen);
	return text;
}
