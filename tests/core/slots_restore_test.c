/* SPDX-License-Identifier: MIT */
/* Slots as things over a restart, without memory, over pools that go, and what their calls cost. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fair.h"

#define MS UINT64_C(1000000)

static struct fair_pool_config pool = {.pool = "p",
									   .max_slots = 2,
									   .min_share = 1,
									   .max_waiting = 10000,
									   .tenant_max_waiting = 10000,
									   .slot_rest_ns = 500 * MS,
									   .max_lease_ns = 1000 * MS};

static struct fair *created(void)
{
	struct fair_config config = fair_config_default();
	struct fair *f = fair_create(&config);

	cr_assert(f);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	return f;
}

static void check(struct fair *f, uint64_t now)
{
	struct fair_event e;

	fair_check(f, now);
	while (fair_next_event(f, &e)) {
		if (e.type == FAIR_EV_GRANTED)
			fair_confirm(f, now, &e.id);
	}
	fair_check(f, now);
}

static struct fair_id acquire(struct fair *f, uint64_t now, uint32_t number, const char *label)
{
	struct fair_request r = {
		.pool = "p", .tenant = "a", .label = label, .ttl_ns = 10000 * MS, .wait = true, .auto_register = true};
	struct fair_acquired got;

	number *= 2654435761u;
	memcpy(r.id.bytes, &number, sizeof(number));
	cr_assert_eq(fair_acquire(f, now, &r, &got), FAIR_OK);
	check(f, now);
	return r.id;
}

static struct fair_lease_view view_of(struct fair *f, uint64_t now, const struct fair_id *id)
{
	struct fair_lease_view v;

	cr_assert_eq(fair_lease_get(f, now, id, &v), FAIR_OK);
	return v;
}

static uint32_t resting(struct fair *f, uint64_t now)
{
	struct fair_pool_view v;

	cr_assert_eq(fair_pool_get(f, now, "p", &v), FAIR_OK);
	return v.resting_slots;
}

/* A state made anew from the tenant and these leases, `now` being what the clock says then. */
static struct fair *restored(struct fair *old, uint64_t now, const struct fair_id *ids, uint32_t num_ids)
{
	struct fair *f = created();
	struct fair_tenant_record t;

	cr_assert(fair_tenant_record(old, "p", "a", &t));
	cr_assert_eq(fair_restore_tenant(f, now, &t), FAIR_OK);
	for (uint32_t i = 0; i < num_ids; i++) {
		struct fair_lease_record r;

		cr_assert(fair_lease_record(old, &ids[i], &r));
		cr_assert_eq(fair_restore_lease(f, now, &r), FAIR_OK);
	}
	check(f, now);
	return f;
}

Test(slots_restore, a_lease_has_the_rest_of_its_longest_life)
{
	struct fair *old = created(), *f;
	struct fair_id id = acquire(old, 100 * MS, 1, "");

	cr_assert_eq(view_of(old, 100 * MS, &id).max_ns, 1100 * MS);
	f = restored(old, 700 * MS, &id, 1);
	cr_assert_eq(view_of(f, 700 * MS, &id).max_ns, 1100 * MS);
	check(f, 1100 * MS);
	cr_assert_eq(view_of(f, 1100 * MS - 1, &id).state, FAIR_ACTIVE);
	cr_assert_eq(view_of(f, 1100 * MS, &id).reason, FAIR_REASON_MAX_LEASE);
	fair_destroy(f);
	/* The clock was set back: it counts as granted now, and lives no longer than it would have. */
	f = restored(old, 20 * MS, &id, 1);
	cr_assert_eq(view_of(f, 20 * MS, &id).max_ns, 1020 * MS);
	fair_destroy(f);
	fair_destroy(old);
}

Test(slots_restore, slots_rest_on_for_what_is_left)
{
	struct fair *old = created(), *f;
	struct fair_id ids[2] = {acquire(old, 0, 1, ""), acquire(old, 0, 2, "")}, id;

	cr_assert_eq(fair_revoke(old, 100 * MS, &ids[0]), FAIR_OK);
	cr_assert_eq(fair_release(old, 200 * MS, &ids[1]), FAIR_OK);
	check(old, 200 * MS);
	f = restored(old, 300 * MS, ids, 2);
	cr_assert_eq(resting(f, 300 * MS), 1);
	id = acquire(f, 300 * MS, 3, "");
	cr_assert_eq(view_of(f, 300 * MS, &id).slot_ids[0], 1);
	id = acquire(f, 300 * MS, 4, "");
	cr_assert_eq(view_of(f, 300 * MS, &id).state, FAIR_PENDING);
	cr_assert_eq(fair_next_deadline(f), 600 * MS);
	fair_advance(f, 600 * MS, 10);
	check(f, 600 * MS);
	cr_assert_eq(view_of(f, 600 * MS, &id).slot_ids[0], 0);
	fair_destroy(f);
	f = restored(old, 600 * MS, ids, 2);
	cr_assert_eq(resting(f, 600 * MS), 0);
	fair_destroy(f);
	fair_destroy(old);
}

