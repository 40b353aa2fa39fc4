/* SPDX-License-Identifier: MIT */
/* /leases and /check. */
#include <inttypes.h>
#include <stdio.h>

#include "audit.h"
#include "decode.h"
#include "encode.h"
#include "handlers.h"
#include "id.h"
#include "leases.h"
#include "lists.h"
#include "problem.h"
#include "refuse.h"
#include "revoke.h"
#include "text.h"

#define LEASES "/leases/"

static uint64_t wait_of(const struct api *api, const struct call *call)
{
	if (call->in.query_wait_ns != FAIR_NEVER)
		return call->in.query_wait_ns;
	return call->in.body_wait_ns != FAIR_NEVER ? call->in.body_wait_ns : api->config.default_wait_ns;
}

void lease_tell(struct api *api, struct api_request *request, uint64_t now, const struct fair_lease_view *view,
				bool post)
{
	struct api_reply reply = {.status = post ? 201 : 200, .content_type = "application/json"};
	struct fair_id told = view->id;

	request->told_grant = true;
	request->told = told;
	if (post) {
		memcpy(reply.location, LEASES, strlen(LEASES));
		id_format(&told, reply.location + strlen(LEASES));
	}
	encode_lease(api, now, view);
	/* A client that could not be told has not got the lease: as if its answer had been lost. */
	if (!reply_written(api, request, &reply))
		fair_detach(api->fair, now, &told, FAIR_DETACH_BROKEN);
}

/* ---- POST /leases (acquireLease) ---- */

/* The tenant is looked at first: what the refused request frees may be granted on, but to no waiter of its own. */
static void refuse_queue_full(struct api *api, struct call *call)
{
	const char *tenant = call->in.tenant_id, *pool = call_pool(call);
	struct fair_pool_view limits;
	struct fair_tenant_view own;
	char how[FAIR_NAME_MAX + 96];
	bool full;

	if (fair_pool_get(api->fair, call->now, pool, &limits) != FAIR_OK ||
		fair_tenant_get(api->fair, pool, tenant, &own) != FAIR_OK) {
		refuse_overloaded(api, call->request);
		return;
	}
	full = own.waiting + own.absent >= own.max_waiting;
	if (full && own.policy.max_waiting > 0)
		snprintf(how, sizeof(how), "set a larger max_waiting with PATCH /tenants/%s", tenant);
	else if (strcmp(pool, "default") == 0)
		snprintf(how, sizeof(how), "start the server with a larger --%smax-waiting", full ? "tenant-" : "");
	else
		snprintf(how, sizeof(how), "start the server with a larger %smax_waiting in the section [pool %s]",
				 full ? "tenant_" : "", pool);
	if (full)
		problem_send(api, call->request, FAIR_E_QUEUE_FULL,
					 "tenant '%s' has its limit of %" PRIu32 " waiters in pool '%s': ask again later, or %s", tenant,
					 own.max_waiting, pool, how);
	else
		problem_send(api, call->request, FAIR_E_QUEUE_FULL,
					 "pool '%s' has its limit of %" PRIu32 " waiters: ask again later, or %s", pool, limits.max_waiting,
					 how);
}

static void refuse_acquire(struct api *api, struct call *call, enum fair_err err, const struct fair_acquired *got)
{
	const char *tenant = call->in.tenant_id, *pool = call_pool(call);
	struct fair_lease_view view;

	switch (err) {
	case FAIR_E_NO_SLOT:
		refuse_no_slot(api, call->request, &got->place, got->placed ? &got->id : NULL);
		break;
	case FAIR_E_LEASE_ENDED:
		if (fair_lease_get(api->fair, call->now, &got->id, &view) == FAIR_OK)
			refuse_ended(api, call->request, &view);
		else
			refuse_overloaded(api, call->request);
		break;
	case FAIR_E_POOL_NOT_FOUND:
		problem_send(api, call->request, PROBLEM_NAMED_POOL, "pool '%s' is not there: GET /pools lists those that are",
					 pool);
		break;
	case FAIR_E_TENANT_NOT_REGISTERED:
		problem_send(api, call->request, FAIR_E_TENANT_NOT_REGISTERED,
					 "tenant '%s' is not registered in pool '%s': POST /tenants first, or start the server with "
					 "--auto-register",
					 tenant, pool);
		break;
	case FAIR_E_TENANT_CLOSING:
		refuse_closing(api, call->request, tenant);
		break;
	case FAIR_E_KEY_REUSED:
		problem_send(
			api, call->request, FAIR_E_KEY_REUSED,
			"the Idempotency-Key of tenant '%s' stands for a request with other slots, ttl_seconds, priority, label "
			"or max_lease_seconds: use a new key for each acquire",
			tenant);
		break;
	case FAIR_E_QUEUE_FULL:
		refuse_queue_full(api, call);
		break;
	case FAIR_E_TOO_MANY_SLOTS:
		refuse_too_many_slots(api, call->request, tenant);
		break;
	case FAIR_E_TOO_MANY_TENANTS:
		problem_send(api, call->request, FAIR_E_TOO_MANY_TENANTS,
					 "pool '%s' has its limit of tenants: unregister some, or raise max_tenants", pool);
		break;
	default:
		refuse_overloaded(api, call->request);
	}
}

