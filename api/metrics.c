/* SPDX-License-Identifier: MIT */
/*
 * Nothing is counted here: counters live where things happen, and a scrape reads them. It copies pool after pool first, as
 * all samples of a family stand together and take more than one slice to write.
 */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "encode.h"
#include "exposition.h"
#include "handlers.h"
#include "internal.h"
#include "refuse.h"

#define OTHERS "_other"	   /* the tenant's name under which those without an account are summed */
#define POOL_UNITS 50	   /* what it takes to copy a pool, besides its tenants */
#define WAIT_LEAST NS_PER_MS
#define WAIT_MOST (3600 * NS_PER_S)
#define HOLD_LEAST (100 * NS_PER_MS)
#define HOLD_MOST (3600 * NS_PER_S)

struct tenant_copy {
	char name[FAIR_NAME_MAX + 1];
	uint32_t active_slots, waiting;
	struct fair_account account;
};

struct pool_copy {
	char name[FAIR_NAME_MAX + 1];
	struct fair_pool_view view;
	struct fair_pool_totals totals;
	struct tenant_copy *tenants; /* those with an account, and one for all others; NULL: not wanted */
	uint32_t tenant_count;
};

struct metrics_work {
	struct sliced sliced;
	char pool[FAIR_NAME_MAX + 1]; /* "": all */
	char copied[FAIR_NAME_MAX + 1];  /* the last pool that was copied, "" for none */
	bool tenants;
	bool all_copied, gone, failed;
	struct pool_copy *pools;
	uint32_t pool_count, pool_room;
	unsigned family, at_pool, at_tenant; /* what is written next */
	unsigned part;						 /* of the server, once all families are written */
	struct exposition out;
};

bool metrics_none(void *context, unsigned part, struct exposition *out)
{
	(void)context;
	(void)part;
	(void)out;
	return false;
}

/* ---- copying ---- */

/* A tenant may have the very name: then it is among the others, as a series stands once. */
static void copy_tenant(struct pool_copy *pool, const struct fair_tenant_view *view)
{
	struct tenant_copy *others = &pool->tenants[0], *copy = others;

	others->active_slots -= view->active_slots;
	others->waiting -= view->waiting;
	if (strcmp(view->tenant, OTHERS) != 0) {
		copy = &pool->tenants[pool->tenant_count++];
		snprintf(copy->name, sizeof(copy->name), "%s", view->tenant);
	}
	copy->active_slots += view->active_slots;
	copy->waiting += view->waiting;
	copy->account.grants += view->account.grants;
	copy->account.slot_ns += view->account.slot_ns;
}

static bool copy_tenants(struct api *api, struct pool_copy *pool, const struct fair_account *others)
{
	struct fair_tenant_view view = {.number = 0};
	uint32_t left = pool->view.accounts;

	pool->tenants = calloc(left + 1, sizeof(*pool->tenants));
	if (pool->tenants == NULL)
		return false;
	pool->tenant_count = 1;
	pool->tenants[0] = (struct tenant_copy){.name = OTHERS,
											.active_slots = pool->view.active_slots,
											.waiting = pool->view.waiting,
											.account = *others};
	while (left > 0 && fair_tenant_next(api->fair, pool->name, view.number, &view)) {
		if (!view.has_account)
			continue;
		copy_tenant(pool, &view);
		left--;
	}
	return true;
}

static struct pool_copy *next_copy(struct metrics_work *work)
{
	uint32_t room = work->pool_room > 0 ? work->pool_room * 2 : 4;
	struct pool_copy *pools;

	if (work->pool_count == work->pool_room) {
		pools = reallocarray(work->pools, room, sizeof(*pools));
		if (pools == NULL)
			return NULL;
		work->pools = pools;
		work->pool_room = room;
	}
	return memset(&work->pools[work->pool_count], 0, sizeof(struct pool_copy));
}

/* Copies a pool; returns its units, or 0 without memory. One that is gone counts for nothing. */
static uint32_t copy_pool(struct api *api, uint64_t now, struct metrics_work *work, const char *name)
{
	struct pool_copy *pool = next_copy(work);
	struct fair_account others;

	if (pool == NULL)
		return 0;
	if (fair_pool_get(api->fair, now, name, &pool->view) != FAIR_OK ||
		fair_pool_totals(api->fair, name, &pool->totals, &others) != FAIR_OK) {
		work->gone = true;
		return POOL_UNITS;
	}
	work->pool_count++;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	if (work->tenants && !copy_tenants(api, pool, &others))
		return 0;
	return POOL_UNITS + pool->tenant_count;
}

