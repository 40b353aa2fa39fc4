/* SPDX-License-Identifier: MIT */
/* Policy max-min, the policies of tenants, requests for several slots, and priority. */
#include "story.h"

#include <criterion/criterion.h>

/* ---- policy max-min ---- */

Test(max_min, no_slot_of_ten_idles_among_three_tenants)
{
	story("config tell=tenants\n"
		  "pool p slots=10 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire a1 a\n"
		  "0 acquire b1 b\n"
		  "0 acquire c1 c\n"
		  "0 acquire a2 a\n"
		  "0 acquire b2 b\n"
		  "0 acquire c2 c\n"
		  "0 acquire a3 a\n"
		  "0 acquire b3 b\n"
		  "0 acquire c3 c\n"
		  "0 acquire a4 a\n"
		  "0 acquire a5 a\n"
		  "0 acquire b4 b\n"
		  "600 pool\n"
		  "600 advance\n"
		  "600 tenant a\n"
		  "600 tenant b\n"
		  "600 tenant c\n",
		  "[0] a open (1)\n"
		  "[0] b open (1)\n"
		  "[0] c open (1)\n"
		  "[0] a granted a1 slot 0 (share 1/10)\n"
		  "[0] b granted b1 slot 1 (share 1/1)\n"
		  "[0] c granted c1 slot 2 (share 1/1)\n"
		  "[0] a granted a2 slot 3 (share 2/10)\n"
		  "[0] b granted b2 slot 4 (share 2/1)\n"
		  "[0] c granted c2 slot 5 (share 2/1)\n"
		  "[0] a granted a3 slot 6 (share 3/10)\n"
		  "[0] b granted b3 slot 7 (share 3/1)\n"
		  "[0] c granted c3 slot 8 (share 3/1)\n"
		  "[0] a granted a4 slot 9 (share 4/10)\n"
		  "[600] active 10 waiting 2 absent 0 demanding 3 share 0 tenants 3\n"
		  "[600] a active 4 waiting 1 absent 0 share 4 anonymous\n"
		  "[600] b active 3 waiting 1 absent 0 share 3 anonymous\n"
		  "[600] c active 3 waiting 0 absent 0 share 3 anonymous\n");
}

Test(max_min, what_one_tenant_does_not_want_the_other_has)
{
	story("pool p slots=10 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire b1 b\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire a4 a\n"
		  "0 acquire a5 a\n"
		  "0 acquire a6 a\n"
		  "0 acquire a7 a\n"
		  "0 acquire a8 a\n"
		  "0 acquire a9 a\n"
		  "0 acquire a10 a\n"
		  "600 advance\n"
		  "600 tenant a\n"
		  "600 tenant b\n",
		  "[0] b granted b1 slot 0 (share 1/1)\n"
		  "[0] a granted a1 slot 1 (share 1/10)\n"
		  "[0] a granted a2 slot 2 (share 2/10)\n"
		  "[0] a granted a3 slot 3 (share 3/10)\n"
		  "[0] a granted a4 slot 4 (share 4/10)\n"
		  "[0] a granted a5 slot 5 (share 5/10)\n"
		  "[0] a granted a6 slot 6 (share 6/10)\n"
		  "[0] a granted a7 slot 7 (share 7/10)\n"
		  "[0] a granted a8 slot 8 (share 8/10)\n"
		  "[0] a granted a9 slot 9 (share 9/10)\n"
		  "[600] a active 9 waiting 1 absent 0 share 9 anonymous\n"
		  "[600] b active 1 waiting 0 absent 0 share 1 anonymous\n");
}