/* While the server drains only a lease that is there already is given. */
static bool stands_for_lease(struct api *api, struct call *call, const char *key, size_t key_len)
{
	struct fair_lease_view view;
	struct fair_id id;

	return key != NULL && fair_key_find(api->fair, call_pool(call), call->in.tenant_id, key, key_len, &id) &&
		   fair_lease_get(api->fair, call->now, &id, &view) == FAIR_OK && view.state == FAIR_ACTIVE;
}

/* What the server, and not the pool, has against an acquire. */
static bool refused_by_server(struct api *api, struct call *call, const char *key, size_t key_len)
{
	if (api->readiness == API_NOT_READY)
		problem_send(api, call->request, PROBLEM_NOT_READY, "the server is still starting: repeat the request");
	else if (api->readiness == API_DRAINING && !stands_for_lease(api, call, key, key_len))
		refuse_draining(api, call->request);
	else if (api_full(api) && wait_of(api, call) > 0)
		refuse_overloaded(api, call->request);
	else
		return false;
	return true;
}

static void supersede(struct api *api, uint64_t now, const struct fair_id *id)
{
	struct api_parked *entry = parked_first(api, id), *next;

	for (; entry != NULL; entry = next) {
		next = entry->next;
		if (entry->kind != PARKED_POST)
			continue;
		refuse_superseded(api, parked_take(api, entry));
		fair_detach(api->fair, now, id, FAIR_DETACH_ANSWERED);
	}
}

/* Tells what is granted and durable; false when the request has to wait for that. */
static bool tell_granted(struct api *api, struct call *call, const struct fair_acquired *got)
{
	struct fair_lease_view view;

	if (got->state != FAIR_ACTIVE)
		return false;
	api_drain(api, call->now); /* a store that keeps nothing has confirmed it by then */
	if (fair_lease_get(api->fair, call->now, &got->id, &view) != FAIR_OK || view.state != FAIR_ACTIVE || !view.confirmed)
		return false;
	call->request->batch = renewed_batch(api, &view.id); /* it tells the ttl */
	lease_tell(api, call->request, call->now, &view, true);
	return true;
}

/* The request is attached to what it got: tell, or wait for the grant or for its commit. */
static void acquired(struct api *api, struct call *call, const struct fair_acquired *got)
{
	if (tell_granted(api, call, got))
		return;
	call->request->brief = got->state == FAIR_ACTIVE;
	if (parked_add(api, call->request, &got->id, PARKED_POST, call->now + wait_of(api, call)))
		return;
	fair_detach(api->fair, call->now, &got->id, FAIR_DETACH_BROKEN);
	refuse_overloaded(api, call->request);
}

void lease_acquire(struct api *api, struct call *call)
{
	struct fair_acquired got = {0};
	struct fair_request ask = {
		.pool = call_pool(call),
		.tenant = call->in.tenant_id,
		.label = call->in.label != NULL ? call->in.label : "",
		.ttl_ns = call->in.ttl_ns != FAIR_NEVER ? call->in.ttl_ns : api->config.default_ttl_ns,
		.slots = (uint32_t)call->in.slots,
		.priority = (int32_t)call->in.priority,
		.max_lease_ns = call->in.max_lease_ns != FAIR_NEVER ? call->in.max_lease_ns : 0,
		.wait = wait_of(api, call) > 0,
		.auto_register = api->config.auto_register,
	};
	char key[FAIR_KEY_MAX];
	enum fair_err err;

	if (!decode_key(api, call, key, &ask.key, &ask.key_len) || refused_by_server(api, call, ask.key, ask.key_len))
		return;
	api_random(api, &ask.id, sizeof(ask.id));
	err = fair_acquire(api->fair, call->now, &ask, &got);
	if ((err == FAIR_OK && got.known) || (err == FAIR_E_NO_SLOT && got.placed))
		supersede(api, call->now, &got.id);
	if (err == FAIR_OK) {
		acquired(api, call, &got);
	} else {
		events_refused(api, call->now, ask.pool, ask.tenant, ask.label, err);
		refuse_acquire(api, call, err, &got);
	}
}

/* ---- one lease ---- */

