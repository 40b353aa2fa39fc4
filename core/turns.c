/* SPDX-License-Identifier: MIT */
/*
 * Who is granted next. The first waiters of the tenants that may be granted stand in one tree, ordered by need; each
 * node has the first turn of its subtree and the least limit, of all and of those that were not passed over yet. One
 * walk down to the largest need that fits finds the first turn of all that fit. Only where needs differ and a limit
 * cuts through several of them (requests of several sizes, under policy equal or short of the reserves) does it look
 * into more than one path: of each size, at most, the one along its limit.
 */
#include "policy.h"

#pragma GCC diagnostic ignored "-Wunused-function"

const struct policy *policy_of(const struct pool *p)
{
	static const struct policy *const policies[] = {
		[FAIR_POLICY_EQUAL] = &policy_equal, [FAIR_POLICY_MAX_MIN] = &policy_max_min};

	return policies[p->config.policy];
}

/* ---- the tree ---- */

/* "To a tenant below its reserve, to one below min_share, to the lowest (active + slots asked) / weight"; oldest first.
 */
static bool before(const struct turn *a, const struct turn *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;

	uint64_t left = (uint64_t)a->asked * b->weight, right = (uint64_t)b->asked * a->weight;

	return left != right ? left < right : a->number < b->number;
}