/* A slot that was granted again under another setting is its lease's, in whatever order the records come. */
Test(slots_restore, a_slot_that_a_lease_holds_does_not_rest)
{
	struct fair *old, *f;
	struct fair_id ids[2], turned[2];

	pool.slot_rest_ns = 0;
	old = created();
	ids[0] = turned[1] = acquire(old, 0, 1, "");
	cr_assert_eq(fair_revoke(old, 100 * MS, &ids[0]), FAIR_OK);
	ids[1] = turned[0] = acquire(old, 100 * MS, 2, "");
	cr_assert_eq(view_of(old, 100 * MS, &ids[1]).slot_ids[0], 0);
	pool.slot_rest_ns = 500 * MS;
	f = restored(old, 200 * MS, ids, 2);
	cr_assert_eq(resting(f, 200 * MS), 0);
	fair_destroy(f);
	f = restored(old, 200 * MS, turned, 2);
	cr_assert_eq(resting(f, 200 * MS), 0);
	fair_destroy(f);
	fair_destroy(old);
}

/* ---- requests for several slots ---- */

static struct fair_lease_view acquire_three(struct fair *f, uint64_t now, uint8_t number)
{
	struct fair_request r = {.id = {{number}},
							 .pool = "p",
							 .tenant = "a",
							 .label = "",
							 .ttl_ns = 10000 * MS,
							 .wait = true,
							 .auto_register = true,
							 .slots = 3};
	struct fair_acquired got;

	cr_assert_eq(fair_acquire(f, now, &r, &got), FAIR_OK);
	fair_check(f, now);
	return view_of(f, now, &r.id);
}

Test(big_leases, rest_and_are_withdrawn_with_all_their_slots)
{
	struct fair_lease_view v;
	struct fair *f;

	pool.max_slots = 4;
	f = created();
	v = acquire_three(f, 0, 1);
	cr_assert_eq(v.state, FAIR_ACTIVE);
	cr_assert_eq(fair_hold(f, 0, "p", true), FAIR_OK);
	fair_withdraw(f, 10 * MS, &v.id);
	check(f, 10 * MS);
	cr_assert_eq(resting(f, 10 * MS), 0);
	cr_assert_eq(fair_hold(f, 20 * MS, "p", false), FAIR_OK);
	check(f, 20 * MS);
	v = view_of(f, 20 * MS, &v.id);
	cr_assert_eq(v.slots, 3);
	cr_assert_eq(v.slot_ids[2], 2);
	cr_assert_eq(fair_revoke(f, 100 * MS, &v.id), FAIR_OK);
	check(f, 100 * MS);
	cr_assert_eq(resting(f, 100 * MS), 3);
	/* One slot is usable: three are again when all have rested. */
	v = acquire_three(f, 200 * MS, 2);
	cr_assert_eq(v.state, FAIR_PENDING);
	fair_advance(f, 600 * MS - 1, 100);
	check(f, 600 * MS - 1);
	cr_assert_eq(view_of(f, 600 * MS - 1, &v.id).state, FAIR_PENDING);
	fair_advance(f, 600 * MS, 100);
	check(f, 600 * MS);
	cr_assert_eq(view_of(f, 600 * MS, &v.id).slot_ids[0], 0);
	fair_destroy(f);
}

/* ---- without memory ---- */

static long allocations_left;

