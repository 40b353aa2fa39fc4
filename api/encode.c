/* SPDX-License-Identifier: MIT */
#include "encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dump.h"
#include "id.h"
#include "internal.h"

/* Names and labels were checked when they came in: nocheck spares a second look at their UTF-8. */
void encode_string(json_t *object, const char *name, const char *value)
{
	json_object_set_new_nocheck(object, name, json_string_nocheck(value));
}

void encode_count(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new_nocheck(object, name, json_integer((json_int_t)value));
}

void encode_bool(json_t *object, const char *name, bool value)
{
	json_object_set_new_nocheck(object, name, json_boolean(value));
}

void encode_null(json_t *object, const char *name)
{
	json_object_set_new_nocheck(object, name, json_null());
}

/* Whole numbers stay whole: 30, not 30.0, and cheaper to write. */
static json_t *number(uint64_t count, uint64_t per_one)
{
	if (count % per_one == 0)
		return json_integer((json_int_t)(count / per_one));
	return json_real((double)count / (double)per_one);
}

void encode_seconds(json_t *object, const char *name, uint64_t ns)
{
	json_object_set_new_nocheck(object, name, number(ns / NS_PER_MS, 1000));
}

static const char *second_text(struct api *api, int64_t second)
{
	struct api_second *kept = &api->seconds[(uint64_t)second % API_SECONDS_KEPT];

	if (kept->second != second || kept->text[0] == '\0') {
		time_t when = (time_t)second;
		struct tm parts;

		if (gmtime_r(&when, &parts) == NULL ||
			strftime(kept->text, sizeof(kept->text), "%Y-%m-%dT%H:%M:%S", &parts) != 19)
			memcpy(kept->text, "1970-01-01T00:00:00", 20);
		kept->second = second;
	}
	return kept->text;
}

void encode_time(struct api *api, uint64_t ns, char ret_text[ENCODE_TIME_SIZE])
{
	int64_t away = ns >= api->clock_now ? (int64_t)((ns - api->clock_now) / NS_PER_MS)
										: -(int64_t)((api->clock_now - ns) / NS_PER_MS);
	int64_t ms = api->clock_wall_ms + away;
	int64_t second, rest;

	if (ms < 0)
		ms = 0;
	second = ms / 1000;
	rest = ms % 1000;
	memcpy(ret_text, second_text(api, second), 19);
	ret_text[19] = '.';
	ret_text[20] = (char)('0' + rest / 100);
	ret_text[21] = (char)('0' + rest / 10 % 10);
	ret_text[22] = (char)('0' + rest % 10);
	memcpy(ret_text + 23, "Z", 2);
}

static json_t *slot_ids(const struct fair_lease_view *view)
{
	json_t *ids = json_array();

	for (uint32_t i = 0; i < view->slots; i++)
		json_array_append_new(ids, json_integer(view->slot_ids[i]));
	return ids;
}

static void encode_active(struct api *api, uint64_t now, json_t *lease, const struct fair_lease_view *view)
{
	char text[ENCODE_TIME_SIZE];

	encode_count(lease, "slots", view->slots);
	json_object_set_new_nocheck(lease, "slot_ids", slot_ids(view));
	encode_count(lease, "fencing_token", view->fencing_token);
	encode_seconds(lease, "ttl_seconds", view->ttl_ns);
	encode_seconds(lease, "heartbeat_seconds", view->ttl_ns / 3);
	encode_seconds(lease, "expires_in_seconds", view->deadline_ns > now ? view->deadline_ns - now : 0);
	encode_time(api, view->granted_ns, text);
	encode_string(lease, "acquired_at", text);
	encode_time(api, view->deadline_ns, text);
	encode_string(lease, "expires_at", text);
	encode_seconds(lease, "waited_seconds", view->granted_ns - view->arrived_ns);
}

static void encode_pending(struct api *api, uint64_t now, json_t *lease, const struct fair_lease_view *view)
{
	/* A grant that is not durable yet has left the line: nothing is before it. */
	struct fair_place place = {.position = 1, .reason = FAIR_WAIT_HELD};

	if (view->state == FAIR_PENDING && fair_lease_place(api->fair, &view->id, &place) != FAIR_OK)
		place.reason = FAIR_WAIT_ABSENT;
	encode_bool(lease, "present", view->present);
	encode_count(lease, "slots", view->slots);
	encode_count(lease, "position", place.position);
	encode_count(lease, "ahead", place.ahead);
	encode_string(lease, "reason", fair_wait_code(place.reason));
	encode_seconds(lease, "waited_seconds", now - view->arrived_ns);
}

