/* SPDX-License-Identifier: MIT */
/*
 * Crashes: clients that register, acquire, wait, beat, release, give up and leave play against a server by value, whose
 * power goes at a random moment, over and over, on the same file. What was told must be there after each start
 * (checker.h). Between the crashes the disk fails for a while, too.
 *
 * crash_test [--seed N] [--crashes N] [--off]. A seed replays the same choices; where the committer stands when the
 * loop makes them is the threads' affair, so a run follows another only as far as their timing does. --off runs SQLite
 * with synchronous=OFF and succeeds as soon as a grant that was told is lost: else the test could not see a loss.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "checker.h"
#include "crash_vfs.h"
#include "id.h"
#include "machine.h"
#include "sqlite.h"

#define CRASHES 5000
#define CRASHES_OF_A_FILE 20
#define CLIENTS 8
#define TENANTS 10
#define SPARE 0			  /* the tenant that only the story of failing disks uses */
#define GRACE (10 * S)	  /* a place is kept, and a grant may be claimed, at least so long */
#define ROUNDING (2 * MS) /* of the seconds in answers */
#define GONE_MAX 32
#define NUM(a) (sizeof(a) / sizeof(*(a)))

enum kind { ACQUIRE, BEAT, RELEASE, CANCEL, REGISTER, UNREGISTER, LOOK };

/* A lease or a place that is there as far as the clients know. */
struct held {
	char id[32], key[24];
	size_t tenant;
	bool mine; /* a client was told and holds it */
	bool place;
	uint64_t ttl_ns;   /* the smallest that it may have */
	uint64_t deadline; /* it may be gone from then on */
};

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

static uint64_t seed;
static bool off;
static char folder[] = "/dev/shm/fairshared-crash-XXXXXX", path[64];
static struct machine machine;
static struct checker *checker;
static struct held *helds;
static size_t held_count, held_room;
static char gone[GONE_MAX][32]; /* leases that were told as ended */
static size_t gone_count;
static struct client clients[CLIENTS];
static bool tenant_asked[TENANTS];
static uint64_t keys_made, latest;
static bool has_fault, has_lost_grant; /* with --off; has_fault: of this file */
static struct {
	uint64_t answers, unstored, renewals, settings_back, run_out, stories, openings, clean;
} counts;

static uint64_t dice(uint64_t sides)
{
	return machine_dice(&machine, sides);
}

/* ---- failing ---- */

static void remove_folder(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		abort();
}

static void fail(const char *what)
{
	printf("crash_test: %s\nthe file is in %s; replay, as far as the timing of the threads allows: crash_test --seed "
		   "%" PRIu64 "%s\n",
		   what, folder, seed, off ? " --off" : "");
	exit(1);
}

static void on_fault(void *context, enum checker_fault kind, const char *what)
{
	(void)context;
	if (!off)
		fail(what);
	if (kind == CHECKER_LOST_GRANT && !has_lost_grant)
		printf("with synchronous=OFF: %s\n", what);
	has_lost_grant = has_lost_grant || kind == CHECKER_LOST_GRANT;
	has_fault = true;
}

static void expect(bool holds, const char *what)
{
	if (!holds && !off)
		fail(what);
}

/* ---- what the clients know ---- */

static struct held *find_held(const char *id)
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

static struct held *any_mine(void)
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

static struct exchange *send(enum kind kind, const char *method, const char *target, const char *body, const char *key)
{
	uint64_t asked = checker_asked(checker);
	struct exchange *e = ask(&machine, method, target, body, key);

	e->kind = (int)kind;
	e->asked = e->first_asked = asked;
	e->client = CLIENTS;
	return e;
}

static struct exchange *send_lease(enum kind kind, const char *method, const char *id, const char *body)
{
	char target[64];
	struct exchange *e;

	(void)snprintf(target, sizeof(target), "/leases/%s", id);
	e = send(kind, method, target, body, "");
	memcpy(e->id, id, sizeof(e->id));
	return e;
}

