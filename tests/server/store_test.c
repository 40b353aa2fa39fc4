/* SPDX-License-Identifier: MIT */
/* A store that is slow or fails: nothing is told before it is durable, and the server comes back by itself. */
#include "harness.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <string.h>

#define CLIENTS 24
#define SLOTS 4
#define GRANTS 400

TestSuite(store, .fini = harness_fini, .timeout = MORE_TIME);

/* One client of the load: it asks, holds for one round of the others, gives back, and asks again. */
struct client {
	struct conn *conn;
	enum { ASKING, HOLDING, RELEASING } state;
	const char *id;
	json_int_t slot;
};

struct load {
	struct server *server;
	struct client clients[CLIENTS];
	struct client *holders[SLOTS];
	int grants, refusals;
};

static void ask(struct client *client, int number)
{
	client->state = ASKING;
	conn_acquire(client->conn, text_format("t%d", number % 5), "", NULL);
}

/* give_back forgets the holder first: from the moment it is sent the slot may be another's. */
static void give_back(struct load *load, struct client *client)
{
	load->holders[client->slot] = NULL;
	client->state = RELEASING;
	conn_ask(client->conn, "DELETE", lease_path(client->id, ""), NULL, NULL);
}

static void take_slot(struct load *load, struct client *client, const struct reply *reply)
{
	json_t *slots = json_object_get(reply->json, "slot_ids");

	client->id = granted(reply);
	client->slot = json_integer_value(json_array_get(slots, 0));
	cr_assert(json_array_size(slots) == 1 && client->slot >= 0 && client->slot < SLOTS, "%s", reply->body);
	cr_assert(!load->holders[client->slot], "slot %d has two holders", (int)client->slot);
	load->holders[client->slot] = client;
	client->state = HOLDING;
	load->grants++;
}

static void step(struct load *load, struct client *client, int number)
{
	struct reply *reply = conn_reply(client->conn);

	if (client->state == ASKING && reply->status == 201) {
		take_slot(load, client, reply);
	} else if (client->state == ASKING) {
		refused(reply, 503, "store-unavailable");
		load->refusals++;
		ask(client, number);
	} else {
		cr_assert(reply->status == 204, "release: %u %s", reply->status, reply->body);
		ask(client, number);
	}
}

static void one_round(struct load *load)
{
	struct pollfd polls[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		if (load->clients[i].state == HOLDING)
			give_back(load, &load->clients[i]);
	for (int i = 0; i < CLIENTS; i++)
		polls[i] = (struct pollfd){.fd = conn_fd(load->clients[i].conn), .events = POLLIN};
	cr_assert(poll(polls, CLIENTS, PATIENCE_MS) > 0, "nothing goes on after %d grants", load->grants);
	for (int i = 0; i < CLIENTS; i++)
		if (polls[i].revents)
			step(load, &load->clients[i], i);
}

/* finish has all clients leave, holding or not, and takes back what they held: every slot must be free then. */
static void finish(struct load *load)
{
	for (int i = 0; i < CLIENTS; i++)
		conn_close(load->clients[i].conn);
	wait_stat(load->server, "waiting", 0);
	for (int i = 0; i < 5; i++)
		call(load->server, "DELETE", text_format("/tenants/t%d?force=true", i), NULL, NULL);
	wait_stat(load->server, "total_active_slots", 0);
}

Test(store, that_fails_now_and_then_withdraws_grants_and_never_doubles_a_slot)
{
	static struct load load;

	load.server = server_start("--max-slots", "4", "--store", "test:delay=5ms,fail=0.1,seed=7", NULL);
	for (int i = 0; i < CLIENTS; i++) {
		load.clients[i].conn = conn_open(server_port(load.server));
		ask(&load.clients[i], i);
	}
	while (load.grants < GRANTS)
		one_round(&load);
	cr_assert(load.refusals > 0, "no grant was withdrawn, so nothing has been tried");
	finish(&load);
	for (uint64_t end = now_ms() + PATIENCE_MS; call(load.server, "GET", "/readyz", NULL, NULL)->status != 200;)
		cr_assert(now_ms() < end, "the server does not come back");
	server_stop(load.server);
}

Test(store, that_is_slow_delays_the_answer)
{
	struct server *server = server_start("--max-slots", "1", "--store", "test:delay=300ms", NULL);
	struct conn *conn = conn_open(server_port(server));
	uint64_t began = now_ms();
	const char *id;

	conn_acquire(conn, "alice", "", NULL);
	cr_assert(!conn_readable(conn, 100), "the grant was told before it was durable");
	cr_assert(call(server, "GET", "/healthz", NULL, NULL)->status == 200, "the loop waits for the store");
	id = granted(conn_reply(conn));
	cr_assert(now_ms() - began >= 300, "the grant was told before it was durable");
	cr_assert(heartbeat(server, id)->status == 200);
	must_release(server, id);
	must_release(server, id);
	must_acquire(server, "alice", "", NULL);
	server_stop(server);
}

Test(store, that_is_down_refuses_and_says_so)
{
	struct server *server = server_start("--store", "test:fail=1", NULL);
	struct reply *reply = acquire(server, "alice", ",\"wait_seconds\":0", "job-1");

	refused(reply, 503, "store-unavailable");
	refused(call(server, "GET", "/readyz", NULL, NULL), 503, "store-unavailable");
	cr_assert(call(server, "GET", "/healthz", NULL, NULL)->status == 200);
	cr_assert(stat_of(server, "total_active_slots") == 0);
	reply = acquire(server, "bob", ",\"wait_seconds\":0.2", NULL);
	cr_assert(reply->status == 429 || reply->status == 503, "%u %s", reply->status, reply->body);
	if (reply->status == 429)
		cr_assert_str_eq(text_of(reply, "reason"), "held", "%s", reply->body);
	server_stop(server);
}

/* The key takes up its place again after each refusal, and in the end there is one lease for each. */
Test(store, a_key_gets_its_lease_when_the_store_is_well_again)
{
	struct server *server = server_start("--store", "test:delay=1ms,fail=0.5,seed=7", NULL);
	struct reply *reply;
	int refusals = 0;

	for (int i = 0; i < 10; i++)
		while ((reply = acquire(server, "alice", "", text_format("job-%d", i)))->status != 201) {
			refused(reply, 503, "store-unavailable");
			cr_assert(refusals++ < 200, "the store never takes anything");
		}
	cr_assert(refusals > 0, "no grant was withdrawn, so nothing has been tried");
	cr_assert(stat_of(server, "total_active_slots") == 10);
	server_stop(server);
}
