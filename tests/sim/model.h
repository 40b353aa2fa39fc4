/* SPDX-License-Identifier: MIT */
/*
 * The rules of libfairshare once more, naive: plain arrays that are scanned, an unlimited budget, no trees, no hashes.
 * What the core decides in each call must be the same, in the same order. Pools, tenants, keys and labels are small
 * numbers here; leases are named by the number that the simulator puts into their ids.
 */
#ifndef FAIRSHARE_SIM_MODEL_H
#define FAIRSHARE_SIM_MODEL_H

#include "fair.h"

#define MODEL_POOLS 3
#define MODEL_TENANTS 7
#define MODEL_INSTANCES 3
#define MODEL_SLOTS_MAX 16
#define MODEL_LEASES_MAX 2048
#define MODEL_EVENTS_MAX 8192
#define MODEL_NO_KEY (-1)
#define MODEL_ANONYMOUS (-1)

struct model_lease {
	uint64_t id, number, token, asked_ttl, ttl, arrived, granted, deadline, keep, ended, ended_order;
	uint64_t asked_max_lease, max_at; /* FAIR_NEVER: it has no such end */
	uint64_t passed_over;			  /* since when; FAIR_NEVER: it was not */
	uint32_t pool, tenant, attached, label, slots, slot_ids[MODEL_SLOTS_MAX];
	int32_t priority;
	int key;
	bool saving; /* slots are saved for it */
	enum fair_state state;
	enum fair_reason reason;
	bool claimed, confirmed, try_once, kept;
};

struct model_event {
	enum fair_event_type type;
	uint64_t id;
	enum fair_reason reason;
	enum fair_state was;
	bool kept;
	uint32_t pool, tenant;
};

struct model_tenant {
	enum { MODEL_GONE, MODEL_OPEN, MODEL_CLOSING } state;
	bool anonymous, automatic;
	uint32_t instances[MODEL_INSTANCES], num_instances; /* in the order of registering */
	uint64_t number, closed_order, refuse_below, revoke_below, used, used_order;
	struct fair_tenant_policy policy;
};

struct model_pool {
	struct fair_pool_config config;
	uint32_t cordoned[MODEL_SLOTS_MAX];
	struct model_rest {
		bool on;
		uint64_t since, order;
	} rests[MODEL_SLOTS_MAX];
	uint64_t resting_order; /* of the pools with resting slots: since when it has some */
	struct model_tenant tenants[MODEL_TENANTS];
	struct fair_tenant_policy presets[MODEL_TENANTS];
	bool has_preset[MODEL_TENANTS];
	uint32_t demanding, share;
	bool held;
	uint64_t granted_total, released_total, expired_total, revoked_total, unclaimed_total, no_slot_total;
	uint64_t calculator_failures;
};

/* A revoke of many leases under way: it looks at one after the other. */
struct model_sweep {
	bool on;
	int pool, tenant, label; /* -1: of any */
	enum fair_state state, phase;
	uint32_t at, ended; /* the pool that it is in */
	uint64_t after, below, tokens_below;
};

struct model {
	struct fair_config config;
	struct model_sweep sweep;
	struct model_pool pools[MODEL_POOLS];
	uint32_t num_leases, num_events;
	uint32_t within_reserve; /* grants that only this rule allowed, as num_events since the last look */
	uint64_t now, late, last_number, last_order, next_token;
	struct model_lease leases[MODEL_LEASES_MAX]; /* by arrival */
	struct model_event events[MODEL_EVENTS_MAX];
};

struct model_request {
	uint64_t id, ttl, max_lease;
	uint32_t pool, tenant, label, slots;
	int32_t priority;
	int key;
	bool wait, auto_register;
};

struct model_acquired {
	uint64_t id;
	enum fair_state state;
	bool known, placed;
	struct fair_place place;
};

void model_init(struct model *m, const struct fair_config *config, const struct fair_pool_config *pools);
enum fair_err model_register(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant, int instance,
							 bool *created);
enum fair_err model_unregister(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant, int instance, bool force,
							   enum fair_unregistered *how);
enum fair_err model_acquire(struct model *m, uint64_t now, const struct model_request *r, struct model_acquired *ret);
enum fair_err model_attach(struct model *m, uint64_t now, uint64_t id);
void model_detach(struct model *m, uint64_t now, uint64_t id, enum fair_detach how);
void model_claim(struct model *m, uint64_t now, uint64_t id);
bool model_cancel(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant, int key);
enum fair_err model_heartbeat(struct model *m, uint64_t now, uint64_t id, uint64_t ttl);
enum fair_err model_end(struct model *m, uint64_t now, uint64_t id, bool revoke);
/* model_revoke_all: pool, tenant, label may be -1: of any. */
enum fair_err model_revoke_all(struct model *m, uint64_t now, int pool, int tenant, int label, enum fair_state state,
							   uint32_t *ended);
void model_confirm(struct model *m, uint64_t now, uint64_t id);
void model_withdraw(struct model *m, uint64_t now, uint64_t id);
void model_hold(struct model *m, uint64_t now, int pool, bool on); /* all pools: -1 */
void model_advance(struct model *m, uint64_t now);
enum fair_err model_pool_set(struct model *m, uint64_t now, uint32_t pool, const struct fair_pool_config *config);
enum fair_err model_tenant_set(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant,
							   const struct fair_tenant_policy *policy);
enum fair_err model_tenant_preset(struct model *m, uint64_t now, uint32_t pool, uint32_t tenant,
								  const struct fair_tenant_policy *policy); /* NULL: no more */
/* model_copy copies all but the events. */
void model_copy(struct model *to, const struct model *from);
/* model_restart: what is left of `kept`, a copy of that time, in a process that begins at `now` with these pools. */
void model_restart(struct model *m, const struct model *kept, uint64_t now, const struct fair_config *config,
				   const struct fair_pool_config *pools);
struct model_lease *model_find(struct model *m, uint64_t id);
struct model_lease *model_by_key(struct model *m, uint32_t pool, uint32_t tenant, int key);
struct fair_place model_place(struct model *m, const struct model_lease *l);
uint64_t model_timer(const struct model_lease *l); /* when it ends by itself */

struct model_counts {
	uint32_t active; /* slots */
	uint32_t present, absent;
};
struct model_counts model_count(const struct model *m, uint32_t pool, int tenant); /* of all tenants: -1 */

/* policy.c */
/* model_next: whose turn it is in that pool; NULL when nobody can be granted. */
struct model_lease *model_next(struct model *m, uint32_t pool);
/* model_earlier: whether a stands before b, of the same tenant. */
bool model_earlier(const struct model_pool *p, const struct model_lease *a, const struct model_lease *b);
struct model_lease *model_first_of(struct model *m, uint32_t pool, uint32_t tenant);
/* model_rest: the slot whose rest began first; -1: none rests. */
int model_first_rest(const struct model_pool *p);
bool model_slot_is_held(const struct model *m, uint32_t pool, uint32_t slot);
bool model_slot_is_free(const struct model *m, uint32_t pool, uint32_t slot, bool resting);
const struct model_lease *model_saver(const struct model *m, uint32_t pool); /* NULL: nothing is saved */
uint64_t model_saving_begins(struct model *m, uint32_t pool);
uint32_t model_saved(const struct model *m, uint32_t pool);
uint32_t model_reserved(const struct model *m, uint32_t pool);
uint32_t model_share(struct model *m, uint32_t pool, uint32_t tenant);
enum fair_wait model_reason(const struct model *m, const struct model_lease *l);

#endif
