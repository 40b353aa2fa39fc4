/* SPDX-License-Identifier: MIT */
/* The line: order, presence, place, keys. Quotations are from the HTTP contract, section Acquiring. */
#include <criterion/criterion.h>

#include "fair.h"
#include "story.h"

/* ---- order ---- */

Test(waiters, within_a_tenant_are_granted_strictly_by_arrival)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n1 acquire a2 a\n2 acquire a3 a\n3 release a1\n"
		  "4 release a2\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[3] a ended a1 released\n"
		  "[3] a granted a2 slot 0 (share 1/1)\n[4] a ended a2 released\n"
		  "[4] a granted a3 slot 0 (share 1/1)\n");
}

Test(waiters, are_served_first_come_first_served_among_those_that_may_be_granted)
{
	story("pool p slots=2\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire a2 a\n1 acquire a3 a\n"
		  "2 acquire b1 b\n3 acquire b2 b\n4 release a1\n5 release a2\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n"
		  "[4] a ended a1 released\n[4] b granted b1 slot 0 (share 1/1)\n[5] a ended a2 released\n"
		  "[5] a granted a3 slot 1 (share 1/1)\n");
}

Test(waiters, one_release_may_grant_many)
{
	story("pool p slots=4\n0 register a\n0 register b\n0 register c\n0 acquire c1 c\n0 acquire a1 a\n"
		  "0 acquire a2 a\n0 acquire b1 b\n0 acquire b2 b\n1 release c1\n",
		  "[0] c granted c1 slot 0 (share 1/4)\n[0] a granted a1 slot 1 (share 1/2)\n"
		  "[0] a granted a2 slot 2 (share 2/2)\n[0] b granted b1 slot 3 (share 1/1)\n"
		  "[1] c ended c1 released\n[1] b granted b2 slot 0 (share 2/2)\n");
}

Test(waiters, are_told_their_position_those_ahead_and_the_first_reason_that_applies)
{
	story("pool p slots=2\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire b1 b\n0 acquire a2 a\n"
		  "0 acquire a3 a\n0 acquire b2 b key=k\n1 show a2\n1 show a3\n1 show b2\n1 acquire b3 b try\n"
		  "2 hold\n2 show b2\n2 detach b2\n2 show b2\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] b granted b1 slot 1 (share 1/1)\n[0] b placed b2\n"
		  "[1] a2 pending position 1 ahead 0 at-share\n[1] a3 pending position 2 ahead 1 at-share\n"
		  "[1] b2 pending position 1 ahead 2 at-share\n[1] acquire b3: no-slot\n"
		  "[1] position 2 ahead 3 active 1 share 1 waiting 1 at-share\n"
		  "[2] b2 pending position 1 ahead 2 held\n[2] b2 pending position 1 ahead 2 absent\n");
}

Test(waiters, a_full_pool_is_told_as_pool_full)
{
	story("pool p slots=1 min=1\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire b1 b\n0 show b1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] b1 pending position 1 ahead 0 pool-full\n");
}

/* ---- "Presence" ---- */

/* "A waiter is present while a request of its client is attached: the POST itself, its repetition with the key, or a
 * GET." */
Test(presence, a_waiter_is_present_while_any_request_is_attached)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n0 attach a2\n"
		  "0 acquire a3 a key=k\n1 detach a2\n1 detach a2\n1 tenant a\n1 detach a2\n1 tenant a\n2 attach a2\n"
		  "2 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[0] acquire a3 is a2\n"
		  "[1] a active 1 waiting 1 absent 0 share 1 anonymous\n"
		  "[1] a active 1 waiting 0 absent 1 share 1 anonymous\n"
		  "[2] a active 1 waiting 1 absent 0 share 1 anonymous\n");
}

/* "Only present waiters are granted." */
Test(presence, only_present_waiters_are_granted)
{
	story("pool p slots=1\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire a2 a key=k\n0 acquire b1 b\n"
		  "1 detach a2\n2 release a1\n3 release b1\n4 attach a2\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[2] a ended a1 released\n"
		  "[2] b granted b1 slot 0 (share 1/1)\n[3] b ended b1 released\n"
		  "[4] a granted a2 slot 0 (share 1/1)\n");
}

