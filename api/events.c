/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "encode.h"
#include "id.h"
#include "internal.h"
#include "parse.h"
#include "text.h"

#define SLOTS_INSIDE 4

enum event_kind { EVENT_NOTHING, EVENT_GRANTED, EVENT_ENDED, EVENT_REFUSED, EVENT_TENANT, EVENT_POOL };

/* Kept by value and written out only when somebody is told: at thousands of grants a second nobody is told each. */
struct event {
	enum event_kind kind;
	uint64_t at;	/* when it could be told */
	uint64_t batch; /* what makes it durable; 0: it was at once */
	uint64_t number;
	struct fair_lease_view lease; /* granted and ended; its texts and slots are those below */
	enum fair_state was;		  /* ended */
	enum fair_err err;			  /* refused */
	char pool[FAIR_NAME_MAX + 1], tenant[FAIR_NAME_MAX + 1], label[FAIR_LABEL_MAX + 1];
	uint32_t few[SLOTS_INSIDE], *many; /* the slots of the lease: `many` (heap) where there are more */
	char *frame;					   /* heap, once it was written out */
	size_t frame_len;
};

void events_init(struct api *api)
{
	api_random(api, &api->events.epoch, sizeof(api->events.epoch));
	api->events.first = api->events.next = api->events.visible = 1;
}

static struct event *event_at(const struct api *api, uint64_t number)
{
	return &api->events.ring[number % EVENTS_KEPT];
}

static void clear(struct event *event)
{
	free(event->many);
	free(event->frame);
	event->many = NULL;
	event->frame = NULL;
	event->kind = EVENT_NOTHING;
}

static void lose_first(struct events *events)
{
	struct event *event = &events->ring[events->first % EVENTS_KEPT];

	if (event->batch > events->lost_batch)
		events->lost_batch = event->batch;
	clear(event);
	events->first++;
}

void events_fini(struct api *api)
{
	while (api->events.first < api->events.next)
		lose_first(&api->events);
	free(api->events.ring);
}

bool events_begin(struct api *api)
{
	if (api->events.ring == NULL)
		api->events.ring = calloc(EVENTS_KEPT, sizeof(*api->events.ring));
	return api->events.ring != NULL;
}

void events_touch(struct api *api)
{
	api->events.mark++;
}

void events_publish(struct api *api, uint64_t now)
{
	struct events *events = &api->events;

	while (events->visible < events->next) {
		bool lost = events->visible < events->first;

		if ((lost ? events->lost_batch : event_at(api, events->visible)->batch) > api->committed)
			return;
		events->mark++;
		if (lost) {
			events->visible = events->first;
		} else {
			event_at(api, events->visible)->at = now;
			events->visible++;
		}
	}
}

/* The store has failed: what was granted since its last word is not, all else will be stored. */
void events_withdraw(struct api *api)
{
	struct events *events = &api->events;
	uint64_t number = events->visible > events->first ? events->visible : events->first;

	for (; number < events->next; number++) {
		struct event *event = event_at(api, number);

		if (event->kind == EVENT_GRANTED && event->batch > api->committed)
			clear(event);
	}
}

/* ---- keeping ---- */

static struct event *push(struct api *api, enum event_kind kind, const char *pool, const char *tenant, uint64_t batch)
{
	struct events *events = &api->events;
	struct event *event;

	if (events->next - events->first == EVENTS_KEPT)
		lose_first(events);
	event = event_at(api, events->next);
	event->kind = kind;
	event->batch = batch;
	event->number = events->next++;
	text_copy(event->pool, sizeof(event->pool), pool);
	text_copy(event->tenant, sizeof(event->tenant), tenant);
	return event;
}

/* Without memory for one its kind is nothing, and the ring begins after it: who follows has missed it. */
static void lose_all(struct events *events)
{
	while (events->first < events->next)
		lose_first(events);
}

static bool keep_slots(struct event *event, const struct fair_lease_view *view)
{
	uint32_t *slots = event->few;
	uint32_t count = view->slot_ids != NULL && event->was == FAIR_ACTIVE ? view->slots : 0;

	if (count > SLOTS_INSIDE)
		slots = event->many = malloc(count * sizeof(*slots));
	if (slots == NULL)
		return false;
	if (count > 0)
		memcpy(slots, view->slot_ids, count * sizeof(*slots));
	event->lease.slot_ids = count > 0 ? slots : NULL;
	return true;
}

