/* SPDX-License-Identifier: MIT */
/*
 * libfairshare: shares fixed pools of slots fairly among tenants.
 *
 * A pure, deterministic state machine: no I/O, no clock, no threads, no randomness. Every call takes `now`,
 * monotonic nanoseconds that never go back; ids and the hash seed are handed in. What a call decided is read
 * back as events (fair_next_event), to be drained after every call that changes something.
 *
 * A *pending* lease is a waiter, an *active* one holds slots, an *ended* one is remembered for a while. A waiter
 * is *present* while at least one request of its client is attached to it; only present waiters are granted, and
 * only they count as demand. After every call the pools are at rest: no present waiter that may be granted is
 * left waiting, but for a hold or a budget that ran out (then fair_next_deadline() is 0 and fair_advance() goes on).
 *
 * Ownership: the library owns all objects; views hold borrowed pointers that live until the next call that is not
 * const. Strings handed in are copied. Not thread-safe: one thread owns a struct fair.
 */
#ifndef FAIRSHARE_FAIR_H
#define FAIRSHARE_FAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FAIR_MUST_CHECK __attribute__((warn_unused_result))

#define FAIR_NAME_MAX 128          /* bytes of a tenant's, pool's or instance's name */
#define FAIR_LABEL_MAX 1024        /* bytes of a label: 256 characters of UTF-8 */
#define FAIR_KEY_MAX 256           /* bytes of an idempotency key */
#define FAIR_INSTANCES_MAX 1000    /* registrations of one tenant */
#define FAIR_SLOTS_MAX 1000000     /* slots of one pool */
#define FAIR_LEASE_SLOTS_MAX 1000  /* slots of one lease */
#define FAIR_WEIGHT_MAX 1000000    /* of a tenant, in thousandths: 1000 times as much as another */
#define FAIR_WEIGHT_ONE 1000       /* the weight of a tenant of which nothing was said */
#define FAIR_PRIORITY_MAX 10       /* of a request; the least is -10 */
#define FAIR_PASS_OVER_NS UINT64_C(5000000000)       /* the documented defaults of a pool: 5 s ... */
#define FAIR_PRIORITY_STEP_NS UINT64_C(30000000000)  /* ... and 30 s */
#define FAIR_SPAN_MAX (UINT64_C(1) << 60)            /* of a span of time in a configuration, ns: 36 years */
#define FAIR_NEVER UINT64_MAX      /* a deadline that does not come */

/* What a call can answer: name in C, problem code of the HTTP API. FAIR_OK is 0. */
#define FAIR_ERR_LIST(X)                              \
	X(POOL_NOT_FOUND, "pool-not-found")               \
	X(POOL_EXISTS, "pool-exists")                     \
	X(POOL_IN_USE, "pool-in-use")                     \
	X(TENANT_NOT_FOUND, "tenant-not-found")           \
	X(TENANT_NOT_REGISTERED, "tenant-not-registered") \
	X(TENANT_CLOSING, "tenant-closing")               \
	X(TOO_MANY_TENANTS, "too-many-tenants")           \
	X(TOO_MANY_INSTANCES, "too-many-instances")       \
	X(QUEUE_FULL, "queue-full")                       \
	X(NO_SLOT, "no-slot")                             \
	X(KEY_REUSED, "idempotency-key-reused")           \
	X(LEASE_NOT_FOUND, "lease-not-found")             \
	X(LEASE_ENDED, "lease-ended")                     \
	X(LEASE_PENDING, "lease-pending")                 \
	X(BAD_RECORD, "bad-record")                       \
	X(RESERVED, "invalid-value")                      \
	X(POLICY, "invalid-value")                        \
	X(TOO_MANY_SLOTS, "too-many-slots")               \
	X(NO_MEMORY, "overloaded")

enum fair_err {
	FAIR_OK = 0,
#define FAIR_X(name, code) FAIR_E_##name,
	FAIR_ERR_LIST(FAIR_X)
#undef FAIR_X
};

/* fair_err_code returns the text of an error, "ok" for FAIR_OK; never NULL. */
const char *fair_err_code(enum fair_err err);

/* Why a lease ended. */
#define FAIR_REASON_LIST(X)              \
	X(RELEASED, "released")              \
	X(EXPIRED, "expired")                \
	X(REVOKED, "revoked")                \
	X(UNCLAIMED, "unclaimed")            \
	X(TENANT_CLOSING, "tenant-closing")  \
	X(PLACE_LOST, "place-lost")          \
	X(LEFT, "left")                      \
	X(MAX_LEASE, "max-lease")            \
	X(TOO_MANY_SLOTS, "too-many-slots")

