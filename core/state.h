/* SPDX-License-Identifier: MIT */
/*
 * The state of the core, private to core/. Rules that hold between any two calls are verified by check.c.
 *
 * Counts are sums over the trees of leases (struct counts at each node) and never kept beside them.
 */
#ifndef FAIRSHARE_STATE_H
#define FAIRSHARE_STATE_H

#include <bsd/sys/tree.h>
#include <string.h>

#include "fair.h"

/* uthash takes memory through the struct fair in scope and reports a lack of it there. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) f->config.alloc((size), f->config.alloc_context)
#define uthash_free(memory, size) f->config.free((memory), f->config.alloc_context)
#define uthash_nonfatal_oom(element) (f->hash_failed = true)
#define HASH_INITIAL_NUM_BUCKETS 4096U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 12U
#define HASH_BKT_CAPACITY_THRESH 4U   /* each stranger in a chain is a cache miss */
#include <uthash.h>
#include <utlist.h>

#include "assertion.h"

struct lease;
struct tenant;
struct pool;

/* Where the first waiter of a tenant stands among those of others. */
struct turn {
	int64_t need;               /* slots asked less those that are kept for its tenant */
	uint64_t number;            /* of the waiter */
	uint32_t rank;              /* lowest first ... */
	uint32_t asked, weight;     /* ... then the lowest asked / weight, then the oldest */
	uint32_t limit;             /* it may not be granted while the policy's limit is below */
};

struct counts {
	uint32_t active, present, absent;
};

/* What an idempotency key stands for. It lives as long as its waiter or lease and as the lease is remembered. */
struct key {
	UT_hash_handle by_bytes;
	struct lease *lease;
	unsigned size;
	char bytes[];              /* address of the tenant, then the key: the scope is part of it */
};
#define KEY_SCOPE sizeof(struct tenant *)

/*
 * One acquire: a waiter while pending, a holder while active, then remembered. Pending and active ones are in the
 * trees of their pool and tenant, ordered by number; ended ones only in the pool's list of ended ones.
 */
struct lease {
	/* What the walks up and down the trees touch stands together, a cache line each. */
	uint64_t number;            /* arrival: the order of everything */
	RB_ENTRY(lease) in_pool;
	struct counts pool_sum;
	uint32_t attached;          /* requests of the client that wait for an answer */
	enum fair_state state;
	uint64_t timer_at;
	RB_ENTRY(lease) in_timers;  /* iff timer_at != FAIR_NEVER */
	struct tenant *tenant;
	struct key *key;            /* or NULL */
	RB_ENTRY(lease) in_tenant;
	struct counts tenant_sum;
	RB_ENTRY(lease) in_line;    /* iff pending: in the line of its tenant */
	int64_t line_key;           /* arrival less priority */
	uint64_t line_slots;        /* below, of present waiters */
	uint32_t line_present, line_most;   /* below: present waiters, the most slots that one asks for */
	bool lined;

	UT_hash_handle by_id;
	struct fair_id id;
	struct lease *prev, *next;  /* ended ones of the pool, oldest first */
	struct lease *all_prev, *all_next;   /* ended ones of all pools, oldest first */
	uint64_t asked_ttl_ns;      /* of the acquire: what a repetition is compared with */
	uint64_t ttl_ns;
	uint64_t arrived_ns, granted_ns, ended_ns;
	uint64_t deadline_ns;       /* active and confirmed: end without heartbeat */
	uint64_t keep_until_ns;     /* without attached requests: end of queue_grace (pending) or of claim (unclaimed) */
	uint64_t token;
	uint64_t max_lease_ns;      /* as asked; 0: none */
	uint64_t max_ns;            /* active: its end at the latest; FAIR_NEVER: no such time */
	uint64_t passed_ns;         /* present: when its turn was passed over first; FAIR_NEVER */
	uint64_t reclaim_ns;        /* active: by when it is asked back, as the last heartbeat was told; 0: it is not */
	int32_t priority;
	uint32_t slots;
	enum fair_reason reason;
	bool confirmed, claimed, try_once;
	bool kept;                  /* told to whoever keeps the state: it has to be told of its going, too */
	char *label;                /* behind the slot ids */
	uint32_t slot_ids[];
};

