/* SPDX-License-Identifier: MIT */
/* One lease, many heartbeats, and lists. */
#include "check.h"

TestSuite(lease);

Test(lease, is_renewed_and_may_get_another_ttl)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *put;

	pass(w, 20 * S);
	expect_number(lease(w, "GET", a, "", NULL), "expires_in_seconds", 10);
	put = lease(w, "PUT", a, "", NULL);
	expect_status(put, 200);
	expect_number(put, "expires_in_seconds", 30);
	put = lease(w, "PUT", a, "", "{\"ttl_seconds\":60}");
	expect_number(put, "ttl_seconds", 60);
	expect_number(put, "heartbeat_seconds", 20);
	expect_text(put, "expires_at", "2025-11-24T16:01:20.000Z");
	world_destroy(w);
}

Test(lease, expires_and_is_410_for_everybody)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", ",\"ttl_seconds\":2", NULL);
	static const char *const methods[] = {"GET", "PUT", "DELETE"};

	pass(w, 2100 * MS);
	for (size_t i = 0; i < 3; i++) {
		struct exchange *e = lease(w, methods[i], a, "", NULL);

		expect_problem(e, 410, "lease-ended");
		expect_text(e, "reason", "expired");
		cr_expect(strlen(text(e, "ended_at")) == 24);
	}
	world_destroy(w);
}

Test(lease, given_back_twice_is_204_twice)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL);

	expect_status(lease(w, "DELETE", a, "", NULL), 204);
	expect_status(lease(w, "DELETE", a, "", NULL), 204);
	expect_problem(lease(w, "PUT", a, "", NULL), 410, "lease-ended");
	world_destroy(w);
}

Test(lease, pending_cannot_be_renewed)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *place;
	char line[64];

	acquire(w, "bob", "", NULL);
	acquire(w, "alice", "", "k");
	place = acquire(w, "alice", ",\"wait_seconds\":0", "k");
	snprintf(line, sizeof(line), "PUT /leases/%s", text(place, "id"));
	expect_problem(ask(w, line, NULL), 409, "lease-pending");
	world_destroy(w);
}

Test(lease, heartbeats_tell_what_is_renewed_and_what_is_lost)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *b = acquire(w, "alice", "", NULL), *place, *e;
	const json_t *renewed, *lost;
	char body[512];

	lease(w, "DELETE", b, "", NULL);
	acquire(w, "alice", "", NULL);
	acquire(w, "bob", ",\"wait_seconds\":9", "k");
	place = acquire(w, "bob", ",\"wait_seconds\":0", "k");
	pass(w, 5 * S);
	snprintf(body, sizeof(body),
			 "{\"lease_ids\":[\"%s\",\"%s\",\"%s\",\"%s\",\"ls_00000000000000000000000000\",\"nonsense\"],\"ttl_"
			 "seconds\":6}",
			 text(a, "id"), text(a, "id"), text(b, "id"), text(place, "id"));
	e = ask(w, "POST /heartbeats", body);
	expect_status(e, 200);
	renewed = json_object_get(e->json, "renewed");
	lost = json_object_get(e->json, "lost");
	cr_assert(json_array_size(renewed) == 1 && json_array_size(lost) == 4);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(renewed, 0), "id")), text(a, "id"));
	cr_expect(json_number_value(json_object_get(json_array_get(renewed, 0), "expires_in_seconds")) == 6);
	cr_expect(json_number_value(json_object_get(json_array_get(renewed, 0), "heartbeat_seconds")) == 2);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(lost, 0), "reason")), "released");
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(lost, 1), "reason")), "lease-pending");
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(lost, 2), "reason")), "not-found");
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(lost, 3), "reason")), "not-found");
	world_destroy(w);
}

