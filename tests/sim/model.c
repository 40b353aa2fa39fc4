/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct fair_tenant_policy no_policy = {.weight = 1000};

static void configure(struct model_pool *p, const struct fair_pool_config *config)
{
	p->config = *config;
	for (uint32_t i = 0; i < config->num_cordoned; i++)
		p->cordoned[i] = config->cordoned[i];
}

void model_init(struct model *m, const struct fair_config *config, const struct fair_pool_config *pools)
{
	memset(m, 0, offsetof(struct model, leases));
	m->config = *config;
	m->next_token = config->first_token;
	for (uint32_t p = 0; p < MODEL_POOLS; p++) {
		configure(&m->pools[p], &pools[p]);
		m->pools[p].share = pools[p].max_slots;
	}
}

static void tell(struct model *m, struct model_event e)
{
	if (m->num_events == MODEL_EVENTS_MAX)
		abort();
	m->events[m->num_events++] = e;
}

static void tell_tenant(struct model *m, uint32_t p, uint32_t t, enum fair_event_type type)
{
	tell(m, (struct model_event){.type = type, .pool = p, .tenant = t});
}

static void tell_lease(struct model *m, struct model_lease *l, enum fair_event_type type)
{
	l->kept |= type == FAIR_EV_PLACED || type == FAIR_EV_GRANTED;
	tell(m, (struct model_event){.type = type, .id = l->id, .kept = l->kept, .pool = l->pool, .tenant = l->tenant});
}

static bool present(const struct model_lease *l)
{
	return l->state == FAIR_PENDING && l->attached > 0;
}

struct model_counts model_count(const struct model *m, uint32_t pool, int tenant)
{
	struct model_counts c = {0};

	for (const struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->pool != pool || (tenant >= 0 && l->tenant != (uint32_t)tenant))
			continue;
		c.active += l->state == FAIR_ACTIVE ? l->slots : 0;
		c.present += present(l);
		c.absent += l->state == FAIR_PENDING && !present(l);
	}
	return c;
}

static struct model_tenant *tenant_of(struct model *m, const struct model_lease *l)
{
	return &m->pools[l->pool].tenants[l->tenant];
}

/* "The share is worked out anew at every change" of who demands, and with `renew` of what it is worked out from. */
static void share_anew(struct model *m, uint32_t pool, bool renew)
{
	struct model_pool *p = &m->pools[pool];
	bool demands[MODEL_TENANTS] = {false};
	uint32_t n = 0;

	for (const struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->pool == pool && (l->state == FAIR_ACTIVE || present(l)) && p->tenants[l->tenant].state == MODEL_OPEN)
			demands[l->tenant] = true;
	}
	for (uint32_t t = 0; t < MODEL_TENANTS; t++)
		n += demands[t];
	if (n == p->demanding && !renew)
		return;

	uint64_t share = n ? p->config.max_slots / n : p->config.max_slots, calculated;

	if (n && p->config.calculator && p->config.policy == FAIR_POLICY_EQUAL) {
		if (p->config.calculator(p->config.max_slots, n, p->config.calculator_context, &calculated))
			share = calculated;
		else
			p->calculator_failures++;
	}
	if (share < p->config.min_share)
		share = p->config.min_share;
	p->share = share > INT32_MAX ? INT32_MAX : (uint32_t)share;
	p->demanding = n;
}

/* After each change of a tenant or of its leases. */
static void changed(struct model *m, uint32_t pool, uint32_t tenant)
{
	struct model_tenant *t = &m->pools[pool].tenants[tenant];
	struct model_counts c = model_count(m, pool, (int)tenant);

	t->used = m->now;
	t->used_order = ++m->last_order;
	share_anew(m, pool, false);
	if (t->state == MODEL_CLOSING && c.active + c.present + c.absent == 0) {
		t->state = MODEL_GONE;
		tell_tenant(m, pool, tenant, FAIR_EV_TENANT_GONE);
	}
}

static void take_out(struct model *m, struct model_lease *l)
{
	m->num_leases--;
	memmove(l, l + 1, (size_t)(m->leases + m->num_leases - l) * sizeof(*l));
}

static void forget(struct model *m, struct model_lease *l)
{
	if (l->kept)
		tell_lease(m, l, FAIR_EV_FORGOTTEN);
	take_out(m, l);
}

/* The lease that ended first, of all pools with -1. */
static struct model_lease *first_ended(struct model *m, int pool, uint32_t *ret_count)
{
	struct model_lease *first = NULL;

	*ret_count = 0;
	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->state != FAIR_ENDED || (pool >= 0 && l->pool != (uint32_t)pool))
			continue;
		++*ret_count;
		if (!first || l->ended_order < first->ended_order)
			first = l;
	}
	return first;
}

