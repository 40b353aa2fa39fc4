/* SPDX-License-Identifier: MIT */
/* What is kept by events, and the state made anew from it: the same to all who look, as far as they were told. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fair.h"

#define MS UINT64_C(1000000)
#define NUM(a) (sizeof(a) / sizeof(*(a)))

/* ---- a store ---- */

struct kept_lease {
	struct fair_lease_record record;
	uint32_t slot;
	char pool[8], tenant[8], label[8], key[8];
};

struct kept_tenant {
	struct fair_tenant_record record;
	char pool[8], tenant[8], instances[4][8];
};

struct kept {
	struct kept_lease leases[64];
	struct kept_tenant tenants[32];
	uint32_t num_leases, num_tenants;
	uint64_t next_token;
};

static void keep_lease(struct kept *k, const struct fair *f, const struct fair_event *e)
{
	uint32_t i = 0;

	while (i < k->num_leases && k->leases[i].record.number != e->number)
		i++;

	struct kept_lease *l = &k->leases[i];
	struct fair_lease_record *r = &l->record;

	cr_assert_lt(i, NUM(k->leases));
	if (!fair_lease_record(f, &e->id, r)) {
		if (i < k->num_leases)
			*l = k->leases[--k->num_leases];
		return;
	}
	k->num_leases += i == k->num_leases;
	cr_assert_eq(r->number, e->number);
	l->slot = r->slot_ids ? r->slot_ids[0] : UINT32_MAX;
	snprintf(l->pool, sizeof(l->pool), "%s", r->pool);
	snprintf(l->tenant, sizeof(l->tenant), "%s", r->tenant);
	snprintf(l->label, sizeof(l->label), "%s", r->label);
	cr_assert_leq(r->key_len, sizeof(l->key));
	if (r->key)
		memcpy(l->key, r->key, r->key_len);
}

static void keep_tenant(struct kept *k, const struct fair *f, const struct fair_event *e)
{
	uint32_t i = 0;

	while (i < k->num_tenants &&
		   (strcmp(k->tenants[i].pool, e->pool) != 0 || strcmp(k->tenants[i].tenant, e->tenant) != 0))
		i++;

	struct kept_tenant *t = &k->tenants[i];

	cr_assert_lt(i, NUM(k->tenants));
	if (!fair_tenant_record(f, e->pool, e->tenant, &t->record)) {
		if (i < k->num_tenants)
			*t = k->tenants[--k->num_tenants];
		return;
	}
	k->num_tenants += i == k->num_tenants;
	snprintf(t->pool, sizeof(t->pool), "%s", t->record.pool);
	snprintf(t->tenant, sizeof(t->tenant), "%s", t->record.tenant);
	for (uint32_t j = 0; j < t->record.num_instances; j++)
		snprintf(t->instances[j], sizeof(t->instances[j]), "%s", fair_tenant_instance(f, e->pool, e->tenant, j));
}

/* As a store does: after each event the present record of what it is about. */
static void keep(struct kept *k, struct fair *f)
{
	struct fair_event e;

	while (fair_next_event(f, &e)) {
		if (e.type == FAIR_EV_TENANT || e.type == FAIR_EV_TENANT_GONE)
			keep_tenant(k, f, &e);
		else if (e.kept)
			keep_lease(k, f, &e);
	}
	k->next_token = fair_next_token(f);
}

static struct fair_lease_record lease_record(const struct kept_lease *l)
{
	struct fair_lease_record r = l->record;

	r.pool = l->pool;
	r.tenant = l->tenant;
	r.label = l->label;
	r.key = r.key ? l->key : NULL;
	r.slot_ids = l->slot == UINT32_MAX ? NULL : &l->slot;
	return r;
}

static int by_end(const void *a, const void *b)
{
	const struct fair_lease_record *l = &((const struct kept_lease *)a)->record;
	const struct fair_lease_record *r = &((const struct kept_lease *)b)->record;

	if (l->ended_ns != r->ended_ns)
		return l->ended_ns < r->ended_ns ? -1 : 1;
	return l->number < r->number ? -1 : 1;
}

static enum fair_err restore(struct kept *k, struct fair *f, uint64_t now)
{
	enum fair_err err = FAIR_OK;

	for (uint32_t i = 0; i < k->num_tenants && !err; i++) {
		struct fair_tenant_record r = k->tenants[i].record;
		const char *instances[4];

		for (uint32_t j = 0; j < r.num_instances; j++)
			instances[j] = k->tenants[i].instances[j];
		r.pool = k->tenants[i].pool;
		r.tenant = k->tenants[i].tenant;
		r.instances = instances;
		err = fair_restore_tenant(f, now, &r);
	}
	qsort(k->leases, k->num_leases, sizeof(*k->leases), by_end);
	for (uint32_t i = 0; i < k->num_leases && !err; i++) {
		struct fair_lease_record r = lease_record(&k->leases[i]);

		err = fair_restore_lease(f, now, &r);
	}
	return err;
}

/* ---- a state ---- */

static struct kept kept; /* of the test that runs, a process of its own */

static struct fair_config config_of_tests(void)
{
	struct fair_config c = fair_config_default();

	c.queue_grace_ns = 1000 * MS;
	c.claim_ns = 1000 * MS;
	c.key_memory_ns = 60000 * MS;
	return c;
}

static struct fair *created(const struct fair_config *config, uint32_t slots)
{
	struct fair *f = fair_create(config);

	cr_assert(f);
	for (int i = 0; i < 2; i++) {
		struct fair_pool_config pool = {
			.pool = i ? "p" : "q", .max_slots = slots, .min_share = 1, .max_waiting = 100, .tenant_max_waiting = 100};

		cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	}
	return f;
}

static struct fair *restarted(struct fair *f, const struct fair_config *config, uint32_t slots, uint64_t now)
{
	struct fair_event e;

