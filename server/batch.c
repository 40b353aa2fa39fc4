/* SPDX-License-Identifier: MIT */
#include "batch.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

void batch_no_memory(void)
{
	log_say(LOG_ERROR, "out of memory for the records to store");
	abort();
}

static void *rows(size_t count, size_t size)
{
	void *memory = count > 0 ? calloc(count, size) : NULL;

	if (count > 0 && !memory)
		batch_no_memory();
	return memory;
}

static void *copy_bytes(struct batch *batch, const void *bytes, size_t size)
{
	return memcpy(obstack_alloc(&batch->texts, (int)size), bytes, size);
}

static const char *copy(struct batch *batch, const char *text)
{
	return copy_bytes(batch, text, strlen(text) + 1);
}

static void take_lease(struct batch *batch, const struct fair *fair, const struct fair_event *event)
{
	struct batch_lease *row = &batch->leases[batch->lease_count++];
	struct fair_lease_record *record = &row->record;

	row->gone = !fair_lease_record(fair, &event->id, record);
	if (row->gone) {
		*record = (struct fair_lease_record){.number = event->number};
		return;
	}
	record->tenant = copy(batch, record->tenant);
	record->label = copy(batch, record->label);
	if (record->key)
		record->key = copy_bytes(batch, record->key, record->key_len);
	if (record->slot_ids)
		record->slot_ids = copy_bytes(batch, record->slot_ids, record->slots * sizeof(*record->slot_ids));
}

static void take_tenant(struct batch *batch, const struct fair *fair, const struct fair_event *event)
{
	struct batch_tenant *row = &batch->tenants[batch->tenant_count++];
	struct fair_tenant_record *record = &row->record;
	const char **instances;

	row->gone = !fair_tenant_record(fair, event->pool, event->tenant, record);
	if (row->gone) {
		*record = (struct fair_tenant_record){.pool = event->pool, .tenant = copy(batch, event->tenant)};
		return;
	}
	record->tenant = copy(batch, record->tenant);
	instances = obstack_alloc(&batch->texts, (int)(record->num_instances * sizeof(*instances)));
	for (uint32_t i = 0; i < record->num_instances; i++)
		instances[i] = copy(batch, fair_tenant_instance(fair, record->pool, record->tenant, i));
	record->instances = instances;
}

static void take_pool(struct batch *batch, const struct batch_source *source, const struct fair_event *event)
{
	struct batch_pool *row = &batch->pools[batch->pool_count];
	struct store_pool *pool = &row->pool;

	row->gone = event->type == FAIR_EV_POOL_GONE;
	if (row->gone)
		*pool = (struct store_pool){.core.pool = event->pool};
	else if (!source->get(source->context, event->pool, pool))
		return; /* gone again since */
	pool->core.pool = copy(batch, pool->core.pool);
	pool->share_calculator = copy(batch, pool->share_calculator ? pool->share_calculator : "");
	if (pool->core.num_cordoned > 0)
		pool->core.cordoned =
			copy_bytes(batch, pool->core.cordoned, pool->core.num_cordoned * sizeof(*pool->core.cordoned));
	pool->slot_urls = copy(batch, pool->slot_urls ? pool->slot_urls : "");
	batch->pool_count++;
}

/* What an event is about: the order of the rows of a batch, too. */
enum thing { POOL_GONE, POOL, TENANT, LEASE };

static enum thing thing_of(const struct fair_event *event)
{
	switch (event->type) {
	case FAIR_EV_POOL_GONE:
		return POOL_GONE;
	case FAIR_EV_POOL:
		return POOL;
	case FAIR_EV_TENANT:
	case FAIR_EV_TENANT_GONE:
		return TENANT;
	default:
		return LEASE;
	}
}

void batch_make(struct batch *batch, const struct batch_source *source, const struct fair_event *events, size_t count)
{
	size_t counts[LEASE + 1] = {0};

	obstack_alloc_failed_handler = batch_no_memory;
	for (size_t i = 0; i < count; i++)
		counts[thing_of(&events[i])]++;
	*batch = (struct batch){.next_token = fair_next_token(source->fair)};
	batch->leases = rows(counts[LEASE], sizeof(*batch->leases));
	batch->tenants = rows(counts[TENANT], sizeof(*batch->tenants));
	batch->pools = rows(counts[POOL] + counts[POOL_GONE], sizeof(*batch->pools));
	obstack_init(&batch->texts);
	/* A pool that was removed may have been made anew since. */
	for (size_t i = 0; i < count && counts[POOL_GONE] > 0; i++)
		if (thing_of(&events[i]) == POOL_GONE)
			take_pool(batch, source, &events[i]);
	for (size_t i = 0; i < count; i++) {
		enum thing thing = thing_of(&events[i]);

		if (thing == POOL)
			take_pool(batch, source, &events[i]);
		else if (thing == TENANT)
			take_tenant(batch, source->fair, &events[i]);
		else if (thing == LEASE)
			take_lease(batch, source->fair, &events[i]);
	}
}

void batch_clear(struct batch *batch)
{
	free(batch->leases);
	free(batch->tenants);
	free(batch->pools);
	if (batch->texts.chunk_size > 0)
		obstack_free(&batch->texts, NULL);
	memset(batch, 0, sizeof(*batch));
}

/* The order is of no other use than to bring events of one thing together. */
static int by_thing(const void *first, const void *second)
{
	const struct fair_event *a = first, *b = second;
	int kinds = (int)thing_of(a) - (int)thing_of(b), pools;

	if (kinds)
		return kinds;
	if (thing_of(a) == LEASE)
		return (a->number > b->number) - (a->number < b->number);
	pools = strcmp(a->pool, b->pool);
	return pools ? pools : strcmp(a->tenant, b->tenant);
}

size_t batch_compact(struct fair_event *events, size_t count)
{
	size_t kept = 0;

	if (count > 0)
		qsort(events, count, sizeof(*events), by_thing);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || by_thing(&events[kept - 1], &events[i]) != 0)
			events[kept++] = events[i];
	return kept;
}
