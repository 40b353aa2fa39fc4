/* SPDX-License-Identifier: MIT */
/*
 * What happened last, for GET /events: a ring of events, each with a number that grows from 1. They are told in their
 * order, each when it and all before it are durable. There is no ring before the first stream, so that a server that
 * nobody watches does not pay for it; its numbers begin with it.
 */
#ifndef FAIRSHARED_API_EVENTS_H
#define FAIRSHARED_API_EVENTS_H

#include "api.h"

#define EVENTS_KEPT 1024

struct event;

struct events {
	struct event *ring;   /* of EVENTS_KEPT; NULL: nobody has watched */
	uint64_t first, next; /* kept are those from `first` to before `next` ... */
	uint64_t visible;	  /* ... and may be told those before `visible`, which may be less than `first` */
	uint64_t lost_batch;  /* of the last event that was lost */
	uint64_t mark;		  /* changes with whatever a stream may tell */
	uint64_t epoch;		  /* random, so that numbers of another start are known as such */
};

void events_init(struct api *api);
void events_fini(struct api *api);
/* events_begin has events kept from now on; false without memory. */
bool events_begin(struct api *api);

/* events_add takes an event of the core as it is drained; `batch` is what makes it durable, 0 when it is. */
void events_add(struct api *api, uint64_t now, const struct fair_event *event, uint64_t batch);
/* events_refused takes an acquire that was refused, where pool or tenant are the reason. */
void events_refused(struct api *api, uint64_t now, const char *pool, const char *tenant, const char *label, enum fair_err err);
/* events_touch says that the statistics changed by what is no event. */
void events_touch(struct api *api);
/* events_publish shows what has become durable; events_withdraw takes back the grants that have not. */
void events_publish(struct api *api, uint64_t now);
void events_withdraw(struct api *api);

/*
 * events_since gathers the visible events from number `from` on that concern pool and tenant ("": all), `most` at most.
 * Returns how many, or most + 1 when there are more, or when some were lost. Events of pools concern all.
 */
size_t events_since(const struct api *api, uint64_t from, const char *pool, const char *tenant, struct event **ret, size_t most);
/* event_frame returns an event as it is sent, borrowed until it is lost; NULL without memory. */
const char *event_frame(struct api *api, uint64_t now, struct event *event, size_t *ret_len);
/* events_frame makes one of `type` of what was written to api->out, with the id after which `number` comes next. */
char *events_frame(struct api *api, const char *type, uint64_t number, size_t *ret_len);
/* events_parse reads an id: the number that comes after it, 0 when it is no id of this start. */
uint64_t events_parse(const struct api *api, const char *id);

#endif
