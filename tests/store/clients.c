/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define CLIENTS 8
#define TENANTS 10
#define GRACE (10 * S)	  /* a place is kept, and a grant may be claimed, at least so long */
#define ROUNDING (2 * MS) /* of the seconds in answers */
#define GONE_MAX 32
#define NUM(a) (sizeof(a) / sizeof(*(a)))

/* A client that repeats one acquire with its key until it knows. */
struct client {
	size_t tenant;
	char key[24];
	uint64_t asked, ttl_ms;
	struct exchange *open;
};

static const struct {
	const char *pool, *name;
} tenants[TENANTS] = {{"spare", "probe"}, {"default", "a"}, {"default", "b"}, {"default", "c"}, {"default", "d"},
					  {"default", "e"},	  {"other", "a"},	{"other", "b"},	  {"other", "c"},	{"other", "d"}};
static const char *const instances[] = {"", "p1", "p2"};

struct machine machine;
struct checker *checker;
struct client_counts client_counts;
uint64_t latest;

static struct held *helds;
static size_t held_count, held_room;
static char gone[GONE_MAX][32]; /* leases that were told as ended */
static size_t gone_count;
static struct client clients[CLIENTS];
static bool tenant_asked[TENANTS];
static uint64_t keys_made;

uint64_t dice(uint64_t sides)
{
	return machine_dice(&machine, sides);
}

/* ---- what the clients know ---- */

struct held *find_held(const char *id)
{
	for (size_t i = 0; i < held_count; i++)
		if (strcmp(helds[i].id, id) == 0)
			return &helds[i];
	return NULL;
}

static struct held *find_key(size_t tenant, const char *key)
{
	for (size_t i = 0; i < held_count; i++)
		if (helds[i].tenant == tenant && *key && strcmp(helds[i].key, key) == 0)
			return &helds[i];
	return NULL;
}

static void let_go(struct held *h)
{
	*h = helds[--held_count];
}

/* hold: what the key stood for before is gone, of which nobody was told. */
static struct held *hold(const char *id, size_t tenant, const char *key)
{
	struct held *h = find_held(id), *before = find_key(tenant, key);

	if (h)
		return h;
	if (before)
		let_go(before);
	if (held_count == held_room) {
		held_room = held_room ? held_room * 2 : 64;
		helds = reallocarray(helds, held_room, sizeof(*helds));
		if (!helds)
			abort();
	}
	h = &helds[held_count++];
	*h = (struct held){.tenant = tenant, .deadline = FAIR_NEVER};
	(void)snprintf(h->id, sizeof(h->id), "%s", id);
	(void)snprintf(h->key, sizeof(h->key), "%s", key);
	return h;
}

static void remember_gone(const char *id)
{
	(void)snprintf(gone[gone_count++ % GONE_MAX], sizeof(gone[0]), "%s", id);
}

static void told_ended(const char *id, const char *reason)
{
	struct held *h = find_held(id);

	checker_told_ended(checker, id, reason);
	if (!h)
		return;
	let_go(h);
	remember_gone(id);
}

static void ask_again(const char *id, bool must_have_ended);

/* expire lets go of what may have run out; what came back after its end was told has. */
static void expire(void)
{
	for (size_t i = 0; i < held_count;) {
		struct held *h = &helds[i];
		char id[32];

		if (h->deadline > machine.now) {
			i++;
			continue;
		}
		checker_may_end(checker, h->id);
		memcpy(id, h->id, sizeof(id));
		let_go(h);
		if (checker_is_back(checker, id))
			ask_again(id, true);
		else if (dice(3) == 0)
			ask_again(id, false);
	}
}

struct held *any_mine(void)
{
	size_t from = held_count > 0 ? dice(held_count) : 0;

	for (size_t i = 0; i < held_count; i++) {
		struct held *h = &helds[(from + i) % held_count];

		if (h->mine && h->deadline > machine.now)
			return h;
	}
	return NULL;
}

/* ---- asking ---- */

static struct exchange *send_call(enum kind kind, const char *method, const char *target, const char *body,
								  const char *key)
{
	uint64_t asked = checker_asked(checker);
	struct exchange *e = ask(&machine, method, target, body, key);

	e->kind = (int)kind;
	e->asked = e->first_asked = asked;
	e->client = CLIENTS;
	return e;
}

struct exchange *send_lease(enum kind kind, const char *method, const char *id, const char *body)
{
	char target[64];
	struct exchange *e;

