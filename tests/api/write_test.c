/* SPDX-License-Identifier: MIT */
/* What is written reads back as what it was, one text after another, and ends with a line's end. */
#include "check.h"

#include "write.h"

TestSuite(write);

static void expect_written(struct writer *w, const char *expected)
{
	size_t len = 0;
	char *text = write_finish(w, &len);

	cr_assert_str_eq(text, expected);
	cr_expect(len == strlen(expected));
	free(text);
}

Test(write, objects_arrays_and_values_follow_each_other)
{
	struct writer *w = write_create();

	write_object(w, NULL);
	write_object(w, "none");
	write_object_end(w);
	write_array(w, "list");
	write_count(w, NULL, 1);
	write_array(w, NULL);
	write_array_end(w);
	write_null(w, NULL);
	write_array_end(w);
	write_bool(w, "yes", true);
	write_bool(w, "no", false);
	write_null(w, "nothing");
	write_string(w, "a\"b", "x");
	write_object_end(w);
	expect_written(w,
				   "{\"none\":{},\"list\":[1,[],null],\"yes\":true,\"no\":false,\"nothing\":null,\"a\\\"b\":\"x\"}\n");

	write_array(w, NULL);
	write_array_end(w);
	expect_written(w, "[]\n");
	write_destroy(w);
}

Test(write, numbers_are_exact_and_short)
{
	struct writer *w = write_create();

	write_array(w, NULL);
	write_count(w, NULL, 0);
	write_count(w, NULL, 9007199254740993);
	write_count(w, NULL, UINT64_MAX);
	write_ratio(w, NULL, 30000, 1000);
	write_ratio(w, NULL, 412, 1000);
	write_ratio(w, NULL, 100, 1000);
	write_ratio(w, NULL, 1, 1000);
	write_ratio(w, NULL, 10010, 1000);
	write_ratio(w, NULL, 1234567, 1000000);
	write_ratio(w, NULL, 0, 1000);
	write_array_end(w);
	expect_written(w, "[0,9007199254740993,18446744073709551615,30,0.412,0.1,0.001,10.01,1.234567,0]\n");
	write_destroy(w);
}

Test(write, texts_read_back_as_what_they_were)
{
	static const char *const texts[] = {"", "plain", "\"quoted\" \\ / \b\f\n\r\t\x01\x1f\x7f",
										"\xc3\xa4\xf0\x9f\x98\x80"};
	struct writer *w = write_create();
	size_t len, i;
	json_t *back, *value;
	char *text;

	write_array(w, NULL);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		write_string(w, NULL, texts[i]);
	write_array_end(w);
	text = write_finish(w, &len);
	back = json_loads(text, 0, NULL);
	cr_assert(back != NULL && json_array_size(back) == sizeof(texts) / sizeof(texts[0]));
	json_array_foreach(back, i, value) cr_expect_str_eq(json_string_value(value), texts[i]);
	json_decref(back);
	free(text);
	write_destroy(w);
}

Test(write, grows_over_its_first_size_and_again_after)
{
	struct writer *w = write_create();

	for (int round = 0; round < 2; round++) {
		size_t len = 0;
		json_t *back;
		char *text;

		write_array(w, NULL);
		for (int i = 0; i < 5000; i++)
			write_string(w, NULL, "some text that is not so short");
		write_array_end(w);
		text = write_finish(w, &len);
		back = json_loadb(text, len, 0, NULL);
		cr_expect(json_array_size(back) == 5000);
		cr_expect_str_eq(json_string_value(json_array_get(back, 4999)), "some text that is not so short");
		json_decref(back);
		free(text);
	}
	write_destroy(w);
}
