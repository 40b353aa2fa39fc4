/* SPDX-License-Identifier: MIT */
#include "encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "id.h"
#include "internal.h"
#include "memory.h"

void encode_seconds(struct writer *out, const char *name, uint64_t ns)
{
	write_ratio(out, name, ns / NS_PER_MS, 1000);
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
	int64_t ms = (int64_t)(ns / NS_PER_MS) + api->clock_offset_ms;
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

static uint64_t lease_end(const struct fair_lease_view *view)
{
	return view->max_ns < view->deadline_ns ? view->max_ns : view->deadline_ns;
}

uint64_t lease_left(const struct fair_lease_view *view, uint64_t now)
{
	return lease_end(view) > now ? lease_end(view) - now : 0;
}

void encode_reclaim(struct writer *out, uint64_t now, uint64_t reclaim_ns)
{
	if (reclaim_ns == 0)
		return;
	write_object(out, "reclaim");
	encode_seconds(out, "by_seconds", reclaim_ns > now ? reclaim_ns - now : 0);
	write_object_end(out);
}

static void encode_estimate(struct writer *out, const struct fair_place *place)
{
	if (place->estimated_wait_ns != FAIR_NEVER)
		encode_seconds(out, "estimated_wait_seconds", place->estimated_wait_ns);
}

/* Where the address of one of its slots is not known any more, as after a restart, the lease tells none. */
static void encode_slot_urls(struct api *api, const struct fair_lease_view *view)
{
	struct api_pool_info info = api->config.pool_info(api->config.pools_context, view->pool);

	for (uint32_t i = 0; i < view->slots; i++) {
		if (view->slot_ids[i] >= info.num_slot_urls + info.num_old_urls)
			return;
	}
	write_array(api->out, "slot_urls");
	for (uint32_t i = 0; i < view->slots; i++)
		write_string(api->out, NULL, info.slot_urls[view->slot_ids[i]]);
	write_array_end(api->out);
}

static void encode_active(struct api *api, uint64_t now, const struct fair_lease_view *view)
{
	struct writer *out = api->out;
	char text[ENCODE_TIME_SIZE];

	write_count(out, "slots", view->slots);
	write_array(out, "slot_ids");
	for (uint32_t i = 0; i < view->slots; i++)
		write_count(out, NULL, view->slot_ids[i]);
	write_array_end(out);
	encode_slot_urls(api, view);
	write_count(out, "fencing_token", view->fencing_token);
	encode_seconds(out, "ttl_seconds", view->ttl_ns);
	encode_seconds(out, "heartbeat_seconds", view->ttl_ns / 3);
	encode_seconds(out, "expires_in_seconds", lease_left(view, now));
	encode_time(api, view->granted_ns, text);
	write_string(out, "acquired_at", text);
	encode_time(api, lease_end(view), text);
	write_string(out, "expires_at", text);
	encode_seconds(out, "waited_seconds", view->granted_ns - view->arrived_ns);
	encode_reclaim(out, now, view->reclaim_ns);
}

static void encode_pending(struct api *api, uint64_t now, const struct fair_lease_view *view)
{
	/* A grant that is not durable yet has left the line: nothing is before it. */
	struct fair_place place = {.position = 1, .reason = FAIR_WAIT_HELD, .estimated_wait_ns = FAIR_NEVER};
	struct writer *out = api->out;

	if (view->state == FAIR_PENDING && fair_lease_place(api->fair, &view->id, &place) != FAIR_OK)
		place.reason = FAIR_WAIT_ABSENT;
	write_bool(out, "present", view->present);
	write_count(out, "slots", view->slots);
	write_count(out, "position", place.position);
	write_count(out, "ahead", place.ahead);
	write_string(out, "reason", fair_wait_code(place.reason));
	encode_seconds(out, "waited_seconds", now - view->arrived_ns);
	encode_estimate(out, &place);
}

void encode_lease(struct api *api, uint64_t now, const struct fair_lease_view *view)
{
	bool active = view->state == FAIR_ACTIVE && view->confirmed;
	struct writer *out = api->out;
	char id[ID_TEXT_LEN + 1];

	id_format(&view->id, id);
	write_object(out, NULL);
	write_string(out, "id", id);
	write_string(out, "tenant_id", view->tenant);
	write_string(out, "pool", view->pool);
	write_string(out, "state", active ? "active" : "pending");
	if (active)
		encode_active(api, now, view);
	else
		encode_pending(api, now, view);
	write_string(out, "label", view->label);
	write_integer(out, "priority", view->priority);
	write_object_end(out);
}

void encode_place(struct writer *out, const struct fair_place *place)
{
	write_count(out, "position", place->position);
	write_count(out, "ahead", place->ahead);
	write_count(out, "active_slots", place->active_slots);
	write_count(out, "share", place->share);
	write_count(out, "waiting", place->waiting);
	write_string(out, "reason", fair_wait_code(place->reason));
	encode_estimate(out, place);
}

void encode_tenant(struct api *api, const struct fair_tenant_view *view)
{
	struct writer *out = api->out;

	write_object(out, NULL);
	write_string(out, "tenant_id", view->tenant);
	write_string(out, "pool", view->pool);
	write_string(out, "state", view->closing ? "closing" : "active");
	write_array(out, "instances");
	for (uint32_t i = 0; i < view->num_instances; i++)
		write_string(out, NULL, fair_tenant_instance(api->fair, view->pool, view->tenant, i));
	write_array_end(out);
	write_count(out, "active_slots", view->active_slots);
	write_count(out, "waiting", view->waiting);
	write_count(out, "absent", view->absent);
	write_count(out, "share", view->share);
	write_ratio(out, "weight", view->policy.weight, FAIR_WEIGHT_ONE);
	write_count(out, "reserved_slots", view->policy.reserved_slots);
	write_count_or_null(out, "max_slots", view->policy.max_slots);
	write_count(out, "max_waiting", view->max_waiting);
	write_object_end(out);
}

static void encode_pool_urls(struct writer *out, const struct api_pool_info *info)
{
	if (info->num_slot_urls == 0) {
		write_null(out, "slot_urls");
		return;
	}
	write_array(out, "slot_urls");
	for (uint32_t i = 0; i < info->num_slot_urls; i++)
		write_string(out, NULL, info->slot_urls[i]);
	write_array_end(out);
}

static void encode_fairness(struct api *api, const struct fair_pool_view *view, const struct api_pool_info *info)
{
	struct writer *out = api->out;

	write_bool(out, "draining", view->draining);
	write_array(out, "cordoned");
	for (uint32_t i = 0; i < view->num_cordoned; i++)
		write_count(out, NULL, fair_pool_cordoned(api->fair, view->pool, i));
	write_array_end(out);
	encode_pool_urls(out, info);
	encode_seconds(out, "slot_rest_seconds", view->slot_rest_ns);
	if (view->max_lease_ns > 0)
		encode_seconds(out, "max_lease_seconds", view->max_lease_ns);
	else
		write_null(out, "max_lease_seconds");
	encode_seconds(out, "pass_over_seconds", view->pass_over_ns);
	encode_seconds(out, "priority_step_seconds", view->priority_step_ns);
}

void encode_pool(struct api *api, const struct fair_pool_view *view)
{
	struct api_pool_info info = api->config.pool_info(api->config.pools_context, view->pool);
	struct writer *out = api->out;

	write_object(out, NULL);
	write_string(out, "pool", view->pool);
	write_string(out, "policy", fair_policy_code(view->policy));
	write_count(out, "max_slots", view->max_slots);
	write_count(out, "min_share", view->min_share);
	if (info.share_calculator != NULL)
		write_string(out, "share_calculator", info.share_calculator);
	else
		write_null(out, "share_calculator");
	encode_seconds(out, "ttl_seconds", api->config.default_ttl_ns);
	write_count(out, "max_waiting", view->max_waiting);
	write_bool(out, "configured", info.configured);
	write_count(out, "total_active_slots", view->active_slots);
	write_count(out, "waiting", view->waiting);
	encode_fairness(api, view, &info);
	write_bool(out, "transient", info.transient);
	write_count(out, "debt_slots", view->debt_slots);
	write_object_end(out);
}

void encode_quantiles(struct writer *out, const char *name, const struct fair_quantiles *quantiles)
{
	write_object(out, name);
	write_ratio(out, "p50", quantiles->p50_ns / NS_PER_US, 1000000);
	write_ratio(out, "p95", quantiles->p95_ns / NS_PER_US, 1000000);
	write_ratio(out, "p99", quantiles->p99_ns / NS_PER_US, 1000000);
	write_ratio(out, "max", quantiles->max_ns / NS_PER_US, 1000000);
	write_object_end(out);
}

void reply_locate(struct api_reply *reply, const char *location)
{
	if (location == NULL)
		return;
	if (strlen(location) < sizeof(reply->location))
		memcpy(reply->location, location, strlen(location) + 1);
	else if ((reply->location_long = strdup(location)) == NULL)
		memory_note();
}

void reply_send(struct api *api, struct api_request *request, struct api_reply *reply)
{
	reply->head = strcmp(request->method, "HEAD") == 0;
	request->parked = false;
	api->hooks.answer(api->hooks.context, request, reply);
}

void reply_fini(struct api_reply *reply)
{
	free(reply->body);
	free(reply->location_long);
}

/* A reply that cannot be had for lack of memory is one without a body. */
static void make_short(struct api_request *request, struct api_reply *reply)
{
	reply_fini(reply);
	*reply = (struct api_reply){.status = 503, .retry_after = 1};
	request->told_grant = false;
}

/* Sends the reply, or withholds it while what it tells is not durable; false: it was cut short. */
static bool answer(struct api *api, struct api_request *request, struct api_reply *reply)
{
	bool waits = request->batch > api->committed;

	if (waits && withheld_add(api, request, reply))
		return true;
	if (waits)
		make_short(request, reply);
	reply_send(api, request, reply);
	return !waits;
}

bool reply_written(struct api *api, struct api_request *request, struct api_reply *reply)
{
	bool whole;

	reply->body = write_finish(api->out, &reply->body_len);
	whole = !memory_short() && reply->body != NULL;
	if (!whole)
		make_short(request, reply);
	return answer(api, request, reply) && whole;
}

bool reply_json(struct api *api, struct api_request *request, unsigned status)
{
	struct api_reply reply = {.status = status, .content_type = "application/json"};

	return reply_written(api, request, &reply);
}

bool reply_lease(struct api *api, struct api_request *request, uint64_t now, const struct fair_lease_view *view)
{
	encode_lease(api, now, view);
	return reply_json(api, request, 200);
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