RB_HEAD(pool_leases, lease);
RB_HEAD(tenant_leases, lease);
RB_HEAD(lines, lease);
RB_HEAD(timers, lease);

struct instance {
	struct instance *prev, *next;
	char name[];
};

/*
 * A tenant is open (registered), closing (no registration, leases remain), or a ghost: gone, and kept only because
 * remembered leases still name it.
 */
enum tenant_state { TENANT_OPEN, TENANT_CLOSING, TENANT_GHOST };

struct tenant {
	UT_hash_handle by_name;
	struct pool *pool;
	uint64_t number;
	enum tenant_state state;
	bool anonymous, automatic;
	bool doomed;                /* in the list of tenants with leases below refuse_below or revoke_below */
	bool idle;                  /* in the list of tenants that idleness changes */
	struct fair_tenant_policy policy;
	uint64_t fairness;          /* what it is counted with in pool->fairness */
	struct instance *instances;
	struct tenant_leases leases;
	struct lines line;          /* its waiters in the order in which they are granted */
	uint32_t num_instances;
	uint32_t references;        /* leases in any state */
	uint64_t refuse_below;      /* its waiters with smaller numbers are refused: it was closed after they came */
	uint64_t revoke_below;      /* its leases with smaller numbers are revoked: it was forced out */
	struct tenant *doomed_prev, *doomed_next;
	uint64_t idle_since;
	struct tenant *idle_prev, *idle_next;

	/* Not for ghosts. In the tree of tenants by number, with the number of all, of open and of demanding ones below. */
	RB_ENTRY(tenant) in_pool;
	bool is_open, is_demanding;
	bool has_account;
	struct fair_account account;   /* slot_ns less the time of now for each slot that it holds: see totals.c */
	uint32_t sum_all, sum_open, sum_demanding, sum_reserved, sum_open_reserved, sum_unequal;
	uint32_t kept, sum_kept;    /* slots of its reserve that it does not hold */
	/*
	 * No less than what its largest waiter asks for beyond its reserve; EXCESS_ALWAYS: beyond its cap. It is lowered when
	 * somebody looks: else each waiter that comes and goes would be walked up the tree.
	 */
	int64_t excess, most_excess;

	struct tenant *busy_prev, *busy_next;   /* in pool->busy by load: active + waiting */
	uint32_t load;

	/* Open tenants with a present waiter and not at their cap: see turns.c. */
	RB_ENTRY(tenant) in_turns;
	bool lined_up;
	uint64_t turns_epoch;       /* of the tree that it stands in */
	struct turn turn;
	struct tenant *first_turn, *first_unpassed;
	uint32_t least_limit, least_unpassed_limit;
	RB_ENTRY(tenant) in_passed;
	uint64_t passed_ns;         /* of its first waiter, with its number, as it stands in the tree; FAIR_NEVER: in none */
	uint64_t passed_number;

	uint32_t filled;            /* its share under max-min, as of filling `fillings` */
	uint64_t fillings;

	char name[FAIR_NAME_MAX + 1];
};

RB_HEAD(tenants, tenant);
RB_HEAD(turns, tenant);
RB_HEAD(passed, tenant);

#define EXCESS_ALWAYS INT64_MAX
#define EXCESS_NONE INT64_MIN

/* The policy with which a tenant of this name begins. */
struct preset {
	struct preset *next;
	struct fair_tenant_policy policy;
	char tenant[FAIR_NAME_MAX + 1];
};

/* What keeps a slot from being granted. */
enum slot_mark { SLOT_HELD, SLOT_CORDONED, SLOT_RESTING, SLOT_MARKS };

/* The rest of a slot, in the list of those that rest. */
struct rest {
	uint64_t since;
	uint32_t prev, next;
};