static void ask_again(const char *id, bool must_have_ended)
{
	send_lease(LOOK, "GET", id, NULL)->must_have_ended = must_have_ended;
}

static struct exchange *acquire(size_t tenant, uint64_t ttl_ms, uint64_t wait_ms, const char *key)
{
	struct exchange *e;
	char body[256];

	(void)snprintf(body, sizeof(body), "{\"pool\":\"%s\",\"tenant_id\":\"%s\",\"ttl_seconds\":%g,\"wait_seconds\":%g}",
				   tenants[tenant].pool, tenants[tenant].name, (double)ttl_ms / 1000, (double)wait_ms / 1000);
	e = send(ACQUIRE, "POST", "/leases", body, key);
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
	e = send(CANCEL, "DELETE", target, NULL, client->key);
	if (h)
		memcpy(e->id, h->id, sizeof(e->id));
	new_key(client);
}

static void register_tenant(size_t tenant, const char *instance)
{
	struct exchange *e;
	char body[128];

	if (tenant_asked[tenant])
		return;
	checker_asked_tenant(checker, tenants[tenant].pool, tenants[tenant].name);
	tenant_asked[tenant] = true;
	(void)snprintf(body, sizeof(body), "{\"pool\":\"%s\",\"tenant_id\":\"%s\"%s%s%s}", tenants[tenant].pool,
				   tenants[tenant].name, *instance ? ",\"instance\":\"" : "", instance, *instance ? "\"" : "");
	e = send(REGISTER, "POST", "/tenants", body, "");
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
	e = send(UNREGISTER, "DELETE", target, NULL, "");
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
		h->deadline = machine.now + (uint64_t)(number(e, "expires_in_seconds") * 1e9) - ROUNDING;
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
		counts.unstored++;
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
	if (e->reply.status == 404)
		checker_told_unknown(checker, e->id);
	else
		told_ended(e->id, text(e, "reason"));
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
	counts.renewals++;
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
		counts.unstored++;
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
		counts.run_out += e->must_have_ended;
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

	counts.answers++;
	by_kind[e->kind](e);
}

/* leave: the client of a request is gone before its answer, or does not get it. What it asked for may have happened. */
static void leave(struct exchange *e)
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

static void take_answers(bool may_lose)
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

/* ---- time ---- */

static void pass(uint64_t ns)
{
	machine.now += ns;
	latest = machine.now > latest ? machine.now : latest;
	expire();
}

static void pass_some(void)
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

static void step(bool waits)
{
	turn(&machine, waits);
	take_answers(true);
}

/* ---- a failing disk ---- */

static struct exchange *ask_now(const char *method, const char *target)
{
	return ask(&machine, method, target, NULL, "");
}

static unsigned readiness(void)
{
	struct exchange *e = ask_now("GET", "/readyz");
	unsigned status = e->reply.status;

	expect(status == 200 || strcmp(text(e, "code"), "store-unavailable") == 0, "/readyz is red for another reason");
	take(&machine, e, true);
	return status;
}

/* settle lets all that is under way end; the disk is well. */
static bool settle(void)
{
	for (unsigned i = 0; commit_pending(machine.commit) && i < 100 && !crash_is_dead(); i++) {
		step(true);
		if (commit_pending(machine.commit))
			pass(100 * MS);
	}
	return !crash_is_dead();
}

/* acquire_spare asks for a slot that is free and tells the status of the answer, 0 where the power went. */
static unsigned acquire_spare(char ret_id[32])
{
	struct exchange *e = acquire(SPARE, 1000, 0, "");
	unsigned status = 0;

	turn(&machine, true);
	if (e->answered && !crash_is_dead()) {
		status = e->reply.status;
		memcpy(ret_id, text(e, "id"), strlen(text(e, "id")) + 1);
	}
	take_answers(false);
	return status;
}

