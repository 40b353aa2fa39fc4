/* SPDX-License-Identifier: MIT */
/* "An operator's revoke of one lease, or of all by tenant, label or pool." */
#include <criterion/criterion.h>

#include "story.h"

#define THREE_LABELS                 \
	"pool p slots=10\n"              \
	"0 register a\n"                 \
	"0 register b\n"                 \
	"0 acquire a1 a label=x\n"       \
	"0 acquire a2 a label=xy\n"      \
	"0 acquire b1 b label=x\n"

#define THREE_GRANTS                            \
	"[0] a granted a1 slot 0 (share 1/10)\n"    \
	"[0] a granted a2 slot 1 (share 2/10)\n"    \
	"[0] b granted b1 slot 2 (share 1/5)\n"

Test(revoke_all, by_tenant)
{
	story(THREE_LABELS "10 revoke-all tenant=a\n"
					   "20 list\n"
					   "20 show a1\n"
					   "20 totals\n",
		  THREE_GRANTS "[10] revoked 2\n"
					   "[10] a ended a1 revoked\n"
					   "[10] a ended a2 revoked\n"
					   "[20] leases: b1\n"
					   "[20] a1 ended revoked at 10\n"
					   "[20] granted 3 released 0 expired 0 revoked 2 unclaimed 0 no_slot 0 failures 0\n");
}

Test(revoke_all, by_label_which_is_compared_as_a_whole)
{
	story(THREE_LABELS "10 revoke-all label=x\n"
					   "20 list\n",
		  THREE_GRANTS "[10] revoked 2\n"
					   "[10] a ended a1 revoked\n"
					   "[10] b ended b1 revoked\n"
					   "[20] leases: a2\n");
}

Test(revoke_all, by_tenant_and_label)
{
	story(THREE_LABELS "10 revoke-all label=x tenant=b pool=p\n"
					   "20 list\n",
		  THREE_GRANTS "[10] revoked 1\n"
					   "[10] b ended b1 revoked\n"
					   "[20] leases: a1 a2\n");
}

Test(revoke_all, by_pool_and_in_all_pools)
{
	story("pool p slots=1\n"
		  "pool q slots=1\n"
		  "pool r slots=1\n"
		  "0 register a\n"
		  "0 register a @q\n"
		  "0 register b @r\n"
		  "0 acquire a1 a label=x\n"
		  "0 acquire a2 a @q label=x\n"
		  "0 acquire b1 b @r label=x\n"
		  "10 revoke-all pool=q\n"
		  "20 acquire a3 a @q\n"
		  "30 revoke-all tenant=a\n"
		  "40 acquire a4 a label=x\n"
		  "50 revoke-all label=x\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[0] a granted a2 slot 0 (share 1/1)\n"
		  "[0] b granted b1 slot 0 (share 1/1)\n"
		  "[10] revoked 1\n"
		  "[10] a ended a2 revoked\n"
		  "[20] a granted a3 slot 0 (share 1/1)\n"
		  "[30] revoked 2\n"
		  "[30] a ended a1 revoked\n"
		  "[30] a ended a3 revoked\n"
		  "[40] a granted a4 slot 0 (share 1/1)\n"
		  "[50] revoked 2\n"
		  "[50] a ended a4 revoked\n"
		  "[50] b ended b1 revoked\n");
}

Test(revoke_all, only_waiters_or_only_holders)
{
	story("pool p slots=1\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "10 revoke-all tenant=a pending\n"
		  "20 acquire a4 a\n"
		  "20 acquire a5 a\n"
		  "30 revoke-all tenant=a active\n"
		  "40 list\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[10] revoked 2\n"
		  "[10] a ended a2 revoked (waiting)\n"
		  "[10] a ended a3 revoked (waiting)\n"
		  "[30] revoked 1\n"
		  "[30] a ended a1 revoked\n"
		  "[30] a granted a4 slot 0 (share 1/1)\n"
		  "[40] leases: a4 a5\n");
}

/* Or each end would be followed by a grant that ends, too. */
Test(revoke_all, waiters_go_first)
{
	story("pool p slots=1\n"
		  "0 register a\n"
		  "0 register b\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire b1 b\n"
		  "10 revoke-all tenant=a\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n"
		  "[10] revoked 2\n"
		  "[10] a ended a2 revoked (waiting)\n"
		  "[10] a ended a1 revoked\n"
		  "[10] b granted b1 slot 0 (share 1/1)\n");
}

Test(revoke_all, who_is_not_there)
{
	story("pool p slots=1\n"
		  "0 register a\n"
		  "0 revoke-all pool=q\n"
		  "0 revoke-all tenant=b\n"
		  "0 revoke-all tenant=a\n"
		  "0 revoke-all label=x\n",
		  "[0] revoke-all pool=q: pool-not-found\n"
		  "[0] revoke-all tenant=b: tenant-not-found\n"
		  "[0] revoked 0\n"
		  "[0] revoked 0\n");
}

/* "worked off within the budget like a force where it is large" */
Test(revoke_all, what_the_budget_does_not_suffice_for_is_worked_off_by_the_next_calls)
{
	story("config budget=3\n"
		  "pool p slots=5\n"
		  "0 register a\n"
		  "0 acquire a1 a\n"
		  "0 acquire a2 a\n"
		  "0 acquire a3 a\n"
		  "0 acquire a4 a\n"
		  "10 revoke-all tenant=a\n"
		  "10 deadline\n"
		  "20 acquire a5 a\n"
		  "30 advance budget=1\n"
		  "40 list\n"
		  "40 deadline\n",
		  "[0] a granted a1 slot 0 (share 1/5)\n"
		  "[0] a granted a2 slot 1 (share 2/5)\n"
		  "[0] a granted a3 slot 2 (share 3/5)\n"
		  "[0] a granted a4 slot 3 (share 4/5)\n"
		  "[10] revoked 2, more as 1\n"
		  "[10] a ended a1 revoked\n"
		  "[10] a ended a2 revoked\n"
		  "[10] deadline 0\n"
		  "[20] a ended a3 revoked\n"
		  "[20] a ended a4 revoked\n"
		  "[20] revoked all 1: 4\n"
		  "[20] a granted a5 slot 0 (share 1/5)\n"
		  "[40] leases: a5\n"
		  "[40] deadline 30020\n");
}
