/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at random moments, under load from many clients, again and again on the same file, and now and then SIGTERM.
 * Whatever was told stands: the ledger checks it after every start. SERVER_KILL_SEED plays the same clients again; when
 * the kill meets them, no seed can say.
 */
#include "ledger.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 40
#define TENANTS 7
#define ROUNDS 100
#define HELD_MAX 2
#define ROUND_MIN_MS 50
#define ROUND_MAX_MS 400

TestSuite(kill, .fini = harness_fini, .timeout = 280);

enum doing { IDLE, ACQUIRE, AGAIN, BEAT, BEAT_ALL, RENEW, RELEASE, GIVE_UP, JOIN, LEAVE };

struct client {
	struct conn *conn;
	int fd;
	char in[8192];
	size_t len;
	enum doing doing;
	size_t entry;		   /* what the request is about */
	size_t held[HELD_MAX]; /* entries */
	unsigned held_count;
	bool owes; /* a key that may have a place or a lease; it is repeated before anything else: */
	size_t owed;
	bool hung_up;						 /* on a request with that key, which may be read after the next one */
	enum { OUT, IN, UNSURE } registered; /* its own tenant */
};

struct load {
	struct server *server;
	struct client clients[CLIENTS];
	struct ledger ledger;
	uint64_t random;
	size_t told[LEAVE + 1], cut; /* answers, and requests that the kill left without one */
};

/* splitmix64 */
static unsigned pick(struct load *load, unsigned n)
{
	uint64_t z = (load->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ (z >> 31)) % n);
}

/* ---- asking ---- */

static unsigned number_of_client(const struct load *load, const struct client *client)
{
	return (unsigned)(client - load->clients);
}

/* ask sends a request; one that the kill has met by now is one without an answer. */
static void ask(struct client *client, enum doing doing, const char *method, const char *target, const char *body,
				bool keyed, size_t entry)
{
	char text[1024], key[64] = "";
	int size;

	if (keyed)
		snprintf(key, sizeof(key), "Idempotency-Key: k%zu\r\n", entry);
	size = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s", method,
					target, key, strlen(body), body);
	cr_assert(size > 0 && (size_t)size < sizeof(text));
	client->doing = doing;
	client->entry = entry;
	(void)send(client->fd, text, (size_t)size, MSG_NOSIGNAL);
}

static void ask_for(struct load *load, struct client *client, size_t entry, enum doing doing, double wait)
{
	bool keyed = load->ledger.entries[entry].keyed;
	char body[256];

	ledger_body(&load->ledger, entry, wait, body, sizeof(body));
	if (keyed && doing == ACQUIRE) {
		client->owes = true;
		client->owed = entry;
	}
	ask(client, doing, "POST", "/leases", body, keyed, entry);
}

/* Who holds something waits for nothing, so the slots never wait for each other's holders. */
static double some_wait(struct load *load, const struct client *client)
{
	return client->held_count > 0 ? 0 : pick(load, 20) / 10.0;
}

static void acquire_one(struct load *load, struct client *client)
{
	size_t entry = ledger_add(&load->ledger, pick(load, 2), pick(load, TENANTS), 60 + pick(load, 3000));

	ask_for(load, client, entry, ACQUIRE, some_wait(load, client));
}

/* return_to takes up a key of before, or gives it up. */
static void return_to(struct load *load, struct client *client)
{
	size_t entry = client->owed;
	char target[64];

	if (pick(load, 8) > 0) {
		ask_for(load, client, entry, ACQUIRE, some_wait(load, client));
		return;
	}
	snprintf(target, sizeof(target), "/leases?tenant_id=t%u", load->ledger.entries[entry].tenant);
	ledger_leave(&load->ledger, entry);
	load->ledger.entries[entry].loose = client->hung_up;
	client->owes = client->hung_up = false;
	ask(client, GIVE_UP, "DELETE", target, "", true, entry);
}

