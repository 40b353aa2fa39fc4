/* SPDX-License-Identifier: MIT */
/* What a restart keeps: leases, places and their order, ends, pools; and where the file is. */
#include "harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAITERS 5
#define LEASES 400
#define CONNS 8

TestSuite(restart, .fini = harness_fini, .timeout = MORE_TIME);

static const char *new_store(void)
{
	return text_format("sqlite:%s/s", temp_dir());
}

/* end_server ends it as the signal says; clients of one that was told to stop have had their answers by then. */
static void end_server(struct server *server, int with_signal)
{
	if (with_signal == SIGKILL)
		server_kill(server);
	else
		server_stop(server);
}

static struct conn *ask_key(struct server *server, int number)
{
	struct conn *conn = conn_open(server_port(server));

	conn_acquire(conn, number % 2 ? "alice" : "bob", ",\"wait_seconds\":60", text_format("job-%d", number));
	return conn;
}

/* all_written returns when all that happened before is durable: batches are committed one after the other. */
static void all_written(struct server *server)
{
	struct reply *reply = call(server, "POST", "/tenants", "{\"tenant_id\":\"last\"}", NULL);

	cr_assert(reply->status == 201, "%u %s", reply->status, reply->body);
}

/* ---- places ---- */

static void park_all(struct server *server, struct conn *conns[WAITERS])
{
	for (int i = 0; i < WAITERS; i++) {
		conns[i] = ask_key(server, i);
		wait_stat(server, "waiting", i + 1);
	}
}

/* The slot is free from the start; only `settle` keeps it for the first of the line, who may come back last. */
static void come_back(const char *store, const char *held, const int order[WAITERS])
{
	struct server *server = server_start("--store", store, "--max-slots", "1", "--settle", "2s", NULL);
	struct conn *conns[WAITERS];
	uint64_t began = now_ms();

	must_release(server, held);
	for (int i = 0; i < WAITERS; i++)
		conns[order[i]] = ask_key(server, order[i]);
	wait_stat(server, "waiting", WAITERS);
	cr_assert(now_ms() - began < 1900, "this machine is too slow for the test");
	for (int i = 0; i < WAITERS; i++) {
		const char *id = granted(conn_reply(conns[i]));

		cr_assert(i > 0 || now_ms() - began > 1500, "granted before the others had their time to come back");
		for (int later = i + 1; later < WAITERS; later++)
			cr_assert(!conn_readable(conns[later], 0), "waiter %d is served before %d", later, i);
		must_release(server, id);
	}
	server_stop(server);
}

static void restart_with_waiters(int with_signal, const int order[WAITERS])
{
	const char *store = new_store(), *held;
	struct server *server = server_start("--store", store, "--max-slots", "1", NULL);
	struct conn *conns[WAITERS];

	held = must_acquire(server, "holder", "", NULL);
	park_all(server, conns);
	all_written(server);
	end_server(server, with_signal);
	for (int i = 0; i < WAITERS && with_signal == SIGTERM; i++)
		refused(conn_reply(conns[i]), 503, "draining");
	come_back(store, held, order);
}

static const int backwards[] = {4, 3, 2, 1, 0}, mixed[] = {2, 0, 4, 1, 3}, in_order[] = {0, 1, 2, 3, 4};

Test(restart, waiters_that_were_sent_away_are_served_in_their_order_though_they_come_back_backwards)
{
	restart_with_waiters(SIGTERM, backwards);
}

Test(restart, waiters_that_were_sent_away_are_served_in_their_order_though_they_come_back_mixed)
{
	restart_with_waiters(SIGTERM, mixed);
}

Test(restart, waiters_of_a_killed_server_are_served_in_their_order_though_they_come_back_backwards)
{
	restart_with_waiters(SIGKILL, backwards);
}

Test(restart, waiters_of_a_killed_server_are_served_in_their_order_though_they_come_back_mixed)
{
	restart_with_waiters(SIGKILL, mixed);
}

