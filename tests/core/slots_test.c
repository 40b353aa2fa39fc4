/* SPDX-License-Identifier: MIT */
/* Slots as things: cordons, rests, pools that shrink, grow and drain, and the longest life of a lease. */
#include <criterion/criterion.h>

#include "story.h"

/* "`cordon` of single slots: no new grant" */
Test(slots, a_cordoned_slot_is_not_granted)
{
	story("pool p slots=3 cordon=0,2\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "1 show a2\n"
		  "2 slots\n",
		  "[0] a granted a1 slot 1 (share 1/3)\n"
		  "[1] a2 pending position 1 ahead 0 pool-full\n"
		  "[2] slots 3 active 1 debt 0 resting 0 cordoned 0,2\n");
}

Test(slots, a_lease_on_a_cordoned_slot_goes_on_and_its_slot_stays_away)
{
	story("pool p slots=2\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "1 set cordon=0\n"
		  "2 heartbeat a1\n"
		  "3 release a1\n"
		  "4 release a2\n"
		  "5 acquire a4 a\n"
		  "6 set cordon=\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n"
		  "[0] a granted a2 slot 1 (share 2/2)\n"
		  "[3] a ended a1 released\n"
		  "[4] a ended a2 released\n"
		  "[4] a granted a3 slot 1 (share 1/2)\n"
		  "[6] a granted a4 slot 0 (share 2/2)\n");
}

Test(slots, a_cordon_outlives_a_pool_that_shrinks_below_it)
{
	story("pool p slots=3 cordon=2\n"
		  "0 register a\n"
		  "1 set slots=1\n"
		  "2 set slots=4\n"
		  "3 acquire a1 a\n"
		  "3 acquire a2 a\n"
		  "3 acquire a3 a\n",
		  "[3] a granted a1 slot 0 (share 1/4)\n"
		  "[3] a granted a2 slot 1 (share 2/4)\n"
		  "[3] a granted a3 slot 3 (share 3/4)\n");
}

/* "the slots of a lease that ended as expired, revoked, max-lease or unclaimed rest that long ..." */
Test(slots, the_slot_of_an_expired_lease_rests)
{
	story("pool p slots=1 rest=500\n"
		  "0 register a\n"
		  "0 acquire a1 a ttl=100\n"
		  "0 acquire a2 a\n"
		  "100 advance\n"
		  "100 show a2\n"
		  "100 slots\n"
		  "100 deadline\n"
		  "599 advance\n"
		  "600 advance\n"
		  "600 slots\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[100] a ended a1 expired\n"
		  "[100] a2 pending position 1 ahead 0 resting\n"
		  "[100] slots 1 active 0 debt 0 resting 1\n"
		  "[100] deadline 600\n"
		  "[600] a granted a2 slot 0 (share 1/1)\n"
		  "[600] slots 1 active 1 debt 0 resting 0\n");
}

Test(slots, the_slot_of_a_revoked_lease_rests)
{
	story("pool p slots=2 rest=500\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "10 revoke a1\n"
		  "10 acquire a2 a\n"
		  "10 acquire a3 a\n"
		  "510 advance\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n"
		  "[10] a ended a1 revoked\n"
		  "[10] a granted a2 slot 1 (share 1/2)\n"
		  "[510] a granted a3 slot 0 (share 2/2)\n");
}

Test(slots, the_slot_of_a_lease_that_was_forced_out_rests)
{
	story("pool p slots=1 rest=500\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a1 a\n"
		  "0 acquire b1 b\n"
		  "10 unregister a force\n"
		  "510 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[10] unregister a: gone\n"
		  "[10] a ended a1 revoked\n"
		  "[10] a gone\n"
		  "[510] b granted b1 slot 0 (share 1/1)\n");
}

Test(slots, the_slot_of_an_unclaimed_lease_rests)
{
	story("config commit=confirm\n"
		  "pool p slots=1 rest=500\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "10 detach a1\n"
		  "509 advance\n"
		  "510 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[10] a ended a1 unclaimed\n"
		  "[510] a granted a2 slot 0 (share 1/1)\n");
}

