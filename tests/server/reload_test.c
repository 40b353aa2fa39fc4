/* SPDX-License-Identifier: MIT */
/* SIGHUP: what the configuration names is set back to it; and the audit of what operators change. */
#include "harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

TestSuite(reload, .fini = harness_fini, .timeout = MORE_TIME);

#define POOL_OF(server, name) call(server, "GET", "/pools/" name, NULL, NULL)

static const char *url_of(const struct reply *reply, size_t i)
{
	const char *url = json_string_value(json_array_get(json_object_get(reply->json, "slot_urls"), i));

	return url ? url : "";
}

static bool is_transient(const struct reply *reply)
{
	return json_is_true(json_object_get(reply->json, "transient"));
}

/* reload writes the file anew and waits until the server has read it `times` times. */
static void reload(struct server *server, const char *dir, const char *text, const char *says)
{
	temp_file(dir, "f.conf", text);
	server_signal(server, SIGHUP);
	server_says(server, says);
}

Test(reload, sets_pools_back_to_the_file_and_logs_each_difference)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "max_slots = 4\n[pool farm]\nmax_slots = 2\n");
	struct server *server = server_start("--config", path, NULL);
	struct reply *reply = call(server, "PATCH", "/pools/farm", "{\"max_slots\":9,\"min_share\":3}", NULL);

	cr_assert(reply->status == 200 && json_is_true(json_object_get(reply->json, "transient")), "%s", reply->body);
	reload(server, dir, "max_slots = 5\n[pool farm]\nmax_slots = 2\n[pool new]\nmax_slots = 1\n",
		   "the configuration was read again");
	server_says(server, "changes a pool\",\"pool\":\"default\",\"key\":\"max_slots\",\"was\":4,\"is\":5}");
	server_says(server, "changes a pool\",\"pool\":\"farm\",\"key\":\"max_slots\",\"was\":9,\"is\":2}");
	server_says(server, "changes a pool\",\"pool\":\"farm\",\"key\":\"min_share\",\"was\":3,\"is\":1}");
	server_says(server, "the configuration adds a pool\",\"pool\":\"new\"}");
	cr_assert(stat_of(server, "max_slots") == 5);
	reply = POOL_OF(server, "farm");
	cr_assert(number_of(reply, "max_slots") == 2 && number_of(reply, "min_share") == 1, "%s", reply->body);
	cr_assert(json_is_false(json_object_get(reply->json, "transient")), "%s", reply->body);
	reply = POOL_OF(server, "new");
	cr_assert(reply->status == 200 && json_is_true(json_object_get(reply->json, "configured")), "%s", reply->body);
	server_stop(server);
}

Test(reload, grants_at_once_what_the_file_adds)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "max_slots = 1\n");
	struct server *server = server_start("--config", path, NULL);
	struct conn *waiter = conn_open(server_port(server));

	must_acquire(server, "alice", "", NULL);
	conn_acquire(waiter, "bob", "", NULL);
	wait_stat(server, "waiting", 1);
	reload(server, dir, "max_slots = 2\n", "the configuration was read again");
	granted(conn_reply(waiter));
	server_stop(server);
}

Test(reload, refuses_a_wrong_file_and_keeps_the_old)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "max_slots = 4\n");
	struct server *server = server_start("--config", path, NULL);
	const char *id = must_acquire(server, "alice", "", NULL);

	reload(server, dir, "max_slots = 8\nmin_share = 9\n", "the configuration is refused, all stays as it is");
	server_says(server, "f.conf:2: min_share 9 of pool 'default' is more than its max_slots 8");
	reload(server, dir, "max_slots = 8\n\nshare_calculator = nil\n", "f.conf:3: share_calculator of pool 'default'");
	reload(server, dir, "max_slots = 8\nslot_urls = a:0 a:1\n",
		   "f.conf:2: slot_urls of pool 'default' (max_slots 8) needs");
	cr_assert(stat_of(server, "max_slots") == 4);
	cr_assert(heartbeat(server, id)->status == 200);
	cr_assert_not(server_has_said(server, "was read again"));
	server_stop(server);
}