static void give_back(struct load *load, struct client *client, unsigned which)
{
	size_t entry = client->held[which];
	const struct entry *e = &load->ledger.entries[entry];
	char target[64];

	client->held[which] = client->held[--client->held_count];
	ledger_leave(&load->ledger, entry);
	if (e->keyed && pick(load, 4) == 0)
		snprintf(target, sizeof(target), "/leases?tenant_id=t%u", e->tenant);
	else
		snprintf(target, sizeof(target), "/leases/%s", e->id);
	ask(client, RELEASE, "DELETE", target, "", e->keyed && strchr(target, '?'), entry);
}

static void beat_all(struct load *load, struct client *client)
{
	char body[256];
	int size = snprintf(body, sizeof(body), "{\"lease_ids\":[");

	for (unsigned i = 0; i < client->held_count; i++)
		size += snprintf(body + size, sizeof(body) - (size_t)size, "%s\"%s\"", i > 0 ? "," : "",
						 load->ledger.entries[client->held[i]].id);
	snprintf(body + size, sizeof(body) - (size_t)size, "]}");
	ask(client, BEAT_ALL, "POST", "/heartbeats", body, false, 0);
}

static void renew(struct load *load, struct client *client, size_t entry)
{
	struct entry *e = &load->ledger.entries[entry];
	char target[64], body[64] = "";

	snprintf(target, sizeof(target), "/leases/%s", e->id);
	if (pick(load, 2) == 0) {
		ask(client, BEAT, "PUT", target, "", false, entry);
		return;
	}
	e->new_ttl = 60 + pick(load, 3000);
	snprintf(body, sizeof(body), "{\"ttl_seconds\":%u}", e->new_ttl);
	ask(client, RENEW, "PUT", target, body, false, entry);
}

static void use(struct load *load, struct client *client)
{
	unsigned which = pick(load, client->held_count);
	size_t entry = client->held[which];

	switch (pick(load, 8)) {
	case 0:
		beat_all(load, client);
		break;
	case 1:
	case 2:
		renew(load, client, entry);
		break;
	case 3:
		if (load->ledger.entries[entry].keyed) {
			ask_for(load, client, entry, AGAIN, 0);
			break;
		}
		/* fall through */
	default:
		give_back(load, client, which);
	}
}

static void come_or_go(struct load *load, struct client *client)
{
	unsigned number = number_of_client(load, client);
	bool leaves = client->registered == IN;
	char target[64], body[64];

	snprintf(target, sizeof(target), "/tenants/r%u?instance=i%u", number, number);
	snprintf(body, sizeof(body), "{\"tenant_id\":\"r%u\",\"instance\":\"i%u\"}", number, number);
	client->registered = UNSURE;
	if (leaves)
		ask(client, LEAVE, "DELETE", target, "", false, 0);
	else
		ask(client, JOIN, "POST", "/tenants", body, false, 0);
}

static void go_on(struct load *load, struct client *client)
{
	if (client->owes)
		return_to(load, client);
	else if (pick(load, 8) == 0)
		come_or_go(load, client);
	else if (client->held_count == HELD_MAX || (client->held_count > 0 && pick(load, 2) == 0))
		use(load, client);
	else
		acquire_one(load, client);
}

/* ---- being told ---- */

static void nothing_left(const struct client *client, struct entry *e)
{
	e->loose = client->hung_up;
	e->state = e->loose ? ENTRY_LEFT : ENTRY_NOTHING;
}

static void told_of_acquire(struct load *load, struct client *client, unsigned status, const json_t *json)
{
	struct entry *e = &load->ledger.entries[client->entry];
	const char *id = json_string_value(json_object_get(json, "id")),
			   *code = json_string_value(json_object_get(json, "code"));

	if (status == 201) {
		ledger_granted(&load->ledger, client->entry, json);
		client->held[client->held_count++] = client->entry;
		client->owes = client->hung_up = false;
		return;
	}
	if (status == 409 && client->hung_up && !strcmp(code, "superseded"))
		return;
	if (status == 503 && load->ledger.drained && !strcmp(code, "draining")) {
		e->state = e->keyed ? ENTRY_OPEN : ENTRY_NOTHING;
		return;
	}
	cr_assert(status == 429 && !strcmp(code, "no-slot"), "an acquire: %u %s", status, code);
	cr_assert(e->keyed || !id, "a place without a key");
	cr_assert(!id || !*e->id || !strcmp(e->id, id), "the place of entry %zu was %s and is now %s", client->entry, e->id,
			  id);
	if (id)
		snprintf(e->id, sizeof(e->id), "%s", id);
	else
		nothing_left(client, e);
	client->owes = id != NULL;
	client->hung_up = false;
}

