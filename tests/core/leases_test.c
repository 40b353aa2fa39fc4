/* SPDX-License-Identifier: MIT */
/* Holding: ttl, heartbeats, ends and what is remembered of them, slots, tokens. */
#include <criterion/criterion.h>

#include "fair.h"
#include "story.h"

Test(leases, expires_at_its_deadline_not_before)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a ttl=30000\n0 acquire a2 a\n0 deadline\n"
		  "29999 advance\n29999 show a1\n30000 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] deadline 30000\n[29999] a1 active token 1 until 30000\n"
		  "[30000] a ended a1 expired\n[30000] a granted a2 slot 0 (share 1/1)\n");
}

Test(leases, is_ended_from_its_deadline_on_for_every_call_swept_or_not)
{
	story("config budget=1\npool p slots=4\n0 register a\n0 acquire a1 a ttl=10\n0 acquire a2 a ttl=10\n"
		  "0 acquire a3 a ttl=10\n0 acquire a4 a ttl=10\n10 heartbeat a4\n10 show a4\n11 advance\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n[0] a granted a4 slot 3 (share 4/4)\n"
		  "[10] heartbeat a4: lease-ended\n[10] a ended a1 expired\n[10] a ended a4 expired\n"
		  "[10] a ended a2 expired\n[10] a ended a3 expired\n[10] a4 ended expired at 10\n");
}

Test(leases, a_heartbeat_renews_for_the_ttl_from_now)
{
	story("pool p\n0 register a\n0 acquire a1 a ttl=1000\n900 heartbeat a1\n1899 advance\n1899 show a1\n"
		  "1900 heartbeat a1\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[1899] a1 active token 1 until 1900\n"
		  "[1900] heartbeat a1: lease-ended\n[1900] a ended a1 expired\n");
}

Test(leases, a_heartbeat_may_set_a_new_ttl)
{
	story("pool p\n0 register a\n0 acquire a1 a ttl=1000\n500 heartbeat a1 ttl=9000\n"
		  "500 heartbeat a1 ttl=9000\n600 heartbeat a1\n600 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[500] a renewed a1\n[600] a1 active token 1 until 9600\n");
}

Test(leases, a_heartbeat_of_what_is_pending_ended_or_unknown_is_refused)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 heartbeat a2\n0 heartbeat zz\n"
		  "1 release a2\n1 heartbeat a2\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] heartbeat a2: lease-pending\n"
		  "[0] heartbeat zz: lease-not-found\n[1] a ended a2 left (waiting)\n[1] heartbeat a2: lease-ended\n");
}

Test(leases, the_ttl_runs_from_the_moment_the_grant_is_durable)
{
	story("config commit=none\npool p\n0 register a\n0 acquire a1 a ttl=1000\n5000 advance\n5000 show a1\n"
		  "5000 confirm a1\n5000 show a1\n5999 advance\n6000 advance\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[5000] a1 active token 1 no deadline\n"
		  "[5000] a1 active token 1 until 6000\n[6000] a ended a1 expired\n");
}

Test(leases, giving_back_may_be_repeated_but_not_after_another_end)
{
	story("pool p\n0 register a\n0 acquire a1 a\n0 acquire a2 a ttl=10\n1 release a1\n1 release a1\n"
		  "10 release a2\n10 release zz\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a granted a2 slot 1 (share 2/10)\n"
		  "[1] a ended a1 released\n[10] release a2: lease-ended\n[10] a ended a2 expired\n"
		  "[10] release zz: lease-not-found\n");
}

Test(leases, may_be_revoked_active_or_pending)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a\n1 revoke a2\n"
		  "1 revoke a1\n1 revoke a1\n1 release a1\n1 revoke zz\n1 totals\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a ended a2 revoked (waiting)\n[1] a ended a1 revoked\n"
		  "[1] a granted a3 slot 0 (share 1/1)\n[1] revoke a1: lease-ended\n[1] release a1: lease-ended\n"
		  "[1] revoke zz: lease-not-found\n"
		  "[1] granted 2 released 0 expired 0 revoked 2 unclaimed 0 no_slot 0 failures 0\n");
}

Test(leases, are_remembered_with_the_reason_of_their_end)
{
	story("config memory=1000\npool p slots=2\n0 register a\n0 acquire a1 a ttl=10\n0 acquire a2 a\n"
		  "0 acquire a3 a\n5 release a3\n10 advance\n20 revoke a2\n30 show a1\n30 show a2\n30 show a3\n"
		  "1005 show a3\n1010 show a1\n1019 show a2\n1020 show a2\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n"
		  "[5] a ended a3 left (waiting)\n[10] a ended a1 expired\n[20] a ended a2 revoked\n"
		  "[30] a1 ended expired at 10\n[30] a2 ended revoked at 20\n[30] a3 ended left at 5\n"
		  "[1005] show a3: lease-not-found\n[1010] show a1: lease-not-found\n[1019] a2 ended revoked at 20\n"
		  "[1020] show a2: lease-not-found\n");
}

Test(leases, at_most_ended_max_are_remembered_oldest_first)
{
	story("config ended_max=2\npool p\n0 register a\n0 acquire a1 a key=k\n0 acquire a2 a\n0 acquire a3 a\n"
		  "1 release a2\n2 release a1\n3 release a3\n3 show a2\n3 show a1\n3 show a3\n3 key a key=k\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a granted a2 slot 1 (share 2/10)\n"
		  "[0] a granted a3 slot 2 (share 3/10)\n[1] a ended a2 released\n[2] a ended a1 released\n"
		  "[3] a ended a3 released\n[3] show a2: lease-not-found\n[3] a1 ended released at 2\n"
		  "[3] a3 ended released at 3\n[3] key k is a1\n");
}