/* "The slots of a lease that ended as expired, revoked, max-lease or unclaimed rest that long." */
static void rest(struct model *m, const struct model_lease *l, enum fair_reason reason, uint64_t since)
{
	struct model_pool *p = &m->pools[l->pool];

	if (p->config.slot_rest_ns == 0 || (reason != FAIR_REASON_EXPIRED && reason != FAIR_REASON_REVOKED &&
										reason != FAIR_REASON_MAX_LEASE && reason != FAIR_REASON_UNCLAIMED))
		return;
	if (model_first_rest(p) < 0)
		p->resting_order = ++m->last_order;
	for (uint32_t i = 0; i < l->slots; i++) {
		if (l->slot_ids[i] < p->config.max_slots && !model_slot_is_held(m, l->pool, l->slot_ids[i]))
			p->rests[l->slot_ids[i]] = (struct model_rest){.on = true, .since = since, .order = ++m->last_order};
	}
}

static void end(struct model *m, struct model_lease *l, enum fair_reason reason)
{
	struct model_pool *p = &m->pools[l->pool];
	bool active = l->state == FAIR_ACTIVE;
	uint32_t pool = l->pool, count;

	p->granted_total += active && !l->confirmed;
	p->revoked_total += reason == FAIR_REASON_REVOKED;
	p->released_total += active && reason == FAIR_REASON_RELEASED;
	p->expired_total += active && reason == FAIR_REASON_EXPIRED;
	p->unclaimed_total += active && reason == FAIR_REASON_UNCLAIMED;
	tell(m, (struct model_event){.type = FAIR_EV_ENDED,
								 .id = l->id,
								 .reason = reason,
								 .was = l->state,
								 .kept = l->kept,
								 .pool = l->pool,
								 .tenant = l->tenant});
	if (!active)
		l->key = MODEL_NO_KEY; /* "a key whose place was given up or lost is free at once" */
	l->confirmed = active;
	l->state = FAIR_ENDED;
	if (active)
		rest(m, l, reason, m->now);
	l->reason = reason;
	l->attached = 0;
	l->ended = m->now;
	l->ended_order = ++m->last_order;
	changed(m, l->pool, l->tenant);
	l = first_ended(m, (int)pool, &count);
	if (count > m->config.ended_max)
		forget(m, l);
}

static void refuse(struct model *m, struct model_lease *l, enum fair_reason reason)
{
	tell_lease(m, l, FAIR_EV_REFUSED);
	end(m, l, reason);
}

/* ---- the work of each call ---- */

/* "Lowest free and rested first." */
static void take_slots(struct model *m, struct model_lease *l)
{
	uint32_t count = 0;

	for (uint32_t slot = 0; count < l->slots; slot++) {
		if (slot == m->pools[l->pool].config.max_slots)
			abort();
		if (model_slot_is_free(m, l->pool, slot, false))
			l->slot_ids[count++] = slot;
	}
}

static bool grant_one(struct model *m)
{
	for (uint32_t pool = 0; pool < MODEL_POOLS; pool++) {
		struct model_lease *l = model_next(m, pool);
		uint64_t pool_max = m->pools[pool].config.max_lease_ns;

		if (!l)
			continue;
		take_slots(m, l);
		l->state = FAIR_ACTIVE;
		l->token = m->next_token++;
		l->granted = m->now;
		l->max_at = FAIR_NEVER;
		if (pool_max > 0)
			l->max_at = m->now + pool_max;
		if (l->asked_max_lease > 0 && m->now + l->asked_max_lease < l->max_at)
			l->max_at = m->now + l->asked_max_lease;
		l->saving = false;
		l->passed_over = FAIR_NEVER;
		tell_lease(m, l, FAIR_EV_GRANTED);
		changed(m, pool, l->tenant);
		return true;
	}
	return false;
}

/* "What the configuration can never satisfy, or no longer can after a change." */
static bool never_fits(const struct model *m, uint32_t pool, uint32_t tenant, uint32_t slots)
{
	const struct model_pool *p = &m->pools[pool];
	uint32_t cap = p->tenants[tenant].policy.max_slots, others = 0;

	for (uint32_t t = 0; t < MODEL_TENANTS; t++) {
		if (t != tenant && p->tenants[t].state == MODEL_OPEN)
			others += p->tenants[t].policy.reserved_slots;
	}
	return slots + others > p->config.max_slots || (cap > 0 && slots > cap);
}

/* Of the oldest tenant first, in the order of its line. */
static bool oversize_before(struct model *m, const struct model_lease *a, const struct model_lease *b)
{
	if (a->pool != b->pool)
		return a->pool < b->pool;
	if (a->tenant != b->tenant)
		return tenant_of(m, a)->number < tenant_of(m, b)->number;
	return model_earlier(&m->pools[a->pool], a, b);
}

static bool oversize_one(struct model *m)
{
	struct model_lease *first = NULL;

	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->state == FAIR_PENDING && tenant_of(m, l)->state == MODEL_OPEN &&
			never_fits(m, l->pool, l->tenant, l->slots) && (!first || oversize_before(m, l, first)))
			first = l;
	}
	if (first)
		refuse(m, first, FAIR_REASON_TOO_MANY_SLOTS);
	return first;
}