static void told_of_renewal(struct load *load, struct client *client, const json_t *json)
{
	struct entry *e = &load->ledger.entries[client->entry];

	if (client->doing == RENEW)
		e->ttl = e->new_ttl;
	e->new_ttl = 0;
	cr_assert(json_number_value(json_object_get(json, "ttl_seconds")) == e->ttl);
}

static void told(struct load *load, struct client *client, unsigned status, const json_t *json)
{
	static const unsigned expected[] = {
		[AGAIN] = 201, [BEAT] = 200, [BEAT_ALL] = 200, [RENEW] = 200, [RELEASE] = 204, [GIVE_UP] = 204, [LEAVE] = 204};
	enum doing doing = client->doing;

	if (doing == ACQUIRE)
		told_of_acquire(load, client, status, json);
	else if (doing == JOIN)
		cr_assert(status == 201 || status == 200, "registering: %u", status);
	else
		cr_assert(status == expected[doing], "request of kind %d for entry %zu: %u", (int)doing, client->entry, status);
	if (doing == AGAIN)
		ledger_granted(&load->ledger, client->entry, json);
	else if (doing == BEAT || doing == RENEW)
		told_of_renewal(load, client, json);
	else if (doing == BEAT_ALL)
		cr_assert(json_array_size(json_object_get(json, "renewed")) == client->held_count,
				  "a heartbeat finds leases lost");
	else if (doing == JOIN || doing == LEAVE)
		client->registered = doing == JOIN ? IN : OUT;
	else if (doing == RELEASE || doing == GIVE_UP)
		load->ledger.entries[client->entry].told_end = true;
	load->told[doing]++;
	client->doing = IDLE;
}

/* read_answer takes one whole answer out of what has arrived, if there is one. */
static void read_answer(struct load *load, struct client *client)
{
	const char *end = memmem(client->in, client->len, "\r\n\r\n", 4), *length;
	size_t head, body = 0;
	unsigned status;
	json_t *json;

	if (!end)
		return;
	head = (size_t)(end - client->in) + 4;
	length = memmem(client->in, head, "Content-Length: ", 16);
	if (length)
		body = strtoul(length + 16, NULL, 10);
	cr_assert(head + body < sizeof(client->in) && sscanf(client->in, "HTTP/1.1 %u", &status) == 1);
	if (client->len < head + body)
		return;
	json = json_loadb(client->in + head, body, 0, NULL);
	cr_assert(json || body == 0, "no JSON");
	client->len = 0; /* there is one request at a time */
	told(load, client, status, json);
	json_decref(json);
}

/* receive returns false at the end of the connection. */
static bool receive(struct load *load, struct client *client)
{
	ssize_t size = recv(client->fd, client->in + client->len, sizeof(client->in) - client->len - 1, MSG_DONTWAIT);

	if (size <= 0)
		return false;
	client->len += (size_t)size;
	client->in[client->len] = '\0';
	read_answer(load, client);
	return true;
}

/* ---- a round ---- */

static void connect_client(struct load *load, struct client *client)
{
	client->conn = conn_open(server_port(load->server));
	client->fd = conn_fd(client->conn);
	client->len = 0;
}

/* lose_connection: what was asked for without a key has nobody now. */
static void lose_connection(struct load *load, struct client *client)
{
	conn_close(client->conn);
	if (client->doing == ACQUIRE && !load->ledger.entries[client->entry].keyed)
		ledger_leave(&load->ledger, client->entry);
	client->doing = IDLE;
}

/* Some client hangs up while it waits. */
static void hang_up_one(struct load *load)
{
	struct client *client = &load->clients[pick(load, CLIENTS)];

	if (client->doing != ACQUIRE)
		return;
	client->hung_up = client->owes;
	lose_connection(load, client);
	connect_client(load, client);
}