/* Ends and heartbeats need no disk. */
static void live_on_without_disk(void)
{
	struct held *h = any_mine();
	char id[32];

	if (!h)
		return;
	memcpy(id, h->id, sizeof(id));
	expect(send_lease(BEAT, "PUT", id, NULL)->answered, "a heartbeat is not answered while the store fails");
	take_answers(false);
	h = find_held(id);
	if (!h)
		return;
	if (dice(2) > 0) {
		checker_may_end(checker, id);
		h->mine = false;
		expect(send_lease(RELEASE, "DELETE", id, NULL)->answered, "a release is not answered while the store fails");
	} else {
		pass(h->deadline - machine.now + 21 * S);
		turn(&machine, true);
		send_lease(LOOK, "GET", id, NULL)->must_have_ended = true;
	}
	step(false);
}

/*
 * The disk fails: what is asked for is refused, all that needs no disk goes on, and when it is well again so is the
 * server, by itself. Then often a crash at once.
 */
static void play_failing_disk(void)
{
	char id[32] = "";
	unsigned status;

	register_tenant(SPARE, "");
	pass(3 * S); /* after a restart grants are held a while; the spare slots run out */
	step(true);
	if (!settle())
		return;
	crash_fault((enum crash_fault)(CRASH_WRITE_FAILS + dice(CRASH_FAULTS - CRASH_WRITE_FAILS)));
	status = acquire_spare(id);
	if (crash_is_dead())
		return;
	expect(status == 503, "an acquire is not answered 503 although the store fails");
	expect(readiness() == 503, "readiness is not red while the store fails");
	live_on_without_disk();
	for (uint64_t tries = dice(4); tries > 0; tries--) {
		pass(100 * MS);
		step(true);
	}
	if (crash_is_dead())
		return;
	expect(readiness() == 503, "readiness is not red while the store fails");
	crash_fault(CRASH_NO_FAULT);
	pass(100 * MS);
	step(true);
	if (crash_is_dead())
		return;
	expect(readiness() == 200, "readiness stays red although the disk is well");
	expect(acquire_spare(id) == 201 || crash_is_dead(), "nothing is granted although the disk is well");
	counts.stories++;
}

/* ---- a life ---- */

static void play(void)
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

static void register_all(void)
{
	for (size_t i = 0; i < TENANTS; i++)
		register_tenant(i, "");
}

static void live(void)
{
	uint64_t steps = 20 + dice(160), failing_from = dice(8) == 0 ? dice(steps) : steps;
	bool has_story = dice(5) == 0;

	for (uint64_t i = 0; i < steps && !crash_is_dead(); i++) {
		pass_some();
		play();
		if (i == failing_from)
			crash_fault((enum crash_fault)(CRASH_WRITE_FAILS + dice(CRASH_FAULTS - CRASH_WRITE_FAILS)));
		if (i > failing_from && dice(20) == 0)
			crash_fault(CRASH_NO_FAULT);
		step(dice(2) > 0);
	}
	if (!has_story || crash_is_dead())
		return;
	crash_fault(CRASH_NO_FAULT);
	play_failing_disk();
	for (uint64_t i = dice(2) * dice(10); i > 0 && !crash_is_dead(); i--) {
		play();
		step(dice(2) > 0);
	}
}

/* ---- after a restart ---- */

struct looking {
	struct checker_lease leases[256];
	struct checker_tenant tenants[64];
	char ids[256][32], keys[256][24], names[64][256];
	struct checker_state state;
};

static size_t tenant_index(const char *pool, const char *name)
{
	for (size_t i = 0; i < TENANTS; i++)
		if (strcmp(tenants[i].pool, pool) == 0 && strcmp(tenants[i].name, name) == 0)
			return i;
	fail("a tenant that nobody registered is there");
	return 0;
}