/* "Only they count in waiting, in demanding_tenants, in ahead and in the pool's limit of waiters." */
Test(presence, only_present_waiters_count_as_demand)
{
	story("pool p slots=2 waiting=1\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire a2 a\n"
		  "0 acquire b1 b key=k\n0 pool\n1 acquire a3 a\n1 detach b1\n1 pool\n1 acquire a4 a\n1 show a4\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n[0] b placed b1\n"
		  "[0] active 2 waiting 1 absent 0 demanding 2 share 1 tenants 2\n[1] acquire a3: queue-full\n"
		  "[1] active 2 waiting 0 absent 1 demanding 1 share 2 tenants 2\n"
		  "[1] a4 pending position 1 ahead 0 at-share\n");
}

/* "The share is worked out anew when presence changes." */
Test(presence, the_share_is_worked_out_anew_when_presence_changes)
{
	story("pool p slots=2\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire a2 a\n0 acquire b1 b key=k\n"
		  "1 pool\n2 detach b1\n2 pool\n3 attach b1\n3 pool\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n[0] b placed b1\n"
		  "[1] active 2 waiting 1 absent 0 demanding 2 share 1 tenants 2\n"
		  "[2] active 2 waiting 0 absent 1 demanding 1 share 2 tenants 2\n"
		  "[3] active 2 waiting 1 absent 0 demanding 2 share 1 tenants 2\n");
}

/* "When a waiter is given up or refused all its attached requests are answered": nothing is left attached. */
Test(presence, nothing_is_attached_to_a_waiter_that_was_given_up)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n0 attach a2\n1 release a2\n"
		  "1 detach a2\n1 attach a2\n1 show a2\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[1] a ended a2 left (waiting)\n"
		  "[1] attach a2: lease-ended\n[1] a2 ended left at 1\n");
}

/* "A wait of 0 on a place that is there attaches for an instant and starts the grace anew." */
Test(presence, a_wait_of_0_on_a_place_starts_the_grace_anew)
{
	story("config grace=1000\npool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n"
		  "0 detach a2\n900 acquire a3 a key=k try\n1899 advance\n1899 show a2\n1900 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[900] acquire a3 is a2: no-slot\n"
		  "[900] position 1 ahead 0 active 1 share 1 waiting 0 at-share kept\n"
		  "[1899] a2 pending position 1 ahead 0 absent\n[1900] a ended a2 place-lost (waiting)\n");
}

Test(presence, a_wait_of_0_on_a_place_is_granted_when_a_slot_is_free)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n0 detach a2\n1 release a1\n"
		  "2 acquire a3 a key=k try\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[1] a ended a1 released\n"
		  "[2] acquire a3 is a2\n[2] a granted a2 slot 0 (share 1/1)\n");
}

/* "A known key is answered before the state of its tenant is looked at." */
Test(presence, a_known_key_is_answered_before_the_state_of_its_tenant)
{
	story("pool p\n0 register a\n0 acquire a1 a key=k\n1 unregister a\n1 acquire a2 a key=k\n"
		  "1 acquire a3 a key=other\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[1] unregister a: closing\n[1] acquire a2 is a1\n"
		  "[1] acquire a3: tenant-closing\n");
}

/* ---- "Place" ---- */

/* "A waiter without a key leaves the line, as left, when its last attached request breaks or its wait runs out." */
Test(place, a_waiter_without_a_key_leaves_the_line_when_its_last_request_breaks)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 attach a2\n1 detach a2\n"
		  "2 detach a2\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[2] a ended a2 left (waiting)\n");
}

Test(place, a_waiter_without_a_key_leaves_the_line_when_its_wait_runs_out)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n30 detach a2 wait-over\n30 totals\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[30] a ended a2 left (waiting)\n"
		  "[30] granted 1 released 0 expired 0 revoked 0 unclaimed 0 no_slot 1 failures 0\n");
}

/* "One with a key keeps its place for queue_grace after its last request ended in whatever way." */
Test(place, a_key_keeps_its_place_for_the_grace_and_not_a_moment_longer)
{
	story("config grace=15000\npool p slots=1\n0 register a\n0 acquire a1 a ttl=100000\n"
		  "0 acquire a2 a key=k\n0 acquire a3 a key=l\n100 detach a2 wait-over\n200 detach a3 answered\n"
		  "15099 advance\n15099 show a2\n15100 advance\n15199 advance\n15200 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[0] a placed a3\n"
		  "[15099] a2 pending position 1 ahead 0 absent\n[15100] a ended a2 place-lost (waiting)\n"
		  "[15200] a ended a3 place-lost (waiting)\n");
}

