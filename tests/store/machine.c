/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define FLIGHT_MAX_MS 20000

/* The log of a server that falls a thousand times; what it says is tested elsewhere. */
void log_say(enum log_level level, const char *message)
{
	(void)level;
	(void)message;
}

void log_text(enum log_level level, const char *message, const char *name, const char *text_)
{
	(void)name;
	(void)text_;
	log_say(level, message);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, unsigned count)
{
	(void)fields;
	(void)count;
	log_say(level, message);
}

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

uint64_t machine_dice(struct machine *m, uint64_t sides)
{
	m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (m->random >> 33) % sides;
}

/* ---- the hooks ---- */

static void on_answer(void *context, struct api_request *request, struct api_reply *reply)
{
	struct exchange *e = (struct exchange *)((char *)request - offsetof(struct exchange, request));

	struct machine *m = context;

	if (e->answered)
		abort();
	DL_DELETE(m->open, e);
	DL_APPEND(m->answers, e);
	e->answered = true;
	e->made = m->now;
	e->reply = *reply;
	if (reply->body && strstr(reply->content_type, "json"))
		e->json = must(json_loadb(reply->body, reply->body_len, JSON_REJECT_DUPLICATES, NULL));
}

static uint64_t on_store(void *context, const struct fair_event *event)
{
	return commit_event(((struct machine *)context)->commit, event);
}

static void on_random(void *context, void *bytes, size_t size)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)machine_dice(context, 256);
}

/* ---- flights ---- */

static struct machine *flying; /* there is one machine at a time */

static void on_commit(struct store *store, uint64_t now, const struct batch *batch)
{
	flying->flies = true;
	flying->real_ops->commit(store, now, batch);
}

static enum store_state on_ended(struct store *store, uint64_t now)
{
	enum store_state state = flying->real_ops->ended(store, now);

	if (state != STORE_BUSY)
		flying->flies = false;
	return state;
}

static void watch_flights(struct machine *m)
{
	flying = m;
	m->flies = false;
	m->real_ops = m->store->ops;
	m->ops = *m->real_ops;
	m->ops.commit = on_commit;
	m->ops.ended = on_ended;
	m->store->ops = &m->ops;
}

/* ---- starting: as server_start ---- */

static bool core_create(struct machine *m, uint64_t stored_token)
{
	struct fair_config core = fair_config_default();
	uint64_t by_clock = m->now / MS * 1000;

	on_random(m, &core.hash_seed, sizeof(core.hash_seed));
	core.first_token = stored_token > by_clock ? stored_token : by_clock;
	core.queue_grace_ns = m->config->queue_grace_ns;
	core.claim_ns = m->config->claim_ns;
	core.key_memory_ns = m->config->key_memory_ns;
	m->fair = fair_create(&core);
	return m->fair && pools_add(m->pools, m->fair);
}

static bool state_create(struct machine *m, const char *path, enum store_durability durability, char *error)
{
	char reason[STORE_ERROR_MAX];
	uint64_t token;

	m->store = store_sqlite_create(path, durability, reason);
	if (!m->store || !store_next_token(m->store, &token, reason))
		return config_fail(error, "%s", reason);
	watch_flights(m);
	if (!pools_load(m->pools, m->store, error))
		return false;
	if (!core_create(m, token))
		return config_fail(error, "out of memory");
	if (!store_load(m->store, m->fair, m->now, reason))
		return config_fail(error, "%s", reason);
	return pools_keep(m->pools, m->store, error);
}

static bool has_places(struct machine *m)
{
	struct fair_pool_view view;
	const char *pool;

	for (uint32_t i = 0; (pool = fair_pool_name(m->fair, i)) != NULL; i++)
		if (fair_pool_get(m->fair, m->now, pool, &view) == FAIR_OK && view.absent > 0)
			return true;
	return false;
}

bool machine_start(struct machine *m, const char *path, enum store_durability durability, char error[CONFIG_ERROR_MAX])
{
	const struct api_hooks hooks = {.context = m, .answer = on_answer, .store = on_store, .random = on_random};
	struct api_config api = api_config_default();

	m->store = NULL;
	m->fair = NULL;
	m->api = NULL;
	m->commit = NULL;
	m->pools = pools_create(m->config, error);
	if (!m->pools || !state_create(m, path, durability, error))
		return false;
	api.version = "0";
	m->api = must(api_create(m->fair, &api, &hooks, m->now));
	m->commit =
		must(commit_create(m->store, &(struct batch_source){.fair = m->fair, .get = pools_get, .context = m->pools}));
	commit_attach(m->commit, m->api);
	api_clock(m->api, m->now, (int64_t)(m->now / MS));
	api_set_readiness(m->api, m->now, API_READY);
	if (has_places(m))
		commit_settle(m->commit, m->now, m->now + m->config->settle_ns);
	return true;
}

/* ---- requests ---- */

static void exchange_end(struct machine *m, struct exchange *e)
{
	if (e->answered)
		DL_DELETE(m->answers, e);
	else
		DL_DELETE(m->open, e);
	free(e->reply.body);
	free(e->reply.location_long);
	json_decref(e->json);
	free(e->method);
	free(e->target);
	free(e->body);
	free(e->key);
	free(e);
}

struct exchange *ask(struct machine *m, const char *method, const char *target, const char *body, const char *key)
{
	struct exchange *e = must(calloc(1, sizeof(*e)));
	char *query;

	e->method = must(strdup(method));
	e->target = must(strdup(target));
	e->body = body ? must(strdup(body)) : NULL;
	e->key = *key ? must(strdup(key)) : NULL;
	query = strchr(e->target, '?');
	if (query)
		*query++ = '\0';
	e->request = (struct api_request){.method = e->method,
									  .path = e->target,
									  .query = query,
									  .body = e->body,
									  .body_len = body ? strlen(body) : 0,
									  .idempotency_key = e->key};
	e->at = m->now;
	DL_APPEND(m->open, e);
	api_handle(m->api, &e->request, m->now);
	fair_check(m->fair, m->now);
	return e;
}

void take(struct machine *m, struct exchange *e, bool handed_over)
{
	api_sent(m->api, &e->request, m->now, handed_over);
	exchange_end(m, e);
}

void hang_up(struct machine *m, struct exchange *e)
{
	api_broken(m->api, &e->request, m->now);
	exchange_end(m, e);
}

void machine_stop(struct machine *m)
{
	while (m->open)
		hang_up(m, m->open);
	while (m->answers)
		take(m, m->answers, true);
	if (m->api)
		api_destroy(m->api);
	if (m->store)
		store_destroy(m->store);
	commit_destroy(m->commit);
	fair_destroy(m->fair);
	pools_destroy(m->pools);
}

/* ---- time ---- */

static void wait_for_flight(struct machine *m)
{
	struct pollfd ends = {.fd = m->ops.descriptor(m->store), .events = POLLIN};

	if (poll(&ends, 1, FLIGHT_MAX_MS) != 1)
		abort();
}

void turn(struct machine *m, bool waits)
{
	api_clock(m->api, m->now, (int64_t)(m->now / MS));
	while (api_next_deadline(m->api) <= m->now && api_advance(m->api, m->now, 256))
		;
	commit_turn(m->commit, m->now);
	while (waits && m->flies) {
		wait_for_flight(m);
		commit_turn(m->commit, m->now);
	}
	fair_check(m->fair, m->now);
}

const char *text(const struct exchange *e, const char *name)
{
	const char *value = json_string_value(json_object_get(e->json, name));

	return value ? value : "";
}

double number(const struct exchange *e, const char *name)
{
	return json_number_value(json_object_get(e->json, name));
}
