/* SPDX-License-Identifier: MIT */
/* GET /metrics by value, and replies that are made in slices. */
#include "check.h"

#include "sliced.h"

TestSuite(metrics);

static const char *scrape_as(struct world *w, const char *line, const char *accept)
{
	struct exchange *e = ask_with(w, line, NULL, 0, (struct headers){.accept = accept});

	while (!e->answered)
		pass(w, MS);
	expect_status(e, 200);
	cr_assert_str_eq(e->reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
	return e->reply.body;
}

static const char *scrape(struct world *w)
{
	return scrape_as(w, "GET /metrics", NULL);
}

static size_t lines_with(const char *shown, const char *words)
{
	size_t count = 0;

	for (const char *at = shown; (at = strstr(at, words)) != NULL; at += strlen(words))
		count++;
	return count;
}

static void expect_line(const char *shown, const char *line)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	cr_expect(lines_with(shown, whole) == 1, "not there once: %s", line);
}

#define DEFAULT_POOL(name, rest) "fairshared_" name "{pool=\"default\"" rest

Test(metrics, are_zero_from_the_start)
{
	static const char *const zero[] = {
		DEFAULT_POOL("slots", ",state=\"active\"} 0"),
		DEFAULT_POOL("tenants", ",state=\"demanding\"} 0"),
		DEFAULT_POOL("tenants", ",state=\"closing\"} 0"),
		DEFAULT_POOL("waiters", "} 0"),
		DEFAULT_POOL("waiters_absent", "} 0"),
		DEFAULT_POOL("oldest_waiter_timestamp_seconds", "} 0"),
		DEFAULT_POOL("acquires_total", ",outcome=\"granted\"} 0"),
		DEFAULT_POOL("acquires_total", ",outcome=\"no_slot\"} 0"),
		DEFAULT_POOL("acquires_total", ",outcome=\"left\"} 0"),
		DEFAULT_POOL("acquires_total", ",outcome=\"refused\"} 0"),
		DEFAULT_POOL("leases_ended_total", ",reason=\"released\"} 0"),
		DEFAULT_POOL("leases_ended_total", ",reason=\"expired\"} 0"),
		DEFAULT_POOL("leases_ended_total", ",reason=\"revoked\"} 0"),
		DEFAULT_POOL("leases_ended_total", ",reason=\"unclaimed\"} 0"),
		DEFAULT_POOL("leases_ended_total", ",reason=\"place-lost\"} 0"),
		DEFAULT_POOL("heartbeats_total", ",outcome=\"renewed\"} 0"),
		DEFAULT_POOL("heartbeats_total", ",outcome=\"lost\"} 0"),
		DEFAULT_POOL("acquire_wait_seconds_count", "} 0"),
		DEFAULT_POOL("acquire_wait_seconds_bucket", ",le=\"0.1\"} 0"),
		DEFAULT_POOL("lease_hold_seconds_bucket", ",le=\"+Inf\"} 0"),
		DEFAULT_POOL("tenant_active_slots", ",tenant=\"alice\"} 0"),
		DEFAULT_POOL("tenant_grants_total", ",tenant=\"_other\"} 0"),
		DEFAULT_POOL("tenant_slot_seconds_total", ",tenant=\"_other\"} 0"),
		"fairshared_max_slots{pool=\"other\"} 1",
		"fairshared_acquires_total{pool=\"other\",outcome=\"granted\"} 0",
		"fairshared_build_info{version=\"1.2.3\"} 1",
	};
	struct world *w = world_create((struct world_config){0});
	const char *shown = scrape(w);

	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		expect_line(shown, zero[i]);
	world_destroy(w);
}

