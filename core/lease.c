/* SPDX-License-Identifier: MIT */
/* Leases: the line, presence, keys, grants and ends. */
#include "state.h"

/* Ids are random, made by the caller and not by clients: their bytes are their hash. */
static unsigned id_hash(const struct fair_id *id)
{
	unsigned hash;

	memcpy(&hash, id->bytes, sizeof(hash));
	return hash;
}

struct lease *lease_find(const struct fair *f, const struct fair_id *id)
{
	struct lease *l;

	HASH_FIND_BYHASHVALUE(by_id, f->by_id, id, sizeof(*id), id_hash(id), l);
	return l;
}

/* With many remembered leases their table is in no cache: asked for early, it comes while the call goes on. */
static void table_fetch(const struct fair *f, const struct fair_id *id)
{
	const UT_hash_table *table = f->by_id ? f->by_id->by_id.tbl : NULL;

	if (table)
		__builtin_prefetch(&table->buckets[id_hash(id) & (table->num_buckets - 1)], 1);
}

bool lease_is_present(const struct lease *l)
{
	return l->state == FAIR_PENDING && l->attached > 0;
}

static void tell(struct fair *f, struct lease *l, enum fair_event_type type)
{
	l->kept = l->kept || type == FAIR_EV_PLACED || type == FAIR_EV_GRANTED;
	event_add(f, (struct fair_event){.type = type, .id = l->id, .kept = l->kept, .number = l->number}, l->tenant);
}

/* ---- keys ---- */

#define KEY_BYTES_MAX (sizeof(void *) + FAIR_KEY_MAX)

static unsigned key_bytes(char *bytes, const struct tenant *t, const char *key, size_t key_len)
{
	FAIR_ASSERT(key_len >= 1 && key_len <= FAIR_KEY_MAX);
	memcpy(bytes, &t, sizeof(t));
	memcpy(bytes + sizeof(t), key, key_len);
	return (unsigned)(sizeof(t) + key_len);
}

struct key *key_find(const struct fair *f, const struct tenant *t, const char *key, size_t key_len)
{
	char bytes[KEY_BYTES_MAX];
	unsigned size = key_bytes(bytes, t, key, key_len);
	struct key *k;

	HASH_FIND_BYHASHVALUE(by_bytes, f->by_key, bytes, size, hash_of(f, bytes, size), k);
	return k;
}

static struct key *key_new(struct fair *f, struct lease *l, const char *key, size_t key_len)
{
	struct key *k = memory_get(f, sizeof(*k) + sizeof(void *) + key_len);

	if (!k)
		return NULL;
	k->lease = l;
	k->size = key_bytes(k->bytes, l->tenant, key, key_len);
	f->hash_failed = false;
	HASH_ADD_KEYPTR_BYHASHVALUE(by_bytes, f->by_key, k->bytes, k->size, hash_of(f, k->bytes, k->size), k);
	if (f->hash_failed) {
		memory_put(f, k);
		return NULL;
	}
	return k;
}

static void key_free(struct fair *f, struct lease *l)
{
	if (!l->key)
		return;
	HASH_DELETE(by_bytes, f->by_key, l->key);
	memory_put(f, l->key);
	l->key = NULL;
}

/* ---- life ---- */

struct lease *lease_new(struct fair *f, struct tenant *t, const struct fair_request *r)
{
	size_t label_size = strlen(r->label) + 1;
	uint32_t slots = r->slots > 0 ? r->slots : 1;
	struct lease *l = memory_get(f, sizeof(*l) + slots * sizeof(*l->slot_ids) + label_size);

	FAIR_ASSERT(r->max_lease_ns <= FAIR_SPAN_MAX);
	FAIR_ASSERT(label_size <= FAIR_LABEL_MAX + 1 && slots <= FAIR_LEASE_SLOTS_MAX);
	FAIR_ASSERT(r->priority >= -FAIR_PRIORITY_MAX && r->priority <= FAIR_PRIORITY_MAX);
	if (!l)
		return NULL;
	l->id = r->id;
	l->tenant = t;
	l->asked_ttl_ns = l->ttl_ns = r->ttl_ns;
	l->arrived_ns = f->now;
	l->deadline_ns = l->keep_until_ns = l->timer_at = FAIR_NEVER;
	l->attached = 1;
	l->try_once = !r->wait;
	l->slots = slots;
	l->priority = r->priority;
	l->max_lease_ns = r->max_lease_ns;
	l->max_ns = l->passed_ns = FAIR_NEVER;
	l->label = (char *)&l->slot_ids[slots];
	memcpy(l->label, r->label, label_size);
	if (r->key && !(l->key = key_new(f, l, r->key, r->key_len))) {
		memory_put(f, l);
		return NULL;
	}
	FAIR_ASSERT(!lease_find(f, &l->id));
	f->hash_failed = false;
	HASH_ADD_KEYPTR_BYHASHVALUE(by_id, f->by_id, &l->id, sizeof(l->id), id_hash(&l->id), l);
	if (f->hash_failed) {
		key_free(f, l);
		memory_put(f, l);
		return NULL;
	}
	t->references++;
	return l;
}