	keep(&kept, f);
	fair_destroy(f);
	f = created(config, slots);
	cr_assert_eq(restore(&kept, f, now), FAIR_OK);
	cr_assert_not(fair_next_event(f, &e), "restoring tells an event");
	fair_check(f, now);
	return f;
}

static struct fair_id id_of(const char *name)
{
	struct fair_id id = {{0}};

	memcpy(id.bytes, name, strlen(name));
	return id;
}

static enum fair_err acquire_key(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *id,
								 const char *key, size_t key_len, struct fair_acquired *got)
{
	const struct fair_request r = {.id = id_of(id),
								   .pool = pool,
								   .tenant = tenant,
								   .key = key,
								   .key_len = key_len,
								   .label = "job",
								   .ttl_ns = 500 * MS,
								   .wait = true};

	return fair_acquire(f, now, &r, got);
}

static void acquire(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *id, const char *key)
{
	struct fair_acquired got;

	cr_assert_eq(acquire_key(f, now, pool, tenant, id, key, key ? strlen(key) : 0, &got), FAIR_OK);
}

static void register_tenant(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *instance)
{
	bool is_new;

	cr_assert_eq(fair_register(f, now, pool, tenant, instance, &is_new), FAIR_OK);
}

static enum fair_unregistered unregister(struct fair *f, uint64_t now, const char *tenant, bool force)
{
	enum fair_unregistered how;

	cr_assert_eq(fair_unregister(f, now, "p", tenant, NULL, force, &how), FAIR_OK);
	return how;
}

static void confirm(struct fair *f, uint64_t now, const char *id)
{
	fair_confirm(f, now, (struct fair_id[]){id_of(id)});
	fair_claim(f, now, (struct fair_id[]){id_of(id)});
}

static struct fair_lease_view view(struct fair *f, uint64_t now, const char *id)
{
	struct fair_id bytes = id_of(id);
	struct fair_lease_view v;

	cr_assert_eq(fair_lease_get(f, now, &bytes, &v), FAIR_OK, "%s is unknown", id);
	return v;
}

static enum fair_err find(struct fair *f, uint64_t now, const char *id)
{
	struct fair_id bytes = id_of(id);
	struct fair_lease_view v;

	return fair_lease_get(f, now, &bytes, &v);
}

/* The ids of the leases in the pool that did not end, by number. */
static const char *list(const struct fair *f, const char *pool)
{
	static char text[256];
	struct fair_lease_view v;

	*text = 0;
	for (uint64_t n = 0; fair_lease_next(f, pool, NULL, FAIR_ENDED, n, &v); n = v.number)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %.16s", (const char *)v.id.bytes);
	return text;
}

static const char *tenants(const struct fair *f, const char *pool)
{
	static char text[512];
	const char *name;
	struct fair_tenant_view t;

	*text = 0;
	for (uint64_t n = 0; fair_tenant_next(f, pool, n, &t); n = t.number) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s%s%s%s", t.tenant, t.closing ? "-closing" : "",
				 t.automatic ? "-automatic" : "", t.anonymous ? "-anonymous" : "");
		for (uint32_t i = 0; (name = fair_tenant_instance(f, pool, t.tenant, i)); i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "-%s", name);
	}
	return text;
}

static void same_text(const char *got, const char *want)
{
	cr_assert(strcmp(got, want) == 0, "got \"%s\", expected \"%s\"", got, want);
}

/* ---- what comes back ---- */

Test(restore, a_lease_comes_back_with_all_of_it_and_its_full_ttl)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 2);
	struct fair_lease_view before, after;

	register_tenant(f, 1 * MS, "p", "a", NULL);
	acquire(f, 2 * MS, "p", "a", "first", NULL);
	acquire(f, 3 * MS, "p", "a", "second", "k");
	confirm(f, 4 * MS, "first");
	confirm(f, 4 * MS, "second");
	cr_assert_eq(fair_heartbeat(f, 5 * MS, (struct fair_id[]){id_of("second")}, 700 * MS), FAIR_OK);
	before = view(f, 6 * MS, "second");

	uint64_t number = before.number, token = before.fencing_token;

	f = restarted(f, &config, 2, 400 * MS);
	after = view(f, 400 * MS, "second");
	cr_assert_eq(after.number, number);
	cr_assert_eq(after.fencing_token, token);
	same_text(after.pool, "p");
	same_text(after.tenant, "a");
	same_text(after.label, "job");
	cr_assert_eq(after.state, FAIR_ACTIVE);
	cr_assert(after.confirmed && after.claimed && after.keyed && !after.present);
	cr_assert_eq(after.slots, 1);
	cr_assert_eq(after.slot_ids[0], 1);
	cr_assert_eq(after.ttl_ns, 700 * MS);
	cr_assert_eq(after.arrived_ns, 3 * MS);
	cr_assert_eq(after.granted_ns, 3 * MS);
	cr_assert_eq(after.deadline_ns, 1100 * MS);
	cr_assert_eq(view(f, 400 * MS, "first").deadline_ns, 900 * MS);
	cr_assert_not(view(f, 400 * MS, "first").keyed);
	same_text(list(f, "p"), " first second");

	/* Its acquire is repeated as it was made; other words are another request. */
	struct fair_acquired got;
	struct fair_request other = {.id = id_of("other"),
								 .pool = "p",
								 .tenant = "a",
								 .key = "k",
								 .key_len = 1,
								 .label = "job",
								 .ttl_ns = 700 * MS,
								 .wait = true};

	cr_assert_eq(acquire_key(f, 401 * MS, "p", "a", "again", "k", 1, &got), FAIR_OK);
	cr_assert(got.known && got.state == FAIR_ACTIVE);
	cr_assert_eq(memcmp(&got.id, (struct fair_id[]){id_of("second")}, sizeof(got.id)), 0);
	cr_assert_eq(fair_acquire(f, 401 * MS, &other, &got), FAIR_E_KEY_REUSED);
	cr_assert_eq(view(f, 899 * MS, "first").state, FAIR_ACTIVE);
	cr_assert_eq(view(f, 900 * MS, "first").reason, FAIR_REASON_EXPIRED);
	cr_assert_eq(view(f, 1100 * MS, "second").reason, FAIR_REASON_EXPIRED);
	fair_destroy(f);
}

