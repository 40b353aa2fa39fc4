/* SPDX-License-Identifier: MIT */
/* Heartbeats: all leases of a client in one batch, of several requests where there are more than one takes. */
#include "internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_kept(const struct fairshare_lease *lease)
{
	return !atomic_load(&lease->lost) && !lease->parting_begun;
}

void beats_plan(struct fairshare_loop *loop)
{
	struct fairshare_lease *lease;
	uint64_t due = NEVER;

	timer_disarm(&loop->beats.timer);
	if (loop->beats.under_way > 0)
		return;
	LIST_FOREACH(lease, &loop->leases, link)
	if (is_kept(lease) && lease->beat_ns < due)
		due = lease->beat_ns;
	if (due != NEVER)
		timer_arm(&loop->timers, &loop->beats.timer, due);
}

/* by_id makes one object of an answer: to each id its member of "renewed", or the reason why it is lost; or NULL. */
static json_t *by_id(const json_t *body)
{
	json_t *renewed = json_object_get(body, "renewed");
	json_t *lost = json_object_get(body, "lost");
	json_t *map = json_is_array(renewed) && json_is_array(lost) ? json_object() : NULL;
	int failed = 0;
	size_t i;
	json_t *entry;

	json_array_foreach(renewed, i, entry) failed |=
		json_object_set(map, json_string_value(json_object_get(entry, "id")), entry);
	json_array_foreach(lost, i, entry) failed |=
		json_object_set(map, json_string_value(json_object_get(entry, "id")), json_object_get(entry, "reason"));
	if (failed == 0)
		return map;
	json_decref(map);
	return NULL;
}

/* A pending one is a grant whose commit the server still waits for: its deadline decides. */
static void heard(struct fairshare_lease *lease, const json_t *said, uint64_t since_ns)
{
	const json_t *expires = json_object_get(said, "expires_in_seconds");
	const json_t *by = json_object_get(json_object_get(said, "reclaim"), "by_seconds");
	const char *reason = json_string_value(said);

	if (json_is_number(expires)) {
		lease_renewed(lease, since_ns, json_number_value(expires),
					  json_number_value(json_object_get(said, "heartbeat_seconds")), true);
		lease_wished(lease, json_is_number(by) ? since_ns + seconds_to_ns(json_number_value(by)) : 0);
	} else if (reason != NULL && strcmp(reason, "lease-pending") != 0) {
		lease_lose(lease, reason);
	}
}

/* After a beat that got through the next is due as the leases say, after a missed one a little later. */
static void beat_ended(struct fairshare_loop *loop)
{
	struct beats *beats = &loop->beats;
	uint64_t soon;

	beats_plan(loop);
	if (!beats->missed) {
		beats->failures = 0;
	} else if (beats->timer.armed) {
		soon = fairshare_now_ns() + backoff_ns(beats->failures++, 0);
		if (soon < beats->timer.due_ns)
			timer_arm(&loop->timers, &beats->timer, soon);
	}
}

static void answered(struct exchange *exchange)
{
	struct fairshare_loop *loop = exchange->loop;
	struct fairshare_error error;
	struct fairshare_lease *lease;
	json_t *body;
	json_t *said = NULL;

	if (exchange_verdict(exchange, &body, &error) == VERDICT_GOOD)
		said = by_id(body);
	if (said == NULL)
		loop->beats.missed = true;
	else
		LIST_FOREACH(lease, &loop->leases, link)
	if (is_kept(lease))
		heard(lease, json_object_get(said, lease->id), exchange->begun_ns);
	json_decref(said);
	json_decref(body);
	if (--loop->beats.under_way == 0)
		beat_ended(loop);
}

static void send_beat(struct fairshare_loop *loop, const json_t *batch, double timeout_seconds)
{
	char *body = json_dumps(batch, JSON_COMPACT);
	struct request request = {
		.method = "POST", .path = "/heartbeats", .body = body, .timeout_seconds = timeout_seconds};

	if (body == NULL || exchange_begin(loop, &request, answered, NULL) == NULL)
		loop->beats.missed = true;
	else
		loop->beats.under_way++;
	free(body);
}

/* add_id adds a lease's id to *batch, made where it is NULL; false without memory. */
static bool add_id(json_t **batch, const struct fairshare_lease *lease)
{
	if (*batch == NULL)
		*batch = json_pack("{s:[]}", "lease_ids");
	return *batch != NULL &&
		   json_array_append(json_object_get(*batch, "lease_ids"), json_object_get(lease->json, "id")) == 0;
}

static void beat(struct timer *timer)
{
	struct fairshare_loop *loop = container_of(timer, struct fairshare_loop, beats.timer);
	struct fairshare_lease *lease;
	uint64_t now_ns = fairshare_now_ns();
	double timeout = BEAT_SECONDS_MAX;
	json_t *batch = NULL;

	loop->beats.missed = false;
	LIST_FOREACH(lease, &loop->leases, link)
	{
		if (!is_kept(lease))
			continue;
		lease->beat_ns = now_ns + lease->beat_every_ns;
		timeout = fmin(timeout, ns_to_seconds(lease->beat_every_ns));
		if (!add_id(&batch, lease))
			loop->beats.missed = true;
		if (json_array_size(json_object_get(batch, "lease_ids")) == BEAT_LEASES_MAX) {
			send_beat(loop, batch, timeout);
			json_decref(batch);
			batch = NULL;
		}
	}
	if (batch != NULL)
		send_beat(loop, batch, timeout);
	json_decref(batch);
	if (loop->beats.under_way == 0)
		beat_ended(loop);
}

void beats_init(struct fairshare_loop *loop)
{
	loop->beats.timer.fire = beat;
}
