/* SPDX-License-Identifier: MIT */
/* fair_check: what must hold between any two calls, verified by scanning everything. */
#include "state.h"

static struct counts check_leases(const struct fair *f, const struct tenant *t)
{
	struct counts c = {0};
	uint64_t number = 0;

	for (struct lease *l; (l = tenant_lease_after(t, number, FAIR_ENDED)); number = l->number) {
		FAIR_ASSERT(l->number > number);
		FAIR_ASSERT(l->tenant == t && l->state != FAIR_ENDED);
		FAIR_ASSERT(lease_find(f, &l->id) == l);
		c.active += l->state == FAIR_ACTIVE ? l->slots : 0;
		c.present += lease_is_present(l);
		c.absent += l->state == FAIR_PENDING && !lease_is_present(l);
		if (l->state == FAIR_ACTIVE)
			FAIR_ASSERT(l->token < f->next_token);
		for (uint32_t i = 0; l->state == FAIR_ACTIVE && i < l->slots; i++)
			FAIR_ASSERT(!slots_is_free(&t->pool->slots, l->slot_ids[i]));
		FAIR_ASSERT(l->state == FAIR_ACTIVE || (l->max_ns == FAIR_NEVER && l->reclaim_ns == 0));
		if (l->state == FAIR_PENDING && !lease_is_present(l))
			FAIR_ASSERT(l->key && l->keep_until_ns != FAIR_NEVER);
		if (l->state == FAIR_PENDING && t->state == TENANT_CLOSING)
			FAIR_ASSERT(t->doomed && l->number < t->refuse_below);
		if (l->attached > 0)
			FAIR_ASSERT(l->keep_until_ns == FAIR_NEVER);
	}
	return c;
}

/* "Within the tenant by arrival less priority", and sums of what stands in line. */
static void check_line(const struct tenant *t)
{
	uint64_t number = 0, slots = tenant_counts(t).active;
	const struct lease *first = NULL;
	uint32_t most = 0;

	for (const struct lease *l; (l = tenant_lease_after(t, number, FAIR_PENDING)); number = l->number) {
		FAIR_ASSERT(l->lined);
		most = l->slots > most ? l->slots : most;
		slots += lease_is_present(l) ? l->slots : 0;
		if (lease_is_present(l) &&
		    (!first || l->line_key < first->line_key || (l->line_key == first->line_key && l->number < first->number)))
			first = l;
		if (!lease_is_present(l))
			FAIR_ASSERT(l->passed_ns == FAIR_NEVER && t->pool->saver != l);
	}
	FAIR_ASSERT(first == tenant_first_present(t) && most == line_most(t) && slots == tenant_demand(t));
}

/* A tenant has a turn iff it is open, not at its cap and somebody waits: the first of its line. */
static void check_turn(const struct tenant *t, uint32_t active)
{
	const struct lease *first = tenant_first_present(t);
	uint32_t reserve = t->pool->config.policy == FAIR_POLICY_MAX_MIN ? t->policy.reserved_slots : 0;
	bool open = t->state == TENANT_OPEN && !t->doomed;

	FAIR_ASSERT(t->kept == (t->state == TENANT_OPEN && reserve > active ? reserve - active : 0));
	if (t->pool->renewing)
		return;
	FAIR_ASSERT(turns_have(t) ==
	            (open && first && (t->policy.max_slots == 0 || active + first->slots <= t->policy.max_slots)));
	if (turns_have(t))
		FAIR_ASSERT(t->turn.number == first->number && t->turn.need == (int64_t)first->slots - t->kept);
	FAIR_ASSERT(t->passed_ns == (open && first ? first->passed_ns : FAIR_NEVER));
}

static void check_tenant(const struct fair *f, const struct tenant *t)
{
	struct counts c = check_leases(f, t), sum = tenant_counts(t);
	bool open = t->state == TENANT_OPEN;

	FAIR_ASSERT(c.active == sum.active && c.present == sum.present && c.absent == sum.absent);
	FAIR_ASSERT(!t->has_account || (t->state != TENANT_GHOST && t->number <= t->pool->last_account));
	if (t->state == TENANT_GHOST) {
		FAIR_ASSERT(t->references > 0 && c.active + c.present + c.absent == 0);
		FAIR_ASSERT(!turns_have(t) && t->passed_ns == FAIR_NEVER && !t->idle && !t->doomed);
		return;
	}
	FAIR_ASSERT(open == (t->num_instances + t->anonymous > 0));
	FAIR_ASSERT(open || c.active + c.present + c.absent > 0 || (t->doomed && f->more));
	FAIR_ASSERT(t->is_open == open && t->is_demanding == (open && c.active + c.present > 0));
	FAIR_ASSERT(t->load == c.active + c.present);
	FAIR_ASSERT(t->fairness == fairness_of(t));
	check_line(t);
	check_turn(t, c.active);
}

/* Whether the first waiter of t may take what is usable for it, worked out from the slots of all tenants. */
static bool may_take(const struct pool *p, const struct tenant *t)
{
	const struct lease *first = tenant_first_present(t);
	const struct tenant *saving = p->saver ? p->saver->tenant : NULL;
	uint32_t active = tenant_counts(t).active;
	int64_t usable = pool_room(p);
	bool within = first->slots <= t->kept;

	if (p->config.policy == FAIR_POLICY_EQUAL && active > 0 && active + first->slots > p->share)
		return false;
	for (const struct tenant *other = p->by_name; other; other = other->by_name.next) {
		int64_t kept = other->kept;

		if (other == saving && p->saver != first)
			kept = kept > turns_saved(p) ? kept - turns_saved(p) : 0;
		if (other != t && !within)
			usable -= kept;
	}
	if (p->saver && p->saver != first)
		usable -= turns_saved(p);
	return usable >= first->slots;
}

