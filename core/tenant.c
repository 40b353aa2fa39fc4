/* SPDX-License-Identifier: MIT */
/* Tenants: registrations, closing, idleness, and what follows from a change of their leases. */
#include "state.h"

struct tenant *tenant_find(const struct pool *p, const struct fair *f, const char *name)
{
	size_t length = strlen(name);
	struct tenant *t;

	HASH_FIND_BYHASHVALUE(by_name, p->by_name, name, length, hash_of(f, name, length), t);
	return t;
}

struct tenant *tenant_registered(const struct pool *p, const struct fair *f, const char *name)
{
	struct tenant *t = tenant_find(p, f, name);

	return t && t->state != TENANT_GHOST ? t : NULL;
}

static uint32_t registrations(const struct tenant *t)
{
	return t->num_instances + t->anonymous;
}

static void tell(struct fair *f, const struct tenant *t, enum fair_event_type type)
{
	event_add(f, (struct fair_event){.type = type}, t);
}

static struct instance *instance_find(const struct tenant *t, const char *name)
{
	struct instance *i;

	DL_FOREACH(t->instances, i) {
		if (strcmp(i->name, name) == 0)
			return i;
	}
	return NULL;
}

static void instance_remove(struct fair *f, struct tenant *t, struct instance *i)
{
	DL_DELETE(t->instances, i);
	t->num_instances--;
	memory_put(f, i);
}

static void instances_clear(struct fair *f, struct tenant *t)
{
	while (t->instances)
		instance_remove(f, t, t->instances);
}

static struct instance *instance_new(struct fair *f, const char *name)
{
	size_t size = strlen(name) + 1;
	struct instance *i = memory_get(f, sizeof(*i) + size);

	if (i)
		memcpy(i->name, name, size);
	return i;
}

bool tenant_has_instance(const struct tenant *t, const char *name)
{
	return instance_find(t, name) != NULL;
}

bool tenant_instance_add(struct fair *f, struct tenant *t, const char *name)
{
	struct instance *i = instance_new(f, name);

	if (!i)
		return false;
	DL_APPEND(t->instances, i);
	t->num_instances++;
	return true;
}

struct tenant *tenant_new(struct fair *f, struct pool *p, const char *name)
{
	size_t length = strlen(name);
	struct tenant *t = memory_get(f, sizeof(*t));

	FAIR_ASSERT(length >= 1 && length <= FAIR_NAME_MAX);
	if (!t)
		return NULL;
	t->pool = p;
	t->passed_ns = FAIR_NEVER;
	t->excess = EXCESS_NONE;
	memcpy(t->name, name, length + 1);
	f->hash_failed = false;
	HASH_ADD_KEYPTR_BYHASHVALUE(by_name, p->by_name, t->name, length, hash_of(f, name, length), t);
	if (f->hash_failed) {
		memory_put(f, t);
		return NULL;
	}
	return t;
}

/* Finds or makes an open or closing tenant; a ghost comes back to life as a new one. Its state is the caller's. */
enum fair_err tenant_open(struct fair *f, struct pool *p, const char *name, struct tenant **ret, bool *ret_created)
{
	struct tenant *t = tenant_find(p, f, name);

	*ret_created = !t || t->state == TENANT_GHOST;
	if (*ret_created) {
		if (pool_open(p) >= f->config.max_tenants)
			return FAIR_E_TOO_MANY_TENANTS;
		if (!t && !(t = tenant_new(f, p, name)))
			return FAIR_E_NO_MEMORY;
		t->number = ++f->last_number;
		t->state = TENANT_OPEN;
		t->is_open = true;
		t->anonymous = t->automatic = false;
		policy_begin(t);
		tenants_insert(p, t);
		account_open(f, t);
	}
	*ret = t;
	return FAIR_OK;
}

void tenant_free(struct fair *f, struct tenant *t)
{
	instances_clear(f, t);
	HASH_DELETE(by_name, t->pool->by_name, t);
	memory_put(f, t);
}

void tenant_dereference(struct fair *f, struct tenant *t)
{
	FAIR_ASSERT(t->references > 0);
	if (--t->references == 0 && t->state == TENANT_GHOST)
		tenant_free(f, t);
}

