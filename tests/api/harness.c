/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "id.h"

bool harness_inside;

static bool change_matters(const struct change *change, const struct exchange *e, const char *id)
{
	enum fair_event_type type = change->event.type;
	bool of_tenant = type == FAIR_EV_TENANT || type == FAIR_EV_TENANT_GONE;
	struct fair_id told;

	if (strncmp(e->request.route, "/tenants", 8) == 0)
		return of_tenant && (strcmp(e->request.method, "POST") == 0 || strcmp(e->request.method, "DELETE") == 0) &&
			   (strstr(e->request.path, change->event.tenant) != NULL ||
				strcmp(text(e, "tenant_id"), change->event.tenant) == 0);
	if (!id_parse(id, &told) || memcmp(&told, &change->event.id, sizeof(told)) != 0)
		return false;
	if (e->reply.status == 429)
		return type == FAIR_EV_PLACED || type == FAIR_EV_WITHDRAWN;
	if (strcmp(text(e, "state"), "active") != 0 && strcmp(e->request.route, "/heartbeats") != 0)
		return false;
	return type == FAIR_EV_GRANTED || (type == FAIR_EV_RENEWED && strcmp(e->request.route, "/leases") != 0);
}

/* "Nothing is told that a crash could take back, but for the end of a lease." */
static void look_for_early(struct world *w, const struct exchange *e)
{
	const json_t *beats = json_array_get(json_object_get(e->json, "renewed"), 0);
	const char *id = beats != NULL ? json_string_value(json_object_get(beats, "id")) : text(e, "id");

	for (size_t i = 0; i < w->changed; i++) {
		bool later = e->made > 0 && w->changes[i].number > e->made;

		if (!later && e->reply.status < 500 && change_matters(&w->changes[i], e, id))
			w->told_early++;
	}
}

static void on_answer(void *context, struct api_request *request, struct api_reply *reply)
{
	struct exchange *e = (struct exchange *)((char *)request - offsetof(struct exchange, request));
	struct world *w = context;

	bool was = harness_inside;

	harness_inside = false;
	if (e->answered)
		abort();
	e->order = ++w->answers;
	e->answered = true;
	e->reply = *reply;
	if (reply->body != NULL && strstr(reply->content_type, "json") != NULL) {
		e->json = json_loadb(reply->body, reply->body_len, JSON_REJECT_DUPLICATES, NULL);
		if (e->json == NULL)
			abort();
	}
	look_for_early(w, e);
	harness_inside = was;
}

static uint64_t on_store(void *context, const struct fair_event *event)
{
	struct world *w = context;

	w->stored++;
	if (!w->slow)
		return 0;
	if (w->changed == CHANGES_MAX)
		abort();
	w->changes[w->changed++] = (struct change){*event, w->batch, w->stored};
	return w->batch;
}

static void on_random(void *context, void *bytes, size_t size)
{
	struct world *w = context;
	uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++) {
		w->dice = w->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at[i] = (uint8_t)(w->dice >> 56);
	}
}

/* After every call: what was answered is handed over, and the core is whole. */
static void turn(struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->exchanges[i]->made == 0 && w->exchanges[i]->request.withheld != NULL)
			w->exchanges[i]->made = w->stored;
	}
	for (size_t i = 0; i < w->count && !w->no_send; i++) {
		struct exchange *e = w->exchanges[i];

		if (e->answered && !e->sent && e->request.stream == NULL) {
			e->sent = true;
			api_sent(w->api, &e->request, w->now, true);
		}
	}
	if (w->count < 500)
		fair_check(w->fair, w->now);
}

static void add_pool(struct world *w, const char *name, uint32_t slots, const struct world_config *config)
{
	struct fair_pool_config pool = {
		.pool = name,
		.max_slots = slots,
		.min_share = config->min_share > 0 ? config->min_share : 1,
		.max_waiting = config->max_waiting > 0 ? config->max_waiting : 10000,
		.tenant_max_waiting = config->tenant_max_waiting > 0 ? config->tenant_max_waiting : 1000,
		.pass_over_ns = FAIR_PASS_OVER_NS,
		.priority_step_ns = FAIR_PRIORITY_STEP_NS,
	};

	if (fair_pool_add(w->fair, &pool) != FAIR_OK)
		abort();
}

