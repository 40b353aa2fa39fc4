/* SPDX-License-Identifier: MIT */
/* "Jain's index over demanding tenants, weighted, in stats." */
#include <criterion/criterion.h>

#include "fair.h"
#include "story.h"

Test(fairness, is_1_while_fewer_than_two_demand)
{
	story("pool p slots=4\n"
		  "0 fairness\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "1 fairness\n",
		  "[0] fairness 1.000\n"
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[1] fairness 1.000\n");
}

/* (3 + 1)^2 / (2 * (9 + 1)) = 0.8, and with a third that has nothing 16 / 30. */
Test(fairness, falls_with_what_some_have_more_than_others)
{
	story("pool p slots=4\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire b1 b\n"
		  "1 fairness\n"
		  "2 acquire c1 c\n"
		  "2 fairness\n"
		  "3 release a1\n"
		  "3 release a2\n"
		  "4 fairness\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n"
		  "[0] b granted b1 slot 3 (share 1/2)\n"
		  "[1] fairness 0.800\n"
		  "[2] fairness 0.533\n"
		  "[3] a ended a1 released\n"
		  "[3] c granted c1 slot 0 (share 1/1)\n"
		  "[3] a ended a2 released\n"
		  "[4] fairness 1.000\n");
}

Test(fairness, leaves_out_tenants_that_do_not_demand)
{
	story("pool p slots=4\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 register d\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire b1 b\n"
		  "0 acquire c1 c\n"
		  "1 unregister c\n"
		  "1 fairness\n"
		  "2 release b1\n"
		  "2 fairness\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] b granted b1 slot 2 (share 1/2)\n"
		  "[0] c granted c1 slot 3 (share 1/1)\n"
		  "[1] unregister c: closing\n"
		  "[1] fairness 0.900\n"
		  "[2] b ended b1 released\n"
		  "[2] fairness 1.000\n");
}

static void acquire(struct fair *f, uint8_t number, const char *tenant)
{
	struct fair_request r = {
		.id = {{number}}, .pool = "p", .tenant = tenant, .label = "", .ttl_ns = 1000, .wait = true};
	struct fair_acquired got;

	cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
	cr_assert_eq(got.state, FAIR_ACTIVE);
	fair_check(f, 0);
}

static double fairness(struct fair *f)
{
	struct fair_pool_view p;

	cr_assert_eq(fair_pool_get(f, 0, "p", &p), FAIR_OK);
	return p.fairness_index;
}

Test(fairness, is_weighted)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {.pool = "p",
	                                .max_slots = 4,
	                                .min_share = 1,
	                                .max_waiting = 9,
	                                .tenant_max_waiting = 9,
	                                .policy = FAIR_POLICY_MAX_MIN};
	struct fair_tenant_policy heavy = {.weight = 3000};
	struct fair *f = fair_create(&config);
	bool created;

	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	cr_assert_eq(fair_register(f, 0, "p", "a", NULL, &created), FAIR_OK);
	cr_assert_eq(fair_register(f, 0, "p", "b", NULL, &created), FAIR_OK);
	acquire(f, 1, "a");
	acquire(f, 2, "a");
	acquire(f, 3, "a");
	acquire(f, 4, "b");
	cr_assert_float_eq(fairness(f), 0.8, 1e-9);
	cr_assert_eq(fair_tenant_set(f, 0, "p", "a", &heavy), FAIR_OK);
	fair_check(f, 0);
	cr_assert_float_eq(fairness(f), 1, 1e-9);
	fair_destroy(f);
}
