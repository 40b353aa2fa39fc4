/* SPDX-License-Identifier: MIT */
#include "urls.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

static uint32_t count_of(const char *text)
{
	uint32_t count = 0;

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		text += strcspn(text, BLANKS);
		count++;
	}
	return count;
}

char *urls_join(const char *const *urls, uint32_t count)
{
	size_t size = 1;
	char *text, *end;

	for (uint32_t i = 0; i < count; i++)
		size += strlen(urls[i]) + 1;
	text = end = calloc(1, size);
	for (uint32_t i = 0; text && i < count; i++) {
		if (i > 0)
			*end++ = ' ';
		end = stpcpy(end, urls[i]);
	}
	return text;
}

/* The texts lie behind the list that points to them. */
const char **urls_split(const char *text, uint32_t *ret_count)
{
	uint32_t count = count_of(text);
	const char **list = calloc(1, (count + 1) * sizeof(*list) + strlen(text) + 1);
	char *rest, *part;

	*ret_count = 0;
	if (!list)
		return NULL;
	rest = memcpy((char *)(list + count + 1), text, strlen(text) + 1);
	while ((part = strsep(&rest, BLANKS)) != NULL)
		if (*part)
			list[(*ret_count)++] = part;
	return list;
}

/* for_each writes an address for each slot. */
static char *for_each(const char *text, uint32_t count)
{
	char *all = NULL;
	size_t size;
	FILE *out = open_memstream(&all, &size);
	bool lost;

	if (!out)
		return NULL;
	for (uint32_t slot = 0; slot < count; slot++) {
		const char *rest = text, *at;

		if (slot > 0)
			fputc(' ', out);
		for (; (at = strstr(rest, URLS_SLOT)) != NULL; rest = at + strlen(URLS_SLOT))
			fprintf(out, "%.*s%u", (int)(at - rest), rest, (unsigned)slot);
		fputs(rest, out);
	}
	lost = ferror(out) != 0;
	if (fclose(out) != 0 || lost) {
		free(all);
		return NULL;
	}
	return all;
}

static const char *wrong_list(const char *const *urls, uint32_t count, uint32_t slots)
{
	for (uint32_t i = 0; i < count; i++)
		if (!text_is_url(urls[i]))
			return "has something that is no address: write them as ws://farm:9222/3, with spaces between";
	if (count != slots && count > 0 && !(count == 1 && strstr(urls[0], URLS_SLOT)))
		return "needs one address for each slot, or a single one in which " URLS_SLOT " stands for its number";
	return NULL;
}

char *urls_expand(const char *text, uint32_t count, const char **ret_wrong)
{
	uint32_t given;
	const char **list = urls_split(text, &given);
	char *all = NULL;

	*ret_wrong = list ? wrong_list(list, given, count) : "finds no memory";
	if (!*ret_wrong) {
		all = given == 1 && strstr(list[0], URLS_SLOT) ? for_each(list[0], count) : urls_join(list, given);
		*ret_wrong = all ? NULL : "finds no memory";
	}
	free(list);
	return all;
}