Test(max_min, a_free_slot_goes_below_the_reserve_then_below_min_share_then_to_the_lowest_by_weight)
{
	story("pool p slots=6 min=2 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 policy a reserve=1\n"
		  "0 policy b weight=3000\n"
		  "0 hold\n"
		  "1 acquire c1 c\n"
		  "1 acquire c2 c\n"
		  "1 acquire c3 c\n"
		  "1 acquire b1 b\n"
		  "1 acquire b2 b\n"
		  "1 acquire b3 b\n"
		  "1 acquire b4 b\n"
		  "1 acquire a1 a\n"
		  "2 hold off\n",
		  "[2] a granted a1 slot 0 (share 1/6)\n"
		  "[2] c granted c1 slot 1 (share 2/2)\n"
		  "[2] c granted c2 slot 2 (share 2/2)\n"
		  "[2] b granted b1 slot 3 (share 3/2)\n"
		  "[2] b granted b2 slot 4 (share 3/2)\n"
		  "[2] b granted b3 slot 5 (share 3/2)\n");
}

/* ---- policies of tenants ---- */

Test(tenant_policies, a_reserve_is_held_free_for_its_tenant_that_is_served_at_once)
{
	story("pool p slots=3 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 policy a reserve=1\n"
		  "0 acquire b1 b\n"
		  "0 acquire b2 b\n"
		  "0 acquire b3 b\n"
		  "0 show b3\n"
		  "0 slots\n"
		  "1 acquire a1 a\n"
		  "1 slots\n"
		  "2 release a1\n"
		  "2 unregister a\n",
		  "[0] b granted b1 slot 0 (share 1/1)\n"
		  "[0] b granted b2 slot 1 (share 2/1)\n"
		  "[0] b3 pending position 1 ahead 0 reserved\n"
		  "[0] slots 3 active 2 debt 0 resting 0 reserved 1\n"
		  "[1] a granted a1 slot 2 (share 1/3)\n"
		  "[1] slots 3 active 3 debt 0 resting 0\n"
		  "[2] a ended a1 released\n"
		  "[2] unregister a: gone\n"
		  "[2] a gone\n"
		  "[2] b granted b3 slot 2 (share 3/1)\n");
}

Test(tenant_policies, those_below_their_reserves_do_not_wait_for_each_other_where_slots_are_cordoned)
{
	story("pool p slots=3 policy=max-min cordon=0,1\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 policy a reserve=1\n"
		  "0 policy b reserve=1\n"
		  "0 acquire c1 c\n"
		  "0 show c1\n"
		  "0 slots\n"
		  "1 acquire b1 b\n"
		  "1 acquire a1 a\n"
		  "1 acquire b2 b\n"
		  "1 show a1\n"
		  "2 release b1\n"
		  "3 release a1\n"
		  "4 release b2\n"
		  "4 show c1\n",
		  "[0] c1 pending position 1 ahead 0 reserved\n"
		  "[0] slots 3 active 0 debt 0 resting 0 cordoned 0,1 reserved 1\n"
		  "[1] b granted b1 slot 2 (share 1/1)\n"
		  "[1] a1 pending position 1 ahead 1 pool-full\n"
		  "[2] b ended b1 released\n"
		  "[2] a granted a1 slot 2 (share 1/3)\n"
		  "[3] a ended a1 released\n"
		  "[3] b granted b2 slot 2 (share 1/1)\n"
		  "[4] b ended b2 released\n"
		  "[4] c1 pending position 1 ahead 0 reserved\n");
}

Test(tenant_policies, nor_where_a_debt_or_a_rest_leaves_too_few)
{
	story("pool p slots=3 policy=max-min rest=1000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire c1 c\n"
		  "0 acquire c2 c\n"
		  "0 acquire c3 c\n"
		  "1 policy a reserve=1\n"
		  "1 policy b reserve=1\n"
		  "1 set slots=2\n"
		  "2 acquire b1 b\n"
		  "2 acquire a1 a\n"
		  "3 release c3\n"
		  "4 release c1\n"
		  "5 revoke b1\n"
		  "6 release c2\n"
		  "7 acquire b2 b\n"
		  "7 show b2\n"
		  "1005 advance\n",
		  "[0] c granted c1 slot 0 (share 1/1)\n"
		  "[0] c granted c2 slot 1 (share 2/1)\n"
		  "[0] c granted c3 slot 2 (share 3/1)\n"
		  "[3] c ended c3 released\n"
		  "[4] c ended c1 released\n"
		  "[4] b granted b1 slot 0 (share 1/1)\n"
		  "[5] b ended b1 revoked\n"
		  "[6] c ended c2 released\n"
		  "[6] a granted a1 slot 1 (share 1/3)\n"
		  "[7] b2 pending position 1 ahead 0 resting\n"
		  "[1005] b granted b2 slot 0 (share 1/1)\n");
}

