/* SPDX-License-Identifier: MIT */
/* POST /heartbeats (sendHeartbeats) */
#include "encode.h"
#include "handlers.h"
#include "id.h"
#include "leases.h"
#include "memory.h"
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

/* beat renews one lease: what is left of it, its ttl and by when it is asked back in ns, or the text of the reason why
 * it is lost. NULL without memory. */
static json_t *beat(struct api *api, struct call *call, const char *text)
{
	uint64_t ttl_ns = call->in.ttl_ns != FAIR_NEVER ? call->in.ttl_ns : 0;
	struct fair_lease_view view;
	struct fair_id id;
	enum fair_err err;

	if (!id_parse(text, &id)) {
		fair_heartbeat_unknown(api->fair);
		return json_string("not-found");
	}
	err = fair_heartbeat(api->fair, call->now, &id, ttl_ns);
	api_drain(api, call->now);
	if (err == FAIR_E_LEASE_PENDING)
		return json_string("lease-pending");
	if (err == FAIR_E_LEASE_NOT_FOUND || fair_lease_get(api->fair, call->now, &id, &view) != FAIR_OK)
		return json_string("not-found");
	if (err != FAIR_OK)
		return json_string(fair_reason_code(view.reason));
	if (call->request->batch < renewed_batch(api, &id))
		call->request->batch = renewed_batch(api, &id);
	return json_pack("[I, I, I]", (json_int_t)lease_left(&view, call->now), (json_int_t)view.ttl_ns,
					 (json_int_t)view.reclaim_ns);
}

static uint64_t part(const json_t *beat, size_t i)
{
	return (uint64_t)json_integer_value(json_array_get(beat, i));
}

static void encode_beats(struct writer *out, uint64_t now, json_t *beats)
{
	const char *id;
	json_t *beat;

	write_object(out, NULL);
	write_array(out, "renewed");
	json_object_foreach(beats, id, beat)
	{
		if (!json_is_array(beat))
			continue;
		write_object(out, NULL);
		write_string(out, "id", id);
		encode_seconds(out, "expires_in_seconds", part(beat, 0));
		encode_seconds(out, "heartbeat_seconds", part(beat, 1) / 3);
		encode_reclaim(out, now, part(beat, 2));
		write_object_end(out);
	}
	write_array_end(out);
	write_array(out, "lost");
	json_object_foreach(beats, id, beat)
	{
		if (!json_is_string(beat))
			continue;
		write_object(out, NULL);
		write_string(out, "id", id);
		write_string(out, "reason", json_string_value(beat));
		write_object_end(out);
	}
	write_array_end(out);
	write_object_end(out);
}

/* All are renewed before the first word of the reply is written: what a beat ends may be told to others meanwhile. */
void heartbeats_send(struct api *api, struct call *call)
{
	json_t *beats, *text;
	size_t i;

	if (set_aside(api, call))
		return;
	beats = json_object();
	json_array_foreach(call->in.lease_ids, i, text)
	{
		const char *id = json_string_value(text);

		if (json_object_get(beats, id) == NULL)
			json_object_set_new(beats, id, beat(api, call, id));
	}
	if (memory_short()) {
		refuse_overloaded(api, call->request);
	} else {
		encode_beats(api->out, call->now, beats);
		reply_json(api, call->request, 200);
	}
	json_decref(beats);
}
