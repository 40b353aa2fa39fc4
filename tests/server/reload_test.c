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
	server_stop(server);
}