/* Sets a request aside until the grant of its lease is durable or taken back. */
static void set_aside(struct api *api, struct call *call, const struct fair_id *id)
{
	if (!parked_add(api, call->request, id, PARKED_ASIDE, FAIR_NEVER))
		refuse_overloaded(api, call->request);
}

bool lease_unconfirmed(const struct fair_lease_view *view)
{
	return view->state == FAIR_ACTIVE && !view->confirmed;
}

/* Looks up the lease of the path; false: the request was answered, or set aside. */
static bool find(struct api *api, struct call *call, struct fair_lease_view *ret)
{
	struct fair_id id;

	if (!id_parse(call->param, &id) || fair_lease_get(api->fair, call->now, &id, ret) != FAIR_OK) {
		refuse_no_lease(api, call->request, call->param);
		return false;
	}
	if (lease_unconfirmed(ret)) {
		set_aside(api, call, &id);
		return false;
	}
	return true;
}

static void attach(struct api *api, struct call *call, const struct fair_id *id)
{
	uint64_t deadline = call->now + call->in.query_wait_ns;

	if (api_full(api) || fair_attach(api->fair, call->now, id) != FAIR_OK) {
		refuse_overloaded(api, call->request);
		return;
	}
	if (parked_add(api, call->request, id, PARKED_GET, deadline))
		return;
	fair_detach(api->fair, call->now, id, FAIR_DETACH_ANSWERED);
	refuse_overloaded(api, call->request);
}

/* GET /leases/{id} (getLease) */
void lease_get(struct api *api, struct call *call)
{
	struct fair_lease_view view;

	if (!find(api, call, &view))
		return;
	if (view.state == FAIR_ENDED) {
		refuse_ended(api, call->request, &view);
		return;
	}
	if (view.state == FAIR_PENDING && call->in.query_wait_ns != FAIR_NEVER && !call->head) {
		if (api->readiness == API_DRAINING)
			refuse_draining(api, call->request);
		else
			attach(api, call, &view.id);
		return;
	}
	call->request->batch = renewed_batch(api, &view.id);
	if (reply_lease(api, call->request, call->now, &view) && view.state == FAIR_ACTIVE && !call->head)
		fair_claim(api->fair, call->now, &view.id);
}

/* PUT /leases/{id} (renewLease) */
void lease_renew(struct api *api, struct call *call)
{
	uint64_t ttl_ns = call->in.ttl_ns != FAIR_NEVER ? call->in.ttl_ns : 0;
	struct fair_lease_view view = {.number = 0};
	struct fair_id id;

	if (!find(api, call, &view)) {
		if (view.number == 0)
			fair_heartbeat_unknown(api->fair);
		return;
	}
	id = view.id;
	switch (fair_heartbeat(api->fair, call->now, &id, ttl_ns)) {
	case FAIR_OK:
		break;
	case FAIR_E_LEASE_PENDING:
		problem_send(api, call->request, FAIR_E_LEASE_PENDING,
					 "lease '%s' has no slot yet: GET it with ?wait= until it is active", call->param);
		return;
	case FAIR_E_LEASE_ENDED:
		refuse_ended(api, call->request, &view);
		return;
	default:
		refuse_no_lease(api, call->request, call->param);
		return;
	}
	api_drain(api, call->now);
	call->request->batch = renewed_batch(api, &id);
	if (fair_lease_get(api->fair, call->now, &id, &view) == FAIR_OK)
		reply_lease(api, call->request, call->now, &view);
	else
		refuse_no_lease(api, call->request, call->param);
}

static void audit_revoke(struct api *api, const struct call *call, const struct fair_lease_view *view)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", view->pool), AUDIT_TEXT("tenant_id", view->tenant),
										 AUDIT_TEXT("lease", call->param), AUDIT_TEXT("label", view->label)};

	audit_tell(api, call, "revoke", details, sizeof(details) / sizeof(details[0]));
}

/* end_one gives a lease back, or ends it for another; repeated it answers as before. */
static enum fair_err end_one(struct api *api, struct call *call, const struct fair_lease_view *view)
{
	if (!call->in.revoke)
		return fair_release(api->fair, call->now, &view->id);
	if (view->state == FAIR_ENDED && view->reason == FAIR_REASON_REVOKED)
		return FAIR_OK;
	if (view->state != FAIR_ENDED)
		audit_revoke(api, call, view);
	return fair_revoke(api->fair, call->now, &view->id);
}

/* DELETE /leases/{id} (releaseLease) */
void lease_release(struct api *api, struct call *call)
{
	struct fair_lease_view view;

	if (!find(api, call, &view))
		return;
	switch (end_one(api, call, &view)) {
	case FAIR_OK:
		reply_empty(api, call->request, 204, NULL);
		break;
	case FAIR_E_LEASE_ENDED:
		refuse_ended(api, call->request, &view);
		break;
	default:
		refuse_no_lease(api, call->request, call->param);
	}
}

