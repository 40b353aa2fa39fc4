/* SPDX-License-Identifier: MIT */
/*
 * The simulator: random tenants, clients, crashes, polls and store failures against the core, with fair_check after
 * every call and the same calls to the naive model beside it: results and events must be the same in the same order.
 * Some worlds run with a small budget instead: there only what must always hold is watched.
 *
 * What events tell goes to a disk in batches. At times the process crashes: a new state is restored from the disk, the
 * model goes back to what it was when the last written batch was sent off, and nothing that was told may be lost.
 *
 * simulator [--seed N] [--steps N] [--long]. Without --seed each run is another one; the seed replays it.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "disk.h"
#include "model.h"

#define STEPS_NORMAL 1000000
#define STEPS_LONG 8800000
#define STEPS_OF_A_WORLD 3000
#define STEPS_BETWEEN_CRASHES 200
#define LONG_LEAST 10000
#define RECENT 48
#define MS UINT64_C(1000000)
#define NUM(a) (sizeof(a) / sizeof(*(a)))

static uint64_t seed, random_state, step, steps = STEPS_NORMAL;
static bool is_long;
static char replay[160];

static struct fair *fair;
static struct model model;
static bool budgeted; /* no model beside it */
static uint64_t now, next_id;
static struct fair_config config;
static struct fair_pool_config pools[MODEL_POOLS];
static uint64_t recent[RECENT]; /* ids that calls are made with */
static uint64_t unconfirmed[4096];
static uint32_t num_unconfirmed;
static bool store_fails, withdrawing; /* a batch never has grants that are about to be withdrawn */
static uint64_t token_owners[65536];  /* of a world: which lease a token was given to */

/* What clients were told of a lease: by its id in this world. */
struct told {
	bool known;			  /* a commit of its grant or of its keyed place was told */
	bool forgotten;		  /* its end is remembered no longer, or will not be after the next batch */
	enum fair_reason end; /* committed */
	enum fair_state state;
	uint64_t token, ttl;
	uint32_t slots, first_slot;
};

static struct disk disk;
static struct model models[2], *disk_model = &models[0], *sent_model = &models[1]; /* of the times of the batches */
static struct told told[3 * STEPS_OF_A_WORLD];
static uint64_t world_first_id, last_told_token;
/* Ends that no batch told of, and those in flight; the leases and places of the batch in flight, and its grants. */
static struct {
	uint64_t id;
	enum fair_reason reason;
} ends[4096];
static uint32_t num_ends, num_ends_sent;
static struct {
	uint64_t id;
	struct told is;
} sent[256];
static uint32_t num_sent;
static uint64_t grants_sent[NUM(unconfirmed)];
static uint32_t num_grants_sent;
static uint32_t most_active[MODEL_POOLS]; /* when it was last looked at: of a pool that shrank they become fewer */

static const char *const pool_names[MODEL_POOLS] = {"large", "little", "middle"};
static const char *const tenant_names[MODEL_TENANTS] = {"alice", "bob", "carol", "dave", "erin", "frank", "grace"};
static const char *const instance_names[MODEL_INSTANCES] = {"p0", "p1", "p2"};
static const char *const key_names[] = {"k0", "k1", "k2", "k3", "k4", "k5"};
static const char *const labels[] = {"", "job"};

/* ---- counting what came ---- */

/* clang-format off */
#define KIND_LIST(X) \
	X(placed) X(granted) X(refused) X(withdrawn) X(renewed) X(tenant) X(tenant_gone) X(active_released) \
	X(active_expired) X(active_revoked) X(active_unclaimed) X(pending_left) X(pending_revoked) \
	X(pending_place_lost) X(pending_tenant_closing) X(no_slot) X(queue_full) X(not_registered) X(tenant_closing) \
	X(too_many_tenants) X(key_reused) X(lease_ended) X(lease_not_found) X(lease_pending) X(tenant_not_found) \
	X(known_place) X(known_lease) X(place_kept) X(reopened) X(instance_remains) X(closing) X(canceled) X(held) \
	X(late) X(calculator_failed) X(budgeted_step) X(exact_deadline) X(before_deadline) X(forgotten) X(crash) \
	X(restored_lease) X(restored_place) X(restored_end) X(end_undone) X(batch_written) X(batch_failed) \
	X(batch_survived) X(batch_lost) X(active_max_lease) X(pending_too_many_slots) X(too_many_slots) \
	X(reserved_refused) X(policy_refused) X(pool_set) X(tenant_set) X(tenant_preset) X(wait_absent) X(wait_held) X(wait_draining) \
	X(wait_at_cap) X(wait_at_share) X(wait_reserved) X(wait_saving) X(wait_resting) X(wait_full) X(big_grant) \
	X(saving) X(within_reserve) X(filled) X(revoked_all) X(swept)
/* clang-format on */

enum kind {
#define X(name) KIND_##name,
	KIND_LIST(X)
#undef X
		KINDS
};

static uint64_t counts[KINDS];

static void came(enum kind kind)
{
	counts[kind]++;
}

static void came_error(enum fair_err err)
{
	static const int kinds[] = {[FAIR_E_NO_SLOT] = KIND_no_slot,
								[FAIR_E_QUEUE_FULL] = KIND_queue_full,
								[FAIR_E_TENANT_NOT_REGISTERED] = KIND_not_registered,
								[FAIR_E_TENANT_CLOSING] = KIND_tenant_closing,
								[FAIR_E_TOO_MANY_TENANTS] = KIND_too_many_tenants,
								[FAIR_E_KEY_REUSED] = KIND_key_reused,
								[FAIR_E_LEASE_ENDED] = KIND_lease_ended,
								[FAIR_E_LEASE_NOT_FOUND] = KIND_lease_not_found,
								[FAIR_E_LEASE_PENDING] = KIND_lease_pending,
								[FAIR_E_TENANT_NOT_FOUND] = KIND_tenant_not_found,
								[FAIR_E_TOO_MANY_SLOTS] = KIND_too_many_slots,
								[FAIR_E_RESERVED] = KIND_reserved_refused,
								[FAIR_E_POLICY] = KIND_policy_refused};

	if (err != FAIR_OK)
		came((enum kind)kinds[err]);
}