static void on_audit(void *context, struct api_request *request, const char *act, const struct api_detail *details,
					 size_t count)
{
	struct world *w = context;
	size_t len = strlen(w->audit);

	if (*request->id == '\0')
		abort();
	len += (size_t)snprintf(w->audit + len, sizeof(w->audit) - len, "%s", act);
	for (size_t i = 0; i < count && len < sizeof(w->audit); i++) {
		len += (size_t)snprintf(w->audit + len, sizeof(w->audit) - len, " %s=", details[i].name);
		if (len < sizeof(w->audit) && details[i].text != NULL)
			len += (size_t)snprintf(w->audit + len, sizeof(w->audit) - len, "%s", details[i].text);
		else if (len < sizeof(w->audit))
			len += (size_t)snprintf(w->audit + len, sizeof(w->audit) - len, "%.15g", details[i].number);
	}
	if (len + 1 < sizeof(w->audit))
		memcpy(w->audit + len, "\n", 2);
}

/* ---- what the server keeps of pools, but for expressions ---- */

struct world_pool {
	struct world_pool *next;
	char name[FAIR_NAME_MAX + 1];
	const char **urls;
	uint32_t num_urls;
};

static struct world_pool *pool_of(const struct world *w, const char *name)
{
	struct world_pool *pool = w->pools;

	while (pool != NULL && strcmp(pool->name, name) != 0)
		pool = pool->next;
	return pool;
}

static void urls_clear(struct world_pool *pool)
{
	for (uint32_t i = 0; i < pool->num_urls; i++)
		free((char *)pool->urls[i]);
	free(pool->urls);
	pool->urls = NULL;
	pool->num_urls = 0;
}

static void urls_keep(struct world *w, const struct api_pool *api_pool)
{
	struct world_pool *pool = pool_of(w, api_pool->core.pool);
	uint32_t count = api_pool->slot_urls != NULL ? api_pool->core.max_slots : 0;
	const char **urls = count > 0 ? calloc(count, sizeof(*urls)) : NULL;

	if (pool == NULL) {
		pool = calloc(1, sizeof(*pool));
		pool->next = w->pools;
		w->pools = pool;
		snprintf(pool->name, sizeof(pool->name), "%s", api_pool->core.pool);
	}
	for (uint32_t i = 0; i < count; i++)
		urls[i] = strdup(api_pool->slot_urls[i]);
	urls_clear(pool);
	pool->urls = urls;
	pool->num_urls = count;
}

static void pools_fini(struct world *w)
{
	struct world_pool *pool;

	while ((pool = w->pools) != NULL) {
		w->pools = pool->next;
		urls_clear(pool);
		free(pool);
	}
}

/* The pools that a world begins with are configured. */
static struct api_pool_info pool_info(void *context, const char *name)
{
	const struct world_pool *pool = pool_of(context, name);

	return (struct api_pool_info){.slot_urls = pool != NULL ? pool->urls : NULL,
								  .num_slot_urls = pool != NULL ? pool->num_urls : 0,
								  .configured = strcmp(name, "default") == 0 || strcmp(name, "other") == 0};
}

static enum fair_err pool_set(void *context, struct fair *fair, uint64_t now, const struct api_pool *pool,
							  bool *ret_created, char reason[API_REASON_MAX])
{
	enum fair_err err = FAIR_OK;

	*reason = '\0';
	if (pool->share_calculator != NULL && *pool->share_calculator != '\0')
		snprintf(reason, API_REASON_MAX, "there are no expressions here");
	else
		err = fair_pool_set(fair, now, &pool->core, ret_created);
	if (err == FAIR_OK && *reason == '\0')
		urls_keep(context, pool);
	return err;
}

static const struct api_file files[] = {
	{"/openapi.yaml", "application/yaml", "no-store", "\"y1\"", "openapi: 3.0.3\n", 15},
	{"/", "text/html", "no-cache", "\"h1\"", "<!doctype html>\n", 16},
	{"/page/page.css", "text/css", "no-cache", "\"c1\"", "body {}\n", 8},
};

struct world *world_create(struct world_config config)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fair_config fair = fair_config_default();
	struct api_config api = api_config_default();
	struct api_hooks hooks = {w, on_answer, on_store, on_random, on_audit};

	if (w == NULL)
		abort();
	w->now = 1000 * S;
	w->dice = 1;
	w->batch = 1;
	fair.hash_seed = 1;
	fair.first_token = 100;
	if (config.max_tenants > 0)
		fair.max_tenants = config.max_tenants;
	if (config.accounts_max > 0)
		fair.accounts_max = config.accounts_max;
	if (config.requests_max > 0)
		api.requests_max = config.requests_max;
	if (config.streams_max > 0)
		api.streams_max = config.streams_max;
	api.auto_register = config.auto_register;
	api.pool_info = pool_info;
	api.pool_set = pool_set;
	api.pools_context = w;
	api.version = "1.2.3";
	api.files = files;
	api.files_count = sizeof(files) / sizeof(files[0]);
	w->fair = fair_create(&fair);
	if (w->fair == NULL)
		abort();
	add_pool(w, "default", config.max_slots > 0 ? config.max_slots : 2, &config);
	add_pool(w, "other", 1, &config);
	w->api = api_create(w->fair, &api, &hooks, w->now);
	api_clock(w->api, w->now, INT64_C(1764000000000));
	ask(w, "POST /tenants", "{\"tenant_id\":\"alice\"}");
	if (config.max_tenants != 1)
		ask(w, "POST /tenants", "{\"tenant_id\":\"bob\"}");
	return w;
}

