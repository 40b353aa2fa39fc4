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
	                                  .slots = l->slots,
	                                  .slot_ids = l->token ? l->slot_ids : NULL,
	                                  .fencing_token = l->token,
	                                  .ttl_ns = l->ttl_ns,
	                                  .asked_ttl_ns = l->asked_ttl_ns,
	                                  .arrived_ns = l->arrived_ns,
	                                  .granted_ns = l->granted_ns,
	                                  .ended_ns = l->ended_ns,
	                                  .priority = l->priority,
	                                  .max_lease_ns = l->max_lease_ns,
	                                  .max_ns = l->state == FAIR_ACTIVE ? l->max_ns : FAIR_NEVER};
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
	                                   .num_instances = t->num_instances,
	                                   .policy = t->policy};
	return true;
}

/* ---- restoring ---- */

#define NUMBER_MAX (UINT64_C(1) << 53)   /* of numbers and tokens: there is always a next one */

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

/* Numbers that were given are not given again: what is kept, and the bounds of what is revoked, go by them. */
static void number_used(struct fair *f, uint64_t number)
{
	if (number > f->last_number)
		f->last_number = number;
}

static bool number_is_sane(uint64_t number)
{
	return number > 0 && number < NUMBER_MAX;
}

static bool tenant_number_is_taken(const struct fair *f, uint64_t number)
{
	const struct pool *p;

	DL_FOREACH(f->pools, p) {
		const struct tenant *t = tenants_after(p, number - 1);

		if (t && t->number == number)
			return true;
	}
	return false;
}

static bool lease_number_is_taken(const struct fair *f, uint64_t number)
{
	const struct pool *p;

	DL_FOREACH(f->pools, p) {
		const struct lease *l = pool_lease_after(p, number - 1, FAIR_ENDED);

		if (l && l->number == number)
			return true;
	}
	return false;
}

static bool name_is_sane(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= FAIR_NAME_MAX;
}

static bool tenant_record_is_sane(const struct fair_tenant_record *r)
{
	return name_is_sane(r->tenant) && number_is_sane(r->number) && r->revoke_below < NUMBER_MAX &&
	       r->num_instances <= FAIR_INSTANCES_MAX && (r->instances || r->num_instances == 0) &&
	       r->closing == (r->num_instances + r->anonymous == 0) && r->policy.weight <= FAIR_WEIGHT_MAX;
}

static enum fair_err restore_instances(struct fair *f, struct tenant *t, const struct fair_tenant_record *r)
{
	for (uint32_t i = 0; i < r->num_instances; i++) {
		if (!name_is_sane(r->instances[i]) || tenant_has_instance(t, r->instances[i]))
			return FAIR_E_BAD_RECORD;
		if (!tenant_instance_add(f, t, r->instances[i]))
			return FAIR_E_NO_MEMORY;
	}
	return FAIR_OK;
}

enum fair_err fair_restore_tenant(struct fair *f, uint64_t now, const struct fair_tenant_record *record)
{
	struct pool *p = pool_find(f, record->pool);
	struct tenant *t;
	enum fair_err err;

	restore_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	if (!tenant_record_is_sane(record) || tenant_find(p, f, record->tenant) ||
	    tenant_number_is_taken(f, record->number))
		return FAIR_E_BAD_RECORD;
	t = tenant_new(f, p, record->tenant);
	if (!t)
		return FAIR_E_NO_MEMORY;
	err = restore_instances(f, t, record);
	if (err) {
		tenant_free(f, t);
		return err;
	}
	t->number = record->number;
	number_used(f, t->number);
	t->state = record->closing ? TENANT_CLOSING : TENANT_OPEN;
	t->is_open = !record->closing;
	t->anonymous = record->anonymous;
	t->automatic = record->automatic;
	t->policy = policy_filled(&record->policy);
	t->revoke_below = t->refuse_below = record->revoke_below;   /* force closes to both */
	if (t->revoke_below > 0)
		number_used(f, t->revoke_below - 1);
	tenants_insert(p, t);
	account_open(f, t);
	/* One that was closing or had leases to be revoked goes on with it; one without any leases is let go so. */
	if (record->closing || record->revoke_below > 0)
		tenant_doom(f, t);
	else
		tenant_settle(f, t);
	return FAIR_OK;
}

/* Slots are given out lowest first, so that none stands there twice. */
static bool slot_ids_are_sane(const struct fair_lease_record *r)
{
	for (uint32_t i = 0; i < r->slots; i++) {
		if (r->slot_ids[i] >= FAIR_SLOTS_MAX || (i > 0 && r->slot_ids[i] <= r->slot_ids[i - 1]))
			return false;
	}
	return true;
}

static bool max_is_sane(const struct fair_lease_record *r)
{
	return r->max_lease_ns <= FAIR_SPAN_MAX && (r->max_ns == FAIR_NEVER || r->max_ns <= r->granted_ns ||
	                                            r->max_ns - r->granted_ns <= FAIR_SPAN_MAX);
}

static bool lease_record_is_sane(const struct fair_lease_record *r)
{
	bool counted = r->slots >= 1 && r->slots <= FAIR_LEASE_SLOTS_MAX;
	bool granted = counted && r->slot_ids && r->fencing_token > 0 && slot_ids_are_sane(r);

	if (!counted || r->priority < -FAIR_PRIORITY_MAX || r->priority > FAIR_PRIORITY_MAX)
		return false;

	if (!name_is_sane(r->tenant) || !number_is_sane(r->number) || r->fencing_token >= NUMBER_MAX)
		return false;
	if (!max_is_sane(r) || r->ttl_ns == 0 || r->asked_ttl_ns == 0 || strlen(r->label) > FAIR_LABEL_MAX)
		return false;
	if (r->key && (r->key_len == 0 || r->key_len > FAIR_KEY_MAX))
		return false;
	switch (r->state) {
	case FAIR_PENDING:
		return r->key && r->fencing_token == 0 && r->reason == FAIR_REASON_NONE;
	case FAIR_ACTIVE:
		return granted && r->reason == FAIR_REASON_NONE;
	case FAIR_ENDED:
		return (granted || r->fencing_token == 0) && r->reason > FAIR_REASON_NONE && r->reason <= FAIR_REASON_TOO_MANY_SLOTS;
	}
	return false;
}