Test(restore, a_place_keeps_its_order_and_is_absent_for_the_whole_grace)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 1);
	struct fair_lease_view v;

	register_tenant(f, 0, "p", "a", NULL);
	acquire(f, 0, "p", "a", "holder", NULL);
	confirm(f, 0, "holder");
	acquire(f, 1 * MS, "p", "a", "one", "k1");
	acquire(f, 2 * MS, "p", "a", "two", "k2");
	f = restarted(f, &config, 1, 100 * MS);
	v = view(f, 100 * MS, "one");
	cr_assert(v.state == FAIR_PENDING && !v.present && v.keyed && !v.confirmed && !v.claimed);
	cr_assert_eq(v.fencing_token, 0);
	cr_assert_null(v.slot_ids);
	cr_assert_eq(v.arrived_ns, 1 * MS);
	same_text(list(f, "p"), " holder one two");
	cr_assert_eq(fair_heartbeat(f, 590 * MS, (struct fair_id[]){id_of("holder")}, 0), FAIR_OK);
	cr_assert_eq(view(f, 1099 * MS, "one").state, FAIR_PENDING);
	cr_assert_eq(view(f, 1100 * MS, "one").reason, FAIR_REASON_PLACE_LOST);
	fair_destroy(f);
}

Test(restore, keys_are_bytes)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 5);
	struct fair_acquired got;
	struct fair_id id;

	register_tenant(f, 0, "p", "a", NULL);
	register_tenant(f, 0, "q", "a", NULL);
	cr_assert_eq(acquire_key(f, 0, "p", "a", "one", "k\0x", 3, &got), FAIR_OK);
	cr_assert_eq(acquire_key(f, 0, "p", "a", "two", "k\0y", 3, &got), FAIR_OK);
	cr_assert_eq(acquire_key(f, 0, "q", "a", "other", "k\0x", 3, &got), FAIR_OK);
	f = restarted(f, &config, 5, 1 * MS);
	cr_assert(fair_key_find(f, "p", "a", "k\0x", 3, &id));
	cr_assert_eq(memcmp(&id, (struct fair_id[]){id_of("one")}, sizeof(id)), 0);
	cr_assert(fair_key_find(f, "p", "a", "k\0y", 3, &id));
	cr_assert_eq(memcmp(&id, (struct fair_id[]){id_of("two")}, sizeof(id)), 0);
	cr_assert(fair_key_find(f, "q", "a", "k\0x", 3, &id));
	cr_assert_eq(memcmp(&id, (struct fair_id[]){id_of("other")}, sizeof(id)), 0);
	cr_assert_not(fair_key_find(f, "p", "a", "k", 1, &id));
	fair_destroy(f);
}

Test(restore, tenants_come_back_with_their_registrations_in_their_order)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 3);
	struct fair_request automatic = {.id = id_of("auto"),
									 .pool = "q",
									 .tenant = "d",
									 .label = "",
									 .ttl_ns = 500 * MS,
									 .wait = true,
									 .auto_register = true};
	struct fair_acquired got;
	static const char want_p[] = " c-two-one a-anonymous-x b-closing", want_q[] = " a-anonymous d-automatic-anonymous";

	register_tenant(f, 0, "p", "c", "two");
	register_tenant(f, 0, "q", "a", NULL);
	register_tenant(f, 0, "p", "a", NULL);
	register_tenant(f, 0, "p", "c", "one");
	register_tenant(f, 0, "p", "a", "x");
	register_tenant(f, 0, "p", "b", NULL);
	register_tenant(f, 0, "p", "gone", NULL);
	acquire(f, 0, "p", "b", "b1", NULL);
	cr_assert_eq(fair_acquire(f, 0, &automatic, &got), FAIR_OK);
	cr_assert_eq(unregister(f, 0, "b", false), FAIR_UNREGISTERED_CLOSING);
	cr_assert_eq(unregister(f, 0, "gone", false), FAIR_UNREGISTERED_GONE);
	same_text(tenants(f, "p"), want_p);
	same_text(tenants(f, "q"), want_q);
	f = restarted(f, &config, 3, 1 * MS);
	same_text(tenants(f, "p"), want_p);
	same_text(tenants(f, "q"), want_q);
	cr_assert_eq(unregister(f, 1 * MS, "c", false), FAIR_UNREGISTERED_GONE);

	/* The closing one is gone with its last lease. */
	cr_assert_eq(fair_release(f, 2 * MS, (struct fair_id[]){id_of("b1")}), FAIR_OK);
	same_text(tenants(f, "p"), " a-anonymous-x");
	fair_destroy(f);
}

struct ending {
	enum fair_reason reason;
	bool pending;
};

static void end(struct fair *f, struct ending how, const char *id)
{
	struct fair_id bytes = id_of(id);

	switch (how.reason) {
	case FAIR_REASON_RELEASED:
	case FAIR_REASON_LEFT:
		cr_assert_eq(fair_release(f, 300 * MS, &bytes), FAIR_OK);
		break;
	case FAIR_REASON_REVOKED:
		cr_assert_eq(fair_revoke(f, 300 * MS, &bytes), FAIR_OK);
		break;
	case FAIR_REASON_EXPIRED:
		fair_advance(f, 10000 * MS, 100);
		break;
	case FAIR_REASON_TENANT_CLOSING:
		unregister(f, 300 * MS, "b", false);
		break;
	case FAIR_REASON_UNCLAIMED:
	case FAIR_REASON_PLACE_LOST:
		fair_detach(f, 300 * MS, &bytes, FAIR_DETACH_BROKEN);
		fair_advance(f, 10000 * MS, 100);
		break;
	case FAIR_REASON_NONE:
	case FAIR_REASON_MAX_LEASE:
	case FAIR_REASON_TOO_MANY_SLOTS:
		cr_assert_fail();
	}
}