static void keep_lease(struct api *api, uint64_t now, enum event_kind kind, const struct fair_event *of, uint64_t batch)
{
	struct fair_lease_view view;
	struct event *event = push(api, kind, of->pool, of->tenant, batch);

	if (fair_lease_get(api->fair, now, &of->id, &view) != FAIR_OK)
		view = (struct fair_lease_view){.id = of->id, .label = "", .reason = of->reason, .ended_ns = now};
	event->was = kind == EVENT_GRANTED ? FAIR_ACTIVE : of->was;
	event->lease = view;
	event->lease.pool = event->pool;
	event->lease.tenant = event->tenant;
	event->lease.label = event->label;
	text_copy(event->label, sizeof(event->label), view.label);
	if (!keep_slots(event, &view))
		lose_all(&api->events);
}

static void keep(struct api *api, uint64_t now, const struct fair_event *event, uint64_t batch)
{
	switch (event->type) {
	case FAIR_EV_GRANTED:
		keep_lease(api, now, EVENT_GRANTED, event, batch);
		break;
	case FAIR_EV_ENDED:
		keep_lease(api, now, EVENT_ENDED, event, batch);
		break;
	case FAIR_EV_TENANT:
	case FAIR_EV_TENANT_GONE:
		push(api, EVENT_TENANT, event->pool, event->tenant, batch);
		break;
	case FAIR_EV_POOL:
	case FAIR_EV_POOL_GONE:
		push(api, EVENT_POOL, event->pool, "", batch);
		break;
	default:
		break;
	}
}

void events_add(struct api *api, uint64_t now, const struct fair_event *event, uint64_t batch)
{
	events_touch(api);
	if (api->events.ring == NULL)
		return;
	keep(api, now, event, batch);
	events_publish(api, now);
}

void events_refused(struct api *api, uint64_t now, const char *pool, const char *tenant, const char *label, enum fair_err err)
{
	struct event *event;

	if (err != FAIR_E_NO_SLOT && err != FAIR_E_QUEUE_FULL && err != FAIR_E_TENANT_CLOSING && err != FAIR_E_TOO_MANY_SLOTS &&
		err != FAIR_E_TENANT_NOT_REGISTERED && err != FAIR_E_TOO_MANY_TENANTS)
		return;
	events_touch(api);
	if (api->events.ring == NULL)
		return;
	event = push(api, EVENT_REFUSED, pool, tenant, 0);
	event->err = err;
	text_copy(event->label, sizeof(event->label), label);
	events_publish(api, now);
}

/* ---- telling ---- */

static bool concerns(const struct event *event, const char *pool, const char *tenant)
{
	if (event->kind == EVENT_NOTHING)
		return false;
	if (event->kind == EVENT_POOL)
		return true;
	return strcmp(event->pool, pool) == 0 && (*tenant == '\0' || strcmp(event->tenant, tenant) == 0);
}

size_t events_since(const struct api *api, uint64_t from, const char *pool, const char *tenant, struct event **ret, size_t most)
{
	size_t count = 0;

	if (from < api->events.first && from < api->events.visible)
		return most + 1;
	for (; from < api->events.visible; from++) {
		struct event *event = event_at(api, from);

		if (!concerns(event, pool, tenant))
			continue;
		if (count == most)
			return most + 1;
		ret[count++] = event;
	}
	return count;
}

static void encode_ended(struct api *api, const struct event *event)
{
	const struct fair_lease_view *lease = &event->lease;
	char id[ID_TEXT_LEN + 1], when[ENCODE_TIME_SIZE];
	struct writer *out = api->out;

	id_format(&lease->id, id);
	encode_time(api, lease->ended_ns, when);
	write_object(out, NULL);
	write_string(out, "id", id);
	write_string(out, "tenant_id", event->tenant);
	write_string(out, "pool", event->pool);
	write_string(out, "state", "ended");
	write_string(out, "was", event->was == FAIR_ACTIVE ? "active" : "pending");
	write_array(out, "slot_ids");
	for (uint32_t i = 0; lease->slot_ids != NULL && i < lease->slots; i++)
		write_count(out, NULL, lease->slot_ids[i]);
	write_array_end(out);
	write_string(out, "label", event->label);
	write_string(out, "reason", fair_reason_code(lease->reason));
	write_string(out, "ended_at", when);
	write_object_end(out);
}