Test(leases, get_the_lowest_free_slot_id)
{
	story("pool p slots=4\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a\n1 release a2\n"
		  "1 release a1\n2 acquire a4 a\n2 acquire a5 a\n2 acquire a6 a\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n[1] a ended a2 released\n[1] a ended a1 released\n"
		  "[2] a granted a4 slot 0 (share 2/4)\n[2] a granted a5 slot 1 (share 3/4)\n"
		  "[2] a granted a6 slot 3 (share 4/4)\n");
}

Test(leases, get_fencing_tokens_that_grow_with_every_grant_over_all_pools)
{
	story("config token=1764000000000123\npool p slots=1\npool q slots=1\n0 register a\n0 register a @q\n"
		  "0 acquire a1 a\n0 acquire q1 a @q\n0 release a1\n0 acquire a2 a\n0 show a2\n0 show q1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a granted q1 slot 0 (share 1/1)\n"
		  "[0] a ended a1 released\n[0] a granted a2 slot 0 (share 1/1)\n"
		  "[0] a2 active token 1764000000000125 until 30000\n"
		  "[0] q1 active token 1764000000000124 until 30000\n");
}

Test(leases, of_several_pools_know_nothing_of_each_other)
{
	story("pool p slots=1\npool q slots=2\n0 register a\n0 register a @q\n0 register b @q\n0 acquire p1 a\n"
		  "0 acquire p2 a\n0 acquire q1 a @q\n0 acquire q2 b @q\n0 acquire q3 a @q\n1 release q2\n1 pool\n"
		  "1 pool @q\n",
		  "[0] a granted p1 slot 0 (share 1/1)\n[0] a granted q1 slot 0 (share 1/2)\n"
		  "[0] b granted q2 slot 1 (share 1/1)\n[1] b ended q2 released\n"
		  "[1] a granted q3 slot 1 (share 2/2)\n"
		  "[1] active 1 waiting 1 absent 0 demanding 1 share 1 tenants 1\n"
		  "[1] active 2 waiting 0 absent 0 demanding 1 share 2 tenants 2\n");
}

Test(leases, that_end_at_the_same_time_end_by_arrival)
{
	story("pool p slots=3\n0 register a\n0 register b\n0 acquire a1 a ttl=100\n0 acquire b1 b ttl=50\n"
		  "0 acquire a2 a ttl=100\n50 heartbeat b1\n0050 advance\n100 advance\n",
		  "[0] a granted a1 slot 0 (share 1/3)\n[0] b granted b1 slot 1 (share 1/1)\n"
		  "[50] heartbeat b1: lease-ended\n[50] b ended b1 expired\n[50] a granted a2 slot 1 (share 2/3)\n"
		  "[100] a ended a1 expired\n");
}

Test(time, a_budget_bounds_what_one_advance_does_and_it_tells_that_there_is_more)
{
	story("pool p slots=3\n0 register a\n0 acquire a1 a ttl=10\n0 acquire a2 a ttl=10\n"
		  "0 acquire a3 a ttl=10\n10 advance budget=1\n10 deadline\n10 advance budget=1\n"
		  "10 advance budget=4\n10 deadline\n",
		  "[0] a granted a1 slot 0 (share 1/3)\n[0] a granted a2 slot 1 (share 2/3)\n"
		  "[0] a granted a3 slot 2 (share 3/3)\n[10] more\n[10] a ended a1 expired\n[10] deadline 0\n"
		  "[10] more\n[10] a ended a2 expired\n[10] a ended a3 expired\n[10] deadline 600010\n");
}

Test(time, a_force_is_worked_off_within_the_budget)
{
	story("config budget=2\npool p slots=3\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a\n"
		  "0 acquire a4 a\n1 unregister a force\n1 deadline\n1 advance\n1 deadline\n",
		  "[0] a granted a1 slot 0 (share 1/3)\n[0] a granted a2 slot 1 (share 2/3)\n"
		  "[0] a granted a3 slot 2 (share 3/3)\n[1] unregister a: closing\n[1] a refused a4\n"
		  "[1] a ended a4 tenant-closing (waiting)\n[1] a ended a1 revoked\n[1] deadline 0\n"
		  "[1] a ended a2 revoked\n[1] a ended a3 revoked\n[1] a gone\n[1] deadline 600001\n");
}

Test(time, nothing_is_due_in_an_empty_state)
{
	story("pool p\n0 deadline\n0 register a\n0 deadline\n0 advance budget=1\n",
		  "[0] deadline never\n[0] deadline never\n");
}

Test(time, lateness_lets_heartbeats_that_waited_in_sockets_count)
{
	story("pool p\n0 register a\n0 acquire a1 a ttl=1000\n0 acquire a2 a ttl=1000\n0 acquire a3 a ttl=400\n"
		  "1500 late 600\n1500 heartbeat a1\n1500 heartbeat a3\n1500 late 0\n1500 advance\n1500 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a granted a2 slot 1 (share 2/10)\n"
		  "[0] a granted a3 slot 2 (share 3/10)\n[1500] a ended a3 expired\n"
		  "[1500] heartbeat a3: lease-ended\n[1500] a ended a2 expired\n[1500] a1 active token 1 until 2500\n");
}

Test(time, a_lease_counts_as_ended_when_its_deadline_is_at_or_before_now_less_the_lateness)
{
	story("pool p\n0 register a\n0 acquire a1 a ttl=1000\n1599 late 600\n1599 heartbeat zz\n1599 show a1\n"
		  "1600 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[1599] heartbeat zz: lease-not-found\n"
		  "[1599] a1 active token 1 until 1000\n[1600] a ended a1 expired\n[1600] a1 ended expired at 1600\n");
}
