/* SPDX-License-Identifier: MIT */
/* GET /events: what a stream tells, from where it goes on, and that nothing is told before it is durable. */
#include "check.h"

TestSuite(events);

#define expect_told(w, stream, wanted)                                                                                 \
	do {                                                                                                               \
		const char *names = listen_to(w, stream);                                                                      \
		cr_assert(strcmp(names, wanted) == 0, "told: '%s', wanted: '%s'", names, wanted);                              \
	} while (0)

/* A text of event i of the last piece, "" when it is not there; number_in likewise, -1. */
static const char *in(const struct world *w, size_t i, const char *name)
{
	const char *value = i < w->told_count ? json_string_value(json_object_get(w->told[i].data, name)) : NULL;

	return value != NULL ? value : "";
}

static double number_in(const struct world *w, size_t i, const char *name)
{
	const json_t *value = i < w->told_count ? json_object_get(w->told[i].data, name) : NULL;

	return json_is_number(value) ? json_number_value(value) : -1;
}

static int slot_in(const struct world *w, size_t i)
{
	const json_t *slots = json_object_get(w->told[i].data, "slot_ids");

	return json_array_size(slots) == 1 ? (int)json_integer_value(json_array_get(slots, 0)) : -1;
}

#define expect_in(w, i, name, wanted)                                                                                  \
	cr_expect(strcmp(in(w, i, name), wanted) == 0, "%s of %zu is '%s', wanted '%s'", name, (size_t)(i),                \
			  in(w, i, name), wanted)

/* A stream that has been told what there was when it came. */
static struct exchange *begin(struct world *w, const char *query)
{
	struct exchange *stream = watch(w, query, NULL);

	expect_status(stream, 200);
	expect_told(w, stream, "stats");
	return stream;
}

Test(events, a_stream_begins_with_the_statistics_and_tells_nothing_while_nothing_happens)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = watch(w, "", NULL);

	expect_status(stream, 200);
	cr_expect(strcmp(stream->reply.content_type, "text/event-stream") == 0);
	cr_expect(stream->reply.body == NULL);
	expect_told(w, stream, "stats");
	expect_in(w, 0, "pool", "default");
	cr_expect((int)number_in(w, 0, "max_slots") == 2);
	cr_expect((int)number_in(w, 0, "active_tenants") == 2);
	cr_expect(json_object_size(json_object_get(w->told[0].data, "tenants")) == 2);
	expect_told(w, stream, "");
	pass(w, 60 * S);
	ask(w, "GET /stats", NULL);
	ask(w, "GET /leases", NULL);
	expect_told(w, stream, "");
	world_destroy(w);
}

Test(events, a_grant_and_its_end_are_told_by_value)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, ""), *a = acquire(w, "alice", ",\"label\":\"w1\",\"ttl_seconds\":6", NULL);

	expect_told(w, stream, "granted stats");
	expect_in(w, 0, "id", text(a, "id"));
	expect_in(w, 0, "tenant_id", "alice");
	expect_in(w, 0, "state", "active");
	expect_in(w, 0, "acquired_at", text(a, "acquired_at"));
	expect_in(w, 0, "expires_at", text(a, "expires_at"));
	cr_expect(slot_in(w, 0) == 0);
	cr_expect((int)number_in(w, 0, "ttl_seconds") == 6);
	cr_expect((int)number_in(w, 0, "fencing_token") == 100);
	cr_expect((int)number_in(w, 1, "total_active_slots") == 1);
	pass(w, 2 * S);
	lease(w, "DELETE", a, "", NULL);
	expect_told(w, stream, "ended stats");
	expect_in(w, 0, "id", text(a, "id"));
	expect_in(w, 0, "tenant_id", "alice");
	expect_in(w, 0, "state", "ended");
	expect_in(w, 0, "was", "active");
	expect_in(w, 0, "reason", "released");
	cr_expect(slot_in(w, 0) == 0);
	cr_expect(strlen(in(w, 0, "ended_at")) == 24);
	cr_expect((int)number_in(w, 1, "total_active_slots") == 0);
	world_destroy(w);
}

Test(events, a_label_is_told_as_it_was_given)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, "");

	acquire(w, "alice", ",\"label\":\"</script> data: x é\"", NULL);
	expect_told(w, stream, "granted stats");
	expect_in(w, 0, "label", "</script> data: x é");
	world_destroy(w);
}