void lease_insert(struct fair *f, struct lease *l, uint64_t number)
{
	l->number = number;
	if (number > f->last_number)
		f->last_number = number;
	leases_insert(l->tenant->pool, l);
}

void lease_free(struct fair *f, struct lease *l)
{
	struct tenant *t = l->tenant;

	timer_set(f, l, FAIR_NEVER);
	key_free(f, l);
	HASH_DELETE(by_id, f->by_id, l);
	memory_put(f, l);
	tenant_dereference(f, t);
}

/* Takes a pending lease away as if it had never been. */
static void lease_drop(struct fair *f, struct lease *l)
{
	struct tenant *t = l->tenant;

	FAIR_ASSERT(l->state == FAIR_PENDING);
	leases_remove(t->pool, l);
	t->references++;
	lease_free(f, l);
	tenant_settle(f, t);
	tenant_dereference(f, t);
}

void lease_remember(struct fair *f, struct lease *l)
{
	struct pool *p = l->tenant->pool;

	DL_APPEND(p->ended, l);
	DL_APPEND2(f->ended, l, all_prev, all_next);
	p->num_ended++;
}

void lease_forget(struct fair *f, struct lease *l)
{
	if (l->kept)
		tell(f, l, FAIR_EV_FORGOTTEN);
	lease_erase(f, l);
}

void lease_erase(struct fair *f, struct lease *l)
{
	struct pool *p = l->tenant->pool;

	FAIR_ASSERT(l->state == FAIR_ENDED);
	/* The only one of a list is its own predecessor. */
	FAIR_ASSERT(l->all_next || l->all_prev == l || l != f->ended);
	DL_DELETE(p->ended, l);
	DL_DELETE2(f->ended, l, all_prev, all_next);
	p->num_ended--;
	lease_free(f, l);
}

/* "A grant that is neither confirmed nor withdrawn has no ttl": and no longest life, as nobody was told of it. */
static uint64_t end_by_ttl_or_max(const struct lease *l)
{
	if (l->state != FAIR_ACTIVE || !l->confirmed)
		return FAIR_NEVER;
	return l->deadline_ns < l->max_ns ? l->deadline_ns : l->max_ns;
}

/* The one time at which something happens to a lease by itself. */
static void timer_update(struct fair *f, struct lease *l)
{
	uint64_t end = end_by_ttl_or_max(l);

	timer_set(f, l, end < l->keep_until_ns ? end : l->keep_until_ns);
}

/* After any change of a lease's state, presence or times. */
void lease_settle(struct fair *f, struct lease *l)
{
	timer_update(f, l);
	leases_changed(l);
	tenant_settle(f, l->tenant);
}

/* "The lease ends at granted + the smaller of the pool's and its own": what the pool says later changes no lease. */
static uint64_t longest(const struct lease *l)
{
	uint64_t own = l->max_lease_ns, of_pool = l->tenant->pool->config.max_lease_ns;

	if (own == 0 || (of_pool > 0 && of_pool < own))
		own = of_pool;
	return own > 0 ? l->granted_ns + own : FAIR_NEVER;
}

void lease_grant(struct fair *f, struct lease *l)
{
	FAIR_ASSERT(lease_is_present(l));
	l->state = FAIR_ACTIVE;
	for (uint32_t i = 0; i < l->slots; i++)
		l->slot_ids[i] = slots_take(&l->tenant->pool->slots);
	l->token = f->next_token++;
	l->granted_ns = f->now;
	l->max_ns = longest(l);
	account_take(f, l->tenant, l->slots);
	tell(f, l, FAIR_EV_GRANTED);
	lease_settle(f, l);
}

