/* SPDX-License-Identifier: MIT */
/* Tenants: registering, instances, closing, re-opening, going by themselves. */
#include <criterion/criterion.h>

#include "fair.h"
#include "story.h"

Test(tenants, registering_is_idempotent)
{
	story("config tell=tenants\npool p\n0 register a\n0 register a\n0 register a p1\n0 register a p1\n"
		  "0 tenant a\n",
		  "[0] a open (1)\n[0] a open (2)\n[0] a active 0 waiting 0 absent 0 share 10 anonymous p1\n");
}

Test(tenants, registering_tells_whether_the_tenant_is_new)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {.pool = "p", .max_slots = 1, .min_share = 1};
	struct fair *f = fair_create(&config);
	bool created;

	cr_assert(f);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	cr_assert_eq(fair_register(f, 0, "p", "a", "p1", &created), FAIR_OK);
	cr_assert(created);
	cr_assert_eq(fair_register(f, 0, "p", "a", NULL, &created), FAIR_OK);
	cr_assert_not(created);
	cr_assert_eq(fair_register(f, 0, "q", "a", NULL, &created), FAIR_E_POOL_NOT_FOUND);
	fair_destroy(f);
}

Test(tenants, an_unknown_tenant_or_pool_is_told)
{
	story("pool p\n0 unregister a\n0 acquire x a\n0 acquire y a @q\n0 register a @q\n0 unregister a @q\n",
		  "[0] unregister a: tenant-not-found\n[0] acquire x: tenant-not-registered\n"
		  "[0] acquire y: pool-not-found\n[0] register a: pool-not-found\n[0] unregister a: pool-not-found\n");
}

Test(tenants, two_processes_take_only_their_own_registration_back)
{
	story("pool p\n0 register a p1\n0 register a p2\n0 unregister a p1\n0 tenant a\n0 unregister a p2\n"
		  "0 tenant a\n",
		  "[0] unregister a: remains\n[0] a active 0 waiting 0 absent 0 share 10 p2\n[0] unregister a: gone\n"
		  "[0] a gone\n[0] a unknown\n");
}

Test(tenants, an_unknown_instance_takes_nothing_back)
{
	story("pool p\n0 register a p1\n0 unregister a p9\n0 tenant a\n",
		  "[0] unregister a: remains\n[0] a active 0 waiting 0 absent 0 share 10 p1\n");
}

Test(tenants, without_instance_the_anonymous_registration_is_taken_else_all)
{
	story("pool p\n0 register a\n0 register a p1\n0 register a p2\n0 unregister a\n0 tenant a\n"
		  "0 unregister a\n",
		  "[0] unregister a: remains\n[0] a active 0 waiting 0 absent 0 share 10 p1 p2\n"
		  "[0] unregister a: gone\n[0] a gone\n");
}

Test(tenants, a_closing_tenant_takes_no_new_requests_and_is_gone_when_its_last_lease_ends)
{
	story("pool p\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n1 unregister a\n1 acquire a3 a\n"
		  "1 acquire a4 a auto\n1 tenant a\n2 release a1\n2 tenant a\n3 release a2\n3 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a granted a2 slot 1 (share 2/10)\n"
		  "[1] unregister a: closing\n[1] acquire a3: tenant-closing\n[1] acquire a4: tenant-closing\n"
		  "[1] a closing active 2 waiting 0 absent 0 share 10\n[2] a ended a1 released\n"
		  "[2] a closing active 1 waiting 0 absent 0 share 10\n[3] a ended a2 released\n[3] a gone\n"
		  "[3] a unknown\n");
}

Test(tenants, closing_refuses_its_waiters_present_or_absent_at_once)
{
	story("pool p slots=1\n0 register a\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a key=k\n0 detach a3\n"
		  "1 unregister a\n",
		  "[0] a granted a1 slot 0 (share 1/1)\n[0] a placed a3\n[1] unregister a: closing\n"
		  "[1] a refused a2\n[1] a ended a2 tenant-closing (waiting)\n[1] a refused a3\n"
		  "[1] a ended a3 tenant-closing (waiting)\n");
}

Test(tenants, force_takes_all_registrations_and_revokes_all_leases)
{
	story("pool p slots=2\n0 register a\n0 register a p1\n0 acquire a1 a\n0 acquire a2 a\n0 acquire a3 a\n"
		  "1 unregister a force\n1 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/2)\n[0] a granted a2 slot 1 (share 2/2)\n[1] unregister a: gone\n"
		  "[1] a refused a3\n[1] a ended a3 tenant-closing (waiting)\n[1] a ended a1 revoked\n"
		  "[1] a ended a2 revoked\n[1] a gone\n[1] a unknown\n");
}

Test(tenants, force_also_revokes_what_a_deferred_unregister_left)
{
	story("pool p\n0 register a\n0 acquire a1 a\n0 unregister a\n1 unregister a force\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] unregister a: closing\n[1] unregister a: gone\n"
		  "[1] a ended a1 revoked\n[1] a gone\n");
}