Test(tenant_policies, a_request_beyond_its_reserve_waits_for_the_reserves_of_others)
{
	story("pool p slots=4 policy=max-min cordon=2,3\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 policy a reserve=1\n"
		  "0 policy b reserve=2\n"
		  "0 acquire a1 a slots=2\n"
		  "0 show a1\n"
		  "0 slots\n"
		  "1 acquire b1 b\n"
		  "1 show a1\n"
		  "1 slots\n"
		  "2 acquire b2 b\n"
		  "3 set cordon=3\n"
		  "4 release b2\n"
		  "5 release b1\n"
		  "6 set cordon=9\n",
		  "[0] a1 pending position 1 ahead 0 reserved\n"
		  "[0] slots 4 active 0 debt 0 resting 0 cordoned 2,3 reserved 2\n"
		  "[1] b granted b1 slot 0 (share 1/2)\n"
		  "[1] a1 pending position 1 ahead 0 pool-full\n"
		  "[1] slots 4 active 1 debt 0 resting 0 cordoned 2,3 reserved 1\n"
		  "[2] b granted b2 slot 1 (share 2/2)\n"
		  "[4] b ended b2 released\n"
		  "[5] b ended b1 released\n"
		  "[6] a granted a1 slots 0,1 (share 2/4)\n");
}

Test(tenant_policies, reserves_above_the_pool_are_refused_also_by_shrinking)
{
	story("pool p slots=4 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 policy a reserve=3\n"
		  "0 policy b reserve=2\n"
		  "0 policy b reserve=1\n"
		  "0 set slots=3\n"
		  "0 preset c reserve=1\n"
		  "0 policy b reserve=0\n"
		  "0 preset c reserve=1\n"
		  "0 preset c reserve=2\n"
		  "0 policy b reserve=1\n"
		  "0 preset c none\n"
		  "0 policy b reserve=1\n",
		  "[0] policy b: invalid-value\n"
		  "[0] set slots=3: invalid-value\n"
		  "[0] preset c: invalid-value\n"
		  "[0] preset c: invalid-value\n"
		  "[0] policy b: invalid-value\n");
}

Test(tenant_policies, equal_refuses_weight_and_reserve)
{
	story("pool p slots=4\n"
		  "0 register a\n"
		  "0 policy a weight=2000\n"
		  "0 policy a reserve=1\n"
		  "0 preset a reserve=1\n"
		  "0 policy a cap=2 waiting=1\n"
		  "0 set policy=max-min\n"
		  "0 policy a weight=2000\n"
		  "0 set policy=equal\n"
		  "0 policy a weight=1000\n"
		  "0 set policy=equal\n",
		  "[0] policy a: invalid-value\n"
		  "[0] policy a: invalid-value\n"
		  "[0] preset a: invalid-value\n"
		  "[0] set policy=equal: invalid-value\n");
}

Test(tenant_policies, equal_honours_caps_and_limits_of_waiters)
{
	story("pool p slots=4\n"
		  "0 register a\n"
		  "0 policy a cap=2 waiting=1\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 show a3\n"
		  "0 acquire a4 a\n"
		  "1 policy a cap=3\n"
		  "1 policy a\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a3 pending position 1 ahead 0 at-cap\n"
		  "[0] acquire a4: queue-full\n"
		  "[1] a granted a3 slot 2 (share 3/4)\n");
}