static void count_grant(struct fair *f, struct lease *l)
{
	struct pool *p = l->tenant->pool;

	p->totals.granted++;
	account_grant(l->tenant);
	window_add(&p->wait, f->now, l->granted_ns - l->arrived_ns);
	fair_spans_add(&p->totals.wait, l->granted_ns - l->arrived_ns);
	l->confirmed = true;
}

static void count_end(struct fair *f, const struct lease *l, enum fair_reason reason)
{
	struct pool *p = l->tenant->pool;
	struct fair_pool_totals *totals = &p->totals;

	totals->ended[reason]++;
	if (l->state != FAIR_ACTIVE) {
		bool left = reason == FAIR_REASON_LEFT || reason == FAIR_REASON_PLACE_LOST;

		totals->left += left;
		totals->refused += !left;
		return;
	}
	window_add(&p->hold, f->now, f->now - l->granted_ns);
	fair_spans_add(&totals->hold, f->now - l->granted_ns);
}

static void give_slots(struct lease *l)
{
	for (uint32_t i = 0; i < l->slots; i++)
		slots_give(&l->tenant->pool->slots, l->slot_ids[i]);
}

/* "The slots of a lease that ended as expired, revoked, max-lease or unclaimed rest, since its tab may still run." */
void lease_rest_slots(struct fair *f, const struct lease *l, enum fair_reason reason, uint64_t since)
{
	struct pool *p = l->tenant->pool;

	if (p->config.slot_rest_ns == 0 || reason == FAIR_REASON_RELEASED)
		return;
	for (uint32_t i = 0; i < l->slots; i++)
		pool_slot_rests(f, p, l->slot_ids[i], since);
}

/* "A key whose place was given up or lost is free at once": only a lease that was granted keeps it. */
void lease_end(struct fair *f, struct lease *l, enum fair_reason reason)
{
	struct tenant *t = l->tenant;
	struct pool *p = t->pool;

	FAIR_ASSERT(l->state != FAIR_ENDED);
	if (l->state == FAIR_ACTIVE) {
		if (!l->confirmed)
			count_grant(f, l);
		account_give(f, t, l->slots);
		give_slots(l);
		lease_rest_slots(f, l, reason, f->now);
	} else {
		key_free(f, l);
	}
	count_end(f, l, reason);
	event_add(f,
	          (struct fair_event){.type = FAIR_EV_ENDED,
	                              .id = l->id,
	                              .reason = reason,
	                              .was = l->state,
	                              .kept = l->kept,
	                              .number = l->number},
	          t);
	leases_remove(p, l);
	l->reason = reason;
	l->ended_ns = f->now;
	l->attached = 0;
	timer_set(f, l, FAIR_NEVER);
	lease_remember(f, l);
	tenant_settle(f, t);
	if (p->num_ended > f->config.ended_max)
		lease_forget(f, p->ended);
}

void lease_refuse(struct fair *f, struct lease *l, enum fair_reason reason)
{
	tell(f, l, FAIR_EV_REFUSED);
	lease_end(f, l, reason);
}

void lease_timer_over(struct fair *f, struct lease *l)
{
	if (l->state == FAIR_PENDING)
		lease_end(f, l, FAIR_REASON_PLACE_LOST);
	else if (l->keep_until_ns < end_by_ttl_or_max(l))
		lease_end(f, l, FAIR_REASON_UNCLAIMED);
	else
		lease_end(f, l, l->max_ns <= l->deadline_ns ? FAIR_REASON_MAX_LEASE : FAIR_REASON_EXPIRED);
}

/* "A lease is alive while now < deadline, and ended from then on for every call", also when the sweep is not there yet. */
struct lease *lease_find_now(struct fair *f, const struct fair_id *id)
{
	struct lease *l = lease_find(f, id);
	const struct tenant *t = l ? l->tenant : NULL;

	if (!l)
		return NULL;
	if (t->doomed && l->state == FAIR_ACTIVE && l->number < t->revoke_below)
		lease_end(f, l, FAIR_REASON_REVOKED);
	else if (t->doomed && l->state == FAIR_PENDING && l->number < t->refuse_below)
		lease_refuse(f, l, FAIR_REASON_TENANT_CLOSING);
	else if (l->timer_at != FAIR_NEVER && l->timer_at + f->late_ns <= f->now)
		lease_timer_over(f, l);
	else
		return l;
	f->more = true;
	return lease_find(f, id);
}