static void came_event(const struct fair_event *e)
{
	static const int kinds[] = {[FAIR_EV_PLACED] = KIND_placed,			  [FAIR_EV_GRANTED] = KIND_granted,
								[FAIR_EV_REFUSED] = KIND_refused,		  [FAIR_EV_WITHDRAWN] = KIND_withdrawn,
								[FAIR_EV_RENEWED] = KIND_renewed,		  [FAIR_EV_TENANT] = KIND_tenant,
								[FAIR_EV_TENANT_GONE] = KIND_tenant_gone, [FAIR_EV_FORGOTTEN] = KIND_forgotten,
								[FAIR_EV_REVOKED_ALL] = KIND_swept,		  [FAIR_EV_POOL] = KIND_pool_set};
	static const int active[] = {[FAIR_REASON_RELEASED] = KIND_active_released,
								 [FAIR_REASON_EXPIRED] = KIND_active_expired,
								 [FAIR_REASON_REVOKED] = KIND_active_revoked,
								 [FAIR_REASON_UNCLAIMED] = KIND_active_unclaimed,
								 [FAIR_REASON_MAX_LEASE] = KIND_active_max_lease};
	static const int pending[] = {[FAIR_REASON_LEFT] = KIND_pending_left,
								  [FAIR_REASON_REVOKED] = KIND_pending_revoked,
								  [FAIR_REASON_PLACE_LOST] = KIND_pending_place_lost,
								  [FAIR_REASON_TENANT_CLOSING] = KIND_pending_tenant_closing,
								  [FAIR_REASON_TOO_MANY_SLOTS] = KIND_pending_too_many_slots};

	if (e->type != FAIR_EV_ENDED)
		came((enum kind)kinds[e->type]);
	else
		came((enum kind)(e->was == FAIR_ACTIVE ? active : pending)[e->reason]);
}

static void came_wait(enum fair_wait wait)
{
	static const enum kind kinds[] = {
		[FAIR_WAIT_ABSENT] = KIND_wait_absent,			[FAIR_WAIT_HELD] = KIND_wait_held,
		[FAIR_WAIT_POOL_DRAINING] = KIND_wait_draining, [FAIR_WAIT_AT_CAP] = KIND_wait_at_cap,
		[FAIR_WAIT_AT_SHARE] = KIND_wait_at_share,		[FAIR_WAIT_RESERVED] = KIND_wait_reserved,
		[FAIR_WAIT_SAVING] = KIND_wait_saving,			[FAIR_WAIT_RESTING] = KIND_wait_resting,
		[FAIR_WAIT_POOL_FULL] = KIND_wait_full};

	came(kinds[wait]);
}

/* ---- failing ---- */

static void fail(const char *what, uint64_t core, uint64_t naive)
{
	printf("simulator: step %" PRIu64 ", world %" PRIu64 ": %s: core %" PRIu64 ", model %" PRIu64 "\n%s", step,
		   step / STEPS_OF_A_WORLD, what, core, naive, replay);
	exit(1);
}

static void same(const char *what, uint64_t core, uint64_t naive)
{
	if (core != naive)
		fail(what, core, naive);
}

static void on_abort(int signal)
{
	(void)signal;
	if (write(STDOUT_FILENO, replay, strlen(replay)) < 0)
		_exit(2);
	_exit(1);
}

/* ---- randomness: splitmix64 ---- */

static uint64_t random64(void)
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(random64() % n);
}

static bool chance(uint32_t per_cent)
{
	return below(100) < per_cent;
}

/* ---- ids ---- */

static struct fair_id to_id(uint64_t number)
{
	struct fair_id id;
	uint64_t words[2] = {number * UINT64_C(0x9e3779b97f4a7c15), number};

	memcpy(id.bytes, words, sizeof(words));
	return id;
}

static uint64_t from_id(const struct fair_id *id)
{
	uint64_t words[2];

	memcpy(words, id->bytes, sizeof(words));
	return words[1];
}

static uint64_t some_id(void)
{
	if (chance(2))
		return next_id + 1000; /* never given */
	return recent[chance(50) ? below(RECENT) : below(8)];
}

/* The newest come first: they are called upon more often. */
static void remember(uint64_t id)
{
	memmove(&recent[1], recent, sizeof(recent) - sizeof(*recent));
	recent[0] = id;
}

static uint32_t pool_index(const char *name)
{
	for (uint32_t i = 0; i < MODEL_POOLS; i++) {
		if (strcmp(name, pool_names[i]) == 0)
			return i;
	}
	abort();
}

static const char *tenant_name(uint32_t t)
{
	return tenant_names[t];
}

/* ---- comparing ---- */

/*
 * What must hold with any budget: no slot twice, no token twice, never more active than slots. After a pool shrank
 * leases from before keep theirs: then there are no new grants.
 */
static void watch_slots(uint32_t p)
{
	uint64_t number = 0;
	bool taken[64] = {false};
	uint32_t active = 0;
	struct fair_lease_view v;

	for (; fair_lease_next(fair, pool_names[p], NULL, FAIR_ACTIVE, number, &v); number = v.number) {
		for (uint32_t i = 0; i < v.slots; i++) {
			if (v.slot_ids[i] >= NUM(taken) || taken[v.slot_ids[i]])
				fail("a slot is held twice", v.slot_ids[i], 0);
			taken[v.slot_ids[i]] = true;
		}
		uint64_t *owner = &token_owners[v.fencing_token % NUM(token_owners)];

		if (*owner && *owner != from_id(&v.id))
			fail("a fencing token came twice", v.fencing_token, *owner);
		*owner = from_id(&v.id);
		active += v.slots;
		if (active > pools[p].max_slots && active > most_active[p])
			fail("more slots are held than there are", active, pools[p].max_slots);
	}
	most_active[p] = active;
}

static void compare_event(const struct fair_event *e, const struct model_event *m)
{
	same("event type", e->type, m->type);
	same("event pool", pool_index(e->pool), m->pool);
	if (e->type == FAIR_EV_POOL)
		return;
	same("event lease", e->type == FAIR_EV_TENANT || e->type == FAIR_EV_TENANT_GONE ? 0 : from_id(&e->id), m->id);
	same("event tenant", (uint64_t)strcmp(e->tenant, tenant_name(m->tenant)), 0);
	if (e->type == FAIR_EV_ENDED) {
		same("kept", e->kept, m->kept);
		same("reason of an end", e->reason, m->reason);
		same("state before an end", e->was, m->was);
	}
}

