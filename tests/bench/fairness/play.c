/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairness.h"

#define NOBODY UINT32_MAX
#define PASS_OVER (5 * SECOND)

enum state { STATE_UNSEEN, STATE_WAITS, STATE_HOLDS, STATE_OVER };

struct game {
	const struct scenario *s;
	enum policy policy;
	uint64_t now;
	struct fair *fair;	/* NULL: the plain semaphore */
	enum state *states; /* of the arrivals */
	uint64_t *ends;		/* of those that hold */
	uint32_t *next;		/* the line of each tenant: the next in it */
	uint32_t first[TENANTS_MAX], last[TENANTS_MAX];
	uint32_t holders[1000], num_holders;
	struct moment moment;
	struct wait *waits;
	uint32_t num_waits;
};

static void require(enum fair_err err)
{
	if (err != FAIR_OK) {
		fprintf(stderr, "bench: %s\n", fair_err_code(err));
		abort();
	}
}

/* ---- the lines, as they are told to whoever measures ---- */

static void line_changed(struct game *g, uint32_t tenant)
{
	uint32_t first = g->first[tenant];

	g->moment.first_slots[tenant] = first == NOBODY ? 0 : g->s->arrivals[first].slots;
}

static void line_join(struct game *g, uint32_t i)
{
	uint32_t t = g->s->arrivals[i].tenant;

	g->states[i] = STATE_WAITS;
	g->next[i] = NOBODY;
	if (g->first[t] == NOBODY)
		g->first[t] = i;
	else
		g->next[g->last[t]] = i;
	g->last[t] = i;
	g->moment.waiting[t]++;
	line_changed(g, t);
}

/* Within a tenant all policies go by arrival. */
static void line_leave(struct game *g, uint32_t i)
{
	uint32_t t = g->s->arrivals[i].tenant;

	if (g->first[t] != i)
		abort();
	g->first[t] = g->next[i];
	g->moment.waiting[t]--;
	line_changed(g, t);
}

static void note_wait(struct game *g, uint32_t i)
{
	g->waits[g->num_waits].tenant = g->s->arrivals[i].tenant;
	g->waits[g->num_waits++].ns = g->now - g->s->arrivals[i].at;
}

static void begin_hold(struct game *g, uint32_t i)
{
	const struct arrival *a = &g->s->arrivals[i];

	line_leave(g, i);
	note_wait(g, i);
	g->states[i] = STATE_HOLDS;
	g->ends[i] = g->now + a->hold;
	g->moment.active[a->tenant] += a->slots;
	g->holders[g->num_holders++] = i;
}

static void end_hold(struct game *g, uint32_t i)
{
	uint32_t at = 0;

	while (g->holders[at] != i)
		at++;
	g->holders[at] = g->holders[--g->num_holders];
	g->states[i] = STATE_OVER;
	g->moment.active[g->s->arrivals[i].tenant] -= g->s->arrivals[i].slots;
}

/* ---- the plain semaphore: whoever came first, and nobody before it ---- */

static uint32_t fifo_free(const struct game *g)
{
	uint32_t active = 0;

	for (uint32_t t = 0; t < g->s->num_tenants; t++)
		active += g->moment.active[t];
	return g->s->max_slots - active;
}

static void fifo_grant(struct game *g)
{
	for (;;) {
		uint32_t oldest = NOBODY;

		for (uint32_t t = 0; t < g->s->num_tenants; t++)
			oldest = g->first[t] < oldest ? g->first[t] : oldest;
		if (oldest == NOBODY || g->s->arrivals[oldest].slots > fifo_free(g))
			return;
		begin_hold(g, oldest);
	}
}

static void fifo_go(struct game *g, uint32_t tenant)
{
	while (g->first[tenant] != NOBODY) {
		g->states[g->first[tenant]] = STATE_OVER;
		line_leave(g, g->first[tenant]);
	}
}

/* ---- the core ---- */

static struct fair_id to_id(uint32_t i)
{
	struct fair_id id = {{0}};
	uint64_t spread = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	memcpy(id.bytes, &spread, sizeof(spread));
	memcpy(id.bytes + 8, &i, sizeof(i));
	return id;
}

static uint32_t from_id(const struct fair_id *id)
{
	uint32_t i;

	memcpy(&i, id->bytes + 8, sizeof(i));
	return i;
}

static void core_granted(struct game *g, uint32_t i)
{
	struct fair_id id = to_id(i);

	begin_hold(g, i);
	fair_confirm(g->fair, g->now, &id);
	fair_claim(g->fair, g->now, &id);
}

static void core_ended(struct game *g, uint32_t i)
{
	if (g->states[i] == STATE_HOLDS) {
		end_hold(g, i);
	} else {
		line_leave(g, i);
		g->states[i] = STATE_OVER;
	}
}

static void core_settle(struct game *g)
{
	struct fair_event e;
	bool more;

	do {
		more = fair_advance(g->fair, g->now, 1000);
		while (fair_next_event(g->fair, &e)) {
			if (e.type == FAIR_EV_GRANTED)
				core_granted(g, from_id(&e.id));
			else if (e.type == FAIR_EV_ENDED)
				core_ended(g, from_id(&e.id));
		}
	} while (more || fair_next_deadline(g->fair) == 0);
}

/* `equal` refuses weight and reserve. */
static void core_come(struct game *g, uint32_t tenant)
{
	const struct asker *a = &g->s->tenants[tenant];
	struct fair_tenant_policy policy = {.weight = a->weight ? a->weight : 1000, .reserved_slots = a->reserved_slots};
	bool created;

	require(fair_register(g->fair, g->now, "p", a->name, NULL, &created));
	if (g->policy == POLICY_MAX_MIN)
		require(fair_tenant_set(g->fair, g->now, "p", a->name, &policy));
}

