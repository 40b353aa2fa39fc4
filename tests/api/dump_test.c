/* SPDX-License-Identifier: MIT */
/* The dump reads back as what it was made of, and ends with a line's end. */
#include "check.h"

#include "dump.h"

TestSuite(dump);

static void expect_same(json_t *value)
{
	size_t len;
	char *text = dump_json(value, &len);
	json_t *back = json_loads(text, JSON_DECODE_ANY, NULL);

	cr_assert(value != NULL && back != NULL);
	cr_expect(json_equal(value, back), "%s", text);
	cr_expect(len == strlen(text) && text[len - 1] == '\n');
	free(text);
	json_decref(back);
}

Test(dump, reads_back_as_what_it_was)
{
	static const char *const values[] = {
		"{}",
		"[]",
		"{\"a\":{},\"b\":[],\"c\":[1,-2,[3]],\"d\":null,\"e\":true,\"f\":false}",
		"[0,1,-1,9223372036854775807,-9223372036854775808,9007199254740993]",
		"[0.412,0.1,1e-7,123456.789,2.5e200]",
		"[\"\",\"plain\",\"\\\"quoted\\\" \\\\ / \\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\",\"\xc3\xa4\xf0\x9f\x98\x80\"]",
		"{\"a\\\"b\":\"x\",\"\":1}",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *value = json_loads(values[i], 0, NULL);

		expect_same(value);
		json_decref(value);
	}
}

Test(dump, keeps_short_numbers_short)
{
	json_t *number = json_pack("[f]", 0.412);
	size_t len;
	char *text = dump_json(number, &len);

	cr_expect_str_eq(text, "[0.412]\n");
	free(text);
	json_decref(number);
}

Test(dump, grows_over_its_first_size)
{
	json_t *array = json_array();

	for (int i = 0; i < 5000; i++)
		json_array_append_new(array, json_string("some text that is not so short"));
	expect_same(array);
	json_decref(array);
}
