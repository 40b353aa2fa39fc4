/* SPDX-License-Identifier: MIT */
/* The whole state: its making, events, time, and the work that brings it to rest after each call. */
#include "state.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SECONDS(n) ((uint64_t)(n) * UINT64_C(1000000000))
#define EVENTS_PER_UNIT 4     /* one unit of work tells at most so many */
#define EVENTS_RESERVE 16     /* kept free for what a call itself tells */

static void *plain_alloc(size_t size, void *context)
{
	(void)context;
	return malloc(size);
}

static void plain_free(void *memory, void *context)
{
	(void)context;
	free(memory);
}

struct fair_config fair_config_default(void)
{
	return (struct fair_config){.first_token = 1,
	                            .queue_grace_ns = SECONDS(15),
	                            .claim_ns = SECONDS(10),
	                            .key_memory_ns = SECONDS(600),
	                            .ended_max = 100000,
	                            .tenant_idle_ns = SECONDS(3600),
	                            .max_tenants = 100000,
	                            .accounts_max = 100,
	                            .call_budget = 256};
}

struct fair *fair_create(const struct fair_config *config)
{
	struct fair_config c = *config;

	FAIR_ASSERT(c.call_budget > 0);
	FAIR_ASSERT(!c.alloc == !c.free);
	if (!c.alloc) {
		c.alloc = plain_alloc;
		c.free = plain_free;
	}

	struct fair *f = c.alloc(sizeof(*f), c.alloc_context);

	if (!f)
		return NULL;
	memset(f, 0, sizeof(*f));
	f->config = c;
	f->next_token = c.first_token;
	f->event_max = EVENTS_PER_UNIT * ((c.call_budget < 16384 ? c.call_budget : 16384) + EVENTS_RESERVE);
	f->events = memory_get(f, f->event_max * sizeof(*f->events));
	if (!f->events) {
		memory_put(f, f);
		return NULL;
	}
	return f;
}

void fair_destroy(struct fair *f)
{
	struct pool *p, *after;

	if (!f)
		return;
	DL_FOREACH_SAFE(f->pools, p, after)
		pool_free(f, p);
	while (f->sweeps) {
		struct sweep *s = f->sweeps;

		DL_DELETE(f->sweeps, s);
		memory_put(f, s);
	}
	while (f->pool_names) {
		struct pool_name *name = f->pool_names;

		LL_DELETE(f->pool_names, name);
		memory_put(f, name);
	}

	void (*put)(void *, void *) = f->config.free;
	void *context = f->config.alloc_context;

	memory_put(f, f->events);
	put(f, context);
}

unsigned hash_of(const struct fair *f, const void *bytes, size_t size)
{
	return (unsigned)XXH3_64bits_withSeed(bytes, size, f->config.hash_seed);
}

/* ---- events ---- */

void event_add(struct fair *f, struct fair_event event, const struct tenant *t)
{
	FAIR_ASSERT(f->event_count < f->event_max);

	struct fair_event *e = &f->events[(f->event_first + f->event_count++) % f->event_max];

	e->type = event.type;
	e->id = event.id;
	e->reason = event.reason;
	e->was = event.was;
	e->kept = event.kept;
	e->number = event.number;
	e->ended = 0;
	e->pool = t->pool->name;
	memcpy(e->tenant, t->name, strlen(t->name) + 1);
}

void event_add_pool(struct fair *f, enum fair_event_type type, const char *pool)
{
	FAIR_ASSERT(f->event_count < f->event_max);

	struct fair_event *e = &f->events[(f->event_first + f->event_count++) % f->event_max];

	*e = (struct fair_event){.type = type, .pool = pool};
}

void event_add_sweep(struct fair *f, uint64_t number, uint32_t ended)
{
	FAIR_ASSERT(f->event_count < f->event_max);

	struct fair_event *e = &f->events[(f->event_first + f->event_count++) % f->event_max];

	*e = (struct fair_event){.type = FAIR_EV_REVOKED_ALL, .number = number, .ended = ended};
}

bool fair_next_event(struct fair *f, struct fair_event *ret)
{
	if (f->event_count == 0)
		return false;
	*ret = f->events[f->event_first];
	f->event_first = (f->event_first + 1) % f->event_max;
	f->event_count--;
	return true;
}

/* ---- work ---- */

static bool grant_one(struct fair *f, uint32_t *budget)
{
	while (f->dirty) {
		struct pool *p = f->dirty;

		if (pool_grant_one(f, p, budget))
			return true;
		p->dirty = false;
		DL_DELETE2(f->dirty, p, dirty_prev, dirty_next);
	}
	return false;
}

static bool lease_due(struct fair *f, uint64_t due)
{
	struct lease *l = timer_first(f);

	if (!l || l->timer_at > due)
		return false;
	lease_timer_over(f, l);
	return true;
}

