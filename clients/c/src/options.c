/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_URL "http://127.0.0.1:8080"
#define SECONDS_MAX 1e9 /* so that sums of instants do not overflow; the server has limits of its own */

void fairshare_options_init(struct fairshare_options *options, size_t size)
{
	memset(options, 0, size);
	options->size = size;
}

void fairshare_acquire_options_init(struct fairshare_acquire_options *options, size_t size)
{
	memset(options, 0, size);
	options->size = size;
	options->timeout_seconds = FAIRSHARE_FOREVER;
}

/* check_size refuses options nobody initialised, and those of a later version, whose members would be left out. */
static enum fairshare_err check_size(size_t size, size_t known, const char *name, struct fairshare_error *error)
{
	if (size == known)
		return FAIRSHARE_OK;
	return error_set(error, FAIRSHARE_E_INVALID,
					 "the options have size %zu and not %zu: initialise them with %s, and compile against the version "
					 "of the library that runs",
					 size, known, name);
}

static enum fairshare_err check_seconds(const char *name, double seconds, const char *zero_is,
										struct fairshare_error *error)
{
	if (seconds >= 0 && seconds <= SECONDS_MAX)
		return FAIRSHARE_OK;
	return error_set(error, FAIRSHARE_E_INVALID, "%s is %g: give a number of seconds, or 0 for the %s", name, seconds,
					 zero_is);
}

/* first_of returns what the caller gave, else the variable, else the default; an empty variable is none. */
static const char *first_of(const char *given, const char *variable, const char *otherwise)
{
	const char *value;

	if (given != NULL)
		return given;
	value = getenv(variable);
	return value != NULL && value[0] != '\0' ? value : otherwise;
}

static bool copy(char **ret, const char *text)
{
	if (text == NULL)
		return true;
	*ret = strdup(text);
	return *ret != NULL;
}

static bool bearer(char **ret, const char *token)
{
	return token == NULL || asprintf(ret, "Bearer %s", token) >= 0;
}

/* is_server tells whether a server can be there: its parts are right, and there is nothing that we would not send. */
static bool is_server(const char *url)
{
	static const CURLUPart strange[] = {CURLUPART_QUERY, CURLUPART_FRAGMENT, CURLUPART_USER};
	CURLU *parts = curl_url();
	bool right = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
	char *text;

	for (size_t i = 0; right && i < sizeof(strange) / sizeof(strange[0]); i++) {
		if (curl_url_get(parts, strange[i], &text, 0) != CURLUE_OK)
			continue;
		curl_free(text);
		right = false;
	}
	curl_url_cleanup(parts);
	return right;
}

/* split_url tells whether the url is of a form we know; base and socket_path stay NULL without memory. */
static bool split_url(struct settings *settings, const char *url)
{
	size_t length = strlen(url);

	if (strncmp(url, "unix:/", 6) == 0) {
		settings->socket_path = strdup(url + 5);
		settings->base = strdup("http://localhost");
		return true;
	}
	if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || !is_server(url))
		return false;
	while (length > 0 && url[length - 1] == '/')
		length--;
	settings->base = strndup(url, length);
	return true;
}

/*
 * The instance is host:pid, the same for all who look at the process; a second client in it gets a number besides, or
 * the close of one would take back the registration of the other.
 */