enum fair_reason {
	FAIR_REASON_NONE = 0,
#define FAIR_X(name, code) FAIR_REASON_##name,
	FAIR_REASON_LIST(FAIR_X)
#undef FAIR_X
};

/* FAIR_REASON_COUNT is how many there are, with none. */
#define FAIR_X(name, code) +1
enum { FAIR_REASON_COUNT = 1 FAIR_REASON_LIST(FAIR_X) };
#undef FAIR_X

/* fair_reason_code returns the text of a reason; never NULL. */
const char *fair_reason_code(enum fair_reason reason);

/* Why a waiter is not granted now: the first that applies. */
#define FAIR_WAIT_LIST(X)               \
	X(ABSENT, "absent")                 \
	X(HELD, "held")                     \
	X(POOL_DRAINING, "pool-draining")   \
	X(AT_CAP, "at-cap")                 \
	X(AT_SHARE, "at-share")             \
	X(RESERVED, "reserved")             \
	X(SAVING, "saving")                 \
	X(RESTING, "resting")               \
	X(POOL_FULL, "pool-full")

enum fair_wait {
#define FAIR_X(name, code) FAIR_WAIT_##name,
	FAIR_WAIT_LIST(FAIR_X)
#undef FAIR_X
};

/* fair_wait_code returns the text; never NULL. */
const char *fair_wait_code(enum fair_wait wait);

/* How the slots of a pool are shared: name in C, text of the HTTP API and the configuration. */
#define FAIR_POLICY_LIST(X)   \
	X(EQUAL, "equal")         \
	X(MAX_MIN, "max-min")

enum fair_policy {
#define FAIR_X(name, code) FAIR_POLICY_##name,
	FAIR_POLICY_LIST(FAIR_X)
#undef FAIR_X
};

/* fair_policy_code returns the text; never NULL. */
const char *fair_policy_code(enum fair_policy policy);

struct fair;

/* 128 random bits made by the caller: whoever knows them may use the lease. */
struct fair_id {
	uint8_t bytes[16];
};

/*
 * A share calculator answers the slots each of num_demanding_tenants (>= 1) may hold of max_slots. It must be a
 * pure function of its arguments. false is a failure: max_slots / num_demanding_tenants is used and the failure counted.
 */
typedef bool fair_calculator(uint32_t max_slots, uint32_t num_demanding_tenants, void *context, uint64_t *ret_share);

struct fair_config {
	uint64_t hash_seed;        /* random, so that chosen names cannot make chains */
	uint64_t first_token;      /* the first fencing token; below 2^53 */
	uint64_t queue_grace_ns;   /* a keyed waiter keeps its place so long after its last request */
	uint64_t claim_ns;         /* a keyed grant whose answer was lost is kept so long */
	uint64_t key_memory_ns;    /* ended leases are remembered so long ... */
	uint32_t ended_max;        /* ... and at most so many a pool */
	uint64_t tenant_idle_ns;   /* auto-registered tenants and spare instances go after so long without use */
	uint32_t max_tenants;      /* of one pool */
	uint32_t accounts_max;     /* tenants of a pool with an account of their own, see struct fair_account */
	uint32_t call_budget;      /* units of other work (ends, grants, refusals) one call does at most; > 0 */
	void *(*alloc)(size_t size, void *context);          /* NULL: malloc */
	void (*free)(void *memory, void *context);           /* NULL: free */
	void *alloc_context;
};

struct fair_pool_config {
	const char *pool;               /* its name */
	uint32_t max_slots;             /* 1..FAIR_SLOTS_MAX */
	uint32_t min_share;             /* 1..max_slots */
	uint32_t max_waiting;           /* present waiters of the pool */
	uint32_t tenant_max_waiting;    /* waiters of one tenant, absent ones too */
	fair_calculator *calculator;    /* NULL: max_slots / num_demanding_tenants; not asked under max-min */
	void *calculator_context;
	enum fair_policy policy;
	bool draining;                  /* leases finish, nothing is granted */
	const uint32_t *cordoned;       /* ids of slots that are not given out again, below FAIR_SLOTS_MAX; copied. One at or above
	                                   max_slots counts when the pool grows over it */
	uint32_t num_cordoned;
	uint64_t slot_rest_ns;          /* slots of leases that were not given back rest so long; 0: none. At most FAIR_SPAN_MAX */
	uint64_t max_lease_ns;          /* the longest life of a lease, from its grant; 0: none. At most FAIR_SPAN_MAX */
	uint64_t pass_over_ns;          /* a big request that was passed over waits so long for slots to be saved for it */
	uint64_t priority_step_ns;      /* a step of priority counts as so much earlier an arrival */
};

