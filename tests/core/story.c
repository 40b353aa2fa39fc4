/* SPDX-License-Identifier: MIT */
#include "story.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fair.h"

#define MS UINT64_C(1000000)
#define WORDS_MAX 12
#define POOLS_MAX 8

enum commit { COMMIT_AUTO, COMMIT_CONFIRM, COMMIT_NONE };

struct teller {
	struct fair *fair;
	struct fair_config config;
	enum commit commit;
	bool tell_tenants;
	uint64_t now_ms;
	char *words[WORDS_MAX];
	int num_words;
	char first_pool[FAIR_NAME_MAX + 1];
	const char *pool; /* of the line */
	struct fair_pool_config pools[POOLS_MAX];
	uint32_t num_pools;
	char trace[16384];
	size_t length;
};

static bool calculate_plus2(uint32_t max_slots, uint32_t n, void *context, uint64_t *ret)
{
	(void)context;
	*ret = max_slots / n + 2;
	return true;
}

static bool calculate_huge(uint32_t max_slots, uint32_t n, void *context, uint64_t *ret)
{
	(void)context;
	(void)max_slots;
	*ret = n == 1 ? UINT64_MAX : 1;
	return true;
}

static bool calculate_zero(uint32_t max_slots, uint32_t n, void *context, uint64_t *ret)
{
	(void)context;
	(void)max_slots;
	(void)n;
	*ret = 0;
	return true;
}

static bool calculate_fails(uint32_t max_slots, uint32_t n, void *context, uint64_t *ret)
{
	(void)context;
	(void)max_slots;
	*ret = 1;
	return n == 1;
}

static uint64_t now_ns(const struct teller *s)
{
	return s->now_ms * MS;
}

__attribute__((format(printf, 2, 3))) static void tell(struct teller *s, const char *format, ...)
{
	va_list args;
	int n = snprintf(s->trace + s->length, sizeof(s->trace) - s->length, "[%" PRIu64 "] ", s->now_ms);

	s->length += (size_t)n;
	va_start(args, format);
	n = vsnprintf(s->trace + s->length, sizeof(s->trace) - s->length, format, args);
	va_end(args);
	s->length += (size_t)n;
	cr_assert(s->length + 2 < sizeof(s->trace), "the trace is too long");
	s->trace[s->length++] = '\n';
	s->trace[s->length] = 0;
}

/* ---- words ---- */

static void split(struct teller *s, char *line)
{
	char *rest;

	s->num_words = 0;
	s->pool = s->first_pool;
	for (char *w = strtok_r(line, " \t", &rest); w; w = strtok_r(NULL, " \t", &rest)) {
		if (*w == '@') {
			s->pool = w + 1;
			continue;
		}
		cr_assert(s->num_words < WORDS_MAX);
		s->words[s->num_words++] = w;
	}
}

static const char *word(const struct teller *s, int i)
{
	cr_assert(i < s->num_words, "a word is missing after %s", s->words[s->num_words - 1]);
	return s->words[i];
}

static const char *option(const struct teller *s, const char *name)
{
	size_t length = strlen(name);

	for (int i = 0; i < s->num_words; i++) {
		if (strncmp(s->words[i], name, length) == 0 && s->words[i][length] == '=')
			return s->words[i] + length + 1;
	}
	return NULL;
}

static uint64_t to_number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	cr_assert(*text && !*end, "not a number: %s", text);
	return n;
}

static uint64_t number(const struct teller *s, const char *name, uint64_t otherwise)
{
	const char *text = option(s, name);

	return text ? to_number(text) : otherwise;
}

static bool flag(const struct teller *s, const char *name)
{
	for (int i = 0; i < s->num_words; i++) {
		if (strcmp(s->words[i], name) == 0)
			return true;
	}
	return false;
}

static struct fair_id id_of(const char *name)
{
	struct fair_id id = {{0}};

	cr_assert(strlen(name) <= sizeof(id.bytes));
	memcpy(id.bytes, name, strlen(name));
	return id;
}

static struct fair_id lease_word(const struct teller *s)
{
	return id_of(word(s, 2));
}

/* ---- events ---- */

static void tell_registrations(struct teller *s, const struct fair_event *e)
{
	struct fair_tenant_view t;

	if (!s->tell_tenants)
		return;
	if (fair_tenant_get(s->fair, e->pool, e->tenant, &t))
		tell(s, "%s changed", e->tenant);
	else
		tell(s, "%s %s (%u)", e->tenant, t.closing ? "closing" : "open", t.num_instances + t.anonymous);
}