static void turn(struct load *load, int timeout_ms)
{
	struct pollfd polls[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		if (load->clients[i].doing == IDLE)
			go_on(load, &load->clients[i]);
		polls[i] = (struct pollfd){.fd = load->clients[i].fd, .events = POLLIN};
	}
	poll(polls, CLIENTS, timeout_ms);
	for (int i = 0; i < CLIENTS; i++)
		if (polls[i].revents)
			cr_assert(receive(load, &load->clients[i]), "the server closed the connection of client %d", i);
}

/* What the server had handed to the kernel when it was killed has been told. */
static void take_last_answers(struct load *load)
{
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &load->clients[i];

		while (receive(load, client))
			;
		if (client->doing != IDLE)
			load->cut++;
		client->hung_up = false;
		lose_connection(load, client);
	}
}

static void check_registered(struct load *load)
{
	struct reply *reply = call(load->server, "GET", "/tenants?limit=1000", NULL, NULL);
	bool is[CLIENTS] = {false};
	size_t index;
	json_t *tenant;

	cr_assert(reply->status == 200 && json_is_null(json_object_get(reply->json, "next_cursor")), "%s", reply->body);
	json_array_foreach(json_object_get(reply->json, "items"), index, tenant)
	{
		const char *name = json_string_value(json_object_get(tenant, "tenant_id"));

		if (*name == 'r')
			is[strtoul(name + 1, NULL, 10)] = json_array_size(json_object_get(tenant, "instances")) == 1;
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &load->clients[i];

		cr_assert(client->registered == UNSURE || is[i] == (client->registered == IN), "r%d was told to be %s: %s", i,
				  client->registered == IN ? "registered" : "gone", reply->body);
		client->registered = is[i] ? IN : OUT;
	}
}

static void start(struct load *load, const char *store)
{
	uint64_t launched = now_ms();

	/* Both outlive the process; only a power cut tells them apart. */
	load->server = server_start("--store", store, "--durability", pick(load, 2) ? "full" : "normal", "--settle", "20ms",
								"--max-slots", text_format("%d", LEDGER_SLOTS), NULL);
	ledger_check(&load->ledger, load->server, launched);
	check_registered(load);
	for (int i = 0; i < CLIENTS; i++)
		connect_client(load, &load->clients[i]);
}

static void one_round(struct load *load, const char *store)
{
	uint64_t end;

	start(load, store);
	end = now_ms() + ROUND_MIN_MS + pick(load, ROUND_MAX_MS - ROUND_MIN_MS);
	while (now_ms() < end) {
		turn(load, 1);
		if (pick(load, 8) == 0)
			hang_up_one(load);
	}
	load->ledger.drained = pick(load, 10) == 0;
	if (load->ledger.drained)
		server_stop(load->server);
	else
		server_kill(load->server);
	take_last_answers(load);
}

static uint64_t choose_seed(void)
{
	const char *given = getenv("SERVER_KILL_SEED");
	uint64_t seed;

	if (given)
		return strtoull(given, NULL, 10);
	cr_assert(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
	return seed;
}

Test(kill, whatever_was_told_stands)
{
	static struct load load;
	const char *store = text_format("sqlite:%s/s", temp_dir());

	load.random = choose_seed();
	fprintf(stderr, "seed %llu\n", (unsigned long long)load.random);
	for (int round = 0; round < ROUNDS; round++)
		one_round(&load, store);
	start(&load, store);
	ledger_check_tokens(&load.ledger);
	server_kill(load.server);
	fprintf(stderr,
			"%zu acquires, %zu answered; %zu releases; %zu requests were cut, %zu leases came back for nobody\n",
			load.ledger.count, load.told[ACQUIRE], load.told[RELEASE], load.cut, load.ledger.returned);
	for (enum doing doing = ACQUIRE; doing <= LEAVE; doing++)
		cr_assert(load.told[doing] > 0, "no request of kind %d was answered: the load is none", (int)doing);
	cr_assert(load.cut > 0 && load.ledger.returned > 0, "the kills met nobody");
	ledger_fini(&load.ledger);
}
