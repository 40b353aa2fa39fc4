/* SPDX-License-Identifier: MIT */
/* Plays the scenarios with libfairshare-client, as tests/clients/README.md says. A thread for each acquire. */
#include <fairshare/client.h>

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACQUIRES_MAX 4096
#define LINE_MAX_BYTES 65536

struct acquire {
	char name[64];
	struct fairshare_acquire_options options;
	struct fairshare_cancel *cancel;
	struct fairshare_lease *lease; /* set under the lock */
	pthread_t thread;
	bool joined;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fairshare_client *client;
static struct acquire *acquires[ACQUIRES_MAX];
static size_t acquire_count;

/* emit writes one event and takes it over. */
static void emit(json_t *event)
{
	char *line = json_dumps(event, JSON_COMPACT);

	printf("%s\n", line);
	fflush(stdout);
	free(line);
	json_decref(event);
}

static void emit_error(const char *name, const struct fairshare_error *error)
{
	json_t *event = json_pack("{s:s, s:s, s:s}", "event", "error", "code", error->code, "message", error->message);

	if (name != NULL)
		json_object_set_new(event, "name", json_string(name));
	emit(event);
}

static struct acquire *find(const char *name)
{
	for (size_t i = acquire_count; i-- > 0;)
		if (strcmp(acquires[i]->name, name) == 0)
			return acquires[i];
	fprintf(stderr, "c_driver: there is no acquire '%s'\n", name);
	exit(2);
}

/* name_of tells whose lease it is, NULL where it is released. */
static const char *name_of(const struct fairshare_lease *lease)
{
	const char *name = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < acquire_count; i++)
		if (acquires[i]->lease == lease)
			name = acquires[i]->name;
	pthread_mutex_unlock(&lock);
	return name;
}

static void on_lost(void *data, struct fairshare_lease *lease, const char *reason)
{
	const char *name = name_of(lease);

	(void)data;
	if (name != NULL)
		emit(json_pack("{s:s, s:s, s:s}", "event", "lost", "name", name, "reason", reason));
}

static void on_reclaim(void *data, struct fairshare_lease *lease, double by_seconds)
{
	const char *name = name_of(lease);

	(void)data;
	if (name != NULL)
		emit(json_pack("{s:s, s:s, s:f}", "event", "reclaim", "name", name, "by_seconds", by_seconds));
}

static void *run_acquire(void *data)
{
	struct acquire *acquire = data;
	struct fairshare_lease *lease = NULL;
	struct fairshare_error error;
	enum fairshare_err err;

	err = fairshare_acquire(client, &acquire->options, &lease, &error);
	if (err == FAIRSHARE_OK) {
		pthread_mutex_lock(&lock);
		acquire->lease = lease;
		pthread_mutex_unlock(&lock);
		emit(json_pack("{s:s, s:s, s:o}", "event", "granted", "name", acquire->name, "lease",
					   json_loads(fairshare_lease_json(lease), 0, NULL)));
	} else if (err == FAIRSHARE_E_NO_SLOT || err == FAIRSHARE_E_CANCELLED) {
		emit(json_pack("{s:s, s:s}", "event", fairshare_err_text(err), "name", acquire->name));
	} else {
		emit_error(acquire->name, &error);
	}
	return NULL;
}

static void do_open(const json_t *command)
{
	struct fairshare_options options;
	struct fairshare_error error;

	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = json_string_value(json_object_get(command, "url"));
	options.tenant = json_string_value(json_object_get(command, "tenant"));
	options.pool = json_string_value(json_object_get(command, "pool"));
	options.label = json_string_value(json_object_get(command, "label"));
	options.ttl_seconds = json_number_value(json_object_get(command, "ttl"));
	options.register_tenant = json_is_true(json_object_get(command, "register"));
	options.lost = on_lost;
	options.reclaim = on_reclaim;
	if (fairshare_open(&client, &options, &error) == FAIRSHARE_OK)
		emit(json_pack("{s:s}", "event", "opened"));
	else
		emit_error(NULL, &error);
}