Test(restart, waiters_of_a_killed_server_are_served_in_their_order_when_they_come_back_in_it)
{
	restart_with_waiters(SIGKILL, in_order);
}

/* Without keys nobody has a place: there is nothing to settle, and the line begins anew. */
Test(restart, without_keys_the_order_is_lost)
{
	const char *store = new_store(), *held;
	struct server *server = server_start("--store", store, "--max-slots", "1", NULL);
	struct conn *one = conn_open(server_port(server)), *two = conn_open(server_port(server));
	struct reply *reply;

	held = must_acquire(server, "holder", "", NULL);
	conn_acquire(one, "alice", ",\"wait_seconds\":60", NULL);
	wait_stat(server, "waiting", 1);
	conn_acquire(two, "bob", ",\"wait_seconds\":60", NULL);
	wait_stat(server, "waiting", 2);
	server_stop(server);
	refused(conn_reply(one), 503, "draining");
	refused(conn_reply(two), 503, "draining");
	server = server_start("--store", store, "--max-slots", "1", "--settle", "1h", NULL);
	reply = call(server, "GET", "/leases?state=pending", NULL, NULL);
	cr_assert(json_array_size(json_object_get(reply->json, "items")) == 0, "%s", reply->body);
	two = conn_open(server_port(server));
	conn_acquire(two, "bob", ",\"wait_seconds\":60", NULL);
	wait_stat(server, "waiting", 1);
	one = conn_open(server_port(server));
	conn_acquire(one, "alice", ",\"wait_seconds\":60", NULL);
	wait_stat(server, "waiting", 2);
	must_release(server, held);
	must_release(server, granted(conn_reply(two)));
	granted(conn_reply(one));
	server_stop(server);
}

Test(restart, while_it_settles_everybody_is_held_and_told_so)
{
	const char *store = new_store();
	struct server *server = server_start("--store", store, "--max-slots", "2", NULL);
	struct reply *reply;

	must_acquire(server, "holder", "", NULL);
	must_acquire(server, "holder", "", NULL);
	ask_key(server, 1);
	wait_stat(server, "waiting", 1);
	all_written(server);
	server_kill(server);
	server = server_start("--store", store, "--max-slots", "3", "--settle", "1h", NULL);
	cr_assert(call(server, "GET", "/readyz", NULL, NULL)->status == 200);
	cr_assert(stat_of(server, "absent") == 1);
	reply = acquire(server, "carol", ",\"wait_seconds\":0", NULL);
	refused(reply, 429, "no-slot");
	cr_assert_str_eq(text_of(reply, "reason"), "held", "%s", reply->body);
	server_stop(server);
}

Test(restart, who_does_not_come_back_is_passed_after_settle_and_loses_the_place_after_the_grace)
{
	const char *store = new_store(), *held, *place, *id;
	struct server *server = server_start("--store", store, "--max-slots", "1", NULL);
	struct conn *one, *two;
	struct reply *reply;

	held = must_acquire(server, "holder", "", NULL);
	one = ask_key(server, 1);
	wait_stat(server, "waiting", 1);
	two = ask_key(server, 2);
	wait_stat(server, "waiting", 2);
	reply = call(server, "GET", "/leases?state=pending&tenant_id=alice", NULL, NULL);
	place = json_string_value(json_object_get(json_array_get(json_object_get(reply->json, "items"), 0), "id"));
	all_written(server);
	server_kill(server);
	server = server_start("--store", store, "--max-slots", "1", "--settle", "300ms", "--queue-grace", "2s", NULL);
	must_release(server, held);
	two = ask_key(server, 2);
	id = granted(conn_reply(two));
	cr_assert(stat_of(server, "absent") == 1, "the one that does not come back has lost its place too early");
	wait_stat(server, "absent", 0);
	reply = call(server, "GET", lease_path(place, ""), NULL, NULL);
	refused(reply, 410, "lease-ended");
	cr_assert_str_eq(text_of(reply, "reason"), "place-lost", "%s", reply->body);
	one = ask_key(server, 1);
	wait_stat(server, "waiting", 1);
	must_release(server, id);
	cr_assert_str_neq(granted(conn_reply(one)), place);
	server_stop(server);
}