/* What goes not with a key; true: it was answered. */
static bool refused_with_key(struct api *api, struct call *call)
{
	const struct input *in = &call->in;
	const char *surplus = in->revoke				? "revoke"
						  : in->label != NULL		? "label"
						  : in->state != FAIR_ENDED ? "state"
													: NULL;

	if (surplus != NULL)
		decode_refuse(api, call, surplus, "goes not with an Idempotency-Key: that gives up one acquire");
	else if (in->tenant_id == NULL)
		decode_refuse(api, call, "tenant_id", "is missing: name the tenant that the key belongs to");
	else
		return false;
	return true;
}

/* DELETE /leases (endLeases): gives up one acquire by its key, or revokes all leases that the query names. */
void lease_end_many(struct api *api, struct call *call)
{
	char bytes[FAIR_KEY_MAX];
	const char *key;
	size_t len;

	if (!decode_key(api, call, bytes, &key, &len))
		return;
	if (key == NULL && call->in.revoke) {
		revoke_all(api, call);
	} else if (key == NULL) {
		decode_refuse(
			api, call, call->in.tenant_id == NULL ? "tenant_id" : "Idempotency-Key",
			"is missing: give tenant_id and the Idempotency-Key of the acquire to give up, or revoke=true to end "
			"all leases of a pool, tenant_id or label");
	} else if (!refused_with_key(api, call)) {
		fair_cancel(api->fair, call->now, call_pool(call), call->in.tenant_id, key, len);
		reply_empty(api, call->request, 204, NULL);
	}
}

/* GET /check (checkLease) */
void lease_check(struct api *api, struct call *call)
{
	struct fair_lease_view view;
	struct fair_id id;
	char shown[TEXT_SHOWN];
	bool there = id_parse(call->in.lease, &id) && fair_lease_get(api->fair, call->now, &id, &view) == FAIR_OK;

	if (there && lease_unconfirmed(&view))
		set_aside(api, call, &id);
	else if (there && view.state == FAIR_ACTIVE)
		reply_empty(api, call->request, 204, NULL);
	else
		problem_send(api, call->request, PROBLEM_LEASE_NOT_ACTIVE,
					 "lease '%s' is not active: acquire one with POST /leases", text_show(call->in.lease, shown));
}

/* ---- GET /leases (listLeases) ---- */

static bool shown_in_list(const struct call *call, const struct fair_lease_view *view)
{
	enum fair_state state = view->confirmed ? view->state : FAIR_PENDING;

	if (call->in.state != FAIR_ENDED && call->in.state != state)
		return false;
	return call->in.label == NULL || strcmp(call->in.label, view->label) == 0;
}

static bool list_pool(struct api *api, struct page *page, const char *pool, uint64_t after, void *context)
{
	struct call *call = context;
	enum fair_state walk = call->in.state;
	struct fair_lease_view view;

	/* The core counts a grant as active at once, the list only when it is durable. */
	if (walk == FAIR_PENDING && api->unconfirmed > 0)
		walk = FAIR_ENDED;
	while (fair_lease_next(api->fair, pool, call->in.tenant_id, walk, after, &view)) {
		if (page_full(page, pool, after))
			return false;
		after = view.number;
		page->scanned++;
		if (!shown_in_list(call, &view))
			continue;
		page->shown++;
		encode_lease(api, call->now, &view);
	}
	return true;
}

static bool tenant_is_there(struct api *api, const char *tenant, const char *only_pool)
{
	struct fair_tenant_view view;
	const char *pool;

	if (only_pool != NULL)
		return fair_tenant_get(api->fair, only_pool, tenant, &view) == FAIR_OK;
	for (uint32_t i = 0; (pool = fair_pool_name(api->fair, i)) != NULL; i++) {
		if (fair_tenant_get(api->fair, pool, tenant, &view) == FAIR_OK)
			return true;
	}
	return false;
}

void lease_list(struct api *api, struct call *call)
{
	struct fair_pool_view pool;
	struct page page;

	if (call->in.pool != NULL && fair_pool_get(api->fair, call->now, call->in.pool, &pool) != FAIR_OK) {
		refuse_no_pool(api, call->request, call->in.pool);
		return;
	}
	if (call->in.tenant_id != NULL && !tenant_is_there(api, call->in.tenant_id, call->in.pool)) {
		problem_send(api, call->request, FAIR_E_TENANT_NOT_FOUND,
					 "tenant '%s' is not there: POST /tenants registers it", call->in.tenant_id);
		return;
	}
	if (!page_begin(api, call, &page))
		return;
	page_pools(api, &page, list_pool, call);
	page_send(api, call, &page);
}