static void compare_lease(const struct fair_lease_view *v, const struct model_lease *l)
{
	same("listed lease", from_id(&v->id), l->id);
	same("state", v->state, l->state);
	same("tenant", (uint64_t)strcmp(v->tenant, tenant_name(l->tenant)), 0);
	same("label", (uint64_t)strcmp(v->label, labels[l->label]), 0);
	same("present", v->present, l->state == FAIR_PENDING && l->attached > 0);
	same("keyed", v->keyed, l->key != MODEL_NO_KEY);
	same("confirmed", v->confirmed, l->confirmed);
	same("ttl", v->ttl_ns, l->ttl);
	same("arrived", v->arrived_ns, l->arrived);
	same("token", v->fencing_token, l->token);
	same("slots", v->slots, l->slots);
	same("priority", (uint64_t)(v->priority + 10), (uint64_t)(l->priority + 10));
	if (l->state == FAIR_ENDED) {
		same("reason", v->reason, l->reason);
		same("ended", v->ended_ns, l->ended);
	}
	if (l->state != FAIR_ACTIVE)
		return;
	same("claimed", v->claimed, l->claimed);
	for (uint32_t i = 0; i < l->slots; i++)
		same("slot", v->slot_ids[i], l->slot_ids[i]);
	same("granted", v->granted_ns, l->granted);
	same("when max-lease ends it", v->max_ns, l->max_at);
	same("deadline", v->deadline_ns, l->confirmed ? l->deadline : FAIR_NEVER);
}

static void compare_tenants(uint32_t p)
{
	uint64_t number = 0, listed = 0; /* in the model, in the core */

	for (uint32_t i = 0; i < MODEL_TENANTS; i++) {
		struct model_tenant *t = NULL;
		struct fair_tenant_view v;
		uint32_t at = 0;

		for (uint32_t j = 0; j < MODEL_TENANTS; j++) {
			struct model_tenant *other = &model.pools[p].tenants[j];

			if (other->state != MODEL_GONE && other->number > number && (!t || other->number < t->number)) {
				t = other;
				at = j;
			}
		}
		same("next tenant", fair_tenant_next(fair, pool_names[p], listed, &v), t != NULL);
		if (!t)
			return;
		number = t->number;
		listed = v.number;

		struct model_counts c = model_count(&model, p, (int)at);

		same("tenant listed", (uint64_t)strcmp(v.tenant, tenant_name(at)), 0);
		same("closing", v.closing, t->state == MODEL_CLOSING);
		same("automatic", v.automatic, t->automatic);
		same("anonymous", v.anonymous, t->anonymous);
		same("instances", v.num_instances, t->num_instances);
		same("active slots of a tenant", v.active_slots, c.active);
		same("waiting of a tenant", v.waiting, c.present);
		same("absent of a tenant", v.absent, c.absent);
		same("policy of a tenant", (uint64_t)memcmp(&v.policy, &t->policy, sizeof(v.policy)), 0);
		for (uint32_t j = 0; j < t->num_instances; j++)
			same("instance",
				 (uint64_t)strcmp(fair_tenant_instance(fair, pool_names[p], v.tenant, j),
								  instance_names[t->instances[j]]),
				 0);
	}
}