static void forget_told(struct world *w)
{
	for (size_t i = 0; i < w->told_count; i++)
		json_decref(w->told[i].data);
	w->told_count = 0;
}

void world_destroy(struct world *w)
{
	forget_told(w);
	w->no_send = true;
	for (size_t i = 0; i < w->count; i++) {
		struct exchange *e = w->exchanges[i];

		if (!e->answered && e->request.parked)
			api_broken(w->api, &e->request, w->now);
		else if (!e->sent)
			api_sent(w->api, &e->request, w->now, true);
	}
	api_destroy(w->api);
	fair_destroy(w->fair);
	pools_fini(w);
	for (size_t i = 0; i < w->count; i++) {
		free(w->exchanges[i]->reply.body);
		free(w->exchanges[i]->reply.location_long);
		free(w->exchanges[i]->line);
		free((char *)w->exchanges[i]->request.body);
		free((char *)w->exchanges[i]->request.idempotency_key);
		json_decref(w->exchanges[i]->json);
		free(w->exchanges[i]);
	}
	free(w);
}

struct exchange *ask_with(struct world *w, const char *line, const char *body, size_t len, struct headers headers)
{
	struct exchange *e = calloc(1, sizeof(*e));
	char *path, *query;

	if (e == NULL || w->count == EXCHANGES_MAX)
		abort();
	e->line = strdup(line);
	path = strchr(e->line, ' ');
	*path++ = '\0';
	query = strchr(path, '?');
	if (query != NULL)
		*query++ = '\0';
	e->request = (struct api_request){
		.method = e->line,
		.path = path,
		.query = query,
		.body_len = len,
		.body_too_large = headers.body_too_large,
		.request_id = headers.request_id,
		.idempotency_key = headers.key != NULL ? strdup(headers.key) : NULL,
		.sec_fetch_site = headers.sec_fetch_site,
		.origin = headers.origin,
		.host = headers.host,
		.accept = headers.accept,
		.if_none_match = headers.if_none_match,
		.last_event_id = headers.last_event_id,
	};
	if (len > 0) {
		char *copy = malloc(len);

		memcpy(copy, body, len);
		e->request.body = copy;
	}
	w->exchanges[w->count++] = e;
	harness_inside = true;
	api_handle(w->api, &e->request, w->now);
	harness_inside = false;
	turn(w);
	return e;
}

struct exchange *ask_key(struct world *w, const char *line, const char *body, const char *key)
{
	return ask_with(w, line, body, body != NULL ? strlen(body) : 0, (struct headers){.key = key});
}

struct exchange *ask(struct world *w, const char *line, const char *body)
{
	return ask_key(w, line, body, NULL);
}

struct exchange *acquire(struct world *w, const char *tenant, const char *more, const char *key)
{
	char body[1024];

	snprintf(body, sizeof(body), "{\"tenant_id\":\"%s\"%s}", tenant, more);
	return ask_key(w, "POST /leases", body, key);
}

struct exchange *lease(struct world *w, const char *method, const struct exchange *of, const char *rest,
					   const char *body)
{
	char line[256];

	snprintf(line, sizeof(line), "%s /leases/%s%s", method, text(of, "id"), rest);
	return ask(w, line, body);
}

/* ---- streams ---- */

struct exchange *watch(struct world *w, const char *query, const char *last_event_id)
{
	char line[512];

	snprintf(line, sizeof(line), "GET /events%s", query);
	return ask_with(w, line, NULL, 0, (struct headers){.last_event_id = last_event_id});
}

