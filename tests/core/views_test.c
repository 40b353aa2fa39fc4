/* SPDX-License-Identifier: MIT */
/* Looking: lists, the busiest, statistics. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fair.h"
#include "story.h"

#define SECOND UINT64_C(1000000000)

Test(lists, give_leases_by_arrival_in_a_state_of_a_tenant)
{
	story("pool p slots=2\npool q\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire b1 b\n"
		  "0 acquire b2 b\n0 acquire a2 a\n0 acquire a3 a\n0 release a2\n0 list\n0 list active\n"
		  "0 list pending\n0 list a\n0 list b active\n0 list b pending\n0 list zz\n0 list @zz\n0 list @q\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] b granted b1 slot 1 (share 1/1)\n"
		  "[0] a ended a2 left (waiting)\n[0] leases: a1 b1 b2 a3\n[0] leases: a1 b1\n[0] leases: b2 a3\n"
		  "[0] leases: a1 a3\n[0] leases: b1\n[0] leases: b2\n[0] leases:\n[0] leases:\n[0] leases:\n");
}

Test(lists, give_tenants_by_creation)
{
	story("pool p\n0 register c\n0 register a\n0 register b\n0 tenants\n0 unregister c\n0 register c\n"
		  "0 tenants\n0 tenants @zz\n",
		  "[0] tenants: c a b\n[0] unregister c: gone\n[0] c gone\n[0] tenants: a b c\n[0] tenants:\n");
}

static struct fair *fair_with_pool(uint32_t slots)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {
		.pool = "p", .max_slots = slots, .min_share = 1, .max_waiting = 10000, .tenant_max_waiting = 10000};
	struct fair *f = fair_create(&config);

	cr_assert(f);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	return f;
}

static struct fair_id acquire(struct fair *f, uint64_t now, const char *tenant)
{
	static uint32_t next;
	struct fair_acquired got;
	struct fair_event e;
	struct fair_request r = {
		.pool = "p", .tenant = tenant, .label = "", .ttl_ns = 100000 * SECOND, .wait = true, .auto_register = true};

	next++;
	memcpy(r.id.bytes, &next, sizeof(next));
	cr_assert_eq(fair_acquire(f, now, &r, &got), FAIR_OK);
	while (fair_next_event(f, &e)) {
		if (e.type == FAIR_EV_GRANTED)
			fair_confirm(f, now, &e.id);
	}
	return got.id;
}

Test(lists, give_the_busiest_tenants_first_and_leave_closing_ones_out)
{
	static const uint32_t loads[] = {3, 40, 0, 17, 25};
	static const char *const want[] = {"t1", "t4", "t3", "waits", "t2"};
	struct fair *f = fair_with_pool(10);
	struct fair_tenant_view v;
	enum fair_unregistered how;
	const void *cursor = NULL;
	bool created;

	for (uint32_t t = 0; t < 5; t++) {
		char name[8];

		snprintf(name, sizeof(name), "t%u", t);
		cr_assert_eq(fair_register(f, 0, "p", name, NULL, &created), FAIR_OK);
		for (uint32_t i = 0; i < loads[t]; i++)
			acquire(f, 0, name);
	}
	acquire(f, 0, "waits");
	cr_assert_eq(fair_unregister(f, 0, "p", "t0", NULL, false, &how), FAIR_OK);
	cr_assert_eq(how, FAIR_UNREGISTERED_CLOSING);
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		cr_assert(fair_tenant_busiest(f, "p", &cursor, &v));
		cr_assert_str_eq(v.tenant, want[i]);
	}
	cr_assert_not(fair_tenant_busiest(f, "p", &cursor, &v));
	fair_destroy(f);
}

Test(lists, name_the_pools_in_the_order_of_names)
{
	struct fair *f = fair_with_pool(1);
	struct fair_pool_config pool = {.pool = "b", .max_slots = 1, .min_share = 1};
	struct fair_pool_view v;

	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	pool.pool = "z";
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_E_POOL_EXISTS);
	cr_assert_str_eq(fair_pool_name(f, 0), "b");
	cr_assert_str_eq(fair_pool_name(f, 1), "p");
	cr_assert_str_eq(fair_pool_name(f, 2), "z");
	cr_assert_null(fair_pool_name(f, 3));
	cr_assert_eq(fair_pool_get(f, 0, "c", &v), FAIR_E_POOL_NOT_FOUND);
	fair_destroy(f);
}

Test(stats, count_leases_by_their_end)
{
	story("config commit=confirm\npool p slots=4\n0 register a\n0 acquire a1 a ttl=10\n0 acquire a2 a\n"
		  "0 acquire a3 a\n0 acquire a4 a\n0 acquire a5 a\n0 acquire a6 a try\n1 release a2\n1 revoke a3\n"
		  "1 detach a4\n10 advance\n10 totals\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n[0] a granted a4 slot 3 (share 4/4)\n"
		  "[0] acquire a6: no-slot\n[0] position 2 ahead 1 active 4 share 4 waiting 1 at-share\n"
		  "[1] a ended a2 released\n[1] a granted a5 slot 1 (share 4/4)\n[1] a ended a3 revoked\n"
		  "[1] a ended a4 unclaimed\n[10] a ended a1 expired\n"
		  "[10] granted 5 released 1 expired 1 revoked 1 unclaimed 1 no_slot 1 failures 0\n");
}

static void assert_near(uint64_t value, uint64_t want)
{
	uint64_t difference = value > want ? value - want : want - value;

	cr_assert_leq(difference, want / 25, "%lu is not within 4 %% of %lu", (unsigned long)value, (unsigned long)want);
}

Test(stats, tell_quantiles_of_waiting_and_holding_within_4_per_cent)
{
	struct fair *f = fair_with_pool(1);
	struct fair_pool_view v;
	uint64_t now = 0;

	/* Lease i is held for i ms while the next one waits for it. */
	for (uint64_t i = 1; i <= 100; i++) {
		struct fair_id id = acquire(f, now, "a");

		now += i * 1000000;
		cr_assert_eq(fair_release(f, now, &id), FAIR_OK);
	}
	cr_assert_eq(fair_pool_get(f, now, "p", &v), FAIR_OK);
	assert_near(v.hold.p50_ns, 50 * 1000000);
	assert_near(v.hold.p95_ns, 95 * 1000000);
	assert_near(v.hold.p99_ns, 99 * 1000000);
	cr_assert_eq(v.hold.max_ns, 100 * 1000000);
	cr_assert_eq(v.wait.max_ns, 0);
	cr_assert_eq(v.granted_total, 100);

	/* A wait is from the arrival to the grant. */
	struct fair_id holder = acquire(f, now, "a"), waiter = acquire(f, now, "a");
	struct fair_event e;

	now += 7 * SECOND;
	cr_assert_eq(fair_release(f, now, &holder), FAIR_OK);
	while (fair_next_event(f, &e)) {
		if (e.type == FAIR_EV_GRANTED)
			fair_confirm(f, now, &e.id);
	}
	cr_assert_eq(fair_pool_get(f, now, "p", &v), FAIR_OK);
	cr_assert_eq(v.wait.max_ns, 7 * SECOND);
	cr_assert_eq(fair_release(f, now, &waiter), FAIR_OK);

	/* "Over the last 5 to 10 minutes." */
	cr_assert_eq(fair_pool_get(f, now + 299 * SECOND, "p", &v), FAIR_OK);
	cr_assert_eq(v.wait.max_ns, 7 * SECOND);
	cr_assert_eq(fair_pool_get(f, now + 601 * SECOND, "p", &v), FAIR_OK);
	cr_assert_eq(fair_pool_get(f, now + 1202 * SECOND, "p", &v), FAIR_OK);
	cr_assert_eq(v.wait.max_ns, 0);
	cr_assert_eq(v.hold.p99_ns, 0);
	cr_assert_eq(v.granted_total, 102);
	fair_destroy(f);
}