/* ---- acquiring ---- */

static struct fair_place place_of(const struct fair *f, const struct lease *l)
{
	const struct tenant *t = l->tenant;
	const struct pool *p = t->pool;
	struct counts c = tenant_counts(t);
	struct fair_place place = {.position = tenant_position(l),
	                           .ahead = pool_present_before(p, l->number),
	                           .active_slots = c.active,
	                           .share = tenant_share(t),
	                           .waiting = c.present - lease_is_present(l),
	                           .reason = turns_reason(l)};

	place.estimated_wait_ns = estimate_wait(f, l, &place);
	return place;
}

enum fair_err fair_lease_place(const struct fair *f, const struct fair_id *id, struct fair_place *ret)
{
	const struct lease *l = lease_find(f, id);

	if (!l || l->state != FAIR_PENDING)
		return FAIR_E_LEASE_NOT_FOUND;
	*ret = place_of(f, l);
	return FAIR_OK;
}

static void attach(struct fair *f, struct lease *l)
{
	l->attached++;
	l->keep_until_ns = FAIR_NEVER;
	lease_settle(f, l);
}

/* The rules of Presence, Place and Lost answers in the HTTP contract. */
static void detach(struct fair *f, struct lease *l)
{
	FAIR_ASSERT(l->attached > 0);
	if (l->attached > 1 || (l->state == FAIR_ACTIVE && l->claimed)) {
		l->attached--;
		return;
	}
	if (!l->key) {
		lease_end(f, l, l->state == FAIR_PENDING ? FAIR_REASON_LEFT : FAIR_REASON_UNCLAIMED);
		return;
	}
	l->attached = 0;
	l->keep_until_ns = f->now + (l->state == FAIR_PENDING ? f->config.queue_grace_ns : f->config.claim_ns);
	lease_settle(f, l);
}

static enum fair_err acquire_known(struct fair *f, struct lease *l, const struct fair_request *r,
                                   struct fair_acquired *ret)
{
	ret->id = l->id;
	ret->known = true;
	if (l->state == FAIR_ENDED)
		return FAIR_E_LEASE_ENDED;
	if (l->asked_ttl_ns != r->ttl_ns || strcmp(l->label, r->label) != 0 || l->slots != (r->slots > 0 ? r->slots : 1) ||
	    l->priority != r->priority || l->max_lease_ns != r->max_lease_ns)
		return FAIR_E_KEY_REUSED;
	l->try_once = l->try_once && !r->wait;
	attach(f, l);
	call_end(f);
	ret->state = l->state;
	if (l->state == FAIR_ACTIVE || r->wait)
		return FAIR_OK;
	ret->place = place_of(f, l);
	ret->placed = true;
	l->tenant->pool->totals.no_slot++;
	detach(f, l);
	return FAIR_E_NO_SLOT;
}

/* Whether a waiter that was not granted at once is one too many; it is counted already. */
static bool line_is_full(const struct lease *l)
{
	const struct pool *p = l->tenant->pool;
	uint32_t own = l->tenant->policy.max_waiting;
	struct counts c = tenant_counts(l->tenant);

	return pool_counts(p).present > p->config.max_waiting || c.present + c.absent > (own > 0 ? own : p->config.tenant_max_waiting);
}

/* `created`: the tenant was opened for this request, and nobody has been told yet. */
static enum fair_err acquire_new(struct fair *f, struct tenant *t, bool created, const struct fair_request *r,
                                 struct fair_acquired *ret)
{
	struct lease *l = lease_new(f, t, r);
	enum fair_err err = FAIR_OK;

	if (!l && created)
		tenant_remove(f, t);
	if (!l)
		return FAIR_E_NO_MEMORY;
	lease_insert(f, l, f->last_number + 1);
	if (created)
		event_add(f, (struct fair_event){.type = FAIR_EV_TENANT}, t);
	ret->id = l->id;
	tenant_settle(f, t);
	call_end(f);
	ret->state = l->state;
	if (l->state == FAIR_ACTIVE)
		return FAIR_OK;
	if (l->try_once) {
		ret->place = place_of(f, l);
		t->pool->totals.no_slot++;
		err = FAIR_E_NO_SLOT;
	} else if (line_is_full(l)) {
		err = FAIR_E_QUEUE_FULL;
	} else if (l->key) {
		tell(f, l, FAIR_EV_PLACED);
	}
	if (err)
		lease_drop(f, l);
	return err;
}

