/* SPDX-License-Identifier: MIT */
/* The way of a request: checks, route, decode, handler; then the core's events, and whom they answer. */
#include "api.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "decode.h"
#include "encode.h"
#include "id.h"
#include "internal.h"
#include "leases.h"
#include "memory.h"
#include "metrics.h"
#include "problem.h"
#include "refuse.h"
#include "revoke.h"
#include "stream.h"
#include "text.h"

#define CLOCK_SLACK_MS 10 /* the wall clock is followed when it differs by more */

struct api_config api_config_default(void)
{
	return (struct api_config){
		.min_ttl_ns = NS_PER_S,
		.max_ttl_ns = 3600 * NS_PER_S,
		.default_ttl_ns = 30 * NS_PER_S,
		.max_wait_ns = 300 * NS_PER_S,
		.default_wait_ns = 30 * NS_PER_S,
		.version = "0.0.0",
		.metrics = metrics_none,
		.pool_info = pool_info_plain,
		.pool_set = pool_set_plain,
		.pool_remove = pool_remove_plain,
		.max_waiting = 10000,
		.tenant_max_waiting = 1000,
		.requests_max = 20000,
		.streams_max = 1000,
	};
}

struct api *api_create(struct fair *fair, const struct api_config *config, const struct api_hooks *hooks, uint64_t now)
{
	struct api *api = calloc(1, sizeof(*api));
	size_t count;
	const struct route *routes = api_routes(&count);

	if (api == NULL)
		return NULL;
	api->out = write_create();
	if (api->out == NULL) {
		free(api);
		return NULL;
	}
	memory_watch();
	api->fair = fair;
	api->config = *config;
	api->hooks = *hooks;
	api->started = now;
	api->readiness = API_READY;
	RB_INIT(&api->parked.deadlines);
	events_init(api);
	for (size_t i = 0; i < count; i++)
		route_allow(&routes[i], api->allow[i], sizeof(api->allow[i]));
	return api;
}

void api_destroy(struct api *api)
{
	if (api == NULL)
		return;
	assert(api->withheld.answers == NULL && api->sliced.first == NULL && api->revoking == NULL);
	assert(api->streams == 0);
	renewed_fini(api);
	events_fini(api);
	write_destroy(api->out);
	free(api);
}

bool api_full(const struct api *api)
{
	return api->parked.count + api->withheld.count + api->streams >= api->config.requests_max;
}

void api_clock(struct api *api, uint64_t now, int64_t wall_ms)
{
	int64_t offset = wall_ms - (int64_t)(now / NS_PER_MS);

	/* Moved only when the wall clock was: a time that was told once is told so again. */
	if (llabs(offset - api->clock_offset_ms) > CLOCK_SLACK_MS)
		api->clock_offset_ms = offset;
}

void api_random(struct api *api, void *bytes, size_t size)
{
	if (api->random_left < size) {
		api->hooks.random(api->hooks.context, api->random, sizeof(api->random));
		api->random_left = sizeof(api->random);
	}
	api->random_left -= size;
	memcpy(bytes, api->random + api->random_left, size);
	/* What became an id must not lie about in memory. */
	memset(api->random + api->random_left, 0, size);
}

/* ---- before the handler ---- */

static void end_wait(struct api *api, uint64_t now, struct api_parked *entry, int refusal);

static void name_request(struct api *api, struct api_request *request)
{
	const char *given = request->request_id;
	size_t len = 0;
	struct fair_id made;

	while (given != NULL && given[len] > 0x20 && given[len] < 0x7f && len <= API_REQUEST_ID_MAX)
		len++;
	if (given != NULL && len > 0 && len <= API_REQUEST_ID_MAX && given[len] == '\0') {
		memcpy(request->id, given, len + 1);
		return;
	}
	api_random(api, &made, sizeof(made));
	id_digits(&made, request->id);
}

static bool changes_something(const char *method)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(method, methods[i]) == 0)
			return true;
	}
	return false;
}

