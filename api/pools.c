/* SPDX-License-Identifier: MIT */
/* /pools */
#include <stdio.h>

#include "decode.h"
#include "encode.h"
#include "handlers.h"
#include "internal.h"
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
	const struct fair_pool_config config = {.pool = pool->name,
											.max_slots = pool->max_slots,
											.min_share = pool->min_share,
											.max_waiting = pool->max_waiting,
											.tenant_max_waiting = pool->tenant_max_waiting};

	(void)context;
	*reason = '\0';
	if (pool->share_calculator == NULL || *pool->share_calculator == '\0')
		return fair_pool_set(fair, now, &config, ret_created);
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
	char shown[TEXT_SHOWN];

	if (!text_is_name(call->param)) {
		refuse_no_pool(api, call->request, call->param);
		return false;
	}
	if (call->in.policy != NULL && strcmp(call->in.policy, "equal") != 0) {
		decode_refuse_member(api, call, "/policy", "'%s' is no policy: use equal", text_show(call->in.policy, shown));
		return false;
	}
	return true;
}

/* change sets what the body names; the rest stays as in `pool`. */
static void change(struct api *api, struct call *call, struct api_pool *pool)
{
	const struct input *in = &call->in;
	struct api_reply reply = {.status = 200, .content_type = "application/json"};
	char reason[API_REASON_MAX] = "", location[FAIR_NAME_MAX + 16];
	struct fair_pool_view view;
	bool created = false;
	enum fair_err err;

	pool->max_slots = in->max_slots > 0 ? (uint32_t)in->max_slots : pool->max_slots;
	pool->min_share = in->min_share > 0 ? (uint32_t)in->min_share : pool->min_share;
	pool->max_waiting = in->max_waiting > 0 ? (uint32_t)in->max_waiting : pool->max_waiting;
	if (in->share_calculator != NULL)
		pool->share_calculator = in->share_calculator;
	if (pool->min_share > pool->max_slots) {
		decode_refuse_member(api, call, in->min_share > 0 ? "/min_share" : "/max_slots",
							 "min_share %u is more than max_slots %u: lower the one or raise the other",
							 pool->min_share, pool->max_slots);
		return;
	}
	err = api->config.pool_set(api->config.pools_context, api->fair, call->now, pool, &created, reason);
	if (err == FAIR_OK && *reason != '\0') {
		decode_refuse_member(api, call, "/share_calculator", "%s", reason);
		return;
	}
	if (err != FAIR_OK || fair_pool_get(api->fair, call->now, pool->name, &view) != FAIR_OK) {
		refuse_overloaded(api, call->request);
		return;
	}
	api_drain(api, call->now);
	if (created) {
		snprintf(location, sizeof(location), "/pools/%s", pool->name);
		reply.status = 201;
		reply_locate(&reply, location);
	}
	call->request->batch = api->pools_batch;
	encode_pool(api, &view);
	reply_written(api, call->request, &reply);
}

static struct api_pool pool_as_it_is(const struct api *api, const struct fair_pool_view *view)
{
	return (struct api_pool){
		.name = view->pool,
		.max_slots = view->max_slots,
		.min_share = view->min_share,
		.max_waiting = view->max_waiting,
		.tenant_max_waiting = view->tenant_max_waiting,
		.share_calculator = api->config.pool_info(api->config.pools_context, view->pool).share_calculator,
	};
}

/* PUT /pools/{pool} (putPool): what it does not name gets its default. */
void pool_put(struct api *api, struct call *call)
{
	struct api_pool pool = {
		.name = call->param,
		.min_share = 1,
		.max_waiting = api->config.max_waiting,
		.tenant_max_waiting = api->config.tenant_max_waiting,
	};

	if (can_change(api, call))
		change(api, call, &pool);
}

/* PATCH /pools/{pool} (patchPool) */
void pool_patch(struct api *api, struct call *call)
{
	struct fair_pool_view view;
	struct api_pool pool;

	if (!can_change(api, call))
		return;
	if (fair_pool_get(api->fair, call->now, call->param, &view) != FAIR_OK) {
		refuse_no_pool(api, call->request, call->param);
		return;
	}
	pool = pool_as_it_is(api, &view);
	change(api, call, &pool);
}

/* DELETE /pools/{pool} (deletePool) */
void pool_delete(struct api *api, struct call *call)
{
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, call->now, call->param, &view) != FAIR_OK) {
		refuse_no_pool(api, call->request, call->param);
		return;
	}
	if (api->config.pool_info(api->config.pools_context, call->param).configured) {
		problem_send(api, call->request, PROBLEM_POOL_CONFIGURED,
					 "pool '%s' is named in the configuration: take it out there and restart the server", call->param);
		return;
	}
	if (api->config.pool_remove(api->config.pools_context, api->fair, call->now, call->param) != FAIR_OK) {
		problem_send(api, call->request, FAIR_E_POOL_IN_USE,
					 "pool '%s' has %u leases and %u waiters: end them first, or wait until they have left", call->param,
					 view.active_slots, view.waiting + view.absent);
		return;
	}
	api_drain(api, call->now);
	call->request->batch = api->pools_batch;
	reply_empty(api, call->request, 204, NULL);
}