/* ---- leases ---- */

/* check_ended returns when it ended, in milliseconds. */
static double check_ended(struct server *server, const char *id, const char *reason)
{
	struct reply *reply = call(server, "GET", lease_path(id, ""), NULL, NULL);
	struct tm tm = {.tm_sec = 0};
	const char *rest;

	refused(reply, 410, "lease-ended");
	cr_assert_str_eq(text_of(reply, "reason"), reason, "%s", reply->body);
	rest = strptime(text_of(reply, "ended_at"), "%Y-%m-%dT%H:%M:%S", &tm);
	cr_assert(rest && *rest == '.', "%s", reply->body);
	return (double)timegm(&tm) * 1000 + strtod(rest, NULL) * 1000;
}

Test(restart, a_lease_whose_end_was_committed_answers_with_its_reason)
{
	const char *store = new_store(), *released, *expired, *revoked, *left;
	struct server *server = server_start("--store", store, "--max-slots", "3", "--min-ttl", "100ms", NULL);
	struct reply *reply = call(server, "POST", "/leases", "{\"tenant_id\":\"bob\",\"ttl_seconds\":0.1}", NULL);
	double ended, again;

	expired = granted(reply);
	released = must_acquire(server, "alice", "", "job-1");
	revoked = must_acquire(server, "carol", "", NULL);
	must_release(server, released);
	cr_assert(call(server, "DELETE", "/tenants/carol?force=true", NULL, NULL)->status == 204);
	wait_stat(server, "total_active_slots", 0);
	for (int i = 0; i < 3; i++)
		must_acquire(server, "holder", "", NULL);
	reply = acquire(server, "alice", ",\"wait_seconds\":0.1", "job-2");
	left = text_of(reply, "id");
	must_release(server, left);
	ended = check_ended(server, released, "released");
	all_written(server);
	server_kill(server);
	server = server_start("--store", store, "--max-slots", "3", NULL);
	again = check_ended(server, released, "released");
	cr_assert(again - ended <= 20 && ended - again <= 20, "it ended at %f and now at %f", ended, again);
	check_ended(server, expired, "expired");
	check_ended(server, revoked, "revoked");
	check_ended(server, left, "left");
	refused(acquire(server, "alice", "", "job-1"), 410, "lease-ended");
	must_release(server, released);
	refused(release(server, expired), 410, "lease-ended");
	server_stop(server);
}

Test(restart, a_server_that_keeps_its_state_in_memory_forgets)
{
	struct server *server = server_start("--store", "memory", NULL);
	struct reply *reply = acquire(server, "alice", "", "job-1"), *again;
	const char *id = granted(reply);

	server_stop(server);
	server = server_start("--store", "memory", NULL);
	refused(heartbeat(server, id), 404, "lease-not-found");
	refused(call(server, "GET", "/tenants/alice", NULL, NULL), 404, "tenant-not-found");
	again = acquire(server, "alice", "", "job-1");
	cr_assert_str_neq(granted(again), id);
	cr_assert(number_of(again, "fencing_token") > number_of(reply, "fencing_token"), "tokens go back");
	server_stop(server);
}

/* Tokens never go back, not even when the file is lost. */
Test(restart, a_lost_file_does_not_take_tokens_back)
{
	const char *dir = temp_dir(), *store = text_format("sqlite:%s/s", dir);
	struct server *server = server_start("--store", store, "--max-slots", "100", NULL);
	double token = 0;

	for (int i = 0; i < 100; i++)
		token = number_of(acquire(server, "alice", "", NULL), "fencing_token");
	server_stop(server);
	cr_assert(unlink(text_format("%s/s", dir)) == 0);
	server = server_start("--store", store, NULL);
	cr_assert(number_of(acquire(server, "alice", "", NULL), "fencing_token") > token);
	server_stop(server);
}