/* The usable slots: bits in levels, each bit of a level telling whether a word of the one below has any. */
#define SLOT_LEVELS 4
struct slots {
	uint64_t *level[SLOT_LEVELS];
	uint64_t *marks[SLOT_MARKS];
	struct rest *rests;         /* by slot; NULL as long as none may rest */
	uint32_t words[SLOT_LEVELS];
	uint32_t levels;
	uint32_t count, usable, resting, only_resting;   /* only_resting: not cordoned, too */
	uint32_t first_rest, last_rest;
};

/* A histogram with 32 steps to each power of two: quantiles within 4 %. */
#define HISTOGRAM_STEPS 32
#define HISTOGRAM_BINS (60 * HISTOGRAM_STEPS)
#define BUSY_BINS (28 * HISTOGRAM_STEPS)   /* those of 32-bit values */
struct histogram {
	uint32_t bins[HISTOGRAM_BINS];
	uint64_t count, max;
	double sum, squares;
};

struct window {
	struct histogram half[2];
	uint32_t current;
	uint64_t turned_at;
};

/* What is expected of a value, from those of the last 5 to 10 minutes. */
struct holds {
	uint64_t count;
	double mean;
	double spread;              /* variance by square of the mean: 0 all the same, 1 as in radioactive decay */
};

/* The sums of Jain's index: of x and of its squares, over the demanding tenants. */
__extension__ typedef unsigned __int128 uint128;
struct fairness {
	uint128 sum, squares;
};

/* A call of fair_revoke_all that is worked off. */
struct sweep {
	struct sweep *prev, *next;
	uint64_t number;
	uint64_t below;             /* it ends leases with smaller numbers: those that were there */
	uint64_t tokens_below;      /* what was granted before it has smaller tokens */
	const char *tenant, *label; /* behind it, or NULL */
	enum fair_state state;      /* FAIR_ENDED: pending and active ones */
	bool one_pool;
	bool in_call, over;
	struct pool *pool;          /* where it is; NULL: there is none */
	enum fair_state phase;      /* what it looks at there, after which number */
	uint64_t after;
	uint32_t ended;
	char texts[];
};

/* The name of a pool outlives it: events that tell of it are still to be read. */
struct pool_name {
	struct pool_name *next;
	char text[];
};

struct pool {
	struct pool *prev, *next;   /* in the order of names */
	struct fair_pool_config config;
	const char *name;
	uint32_t *cordoned;         /* of the configuration, our copy */
	struct preset *presets;
	struct tenant *by_name;
	struct tenants tenants;
	struct tenant *busy[BUSY_BINS];   /* tenants by load, in bins of a histogram: a change costs no search */
	struct turns turns;
	struct passed passed;       /* tenants whose first waiter was passed over, longest ago first */
	struct tenant *first_passed;
	uint64_t turns_epoch;
	bool renewing;              /* tenants up to renewed_to are lined up anew, and nothing is granted */
	uint64_t renewed_to;
	bool passing;               /* those that a grant will have passed over are being marked */
	struct lease *saver;        /* the waiter that slots are saved for, or NULL */
	struct filling *filling;    /* policy max-min: under way, or NULL */
	uint64_t filled_at, pace_ns, fillings;
	bool stale;                 /* something has changed since the last one began */
	struct pool_leases leases;
	struct lease *ended;
	uint32_t num_ended;
	struct slots slots;
	uint32_t share;             /* worked out anew whenever the number of demanding tenants changes */
	uint32_t share_demanding;   /* the number it was worked out for */
	bool held;
	struct pool *dirty_prev, *dirty_next;
	bool dirty;                 /* in the list of pools in which something may be granted */
	struct pool *resting_prev, *resting_next;
	bool resting;               /* in the list of pools that have a resting slot */
	uint64_t calculator_failures;
	struct window wait, hold;
	struct fairness fairness;
	struct fair_pool_totals totals;
	uint32_t accounts;                /* tenants that have one of their own */
	uint64_t last_account;            /* the number of the last of them */
	struct fair_account others;       /* of all tenants without */
	uint32_t others_active;           /* slots they hold */
};