	(void)snprintf(target, sizeof(target), "/leases/%s", id);
	e = send_call(kind, method, target, body, "");
	memcpy(e->id, id, sizeof(e->id));
	return e;
}

static void ask_again(const char *id, bool must_have_ended)
{
	send_lease(LOOK, "GET", id, NULL)->must_have_ended = must_have_ended;
}

struct exchange *acquire(size_t tenant, uint64_t ttl_ms, uint64_t wait_ms, const char *key)
{
	struct exchange *e;
	char body[256];

	(void)snprintf(body, sizeof(body), "{\"pool\":\"%s\",\"tenant_id\":\"%s\",\"ttl_seconds\":%g,\"wait_seconds\":%g}",
				   tenants[tenant].pool, tenants[tenant].name, (double)ttl_ms / 1000, (double)wait_ms / 1000);
	e = send_call(ACQUIRE, "POST", "/leases", body, key);
	e->tenant = tenant;
	e->ttl_ms = ttl_ms;
	return e;
}

static uint64_t any_ttl_ms(void)
{
	return 1000 * (1 + dice(20));
}

static uint64_t any_wait_ms(void)
{
	return dice(3) == 0 ? 0 : 100 * (1 + dice(40));
}

static size_t any_tenant(void)
{
	return 1 + dice(TENANTS - 1);
}

static void new_key(struct client *client)
{
	client->tenant = any_tenant();
	client->ttl_ms = any_ttl_ms();
	client->asked = 0;
	(void)snprintf(client->key, sizeof(client->key), "key-%" PRIu64, keys_made++);
}

/* A place is kept for a while after its last request; it may have become a lease, with its ttl, that nobody was told
 * of. */
static uint64_t kept_for(const struct exchange *e)
{
	return e->ttl_ms * MS < GRACE ? e->ttl_ms * MS : GRACE;
}

static void place_waits(const struct exchange *e)
{
	struct held *h = find_key(e->tenant, e->key);

	if (h && h->place && h->deadline > machine.now + kept_for(e))
		h->deadline = machine.now + kept_for(e);
}

static void play_client(struct client *client)
{
	struct held *h = find_key(client->tenant, client->key);
	struct exchange *e;

	if (h && h->place && h->deadline > machine.now)
		h->deadline = FAIR_NEVER;
	e = acquire(client->tenant, client->ttl_ms, any_wait_ms(), client->key);
	e->client = (size_t)(client - clients);
	client->asked = client->asked ? client->asked : e->asked;
	e->first_asked = client->asked;
	client->open = e;
}

static void play_beat(void)
{
	struct held *h = any_mine();
	struct exchange *e;
	char id[32], body[64] = "";

	if (!h)
		return;
	memcpy(id, h->id, sizeof(id));
	if (checker_ttl_is_asked(checker, id) || dice(3) > 0) {
		send_lease(BEAT, "PUT", id, NULL);
		return;
	}
	checker_asked_ttl(checker, id);
	uint64_t ttl_ms = any_ttl_ms();

	h->ttl_ns = ttl_ms * MS < h->ttl_ns ? ttl_ms * MS : h->ttl_ns;
	h->deadline = machine.now + h->ttl_ns < h->deadline ? machine.now + h->ttl_ns : h->deadline;
	(void)snprintf(body, sizeof(body), "{\"ttl_seconds\":%g}", (double)ttl_ms / 1000);
	e = send_lease(BEAT, "PUT", id, body);
	e->ttl_ms = ttl_ms;
}

static void play_release(void)
{
	struct held *h = any_mine();

	if (!h)
		return;
	checker_may_end(checker, h->id);
	h->mine = false;
	send_lease(RELEASE, "DELETE", h->id, NULL);
}

/* make_stale: what these requests got may end before they are told. Every key with NULL. */
static void make_stale(size_t tenant, const char *key)
{
	struct exchange *e;

	DL_FOREACH(machine.open, e)
	{
		if (e->kind == ACQUIRE && e->tenant == tenant && (!key || (e->key && strcmp(e->key, key) == 0)))
			e->is_stale = true;
	}
}

static void play_cancel(void)
{
	struct client *client = &clients[dice(CLIENTS)];
	struct held *h = find_key(client->tenant, client->key);
	struct exchange *e;
	char target[128];

	if (client->asked == 0)
		return;
	make_stale(client->tenant, client->key);
	if (h) {
		checker_may_end(checker, h->id);
		h->mine = false;
	}
	(void)snprintf(target, sizeof(target), "/leases?pool=%s&tenant_id=%s", tenants[client->tenant].pool,
				   tenants[client->tenant].name);
	e = send_call(CANCEL, "DELETE", target, NULL, client->key);
	if (h)
		memcpy(e->id, h->id, sizeof(e->id));
	new_key(client);
}