Test(tenant_policies, a_preset_is_what_a_tenant_begins_with)
{
	story("pool p slots=4 policy=max-min\n"
		  "0 preset a cap=1\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "1 policy a cap=2\n"
		  "2 release a1\n"
		  "2 release a2\n"
		  "2 unregister a\n"
		  "3 register a\n"
		  "3 acquire a3 a\n"
		  "3 acquire a4 a\n"
		  "4 preset a none\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[1] a granted a2 slot 1 (share 2/1)\n"
		  "[2] a ended a1 released\n"
		  "[2] a ended a2 released\n"
		  "[2] unregister a: gone\n"
		  "[2] a gone\n"
		  "[3] a granted a3 slot 0 (share 1/1)\n"
		  "[4] a granted a4 slot 1 (share 2/1)\n");
}

/* ---- requests for several slots ---- */

Test(big, a_request_for_several_slots_gets_all_or_nothing)
{
	story("pool p slots=3 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a1 a slots=2\n"
		  "0 acquire b1 b slots=2\n"
		  "0 acquire a2 a\n"
		  "1 release a2\n"
		  "1 release a1\n"
		  "1 show b1\n"
		  "2 release b1\n",
		  "[0] a granted a1 slots 0,1 (share 2/3)\n"
		  "[0] a granted a2 slot 2 (share 3/3)\n"
		  "[1] a ended a2 released\n"
		  "[1] a ended a1 released\n"
		  "[1] b granted b1 slots 0,1 (share 2/1)\n"
		  "[1] b1 active token 3 until 30001\n"
		  "[2] b ended b1 released\n");
}

Test(big, what_can_never_be_granted_is_refused)
{
	story("pool p slots=4 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a1 a slots=5\n"
		  "0 policy a cap=2\n"
		  "0 acquire a1 a slots=3\n"
		  "0 policy b reserve=3\n"
		  "0 acquire a1 a slots=2\n"
		  "0 acquire b1 b slots=4\n"
		  "1 acquire b2 b slots=4 key=k\n"
		  "1 policy a reserve=1\n"
		  "2 acquire b3 b slots=3\n"
		  "2 policy b reserve=1\n"
		  "2 acquire b4 b slots=3\n"
		  "2 set slots=3\n",
		  "[0] acquire a1: too-many-slots\n"
		  "[0] acquire a1: too-many-slots\n"
		  "[0] acquire a1: too-many-slots\n"
		  "[0] b granted b1 slots 0,1,2,3 (share 4/3)\n"
		  "[1] b placed b2\n"
		  "[1] b refused b2\n"
		  "[1] b ended b2 too-many-slots (waiting)\n"
		  "[2] b refused b3\n"
		  "[2] b ended b3 too-many-slots (waiting)\n"
		  "[2] b refused b4\n"
		  "[2] b ended b4 too-many-slots (waiting)\n");
}