struct fair {
	struct fair_config config;
	bool hash_failed;
	uint64_t now;               /* of the call that runs */
	uint64_t late_ns;
	uint64_t last_number, next_token;
	struct pool *pools;
	struct pool_name *pool_names;
	struct lease *by_id;
	struct key *by_key;
	struct timers timers;
	struct lease *first_timer;  /* the least of them: every call asks for it */
	struct lease *ended;        /* in the order in which they are forgotten */
	struct tenant *doomed, *idle;
	struct sweep *sweeps;       /* one after the other */
	uint64_t last_sweep;
	struct pool *dirty;
	struct pool *resting;
	uint64_t heartbeats_unknown;
	bool more;                  /* work was left when a budget ran out */
	bool crowded;               /* restored pools may remember more than ended_max: that is work, too */
	struct fair_event *events;  /* a ring */
	uint32_t event_first, event_count, event_max;
};

/* memory.c */
void *memory_get(struct fair *f, size_t size);   /* zeroed, or NULL */
void memory_put(struct fair *f, void *memory);

/* index.c: the trees. Insertion and removal keep the sums of all ancestors true. */
void leases_insert(struct pool *p, struct lease *l);
void leases_remove(struct pool *p, struct lease *l);   /* its state is FAIR_ENDED from then on */
void leases_changed(struct lease *l);   /* its state or presence changed: the sums above it do */
struct counts pool_counts(const struct pool *p);
struct counts tenant_counts(const struct tenant *t);
uint32_t pool_present_before(const struct pool *p, uint64_t number);
uint32_t tenant_active_before(const struct tenant *t, uint64_t number);
struct lease *tenant_first_present(const struct tenant *t);
struct lease *pool_first_present(const struct pool *p);
struct lease *pool_lease_after(const struct pool *p, uint64_t number, enum fair_state state);
struct lease *tenant_lease_after(const struct tenant *t, uint64_t number, enum fair_state state);

void timer_set(struct fair *f, struct lease *l, uint64_t at);
struct lease *timer_first(const struct fair *f);

void tenants_insert(struct pool *p, struct tenant *t);
void tenants_remove(struct pool *p, struct tenant *t);
void tenants_changed(struct tenant *t);
struct tenant *tenants_after(const struct pool *p, uint64_t number);
uint32_t pool_open(const struct pool *p);
uint32_t pool_closing(const struct pool *p);
uint32_t pool_demanding(const struct pool *p);
uint32_t pool_reserved(const struct pool *p);   /* by the policies of its tenants */
uint32_t pool_unequal(const struct pool *p);    /* tenants with a policy that `equal` refuses */
void busy_set(struct pool *p, struct tenant *t, uint32_t load);
struct tenant *busy_next(const struct pool *p, const struct tenant *t);
uint32_t pool_open_reserved(const struct pool *p);   /* of open tenants */
uint32_t pool_kept(const struct pool *p);            /* reserved by open tenants that do not hold it */
struct tenant *tenants_asking_above(const struct pool *p, int64_t excess);   /* an open one */
uint32_t tenant_position(const struct lease *l);     /* from 1: where a waiter stands in its tenant's line */
uint64_t tenant_demand(const struct tenant *t);      /* slots held and asked for by present waiters */
uint32_t line_most(const struct tenant *t);          /* slots that its largest waiter asks for, 0: none */
struct lease *line_above(const struct tenant *t, uint32_t slots);   /* the first that asks for more */
void lines_renew(struct tenant *t);                  /* the priority step has changed */

/* turns.c */
bool turns_have(const struct tenant *t);             /* its first waiter has a turn */
void turns_set(struct pool *p, struct tenant *t, struct lease *first, uint32_t active);
void turns_renew(struct fair *f, struct pool *p);    /* what turns are made of has changed */
uint32_t turns_most(const struct pool *p, const struct tenant *t);   /* slots that it could ever be granted at once */
uint32_t turns_saved(const struct pool *p);          /* free, but saved for a big request */
uint32_t turns_reserved(const struct pool *p);       /* free, but kept for tenants with a reserve */
bool turns_refuse_one(struct fair *f);               /* a waiter that can never be granted; false when there is none */
bool turns_due(struct fair *f);                      /* begins a saving that is due; false when none is */
uint64_t turns_next_deadline(const struct fair *f);
enum fair_wait turns_reason(const struct lease *l);

