/* SPDX-License-Identifier: MIT */
/* One request and its answer over libcurl; the only file that makes easy handles. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_MS 5000L

/* libcurl 7.88 lets children inherit its sockets. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)data;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
	struct exchange *exchange = data;
	size_t more = size * count;
	char *grown;

	if (more > BODY_MAX - exchange->size) {
		snprintf(exchange->failure, sizeof(exchange->failure), "the answer is longer than %u bytes", BODY_MAX);
		return 0;
	}
	grown = realloc(exchange->body, exchange->size + more + 1);
	if (grown == NULL) {
		exchange->no_memory = true;
		return 0;
	}
	exchange->body = grown;
	memcpy(grown + exchange->size, bytes, more);
	exchange->size += more;
	grown[exchange->size] = '\0';
	return more;
}

static bool add_header(struct exchange *exchange, const char *name, const char *value)
{
	struct curl_slist *longer;
	char *line;

	if (asprintf(&line, "%s:%s%s", name, value[0] != '\0' ? " " : "", value) < 0)
		return false;
	longer = curl_slist_append(exchange->headers, line);
	free(line);
	if (longer == NULL)
		return false;
	exchange->headers = longer;
	return true;
}

static bool set_headers(struct exchange *exchange, const struct request *request)
{
	const struct settings *settings = &exchange->loop->settings;

	return add_header(exchange, "Accept", "application/json") && add_header(exchange, "Expect", "") &&
		   (request->body == NULL || add_header(exchange, "Content-Type", "application/json")) &&
		   (request->key == NULL || add_header(exchange, "Idempotency-Key", request->key)) &&
		   (settings->authorization == NULL || add_header(exchange, "Authorization", settings->authorization)) &&
		   curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
}

static bool set_address(struct exchange *exchange, const struct request *request)
{
	const struct settings *settings = &exchange->loop->settings;
	CURL *easy = exchange->easy;
	char *url;
	bool set;

	if (asprintf(&url, "%s%s", settings->base, request->path) < 0)
		return false;
	set = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
		  (settings->socket_path == NULL ||
		   (curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, settings->socket_path) == CURLE_OK &&
			curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK));
	free(url);
	return set;
}

static bool set_request(struct exchange *exchange, const struct request *request)
{
	CURL *easy = exchange->easy;

	if (strcmp(request->method, "HEAD") == 0 && curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) != CURLE_OK)
		return false;
	if (request->body != NULL && curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body) != CURLE_OK)
		return false;
	return set_address(exchange, request) && set_headers(exchange, request) &&
		   curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK &&
		   curl_easy_setopt(easy, CURLOPT_USERAGENT, exchange->loop->settings.user_agent) == CURLE_OK &&
		   curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(request->timeout_seconds * 1000) + 1) == CURLE_OK;
}

static void set_manners(struct exchange *exchange)
{
	CURL *easy = exchange->easy;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->failure);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
}

struct exchange *exchange_begin(struct fairshare_loop *loop, const struct request *request,
								void (*done)(struct exchange *exchange), void *owner)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (exchange == NULL)
		return NULL;
	LIST_INSERT_HEAD(&loop->exchanges, exchange, link);
	exchange->loop = loop;
	exchange->done = done;
	exchange->owner = owner;
	exchange->begun_ns = fairshare_now_ns();
	exchange->easy = curl_easy_init();
	if (exchange->easy != NULL) {
		set_manners(exchange);
		if (set_request(exchange, request) && curl_multi_add_handle(loop->multi, exchange->easy) == CURLM_OK)
			return exchange;
	}
	exchange_drop(exchange);
	return NULL;
}

void exchange_drop(struct exchange *exchange)
{
	if (exchange == NULL)
		return;
	LIST_REMOVE(exchange, link);
	if (exchange->easy != NULL) {
		curl_multi_remove_handle(exchange->loop->multi, exchange->easy);
		curl_easy_cleanup(exchange->easy);
	}
	curl_slist_free_all(exchange->headers);
	free(exchange->body);
	free(exchange);
}

/* What nginx, an ingress or a tunnel says has no such type: its 404 is not the server's. */
static bool is_problem(const json_t *body)
{
	static const char prefix[] = "urn:fairshare:problem:";
	const char *type = json_string_value(json_object_get(body, "type"));

	return type != NULL && strncmp(type, prefix, sizeof(prefix) - 1) == 0 &&
		   json_is_string(json_object_get(body, "code"));
}

/* problem_error copies a problem: its detail, and for wrong values what is wrong with each. */
static void problem_error(const struct exchange *exchange, const json_t *body, struct fairshare_error *error)
{
	const char *detail = json_string_value(json_object_get(body, "detail"));
	int length;
	size_t i;
	json_t *fault;

	error->status = exchange->status;
	snprintf(error->code, sizeof(error->code), "%s", json_string_value(json_object_get(body, "code")));
	length = snprintf(error->message, sizeof(error->message), "%s", detail != NULL ? detail : error->code);
	json_array_foreach(json_object_get(body, "errors"), i, fault)
	{
		const char *pointer = json_string_value(json_object_get(fault, "pointer"));
		const char *parameter = json_string_value(json_object_get(fault, "parameter"));
		const char *what = json_string_value(json_object_get(fault, "detail"));
		const char *where = pointer != NULL ? pointer : parameter;

		if (length < 0 || (size_t)length >= sizeof(error->message))
			return;
		if (what != NULL && where != NULL && strstr(error->message, what) == NULL)
			length +=
				snprintf(error->message + length, sizeof(error->message) - (size_t)length, "; %s: %s", where, what);
	}
}

static enum verdict failed(const struct exchange *exchange, struct fairshare_error *error)
{
	if (exchange->no_memory || exchange->result == CURLE_OUT_OF_MEMORY) {
		(void)error_no_memory(error);
		return VERDICT_AGAIN;
	}
	(void)error_set(error, FAIRSHARE_E_UNREACHABLE, "no answer from %s: %s", exchange->loop->settings.url,
					exchange->failure[0] != '\0' ? exchange->failure : curl_easy_strerror(exchange->result));
	return VERDICT_AGAIN;
}

/* may_pass tells whether the same request may fare better a little later. */
static bool may_pass(const struct exchange *exchange, const char *code)
{
	int status = exchange->status;

	if (code != NULL && strcmp(code, "superseded") == 0)
		return true;
	if (code == NULL && (status == 404 || status == 405))
		return true;
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

enum verdict exchange_verdict(struct exchange *exchange, json_t **ret_body, struct fairshare_error *error)
{
	json_t *body = NULL;
	bool good;

	*ret_body = NULL;
	if (exchange->result != CURLE_OK)
		return failed(exchange, error);
	if (exchange->size > 0)
		body = json_loadb(exchange->body, exchange->size, 0, NULL);
	good = exchange->status >= 200 && exchange->status < 300;
	if (good && (exchange->size == 0 || body != NULL)) {
		*ret_body = body;
		return VERDICT_GOOD;
	}
	if (!good && is_problem(body)) {
		problem_error(exchange, body, error);
		*ret_body = body;
		return may_pass(exchange, error->code) ? VERDICT_AGAIN : VERDICT_REFUSED;
	}
	json_decref(body);
	(void)error_set(error, FAIRSHARE_E_UNREACHABLE,
					"the answer of %s has status %d and is not one of a fairshared: check the address, and what is in "
					"between",
					exchange->loop->settings.url, exchange->status);
	error->status = exchange->status;
	return good || may_pass(exchange, NULL) ? VERDICT_AGAIN : VERDICT_REFUSED;
}