ParameterizedTestParameters(restore, an_end_stays_known_with_its_reason)
{
	static struct ending all[] = {{FAIR_REASON_RELEASED, false},  {FAIR_REASON_EXPIRED, false},
								  {FAIR_REASON_REVOKED, false},	  {FAIR_REASON_UNCLAIMED, false},
								  {FAIR_REASON_REVOKED, true},	  {FAIR_REASON_TENANT_CLOSING, true},
								  {FAIR_REASON_PLACE_LOST, true}, {FAIR_REASON_LEFT, true}};

	return cr_make_param_array(struct ending, all, NUM(all));
}

/* With its key if it was granted, until key_memory after its end, also where its tenant is no more. */
ParameterizedTest(struct ending *how, restore, an_end_stays_known_with_its_reason)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 1);
	struct fair_lease_view before, after;
	struct fair_acquired got;
	struct fair_id id;

	register_tenant(f, 0, "p", "a", NULL);
	register_tenant(f, 0, "p", "b", NULL);
	acquire(f, 0, "p", how->pending ? "a" : "b", "first", "k");
	acquire(f, 1 * MS, "p", how->pending ? "b" : "a", "second", "k");
	if (how->reason != FAIR_REASON_UNCLAIMED && how->reason != FAIR_REASON_PLACE_LOST)
		confirm(f, 2 * MS, "first");

	const char *name = how->pending ? "second" : "first";

	end(f, *how, name);
	before = view(f, 10000 * MS, name);
	cr_assert_eq(before.reason, how->reason);
	cr_assert_eq(before.keyed, !how->pending);

	uint64_t ended = before.ended_ns, number = before.number, token = before.fencing_token;

	if (how->reason != FAIR_REASON_TENANT_CLOSING)
		unregister(f, 10000 * MS, "b", true);
	f = restarted(f, &config, 1, 20000 * MS);
	after = view(f, 20000 * MS, name);
	cr_assert_eq(after.state, FAIR_ENDED);
	cr_assert_eq(after.reason, how->reason);
	cr_assert_eq(after.ended_ns, ended);
	cr_assert_eq(after.number, number);
	cr_assert_eq(after.fencing_token, token);
	cr_assert_eq(after.confirmed, !how->pending);
	same_text(after.tenant, "b");
	same_text(after.label, "job");
	cr_assert_eq(fair_key_find(f, "p", "b", "k", 1, &id), !how->pending);
	if (!how->pending) {
		cr_assert_eq(acquire_key(f, 20000 * MS, "p", "b", "new", "k", 1, &got), FAIR_E_LEASE_ENDED);
		cr_assert_eq(memcmp(&got.id, (struct fair_id[]){id_of(name)}, sizeof(got.id)), 0);
	}
	cr_assert_eq(find(f, ended + 60000 * MS - 1, name), FAIR_OK);
	cr_assert_eq(find(f, ended + 60000 * MS, name), FAIR_E_LEASE_NOT_FOUND);
	keep(&kept, f);
	for (uint32_t i = 0; i < kept.num_leases; i++)
		cr_assert_neq(kept.leases[i].record.number, number, "the forgotten one stays kept");
	fair_check(f, ended + 60000 * MS);
	fair_destroy(f);
}

Test(restore, a_tenant_that_comes_again_has_the_keys_of_the_one_that_went)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 1);
	struct fair_acquired got;

	register_tenant(f, 0, "p", "a", NULL);
	acquire(f, 0, "p", "a", "old", "k");
	unregister(f, 0, "a", true);
	f = restarted(f, &config, 1, 1 * MS);
	same_text(tenants(f, "p"), "");
	register_tenant(f, 1 * MS, "p", "a", NULL);
	cr_assert_eq(acquire_key(f, 1 * MS, "p", "a", "new", "k", 1, &got), FAIR_E_LEASE_ENDED);
	fair_check(f, 1 * MS);
	fair_destroy(f);
}

Test(restore, a_waiter_without_a_key_leaves_nothing)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 1);

	register_tenant(f, 0, "p", "a", NULL);
	acquire(f, 0, "p", "a", "holder", NULL);
	acquire(f, 0, "p", "a", "waits", NULL);
	acquire(f, 0, "p", "a", "left", NULL);
	fair_detach(f, 0, (struct fair_id[]){id_of("left")}, FAIR_DETACH_BROKEN);
	keep(&kept, f);
	cr_assert_eq(kept.num_leases, 1);
	f = restarted(f, &config, 1, 0);
	cr_assert_eq(find(f, 0, "waits"), FAIR_E_LEASE_NOT_FOUND);
	cr_assert_eq(find(f, 0, "left"), FAIR_E_LEASE_NOT_FOUND);
	same_text(list(f, "p"), " holder");
	fair_destroy(f);
}

Test(restore, a_withdrawn_grant_is_kept_as_the_place_that_it_is)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 2);

	register_tenant(f, 0, "p", "a", NULL);
	acquire(f, 0, "p", "a", "keyed", "k");
	acquire(f, 0, "p", "a", "bare", NULL);
	keep(&kept, f);
	cr_assert_eq(kept.num_leases, 2);
	cr_assert_eq(fair_hold(f, 0, NULL, true), FAIR_OK);
	fair_withdraw(f, 0, (struct fair_id[]){id_of("keyed")});
	fair_withdraw(f, 0, (struct fair_id[]){id_of("bare")});
	f = restarted(f, &config, 2, 0);
	cr_assert_eq(view(f, 0, "keyed").state, FAIR_PENDING);
	cr_assert_eq(find(f, 0, "bare"), FAIR_E_LEASE_NOT_FOUND);
	fair_destroy(f);
}