static void do_acquire(const json_t *command, const char *name)
{
	struct acquire *acquire = calloc(1, sizeof(*acquire));
	json_t *timeout = json_object_get(command, "timeout");

	if (acquire == NULL || acquire_count == ACQUIRES_MAX ||
		fairshare_cancel_create(client, &acquire->cancel) != FAIRSHARE_OK) {
		fprintf(stderr, "c_driver: no room for another acquire\n");
		exit(2);
	}
	snprintf(acquire->name, sizeof(acquire->name), "%s", name);
	FAIRSHARE_ACQUIRE_OPTIONS_INIT(&acquire->options);
	if (json_is_number(timeout))
		acquire->options.timeout_seconds = json_number_value(timeout);
	acquire->options.cancel = acquire->cancel;
	acquire->options.slots = (uint32_t)json_integer_value(json_object_get(command, "slots"));
	acquire->options.priority = (int32_t)json_integer_value(json_object_get(command, "priority"));
	acquire->options.max_lease_seconds = json_number_value(json_object_get(command, "max_lease"));
	pthread_mutex_lock(&lock);
	acquires[acquire_count++] = acquire;
	pthread_mutex_unlock(&lock);
	pthread_create(&acquire->thread, NULL, run_acquire, acquire);
}

static void join(struct acquire *acquire)
{
	if (!acquire->joined)
		pthread_join(acquire->thread, NULL);
	acquire->joined = true;
}

static void do_release(const char *name)
{
	struct acquire *acquire = find(name);
	struct fairshare_lease *lease;
	struct fairshare_error error;
	enum fairshare_err err;

	join(acquire);
	pthread_mutex_lock(&lock);
	lease = acquire->lease;
	acquire->lease = NULL;
	pthread_mutex_unlock(&lock);
	err = fairshare_release(lease, &error);
	if (err == FAIRSHARE_OK)
		emit(json_pack("{s:s, s:s}", "event", "released", "name", name));
	else
		emit_error(name, &error);
}

/* A close wakes the acquires that wait; they are joined before anything of theirs is freed. */
static void do_close(void)
{
	fairshare_close(client);
	client = NULL;
	for (size_t i = 0; i < acquire_count; i++) {
		join(acquires[i]);
		(void)fairshare_release(acquires[i]->lease, NULL);
		fairshare_cancel_destroy(acquires[i]->cancel);
		free(acquires[i]);
	}
	acquire_count = 0;
}

static void do_command(const json_t *command)
{
	const char *what = json_string_value(json_object_get(command, "cmd"));
	const char *name = json_string_value(json_object_get(command, "name"));

	if (strcmp(what, "open") == 0) {
		do_open(command);
	} else if (strcmp(what, "acquire") == 0) {
		do_acquire(command, name);
	} else if (strcmp(what, "cancel") == 0) {
		fairshare_cancel(find(name)->cancel);
	} else if (strcmp(what, "release") == 0) {
		do_release(name);
	} else if (strcmp(what, "block") == 0) {
		usleep((useconds_t)(1e6 * json_number_value(json_object_get(command, "seconds"))));
		emit(json_pack("{s:s}", "event", "unblocked"));
	} else if (strcmp(what, "close") == 0) {
		do_close();
		emit(json_pack("{s:s}", "event", "closed"));
	} else {
		fprintf(stderr, "c_driver: unknown command '%s'\n", what);
		exit(2);
	}
}

int main(void)
{
	static char line[LINE_MAX_BYTES];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		json_t *command = json_loads(line, 0, NULL);

		if (command == NULL) {
			fprintf(stderr, "c_driver: this is no JSON: %s", line);
			return 2;
		}
		do_command(command);
		json_decref(command);
	}
	do_close();
	return 0;
}