static char *make_instance(const char *host)
{
	static atomic_uint made;
	unsigned number = atomic_fetch_add(&made, 1) + 1;
	char *instance = NULL;
	int length = number == 1 ? asprintf(&instance, "%s:%d", host, (int)getpid())
							 : asprintf(&instance, "%s:%d:%u", host, (int)getpid(), number);

	if (length < 0)
		return NULL;
	for (char *c = instance; *c != '\0'; c++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-", *c) == NULL)
			*c = '-';
	return instance;
}

static bool fill(struct settings *settings, const struct fairshare_options *options, const char *url)
{
	char host[65] = "localhost";
	char label[96];

	gethostname(host, sizeof(host) - 1);
	snprintf(label, sizeof(label), "%s:%d", host, (int)getpid());
	settings->ttl_seconds = options->ttl_seconds;
	settings->lost = options->lost;
	settings->lost_data = options->lost_data;
	settings->reclaim = options->reclaim;
	settings->reclaim_data = options->reclaim_data;
	if (options->register_tenant && (settings->instance = make_instance(host)) == NULL)
		return false;
	return settings->base != NULL && copy(&settings->url, url) &&
		   copy(&settings->tenant, first_of(options->tenant, "FAIRSHARE_TENANT", NULL)) &&
		   copy(&settings->pool, first_of(options->pool, "FAIRSHARE_POOL", "default")) &&
		   bearer(&settings->authorization, first_of(options->token, "FAIRSHARE_TOKEN", NULL)) &&
		   copy(&settings->label, options->label != NULL ? options->label : label) &&
		   copy(&settings->user_agent,
				options->user_agent != NULL ? options->user_agent : "fairshare-c/" FAIRSHARE_CLIENT_VERSION);
}

/* A line break would smuggle headers in. */
static enum fairshare_err check_header(const char *what, const char *value, struct fairshare_error *error)
{
	for (const char *c = value; c != NULL && *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return error_set(error, FAIRSHARE_E_INVALID, "the %s contains control characters: leave them out", what);
	return FAIRSHARE_OK;
}

enum fairshare_err settings_init(struct settings *settings, const struct fairshare_options *options,
								 struct fairshare_error *error)
{
	struct fairshare_options defaults;
	enum fairshare_err err;
	const char *url;

	*settings = (struct settings){0};
	FAIRSHARE_OPTIONS_INIT(&defaults);
	if (options == NULL)
		options = &defaults;
	err = check_size(options->size, sizeof(*options), "FAIRSHARE_OPTIONS_INIT", error);
	if (err != FAIRSHARE_OK)
		return err;
	err = check_seconds("ttl_seconds", options->ttl_seconds, "pool's", error);
	if (err != FAIRSHARE_OK)
		return err;
	url = first_of(options->url, "FAIRSHARE_URL", DEFAULT_URL);
	if (!split_url(settings, url))
		return error_set(error, FAIRSHARE_E_INVALID,
						 "the url is '%s': give http://HOST:PORT, https://HOST or unix:/PATH, also as FAIRSHARE_URL",
						 url);
	if (!fill(settings, options, url))
		err = error_no_memory(error);
	else if (settings->instance != NULL && settings->tenant == NULL)
		err = error_set(error, FAIRSHARE_E_INVALID,
						"there is no tenant to register: name one in the options or as FAIRSHARE_TENANT");
	if (err == FAIRSHARE_OK)
		err = check_header("token", settings->authorization, error);
	if (err == FAIRSHARE_OK)
		err = check_header("user agent", settings->user_agent, error);
	if (err != FAIRSHARE_OK)
		settings_fini(settings);
	return err;
}

void settings_fini(struct settings *settings)
{
	free(settings->url);
	free(settings->base);
	free(settings->socket_path);
	free(settings->tenant);
	free(settings->pool);
	free(settings->authorization);
	free(settings->label);
	free(settings->user_agent);
	free(settings->instance);
	*settings = (struct settings){0};
}

enum fairshare_err acquire_options_read(struct fairshare_acquire_options *ret_options,
										const struct fairshare_acquire_options *options, struct fairshare_error *error)
{
	enum fairshare_err err;

	FAIRSHARE_ACQUIRE_OPTIONS_INIT(ret_options);
	if (options == NULL)
		return FAIRSHARE_OK;
	err = check_size(options->size, sizeof(*options), "FAIRSHARE_ACQUIRE_OPTIONS_INIT", error);
	if (err != FAIRSHARE_OK)
		return err;
	if (!(options->timeout_seconds >= 0) && options->timeout_seconds != FAIRSHARE_FOREVER)
		return error_set(error, FAIRSHARE_E_INVALID, "timeout_seconds is %g: give 0, seconds or FAIRSHARE_FOREVER",
						 options->timeout_seconds);
	err = check_seconds("ttl_seconds", options->ttl_seconds, "client's", error);
	if (err == FAIRSHARE_OK)
		err = check_seconds("max_lease_seconds", options->max_lease_seconds, "pool's", error);
	if (err != FAIRSHARE_OK)
		return err;
	*ret_options = *options;
	return FAIRSHARE_OK;
}
