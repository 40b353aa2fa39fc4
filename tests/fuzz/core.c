/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the core with a sequence of calls, fair_check() after each. An input is letters, each with its operands, one
 * character each and counted modulo what there is; what is no letter of a call is passed over, such as white space:
 *
 *   R p t i   register tenant t (instance i)      U p t i   unregister (i = 5: force)
 *   A p t k   acquire, with key k (0: none)       T p t k   acquire without waiting
 *   K p t k   cancel a key                        a l       attach      d l h   detach (how h)
 *   c l       claim    b l       heartbeat        r l       release     v l     revoke
 *   f l       confirm  w l       withdraw         h p       hold        o p     resume
 *   + d       time passes by 2^d ms, worked off   - d       and is not worked off   l d   lateness of 2^d ms
 *   m n       the n-th allocation from here fails
 *
 * l counts leases back from the newest.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "fair.h"

#define MS UINT64_C(1000000)
#define POOLS 2
#define SLOTS_MAX 3
#define LEASES_MAX 2000

struct play {
	struct fair *fair;
	uint64_t now;
	const uint8_t *at, *end;
	uint64_t leases;			 /* ids are numbers from 1 */
	uint64_t tokens[LEASES_MAX]; /* the token of each, 0 for none */
	bool over[LEASES_MAX];		 /* told as ended */
	bool told[LEASES_MAX];		 /* told as granted, and not as withdrawn since */
};

static uint64_t until_failure; /* allocations; 0: none fails */

static const char *const pools[POOLS] = {"large", "small"};
static const char *const tenants[] = {"a", "b", "c", "d"};
static const char *const names[] = {NULL, "1", "2", "3"};

static void *get(size_t size, void *context)
{
	(void)context;
	return until_failure > 0 && --until_failure == 0 ? NULL : malloc(size);
}

static void put(void *memory, void *context)
{
	(void)context;
	free(memory);
}

/* ---- operands ---- */

static unsigned operand(struct play *p, unsigned count)
{
	return p->at < p->end ? (unsigned)(*p->at++ - '0') % count : 0;
}

static struct fair_id to_id(uint64_t number)
{
	struct fair_id id = {{0}};

	memcpy(id.bytes, &number, sizeof(number));
	return id;
}

static uint64_t to_number(const struct fair_id *id)
{
	uint64_t number;

	memcpy(&number, id->bytes, sizeof(number));
	return number;
}

static struct fair_id lease(struct play *p)
{
	return to_id(p->leases - operand(p, 10));
}

static uint64_t duration(struct play *p)
{
	return MS << operand(p, 22);
}

/* ---- what must hold ---- */

static void on_event(struct play *p, const struct fair_event *e)
{
	uint64_t n = to_number(&e->id);
	struct fair_lease_view l;

	if (e->type == FAIR_EV_ENDED) {
		MUST(!p->over[n]);
		p->over[n] = true;
	}
	if (e->type == FAIR_EV_GRANTED || e->type == FAIR_EV_WITHDRAWN)
		p->told[n] = e->type == FAIR_EV_GRANTED;
	if (e->type != FAIR_EV_GRANTED || fair_lease_get(p->fair, p->now, &e->id, &l) != FAIR_OK || l.state != FAIR_ACTIVE)
		return;
	/* A token grows with every grant, also with that of a lease whose first grant was withdrawn. */
	MUST(l.fencing_token > p->tokens[n]);
	p->tokens[n] = l.fencing_token;
}

static void check_slots(const struct play *p)
{
	for (int i = 0; i < POOLS; i++) {
		bool taken[SLOTS_MAX] = {false};
		struct fair_lease_view l;

		for (uint64_t n = 0; fair_lease_next(p->fair, pools[i], NULL, FAIR_ACTIVE, n, &l); n = l.number) {
			MUST(l.slots == 1 && l.slot_ids[0] < SLOTS_MAX && !taken[l.slot_ids[0]]);
			taken[l.slot_ids[0]] = true;
			MUST(!p->over[to_number(&l.id)]);
		}
	}
}