static int by_need(const struct tenant *a, const struct tenant *b)
{
	const struct turn *x = &a->turn, *y = &b->turn;

	if (x->need != y->need)
		return x->need < y->need ? -1 : 1;
	if (x->limit != y->limit)
		return x->limit < y->limit ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static bool is_passed(const struct tenant *t)
{
	return t->passed_ns != FAIR_NEVER;
}

static void sum_alone(struct tenant *t)
{
	t->first_turn = t;
	t->first_unpassed = is_passed(t) ? NULL : t;
	t->least_limit = t->turn.limit;
	t->least_unpassed_limit = is_passed(t) ? UINT32_MAX : t->turn.limit;
}

static void sum_turns(struct tenant *t)
{
	const struct tenant *side[2] = {RB_LEFT(t, in_turns), RB_RIGHT(t, in_turns)};

	sum_alone(t);
	for (int i = 0; i < 2; i++) {
		if (!side[i])
			continue;
		if (before(&side[i]->first_turn->turn, &t->first_turn->turn))
			t->first_turn = side[i]->first_turn;
		if (side[i]->first_unpassed &&
			(!t->first_unpassed || before(&side[i]->first_unpassed->turn, &t->first_unpassed->turn)))
			t->first_unpassed = side[i]->first_unpassed;
		if (side[i]->least_limit < t->least_limit)
			t->least_limit = side[i]->least_limit;
		if (side[i]->least_unpassed_limit < t->least_unpassed_limit)
			t->least_unpassed_limit = side[i]->least_unpassed_limit;
	}
}

#undef RB_AUGMENT
#define RB_AUGMENT(t) sum_turns(t)
RB_GENERATE_INTERNAL(turns, tenant, in_turns, by_need, static)

static void sum_up(struct tenant *t)
{
	for (; t; t = RB_PARENT(t, in_turns))
		sum_turns(t);
}

struct search {
	int64_t room;
	uint32_t limit;
	struct tenant *best;
};

static void look(struct search *s, struct tenant *t)
{
	if (t && t->turn.limit <= s->limit && (!s->best || before(&t->turn, &s->best->turn)))
		s->best = t;
}

/* All needs below t fit. */
static void search_fitting(struct search *s, struct tenant *t)
{
	if (!t || t->least_limit > s->limit || (s->best && !before(&t->first_turn->turn, &s->best->turn)))
		return;
	if (t->first_turn->turn.limit <= s->limit) {
		s->best = t->first_turn;
		return;
	}
	look(s, t);
	search_fitting(s, RB_LEFT(t, in_turns));
	search_fitting(s, RB_RIGHT(t, in_turns));
}

static struct tenant *first_turn(const struct pool *p, int64_t room, uint32_t limit)
{
	struct search s = {.room = room, .limit = limit};
	struct tenant *t = RB_ROOT(&p->turns);

	while (t) {
		if (t->turn.need > room) {
			t = RB_LEFT(t, in_turns);
			continue;
		}
		look(&s, t);
		search_fitting(&s, RB_LEFT(t, in_turns));
		t = RB_RIGHT(t, in_turns);
	}
	return s.best;
}

struct tenant *pool_turn(const struct pool *p)
{
	return first_turn(p, INT64_MAX, policy_of(p)->limit(p));
}

/* ---- who was passed over ---- */

static int by_passing(const struct tenant *a, const struct tenant *b)
{
	if (a->passed_ns != b->passed_ns)
		return a->passed_ns < b->passed_ns ? -1 : 1;
	return (a->passed_number > b->passed_number) - (a->passed_number < b->passed_number);
}

#undef RB_AUGMENT
#define RB_AUGMENT(t)                                                                                                  \
	do {                                                                                                               \
	} while (0)
RB_GENERATE_INTERNAL(passed, tenant, in_passed, by_passing, static)

static void passed_leave(struct pool *p, struct tenant *t)
{
	if (!is_passed(t))
		return;
	if (p->first_passed == t)
		p->first_passed = passed_RB_NEXT(t);
	RB_REMOVE(passed, &p->passed, t);
	t->passed_ns = FAIR_NEVER;
}

static void passed_set(struct pool *p, struct tenant *t, const struct lease *first)
{
	uint64_t at = first ? first->passed_ns : FAIR_NEVER;

	if (t->passed_ns == at && (at == FAIR_NEVER || t->passed_number == first->number))
		return;
	passed_leave(p, t);
	t->passed_ns = at;
	if (at == FAIR_NEVER)
		return;
	t->passed_number = first->number;
	FAIR_ASSERT(!RB_INSERT(passed, &p->passed, t));
	if (!p->first_passed || by_passing(t, p->first_passed) < 0)
		p->first_passed = t;
}

/* ---- keeping the trees ---- */

bool turns_have(const struct tenant *t)
{
	return t->lined_up && t->turns_epoch == t->pool->turns_epoch;
}

static void leave(struct pool *p, struct tenant *t)
{
	bool two = RB_LEFT(t, in_turns) && RB_RIGHT(t, in_turns);
	struct tenant *parent = two ? NULL : RB_PARENT(t, in_turns);

	RB_REMOVE(turns, &p->turns, t);
	sum_up(parent);
	t->lined_up = false;
}

static bool same_turn(const struct turn *a, const struct turn *b)
{
	return a->need == b->need && a->rank == b->rank && a->limit == b->limit && a->asked == b->asked &&
		   a->weight == b->weight && a->number == b->number;
}

/* "At its cap" it has no turn. */
static bool turn_of(const struct tenant *t, const struct lease *l, uint32_t active, struct turn *ret)
{
	const struct pool *p = t->pool;
	uint32_t cap = t->policy.max_slots;

	if (!l || (cap > 0 && active + l->slots > cap))
		return false;
	*ret = (struct turn){.weight = 1, .limit = l->slots};
	policy_of(p)->turn(p, t, l, active, ret);
	ret->number = l->number;
	ret->need = (int64_t)l->slots - t->kept;
	return true;
}

/* Slots are saved only for one that is present and the first of its tenant. */
static void saving_settle(struct pool *p, const struct tenant *t, const struct lease *first)
{
	if (p->saver && p->saver->tenant == t && p->saver != first)
		p->saver = NULL;
}

void turns_set(struct pool *p, struct tenant *t, struct lease *first, uint32_t active)
{
	struct turn turn = {0};
	bool has = turn_of(t, first, active, &turn), was_passed = is_passed(t);

	saving_settle(p, t, first);
	passed_set(p, t, first);
	if (turns_have(t)) {
		if (has && same_turn(&t->turn, &turn) && was_passed == is_passed(t))
			return;
		leave(p, t);
	}
	t->lined_up = has;
	t->turns_epoch = p->turns_epoch;
	if (!has)
		return;
	t->turn = turn;
	sum_alone(t); /* its parent is summed up before it is */
	FAIR_ASSERT(!RB_INSERT(turns, &p->turns, t));
	sum_up(t);
}

/* Empties the tree at once: who stood in it is lined up anew, tenant by tenant, before anything is granted. */
void turns_renew(struct fair *f, struct pool *p)
{
	p->turns_epoch++;
	RB_INIT(&p->turns);
	p->renewing = true;
	p->renewed_to = 0;
	p->passing = false;
	pool_dirty(f, p);
}

/* Lines up one tenant anew; false when all are. */
static bool renew_one(struct fair *f, struct pool *p)
{
	struct tenant *t = p->renewing ? tenants_after(p, p->renewed_to) : NULL;

	if (!t) {
		p->renewing = false;
		return false;
	}
	p->renewed_to = t->number;
	lines_renew(t);
	tenant_line_up(f, t);
	return true;
}

/* ---- saving ---- */

/*
 * What is kept of the reserves of others against a request for so many slots, with so much kept for its own tenant.
 * None against one that lies within that: where all of it is free this changes nothing, and where less is, those below
 * their reserves would wait for each other.
 */
static uint32_t kept_against(uint32_t slots, uint32_t own, uint32_t all)
{
	return slots <= own ? 0 : all - own;
}

/* Free, in service, rested and not kept for others: usable for such a request of this tenant if nothing were saved. */
static int64_t usable_for(const struct pool *p, const struct tenant *t, uint32_t slots)
{
	return (int64_t)pool_free_slots(p) - kept_against(slots, t->kept, pool_kept(p));
}

uint32_t turns_saved(const struct pool *p)
{
	int64_t usable = p->saver ? usable_for(p, p->saver->tenant, p->saver->slots) : 0;

	if (usable <= 0)
		return 0;
	return usable < p->saver->slots ? (uint32_t)usable : p->saver->slots;
}

/* What is kept for t; what is saved for it counts as held, so that so much less is kept by its reserve. */
static uint32_t kept_beside_saving(const struct pool *p, const struct tenant *t)
{
	uint32_t saved = p->saver && p->saver->tenant == t ? turns_saved(p) : 0;

	return t->kept > saved ? t->kept - saved : 0;
}

static uint32_t all_kept_beside_saving(const struct pool *p)
{
	const struct tenant *saving = p->saver ? p->saver->tenant : NULL;

	return saving ? pool_kept(p) - saving->kept + kept_beside_saving(p, saving) : pool_kept(p);
}

static uint32_t free_beside_saving(const struct pool *p)
{
	return pool_free_slots(p) - turns_saved(p);
}

/* Free and not kept for others beside what is saved. */
static int64_t unreserved_for(const struct pool *p, const struct tenant *t, uint32_t slots)
{
	return (int64_t)pool_free_slots(p) - kept_against(slots, kept_beside_saving(p, t), all_kept_beside_saving(p));
}

uint32_t turns_reserved(const struct pool *p)
{
	uint32_t kept = all_kept_beside_saving(p), left = free_beside_saving(p);

	return kept < left ? kept : left;
}

static uint64_t turns_deadline(const struct pool *p)
{
	if (p->saver || !p->first_passed || p->renewing || p->held || p->config.draining)
		return FAIR_NEVER;
	return p->first_passed->passed_ns + p->config.pass_over_ns;
}

static void saving_begin(struct fair *f, struct pool *p)
{
	if (turns_deadline(p) <= f->now)
		p->saver = tenant_first_present(p->first_passed);
}

bool turns_due(struct fair *f)
{
	struct pool *p;

	DL_FOREACH(f->pools, p)
	{
		if (turns_deadline(p) <= f->now) {
			saving_begin(f, p);
			pool_dirty(f, p);
			return true;
		}
	}
	return false;
}

uint64_t turns_next_deadline(const struct fair *f)
{
	uint64_t next = FAIR_NEVER;
	const struct pool *p;

	DL_FOREACH(f->pools, p)
	{
		if (turns_deadline(p) < next)
			next = turns_deadline(p);
	}
	return next;
}

/* ---- granting ---- */

static bool saver_may_take(const struct pool *p)
{
	const struct tenant *t = p->saver ? p->saver->tenant : NULL;

	return t && turns_have(t) && t->turn.limit <= policy_of(p)->limit(p) &&
		   usable_for(p, t, p->saver->slots) >= p->saver->slots;
}

/* A grant passes over all turns before its own that did not fit: each is marked once, for a unit of the budget. */
struct passing {
	struct pool *pool;
	const struct turn *granted;
	uint32_t limit, budget;
	uint64_t now;
};

static void pass_over(struct passing *x, struct tenant *t)
{
	uint32_t budget = x->budget;

	if (x->budget == 0 || !t || !t->first_unpassed || t->least_unpassed_limit > x->limit ||
		!before(&t->first_unpassed->turn, x->granted))
		return;
	pass_over(x, RB_LEFT(t, in_turns));
	pass_over(x, RB_RIGHT(t, in_turns));
	if (x->budget > 0 && !is_passed(t) && t->turn.limit <= x->limit && before(&t->turn, x->granted)) {
		struct lease *l = tenant_first_present(t);

		x->budget--;
		l->passed_ns = x->now;
		passed_set(x->pool, t, l);
	}
	if (x->budget < budget)
		sum_turns(t);
}

/* Short of what is kept, only requests within what is kept for their own tenants fit, into all that is free. */
static struct tenant *next_turn(const struct pool *p)
{
	uint32_t left = free_beside_saving(p), kept = all_kept_beside_saving(p);

	if (left < kept)
		return first_turn(p, 0, left);
	return first_turn(p, left - kept, policy_of(p)->limit(p));
}

static bool grant_next(struct fair *f, struct pool *p, uint32_t *budget)
{
	struct tenant *t = next_turn(p);
	struct passing x;

	if (!t)
		return false;
	x = (struct passing){
		.pool = p, .granted = &t->turn, .limit = policy_of(p)->limit(p), .budget = *budget, .now = f->now};
	pass_over(&x, RB_ROOT(&p->turns));
	p->passing = x.budget == 0;
	if (p->passing) {
		*budget = 1;
		return true;
	}
	*budget = x.budget;
	lease_grant(f, tenant_first_present(t));
	return true;
}

bool pool_grant_one(struct fair *f, struct pool *p, uint32_t *budget)
{
	if (renew_one(f, p))
		return true;
	if (!p->passing)
		saving_begin(f, p);
	p->passing = false;
	if (pool_room(p) == 0)
		return false;
	if (!saver_may_take(p))
		return grant_next(f, p, budget);
	lease_grant(f, p->saver);
	return true;
}

/* ---- requests that can never be granted ---- */

/* The most that the configuration could ever give to a request of t. */
uint32_t turns_most(const struct pool *p, const struct tenant *t)
{
	uint32_t others = pool_open_reserved(p) - (t->state == TENANT_OPEN ? t->policy.reserved_slots : 0);
	uint32_t most = p->config.max_slots > others ? p->config.max_slots - others : 0;

	if (t->policy.max_slots > 0 && t->policy.max_slots < most)
		most = t->policy.max_slots;
	return most < FAIR_LEASE_SLOTS_MAX ? most : FAIR_LEASE_SLOTS_MAX;
}

bool turns_refuse_one(struct fair *f)
{
	struct pool *p;

	DL_FOREACH(f->pools, p)
	{
		struct tenant *t = tenants_asking_above(p, (int64_t)p->config.max_slots - pool_open_reserved(p));
		struct lease *l = t ? line_above(t, turns_most(p, t)) : NULL;

		if (l)
			lease_refuse(f, l, FAIR_REASON_TOO_MANY_SLOTS);
		else if (t)
			tenant_excess_lower(t);
		if (t)
			return true;
	}
	return false;
}

/* ---- why a waiter waits ---- */

static uint32_t free_or_resting(const struct pool *p)
{
	uint32_t active = pool_counts(p).active, most = p->config.max_slots > active ? p->config.max_slots - active : 0;
	uint32_t slots = p->slots.usable + p->slots.only_resting;

	return slots < most ? slots : most;
}

enum fair_wait turns_reason(const struct lease *l)
{
	const struct tenant *t = l->tenant;
	const struct pool *p = t->pool;
	uint32_t active = tenant_counts(t).active;
	int64_t unreserved = unreserved_for(p, t, l->slots);
	struct turn turn;

	if (!lease_is_present(l))
		return FAIR_WAIT_ABSENT;
	if (p->held)
		return FAIR_WAIT_HELD;
	if (p->config.draining)
		return FAIR_WAIT_POOL_DRAINING;
	if (!turn_of(t, l, active, &turn))
		return FAIR_WAIT_AT_CAP;
	if (turn.limit > policy_of(p)->limit(p))
		return FAIR_WAIT_AT_SHARE;
	if (pool_free_slots(p) >= l->slots && unreserved < l->slots)
		return FAIR_WAIT_RESERVED;
	if (unreserved >= l->slots && p->saver && p->saver != l && unreserved - turns_saved(p) < l->slots)
		return FAIR_WAIT_SAVING;
	return p->slots.only_resting > 0 && free_or_resting(p) >= l->slots ? FAIR_WAIT_RESTING : FAIR_WAIT_POOL_FULL;
}