static bool forget_excess(struct fair *f)
{
	struct pool *p;

	if (!f->crowded)
		return false;
	DL_FOREACH(f->pools, p) {
		if (p->num_ended > f->config.ended_max) {
			lease_forget(f, p->ended);
			return true;
		}
	}
	f->crowded = false;
	return false;
}

static bool forget_due(struct fair *f, uint64_t due)
{
	struct lease *l = f->ended;

	if (forget_excess(f))
		return true;
	if (!l || l->ended_ns + f->config.key_memory_ns > due)
		return false;
	lease_forget(f, l);
	return true;
}

static bool tenant_due(struct fair *f, uint64_t due)
{
	struct tenant *t = f->idle;

	if (!t || t->idle_since + f->config.tenant_idle_ns > due)
		return false;
	tenant_idle_over(f, t);
	return true;
}

/*
 * Brings all pools to rest: each end is followed by the grants it allows before the next one. What can never be granted
 * is refused first, a grant comes before an end, the end of what was unregistered or is revoked before what time ends,
 * and of that the end of a rest comes first. What policies work out has the time that is left.
 */
static void work(struct fair *f, uint32_t budget)
{
	uint64_t due = f->now - (f->late_ns < f->now ? f->late_ns : f->now);

	f->more = true;
	for (; budget > 0; budget--) {
		if (f->event_count + EVENTS_RESERVE > f->event_max)
			return;
		if (turns_refuse_one(f) || grant_one(f, &budget) || tenant_doom_one(f) || sweep_one(f) || turns_due(f) ||
		    pool_rest_due(f) || lease_due(f, due) || forget_due(f, due) || tenant_due(f, due) || pool_work_one(f))
			continue;
		f->more = false;
		return;
	}
}

/* The last call has worked off all that was due at its time. */
void call_begin(struct fair *f, uint64_t now)
{
	FAIR_ASSERT(now >= f->now);
	if (now == f->now && !f->more)
		return;
	f->now = now;
	work(f, f->config.call_budget);
}

void call_end(struct fair *f)
{
	work(f, f->config.call_budget);
}

bool fair_advance(struct fair *f, uint64_t now, uint32_t budget)
{
	FAIR_ASSERT(now >= f->now);
	f->now = now;
	work(f, budget);
	return f->more;
}

uint64_t fair_next_token(const struct fair *f)
{
	return f->next_token;
}

uint64_t fair_next_deadline(const struct fair *f)
{
	const struct lease *l = timer_first(f);
	uint64_t next = l ? l->timer_at : FAIR_NEVER;

	if (f->more)
		return 0;
	if (f->ended && f->ended->ended_ns + f->config.key_memory_ns < next)
		next = f->ended->ended_ns + f->config.key_memory_ns;
	if (f->idle && f->idle->idle_since + f->config.tenant_idle_ns < next)
		next = f->idle->idle_since + f->config.tenant_idle_ns;
	if (turns_next_deadline(f) < next)
		next = turns_next_deadline(f);
	if (pool_work_deadline(f) < next)
		next = pool_work_deadline(f);
	if (pool_rest_deadline(f) < next)
		next = pool_rest_deadline(f);
	return next;
}

void fair_lateness(struct fair *f, uint64_t late_ns)
{
	if (f->late_ns == late_ns)
		return;
	f->late_ns = late_ns;
	f->more = true;   /* what is due has changed */
}

enum fair_err fair_hold(struct fair *f, uint64_t now, const char *pool, bool on)
{
	struct pool *p;

	call_begin(f, now);
	if (pool && !pool_find(f, pool))
		return FAIR_E_POOL_NOT_FOUND;
	DL_FOREACH(f->pools, p) {
		if (pool && strcmp(p->name, pool) != 0)
			continue;
		p->held = on;
		pool_dirty(f, p);
	}
	call_end(f);
	return FAIR_OK;
}

/* ---- texts ---- */

const char *fair_err_code(enum fair_err err)
{
	static const char *const codes[] = {"ok",
#define FAIR_X(name, code) code,
	                                    FAIR_ERR_LIST(FAIR_X)
#undef FAIR_X
	};

	return codes[err];
}

const char *fair_reason_code(enum fair_reason reason)
{
	static const char *const codes[] = {"none",
#define FAIR_X(name, code) code,
	                                    FAIR_REASON_LIST(FAIR_X)
#undef FAIR_X
	};

	return codes[reason];
}

const char *fair_policy_code(enum fair_policy policy)
{
	static const char *const codes[] = {
#define FAIR_X(name, code) code,
		FAIR_POLICY_LIST(FAIR_X)
#undef FAIR_X
	};

	return codes[policy];
}

const char *fair_wait_code(enum fair_wait wait)
{
	static const char *const codes[] = {
#define FAIR_X(name, code) code,
		FAIR_WAIT_LIST(FAIR_X)
#undef FAIR_X
	};

	return codes[wait];
}