/* "No present waiter that may be granted is left waiting", unless granting is held or work is left. */
static void check_rest(const struct fair *f, const struct pool *p)
{
	const struct tenant *t;

	if (f->more || pool_room(p) == 0)
		return;
	for (t = p->by_name; t; t = t->by_name.next)
		FAIR_ASSERT(!turns_have(t) || !may_take(p, t));
}

static void check_slots(const struct pool *p, uint32_t held)
{
	const struct slots *s = &p->slots;
	uint32_t free_slots = 0, usable = 0, resting = 0, cordoned = 0, in_list = 0;
	uint64_t since = 0;

	FAIR_ASSERT(s->count == p->config.max_slots);
	for (uint32_t i = 0; i < s->count; i++) {
		bool may = slots_is_free(s, i) && !slots_is_cordoned(s, i) && !slots_is_resting(s, i);

		FAIR_ASSERT(slots_is_usable(s, i) == may);
		FAIR_ASSERT(!slots_is_resting(s, i) || slots_is_free(s, i));
		free_slots += slots_is_free(s, i);
		usable += may;
		resting += slots_is_resting(s, i);
		cordoned += slots_is_cordoned(s, i);
	}
	for (uint32_t i = 0; i < p->config.num_cordoned; i++) {
		bool again = false;

		for (uint32_t k = 0; k < i; k++)
			again = again || p->cordoned[k] == p->cordoned[i];
		FAIR_ASSERT(p->cordoned[i] >= s->count || slots_is_cordoned(s, p->cordoned[i]));
		cordoned -= p->cordoned[i] < s->count && !again;
	}
	FAIR_ASSERT(cordoned == 0);
	for (uint32_t i = s->first_rest; in_list < resting; i = s->rests[i].next, in_list++) {
		FAIR_ASSERT(slots_is_resting(s, i) && s->rests[i].since >= since);
		since = s->rests[i].since;
	}
	FAIR_ASSERT(resting == 0 || s->last_rest < s->count);
	FAIR_ASSERT(resting == s->resting && usable == s->usable && p->resting == (resting > 0));
	FAIR_ASSERT(free_slots + held == s->count);
}

static void check_pool(const struct fair *f, const struct pool *p)
{
	const struct tenant *t;
	const struct lease *l;
	struct counts c = {0}, sum = pool_counts(p);
	uint128 x_sum = 0, x_squares = 0;
	uint32_t open = 0, demanding = 0, strange_slots = 0, ended = 0;
	uint32_t accounts = 0, others_active = 0, closing = 0;

	for (t = p->by_name; t; t = t->by_name.next) {
		check_tenant(f, t);
		x_sum += t->fairness;
		x_squares += (uint128)t->fairness * t->fairness;
		c.active += tenant_counts(t).active;
		c.present += tenant_counts(t).present;
		c.absent += tenant_counts(t).absent;
		open += t->state == TENANT_OPEN;
		closing += t->state == TENANT_CLOSING;
		accounts += t->has_account;
		others_active += t->has_account ? 0 : tenant_counts(t).active;
		demanding += t->state == TENANT_OPEN && tenant_counts(t).active + tenant_counts(t).present > 0;
	}
	for (l = pool_lease_after(p, 0, FAIR_ACTIVE); l; l = pool_lease_after(p, l->number, FAIR_ACTIVE)) {
		for (uint32_t i = 0; i < l->slots; i++)
			strange_slots += l->slot_ids[i] >= p->config.max_slots;
	}
	DL_FOREACH(p->ended, l) {
		FAIR_ASSERT(l->state == FAIR_ENDED && l->reason != FAIR_REASON_NONE);
		FAIR_ASSERT(!l->next || l->next->ended_ns >= l->ended_ns);
		ended++;
	}
	FAIR_ASSERT(c.active == sum.active && c.present == sum.present && c.absent == sum.absent);
	FAIR_ASSERT(open == pool_open(p) && demanding == pool_demanding(p) && demanding == p->share_demanding);
	FAIR_ASSERT(p->share >= p->config.min_share && (demanding > 0 || p->share == p->config.max_slots));
	FAIR_ASSERT(x_sum == p->fairness.sum && x_squares == p->fairness.squares);
	check_slots(p, c.active - strange_slots);
	FAIR_ASSERT(closing == pool_closing(p));
	FAIR_ASSERT(accounts == p->accounts && accounts <= f->config.accounts_max && others_active == p->others_active);
	FAIR_ASSERT(ended == p->num_ended && (ended <= f->config.ended_max || f->crowded));
	check_rest(f, p);
}

void fair_check(const struct fair *f, uint64_t now)
{
	const struct pool *p;
	const struct lease *first = timer_first(f);

	FAIR_ASSERT(now >= f->now);
	if (first && !f->more && f->late_ns == 0)
		FAIR_ASSERT(first->timer_at > f->now);
	if (!f->more)
		FAIR_ASSERT(pool_rest_deadline(f) > f->now && !f->sweeps);
	DL_FOREACH(f->pools, p)
		check_pool(f, p);
}
