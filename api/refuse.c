/* SPDX-License-Identifier: MIT */
#include "refuse.h"

#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "id.h"
#include "internal.h"
#include "problem.h"
#include "text.h"

void refuse_ended(struct api *api, struct api_request *request, const struct fair_lease_view *view)
{
	char id[ID_TEXT_LEN + 1], when[ENCODE_TIME_SIZE];
	const char *reason = fair_reason_code(view->reason);

	id_format(&view->id, id);
	encode_time(api, view->ended_ns, when);
	problem_begin(api, request, FAIR_E_LEASE_ENDED,
				  "lease '%s' ended at %s (%s): acquire a new one, with a new Idempotency-Key", id, when, reason);
	write_string(api->out, "reason", reason);
	write_string(api->out, "ended_at", when);
	problem_end(api, request, FAIR_E_LEASE_ENDED, NULL, NULL);
}

void refuse_no_slot(struct api *api, struct api_request *request, const struct fair_place *place,
					const struct fair_id *id)
{
	const char *advice =
		id == NULL ? "ask again, or with a longer wait" : "the place is kept for a while, repeat with the same key";
	char text[ID_TEXT_LEN + 1], location[64];

	problem_begin(api, request, FAIR_E_NO_SLOT, "no slot within the wait (%s), position %u: %s",
				  fair_wait_code(place->reason), place->position, advice);
	encode_place(api->out, place);
	if (id != NULL) {
		id_format(id, text);
		snprintf(location, sizeof(location), "/leases/%s", text);
		write_string(api->out, "id", text);
		request->batch = api->places_batch;
	}
	problem_end(api, request, FAIR_E_NO_SLOT, id != NULL ? location : NULL, NULL);
}

void refuse_method(struct api *api, struct api_request *request, const char *method, const char *path,
				   const char *allow)
{
	problem_begin(api, request, PROBLEM_METHOD_NOT_ALLOWED, "'%s' is not there for %s: use %s", method, path, allow);
	problem_end(api, request, PROBLEM_METHOD_NOT_ALLOWED, NULL, allow);
}

const char *refuse_named(const struct api_request *request, const char *text, char shown[TEXT_SHOWN])
{
	const char *sent = strrchr(request->path, '/');

	return text_show(*text == '\0' && sent != NULL ? sent + 1 : text, shown);
}

void refuse_no_lease(struct api *api, struct api_request *request, const char *text)
{
	char shown[TEXT_SHOWN];

	problem_send(api, request, FAIR_E_LEASE_NOT_FOUND,
				 "lease '%s' is not there, or not any more: use the id of the reply",
				 refuse_named(request, text, shown));
}

void refuse_no_tenant(struct api *api, struct api_request *request, const char *tenant, const char *pool)
{
	char shown[TEXT_SHOWN];

	if (text_is_name(tenant))
		problem_send(api, request, FAIR_E_TENANT_NOT_FOUND,
					 "tenant '%s' is not there in pool '%s': POST /tenants registers it", text_show(tenant, shown), pool);
	else
		problem_send(api, request, FAIR_E_TENANT_NOT_FOUND, "'%s' is no name of a tenant: use " TEXT_NAME_RULE,
					 refuse_named(request, tenant, shown));
}

void refuse_no_pool(struct api *api, struct api_request *request, const char *pool)
{
	char shown[TEXT_SHOWN];

	if (text_is_name(pool))
		problem_send(api, request, FAIR_E_POOL_NOT_FOUND, "pool '%s' is not there: GET /pools lists those that are",
					 text_show(pool, shown));
	else
		problem_send(api, request, FAIR_E_POOL_NOT_FOUND, "'%s' is no name of a pool: use " TEXT_NAME_RULE,
					 refuse_named(request, pool, shown));
}

void refuse_draining(struct api *api, struct api_request *request)
{
	problem_send(api, request, PROBLEM_DRAINING, "the server is shutting down: repeat the request, with the same key");
}

void refuse_store(struct api *api, struct api_request *request)
{
	problem_send(api, request, PROBLEM_STORE_UNAVAILABLE,
				 "the grant could not be stored and was taken back: repeat the request, with the same key");
}

void refuse_unstored(struct api *api, struct api_request *request)
{
	problem_send(api, request, PROBLEM_STORE_UNAVAILABLE, "the change could not be stored: repeat the request");
}

void refuse_overloaded(struct api *api, struct api_request *request)
{
	problem_send(api, request, FAIR_E_NO_MEMORY, "the server has no room for another request: repeat it later");
}

void refuse_closing(struct api *api, struct api_request *request, const char *tenant)
{
	problem_send(api, request, FAIR_E_TENANT_CLOSING, "tenant '%s' is closing: POST /tenants re-opens it", tenant);
}

void refuse_superseded(struct api *api, struct api_request *request)
{
	problem_send(api, request, PROBLEM_SUPERSEDED,
				 "a newer POST with the same Idempotency-Key took over: use one key for one acquire at a time");
}

void refuse_too_many_slots(struct api *api, struct api_request *request, const char *tenant)
{
	problem_send(
		api, request, FAIR_E_TOO_MANY_SLOTS,
		"tenant '%s' can never have so many slots at once here: ask for fewer, or have max_slots of the pool or the "
		"tenant raised or the reserved_slots of others lowered",
		tenant);
}
