/* SPDX-License-Identifier: MIT */
#include "commit.h"

#include "clock.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define PROBE_AFTER (100 * CLOCK_MS)

/* Events in their order, and the ids of the grants among them. Never gets smaller. */
struct gathering {
	struct fair_event *events;
	struct fair_id *grants;
	size_t event_count, event_room, grant_count, grant_room;
};

struct commit {
	struct store *store;
	struct batch_source source;
	struct api *api;
	struct gathering gathering, flying;
	struct batch batch;       /* of what flies */
	uint64_t number;          /* of the batch that gathers; the one before it flies, or is done */
	bool in_flight;
	bool failing;             /* the store's last word was no */
	bool held;                /* granting is held: the store fails, or waiters come back after a restart */
	uint64_t settled_at;      /* FAIR_NEVER: it is */
	uint64_t probe_at;        /* while failing and nothing is in flight: when to try the store again */
	bool draining;
	uint64_t sent_at;         /* when the batch in flight was */
	struct commit_counts counts;
};

struct commit *commit_create(struct store *store, const struct batch_source *source)
{
	struct commit *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->store = store;
	c->source = *source;
	c->number = 1;
	c->settled_at = c->probe_at = FAIR_NEVER;
	return c;
}

static void gathering_fini(struct gathering *g)
{
	free(g->events);
	free(g->grants);
	memset(g, 0, sizeof(*g));
}

void commit_destroy(struct commit *c)
{
	if (!c)
		return;
	if (c->failing && c->gathering.event_count > 0)
		log_say(LOG_WARNING, "what happened since the store failed is not stored: leases that ended meanwhile run out again");
	gathering_fini(&c->gathering);
	gathering_fini(&c->flying);
	batch_clear(&c->batch);
	free(c);
}

void commit_attach(struct commit *c, struct api *api)
{
	c->api = api;
}

/* room makes place for one more. */
static void *room(void *rows, size_t count, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : 64;

	if (count < *capacity)
		return rows;
	rows = reallocarray(rows, more, size);
	if (!rows)
		batch_no_memory();
	*capacity = more;
	return rows;
}

static void add_grant(struct gathering *g, const struct fair_id *id)
{
	g->grants = room(g->grants, g->grant_count, &g->grant_room, sizeof(*g->grants));
	g->grants[g->grant_count++] = *id;
}

static void add_event(struct gathering *g, const struct fair_event *event)
{
	g->events = room(g->events, g->event_count, &g->event_room, sizeof(*g->events));
	g->events[g->event_count++] = *event;
}

uint64_t commit_event(void *context, const struct fair_event *event)
{
	struct commit *c = context;
	bool of_lease = event->number > 0;

	if (c->store->ops->durable_at_once || (of_lease && !event->kept))
		return 0;
	add_event(&c->gathering, event);
	if (event->type == FAIR_EV_GRANTED)
		add_grant(&c->gathering, &event->id);
	return c->number;
}

/* ---- holding ---- */

static void update_hold(struct commit *c, uint64_t now)
{
	bool hold = c->failing || c->settled_at != FAIR_NEVER;
	enum fair_err err;

	if (hold == c->held)
		return;
	c->held = hold;
	err = fair_hold(c->source.fair, now, NULL, hold);
	if (err != FAIR_OK)
		log_text(LOG_ERROR, "granting cannot be held or resumed", "error", fair_err_code(err));
	(void)api_advance(c->api, now, 1); /* takes in what the end of the hold has granted */
}

static void set_failing(struct commit *c, uint64_t now, bool failing)
{
	c->failing = failing;
	api_set_readiness(c->api, now, c->draining ? API_DRAINING : failing ? API_STORE_UNAVAILABLE : API_READY);
	update_hold(c, now);
}

void commit_settle(struct commit *c, uint64_t now, uint64_t until)
{
	c->settled_at = until;
	update_hold(c, now);
}

/* ---- batches ---- */