static const char *slots_text(const struct fair_lease_view *l)
{
	static char text[256];

	text[0] = 0;
	for (uint32_t i = 0; l->slot_ids && i < l->slots; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? "," : "", l->slot_ids[i]);
	return text;
}

static void tell_grant(struct teller *s, const struct fair_event *e)
{
	struct fair_lease_view l;
	struct fair_tenant_view t;

	if (s->commit != COMMIT_NONE)
		fair_confirm(s->fair, now_ns(s), &e->id);
	if (s->commit == COMMIT_AUTO)
		fair_claim(s->fair, now_ns(s), &e->id);
	cr_assert_eq(fair_lease_get(s->fair, now_ns(s), &e->id, &l), FAIR_OK);
	cr_assert_eq(fair_tenant_get(s->fair, e->pool, e->tenant, &t), FAIR_OK);
	if (l.slots > 1)
		tell(s, "%s granted %.16s slots %s (share %u/%u)", e->tenant, (const char *)e->id.bytes, slots_text(&l),
			 t.active_slots, t.share);
	else
		tell(s, "%s granted %.16s slot %u (share %u/%u)", e->tenant, (const char *)e->id.bytes,
			 l.slot_ids ? l.slot_ids[0] : UINT32_MAX, t.active_slots, t.share);
}

static void drain(struct teller *s)
{
	struct fair_event e;

	fair_check(s->fair, now_ns(s));
	while (fair_next_event(s->fair, &e)) {
		const char *id = (const char *)e.id.bytes;

		switch (e.type) {
		case FAIR_EV_PLACED:
			tell(s, "%s placed %.16s", e.tenant, id);
			break;
		case FAIR_EV_GRANTED:
			tell_grant(s, &e);
			break;
		case FAIR_EV_REFUSED:
			tell(s, "%s refused %.16s", e.tenant, id);
			break;
		case FAIR_EV_ENDED:
			tell(s, "%s ended %.16s %s%s", e.tenant, id, fair_reason_code(e.reason),
				 e.was == FAIR_PENDING ? " (waiting)" : "");
			break;
		case FAIR_EV_WITHDRAWN:
			tell(s, "%s withdrawn %.16s", e.tenant, id);
			break;
		case FAIR_EV_RENEWED:
			tell(s, "%s renewed %.16s", e.tenant, id);
			break;
		case FAIR_EV_TENANT:
			tell_registrations(s, &e);
			break;
		case FAIR_EV_TENANT_GONE:
			tell(s, "%s gone", e.tenant);
			break;
		case FAIR_EV_REVOKED_ALL:
			tell(s, "revoked all %" PRIu64 ": %u", e.number, e.ended);
			break;
		case FAIR_EV_POOL:
		case FAIR_EV_POOL_GONE:
		case FAIR_EV_FORGOTTEN:
			break;
		}
	}
	fair_check(s->fair, now_ns(s));
}

static void tell_error(struct teller *s, enum fair_err err)
{
	if (err)
		tell(s, "%s %s: %s", s->words[1], s->num_words > 2 ? s->words[2] : "", fair_err_code(err));
}

/* ---- calls ---- */

static void do_acquire(struct teller *s)
{
	const char *key = option(s, "key"), *label = option(s, "label"), *name = word(s, 2);
	struct fair_acquired got;
	struct fair_request r = {.id = id_of(name),
							 .pool = s->pool,
							 .tenant = word(s, 3),
							 .key = key,
							 .key_len = key ? strlen(key) : 0,
							 .label = label ? label : "",
							 .ttl_ns = number(s, "ttl", 30000) * MS,
							 .max_lease_ns = number(s, "max_lease", 0) * MS,
							 .slots = (uint32_t)number(s, "slots", 0),
							 .priority = option(s, "priority") ? atoi(option(s, "priority")) : 0,
							 .wait = !flag(s, "try"),
							 .auto_register = flag(s, "auto")};
	enum fair_err err = fair_acquire(s->fair, now_ns(s), &r, &got);

	if (got.known)
		tell(s, "acquire %s is %.16s%s%s", name, (const char *)got.id.bytes, err ? ": " : "",
			 err ? fair_err_code(err) : "");
	else
		tell_error(s, err);
	if (err == FAIR_E_NO_SLOT)
		tell(s, "position %u ahead %u active %u share %u waiting %u %s%s", got.place.position, got.place.ahead,
			 got.place.active_slots, got.place.share, got.place.waiting, fair_wait_code(got.place.reason),
			 got.placed ? " kept" : "");
}