static void see_lease(struct looking *looking, const struct fair_lease_view *view)
{
	size_t i = looking->state.lease_count++;
	struct fair_lease_record record;

	if (i == NUM(looking->leases) || !fair_lease_record(machine.fair, &view->id, &record))
		fail("a lease that nobody asked for is there");
	id_format(&view->id, looking->ids[i]);
	if (record.key)
		(void)snprintf(looking->keys[i], sizeof(looking->keys[i]), "%.*s", (int)record.key_len, record.key);
	looking->leases[i] = (struct checker_lease){.id = looking->ids[i],
												.pool = view->pool,
												.tenant = view->tenant,
												.key = record.key ? looking->keys[i] : NULL,
												.active = view->state == FAIR_ACTIVE,
												.slot = view->slot_ids ? view->slot_ids[0] : 0,
												.token = view->fencing_token,
												.ttl_ms = view->ttl_ns / MS};
	expect(view->state != FAIR_ACTIVE || view->deadline_ns == machine.now + view->ttl_ns,
		   "a lease does not have its full ttl from the start");
}

static void see_tenant(struct looking *looking, const struct fair_tenant_view *view)
{
	size_t i = looking->state.tenant_count++;
	char *names = looking->names[i];

	if (i == NUM(looking->tenants))
		fail("a tenant that nobody registered is there");
	for (uint32_t n = 0; n < view->num_instances; n++)
		(void)snprintf(names + strlen(names), sizeof(looking->names[i]) - strlen(names), "%s%s", n > 0 ? " " : "",
					   fair_tenant_instance(machine.fair, view->pool, view->tenant, n));
	looking->tenants[i] = (struct checker_tenant){
		.pool = view->pool, .tenant = view->tenant, .closing = view->closing, .instances = names};
}

static void see_pool(struct looking *looking, const char *pool)
{
	struct fair_lease_view lease = {0};
	struct fair_tenant_view tenant = {0};

	while (fair_tenant_next(machine.fair, pool, tenant.number, &tenant))
		see_tenant(looking, &tenant);
	while (fair_lease_next(machine.fair, pool, NULL, FAIR_ENDED, lease.number, &lease))
		see_lease(looking, &lease);
}

/* keep_holding: the clients go on with what is there. */
static void keep_holding(const struct looking *looking)
{
	struct held *before = helds;
	size_t count = held_count;

	helds = NULL;
	held_count = held_room = 0;
	for (size_t i = 0; i < looking->state.lease_count; i++) {
		const struct checker_lease *seen = &looking->leases[i];
		struct held *h = hold(seen->id, tenant_index(seen->pool, seen->tenant), seen->key ? seen->key : "");

		for (size_t k = 0; k < count && !h->mine; k++)
			h->mine = seen->active && before[k].mine && strcmp(before[k].id, h->id) == 0;
		h->place = !seen->active;
		h->ttl_ns = seen->ttl_ms * MS;
		h->deadline = machine.now + (seen->active ? h->ttl_ns : GRACE);
	}
	free(before);
}

static void look(void)
{
	struct looking *looking = calloc(1, sizeof(*looking));
	const char *pool;

	if (!looking)
		abort();
	for (uint32_t i = 0; (pool = fair_pool_name(machine.fair, i)) != NULL; i++)
		see_pool(looking, pool);
	looking->state.leases = looking->leases;
	looking->state.tenants = looking->tenants;
	checker_look(checker, &looking->state);
	keep_holding(looking);
	free(looking);
	memset(tenant_asked, 0, sizeof(tenant_asked));
}

/* ---- crashes ---- */

/* The pragma that the product sets is made another, and checkpoints come often. */
int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **), void *context,
						char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **), void *context,
						char **error);

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **), void *context,
						char **error)
{
	bool is_durability = strcmp(sql, "PRAGMA synchronous = FULL") == 0;

	if (is_durability)
		sqlite3_wal_autocheckpoint(db, 4 + (int)dice(60));
	return __real_sqlite3_exec(db, is_durability && off ? "PRAGMA synchronous = OFF" : sql, each, context, error);
}