void register_tenant(size_t tenant, const char *instance)
{
	struct exchange *e;
	char body[128];

	if (tenant_asked[tenant])
		return;
	checker_asked_tenant(checker, tenants[tenant].pool, tenants[tenant].name);
	tenant_asked[tenant] = true;
	(void)snprintf(body, sizeof(body), "{\"pool\":\"%s\",\"tenant_id\":\"%s\"%s%s%s}", tenants[tenant].pool,
				   tenants[tenant].name, *instance ? ",\"instance\":\"" : "", instance, *instance ? "\"" : "");
	e = send_call(REGISTER, "POST", "/tenants", body, "");
	e->tenant = tenant;
}

/* What a tenant's end may end: its places, with force its leases, too. */
static void tenant_may_end(size_t tenant, bool force)
{
	make_stale(tenant, NULL);
	for (size_t i = 0; i < held_count; i++) {
		struct held *h = &helds[i];

		if (h->tenant != tenant || !(force || h->place))
			continue;
		checker_may_end(checker, h->id);
		h->mine = false;
	}
}

static void unregister_tenant(size_t tenant)
{
	const char *instance = instances[dice(NUM(instances))];
	bool force = dice(4) == 0;
	struct exchange *e;
	char target[128];

	if (tenant_asked[tenant])
		return;
	checker_asked_tenant(checker, tenants[tenant].pool, tenants[tenant].name);
	tenant_asked[tenant] = true;
	tenant_may_end(tenant, force);
	(void)snprintf(target, sizeof(target), "/tenants/%s?pool=%s%s%s", tenants[tenant].name, tenants[tenant].pool,
				   force	   ? "&force=true"
				   : *instance ? "&instance="
							   : "",
				   force ? "" : instance);
	e = send_call(UNREGISTER, "DELETE", target, NULL, "");
	e->tenant = tenant;
}

/* ---- what is told ---- */

/* An answer that waited may tell of what was given up meanwhile. */
static void forget_stale(const struct exchange *e, struct held *h)
{
	if (!e->is_stale)
		return;
	checker_may_end(checker, h->id);
	h->mine = false;
}

static void told_lease(struct exchange *e)
{
	const struct checker_lease told = {
		.id = text(e, "id"),
		.pool = text(e, "pool"),
		.tenant = text(e, "tenant_id"),
		.key = e->key,
		.active = true,
		.slot = (uint32_t)json_integer_value(json_array_get(json_object_get(e->json, "slot_ids"), 0)),
		.token = (uint64_t)number(e, "fencing_token"),
		.ttl_ms = (uint64_t)(number(e, "ttl_seconds") * 1000 + 0.5),
	};
	struct held *h = find_held(told.id);
	bool is_new = !h || h->place, was_gone = checker_has_ended(checker, told.id);

	checker_told_granted(checker, &told, e->first_asked, e->asked);
	if (was_gone)
		return;
	h = hold(told.id, e->tenant, e->key ? e->key : "");
	if (is_new) {
		h->ttl_ns = told.ttl_ms * MS;
		h->deadline = e->made + (uint64_t)(number(e, "expires_in_seconds") * 1e9) - ROUNDING;
		if (h->deadline <= machine.now)
			checker_may_end(checker, h->id);
	}
	h->place = false;
	h->mine = !checker_is_back(checker, told.id);
	forget_stale(e, h);
}

static void told_no_slot(struct exchange *e)
{
	const struct checker_lease told = {
		.id = text(e, "id"), .pool = tenants[e->tenant].pool, .tenant = tenants[e->tenant].name, .key = e->key};
	struct held *h;

	if (!*told.id)
		return;
	checker_told_place(checker, &told, e->asked);
	h = find_held(told.id);
	if ((h && !h->place) || checker_has_ended(checker, told.id))
		return;
	h = hold(told.id, e->tenant, e->key);
	h->place = true;
	h->deadline = e->at + kept_for(e);
	/* Where the answer waited long for its batch the place may have run out since, and its end may be kept, too. */
	if (h->deadline <= machine.now)
		checker_may_end(checker, h->id);
	forget_stale(e, h);
}

/* A 410 tells of what the key stood for when it ended, which need not be the last that was told: a place that went
 * leaves the key free for another, of which nobody was told. */
