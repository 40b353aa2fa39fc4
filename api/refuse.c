/* SPDX-License-Identifier: MIT */
#include "refuse.h"

#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "id.h"
#include "problem.h"
#include "text.h"

void refuse_ended(struct api *api, struct api_request *request, const struct fair_lease_view *view)
{
	char id[ID_TEXT_LEN + 1], when[ENCODE_TIME_SIZE];
	json_t *more = json_object();

	id_format(&view->id, id);
	encode_time(api, view->ended_ns, when);
	encode_string(more, "reason", fair_reason_code(view->reason));
	encode_string(more, "ended_at", when);
	problem_send_with(api, request, FAIR_E_LEASE_ENDED, more, NULL, NULL,
					  "lease '%s' ended at %s (%s): acquire a new one, with a new Idempotency-Key", id, when,
					  fair_reason_code(view->reason));
}

void refuse_no_slot(struct api *api, struct api_request *request, const struct fair_place *place,
					const struct fair_id *id)
{
	char text[ID_TEXT_LEN + 1], location[64];
	json_t *more = json_object();

	encode_place(more, place);
	if (id == NULL) {
		problem_send_with(api, request, FAIR_E_NO_SLOT, more, NULL, NULL,
						  "no slot within the wait (%s), position %u: ask again, or with a longer wait",
						  fair_wait_code(place->reason), place->position);
		return;
	}
	id_format(id, text);
	snprintf(location, sizeof(location), "/leases/%s", text);
	encode_string(more, "id", text);
	problem_send_with(
		api, request, FAIR_E_NO_SLOT, more, location, NULL,
		"no slot within the wait (%s), position %u: the place is kept for a while, repeat with the same key",
		fair_wait_code(place->reason), place->position);
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
				 "lease '%s' is not there, or not any more: use the id of the reply", refuse_named(request, text, shown));
}

void refuse_no_pool(struct api *api, struct api_request *request, const char *pool)
{
	char shown[TEXT_SHOWN];

	problem_send(api, request, FAIR_E_POOL_NOT_FOUND, "pool '%s' is not there: GET /pools lists those that are",
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