static bool is_cross_site(const struct api_request *request)
{
	const char *host;

	if (!changes_something(request->method))
		return false;
	if (request->sec_fetch_site != NULL)
		return strcmp(request->sec_fetch_site, "same-origin") != 0 && strcmp(request->sec_fetch_site, "none") != 0;
	if (request->origin == NULL)
		return false;
	host = strstr(request->origin, "://");
	return host == NULL || request->host == NULL || strcasecmp(host + 3, request->host) != 0;
}

static void dispatch_to(struct api *api, struct api_request *request, uint64_t now, const struct route *route,
						const char *param)
{
	struct call call = {.request = request, .now = now, .param = param, .head = strcmp(request->method, "HEAD") == 0};
	struct decoded decoded;

	/* What was lost before is no matter of this request. */
	memory_short();
	if (decode_call(api, &call, route, &decoded))
		route->handle(api, &call);
	decode_fini(&decoded);
}

/* What is refused whatever the path is; true: it was. */
static bool refused(struct api *api, struct api_request *request)
{
	if (is_cross_site(request))
		problem_send(api, request, PROBLEM_CROSS_SITE,
					 "a page of another site asked for this: use a page of this server, or no browser");
	else if (request->body_too_large)
		problem_send(api, request, PROBLEM_BODY_TOO_LARGE, "the body has more than %d bytes: send less", API_BODY_MAX);
	else
		return false;
	return true;
}

static void dispatch(struct api *api, struct api_request *request, uint64_t now)
{
	char param[ROUTE_PARAM_SIZE], shown[TEXT_SHOWN];
	const struct route *route = NULL;
	enum route_found found = route_match(request->method, request->path, &route, param);
	size_t count;
	const char *allow = route != NULL ? api->allow[route - api_routes(&count)] : NULL;

	request->route = route != NULL ? route->path : "";
	request->route_number = route != NULL ? (int)(route - api_routes(&count)) : -1;
	if (refused(api, request))
		return;
	assert(route != NULL || found == ROUTE_NO_PATH);
	if (found == ROUTE_FOUND)
		dispatch_to(api, request, now, route, param);
	else if (found == ROUTE_NO_PATH)
		problem_send(api, request, PROBLEM_NOT_FOUND, "'%s' is not there: GET /openapi.yaml tells what is",
					 text_show(request->path, shown));
	else if (strcmp(request->method, "OPTIONS") == 0)
		reply_empty(api, request, 204, allow);
	else
		refuse_method(api, request, text_show(request->method, shown), route->path, allow);
}

/* A GET with ?wait=0 was attached for an instant, and may have been granted in it. */
static void end_instant_wait(struct api *api, const struct api_request *request, uint64_t now)
{
	if (request->waiting == NULL || request->waiting->deadline > now)
		return;
	end_wait(api, now, request->waiting, 0);
	api_settle(api, now);
}

void api_handle(struct api *api, struct api_request *request, uint64_t now)
{
	request->parked = false;
	request->brief = false;
	request->told_grant = false;
	request->waiting = NULL;
	request->withheld = NULL;
	request->revoking = NULL;
	request->stream = NULL;
	request->sliced = NULL;
	request->batch = 0;
	name_request(api, request);
	dispatch(api, request, now);
	api_settle(api, now);
	end_instant_wait(api, request, now);
}

/* ---- whom an event answers ---- */

/* The grant of a lease is durable: those attached to it are told, those set aside go on. */
static void tell_grant(struct api *api, uint64_t now, const struct fair_id *id)
{
	struct api_parked *entry = parked_first(api, id), *next;
	struct fair_lease_view view;

	if (entry == NULL || fair_lease_get(api->fair, now, id, &view) != FAIR_OK || view.state != FAIR_ACTIVE)
		return;
	for (; entry != NULL; entry = next) {
		bool post = entry->kind == PARKED_POST;

		next = entry->next;
		if (entry->kind == PARKED_ASIDE)
			parked_again(api, entry);
		else
			lease_tell(api, parked_take(api, entry), now, &view, post);
	}
}