Test(reload, says_what_needs_a_restart)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "max_slots = 4\nclaim = 5s\n");
	struct server *server = server_start("--config", path, NULL);

	reload(server, dir, "max_slots = 4\nclaim = 6s\nauto_register = true\n", "the configuration was read again");
	server_says(server, "another value of this key needs a restart\",\"key\":\"claim\"}");
	cr_assert_not(server_has_said(server, "\"key\":\"max_slots\""));
	cr_assert_not(server_has_said(server, "\"key\":\"auto_register\""), "the flag wins in both");
	server_stop(server);
}

/* A pool that the file names no longer goes on with its leases, and can be removed. */
Test(reload, lets_a_pool_go_that_is_configured_no_longer)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "[pool farm]\nmax_slots = 2\n");
	const char *store = text_format("sqlite:%s/s.db", dir);
	struct server *server = server_start("--config", path, "--store", store, NULL);
	const char *id = must_acquire(server, "alice", ",\"pool\":\"farm\"", NULL);
	struct reply *reply;

	refused(call(server, "DELETE", "/pools/farm", NULL, NULL), 409, "pool-configured");
	reload(server, dir, "", "a pool is configured no longer: it lives on as it is\",\"pool\":\"farm\"}");
	reply = POOL_OF(server, "farm");
	cr_assert(json_is_false(json_object_get(reply->json, "configured")), "%s", reply->body);
	refused(call(server, "DELETE", "/pools/farm", NULL, NULL), 409, "pool-in-use");
	server_stop(server);
	server = server_start("--store", store, NULL);
	cr_assert(json_is_false(json_object_get(POOL_OF(server, "farm")->json, "configured")));
	must_release(server, id);
	cr_assert(call(server, "DELETE", "/pools/farm", NULL, NULL)->status == 204);
	server_stop(server);
}

Test(reload, addresses_come_from_the_file)
{
	const char *dir = temp_dir();
	const char *path = temp_file(dir, "f.conf",
								 "max_slots = 3\nslot_urls = ws://farm:9222/{slot}\n"
								 "[pool two]\nmax_slots = 2\nslot_urls = a:x  b:y\n[pool none]\nmax_slots = 1\n");
	struct server *server = server_start("--config", path, NULL);
	struct reply *reply = POOL_OF(server, "default");

	cr_assert_str_eq(url_of(reply, 2), "ws://farm:9222/2");
	cr_assert_str_eq(url_of(POOL_OF(server, "two"), 1), "b:y");
	cr_assert(json_is_null(json_object_get(POOL_OF(server, "none")->json, "slot_urls")), "a pool has its own or none");
	cr_assert_str_eq(url_of(acquire(server, "alice", "", NULL), 0), "ws://farm:9222/0");
	cr_assert(call(server, "PATCH", "/pools/two", "{\"slot_urls\":null}", NULL)->status == 200);
	reload(server, dir, "max_slots = 3\n[pool two]\nmax_slots = 2\nslot_urls = a:x b:z\n",
		   "the configuration was read again");
	cr_assert_str_eq(url_of(POOL_OF(server, "two"), 1), "b:z");
	cr_assert(json_is_null(json_object_get(POOL_OF(server, "default")->json, "slot_urls")));
	server_stop(server);
}

