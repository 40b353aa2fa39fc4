/* SPDX-License-Identifier: MIT */
/*
 * "When a tenant holds more than its share while others wait, heartbeat answers for its youngest leases beyond it carry
 * `reclaim`, so that clients that can, give back. Nothing is taken by force."
 */
#include <criterion/criterion.h>

#include "story.h"

#define A_HOLDS_FOUR                            \
	"pool p slots=4\n"                          \
	"0 register a\n"                            \
	"0 register b\n"                            \
	"0 acquire a1 a ttl=1000\n"                 \
	"0 acquire a2 a ttl=1000\n"                 \
	"0 acquire a3 a ttl=1000\n"                 \
	"0 acquire a4 a ttl=1000\n"

#define FOUR_GRANTS                             \
	"[0] a granted a1 slot 0 (share 1/4)\n"     \
	"[0] a granted a2 slot 1 (share 2/4)\n"     \
	"[0] a granted a3 slot 2 (share 3/4)\n"     \
	"[0] a granted a4 slot 3 (share 4/4)\n"

Test(reclaim, the_youngest_leases_beyond_the_share_are_asked_back)
{
	story(A_HOLDS_FOUR "10 acquire b1 b\n"
					   "20 heartbeat a1\n"
					   "20 heartbeat a2\n"
					   "20 heartbeat a3\n"
					   "20 heartbeat a4\n"
					   "20 show a1\n"
					   "20 show a2\n"
					   "20 show a3\n"
					   "20 show a4\n",
		  FOUR_GRANTS "[20] a1 active token 1 until 1020\n"
					  "[20] a2 active token 2 until 1020\n"
					  "[20] a3 active token 3 until 1020 wished back by 1020\n"
					  "[20] a4 active token 4 until 1020 wished back by 1020\n");
}

Test(reclaim, no_lease_is_asked_back_while_nobody_else_waits)
{
	story(A_HOLDS_FOUR "10 acquire a5 a\n"
					   "20 heartbeat a4\n"
					   "20 show a4\n",
		  FOUR_GRANTS "[20] a4 active token 4 until 1020\n");
}

Test(reclaim, who_is_absent_does_not_wait)
{
	story(A_HOLDS_FOUR "10 acquire b1 b key=k\n"
					   "20 detach b1\n"
					   "30 heartbeat a4\n"
					   "30 show a4\n",
		  FOUR_GRANTS "[10] b placed b1\n"
					  "[30] a4 active token 4 until 1030\n");
}

/* b holds its share, so that nothing that a gives back would be its. */
Test(reclaim, who_waits_at_its_share_does_not_count)
{
	story("pool p slots=4\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire b1 b\n"
		  "0 acquire c1 c\n"
		  "1 release a1\n"
		  "2 acquire b2 b\n"
		  "3 heartbeat a3\n"
		  "3 show a3\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] a granted a3 slot 2 (share 3/4)\n"
		  "[0] b granted b1 slot 3 (share 1/2)\n"
		  "[1] a ended a1 released\n"
		  "[1] c granted c1 slot 0 (share 1/1)\n"
		  "[3] a3 active token 3 until 30003\n");
}

/* The time stands: heartbeats do not move it. */
Test(reclaim, it_is_wished_back_within_a_ttl_of_the_first_time_it_was_told)
{
	story(A_HOLDS_FOUR "10 acquire b1 b\n"
					   "20 heartbeat a4\n"
					   "500 heartbeat a4\n"
					   "500 show a4\n"
					   "900 heartbeat a4\n"
					   "900 heartbeat a1\n"
					   "900 heartbeat a2\n"
					   "900 heartbeat a3\n"
					   "1100 heartbeat a4\n"
					   "1100 show a4\n",
		  FOUR_GRANTS "[500] a4 active token 4 until 1500 wished back by 1020\n"
					  "[1100] a4 active token 4 until 2100 wished back by 1020\n");
}