/* land ends the flight. */
static void land(struct commit *c, struct gathering *ret_flown)
{
	*ret_flown = c->flying;
	memset(&c->flying, 0, sizeof(c->flying));
	batch_clear(&c->batch);
	c->in_flight = false;
}

static void committed(struct commit *c, uint64_t now)
{
	struct gathering flown;

	land(c, &flown);
	c->counts.committed++;
	fair_spans_add(&c->counts.took, now - c->sent_at);
	api_committed(c->api, now, c->number - 1, flown.grants, flown.grant_count);
	gathering_fini(&flown);
	if (!c->failing)
		return;
	log_say(LOG_INFO, "the store is well again; granting goes on");
	set_failing(c, now, false);
}

/* take_back moves all that is not durable into one difference, each thing once; its grants are to be withdrawn. */
static void take_back(struct commit *c, struct gathering *flown)
{
	struct gathering *all = &c->gathering;

	for (size_t i = 0; i < flown->event_count; i++)
		add_event(all, &flown->events[i]);
	all->event_count = batch_compact(all->events, all->event_count);
	for (size_t i = 0; i < all->grant_count; i++)
		add_grant(flown, &all->grants[i]);
	all->grant_count = 0;
}

static void failed(struct commit *c, uint64_t now)
{
	struct gathering flown;

	land(c, &flown);
	c->counts.failed++;
	fair_spans_add(&c->counts.took, now - c->sent_at);
	take_back(c, &flown);
	if (!c->failing) {
		log_text(LOG_ERROR, "the store failed; granting is held until it is well again", "reason",
		         c->store->ops->reason(c->store));
		set_failing(c, now, true);
	}
	c->probe_at = now + PROBE_AFTER;
	api_failed(c->api, now, flown.grants, flown.grant_count);
	gathering_fini(&flown);
}

static void count_batch(struct commit_counts *counts, const struct batch *batch)
{
	uint64_t records = batch->lease_count + batch->tenant_count + batch->pool_count;
	unsigned bin = 0;

	while (bin + 1 < COMMIT_BINS && records > UINT64_C(1) << bin)
		bin++;
	counts->bins[bin]++;
	counts->records += records;
}

const struct commit_counts *commit_counts(const struct commit *c)
{
	return &c->counts;
}

static void send_off(struct commit *c, uint64_t now)
{
	c->flying = c->gathering;
	memset(&c->gathering, 0, sizeof(c->gathering));
	c->number++;
	c->in_flight = true;
	c->probe_at = FAIR_NEVER;
	batch_make(&c->batch, &c->source, c->flying.events, c->flying.event_count);
	count_batch(&c->counts, &c->batch);
	c->sent_at = now;
	c->store->ops->commit(c->store, now, &c->batch);
}

static void look_at_flight(struct commit *c, uint64_t now)
{
	enum store_state state = c->in_flight ? c->store->ops->ended(c->store, now) : STORE_BUSY;

	if (state == STORE_COMMITTED)
		committed(c, now);
	else if (state == STORE_FAILED)
		failed(c, now);
}

void commit_turn(struct commit *c, uint64_t now)
{
	if (c->settled_at <= now) {
		c->settled_at = FAIR_NEVER;
		update_hold(c, now);
	}
	look_at_flight(c, now);
	if (!c->in_flight && (c->failing ? now >= c->probe_at : c->gathering.event_count > 0))
		send_off(c, now);
}

uint64_t commit_deadline(const struct commit *c)
{
	uint64_t next = c->in_flight ? c->store->ops->deadline(c->store) : c->probe_at;

	return c->settled_at < next ? c->settled_at : next;
}

bool commit_pending(const struct commit *c)
{
	return c->in_flight || (c->gathering.event_count > 0 && !c->failing);
}

bool commit_holds(const struct commit *c)
{
	return c->held;
}

void commit_drain(struct commit *c, uint64_t now)
{
	c->draining = true;
	api_set_readiness(c->api, now, API_DRAINING);
}