/* fair_config_default returns the values of the documentation; set hash_seed and first_token. */
struct fair_config fair_config_default(void);

/* fair_create returns an empty state, or NULL without memory. */
FAIR_MUST_CHECK struct fair *fair_create(const struct fair_config *config);

/* fair_destroy frees all of it; NULL is allowed. */
void fair_destroy(struct fair *f);

/* fair_pool_add adds a pool. FAIR_E_POOL_EXISTS, FAIR_E_NO_MEMORY. Values out of range are a bug of the caller. */
FAIR_MUST_CHECK enum fair_err fair_pool_add(struct fair *f, const struct fair_pool_config *config);

/*
 * fair_pool_set changes all values of a pool, or adds it. More slots are granted at once. Fewer take nothing away: none is
 * granted while as many are in use, and a slot id that is no more stays with its lease until that ends. Whoever waits
 * stays in line, also while it drains. Slots that rest already rest as long as the new slot_rest_ns says; max_lease_ns is for
 * the grants to come. FAIR_E_NO_MEMORY, FAIR_E_RESERVED (the reserves of tenants and presets are more than max_slots),
 * FAIR_E_POLICY (policy equal knows no weights and reserves, and some tenant or preset has one): nothing changed.
 */
FAIR_MUST_CHECK enum fair_err fair_pool_set(struct fair *f, uint64_t now, const struct fair_pool_config *config,
                                            bool *ret_created);

/*
 * fair_pool_remove removes a pool that nobody holds or waits for, with its tenants and what is remembered of it. O(n) in
 * these. FAIR_E_POOL_NOT_FOUND, FAIR_E_POOL_IN_USE.
 */
FAIR_MUST_CHECK enum fair_err fair_pool_remove(struct fair *f, uint64_t now, const char *pool);

/* ---- tenants ---- */

/*
 * fair_register registers a tenant, or adds `instance` to its registrations (NULL: the anonymous one); re-opens a
 * closing tenant. *ret_created tells whether it is new. Idempotent.
 * FAIR_E_POOL_NOT_FOUND, FAIR_E_TOO_MANY_TENANTS, FAIR_E_TOO_MANY_INSTANCES, FAIR_E_NO_MEMORY.
 */
FAIR_MUST_CHECK enum fair_err fair_register(struct fair *f, uint64_t now, const char *pool, const char *tenant,
                                            const char *instance, bool *ret_created);

enum fair_unregistered {
	FAIR_UNREGISTERED_GONE,      /* the tenant is no more */
	FAIR_UNREGISTERED_CLOSING,   /* it is gone when its last lease ends; its waiters are refused */
	FAIR_UNREGISTERED_REMAINS,   /* other registrations remain */
};

/*
 * fair_unregister takes back the registration of `instance` (an unknown one changes nothing); with NULL the anonymous
 * one if there is one, else all. `force` takes all and revokes all leases (instance must be NULL).
 * FAIR_E_POOL_NOT_FOUND, FAIR_E_TENANT_NOT_FOUND.
 */
FAIR_MUST_CHECK enum fair_err fair_unregister(struct fair *f, uint64_t now, const char *pool, const char *tenant,
                                              const char *instance, bool force, enum fair_unregistered *ret_how);

/* What a tenant may have. What is zero counts as its neutral value. */
struct fair_tenant_policy {
	uint32_t weight;          /* in thousandths, 1..FAIR_WEIGHT_MAX; FAIR_WEIGHT_ONE if nothing was said (0) */
	/*
	 * Held free for it while it is registered. Where cordons, rests or a debt leave less free than all reserves that are
	 * not held, nothing is kept against a request that lies within what its own tenant's reserve still keeps: it takes
	 * what is free, first in turn, first served.
	 */
	uint32_t reserved_slots;
	uint32_t max_slots;       /* it never has more; 0: no cap */
	uint32_t max_waiting;     /* its waiters, absent ones too; 0: the pool's tenant_max_waiting */
};

/*
 * fair_tenant_set gives a registered tenant another policy, which lives until the tenant is gone.
 * FAIR_E_POOL_NOT_FOUND, FAIR_E_TENANT_NOT_FOUND, FAIR_E_RESERVED (the reserves of the pool's tenants and presets would be
 * more than max_slots), FAIR_E_POLICY (policy equal refuses a weight other than FAIR_WEIGHT_ONE, and a reserve).
 */
FAIR_MUST_CHECK enum fair_err fair_tenant_set(struct fair *f, uint64_t now, const char *pool, const char *tenant,
                                              const struct fair_tenant_policy *policy);

