/* SPDX-License-Identifier: MIT */
/* The share: the table of the design, min_share, calculators, and who counts as demanding. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "fair.h"
#include "story.h"

struct row {
	uint32_t demanding, share;
};

ParameterizedTestParameters(shares, ten_slots_are_shared_as_in_the_table)
{
	static struct row rows[] = {{1, 10}, {2, 5}, {3, 3}, {5, 2}, {10, 1}};

	return cr_make_param_array(struct row, rows, sizeof(rows) / sizeof(*rows));
}

ParameterizedTest(struct row *row, shares, ten_slots_are_shared_as_in_the_table)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {
		.pool = "p", .max_slots = 10, .min_share = 1, .max_waiting = 1000, .tenant_max_waiting = 1000};
	struct fair *f = fair_create(&config);
	struct fair_pool_view view;
	struct fair_tenant_view t;
	char name[16];
	bool created;
	uint8_t id = 0;

	cr_assert(f);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	for (uint32_t i = 0; i < 12; i++) { /* "Idle registered tenants reduce nobody's share." */
		snprintf(name, sizeof(name), "t%u", i);
		cr_assert_eq(fair_register(f, 0, "p", name, NULL, &created), FAIR_OK);
	}
	for (uint32_t round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < row->demanding; i++) {
			struct fair_acquired got;
			struct fair_event e;
			struct fair_request r = {
				.id = {{++id}}, .pool = "p", .tenant = name, .label = "", .ttl_ns = 1, .wait = true};

			snprintf(name, sizeof(name), "t%u", i);
			cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
			while (fair_next_event(f, &e))
				;
			fair_check(f, 0);
		}
	}
	cr_assert_eq(fair_pool_get(f, 0, "p", &view), FAIR_OK);
	cr_assert_eq(view.demanding, row->demanding);
	cr_assert_eq(view.share, row->share);
	for (uint32_t i = 0; i < row->demanding; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		cr_assert_eq(fair_tenant_get(f, "p", name, &t), FAIR_OK);
		cr_assert_eq(t.active_slots, row->share);
	}
	fair_destroy(f);
}

Test(shares, nobody_demanding_leaves_the_share_at_max_slots)
{
	story("pool p slots=10\n0 pool\n0 register a\n0 pool\n0 acquire a1 a\n0 acquire a2 a try\n1 release a1\n"
		  "1 release a2\n1 pool\n",
		  "[0] active 0 waiting 0 absent 0 demanding 0 share 10 tenants 0\n"
		  "[0] active 0 waiting 0 absent 0 demanding 0 share 10 tenants 1\n"
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a granted a2 slot 1 (share 2/10)\n"
		  "[1] a ended a1 released\n[1] a ended a2 released\n"
		  "[1] active 0 waiting 0 absent 0 demanding 0 share 10 tenants 1\n");
}

/* Each has more waiting than it can get; the first had all ten slots before the others came. */
Test(shares, four_always_demanding_tenants_over_ten_slots_with_min_share_3_turn_over_to_3_3_3_1)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {
		.pool = "p", .max_slots = 10, .min_share = 3, .max_waiting = 1000, .tenant_max_waiting = 1000};
	struct fair *f = fair_create(&config);
	struct fair_lease_view l;
	struct fair_event e;
	uint16_t next = 0;
	bool created;

	cr_assert(f);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	for (char tenant = 'a'; tenant <= 'd'; tenant++) {
		cr_assert_eq(fair_register(f, 0, "p", (char[]){tenant, 0}, NULL, &created), FAIR_OK);
		for (int i = 0; i < 60; i++) {
			struct fair_acquired got;
			struct fair_request r = {
				.pool = "p", .tenant = (char[]){tenant, 0}, .label = "", .ttl_ns = 1, .wait = true};

			next++;
			memcpy(r.id.bytes, &next, sizeof(next));
			cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
			while (fair_next_event(f, &e))
				;
		}
	}
	for (uint64_t now = 1; now <= 40; now++) {
		uint32_t three = 0, one = 0;

		cr_assert(fair_lease_next(f, "p", NULL, FAIR_ACTIVE, 0, &l));
		cr_assert_eq(fair_release(f, now, &l.id), FAIR_OK);
		while (fair_next_event(f, &e))
			;
		fair_check(f, now);
		for (char tenant = 'a'; tenant <= 'd'; tenant++) {
			struct fair_tenant_view t;

			cr_assert_eq(fair_tenant_get(f, "p", (char[]){tenant, 0}, &t), FAIR_OK);
			cr_assert_eq(t.share, 3);
			three += t.active_slots == 3;
			one += t.active_slots == 1;
		}
		cr_assert(now < 10 || (three == 3 && one == 1), "after %u releases %u hold three and %u one", (unsigned)now,
				  three, one);
	}
	fair_destroy(f);
}

