/* SPDX-License-Identifier: MIT */
/* Views: what can be seen of pools, tenants and leases. */
#include "state.h"

static void lease_view(const struct lease *l, struct fair_lease_view *ret)
{
	*ret = (struct fair_lease_view){.id = l->id,
	                                .number = l->number,
	                                .pool = l->tenant->pool->name,
	                                .tenant = l->tenant->name,
	                                .label = l->label,
	                                .state = l->state,
	                                .confirmed = l->confirmed,
	                                .present = lease_is_present(l),
	                                .claimed = l->claimed,
	                                .keyed = l->key != NULL,
	                                .slots = l->slots,
	                                .slot_ids = l->state == FAIR_PENDING ? NULL : l->slot_ids,
	                                .fencing_token = l->token,
	                                .ttl_ns = l->ttl_ns,
	                                .arrived_ns = l->arrived_ns,
	                                .granted_ns = l->granted_ns,
	                                .ended_ns = l->ended_ns,
	                                .deadline_ns = l->deadline_ns,
	                                .reason = l->reason,
	                                .priority = l->priority,
	                                .max_ns = l->max_ns,
	                                .reclaim_ns = l->state == FAIR_ACTIVE ? l->reclaim_ns : 0};
}

enum fair_err fair_lease_get(struct fair *f, uint64_t now, const struct fair_id *id, struct fair_lease_view *ret)
{
	struct lease *l;

	call_begin(f, now);
	l = lease_find_now(f, id);
	if (f->more) {
		call_end(f);
		l = lease_find(f, id);
	}
	if (!l)
		return FAIR_E_LEASE_NOT_FOUND;
	lease_view(l, ret);
	return FAIR_OK;
}

bool fair_lease_next(const struct fair *f, const char *pool, const char *tenant, enum fair_state state, uint64_t number,
                     struct fair_lease_view *ret)
{
	const struct pool *p = pool_find(f, pool);
	const struct tenant *t = p && tenant ? tenant_registered(p, f, tenant) : NULL;
	const struct lease *l = NULL;

	if (t)
		l = tenant_lease_after(t, number, state);
	else if (p && !tenant)
		l = pool_lease_after(p, number, state);
	if (l)
		lease_view(l, ret);
	return l != NULL;
}

static void tenant_view(const struct fair *f, const struct tenant *t, struct fair_tenant_view *ret)
{
	struct counts c = tenant_counts(t);

	*ret = (struct fair_tenant_view){.number = t->number,
	                                 .pool = t->pool->name,
	                                 .tenant = t->name,
	                                 .closing = t->state == TENANT_CLOSING,
	                                 .automatic = t->automatic,
	                                 .anonymous = t->anonymous,
	                                 .num_instances = t->num_instances,
	                                 .active_slots = c.active,
	                                 .waiting = c.present,
	                                 .absent = c.absent,
	                                 .share = tenant_share(t),
	                                 .has_account = t->has_account,
	                                 .policy = t->policy,
	                                 .max_waiting = t->policy.max_waiting ? t->policy.max_waiting
	                                                                      : t->pool->config.tenant_max_waiting};
	if (t->has_account)
		ret->account = account_now(f, &t->account, c.active);
}

enum fair_err fair_tenant_get(const struct fair *f, const char *pool, const char *tenant, struct fair_tenant_view *ret)
{
	const struct pool *p = pool_find(f, pool);
	const struct tenant *t = p ? tenant_registered(p, f, tenant) : NULL;

	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	if (!t)
		return FAIR_E_TENANT_NOT_FOUND;
	tenant_view(f, t, ret);
	return FAIR_OK;
}

const char *fair_tenant_instance(const struct fair *f, const char *pool, const char *tenant, uint32_t i)
{
	const struct pool *p = pool_find(f, pool);
	const struct tenant *t = p ? tenant_registered(p, f, tenant) : NULL;
	const struct instance *instance;

	if (!t)
		return NULL;
	DL_FOREACH(t->instances, instance) {
		if (i-- == 0)
			return instance->name;
	}
	return NULL;
}

bool fair_tenant_next(const struct fair *f, const char *pool, uint64_t number, struct fair_tenant_view *ret)
{
	const struct pool *p = pool_find(f, pool);
	const struct tenant *t = p ? tenants_after(p, number) : NULL;

	if (t)
		tenant_view(f, t, ret);
	return t != NULL;
}