static void encode_granted(struct api *api, const struct event *event)
{
	struct fair_lease_view lease = event->lease;

	/* As it was when it could be told: its ttl begins then. */
	lease.state = FAIR_ACTIVE;
	lease.confirmed = true;
	lease.deadline_ns = event->at + lease.ttl_ns;
	encode_lease(api, event->at, &lease);
}

static void encode_refused(struct api *api, const struct event *event)
{
	struct writer *out = api->out;
	char when[ENCODE_TIME_SIZE];

	encode_time(api, event->at, when);
	write_object(out, NULL);
	write_string(out, "tenant_id", event->tenant);
	write_string(out, "pool", event->pool);
	write_string(out, "label", event->label);
	write_string(out, "code", fair_err_code(event->err));
	write_string(out, "refused_at", when);
	write_object_end(out);
}

/* Of a tenant or pool is told how it is now, as in the lists; of a tenant not its instances, which may be a thousand. */
static void encode_changed_tenant(struct api *api, const struct event *event)
{
	struct writer *out = api->out;
	struct fair_tenant_view view;

	write_object(out, NULL);
	write_string(out, "tenant_id", event->tenant);
	write_string(out, "pool", event->pool);
	if (fair_tenant_get(api->fair, event->pool, event->tenant, &view) == FAIR_OK) {
		write_string(out, "state", view.closing ? "closing" : "active");
		write_count(out, "active_slots", view.active_slots);
		write_count(out, "waiting", view.waiting);
		write_count(out, "absent", view.absent);
		write_count(out, "share", view.share);
	} else {
		write_bool(out, "removed", true);
	}
	write_object_end(out);
}

static void encode_changed_pool(struct api *api, uint64_t now, const struct event *event)
{
	struct writer *out = api->out;
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, now, event->pool, &view) == FAIR_OK) {
		encode_pool(api, &view);
		return;
	}
	write_object(out, NULL);
	write_string(out, "pool", event->pool);
	write_bool(out, "removed", true);
	write_object_end(out);
}

static const char *encode_event(struct api *api, uint64_t now, const struct event *event)
{
	switch (event->kind) {
	case EVENT_GRANTED:
		encode_granted(api, event);
		return "granted";
	case EVENT_ENDED:
		encode_ended(api, event);
		return "ended";
	case EVENT_REFUSED:
		encode_refused(api, event);
		return "refused";
	case EVENT_TENANT:
		encode_changed_tenant(api, event);
		return "tenant";
	default:
		assert(event->kind == EVENT_POOL);
		encode_changed_pool(api, now, event);
		return "pool";
	}
}

char *events_frame(struct api *api, const char *type, uint64_t number, size_t *ret_len)
{
	size_t len = 0;
	char *json = write_finish(api->out, &len), *frame = NULL;
	int made = -1;

	if (json != NULL) /* a line's end closes it */
		made = asprintf(&frame, "id: %016" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: %s\n", api->events.epoch, number, type, json);
	free(json);
	if (made < 0)
		return NULL;
	*ret_len = (size_t)made;
	return frame;
}

const char *event_frame(struct api *api, uint64_t now, struct event *event, size_t *ret_len)
{
	if (event->frame == NULL) {
		const char *type = encode_event(api, now, event);

		event->frame = events_frame(api, type, event->number, &event->frame_len);
	}
	*ret_len = event->frame_len;
	return event->frame;
}

uint64_t events_parse(const struct api *api, const char *id)
{
	char epoch[24];
	uint64_t number;
	size_t len = (size_t)snprintf(epoch, sizeof(epoch), "%016" PRIx64 "-", api->events.epoch);

	if (api->events.ring == NULL || strncmp(id, epoch, len) != 0 || !parse_count(id + len, strlen(id + len), &number) ||
		number >= api->events.visible)
		return 0;
	return number + 1;
}