/* One lease of the tenant that was closed first: its waiters, then with force its leases. */
static bool close_one(struct model *m)
{
	struct model_lease *best = NULL;

	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		struct model_tenant *t = tenant_of(m, l);

		if (!t->closed_order || !((l->state == FAIR_PENDING && l->number < t->refuse_below) ||
								  (l->state == FAIR_ACTIVE && l->number < t->revoke_below)))
			continue;
		if (!best || t->closed_order < tenant_of(m, best)->closed_order ||
			(t == tenant_of(m, best) && l->state == FAIR_PENDING && best->state == FAIR_ACTIVE))
			best = l;
	}
	if (best && best->state == FAIR_PENDING)
		refuse(m, best, FAIR_REASON_TENANT_CLOSING);
	else if (best)
		end(m, best, FAIR_REASON_REVOKED);
	for (uint32_t i = 0; !best && i < MODEL_POOLS * MODEL_TENANTS; i++)
		m->pools[i / MODEL_TENANTS].tenants[i % MODEL_TENANTS].closed_order = 0;
	return best;
}

static void sweep_to_pool(struct model_sweep *s, uint32_t pool)
{
	s->at = pool;
	s->phase = s->state == FAIR_ACTIVE ? FAIR_ACTIVE : FAIR_PENDING;
	s->after = 0;
}

/* "Waiters go first"; of what is active only what was so before, where only that is meant. */
static bool sweep_one(struct model *m)
{
	struct model_sweep *s = &m->sweep;
	struct model_lease *next = NULL;

	if (!s->on)
		return false;
	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases && !next; l++) {
		if (l->pool == s->at && l->state == s->phase && l->number > s->after && l->number < s->below &&
			(s->tenant < 0 || l->tenant == (uint32_t)s->tenant))
			next = l;
	}
	if (next) {
		s->after = next->number;
		if ((s->state == FAIR_ACTIVE && next->token >= s->tokens_below) ||
			(s->label >= 0 && next->label != (uint32_t)s->label))
			return true;
		s->ended++;
		end(m, next, FAIR_REASON_REVOKED);
	} else if (s->phase == FAIR_PENDING && s->state == FAIR_ENDED) {
		s->phase = FAIR_ACTIVE;
		s->after = 0;
	} else if (s->pool < 0 && s->at + 1 < MODEL_POOLS) {
		sweep_to_pool(s, s->at + 1);
	} else {
		s->on = false;
	}
	return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* No longest life before the grant is durable: nobody knows of it. */
static uint64_t end_of(const struct model_lease *l)
{
	return l->state == FAIR_ACTIVE && l->confirmed ? earlier(l->deadline, l->max_at) : FAIR_NEVER;
}

static uint64_t keep_of(const struct model_lease *l)
{
	return l->attached == 0 && !l->claimed ? l->keep : FAIR_NEVER;
}

uint64_t model_timer(const struct model_lease *l)
{
	return l->state == FAIR_ENDED ? FAIR_NEVER : earlier(keep_of(l), end_of(l));
}

static enum fair_reason reason_of_end(const struct model_lease *l)
{
	if (l->state == FAIR_PENDING)
		return FAIR_REASON_PLACE_LOST;
	if (keep_of(l) < end_of(l))
		return FAIR_REASON_UNCLAIMED;
	return l->max_at <= l->deadline ? FAIR_REASON_MAX_LEASE : FAIR_REASON_EXPIRED;
}

/* "A rest lasts as long as the configuration says now." */
static bool rest_one(struct model *m)
{
	struct model_pool *next = NULL;

	for (struct model_pool *p = m->pools; p < m->pools + MODEL_POOLS; p++) {
		int first = model_first_rest(p);

		if (first >= 0 && p->rests[first].since + p->config.slot_rest_ns <= m->now &&
			(!next || p->resting_order < next->resting_order))
			next = p;
	}
	if (!next)
		return false;
	next->rests[model_first_rest(next)].on = false;
	return true;
}

static bool timer_one(struct model *m, uint64_t due)
{
	struct model_lease *first = NULL;

	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (model_timer(l) <= due && (!first || model_timer(l) < model_timer(first)))
			first = l;
	}
	if (!first)
		return false;
	end(m, first, reason_of_end(first));
	return true;
}

static bool forget_one(struct model *m, uint64_t due)
{
	uint32_t count;
	struct model_lease *l;

	for (int pool = 0; pool < MODEL_POOLS; pool++) {
		l = first_ended(m, pool, &count);
		if (count > m->config.ended_max) {
			forget(m, l);
			return true;
		}
	}
	l = first_ended(m, -1, &count);
	if (!l || l->ended + m->config.key_memory_ns > due)
		return false;
	forget(m, l);
	return true;
}

static void tenant_close(struct model *m, uint32_t p, uint32_t tenant, bool force)
{
	struct model_tenant *t = &m->pools[p].tenants[tenant];

	t->anonymous = t->automatic = false;
	t->num_instances = 0;
	t->closed_order = ++m->last_order;
	t->refuse_below = m->last_number + 1;
	if (force)
		t->revoke_below = m->last_number + 1;
	if (t->state != MODEL_CLOSING || force)
		tell_tenant(m, p, tenant, FAIR_EV_TENANT);
	t->state = MODEL_CLOSING;
	changed(m, p, tenant);
}