Test(events, a_waiter_changes_the_statistics_and_its_refusal_is_told)
{
	struct world *w = world_create((struct world_config){.max_slots = 1});
	struct exchange *stream;

	acquire(w, "alice", ",\"ttl_seconds\":60", NULL);
	stream = begin(w, "");
	acquire(w, "bob", ",\"wait_seconds\":5,\"label\":\"b1\"", NULL);
	expect_told(w, stream, "stats");
	cr_expect((int)number_in(w, 0, "waiting") == 1);
	pass(w, 6 * S);
	expect_told(w, stream, "refused ended stats");
	expect_in(w, 0, "tenant_id", "bob");
	expect_in(w, 0, "code", "no-slot");
	expect_in(w, 0, "label", "b1");
	expect_in(w, 1, "was", "pending");
	expect_in(w, 1, "reason", "left");
	cr_expect(slot_in(w, 1) == -1);
	cr_expect((int)number_in(w, 2, "waiting") == 0);
	acquire(w, "nobody", "", NULL);
	acquire(w, "bob", ",\"wait_seconds\":0", NULL);
	expect_told(w, stream, "refused refused stats");
	expect_in(w, 0, "code", "tenant-not-registered");
	expect_in(w, 1, "code", "no-slot");
	world_destroy(w);
}

Test(events, tenants_and_pools_are_told_as_they_are)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, "");

	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	ask(w, "PUT /pools/farm", "{\"max_slots\":7}");
	expect_told(w, stream, "tenant pool stats");
	expect_in(w, 0, "tenant_id", "carol");
	expect_in(w, 0, "state", "active");
	expect_in(w, 1, "pool", "farm");
	cr_expect((int)number_in(w, 1, "max_slots") == 7);
	ask(w, "DELETE /tenants/carol", NULL);
	ask(w, "DELETE /pools/farm", NULL);
	expect_told(w, stream, "tenant tenant pool stats");
	expect_in(w, 1, "tenant_id", "carol");
	cr_expect(json_is_true(json_object_get(w->told[1].data, "removed")));
	cr_expect(json_is_true(json_object_get(w->told[2].data, "removed")));
	world_destroy(w);
}

Test(events, a_stream_can_be_of_another_pool_or_of_one_tenant)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *bob = begin(w, "?tenant_id=bob"), *other = begin(w, "?pool=other");

	acquire(w, "alice", "", NULL);
	acquire(w, "bob", "", NULL);
	ask(w, "POST /tenants", "{\"tenant_id\":\"erin\",\"pool\":\"other\"}");
	expect_told(w, bob, "granted stats");
	expect_in(w, 0, "tenant_id", "bob");
	cr_expect((int)number_in(w, 1, "total_active_slots") == 2);
	expect_told(w, other, "tenant stats");
	expect_in(w, 0, "tenant_id", "erin");
	expect_in(w, 1, "pool", "other");
	ask(w, "PUT /pools/farm", "{\"max_slots\":7}");
	expect_told(w, other, "pool stats");
	expect_problem(watch(w, "?pool=nowhere", NULL), 404, "pool-not-found");
	expect_fault(watch(w, "?pool=a%20b", NULL), "pool");
	expect_fault(watch(w, "?tenants=x", NULL), "tenants");
	world_destroy(w);
}

Test(events, a_stream_goes_on_after_the_last_event_that_its_client_got)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, ""), *a = acquire(w, "alice", "", NULL), *again;
	char first[64], last[64];

	lease(w, "DELETE", a, "", NULL);
	expect_told(w, stream, "granted ended stats");
	strcpy(first, w->told[0].id);
	strcpy(last, w->told[2].id);
	cr_expect(strcmp(w->told[1].id, last) == 0, "the statistics are as of the last event");
	hand_over(w, stream, true);
	again = watch(w, "", first);
	expect_told(w, again, "stats ended");
	cr_expect(strcmp(w->told[0].id, first) == 0, "a client that got no more goes on after the same event");
	cr_expect(strcmp(w->told[1].id, last) == 0);
	acquire(w, "bob", "", NULL);
	again = watch(w, "", last);
	expect_told(w, again, "stats granted");
	expect_in(w, 1, "tenant_id", "bob");
	world_destroy(w);
}

Test(events, an_id_of_another_start_or_none_at_all_has_missed_something)
{
	struct world *w = world_create((struct world_config){0});
	const char *const ids[] = {"0000000000000000-1", "", "1", "x-y", NULL};
	struct exchange *stream = begin(w, "");
	char future[sizeof(w->told[0].id) + 1];

	for (size_t i = 0; ids[i] != NULL; i++) {
		stream = watch(w, "", ids[i]);
		expect_told(w, stream, "stats missed");
		cr_expect(json_is_null(json_object_get(w->told[1].data, "count")));
		expect_told(w, stream, "");
	}
	begin(w, "");
	strcat(strcpy(future, w->told[0].id), "9");
	expect_told(w, watch(w, "", future), "stats missed");
	world_destroy(w);
}