Test(slots, the_slot_of_a_lease_that_lived_its_longest_rests)
{
	story("pool p slots=1 rest=500 max_lease=100\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "100 advance\n"
		  "600 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[100] a ended a1 max-lease\n"
		  "[600] a granted a2 slot 0 (share 1/1)\n");
}

/* "... never after a release" */
Test(slots, no_slot_rests_after_a_release)
{
	story("pool p slots=1 rest=500\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a key=k\n"
		  "10 release a1\n"
		  "20 cancel a key=k\n"
		  "20 slots\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[0] a placed a2\n"
		  "[10] a ended a1 released\n"
		  "[10] a granted a2 slot 0 (share 1/1)\n"
		  "[20] a ended a2 released\n"
		  "[20] slots 1 active 0 debt 0 resting 0\n");
}

Test(slots, no_slot_rests_after_a_grant_that_was_withdrawn)
{
	story("config commit=none\n"
		  "pool p slots=1 rest=500\n"
		  "0 register a\n"
		  "0 acquire a1 a try\n"
		  "0 hold\n"
		  "10 withdraw a1\n"
		  "20 hold off\n"
		  "20 acquire a2 a\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[10] a withdrawn a1\n"
		  "[20] a granted a2 slot 0 (share 1/1)\n");
}

/* "Lowest free and rested first." */
Test(slots, the_lowest_slot_that_has_rested_is_granted_first)
{
	story("pool p slots=3 rest=100\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "10 revoke a2\n"
		  "20 revoke a1\n"
		  "30 release a3\n"
		  "40 acquire a4 a\n"
		  "120 acquire a5 a\n"
		  "120 acquire a6 a\n",
		  "[0] a granted a1 slot 0 (share 1/3)\n"
		  "[0] a granted a2 slot 1 (share 2/3)\n"
		  "[0] a granted a3 slot 2 (share 3/3)\n"
		  "[10] a ended a2 revoked\n"
		  "[20] a ended a1 revoked\n"
		  "[30] a ended a3 released\n"
		  "[40] a granted a4 slot 2 (share 1/3)\n"
		  "[120] a granted a5 slot 0 (share 2/3)\n"
		  "[120] a granted a6 slot 1 (share 3/3)\n");
}

Test(slots, another_rest_counts_for_the_slots_that_rest_already)
{
	story("pool p slots=2 rest=500\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire a4 a\n"
		  "10 revoke a1\n"
		  "20 set rest=1000\n"
		  "520 advance\n"
		  "600 set rest=100\n"
		  "610 revoke a2\n"
		  "620 set rest=0\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n"
		  "[0] a granted a2 slot 1 (share 2/2)\n"
		  "[10] a ended a1 revoked\n"
		  "[600] a granted a3 slot 0 (share 2/2)\n"
		  "[610] a ended a2 revoked\n"
		  "[620] a granted a4 slot 1 (share 2/2)\n");
}

Test(slots, rests_begin_with_the_setting_and_stay_when_the_pool_grows)
{
	story("pool p slots=1\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "10 set rest=500\n"
		  "20 revoke a1\n"
		  "30 set slots=2\n"
		  "30 acquire a2 a\n"
		  "30 acquire a3 a\n"
		  "40 set slots=1\n"
		  "40 slots\n"
		  "520 advance\n"
		  "520 slots\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[20] a ended a1 revoked\n"
		  "[30] a granted a2 slot 1 (share 1/2)\n"
		  "[40] slots 1 active 1 debt 0 resting 1\n"
		  "[520] slots 1 active 1 debt 0 resting 0\n");
}

Test(slots, a_cordoned_slot_that_has_rested_stays_away)
{
	story("pool p slots=1 rest=100\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "10 set cordon=0\n"
		  "20 revoke a1\n"
		  "120 advance\n"
		  "130 show a2\n"
		  "140 set cordon=\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[20] a ended a1 revoked\n"
		  "[130] a2 pending position 1 ahead 0 pool-full\n"
		  "[140] a granted a2 slot 0 (share 1/1)\n");
}

