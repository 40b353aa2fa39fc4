/* SPDX-License-Identifier: MIT */
/* What is kept of the state, and the state made anew from it. */
#include "state.h"

/* ---- keeping ---- */

bool fair_lease_record(const struct fair *f, const struct fair_id *id, struct fair_lease_record *ret)
{
	const struct lease *l = lease_find(f, id);

	if (!l || !l->kept || (l->state == FAIR_PENDING && !l->key))
		return false;
	*ret = (struct fair_lease_record){.id = l->id,
	                                  .number = l->number,
	                                  .pool = l->tenant->pool->name,
	                                  .tenant = l->tenant->name,
	                                  .label = l->label,
	                                  .state = l->state,
	                                  .reason = l->reason,
	                                  .slots = 1,
	                                  .slot_ids = l->token ? &l->slot_id : NULL,
	                                  .fencing_token = l->token,
	                                  .ttl_ns = l->ttl_ns,
	                                  .asked_ttl_ns = l->asked_ttl_ns,
	                                  .arrived_ns = l->arrived_ns,
	                                  .granted_ns = l->granted_ns,
	                                  .ended_ns = l->ended_ns};
	if (l->key) {
		ret->key = l->key->bytes + KEY_SCOPE;
		ret->key_len = l->key->size - KEY_SCOPE;
	}
	return true;
}

bool fair_tenant_record(const struct fair *f, const char *pool, const char *tenant, struct fair_tenant_record *ret)
{
	const struct pool *p = pool_find(f, pool);
	const struct tenant *t = p ? tenant_registered(p, f, tenant) : NULL;

	if (!t)
		return false;
	*ret = (struct fair_tenant_record){.number = t->number,
	                                   .pool = p->name,
	                                   .tenant = t->name,
	                                   .closing = t->state == TENANT_CLOSING,
	                                   .automatic = t->automatic,
	                                   .anonymous = t->anonymous,
	                                   .revoke_below = t->doomed ? t->revoke_below : 0,
	                                   .num_instances = t->num_instances};
	return true;
}

/* ---- restoring ---- */

static uint64_t past(const struct fair *f, uint64_t at)
{
	return at < f->now ? at : f->now;
}

static void restore_begin(struct fair *f, uint64_t now)
{
	FAIR_ASSERT(now >= f->now);
	f->now = now;
	f->more = true;     /* what is due is done by the first call after */
}

static bool tenant_record_is_sane(const struct fair_tenant_record *r)
{
	size_t length = strlen(r->tenant);

	return length >= 1 && length <= FAIR_NAME_MAX && r->number > 0 && r->num_instances <= FAIR_INSTANCES_MAX &&
	       r->closing == (r->num_instances + r->anonymous == 0);
}

enum fair_err fair_restore_tenant(struct fair *f, uint64_t now, const struct fair_tenant_record *record)
{
	struct pool *p = pool_find(f, record->pool);
	struct tenant *t;

	restore_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	t = tenants_after(p, record->number - 1);
	if (!tenant_record_is_sane(record) || tenant_find(p, f, record->tenant) || (t && t->number == record->number))
		return FAIR_E_BAD_RECORD;
	t = tenant_new(f, p, record->tenant);
	if (!t)
		return FAIR_E_NO_MEMORY;
	t->number = record->number;
	if (t->number > f->last_number)
		f->last_number = t->number;
	t->state = record->closing ? TENANT_CLOSING : TENANT_OPEN;
	t->is_open = !record->closing;
	t->anonymous = record->anonymous;
	t->automatic = record->automatic;
	t->revoke_below = record->revoke_below;
	tenants_insert(p, t);
	for (uint32_t i = 0; i < record->num_instances; i++)
		if (!tenant_instance_add(f, t, record->instances[i]))
			return FAIR_E_NO_MEMORY;
	/* One that was closing or had leases to be revoked goes on with it; one without any leases is let go so. */
	if (record->closing || record->revoke_below > 0)
		tenant_doom(f, t);
	else
		tenant_settle(f, t);
	return FAIR_OK;
}

