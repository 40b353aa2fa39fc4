/* SPDX-License-Identifier: MIT */
#include "checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum lease_state {
	PLACE,	/* was told as a place */
	UNTOLD, /* active, as a restart showed; nobody was told */
	ACTIVE,
	ENDED,
};

struct lease {
	char *id, *pool, *tenant;
	char *key; /* NULL: none, or not known */
	enum lease_state state;
	bool may_end;		 /* PLACE, UNTOLD, ACTIVE: it may be gone */
	bool is_back;		 /* ... it was told as ended, and came back */
	bool end_is_kept;	 /* ENDED: something that happened after it was told, so it cannot come back */
	uint64_t granted_at; /* when it was told, or seen, first, as checker_asked counts */
	uint64_t ended_at;	 /* ENDED: when that was told */
	char *reason;		 /* ENDED: NULL is not known */
	uint32_t slot;
	uint64_t token, ttl_ms;
	uint64_t ttls_asked; /* without an answer */
	bool ttl_is_unsure;
	bool seen; /* within one look */
	UT_hash_handle hh;
};

/* The newest that is known of each slot, key or token. */
struct mark {
	char *name;
	struct lease *lease; /* NULL once its server was lost */
	UT_hash_handle hh;
};

struct tenant {
	char *name; /* "pool/tenant" */
	bool is_known, is_there, closing;
	char *instances;
	bool seen;
	UT_hash_handle hh;
};