/* "shrinking never kills, it waits for leases to end (stats show the debt; slot ids at or above max_slots are not given
 * out again)" */
Test(slots, shrinking_waits_for_leases_to_end_and_shows_the_debt)
{
	story("pool p slots=4\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire a4 a\n"
		  "0 acquire a5 a\n"
		  "0 acquire a6 a\n"
		  "10 set slots=2\n"
		  "10 slots\n"
		  "20 release a1\n"
		  "20 slots\n"
		  "30 release a4\n"
		  "30 slots\n"
		  "40 release a3\n"
		  "50 release a2\n"
		  "60 slots\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n"
		  "[0] a granted a4 slot 3 (share 4/4)\n"
		  "[10] slots 2 active 4 debt 2 resting 0\n"
		  "[20] a ended a1 released\n"
		  "[20] slots 2 active 3 debt 1 resting 0\n"
		  "[30] a ended a4 released\n"
		  "[30] slots 2 active 2 debt 0 resting 0\n"
		  "[40] a ended a3 released\n"
		  "[40] a granted a5 slot 0 (share 2/2)\n"
		  "[50] a ended a2 released\n"
		  "[50] a granted a6 slot 1 (share 2/2)\n"
		  "[60] slots 2 active 2 debt 0 resting 0\n");
}

/* "growing grants at once" */
Test(slots, growing_grants_at_once)
{
	story("pool p slots=1\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "10 set slots=3\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[10] a granted a2 slot 1 (share 3/3)\n"
		  "[10] a granted a3 slot 2 (share 3/3)\n");
}

/* "`draining: true` lets leases finish and grants nothing" */
Test(slots, a_draining_pool_lets_leases_finish_and_grants_nothing)
{
	story("pool p slots=2\n"
		  "0 register a\n"
		  "0 acquire a1 a ttl=100\n"
		  "10 set draining=1\n"
		  "10 acquire a2 a\n"
		  "20 show a2\n"
		  "30 acquire a3 a try\n"
		  "50 heartbeat a1\n"
		  "60 release a1\n"
		  "70 slots\n"
		  "80 set draining=0\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n"
		  "[20] a2 pending position 1 ahead 0 pool-draining\n"
		  "[30] acquire a3: no-slot\n"
		  "[30] position 2 ahead 1 active 1 share 2 waiting 1 pool-draining\n"
		  "[60] a ended a1 released\n"
		  "[70] slots 2 active 0 debt 0 resting 0 draining\n"
		  "[80] a granted a2 slot 0 (share 1/2)\n");
}

Test(slots, one_pool_drains_and_another_goes_on)
{
	story("pool p slots=1 draining=1\n"
		  "pool q slots=1\n"
		  "0 register a\n"
		  "0 register a @q\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a @q\n",
		  "[0] a granted a2 slot 0 (share 1/1)\n");
}

/* ---- the longest life ---- */

/* "`max_lease_seconds` per pool and per lease (ended as `max-lease`)" */
Test(max_lease, a_lease_ends_when_the_pool_says_whatever_its_heartbeats)
{
	story("pool p slots=1 max_lease=250\n"
		  "0 register a\n"
		  "0 acquire a1 a ttl=100\n"
		  "90 heartbeat a1\n"
		  "180 heartbeat a1\n"
		  "240 heartbeat a1\n"
		  "249 advance\n"
		  "250 heartbeat a1\n"
		  "251 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[250] heartbeat a1: lease-ended\n"
		  "[250] a ended a1 max-lease\n"
		  "[251] a1 ended max-lease at 250\n");
}

