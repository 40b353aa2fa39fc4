/* SPDX-License-Identifier: MIT */
#include "check.h"

TestSuite(tenant);

Test(tenant, registering_is_idempotent)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\",\"instance\":\"p1\"}");

	expect_status(e, 201);
	cr_expect_str_eq(e->reply.location, "/tenants/carol");
	expect_text(e, "state", "active");
	expect_number(e, "active_slots", 0);
	cr_expect(json_array_size(json_object_get(e->json, "instances")) == 1);
	e = ask(w, "POST /tenants", "{\"tenant_id\":\"carol\",\"instance\":\"p2\"}");
	expect_status(e, 200);
	cr_expect_str_eq(e->reply.location, "");
	cr_expect(json_array_size(json_object_get(e->json, "instances")) == 2);
	expect_problem(ask(w, "POST /tenants", "{\"tenant_id\":\"x\",\"pool\":\"nowhere\"}"), 409, "pool-not-found");
	expect_problem(ask(w, "GET /tenants/carol?pool=nowhere", NULL), 404, "pool-not-found");
	expect_problem(ask(w, "GET /tenants/carol?pool=other", NULL), 404, "tenant-not-found");
	world_destroy(w);
}

Test(tenant, long_names_have_a_location_too)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *e =
		ask(w, "POST /tenants",
			"{\"tenant_id\":\"a123456789012345678901234567890123456789012345678901234567890\",\"pool\":\"other\"}");

	expect_status(e, 201);
	cr_assert(e->reply.location_long != NULL);
	cr_expect(strstr(e->reply.location_long, "?pool=other") != NULL);
	world_destroy(w);
}

Test(tenant, instances_take_only_their_own_back)
{
	struct world *w = world_create((struct world_config){0});

	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\",\"instance\":\"p1\"}");
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\",\"instance\":\"p2\"}");
	expect_status(ask(w, "DELETE /tenants/carol?instance=p1", NULL), 200);
	expect_status(ask(w, "DELETE /tenants/carol?instance=p9", NULL), 200);
	expect_status(ask(w, "DELETE /tenants/carol?instance=p2", NULL), 204);
	expect_problem(ask(w, "DELETE /tenants/carol", NULL), 404, "tenant-not-found");
	world_destroy(w);
}

Test(tenant, closes_while_it_holds_leases_and_can_be_reopened)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *e;

	e = ask(w, "DELETE /tenants/alice", NULL);
	expect_status(e, 202);
	expect_text(e, "state", "closing");
	e = ask(w, "POST /tenants", "{\"tenant_id\":\"alice\"}");
	expect_status(e, 200);
	expect_text(e, "state", "active");
	expect_status(ask(w, "DELETE /tenants/alice", NULL), 202);
	lease(w, "DELETE", a, "", NULL);
	expect_problem(ask(w, "GET /tenants/alice", NULL), 404, "tenant-not-found");
	world_destroy(w);
}

Test(tenant, force_revokes)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *gone;

	expect_status(ask(w, "DELETE /tenants/alice?force=true", NULL), 204);
	gone = lease(w, "GET", a, "", NULL);
	expect_problem(gone, 410, "lease-ended");
	expect_text(gone, "reason", "revoked");
	world_destroy(w);
}

Test(tenant, limits_are_429)
{
	struct world *w = world_create((struct world_config){.max_tenants = 1});
	struct exchange *e = ask(w, "POST /tenants", "{\"tenant_id\":\"bob\"}");
	char body[80];

	expect_problem(e, 429, "too-many-tenants");
	cr_expect(e->reply.retry_after == 1);
	for (int i = 0; i < 1001; i++) {
		snprintf(body, sizeof(body), "{\"tenant_id\":\"alice\",\"instance\":\"p%d\"}", i);
		e = ask(w, "POST /tenants", body);
	}
	expect_problem(e, 429, "too-many-instances");
	world_destroy(w);
}

Test(tenant, forced_out_is_in_the_audit)
{
	struct world *w = world_create((struct world_config){0});

	acquire(w, "alice", "", NULL);
	ask(w, "DELETE /tenants/bob", NULL);
	ask(w, "DELETE /tenants/nobody?force=true", NULL);
	cr_expect_str_eq(w->audit, "");
	expect_status(ask(w, "DELETE /tenants/alice?force=true", NULL), 204);
	cr_expect_str_eq(w->audit, "force pool=default tenant_id=alice\n");
	world_destroy(w);
}