static bool idle_one(struct model *m, uint64_t due)
{
	struct model_tenant *first = NULL;
	uint32_t first_p = 0, first_t = 0;

	for (uint32_t p = 0; p < MODEL_POOLS; p++) {
		for (uint32_t i = 0; i < MODEL_TENANTS; i++) {
			struct model_tenant *t = &m->pools[p].tenants[i];
			struct model_counts c;

			if (t->state != MODEL_OPEN || t->used + m->config.tenant_idle_ns > due ||
				(!t->automatic && t->num_instances + t->anonymous < 2))
				continue;
			c = model_count(m, p, (int)i);
			if (c.active + c.present + c.absent > 0)
				continue;
			if (!first || t->used_order < first->used_order) {
				first = t;
				first_p = p;
				first_t = i;
			}
		}
	}
	if (!first)
		return false;
	if (first->automatic) {
		tenant_close(m, first_p, first_t, false);
		return true;
	}
	if (!first->anonymous)
		first->instances[0] = first->instances[first->num_instances - 1];
	first->num_instances = !first->anonymous;
	tell_tenant(m, first_p, first_t, FAIR_EV_TENANT);
	return true;
}

static void work(struct model *m)
{
	uint64_t due = m->now - (m->late < m->now ? m->late : m->now);

	while (oversize_one(m) || grant_one(m) || close_one(m) || sweep_one(m) || rest_one(m) || timer_one(m, due) ||
		   forget_one(m, due) || idle_one(m, due))
		;
}

void model_advance(struct model *m, uint64_t now)
{
	m->now = now;
	work(m);
}

/* ---- tenants ---- */

static int instance_at(const struct model_tenant *t, int instance)
{
	for (uint32_t i = 0; i < t->num_instances; i++) {
		if ((int)t->instances[i] == instance)
			return (int)i;
	}
	return -1;
}

static enum fair_err tenant_new(struct model *m, struct model_tenant *t, uint32_t pool)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < MODEL_TENANTS; i++)
		open += m->pools[pool].tenants[i].state == MODEL_OPEN;
	if (open >= m->config.max_tenants)
		return FAIR_E_TOO_MANY_TENANTS;
	memset(t, 0, sizeof(*t));
	t->state = MODEL_OPEN;
	t->number = ++m->last_number;
	t->policy = m->pools[pool].has_preset[t - m->pools[pool].tenants]
					? m->pools[pool].presets[t - m->pools[pool].tenants]
					: no_policy;
	return FAIR_OK;
}

enum fair_err model_register(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant, int instance, bool *created)
{
	struct model_tenant *t = &m->pools[pool].tenants[tenant];

	model_advance(m, now);
	*created = t->state == MODEL_GONE;
	if (*created && tenant_new(m, t, pool))
		return FAIR_E_TOO_MANY_TENANTS;

	bool news = *created || t->state == MODEL_CLOSING || t->automatic ||
				(instance == MODEL_ANONYMOUS ? !t->anonymous : instance_at(t, instance) < 0);

	t->state = MODEL_OPEN;
	t->automatic = false;
	if (instance == MODEL_ANONYMOUS)
		t->anonymous = true;
	else if (instance_at(t, instance) < 0)
		t->instances[t->num_instances++] = (uint32_t)instance;
	if (news)
		tell_tenant(m, pool, tenant, FAIR_EV_TENANT);
	changed(m, pool, tenant);
	work(m);
	return FAIR_OK;
}

enum fair_err model_unregister(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant, int instance, bool force,
							   enum fair_unregistered *how)
{
	struct model_tenant *t = &m->pools[pool].tenants[tenant];
	int at;

	model_advance(m, now);
	if (t->state == MODEL_GONE)
		return FAIR_E_TENANT_NOT_FOUND;
	at = instance_at(t, instance);

	bool takes = at >= 0 || (instance == MODEL_ANONYMOUS && t->anonymous);
	bool all = force || (instance == MODEL_ANONYMOUS && !t->anonymous);

	if (!force && instance == MODEL_ANONYMOUS)
		t->anonymous = false;
	for (int i = at; i >= 0 && i + 1 < (int)t->num_instances; i++)
		t->instances[i] = t->instances[i + 1];
	t->num_instances -= at >= 0;
	if (!all && t->num_instances + t->anonymous > 0) {
		*how = FAIR_UNREGISTERED_REMAINS;
		if (takes)
			tell_tenant(m, pool, tenant, FAIR_EV_TENANT);
		changed(m, pool, tenant);
		return FAIR_OK;
	}
	tenant_close(m, pool, tenant, force);
	work(m);
	*how = t->state == MODEL_GONE ? FAIR_UNREGISTERED_GONE : FAIR_UNREGISTERED_CLOSING;
	return FAIR_OK;
}