/* Releases are answered before they are written; a server that is told to stop writes them before it leaves. */
Test(restart, what_was_released_is_written_before_a_server_leaves)
{
	const char *store = new_store(), *slots = text_format("%d", LEASES), *ids[LEASES];
	struct server *server = server_start("--store", store, "--max-slots", slots, NULL);
	struct conn *conns[CONNS];
	bool told[LEASES] = {false};
	int count = 0;

	for (int i = 0; i < LEASES; i++)
		ids[i] = must_acquire(server, "alice", "", NULL);
	for (int i = 0; i < CONNS; i++)
		conns[i] = conn_open(server_port(server));
	for (int i = 0; i < LEASES; i++)
		conn_ask(conns[i % CONNS], "DELETE", lease_path(ids[i], ""), NULL, NULL);
	for (int i = 0; i < LEASES; i++) {
		struct reply *reply = conn_maybe_reply(conns[i % CONNS]);

		if (i == LEASES / 4)
			server_signal(server, SIGTERM);
		told[i] = reply && reply->status == 204;
		cr_assert(!reply || told[i], "release: %u %s", reply->status, reply->body);
		count += told[i];
	}
	cr_assert(count > LEASES / 4);
	cr_assert(server_leaves(server) == 0);
	server = server_start("--store", store, "--max-slots", slots, NULL);
	for (int i = 0; i < LEASES; i++)
		if (told[i])
			check_ended(server, ids[i], "released");
	server_stop(server);
}

/* ---- pools ---- */

static json_int_t slot_of(const struct reply *reply)
{
	granted(reply);
	return json_integer_value(json_array_get(json_object_get(reply->json, "slot_ids"), 0));
}

Test(restart, the_configuration_changes_a_stored_pool_and_each_difference_is_logged)
{
	const char *store = new_store();
	struct server *server = server_start("--store", store, "--max-slots", "4", NULL);
	struct reply *reply;

	server_stop(server);
	server = server_start("--store", store, "--max-slots", "6", "--min-share", "2", "--tenant-max-waiting", "7",
						  "--share-calculator", "max_slots", NULL);
	server_says(server, "changes a pool\",\"pool\":\"default\",\"key\":\"max_slots\",\"was\":4,\"is\":6}");
	server_says(server, "changes a pool\",\"pool\":\"default\",\"key\":\"min_share\",\"was\":1,\"is\":2}");
	server_says(server, "\"key\":\"tenant_max_waiting\",\"was\":1000,\"is\":7}");
	server_says(server, "\"key\":\"share_calculator\",\"was\":\"\",\"is\":\"max_slots\"}");
	reply = call(server, "GET", "/pools/default", NULL, NULL);
	cr_assert(number_of(reply, "max_slots") == 6 && number_of(reply, "min_share") == 2, "%s", reply->body);
	server_stop(server);
	/* What is the same is no difference. */
	server = server_start("--store", store, "--max-slots", "6", "--min-share", "2", "--tenant-max-waiting", "7",
						  "--share-calculator", "max_slots", NULL);
	cr_assert_not(server_has_said(server, "changes a pool"));
	server_stop(server);
}