/* The first pool after the last that was copied. */
static const char *next_pool(struct api *api, const struct metrics_work *work)
{
	const char *name;

	for (uint32_t i = 0; (name = fair_pool_name(api->fair, i)) != NULL; i++) {
		if (strcmp(name, work->copied) > 0)
			return name;
	}
	return NULL;
}

/* Copies pools for a slice. */
static void copy(struct api *api, uint64_t now, struct metrics_work *work)
{
	bool one = work->pool[0] != '\0';

	for (uint32_t units = 0, used; units < SLICE_UNITS && !work->all_copied && !work->failed; units += used) {
		const char *name = one ? work->pool : next_pool(api, work);

		used = 1;
		if (name == NULL) {
			work->all_copied = true;
			return;
		}
		used = copy_pool(api, now, work, name);
		work->failed = used == 0;
		work->all_copied = one;
		if (name != work->pool)
			snprintf(work->copied, sizeof(work->copied), "%s", name);
	}
}

/* ---- the families ---- */

static void write_max_slots(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.max_slots, "pool=\"%s\"", pool->name);
}

static void write_slots(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	uint32_t max = pool->view.max_slots, active = pool->view.active_slots;

	(void)api;
	exposition_count(out, active, "pool=\"%s\",state=\"active\"", pool->name);
	exposition_count(out, max > active ? max - active : 0, "pool=\"%s\",state=\"free\"", pool->name);
}

static void write_kept(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	const struct fair_pool_view *view = &pool->view;

	(void)api;
	exposition_count(out, view->reserved_slots, "pool=\"%s\",reason=\"reserved\"", pool->name);
	exposition_count(out, view->resting_slots, "pool=\"%s\",reason=\"resting\"", pool->name);
	exposition_count(out, view->saved_slots, "pool=\"%s\",reason=\"saving\"", pool->name);
}

static void write_cordoned(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.num_cordoned, "pool=\"%s\"", pool->name);
}

static void write_debt(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.debt_slots, "pool=\"%s\"", pool->name);
}

/* Under max-min it differs by tenant: there is no such series. */
static void write_share(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	if (pool->view.policy == FAIR_POLICY_EQUAL)
		exposition_count(out, pool->view.share, "pool=\"%s\"", pool->name);
}

static void write_min_share(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.min_share, "pool=\"%s\"", pool->name);
}

static void write_tenants(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.tenants - pool->view.demanding, "pool=\"%s\",state=\"idle\"", pool->name);
	exposition_count(out, pool->view.demanding, "pool=\"%s\",state=\"demanding\"", pool->name);
	exposition_count(out, pool->view.closing, "pool=\"%s\",state=\"closing\"", pool->name);
}

static void write_waiters(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.waiting, "pool=\"%s\"", pool->name);
}

static void write_absent(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.absent, "pool=\"%s\"", pool->name);
}

static void write_oldest(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	uint64_t at = pool->view.oldest_waiter_ns;

	/* In the order of unsigned numbers the difference of the clocks may be negative. */
	if (at != FAIR_NEVER)
		at += (uint64_t)api->clock_offset_ms * NS_PER_MS;
	exposition_seconds(out, at != FAIR_NEVER ? at : 0, "pool=\"%s\"", pool->name);
}

static void write_fairness(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	/* Billionths, as nanoseconds are. */
	exposition_seconds(out, (uint64_t)(pool->view.fairness_index * 1e9 + 0.5), "pool=\"%s\"", pool->name);
}

static void write_acquires(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->totals.granted, "pool=\"%s\",outcome=\"granted\"", pool->name);
	exposition_count(out, pool->totals.no_slot, "pool=\"%s\",outcome=\"no_slot\"", pool->name);
	exposition_count(out, pool->totals.left, "pool=\"%s\",outcome=\"left\"", pool->name);
	exposition_count(out, pool->totals.refused, "pool=\"%s\",outcome=\"refused\"", pool->name);
}

static void write_ended(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	for (int reason = FAIR_REASON_NONE + 1; reason < FAIR_REASON_COUNT; reason++)
		exposition_count(out, pool->totals.ended[reason], "pool=\"%s\",reason=\"%s\"", pool->name,
						 fair_reason_code((enum fair_reason)reason));
}

static void write_heartbeats(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->totals.renewed, "pool=\"%s\",outcome=\"renewed\"", pool->name);
	exposition_count(out, pool->totals.lost, "pool=\"%s\",outcome=\"lost\"", pool->name);
}