/* ---- acquiring ---- */

struct model_lease *model_find(struct model *m, uint64_t id)
{
	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		if (l->id == id)
			return l;
	}
	return NULL;
}

struct model_lease *model_by_key(struct model *m, uint32_t pool, uint32_t tenant, int key)
{
	for (struct model_lease *l = m->leases; key != MODEL_NO_KEY && l < m->leases + m->num_leases; l++) {
		if (l->pool == pool && l->tenant == tenant && l->key == key)
			return l;
	}
	return NULL;
}

struct fair_place model_place(struct model *m, const struct model_lease *l)
{
	const struct model_pool *p = &m->pools[l->pool];
	struct model_counts c = model_count(m, l->pool, (int)l->tenant);
	struct fair_place place = {.position = 1,
							   .active_slots = c.active,
							   .share = model_share(m, l->pool, l->tenant),
							   .waiting = c.present - present(l),
							   .reason = model_reason(m, l)};

	for (const struct model_lease *other = m->leases; other < m->leases + m->num_leases; other++) {
		if (other->pool != l->pool || !present(other) || other == l)
			continue;
		place.ahead += other->number < l->number;
		place.position += other->tenant == l->tenant && model_earlier(p, other, l);
	}
	return place;
}

static void attach(struct model *m, struct model_lease *l)
{
	l->attached++;
	l->keep = FAIR_NEVER;
	changed(m, l->pool, l->tenant);
}

static void detach(struct model *m, struct model_lease *l)
{
	bool waits = l->state == FAIR_PENDING;

	l->attached--;
	if (l->attached > 0 || (!waits && l->claimed))
		return;
	if (l->key == MODEL_NO_KEY) {
		end(m, l, waits ? FAIR_REASON_LEFT : FAIR_REASON_UNCLAIMED);
		return;
	}
	l->keep = m->now + (waits ? m->config.queue_grace_ns : m->config.claim_ns);
	changed(m, l->pool, l->tenant);
}

static void drop(struct model *m, struct model_lease *l)
{
	uint32_t pool = l->pool, tenant = l->tenant;

	take_out(m, l);
	changed(m, pool, tenant);
}

static enum fair_err no_slot(struct model *m, struct model_lease *l, struct model_acquired *ret)
{
	ret->place = model_place(m, l);
	m->pools[l->pool].no_slot_total++;
	return FAIR_E_NO_SLOT;
}

static enum fair_err acquire_known(struct model *m, const struct model_request *r, struct model_lease *l,
								   struct model_acquired *ret)
{
	ret->id = l->id;
	ret->known = true;
	if (l->state == FAIR_ENDED)
		return FAIR_E_LEASE_ENDED;
	if (l->asked_ttl != r->ttl || l->label != r->label || l->slots != r->slots || l->priority != r->priority ||
		l->asked_max_lease != r->max_lease)
		return FAIR_E_KEY_REUSED;
	l->try_once &= !r->wait;
	attach(m, l);
	work(m);
	l = model_find(m, ret->id);
	ret->state = l->state;
	if (l->state == FAIR_ACTIVE || r->wait)
		return FAIR_OK;
	ret->placed = true;
	no_slot(m, l, ret);
	detach(m, l);
	return FAIR_E_NO_SLOT;
}

static uint32_t max_waiting(const struct model_tenant *t, const struct model_pool *p)
{
	return t->policy.max_waiting > 0 ? t->policy.max_waiting : p->config.tenant_max_waiting;
}

static enum fair_err acquire_new(struct model *m, const struct model_request *r, struct model_acquired *ret)
{
	struct model_pool *p = &m->pools[r->pool];
	struct model_lease *l = &m->leases[m->num_leases++];
	enum fair_err err = FAIR_OK;

	if (m->num_leases == MODEL_LEASES_MAX)
		abort();
	*l = (struct model_lease){.id = ret->id = r->id,
							  .number = ++m->last_number,
							  .asked_ttl = r->ttl,
							  .ttl = r->ttl,
							  .arrived = m->now,
							  .deadline = FAIR_NEVER,
							  .keep = FAIR_NEVER,
							  .asked_max_lease = r->max_lease,
							  .max_at = FAIR_NEVER,
							  .passed_over = FAIR_NEVER,
							  .slots = r->slots,
							  .priority = r->priority,
							  .pool = r->pool,
							  .tenant = r->tenant,
							  .attached = 1,
							  .label = r->label,
							  .key = r->key,
							  .try_once = !r->wait};
	changed(m, r->pool, r->tenant);
	work(m);
	l = model_find(m, r->id);
	ret->state = l->state;
	if (l->state == FAIR_ACTIVE)
		return FAIR_OK;

	struct model_counts c = model_count(m, r->pool, (int)r->tenant);

	if (!r->wait)
		err = no_slot(m, l, ret);
	else if (model_count(m, r->pool, -1).present > p->config.max_waiting ||
			 c.present + c.absent > max_waiting(tenant_of(m, l), p))
		err = FAIR_E_QUEUE_FULL;
	else if (r->key != MODEL_NO_KEY)
		tell_lease(m, l, FAIR_EV_PLACED);
	if (err)
		drop(m, l);
	return err;
}