/* A file that nothing is known of. The clock was never set back by more than what tokens run ahead of it. */
static void new_file(uint64_t number)
{
	crash_forget();
	remove_folder();
	(void)snprintf(path, sizeof(path), "%s/%" PRIu64, folder, number);
	if (mkdir(folder, 0700) != 0)
		fail("the folder cannot be made");
	checker_lost(checker);
	held_count = gone_count = 0;
	has_fault = false;
	machine.now = latest + S;
	for (size_t i = 0; i < CLIENTS; i++)
		new_key(&clients[i]);
}

/* The time between two lives; sometimes the clock is set back meanwhile. */
static void be_down(void)
{
	machine.now += dice(3 * S);
	if (dice(5) == 0)
		machine.now -= dice(3600 * S);
	else if (dice(2) > 0)
		machine.now = machine.now > latest ? machine.now : latest;
}

static void fall(enum crash_place where)
{
	struct exchange *e;

	/* What was handed over before the power went was told. */
	take_answers(false);
	DL_FOREACH(machine.open, e)
	{
		leave(e);
	}
	if (where == CRASH_PLACES) {
		counts.clean++;
		crash_after(dice(2) * dice(20));
		machine_stop(&machine);
		crash_now(CRASH_IDLE);
	} else {
		crash_now(where);
		machine_stop(&machine);
	}
	crash_restart();
	be_down();
}

/* start goes on until the power lasts; false: the file cannot be loaded, which only synchronous=OFF may do. */
static bool start(bool is_new)
{
	char error[CONFIG_ERROR_MAX];

	if (dice(is_new ? 2 : 8) == 0)
		crash_after(1 + dice(40));
	while (!machine_start(&machine, path, STORE_FULL, error)) {
		bool is_dead = crash_is_dead();

		if (!is_dead) {
			expect(false, error);
			crash_now(CRASH_IDLE);
		}
		machine_stop(&machine);
		crash_restart();
		counts.openings += is_dead;
		if (!is_dead)
			return false;
	}
	crash_after(dice(5) > 0 ? 1 + dice(dice(3) > 0 ? 100 : 600) : 0);
	return true;
}

/* crash plays one life and its end; false: what follows needs a new file. */
static bool crash(bool is_new)
{
	if (!start(is_new))
		return false;
	look();
	if (has_fault)
		return false;
	if (is_new)
		register_all();
	live();
	fall(crash_is_dead() ? CRASH_IDLE : dice(8) == 0 ? CRASH_PLACES : machine.flies ? CRASH_FLIGHT : CRASH_IDLE);
	return true;
}

static void print_counts(uint64_t crashes)
{
	static const char *const places[] = {"idle",	 "batch in flight", "WAL write",
										 "WAL sync", "checkpoint",		"rename or delete"};
	struct crash_counts disk = crash_counts();
	struct checker_counts told = checker_counts(checker);

	printf("%" PRIu64 " lives:", crashes);
	for (size_t i = 0; i < CRASH_PLACES; i++)
		printf(" %s %" PRIu64 "%s", places[i], disk.places[i], i + 1 < CRASH_PLACES ? "," : "\n");
	printf("%" PRIu64 " of the crashes while a file was opened, %" PRIu64 " after a clean end\n", counts.openings,
		   counts.clean);
	printf("writes without a sync: %" PRIu64 " dropped, %" PRIu64 " kept, %" PRIu64 " torn; names: %" PRIu64
		   " not there yet, %" PRIu64 " there again\n",
		   disk.dropped, disk.kept, disk.torn, disk.forgotten, disk.back);
	printf("failed: %" PRIu64 " writes, %" PRIu64 " syncs, %" PRIu64 " for a full disk; %" PRIu64
		   " answers 503 store-unavailable; %" PRIu64 " stories of a disk that came back\n",
		   disk.faults[CRASH_WRITE_FAILS], disk.faults[CRASH_SYNC_FAILS], disk.faults[CRASH_DISK_FULL], counts.unstored,
		   counts.stories);
	printf("%" PRIu64 " answers: %" PRIu64 " grants, %" PRIu64 " ends, %" PRIu64 " places, %" PRIu64
		   " tenants, %" PRIu64 " renewals, %" PRIu64 " keys that got their lease again\n",
		   counts.answers, told.grants, told.ends, told.places, told.tenants, counts.renewals, told.same_lease);
	printf("over %" PRIu64 " restarts: %" PRIu64 " told leases and %" PRIu64 " told places survived, %" PRIu64
		   " grants nobody was told of, %" PRIu64 " ends taken back, of which %" PRIu64 " seen to run out\n",
		   told.looks, told.survived, told.places_survived, told.untold, told.back, counts.run_out);
}