static void core_create(struct game *g)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {.pool = "p",
									.max_slots = g->s->max_slots,
									.min_share = 1,
									.max_waiting = UINT32_MAX,
									.tenant_max_waiting = UINT32_MAX,
									.policy = g->policy == POLICY_MAX_MIN ? FAIR_POLICY_MAX_MIN : FAIR_POLICY_EQUAL,
									.slot_rest_ns = g->s->slot_rest,
									.pass_over_ns = PASS_OVER};

	config.hash_seed = config.first_token = 1;
	config.ended_max = 1000;
	g->fair = fair_create(&config);
	if (!g->fair)
		abort();
	require(fair_pool_add(g->fair, &pool));
}

static void core_acquire(struct game *g, uint32_t i)
{
	const struct arrival *a = &g->s->arrivals[i];
	struct fair_acquired got;
	struct fair_request r = {.id = to_id(i),
							 .pool = "p",
							 .tenant = g->s->tenants[a->tenant].name,
							 .label = "",
							 .ttl_ns = a->crashes ? a->hold : 3600 * SECOND,
							 .slots = a->slots,
							 .wait = true};

	require(fair_acquire(g->fair, g->now, &r, &got));
}

static void core_go(struct game *g, uint32_t tenant)
{
	enum fair_unregistered how;

	require(fair_unregister(g->fair, g->now, "p", g->s->tenants[tenant].name, NULL, false, &how));
}

/* ---- what happens ---- */

static void arrive(struct game *g, uint32_t i)
{
	const struct arrival *a = &g->s->arrivals[i];

	if (a->kind == ARRIVAL_REQUEST) {
		line_join(g, i);
		if (g->fair)
			core_acquire(g, i);
	} else if (a->kind == ARRIVAL_COMES) {
		if (g->fair)
			core_come(g, a->tenant);
	} else if (g->fair) {
		core_go(g, a->tenant);
	} else {
		fifo_go(g, a->tenant);
	}
}

/* The holder that is done first; the core itself ends those that crashed. */
static uint32_t next_holder(const struct game *g)
{
	uint32_t first = NOBODY;

	for (uint32_t at = 0; at < g->num_holders; at++) {
		uint32_t i = g->holders[at];

		if (g->fair && g->s->arrivals[i].crashes)
			continue;
		if (first == NOBODY || g->ends[i] < g->ends[first] || (g->ends[i] == g->ends[first] && i < first))
			first = i;
	}
	return first;
}

static void finish(struct game *g, uint32_t i)
{
	struct fair_id id = to_id(i);

	if (g->fair)
		require(fair_release(g->fair, g->now, &id));
	else
		end_hold(g, i);
}

static void settle(struct game *g)
{
	if (g->fair)
		core_settle(g);
	else
		fifo_grant(g);
}

static void look(struct game *g)
{
	struct fair_pool_view v;

	if (!g->fair)
		return;
	require(fair_pool_get(g->fair, g->now, "p", &v));
	g->moment.resting = v.resting_slots;
	g->moment.saved = v.saved_slots;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void run(struct game *g, moment_seen *seen, void *context)
{
	uint32_t arrived = 0;

	while (g->now < g->s->end) {
		uint32_t holder = next_holder(g);
		uint64_t next = g->s->end;

		next = least(next, arrived < g->s->num_arrivals ? g->s->arrivals[arrived].at : FAIR_NEVER);
		next = least(next, holder != NOBODY ? g->ends[holder] : FAIR_NEVER);
		next = least(next, g->fair ? fair_next_deadline(g->fair) : FAIR_NEVER);
		if (next > g->now) {
			look(g);
			g->moment.from = g->now;
			g->moment.to = next;
			seen(g->s, &g->moment, context);
		}
		g->now = next;
		if (holder != NOBODY && g->ends[holder] == next)
			finish(g, holder);
		else if (arrived < g->s->num_arrivals && g->s->arrivals[arrived].at == next)
			arrive(g, arrived++);
		settle(g);
	}
}

static bool comes_later(const struct scenario *s, uint32_t tenant)
{
	for (uint32_t i = 0; i < s->num_arrivals; i++) {
		if (s->arrivals[i].tenant == tenant && s->arrivals[i].kind == ARRIVAL_COMES)
			return true;
	}
	return false;
}

void play(const struct scenario *s, enum policy policy, moment_seen *seen, void *context, struct wait **ret_waits,
		  uint32_t *ret_num_waits)
{
	static struct game g;

	g = (struct game){.s = s, .policy = policy};
	g.states = calloc(s->num_arrivals, sizeof(*g.states));
	g.ends = calloc(s->num_arrivals, sizeof(*g.ends));
	g.next = calloc(s->num_arrivals, sizeof(*g.next));
	g.waits = calloc(s->num_arrivals, sizeof(*g.waits));
	if (!g.states || !g.ends || !g.next || !g.waits)
		abort();
	memset(g.first, 0xff, sizeof(g.first));
	if (policy != POLICY_FIFO)
		core_create(&g);
	for (uint32_t t = 0; g.fair && t < s->num_tenants; t++) {
		if (!comes_later(s, t))
			core_come(&g, t);
	}
	run(&g, seen, context);
	for (uint32_t i = 0; i < s->num_arrivals; i++) {
		if (g.states[i] == STATE_WAITS)
			note_wait(&g, i);
	}
	fair_destroy(g.fair);
	free(g.states);
	free(g.ends);
	free(g.next);
	*ret_waits = g.waits;
	*ret_num_waits = g.num_waits;
}