/* Reads one event as it must stand: three lines, and an empty one. Returns what follows. */
static char *read_event(struct world *w, char *at)
{
	struct told *told = &w->told[w->told_count++];
	char *data, *end = strstr(at, "\n\n");

	if (end == NULL || w->told_count > TOLD_MAX || sscanf(at, "id: %63s\nevent: %15s\n", told->id, told->event) != 2)
		abort();
	*end = '\0';
	data = strchr(strchr(at, '\n') + 1, '\n') + 1;
	if (strncmp(data, "data: ", 6) != 0 || strchr(data, '\n') != NULL)
		abort();
	told->data = json_loads(data + 6, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(told->data))
		abort();
	return end + 2;
}

const char *listen_to(struct world *w, struct exchange *stream)
{
	static const char hello[] = "retry: 1000\n\n";
	static char names[TOLD_MAX * 16];
	size_t len = 0;
	char *piece, *at, *text;

	forget_told(w);
	names[0] = '\0';
	harness_inside = true;
	piece = api_stream_next(w->api, &stream->request, w->now, &len, &w->over);
	harness_inside = false;
	if (piece == NULL)
		return names;
	text = strndup(piece, len);
	free(piece);
	at = strncmp(text, hello, strlen(hello)) == 0 ? text + strlen(hello) : text;
	while (*at != '\0') {
		at = read_event(w, at);
		snprintf(names + strlen(names), 17, "%s%s", *names != '\0' ? " " : "", w->told[w->told_count - 1].event);
	}
	free(text);
	turn(w);
	return names;
}

void pass(struct world *w, uint64_t ns)
{
	uint64_t end = w->now + ns;

	while (w->now < end) {
		uint64_t step = end - w->now < 100 * MS ? end - w->now : 100 * MS;

		w->now += step;
		while (api_advance(w->api, w->now, 100))
			turn(w);
		turn(w);
	}
}

void hang_up(struct world *w, struct exchange *e)
{
	e->sent = true;
	api_broken(w->api, &e->request, w->now);
	turn(w);
}

void hand_over(struct world *w, struct exchange *e, bool handed_over)
{
	e->sent = true;
	api_sent(w->api, &e->request, w->now, handed_over);
	turn(w);
}

void send_off(struct world *w)
{
	w->batch++;
}

/* Takes out the changes up to a batch, or only the grants of them; returns how many grants. */
static size_t take_changes(struct world *w, uint64_t batch, bool only_grants, struct fair_id *ret_ids)
{
	size_t kept = 0, count = 0;

	for (size_t i = 0; i < w->changed; i++) {
		const struct change *change = &w->changes[i];
		bool grant = change->event.type == FAIR_EV_GRANTED, taken = change->batch <= batch && (grant || !only_grants);

		if (grant && taken)
			ret_ids[count++] = change->event.id;
		if (!taken)
			w->changes[kept++] = *change;
	}
	w->changed = kept;
	return count;
}

void commit(struct world *w)
{
	struct fair_id *ids = calloc(w->changed + 1, sizeof(*ids));
	size_t count;

	w->committed++;
	if (w->committed == w->batch)
		send_off(w);
	count = take_changes(w, w->committed, false, ids);
	harness_inside = true;
	api_committed(w->api, w->now, w->committed, ids, count);
	harness_inside = false;
	free(ids);
	turn(w);
}

void fail(struct world *w)
{
	struct fair_id *ids = calloc(w->changed + 1, sizeof(*ids));
	size_t count = take_changes(w, w->batch, true, ids);

	w->committed = w->batch;
	send_off(w);
	if (fair_hold(w->fair, w->now, NULL, true) != FAIR_OK)
		abort();
	api_failed(w->api, w->now, ids, count);
	free(ids);
	turn(w);
}

unsigned status(const struct exchange *e)
{
	return e->answered ? e->reply.status : 0;
}

const char *text(const struct exchange *e, const char *name)
{
	const char *value = json_string_value(json_object_get(e->json, name));

	return value != NULL ? value : "";
}

double number(const struct exchange *e, const char *name)
{
	const json_t *value = json_object_get(e->json, name);

	return json_is_number(value) ? json_number_value(value) : -1;
}

double stat_of(struct world *w, const char *name)
{
	return number(ask(w, "GET /stats", NULL), name);
}

static const json_t *first_fault(const struct exchange *e)
{
	return json_array_get(json_object_get(e->json, "errors"), 0);
}

const char *fault(const struct exchange *e)
{
	const char *pointer = json_string_value(json_object_get(first_fault(e), "pointer"));
	const char *parameter = json_string_value(json_object_get(first_fault(e), "parameter"));

	return pointer != NULL ? pointer : parameter != NULL ? parameter : "";
}

const char *fault_detail(const struct exchange *e)
{
	const char *detail = json_string_value(json_object_get(first_fault(e), "detail"));

	return detail != NULL ? detail : "";
}