/* A lease that nobody knows is of no pool. */
static void write_strange_heartbeats(struct api *api, struct exposition *out)
{
	exposition_count(out, fair_heartbeats_unknown(api->fair), "outcome=\"lost\"");
}

static void write_failures(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_count(out, pool->view.calculator_failures, "pool=\"%s\"", pool->name);
}

static void write_waits(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_spans(out, &pool->totals.wait, WAIT_LEAST, WAIT_MOST, "pool=\"%s\"", pool->name);
}

static void write_holds(struct api *api, const struct pool_copy *pool, struct exposition *out)
{
	(void)api;
	exposition_spans(out, &pool->totals.hold, HOLD_LEAST, HOLD_MOST, "pool=\"%s\"", pool->name);
}

#define OF_TENANT "pool=\"%s\",tenant=\"%s\"", pool->name, tenant->name

static void write_tenant_active(const struct pool_copy *pool, const struct tenant_copy *tenant, struct exposition *out)
{
	exposition_count(out, tenant->active_slots, OF_TENANT);
}

static void write_tenant_waiters(const struct pool_copy *pool, const struct tenant_copy *tenant, struct exposition *out)
{
	exposition_count(out, tenant->waiting, OF_TENANT);
}

static void write_tenant_grants(const struct pool_copy *pool, const struct tenant_copy *tenant, struct exposition *out)
{
	exposition_count(out, tenant->account.grants, OF_TENANT);
}

static void write_tenant_seconds(const struct pool_copy *pool, const struct tenant_copy *tenant, struct exposition *out)
{
	exposition_seconds(out, tenant->account.slot_ns, OF_TENANT);
}

static const struct family {
	const char *name, *type, *help;
	void (*write)(struct api *api, const struct pool_copy *pool, struct exposition *out); /* one of the two */
	void (*write_tenant)(const struct pool_copy *pool, const struct tenant_copy *tenant, struct exposition *out);
	void (*write_rest)(struct api *api, struct exposition *out); /* what is of no pool, or NULL */
} families[] = {
	{"fairshared_max_slots", "gauge", "Slots of the pool.", write_max_slots, NULL, NULL},
	{"fairshared_min_share", "gauge", "Slots that a demanding tenant may hold at least.", write_min_share, NULL, NULL},
	{"fairshared_slots", "gauge", "Slots by state.", write_slots, NULL, NULL},
	{"fairshared_kept_slots", "gauge", "Free slots that nobody gets now: reserved, resting, or saved for a large request.",
	 write_kept, NULL, NULL},
	{"fairshared_cordoned_slots", "gauge", "Slots out of use.", write_cordoned, NULL, NULL},
	{"fairshared_debt_slots", "gauge", "Slots held above max_slots after it shrank.", write_debt, NULL, NULL},
	{"fairshared_share_slots", "gauge", "Slots that each demanding tenant may hold now, under policy equal.", write_share,
	 NULL, NULL},
	{"fairshared_tenants", "gauge", "Registered tenants by state.", write_tenants, NULL, NULL},
	{"fairshared_waiters", "gauge", "Waiters whose request is attached.", write_waiters, NULL, NULL},
	{"fairshared_waiters_absent", "gauge", "Waiters that keep a place without a request.", write_absent, NULL, NULL},
	{"fairshared_oldest_waiter_timestamp_seconds", "gauge",
	 "When the waiter arrived that has waited longest, of those whose request is attached; 0 while nobody waits.",
	 write_oldest, NULL, NULL},
	{"fairshared_fairness_ratio", "gauge",
	 "Jain's index over the slots of demanding tenants, weighted; 1 while fewer than two demand.", write_fairness, NULL,
	 NULL},
	{"fairshared_acquires_total", "counter", "Acquires by outcome.", write_acquires, NULL, NULL},
	{"fairshared_leases_ended_total", "counter", "Leases that ended, waiting ones too, by reason.", write_ended, NULL,
	 NULL},
	{"fairshared_heartbeats_total", "counter",
	 "Heartbeats by outcome; those of leases that nobody knows have no pool.", write_heartbeats, NULL,
	 write_strange_heartbeats},
	{"fairshared_calculator_failures_total", "counter", "Failures of the share calculator.", write_failures, NULL, NULL},
	{"fairshared_acquire_wait_seconds", "histogram", "How long those who were granted had waited.", write_waits, NULL,
	 NULL},
	{"fairshared_lease_hold_seconds", "histogram", "How long slots were held by leases that have ended.", write_holds,
	 NULL, NULL},
	{"fairshared_tenant_active_slots", "gauge",
	 "Slots that a tenant holds. The tenants that came first have series, the others are " OTHERS ".", NULL,
	 write_tenant_active, NULL},
	{"fairshared_tenant_waiters", "gauge", "Waiters of a tenant whose request is attached.", NULL, write_tenant_waiters,
	 NULL},
	{"fairshared_tenant_grants_total", "counter", "Leases granted to a tenant.", NULL, write_tenant_grants, NULL},
	{"fairshared_tenant_slot_seconds_total", "counter", "Time for which a tenant held slots, of each slot.", NULL,
	 write_tenant_seconds, NULL},
};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