Test(shares, a_calculator_in_c_decides_the_share)
{
	story("pool p slots=10 calculator=plus2\n0 register a\n0 register b\n0 acquire a1 a\n0 pool\n"
		  "0 acquire b1 b\n0 pool\n",
		  "[0] a granted a1 slot 0 (share 1/12)\n"
		  "[0] active 1 waiting 0 absent 0 demanding 1 share 12 tenants 2\n"
		  "[0] b granted b1 slot 1 (share 1/7)\n"
		  "[0] active 2 waiting 0 absent 0 demanding 2 share 7 tenants 2\n");
}

Test(shares, a_calculator_answers_at_most_two_to_the_31_less_1)
{
	story("pool p slots=2 calculator=huge\n0 register a\n0 acquire a1 a\n0 pool\n",
		  "[0] a granted a1 slot 0 (share 1/2147483647)\n"
		  "[0] active 1 waiting 0 absent 0 demanding 1 share 2147483647 tenants 1\n");
}

Test(shares, min_share_is_the_floor_of_a_calculator)
{
	story("pool p slots=10 calculator=zero min=2\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n"
		  "0 acquire a3 a\n0 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n"
		  "[0] a active 2 waiting 1 absent 0 share 2 anonymous\n");
}

Test(shares, a_failing_calculator_falls_back_to_equal_parts_and_is_counted)
{
	story("pool p slots=10 calculator=fails\n0 register a\n0 register b\n0 acquire a1 a\n0 totals\n"
		  "0 acquire b1 b\n0 totals\n0 pool\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[0] granted 1 released 0 expired 0 revoked 0 unclaimed 0 no_slot 0 failures 0\n"
		  "[0] b granted b1 slot 1 (share 1/5)\n"
		  "[0] granted 2 released 0 expired 0 revoked 0 unclaimed 0 no_slot 0 failures 1\n"
		  "[0] active 2 waiting 0 absent 0 demanding 2 share 5 tenants 2\n");
}

Test(shares, a_closing_tenant_does_not_demand)
{
	story("pool p slots=4\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire b1 b\n0 acquire b2 b\n"
		  "0 acquire b3 b\n1 unregister a\n1 pool\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n[0] b granted b1 slot 1 (share 1/2)\n"
		  "[0] b granted b2 slot 2 (share 2/2)\n[1] unregister a: closing\n"
		  "[1] b granted b3 slot 3 (share 3/4)\n"
		  "[1] active 4 waiting 0 absent 0 demanding 1 share 4 tenants 1\n");
}

Test(shares, a_tenant_above_its_new_share_keeps_what_it_holds_and_gets_no_more)
{
	story("pool p slots=4\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a\n"
		  "0 acquire a4 a\n0 acquire a5 a\n0 acquire b1 b\n0 acquire b2 b\n1 release a1\n2 release a2\n"
		  "3 release a3\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n[0] a granted a4 slot 3 (share 4/4)\n"
		  "[1] a ended a1 released\n[1] b granted b1 slot 0 (share 1/2)\n[2] a ended a2 released\n"
		  "[2] b granted b2 slot 1 (share 2/2)\n[3] a ended a3 released\n"
		  "[3] a granted a5 slot 2 (share 2/2)\n");
}