Test(big, a_big_request_that_was_passed_over_has_slots_saved_for_it_after_pass_over)
{
	story("pool p slots=3 policy=max-min pass_over=5000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire c1 c\n"
		  "0 acquire c2 c\n"
		  "0 acquire c3 c\n"
		  "1 acquire b1 b slots=3\n"
		  "2 acquire a1 a\n"
		  "3 acquire a2 a\n"
		  "10 release c1\n"
		  "10 deadline\n"
		  "100 release c2\n"
		  "5009 slots\n"
		  "5010 advance\n"
		  "5010 slots\n"
		  "5011 acquire c4 c\n"
		  "5011 show a2\n"
		  "5020 release a1\n"
		  "5020 slots\n"
		  "5020 show c4\n"
		  "5030 release a2\n"
		  "5040 release c3\n"
		  "5040 slots\n"
		  "5050 release b1\n",
		  "[0] c granted c1 slot 0 (share 1/1)\n"
		  "[0] c granted c2 slot 1 (share 2/1)\n"
		  "[0] c granted c3 slot 2 (share 3/1)\n"
		  "[10] c ended c1 released\n"
		  "[10] a granted a1 slot 0 (share 1/3)\n"
		  "[10] deadline 12\n"
		  "[100] c ended c2 released\n"
		  "[100] a granted a2 slot 1 (share 2/1)\n"
		  "[5009] slots 3 active 3 debt 0 resting 0\n"
		  "[5010] slots 3 active 3 debt 0 resting 0\n"
		  "[5011] a2 active token 5 until 30100\n"
		  "[5020] a ended a1 released\n"
		  "[5020] slots 3 active 2 debt 0 resting 0 saved 1\n"
		  "[5020] c4 pending position 1 ahead 1 saving\n"
		  "[5030] a ended a2 released\n"
		  "[5040] c ended c3 released\n"
		  "[5040] b granted b1 slots 0,1,2 (share 3/2)\n"
		  "[5040] slots 3 active 3 debt 0 resting 0\n"
		  "[5050] b ended b1 released\n"
		  "[5050] c granted c4 slot 0 (share 1/1)\n");
}

Test(big, short_of_the_reserves_slots_are_saved_for_one_that_smaller_ones_pass_over)
{
	story("pool p slots=7 policy=max-min cordon=2,3,4,5,6 pass_over=1000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 policy a reserve=2\n"
		  "0 policy b reserve=4\n"
		  "0 acquire b1 b\n"
		  "0 acquire b2 b\n"
		  "1 acquire a1 a slots=2\n"
		  "2 acquire b3 b\n"
		  "3 acquire c1 c\n"
		  "10 release b1\n"
		  "1010 advance\n"
		  "1020 release b2\n"
		  "1020 slots\n"
		  "1020 acquire b4 b\n"
		  "1020 show b4\n"
		  "1020 show c1\n"
		  "1020 show a1\n"
		  "1030 release b3\n"
		  "1040 release a1\n",
		  "[0] b granted b1 slot 0 (share 1/4)\n"
		  "[0] b granted b2 slot 1 (share 2/4)\n"
		  "[10] b ended b1 released\n"
		  "[10] b granted b3 slot 0 (share 2/4)\n"
		  "[1020] b ended b2 released\n"
		  "[1020] slots 7 active 1 debt 0 resting 0 cordoned 2,3,4,5,6 saved 1\n"
		  "[1020] b4 pending position 1 ahead 2 saving\n"
		  "[1020] c1 pending position 1 ahead 1 reserved\n"
		  "[1020] a1 pending position 1 ahead 0 pool-full\n"
		  "[1030] b ended b3 released\n"
		  "[1030] a granted a1 slots 0,1 (share 2/2)\n"
		  "[1040] a ended a1 released\n"
		  "[1040] b granted b4 slot 0 (share 1/1)\n");
}

Test(big, under_equal_too_slots_are_saved)
{
	story("pool p slots=4 pass_over=1000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire a4 a\n"
		  "1 acquire b1 b slots=3\n"
		  "2 acquire c1 c\n"
		  "10 release a1\n"
		  "1009 release c1\n"
		  "1009 acquire c2 c\n"
		  "1010 release c2\n"
		  "1010 acquire c3 c\n"
		  "1010 show c3\n"
		  "1010 slots\n"
		  "1020 release a2\n"
		  "1030 release a3\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n"
		  "[0] a granted a4 slot 3 (share 4/4)\n"
		  "[10] a ended a1 released\n"
		  "[10] c granted c1 slot 0 (share 1/1)\n"
		  "[1009] c ended c1 released\n"
		  "[1009] c granted c2 slot 0 (share 1/1)\n"
		  "[1010] c ended c2 released\n"
		  "[1010] c3 pending position 1 ahead 1 saving\n"
		  "[1010] slots 4 active 3 debt 0 resting 0 saved 1\n"
		  "[1020] a ended a2 released\n"
		  "[1030] a ended a3 released\n"
		  "[1030] b granted b1 slots 0,1,2 (share 3/1)\n");
}