static void compare_pool(uint32_t p)
{
	const struct model_pool *m = &model.pools[p];
	struct model_counts c = model_count(&model, p, -1);
	struct fair_pool_view v;
	struct fair_lease_view l;
	uint64_t number = 0;

	same("pool", fair_pool_get(fair, now, pool_names[p], &v), FAIR_OK);
	if (model_saver(&model, p))
		came(KIND_saving);
	same("saved slots", v.saved_slots, model_saved(&model, p));
	same("reserved slots", v.reserved_slots, model_reserved(&model, p));
	same("debt", v.debt_slots, c.active > m->config.max_slots ? c.active - m->config.max_slots : 0);
	same("cordoned slots", v.num_cordoned, m->config.num_cordoned);
	same("draining", v.draining, m->config.draining);
	if (m->config.policy == FAIR_POLICY_EQUAL)
		same("share", v.share, m->share);
	same("demanding", v.demanding, m->demanding);
	same("active slots", v.active_slots, c.active);
	same("waiting", v.waiting, c.present);
	same("absent", v.absent, c.absent);
	same("granted_total", v.granted_total, m->granted_total);
	same("released_total", v.released_total, m->released_total);
	same("expired_total", v.expired_total, m->expired_total);
	same("revoked_total", v.revoked_total, m->revoked_total);
	same("unclaimed_total", v.unclaimed_total, m->unclaimed_total);
	same("no_slot_total", v.no_slot_total, m->no_slot_total);
	same("calculator_failures", v.calculator_failures, m->calculator_failures);
	for (uint32_t i = 0; i < model.num_leases; i++) {
		if (model.leases[i].pool != p || model.leases[i].state == FAIR_ENDED)
			continue;
		same("next lease", fair_lease_next(fair, pool_names[p], NULL, FAIR_ENDED, number, &l), true);
		compare_lease(&l, &model.leases[i]);
		number = l.number;
	}
	same("lease after the last", fair_lease_next(fair, pool_names[p], NULL, FAIR_ENDED, number, &l), false);
	compare_tenants(p);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t model_deadline(void)
{
	uint64_t next = FAIR_NEVER;

	for (uint32_t i = 0; i < model.num_leases; i++) {
		const struct model_lease *l = &model.leases[i];

		if (l->state == FAIR_ENDED)
			next = earlier(next, l->ended + config.key_memory_ns);
		next = earlier(next, model_timer(l));
	}
	for (uint32_t i = 0; i < MODEL_POOLS; i++) {
		const struct model_pool *p = &model.pools[i];
		int rest = model_first_rest(p);

		if (rest >= 0)
			next = earlier(next, p->rests[rest].since + p->config.slot_rest_ns);
		next = earlier(next, model_saving_begins(&model, i));
	}
	for (uint32_t i = 0; i < MODEL_POOLS * MODEL_TENANTS; i++) {
		const struct model_tenant *t = &model.pools[i / MODEL_TENANTS].tenants[i % MODEL_TENANTS];
		struct model_counts c = model_count(&model, i / MODEL_TENANTS, (int)(i % MODEL_TENANTS));

		if (t->state == MODEL_OPEN && c.active + c.present + c.absent == 0 &&
			(t->automatic || t->num_instances + t->anonymous > 1))
			next = earlier(next, t->used + config.tenant_idle_ns);
	}
	return next;
}

/* Under max-min the shares are worked out anew between the times of the rules. */
static void compare_deadline(void)
{
	uint64_t core = fair_next_deadline(fair), naive = model_deadline();
	bool fills = false;

	for (uint32_t p = 0; p < MODEL_POOLS; p++)
		fills |= pools[p].policy == FAIR_POLICY_MAX_MIN;
	if (!fills || core > naive || core == 0)
		same("next deadline", core, naive);
}

static void compare_all(void)
{
	for (uint32_t p = 0; p < MODEL_POOLS; p++)
		compare_pool(p);
	for (uint32_t i = 0; i < RECENT; i++) {
		struct fair_id id = to_id(recent[i]);
		struct model_lease *l = model_find(&model, recent[i]);
		struct fair_lease_view v;

		same("lease by id", fair_lease_get(fair, now, &id, &v), l ? FAIR_OK : FAIR_E_LEASE_NOT_FOUND);
		if (l)
			compare_lease(&v, l);
	}
	if (!model.late)
		compare_deadline();
}

static struct told *told_of(uint64_t id)
{
	if (id < world_first_id || id - world_first_id >= NUM(told))
		abort();
	return &told[id - world_first_id];
}

static void learn(const struct fair_event *e)
{
	struct fair_lease_record r;
	uint32_t at = 0;

	if (e->type == FAIR_EV_POOL || e->type == FAIR_EV_REVOKED_ALL)
		return;
	while (strcmp(e->tenant, tenant_name(at)) != 0)
		at++;
	disk_touch(&disk, e, pool_index(e->pool) * MODEL_TENANTS + at);
	if (e->type == FAIR_EV_ENDED && e->kept) {
		if (num_ends == NUM(ends))
			abort();
		ends[num_ends].id = from_id(&e->id);
		ends[num_ends++].reason = e->reason;
	}
	if (e->type == FAIR_EV_FORGOTTEN)
		told_of(from_id(&e->id))->forgotten = true;
	if (e->type == FAIR_EV_GRANTED && fair_lease_record(fair, &e->id, &r) && r.slots > 1)
		came(KIND_big_grant);
	if (e->type == FAIR_EV_GRANTED && num_unconfirmed < NUM(unconfirmed))
		unconfirmed[num_unconfirmed++] = from_id(&e->id);
	if (e->type == FAIR_EV_GRANTED || e->type == FAIR_EV_WITHDRAWN)
		remember(from_id(&e->id));
}

static bool told_is(const struct fair_lease_view *v)
{
	return v->state == FAIR_ACTIVE || v->keyed;
}

/* Sends off what was touched, and notes what will be told once it is written. */
static void send_off(void)
{
	struct fair_lease_view v;

	if (disk.in_flight || withdrawing)
		return;
	disk_send_off(&disk, fair, pool_names, tenant_names);
	if (!budgeted)
		model_copy(sent_model, &model);
	num_ends_sent = num_ends;
	memcpy(grants_sent, unconfirmed, num_unconfirmed * sizeof(*unconfirmed));
	num_grants_sent = num_unconfirmed;
	num_unconfirmed = num_sent = 0;
	for (uint32_t p = 0; p < MODEL_POOLS; p++) {
		for (uint64_t n = 0; fair_lease_next(fair, pool_names[p], NULL, FAIR_ENDED, n, &v); n = v.number) {
			if (!told_is(&v))
				continue;
			if (num_sent == NUM(sent))
				abort();
			sent[num_sent].id = from_id(&v.id);
			sent[num_sent++].is = (struct told){.known = true,
												.state = v.state,
												.token = v.fencing_token,
												.ttl = v.ttl_ns,
												.slots = v.slots,
												.first_slot = v.slot_ids ? v.slot_ids[0] : 0};
		}
	}
}

/* After every call: the check, the events, and with a small budget the rest of the work, amid which a batch may go. */
static void settle(void)
{
	struct fair_event e;
	uint32_t i = 0;

	for (;;) {
		bool more;

		fair_check(fair, now);
		for (; fair_next_event(fair, &e); i++) {
			if (!budgeted && i >= model.num_events)
				fail("event that the model does not know", e.type, 0);
			if (!budgeted)
				compare_event(&e, &model.events[i]);
			came_event(&e);
			learn(&e);
		}
		if (!budgeted || fair_next_deadline(fair) != 0)
			break;
		if (chance(4))
			send_off();
		more = fair_advance(fair, now, 1 + below(4));
		if (!more && fair_next_deadline(fair) == 0)
			fail("advance has no more to do, but work is left", 0, 0);
	}
	if (!budgeted)
		same("number of events", i, model.num_events);
	counts[KIND_within_reserve] += model.within_reserve;
	model.num_events = model.within_reserve = 0;
	for (uint32_t p = 0; p < MODEL_POOLS && (budgeted || step % 16 == 0); p++)
		watch_slots(p);
	if (!budgeted && step % 16 == 0)
		compare_all();
}

/* ---- what happens ---- */

static uint32_t pool, tenant; /* of this step */

static void same_place(uint32_t p, const struct fair_place *got, const struct fair_place *want)
{
	same("position", got->position, want->position);
	same("ahead", got->ahead, want->ahead);
	same("active_slots", got->active_slots, want->active_slots);
	if (pools[p].policy == FAIR_POLICY_EQUAL)
		same("share of a place", got->share, want->share);
	same("waiting of a place", got->waiting, want->waiting);
	same("reason of a place", got->reason, want->reason);
	came_wait(got->reason);
}

static void do_acquire(bool wait)
{
	static const uint64_t ttls[] = {500 * MS, 3000 * MS, 9000 * MS};
	struct model_acquired want = {0};
	struct fair_acquired got;
	int key = chance(60) ? (int)below(NUM(key_names)) : MODEL_NO_KEY;
	struct model_request m = {.id = ++next_id,
							  .ttl = ttls[1 + below(2)],
							  .pool = pool,
							  .tenant = tenant,
							  .label = chance(8),
							  .slots = chance(70) ? 1 : 1 + below(4),
							  .priority = chance(70) ? 0 : (int32_t)below(21) - 10,
							  .max_lease = chance(90) ? 0 : (1 + below(3000)) * MS,
							  .key = key,
							  .wait = wait,
							  .auto_register = chance(35)};
	if (key != MODEL_NO_KEY && chance(92)) { /* mostly the same body for the same key */
		m.ttl = ttls[key % 3];
		m.slots = key % 5 < 3 ? 1 : 2;
		m.priority = key % 2;
		m.label = 0;
		m.max_lease = 0;
	}

	struct fair_request r = {.id = to_id(m.id),
							 .pool = pool_names[pool],
							 .tenant = tenant_name(tenant),
							 .key = key == MODEL_NO_KEY ? NULL : key_names[key],
							 .key_len = key == MODEL_NO_KEY ? 0 : 2,
							 .label = labels[m.label],
							 .ttl_ns = m.ttl,
							 .slots = m.slots,
							 .priority = m.priority,
							 .max_lease_ns = m.max_lease,
							 .wait = wait,
							 .auto_register = m.auto_register};

	enum fair_err err = fair_acquire(fair, now, &r, &got);

	came_error(err);
	if (!budgeted) {
		same("result of acquire", err, model_acquire(&model, now, &m, &want));
		same("known", got.known, want.known);
		same("placed", got.placed, want.placed);
		if (err == FAIR_OK || got.known) {
			same("id of acquire", from_id(&got.id), want.id);
			same("state of acquire", got.state, want.state);
		}
		if (err == FAIR_E_NO_SLOT)
			same_place(pool, &got.place, &want.place);
	}
	if (got.known && err == FAIR_OK)
		came(got.state == FAIR_PENDING ? KIND_known_place : KIND_known_lease);
	if (got.placed)
		came(KIND_place_kept);
	if (err == FAIR_OK || got.placed)
		remember(from_id(&got.id));
}

static void do_register(void)
{
	int instance = chance(40) ? MODEL_ANONYMOUS : (int)below(MODEL_INSTANCES);
	struct fair_tenant_view v;
	bool created = false, want = false;
	bool closing = !fair_tenant_get(fair, pool_names[pool], tenant_name(tenant), &v) && v.closing;
	enum fair_err err = fair_register(fair, now, pool_names[pool], tenant_name(tenant),
									  instance < 0 ? NULL : instance_names[instance], &created);

	came_error(err);
	if (!err && closing && !created)
		came(KIND_reopened);
	if (budgeted)
		return;
	same("result of register", err, model_register(&model, now, pool, tenant, instance, &want));
	if (!err)
		same("created", created, want);
}

static void do_unregister(bool force)
{
	int instance = force || chance(50) ? MODEL_ANONYMOUS : (int)below(MODEL_INSTANCES);
	enum fair_unregistered how = FAIR_UNREGISTERED_GONE, want = FAIR_UNREGISTERED_GONE;
	enum fair_err err = fair_unregister(fair, now, pool_names[pool], tenant_name(tenant),
										instance < 0 ? NULL : instance_names[instance], force, &how);

	came_error(err);
	if (!err && how == FAIR_UNREGISTERED_REMAINS)
		came(KIND_instance_remains);
	if (!budgeted)
		same("result of unregister", err, model_unregister(&model, now, pool, tenant, instance, force, &want));
	if (!budgeted && !err)
		same("how it was unregistered", how, want);
	if (err || how != FAIR_UNREGISTERED_CLOSING)
		return;
	came(KIND_closing);
	settle();
	if (chance(50))
		do_register();
	else if (chance(10))
		do_acquire(true);
}

static void do_attach(void)
{
	uint64_t n = some_id();
	struct fair_id id = to_id(n);
	enum fair_err err = fair_attach(fair, now, &id);

	came_error(err);
	if (!budgeted)
		same("result of attach", err, model_attach(&model, now, n));
}

static void do_detach(void)
{
	uint64_t n = some_id();
	struct fair_id id = to_id(n);
	enum fair_detach how = (enum fair_detach)below(3);

	fair_detach(fair, now, &id, how);
	if (!budgeted)
		model_detach(&model, now, n, how);
}

static void do_claim(uint64_t n)
{
	struct fair_id id = to_id(n);

	fair_claim(fair, now, &id);
	if (!budgeted)
		model_claim(&model, now, n);
}

static void do_heartbeat(void)
{
	uint64_t n = some_id(), ttl = chance(70) ? 0 : (1 + below(3000)) * MS;
	struct fair_id id = to_id(n);
	enum fair_err err = fair_heartbeat(fair, now, &id, ttl);

	came_error(err);
	if (!budgeted)
		same("result of heartbeat", err, model_heartbeat(&model, now, n, ttl));
}

static void do_end(bool revoke)
{
	uint64_t n = some_id();
	struct fair_id id = to_id(n);
	enum fair_err err = revoke ? fair_revoke(fair, now, &id) : fair_release(fair, now, &id);

	came_error(err);
	if (!budgeted)
		same("result of an end", err, model_end(&model, now, n, revoke));
}

static void do_revoke_all(void)
{
	static const enum fair_state states[] = {FAIR_PENDING, FAIR_ACTIVE, FAIR_ENDED};
	enum fair_state state = states[below(NUM(states))];
	int p = chance(90) ? (int)pool : -1, t = chance(70) ? (int)tenant : -1;
	int label = chance(30) ? (int)below(NUM(labels)) : -1;
	uint64_t sweep;
	uint32_t ended = 0, want = 0;
	enum fair_err err =
		fair_revoke_all(fair, now, p < 0 ? NULL : pool_names[p], t < 0 ? NULL : tenant_name((uint32_t)t),
						label < 0 ? NULL : labels[label], state, &sweep, &ended);

	came_error(err);
	if (ended > 0)
		came(KIND_revoked_all);
	if (budgeted)
		return;
	same("result of a revoke of all", err, model_revoke_all(&model, now, p, t, label, state, &want));
	same("how many are revoked", ended, want);
	same("a revoke of all that is not done", err ? 0 : sweep, 0);
}

static void do_cancel(void)
{
	int key = (int)below(NUM(key_names));
	struct fair_id id;

	if (!budgeted) {
		struct model_lease *l = model_by_key(&model, pool, tenant, key);
		bool found = fair_key_find(fair, pool_names[pool], tenant_name(tenant), key_names[key], 2, &id);

		same("key", found, l != NULL);
		if (found)
			same("lease of a key", from_id(&id), l->id);
	}

	bool found = fair_cancel(fair, now, pool_names[pool], tenant_name(tenant), key_names[key], 2);

	if (found)
		came(KIND_canceled);
	if (!budgeted)
		same("result of cancel", found, model_cancel(&model, now, pool, tenant, key));
}

static void do_advance(void)
{
	uint64_t deadline = fair_next_deadline(fair);

	fair_advance(fair, now, budgeted ? 1 + below(8) : UINT32_MAX);
	if (!budgeted)
		model_advance(&model, now);
	if (deadline == now)
		came(KIND_exact_deadline);
	if (deadline == now + 1)
		came(KIND_before_deadline);
}

static void do_place(void)
{
	uint64_t n = some_id();
	struct fair_id id = to_id(n);
	struct fair_place got;

	do_advance();

	enum fair_err err = fair_lease_place(fair, &id, &got);
	struct model_lease *l;

	if (budgeted)
		return;
	l = model_find(&model, n);
	same("result of place", err, l && l->state == FAIR_PENDING ? FAIR_OK : FAIR_E_LEASE_NOT_FOUND);
	if (err)
		return;

	struct fair_place want = model_place(&model, l);

	same_place(l->pool, &got, &want);
}

/* "At most a second old": what has not changed for a second is exact. */
static void do_shares(void)
{
	struct fair_tenant_view v;

	do_advance();
	settle();
	now += 1000 * MS;
	do_advance();
	if (budgeted || model.num_events > 0 || pools[pool].policy == FAIR_POLICY_EQUAL)
		return;
	for (uint32_t t = 0; t < MODEL_TENANTS; t++) {
		if (model.pools[pool].tenants[t].state != MODEL_OPEN)
			continue;
		same("a tenant", fair_tenant_get(fair, pool_names[pool], tenant_name(t), &v), FAIR_OK);
		same("share by filling", v.share, model_share(&model, pool, t));
		came(KIND_filled);
	}
}

static void do_hold(void)
{
	bool on = chance(25);
	int p = chance(40) ? -1 : (int)pool;

	came(KIND_held);
	same("result of hold", fair_hold(fair, now, p < 0 ? NULL : pool_names[p], on), FAIR_OK);
	if (!budgeted)
		model_hold(&model, now, p, on);
}

/* ---- pools and policies change ---- */

static uint32_t cordoned[MODEL_POOLS][MODEL_SLOTS_MAX], cordoned_next[MODEL_SLOTS_MAX];

static void cordon_some(struct fair_pool_config *c)
{
	bool most = chance(30); /* fewer are left than are reserved */

	c->num_cordoned = 0;
	for (uint32_t slot = 0; slot < c->max_slots && (most || chance(50)); slot++) {
		if (chance(most ? 70 : 25))
			cordoned_next[c->num_cordoned++] = slot;
	}
	c->cordoned = cordoned_next;
}

static void change_some(struct fair_pool_config *c)
{
	switch (below(8)) {
	case 0:
		c->max_slots = 1 + below(12);
		c->min_share = c->min_share < c->max_slots ? c->min_share : c->max_slots;
		c->num_cordoned = 0;
		break;
	case 1:
		c->min_share = 1 + below(c->max_slots);
		break;
	case 2:
		c->policy = chance(70) ? FAIR_POLICY_MAX_MIN : FAIR_POLICY_EQUAL;
		break;
	case 3:
		c->draining = chance(20);
		break;
	case 4:
		cordon_some(c);
		break;
	case 5:
		c->slot_rest_ns = chance(30) ? 0 : below(1500) * MS;
		break;
	case 6:
		c->max_lease_ns = chance(60) ? 0 : (100 + below(5000)) * MS;
		break;
	default:
		c->pass_over_ns = below(600) * MS;
		c->priority_step_ns = below(400) * MS;
		break;
	}
}

static void do_pool_set(void)
{
	struct fair_pool_config c = pools[pool];
	bool created;
	enum fair_err err;

	do_advance();
	settle();
	watch_slots(pool);
	change_some(&c);
	err = fair_pool_set(fair, now, &c, &created);
	came_error(err);
	if (!budgeted)
		same("result of setting a pool", err, model_pool_set(&model, now, pool, &c));
	if (err)
		return;
	for (uint32_t i = 0; i < c.num_cordoned; i++)
		cordoned[pool][i] = c.cordoned[i];
	c.cordoned = cordoned[pool];
	pools[pool] = c;
}

static struct fair_tenant_policy some_policy(void)
{
	static const uint32_t weights[] = {1000, 2000, 3000, 500, 1500, 1};

	return (struct fair_tenant_policy){.weight = chance(40) ? 1000 : weights[below(NUM(weights))],
									   .reserved_slots = chance(50) ? 0 : below(chance(40) ? 12 : 4),
									   .max_slots = chance(50) ? 0 : 1 + below(6),
									   .max_waiting = chance(80) ? 0 : 2 + below(4)};
}

static void do_tenant_set(void)
{
	struct fair_tenant_policy policy = some_policy();
	enum fair_err err = fair_tenant_set(fair, now, pool_names[pool], tenant_name(tenant), &policy);

	came_error(err);
	came(KIND_tenant_set);
	if (!budgeted)
		same("result of setting a tenant", err, model_tenant_set(&model, now, pool, tenant, &policy));
}

static void do_tenant_preset(void)
{
	struct fair_tenant_policy policy = some_policy(), *given = chance(50) ? &policy : NULL;
	enum fair_err err = fair_tenant_preset(fair, now, pool_names[pool], tenant_name(tenant), given);

	came_error(err);
	came(KIND_tenant_preset);
	if (!budgeted)
		same("result of a preset", err, model_tenant_preset(&model, now, pool, tenant, given));
}

static void do_late(void)
{
	uint64_t late = chance(30) ? below(2000) * MS : 0;

	came(KIND_late);
	fair_lateness(fair, late);
	model.late = late;
	do_advance();
}

/* ---- the store ---- */

static void batch_told(void)
{
	for (uint32_t i = 0; i < num_sent; i++) {
		sent[i].is.forgotten = told_of(sent[i].id)->forgotten;
		*told_of(sent[i].id) = sent[i].is;
		if (sent[i].is.token > last_told_token)
			last_told_token = sent[i].is.token;
	}
	for (uint32_t i = 0; i < num_ends_sent; i++)
		told_of(ends[i].id)->end = ends[i].reason;
	num_ends -= num_ends_sent;
	memmove(ends, ends + num_ends_sent, num_ends * sizeof(*ends));
	disk_written(&disk);

	struct model *written = sent_model;

	sent_model = disk_model;
	disk_model = written;
}

static void confirm(uint64_t n)
{
	struct fair_id id = to_id(n);

	fair_confirm(fair, now, &id);
	if (!budgeted)
		model_confirm(&model, now, n);
	settle();
	if (chance(70)) {
		do_claim(n);
	} else if (chance(60)) {
		fair_detach(fair, now, &id, FAIR_DETACH_BROKEN);
		if (!budgeted)
			model_detach(&model, now, n, FAIR_DETACH_BROKEN);
	}
	settle();
}

static void withdraw(uint64_t n)
{
	struct fair_id id = to_id(n);

	fair_withdraw(fair, now, &id);
	if (!budgeted)
		model_withdraw(&model, now, n);
	settle();
}

/*
 * A batch goes, or the one in flight ends: its grants are told, or withdrawn. False when it failed: the next try is
 * not at once. While the store fails nothing is granted.
 */
static bool do_commit(void)
{
	uint64_t grants[NUM(grants_sent)];
	uint32_t count = num_grants_sent;
	bool failed = store_fails || chance(5);

	if (!disk.in_flight) {
		send_off();
		return true;
	}
	memcpy(grants, grants_sent, count * sizeof(*grants));
	if (failed)
		disk_failed(&disk);
	else
		batch_told();
	came(failed ? KIND_batch_failed : KIND_batch_written);
	withdrawing = failed;
	for (uint32_t i = 0; i < count; i++) {
		if (failed)
			withdraw(grants[i]);
		else
			confirm(grants[i]);
	}
	withdrawing = false;
	return !failed;
}

/* ---- crashes ---- */

static void check_told_lease(uint64_t n, struct told *t)
{
	struct fair_id id = to_id(n);
	struct fair_lease_record r;
	bool found = fair_lease_record(fair, &id, &r);

	if (t->end) {
		if (!found && t->forgotten)
			return;
		same("a committed end is known", found, true);
		same("state of a committed end", r.state, FAIR_ENDED);
		same("reason of a committed end", r.reason, t->end);
		came(KIND_restored_end);
	} else if (t->known) {
		same("a told lease is known", found, true);
		same("state of a told lease", r.state, t->state);
		same("token of a told lease", r.fencing_token, t->token);
		same("ttl of a told lease", r.ttl_ns, t->ttl);
		same("slots of a told lease", r.slots, t->slots);
		if (t->state == FAIR_ACTIVE)
			same("slot of a told lease", r.slot_ids[0], t->first_slot);
		came(t->state == FAIR_ACTIVE ? KIND_restored_lease : KIND_restored_place);
	} else if (found) {
		fail("a lease that was never told", n, 0);
	}
	t->forgotten = false; /* this was not committed */
}

/* Before anything else is done: what was told is there, and has its full time. */
static void check_told(void)
{
	struct fair_lease_view v;

	for (uint64_t n = world_first_id; n <= next_id; n++)
		check_told_lease(n, told_of(n));
	for (uint32_t p = 0; p < MODEL_POOLS; p++) {
		most_active[p] = 0;
		for (uint64_t n = 0; fair_lease_next(fair, pool_names[p], NULL, FAIR_ACTIVE, n, &v); n = v.number) {
			same("a restored lease was told", told_of(from_id(&v.id))->known, true);
			same("deadline of a restored lease", v.deadline_ns, now + v.ttl_ns);
			same("a restored lease is confirmed", v.confirmed && v.claimed, true);
			most_active[p] += v.slots;
		}
	}
	for (uint32_t i = 0; i < num_ends; i++) {
		if (told_of(ends[i].id)->known)
			came(KIND_end_undone);
	}
}

/* Another start: other settings, another clock, which may have been set back. */
static void start_anew(void)
{
	for (uint32_t p = 0; p < MODEL_POOLS; p++) {
		if (chance(10))
			pools[p].max_slots = 1 + below(12);
		if (pools[p].min_share > pools[p].max_slots)
			pools[p].min_share = pools[p].max_slots;
	}
	if (chance(10))
		config.ended_max = 4 + below(24);
	if (chance(50))
		now += below(3000) * MS;
	else if (chance(20))
		now -= earlier(now, below(2000) * MS);
	config.first_token = disk.next_token;
	fair = fair_create(&config);
	if (!fair)
		abort();
	for (uint32_t p = 0; p < MODEL_POOLS; p++)
		same("adding a pool", fair_pool_add(fair, &pools[p]), FAIR_OK);
}

/* Tokens that nobody was told of may be given again: all below `given` were given. */
static void tokens_anew(uint64_t given)
{
	if (fair_next_token(fair) <= last_told_token)
		fail("the next token was told already", fair_next_token(fair), last_told_token);
	for (uint64_t token = fair_next_token(fair); token < given; token++)
		token_owners[token % NUM(token_owners)] = 0;
}

static void crash(void)
{
	uint64_t given = fair_next_token(fair);
	struct fair_event e;

	came(KIND_crash);
	if (chance(90))
		send_off();
	if (disk.in_flight) {
		bool survives = chance(50);

		came(survives ? KIND_batch_survived : KIND_batch_lost);
		if (survives)
			batch_told();
	}
	fair_destroy(fair);
	disk_crash(&disk);
	start_anew();
	same("restoring", disk_load(&disk, fair, now), FAIR_OK);
	same("an event is told of restoring", fair_next_event(fair, &e), false);
	fair_check(fair, now);
	check_told();
	same("all of the disk is loaded", disk_is_loaded(&disk, fair, now), true);
	tokens_anew(given);
	num_ends = num_unconfirmed = 0;
	store_fails = false;
	disk_set_back(&disk, now);
	if (!budgeted) {
		model_restart(&model, disk_model, now, &config, pools);
		model_copy(disk_model, &model);
	}
	if (chance(20)) {
		same("hold", fair_hold(fair, now, NULL, true), FAIR_OK);
		if (!budgeted)
			model_hold(&model, now, -1, true);
	}
	do_advance();
	settle();
	if (!budgeted)
		compare_all();
	settle();
}

static void pass_time(void)
{
	uint64_t deadline = fair_next_deadline(fair), then = now;

	switch (below(24)) {
	case 0:
		if (deadline != FAIR_NEVER)
			then = deadline;
		break;
	case 1:
		if (deadline != FAIR_NEVER)
			then = deadline - 1;
		break;
	case 2:
		then = now + below(2000) * MS;
		break;
	case 3:
	case 4:
	case 5:
		then = now + below(150) * MS;
		break;
	default:
		break;
	}
	if (then > now)
		now = then;
}

static void one_step(void)
{
	uint32_t what = below(100);

	pass_time();
	pool = below(MODEL_POOLS);
	tenant = chance(60) ? below(3) : below(MODEL_TENANTS);
	if (what < 32)
		do_acquire(true);
	else if (what < 39)
		do_acquire(false);
	else if (what < 46)
		do_register();
	else if (what < 50)
		do_unregister(chance(30));
	else if (what < 54)
		do_attach();
	else if (what < 62)
		do_detach();
	else if (what < 64)
		do_claim(some_id());
	else if (what < 71)
		do_heartbeat();
	else if (what < 77)
		do_end(false);
	else if (what < 81)
		do_end(true);
	else if (what < 84)
		do_cancel();
	else if (what < 89)
		do_place();
	else if (what < 90)
		do_shares();
	else if (what < 91)
		do_hold();
	else if (what < 92)
		do_late();
	else if (what < 93)
		do_pool_set();
	else if (what < 94)
		do_tenant_set();
	else if (what < 95)
		do_tenant_preset();
	else if (what < 96)
		do_revoke_all();
	else
		do_advance();
	settle();
	if (chance(30))
		do_place();
	if (below(200) == 0)
		do_pool_set();
	if (below(30) == 0)
		do_tenant_set();
	if (budgeted && chance(2)) /* where one is worked off over several calls */
		do_revoke_all();
	settle();
	while ((disk.in_flight || disk.num_touched > 0) && chance(75) && do_commit())
		;
	if (chance(1)) {
		store_fails = chance(12);
		same("hold", fair_hold(fair, now, NULL, store_fails), FAIR_OK);
		if (!budgeted)
			model_hold(&model, now, -1, store_fails);
		settle();
	}
	if (below(STEPS_BETWEEN_CRASHES) == 0)
		crash();
	if (budgeted)
		came(KIND_budgeted_step);
}

/* ---- worlds ---- */

static bool falling(uint32_t max_slots, uint32_t n, void *context, uint64_t *ret)
{
	(void)context;
	*ret = max_slots / n + 2;
	return true;
}

/* Neither falling nor rising: the share jumps both ways as tenants come and go. */
static bool jumping(uint32_t max_slots, uint32_t n, void *context, uint64_t *ret)
{
	(void)context;
	*ret = n % 2 ? 1 : max_slots;
	return true;
}

static bool failing(uint32_t max_slots, uint32_t n, void *context, uint64_t *ret)
{
	(void)context;
	*ret = max_slots;
	if (n % 3)
		return true;
	came(KIND_calculator_failed);
	return false;
}

static void world_begin(void)
{
	static fair_calculator *const calculators[] = {NULL, falling, jumping, failing};

	budgeted = chance(20);
	config = fair_config_default();
	config.hash_seed = random64();
	config.first_token = 1 + below(1000);
	config.queue_grace_ns = (100 + below(3000)) * MS;
	config.claim_ns = (100 + below(3000)) * MS;
	config.key_memory_ns = (500 + below(5000)) * MS;
	config.ended_max = 4 + below(24);
	config.tenant_idle_ns = (200 + below(8000)) * MS;
	config.max_tenants = 5 + below(3);
	config.accounts_max = 2;
	config.call_budget = budgeted ? 1 + below(6) : 1000000;
	fair = fair_create(&config);
	if (!fair)
		abort();
	for (uint32_t p = 0; p < MODEL_POOLS; p++) {
		uint32_t slots = p == 0 ? 4 + below(9) : 1 + below(5);

		pools[p] = (struct fair_pool_config){.pool = pool_names[p],
											 .max_slots = slots,
											 .min_share = chance(60) ? 1 : 1 + below(slots),
											 .max_waiting = 4 + below(12),
											 .tenant_max_waiting = 3 + below(5),
											 .policy = chance(60) ? FAIR_POLICY_MAX_MIN : FAIR_POLICY_EQUAL,
											 .slot_rest_ns = chance(60) ? 0 : below(1500) * MS,
											 .max_lease_ns = chance(80) ? 0 : (100 + below(5000)) * MS,
											 .pass_over_ns = below(600) * MS,
											 .priority_step_ns = below(400) * MS,
											 .calculator = calculators[below(NUM(calculators))]};
	}
	for (uint32_t p = MODEL_POOLS; p-- > 0;)
		same("adding a pool", fair_pool_add(fair, &pools[p]), FAIR_OK);
	model_init(&model, &config, pools);
	now = below(1000) * MS;
	memset(recent, 0, sizeof(recent));
	memset(token_owners, 0, sizeof(token_owners));
	memset(most_active, 0, sizeof(most_active));
	memset(told, 0, sizeof(told));
	world_first_id = next_id + 1;
	last_told_token = 0;
	disk_clear(&disk, config.first_token);
	model_copy(disk_model, &model);
	num_unconfirmed = num_ends = 0;
	store_fails = false;
}

static void print_counts(void)
{
	static const char *const names[] = {
#define X(name) #name,
		KIND_LIST(X)
#undef X
	};
	bool few = false;

	for (int i = 0; i < KINDS; i++) {
		printf("%10" PRIu64 " %s\n", counts[i], names[i]);
		few |= counts[i] < LONG_LEAST;
	}
	if (is_long && few) {
		printf("simulator: something came fewer than %d times\n%s", LONG_LEAST, replay);
		exit(1);
	}
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text ? text : "", &end, 0);

	if (!text || !*text || *end) {
		fprintf(stderr, "usage: simulator [--seed N] [--steps N] [--long]\n");
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 2;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--long") == 0) {
			is_long = true;
			steps = STEPS_LONG;
		} else if (strcmp(argv[i], "--seed") == 0) {
			seed = number(argv[++i]);
		} else if (strcmp(argv[i], "--steps") == 0) {
			steps = number(argv[++i]);
		} else {
			number(NULL);
		}
	}
	snprintf(replay, sizeof(replay), "replay: %s --seed %" PRIu64 " --steps %" PRIu64 "\n", argv[0], seed, steps);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGABRT, on_abort);
	printf("simulator: seed %" PRIu64 "\n", seed);
	random_state = seed;
	for (step = 0; step < steps; step++) {
		if (step % STEPS_OF_A_WORLD == 0) {
			fair_destroy(fair);
			world_begin();
		}
		one_step();
	}
	fair_destroy(fair);
	printf("simulator: %" PRIu64 " steps\n", steps);
	print_counts();
	return 0;
}