/* Weights, reserves, caps, limits, slots, priority, max-lease, cordons, draining and addresses. */
Test(restart, what_tenants_may_have_and_what_operators_said_lives_on)
{
	const char *store = new_store(), *id;
	struct server *server = server_start("--store", store, NULL);
	struct reply *reply;

	reply = call(server, "PUT", "/pools/farm",
				 "{\"max_slots\":4,\"policy\":\"max-min\",\"cordoned\":[3],\"slot_rest_seconds\":1.5,"
				 "\"max_lease_seconds\":600,\"pass_over_seconds\":2,\"priority_step_seconds\":9,"
				 "\"slot_urls\":[\"a:0\",\"a:1\",\"a:2\",\"a:3\"]}",
				 NULL);
	cr_assert(reply->status == 201, "%s", reply->body);
	id = must_acquire(server, "alice", ",\"pool\":\"farm\",\"slots\":2,\"priority\":-4,\"max_lease_seconds\":300", "k");
	reply = call(server, "PATCH", "/tenants/alice?pool=farm",
				 "{\"weight\":2.5,\"reserved_slots\":1,\"max_slots\":3,\"max_waiting\":7}", NULL);
	cr_assert(reply->status == 200, "%s", reply->body);
	cr_assert(call(server, "PATCH", "/pools/farm", "{\"draining\":true}", NULL)->status == 200);
	server_kill(server);
	server = server_start("--store", store, NULL);
	reply = call(server, "GET", "/tenants/alice?pool=farm", NULL, NULL);
	cr_assert(number_of(reply, "weight") == 2.5 && number_of(reply, "reserved_slots") == 1, "%s", reply->body);
	cr_assert(number_of(reply, "max_slots") == 3 && number_of(reply, "max_waiting") == 7, "%s", reply->body);
	reply = call(server, "GET", "/pools/farm", NULL, NULL);
	cr_assert_str_eq(text_of(reply, "policy"), "max-min");
	cr_assert(json_is_true(json_object_get(reply->json, "draining")), "%s", reply->body);
	cr_assert(json_integer_value(json_array_get(json_object_get(reply->json, "cordoned"), 0)) == 3, "%s", reply->body);
	cr_assert(number_of(reply, "slot_rest_seconds") == 1.5 && number_of(reply, "max_lease_seconds") == 600, "%s",
			  reply->body);
	cr_assert(number_of(reply, "pass_over_seconds") == 2 && number_of(reply, "priority_step_seconds") == 9, "%s",
			  reply->body);
	reply = call(server, "GET", lease_path(id, ""), NULL, NULL);
	cr_assert(number_of(reply, "slots") == 2 && number_of(reply, "priority") == -4, "%s", reply->body);
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(reply->json, "slot_urls"), 1)), "a:1");
	/* Its longest life goes on from the grant, and its key stands for all that was asked. */
	cr_assert(acquire(server, "alice", ",\"pool\":\"farm\",\"slots\":2,\"priority\":-4,\"max_lease_seconds\":300", "k")
				  ->status == 201);
	refused(acquire(server, "alice", ",\"pool\":\"farm\",\"slots\":2,\"priority\":-4", "k"), 422,
			"idempotency-key-reused");
	refused(acquire(server, "bob", ",\"pool\":\"farm\",\"wait_seconds\":0", NULL), 429, "no-slot");
	server_stop(server);
}

Test(restart, the_configuration_changes_a_stored_tenant_and_each_difference_is_logged)
{
	const char *store = new_store(), *dir = temp_dir();
	const char *path = temp_file(dir, "f.conf", "policy = max-min\n[tenant alice]\nweight = 2\nreserved_slots = 8\n");
	struct server *server = server_start("--store", store, "--config", path, NULL);

	must_acquire(server, "alice", "", NULL);
	must_acquire(server, "bob", "", NULL);
	server_stop(server);
	/* What was reserved before does not stand against what is reserved now. */
	path = temp_file(dir, "f.conf",
					 "policy = max-min\n[tenant bob]\nreserved_slots = 9\n[tenant alice]\nreserved_slots = 1\n");
	server = server_start("--store", store, "--config", path, NULL);
	server_says(
		server,
		"\"tenant_id\":\"alice\",\"pool\":\"default\",\"key\":\"weight\",\"was\":2,\"is\":1}");
	server_says(server, "\"tenant_id\":\"alice\",\"pool\":\"default\",\"key\":\"reserved_slots\",\"was\":8,\"is\":1}");
	cr_assert(number_of(call(server, "GET", "/tenants/bob", NULL, NULL), "reserved_slots") == 9);
	cr_assert_not(server_has_said(server, "cannot be set to the configuration"));
	server_stop(server);
}