static void be_refused(struct world *w, int times)
{
	for (int i = 0; i < times; i++)
		acquire(w, "nobody", "", NULL);
}

Test(events, who_is_two_hundred_events_behind_gets_them_and_who_is_more_is_told_how_many)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, ""), *filtered = begin(w, "?tenant_id=alice");

	be_refused(w, 198);
	acquire(w, "alice", "", NULL);
	acquire(w, "alice", "", NULL);
	listen_to(w, stream);
	cr_expect(w->told_count == 201, "%zu", w->told_count);
	be_refused(w, 201);
	expect_told(w, stream, "missed stats");
	cr_expect((int)number_in(w, 0, "count") == 201);
	cr_expect(strcmp(w->told[0].id, w->told[1].id) == 0);
	expect_told(w, filtered, "granted granted stats");
	acquire(w, "nobody", "", NULL);
	expect_told(w, stream, "refused stats");
	be_refused(w, 1100);
	expect_told(w, filtered, "missed stats");
	world_destroy(w);
}

/* ---- durable before visible ---- */

Test(events, nothing_is_told_before_it_is_durable)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, ""), *a;

	w->slow = true;
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	send_off(w);
	a = acquire(w, "alice", "", NULL);
	expect_told(w, stream, "stats");
	pass(w, 2 * S);
	commit(w);
	expect_told(w, stream, "tenant stats");
	expect_in(w, 0, "tenant_id", "carol");
	pass(w, 2 * S);
	commit(w);
	expect_told(w, stream, "granted stats");
	expect_in(w, 0, "id", text(a, "id"));
	expect_in(w, 0, "expires_at", text(a, "expires_at"));
	cr_expect((int)number_in(w, 0, "expires_in_seconds") == 30);
	world_destroy(w);
}

Test(events, a_grant_that_could_not_be_stored_is_never_told_and_the_rest_is_once_it_is)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, "");

	w->slow = true;
	acquire(w, "alice", "", NULL);
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	fail(w);
	listen_to(w, stream);
	cr_expect(w->told_count == 1, "statistics only");
	commit(w);
	commit(w);
	listen_to(w, stream);
	for (size_t i = 0; i < w->told_count; i++)
		cr_expect(strcmp(w->told[i].event, "granted") != 0, "it was taken back");
	expect_in(w, 0, "tenant_id", "carol");
	world_destroy(w);
}

Test(events, what_was_lost_before_it_was_durable_is_missed_only_then)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream = begin(w, "");

	w->slow = true;
	ask(w, "POST /tenants", "{\"tenant_id\":\"carol\"}");
	be_refused(w, 1100);
	expect_told(w, stream, "stats");
	commit(w);
	expect_told(w, stream, "missed stats");
	cr_expect((int)number_in(w, 0, "count") == 1101);
	world_destroy(w);
}

/* ---- ends and limits ---- */

Test(events, a_stream_ends_with_its_pool)
{
	struct world *w = world_create((struct world_config){0});
	struct exchange *stream;

	ask(w, "PUT /pools/farm", "{\"max_slots\":7}");
	stream = begin(w, "?pool=farm");
	cr_expect(!w->over);
	ask(w, "DELETE /pools/farm", NULL);
	expect_told(w, stream, "pool");
	cr_expect(w->over);
	world_destroy(w);
}

Test(events, there_is_a_limit_of_streams_and_none_while_the_server_drains)
{
	struct world *w = world_create((struct world_config){.streams_max = 2});
	struct exchange *one = begin(w, ""), *refused;

	begin(w, "");
	refused = watch(w, "", NULL);
	expect_problem(refused, 503, "overloaded");
	cr_expect(strstr(text(refused, "detail"), "max_streams") != NULL);
	cr_expect(refused->reply.retry_after == 1);
	expect_status(ask(w, "HEAD /events", NULL), 200);
	hang_up(w, one);
	begin(w, "");
	api_set_readiness(w->api, w->now, API_DRAINING);
	expect_problem(watch(w, "", NULL), 503, "draining");
	world_destroy(w);
}

Test(events, streams_count_among_the_requests_that_wait)
{
	struct world *w = world_create((struct world_config){.requests_max = 1, .max_slots = 1});

	acquire(w, "alice", "", NULL);
	begin(w, "");
	expect_problem(acquire(w, "bob", "", NULL), 503, "overloaded");
	expect_problem(watch(w, "", NULL), 503, "overloaded");
	world_destroy(w);
}