static void idle_leave(struct fair *f, struct tenant *t)
{
	if (t->idle)
		DL_DELETE2(f->idle, t, idle_prev, idle_next);
	t->idle = false;
}

void tenant_touch(struct fair *f, struct tenant *t)
{
	idle_leave(f, t);
	if (t->state != TENANT_OPEN || !RB_EMPTY(&t->leases) || (!t->automatic && registrations(t) < 2))
		return;
	t->idle = true;
	t->idle_since = f->now;
	DL_APPEND2(f->idle, t, idle_prev, idle_next);
}

static void doomed_leave(struct fair *f, struct tenant *t)
{
	if (t->doomed) {
		/* The only one of a list is its own predecessor. */
		FAIR_ASSERT(t->doomed_next || t->doomed_prev == t || t != f->doomed);
		DL_DELETE2(f->doomed, t, doomed_prev, doomed_next);
	}
	t->doomed = false;
}

void tenant_doom(struct fair *f, struct tenant *t)
{
	if (!t->doomed)
		DL_APPEND2(f->doomed, t, doomed_prev, doomed_next);
	t->doomed = true;
}

void tenant_remove(struct fair *f, struct tenant *t)
{
	struct pool *p = t->pool;

	idle_leave(f, t);
	doomed_leave(f, t);
	turns_set(p, t, NULL, 0);
	t->kept = 0;
	t->excess = EXCESS_NONE;
	t->is_open = t->is_demanding = false;
	fairness_settle(t);
	t->filled = 0;
	t->fillings = 0;
	t->policy = policy_filled(NULL);
	tenants_changed(t);
	tenants_remove(p, t);
	pool_share_update(f, p);
	pool_dirty(f, p);   /* its last lease has just ended */
	account_close(f, t);
	t->state = TENANT_GHOST;
	if (t->references == 0)
		tenant_free(f, t);
}

static uint32_t unheld_reserve(const struct tenant *t, uint32_t active)
{
	uint32_t reserve = t->pool->config.policy == FAIR_POLICY_MAX_MIN ? t->policy.reserved_slots : 0;

	return reserve > active ? reserve - active : 0;
}

static int64_t excess_of(const struct tenant *t)
{
	uint32_t most = line_most(t);

	if (most == 0)
		return EXCESS_NONE;
	if (t->policy.max_slots > 0 && most > t->policy.max_slots)
		return EXCESS_ALWAYS;
	return (int64_t)most - t->policy.reserved_slots;
}

void tenant_excess_lower(struct tenant *t)
{
	t->excess = excess_of(t);
	tenants_changed(t);
}

/* "A tenant is demanding while it holds a slot or has a present waiter, and is not closing." */
void tenant_line_up(struct fair *f, struct tenant *t)
{
	struct pool *p = t->pool;
	struct counts c = tenant_counts(t);
	bool open = t->state == TENANT_OPEN;
	bool demanding = open && c.active + c.present > 0;
	uint32_t kept = open ? unheld_reserve(t, c.active) : 0;
	int64_t excess = excess_of(t);

	if (t->is_open != open || t->is_demanding != demanding || t->kept != kept || t->excess < excess) {
		t->is_open = open;
		t->is_demanding = demanding;
		t->kept = kept;
		if (t->excess < excess)
			t->excess = excess;
		tenants_changed(t);
	}
	fairness_settle(t);
	pool_share_update(f, p);
	busy_set(p, t, c.active + c.present);
	turns_set(p, t, open && !t->doomed ? tenant_first_present(t) : NULL, c.active);
}

void tenant_settle(struct fair *f, struct tenant *t)
{
	if (t->state == TENANT_CLOSING && RB_EMPTY(&t->leases)) {
		tell(f, t, FAIR_EV_TENANT_GONE);
		tenant_remove(f, t);
		return;
	}
	tenant_line_up(f, t);
	tenant_touch(f, t);
	pool_dirty(f, t->pool);
}

/* ---- registering ---- */

