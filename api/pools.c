/* SPDX-License-Identifier: MIT */
/* /pools */
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "decode.h"
#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "parse.h"
#include "problem.h"
#include "refuse.h"
#include "text.h"

/* GET /pools (listPools): pools are few: always one page. */
void pool_list(struct api *api, struct call *call)
{
	struct fair_pool_view view;
	const char *name;

	write_object(api->out, NULL);
	write_array(api->out, "items");
	for (uint32_t i = 0; (name = fair_pool_name(api->fair, i)) != NULL; i++) {
		if (fair_pool_get(api->fair, call->now, name, &view) == FAIR_OK)
			encode_pool(api, &view);
	}
	write_array_end(api->out);
	write_null(api->out, "next_cursor");
	write_object_end(api->out);
	reply_json(api, call->request, 200);
}

/* GET /pools/{pool} (getPool) */
void pool_get(struct api *api, struct call *call)
{
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, call->now, call->param, &view) != FAIR_OK) {
		refuse_no_pool(api, call->request, call->param);
		return;
	}
	encode_pool(api, &view);
	reply_json(api, call->request, 200);
}

/* ---- at run time ---- */

struct api_pool_info pool_info_plain(void *context, const char *pool)
{
	(void)context;
	(void)pool;
	return (struct api_pool_info){.configured = true};
}

enum fair_err pool_set_plain(void *context, struct fair *fair, uint64_t now, const struct api_pool *pool,
							 bool *ret_created, char reason[API_REASON_MAX])
{
	(void)context;
	*reason = '\0';
	if (pool->share_calculator == NULL || *pool->share_calculator == '\0')
		return fair_pool_set(fair, now, &pool->core, ret_created);
	snprintf(reason, API_REASON_MAX, "there are no expressions here: leave it out");
	return FAIR_OK;
}

enum fair_err pool_remove_plain(void *context, struct fair *fair, uint64_t now, const char *pool)
{
	(void)context;
	return fair_pool_remove(fair, now, pool);
}

static bool can_change(struct api *api, struct call *call)
{
	if (text_is_name(call->param))
		return true;
	refuse_no_pool(api, call->request, call->param);
	return false;
}

static bool change_policy(struct api *api, struct call *call, struct fair_pool_config *core)
{
	char shown[TEXT_SHOWN];

	if (call->in.policy == NULL || parse_policy(call->in.policy, &core->policy))
		return true;
	decode_refuse_member(api, call, "/policy", "'%s' is no policy: use " PARSE_POLICIES,
						 text_show(call->in.policy, shown));
	return false;
}

static bool is_cordoned(const struct fair_pool_config *core, uint32_t slot)
{
	for (uint32_t i = 0; i < core->num_cordoned; i++) {
		if (core->cordoned[i] == slot)
			return true;
	}
	return false;
}

/* A slot past the end is cordoned only if it was before the pool shrank. */
static bool slots_are_there(struct api *api, struct call *call, const struct fair_pool_config *core)
{
	char place[64];
	size_t i;
	json_t *id;

	json_array_foreach(call->in.cordoned, i, id)
	{
		uint32_t slot = (uint32_t)json_integer_value(id);

		if (slot < core->max_slots || is_cordoned(core, slot))
			continue;
		snprintf(place, sizeof(place), "/cordoned/%zu", i);
		decode_refuse_member(api, call, place, "slot %u is not there: the pool has slots 0 to %u", slot,
							 core->max_slots - 1);
		return false;
	}
	return true;
}