Test(big, absence_drops_the_saving_and_costs_a_full_pass_over_again)
{
	story("pool p slots=2 policy=max-min pass_over=1000\n"
		  "config grace=100000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "1 acquire b1 b slots=2 key=k\n"
		  "2 acquire a3 a\n"
		  "10 release a1\n"
		  "1010 advance\n"
		  "1020 release a3\n"
		  "1020 slots\n"
		  "1030 detach b1\n"
		  "1030 slots\n"
		  "1040 acquire a4 a\n"
		  "1050 attach b1\n"
		  "1060 acquire a5 a\n"
		  "1070 release a4\n"
		  "1080 release a5\n"
		  "1080 slots\n"
		  "1090 release a2\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n"
		  "[0] a granted a2 slot 1 (share 2/2)\n"
		  "[1] b placed b1\n"
		  "[10] a ended a1 released\n"
		  "[10] a granted a3 slot 0 (share 2/2)\n"
		  "[1020] a ended a3 released\n"
		  "[1020] slots 2 active 1 debt 0 resting 0 saved 1\n"
		  "[1030] slots 2 active 1 debt 0 resting 0\n"
		  "[1040] a granted a4 slot 0 (share 2/1)\n"
		  "[1070] a ended a4 released\n"
		  "[1070] a granted a5 slot 0 (share 2/1)\n"
		  "[1080] a ended a5 released\n"
		  "[1080] slots 2 active 1 debt 0 resting 0\n"
		  "[1090] a ended a2 released\n"
		  "[1090] b granted b1 slots 0,1 (share 2/1)\n");
}

Test(big, one_request_at_a_time_has_slots_saved)
{
	story("pool p slots=4 policy=max-min pass_over=1000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire a1 a slots=2\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "1 acquire b1 b slots=3\n"
		  "1 acquire c1 c slots=4\n"
		  "2 acquire a4 a\n"
		  "10 release a2\n"
		  "1010 advance\n"
		  "1020 release a3\n"
		  "1020 slots\n"
		  "1030 release a1\n"
		  "1030 slots\n"
		  "1040 release b1\n"
		  "1050 release a4\n",
		  "[0] a granted a1 slots 0,1 (share 2/4)\n"
		  "[0] a granted a2 slot 2 (share 3/4)\n"
		  "[0] a granted a3 slot 3 (share 4/4)\n"
		  "[10] a ended a2 released\n"
		  "[10] a granted a4 slot 2 (share 4/4)\n"
		  "[1020] a ended a3 released\n"
		  "[1020] slots 4 active 3 debt 0 resting 0 saved 1\n"
		  "[1030] a ended a1 released\n"
		  "[1030] b granted b1 slots 0,1,3 (share 3/2)\n"
		  "[1030] slots 4 active 4 debt 0 resting 0\n"
		  "[1040] b ended b1 released\n"
		  "[1050] a ended a4 released\n"
		  "[1050] c granted c1 slots 0,1,2,3 (share 4/3)\n");
}

Test(big, under_equal_a_tenant_that_holds_nothing_may_take_more_than_its_share)
{
	story("pool p slots=4\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire b1 b\n"
		  "0 acquire a1 a slots=3\n"
		  "0 acquire a2 a\n"
		  "0 show a2\n",
		  "[0] b granted b1 slot 0 (share 1/4)\n"
		  "[0] a granted a1 slots 1,2,3 (share 3/2)\n"
		  "[0] a2 pending position 1 ahead 0 at-share\n");
}

Test(big, a_withdrawn_big_grant_gives_all_its_slots_back)
{
	story("config commit=none\n"
		  "pool p slots=3 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a1 a slots=3\n"
		  "0 acquire b1 b\n"
		  "1 withdraw a1\n",
		  "[0] a granted a1 slots 0,1,2 (share 3/3)\n"
		  "[1] a withdrawn a1\n"
		  "[1] a granted a1 slots 0,1,2 (share 3/3)\n");
}

