/* SPDX-License-Identifier: MIT */
/*
 * The faults of aio-fairshare 0.2.1 in the design's table, one test each: they must not come back.
 * The row "cost" is in cost_test.c.
 */
#include <criterion/criterion.h>

#include "story.h"

/* "10 slots; a holds 5, waits for 5 more; b releases its 5: a ends at 6, 4 slots idle with 4 waiters asleep." */
Test(faults, no_wake_up_is_lost_when_the_share_jumps)
{
	story("pool p slots=10\n0 register a\n0 register b\n0 acquire b1 b\n0 acquire b2 b\n0 acquire b3 b\n"
		  "0 acquire b4 b\n0 acquire b5 b\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a\n0 acquire a4 a\n"
		  "0 acquire a5 a\n0 acquire a6 a\n0 acquire a7 a\n0 acquire a8 a\n0 acquire a9 a\n0 acquire a10 a\n"
		  "0 tenant a\n9 release b1\n9 release b2\n9 release b3\n9 release b4\n9 tenant a\n10 release b5\n"
		  "10 tenant a\n",
		  "[0] b granted b1 slot 0 (share 1/10)\n[0] b granted b2 slot 1 (share 2/10)\n"
		  "[0] b granted b3 slot 2 (share 3/10)\n[0] b granted b4 slot 3 (share 4/10)\n"
		  "[0] b granted b5 slot 4 (share 5/10)\n[0] a granted a1 slot 5 (share 1/5)\n"
		  "[0] a granted a2 slot 6 (share 2/5)\n[0] a granted a3 slot 7 (share 3/5)\n"
		  "[0] a granted a4 slot 8 (share 4/5)\n[0] a granted a5 slot 9 (share 5/5)\n"
		  "[0] a active 5 waiting 5 absent 0 share 5 anonymous\n[9] b ended b1 released\n"
		  "[9] b ended b2 released\n[9] b ended b3 released\n[9] b ended b4 released\n"
		  "[9] a active 5 waiting 5 absent 0 share 5 anonymous\n[10] b ended b5 released\n"
		  "[10] a granted a6 slot 0 (share 10/10)\n[10] a granted a7 slot 1 (share 10/10)\n"
		  "[10] a granted a8 slot 2 (share 10/10)\n[10] a granted a9 slot 3 (share 10/10)\n"
		  "[10] a granted a10 slot 4 (share 10/10)\n[10] a active 10 waiting 0 absent 0 share 10 anonymous\n");
}

/* "The waiter just woken is cancelled: a slot idle while another waits." */
Test(faults, the_next_waiter_has_the_slot_of_one_that_is_cancelled)
{
	story("config commit=none\npool p slots=1\n0 register a\n0 register b\n0 acquire a1 a\n"
		  "0 acquire b1 b key=k\n0 acquire a2 a\n5 release a1\n5 cancel b key=k\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] b placed b1\n[5] a ended a1 released\n"
		  "[5] b granted b1 slot 0 (share 1/1)\n[5] b ended b1 released\n"
		  "[5] a granted a2 slot 0 (share 1/1)\n");
}

/* "A waiter that loses the race goes to the end of the line." */
Test(faults, a_waiter_keeps_its_order_whatever_comes_after_it)
{
	story("config commit=none\npool p slots=1\n0 register a\n0 register b\n0 register c\n0 acquire c1 c\n"
		  "0 acquire a1 a\n0 acquire b1 b\n1 release c1\n1 hold all\n1 withdraw a1\n2 acquire c2 c\n"
		  "3 show a1\n3 show b1\n3 show c2\n4 hold off all\n",
		  "[0] c granted c1 slot 0 (share 1/1)\n[1] c ended c1 released\n"
		  "[1] a granted a1 slot 0 (share 1/1)\n[1] a withdrawn a1\n[3] a1 pending position 1 ahead 0 held\n"
		  "[3] b1 pending position 1 ahead 1 held\n[3] c2 pending position 1 ahead 2 held\n"
		  "[4] a granted a1 slot 0 (share 1/1)\n");
}

/* "The waiters hang until somebody else releases; the tenant's record stays for ever." */
Test(faults, unregister_with_waiters_only_refuses_them_at_once_and_the_record_is_gone)
{
	story("pool p slots=1\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire b1 b\n0 acquire b2 b\n"
		  "3 unregister b\n3 tenant b\n3 show b1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[3] unregister b: gone\n[3] b refused b1\n"
		  "[3] b ended b1 tenant-closing (waiting)\n[3] b refused b2\n"
		  "[3] b ended b2 tenant-closing (waiting)\n[3] b gone\n[3] b unknown\n"
		  "[3] b1 ended tenant-closing at 3\n");
}

/* "Force unregister leaks the slots for ever." */
Test(faults, force_unregister_revokes_the_leases_and_their_slots_return)
{
	story("pool p slots=2\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire a2 a\n0 acquire b1 b\n"
		  "0 acquire b2 b\n3 unregister a force\n3 pool\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n[3] unregister a: gone\n"
		  "[3] a ended a1 revoked\n[3] b granted b1 slot 0 (share 2/2)\n[3] a ended a2 revoked\n[3] a gone\n"
		  "[3] b granted b2 slot 1 (share 2/2)\n"
		  "[3] active 2 waiting 0 absent 0 demanding 1 share 2 tenants 1\n");
}

/* "Leaving the inner one of two contexts closes the outer's tenant." */
Test(faults, two_registrations_of_one_tenant_are_counted_by_instance)
{
	story("pool p slots=2\n0 register a outer\n0 register a inner\n0 acquire a1 a\n1 unregister a inner\n"
		  "1 acquire a2 a\n1 tenant a\n2 unregister a outer\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[1] unregister a: remains\n"
		  "[1] a granted a2 slot 1 (share 2/2)\n[1] a active 2 waiting 0 absent 0 share 2 outer\n"
		  "[2] unregister a: closing\n");
}