/* change_cordoned takes those of the body, in memory to be freed; false: it was answered. */
static bool change_cordoned(struct api *api, struct call *call, struct fair_pool_config *core, uint32_t **ret_slots)
{
	size_t count = json_array_size(call->in.cordoned);

	*ret_slots = NULL;
	if (call->in.cordoned == NULL)
		return true;
	if (!slots_are_there(api, call, core))
		return false;
	*ret_slots = calloc(count + 1, sizeof(**ret_slots));
	if (*ret_slots == NULL) {
		refuse_overloaded(api, call->request);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		(*ret_slots)[i] = (uint32_t)json_integer_value(json_array_get(call->in.cordoned, i));
	core->cordoned = *ret_slots;
	core->num_cordoned = (uint32_t)count;
	return true;
}

static void change_time(uint64_t *time, uint64_t given)
{
	if (given != FAIR_NEVER)
		*time = given;
}

/* change_urls takes those of the body, in memory to be freed; false: it was answered. A pool that only shrinks keeps those
 * of its slots. */
static bool change_urls(struct api *api, struct call *call, struct api_pool *pool, uint32_t old_count,
						const char ***ret_urls)
{
	const json_t *given = call->in.slot_urls;
	size_t count = json_array_size(given);

	*ret_urls = NULL;
	if (given == NULL && pool->slot_urls != NULL && old_count < pool->core.max_slots) {
		decode_refuse_member(api, call, "/max_slots",
							 "the pool has slot_urls for %u slots: send slot_urls with %u, or null for none", old_count,
							 pool->core.max_slots);
		return false;
	}
	if (given == NULL)
		return true;
	pool->slot_urls = NULL;
	if (json_is_null(given))
		return true;
	if (count != pool->core.max_slots) {
		decode_refuse_member(api, call, "/slot_urls", "has %zu addresses: give one for each of the %u slots", count,
							 pool->core.max_slots);
		return false;
	}
	pool->slot_urls = *ret_urls = calloc(count, sizeof(**ret_urls));
	if (*ret_urls == NULL) {
		refuse_overloaded(api, call->request);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		(*ret_urls)[i] = json_string_value(json_array_get(given, i));
	return true;
}

/* change_values sets what the body names; false: it was answered. */
static bool change_values(struct api *api, struct call *call, struct api_pool *pool)
{
	const struct input *in = &call->in;
	struct fair_pool_config *core = &pool->core;

	core->max_slots = in->max_slots > 0 ? (uint32_t)in->max_slots : core->max_slots;
	core->min_share = in->min_share > 0 ? (uint32_t)in->min_share : core->min_share;
	core->max_waiting = in->max_waiting > 0 ? (uint32_t)in->max_waiting : core->max_waiting;
	if (in->share_calculator != NULL)
		pool->share_calculator = in->share_calculator;
	if (in->draining != GIVEN_NOT)
		core->draining = in->draining == GIVEN_TRUE;
	change_time(&core->slot_rest_ns, in->slot_rest_ns);
	change_time(&core->max_lease_ns, in->max_lease_ns);
	change_time(&core->pass_over_ns, in->pass_over_ns);
	change_time(&core->priority_step_ns, in->priority_step_ns);
	if (!change_policy(api, call, core))
		return false;
	if (core->min_share <= core->max_slots)
		return true;
	decode_refuse_member(api, call, in->min_share > 0 ? "/min_share" : "/max_slots",
						 "min_share %u is more than max_slots %u: lower the one or raise the other", core->min_share,
						 core->max_slots);
	return false;
}

/* refuse_policy: what the tenants of the pool have been promised stands against the change. */
static void refuse_policy(struct api *api, struct call *call, enum fair_err err, const struct api_pool *pool)
{
	if (err == FAIR_E_RESERVED)
		decode_refuse_member(
			api, call, "/max_slots",
			"the tenants of the pool have more than %u slots reserved: lower their reserved_slots first",
			pool->core.max_slots);
	else
		decode_refuse_member(
			api, call, "/policy",
			"policy equal knows no weight and no reserved_slots, and a tenant of the pool has one: take "
			"them back first");
}

/* set makes the pool so, and answers with it. */
static void set(struct api *api, struct call *call, const struct api_pool *was, const struct api_pool *pool)
{
	struct audit_change change = audit_compare(was, pool);
	struct api_reply reply = {.status = 200, .content_type = "application/json"};
	char reason[API_REASON_MAX] = "", location[FAIR_NAME_MAX + 16];
	struct fair_pool_view view;
	bool created = false;
	enum fair_err err = api->config.pool_set(api->config.pools_context, api->fair, call->now, pool, &created, reason);

	if (err == FAIR_OK && *reason != '\0') {
		decode_refuse_member(api, call, "/share_calculator", "%s", reason);
		return;
	}
	if (err == FAIR_E_RESERVED || err == FAIR_E_POLICY) {
		refuse_policy(api, call, err, pool);
		return;
	}
	if (err != FAIR_OK || fair_pool_get(api->fair, call->now, pool->core.pool, &view) != FAIR_OK) {
		refuse_overloaded(api, call->request);
		return;
	}
	api_drain(api, call->now);
	if (created) {
		audit_made(api, call, pool);
		snprintf(location, sizeof(location), "/pools/%s", pool->core.pool);
		reply.status = 201;
		reply_locate(&reply, location);
	} else {
		audit_changed(api, call, &change, pool);
	}
	call->request->batch = api->pools_batch;
	encode_pool(api, &view);
	reply_written(api, call->request, &reply);
}

/* change sets what the body names; the rest is as in `pool`, which has `was` for its present values. */
static void change(struct api *api, struct call *call, const struct api_pool *was, struct api_pool *pool)
{
	const char **urls = NULL;
	uint32_t *cordoned = NULL;

	if (change_values(api, call, pool) && change_urls(api, call, pool, was->core.max_slots, &urls) &&
		change_cordoned(api, call, &pool->core, &cordoned))
		set(api, call, was, pool);
	free(urls);
	free(cordoned);
}

/* pool_as_it_is: false without memory. core.cordoned is to be freed. */
static bool pool_as_it_is(const struct api *api, const struct fair_pool_view *view, struct api_pool *ret)
{
	struct api_pool_info info = api->config.pool_info(api->config.pools_context, view->pool);
	uint32_t *cordoned = calloc(view->num_cordoned + 1, sizeof(*cordoned));

	for (uint32_t i = 0; cordoned != NULL && i < view->num_cordoned; i++)
		cordoned[i] = fair_pool_cordoned(api->fair, view->pool, i);
	*ret = (struct api_pool){
		.core = {.pool = view->pool,
				 .max_slots = view->max_slots,
				 .min_share = view->min_share,
				 .max_waiting = view->max_waiting,
				 .tenant_max_waiting = view->tenant_max_waiting,
				 .policy = view->policy,
				 .draining = view->draining,
				 .cordoned = cordoned,
				 .num_cordoned = view->num_cordoned,
				 .slot_rest_ns = view->slot_rest_ns,
				 .max_lease_ns = view->max_lease_ns,
				 .pass_over_ns = view->pass_over_ns,
				 .priority_step_ns = view->priority_step_ns},
		.share_calculator = info.share_calculator,
		.slot_urls = info.num_slot_urls > 0 ? info.slot_urls : NULL,
	};
	return cordoned != NULL;
}

/* change_from makes the change; `fresh` is what the values that the body does not name are, NULL: as they were. */
static void change_from(struct api *api, struct call *call, const struct fair_pool_view *view,
						const struct api_pool *fresh)
{
	struct api_pool was, pool;

	if (pool_as_it_is(api, view, &was)) {
		pool = fresh != NULL ? *fresh : was;
		change(api, call, &was, &pool);
	} else {
		refuse_overloaded(api, call->request);
	}
	free((uint32_t *)(uintptr_t)was.core.cordoned);
}

/* PUT /pools/{pool} (putPool): what it does not name gets its default. */
void pool_put(struct api *api, struct call *call)
{
	struct api_pool pool = {.core = {.pool = call->param,
									 .min_share = 1,
									 .max_waiting = api->config.max_waiting,
									 .tenant_max_waiting = api->config.tenant_max_waiting,
									 .pass_over_ns = FAIR_PASS_OVER_NS,
									 .priority_step_ns = FAIR_PRIORITY_STEP_NS}};
	const struct api_pool none = {0};
	struct fair_pool_view view;

	if (!can_change(api, call))
		return;
	if (fair_pool_get(api->fair, call->now, call->param, &view) == FAIR_OK)
		change_from(api, call, &view, &pool);
	else
		change(api, call, &none, &pool);
}

/* PATCH /pools/{pool} (patchPool) */
void pool_patch(struct api *api, struct call *call)
{
	struct fair_pool_view view;

	if (!can_change(api, call))
		return;
	if (fair_pool_get(api->fair, call->now, call->param, &view) == FAIR_OK)
		change_from(api, call, &view, NULL);
	else
		refuse_no_pool(api, call->request, call->param);
}

static bool refused_removal(struct api *api, struct call *call)
{
	if (strcmp(call->param, "default") == 0)
		problem_send(api, call->request, PROBLEM_POOL_CONFIGURED,
					 "pool 'default' is that of requests that name none: it cannot be removed");
	else if (api->config.pool_info(api->config.pools_context, call->param).configured)
		problem_send(
			api, call->request, PROBLEM_POOL_CONFIGURED,
			"pool '%s' is named in the configuration: take it out there and send SIGHUP, or restart the server",
			call->param);
	else
		return false;
	return true;
}

/* DELETE /pools/{pool} (deletePool) */
void pool_delete(struct api *api, struct call *call)
{
	const struct api_detail pool = AUDIT_TEXT("pool", call->param);
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, call->now, call->param, &view) != FAIR_OK) {
		refuse_no_pool(api, call->request, call->param);
		return;
	}
	if (refused_removal(api, call))
		return;
	if (api->config.pool_remove(api->config.pools_context, api->fair, call->now, call->param) != FAIR_OK) {
		problem_send(api, call->request, FAIR_E_POOL_IN_USE,
					 "pool '%s' has %u leases and %u waiters: end them first, or wait until they have left",
					 call->param, view.active_slots, view.waiting + view.absent);
		return;
	}
	api_drain(api, call->now);
	audit_tell(api, call, "remove", &pool, 1);
	call->request->batch = api->pools_batch;
	reply_empty(api, call->request, 204, NULL);
}
