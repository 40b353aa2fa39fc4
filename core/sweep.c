/* SPDX-License-Identifier: MIT */
/* Revoking many leases at once: a sweep looks at one lease a unit of work, and leaves the rest to the next calls. */
#include "state.h"

/* Waiters go first, so that none of them is granted what the ends of the others free. */
static void go_to_pool(struct sweep *s, struct pool *p)
{
	s->pool = p;
	s->phase = s->state == FAIR_ACTIVE ? FAIR_ACTIVE : FAIR_PENDING;
	s->after = 0;
}

static struct lease *next_lease(const struct fair *f, const struct sweep *s)
{
	const struct tenant *t = s->tenant ? tenant_registered(s->pool, f, s->tenant) : NULL;
	struct lease *l;

	if (s->tenant && !t)
		return NULL;
	l = t ? tenant_lease_after(t, s->after, s->phase) : pool_lease_after(s->pool, s->after, s->phase);
	return l && l->number < s->below ? l : NULL;
}

/* What the ends of others let in is another's turn: "those that are active" were so before the first end. */
static bool is_meant(const struct sweep *s, const struct lease *l)
{
	if (s->state == FAIR_ACTIVE && l->token >= s->tokens_below)
		return false;
	return !s->label || strcmp(l->label, s->label) == 0;
}

static void finish(struct fair *f, struct sweep *s)
{
	DL_DELETE(f->sweeps, s);
	s->over = true;
	if (s->in_call)   /* it answers, and frees it */
		return;
	event_add_sweep(f, s->number, s->ended);
	memory_put(f, s);
}

bool sweep_one(struct fair *f)
{
	struct sweep *s = f->sweeps;
	struct lease *l;

	if (!s)
		return false;
	l = s->pool ? next_lease(f, s) : NULL;
	if (l) {
		s->after = l->number;
		if (is_meant(s, l)) {
			s->ended++;
			lease_end(f, l, FAIR_REASON_REVOKED);
		}
	} else if (s->pool && s->phase == FAIR_PENDING && s->state == FAIR_ENDED) {
		s->phase = FAIR_ACTIVE;
		s->after = 0;
	} else if (s->pool && s->pool->next && !s->one_pool) {
		go_to_pool(s, s->pool->next);
	} else {
		finish(f, s);
	}
	return true;
}

void sweeps_leave(struct fair *f, const struct pool *p)
{
	struct sweep *s;

	DL_FOREACH(f->sweeps, s) {
		if (s->pool == p)
			go_to_pool(s, s->one_pool ? NULL : p->next);
	}
}

static bool tenant_is_known(const struct fair *f, const struct pool *pool, const char *tenant)
{
	const struct pool *p;

	DL_FOREACH(f->pools, p) {
		if ((!pool || p == pool) && tenant_registered(p, f, tenant))
			return true;
	}
	return false;
}

static struct sweep *sweep_new(struct fair *f, const char *tenant, const char *label)
{
	size_t tenant_size = tenant ? strlen(tenant) + 1 : 0, label_size = label ? strlen(label) + 1 : 0;
	struct sweep *s = memory_get(f, sizeof(*s) + tenant_size + label_size);

	if (!s)
		return NULL;
	if (tenant)
		s->tenant = memcpy(s->texts, tenant, tenant_size);
	if (label)
		s->label = memcpy(s->texts + tenant_size, label, label_size);
	return s;
}

enum fair_err fair_revoke_all(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *label,
                              enum fair_state state, uint64_t *ret_number, uint32_t *ret_ended)
{
	struct pool *p = pool ? pool_find(f, pool) : NULL;
	struct sweep *s;

	call_begin(f, now);
	if (pool && !p)
		return FAIR_E_POOL_NOT_FOUND;
	if (tenant && !tenant_is_known(f, p, tenant))
		return FAIR_E_TENANT_NOT_FOUND;
	if (!(s = sweep_new(f, tenant, label)))
		return FAIR_E_NO_MEMORY;
	s->number = ++f->last_sweep;
	s->below = f->last_number + 1;
	s->tokens_below = f->next_token;
	s->state = state;
	s->one_pool = p != NULL;
	s->in_call = true;
	go_to_pool(s, p ? p : f->pools);
	DL_APPEND(f->sweeps, s);
	call_end(f);
	s->in_call = false;
	*ret_number = s->over ? 0 : s->number;
	*ret_ended = s->ended;
	if (s->over)
		memory_put(f, s);
	return FAIR_OK;
}