enum fair_err model_acquire(struct model *m, uint64_t now, const struct model_request *r, struct model_acquired *ret)
{
	struct model_tenant *t = &m->pools[r->pool].tenants[r->tenant];
	struct model_lease *l;
	enum fair_err err = FAIR_OK;

	memset(ret, 0, sizeof(*ret));
	model_advance(m, now);
	if ((l = model_by_key(m, r->pool, r->tenant, r->key))) {
		err = acquire_known(m, r, l, ret);
	} else if (t->state == MODEL_CLOSING) {
		err = FAIR_E_TENANT_CLOSING;
	} else if (t->state == MODEL_GONE && !r->auto_register) {
		err = FAIR_E_TENANT_NOT_REGISTERED;
	} else {
		bool created = t->state == MODEL_GONE;

		if (created)
			err = tenant_new(m, t, r->pool);
		if (!err && never_fits(m, r->pool, r->tenant, r->slots)) {
			err = FAIR_E_TOO_MANY_SLOTS;
			if (created)
				t->state = MODEL_GONE;
		} else if (!err && created) {
			t->anonymous = t->automatic = true;
			tell_tenant(m, r->pool, r->tenant, FAIR_EV_TENANT);
		}
		if (!err)
			err = acquire_new(m, r, ret);
	}
	work(m);
	return err;
}

enum fair_err model_attach(struct model *m, uint64_t now, uint64_t id)
{
	struct model_lease *l;

	model_advance(m, now);
	if (!(l = model_find(m, id)))
		return FAIR_E_LEASE_NOT_FOUND;
	if (l->state == FAIR_ENDED)
		return FAIR_E_LEASE_ENDED;
	attach(m, l);
	work(m);
	return FAIR_OK;
}

void model_detach(struct model *m, uint64_t now, uint64_t id, enum fair_detach how)
{
	struct model_lease *l;

	model_advance(m, now);
	l = model_find(m, id);
	if (!l || l->state == FAIR_ENDED || l->attached == 0)
		return;
	m->pools[l->pool].no_slot_total += how == FAIR_DETACH_WAIT_OVER;
	detach(m, l);
	work(m);
}

void model_claim(struct model *m, uint64_t now, uint64_t id)
{
	struct model_lease *l;

	model_advance(m, now);
	l = model_find(m, id);
	if (l && l->state == FAIR_ACTIVE)
		l->claimed = true;
}

bool model_cancel(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant, int key)
{
	struct model_lease *l;

	model_advance(m, now);
	l = model_by_key(m, pool, tenant, key);
	if (!l || l->state == FAIR_ENDED)
		return false;
	end(m, l, l->state == FAIR_PENDING ? FAIR_REASON_LEFT : FAIR_REASON_RELEASED);
	work(m);
	return true;
}

/* ---- holding, durability ---- */

enum fair_err model_heartbeat(struct model *m, uint64_t now, uint64_t id, uint64_t ttl)
{
	struct model_lease *l;

	model_advance(m, now);
	if (!(l = model_find(m, id)))
		return FAIR_E_LEASE_NOT_FOUND;
	if (l->state != FAIR_ACTIVE)
		return l->state == FAIR_ENDED ? FAIR_E_LEASE_ENDED : FAIR_E_LEASE_PENDING;
	if (ttl && ttl != l->ttl)
		tell_lease(m, l, FAIR_EV_RENEWED);
	if (ttl)
		l->ttl = ttl;
	l->claimed = true;
	if (l->confirmed)
		l->deadline = now + l->ttl;
	return FAIR_OK;
}

enum fair_err model_end(struct model *m, uint64_t now, uint64_t id, bool revoke)
{
	struct model_lease *l;

	model_advance(m, now);
	if (!(l = model_find(m, id)))
		return FAIR_E_LEASE_NOT_FOUND;
	if (l->state == FAIR_ENDED)
		return !revoke && (l->reason == FAIR_REASON_RELEASED || l->reason == FAIR_REASON_LEFT) ? FAIR_OK
																							   : FAIR_E_LEASE_ENDED;
	end(m, l, revoke ? FAIR_REASON_REVOKED : l->state == FAIR_PENDING ? FAIR_REASON_LEFT : FAIR_REASON_RELEASED);
	work(m);
	return FAIR_OK;
}

enum fair_err model_revoke_all(struct model *m, uint64_t now, int pool, int tenant, int label, enum fair_state state,
							   uint32_t *ended)
{
	bool known = tenant < 0;

	model_advance(m, now);
	for (int p = 0; p < MODEL_POOLS && tenant >= 0; p++)
		known |= (pool < 0 || p == pool) && m->pools[p].tenants[tenant].state != MODEL_GONE;
	if (!known)
		return FAIR_E_TENANT_NOT_FOUND;
	m->sweep = (struct model_sweep){.on = true,
									.pool = pool,
									.tenant = tenant,
									.label = label,
									.state = state,
									.below = m->last_number + 1,
									.tokens_below = m->next_token};
	sweep_to_pool(&m->sweep, pool < 0 ? 0 : (uint32_t)pool);
	work(m);
	*ended = m->sweep.ended;
	return FAIR_OK;
}