Test(lease, check_is_204_while_active_and_403_otherwise)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL);
	char line[64];

	snprintf(line, sizeof(line), "GET /check?lease=%s", text(a, "id"));
	expect_status(ask(w, line, NULL), 204);
	lease(w, "DELETE", a, "", NULL);
	expect_problem(ask(w, line, NULL), 403, "lease-not-active");
	expect_problem(ask(w, "GET /check?lease=x", NULL), 403, "lease-not-active");
	expect_problem(ask(w, "GET /check?lease=", NULL), 403, "lease-not-active");
	world_destroy(w);
}

/* Walks all pages and counts their items. */
static size_t walk(struct world *w, const char *query, size_t *ret_pages)
{
	char line[400];
	size_t items = 0;
	struct exchange *e;

	*ret_pages = 0;
	snprintf(line, sizeof(line), "GET %s", query);
	for (;;) {
		e = ask(w, line, NULL);
		expect_status(e, 200);
		items += json_array_size(json_object_get(e->json, "items"));
		++*ret_pages;
		if (*text(e, "next_cursor") == '\0' || *ret_pages > 100)
			break;
		snprintf(line, sizeof(line), "GET %s&cursor=%s", query, text(e, "next_cursor"));
	}
	cr_expect(json_is_null(json_object_get(e->json, "next_cursor")));
	return items;
}

Test(lease, lists_are_pages_over_all_pools)
{
	struct world *w = world_create((struct world_config){.max_slots = 5, .auto_register = true});
	size_t pages;

	for (size_t i = 0; i < 7; i++)
		acquire(w, i % 2 == 0 ? "alice" : "bob", i == 3 ? ",\"label\":\"a b\"" : "", NULL);
	acquire(w, "carol", ",\"pool\":\"other\"", NULL);
	cr_expect(walk(w, "/leases?limit=3", &pages) == 8 && pages == 3);
	cr_expect(walk(w, "/leases?limit=8", &pages) == 8 && pages == 1);
	cr_expect(walk(w, "/leases?state=active&limit=1", &pages) == 5);
	cr_expect(walk(w, "/leases?state=pending&limit=1", &pages) == 3);
	cr_expect(walk(w, "/leases?tenant_id=alice&limit=2", &pages) == 4);
	cr_expect(walk(w, "/leases?pool=other&limit=2", &pages) == 1);
	cr_expect(walk(w, "/leases?label=a+b&limit=2", &pages) == 1);
	cr_expect(walk(w, "/leases?label=a%20b&limit=2", &pages) == 1);
	cr_expect(walk(w, "/tenants?limit=2", &pages) == 3 && pages == 2);
	expect_problem(ask(w, "GET /leases?pool=nowhere", NULL), 404, "pool-not-found");
	expect_problem(ask(w, "GET /leases?tenant_id=nobody", NULL), 404, "tenant-not-found");
	expect_problem(ask(w, "GET /leases?tenant_id=carol&pool=default", NULL), 404, "tenant-not-found");
	expect_problem(ask(w, "GET /tenants?pool=nowhere", NULL), 404, "pool-not-found");
	world_destroy(w);
}

Test(lease, a_cursor_belongs_to_its_list_and_its_filters)
{
	static const char *const lists[] = {
		"/tenants?limit=1",
		"/tenants?limit=1&pool=default",
		"/leases?limit=1",
		"/leases?limit=1&pool=default",
		"/leases?limit=1&state=active",
		"/leases?limit=1&tenant_id=alice",
		"/leases?limit=1&label=x",
		"/leases?limit=1&label=",
	};
	enum { LISTS = sizeof(lists) / sizeof(lists[0]) };
	struct world *w = world_create((struct world_config){.max_slots = 9});
	char cursor[LISTS][200], line[2000];

	for (size_t i = 0; i < 4; i++)
		acquire(w, "alice", i < 2 ? ",\"label\":\"x\"" : "", NULL);
	for (size_t i = 0; i < LISTS; i++) {
		snprintf(line, sizeof(line), "GET %s", lists[i]);
		snprintf(cursor[i], sizeof(cursor[i]), "%s", text(ask(w, line, NULL), "next_cursor"));
		cr_assert(*cursor[i] != '\0', "%s", lists[i]);
	}
	for (size_t i = 0; i < LISTS; i++) {
		for (size_t j = 0; j < LISTS; j++) {
			struct exchange *e;

			snprintf(line, sizeof(line), "GET %s&cursor=%s", lists[i], cursor[j]);
			e = ask(w, line, NULL);
			if (i == j) {
				expect_status(e, 200);
				cr_expect(json_array_size(json_object_get(e->json, "items")) == 1);
				continue;
			}
			expect_fault(e, "cursor");
			cr_expect(strstr(fault_detail(e), "take it from next_cursor of the same query") != NULL);
		}
	}
	snprintf(line, sizeof(line), "GET /leases?limit=3&cursor=%s", cursor[2]);
	cr_expect(json_array_size(json_object_get(ask(w, line, NULL)->json, "items")) == 3, "the limit may change");
	world_destroy(w);
}

