/* SPDX-License-Identifier: MIT */
/*
 * The ordered trees: libbsd's red-black trees with sums at their nodes (RB_AUGMENT). That header updates only part
 * of the path on insertion and removal; the rest of the path is walked here.
 */
#include "state.h"

#pragma GCC diagnostic ignored "-Wunused-function"

/* The sign of a - b. */
static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_number(const struct lease *a, const struct lease *b)
{
	return order(a->number, b->number);
}

static struct counts own_counts(const struct lease *l)
{
	return (struct counts){.active = l->state == FAIR_ACTIVE ? l->slots : 0,
	                       .present = l->state == FAIR_PENDING && l->attached > 0,
	                       .absent = l->state == FAIR_PENDING && l->attached == 0};
}

/* counts_move adds what lies between two counts; unsigned, so that less is fine too. */
static void counts_move(struct counts *sum, struct counts from, struct counts to)
{
	sum->active += to.active - from.active;
	sum->present += to.present - from.present;
	sum->absent += to.absent - from.absent;
}

static uint32_t weight(struct counts c, enum fair_state state)
{
	switch (state) {
	case FAIR_ACTIVE:
		return c.active;
	case FAIR_PENDING:
		return c.present + c.absent;
	default:
		return c.active + c.present + c.absent;
	}
}

/*
 * LEASE_TREE: a tree of leases by number with sums: NAME_insert, _remove, _changed, _counts and _after
 * (the first lease after a number in a state).
 */
#define LEASE_TREE(NAME, FIELD, SUM)                                                                               \
	RB_GENERATE_INTERNAL(NAME, lease, FIELD, by_number, static)                                                              \
                                                                                                                   \
	/* Only the node itself is summed up: above it the difference is added, and no sibling has to be fetched. */   \
	static void NAME##_changed(struct lease *l)                                                                    \
	{                                                                                                              \
		struct counts was = l->SUM;                                                                                \
                                                                                                                   \
		sum_##NAME(l);                                                                                             \
		for (struct lease *above = RB_PARENT(l, FIELD); above; above = RB_PARENT(above, FIELD))                    \
			counts_move(&above->SUM, was, l->SUM);                                                                 \
	}                                                                                                              \
                                                                                                                   \
	static void NAME##_insert(struct NAME *tree, struct lease *l)                                                  \
	{                                                                                                              \
		FAIR_ASSERT(!RB_INSERT(NAME, tree, l));                                                                    \
	}                                                                                                              \
                                                                                                                   \
	static void NAME##_remove(struct NAME *tree, struct lease *l)                                                  \
	{                                                                                                              \
		NAME##_changed(l);                                                                                         \
		RB_REMOVE(NAME, tree, l);                                                                                  \
	}                                                                                                              \
                                                                                                                   \
	static struct counts NAME##_counts(const struct NAME *tree)                                                    \
	{                                                                                                              \
		return RB_ROOT(tree) ? RB_ROOT(tree)->SUM : (struct counts){0};                                            \
	}                                                                                                              \
                                                                                                                   \
	/* Below each node that is passed by on the way to `number`, only the last one that has any can hold it. */     \
	static struct lease *NAME##_after(const struct NAME *tree, uint64_t number, enum fair_state state)             \
	{                                                                                                              \
		struct lease *found = NULL, *l = RB_ROOT(tree);                                                            \
                                                                                                                   \
		while (l) {                                                                                                \
			if (l->number <= number) {                                                                             \
				l = RB_RIGHT(l, FIELD);                                                                            \
				continue;                                                                                          \
			}                                                                                                      \
			if (weight(own_counts(l), state) || (RB_RIGHT(l, FIELD) && weight(RB_RIGHT(l, FIELD)->SUM, state)))    \
				found = l;                                                                                         \
			l = RB_LEFT(l, FIELD);                                                                                 \
		}                                                                                                          \
		if (!found || weight(own_counts(found), state))                                                            \
			return found;                                                                                          \
		l = RB_RIGHT(found, FIELD);                                                                                \
		for (;;) {                                                                                                 \
			if (RB_LEFT(l, FIELD) && weight(RB_LEFT(l, FIELD)->SUM, state))                                        \
				l = RB_LEFT(l, FIELD);                                                                             \
			else if (weight(own_counts(l), state))                                                                 \
				return l;                                                                                          \
			else                                                                                                   \
				l = RB_RIGHT(l, FIELD);                                                                            \
		}                                                                                                          \
	}

