/* SPDX-License-Identifier: MIT */
#include "commit.h"

#include "clock.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define PROBE_AFTER (100 * CLOCK_MS)

/* Events in their order, and the ids of the grants among them. Never gets smaller. */
struct batch {
	struct fair_event *events;
	struct fair_id *grants;
	size_t event_count, event_room, grant_count, grant_room;
};

struct commit {
	struct store *store;
	struct fair *fair;
	struct api *api;
	struct batch gathering, flying;
	bool in_flight;
	bool held;                /* the store failed; granting is held */
	uint64_t probe_at;        /* while held and nothing is in flight: when to try the store again */
	bool draining;
};

struct commit *commit_create(struct store *store, struct fair *fair)
{
	struct commit *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->store = store;
	c->fair = fair;
	c->probe_at = FAIR_NEVER;
	return c;
}

static void batch_fini(struct batch *batch)
{
	free(batch->events);
	free(batch->grants);
}

void commit_destroy(struct commit *c)
{
	if (!c)
		return;
	batch_fini(&c->gathering);
	batch_fini(&c->flying);
	free(c);
}

void commit_attach(struct commit *c, struct api *api)
{
	c->api = api;
}

/* room makes place for one more. A decision that can neither be stored nor undone leaves only a restart. */
static void *room(void *rows, size_t count, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : 64;

	if (count < *capacity)
		return rows;
	rows = reallocarray(rows, more, size);
	if (!rows) {
		log_say(LOG_ERROR, "out of memory for the records to store");
		abort();
	}
	*capacity = more;
	return rows;
}

static void batch_add(struct batch *batch, const struct fair_event *event)
{
	batch->events = room(batch->events, batch->event_count, &batch->event_room, sizeof(*batch->events));
	batch->events[batch->event_count++] = *event;
	if (event->type != FAIR_EV_GRANTED)
		return;
	batch->grants = room(batch->grants, batch->grant_count, &batch->grant_room, sizeof(*batch->grants));
	batch->grants[batch->grant_count++] = event->id;
}

bool commit_event(void *context, const struct fair_event *event)
{
	struct commit *c = context;

	if (c->store->ops->durable_at_once)
		return true;
	batch_add(&c->gathering, event);
	return false;
}

/* take_off ends the flight: the batch is moved to *batch, an empty one waits for the next. */
static void take_off(struct commit *c, struct batch *batch)
{
	*batch = c->flying;
	memset(&c->flying, 0, sizeof(c->flying));
	c->in_flight = false;
}

static void set_readiness(struct commit *c, uint64_t now)
{
	api_set_readiness(c->api, now, c->draining ? API_DRAINING : c->held ? API_STORE_UNAVAILABLE : API_READY);
}

static void hold(struct commit *c, uint64_t now, bool on)
{
	enum fair_err err = fair_hold(c->fair, now, NULL, on);

	if (err != FAIR_OK)
		log_text(LOG_ERROR, "granting cannot be held or resumed", "error", fair_err_code(err));
	c->held = on;
	set_readiness(c, now);
	(void)api_advance(c->api, now, 1);     /* takes in what the end of the hold has granted */
}

static void committed(struct commit *c, uint64_t now)
{
	struct batch batch;

	take_off(c, &batch);
	api_committed(c->api, now, batch.grants, batch.grant_count);
	batch_fini(&batch);
	if (!c->held)
		return;
	log_say(LOG_INFO, "the store is well again; granting goes on");
	hold(c, now, false);
}

/* keep_others puts all but the grants of `batch` into the batch that gathers: they happened and remain to be stored. */
static void keep_others(struct commit *c, const struct batch *batch)
{
	for (size_t i = 0; i < batch->event_count; i++)
		if (batch->events[i].type != FAIR_EV_GRANTED)
			batch_add(&c->gathering, &batch->events[i]);
}

static void failed(struct commit *c, uint64_t now)
{
	struct batch flown, behind = c->gathering;

	take_off(c, &flown);
	memset(&c->gathering, 0, sizeof(c->gathering));
	keep_others(c, &flown);
	keep_others(c, &behind);
	if (!c->held) {
		log_say(LOG_ERROR, "the store failed; granting is held until it is well again");
		hold(c, now, true);
	}
	c->probe_at = now + PROBE_AFTER;
	api_failed(c->api, now, flown.grants, flown.grant_count);
	api_failed(c->api, now, behind.grants, behind.grant_count);
	batch_fini(&flown);
	batch_fini(&behind);
}

static void send_off(struct commit *c, uint64_t now)
{
	c->flying = c->gathering;
	memset(&c->gathering, 0, sizeof(c->gathering));
	c->in_flight = true;
	c->probe_at = FAIR_NEVER;
	c->store->ops->commit(c->store, now, c->flying.events, c->flying.event_count);
}

void commit_turn(struct commit *c, uint64_t now)
{
	if (c->in_flight) {
		enum store_state state = c->store->ops->ended(c->store, now);

		if (state == STORE_COMMITTED)
			committed(c, now);
		else if (state == STORE_FAILED)
			failed(c, now);
	}
	if (!c->in_flight && (c->held ? now >= c->probe_at : c->gathering.event_count > 0))
		send_off(c, now);
}

uint64_t commit_deadline(const struct commit *c)
{
	return c->in_flight ? c->store->ops->deadline(c->store) : c->probe_at;
}

void commit_drain(struct commit *c, uint64_t now)
{
	c->draining = true;
	set_readiness(c, now);
}