static void do_tenant_call(struct teller *s)
{
	const char *tenant = word(s, 2);
	bool force = flag(s, "force"), created;
	const char *instance = s->num_words > 3 && !force ? s->words[3] : NULL;
	enum fair_unregistered how;

	if (strcmp(s->words[1], "register") == 0) {
		tell_error(s, fair_register(s->fair, now_ns(s), s->pool, tenant, instance, &created));
		return;
	}

	static const char *const texts[] = {"gone", "closing", "remains"};
	enum fair_err err = fair_unregister(s->fair, now_ns(s), s->pool, tenant, instance, force, &how);

	if (err)
		tell_error(s, err);
	else
		tell(s, "unregister %s: %s", tenant, texts[how]);
}

static struct fair_tenant_policy read_policy(const struct teller *s)
{
	return (struct fair_tenant_policy){.weight = (uint32_t)number(s, "weight", 0),
									   .reserved_slots = (uint32_t)number(s, "reserve", 0),
									   .max_slots = (uint32_t)number(s, "cap", 0),
									   .max_waiting = (uint32_t)number(s, "waiting", 0)};
}

static void do_policy(struct teller *s)
{
	const struct fair_tenant_policy policy = read_policy(s);

	tell_error(s, fair_tenant_set(s->fair, now_ns(s), s->pool, word(s, 2), &policy));
}

static void do_preset(struct teller *s)
{
	const struct fair_tenant_policy policy = read_policy(s);

	tell_error(s, fair_tenant_preset(s->fair, now_ns(s), s->pool, word(s, 2), flag(s, "none") ? NULL : &policy));
}

static void do_detach(struct teller *s)
{
	struct fair_id id = lease_word(s);

	fair_detach(s->fair, now_ns(s), &id,
				flag(s, "wait-over")  ? FAIR_DETACH_WAIT_OVER
				: flag(s, "answered") ? FAIR_DETACH_ANSWERED
									  : FAIR_DETACH_BROKEN);
}

static void do_key(struct teller *s, bool cancel)
{
	const char *key = option(s, "key");
	struct fair_id id;

	cr_assert(key);
	if (cancel && !fair_cancel(s->fair, now_ns(s), s->pool, word(s, 2), key, strlen(key)))
		tell(s, "cancel %s: nothing", key);
	else if (!cancel && fair_key_find(s->fair, s->pool, word(s, 2), key, strlen(key), &id))
		tell(s, "key %s is %.16s", key, (const char *)id.bytes);
	else if (!cancel)
		tell(s, "key %s is free", key);
}

static void do_advance(struct teller *s)
{
	const char *budget = option(s, "budget");

	if (budget) {
		if (fair_advance(s->fair, now_ns(s), (uint32_t)to_number(budget)))
			tell(s, "more");
		return;
	}
	while (fair_advance(s->fair, now_ns(s), 100))
		drain(s);
}

static void do_revoke_all(struct teller *s)
{
	enum fair_state state = flag(s, "pending") ? FAIR_PENDING : flag(s, "active") ? FAIR_ACTIVE : FAIR_ENDED;
	uint64_t revocation;
	uint32_t ended;
	enum fair_err err = fair_revoke_all(s->fair, now_ns(s), option(s, "pool"), option(s, "tenant"), option(s, "label"),
										state, &revocation, &ended);

	if (err)
		tell_error(s, err);
	else if (revocation > 0)
		tell(s, "revoked %u, more as %" PRIu64, ended, revocation);
	else
		tell(s, "revoked %u", ended);
}

static void tell_lease(struct teller *s)
{
	struct fair_id id = lease_word(s);
	const char *name = s->words[2];
	struct fair_lease_view l;
	struct fair_place p;
	enum fair_err err = fair_lease_get(s->fair, now_ns(s), &id, &l);

	drain(s);
	if (err) {
		tell_error(s, err);
	} else if (l.state == FAIR_ENDED) {
		tell(s, "%s ended %s at %" PRIu64, name, fair_reason_code(l.reason), l.ended_ns / MS);
	} else if (l.state == FAIR_PENDING) {
		cr_assert_eq(fair_lease_place(s->fair, &id, &p), FAIR_OK);
		tell(s, "%s pending position %u ahead %u %s", name, p.position, p.ahead, fair_wait_code(p.reason));
	} else if (l.reclaim_ns > 0) {
		tell(s, "%s active token %" PRIu64 " until %" PRIu64 " wished back by %" PRIu64, name, l.fencing_token,
			 l.deadline_ns / MS, l.reclaim_ns / MS);
	} else if (l.deadline_ns == FAIR_NEVER) {
		tell(s, "%s active token %" PRIu64 " no deadline", name, l.fencing_token);
	} else {
		tell(s, "%s active token %" PRIu64 " until %" PRIu64, name, l.fencing_token, l.deadline_ns / MS);
	}
}