static bool key_id(const struct fair *f, const struct tenant *t, const struct fair_request *r, struct fair_id *ret)
{
	const struct key *k = key_find(f, t, r->key, r->key_len);

	if (k)
		*ret = k->lease->id;
	return k != NULL;
}

static enum fair_err acquire_tenant(struct fair *f, struct pool *p, const struct fair_request *r, struct tenant **ret,
                                     bool *ret_created)
{
	struct tenant *t = tenant_registered(p, f, r->tenant);
	enum fair_err err = FAIR_OK;

	if (t && t->state == TENANT_CLOSING)
		return FAIR_E_TENANT_CLOSING;
	if (!t && !r->auto_register)
		return FAIR_E_TENANT_NOT_REGISTERED;
	if (!t && !(err = tenant_open(f, p, r->tenant, &t, ret_created)))
		t->anonymous = t->automatic = true;
	*ret = t;
	return err;
}

static enum fair_err acquire(struct fair *f, struct pool *p, const struct fair_request *r, struct fair_acquired *ret)
{
	struct tenant *t = tenant_find(p, f, r->tenant);
	struct fair_id id;

	/* "A known key is answered before the state of its tenant is looked at"; what is due for it comes first. */
	if (r->key && t && key_id(f, t, r, &id) && lease_find_now(f, &id) && key_id(f, t, r, &id))
		return acquire_known(f, lease_find(f, &id), r, ret);

	bool created = false;
	enum fair_err err = acquire_tenant(f, p, r, &t, &created);

	if (err)
		return err;
	if ((r->slots > 0 ? r->slots : 1) > turns_most(p, t)) {
		if (created)
			tenant_remove(f, t);
		return FAIR_E_TOO_MANY_SLOTS;
	}
	return acquire_new(f, t, created, r, ret);
}

enum fair_err fair_acquire(struct fair *f, uint64_t now, const struct fair_request *request, struct fair_acquired *ret)
{
	struct pool *p = pool_find(f, request->pool);
	enum fair_err err;

	FAIR_ASSERT(request->ttl_ns > 0);
	memset(ret, 0, sizeof(*ret));
	call_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	table_fetch(f, &request->id);
	err = acquire(f, p, request, ret);
	p->totals.refused += err != FAIR_OK && err != FAIR_E_NO_SLOT;
	call_end(f);
	return err;
}

enum fair_err fair_attach(struct fair *f, uint64_t now, const struct fair_id *id)
{
	enum fair_err err = FAIR_OK;
	struct lease *l;

	call_begin(f, now);
	l = lease_find_now(f, id);
	if (!l)
		err = FAIR_E_LEASE_NOT_FOUND;
	else if (l->state == FAIR_ENDED)
		err = FAIR_E_LEASE_ENDED;
	else
		attach(f, l);
	call_end(f);
	return err;
}

void fair_detach(struct fair *f, uint64_t now, const struct fair_id *id, enum fair_detach how)
{
	struct lease *l;

	call_begin(f, now);
	l = lease_find_now(f, id);
	if (l && l->state != FAIR_ENDED && l->attached > 0) {
		if (how == FAIR_DETACH_WAIT_OVER)
			l->tenant->pool->totals.no_slot++;
		detach(f, l);
	}
	call_end(f);
}

void fair_claim(struct fair *f, uint64_t now, const struct fair_id *id)
{
	struct lease *l;

	call_begin(f, now);
	l = lease_find_now(f, id);
	if (l && l->state == FAIR_ACTIVE) {
		l->claimed = true;
		l->keep_until_ns = FAIR_NEVER;
		timer_update(f, l);
	}
	call_end(f);
}

bool fair_key_find(const struct fair *f, const char *pool, const char *tenant, const char *key, size_t key_len,
                   struct fair_id *ret_id)
{
	const struct pool *p = pool_find(f, pool);
	const struct tenant *t = p ? tenant_find(p, f, tenant) : NULL;
	const struct key *k = t ? key_find(f, t, key, key_len) : NULL;

	if (k)
		*ret_id = k->lease->id;
	return k != NULL;
}

/* ---- holding ---- */

enum fair_err fair_heartbeat(struct fair *f, uint64_t now, const struct fair_id *id, uint64_t ttl_ns)
{
	enum fair_err err = FAIR_OK;
	struct lease *l;

