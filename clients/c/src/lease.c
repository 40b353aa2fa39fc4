/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRED UINT64_C(1) /* bit of deadline_ns: somebody was told that it passed, so it moves no more */

/* why_at_deadline tells why the lease is lost when its deadline passes. */
static const char *why_at_deadline(const struct fairshare_lease *lease)
{
	return atomic_load(&lease->over) ? "max-lease" : "no-heartbeat";
}

static void deadline_passed(struct timer *timer)
{
	struct fairshare_lease *lease = container_of(timer, struct fairshare_lease, deadline);

	lease_lose(lease, why_at_deadline(lease));
}

static bool read_members(struct fairshare_lease *lease)
{
	json_t *json = lease->json;

	lease->id = json_string_value(json_object_get(json, "id"));
	lease->tenant = json_string_value(json_object_get(json, "tenant_id"));
	lease->pool = json_string_value(json_object_get(json, "pool"));
	lease->slot_ids = json_object_get(json, "slot_ids");
	lease->slot_urls = json_object_get(json, "slot_urls");
	lease->fencing_token = (uint64_t)json_integer_value(json_object_get(json, "fencing_token"));
	lease->ttl_seconds = json_number_value(json_object_get(json, "ttl_seconds"));
	lease->waited_seconds = json_number_value(json_object_get(json, "waited_seconds"));
	return lease->id != NULL && lease->tenant != NULL && lease->pool != NULL && json_array_size(lease->slot_ids) > 0 &&
		   lease->ttl_seconds > 0;
}

static void lease_free(struct fairshare_lease *lease)
{
	struct fairshare_client *client = lease->client;

	json_decref(lease->json);
	free(lease->text);
	free(lease->path);
	free(lease);
	if (client != NULL)
		client_unref(client);
}

enum fairshare_err lease_create(struct fairshare_loop *loop, json_t *json, struct fairshare_lease **ret_lease,
								struct fairshare_error *error)
{
	struct fairshare_lease *lease = calloc(1, sizeof(*lease));

	if (lease == NULL) {
		json_decref(json);
		return error_no_memory(error);
	}
	lease->json = json;
	if (!read_members(lease)) {
		lease_free(lease);
		return error_set(error, FAIRSHARE_E_UNREACHABLE,
						 "the answer of %s is not a lease: check the address, and the versions of client and server",
						 loop->settings.url);
	}
	lease->text = json_dumps(json, JSON_COMPACT);
	if (lease->text == NULL || asprintf(&lease->path, "/leases/%s", lease->id) < 0) {
		lease->path = NULL;
		lease_free(lease);
		return error_no_memory(error);
	}
	lease->loop = loop;
	lease->client = loop->client;
	if (lease->client != NULL)
		client_ref(lease->client);
	lease->refs = 1;
	lease->deadline.fire = deadline_passed;
	LIST_INSERT_HEAD(&loop->leases, lease, link);
	*ret_lease = lease;
	return FAIRSHARE_OK;
}

void lease_ref(struct fairshare_lease *lease)
{
	lease->refs++;
}

void lease_unref(struct fairshare_lease *lease)
{
	if (--lease->refs == 0)
		lease_free(lease);
}

void lease_renewed(struct fairshare_lease *lease, uint64_t since_ns, double expires_in_seconds,
				   double heartbeat_seconds, bool by_heartbeat)
{
	uint64_t was = atomic_load(&lease->deadline_ns);
	uint64_t until = (since_ns + seconds_to_ns(expires_in_seconds)) & ~EXPIRED;

	if (!(heartbeat_seconds > 0))
		heartbeat_seconds = lease->ttl_seconds / 3;
	atomic_store(&lease->beat_every_ns, seconds_to_ns(heartbeat_seconds));
	lease->beat_ns = since_ns + seconds_to_ns(heartbeat_seconds);
	atomic_store(&lease->over, by_heartbeat && expires_in_seconds < heartbeat_seconds);
	if ((was & EXPIRED) != 0 || !atomic_compare_exchange_strong(&lease->deadline_ns, &was, until))
		lease_lose(lease, why_at_deadline(lease));
	else
		timer_arm(&lease->loop->timers, &lease->deadline, until);
}

static void mark_lost(struct fairshare_lease *lease, const char *reason)
{
	timer_disarm(&lease->deadline);
	snprintf(lease->lost_reason, sizeof(lease->lost_reason), "%s", reason);
	atomic_store(&lease->lost, true);
}

static void add_news(struct fairshare_lease *lease)
{
	if (lease->has_news)
		return;
	lease->has_news = true;
	lease_ref(lease);
	STAILQ_INSERT_TAIL(&lease->loop->news, lease, news_link);
}

void lease_lose(struct fairshare_lease *lease, const char *reason)
{
	if (atomic_load(&lease->lost) || lease->parting_begun)
		return;
	mark_lost(lease, reason);
	add_news(lease);
}

void lease_wished(struct fairshare_lease *lease, uint64_t reclaim_ns)
{
	if (atomic_exchange(&lease->reclaim_ns, reclaim_ns) == 0 && reclaim_ns != 0)
		add_news(lease);
}

struct fairshare_lease *news_next(struct news_queue *queue, bool *ret_lost)
{
	struct fairshare_lease *lease;

	while ((lease = STAILQ_FIRST(queue)) != NULL) {
		STAILQ_REMOVE_HEAD(queue, news_link);
		lease->has_news = false;
		*ret_lost = atomic_load(&lease->lost);
		if (lease->loop != NULL && !lease->parting_begun)
			return lease;
		lease_unref(lease);
	}
	return NULL;
}