Test(restore, numbers_and_tokens_go_on_above_all_that_are_kept)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 5);

	register_tenant(f, 0, "p", "a", NULL);
	acquire(f, 0, "p", "a", "stays", NULL);
	acquire(f, 0, "p", "a", "ends", NULL);
	confirm(f, 0, "ends");

	uint64_t number = view(f, 0, "ends").number, token = view(f, 0, "ends").fencing_token;

	cr_assert_eq(fair_release(f, 0, (struct fair_id[]){id_of("ends")}), FAIR_OK);
	f = restarted(f, &config, 5, 0);
	cr_assert_eq(fair_next_token(f), token + 1);
	acquire(f, 0, "p", "a", "new", NULL);
	cr_assert_eq(view(f, 0, "new").number, number + 1);
	cr_assert_eq(view(f, 0, "new").fencing_token, token + 1);
	cr_assert_eq(view(f, 0, "new").slot_ids[0], 1);
	fair_destroy(f);
}

/* ---- five in line ---- */

Test(restore, clients_that_come_back_in_any_order_are_served_in_the_old_one)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 1);
	static const char *const keys[] = {"k1", "k2", "k3", "k4", "k5"}, *const names[] = {"w1", "w2", "w3", "w4", "w5"};
	static const int order[] = {3, 1, 4, 0, 2};

	register_tenant(f, 0, "p", "a", NULL);
	register_tenant(f, 0, "p", "b", NULL);
	acquire(f, 0, "p", "a", "holder", NULL);
	confirm(f, 0, "holder");
	for (int i = 0; i < 5; i++)
		acquire(f, (uint64_t)i * MS, "p", i % 2 ? "b" : "a", names[i], keys[i]);
	cr_assert_eq(fair_release(f, 10 * MS, (struct fair_id[]){id_of("holder")}), FAIR_OK);
	fair_withdraw(f, 10 * MS, (struct fair_id[]){id_of("w1")});
	f = restarted(f, &config, 1, 100 * MS);
	cr_assert_eq(fair_hold(f, 100 * MS, NULL, true), FAIR_OK);
	for (int i = 0; i < 5; i++) {
		int w = order[i];

		acquire(f, (uint64_t)(101 + i) * MS, "p", w % 2 ? "b" : "a", "again", keys[w]);
	}
	same_text(list(f, "p"), " w1 w2 w3 w4 w5");
	cr_assert_eq(fair_hold(f, 200 * MS, NULL, false), FAIR_OK);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(view(f, 200 * MS, names[i]).state, FAIR_ACTIVE, "%s is not served in its turn", names[i]);
		cr_assert_eq(fair_release(f, 200 * MS, (struct fair_id[]){id_of(names[i])}), FAIR_OK);
		fair_check(f, 200 * MS);
	}
	fair_destroy(f);
}

/* ---- what was begun goes on ---- */

/* A force that its budget cut short: only the first of five waiters is refused, and no lease of four revoked. */
static struct fair *forced(struct fair_config *config)
{
	struct fair *f;

	config->call_budget = 1;
	f = created(config, 4);
	register_tenant(f, 0, "p", "a", NULL);
	for (int i = 0; i < 4; i++) {
		acquire(f, 0, "p", "a", (const char *[]){"l1", "l2", "l3", "l4"}[i], NULL);
		keep(&kept, f);
	}
	for (int i = 0; i < 5; i++)
		acquire(f, 0, "p", "a", (const char *[]){"w1", "w2", "w3", "w4", "w5"}[i],
				(const char *[]){"k1", "k2", "k3", "k4", "k5"}[i]);
	while (fair_advance(f, 0, 100))
		;
	cr_assert_eq(unregister(f, 1 * MS, "a", true), FAIR_UNREGISTERED_CLOSING);
	return f;
}

Test(restore, a_force_goes_on)
{
	struct fair_config config = config_of_tests();
	struct fair *f = forced(&config);

	f = restarted(f, &config, 4, 1 * MS);
	same_text(list(f, "p"), " l1 l2 l3 l4 w2 w3 w4 w5");
	same_text(tenants(f, "p"), " a-closing");
	while (fair_advance(f, 1 * MS, 1)) {
		fair_check(f, 1 * MS);
		keep(&kept, f);
	}
	cr_assert_eq(view(f, 1 * MS, "l4").reason, FAIR_REASON_REVOKED);
	cr_assert_eq(view(f, 1 * MS, "w5").reason, FAIR_REASON_TENANT_CLOSING);
	same_text(tenants(f, "p"), "");
	keep(&kept, f);
	cr_assert_eq(kept.num_tenants, 0);
	fair_destroy(f);
}

Test(restore, a_tenant_reopened_amid_a_force_loses_the_old_leases_only)
{
	struct fair_config config = config_of_tests();
	struct fair *f = forced(&config);

	register_tenant(f, 1 * MS, "p", "a", NULL);
	config.call_budget = 1;
	f = restarted(f, &config, 4, 2 * MS);
	same_text(list(f, "p"), " l1 l2 l3 l4 w4 w5");
	same_text(tenants(f, "p"), " a-anonymous");
	acquire(f, 2 * MS, "p", "a", "new", "k");
	while (fair_advance(f, 2 * MS, 1))
		keep(&kept, f);
	fair_check(f, 2 * MS);
	cr_assert_eq(view(f, 2 * MS, "l1").reason, FAIR_REASON_REVOKED);
	cr_assert_eq(view(f, 2 * MS, "l4").reason, FAIR_REASON_REVOKED);
	cr_assert_eq(view(f, 2 * MS, "w5").reason, FAIR_REASON_TENANT_CLOSING);
	cr_assert_eq(view(f, 2 * MS, "new").state, FAIR_ACTIVE);
	fair_destroy(f);
}

