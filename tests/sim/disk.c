/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

#define NUM(a) (sizeof(a) / sizeof(*(a)))

void disk_clear(struct disk *d, uint64_t first_token)
{
	memset(d->leases, 0, d->end * sizeof(*d->leases));
	memset(d->tenants, 0, sizeof(d->tenants));
	d->next_token = first_token;
	d->end = 0;
	disk_crash(d);
}

void disk_crash(struct disk *d)
{
	memset(d->is_touched, 0, sizeof(d->is_touched));
	memset(d->tenant_touched, 0, sizeof(d->tenant_touched));
	d->num_touched = 0;
	d->in_flight = false;
}

static void touch(struct disk *d, struct disk_touched what)
{
	if (what.number == 0 || what.number >= DISK_NUMBERS)
		abort();
	if (d->is_touched[what.number])
		return;
	d->is_touched[what.number] = true;
	d->touched[d->num_touched++] = what;
}

void disk_touch(struct disk *d, const struct fair_event *e, uint32_t at)
{
	if (e->type == FAIR_EV_TENANT || e->type == FAIR_EV_TENANT_GONE)
		d->tenant_touched[at] = true;
	else if (e->kept)
		touch(d, (struct disk_touched){.number = e->number, .id = e->id});
}

/* ---- batches ---- */

static void copy_text(char to[DISK_TEXT], const char *from, size_t length)
{
	if (length >= DISK_TEXT)
		abort();
	memset(to, 0, DISK_TEXT);
	memcpy(to, from, length);
}

static void take_lease(struct disk_lease *to, const struct fair *f, const struct disk_touched *what)
{
	struct fair_lease_record *r = &to->record;

	to->number = what->number;
	to->used = fair_lease_record(f, &what->id, r);
	if (!to->used)
		return;
	if (r->number != what->number)
		abort();
	to->has_slots = r->slot_ids;
	if (r->slots > MODEL_SLOTS_MAX)
		abort();
	if (to->has_slots)
		memcpy(to->slot_ids, r->slot_ids, r->slots * sizeof(*to->slot_ids));
	copy_text(to->pool, r->pool, strlen(r->pool));
	copy_text(to->tenant, r->tenant, strlen(r->tenant));
	copy_text(to->label, r->label, strlen(r->label));
	copy_text(to->key, r->key ? r->key : "", r->key_len);
}

static void take_tenant(struct disk_tenant *to, const struct fair *f, const char *pool, const char *tenant)
{
	to->used = fair_tenant_record(f, pool, tenant, &to->record);
	if (!to->used)
		return;
	copy_text(to->pool, pool, strlen(pool));
	copy_text(to->tenant, tenant, strlen(tenant));
	for (uint32_t i = 0; i < to->record.num_instances; i++) {
		const char *name = fair_tenant_instance(f, pool, tenant, i);

		copy_text(to->instances[i], name, strlen(name));
	}
}

void disk_send_off(struct disk *d, const struct fair *f, const char *const *pools, const char *const *tenants)
{
	for (uint32_t i = 0; i < d->num_touched; i++) {
		take_lease(&d->batch[i], f, &d->touched[i]);
		d->is_touched[d->touched[i].number] = false;
	}
	memcpy(d->sent, d->touched, d->num_touched * sizeof(*d->sent));
	d->num_sent = d->num_touched;
	d->num_touched = 0;
	for (uint32_t i = 0; i < NUM(d->tenants); i++) {
		d->tenant_sent[i] = d->tenant_touched[i];
		if (d->tenant_sent[i])
			take_tenant(&d->batch_tenants[i], f, pools[i / MODEL_TENANTS], tenants[i % MODEL_TENANTS]);
	}
	memset(d->tenant_touched, 0, sizeof(d->tenant_touched));
	d->batch_token = fair_next_token(f);
	d->in_flight = true;
}

void disk_written(struct disk *d)
{
	for (uint32_t i = 0; i < d->num_sent; i++) {
		d->leases[d->batch[i].number] = d->batch[i];
		if (d->batch[i].number >= d->end)
			d->end = d->batch[i].number + 1;
	}
	for (uint32_t i = 0; i < NUM(d->tenants); i++) {
		if (d->tenant_sent[i])
			d->tenants[i] = d->batch_tenants[i];
	}
	d->next_token = d->batch_token;
	d->in_flight = false;
}

void disk_failed(struct disk *d)
{
	for (uint32_t i = 0; i < d->num_sent; i++)
		touch(d, d->sent[i]);
	for (uint32_t i = 0; i < NUM(d->tenants); i++)
		d->tenant_touched[i] |= d->tenant_sent[i];
	d->in_flight = false;
}

/* ---- loading ---- */

static struct fair_lease_record lease_record(const struct disk_lease *l)
{
	struct fair_lease_record r = l->record;

	r.pool = l->pool;
	r.tenant = l->tenant;
	r.label = l->label;
	r.key = r.key_len > 0 ? l->key : NULL;
	r.slot_ids = l->has_slots ? l->slot_ids : NULL;
	return r;
}

static int by_tenant_number(const void *a, const void *b)
{
	const struct disk_tenant *const *left = a, *const *right = b;

	return (*left)->record.number < (*right)->record.number ? -1 : 1;
}

static enum fair_err load_tenants(struct disk *d, struct fair *f, uint64_t now)
{
	struct disk_tenant *order[NUM(d->tenants)];
	size_t count = 0;
	enum fair_err err = FAIR_OK;