enum fair_err fair_register(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *instance,
                            bool *ret_created)
{
	struct pool *p = pool_find(f, pool);
	struct instance *i = NULL;
	struct tenant *t;

	call_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	t = tenant_registered(p, f, tenant);

	bool known = t && instance && instance_find(t, instance);

	if (instance && !known) {
		if (t && t->num_instances >= FAIR_INSTANCES_MAX)
			return FAIR_E_TOO_MANY_INSTANCES;
		if (!(i = instance_new(f, instance)))
			return FAIR_E_NO_MEMORY;
	}

	enum fair_err err = tenant_open(f, p, tenant, &t, ret_created);

	if (err) {
		memory_put(f, i);
		return err;
	}

	bool changed = *ret_created || i || t->state == TENANT_CLOSING || t->automatic || (!instance && !t->anonymous);

	t->state = TENANT_OPEN;
	t->automatic = false;
	if (i) {
		DL_APPEND(t->instances, i);
		t->num_instances++;
	}
	if (!instance)
		t->anonymous = true;
	if (changed)
		tell(f, t, FAIR_EV_TENANT);
	tenant_settle(f, t);
	call_end(f);
	return FAIR_OK;
}

/* Its waiters are refused at once, and with `force` its leases revoked, as far as the budget of the call goes. */
static void tenant_close(struct fair *f, struct tenant *t, bool force)
{
	instances_clear(f, t);
	t->anonymous = t->automatic = false;
	t->refuse_below = f->last_number + 1;
	if (force)
		t->revoke_below = f->last_number + 1;
	tenant_doom(f, t);
	if (t->state != TENANT_CLOSING || force) {   /* what is to be revoked is kept, too */
		t->state = TENANT_CLOSING;
		tell(f, t, FAIR_EV_TENANT);
	}
	tenant_settle(f, t);
}

/* Takes registrations back; true when others remain. */
static bool registration_remove(struct fair *f, struct tenant *t, const char *instance)
{
	struct instance *i = instance ? instance_find(t, instance) : NULL;

	if (!instance && !t->anonymous)
		return false;
	if (!instance)
		t->anonymous = false;
	if (i)
		instance_remove(f, t, i);
	if (registrations(t) == 0)
		return false;
	if (i || !instance)
		tell(f, t, FAIR_EV_TENANT);
	tenant_touch(f, t);
	return true;
}

enum fair_err fair_unregister(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *instance,
                              bool force, enum fair_unregistered *ret_how)
{
	struct pool *p = pool_find(f, pool);
	struct tenant *t;

	FAIR_ASSERT(!(force && instance));
	call_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	t = tenant_registered(p, f, tenant);
	if (!t)
		return FAIR_E_TENANT_NOT_FOUND;
	if (!force && registration_remove(f, t, instance)) {
		*ret_how = FAIR_UNREGISTERED_REMAINS;
		call_end(f);
		return FAIR_OK;
	}
	tenant_close(f, t, force);
	call_end(f);
	*ret_how = tenant_registered(p, f, tenant) ? FAIR_UNREGISTERED_CLOSING : FAIR_UNREGISTERED_GONE;
	return FAIR_OK;
}

/* Ends one lease that an unregistering doomed, or lets a tenant without any go on; false when no tenant is doomed. */
bool tenant_doom_one(struct fair *f)
{
	struct tenant *t = f->doomed;

	if (!t)
		return false;

	struct lease *waiter = tenant_lease_after(t, 0, FAIR_PENDING);
	struct lease *holder = tenant_lease_after(t, 0, FAIR_ACTIVE);

	if (waiter && waiter->number < t->refuse_below) {
		lease_refuse(f, waiter, FAIR_REASON_TENANT_CLOSING);
	} else if (holder && holder->number < t->revoke_below) {
		lease_end(f, holder, FAIR_REASON_REVOKED);
	} else {
		doomed_leave(f, t);
		tenant_settle(f, t);   /* re-opened meanwhile, its new waiters may be granted from here on */
	}
	return true;
}

/* "Only auto-registered tenants go by themselves"; of other tenants all registrations go but one, the newest. */
void tenant_idle_over(struct fair *f, struct tenant *t)
{
	idle_leave(f, t);
	if (t->automatic) {
		tenant_close(f, t, false);
		return;
	}
	while (t->num_instances > (t->anonymous ? 0u : 1u))
		instance_remove(f, t, t->instances);
	tell(f, t, FAIR_EV_TENANT);
}