/* Also where the numbers below that bound are not kept any more. */
Test(restore, a_bound_of_revoking_is_no_bound_for_new_leases)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 4);
	const struct fair_tenant_record a = {
		.number = 1, .pool = "p", .tenant = "a", .anonymous = true, .revoke_below = 50};

	cr_assert_eq(fair_restore_tenant(f, 0, &a), FAIR_OK);
	fair_check(f, 0);
	acquire(f, 0, "p", "a", "new", NULL);
	cr_assert_eq(view(f, 0, "new").number, 50);
	while (fair_advance(f, 0, 1))
		;
	cr_assert_eq(view(f, 0, "new").state, FAIR_ACTIVE);
	fair_destroy(f);
}

Test(restore, a_closing_tenant_refuses_its_places_and_one_without_any_is_let_go)
{
	struct fair_config config = config_of_tests();
	struct fair *f;

	config.call_budget = 1;
	f = created(&config, 1);
	register_tenant(f, 0, "p", "a", NULL);
	register_tenant(f, 0, "p", "b", NULL);
	acquire(f, 0, "p", "b", "b1", NULL);
	for (int i = 0; i < 3; i++)
		acquire(f, 0, "p", "a", (const char *[]){"x", "y", "a1"}[i], i < 2 ? NULL : "k");
	while (fair_advance(f, 0, 1))
		;
	unregister(f, 0, "a", false);
	f = restarted(f, &config, 1, 0);
	cr_assert_eq(fair_hold(f, 0, NULL, false), FAIR_OK);
	while (fair_advance(f, 0, 1))
		;
	cr_assert_eq(view(f, 0, "a1").reason, FAIR_REASON_TENANT_CLOSING);
	same_text(tenants(f, "p"), " b-anonymous");
	fair_destroy(f);
}

/* All that was left of this one were waiters without keys. */
Test(restore, a_closing_tenant_without_leases_is_gone_and_told_so)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 1);
	const struct fair_tenant_record a = {.number = 1, .pool = "p", .tenant = "a", .closing = true};
	struct fair_event e;

	cr_assert_eq(fair_restore_tenant(f, 0, &a), FAIR_OK);
	fair_check(f, 0);
	cr_assert_eq(fair_next_deadline(f), 0);
	cr_assert_not(fair_advance(f, 0, 10));
	fair_check(f, 0);
	cr_assert(fair_next_event(f, &e));
	cr_assert_eq(e.type, FAIR_EV_TENANT_GONE);
	same_text(tenants(f, "p"), "");
	fair_destroy(f);
}

Test(restore, a_force_over_a_closing_tenant_is_kept)
{
	struct fair_config config = config_of_tests();
	struct fair *f;

	config.call_budget = 1;
	f = created(&config, 3);
	register_tenant(f, 0, "p", "a", NULL);
	for (int i = 0; i < 3; i++)
		acquire(f, 0, "p", "a", (const char *[]){"l1", "l2", "l3"}[i], NULL);
	unregister(f, 0, "a", false);
	keep(&kept, f);
	cr_assert_eq(unregister(f, 0, "a", true), FAIR_UNREGISTERED_CLOSING);
	config.call_budget = 100;
	f = restarted(f, &config, 3, 0);
	cr_assert_eq(view(f, 0, "l3").reason, FAIR_REASON_REVOKED);
	fair_destroy(f);
}

/* ---- other settings, another clock ---- */

Test(restore, a_slot_that_the_pool_does_not_have_any_more_stays_until_its_lease_ends)
{
	static const char *const names[] = {"l0", "l1", "l2", "l3", "l4"};
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 5);

	register_tenant(f, 0, "p", "a", NULL);
	for (int i = 0; i < 5; i++)
		acquire(f, 0, "p", "a", names[i], NULL);
	f = restarted(f, &config, 2, 0);
	cr_assert_eq(view(f, 0, "l4").slot_ids[0], 4);
	acquire(f, 0, "p", "a", "new", NULL);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(view(f, 0, "new").state, FAIR_PENDING, "%d of two slots are taken", 5 - i);
		cr_assert_eq(fair_release(f, 0, (struct fair_id[]){id_of(names[i])}), FAIR_OK);
		fair_check(f, 0);
	}
	cr_assert_eq(view(f, 0, "new").state, FAIR_PENDING, "l3 and l4 hold what the pool has");
	cr_assert_eq(fair_release(f, 0, (struct fair_id[]){id_of("l4")}), FAIR_OK);
	cr_assert_eq(view(f, 0, "new").slot_ids[0], 0);
	acquire(f, 0, "p", "a", "next", NULL);
	cr_assert_eq(view(f, 0, "next").state, FAIR_PENDING);
	cr_assert_eq(fair_release(f, 0, (struct fair_id[]){id_of("l3")}), FAIR_OK);
	cr_assert_eq(view(f, 0, "next").slot_ids[0], 1);
	fair_check(f, 0);
	fair_destroy(f);
}

Test(restore, times_to_come_are_now)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 2);
	struct fair_lease_view v;

	register_tenant(f, 9000 * MS, "p", "a", NULL);
	acquire(f, 9000 * MS, "p", "a", "ends", NULL);
	cr_assert_eq(fair_release(f, 9100 * MS, (struct fair_id[]){id_of("ends")}), FAIR_OK);
	acquire(f, 9200 * MS, "p", "a", "lives", NULL);
	f = restarted(f, &config, 2, 1000 * MS);
	v = view(f, 1000 * MS, "lives");
	cr_assert_eq(v.arrived_ns, 1000 * MS);
	cr_assert_eq(v.granted_ns, 1000 * MS);
	cr_assert_eq(v.deadline_ns, 1500 * MS);
	cr_assert_eq(view(f, 1000 * MS, "ends").ended_ns, 1000 * MS);
	cr_assert_eq(find(f, 60999 * MS, "ends"), FAIR_OK);
	cr_assert_eq(find(f, 61000 * MS, "ends"), FAIR_E_LEASE_NOT_FOUND);
	fair_destroy(f);
}