/* A lease ended while requests wait for it. */
static void tell_end(struct api *api, uint64_t now, const struct fair_event *event)
{
	struct api_parked *entry = parked_first(api, &event->id), *next;
	struct fair_lease_view view = {.id = event->id, .reason = event->reason, .ended_ns = now};

	if (entry == NULL)
		return;
	if (fair_lease_get(api->fair, now, &event->id, &view) != FAIR_OK)
		view = (struct fair_lease_view){.id = event->id, .reason = event->reason, .ended_ns = now};
	for (; entry != NULL; entry = next) {
		next = entry->next;
		if (entry->kind == PARKED_ASIDE)
			parked_again(api, entry);
		else if (event->reason == FAIR_REASON_TENANT_CLOSING)
			refuse_closing(api, parked_take(api, entry), event->tenant);
		else if (event->reason == FAIR_REASON_TOO_MANY_SLOTS)
			refuse_too_many_slots(api, parked_take(api, entry), event->tenant);
		else
			refuse_ended(api, parked_take(api, entry), &view);
	}
}

/* A change is part of a batch that is not committed: what tells of it has to wait. */
static void on_batched(struct api *api, const struct fair_event *event, uint64_t batch)
{
	switch (event->type) {
	case FAIR_EV_GRANTED:
		api->unconfirmed++;
		break;
	case FAIR_EV_TENANT:
	case FAIR_EV_TENANT_GONE:
		api->tenants_batch = batch;
		break;
	case FAIR_EV_POOL:
	case FAIR_EV_POOL_GONE:
		api->pools_batch = batch;
		break;
	case FAIR_EV_PLACED:
	case FAIR_EV_WITHDRAWN: /* a key whose grant is taken back has a place */
		api->places_batch = batch;
		break;
	case FAIR_EV_RENEWED:
		renewed_add(api, &event->id, batch);
		break;
	default:
		break;
	}
}

static void on_event(struct api *api, uint64_t now, const struct fair_event *event)
{
	uint64_t batch;

	/* A refusal is also told as an end. */
	if (event->type == FAIR_EV_REFUSED)
		return;
	if (event->type == FAIR_EV_REVOKED_ALL) {
		revoke_tell(api, event);
		return;
	}
	batch = api->hooks.store(api->hooks.context, event);
	if (batch > 0) {
		on_batched(api, event, batch);
	} else if (event->type == FAIR_EV_GRANTED) {
		fair_confirm(api->fair, now, &event->id);
		tell_grant(api, now, &event->id);
	}
	events_add(api, now, event, batch);
	if (event->type == FAIR_EV_ENDED)
		tell_end(api, now, event);
}

void api_drain(struct api *api, uint64_t now)
{
	struct fair_event event;

	while (fair_next_event(api->fair, &event))
		on_event(api, now, &event);
}

/* ---- waits ---- */

/* The wait of a request is over, or is ended for `refusal`, an enum problem (0: it ran out). */
static void end_wait(struct api *api, uint64_t now, struct api_parked *entry, int refusal)
{
	struct fair_id id = *parked_id(entry);
	bool post = entry->kind == PARKED_POST;
	enum fair_detach how = post && refusal == 0 ? FAIR_DETACH_WAIT_OVER : FAIR_DETACH_ANSWERED;
	struct fair_lease_view view;
	struct fair_place place;

	if (fair_lease_get(api->fair, now, &id, &view) != FAIR_OK || view.state != FAIR_PENDING ||
		fair_lease_place(api->fair, &id, &place) != FAIR_OK) {
		/* Granted or ended: its commit or its event answers it. */
		parked_forever(api, entry);
		return;
	}
	if (refusal == PROBLEM_DRAINING)
		refuse_draining(api, parked_take(api, entry));
	else if (!post)
		reply_lease(api, parked_take(api, entry), now, &view);
	else {
		events_refused(api, now, view.pool, view.tenant, view.label, FAIR_E_NO_SLOT);
		refuse_no_slot(api, parked_take(api, entry), &place, view.keyed ? &id : NULL);
	}
	fair_detach(api->fair, now, &id, how);
}

void api_settle(struct api *api, uint64_t now)
{
	struct api_request *request;

	api_drain(api, now);
	while ((request = parked_next_again(api)) != NULL) {
		dispatch(api, request, now);
		api_drain(api, now);
	}
}