	call_begin(f, now);
	l = lease_find_now(f, id);
	if (!l) {
		err = FAIR_E_LEASE_NOT_FOUND;
		f->heartbeats_unknown++;
	} else if (l->state == FAIR_ENDED) {
		err = FAIR_E_LEASE_ENDED;
		l->tenant->pool->totals.lost++;
	} else if (l->state == FAIR_PENDING) {
		err = FAIR_E_LEASE_PENDING;
		l->tenant->pool->totals.lost++;
	} else {
		l->tenant->pool->totals.renewed++;
		if (ttl_ns > 0 && ttl_ns != l->ttl_ns) {
			l->ttl_ns = ttl_ns;
			tell(f, l, FAIR_EV_RENEWED);
		}
		l->claimed = true;
		l->keep_until_ns = FAIR_NEVER;
		if (l->confirmed)
			l->deadline_ns = now + l->ttl_ns;
		reclaim_update(f, l);
		timer_update(f, l);
	}
	call_end(f);
	return err;
}

static void give_up(struct fair *f, struct lease *l)
{
	lease_end(f, l, l->state == FAIR_PENDING ? FAIR_REASON_LEFT : FAIR_REASON_RELEASED);
}

static enum fair_err end_by_id(struct fair *f, uint64_t now, const struct fair_id *id, bool revoke)
{
	enum fair_err err = FAIR_OK;
	struct lease *l;

	call_begin(f, now);
	l = lease_find_now(f, id);
	if (!l)
		err = FAIR_E_LEASE_NOT_FOUND;
	else if (l->state == FAIR_ENDED)
		err = !revoke && (l->reason == FAIR_REASON_RELEASED || l->reason == FAIR_REASON_LEFT) ? FAIR_OK
		                                                                                     : FAIR_E_LEASE_ENDED;
	else if (revoke)
		lease_end(f, l, FAIR_REASON_REVOKED);
	else
		give_up(f, l);
	call_end(f);
	return err;
}

enum fair_err fair_release(struct fair *f, uint64_t now, const struct fair_id *id)
{
	return end_by_id(f, now, id, false);
}

enum fair_err fair_revoke(struct fair *f, uint64_t now, const struct fair_id *id)
{
	return end_by_id(f, now, id, true);
}

bool fair_cancel(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *key, size_t key_len)
{
	struct fair_id id;
	struct lease *l = NULL;

	call_begin(f, now);
	if (fair_key_find(f, pool, tenant, key, key_len, &id))
		l = lease_find_now(f, &id);

	bool found = l && l->state != FAIR_ENDED;

	if (found)
		give_up(f, l);
	call_end(f);
	return found;
}

/* ---- durability ---- */

static struct lease *unconfirmed(const struct fair *f, const struct fair_id *id)
{
	struct lease *l = lease_find(f, id);

	return l && l->state == FAIR_ACTIVE && !l->confirmed ? l : NULL;
}

void fair_confirm(struct fair *f, uint64_t now, const struct fair_id *id)
{
	struct lease *l;

	call_begin(f, now);
	l = unconfirmed(f, id);
	if (l) {
		count_grant(f, l);
		l->deadline_ns = now + l->ttl_ns;
		timer_update(f, l);
	}
	call_end(f);
}

void fair_withdraw(struct fair *f, uint64_t now, const struct fair_id *id)
{
	struct lease *l;

	call_begin(f, now);
	l = unconfirmed(f, id);
	if (!l)
		return;
	account_give(f, l->tenant, l->slots);
	give_slots(l);
	l->state = FAIR_PENDING;
	l->token = 0;
	l->granted_ns = 0;
	l->max_ns = FAIR_NEVER;
	l->reclaim_ns = 0;
	l->claimed = false;
	if (l->attached == 0)
		l->keep_until_ns = now + f->config.queue_grace_ns;
	tell(f, l, FAIR_EV_WITHDRAWN);
	leases_changed(l);
	if (l->try_once)
		lease_drop(f, l);
	else if (l->tenant->state == TENANT_CLOSING)
		lease_refuse(f, l, FAIR_REASON_TENANT_CLOSING);
	else if (l->attached == 0 && !l->key)
		lease_end(f, l, FAIR_REASON_LEFT);
	else
		lease_settle(f, l);
	call_end(f);
}