Test(place, coming_back_within_the_grace_takes_up_the_same_place)
{
	story("config grace=15000\npool p slots=1\n0 register a\n0 acquire a1 a ttl=100000\n"
		  "0 acquire a2 a key=k\n0 acquire a3 a\n100 detach a2\n15000 acquire a4 a key=k\n40000 show a2\n"
		  "40000 show a3\n40001 release a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[15000] acquire a4 is a2\n"
		  "[40000] a2 pending position 1 ahead 0 at-share\n[40000] a3 pending position 2 ahead 1 at-share\n"
		  "[40001] a ended a1 released\n[40001] a granted a2 slot 0 (share 1/1)\n");
}

/* "Meanwhile it counts for nothing but its tenant's max_waiting, and free slots pass to the next." */
Test(place, an_absent_waiter_counts_for_nothing_but_its_tenants_max_waiting)
{
	story("pool p slots=1 waiting=2 tenant_waiting=2\n0 register a\n0 register b\n0 acquire a1 a\n"
		  "0 acquire a2 a key=k\n0 acquire a3 a key=l\n0 detach a2\n0 detach a3\n0 acquire a4 a\n"
		  "0 acquire b1 b\n0 acquire b2 b\n0 acquire b3 b\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[0] a placed a3\n"
		  "[0] acquire a4: queue-full\n[0] acquire b3: queue-full\n");
}

Test(place, ten_ghosts_with_keys_idle_no_slot)
{
	story("pool p slots=10\n0 register a\n0 register b\n0 register c\n0 hold\n0 acquire b1 b key=1\n"
		  "0 acquire c1 c key=1\n0 detach b1\n0 detach c1\n0 hold off\n0 acquire a1 a\n0 tenant a\n",
		  "[0] b placed b1\n[0] c placed c1\n[0] a granted a1 slot 0 (share 1/10)\n"
		  "[0] a active 1 waiting 0 absent 0 share 10 anonymous\n");
}

/* "DELETE of its id, or of its key, gives the place up at once." */
Test(place, giving_up_the_id_or_the_key_gives_up_the_place)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n0 acquire a3 a key=l\n"
		  "1 release a2\n1 cancel a key=l\n1 cancel a key=l\n1 release a2\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[0] a placed a3\n"
		  "[1] a ended a2 left (waiting)\n[1] a ended a3 left (waiting)\n[1] cancel l: nothing\n");
}

/* "Returning to it is never queue-full." */
Test(place, returning_to_a_place_is_never_queue_full)
{
	story("pool p slots=1 waiting=1\n0 register a\n0 register b\n0 acquire a1 a\n0 acquire a2 a key=k\n"
		  "0 detach a2\n0 acquire b1 b\n0 acquire a3 a key=k\n0 pool\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[0] acquire a3 is a2\n"
		  "[0] active 1 waiting 2 absent 0 demanding 2 share 1 tenants 2\n");
}

/* "A wait of 0 without an earlier place has no id, key or not." */
Test(place, a_wait_of_0_never_joins_the_line)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k try\n0 key a key=k\n0 show a2\n"
		  "0 acquire a3 a try\n0 totals\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] acquire a2: no-slot\n"
		  "[0] position 1 ahead 0 active 1 share 1 waiting 0 at-share\n[0] key k is free\n"
		  "[0] show a2: lease-not-found\n[0] acquire a3: no-slot\n"
		  "[0] position 1 ahead 0 active 1 share 1 waiting 0 at-share\n"
		  "[0] granted 1 released 0 expired 0 revoked 0 unclaimed 0 no_slot 2 failures 0\n");
}

/* ---- "Lost answers" ---- */

/* "Without a key the lease ends at once as unclaimed." */
Test(lost_answers, without_a_key_the_lease_ends_at_once_as_unclaimed)
{
	story("config commit=confirm\npool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n5 detach a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[5] a ended a1 unclaimed\n"
		  "[5] a granted a2 slot 0 (share 1/1)\n");
}

/* "With a key it must be claimed within `claim`." */
Test(lost_answers, with_a_key_it_must_be_claimed_within_claim)
{
	story("config commit=confirm claim=10000\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n"
		  "5 detach a1\n10004 advance\n10005 advance\n10006 acquire a2 a key=k\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[10005] a ended a1 unclaimed\n"
		  "[10006] acquire a2 is a1: lease-ended\n");
}