Test(max_lease, a_request_can_ask_for_a_shorter_life_and_for_none_longer)
{
	story("pool p slots=3 max_lease=200\n"
		  "0 register a\n"
		  "0 acquire a1 a max_lease=100\n"
		  "0 acquire a2 a max_lease=300\n"
		  "0 acquire a3 a\n"
		  "100 advance\n"
		  "199 advance\n"
		  "200 advance\n",
		  "[0] a granted a1 slot 0 (share 1/3)\n"
		  "[0] a granted a2 slot 1 (share 2/3)\n"
		  "[0] a granted a3 slot 2 (share 3/3)\n"
		  "[100] a ended a1 max-lease\n"
		  "[200] a ended a2 max-lease\n"
		  "[200] a ended a3 max-lease\n");
}

Test(max_lease, counts_from_the_grant_and_not_from_the_arrival)
{
	story("pool p slots=1\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a max_lease=100\n"
		  "500 release a1\n"
		  "599 advance\n"
		  "600 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[500] a ended a1 released\n"
		  "[500] a granted a2 slot 0 (share 1/1)\n"
		  "[600] a ended a2 max-lease\n");
}

Test(max_lease, another_value_of_the_pool_is_for_the_next_grants)
{
	story("pool p slots=2 max_lease=1000\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "10 set max_lease=100\n"
		  "10 acquire a2 a\n"
		  "110 advance\n"
		  "999 advance\n"
		  "1000 advance\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n"
		  "[10] a granted a2 slot 1 (share 2/2)\n"
		  "[110] a ended a2 max-lease\n"
		  "[1000] a ended a1 max-lease\n");
}

Test(max_lease, an_unconfirmed_grant_has_none)
{
	story("config commit=none\n"
		  "pool p slots=1 max_lease=100\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "150 advance\n"
		  "160 confirm a1\n"
		  "160 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[160] a ended a1 max-lease\n"
		  "[160] a1 ended max-lease at 160\n");
}

Test(max_lease, a_withdrawn_grant_is_given_all_of_it_again)
{
	story("config commit=none\n"
		  "pool p slots=1 max_lease=100\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "10 hold\n"
		  "50 withdraw a1\n"
		  "60 hold off\n"
		  "60 confirm a1\n"
		  "159 advance\n"
		  "160 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[50] a withdrawn a1\n"
		  "[60] a granted a1 slot 0 (share 1/1)\n"
		  "[160] a ended a1 max-lease\n");
}

Test(max_lease, a_ttl_that_ends_first_is_expired)
{
	story("pool p slots=1 max_lease=100\n"
		  "0 register a\n"
		  "0 acquire a1 a ttl=99\n"
		  "99 advance\n"
		  "100 acquire a2 a ttl=100\n"
		  "200 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[99] a ended a1 expired\n"
		  "[100] a granted a2 slot 0 (share 1/1)\n"
		  "[200] a ended a2 max-lease\n");
}

Test(slots, nobody_waits_for_the_rest_of_a_slot_that_is_cordoned_as_well)
{
	story("pool p slots=1 rest=1000\n0 register a\n0 acquire a1 a\n10 revoke a1\n10 set cordon=0\n20 acquire a2 a try\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[10] a ended a1 revoked\n[20] acquire a2: no-slot\n"
		  "[20] position 1 ahead 0 active 0 share 1 waiting 0 pool-full\n");
}

/* The two that are reserved for a are usable for a2, but saved for a1. */
Test(slots, who_stands_behind_a_saving_of_its_own_tenant_is_told_so)
{
	story("pool p slots=5 policy=max-min pass_over=100\n0 register a\n0 register b\n0 policy a reserve=2\n"
		  "0 acquire b1 b slots=2 ttl=9000\n0 acquire a1 a slots=4 ttl=9000\n0 acquire b2 b ttl=9000\n"
		  "1 acquire a2 a\n1 show a2\n200 show a2\n",
		  "[0] b granted b1 slots 0,1 (share 2/1)\n[0] b granted b2 slot 2 (share 3/1)\n"
		  "[1] a2 pending position 2 ahead 1 pool-full\n[200] a2 pending position 2 ahead 1 saving\n");
}