bool fair_tenant_busiest(const struct fair *f, const char *pool, const void **cursor, struct fair_tenant_view *ret)
{
	const struct pool *p = pool_find(f, pool);
	const struct tenant *t = p ? busy_next(p, *cursor) : NULL;

	while (t && t->state == TENANT_CLOSING)
		t = busy_next(p, t);
	*cursor = t;
	if (t)
		tenant_view(f, t, ret);
	return t != NULL;
}

enum fair_err fair_pool_get(struct fair *f, uint64_t now, const char *pool, struct fair_pool_view *ret)
{
	struct pool *p = pool_find(f, pool);

	call_begin(f, now);
	if (!p)
		return FAIR_E_POOL_NOT_FOUND;

	struct counts c = pool_counts(p);
	const struct lease *oldest = pool_first_present(p);
	const struct fair_pool_totals *totals = &p->totals;

	*ret = (struct fair_pool_view){.pool = p->name,
	                               .max_slots = p->config.max_slots,
	                               .min_share = p->config.min_share,
	                               .max_waiting = p->config.max_waiting,
	                               .tenant_max_waiting = p->config.tenant_max_waiting,
	                               .share = p->config.policy == FAIR_POLICY_EQUAL ? p->share : 0,
	                               .tenants = pool_open(p),
	                               .closing = pool_closing(p),
	                               .demanding = pool_demanding(p),
	                               .active_slots = c.active,
	                               .waiting = c.present,
	                               .absent = c.absent,
	                               .accounts = p->accounts,
	                               .oldest_waiter_ns = oldest ? oldest->arrived_ns : FAIR_NEVER,
	                               .held = p->held,
	                               .granted_total = totals->granted,
	                               .released_total = totals->ended[FAIR_REASON_RELEASED],
	                               .expired_total = totals->ended[FAIR_REASON_EXPIRED],
	                               .revoked_total = totals->ended[FAIR_REASON_REVOKED],
	                               .unclaimed_total = totals->ended[FAIR_REASON_UNCLAIMED],
	                               .no_slot_total = totals->no_slot,
	                               .calculator_failures = p->calculator_failures,
	                               .wait = window_quantiles(&p->wait, now),
	                               .hold = window_quantiles(&p->hold, now),
	                               .policy = p->config.policy,
	                               .draining = p->config.draining,
	                               .slot_rest_ns = p->config.slot_rest_ns,
	                               .max_lease_ns = p->config.max_lease_ns,
	                               .pass_over_ns = p->config.pass_over_ns,
	                               .priority_step_ns = p->config.priority_step_ns,
	                               .num_cordoned = p->config.num_cordoned,
	                               .debt_slots = c.active > p->config.max_slots ? c.active - p->config.max_slots : 0,
	                               .resting_slots = p->slots.resting,
	                               .reserved_slots = turns_reserved(p),
	                               .saved_slots = turns_saved(p),
	                               .fairness_index = fairness_index(p)};
	return FAIR_OK;
}

enum fair_err fair_pool_totals(const struct fair *f, const char *pool, struct fair_pool_totals *ret,
                               struct fair_account *ret_others)
{
	const struct pool *p = pool_find(f, pool);

	if (!p)
		return FAIR_E_POOL_NOT_FOUND;
	*ret = p->totals;
	*ret_others = account_now(f, &p->others, p->others_active);
	return FAIR_OK;
}

void fair_heartbeat_unknown(struct fair *f)
{
	f->heartbeats_unknown++;
}

uint64_t fair_heartbeats_unknown(const struct fair *f)
{
	return f->heartbeats_unknown;
}

uint32_t fair_pool_cordoned(const struct fair *f, const char *pool, uint32_t i)
{
	const struct pool *p = pool_find(f, pool);

	return p && i < p->config.num_cordoned ? p->cordoned[i] : FAIR_SLOTS_MAX;
}

const char *fair_pool_name(const struct fair *f, uint32_t i)
{
	const struct pool *p;

	DL_FOREACH(f->pools, p) {
		if (i-- == 0)
			return p->name;
	}
	return NULL;
}