static void check(struct play *p)
{
	struct fair_event e;

	fair_check(p->fair, p->now);
	while (fair_next_event(p->fair, &e))
		on_event(p, &e);
	fair_check(p->fair, p->now);
	check_slots(p);
}

static void advance(struct play *p)
{
	while (fair_advance(p->fair, p->now, 3))
		check(p);
	/* No caller turns in circles. */
	MUST(fair_next_deadline(p->fair) > p->now);
}

/* ---- calls ---- */

static void acquire(struct play *p, bool wait)
{
	const char *pool = pools[operand(p, POOLS)], *tenant = tenants[operand(p, 4)], *key = names[operand(p, 4)];
	struct fair_acquired got;
	struct fair_request r = {.pool = pool,
							 .tenant = tenant,
							 .key = key,
							 .key_len = key != NULL ? 1 : 0,
							 .label = "",
							 .ttl_ns = 30000 * MS,
							 .wait = wait,
							 .auto_register = *tenant == 'd'};
	enum fair_err err;

	if (p->leases + 1 == LEASES_MAX)
		return;
	r.id = to_id(++p->leases);
	err = fair_acquire(p->fair, p->now, &r, &got);
	if (err == FAIR_OK)
		MUST(got.state == FAIR_ACTIVE || (wait && got.state == FAIR_PENDING));
	if (err == FAIR_OK && !got.known)
		MUST(to_number(&got.id) == p->leases);
	MUST(err != FAIR_E_NO_SLOT || !wait);
}

static void on_tenant(struct play *p, bool registers)
{
	const char *pool = pools[operand(p, POOLS)], *tenant = tenants[operand(p, 4)];
	unsigned i = operand(p, 6);
	bool force = i >= 4, created;
	enum fair_unregistered how;
	enum fair_err err = registers
							? fair_register(p->fair, p->now, pool, tenant, names[i % 4], &created)
							: fair_unregister(p->fair, p->now, pool, tenant, force ? NULL : names[i], force, &how);

	if (!registers && err == FAIR_OK && how == FAIR_UNREGISTERED_GONE) {
		struct fair_tenant_view t;

		advance(p);
		MUST(fair_tenant_get(p->fair, pool, tenant, &t) == FAIR_E_TENANT_NOT_FOUND);
	}
}

static void cancel(struct play *p)
{
	const char *pool = pools[operand(p, POOLS)], *tenant = tenants[operand(p, 4)], *key = names[1 + operand(p, 3)];
	struct fair_id id;

	fair_cancel(p->fair, p->now, pool, tenant, key, 1);
	if (fair_key_find(p->fair, pool, tenant, key, 1, &id)) {
		struct fair_lease_view l;

		MUST(fair_lease_get(p->fair, p->now, &id, &l) == FAIR_OK && l.state == FAIR_ENDED);
	}
}

static void release(struct play *p)
{
	struct fair_id id = lease(p);
	struct fair_lease_view l;

	if (fair_release(p->fair, p->now, &id) == FAIR_OK && fair_lease_get(p->fair, p->now, &id, &l) == FAIR_OK)
		MUST(l.state == FAIR_ENDED);
}

static void heartbeat(struct play *p)
{
	struct fair_id id = lease(p);
	struct fair_lease_view l;

	if (fair_heartbeat(p->fair, p->now, &id, 0) != FAIR_OK)
		return;
	MUST(fair_lease_get(p->fair, p->now, &id, &l) == FAIR_OK && l.state == FAIR_ACTIVE && l.claimed);
	MUST(!l.confirmed || l.deadline_ns == p->now + l.ttl_ns);
}

static void hold(struct play *p, bool on)
{
	unsigned i = operand(p, POOLS + 1);

	MUST(fair_hold(p->fair, p->now, i < POOLS ? pools[i] : NULL, on) == FAIR_OK);
}