/* A run that never came where it was meant to go proves nothing. */
static void demand_all(uint64_t crashes)
{
	struct crash_counts disk = crash_counts();
	struct checker_counts told = checker_counts(checker);
	uint64_t least = crashes / 100;

	for (size_t i = 0; i < CRASH_PLACES; i++)
		if (disk.places[i] < least / (i == CRASH_NAME ? 10 : 1))
			fail("too few crashes at one of the places");
	if (disk.dropped < crashes / 2 || disk.torn < crashes / 10 || disk.kept < crashes / 2 || told.survived < crashes ||
		told.back < least || told.places_survived < least || told.same_lease < least || counts.stories < least ||
		counts.unstored < least)
		fail("too little came of what is to be tested");
}

static int run_off(uint64_t crashes)
{
	for (uint64_t i = 0; i < crashes; i++) {
		new_file(i);
		for (unsigned life = 0; life < 4 && crash(life == 0); life++)
			;
		if (has_lost_grant) {
			printf("seen in round %" PRIu64 ", seed %" PRIu64 "\n", i + 1, seed);
			return 0;
		}
	}
	printf("crash_test: no grant was lost with synchronous=OFF: a loss would not be seen; seed %" PRIu64 "\n", seed);
	return 1;
}

static int run(uint64_t crashes)
{
	for (uint64_t i = 0; i < crashes; i++) {
		bool is_new = i % CRASHES_OF_A_FILE == 0;

		if (is_new)
			new_file(i);
		crash(is_new);
	}
	print_counts(crashes);
	demand_all(crashes);
	return 0;
}

static struct config read_config(void)
{
	char file[128], option[] = "--config", name[] = "crash_test", *arguments[] = {name, option, file, NULL};
	char error[CONFIG_ERROR_MAX];
	struct config config;
	FILE *out;

	(void)snprintf(file, sizeof(file), "%s/config", folder);
	out = fopen(file, "w");
	if (!out)
		fail("the folder cannot be written");
	fprintf(out, "max_slots = 5\nkey_memory = 10h\n[pool other]\nmax_slots = 2\n[pool spare]\nmax_slots = 3\n");
	fclose(out);
	if (!config_load(&config, 3, arguments, error))
		fail(error);
	return config;
}

static uint64_t number_of(const char *argument)
{
	return argument ? strtoull(argument, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	uint64_t crashes = CRASHES;
	struct config config;
	int status;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 1;
	seed >>= 32;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = number_of(argv[++i]);
		else if (strcmp(argv[i], "--crashes") == 0)
			crashes = number_of(argv[++i]);
		else if (strcmp(argv[i], "--off") == 0)
			off = true;
		else
			return printf("crash_test [--seed N] [--crashes N] [--off]\n") > 0;
	}
	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	if (!mkdtemp(folder))
		return 1;
	config = read_config();
	machine.config = &config;
	machine.random = seed;
	machine.now = latest = UINT64_C(1900000000) * S;
	crash_vfs_init(seed + 1);
	checker = checker_create(on_fault, NULL);
	status = off ? run_off(crashes) : run(crashes);
	crash_forget();
	remove_folder();
	checker_destroy(checker);
	config_free(&config);
	free(helds);
	return status;
}