void model_confirm(struct model *m, uint64_t now, uint64_t id)
{
	struct model_lease *l;

	model_advance(m, now);
	l = model_find(m, id);
	if (!l || l->state != FAIR_ACTIVE || l->confirmed)
		return;
	l->confirmed = true;
	l->deadline = now + l->ttl;
	m->pools[l->pool].granted_total++;
	work(m);
}

void model_withdraw(struct model *m, uint64_t now, uint64_t id)
{
	struct model_lease *l;

	model_advance(m, now);
	l = model_find(m, id);
	if (!l || l->state != FAIR_ACTIVE || l->confirmed)
		return;
	l->state = FAIR_PENDING;
	l->token = l->granted = 0;
	l->max_at = FAIR_NEVER;
	l->claimed = false;
	if (l->attached == 0)
		l->keep = now + m->config.queue_grace_ns;
	tell_lease(m, l, FAIR_EV_WITHDRAWN);
	if (l->try_once)
		drop(m, l);
	else if (tenant_of(m, l)->state == MODEL_CLOSING)
		refuse(m, l, FAIR_REASON_TENANT_CLOSING);
	else if (l->attached == 0 && l->key == MODEL_NO_KEY)
		end(m, l, FAIR_REASON_LEFT); /* there is nobody it could be given back to */
	else
		changed(m, l->pool, l->tenant);
	work(m);
}

void model_hold(struct model *m, uint64_t now, int pool, bool on)
{
	model_advance(m, now);
	for (int p = 0; p < MODEL_POOLS; p++) {
		if (pool < 0 || p == pool)
			m->pools[p].held = on;
	}
	work(m);
}

/* ---- pools and policies of tenants ---- */

static bool weighs(const struct fair_tenant_policy *policy)
{
	return policy->weight != no_policy.weight || policy->reserved_slots > 0;
}

/* A name counts with the larger of its preset and what its tenant has, closing or not. */
static uint32_t reserve_of(const struct model_pool *p, uint32_t t)
{
	uint32_t preset = p->has_preset[t] ? p->presets[t].reserved_slots : 0;
	uint32_t own = p->tenants[t].state != MODEL_GONE ? p->tenants[t].policy.reserved_slots : 0;

	return preset > own ? preset : own;
}

static uint32_t reserves(const struct model_pool *p)
{
	uint32_t sum = 0;

	for (uint32_t t = 0; t < MODEL_TENANTS; t++)
		sum += reserve_of(p, t);
	return sum;
}

static bool anybody_weighs(const struct model_pool *p)
{
	for (uint32_t t = 0; t < MODEL_TENANTS; t++) {
		if ((p->tenants[t].state != MODEL_GONE && weighs(&p->tenants[t].policy)) ||
			(p->has_preset[t] && weighs(&p->presets[t])))
			return true;
	}
	return false;
}

enum fair_err model_pool_set(struct model *m, uint64_t now, uint32_t pool, const struct fair_pool_config *config)
{
	struct model_pool *p = &m->pools[pool];

	model_advance(m, now);
	if (config->max_slots < p->config.max_slots && reserves(p) > config->max_slots)
		return FAIR_E_RESERVED;
	if (config->policy == FAIR_POLICY_EQUAL && p->config.policy != FAIR_POLICY_EQUAL && anybody_weighs(p))
		return FAIR_E_POLICY;
	configure(p, config);
	for (uint32_t slot = config->max_slots; slot < MODEL_SLOTS_MAX; slot++)
		p->rests[slot].on = false;
	share_anew(m, pool, true);
	tell(m, (struct model_event){.type = FAIR_EV_POOL, .pool = pool});
	work(m);
	return FAIR_OK;
}

/* Whether a name that counted with `was` reserved slots may have this policy, and count with so many. */
static enum fair_err policy_fits(const struct model_pool *p, const struct fair_tenant_policy *policy, uint32_t was,
								 uint32_t becomes)
{
	if (p->config.policy == FAIR_POLICY_EQUAL && weighs(policy))
		return FAIR_E_POLICY;
	return becomes > was && reserves(p) - was + becomes > p->config.max_slots ? FAIR_E_RESERVED : FAIR_OK;
}

