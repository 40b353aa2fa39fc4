/* SPDX-License-Identifier: MIT */
/* Requests that do not wait, and their answers. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

void client_options(struct fairshare_options *options, const struct common *common)
{
	FAIRSHARE_OPTIONS_INIT(options);
	options->url = common->url;
	options->tenant = common->tenant;
	options->pool = common->pool;
	options->user_agent = "fairshare-cli/" FAIRSHARE_CLIENT_VERSION;
}

struct fairshare_client *client_open(const struct common *common)
{
	struct fairshare_options options;
	struct fairshare_client *client;
	struct fairshare_error error;

	client_options(&options, common);
	if (fairshare_open(&client, &options, &error) == FAIRSHARE_OK)
		return client;
	complain_of(&error);
	return NULL;
}

bool ask(struct fairshare_client *client, const char *method, const char *path, const char *body, json_t **ret_json)
{
	struct fairshare_answer answer;
	struct fairshare_error error;
	bool good = fairshare_request(client, method, path, body, REQUEST_SECONDS, &answer, &error) == FAIRSHARE_OK;

	*ret_json = NULL;
	if (!good)
		complain_of(&error);
	else if (answer.size > 0)
		*ret_json = json_loadb(answer.body, answer.size, 0, NULL);
	if (good && answer.size > 0 && *ret_json == NULL) {
		complain("the answer of %s is no JSON: check the address", fairshare_client_url(client));
		good = false;
	}
	fairshare_answer_fini(&answer);
	return good;
}

static char *escape(const char *text)
{
	char *escaped = fairshare_escape(text);

	if (escaped == NULL)
		no_memory();
	return escaped;
}

char *path_make(const char *prefix, const char *name)
{
	char *escaped = escape(name);
	char *path;

	if (asprintf(&path, "%s%s", prefix, escaped) < 0)
		no_memory();
	free(escaped);
	return path;
}

void path_add(char **path, const char *name, const char *value)
{
	char *escaped, *longer;

	if (value == NULL)
		return;
	escaped = escape(value);
	if (asprintf(&longer, "%s%c%s=%s", *path, strchr(*path, '?') == NULL ? '?' : '&', name, escaped) < 0)
		no_memory();
	free(escaped);
	free(*path);
	*path = longer;
}

json_t *ask_pages(struct fairshare_client *client, const char *path)
{
	json_t *items = json_array();
	json_t *page = NULL;
	const char *cursor = NULL;

	do {
		char *next = strdup(path);

		if (next == NULL || items == NULL)
			no_memory();
		path_add(&next, "cursor", cursor);
		json_decref(page);
		if (!ask(client, "GET", next, NULL, &page)) {
			free(next);
			json_decref(items);
			return NULL;
		}
		free(next);
		json_array_extend(items, json_object_get(page, "items"));
		cursor = json_string_value(json_object_get(page, "next_cursor"));
	} while (cursor != NULL);
	json_decref(page);
	return json_pack("{s:o, s:n}", "items", items, "next_cursor");
}
