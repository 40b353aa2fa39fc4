/* SPDX-License-Identifier: MIT */
/* Hold, confirm and withdraw: what the store's failures do to grants. */
#include <criterion/criterion.h>

#include "fair.h"
#include "story.h"

Test(hold, stops_granting_and_lets_ends_go_on)
{
	story("pool p slots=2\n0 register a\n0 acquire a1 a ttl=100\n0 hold\n1 acquire a2 a\n1 show a2\n1 pool\n"
		  "100 advance\n100 release a2\n100 acquire a3 a\n101 hold off\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[1] a2 pending position 1 ahead 0 held\n"
		  "[1] active 1 waiting 1 absent 0 demanding 1 share 2 tenants 1 held\n[100] a ended a1 expired\n"
		  "[100] a ended a2 left (waiting)\n[101] a granted a3 slot 0 (share 1/2)\n");
}

Test(hold, is_of_one_pool_or_of_all)
{
	story("pool p\npool q\n0 register a\n0 register a @q\n0 hold @q\n0 acquire p1 a\n0 acquire q1 a @q\n"
		  "1 hold off all\n2 hold all\n2 acquire p2 a\n2 acquire q2 a @q\n3 hold off\n3 hold @zz\n",
		  "[0] a granted p1 slot 0 (share 1/10)\n[1] a granted q1 slot 0 (share 1/10)\n"
		  "[3] a granted p2 slot 1 (share 2/10)\n[3] hold : pool-not-found\n");
}

Test(hold, a_try_while_held_is_told_so)
{
	story("pool p\n0 register a\n0 hold\n0 acquire a1 a try\n",
		  "[0] acquire a1: no-slot\n[0] position 1 ahead 0 active 0 share 10 waiting 0 held\n");
}

Test(withdraw, takes_a_grant_back_as_if_it_had_never_been)
{
	story("config commit=none\npool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n1 hold\n"
		  "1 withdraw a1\n1 pool\n1 show a1\n1 totals\n2 hold off\n2 confirm a1\n2 show a1\n2 totals\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a withdrawn a1\n"
		  "[1] active 0 waiting 2 absent 0 demanding 1 share 1 tenants 1 held\n"
		  "[1] a1 pending position 1 ahead 0 held\n"
		  "[1] granted 0 released 0 expired 0 revoked 0 unclaimed 0 no_slot 0 failures 0\n"
		  "[2] a granted a1 slot 0 (share 1/1)\n[2] a1 active token 2 until 30002\n"
		  "[2] granted 1 released 0 expired 0 revoked 0 unclaimed 0 no_slot 0 failures 0\n");
}

Test(withdraw, puts_the_key_back_in_its_place)
{
	story("config commit=none grace=1000\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n"
		  "0 acquire a2 a\n1 hold\n1 withdraw a1\n1 key a key=k\n1 detach a1\n1001 advance\n"
		  "1001 key a key=k\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a withdrawn a1\n[1] key k is a1\n"
		  "[1001] a ended a1 place-lost (waiting)\n[1001] key k is free\n");
}

Test(withdraw, an_absent_key_has_its_grace_anew)
{
	story("config commit=none grace=1000 claim=5000\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n"
		  "100 detach a1\n500 hold\n500 withdraw a1\n500 show a1\n1499 advance\n1500 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[500] a withdrawn a1\n"
		  "[500] a1 pending position 1 ahead 0 absent\n[1500] a ended a1 place-lost (waiting)\n");
}

Test(withdraw, a_request_that_would_not_wait_leaves_no_trace)
{
	story("config commit=none\npool p slots=1\n0 register a\n0 acquire a1 a key=k try\n1 withdraw a1\n"
		  "1 show a1\n1 key a key=k\n1 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a withdrawn a1\n[1] show a1: lease-not-found\n"
		  "[1] key k is free\n[1] a active 0 waiting 0 absent 0 share 1 anonymous\n");
}

Test(withdraw, one_whose_tenant_has_closed_is_refused)
{
	story("config commit=none\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n1 unregister a\n"
		  "2 withdraw a1\n2 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] unregister a: closing\n[2] a withdrawn a1\n"
		  "[2] a refused a1\n[2] a ended a1 tenant-closing (waiting)\n[2] a gone\n[2] a unknown\n");
}

Test(withdraw, one_whose_tenant_was_reopened_keeps_its_place)
{
	story("config commit=none\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n1 unregister a\n"
		  "2 register a\n3 hold\n3 withdraw a1\n4 acquire a2 a key=k\n4 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] unregister a: closing\n[3] a withdrawn a1\n"
		  "[4] acquire a2 is a1\n[4] a1 pending position 1 ahead 0 held\n");
}

Test(withdraw, one_without_key_and_request_leaves_the_line)
{
	story("config commit=none\npool p slots=1\n0 register a\n0 acquire a1 a\n1 heartbeat a1\n2 detach a1\n"
		  "3 hold\n3 withdraw a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[3] a withdrawn a1\n[3] a ended a1 left (waiting)\n");
}

Test(withdraw, ignores_what_is_unknown_ended_or_confirmed)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 withdraw a1\n0 withdraw a2\n"
		  "0 withdraw zz\n0 confirm zz\n0 confirm a1\n0 release a1\n0 withdraw a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a ended a1 released\n"
		  "[0] a granted a2 slot 0 (share 1/1)\n");
}

Test(withdraw, never_gives_a_token_twice)
{
	story("config commit=none token=7\npool p slots=2\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 hold\n"
		  "0 withdraw a2\n0 withdraw a1\n0 hold off\n0 show a1\n0 show a2\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n[0] a withdrawn a2\n"
		  "[0] a withdrawn a1\n[0] a granted a1 slot 0 (share 2/2)\n[0] a granted a2 slot 1 (share 2/2)\n"
		  "[0] a1 active token 9 no deadline\n[0] a2 active token 10 no deadline\n");
}