/* slots.c; one past the count is nobody's: it never comes back, and nothing is said of it */
bool slots_init(struct fair *f, struct slots *s, uint32_t count, bool rests);   /* all are usable; false without memory */
bool slots_resize(struct fair *f, struct slots *s, uint32_t count, bool rests);
void slots_fini(struct fair *f, struct slots *s);
bool slots_is_usable(const struct slots *s, uint32_t slot);
uint32_t slots_take(struct slots *s);      /* the lowest usable one; there must be one */
bool slots_take_this(struct slots *s, uint32_t slot);   /* false when a lease holds it; it is not asked whether it is usable */
void slots_give(struct slots *s, uint32_t slot);
bool slots_is_free(const struct slots *s, uint32_t slot);   /* no lease holds it */
void slots_cordon(struct slots *s, uint32_t slot, bool on);
bool slots_is_cordoned(const struct slots *s, uint32_t slot);
void slots_rest(struct slots *s, uint32_t slot, uint64_t since);   /* a free one; `since` never goes back */
void slots_rest_over(struct slots *s, uint32_t slot);
bool slots_is_resting(const struct slots *s, uint32_t slot);
uint64_t slots_resting_since(const struct slots *s);   /* of the first of them, s->first_rest; FAIR_NEVER: none rests */

/* histogram.c */
uint32_t histogram_bin(uint64_t value);
struct holds window_holds(const struct window *w, uint64_t now);
void window_add(struct window *w, uint64_t now, uint64_t value);
struct fair_quantiles window_quantiles(struct window *w, uint64_t now);

/* totals.c */
void account_open(struct fair *f, struct tenant *t);    /* of one that has just become an open or closing tenant */
void account_close(struct fair *f, struct tenant *t);   /* of one that has just been taken out of its pool */
void account_take(struct fair *f, struct tenant *t, uint32_t slots);   /* it holds them from now on, or ... */
void account_give(struct fair *f, struct tenant *t, uint32_t slots);   /* ... no longer */
void account_grant(struct tenant *t);
struct fair_account account_now(const struct fair *f, const struct fair_account *account, uint32_t active);

/* pool.c */
struct pool *pool_find(const struct fair *f, const char *name);
void pool_dirty(struct fair *f, struct pool *p);
void pool_share_update(struct fair *f, struct pool *p);   /* after a change of what tenants demand */
void pool_share_renew(struct fair *f, struct pool *p);    /* after a change of what the share is worked out from */
uint32_t tenant_share(const struct tenant *t);
uint32_t pool_free_slots(const struct pool *p);           /* free, in service and rested; none while a debt is paid */
uint32_t pool_room(const struct pool *p);                 /* those of them that could be granted, whoever asks */
struct tenant *pool_turn(const struct pool *p);           /* whose request is next, were there slots; NULL: nobody's */
bool pool_grant_one(struct fair *f, struct pool *p, uint32_t *budget);   /* turns.c: less what is used beyond one unit */
uint64_t pool_work_deadline(const struct fair *f);
bool pool_work_one(struct fair *f);                       /* a slice of what policies work out; false when none is left */
void pool_slot_rests(struct fair *f, struct pool *p, uint32_t slot, uint64_t since);
void pool_rests_settle(struct fair *f, struct pool *p);   /* after any change of the slots that rest */
bool pool_rest_due(struct fair *f);                       /* ends one rest; false when none is over */
uint64_t pool_rest_deadline(const struct fair *f);
void pool_free(struct fair *f, struct pool *p);