static void policy_change(struct model *m, uint32_t pool, uint32_t tenant, const struct fair_tenant_policy *policy)
{
	m->pools[pool].tenants[tenant].policy = *policy;
	tell_tenant(m, pool, tenant, FAIR_EV_TENANT);
	changed(m, pool, tenant);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

enum fair_err model_tenant_set(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant,
							   const struct fair_tenant_policy *policy)
{
	struct model_pool *p = &m->pools[pool];
	struct model_tenant *t = &p->tenants[tenant];
	enum fair_err err;

	model_advance(m, now);
	if (t->state == MODEL_GONE)
		return FAIR_E_TENANT_NOT_FOUND;
	err = policy_fits(p, policy, reserve_of(p, tenant),
					  larger(p->has_preset[tenant] ? p->presets[tenant].reserved_slots : 0, policy->reserved_slots));
	if (err)
		return err;
	policy_change(m, pool, tenant, policy);
	work(m);
	return FAIR_OK;
}

enum fair_err model_tenant_preset(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant,
								  const struct fair_tenant_policy *policy)
{
	struct model_pool *p = &m->pools[pool];
	const struct fair_tenant_policy filled = policy ? *policy : no_policy;
	enum fair_err err;

	model_advance(m, now);
	err = policy_fits(p, &filled, reserve_of(p, tenant), filled.reserved_slots);
	if (err)
		return err;
	p->has_preset[tenant] = policy;
	p->presets[tenant] = filled;
	if (p->tenants[tenant].state != MODEL_GONE && memcmp(&p->tenants[tenant].policy, &filled, sizeof(filled)) != 0)
		policy_change(m, pool, tenant, &filled);
	work(m);
	return FAIR_OK;
}

/* ---- restarting ---- */

void model_copy(struct model *to, const struct model *from)
{
	memcpy(to, from, offsetof(struct model, leases) + from->num_leases * sizeof(*from->leases));
	to->num_events = to->within_reserve = 0;
}

/* Tenants begin to be idle in the order of their numbers. */
static void tenants_anew(struct model *m)
{
	for (uint64_t number = 0;;) {
		struct model_tenant *first = NULL;

		for (uint32_t i = 0; i < MODEL_POOLS * MODEL_TENANTS; i++) {
			struct model_tenant *t = &m->pools[i / MODEL_TENANTS].tenants[i % MODEL_TENANTS];

			if (t->state != MODEL_GONE && t->number > number && (!first || t->number < first->number))
				first = t;
		}
		if (!first)
			return;
		number = first->number;
		first->closed_order = 0;
		first->used = m->now;
		first->used_order = ++m->last_order;
	}
}

/* Told were the places that have keys, the leases and the ends of both; connections are all gone. */
static void lease_anew(struct model *m, struct model_lease *l)
{
	l->attached = 0;
	l->try_once = false;
	l->arrived = l->arrived < m->now ? l->arrived : m->now;
	if (l->max_at != FAIR_NEVER && l->granted > m->now) /* the clock was set back: as long a life as before */
		l->max_at -= l->granted - m->now;
	l->granted = l->granted < m->now ? l->granted : m->now;
	l->claimed = l->confirmed = l->state == FAIR_ACTIVE;
	if (l->state == FAIR_ACTIVE)
		l->deadline = m->now + l->ttl;
	if (l->state == FAIR_PENDING)
		l->keep = m->now + m->config.queue_grace_ns;
	if (l->state == FAIR_ENDED)
		l->confirmed = l->token > 0;
}

/* Of leases that ended at the same time the one with the smaller number is forgotten first. */
static void order_of_ends(struct model *m)
{
	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
		l->ended_order = m->last_order + 1;
		for (const struct model_lease *other = m->leases; other < m->leases + m->num_leases; other++)
			l->ended_order += other->ended < l->ended || (other->ended == l->ended && other < l);
	}
	m->last_order += m->num_leases + 1;
	for (struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++)
		l->ended = l->ended < m->now ? l->ended : m->now;
}

/* What rested goes on resting, since its lease ended. */
static void rests_anew(struct model *m)
{
	for (uint64_t order = 0;;) {
		const struct model_lease *next = NULL;

		for (const struct model_lease *l = m->leases; l < m->leases + m->num_leases; l++) {
			if (l->state == FAIR_ENDED && l->ended_order > order && (!next || l->ended_order < next->ended_order))
				next = l;
		}
		if (!next)
			return;
		order = next->ended_order;
		if (next->token > 0 && next->ended + m->pools[next->pool].config.slot_rest_ns > m->now)
			rest(m, next, next->reason, next->ended);
	}
}

void model_restart(struct model *m, const struct model *kept, uint64_t now, const struct fair_config *config,
				   const struct fair_pool_config *pools)
{
	uint64_t last_number = m->last_number;

	model_init(m, config, pools);
	m->now = now;
	m->last_number = last_number;
	for (uint32_t p = 0; p < MODEL_POOLS; p++)
		memcpy(m->pools[p].tenants, kept->pools[p].tenants, sizeof(m->pools[p].tenants));
	tenants_anew(m);
	for (const struct model_lease *l = kept->leases; l < kept->leases + kept->num_leases; l++) {
		if (!l->kept || (l->state == FAIR_PENDING && l->key == MODEL_NO_KEY))
			continue;
		m->leases[m->num_leases] = *l;
		lease_anew(m, &m->leases[m->num_leases++]);
		share_anew(m, l->pool, false);
	}
	order_of_ends(m);
	rests_anew(m);
}