static void told_key_ended(const struct exchange *e)
{
	char id[32] = "";

	expect(sscanf(text(e, "detail"), "lease '%31[^']'", id) == 1, "a 410 does not name the lease");
	if (find_held(id))
		told_ended(id, text(e, "reason"));
}

static void refused(struct exchange *e)
{
	const char *code = text(e, "code");
	struct client *client = e->client < CLIENTS ? &clients[e->client] : NULL;

	if (e->reply.status == 503) {
		expect(strcmp(code, "store-unavailable") == 0, "503 for another reason than the store");
		client_counts.unstored++;
		return;
	}
	expect(strcmp(code, "no-slot") == 0 || strcmp(code, "lease-ended") == 0 || strcmp(code, "superseded") == 0 ||
			   strcmp(code, "tenant-not-registered") == 0 || strcmp(code, "tenant-closing") == 0,
		   "an acquire is refused for a reason that is not there");
	if (strcmp(code, "no-slot") == 0)
		told_no_slot(e);
	if (strcmp(code, "lease-ended") == 0)
		told_key_ended(e);
	if (client && strcmp(client->key, e->key) == 0 &&
		(strcmp(code, "lease-ended") == 0 || strncmp(code, "tenant-", 7) == 0))
		new_key(client);
}

static void take_acquire(struct exchange *e)
{
	struct client *client = e->client < CLIENTS ? &clients[e->client] : NULL;
	bool is_latest = client && client->open == e;

	if (e->reply.status == 201)
		told_lease(e);
	else if (!client || is_latest || strcmp(text(e, "code"), "superseded") != 0)
		refused(e);
	if (!is_latest)
		return;
	client->open = NULL;
	place_waits(e);
}

static void told_gone(struct exchange *e)
{
	struct held *h = find_held(e->id);

	if (e->reply.status != 404) {
		told_ended(e->id, text(e, "reason"));
		return;
	}
	checker_told_unknown(checker, e->id);
	if (h)
		let_go(h);
}

static void take_beat(struct exchange *e)
{
	struct held *h = find_held(e->id);

	expect(e->reply.status != 503 || checker_ttl_is_asked(checker, e->id),
		   "a heartbeat waits for the store, and there is no change of the ttl");
	if (e->reply.status == 503)
		return;
	if (e->reply.status != 200) {
		told_gone(e);
		return;
	}
	checker_told_alive(checker, e->id, e->asked);
	if (e->ttl_ms > 0)
		checker_told_ttl(checker, e->id, e->ttl_ms);
	if (!h || !h->mine)
		return;
	if (e->ttl_ms > 0)
		h->ttl_ns = e->ttl_ms * MS;
	client_counts.renewals++;
	if (e->at + h->ttl_ns > h->deadline)
		h->deadline = e->at + h->ttl_ns;
}

static void take_release(struct exchange *e)
{
	expect(e->reply.status != 503, "a release waits for the store");
	if (e->reply.status == 204)
		told_ended(e->id, "released");
	else
		told_gone(e);
}

static void take_cancel(struct exchange *e)
{
	expect(e->reply.status == 204, "a key that is given up is not answered 204");
	if (*e->id)
		told_ended(e->id, NULL);
}

static void take_tenant(struct exchange *e)
{
	const struct {
		const char *pool, *name;
	} who = {tenants[e->tenant].pool, tenants[e->tenant].name};
	struct checker_tenant told = {.pool = who.pool, .tenant = who.name};
	char names[256] = "";
	const json_t *each;
	size_t i;

	tenant_asked[e->tenant] = false;
	if (e->reply.status == 503) {
		client_counts.unstored++;
		return;
	}
	if (e->reply.status == 204 || e->reply.status == 404) {
		checker_told_tenant_gone(checker, who.pool, who.name);
		return;
	}
	expect(e->reply.status <= 202, "a tenant is refused");
	json_array_foreach(json_object_get(e->json, "instances"), i, each)
	{
		(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? " " : "",
					   json_string_value(each));
	}
	told.closing = strcmp(text(e, "state"), "closing") == 0;
	told.instances = names;
	checker_told_tenant(checker, &told);
}

static void take_look(struct exchange *e)
{
	if (e->reply.status == 503)
		return;
	if (e->reply.status != 200) {
		told_gone(e);
		client_counts.run_out += e->must_have_ended;
		return;
	}
	expect(!e->must_have_ended, "a lease that was told as ended is back, and does not run out");
	if (strcmp(text(e, "state"), "active") != 0)
		return;
	checker_told_alive(checker, e->id, e->asked);
	if (!checker_ttl_is_asked(checker, e->id))
		checker_showed_ttl(checker, e->id, (uint64_t)(number(e, "ttl_seconds") * 1000 + 0.5));
}