Test(restart, slots_past_the_end_of_a_shrunken_pool_stay_until_their_leases_end)
{
	const char *store = new_store(), *ids[4];
	struct server *server = server_start("--store", store, "--max-slots", "4", NULL);

	for (int i = 0; i < 4; i++)
		ids[i] = must_acquire(server, "alice", "", NULL);
	server_stop(server);
	server = server_start("--store", store, "--max-slots", "2", NULL);
	cr_assert(stat_of(server, "total_active_slots") == 4);
	cr_assert(stat_of(server, "available_slots") == 0);
	cr_assert(heartbeat(server, ids[3])->status == 200);
	must_release(server, ids[0]);
	must_release(server, ids[1]);
	refused(acquire(server, "alice", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	all_written(server);
	/* Also what is over survives the next restart. */
	server_kill(server);
	server = server_start("--store", store, "--max-slots", "2", NULL);
	refused(acquire(server, "alice", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	must_release(server, ids[3]);
	cr_assert(slot_of(acquire(server, "alice", ",\"wait_seconds\":0", NULL)) == 0);
	refused(acquire(server, "alice", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	must_release(server, ids[2]);
	cr_assert(slot_of(acquire(server, "alice", ",\"wait_seconds\":0", NULL)) == 1);
	refused(acquire(server, "alice", ",\"wait_seconds\":0", NULL), 429, "no-slot");
	server_stop(server);
}

/* pool_of returns the pool as the list shows it. */
static json_t *pool_of(struct server *server, const char *name)
{
	struct reply *reply = call(server, "GET", "/pools", NULL, NULL);
	json_t *pool, *found = NULL;
	size_t index;

	json_array_foreach(json_object_get(reply->json, "items"), index,
					   pool) if (!strcmp(json_string_value(json_object_get(pool, "pool")), name)) found = pool;
	cr_assert(found, "there is no pool '%s': %s", name, reply->body);
	return found;
}

static void check_lives_on(struct server *server, const char *id)
{
	json_t *pool = pool_of(server, "other");

	cr_assert(json_is_false(json_object_get(pool, "configured")));
	cr_assert(json_is_true(json_object_get(pool_of(server, "default"), "configured")));
	cr_assert(json_integer_value(json_object_get(pool, "max_slots")) == 10);
	cr_assert_str_eq(json_string_value(json_object_get(pool, "share_calculator")),
					 "max_slots // num_demanding_tenants + 2");
	cr_assert(heartbeat(server, id)->status == 200);
}

Test(restart, a_pool_that_is_configured_no_longer_lives_on_with_its_leases_and_calculator)
{
	static const char text[] = "[pool other]\nmax_slots = %d\n"
							   "share_calculator = max_slots // num_demanding_tenants + 2\n";
	const char *store = new_store(), *dir = temp_dir(), *id;
	const char *path = temp_file(dir, "f.conf", text_format(text, 10));
	struct server *server = server_start("--store", store, "--config", path, NULL);
	struct reply *reply;

	id = must_acquire(server, "alice", ",\"pool\":\"other\"", NULL);
	server_stop(server);
	server = server_start("--store", store, NULL);
	server_says(server, "a stored pool is configured no longer: it lives on as it was stored\",\"pool\":\"other\"");
	check_lives_on(server, id);
	must_acquire(server, "bob", ",\"pool\":\"other\"", NULL);
	reply = call(server, "GET", "/stats?pool=other", NULL, NULL);
	cr_assert(number_of(reply, "share") == 7 && number_of(reply, "total_active_slots") == 2, "%s", reply->body);
	server_kill(server);
	server = server_start("--store", store, NULL);
	check_lives_on(server, id);
	server_stop(server);
	path = temp_file(dir, "f.conf", text_format(text, 11));
	server = server_start("--store", store, "--config", path, NULL);
	server_says(server, "\"pool\":\"other\",\"key\":\"max_slots\",\"was\":10,\"is\":11}");
	cr_assert(json_is_true(json_object_get(pool_of(server, "other"), "configured")));
	cr_assert(heartbeat(server, id)->status == 200);
	server_stop(server);
}

/* ---- pools that are changed at run time ---- */

#define FARM "{\"max_slots\":4,\"min_share\":2,\"share_calculator\":\"max_slots // num_demanding_tenants + 1\"}"

Test(restart, a_pool_made_at_run_time_lives_on_with_its_leases)
{
	const char *store = new_store(), *id;
	struct server *server = server_start("--store", store, NULL);
	json_t *pool;

	cr_assert(call(server, "PUT", "/pools/farm", FARM, NULL)->status == 201);
	cr_assert(call(server, "PUT", "/pools/gone", "{\"max_slots\":1}", NULL)->status == 201);
	id = must_acquire(server, "alice", ",\"pool\":\"farm\"", NULL);
	must_release(server, must_acquire(server, "alice", ",\"pool\":\"gone\"", NULL));
	cr_assert(call(server, "DELETE", "/pools/gone", NULL, NULL)->status == 204);
	cr_assert(call(server, "PUT", "/pools/gone", "{\"max_slots\":7}", NULL)->status == 201);
	server_kill(server);
	server = server_start("--store", store, NULL);
	pool = pool_of(server, "farm");
	cr_assert(json_integer_value(json_object_get(pool, "max_slots")) == 4);
	cr_assert(json_integer_value(json_object_get(pool, "min_share")) == 2);
	cr_assert_str_eq(json_string_value(json_object_get(pool, "share_calculator")),
					 "max_slots // num_demanding_tenants + 1");
	cr_assert(heartbeat(server, id)->status == 200);
	/* The one that was made anew has nothing of the old. */
	cr_assert(json_integer_value(json_object_get(pool_of(server, "gone"), "max_slots")) == 7);
	refused(call(server, "GET", "/tenants/alice?pool=gone", NULL, NULL), 404, "tenant-not-found");
	refused(call(server, "PATCH", "/pools/farm", "{\"share_calculator\":\"1 +\"}", NULL), 422, "invalid-value");
	server_stop(server);
}

Test(restart, a_configured_pool_that_was_changed_is_set_back)
{
	const char *store = new_store();
	struct server *server = server_start("--store", store, "--max-slots", "3", NULL);
	struct reply *reply = call(server, "PATCH", "/pools/default", "{\"max_slots\":8}", NULL);

	cr_assert(reply->status == 200 && json_is_true(json_object_get(reply->json, "transient")), "%s", reply->body);
	server_kill(server);
	server = server_start("--store", store, "--max-slots", "3", NULL);
	server_says(server, "\"pool\":\"default\",\"key\":\"max_slots\",\"was\":8,\"is\":3}");
	cr_assert(json_integer_value(json_object_get(pool_of(server, "default"), "max_slots")) == 3);
	cr_assert(json_is_false(json_object_get(pool_of(server, "default"), "transient")));
	server_stop(server);
}

/* ---- the file ---- */

static void check_refuses(const char *const *arguments, const char *const *environment, const char *says)
{
	const char *words;
	int status = run_once(arguments, environment, &words);

	cr_assert(status == 1, "%s: it left with %d: %s", says, status, words);
	cr_assert(strstr(words, says), "it does not say '%s': %s", says, words);
}

#define LISTEN "--listen", "127.0.0.1:0"

Test(restart, a_second_server_on_the_same_file_is_refused_and_the_file_can_be_checked)
{
	const char *store = new_store(), *path = strchr(store, ':') + 1, *id, *words;
	struct server *server = server_start("--store", store, NULL);

	id = must_acquire(server, "alice", "", NULL);
	check_refuses(
		(const char *[]){LISTEN, "--store", store, NULL}, NULL,
		text_format("%s is in use by another server: stop that one, or give this one its own with --store sqlite:PATH",
					path));
	cr_assert(run_once((const char *[]){"--check-store", path, NULL}, NULL, &words) == 0, "%s", words);
	cr_assert(strstr(words, "\ntenants 1\nactive leases 1\nplaces 0\n"), "%s", words);
	cr_assert(heartbeat(server, id)->status == 200);
	must_acquire(server, "alice", "", NULL);
	server_kill(server);
	cr_assert(run_once((const char *[]){"--check-store", path, NULL}, NULL, &words) == 0, "%s", words);
	cr_assert(strstr(words, "\nactive leases 2\n"), "%s", words);
	server = server_start("--store", store, NULL);
	cr_assert(heartbeat(server, id)->status == 200);
	server_stop(server);
}

Test(restart, stores_that_are_none)
{
	static const char *const texts[] = {"sqlite:", "sqlite", "sqlite3:/x", "SQLITE:/x",
										"memory:", "Memory", "/tmp/x",	   " memory"};
	const char *dir = temp_dir();

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *const serves[] = {LISTEN, "--store", texts[i], NULL};
		const char *const checks[] = {"--check-config", "--store", texts[i], NULL};
		const char *says = text_format("--store: store is '%s', but must be sqlite:PATH or memory", texts[i]);

		check_refuses(serves, NULL, says);
		check_refuses(checks, NULL, says);
	}
	check_refuses((const char *[]){LISTEN, "--store", text_format("sqlite:%s", dir), NULL}, NULL,
				  "is a folder: name a file in it");
	check_refuses((const char *[]){LISTEN, "--store", "sqlite:/dev/null", NULL}, NULL, "is not a regular file");
	check_refuses((const char *[]){"--check-store", text_format("%s/none", dir), NULL}, NULL, "is missing or empty");
}

static unsigned mode_of(const char *path)
{
	struct stat status;

	cr_assert(stat(path, &status) == 0, "%s is not there", path);
	return status.st_mode & 07777;
}

/* The names without a value are taken out of the environment. */
Test(restart, without_a_place_for_the_state_it_refuses)
{
	const char *const none[] = {"FAIRSHARED_STORE", "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME", NULL};
	const char *const relative[] = {"FAIRSHARED_STORE", "STATE_DIRECTORY=here", "XDG_STATE_HOME=here", "HOME=", NULL};
	static const char says[] =
		"there is no place for the state: set HOME, STATE_DIRECTORY or --store sqlite:PATH, or say "
		"--store memory";

	check_refuses((const char *[]){LISTEN, NULL}, none, says);
	check_refuses((const char *[]){LISTEN, NULL}, relative, says);
	check_refuses((const char *[]){"--check-config", NULL}, none, says);
}

static void check_place(const char *const *environment, const char *path)
{
	struct server *server = server_start_in(environment, NULL, NULL);

	cr_assert(mode_of(path) == 0600, "%s has mode %o", path, mode_of(path));
	server_stop(server);
}

Test(restart, the_file_is_in_the_first_place_that_the_environment_names)
{
	const char *a = temp_dir(), *b = temp_dir(), *c = temp_dir();
	const char *system = text_format("STATE_DIRECTORY=%s:/nowhere", a), *state = text_format("XDG_STATE_HOME=%s", b);
	const char *home = text_format("HOME=%s", c), *folder = text_format("%s/fairshared", b);

	umask(0);
	check_place((const char *[]){"FAIRSHARED_STORE", system, state, home, NULL}, text_format("%s/fairshared.db", a));
	cr_assert(access(folder, F_OK) != 0);
	check_place((const char *[]){"FAIRSHARED_STORE", "STATE_DIRECTORY", state, home, NULL},
				text_format("%s/fairshared.db", folder));
	cr_assert(mode_of(folder) == 0700);
	cr_assert(access(text_format("%s/.local", c), F_OK) != 0);
	check_place((const char *[]){"FAIRSHARED_STORE", "STATE_DIRECTORY", "XDG_STATE_HOME", home, NULL},
				text_format("%s/.local/state/fairshared/fairshared.db", c));
	cr_assert(mode_of(text_format("%s/.local/state/fairshared", c)) == 0700);
	cr_assert(mode_of(text_format("%s/.local", c)) == 0700);
}