/*
 * fair_tenant_preset says with which policy a tenant of this name begins whenever it is registered; NULL: no more. Its
 * reserve counts from then on, registered or not; a tenant that is registered gets it at once, and the neutral one with
 * NULL. O(number of presets). Errors as fair_tenant_set, and FAIR_E_NO_MEMORY.
 */
FAIR_MUST_CHECK enum fair_err fair_tenant_preset(struct fair *f, uint64_t now, const char *pool, const char *tenant,
                                                 const struct fair_tenant_policy *policy);

/* ---- acquiring ---- */

enum fair_state { FAIR_PENDING, FAIR_ACTIVE, FAIR_ENDED };

struct fair_request {
	struct fair_id id;       /* a fresh random id, used if the request is not an old one's repetition */
	const char *pool;
	const char *tenant;
	const char *key;         /* idempotency key, NULL: none; scoped to tenant and pool */
	size_t key_len;
	const char *label;       /* "" for none */
	uint64_t ttl_ns;
	bool wait;               /* false: try once, never join the line */
	bool auto_register;      /* register an unknown tenant (the anonymous registration, and one that goes by itself) */
	uint32_t slots;          /* all or nothing; 0 counts as 1 */
	int32_t priority;        /* within its tenant: -FAIR_PRIORITY_MAX..FAIR_PRIORITY_MAX */
	uint64_t max_lease_ns;   /* at most FAIR_SPAN_MAX; the lease ends so long after its grant, or after the pool's max_lease_ns; 0: none */
};

/* Where a waiter stands. */
struct fair_place {
	uint32_t position;       /* from 1, among the present waiters of its tenant */
	uint32_t ahead;          /* present waiters of the pool that came earlier */
	uint32_t active_slots;   /* of its tenant */
	uint32_t share;          /* of its tenant */
	uint32_t waiting;        /* present waiters of its tenant, itself left out */
	enum fair_wait reason;
	/*
	 * From now, going by how long the leases that ended in the last 5 to 10 minutes were held. FAIR_NEVER: unknown, as
	 * none has ended, the waiter is absent, or nothing is granted. Priorities, reserves and saving are not looked at.
	 */
	uint64_t estimated_wait_ns;
};

struct fair_acquired {
	struct fair_id id;          /* the lease: the request's id, or the id that its key stands for */
	enum fair_state state;      /* FAIR_PENDING (attached and waiting) or FAIR_ACTIVE */
	bool known;                 /* the key was known */
	bool placed;                /* with FAIR_E_NO_SLOT: a keyed place is kept under `id` */
	struct fair_place place;    /* with FAIR_E_NO_SLOT */
};

/*
 * fair_acquire asks for a slot. FAIR_OK: the lease is active, or pending with this request attached (a request that
 * is answered must then be told with fair_claim or fair_detach: every FAIR_OK attaches one request).
 * A known key takes up its place or its lease, whatever its tenant's state; it does not renew the ttl.
 * FAIR_E_NO_SLOT (only with wait == false; counted; nothing stays attached), FAIR_E_QUEUE_FULL, FAIR_E_POOL_NOT_FOUND,
 * FAIR_E_TENANT_NOT_REGISTERED, FAIR_E_TENANT_CLOSING, FAIR_E_TOO_MANY_TENANTS, FAIR_E_KEY_REUSED (other slots,
 * ttl, priority, label or max_lease_ns), FAIR_E_TOO_MANY_SLOTS (the configuration can never satisfy it), FAIR_E_LEASE_ENDED
 * (the key's lease has ended: see fair_lease_get with ret->id), FAIR_E_NO_MEMORY (nothing changed).
 */
FAIR_MUST_CHECK enum fair_err fair_acquire(struct fair *f, uint64_t now, const struct fair_request *request,
                                           struct fair_acquired *ret);

/* fair_attach adds a request to a pending (or unclaimed active) lease. FAIR_E_LEASE_NOT_FOUND, FAIR_E_LEASE_ENDED. */
FAIR_MUST_CHECK enum fair_err fair_attach(struct fair *f, uint64_t now, const struct fair_id *id);

enum fair_detach {
	FAIR_DETACH_BROKEN,      /* the client left, or its answer could not be handed over */
	FAIR_DETACH_WAIT_OVER,   /* its wait ran out: counted as no_slot */
	FAIR_DETACH_ANSWERED,    /* it was answered: nothing is lost by its going */
};

/*
 * fair_detach takes one request off. The last one of a waiter: without a key it leaves the line (FAIR_REASON_LEFT),
 * with one it is absent and keeps its place for queue_grace. The last one of a grant nobody was told of: without a
 * key it ends as FAIR_REASON_UNCLAIMED, with one it must be claimed within claim. Unknown and ended ids are ignored.
 */