void news_tell(const struct settings *settings, struct fairshare_lease *lease, bool lost)
{
	uint64_t now_ns = fairshare_now_ns();
	uint64_t by_ns = atomic_load(&lease->reclaim_ns);

	if (lost && settings->lost != NULL)
		settings->lost(settings->lost_data, lease, lease->lost_reason);
	if (!lost && settings->reclaim != NULL)
		settings->reclaim(settings->reclaim_data, lease, by_ns > now_ns ? ns_to_seconds(by_ns - now_ns) : 0);
}

/* A lease that the server ended needs no DELETE; one that nobody heard of for a ttl gets one, in case it still stands.
 */
static void begin_parting(struct fairshare_lease *lease)
{
	struct parting *parting = &lease->parting;

	lease->parting_begun = true;
	timer_disarm(&lease->deadline);
	if (!atomic_load(&lease->lost)) {
		parting->path = lease->path;
		parting->until_ns = atomic_load(&lease->deadline_ns);
	} else if (strcmp(lease->lost_reason, "no-heartbeat") == 0) {
		parting->path = lease->path;
	} else {
		parting->err =
			error_set(&parting->error, FAIRSHARE_E_LOST, "the lease %s was lost: %s", lease->id, lease->lost_reason);
		snprintf(parting->error.code, sizeof(parting->error.code), "%s", lease->lost_reason);
	}
	parting_begin(lease->loop, parting);
}

static void parted(struct parting *parting)
{
	struct fairshare_lease *lease = container_of(parting, struct fairshare_lease, parting);
	bool ok = parting->err == FAIRSHARE_OK;

	if (lease->released != NULL)
		lease->released(lease->released_data, parting->err, ok ? NULL : &parting->error);
	lease_forget(lease);
}

void lease_part(struct fairshare_lease *lease, fairshare_released_fn *released, void *data)
{
	lease->parting.parted = parted;
	lease->released = released;
	lease->released_data = data;
	if (!lease->parting_begun)
		begin_parting(lease);
}

/* The hold of the caller stays: only its place in the loop is taken. */
static void closed(struct parting *parting)
{
	struct fairshare_lease *lease = container_of(parting, struct fairshare_lease, parting);

	LIST_REMOVE(lease, link);
	lease->loop = NULL;
}

void lease_close(struct fairshare_lease *lease)
{
	if (lease->parting_begun)
		return;
	lease->parting.parted = closed;
	begin_parting(lease);
	if (!atomic_load(&lease->lost))
		mark_lost(lease, "closed");
}

void lease_forget(struct fairshare_lease *lease)
{
	timer_disarm(&lease->deadline);
	if (lease->loop != NULL)
		LIST_REMOVE(lease, link);
	lease->loop = NULL;
	lease_unref(lease);
}

/* --- getters ------------------------------------------------------------------------------------------------------ */

const char *fairshare_lease_id(const struct fairshare_lease *lease)
{
	return lease->id;
}

const char *fairshare_lease_tenant(const struct fairshare_lease *lease)
{
	return lease->tenant;
}

const char *fairshare_lease_pool(const struct fairshare_lease *lease)
{
	return lease->pool;
}

size_t fairshare_lease_slots(const struct fairshare_lease *lease)
{
	return json_array_size(lease->slot_ids);
}

uint32_t fairshare_lease_slot_id(const struct fairshare_lease *lease, size_t i)
{
	return (uint32_t)json_integer_value(json_array_get(lease->slot_ids, i));
}

const char *fairshare_lease_slot_url(const struct fairshare_lease *lease, size_t i)
{
	return json_string_value(json_array_get(lease->slot_urls, i));
}

uint64_t fairshare_lease_fencing_token(const struct fairshare_lease *lease)
{
	return lease->fencing_token;
}

double fairshare_lease_ttl_seconds(const struct fairshare_lease *lease)
{
	return lease->ttl_seconds;
}

double fairshare_lease_heartbeat_seconds(const struct fairshare_lease *lease)
{
	return ns_to_seconds(atomic_load(&lease->beat_every_ns));
}

double fairshare_lease_waited_seconds(const struct fairshare_lease *lease)
{
	return lease->waited_seconds;
}

const char *fairshare_lease_json(const struct fairshare_lease *lease)
{
	return lease->text;
}

/* The bit makes that a heartbeat answered in this very moment cannot revive what was called lost. */
bool fairshare_lease_lost(const struct fairshare_lease *lease)
{
	_Atomic uint64_t *deadline = &((struct fairshare_lease *)lease)->deadline_ns;
	uint64_t until = atomic_load(deadline);

	if (atomic_load(&lease->lost))
		return true;
	while ((until & EXPIRED) == 0) {
		if (fairshare_now_ns() < until)
			return false;
		if (atomic_compare_exchange_weak(deadline, &until, until | EXPIRED))
			return true;
	}
	return true;
}

const char *fairshare_lease_lost_reason(const struct fairshare_lease *lease)
{
	if (!fairshare_lease_lost(lease))
		return NULL;
	return atomic_load(&lease->lost) ? lease->lost_reason : why_at_deadline(lease);
}

uint64_t fairshare_lease_deadline_ns(const struct fairshare_lease *lease)
{
	return atomic_load(&lease->deadline_ns);
}

uint64_t fairshare_lease_reclaim_ns(const struct fairshare_lease *lease)
{
	return atomic_load(&lease->reclaim_ns);
}
