/* SPDX-License-Identifier: MIT */
/* /tenants */
#include <stdio.h>

#include "audit.h"
#include "decode.h"
#include "encode.h"
#include "handlers.h"
#include "lists.h"
#include "problem.h"
#include "refuse.h"
#include "text.h"

static void refuse(struct api *api, struct call *call, enum fair_err err, const char *tenant)
{
	const char *pool = call_pool(call);
	char shown[TEXT_SHOWN];

	switch (err) {
	case FAIR_E_POOL_NOT_FOUND:
		refuse_no_pool(api, call->request, pool);
		break;
	case FAIR_E_TENANT_NOT_FOUND:
		refuse_no_tenant(api, call->request, tenant, pool);
		break;
	case FAIR_E_TOO_MANY_TENANTS:
		problem_send(api, call->request, FAIR_E_TOO_MANY_TENANTS,
					 "pool '%s' has its limit of tenants: unregister some, or raise max_tenants", pool);
		break;
	case FAIR_E_TOO_MANY_INSTANCES:
		problem_send(api, call->request, FAIR_E_TOO_MANY_INSTANCES, "tenant '%s' has %d instances: unregister some",
					 text_show(tenant, shown), FAIR_INSTANCES_MAX);
		break;
	default:
		refuse_overloaded(api, call->request);
	}
}

/* POST /tenants (registerTenant) */
void tenant_register(struct api *api, struct call *call)
{
	struct api_reply reply = {.status = 200, .content_type = "application/json"};
	char location[2 * FAIR_NAME_MAX + 32];
	struct fair_tenant_view view;
	const char *pool = call_pool(call);
	bool created = false;
	enum fair_err err = fair_register(api->fair, call->now, pool, call->in.tenant_id, call->in.instance, &created);

	api_drain(api, call->now);
	call->request->batch = api->tenants_batch;
	if (err == FAIR_OK)
		err = fair_tenant_get(api->fair, pool, call->in.tenant_id, &view);
	if (err == FAIR_E_POOL_NOT_FOUND) {
		problem_send(api, call->request, PROBLEM_NAMED_POOL, "pool '%s' is not there: GET /pools lists those that are",
					 pool);
		return;
	}
	if (err != FAIR_OK) {
		refuse(api, call, err, call->in.tenant_id);
		return;
	}
	if (created) {
		bool plain = strcmp(pool, "default") == 0;

		/* Names are made of characters that need no escape in a path or query. */
		snprintf(location, sizeof(location), "/tenants/%s%s%s", view.tenant, plain ? "" : "?pool=", plain ? "" : pool);
		reply.status = 201;
		reply_locate(&reply, location);
	}
	encode_tenant(api, &view);
	reply_written(api, call->request, &reply);
}

static void reply_tenant(struct api *api, struct call *call, unsigned status, const struct fair_tenant_view *view)
{
	encode_tenant(api, view);
	reply_json(api, call->request, status);
}

/* GET /tenants/{tenant_id} (getTenant) */
void tenant_get(struct api *api, struct call *call)
{
	struct fair_tenant_view view;
	enum fair_err err = FAIR_E_TENANT_NOT_FOUND;

	if (text_is_name(call->param))
		err = fair_tenant_get(api->fair, call_pool(call), call->param, &view);
	if (err == FAIR_OK)
		reply_tenant(api, call, 200, &view);
	else
		refuse(api, call, err, call->param);
}

/* ---- PATCH /tenants/{tenant_id} (patchTenant) ---- */

static void change(const struct input *in, struct fair_tenant_policy *policy)
{
	if (in->weight != FAIR_NEVER)
		policy->weight = (uint32_t)in->weight;
	if (in->reserved_slots != FAIR_NEVER)
		policy->reserved_slots = (uint32_t)in->reserved_slots;
	if (in->cap != FAIR_NEVER)
		policy->max_slots = (uint32_t)in->cap;
	if (in->own_waiting != FAIR_NEVER)
		policy->max_waiting = (uint32_t)in->own_waiting;
}

static void audit_number(struct api *api, const struct call *call, const char *key, double was, double is)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", call_pool(call)), AUDIT_TEXT("tenant_id", call->param),
										 AUDIT_TEXT("key", key), AUDIT_NUMBER("was", was), AUDIT_NUMBER("is", is)};

	if (was != is)
		audit_tell(api, call, "set", details, sizeof(details) / sizeof(details[0]));
}