void fair_detach(struct fair *f, uint64_t now, const struct fair_id *id, enum fair_detach how);

/* fair_claim says that the client knows of its grant: an answer was handed over, or it named the lease. */
void fair_claim(struct fair *f, uint64_t now, const struct fair_id *id);

/* fair_lease_place tells where a pending lease stands. FAIR_E_LEASE_NOT_FOUND when it is not pending. */
FAIR_MUST_CHECK enum fair_err fair_lease_place(const struct fair *f, const struct fair_id *id, struct fair_place *ret);

/*
 * fair_cancel gives up what a key stands for: a place (FAIR_REASON_LEFT) or a lease (FAIR_REASON_RELEASED). Whatever
 * is unknown is no error: it returns whether there was anything.
 */
bool fair_cancel(struct fair *f, uint64_t now, const char *pool, const char *tenant, const char *key, size_t key_len);

/* fair_key_find looks a key up; false when it stands for nothing. */
bool fair_key_find(const struct fair *f, const char *pool, const char *tenant, const char *key, size_t key_len,
                   struct fair_id *ret_id);

/* ---- holding ---- */

/*
 * fair_heartbeat renews an active lease for its ttl from now, and claims it; ttl_ns > 0 sets a new ttl. The view of the lease
 * tells from then on whether it is asked back (reclaim_ns): when its tenant holds more than its share, older leases of the
 * tenant have all of it, and another tenant's request would be granted if there were slots (under max-min: one that has
 * less for its weight with one slot more, too). It is wished back within one ttl of the first heartbeat that was told so;
 * nothing is taken by force, and when it is over later ones tell so.
 * FAIR_E_LEASE_NOT_FOUND, FAIR_E_LEASE_ENDED, FAIR_E_LEASE_PENDING.
 */
FAIR_MUST_CHECK enum fair_err fair_heartbeat(struct fair *f, uint64_t now, const struct fair_id *id, uint64_t ttl_ns);

/*
 * fair_release gives an active lease back (FAIR_REASON_RELEASED), or takes a pending one out of the line
 * (FAIR_REASON_LEFT). Repeated on a lease that ended in one of these two ways: FAIR_OK.
 * FAIR_E_LEASE_NOT_FOUND, FAIR_E_LEASE_ENDED.
 */
FAIR_MUST_CHECK enum fair_err fair_release(struct fair *f, uint64_t now, const struct fair_id *id);

/* fair_revoke ends an active or pending lease for another (FAIR_REASON_REVOKED). Errors as fair_release. */
FAIR_MUST_CHECK enum fair_err fair_revoke(struct fair *f, uint64_t now, const struct fair_id *id);

/*
 * fair_revoke_all revokes all leases of a pool, a tenant, with a label (NULL: of any; a label is compared as a whole) that
 * are in `state` now (FAIR_ENDED: pending or active) and still when their turn comes; waiters go first. What does not
 * fit into the budget of this call is worked off by the next ones, one lease that is looked at a unit: then *ret_number is
 * not 0, and FAIR_EV_REVOKED_ALL tells with it when all is done. *ret_ended counts those that this call ended.
 * FAIR_E_POOL_NOT_FOUND, FAIR_E_TENANT_NOT_FOUND (in none of the pools), FAIR_E_NO_MEMORY: nothing changed.
 */
FAIR_MUST_CHECK enum fair_err fair_revoke_all(struct fair *f, uint64_t now, const char *pool, const char *tenant,
                                              const char *label, enum fair_state state, uint64_t *ret_number,
                                              uint32_t *ret_ended);

/* ---- durability ---- */

/*
 * fair_confirm says that the grant is durable: its ttl runs from now. A grant that is neither confirmed nor
 * withdrawn has no ttl. Unknown, ended and confirmed ids are ignored.
 */
void fair_confirm(struct fair *f, uint64_t now, const struct fair_id *id);

/*
 * fair_withdraw takes an unconfirmed grant back as if it had never been: slots free, waiter back in its place, its
 * token not used again. A grant of a request that would not wait ends without trace; one whose tenant has closed is
 * refused. Unknown, ended and confirmed ids are ignored.
 */
void fair_withdraw(struct fair *f, uint64_t now, const struct fair_id *id);

/* fair_hold stops (on) or resumes granting in one pool, in all with NULL. Ends go on. FAIR_E_POOL_NOT_FOUND. */
FAIR_MUST_CHECK enum fair_err fair_hold(struct fair *f, uint64_t now, const char *pool, bool on);