static void *failing_alloc(size_t size, void *context)
{
	(void)context;
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void plain_free(void *memory, void *context)
{
	(void)context;
	free(memory);
}

Test(slots_memory, a_change_or_a_revoke_that_finds_none_changes_nothing)
{
	static const uint32_t ids[] = {1, 3};
	struct fair_config config = fair_config_default();
	struct fair_pool_config changed = pool;
	struct fair_pool_view v;
	struct fair *f;
	uint64_t number;
	uint32_t ended;
	bool is_new;
	enum fair_err err = FAIR_E_NO_MEMORY;

	config.alloc = failing_alloc;
	config.free = plain_free;
	allocations_left = 100;
	f = fair_create(&config);
	pool.slot_rest_ns = 0;
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	changed.slot_rest_ns = 500 * MS;
	changed.max_slots = 4;
	changed.cordoned = ids;
	changed.num_cordoned = 2;
	for (long n = 0; err; n++) {
		allocations_left = n;
		err = fair_pool_set(f, 0, &changed, &is_new);
		check(f, 0);
		cr_assert_eq(fair_pool_get(f, 0, "p", &v), FAIR_OK);
		cr_assert_eq(v.num_cordoned, err ? 0 : 2);
		cr_assert_eq(v.max_slots, err ? 2 : 4);
		cr_assert(!err || err == FAIR_E_NO_MEMORY);
	}
	cr_assert_eq(fair_pool_cordoned(f, "p", 1), 3);
	allocations_left = 0;
	cr_assert_eq(fair_revoke_all(f, 0, "p", NULL, "x", FAIR_ENDED, &number, &ended), FAIR_E_NO_MEMORY);
	check(f, 0);
	fair_destroy(f);
}

/* ---- a revoke of many, and pools that go ---- */

/* "worked off within the budget": no call ends more, and what was asked for later comes after it. */
Test(revoke_many, goes_on_over_calls_and_pools_that_are_removed)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config other = pool;
	uint64_t first, second;
	uint32_t ended, total = 0;
	struct fair *f;
	struct fair_event e;

	config.call_budget = 16;
	pool.slot_rest_ns = 0;
	pool.max_lease_ns = 0;
	pool.max_slots = 1;
	f = fair_create(&config);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	other.pool = "q";
	cr_assert_eq(fair_pool_add(f, &other), FAIR_OK);
	for (uint32_t i = 1; i <= 200; i++)
		acquire(f, 0, i, i % 2 ? "odd" : "even");
	cr_assert_eq(fair_revoke_all(f, 0, NULL, NULL, "even", FAIR_PENDING, &first, &ended), FAIR_OK);
	cr_assert_neq(first, 0);
	cr_assert_leq(ended, 16);
	cr_assert_eq(fair_revoke_all(f, 0, "p", "a", "odd", FAIR_PENDING, &second, &ended), FAIR_OK);
	cr_assert_gt(second, first);
	cr_assert_eq(ended, 0);
	cr_assert_eq(fair_pool_remove(f, 0, "q"), FAIR_OK);
	for (bool more = true; more;) {
		more = fair_advance(f, 0, 16);
		fair_check(f, 0);
		while (fair_next_event(f, &e)) {
			total += e.type == FAIR_EV_ENDED;
			if (e.type == FAIR_EV_REVOKED_ALL)
				cr_assert_eq(e.ended, e.number == first ? 100 : 99, "%u", e.ended);
		}
	}
	cr_assert_eq(total, 199);
	fair_destroy(f);
}

Test(revoke_many, is_freed_with_the_state)
{
	struct fair_config config = fair_config_default();
	struct fair *f;
	uint64_t number;
	uint32_t ended;

	config.call_budget = 1;
	f = fair_create(&config);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	acquire(f, 0, 1, "x");
	cr_assert_eq(fair_revoke_all(f, 0, NULL, "a", "x", FAIR_ENDED, &number, &ended), FAIR_OK);
	cr_assert_neq(number, 0);
	fair_destroy(f);
}

Test(revoke_many, leaves_a_pool_that_is_removed)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config other = pool;
	struct fair *f;
	struct fair_id id;
	uint64_t number;
	uint32_t ended;

	config.call_budget = 1;
	f = fair_create(&config);
	other.pool = "a";
	cr_assert_eq(fair_pool_add(f, &other), FAIR_OK);
	other.pool = "b";
	cr_assert_eq(fair_pool_add(f, &other), FAIR_OK);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	id = acquire(f, 0, 1, "x");
	while (fair_advance(f, 0, 100))
		;
	check(f, 0);
	cr_assert_eq(fair_revoke_all(f, 0, NULL, NULL, "x", FAIR_ENDED, &number, &ended), FAIR_OK);
	cr_assert_neq(number, 0);
	/* It has looked at a, and goes to b by this call. */
	cr_assert_eq(fair_pool_remove(f, 0, "b"), FAIR_OK);
	while (fair_advance(f, 0, 100))
		;
	check(f, 0);
	cr_assert_eq(view_of(f, 0, &id).reason, FAIR_REASON_REVOKED);
	fair_destroy(f);
}