Test(restore, ends_beyond_ended_max_are_forgotten_oldest_first_and_told)
{
	static const char *const names[] = {"e0", "e1", "e2", "e3", "e4"};
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 5);
	char forgotten[64] = "";
	struct fair_event e;

	register_tenant(f, 0, "p", "a", NULL);
	for (int i = 0; i < 5; i++)
		acquire(f, 0, "p", "a", names[i], NULL);
	for (int i = 5; i-- > 0;)
		cr_assert_eq(fair_release(f, (uint64_t)(10 - i) * MS, (struct fair_id[]){id_of(names[i])}), FAIR_OK);
	config.ended_max = 2;
	config.call_budget = 1;
	f = restarted(f, &config, 5, 100 * MS);
	while (fair_advance(f, 100 * MS, 1))
		fair_check(f, 100 * MS);
	fair_check(f, 100 * MS);
	while (fair_next_event(f, &e)) {
		cr_assert_eq(e.type, FAIR_EV_FORGOTTEN);
		snprintf(forgotten + strlen(forgotten), sizeof(forgotten) - strlen(forgotten), " %.16s",
				 (const char *)e.id.bytes);
	}
	same_text(forgotten, " e4 e3 e2");
	cr_assert_eq(find(f, 100 * MS, "e1"), FAIR_OK);
	fair_destroy(f);
}

/* ---- records that are not those of one state ---- */

static const uint32_t twice[] = {2, 2}, falling[] = {2, 1}, half_taken[] = {0, 2};
static const uint32_t slot_0[] = {0}, slot_1[] = {1}, slot_2[] = {2}, slot_far[] = {FAIR_SLOTS_MAX};

/* An active lease of `a` in slot 2 that nothing in `others` has. */
static struct fair_lease_record good_lease(void)
{
	return (struct fair_lease_record){.id = id_of("good"),
									  .number = 20,
									  .pool = "p",
									  .tenant = "a",
									  .label = "",
									  .key = "k20",
									  .key_len = 3,
									  .state = FAIR_ACTIVE,
									  .slots = 1,
									  .slot_ids = slot_2,
									  .fencing_token = 9,
									  .ttl_ns = MS,
									  .asked_ttl_ns = MS};
}

static struct fair *others(void)
{
	struct fair_config config = config_of_tests();
	struct fair *f = created(&config, 3);
	const struct fair_tenant_record a = {.number = 1, .pool = "p", .tenant = "a", .anonymous = true};
	struct fair_lease_record l = good_lease();

	cr_assert_eq(fair_restore_tenant(f, 0, &a), FAIR_OK);
	l.id = id_of("lives");
	l.number = 10;
	l.slot_ids = slot_0;
	l.key = "k10";
	cr_assert_eq(fair_restore_lease(f, 0, &l), FAIR_OK);
	l.id = id_of("ended");
	l.number = 11;
	l.slot_ids = slot_1;
	l.key = "k11";
	l.state = FAIR_ENDED;
	l.reason = FAIR_REASON_RELEASED;
	cr_assert_eq(fair_restore_lease(f, 0, &l), FAIR_OK);
	return f;
}

static void refused_lease(const char *what, const struct fair_lease_record *r, enum fair_err want)
{
	struct fair *f = others();
	struct fair_lease_record good = good_lease();
	enum fair_err got = fair_restore_lease(f, 0, r);

	cr_assert_eq(got, want, "%s: %s", what, fair_err_code(got));
	fair_check(f, 0);
	cr_assert_eq(fair_restore_lease(f, 0, &good), FAIR_OK, "%s: something of it was left", what);
	fair_check(f, 0);
	fair_destroy(f);
}

#define REFUSED_LEASE(want, ...)                                                                                       \
	do {                                                                                                               \
		struct fair_lease_record r = good_lease();                                                                     \
                                                                                                                       \
		__VA_ARGS__;                                                                                                   \
		refused_lease(#__VA_ARGS__, &r, want);                                                                         \
	} while (0)

static char long_name[FAIR_NAME_MAX + 2], long_label[FAIR_LABEL_MAX + 2], long_key[FAIR_KEY_MAX + 1];

static void fill_long(void)
{
	memset(long_name, 'n', FAIR_NAME_MAX + 1);
	memset(long_label, 'l', FAIR_LABEL_MAX + 1);
	memset(long_key, 'k', sizeof(long_key));
}

Test(restore, a_lease_that_cannot_be_is_refused_and_leaves_nothing)
{
	fill_long();
	REFUSED_LEASE(FAIR_E_POOL_NOT_FOUND, r.pool = "z");
	REFUSED_LEASE(FAIR_E_TENANT_NOT_FOUND, r.tenant = "z");
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.tenant = "");
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.tenant = long_name);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.label = long_label);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.key_len = 0);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.key = long_key; r.key_len = sizeof(long_key));
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.number = 0);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.number = UINT64_C(1) << 53);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.ttl_ns = 0);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.asked_ttl_ns = 0);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.max_lease_ns = FAIR_SPAN_MAX + 1);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.max_ns = FAIR_NEVER - 1);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slots = 0);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slots = FAIR_LEASE_SLOTS_MAX + 1);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slots = 2; r.slot_ids = twice);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slots = 2; r.slot_ids = falling);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slots = 2; r.slot_ids = half_taken);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.priority = FAIR_PRIORITY_MAX + 1);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.priority = -FAIR_PRIORITY_MAX - 1);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slot_ids = NULL);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slot_ids = slot_far);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.fencing_token = 0);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.fencing_token = UINT64_C(1) << 53);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.reason = FAIR_REASON_RELEASED);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.state = FAIR_PENDING);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.state = FAIR_PENDING; r.fencing_token = 0; r.key = NULL; r.key_len = 0);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.state = FAIR_ENDED);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.state = FAIR_ENDED; r.reason = FAIR_REASON_TOO_MANY_SLOTS + 1);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.state = FAIR_ENDED + 1);

	/* What another has. */
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.id = id_of("lives"));
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.id = id_of("ended"));
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.number = 10);
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.key = "k10");
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.key = "k11");
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.slot_ids = slot_0);

	/* The name of a tenant that is no more does not stay either. */
	REFUSED_LEASE(FAIR_E_BAD_RECORD, r.state = FAIR_ENDED; r.reason = FAIR_REASON_LEFT; r.tenant = "z"; r.number = 10);
}