static void take_answer(struct exchange *e)
{
	static void (*const by_kind[])(struct exchange *) = {
		[ACQUIRE] = take_acquire, [BEAT] = take_beat,		  [RELEASE] = take_release, [CANCEL] = take_cancel,
		[REGISTER] = take_tenant, [UNREGISTER] = take_tenant, [LOOK] = take_look};

	client_counts.answers++;
	by_kind[e->kind](e);
}

void leave(struct exchange *e)
{
	if (e->client < CLIENTS && clients[e->client].open == e) {
		clients[e->client].open = NULL;
		place_waits(e);
	}
	if (e->kind == REGISTER || e->kind == UNREGISTER)
		tenant_asked[e->tenant] = false;
}

/* A change of a tenant that nobody waits for any more could be mistaken for the next one's: those clients stay. */
static bool may_leave(const struct exchange *e)
{
	return e->kind != REGISTER && e->kind != UNREGISTER;
}

void take_answers(bool may_lose)
{
	struct exchange *e;

	while ((e = machine.answers) != NULL) {
		bool is_lost = may_lose && may_leave(e) && dice(40) == 0;

		if (is_lost)
			leave(e);
		else
			take_answer(e);
		take(&machine, e, !is_lost);
	}
}

static void play_hang_up(void)
{
	struct exchange *e;
	size_t skip = dice(8);

	DL_FOREACH(machine.open, e)
	{
		if (!may_leave(e) || skip-- > 0)
			continue;
		leave(e);
		hang_up(&machine, e);
		return;
	}
}

/* ---- playing ---- */

void play(void)
{
	struct client *client = &clients[dice(CLIENTS)];
	uint64_t kind = dice(100);

	if (kind < 22)
		acquire(any_tenant(), any_ttl_ms(), any_wait_ms(), "");
	else if (kind < 50)
		play_client(client);
	else if (kind < 66)
		play_beat();
	else if (kind < 80)
		play_release();
	else if (kind < 83)
		play_cancel();
	else if (kind < 87)
		play_hang_up();
	else if (kind < 92)
		register_tenant(any_tenant(), instances[dice(NUM(instances))]);
	else if (kind < 94)
		unregister_tenant(any_tenant());
	else if (gone_count > 0)
		send_lease(LOOK, "GET", gone[dice(gone_count < GONE_MAX ? gone_count : GONE_MAX)], NULL);
}

void register_all(void)
{
	for (size_t i = 0; i < TENANTS; i++)
		register_tenant(i, "");
}

/* ---- time ---- */

void pass(uint64_t ns)
{
	machine.now += ns;
	latest = machine.now > latest ? machine.now : latest;
	expire();
}

void pass_some(void)
{
	uint64_t kind = dice(100);

	if (kind < 40)
		pass(0);
	else if (kind < 88)
		pass(dice(20 * MS));
	else if (kind < 98)
		pass(dice(500 * MS));
	else
		pass(dice(6 * S));
}

void step(bool waits)
{
	turn(&machine, waits);
	take_answers(true);
}

/* ---- over restarts ---- */

void clients_forget(void)
{
	held_count = gone_count = 0;
	for (size_t i = 0; i < CLIENTS; i++)
		new_key(&clients[i]);
}

static size_t tenant_index(const char *pool, const char *name)
{
	for (size_t i = 0; i < TENANTS; i++)
		if (strcmp(tenants[i].pool, pool) == 0 && strcmp(tenants[i].name, name) == 0)
			return i;
	fail("a tenant that nobody registered is there");
	return 0;
}

void clients_go_on(const struct checker_state *state)
{
	struct held *before = helds;
	size_t count = held_count;

	helds = NULL;
	held_count = held_room = 0;
	for (size_t i = 0; i < state->lease_count; i++) {
		const struct checker_lease *seen = &state->leases[i];
		struct held *h = hold(seen->id, tenant_index(seen->pool, seen->tenant), seen->key ? seen->key : "");

		for (size_t k = 0; k < count && !h->mine; k++)
			h->mine = seen->active && before[k].mine && strcmp(before[k].id, h->id) == 0;
		h->place = !seen->active;
		h->ttl_ns = seen->ttl_ms * MS;
		h->deadline = machine.now + (seen->active ? h->ttl_ns : GRACE);
	}
	free(before);
	memset(tenant_asked, 0, sizeof(tenant_asked));
}

void clients_free(void)
{
	free(helds);
}