static void tell_tenant(struct teller *s)
{
	struct fair_tenant_view t;
	char names[256] = "";
	const char *name;

	if (fair_tenant_get(s->fair, s->pool, word(s, 2), &t)) {
		tell(s, "%s unknown", s->words[2]);
		return;
	}
	for (uint32_t i = 0; (name = fair_tenant_instance(s->fair, s->pool, t.tenant, i)); i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s", name);
	cr_assert_null(fair_tenant_instance(s->fair, s->pool, t.tenant, t.num_instances));
	tell(s, "%s%s active %u waiting %u absent %u share %u%s%s%s", t.tenant, t.closing ? " closing" : "", t.active_slots,
		 t.waiting, t.absent, t.share, t.anonymous ? " anonymous" : "", t.automatic ? " automatic" : "", names);
}

static void tell_pool(struct teller *s)
{
	struct fair_pool_view p;

	cr_assert_eq(fair_pool_get(s->fair, now_ns(s), s->pool, &p), FAIR_OK);
	if (strcmp(s->words[1], "pool") == 0)
		tell(s, "active %u waiting %u absent %u demanding %u share %u tenants %u%s", p.active_slots, p.waiting,
			 p.absent, p.demanding, p.share, p.tenants, p.held ? " held" : "");
	else
		tell(s,
			 "granted %" PRIu64 " released %" PRIu64 " expired %" PRIu64 " revoked %" PRIu64 " unclaimed %" PRIu64
			 " no_slot %" PRIu64 " failures %" PRIu64,
			 p.granted_total, p.released_total, p.expired_total, p.revoked_total, p.unclaimed_total, p.no_slot_total,
			 p.calculator_failures);
}

static void tell_slots(struct teller *s)
{
	struct fair_pool_view p;
	char text[256] = "";

	cr_assert_eq(fair_pool_get(s->fair, now_ns(s), s->pool, &p), FAIR_OK);
	for (uint32_t i = 0; i < p.num_cordoned; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? "," : " cordoned ",
				 fair_pool_cordoned(s->fair, s->pool, i));
	cr_assert_eq(fair_pool_cordoned(s->fair, s->pool, p.num_cordoned), FAIR_SLOTS_MAX);
	if (p.reserved_slots > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " reserved %u", p.reserved_slots);
	if (p.saved_slots > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " saved %u", p.saved_slots);
	tell(s, "slots %u active %u debt %u resting %u%s%s", p.max_slots, p.active_slots, p.debt_slots, p.resting_slots, text,
		 p.draining ? " draining" : "");
}

static void tell_fairness(struct teller *s)
{
	struct fair_pool_view p;

	cr_assert_eq(fair_pool_get(s->fair, now_ns(s), s->pool, &p), FAIR_OK);
	tell(s, "fairness %.3f", p.fairness_index);
}

static void tell_list(struct teller *s)
{
	enum fair_state state = flag(s, "pending") ? FAIR_PENDING : flag(s, "active") ? FAIR_ACTIVE : FAIR_ENDED;
	const char *tenant = s->num_words > 2 && strcmp(s->words[2], "pending") != 0 && strcmp(s->words[2], "active") != 0
							 ? s->words[2]
							 : NULL;
	struct fair_lease_view l;
	char text[512] = "";

	for (uint64_t n = 0; fair_lease_next(s->fair, s->pool, tenant, state, n, &l); n = l.number)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %.16s", (const char *)l.id.bytes);
	tell(s, "leases:%s", text);
}

static void tell_tenants(struct teller *s)
{
	struct fair_tenant_view t;
	char text[512] = "";

	for (uint64_t n = 0; fair_tenant_next(s->fair, s->pool, n, &t); n = t.number)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", t.tenant);
	tell(s, "tenants:%s", text);
}

static void tell_deadline(struct teller *s)
{
	uint64_t deadline = fair_next_deadline(s->fair);

	if (deadline == FAIR_NEVER)
		tell(s, "deadline never");
	else
		tell(s, "deadline %" PRIu64, deadline / MS);
}

static void begin(struct teller *s)
{
	if (s->fair)
		return;
	s->fair = fair_create(&s->config);
	cr_assert(s->fair);
}

static void configure(struct teller *s)
{
	const char *commit = option(s, "commit");

	s->config.queue_grace_ns = number(s, "grace", 15000) * MS;
	s->config.claim_ns = number(s, "claim", 10000) * MS;
	s->config.key_memory_ns = number(s, "memory", 600000) * MS;
	s->config.ended_max = (uint32_t)number(s, "ended_max", 1000);
	s->config.tenant_idle_ns = number(s, "idle", 3600000) * MS;
	s->config.max_tenants = (uint32_t)number(s, "tenants", 1000);
	s->config.call_budget = (uint32_t)number(s, "budget", 256);
	s->config.first_token = number(s, "token", 1);
	s->tell_tenants = option(s, "tell") != NULL;
	if (commit)
		s->commit = strcmp(commit, "none") == 0		 ? COMMIT_NONE
					: strcmp(commit, "confirm") == 0 ? COMMIT_CONFIRM
													 : COMMIT_AUTO;
}

/* "1,2": a list that lives as long as the test. */
static void read_cordoned(const char *text, struct fair_pool_config *c)
{
	uint32_t *ids = calloc(strlen(text) + 1, sizeof(*ids));
	char *copy = strdup(text), *rest;

	cr_assert(ids && copy);
	free((void *)(uintptr_t)c->cordoned);
	c->cordoned = ids;
	c->num_cordoned = 0;
	for (char *w = strtok_r(copy, ",", &rest); w; w = strtok_r(NULL, ",", &rest))
		ids[c->num_cordoned++] = (uint32_t)to_number(w);
	free(copy);
}

static void read_pool(const struct teller *s, struct fair_pool_config *c)
{
	static const struct {
		const char *name;
		fair_calculator *calculator;
	} calculators[] = {
		{"plus2", calculate_plus2}, {"huge", calculate_huge}, {"zero", calculate_zero}, {"fails", calculate_fails}};
	const char *name = option(s, "calculator"), *cordoned = option(s, "cordon"), *policy = option(s, "policy");

	c->max_slots = (uint32_t)number(s, "slots", c->max_slots);
	c->min_share = (uint32_t)number(s, "min", c->min_share);
	c->max_waiting = (uint32_t)number(s, "waiting", c->max_waiting);
	c->tenant_max_waiting = (uint32_t)number(s, "tenant_waiting", c->tenant_max_waiting);
	c->slot_rest_ns = number(s, "rest", c->slot_rest_ns / MS) * MS;
	c->max_lease_ns = number(s, "max_lease", c->max_lease_ns / MS) * MS;
	c->draining = number(s, "draining", c->draining);
	c->pass_over_ns = number(s, "pass_over", c->pass_over_ns / MS) * MS;
	c->priority_step_ns = number(s, "step", c->priority_step_ns / MS) * MS;
	if (policy)
		c->policy = strcmp(policy, fair_policy_code(FAIR_POLICY_MAX_MIN)) == 0 ? FAIR_POLICY_MAX_MIN : FAIR_POLICY_EQUAL;
	if (cordoned)
		read_cordoned(cordoned, c);
	for (size_t i = 0; name && i < sizeof(calculators) / sizeof(*calculators); i++) {
		if (strcmp(name, calculators[i].name) == 0)
			c->calculator = calculators[i].calculator;
	}
}

static void add_pool(struct teller *s)
{
	struct fair_pool_config *c = &s->pools[s->num_pools++];

	cr_assert(s->num_pools <= POOLS_MAX);
	*c = (struct fair_pool_config){.pool = strdup(word(s, 1)),
								   .max_slots = 10,
								   .min_share = 1,
								   .max_waiting = 100,
								   .tenant_max_waiting = 100,
								   .pass_over_ns = FAIR_PASS_OVER_NS,
								   .priority_step_ns = FAIR_PRIORITY_STEP_NS};
	read_pool(s, c);
	begin(s);
	cr_assert_eq(fair_pool_add(s->fair, c), FAIR_OK);
	if (!*s->first_pool)
		snprintf(s->first_pool, sizeof(s->first_pool), "%s", c->pool);
}

static void do_set(struct teller *s)
{
	bool created;

	for (uint32_t i = 0; i < s->num_pools; i++) {
		if (strcmp(s->pools[i].pool, s->pool) != 0)
			continue;
		read_pool(s, &s->pools[i]);
		tell_error(s, fair_pool_set(s->fair, now_ns(s), &s->pools[i], &created));
		return;
	}
	cr_assert(false, "no such pool: %s", s->pool);
}

static void play(struct teller *s)
{
	const char *verb = word(s, 1);
	struct fair_id id = {{0}};
	uint64_t now;

	s->now_ms = to_number(s->words[0]);
	now = now_ns(s);
	if (s->num_words > 2 && strlen(s->words[2]) <= sizeof(id.bytes))
		id = lease_word(s);
	if (strcmp(verb, "register") == 0 || strcmp(verb, "unregister") == 0)
		do_tenant_call(s);
	else if (strcmp(verb, "acquire") == 0)
		do_acquire(s);
	else if (strcmp(verb, "attach") == 0)
		tell_error(s, fair_attach(s->fair, now, &id));
	else if (strcmp(verb, "detach") == 0)
		do_detach(s);
	else if (strcmp(verb, "claim") == 0)
		fair_claim(s->fair, now, &id);
	else if (strcmp(verb, "confirm") == 0)
		fair_confirm(s->fair, now, &id);
	else if (strcmp(verb, "withdraw") == 0)
		fair_withdraw(s->fair, now, &id);
	else if (strcmp(verb, "release") == 0)
		tell_error(s, fair_release(s->fair, now, &id));
	else if (strcmp(verb, "revoke") == 0)
		tell_error(s, fair_revoke(s->fair, now, &id));
	else if (strcmp(verb, "revoke-all") == 0)
		do_revoke_all(s);
	else if (strcmp(verb, "heartbeat") == 0)
		tell_error(s, fair_heartbeat(s->fair, now, &id, number(s, "ttl", 0) * MS));
	else if (strcmp(verb, "cancel") == 0 || strcmp(verb, "key") == 0)
		do_key(s, *verb == 'c');
	else if (strcmp(verb, "policy") == 0)
		do_policy(s);
	else if (strcmp(verb, "preset") == 0)
		do_preset(s);
	else if (strcmp(verb, "set") == 0)
		do_set(s);
	else if (strcmp(verb, "hold") == 0)
		tell_error(s, fair_hold(s->fair, now, flag(s, "all") ? NULL : s->pool, !flag(s, "off")));
	else if (strcmp(verb, "late") == 0)
		fair_lateness(s->fair, to_number(word(s, 2)) * MS);
	else if (strcmp(verb, "advance") == 0)
		do_advance(s);
	else if (strcmp(verb, "show") == 0)
		tell_lease(s);
	else if (strcmp(verb, "tenant") == 0)
		tell_tenant(s);
	else if (strcmp(verb, "pool") == 0 || strcmp(verb, "totals") == 0)
		tell_pool(s);
	else if (strcmp(verb, "slots") == 0)
		tell_slots(s);
	else if (strcmp(verb, "fairness") == 0)
		tell_fairness(s);
	else if (strcmp(verb, "list") == 0)
		tell_list(s);
	else if (strcmp(verb, "tenants") == 0)
		tell_tenants(s);
	else if (strcmp(verb, "deadline") == 0)
		tell_deadline(s);
	else
		cr_assert(false, "unknown verb: %s", verb);
	drain(s);
}

void story(const char *script, const char *want)
{
	struct teller *s = calloc(1, sizeof(*s));
	char *copy = strdup(script), *rest;

	cr_assert(s && copy);
	s->config = fair_config_default();
	s->config.hash_seed = 42;
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		split(s, line);
		if (s->num_words == 0)
			continue;
		if (strcmp(s->words[0], "config") == 0)
			configure(s);
		else if (strcmp(s->words[0], "pool") == 0)
			add_pool(s);
		else
			play(s);
	}
	cr_assert(strcmp(s->trace, want) == 0, "\n--- script\n%s--- expected\n%s--- happened\n%s---", script, want,
			  s->trace);
	fair_destroy(s->fair);
	for (uint32_t i = 0; i < s->num_pools; i++) {
		free((void *)(uintptr_t)s->pools[i].pool);
		free((void *)(uintptr_t)s->pools[i].cordoned);
	}
	free(copy);
	free(s);
}