static void audit_policy(struct api *api, const struct call *call, const struct fair_tenant_policy *was,
						 const struct fair_tenant_policy *is)
{
	audit_number(api, call, "weight", (double)was->weight / FAIR_WEIGHT_ONE, (double)is->weight / FAIR_WEIGHT_ONE);
	audit_number(api, call, "reserved_slots", was->reserved_slots, is->reserved_slots);
	audit_number(api, call, "max_slots", was->max_slots, is->max_slots);
	audit_number(api, call, "max_waiting", was->max_waiting, is->max_waiting);
}

static void refuse_policy(struct api *api, struct call *call, enum fair_err err)
{
	const char *member =
		call->in.weight != FAIR_NEVER && call->in.weight != FAIR_WEIGHT_ONE ? "/weight" : "/reserved_slots";

	if (err == FAIR_E_RESERVED)
		decode_refuse_member(
			api, call, "/reserved_slots",
			"with these the tenants of pool '%s' would have more slots reserved than it has: reserve fewer",
			call_pool(call));
	else if (err == FAIR_E_POLICY)
		decode_refuse_member(
			api, call, member,
			"pool '%s' has policy equal, which knows no weight and no reserved_slots: leave it out, or "
			"give the pool policy max-min",
			call_pool(call));
	else
		refuse(api, call, err, call->param);
}

void tenant_patch(struct api *api, struct call *call)
{
	const char *pool = call_pool(call);
	struct fair_tenant_policy was = {0}, policy;
	struct fair_tenant_view view;
	enum fair_err err = FAIR_E_TENANT_NOT_FOUND;

	if (text_is_name(call->param))
		err = fair_tenant_get(api->fair, pool, call->param, &view);
	if (err == FAIR_OK) {
		was = policy = view.policy;
		change(&call->in, &policy);
		if (policy.max_slots > 0 && policy.reserved_slots > policy.max_slots) {
			decode_refuse_member(api, call, call->in.reserved_slots != FAIR_NEVER ? "/reserved_slots" : "/max_slots",
								 "reserved_slots %u is more than max_slots %u: lower the one or raise the other",
								 policy.reserved_slots, policy.max_slots);
			return;
		}
		err = fair_tenant_set(api->fair, call->now, pool, call->param, &policy);
	}
	api_drain(api, call->now);
	if (err == FAIR_OK)
		err = fair_tenant_get(api->fair, pool, call->param, &view);
	if (err != FAIR_OK) {
		refuse_policy(api, call, err);
		return;
	}
	audit_policy(api, call, &was, &view.policy);
	call->request->batch = api->tenants_batch;
	reply_tenant(api, call, 200, &view);
}

/* DELETE /tenants/{tenant_id} (unregisterTenant) */
void tenant_unregister(struct api *api, struct call *call)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", call_pool(call)), AUDIT_TEXT("tenant_id", call->param)};
	enum fair_unregistered how = FAIR_UNREGISTERED_GONE;
	enum fair_err err = FAIR_E_TENANT_NOT_FOUND;
	struct fair_tenant_view view;

	if (call->in.force && call->in.instance != NULL) {
		decode_refuse(api, call, "force",
					  "goes not with instance: it takes all registrations, leave one of the two out");
		return;
	}
	if (text_is_name(call->param))
		err = fair_unregister(api->fair, call->now, call_pool(call), call->param, call->in.instance, call->in.force,
							  &how);
	api_drain(api, call->now);
	call->request->batch = api->tenants_batch;
	if (err != FAIR_OK) {
		refuse(api, call, err, call->param);
		return;
	}
	if (call->in.force)
		audit_tell(api, call, "force", details, sizeof(details) / sizeof(details[0]));
	if (how == FAIR_UNREGISTERED_GONE || fair_tenant_get(api->fair, call_pool(call), call->param, &view) != FAIR_OK)
		reply_empty(api, call->request, 204, NULL);
	else
		reply_tenant(api, call, how == FAIR_UNREGISTERED_CLOSING ? 202 : 200, &view);
}

static bool list_pool(struct api *api, struct page *page, const char *pool, uint64_t after, void *context)
{
	struct fair_tenant_view view;

	(void)context;
	while (fair_tenant_next(api->fair, pool, after, &view)) {
		if (page_full(page, pool, after))
			return false;
		after = view.number;
		page->scanned++;
		page->shown++;
		encode_tenant(api, &view);
	}
	return true;
}

/* GET /tenants (listTenants) */
void tenant_list(struct api *api, struct call *call)
{
	struct fair_pool_view pool;
	struct page page;

	if (call->in.pool != NULL && fair_pool_get(api->fair, call->now, call->in.pool, &pool) != FAIR_OK) {
		refuse_no_pool(api, call->request, call->in.pool);
		return;
	}
	if (!page_begin(api, call, &page))
		return;
	page_pools(api, &page, list_pool, NULL);
	page_send(api, call, &page);
}