void api_broken(struct api *api, struct api_request *request, uint64_t now)
{
	struct api_parked *entry = request->waiting;

	if (entry != NULL) {
		struct fair_id id = *parked_id(entry);
		bool attached = entry->kind != PARKED_ASIDE;

		parked_take(api, entry);
		if (attached)
			fair_detach(api->fair, now, &id, FAIR_DETACH_BROKEN);
		api_settle(api, now);
	} else {
		if (request->withheld != NULL)
			withheld_drop(api, request);
		if (request->sliced != NULL)
			sliced_drop(api, request);
		if (request->revoking != NULL)
			revoke_drop(api, request);
		api_sent(api, request, now, false);
	}
}

void api_sent(struct api *api, struct api_request *request, uint64_t now, bool handed_over)
{
	if (request->stream != NULL)
		stream_close(api, request);
	if (!request->told_grant)
		return;
	request->told_grant = false;
	if (handed_over)
		fair_claim(api->fair, now, &request->told);
	fair_detach(api->fair, now, &request->told, handed_over ? FAIR_DETACH_ANSWERED : FAIR_DETACH_BROKEN);
	api_settle(api, now);
}

/* ---- the store's word ---- */

void api_committed(struct api *api, uint64_t now, uint64_t batch, const struct fair_id *ids, size_t count)
{
	assert(batch >= api->committed);
	api->committed = batch;
	renewed_forget(api);
	for (size_t i = 0; i < count; i++) {
		if (api->unconfirmed > 0)
			api->unconfirmed--;
		fair_confirm(api->fair, now, &ids[i]);
		tell_grant(api, now, &ids[i]);
	}
	withheld_send(api);
	events_publish(api, now);
	api_settle(api, now);
}

static void tell_failure(struct api *api, uint64_t now, const struct fair_id *id)
{
	struct api_parked *entry = parked_first(api, id), *next;

	for (; entry != NULL; entry = next) {
		next = entry->next;
		if (entry->kind == PARKED_ASIDE) {
			parked_again(api, entry);
			continue;
		}
		refuse_store(api, parked_take(api, entry));
		fair_detach(api->fair, now, id, FAIR_DETACH_ANSWERED);
	}
}

void api_failed(struct api *api, uint64_t now, const struct fair_id *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (api->unconfirmed > 0)
			api->unconfirmed--;
		fair_withdraw(api->fair, now, &ids[i]);
		tell_failure(api, now, &ids[i]);
	}
	withheld_refuse(api, now);
	events_withdraw(api);
	api_settle(api, now);
}

/* ---- time ---- */

bool api_advance(struct api *api, uint64_t now, uint32_t budget)
{
	bool more = fair_advance(api->fair, now, budget);
	struct api_parked *entry;

	api_settle(api, now);
	while ((entry = parked_due(api)) != NULL && entry->deadline <= now && budget > 0) {
		end_wait(api, now, entry, 0);
		api_settle(api, now);
		budget--;
	}
	more = sliced_advance(api, now) || more;
	api_settle(api, now);
	return more || (entry != NULL && entry->deadline <= now);
}

uint64_t api_next_deadline(const struct api *api)
{
	const struct api_parked *entry = parked_due(api);
	uint64_t deadline = api->sliced.first != NULL ? 0 : fair_next_deadline(api->fair);

	return entry != NULL && entry->deadline < deadline ? entry->deadline : deadline;
}

/* ---- draining ---- */

void api_set_readiness(struct api *api, uint64_t now, enum api_readiness readiness)
{
	struct api_parked *entry;

	api->readiness = readiness;
	while (readiness == API_DRAINING && (entry = parked_due(api)) != NULL) {
		end_wait(api, now, entry, PROBLEM_DRAINING);
		api_settle(api, now);
	}
}

bool api_drained(struct api *api, uint64_t now)
{
	struct fair_pool_view view;
	const char *pool;

	for (uint32_t i = 0; (pool = fair_pool_name(api->fair, i)) != NULL; i++) {
		if (fair_pool_get(api->fair, now, pool, &view) == FAIR_OK && view.active_slots > 0)
			return false;
	}
	api_settle(api, now);
	return api->withheld.answers == NULL;
}