static void on_lease(struct play *p, char call)
{
	struct fair_id id = lease(p);
	enum fair_err err = FAIR_OK;

	switch (call) {
	case 'a':
		err = fair_attach(p->fair, p->now, &id);
		break;
	case 'd':
		fair_detach(p->fair, p->now, &id, (enum fair_detach)operand(p, 3));
		break;
	case 'c':
		fair_claim(p->fair, p->now, &id);
		break;
	case 'v':
		err = fair_revoke(p->fair, p->now, &id);
		break;
	case 'f':
		fair_confirm(p->fair, p->now, &id);
		break;
	default:
		/* A store takes back only what it was given. */
		if (to_number(&id) < LEASES_MAX && p->told[to_number(&id)])
			fair_withdraw(p->fair, p->now, &id);
	}
	MUST(err == FAIR_OK || err == FAIR_E_LEASE_NOT_FOUND || err == FAIR_E_LEASE_ENDED);
}

static void step(struct play *p, char call)
{
	switch (call) {
	case 'R':
	case 'U':
		on_tenant(p, call == 'R');
		break;
	case 'A':
	case 'T':
		acquire(p, call == 'A');
		break;
	case 'K':
		cancel(p);
		break;
	case 'r':
		release(p);
		break;
	case 'b':
		heartbeat(p);
		break;
	case 'h':
	case 'o':
		hold(p, call == 'h');
		break;
	case '+':
		p->now += duration(p);
		advance(p);
		break;
	case '-':
		p->now += duration(p);
		break;
	case 'l':
		fair_lateness(p->fair, duration(p));
		while (fair_advance(p->fair, p->now, 3))
			check(p);
		fair_lateness(p->fair, 0);
		break;
	case 'm':
		until_failure = 1 + operand(p, 10);
		break;
	default:
		if (call != '\0' && strchr("adcvfw", call) != NULL)
			on_lease(p, call);
		else
			return;
	}
	check(p);
}

/* When nobody asks any more all leases end. */
static void come_to_an_end(struct play *p)
{
	until_failure = 0;
	MUST(fair_hold(p->fair, p->now, NULL, false) == FAIR_OK);
	for (int i = 0; i < POOLS; i++) {
		for (size_t t = 0; t < sizeof(tenants) / sizeof(tenants[0]); t++) {
			enum fair_unregistered how;
			struct fair_tenant_view view;

			if (fair_unregister(p->fair, p->now, pools[i], tenants[t], NULL, true, &how) != FAIR_OK)
				continue;
			advance(p);
			check(p);
			MUST(fair_tenant_get(p->fair, pools[i], tenants[t], &view) == FAIR_E_TENANT_NOT_FOUND);
		}
	}
}

static struct fair *create(void)
{
	struct fair_config config = fair_config_default();
	struct fair *f;

	config.hash_seed = 1;
	config.first_token = 1;
	config.max_tenants = 3;
	config.accounts_max = 1;
	config.ended_max = 6;
	config.call_budget = 4;
	config.tenant_idle_ns = 60000 * MS;
	config.alloc = get;
	config.free = put;
	f = fair_create(&config);
	MUST(f != NULL);
	for (uint32_t i = 0; i < POOLS; i++) {
		struct fair_pool_config pool = {.pool = pools[i],
										.max_slots = SLOTS_MAX - 2 * i,
										.min_share = 1,
										.max_waiting = 4,
										.tenant_max_waiting = 3};

		MUST(fair_pool_add(f, &pool) == FAIR_OK);
	}
	return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play *p = calloc(1, sizeof(*p));

	MUST(p != NULL);
	until_failure = 0;
	p->fair = create();
	p->now = 1;
	p->at = data;
	p->end = data + size;
	while (p->at < p->end)
		step(p, (char)*p->at++);
	come_to_an_end(p);
	fair_destroy(p->fair);
	free(p);
	return 0;
}