Test(reclaim, what_is_given_back_is_enough)
{
	story(A_HOLDS_FOUR "10 acquire b1 b\n"
					   "10 acquire b2 b\n"
					   "20 heartbeat a3\n"
					   "20 heartbeat a4\n"
					   "30 release a4\n"
					   "40 heartbeat a3\n"
					   "40 show a3\n"
					   "50 release a3\n"
					   "60 heartbeat a2\n"
					   "60 show a2\n",
		  FOUR_GRANTS "[30] a ended a4 released\n"
					  "[30] b granted b1 slot 3 (share 1/2)\n"
					  "[40] a3 active token 3 until 1040 wished back by 1020\n"
					  "[50] a ended a3 released\n"
					  "[50] b granted b2 slot 2 (share 2/2)\n"
					  "[60] a2 active token 2 until 1060\n");
}

Test(reclaim, the_wish_is_over_when_nobody_waits_any_more)
{
	story(A_HOLDS_FOUR "10 acquire b1 b\n"
					   "20 heartbeat a4\n"
					   "30 release b1\n"
					   "40 heartbeat a4\n"
					   "40 show a4\n"
					   "50 acquire b2 b\n"
					   "60 heartbeat a4\n"
					   "60 show a4\n",
		  FOUR_GRANTS "[30] b ended b1 left (waiting)\n"
					  "[40] a4 active token 4 until 1040\n"
					  "[60] a4 active token 4 until 1060 wished back by 1060\n");
}

/* What is given back would not be granted. */
Test(reclaim, nothing_is_asked_back_while_the_pool_is_held_or_drains)
{
	story(A_HOLDS_FOUR "10 acquire b1 b\n"
					   "20 set draining=1\n"
					   "20 heartbeat a4\n"
					   "20 show a4\n"
					   "30 set draining=0\n"
					   "30 hold\n"
					   "30 heartbeat a4\n"
					   "30 show a4\n"
					   "40 hold off\n"
					   "40 heartbeat a4\n"
					   "40 show a4\n",
		  FOUR_GRANTS "[20] a4 active token 4 until 1020\n"
					  "[30] a4 active token 4 until 1030\n"
					  "[40] a4 active token 4 until 1040 wished back by 1040\n");
}

/* Three slots for two tenants: who has waited longest has a share of two. What the other gave back it would soon be asked for. */
Test(reclaim, nothing_is_asked_back_that_evens_nothing_out)
{
	story("pool p slots=3 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 register c\n"
		  "0 acquire a1 a ttl=9000\n"
		  "0 acquire a2 a ttl=9000\n"
		  "0 acquire b1 b ttl=9000\n"
		  "1 acquire b2 b\n"
		  "2 acquire a3 a\n"
		  "2000 heartbeat a1\n"
		  "2000 heartbeat a2\n"
		  "2000 show a2\n"
		  "3000 acquire c1 c\n"
		  "4000 heartbeat a2\n"
		  "4000 show a2\n",
		  "[0] a granted a1 slot 0 (share 1/3)\n"
		  "[0] a granted a2 slot 1 (share 2/3)\n"
		  "[0] b granted b1 slot 2 (share 1/1)\n"
		  "[2000] a2 active token 2 until 11000\n"
		  "[4000] a2 active token 2 until 13000 wished back by 13000\n");
}

/* By weight: b of weight 3 has less for it with three slots than a with two. */
Test(reclaim, what_evens_out_goes_by_weight)
{
	story("pool p slots=4 policy=max-min\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 policy b weight=3000\n"
		  "0 acquire a1 a ttl=9000\n"
		  "0 acquire a2 a ttl=9000\n"
		  "0 acquire b1 b ttl=9000\n"
		  "0 acquire b2 b ttl=9000\n"
		  "1 acquire a3 a\n"
		  "2 acquire b3 b\n"
		  "2000 heartbeat a1\n"
		  "2000 heartbeat a2\n"
		  "2000 show a2\n",
		  "[0] a granted a1 slot 0 (share 1/4)\n"
		  "[0] a granted a2 slot 1 (share 2/4)\n"
		  "[0] b granted b1 slot 2 (share 1/1)\n"
		  "[0] b granted b2 slot 3 (share 2/1)\n"
		  "[2000] a2 active token 2 until 11000 wished back by 11000\n");
}