/* "An audit line in the log for each revoke, resize, drain, force, with request id and address." */
Test(reload, operators_are_in_the_audit_with_request_id_and_address)
{
	struct server *server = server_start("--max-slots", "3", NULL);
	const char *id = must_acquire(server, "alice", "", NULL);
	struct conn *conn = conn_open(server_port(server));
	struct reply *reply;

	conn_say(conn, "PATCH /pools/default HTTP/1.1\r\nHost: x\r\nX-Request-Id: op-1\r\nContent-Length: 15\r\n\r\n"
				   "{\"max_slots\":7}");
	cr_assert(conn_reply(conn)->status == 200);
	server_says(server,
				"\"msg\":\"audit\",\"act\":\"resize\",\"pool\":\"default\",\"key\":\"max_slots\",\"was\":3,\"is\":7,"
				"\"request_id\":\"op-1\",\"address\":\"127.0.0.1:");
	reply = call(server, "DELETE", lease_path(id, "?revoke=true"), NULL, NULL);
	cr_assert(reply->status == 204);
	server_says(server, text_format("\"act\":\"revoke\",\"pool\":\"default\",\"tenant_id\":\"alice\",\"lease\":\"%s\","
									"\"label\":\"\",\"request_id\":\"%s\",\"address\":\"127.0.0.1:",
									id, reply_header(reply, "X-Request-Id")));
	must_acquire(server, "alice", "", NULL);
	cr_assert(call(server, "DELETE", "/tenants/alice?force=true", NULL, NULL)->status == 204);
	server_says(server, "\"act\":\"force\",\"pool\":\"default\",\"tenant_id\":\"alice\",\"request_id\":");
	/* A label is read from the line as it was. */
	reply = call(server, "DELETE", "/leases?revoke=true&label=Gr%C3%BC%C3%9Fe%20%22%F0%9F%98%80%E2%80%AE", NULL, NULL);
	cr_assert(reply->status == 200, "%s", reply->body);
	server_says(server, "\"act\":\"revoke\",\"label\":\"Gr\\u00fc\\u00dfe \\\"\\ud83d\\ude00\\u202e\",\"ended\":0,");
	server_stop(server);
}

/* ---- tenants ---- */

static struct reply *tenant(struct server *server)
{
	return call(server, "GET", "/tenants/alice", NULL, NULL);
}

Test(reload, a_tenant_begins_with_what_the_file_says)
{
	const char *path = temp_file(
		temp_dir(), "f.conf",
		"policy = max-min\n[tenant alice]\nweight = 2.5\nreserved_slots = 2\nmax_slots = 4\nmax_waiting = 9\n");
	struct server *server = server_start("--config", path, NULL);
	struct reply *reply;

	must_acquire(server, "alice", "", NULL);
	must_acquire(server, "bob", "", NULL);
	reply = tenant(server);
	cr_assert(number_of(reply, "weight") == 2.5 && number_of(reply, "reserved_slots") == 2, "%s", reply->body);
	cr_assert(number_of(reply, "max_slots") == 4 && number_of(reply, "max_waiting") == 9, "%s", reply->body);
	reply = call(server, "GET", "/tenants/bob", NULL, NULL);
	cr_assert(number_of(reply, "weight") == 1 && number_of(reply, "reserved_slots") == 0, "%s", reply->body);
	/* Reserves count before the tenant is there. */
	refused(call(server, "PATCH", "/tenants/bob", "{\"reserved_slots\":9}", NULL), 422, "invalid-value");
	server_stop(server);
}

Test(reload, sets_tenants_back_to_the_file_and_logs_each_difference)
{
	const char *dir = temp_dir();
	const char *path =
		temp_file(dir, "f.conf", "policy = max-min\n[tenant alice]\nweight = 2\n[tenant bob]\nmax_slots = 1\n");
	struct server *server = server_start("--config", path, NULL);
	struct reply *reply;

	must_acquire(server, "alice", "", NULL);
	must_acquire(server, "bob", "", NULL);
	cr_assert(call(server, "PATCH", "/tenants/alice", "{\"weight\":5,\"max_waiting\":3}", NULL)->status == 200);
	reload(server, dir, "policy = max-min\n[tenant alice]\nweight = 3\n", "the configuration was read again");
	server_says(
		server,
		"changes a tenant\",\"tenant_id\":\"alice\",\"pool\":\"default\",\"key\":\"weight\",\"was\":5,"
		"\"is\":3}");
	server_says(server, "\"tenant_id\":\"alice\",\"pool\":\"default\",\"key\":\"max_waiting\",\"was\":3,\"is\":0}");
	server_says(server, "\"tenant_id\":\"bob\",\"pool\":\"default\",\"key\":\"max_slots\",\"was\":1,\"is\":0}");
	reply = tenant(server);
	cr_assert(number_of(reply, "weight") == 3 && number_of(reply, "max_waiting") == 1000, "%s", reply->body);
	server_stop(server);
}