/* LEASE_BEFORE: how many of one count come before a number. */
#define LEASE_BEFORE(NAME, FIELD, SUM, COUNT)                                                                      \
	static uint32_t NAME##_##COUNT##_before(const struct NAME *tree, uint64_t number)                              \
	{                                                                                                              \
		uint32_t before = 0;                                                                                       \
                                                                                                                   \
		for (const struct lease *l = RB_ROOT(tree); l;) {                                                          \
			if (number <= l->number) {                                                                             \
				l = RB_LEFT(l, FIELD);                                                                             \
				continue;                                                                                          \
			}                                                                                                      \
			before += own_counts(l).COUNT;                                                                         \
			if (RB_LEFT(l, FIELD))                                                                                 \
				before += RB_LEFT(l, FIELD)->SUM.COUNT;                                                            \
			l = RB_RIGHT(l, FIELD);                                                                                \
		}                                                                                                          \
		return before;                                                                                             \
	}

#define LEASE_SUM(NAME, FIELD, SUM)                                                                                \
	static void sum_##NAME(struct lease *l)                                                                        \
	{                                                                                                              \
		struct counts sum = own_counts(l);                                                                         \
		const struct lease *side[2] = {RB_LEFT(l, FIELD), RB_RIGHT(l, FIELD)};                                     \
                                                                                                                   \
		for (int i = 0; i < 2; i++) {                                                                              \
			if (!side[i])                                                                                          \
				continue;                                                                                          \
			sum.active += side[i]->SUM.active;                                                                     \
			sum.present += side[i]->SUM.present;                                                                   \
			sum.absent += side[i]->SUM.absent;                                                                     \
		}                                                                                                          \
		l->SUM = sum;                                                                                              \
	}

LEASE_SUM(pool_leases, in_pool, pool_sum)
LEASE_SUM(tenant_leases, in_tenant, tenant_sum)

#undef RB_AUGMENT
#define RB_AUGMENT(l) sum_pool_leases(l)
LEASE_TREE(pool_leases, in_pool, pool_sum)
#undef RB_AUGMENT
#define RB_AUGMENT(l) sum_tenant_leases(l)
LEASE_TREE(tenant_leases, in_tenant, tenant_sum)

LEASE_BEFORE(pool_leases, in_pool, pool_sum, present)
LEASE_BEFORE(tenant_leases, in_tenant, tenant_sum, active)

/* ---- the lines of tenants ---- */

static int by_line(const struct lease *a, const struct lease *b)
{
	if (a->line_key != b->line_key)
		return a->line_key < b->line_key ? -1 : 1;
	return by_number(a, b);
}

static void sum_line_alone(struct lease *l)
{
	l->line_present = own_counts(l).present;
	l->line_slots = l->line_present * l->slots;
	l->line_most = l->slots;
}

static void sum_line(struct lease *l)
{
	const struct lease *side[2] = {RB_LEFT(l, in_line), RB_RIGHT(l, in_line)};

	sum_line_alone(l);
	for (int i = 0; i < 2; i++) {
		if (!side[i])
			continue;
		l->line_present += side[i]->line_present;
		l->line_slots += side[i]->line_slots;
		if (side[i]->line_most > l->line_most)
			l->line_most = side[i]->line_most;
	}
}

#undef RB_AUGMENT
#define RB_AUGMENT(l) sum_line(l)
RB_GENERATE_INTERNAL(lines, lease, in_line, by_line, static)