json_t *encode_lease(struct api *api, uint64_t now, const struct fair_lease_view *view)
{
	bool active = view->state == FAIR_ACTIVE && view->confirmed;
	json_t *lease = json_object();
	char id[ID_TEXT_LEN + 1];

	id_format(&view->id, id);
	encode_string(lease, "id", id);
	encode_string(lease, "tenant_id", view->tenant);
	encode_string(lease, "pool", view->pool);
	encode_string(lease, "state", active ? "active" : "pending");
	if (active)
		encode_active(api, now, lease, view);
	else
		encode_pending(api, now, lease, view);
	encode_string(lease, "label", view->label);
	encode_count(lease, "priority", 0);
	return lease;
}

void encode_place(json_t *object, const struct fair_place *place)
{
	encode_count(object, "position", place->position);
	encode_count(object, "ahead", place->ahead);
	encode_count(object, "active_slots", place->active_slots);
	encode_count(object, "share", place->share);
	encode_count(object, "waiting", place->waiting);
	encode_string(object, "reason", fair_wait_code(place->reason));
}

json_t *encode_tenant(struct api *api, const struct fair_tenant_view *view)
{
	json_t *tenant = json_object(), *instances = json_array();

	for (uint32_t i = 0; i < view->num_instances; i++)
		json_array_append_new(instances, json_string(fair_tenant_instance(api->fair, view->pool, view->tenant, i)));
	encode_string(tenant, "tenant_id", view->tenant);
	encode_string(tenant, "pool", view->pool);
	encode_string(tenant, "state", view->closing ? "closing" : "active");
	json_object_set_new_nocheck(tenant, "instances", instances);
	encode_count(tenant, "active_slots", view->active_slots);
	encode_count(tenant, "waiting", view->waiting);
	encode_count(tenant, "absent", view->absent);
	encode_count(tenant, "share", view->share);
	return tenant;
}

json_t *encode_pool(struct api *api, const struct fair_pool_view *view)
{
	json_t *pool = json_object();
	const char *calculator = NULL;

	if (api->config.share_calculator_of != NULL)
		calculator = api->config.share_calculator_of(api->config.share_calculator_context, view->pool);
	encode_string(pool, "pool", view->pool);
	encode_string(pool, "policy", "equal");
	encode_count(pool, "max_slots", view->max_slots);
	encode_count(pool, "min_share", view->min_share);
	if (calculator != NULL)
		json_object_set_new_nocheck(pool, "share_calculator", json_string(calculator));
	else
		encode_null(pool, "share_calculator");
	encode_seconds(pool, "ttl_seconds", api->config.default_ttl_ns);
	encode_count(pool, "max_waiting", view->max_waiting);
	encode_bool(pool, "configured", true);
	encode_count(pool, "total_active_slots", view->active_slots);
	encode_count(pool, "waiting", view->waiting);
	return pool;
}

json_t *encode_quantiles(const struct fair_quantiles *quantiles)
{
	json_t *object = json_object();

	json_object_set_new_nocheck(object, "p50", number(quantiles->p50_ns / NS_PER_US, 1000000));
	json_object_set_new_nocheck(object, "p95", number(quantiles->p95_ns / NS_PER_US, 1000000));
	json_object_set_new_nocheck(object, "p99", number(quantiles->p99_ns / NS_PER_US, 1000000));
	json_object_set_new_nocheck(object, "max", number(quantiles->max_ns / NS_PER_US, 1000000));
	return object;
}

void reply_locate(struct api_reply *reply, const char *location)
{
	if (location == NULL)
		return;
	if (strlen(location) < sizeof(reply->location))
		memcpy(reply->location, location, strlen(location) + 1);
	else
		reply->location_long = strdup(location);
}

static void answer(struct api *api, struct api_request *request, struct api_reply *reply)
{
	reply->head = strcmp(request->method, "HEAD") == 0;
	request->parked = false;
	api->hooks.answer(api->hooks.context, request, reply);
}

void reply_send(struct api *api, struct api_request *request, struct api_reply *reply, json_t *body)
{
	if (body != NULL) {
		reply->body = dump_json(body, &reply->body_len);
		json_decref(body);
	}
	if (reply->body == NULL)
		reply->content_type = NULL;
	answer(api, request, reply);
}

void reply_json(struct api *api, struct api_request *request, unsigned status, json_t *body)
{
	struct api_reply reply = {.status = status, .content_type = "application/json"};

	reply_send(api, request, &reply, body);
}

void reply_text(struct api *api, struct api_request *request, const char *content_type, char *text, size_t len)
{
	struct api_reply reply = {.status = 200, .content_type = content_type, .body = text, .body_len = len};

	if (text == NULL)
		reply = (struct api_reply){.status = 503, .retry_after = 1};
	answer(api, request, &reply);
}

void reply_empty(struct api *api, struct api_request *request, unsigned status, const char *allow)
{
	struct api_reply reply = {.status = status, .allow = allow};

	answer(api, request, &reply);
}