/* Slots and reserves depend on each other: in whichever order they are written, what fits in the end is taken. */
Test(reload, moves_reserves_and_slots_together)
{
	const char *dir = temp_dir();
	const char *path =
		temp_file(dir, "f.conf", "policy = max-min\nmax_slots = 10\n[tenant alice]\nreserved_slots = 8\n");
	struct server *server = server_start("--config", path, NULL);

	must_acquire(server, "alice", "", NULL);
	must_acquire(server, "bob", "", NULL);
	reload(server, dir,
		   "policy = max-min\nmax_slots = 4\n[tenant bob]\nreserved_slots = 3\n[tenant alice]\nreserved_slots = 1\n",
		   "the configuration was read again");
	cr_assert(stat_of(server, "max_slots") == 4);
	cr_assert(number_of(tenant(server), "reserved_slots") == 1);
	cr_assert(number_of(call(server, "GET", "/tenants/bob", NULL, NULL), "reserved_slots") == 3);
	reload(server, dir, "policy = equal\nmax_slots = 4\n", "\"key\":\"policy\",\"was\":\"max-min\",\"is\":\"equal\"}");
	server_says(server, "\"tenant_id\":\"bob\",\"pool\":\"default\",\"key\":\"reserved_slots\",\"was\":3,\"is\":0}");
	cr_assert(number_of(tenant(server), "reserved_slots") == 0);
	cr_assert_not(server_has_said(server, "cannot be set to the configuration"));
	server_stop(server);
}

/* What a tenant was given at run time goes where it stands against the file, and only there. */
Test(reload, wins_over_what_tenants_were_given_at_run_time)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "policy = max-min\nmax_slots = 10\n");
	struct server *server = server_start("--config", path, NULL);

	must_acquire(server, "alice", "", NULL);
	cr_assert(call(server, "PATCH", "/tenants/alice", "{\"reserved_slots\":6}", NULL)->status == 200);
	reload(server, dir, "policy = max-min\nmax_slots = 5\n[pool farm]\nmax_slots = 1\n",
		   "the configuration was read again");
	server_says(server, "\"tenant_id\":\"alice\",\"pool\":\"default\",\"key\":\"reserved_slots\",\"was\":6,\"is\":0}");
	cr_assert(stat_of(server, "max_slots") == 5);
	cr_assert(number_of(tenant(server), "reserved_slots") == 0);
	cr_assert(POOL_OF(server, "farm")->status == 200);
	cr_assert(call(server, "PATCH", "/tenants/alice", "{\"reserved_slots\":3,\"weight\":2}", NULL)->status == 200);
	reload(server, dir, "policy = max-min\nmax_slots = 5\n[tenant bob]\nreserved_slots = 2\n", "again");
	cr_assert(number_of(tenant(server), "reserved_slots") == 3);
	reload(server, dir, "policy = max-min\nmax_slots = 5\n[tenant bob]\nreserved_slots = 3\n", "\"was\":3,\"is\":0}");
	must_acquire(server, "bob", "", NULL);
	cr_assert(number_of(call(server, "GET", "/tenants/bob", NULL, NULL), "reserved_slots") == 3);
	cr_assert(number_of(tenant(server), "weight") == 2);
	reload(server, dir, "policy = equal\nmax_slots = 5\n", "\"key\":\"weight\",\"was\":2,\"is\":1}");
	cr_assert_not(server_has_said(server, "cannot be set to the configuration"));
	server_stop(server);
}

/* What an operator alone can say stays: neither a restart nor a SIGHUP begins to grant again. */
Test(reload, keeps_drains_and_cordons)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "max_slots = 4\n");
	struct server *server = server_start("--config", path, NULL);
	struct reply *reply = call(server, "PATCH", "/pools/default", "{\"draining\":true,\"cordoned\":[3,1]}", NULL);

	cr_assert(is_transient(reply), "%s", reply->body);
	reload(server, dir, "max_slots = 5\n", "the configuration was read again");
	reply = POOL_OF(server, "default");
	cr_assert(number_of(reply, "max_slots") == 5, "%s", reply->body);
	cr_assert(json_is_true(json_object_get(reply->json, "draining")), "%s", reply->body);
	cr_assert(json_array_size(json_object_get(reply->json, "cordoned")) == 2, "%s", reply->body);
	cr_assert(is_transient(reply), "%s", reply->body);
	server_stop(server);
}