/* ---- time ---- */

/* fair_advance works off what is due at `now`, at most `budget` units; returns whether there is more to do. */
bool fair_advance(struct fair *f, uint64_t now, uint32_t budget);

/* fair_next_deadline says when to call fair_advance again: 0 when work is left, FAIR_NEVER when nothing is due. */
uint64_t fair_next_deadline(const struct fair *f);

/*
 * fair_lateness tells that the caller stalled: until it is set to 0 again, a lease counts as ended only when its
 * deadline is at or before now - late_ns, so that heartbeats which waited in sockets meanwhile still count.
 */
void fair_lateness(struct fair *f, uint64_t late_ns);

/* ---- events ---- */

enum fair_event_type {
	FAIR_EV_PLACED,        /* a request with a key got a place in the line */
	FAIR_EV_GRANTED,       /* a waiter has its slots; not yet confirmed */
	FAIR_EV_REFUSED,       /* a waiter was refused: its tenant closes, or it asks for more slots than there can be (also told
	                          as ended, reason tenant-closing or too-many-slots) */
	FAIR_EV_ENDED,         /* a lease ended; see reason */
	FAIR_EV_WITHDRAWN,     /* a grant was withdrawn */
	FAIR_EV_RENEWED,       /* a heartbeat changed the ttl */
	FAIR_EV_TENANT,        /* a tenant is new, closing (again, with force), re-opened or has other registrations */
	FAIR_EV_TENANT_GONE,
	FAIR_EV_POOL,          /* a pool is new or has other values; see pool */
	FAIR_EV_POOL_GONE,     /* it was removed, with all that is remembered of it */
	FAIR_EV_REVOKED_ALL,   /* a fair_revoke_all that its call did not finish is through; see number and ended */
	FAIR_EV_FORGOTTEN,     /* an ended lease is remembered no longer */
};

struct fair_event {
	enum fair_event_type type;
	struct fair_id id;             /* of the lease; zero for tenants' events */
	enum fair_reason reason;       /* FAIR_EV_ENDED */
	enum fair_state was;           /* FAIR_EV_ENDED: FAIR_PENDING or FAIR_ACTIVE */
	bool kept;                     /* what was told of this lease has to be kept, or to be taken out of what is kept */
	uint64_t number;               /* of the lease, or what fair_revoke_all gave; 0 for tenants' events */
	uint32_t ended;                /* FAIR_EV_REVOKED_ALL: how many leases */
	const char *pool;              /* borrowed, lives as long as the struct fair; NULL: FAIR_EV_REVOKED_ALL */
	char tenant[FAIR_NAME_MAX + 1];
};

/* fair_next_event takes the oldest event; false when there is none. Work stops while the queue is full. */
bool fair_next_event(struct fair *f, struct fair_event *ret);

/* ---- keeping ---- */

/*
 * A store keeps the present state of what events told of: after each of them it asks for the record of that lease or
 * tenant, and keeps it, or forgets it where there is none. Written in one transaction, the records of all events up to
 * some call are the state after that call. Names, labels and keys are borrowed.
 */
struct fair_lease_record {
	struct fair_id id;
	uint64_t number;               /* unique; the order of the line */
	const char *pool, *tenant, *label;
	const char *key;               /* NULL: none; of key_len bytes, not ended by a NUL */
	size_t key_len;
	enum fair_state state;         /* FAIR_PENDING: a place, and it has a key */
	enum fair_reason reason;       /* ended */
	uint32_t slots;
	const uint32_t *slot_ids;      /* `slots` of them, growing; NULL while pending */
	uint64_t fencing_token;        /* 0 while pending */
	uint64_t ttl_ns, asked_ttl_ns; /* now, and what a repetition of its acquire is compared with */
	uint64_t arrived_ns, granted_ns, ended_ns;
	int32_t priority;
	uint64_t max_lease_ns;         /* as asked; 0: none */
	uint64_t max_ns;               /* active: when it ends at the latest; 0 and FAIR_NEVER: no such time */
};

struct fair_tenant_record {
	uint64_t number;               /* unique; the order of lists */
	const char *pool, *tenant;
	bool closing, automatic, anonymous;
	uint64_t revoke_below;         /* its leases with smaller numbers are being revoked */
	uint32_t num_instances;
	const char *const *instances;  /* fair_tenant_record() leaves it NULL: see fair_tenant_instance */
	struct fair_tenant_policy policy;
};