Test(views, tell_all_of_a_lease)
{
	struct fair *f = fair_with_pool(2);
	struct fair_acquired got;
	struct fair_lease_view v;
	struct fair_request r = {.id = {{9}},
							 .pool = "p",
							 .tenant = "a",
							 .key = "k",
							 .key_len = 1,
							 .label = "worker-7",
							 .ttl_ns = 30 * SECOND,
							 .wait = true,
							 .auto_register = true};

	cr_assert_eq(fair_acquire(f, 5, &r, &got), FAIR_OK);
	cr_assert_eq(got.state, FAIR_ACTIVE);
	cr_assert_eq(fair_lease_get(f, 6, &r.id, &v), FAIR_OK);
	cr_assert_str_eq(v.pool, "p");
	cr_assert_str_eq(v.tenant, "a");
	cr_assert_str_eq(v.label, "worker-7");
	cr_assert(v.keyed && !v.confirmed && !v.claimed);
	cr_assert_eq(v.slots, 1);
	cr_assert_eq(v.slot_ids[0], 0);
	cr_assert_eq(v.deadline_ns, FAIR_NEVER);
	cr_assert_eq(v.arrived_ns, 5);
	cr_assert_eq(v.granted_ns, 5);
	fair_confirm(f, 8, &r.id);
	fair_claim(f, 9, &r.id);
	cr_assert_eq(fair_lease_get(f, 9, &r.id, &v), FAIR_OK);
	cr_assert(v.confirmed && v.claimed);
	cr_assert_eq(v.deadline_ns, 30 * SECOND + 8);
	cr_assert_eq(fair_lease_get(f, 30 * SECOND + 8, &r.id, &v), FAIR_OK);
	cr_assert_eq(v.state, FAIR_ENDED);
	cr_assert_eq(v.reason, FAIR_REASON_EXPIRED);
	cr_assert_eq(v.ended_ns, 30 * SECOND + 8);
	fair_destroy(f);
}

Test(views, name_every_error_reason_and_wait)
{
	cr_assert_str_eq(fair_err_code(FAIR_OK), "ok");
	cr_assert_str_eq(fair_err_code(FAIR_E_NO_MEMORY), "overloaded");
	cr_assert_str_eq(fair_err_code(FAIR_E_POOL_NOT_FOUND), "pool-not-found");
	cr_assert_str_eq(fair_reason_code(FAIR_REASON_LEFT), "left");
	cr_assert_str_eq(fair_reason_code(FAIR_REASON_PLACE_LOST), "place-lost");
	cr_assert_not_null(fair_reason_code(FAIR_REASON_NONE));
	cr_assert_str_eq(fair_wait_code(FAIR_WAIT_ABSENT), "absent");
	cr_assert_str_eq(fair_wait_code(FAIR_WAIT_POOL_FULL), "pool-full");
}