	for (uint32_t i = 0; i < NUM(d->tenants); i++) {
		if (d->tenants[i].used)
			order[count++] = &d->tenants[i];
	}
	qsort(order, count, sizeof(*order), by_tenant_number);
	for (size_t i = 0; i < count && !err; i++) {
		const char *instances[MODEL_INSTANCES];
		struct fair_tenant_record r = order[i]->record;

		for (uint32_t j = 0; j < r.num_instances; j++)
			instances[j] = order[i]->instances[j];
		r.pool = order[i]->pool;
		r.tenant = order[i]->tenant;
		r.instances = instances;
		err = fair_restore_tenant(f, now, &r);
	}
	return err;
}

/* What lives by number, then what ended by the time of its end. */
static int by_end(const void *a, const void *b)
{
	const struct disk_lease *const *left = a, *const *right = b;
	const struct fair_lease_record *l = &(*left)->record, *r = &(*right)->record;

	if ((l->state == FAIR_ENDED) != (r->state == FAIR_ENDED))
		return l->state == FAIR_ENDED ? 1 : -1;
	if (l->state == FAIR_ENDED && l->ended_ns != r->ended_ns)
		return l->ended_ns < r->ended_ns ? -1 : 1;
	return l->number < r->number ? -1 : 1;
}

enum fair_err disk_load(struct disk *d, struct fair *f, uint64_t now)
{
	static const struct disk_lease *order[DISK_NUMBERS];
	size_t count = 0;
	enum fair_err err = load_tenants(d, f, now);

	for (uint64_t i = 0; i < d->end; i++) {
		if (d->leases[i].used)
			order[count++] = &d->leases[i];
	}
	qsort(order, count, sizeof(*order), by_end);
	for (size_t i = 0; i < count && !err; i++) {
		struct fair_lease_record r = lease_record(order[i]);

		err = fair_restore_lease(f, now, &r);
	}
	return err;
}

static uint64_t past(uint64_t at, uint64_t now)
{
	return at < now ? at : now;
}

/* A longest life is as long as it was, from a grant that may have been set back. */
static uint64_t max_after(const struct fair_lease_record *r, uint64_t now)
{
	return r->max_ns == FAIR_NEVER ? FAIR_NEVER : past(r->granted_ns, now) + (r->max_ns - r->granted_ns);
}

void disk_set_back(struct disk *d, uint64_t now)
{
	for (uint64_t i = 0; i < d->end; i++) {
		struct fair_lease_record *r = &d->leases[i].record;

		r->max_ns = max_after(r, now);
		r->arrived_ns = past(r->arrived_ns, now);
		r->granted_ns = past(r->granted_ns, now);
		r->ended_ns = past(r->ended_ns, now);
	}
}

static bool same_time(uint64_t kept, uint64_t loaded, uint64_t now)
{
	return loaded == past(kept, now);
}

static bool same_lease(const struct fair_lease_record *a, const struct fair_lease_record *b, uint64_t now)
{
	return a->number == b->number && strcmp(a->pool, b->pool) == 0 && strcmp(a->tenant, b->tenant) == 0 &&
		   strcmp(a->label, b->label) == 0 && a->key_len == b->key_len &&
		   (a->key_len == 0 || memcmp(a->key, b->key, a->key_len) == 0) && a->state == b->state &&
		   a->reason == b->reason && a->slots == b->slots && !a->slot_ids == !b->slot_ids &&
		   (!a->slot_ids || memcmp(a->slot_ids, b->slot_ids, a->slots * sizeof(*a->slot_ids)) == 0) &&
		   a->fencing_token == b->fencing_token && a->ttl_ns == b->ttl_ns && a->asked_ttl_ns == b->asked_ttl_ns &&
		   a->priority == b->priority && a->max_lease_ns == b->max_lease_ns && b->max_ns == max_after(a, now) &&
		   same_time(a->arrived_ns, b->arrived_ns, now) && same_time(a->granted_ns, b->granted_ns, now) &&
		   same_time(a->ended_ns, b->ended_ns, now);
}

static bool tenant_is_loaded(const struct disk_tenant *t, const struct fair *f)
{
	const struct fair_tenant_record *a = &t->record;
	struct fair_tenant_record b;

	if (!fair_tenant_record(f, t->pool, t->tenant, &b))
		return false;
	for (uint32_t i = 0; i < a->num_instances && i < b.num_instances; i++) {
		if (strcmp(t->instances[i], fair_tenant_instance(f, t->pool, t->tenant, i)) != 0)
			return false;
	}
	return a->number == b.number && a->closing == b.closing && a->automatic == b.automatic &&
		   a->anonymous == b.anonymous && a->num_instances == b.num_instances && a->revoke_below == b.revoke_below &&
		   memcmp(&a->policy, &b.policy, sizeof(a->policy)) == 0;
}

bool disk_is_loaded(const struct disk *d, const struct fair *f, uint64_t now)
{
	for (uint32_t i = 0; i < NUM(d->tenants); i++) {
		if (d->tenants[i].used && !tenant_is_loaded(&d->tenants[i], f))
			return false;
	}
	for (uint64_t i = 0; i < d->end; i++) {
		struct fair_lease_record a = lease_record(&d->leases[i]), b;

		if (d->leases[i].used && !(fair_lease_record(f, &a.id, &b) && same_lease(&a, &b, now)))
			return false;
	}
	return true;
}