/* fair_lease_record: false when nothing is to be kept of it (unknown, or a waiter without a key). */
bool fair_lease_record(const struct fair *f, const struct fair_id *id, struct fair_lease_record *ret);
/* fair_tenant_record: false when the tenant is not there. */
bool fair_tenant_record(const struct fair *f, const char *pool, const char *tenant, struct fair_tenant_record *ret);
/* fair_next_token returns the token of the next grant: all that were ever given are below it. */
uint64_t fair_next_token(const struct fair *f);

/*
 * Restoring, into a state in which nothing has happened yet but fair_pool_add: first all tenants, then all leases,
 * the ended ones in the order of their ends. No event is told. An active lease lives on for its ttl from `now`, a
 * place is absent and kept for queue_grace; what ended stays remembered from when it ended, and no less long than what
 * was restored before it. Times after `now` (the clock was set back) count as `now`. A slot id that the pool does not
 * have any more stays with its lease until that ends. The first calls after it do what is due, within their budget:
 * they go on with closings, and forget what is remembered too long or beyond ended_max.
 * FAIR_E_NO_MEMORY; FAIR_E_POOL_NOT_FOUND, FAIR_E_TENANT_NOT_FOUND (of a lease that has not ended) and
 * FAIR_E_BAD_RECORD (out of range, or an id, key, slot or number that is used twice; the numbers of two ended leases are
 * not compared): the records are not those of one state. Nothing of a record that is refused is in the state.
 */
FAIR_MUST_CHECK enum fair_err fair_restore_tenant(struct fair *f, uint64_t now, const struct fair_tenant_record *record);
FAIR_MUST_CHECK enum fair_err fair_restore_lease(struct fair *f, uint64_t now, const struct fair_lease_record *record);

/* ---- looking ---- */

struct fair_lease_view {
	struct fair_id id;
	uint64_t number;             /* grows with every arrival: the order of lists */
	const char *pool, *tenant, *label;
	enum fair_state state;
	bool confirmed, present, claimed, keyed;
	uint32_t slots;
	const uint32_t *slot_ids;    /* `slots` of them, NULL while pending */
	uint64_t fencing_token;      /* 0 while pending */
	uint64_t ttl_ns;
	uint64_t arrived_ns, granted_ns, ended_ns;
	uint64_t deadline_ns;        /* active and confirmed: when it ends without a heartbeat */
	enum fair_reason reason;     /* ended */
	int32_t priority;
	uint64_t max_ns;             /* when max-lease ends it; FAIR_NEVER: no such time */
	uint64_t reclaim_ns;         /* by when it is asked back, as its last heartbeat was told; 0: it is not */
};

/* fair_lease_get: FAIR_E_LEASE_NOT_FOUND. A lease whose deadline has passed is ended by it first. Claims nothing. */
FAIR_MUST_CHECK enum fair_err fair_lease_get(struct fair *f, uint64_t now, const struct fair_id *id,
                                             struct fair_lease_view *ret);

/*
 * fair_lease_next gives the first lease of the pool (and tenant, unless NULL) after `number` (0: from the start)
 * that is pending or active (in `state` if not FAIR_ENDED); false at the end. O(log n). The pool and tenant must exist,
 * else false.
 */
bool fair_lease_next(const struct fair *f, const char *pool, const char *tenant, enum fair_state state, uint64_t number,
                     struct fair_lease_view *ret);

/*
 * What a tenant has had since it got its account. The tenants that have been there longest have accounts, accounts_max of
 * them; all others have one together. When one of the first goes, the next begins with an account of nothing, and what it
 * has had before stays with the others: no account ever goes back.
 */
struct fair_account {
	uint64_t grants;
	uint64_t slot_ns;            /* of each slot that was held, the time; up to the last call that was given the time */
};

struct fair_tenant_view {
	uint64_t number;             /* grows with every new tenant: the order of lists */
	const char *pool, *tenant;
	bool closing, automatic;
	bool anonymous;              /* has the anonymous registration */
	uint32_t num_instances;      /* of the named ones: see fair_tenant_instance */
	uint32_t active_slots, waiting, absent, share;
	bool has_account;
	struct fair_account account; /* if it has one */
	struct fair_tenant_policy policy;   /* its weight is never 0 */
	uint32_t max_waiting;               /* its waiters, absent ones too: its own limit, or the pool's */
};

/* FAIR_E_POOL_NOT_FOUND, FAIR_E_TENANT_NOT_FOUND. */
FAIR_MUST_CHECK enum fair_err fair_tenant_get(const struct fair *f, const char *pool, const char *tenant,
                                              struct fair_tenant_view *ret);