/* An ended lease may outlive its tenant, which is then only a name. */
static enum fair_err record_tenant(struct fair *f, struct pool *p, const struct fair_lease_record *r,
                                   struct tenant **ret)
{
	struct tenant *t = tenant_find(p, f, r->tenant);

	if (!t && r->state == FAIR_ENDED) {
		t = tenant_new(f, p, r->tenant);
		if (!t)
			return FAIR_E_NO_MEMORY;
		t->state = TENANT_GHOST;
	}
	*ret = t;
	return t && (t->state != TENANT_GHOST || r->state == FAIR_ENDED) ? FAIR_OK : FAIR_E_TENANT_NOT_FOUND;
}

static bool slots_are_taken(const struct slots *s, const struct fair_lease_record *r)
{
	for (uint32_t i = 0; r->state == FAIR_ACTIVE && i < r->slots; i++) {
		if (r->slot_ids[i] < s->count && !slots_is_free(s, r->slot_ids[i]))
			return true;
	}
	return false;
}

/* Whether another lease has what must be this one's alone. */
static bool is_taken(const struct fair *f, const struct tenant *t, const struct fair_lease_record *r)
{
	return lease_find(f, &r->id) || lease_number_is_taken(f, r->number) ||
	       (r->key && key_find(f, t, r->key, r->key_len)) || slots_are_taken(&t->pool->slots, r);
}

/* More than ended_max may have been kept under other settings: the first calls forget them, which is told. */
static void restore_ended(struct fair *f, struct lease *l, const struct fair_lease_record *r)
{
	l->number = r->number;
	number_used(f, l->number);
	l->state = FAIR_ENDED;
	l->reason = r->reason;
	l->confirmed = l->token > 0;
	l->ended_ns = past(f, r->ended_ns);
	if (f->ended && l->ended_ns < f->ended->all_prev->ended_ns)
		l->ended_ns = f->ended->all_prev->ended_ns;
	lease_remember(f, l);
	if (l->token > 0 && l->ended_ns + l->tenant->pool->config.slot_rest_ns > f->now)
		lease_rest_slots(f, l, l->reason, l->ended_ns);
	f->crowded = f->crowded || l->tenant->pool->num_ended > f->config.ended_max;
}

/* The longest life is kept also when the clock was set back: then the lease was granted now. */
static uint64_t restored_max(const struct lease *l, const struct fair_lease_record *r)
{
	if (r->max_ns == 0 || r->max_ns == FAIR_NEVER)
		return FAIR_NEVER;
	return l->granted_ns + (r->max_ns > r->granted_ns ? r->max_ns - r->granted_ns : 0);
}

static void restore_live(struct fair *f, struct lease *l, const struct fair_lease_record *r)
{
	struct tenant *t = l->tenant;

	lease_insert(f, l, r->number);
	l->state = r->state;
	if (r->state == FAIR_ACTIVE) {
		for (uint32_t i = 0; i < l->slots; i++)
			FAIR_ASSERT(slots_take_this(&t->pool->slots, l->slot_ids[i]));
		pool_rests_settle(f, t->pool);
		l->max_ns = restored_max(l, r);
		l->confirmed = l->claimed = true;
		account_take(f, t, l->slots);
		l->deadline_ns = f->now + l->ttl_ns;
	} else {
		l->keep_until_ns = f->now + f->config.queue_grace_ns;
		if (t->state == TENANT_CLOSING && t->refuse_below <= l->number)
			t->refuse_below = l->number + 1;
	}
	lease_settle(f, l);
}

static enum fair_err restore_lease(struct fair *f, struct tenant *t, const struct fair_lease_record *record)
{
	const struct fair_request request = {.id = record->id,
	                                     .key = record->key,
	                                     .key_len = record->key_len,
	                                     .label = record->label,
	                                     .ttl_ns = record->asked_ttl_ns,
	                                     .wait = true,
	                                     .slots = record->slots,
	                                     .priority = record->priority,
	                                     .max_lease_ns = record->max_lease_ns};
	struct lease *l;

	if (is_taken(f, t, record))
		return FAIR_E_BAD_RECORD;
	l = lease_new(f, t, &request);
	if (!l)
		return FAIR_E_NO_MEMORY;
	l->attached = 0;
	l->kept = true;
	l->ttl_ns = record->ttl_ns;
	l->token = record->fencing_token;
	if (record->slot_ids)
		memcpy(l->slot_ids, record->slot_ids, l->slots * sizeof(*l->slot_ids));
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

enum fair_err fair_restore_lease(struct fair *f, uint64_t now, const struct fair_lease_record *record)
{
	struct pool *p = pool_find(f, record->pool);
	struct tenant *t = NULL;
	enum fair_err err;

	restore_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	if (!lease_record_is_sane(record))
		return FAIR_E_BAD_RECORD;
	err = record_tenant(f, p, record, &t);
	if (err)
		return err;
	err = restore_lease(f, t, record);
	if (err && t->state == TENANT_GHOST && t->references == 0)
		tenant_free(f, t);
	return err;
}