/* "A PATCH on it says transient: true": as long as it is not as it is configured, by whatever member and way. */
Test(reload, a_pool_is_transient_while_it_is_not_as_configured)
{
	static const struct {
		const char *body;
		bool transient;
	} patches[] = {
		{"{}", false},
		{"{\"max_slots\":4}", false},
		{"{\"min_share\":2}", true},
		{"{\"cordoned\":[1]}", true},
		{"{\"min_share\":1}", true},
		{"{\"cordoned\":[]}", false},
		{"{\"draining\":true}", true},
		{"{\"draining\":false}", false},
		{"{\"slot_urls\":[\"a:0\",\"a:1\",\"a:2\",\"b:3\"]}", true},
		{"{\"slot_urls\":[\"a:0\",\"a:1\",\"a:2\",\"a:3\"]}", false},
		{"{\"pass_over_seconds\":2.5}", true},
	};
	const char *dir = temp_dir(), *text = "max_slots = 4\nslot_urls = a:{slot}\n", *path = temp_file(dir, "f.conf", text);
	struct server *server = server_start("--config", path, NULL);

	for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
		struct reply *reply = call(server, "PATCH", "/pools/default", patches[i].body, NULL);

		cr_assert(reply->status == 200 && is_transient(reply) == patches[i].transient, "%s: %s", patches[i].body, reply->body);
	}
	reload(server, dir, text, "\"key\":\"pass_over_seconds\",\"was\":2.5,\"is\":5}");
	server_says(server, "the configuration was read again");
	cr_assert_not(is_transient(POOL_OF(server, "default")));
	/* The file may become what the pool is already. */
	cr_assert(is_transient(call(server, "PATCH", "/pools/default", "{\"pass_over_seconds\":2.5}", NULL)));
	reload(server, dir, text_format("%spass_over = 2500ms\n[pool more]\n", text), "adds a pool");
	cr_assert_not(is_transient(POOL_OF(server, "default")));
	/* One that no configuration names is never. */
	cr_assert(call(server, "PUT", "/pools/farm", "{\"max_slots\":2}", NULL)->status == 201);
	cr_assert_not(is_transient(call(server, "PATCH", "/pools/farm", "{\"draining\":true}", NULL)));
	server_stop(server);
}

/* A lease tells the addresses that it was given until it ends. */
Test(reload, a_slot_that_is_no_more_keeps_its_address)
{
	const char *dir = temp_dir(), *path = temp_file(dir, "f.conf", "max_slots = 4\nslot_urls = a:{slot}\n");
	struct server *server = server_start("--config", path, NULL);
	const char *last = NULL, *id;
	struct reply *reply;

	for (int i = 0; i < 4; i++)
		last = must_acquire(server, "alice", i == 2 ? ",\"label\":\"third\"" : "", NULL);
	reload(server, dir, "max_slots = 3\nslot_urls = b:{slot}\n", "the configuration was read again");
	id = text_format("/leases/%s", last);
	cr_assert_str_eq(url_of(call(server, "GET", id, NULL, NULL), 0), "a:3");
	/* Smaller still: what was lost by the last change is as it was then, and the pool shows what it has. */
	reply = call(server, "PATCH", "/pools/default", "{\"max_slots\":1}", NULL);
	cr_assert_str_eq(url_of(reply, 0), "b:0");
	cr_assert(json_array_size(json_object_get(reply->json, "slot_urls")) == 1, "%s", reply->body);
	cr_assert_str_eq(url_of(call(server, "PUT", id, NULL, NULL), 0), "a:3");
	reply = call(server, "GET", "/leases?label=third", NULL, NULL);
	cr_assert(strstr(reply->body, "\"slot_urls\":[\"b:2\"]"), "%s", reply->body);
	reply = call(server, "PATCH", "/pools/default", "{\"max_slots\":4,\"slot_urls\":[\"d:0\",\"d:1\",\"d:2\",\"d:3\"]}", NULL);
	cr_assert_str_eq(url_of(call(server, "GET", id, NULL, NULL), 0), "d:3");
	server_stop(server);
}