/* "By the POST repeated with its key, by GET, PUT or DELETE of its id, by /heartbeats naming it." */
Test(lost_answers, the_repeated_request_claims_and_does_not_renew_the_ttl)
{
	story("config commit=confirm claim=10000\npool p slots=1\n0 register a\n0 acquire a1 a key=k ttl=30000\n"
		  "5 detach a1\n9000 acquire a2 a key=k ttl=30000\n9000 claim a1\n20000 show a1\n29999 advance\n"
		  "30000 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[9000] acquire a2 is a1\n"
		  "[20000] a1 active token 1 until 30000\n[30000] a ended a1 expired\n");
}

Test(lost_answers, a_heartbeat_claims)
{
	story("config commit=confirm claim=10000\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n"
		  "5 detach a1\n9000 heartbeat a1\n20000 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[20000] a1 active token 1 until 39000\n");
}

Test(lost_answers, looking_at_a_lease_claims_nothing)
{
	story("config commit=confirm claim=10000\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n"
		  "5 detach a1\n9000 show a1\n10005 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[9000] a1 active token 1 until 30000\n"
		  "[10005] a ended a1 unclaimed\n");
}

Test(lost_answers, an_unclaimed_lease_ends_at_its_ttl_if_that_is_earlier)
{
	story("config commit=confirm claim=10000\npool p slots=1\n0 register a\n0 acquire a1 a key=k ttl=2000\n"
		  "5 detach a1\n2000 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[2000] a ended a1 expired\n");
}

Test(lost_answers, a_claimed_lease_survives_the_going_of_its_request)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n1 detach a1\n1 detach a1\n2 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[2] a1 active token 1 until 30000\n");
}

/* "When the last attached request breaks": one of two is not the last. */
Test(lost_answers, nothing_is_lost_while_another_request_is_attached)
{
	story("config commit=confirm\npool p slots=1\n0 register a\n0 hold\n0 acquire a1 a\n0 attach a1\n"
		  "0 hold off\n1 detach a1\n1 show a1\n2 detach a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a1 active token 1 until 30000\n[2] a ended a1 unclaimed\n");
}

Test(lost_answers, attaching_again_stops_the_claim_from_running_out)
{
	story("config commit=confirm claim=10000\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n"
		  "5 detach a1\n9000 attach a1\n20000 show a1\n20000 detach a1\n29999 advance\n30000 advance\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[20000] a1 active token 1 until 30000\n"
		  "[30000] a ended a1 expired\n");
}

Test(lost_answers, an_unclaimed_lease_may_be_given_back)
{
	story("config commit=confirm claim=10000\npool p slots=1\n0 register a\n0 acquire a1 a key=k\n"
		  "5 detach a1\n6 release a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[6] a ended a1 released\n");
}

Test(lost_answers, a_claim_of_a_pending_or_unknown_lease_is_ignored)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 claim a2\n0 claim zz\n"
		  "1 detach a2\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a ended a2 left (waiting)\n");
}

/* ---- "Idempotency-Key" ---- */

Test(keys, of_a_waiter_that_its_closing_tenant_refused_are_free)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n1 unregister a\n"
		  "1 key a key=k\n2 register a\n2 acquire a3 a key=k ttl=77\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[1] unregister a: closing\n"
		  "[1] a refused a2\n[1] a ended a2 tenant-closing (waiting)\n[1] key k is free\n[2] a placed a3\n");
}

/* A key is bytes, no text. */
Test(keys, that_begin_alike_are_different)
{
	story("pool p\n0 register a\n0 acquire a1 a key=job\n0 acquire a2 a key=job-1\n0 acquire a3 a key=jo\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a granted a2 slot 1 (share 2/10)\n"
		  "[0] a granted a3 slot 2 (share 3/10)\n");
}

/* "It takes up the same place, or gets the lease that was granted (same id)." */
Test(keys, a_repetition_takes_up_the_same_place_or_lease)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a key=k\n0 acquire a2 a key=l\n1 acquire a3 a key=k\n"
		  "1 acquire a4 a key=l\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[1] acquire a3 is a1\n[1] acquire a4 is a2\n");
}

/* "Scoped to tenant and pool." */
Test(keys, are_scoped_to_tenant_and_pool)
{
	story("pool p\npool q\n0 register a\n0 register b\n0 register a @q\n0 acquire a1 a key=k\n"
		  "0 acquire b1 b key=k\n0 acquire q1 a key=k @q\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] b granted b1 slot 1 (share 1/5)\n"
		  "[0] a granted q1 slot 0 (share 1/10)\n");
}

