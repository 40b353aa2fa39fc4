/* SPDX-License-Identifier: MIT */
/* POST /heartbeats (sendHeartbeats) */
#include "encode.h"
#include "handlers.h"
#include "id.h"
#include "leases.h"
#include "refuse.h"

/* Sets the request aside when it names a lease whose grant is not durable yet. */
static bool set_aside(struct api *api, struct call *call)
{
	size_t i;
	json_t *text;

	if (api->unconfirmed == 0)
		return false;
	json_array_foreach(call->in.lease_ids, i, text)
	{
		struct fair_lease_view view;
		struct fair_id id;

		if (!id_parse(json_string_value(text), &id) || fair_lease_get(api->fair, call->now, &id, &view) != FAIR_OK ||
			!lease_unconfirmed(&view))
			continue;
		if (!parked_add(api, call->request, &id, PARKED_ASIDE, FAIR_NEVER))
			refuse_overloaded(api, call->request);
		return true;
	}
	return false;
}

static const char *beat(struct api *api, struct call *call, const char *text, struct fair_lease_view *ret)
{
	uint64_t ttl_ns = call->in.ttl_ns != FAIR_NEVER ? call->in.ttl_ns : 0;
	struct fair_id id;
	enum fair_err err;

	if (!id_parse(text, &id))
		return "not-found";
	err = fair_heartbeat(api->fair, call->now, &id, ttl_ns);
	api_drain(api, call->now);
	if (err == FAIR_E_LEASE_PENDING)
		return "lease-pending";
	if (err == FAIR_E_LEASE_NOT_FOUND || fair_lease_get(api->fair, call->now, &id, ret) != FAIR_OK)
		return "not-found";
	return err == FAIR_OK ? NULL : fair_reason_code(ret->reason);
}

void heartbeats_send(struct api *api, struct call *call)
{
	json_t *body, *renewed, *lost, *seen, *text;
	size_t i;

	if (set_aside(api, call))
		return;
	body = json_object();
	renewed = json_array();
	lost = json_array();
	seen = json_object();
	json_array_foreach(call->in.lease_ids, i, text)
	{
		const char *id = json_string_value(text);
		struct fair_lease_view view;
		const char *reason;
		json_t *entry;

		if (json_object_get(seen, id) != NULL)
			continue;
		json_object_set_new(seen, id, json_true());
		reason = beat(api, call, id, &view);
		entry = json_object();
		encode_string(entry, "id", id);
		if (reason == NULL) {
			encode_seconds(entry, "expires_in_seconds", view.deadline_ns - call->now);
			encode_seconds(entry, "heartbeat_seconds", view.ttl_ns / 3);
		} else {
			encode_string(entry, "reason", reason);
		}
		json_array_append_new(reason == NULL ? renewed : lost, entry);
	}
	json_decref(seen);
	json_object_set_new(body, "renewed", renewed);
	json_object_set_new(body, "lost", lost);
	reply_json(api, call->request, 200, body);
}