Test(restore, a_lease_of_a_tenant_that_is_no_more_must_have_ended)
{
	struct fair *f = others();
	struct fair_lease_record r = good_lease();

	r.tenant = "z";
	r.state = FAIR_ENDED;
	r.reason = FAIR_REASON_RELEASED;
	cr_assert_eq(fair_restore_lease(f, 0, &r), FAIR_OK);
	r = good_lease();
	r.tenant = "z";
	r.id = id_of("other");
	r.number = 21;
	cr_assert_eq(fair_restore_lease(f, 0, &r), FAIR_E_TENANT_NOT_FOUND);
	fair_check(f, 0);
	fair_destroy(f);
}

#define REFUSED_TENANT(want, ...)                                                                                      \
	do {                                                                                                               \
		struct fair *f = others();                                                                                     \
		struct fair_tenant_record r = {.number = 2, .pool = "p", .tenant = "b", .num_instances = 2};                   \
		const char *names[FAIR_INSTANCES_MAX + 1] = {"x", "y"};                                                        \
		enum fair_err got;                                                                                             \
                                                                                                                       \
		r.instances = names;                                                                                           \
		__VA_ARGS__;                                                                                                   \
		got = fair_restore_tenant(f, 0, &r);                                                                           \
		cr_assert_eq(got, want, "%s: %s", #__VA_ARGS__, fair_err_code(got));                                           \
		same_text(tenants(f, "p"), " a-anonymous");                                                                    \
		fair_check(f, 0);                                                                                              \
		r = (struct fair_tenant_record){.number = 2, .pool = "p", .tenant = "b", .anonymous = true};                   \
		cr_assert_eq(fair_restore_tenant(f, 0, &r), FAIR_OK, "%s: something of it was left", #__VA_ARGS__);            \
		fair_check(f, 0);                                                                                              \
		fair_destroy(f);                                                                                               \
	} while (0)

Test(restore, a_tenant_that_cannot_be_is_refused_and_leaves_nothing)
{
	fill_long();
	REFUSED_TENANT(FAIR_E_POOL_NOT_FOUND, r.pool = "z");
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.tenant = "");
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.tenant = long_name);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.tenant = "a");
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.number = 0);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.number = 1);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.number = UINT64_C(1) << 53);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.revoke_below = UINT64_C(1) << 53);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.closing = true);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.num_instances = 0);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.num_instances = FAIR_INSTANCES_MAX + 1);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, r.instances = NULL);
	REFUSED_TENANT(FAIR_E_BAD_RECORD, names[1] = "x");
	REFUSED_TENANT(FAIR_E_BAD_RECORD, names[1] = "");
	REFUSED_TENANT(FAIR_E_BAD_RECORD, names[1] = long_name);
}

/* ---- no memory ---- */

static long allocations_left = -1; /* -1: no end */
static long blocks;

static void *failing_alloc(size_t size, void *context)
{
	void *memory;

	(void)context;
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	memory = malloc(size);
	blocks += memory != NULL;
	return memory;
}

static void counting_free(void *memory, void *context)
{
	(void)context;
	blocks -= memory != NULL;
	free(memory);
}

/* A record that finds no memory leaves nothing, and can be restored when there is some. */
#define UNTIL_SUCCESS(call)                                                                                            \
	do {                                                                                                               \
		enum fair_err err = FAIR_E_NO_MEMORY;                                                                          \
                                                                                                                       \
		for (long n = 0; err; n++) {                                                                                   \
			allocations_left = n;                                                                                      \
			err = (call);                                                                                              \
			allocations_left = -1;                                                                                     \
			fair_check(f, 0);                                                                                          \
			if (err)                                                                                                   \
				cr_assert_eq(err, FAIR_E_NO_MEMORY, "%s", fair_err_code(err));                                         \
			cr_assert(n > 0 || err, "nothing was allocated");                                                          \
		}                                                                                                              \
	} while (0)

Test(restore, each_record_that_finds_no_memory_says_so_and_leaves_nothing)
{
	const struct fair_tenant_record a = {
		.number = 1, .pool = "p", .tenant = "a", .num_instances = 2, .instances = (const char *const[]){"x", "y"}};
	struct fair_config config = config_of_tests();
	struct fair_lease_record r = good_lease();
	struct fair *f;

	config.alloc = failing_alloc;
	config.free = counting_free;
	f = created(&config, 3);
	UNTIL_SUCCESS(fair_restore_tenant(f, 0, &a));
	same_text(tenants(f, "p"), " a-x-y");
	UNTIL_SUCCESS(fair_restore_lease(f, 0, &r));
	r.id = id_of("ghost");
	r.number++;
	r.tenant = "gone";
	r.state = FAIR_ENDED;
	r.reason = FAIR_REASON_EXPIRED;
	UNTIL_SUCCESS(fair_restore_lease(f, 0, &r));
	fair_destroy(f);
	cr_assert_eq(blocks, 0, "%ld blocks are left", blocks);
}