Test(tenants, registering_reopens_a_closing_tenant)
{
	story("config tell=tenants\npool p\n0 register a\n0 acquire a1 a\n1 unregister a\n2 register a p1\n"
		  "2 acquire a2 a\n2 tenant a\n",
		  "[0] a open (1)\n[0] a granted a1 slot 0 (share 1/10)\n[1] unregister a: closing\n"
		  "[1] a closing (0)\n[2] a open (1)\n[2] a granted a2 slot 1 (share 2/10)\n"
		  "[2] a active 2 waiting 0 absent 0 share 10 p1\n");
}

Test(tenants, auto_register_registers_an_unknown_tenant_that_goes_by_itself)
{
	story("config idle=1000 tell=tenants\npool p\n0 acquire a1 a auto\n0 tenant a\n500 release a1\n"
		  "1499 advance\n1499 tenant a\n1500 advance\n1500 tenant a\n",
		  "[0] a open (1)\n[0] a granted a1 slot 0 (share 1/10)\n"
		  "[0] a active 1 waiting 0 absent 0 share 10 anonymous automatic\n[500] a ended a1 released\n"
		  "[1499] a active 0 waiting 0 absent 0 share 10 anonymous automatic\n[1500] a changed\n"
		  "[1500] a gone\n[1500] a unknown\n");
}

Test(tenants, a_request_keeps_an_automatic_tenant)
{
	story("config idle=1000\npool p slots=1\n0 register b\n0 acquire b1 b ttl=100000\n"
		  "0 acquire a1 a auto try\n900 acquire a2 a try\n1800 advance\n1800 tenant a\n1900 advance\n",
		  "[0] b granted b1 slot 0 (share 1/1)\n[0] acquire a1: no-slot\n"
		  "[0] position 1 ahead 0 active 0 share 1 waiting 0 pool-full\n[900] acquire a2: no-slot\n"
		  "[900] position 1 ahead 0 active 0 share 1 waiting 0 pool-full\n"
		  "[1800] a active 0 waiting 0 absent 0 share 1 anonymous automatic\n[1900] a gone\n");
}

Test(tenants, registering_makes_an_automatic_tenant_permanent)
{
	story("config idle=1000\npool p\n0 acquire a1 a auto\n0 register a\n0 release a1\n9000 advance\n"
		  "9000 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a ended a1 released\n"
		  "[9000] a active 0 waiting 0 absent 0 share 10 anonymous\n");
}

Test(tenants, an_explicitly_registered_tenant_never_goes_by_itself)
{
	story("config idle=1000\npool p\n0 register a\n9000 advance\n9000 tenant a\n",
		  "[9000] a active 0 waiting 0 absent 0 share 10 anonymous\n");
}

Test(tenants, spare_instances_are_forgotten_after_tenant_idle_without_use)
{
	story("config idle=1000\npool p\n0 register a p1\n0 register a p2\n0 register a p3\n500 acquire a1 a\n"
		  "800 release a1\n1799 advance\n1799 tenant a\n1800 advance\n1800 tenant a\n",
		  "[500] a granted a1 slot 0 (share 1/10)\n[800] a ended a1 released\n"
		  "[1799] a active 0 waiting 0 absent 0 share 10 p1 p2 p3\n"
		  "[1800] a active 0 waiting 0 absent 0 share 10 p3\n");
}

Test(tenants, an_instance_is_kept_while_its_tenant_holds_a_slot)
{
	story("config idle=1000\npool p\n0 register a p1\n0 register a p2\n0 acquire a1 a ttl=100000\n"
		  "5000 advance\n5000 tenant a\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[5000] a active 1 waiting 0 absent 0 share 10 p1 p2\n");
}

Test(tenants, there_are_at_most_max_tenants_in_a_pool)
{
	story("config tenants=2\npool p\npool q\n0 register a\n0 register b\n0 register c\n0 acquire c1 c auto\n"
		  "0 register c @q\n0 unregister a\n0 register c\n",
		  "[0] register c: too-many-tenants\n[0] acquire c1: too-many-tenants\n[0] unregister a: gone\n"
		  "[0] a gone\n");
}

Test(tenants, a_tenant_that_comes_back_is_a_new_one_and_its_old_keys_are_still_known)
{
	story("config memory=1000\npool p\n0 register a\n0 acquire a1 a key=k\n0 release a1\n1 unregister a\n"
		  "1 acquire a2 a key=k\n2 register a\n2 acquire a3 a key=k\n1000 acquire a4 a key=k\n",
		  "[0] a granted a1 slot 0 (share 1/10)\n[0] a ended a1 released\n[1] unregister a: gone\n"
		  "[1] a gone\n[1] acquire a2 is a1: lease-ended\n[2] acquire a3 is a1: lease-ended\n"
		  "[1000] a granted a4 slot 0 (share 1/10)\n");
}

/* What the pool says now lines its tenants up anew; they did nothing themselves. */
Test(tenants, a_change_of_the_pool_is_no_use_of_an_idle_tenant)
{
	story("config idle=1000 tell=tenants\npool p slots=2 policy=max-min\n0 acquire a1 a auto\n0 release a1\n"
		  "900 set min=2\n1000 advance\n",
		  "[0] a open (1)\n[0] a granted a1 slot 0 (share 1/1)\n[0] a ended a1 released\n[1000] a changed\n[1000] a gone\n");
}