static void sum_line_up(struct lease *l)
{
	for (; l; l = RB_PARENT(l, in_line))
		sum_line(l);
}

/* "A step counts as priority_step of earlier arrival." */
static void line_enter(struct lease *l)
{
	l->line_key = (int64_t)l->arrived_ns - l->priority * (int64_t)l->tenant->pool->config.priority_step_ns;
	sum_line_alone(l);
	FAIR_ASSERT(!RB_INSERT(lines, &l->tenant->line, l));
	l->lined = true;
}

static void line_leave(struct lease *l)
{
	bool two = RB_LEFT(l, in_line) && RB_RIGHT(l, in_line);
	struct lease *parent = two ? NULL : RB_PARENT(l, in_line);

	RB_REMOVE(lines, &l->tenant->line, l);
	sum_line_up(parent);
	l->lined = false;
}

/* After any change of its state or presence. */
static void line_settle(struct lease *l)
{
	bool waits = l->state == FAIR_PENDING;

	if (l->lined && !waits)
		line_leave(l);
	else if (!l->lined && waits)
		line_enter(l);
	if (l->lined)
		sum_line_up(l);
	if (!own_counts(l).present) {   /* "absence drops the saving and costs a full pass_over again" */
		l->passed_ns = FAIR_NEVER;
		if (l->tenant->pool->saver == l)
			l->tenant->pool->saver = NULL;
	}
}

void lines_renew(struct tenant *t)
{
	struct lease *l = tenant_lease_after(t, 0, FAIR_PENDING);

	RB_INIT(&t->line);
	for (; l; l = tenant_lease_after(t, l->number, FAIR_PENDING)) {
		line_enter(l);
		sum_line_up(l);
	}
}

struct lease *tenant_first_present(const struct tenant *t)
{
	struct lease *l = RB_ROOT(&t->line);

	if (!l || l->line_present == 0)
		return NULL;
	for (;;) {
		struct lease *left = RB_LEFT(l, in_line);

		if (left && left->line_present)
			l = left;
		else if (own_counts(l).present)
			return l;
		else
			l = RB_RIGHT(l, in_line);
	}
}

uint32_t tenant_position(const struct lease *l)
{
	const struct lease *left = RB_LEFT(l, in_line);
	uint32_t before = left ? left->line_present : 0;

	for (const struct lease *above = RB_PARENT(l, in_line); above; l = above, above = RB_PARENT(above, in_line)) {
		if (RB_RIGHT(above, in_line) != l)
			continue;
		left = RB_LEFT(above, in_line);
		before += own_counts(above).present + (left ? left->line_present : 0);
	}
	return before + 1;
}

uint64_t tenant_demand(const struct tenant *t)
{
	return tenant_counts(t).active + (RB_ROOT(&t->line) ? RB_ROOT(&t->line)->line_slots : 0);
}

uint32_t line_most(const struct tenant *t)
{
	return RB_ROOT(&t->line) ? RB_ROOT(&t->line)->line_most : 0;
}

struct lease *line_above(const struct tenant *t, uint32_t slots)
{
	struct lease *l = RB_ROOT(&t->line);

	while (l && l->line_most > slots) {
		struct lease *left = RB_LEFT(l, in_line);

		if (left && left->line_most > slots)
			l = left;
		else if (l->slots > slots)
			return l;
		else
			l = RB_RIGHT(l, in_line);
	}
	return NULL;
}

/* A lease comes and goes as an ended one, which counts for nothing and leaves all sums as they are. */
void leases_insert(struct pool *p, struct lease *l)
{
	l->state = FAIR_ENDED;
	pool_leases_insert(&p->leases, l);
	tenant_leases_insert(&l->tenant->leases, l);
	l->state = FAIR_PENDING;
	leases_changed(l);
}