/* Writes a pool's samples of a family, or as many as there is room for in the slice; false: there are more. */
static bool write_pool(struct api *api, struct metrics_work *work, const struct family *family, uint32_t most)
{
	const struct pool_copy *pool = &work->pools[work->at_pool];

	if (family->write != NULL)
		family->write(api, pool, &work->out);
	for (; family->write_tenant != NULL && work->at_tenant < pool->tenant_count; work->at_tenant++) {
		if (work->out.lines >= most)
			return false;
		family->write_tenant(pool, &pool->tenants[work->at_tenant], &work->out);
	}
	work->at_tenant = 0;
	return true;
}

/* Writes the next piece: what is left of a family up to `most` lines. */
static void write_family(struct api *api, struct metrics_work *work, uint32_t most)
{
	const struct family *family = &families[work->family];

	if (work->at_pool == 0 && work->at_tenant == 0 && (work->tenants || family->write_tenant == NULL))
		exposition_family(&work->out, family->name, family->type, family->help);
	for (; work->at_pool < work->pool_count; work->at_pool++) {
		if (work->out.lines >= most || !write_pool(api, work, family, most))
			return;
	}
	if (family->write_rest != NULL)
		family->write_rest(api, &work->out);
	work->at_pool = 0;
	work->family++;
}

static void begin_text(struct api *api, struct metrics_work *work)
{
	exposition_family(&work->out, "fairshared_build_info", "gauge", "The version that runs.");
	exposition_count(&work->out, 1, "version=\"%s\"", api->config.version);
}

static bool metrics_step(struct api *api, uint64_t now, struct sliced *sliced)
{
	struct metrics_work *work = (struct metrics_work *)sliced;
	uint32_t most = work->out.lines + SLICE_UNITS;

	if (!work->all_copied)
		copy(api, now, work);
	if (work->failed || (work->gone && work->pool[0] != '\0'))
		return false;
	if (!work->all_copied)
		return true;
	if (work->out.len == 0)
		begin_text(api, work);
	while (work->family < FAMILIES && work->out.lines < most)
		write_family(api, work, most);
	while (work->family == FAMILIES && work->out.lines < most) {
		if (!api->config.metrics(api->config.metrics_context, work->part++, &work->out))
			return false;
	}
	return !work->out.failed;
}

static void metrics_answer(struct api *api, struct api_request *request, struct sliced *sliced)
{
	struct metrics_work *work = (struct metrics_work *)sliced;
	size_t len = 0;
	char *text = work->failed ? NULL : exposition_take(&work->out, &len);

	if (work->gone && work->pool[0] != '\0')
		refuse_no_pool(api, request, work->pool);
	else if (text == NULL)
		refuse_overloaded(api, request);
	else
		reply_text(api, request, EXPOSITION_TYPE, text, len);
}

static void metrics_destroy(struct sliced *sliced)
{
	struct metrics_work *work = (struct metrics_work *)sliced;

	/* The last may have been begun and not be counted. */
	for (uint32_t i = 0; i < work->pool_count; i++)
		free(work->pools[i].tenants);
	free(work->pools);
	exposition_fini(&work->out);
	free(work);
}

void metrics_send(struct api *api, struct call *call, const char *pool, bool tenants)
{
	struct metrics_work *work = calloc(1, sizeof(*work));

	if (work == NULL) {
		refuse_overloaded(api, call->request);
		return;
	}
	work->sliced = (struct sliced){.step = metrics_step, .answer = metrics_answer, .destroy = metrics_destroy};
	snprintf(work->pool, sizeof(work->pool), "%s", pool != NULL ? pool : "");
	work->tenants = tenants;
	sliced_answer(api, call->request, call->now, &work->sliced);
}

void metrics_get(struct api *api, struct call *call)
{
	metrics_send(api, call, NULL, true);
}