Test(metrics, tell_what_happened)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *a = acquire(w, "alice", "", NULL), *b = acquire(w, "bob", "", NULL);
	const char *shown;

	acquire(w, "bob", ",\"wait_seconds\":0", NULL);
	acquire(w, "nobody", "", NULL);
	acquire(w, "bob", "", NULL);
	pass(w, 3 * S);
	lease(w, "PUT", a, "", NULL);
	ask(w, "PUT /leases/ls_00000000000000000000000000", NULL);
	ask(w, "POST /heartbeats", "{\"lease_ids\":[\"none\"]}");
	lease(w, "DELETE", a, "", NULL); /* bob's waiter gets it, after 3 s */
	lease(w, "DELETE", b, "", NULL);
	shown = scrape(w);
	expect_line(shown, DEFAULT_POOL("acquires_total", ",outcome=\"granted\"} 3"));
	expect_line(shown, DEFAULT_POOL("acquires_total", ",outcome=\"no_slot\"} 1"));
	expect_line(shown, DEFAULT_POOL("acquires_total", ",outcome=\"refused\"} 1"));
	expect_line(shown, DEFAULT_POOL("leases_ended_total", ",reason=\"released\"} 2"));
	expect_line(shown, DEFAULT_POOL("heartbeats_total", ",outcome=\"renewed\"} 1"));
	expect_line(shown, "fairshared_heartbeats_total{outcome=\"lost\"} 2");
	expect_line(shown, DEFAULT_POOL("acquire_wait_seconds_bucket", ",le=\"2.5\"} 2"));
	expect_line(shown, DEFAULT_POOL("acquire_wait_seconds_bucket", ",le=\"5\"} 3"));
	expect_line(shown, DEFAULT_POOL("acquire_wait_seconds_sum", "} 3"));
	expect_line(shown, DEFAULT_POOL("lease_hold_seconds_sum", "} 6"));
	expect_line(shown, DEFAULT_POOL("tenant_active_slots", ",tenant=\"bob\"} 1"));
	expect_line(shown, DEFAULT_POOL("tenant_grants_total", ",tenant=\"bob\"} 2"));
	expect_line(shown, DEFAULT_POOL("tenant_slot_seconds_total", ",tenant=\"alice\"} 3"));
	expect_line(shown, DEFAULT_POOL("tenant_slot_seconds_total", ",tenant=\"bob\"} 3"));
	expect_line(shown, DEFAULT_POOL("slots", ",state=\"free\"} 1"));
	expect_line(shown, DEFAULT_POOL("fairness_ratio", "} 1"));
	acquire(w, "alice", ",\"wait_seconds\":0", NULL); /* 1 and 1 */
	expect_line(scrape(w), DEFAULT_POOL("fairness_ratio", "} 1"));
	world_destroy(w);
}

Test(metrics, tell_since_when_somebody_waits)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});

	api_clock(w->api, w->now, 1764000000250);
	acquire(w, "alice", "", NULL);
	acquire(w, "bob", "", NULL);
	pass(w, 2 * S);
	expect_line(scrape(w), DEFAULT_POOL("oldest_waiter_timestamp_seconds", "} 1764000000.25"));
	expect_line(scrape(w), DEFAULT_POOL("waiters", "} 1"));
	expect_line(scrape(w), DEFAULT_POOL("tenant_waiters", ",tenant=\"bob\"} 1"));
	world_destroy(w);
}

/* "For the first metrics_max_tenants, the rest summed as _other", also where a tenant has that very name. */
Test(metrics, name_the_first_tenants_and_sum_the_others)
{
	struct world *w = world_create((struct world_config){.max_slots = 9, .auto_register = true, .accounts_max = 3});
	const char *shown;

	acquire(w, "_other", "", NULL);
	acquire(w, "carol", "", NULL);
	acquire(w, "dave", "", NULL);
	acquire(w, "alice", "", NULL);
	shown = scrape(w);
	expect_line(shown, DEFAULT_POOL("tenant_active_slots", ",tenant=\"alice\"} 1"));
	expect_line(shown, DEFAULT_POOL("tenant_active_slots", ",tenant=\"_other\"} 3"));
	expect_line(shown, DEFAULT_POOL("tenant_grants_total", ",tenant=\"_other\"} 3"));
	cr_expect(strstr(shown, "carol") == NULL && strstr(shown, "dave") == NULL);
	cr_expect_eq(lines_with(shown, "tenant_active_slots{pool=\"default\""), 3);
	world_destroy(w);
}

Test(metrics, are_also_at_stats_of_one_pool_or_all_and_without_tenants)
{
	struct world *w = world_create((struct world_config){0});
	const char *all = scrape_as(w, "GET /stats", "text/plain"), *one;

	cr_expect_str_eq(all, scrape(w));
	one = scrape_as(w, "GET /stats?pool=other", "text/plain");
	expect_line(one, "fairshared_max_slots{pool=\"other\"} 1");
	cr_expect(strstr(one, "pool=\"default\"") == NULL);
	cr_expect(strstr(scrape_as(w, "GET /stats?tenants=false", "text/plain"), "_tenant_") == NULL);
	expect_problem(ask_with(w, "GET /stats?pool=x", NULL, 0, (struct headers){.accept = "text/plain"}), 404,
				   "pool-not-found");
	world_destroy(w);
}