struct checker {
	void (*fault)(void *context, enum checker_fault kind, const char *what);
	void *context;
	struct lease *leases;
	struct mark *slots, *keys, *tokens;
	struct tenant *tenants;
	uint64_t asked;
	uint64_t token_floor; /* the largest token that was known at the last restart */
	uint64_t token_max;
	bool forgets;
	struct checker_counts counts;
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static char *copy(const char *text)
{
	return text ? must(strdup(text)) : NULL;
}

static void __attribute__((format(printf, 3, 4)))
fault(struct checker *c, enum checker_fault kind, const char *format, ...)
{
	char what[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	c->fault(c->context, kind, what);
}

/* ---- what is known ---- */

static struct lease *find(const struct checker *c, const char *id)
{
	struct lease *l;

	HASH_FIND_STR(c->leases, id, l);
	return l;
}

/* known finds a lease that was told: who plays speaks of no other. */
static struct lease *known(const struct checker *c, const char *id)
{
	return must(find(c, id));
}

static struct lease *add(struct checker *c, const struct checker_lease *told)
{
	struct lease *l = must(calloc(1, sizeof(*l)));

	l->id = copy(told->id);
	l->pool = copy(told->pool);
	l->tenant = copy(told->tenant);
	HASH_ADD_KEYPTR(hh, c->leases, l->id, strlen(l->id), l);
	return l;
}

/* mark_of finds or makes the mark of a name. */
static struct mark *mark_of(struct mark **marks, const char *name)
{
	struct mark *m;

	HASH_FIND_STR(*marks, name, m);
	if (m)
		return m;
	m = must(calloc(1, sizeof(*m)));
	m->name = copy(name);
	HASH_ADD_KEYPTR(hh, *marks, m->name, strlen(m->name), m);
	return m;
}

static struct mark *slot_mark(struct checker *c, const struct checker_lease *lease)
{
	char name[300];

	(void)snprintf(name, sizeof(name), "%s/%" PRIu32, lease->pool, lease->slot);
	return mark_of(&c->slots, name);
}

static struct mark *key_mark(struct checker *c, const struct checker_lease *lease)
{
	char name[600];

	(void)snprintf(name, sizeof(name), "%s/%s/%s", lease->pool, lease->tenant, lease->key);
	return mark_of(&c->keys, name);
}

static bool is_surely_active(const struct lease *l)
{
	return l->state == ACTIVE && !l->may_end;
}

static bool is_surely_there(const struct lease *l)
{
	return l->state != ENDED && !l->may_end;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* ---- tokens, slots, keys ---- */

/* take_token: "no token twice, ever, and none below one of before a restart". `is_old`: it may be from before. */
static void take_token(struct checker *c, struct lease *l, uint64_t token, bool is_old)
{
	char name[32];
	struct mark *m;

	(void)snprintf(name, sizeof(name), "%" PRIu64, token);
	HASH_FIND_STR(c->tokens, name, m);
	if (m)
		fault(c, CHECKER_WRONG, "token %" PRIu64 " of %s was given before, to %s", token, l->id,
			  m->lease ? m->lease->id : "a lease of another file");
	if (!is_old && token <= c->token_floor)
		fault(c, CHECKER_WRONG, "token %" PRIu64 " of %s is not above %" PRIu64 ", which was given before the restart",
			  token, l->id, c->token_floor);
	mark_of(&c->tokens, name)->lease = l;
	if (token > c->token_max)
		c->token_max = token;
	l->token = token;
}

/* take_slot: nobody else has it, and who had it before had a smaller token. */
static void take_slot(struct checker *c, struct lease *l, const struct checker_lease *told)
{
	struct mark *m = slot_mark(c, told);

	if (m->lease && m->lease != l && is_surely_active(m->lease))
		fault(c, CHECKER_WRONG, "slot %s of %s is held by %s", m->name, l->id, m->lease->id);
	if (m->lease && m->lease->token > told->token)
		fault(c, CHECKER_WRONG, "slot %s: the token of %s is below that of %s, which had it before", m->name, l->id,
			  m->lease->id);
	m->lease = l;
	l->slot = told->slot;
}

/* take_key: a key has one lease at a time. */
static void take_key(struct checker *c, struct lease *l, const struct checker_lease *told)
{
	struct mark *m = told->key ? key_mark(c, told) : NULL;

	if (!m)
		return;
	if (m->lease && m->lease != l && is_surely_there(m->lease))
		fault(c, CHECKER_WRONG, "key %s has the lease %s, and %s too", m->name, m->lease->id, l->id);
	if (l->key && strcmp(l->key, told->key) != 0)
		fault(c, CHECKER_WRONG, "lease %s has the keys %s and %s", l->id, l->key, told->key);
	m->lease = l;
	if (!l->key)
		l->key = copy(told->key);
}

/* compare: what was told of a lease that is active stays. */
static void compare(struct checker *c, struct lease *l, const struct checker_lease *told)
{
	if (strcmp(l->pool, told->pool) != 0 || strcmp(l->tenant, told->tenant) != 0)
		fault(c, CHECKER_WRONG, "lease %s of %s in %s is now of %s in %s", l->id, l->tenant, l->pool, told->tenant,
			  told->pool);
	if (l->slot != told->slot)
		fault(c, CHECKER_WRONG, "lease %s has slot %" PRIu32 ", it was told %" PRIu32, l->id, told->slot, l->slot);
	if (l->token != told->token)
		fault(c, CHECKER_WRONG, "lease %s has token %" PRIu64 ", it was told %" PRIu64, l->id, told->token, l->token);
}

static void compare_ttl(struct checker *c, struct lease *l, uint64_t ttl_ms)
{
	if (l->ttl_ms != ttl_ms && !l->ttl_is_unsure && l->ttls_asked == 0)
		fault(c, CHECKER_LOST, "lease %s has a ttl of %" PRIu64 " ms, it was told %" PRIu64, l->id, ttl_ms, l->ttl_ms);
	l->ttl_ms = ttl_ms;
}

/* ---- leases ---- */

uint64_t checker_asked(struct checker *c)
{
	return ++c->asked;
}

/* keep_ends: a grant that was asked for after an end was told is kept after that end. */
static void keep_ends(struct checker *c, uint64_t asked)
{
	for (struct lease *l = c->leases; l; l = l->hh.next)
		if (l->state == ENDED && l->ended_at < asked)
			l->end_is_kept = true;
}

static void begin(struct checker *c, struct lease *l, const struct checker_lease *told, bool is_old)
{
	take_key(c, l, told);
	take_token(c, l, told->token, is_old);
	take_slot(c, l, told);
	l->ttl_ms = told->ttl_ms;
	l->granted_at = checker_asked(c);
}

void checker_told_granted(struct checker *c, const struct checker_lease *told, uint64_t first_asked, uint64_t asked)
{
	struct lease *l = find(c, told->id);
	bool is_new = !l || l->state == PLACE;

	if (!l)
		l = add(c, told);
	if (l->state == ENDED) {
		if (l->ended_at < asked)
			fault(c, CHECKER_WRONG, "lease %s is told as granted, it was told as ended", l->id);
		return;
	}
	if (is_new) {
		keep_ends(c, first_asked);
		begin(c, l, told, false);
		c->counts.grants++;
		l->may_end = false;
	} else {
		take_key(c, l, told);
		compare(c, l, told);
		compare_ttl(c, l, told->ttl_ms);
		c->counts.same_lease++;
	}
	l->state = ACTIVE;
}

void checker_told_alive(struct checker *c, const char *id, uint64_t asked)
{
	const struct lease *l = known(c, id), *holder;
	const struct checker_lease here = {.pool = l->pool, .slot = l->slot};

	if (l->state == ENDED) {
		if (l->ended_at < asked)
			fault(c, CHECKER_WRONG, "lease %s is alive, it was told as ended", id);
		return;
	}
	/* What a place has become is told with its grant. */
	if (l->state == PLACE)
		return;
	holder = slot_mark(c, &here)->lease;
	if (holder != l && holder->granted_at < asked)
		fault(c, CHECKER_WRONG, "lease %s is alive, and %s has its slot", id, holder->id);
}

void checker_told_place(struct checker *c, const struct checker_lease *told, uint64_t asked)
{
	struct lease *l = find(c, told->id);

	if (!l)
		l = add(c, told);
	if (l->state != PLACE) {
		if ((l->state == ENDED ? l->ended_at : l->granted_at) < asked)
			fault(c, CHECKER_WRONG, "lease %s is told as a place, it was granted or had ended", l->id);
		return;
	}
	take_key(c, l, told);
	l->may_end = false;
	c->counts.places++;
}

void checker_asked_ttl(struct checker *c, const char *id)
{
	known(c, id)->ttls_asked++;
}

void checker_told_ttl(struct checker *c, const char *id, uint64_t ttl_ms)
{
	struct lease *l = known(c, id);

	l->ttls_asked--;
	l->ttl_ms = ttl_ms;
	l->ttl_is_unsure = false;
}

void checker_showed_ttl(struct checker *c, const char *id, uint64_t ttl_ms)
{
	struct lease *l = known(c, id);

	if (l->state == PLACE)
		return;
	compare_ttl(c, l, ttl_ms);
	l->ttl_is_unsure = l->ttl_is_unsure && l->ttls_asked > 0;
}

void checker_may_end(struct checker *c, const char *id)
{
	known(c, id)->may_end = true;
}

void checker_told_ended(struct checker *c, const char *id, const char *reason)
{
	struct lease *l = known(c, id);

	if (l->state == ENDED) {
		if (l->reason && reason && l->end_is_kept && strcmp(l->reason, reason) != 0)
			fault(c, CHECKER_LOST, "lease %s ended as %s, it was told as %s", id, reason, l->reason);
	} else {
		if (!l->may_end)
			fault(c, CHECKER_LOST, "lease %s is told as ended (%s), nobody asked for it and its time is not over", id,
				  reason);
		l->ended_at = checker_asked(c);
		c->counts.ends++;
	}
	l->state = ENDED;
	l->is_back = false;
	free(l->reason);
	l->reason = copy(reason);
}

void checker_told_unknown(struct checker *c, const char *id)
{
	const struct lease *l = known(c, id);

	if (c->forgets && !is_surely_there(l))
		return;
	if (l->state == ACTIVE || l->state == UNTOLD || l->end_is_kept)
		fault(c, CHECKER_LOST, "lease %s is not known (404), it was told as %s", id,
			  l->state == ENDED ? l->reason : "active");
}

/* ---- tenants ---- */

static struct tenant *tenant_of(struct checker *c, const char *pool, const char *tenant)
{
	struct tenant *t;
	char name[300];

	(void)snprintf(name, sizeof(name), "%s/%s", pool, tenant);
	HASH_FIND_STR(c->tenants, name, t);
	if (t)
		return t;
	t = must(calloc(1, sizeof(*t)));
	t->name = copy(name);
	HASH_ADD_KEYPTR(hh, c->tenants, t->name, strlen(t->name), t);
	return t;
}

void checker_asked_tenant(struct checker *c, const char *pool, const char *tenant)
{
	tenant_of(c, pool, tenant)->is_known = false;
}

static void know(struct tenant *t, bool is_there, bool closing, const char *instances)
{
	t->is_known = true;
	t->is_there = is_there;
	t->closing = closing;
	free(t->instances);
	t->instances = copy(instances);
}

void checker_told_tenant(struct checker *c, const struct checker_tenant *told)
{
	know(tenant_of(c, told->pool, told->tenant), true, told->closing, told->instances);
	c->counts.tenants++;
}

void checker_told_tenant_gone(struct checker *c, const char *pool, const char *tenant)
{
	know(tenant_of(c, pool, tenant), false, false, NULL);
	c->counts.tenants++;
}

/* ---- after a restart ---- */

/* A closing tenant goes with its last lease, of which nobody is told. */
static void look_at_tenant(struct checker *c, const struct checker_tenant *seen)
{
	struct tenant *t = tenant_of(c, seen->pool, seen->tenant);

	if (t->seen)
		fault(c, CHECKER_WRONG, "tenant %s is there twice", t->name);
	t->seen = true;
	if (t->is_known && !t->is_there)
		fault(c, CHECKER_LOST, "tenant %s is there, it was told as gone", t->name);
	else if (t->is_known && t->closing != seen->closing)
		fault(c, CHECKER_LOST, "tenant %s is %s, it was told otherwise", t->name, seen->closing ? "closing" : "open");
	else if (t->is_known && !same_text(t->instances, seen->instances))
		fault(c, CHECKER_LOST, "tenant %s has the instances '%s', it was told '%s'", t->name, seen->instances,
			  t->instances);
	know(t, true, seen->closing, seen->instances);
}

static void look_for_tenants(struct checker *c)
{
	for (struct tenant *t = c->tenants; t; t = t->hh.next) {
		if (!t->seen && t->is_known && t->is_there && !t->closing)
			fault(c, CHECKER_LOST, "tenant %s is not there, it was told", t->name);
		if (!t->seen)
			know(t, false, false, NULL);
		t->seen = false;
	}
}

/* come_back: its end was told, and not kept. */
static void come_back(struct checker *c, struct lease *l)
{
	if (l->end_is_kept)
		fault(c, CHECKER_LOST, "lease %s is back, its end was told before something that is kept", l->id);
	l->state = ACTIVE;
	l->is_back = l->may_end = true;
	free(l->reason);
	l->reason = NULL;
	c->counts.back++;
}

static void look_at_active(struct checker *c, struct lease *l, const struct checker_lease *seen, bool is_new)
{
	bool is_untold = is_new || l->token == 0;

	c->counts.survived += !is_untold && is_surely_active(l);
	c->counts.untold += is_untold;
	if (is_untold)
		begin(c, l, seen, true);
	else
		compare(c, l, seen);
	if (l->state == ENDED)
		come_back(c, l);
	else if (is_untold)
		l->may_end = false;
	if (is_untold)
		l->state = UNTOLD;
	else
		compare_ttl(c, l, seen->ttl_ms);
}

static void look_at_place(struct checker *c, struct lease *l)
{
	if (l->state == ENDED && l->token == 0 && !l->end_is_kept) {
		l->state = PLACE;
		l->may_end = true;
		free(l->reason);
		l->reason = NULL;
	} else if (l->state != PLACE) {
		fault(c, CHECKER_LOST, "lease %s is in line, it was told otherwise", l->id);
	}
	c->counts.places_survived += !l->may_end;
}

static void look_at_lease(struct checker *c, const struct checker_lease *seen)
{
	struct lease *l = find(c, seen->id);
	bool is_new = !l;

	if (!l)
		l = add(c, seen);
	if (l->seen)
		fault(c, CHECKER_WRONG, "lease %s is there twice", l->id);
	if (seen->active)
		look_at_active(c, l, seen, is_new);
	else
		look_at_place(c, l);
	l->seen = true;
	l->ttls_asked = 0;
	l->ttl_is_unsure = false;
}

static void look_for_leases(struct checker *c)
{
	for (struct lease *l = c->leases; l; l = l->hh.next) {
		if (!l->seen && is_surely_there(l))
			fault(c, l->state == PLACE ? CHECKER_LOST : CHECKER_LOST_GRANT,
				  "%s %s of %s in %s is not there, it was told", l->state == PLACE ? "place" : "lease", l->id,
				  l->tenant, l->pool);
		if (!l->seen) {
			l->end_is_kept = true;
			l->state = ENDED;
		}
		l->seen = false;
	}
}

/* No slot and no key with two of those that are there. */
static void look_for_doubles(struct checker *c, const struct checker_state *state)
{
	struct mark *slots = c->slots, *keys = c->keys, *m, *next;

	c->slots = c->keys = NULL;
	for (size_t i = 0; i < state->lease_count; i++) {
		const struct checker_lease *seen = &state->leases[i];
		struct mark *slot = seen->active ? slot_mark(c, seen) : NULL, *key = seen->key ? key_mark(c, seen) : NULL;
		struct lease *l = find(c, seen->id);

		if (slot && slot->lease)
			fault(c, CHECKER_WRONG, "slot %s is held by %s and %s", slot->name, slot->lease->id, seen->id);
		if (key && key->lease)
			fault(c, CHECKER_WRONG, "key %s has %s and %s", key->name, key->lease->id, seen->id);
		if (slot)
			slot->lease = l;
		if (key)
			key->lease = l;
	}
	HASH_ITER(hh, slots, m, next)
	{
		struct mark *now = mark_of(&c->slots, m->name);

		if (!now->lease)
			now->lease = m->lease;
		HASH_DEL(slots, m);
		free(m->name);
		free(m);
	}
	HASH_ITER(hh, keys, m, next)
	{
		HASH_DEL(keys, m);
		free(m->name);
		free(m);
	}
}

void checker_look(struct checker *c, const struct checker_state *state)
{
	c->counts.looks++;
	for (size_t i = 0; i < state->tenant_count; i++)
		look_at_tenant(c, &state->tenants[i]);
	look_for_tenants(c);
	for (size_t i = 0; i < state->lease_count; i++)
		look_at_lease(c, &state->leases[i]);
	look_for_leases(c);
	look_for_doubles(c, state);
	c->token_floor = c->token_max;
}

/* ---- beginning, ending ---- */

static void marks_clear(struct mark **marks)
{
	struct mark *m, *next;

	HASH_ITER(hh, *marks, m, next)
	{
		HASH_DEL(*marks, m);
		free(m->name);
		free(m);
	}
}

void checker_forgets(struct checker *c, bool forgets)
{
	c->forgets = forgets;
}

void checker_lost(struct checker *c)
{
	struct lease *l, *next;
	struct tenant *t, *next_tenant;

	marks_clear(&c->slots);
	marks_clear(&c->keys);
	for (struct mark *m = c->tokens; m; m = m->hh.next)
		m->lease = NULL;
	HASH_ITER(hh, c->leases, l, next)
	{
		HASH_DEL(c->leases, l);
		free(l->id);
		free(l->pool);
		free(l->tenant);
		free(l->key);
		free(l->reason);
		free(l);
	}
	HASH_ITER(hh, c->tenants, t, next_tenant)
	{
		HASH_DEL(c->tenants, t);
		free(t->name);
		free(t->instances);
		free(t);
	}
	c->token_floor = c->token_max;
}

struct checker *checker_create(void (*on_fault)(void *context, enum checker_fault kind, const char *what),
							   void *context)
{
	struct checker *c = must(calloc(1, sizeof(*c)));

	c->fault = on_fault;
	c->context = context;
	return c;
}

void checker_destroy(struct checker *c)
{
	checker_lost(c);
	marks_clear(&c->tokens);
	free(c);
}

bool checker_ttl_is_asked(const struct checker *c, const char *id)
{
	return known(c, id)->ttls_asked > 0;
}

bool checker_is_back(const struct checker *c, const char *id)
{
	return known(c, id)->is_back;
}

bool checker_has_ended(const struct checker *c, const char *id)
{
	const struct lease *l = find(c, id);

	return l && l->state == ENDED;
}

struct checker_counts checker_counts(const struct checker *c)
{
	return c->counts;
}