Test(lease, a_label_filter_looks_at_a_bounded_number_of_leases_a_page)
{
	struct world *w = world_create((struct world_config){.max_slots = 12000});
	struct exchange *e;
	size_t pages;

	for (size_t i = 0; i < 10500; i++)
		acquire(w, "alice", i == 10400 ? ",\"label\":\"x\"" : "", NULL);
	e = ask(w, "GET /leases?label=x", NULL);
	cr_expect(json_array_size(json_object_get(e->json, "items")) == 0);
	cr_expect(*text(e, "next_cursor") != '\0');
	cr_expect(walk(w, "/leases?label=x", &pages) == 1 && pages == 2);
	world_destroy(w);
}

/* ---- an operator ends what is another's ---- */

Test(lease, revoked_ends_for_its_holder)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *held = acquire(w, "alice", ",\"label\":\"x\"", NULL), *waiter = acquire(w, "bob", "", NULL);
	char line[256];

	cr_expect_not(waiter->answered);
	expect_status(lease(w, "DELETE", held, "?revoke=true", NULL), 204);
	snprintf(line, sizeof(line), "revoke pool=default tenant_id=alice lease=%s label=x\n", text(held, "id"));
	cr_expect_str_eq(w->audit, line);
	expect_status(waiter, 201);
	expect_text(lease(w, "PUT", held, "", NULL), "reason", "revoked");
	expect_stat(w, "revoked_total", 1);
	/* Repeated it answers as before, and is no second act. */
	expect_status(lease(w, "DELETE", held, "?revoke=true", NULL), 204);
	cr_expect_str_eq(w->audit, line);
	expect_problem(lease(w, "DELETE", held, "", NULL), 410, "lease-ended");
	world_destroy(w);
}

Test(lease, revoked_while_it_waits_is_told_so)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *held = acquire(w, "alice", "", NULL), *waiter = acquire(w, "bob", "", "k");
	struct exchange *shown = ask(w, "GET /leases?state=pending", NULL);
	const json_t *pending = json_array_get(json_object_get(shown->json, "items"), 0);
	char line[128];

	snprintf(line, sizeof(line), "DELETE /leases/%s?revoke=true", json_string_value(json_object_get(pending, "id")));
	expect_status(ask(w, line, NULL), 204);
	expect_problem(waiter, 410, "lease-ended");
	expect_text(waiter, "reason", "revoked");
	/* What had ended otherwise stays so. */
	expect_status(lease(w, "DELETE", held, "", NULL), 204);
	w->audit[0] = '\0';
	expect_problem(lease(w, "DELETE", held, "?revoke=true", NULL), 410, "lease-ended");
	expect_problem(ask(w, "DELETE /leases/ls_00000000000000000000000000?revoke=true", NULL), 404, "lease-not-found");
	expect_fault(lease(w, "DELETE", held, "?revoke=yes", NULL), "revoke");
	cr_expect_str_eq(w->audit, "");
	world_destroy(w);
}