/* tenant_policy.c */
struct fair_tenant_policy policy_filled(const struct fair_tenant_policy *policy);
bool policy_is_unequal(const struct fair_tenant_policy *policy);   /* policy equal refuses it */
enum fair_err policies_fit(const struct fair *f, const struct pool *p, const struct fair_pool_config *config);
void policy_begin(struct tenant *t);                    /* of a new tenant: its preset, or the neutral one */
void presets_free(struct fair *f, struct pool *p);

/* tenant.c */
struct tenant *tenant_find(const struct pool *p, const struct fair *f, const char *name);   /* ghosts too */
struct tenant *tenant_registered(const struct pool *p, const struct fair *f, const char *name);
struct tenant *tenant_new(struct fair *f, struct pool *p, const char *name);
bool tenant_has_instance(const struct tenant *t, const char *name);
bool tenant_instance_add(struct fair *f, struct tenant *t, const char *name);
enum fair_err tenant_open(struct fair *f, struct pool *p, const char *name, struct tenant **ret, bool *ret_created);
void tenant_remove(struct fair *f, struct tenant *t);   /* it becomes a ghost, or is freed */
void tenant_line_up(struct fair *f, struct tenant *t);  /* after any change of what it demands or may have */
void tenant_excess_lower(struct tenant *t);   /* to what its waiters ask for now */
void tenant_settle(struct fair *f, struct tenant *t);   /* after any change of its leases; may free it */
void tenant_dereference(struct fair *f, struct tenant *t);
void tenant_touch(struct fair *f, struct tenant *t);    /* it was used: its idle time starts anew */
void tenant_idle_over(struct fair *f, struct tenant *t);
bool tenant_doom_one(struct fair *f);
void tenant_doom(struct fair *f, struct tenant *t);
void tenant_free(struct fair *f, struct tenant *t);

/* fairness.c */
uint64_t fairness_of(const struct tenant *t);
void fairness_settle(struct tenant *t);   /* after any change of its slots, its weight, or whether it demands */
double fairness_index(const struct pool *p);

/* reclaim.c */
void reclaim_update(const struct fair *f, struct lease *l);   /* at a heartbeat: l->reclaim_ns */

/* estimate.c */
uint64_t estimate_wait(const struct fair *f, const struct lease *l, const struct fair_place *place);

/* sweep.c */
bool sweep_one(struct fair *f);           /* looks at one lease; false when there is no sweep */
void sweeps_leave(struct fair *f, const struct pool *p);   /* the pool goes */

/* lease.c */
struct lease *lease_new(struct fair *f, struct tenant *t, const struct fair_request *r);
void lease_insert(struct fair *f, struct lease *l, uint64_t number);
struct lease *lease_find(const struct fair *f, const struct fair_id *id);
struct lease *lease_find_now(struct fair *f, const struct fair_id *id);
void lease_grant(struct fair *f, struct lease *l);
void lease_settle(struct fair *f, struct lease *l);   /* after any change of its state, presence or times */
void lease_end(struct fair *f, struct lease *l, enum fair_reason reason);
void lease_rest_slots(struct fair *f, const struct lease *l, enum fair_reason reason, uint64_t since);
void lease_refuse(struct fair *f, struct lease *l, enum fair_reason reason);
void lease_timer_over(struct fair *f, struct lease *l);
void lease_remember(struct fair *f, struct lease *l);
void lease_forget(struct fair *f, struct lease *l);
void lease_erase(struct fair *f, struct lease *l);    /* forgets it and tells nobody */
bool lease_is_present(const struct lease *l);
struct key *key_find(const struct fair *f, const struct tenant *t, const char *key, size_t key_len);
void lease_free(struct fair *f, struct lease *l);

/* fair.c */
void call_begin(struct fair *f, uint64_t now);   /* works off what is due */
void call_end(struct fair *f);                   /* brings the pools to rest */
void event_add(struct fair *f, struct fair_event event, const struct tenant *t);
void event_add_sweep(struct fair *f, uint64_t number, uint32_t ended);
void event_add_pool(struct fair *f, enum fair_event_type type, const char *pool);
unsigned hash_of(const struct fair *f, const void *bytes, size_t size);

#endif