static bool lease_record_is_sane(const struct fair_lease_record *r)
{
	bool held = r->slots == 1 && r->slot_ids && r->slot_ids[0] < FAIR_SLOTS_MAX && r->fencing_token > 0;

	return r->number > 0 && r->ttl_ns > 0 && r->key_len <= FAIR_KEY_MAX && strlen(r->label) <= FAIR_LABEL_MAX &&
	       (!r->key || r->key_len > 0) && (r->state != FAIR_PENDING || r->key) && (r->state != FAIR_ACTIVE || held) &&
	       (r->state == FAIR_ENDED) == (r->reason != FAIR_REASON_NONE);
}

/* An ended lease may outlive its tenant, which is then only a name. */
static enum fair_err record_tenant(struct fair *f, struct pool *p, const struct fair_lease_record *r, struct tenant **ret)
{
	struct tenant *t = tenant_find(p, f, r->tenant);

	if (!t && r->state == FAIR_ENDED && strlen(r->tenant) - 1 < FAIR_NAME_MAX) {
		t = tenant_new(f, p, r->tenant);
		if (!t)
			return FAIR_E_NO_MEMORY;
		t->state = TENANT_GHOST;
	}
	*ret = t;
	return t && (t->state != TENANT_GHOST || r->state == FAIR_ENDED) ? FAIR_OK : FAIR_E_TENANT_NOT_FOUND;
}

/* Whether another lease has what must be this one's alone. */
static bool is_taken(struct fair *f, struct tenant *t, const struct fair_lease_record *r)
{
	const struct lease *same = pool_lease_after(t->pool, r->number - 1, FAIR_ENDED);

	return lease_find(f, &r->id) || (same && same->number == r->number) || (r->key && key_find(f, t, r->key, r->key_len)) ||
	       (r->state == FAIR_ACTIVE && !slots_take_this(&t->pool->slots, r->slot_ids[0]));
}

static void restore_ended(struct fair *f, struct lease *l, const struct fair_lease_record *r)
{
	struct pool *p = l->tenant->pool;

	l->number = r->number;
	l->state = FAIR_ENDED;
	l->reason = r->reason;
	l->ended_ns = past(f, r->ended_ns);
	if (f->ended && l->ended_ns < f->ended->all_prev->ended_ns)
		l->ended_ns = f->ended->all_prev->ended_ns;
	lease_remember(f, l);
	if (p->num_ended > f->config.ended_max)
		lease_erase(f, p->ended);
}

static void restore_live(struct fair *f, struct lease *l, const struct fair_lease_record *r)
{
	struct tenant *t = l->tenant;

	lease_insert(f, l, r->number);
	l->state = r->state;
	if (r->state == FAIR_ACTIVE) {
		l->confirmed = l->claimed = true;
		l->deadline_ns = f->now + l->ttl_ns;
	} else {
		l->keep_until_ns = f->now + f->config.queue_grace_ns;
		if (t->state == TENANT_CLOSING && t->refuse_below <= l->number)
			t->refuse_below = l->number + 1;
	}
	lease_settle(f, l);
}

enum fair_err fair_restore_lease(struct fair *f, uint64_t now, const struct fair_lease_record *record)
{
	const struct fair_request request = {.id = record->id,
	                                     .key = record->key,
	                                     .key_len = record->key_len,
	                                     .label = record->label,
	                                     .ttl_ns = record->asked_ttl_ns,
	                                     .wait = true};
	struct pool *p = pool_find(f, record->pool);
	struct tenant *t = NULL;
	struct lease *l;
	enum fair_err err;

	restore_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	if (!lease_record_is_sane(record))
		return FAIR_E_BAD_RECORD;
	err = record_tenant(f, p, record, &t);
	if (!err && is_taken(f, t, record))
		err = FAIR_E_BAD_RECORD;
	l = err ? NULL : lease_new(f, t, &request);
	if (!l)
		return err ? err : FAIR_E_NO_MEMORY;
	l->attached = 0;
	l->kept = true;
	l->ttl_ns = record->ttl_ns;
	l->token = record->fencing_token;
	l->slot_id = record->slot_ids ? record->slot_ids[0] : 0;
	l->arrived_ns = past(f, record->arrived_ns);
	l->granted_ns = past(f, record->granted_ns);
	if (l->token >= f->next_token)
		f->next_token = l->token + 1;
	if (record->state == FAIR_ENDED)
		restore_ended(f, l, record);
	else
		restore_live(f, l, record);
	return FAIR_OK;
}