void leases_remove(struct pool *p, struct lease *l)
{
	l->state = FAIR_ENDED;
	pool_leases_remove(&p->leases, l);
	tenant_leases_remove(&l->tenant->leases, l);
	line_settle(l);
}

void leases_changed(struct lease *l)
{
	pool_leases_changed(l);
	tenant_leases_changed(l);
	line_settle(l);
}

struct counts pool_counts(const struct pool *p)
{
	return pool_leases_counts(&p->leases);
}

struct counts tenant_counts(const struct tenant *t)
{
	return tenant_leases_counts(&t->leases);
}

uint32_t pool_present_before(const struct pool *p, uint64_t number)
{
	return pool_leases_present_before(&p->leases, number);
}

uint32_t tenant_active_before(const struct tenant *t, uint64_t number)
{
	return tenant_leases_active_before(&t->leases, number);
}

struct lease *pool_first_present(const struct pool *p)
{
	struct lease *l = RB_ROOT(&p->leases);

	if (!l || l->pool_sum.present == 0)
		return NULL;
	for (;;) {
		struct lease *left = RB_LEFT(l, in_pool);

		if (left && left->pool_sum.present)
			l = left;
		else if (own_counts(l).present)
			return l;
		else
			l = RB_RIGHT(l, in_pool);
	}
}

struct lease *pool_lease_after(const struct pool *p, uint64_t number, enum fair_state state)
{
	return pool_leases_after(&p->leases, number, state);
}

struct lease *tenant_lease_after(const struct tenant *t, uint64_t number, enum fair_state state)
{
	return tenant_leases_after(&t->leases, number, state);
}

/* ---- timers ---- */

static int by_timer(const struct lease *a, const struct lease *b)
{
	int earlier = order(a->timer_at, b->timer_at);

	return earlier ? earlier : by_number(a, b);
}

#undef RB_AUGMENT
#define RB_AUGMENT(l) \
	do {              \
	} while (0)
RB_GENERATE_INTERNAL(timers, lease, in_timers, by_timer, static)

void timer_set(struct fair *f, struct lease *l, uint64_t at)
{
	if (l->timer_at == at)
		return;
	if (l->timer_at != FAIR_NEVER) {
		if (f->first_timer == l)
			f->first_timer = timers_RB_NEXT(l);
		RB_REMOVE(timers, &f->timers, l);
	}
	l->timer_at = at;
	if (at == FAIR_NEVER)
		return;
	FAIR_ASSERT(!RB_INSERT(timers, &f->timers, l));
	if (!f->first_timer || by_timer(l, f->first_timer) < 0)
		f->first_timer = l;
}

struct lease *timer_first(const struct fair *f)
{
	return f->first_timer;
}

/* ---- tenants ---- */

static int by_tenant_number(const struct tenant *a, const struct tenant *b)
{
	return order(a->number, b->number);
}

static void sum_tenants(struct tenant *t)
{
	const struct tenant *side[2] = {RB_LEFT(t, in_pool), RB_RIGHT(t, in_pool)};

	t->sum_all = 1;
	t->sum_open = t->is_open;
	t->sum_demanding = t->is_demanding;
	t->sum_reserved = t->policy.reserved_slots;
	t->sum_open_reserved = t->is_open ? t->policy.reserved_slots : 0;
	t->sum_unequal = policy_is_unequal(&t->policy);
	t->sum_kept = t->kept;
	t->most_excess = t->is_open ? t->excess : EXCESS_NONE;
	for (int i = 0; i < 2; i++) {
		if (side[i]) {
			t->sum_all += side[i]->sum_all;
			t->sum_open += side[i]->sum_open;
			t->sum_demanding += side[i]->sum_demanding;
			t->sum_reserved += side[i]->sum_reserved;
			t->sum_open_reserved += side[i]->sum_open_reserved;
			t->sum_unequal += side[i]->sum_unequal;
			t->sum_kept += side[i]->sum_kept;
			if (side[i]->most_excess > t->most_excess)
				t->most_excess = side[i]->most_excess;
		}
	}
}