/* ---- slices ---- */

static void register_many(struct world *w, unsigned count)
{
	char line[64];

	for (unsigned i = 0; i < count; i++) {
		bool created;

		snprintf(line, sizeof(line), "t%u", i);
		cr_assert(fair_register(w->fair, w->now, "default", line, NULL, &created) == FAIR_OK);
		pass(w, MS);
	}
}

Test(slices, a_long_reply_takes_several_and_is_of_one_moment)
{
	struct world *w = world_create((struct world_config){.max_slots = 2, .max_tenants = 10000});
	struct exchange *e;
	unsigned slices = 1;

	register_many(w, 2000);
	e = ask(w, "GET /stats?limit=10000", NULL);
	expect_status(e, 0);
	cr_expect(e->request.parked && e->request.brief);
	cr_expect(api_next_deadline(w->api) <= w->now);
	acquire(w, "alice", "", NULL); /* others are served meanwhile, and what they change is not told */
	for (; api_advance(w->api, w->now, 100); slices++)
		;
	expect_status(e, 200);
	cr_expect(slices >= 2000 / SLICE_UNITS, "%u slices", slices);
	cr_expect_eq(number(e, "total_active_slots"), 0);
	cr_expect_eq(number(e, "tenants_omitted"), 0);
	cr_expect_eq(json_object_size(json_object_get(e->json, "tenants")), 2002);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(json_object_get(e->json, "tenants"), "alice"),
												   "active_slots")),
				 0);
	pass(w, MS);
	cr_expect(api_next_deadline(w->api) > w->now);
	world_destroy(w);
}

Test(slices, long_replies_stand_in_line)
{
	struct world *w = world_create((struct world_config){.max_tenants = 10000});
	struct exchange *first, *second, *small;

	register_many(w, 1000);
	first = ask(w, "GET /stats", NULL);
	second = ask(w, "GET /stats", NULL);
	small = ask(w, "GET /stats?limit=1", NULL);
	pass(w, MS);
	expect_status(first, 200);
	expect_status(second, 200);
	expect_status(small, 200);
	cr_expect(first->order < second->order && second->order < small->order);
	world_destroy(w);
}

Test(slices, a_client_that_leaves_ends_the_work_for_it)
{
	struct world *w = world_create((struct world_config){.max_tenants = 10000});
	struct exchange *e, *next;

	register_many(w, 1000);
	e = ask(w, "GET /stats", NULL);
	next = ask(w, "GET /metrics", NULL);
	hang_up(w, e);
	pass(w, MS);
	expect_status(e, 0);
	expect_status(next, 200);
	world_destroy(w);
}

Test(slices, the_line_has_an_end)
{
	struct world *w = world_create((struct world_config){.max_tenants = 10000});

	register_many(w, 1000);
	for (unsigned i = 0; i < SLICED_MAX; i++)
		expect_status(ask(w, "GET /stats", NULL), 0);
	expect_problem(ask(w, "GET /stats", NULL), 503, "overloaded");
	pass(w, MS);
	expect_status(ask(w, "GET /stats?limit=1", NULL), 200);
	world_destroy(w);
}

/* A pool that is removed while a reply about it stands in line. */
Test(slices, a_pool_that_is_gone_is_not_found)
{
	struct world *w = world_create((struct world_config){.max_tenants = 10000});
	struct exchange *json, *shown;

	register_many(w, 1000);
	ask(w, "GET /stats", NULL);
	json = ask(w, "GET /stats?pool=other", NULL);
	shown = ask_with(w, "GET /stats?pool=other", NULL, 0, (struct headers){.accept = "text/plain"});
	cr_assert(fair_pool_remove(w->fair, w->now, "other") == FAIR_OK);
	pass(w, MS);
	expect_problem(json, 404, "pool-not-found");
	expect_problem(shown, 404, "pool-not-found");
	world_destroy(w);
}

/* Both demand; alice has two slots and bob none: (2 + 0)^2 / (2 * (4 + 0)). */
Test(metrics, tell_how_fair_it_is)
{
	struct world *w = world_create((struct world_config){.max_slots = 2});

	acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", NULL);
	acquire(w, "bob", "", NULL);
	expect_line(scrape(w), DEFAULT_POOL("fairness_ratio", "} 0.5"));
	world_destroy(w);
}