/* fair_tenant_instance names registration i, in the order of registering; NULL past the end. O(i). */
const char *fair_tenant_instance(const struct fair *f, const char *pool, const char *tenant, uint32_t i);
/* fair_tenant_next gives the first tenant of the pool after `number` (0: from the start); false at the end. */
bool fair_tenant_next(const struct fair *f, const char *pool, uint64_t number, struct fair_tenant_view *ret);
/*
 * fair_tenant_busiest walks the tenants by active + waiting, most first (sums over 63 within 4 %), equal ones in no
 * order: start with *cursor NULL, pass it back unchanged. Closing ones are left out. No call may come between.
 */
bool fair_tenant_busiest(const struct fair *f, const char *pool, const void **cursor, struct fair_tenant_view *ret);

struct fair_quantiles {
	uint64_t p50_ns, p95_ns, p99_ns, max_ns;   /* over the last 5 to 10 minutes, within 4 % */
};

struct fair_pool_view {
	const char *pool;
	uint32_t max_slots, min_share, max_waiting, tenant_max_waiting;
	uint32_t share;                /* max_slots while nobody demands; 0 under max-min: it differs by tenant */
	uint32_t tenants;              /* registered and not closing */
	uint32_t closing;              /* tenants that close */
	uint32_t demanding;
	uint32_t active_slots, waiting, absent;
	uint32_t accounts;             /* tenants with one of their own; they are the first of fair_tenant_next() */
	uint64_t oldest_waiter_ns;     /* when the present waiter arrived that came first; FAIR_NEVER: nobody waits */
	bool held;
	uint64_t granted_total, released_total, expired_total, revoked_total, unclaimed_total, no_slot_total;
	uint64_t calculator_failures;
	struct fair_quantiles wait, hold;
	enum fair_policy policy;
	bool draining;
	uint64_t slot_rest_ns, max_lease_ns, pass_over_ns, priority_step_ns;
	uint32_t num_cordoned;         /* see fair_pool_cordoned */
	uint32_t debt_slots;           /* active above max_slots */
	uint32_t reserved_slots;       /* free, but kept for tenants with a reserve */
	uint32_t resting_slots;
	uint32_t saved_slots;          /* free, but saved for a big request */
	double fairness_index;         /* Jain's over demanding tenants, weighted; 1 while fewer than two demand */
};

/* fair_pool_get: FAIR_E_POOL_NOT_FOUND. `now` turns the windows of the quantiles. */
FAIR_MUST_CHECK enum fair_err fair_pool_get(struct fair *f, uint64_t now, const char *pool, struct fair_pool_view *ret);

/* How often a span of time was seen: counts[i] are those of at most fair_span_bounds[i] ns and no bound before it. */
#define FAIR_SPANS 24
extern const uint64_t fair_span_bounds[FAIR_SPANS];    /* ascending, 50 us to 1 h */
struct fair_spans {
	uint64_t counts[FAIR_SPANS + 1];                   /* the last: longer than any bound */
	uint64_t sum_ns;
};

/* fair_spans_add counts a span; its cost is that of some comparisons. */
void fair_spans_add(struct fair_spans *spans, uint64_t ns);

/* What has happened in a pool since the start. Nothing of it ever goes back. */
struct fair_pool_totals {
	uint64_t granted, no_slot, left, refused;          /* acquires; left: the line, or lost their place in it */
	uint64_t ended[FAIR_REASON_COUNT];                 /* leases, waiters too */
	uint64_t renewed, lost;                            /* heartbeats of leases that are known; lost: not active */
	struct fair_spans wait, hold;                      /* of grants and of ended holders */
};

/* fair_pool_totals copies them, with the account of all tenants that have none of their own. FAIR_E_POOL_NOT_FOUND. */
FAIR_MUST_CHECK enum fair_err fair_pool_totals(const struct fair *f, const char *pool, struct fair_pool_totals *ret,
                                               struct fair_account *ret_others);
/* fair_heartbeats_unknown tells how many heartbeats there were of leases that are not known, so that nobody knows their
 * pool; fair_heartbeat_unknown counts one for which fair_heartbeat() was not called. */
uint64_t fair_heartbeats_unknown(const struct fair *f);
void fair_heartbeat_unknown(struct fair *f);

/* fair_pool_cordoned returns cordoned slot i, as it was configured; FAIR_SLOTS_MAX past the end or without such a pool. */
uint32_t fair_pool_cordoned(const struct fair *f, const char *pool, uint32_t i);
/* fair_pool_name names pool i, in the order of names; NULL past the end. */
const char *fair_pool_name(const struct fair *f, uint32_t i);

/* fair_check verifies the whole state and aborts where it is broken; for tests: it scans everything. */
void fair_check(const struct fair *f, uint64_t now);

#ifdef __cplusplus
}
#endif

#endif