#undef RB_AUGMENT
#define RB_AUGMENT(t) sum_tenants(t)
RB_GENERATE_INTERNAL(tenants, tenant, in_pool, by_tenant_number, static)

void tenants_changed(struct tenant *t)
{
	for (; t; t = RB_PARENT(t, in_pool))
		sum_tenants(t);
}

void tenants_insert(struct pool *p, struct tenant *t)
{
	FAIR_ASSERT(!RB_INSERT(tenants, &p->tenants, t));
	tenants_changed(t);
	t->load = 0;
	DL_APPEND2(p->busy[0], t, busy_prev, busy_next);
}

void tenants_remove(struct pool *p, struct tenant *t)
{
	bool two = RB_LEFT(t, in_pool) && RB_RIGHT(t, in_pool);
	struct tenant *parent = two ? NULL : RB_PARENT(t, in_pool);

	RB_REMOVE(tenants, &p->tenants, t);
	tenants_changed(parent);
	DL_DELETE2(p->busy[histogram_bin(t->load)], t, busy_prev, busy_next);
}

struct tenant *tenants_after(const struct pool *p, uint64_t number)
{
	struct tenant *found = NULL, *t = RB_ROOT(&p->tenants);

	while (t) {
		if (t->number > number) {
			found = t;
			t = RB_LEFT(t, in_pool);
		} else {
			t = RB_RIGHT(t, in_pool);
		}
	}
	return found;
}

uint32_t pool_closing(const struct pool *p)
{
	return RB_ROOT(&p->tenants) ? RB_ROOT(&p->tenants)->sum_all - RB_ROOT(&p->tenants)->sum_open : 0;
}

uint32_t pool_open(const struct pool *p)
{
	return RB_ROOT(&p->tenants) ? RB_ROOT(&p->tenants)->sum_open : 0;
}

uint32_t pool_demanding(const struct pool *p)
{
	return RB_ROOT(&p->tenants) ? RB_ROOT(&p->tenants)->sum_demanding : 0;
}

uint32_t pool_reserved(const struct pool *p)
{
	return RB_ROOT(&p->tenants) ? RB_ROOT(&p->tenants)->sum_reserved : 0;
}

uint32_t pool_open_reserved(const struct pool *p)
{
	return RB_ROOT(&p->tenants) ? RB_ROOT(&p->tenants)->sum_open_reserved : 0;
}

uint32_t pool_kept(const struct pool *p)
{
	return RB_ROOT(&p->tenants) ? RB_ROOT(&p->tenants)->sum_kept : 0;
}

struct tenant *tenants_asking_above(const struct pool *p, int64_t excess)
{
	struct tenant *t = RB_ROOT(&p->tenants);

	if (!t || t->most_excess <= excess)
		return NULL;
	for (;;) {
		struct tenant *left = RB_LEFT(t, in_pool);

		if (left && left->most_excess > excess)
			t = left;
		else if (t->is_open && t->excess > excess)
			return t;
		else
			t = RB_RIGHT(t, in_pool);
	}
}

uint32_t pool_unequal(const struct pool *p)
{
	return RB_ROOT(&p->tenants) ? RB_ROOT(&p->tenants)->sum_unequal : 0;
}

void busy_set(struct pool *p, struct tenant *t, uint32_t load)
{
	uint32_t from = histogram_bin(t->load), to = histogram_bin(load);

	t->load = load;
	if (from == to)
		return;
	DL_DELETE2(p->busy[from], t, busy_prev, busy_next);
	DL_APPEND2(p->busy[to], t, busy_prev, busy_next);
}

struct tenant *busy_next(const struct pool *p, const struct tenant *t)
{
	uint32_t bin = t ? histogram_bin(t->load) : BUSY_BINS;

	if (t && t->busy_next)
		return t->busy_next;
	while (bin-- > 0) {
		if (p->busy[bin])
			return p->busy[bin];
	}
	return NULL;
}