/* ---- priority ---- */

Test(priority, a_step_of_priority_counts_as_earlier_arrival_within_the_tenant)
{
	story("pool p slots=1 step=30000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a0 a ttl=90000\n"
		  "1 acquire low a priority=-1\n"
		  "29000 acquire b1 b\n"
		  "30002 acquire mid a\n"
		  "30003 acquire high a priority=1\n"
		  "30003 show high\n"
		  "30003 show mid\n"
		  "30003 show low\n"
		  "30010 release a0\n"
		  "30020 release b1\n"
		  "30030 release high\n"
		  "30040 release low\n"
		  "30050 release mid\n",
		  "[0] a granted a0 slot 0 (share 1/1)\n"
		  "[30003] high pending position 1 ahead 3 at-share\n"
		  "[30003] mid pending position 3 ahead 2 at-share\n"
		  "[30003] low pending position 2 ahead 0 at-share\n"
		  "[30010] a ended a0 released\n"
		  "[30010] b granted b1 slot 0 (share 1/1)\n"
		  "[30020] b ended b1 released\n"
		  "[30020] a granted high slot 0 (share 1/1)\n"
		  "[30030] a ended high released\n"
		  "[30030] a granted low slot 0 (share 1/1)\n"
		  "[30040] a ended low released\n"
		  "[30040] a granted mid slot 0 (share 1/1)\n"
		  "[30050] a ended mid released\n");
}

Test(priority, the_priority_step_may_change_while_some_wait)
{
	story("pool p slots=1 step=0\n"
		  "0 register a\n"
		  "0 acquire a0 a\n"
		  "1 acquire low a\n"
		  "2 acquire high a priority=1\n"
		  "3 show high\n"
		  "4 set step=1000\n"
		  "4 show high\n"
		  "5 release a0\n",
		  "[0] a granted a0 slot 0 (share 1/1)\n"
		  "[3] high pending position 2 ahead 1 at-share\n"
		  "[4] high pending position 1 ahead 1 at-share\n"
		  "[5] a ended a0 released\n"
		  "[5] a granted high slot 0 (share 1/1)\n");
}

/* ---- live pools, and why ---- */

Test(policies, a_live_change_of_policy_grants_at_once)
{
	story("pool p slots=10\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire b1 b\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire a4 a\n"
		  "0 acquire a5 a\n"
		  "0 acquire a6 a\n"
		  "0 acquire a7 a\n"
		  "0 show a6\n"
		  "1 set policy=max-min\n",
		  "[0] b granted b1 slot 0 (share 1/10)\n"
		  "[0] a granted a1 slot 1 (share 1/5)\n"
		  "[0] a granted a2 slot 2 (share 2/5)\n"
		  "[0] a granted a3 slot 3 (share 3/5)\n"
		  "[0] a granted a4 slot 4 (share 4/5)\n"
		  "[0] a granted a5 slot 5 (share 5/5)\n"
		  "[0] a6 pending position 1 ahead 0 at-share\n"
		  "[1] a granted a6 slot 6 (share 7/7)\n"
		  "[1] a granted a7 slot 7 (share 7/7)\n");
}

Test(policies, why_a_waiter_waits)
{
	story("pool p slots=3 policy=max-min pass_over=1000\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 policy c cap=1\n"
		  "0 acquire c1 c\n"
		  "0 acquire c2 c\n"
		  "0 show c2\n"
		  "0 policy a reserve=1\n"
		  "0 acquire b1 b\n"
		  "0 acquire b2 b\n"
		  "0 show b2\n",
		  "[0] c granted c1 slot 0 (share 1/1)\n"
		  "[0] c2 pending position 1 ahead 0 at-cap\n"
		  "[0] b granted b1 slot 1 (share 1/1)\n"
		  "[0] b2 pending position 1 ahead 1 reserved\n");
}
