/* SPDX-License-Identifier: MIT */
/* The dump of our own says what jansson's says. */
#include "check.h"

#include "dump.h"

TestSuite(dump);

Test(dump, is_that_of_jansson)
{
	static const char *const values[] = {
		"{}",
		"[]",
		"{\"a\":{},\"b\":[],\"c\":[1,-2,[3]],\"d\":null,\"e\":true,\"f\":false}",
		"[0,-0,1,-1,9223372036854775807,-9223372036854775808,9007199254740993]",
		"[0.412,0.1,1e-7,123456.789,2.5e200]",
		"[\"\",\"plain\",\"\\\"quoted\\\" \\\\ / \\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\",\"\xc3\xa4\xf0\x9f\x98\x80\"]",
		"{\"a\\\"b\":\"x\",\"\":1}",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *value = json_loads(values[i], 0, NULL);
		char *wanted = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15)), *found;
		size_t len;

		cr_assert(value != NULL);
		found = dump_json(value, &len);
		cr_expect_str_eq(found, wanted);
		cr_expect(len == strlen(wanted));
		free(found);
		free(wanted);
		json_decref(value);
	}
}

Test(dump, grows_over_its_first_size)
{
	json_t *array = json_array();
	char *found, *wanted;
	size_t len;

	for (int i = 0; i < 5000; i++)
		json_array_append_new(array, json_string("some text that is not so short"));
	found = dump_json(array, &len);
	wanted = json_dumps(array, JSON_COMPACT);
	cr_expect_str_eq(found, wanted);
	free(found);
	free(wanted);
	json_decref(array);
}