/* "Compared are ttl_seconds and label, never the wait; a difference is 422." */
Test(keys, another_ttl_or_label_is_refused_and_another_wait_is_not)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a key=k ttl=5000 label=x\n"
		  "0 acquire a2 a key=k ttl=6000 label=x\n0 acquire a3 a key=k ttl=5000 label=y\n"
		  "0 acquire a4 a key=k ttl=5000\n0 acquire a5 a key=k ttl=5000 label=x try\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] acquire a2 is a1: idempotency-key-reused\n"
		  "[0] acquire a3 is a1: idempotency-key-reused\n[0] acquire a4 is a1: idempotency-key-reused\n"
		  "[0] acquire a5 is a1\n");
}

Test(keys, what_a_heartbeat_set_is_not_compared)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a key=k ttl=5000\n1 heartbeat a1 ttl=9000\n"
		  "2 acquire a2 a key=k ttl=5000\n2 acquire a3 a key=k ttl=9000\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a renewed a1\n[2] acquire a2 is a1\n"
		  "[2] acquire a3 is a1: idempotency-key-reused\n");
}

/* "A key lives as long as its waiter or lease and for key_memory after the lease ended, answering 410." */
Test(keys, live_for_key_memory_after_the_lease_ended)
{
	story("config memory=600000\npool p\n0 register a\n0 acquire a1 a key=k\n7 release a1\n"
		  "600006 acquire a2 a key=k\n600007 acquire a3 a key=k\n600007 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[7] a ended a1 released\n"
		  "[600006] acquire a2 is a1: lease-ended\n[600007] a granted a3 slot 0 (share 1/10)\n"
		  "[600007] show a1: lease-not-found\n");
}

/* "A key whose place was given up or lost is free at once." */
Test(keys, of_a_place_that_was_given_up_or_lost_are_free_at_once)
{
	story("config grace=1000\npool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n"
		  "0 acquire a3 a key=l\n0 acquire a4 a key=m\n0 detach a3\n1 release a2\n1 revoke a4\n1000 advance\n"
		  "1000 key a key=k\n1000 key a key=l\n1000 key a key=m\n1000 acquire a5 a key=k\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[0] a placed a3\n[0] a placed a4\n"
		  "[1] a ended a2 left (waiting)\n[1] a ended a4 revoked (waiting)\n"
		  "[1000] a ended a3 place-lost (waiting)\n[1000] key k is free\n[1000] key l is free\n"
		  "[1000] key m is free\n[1000] a placed a5\n");
}

/* "And so is one that was refused before it had a place." */
Test(keys, that_were_refused_before_they_had_a_place_are_free)
{
	story("pool p slots=1 waiting=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a key=k\n"
		  "0 key a key=k\n0 acquire a4 b key=k\n0 key b key=k\n0 release a2\n0 acquire a5 a key=k ttl=99\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] acquire a3: queue-full\n[0] key k is free\n"
		  "[0] acquire a4: tenant-not-registered\n[0] key k is free\n[0] a ended a2 left (waiting)\n"
		  "[0] a placed a5\n");
}

/* "503, no-slot and superseded keep a place that was there." */
Test(keys, keep_their_place_over_a_wait_that_ran_out)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n30 detach a2 wait-over\n"
		  "31 acquire a3 a key=k\n61 detach a2 wait-over\n61 show a2\n61 totals\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[31] acquire a3 is a2\n"
		  "[61] a2 pending position 1 ahead 0 absent\n"
		  "[61] granted 1 released 0 expired 0 revoked 0 unclaimed 0 no_slot 2 failures 0\n");
}

/* "While an older request with the key is attached the newer takes over and the older is answered": the place stays. */
Test(keys, the_older_request_may_go_when_a_newer_took_over)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a key=k\n1 acquire a3 a key=k\n"
		  "1 detach a2 answered\n1 show a2\n2 release a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a2\n[1] acquire a3 is a2\n"
		  "[1] a2 pending position 1 ahead 0 at-share\n[2] a ended a1 released\n"
		  "[2] a granted a2 slot 0 (share 1/1)\n");
}

/* DELETE with the key: "204, whatever the key stood for, also for an unknown tenant or pool". */
Test(keys, cancelling_gives_up_a_lease_and_is_no_error_for_what_is_unknown)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a key=k\n0 acquire a2 a\n1 cancel a key=k\n"
		  "1 cancel a key=k\n1 cancel b key=k\n1 cancel a key=k @q\n1 show a1\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[1] a ended a1 released\n"
		  "[1] a granted a2 slot 0 (share 1/1)\n[1] cancel k: nothing\n[1] cancel k: nothing\n"
		  "[1] cancel k: nothing\n[1] a1 ended released at 1\n");
}
