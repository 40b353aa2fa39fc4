/* SPDX-License-Identifier: MIT */
#include "revoke.h"

#include <stdlib.h>

#include <utlist.h>

#include "audit.h"
#include "decode.h"
#include "encode.h"
#include "problem.h"
#include "refuse.h"

/* A request that waits for its leases to end. */
struct revoking {
	struct revoking *prev, *next;
	struct api_request *request;
	uint64_t number; /* of what it asked for */
};

static void reply_ended(struct api *api, struct api_request *request, uint32_t ended)
{
	write_object(api->out, NULL);
	write_count(api->out, "ended", ended);
	write_object_end(api->out);
	reply_json(api, request, 200);
}

static struct api_request *take(struct api *api, struct revoking *revoking)
{
	struct api_request *request = revoking->request;

	DL_DELETE(api->revoking, revoking);
	free(revoking);
	request->revoking = NULL;
	request->parked = false;
	return request;
}

static bool park(struct api *api, struct api_request *request, uint64_t number)
{
	struct revoking *revoking = api_full(api) ? NULL : calloc(1, sizeof(*revoking));

	if (revoking == NULL)
		return false;
	*revoking = (struct revoking){.request = request, .number = number};
	DL_APPEND(api->revoking, revoking);
	request->revoking = revoking;
	request->parked = true;
	return true;
}

static void audit(struct api *api, const struct call *call, bool done, uint32_t ended)
{
	const struct input *in = &call->in;
	const char *state = in->state == FAIR_ACTIVE ? "active" : in->state == FAIR_PENDING ? "pending" : NULL;
	const struct api_detail details[] = {AUDIT_TEXT("pool", in->pool), AUDIT_TEXT("tenant_id", in->tenant_id),
										 AUDIT_TEXT("label", in->label), AUDIT_TEXT("state", state),
										 AUDIT_NUMBER("ended", done ? (double)ended : (double)NAN)};

	audit_tell(api, call, "revoke", details, sizeof(details) / sizeof(details[0]));
}

static void refuse(struct api *api, struct call *call, enum fair_err err)
{
	if (err == FAIR_E_POOL_NOT_FOUND)
		refuse_no_pool(api, call->request, call->in.pool);
	else if (err == FAIR_E_TENANT_NOT_FOUND)
		problem_send(api, call->request, FAIR_E_TENANT_NOT_FOUND,
					 "tenant '%s' is not there: GET /tenants lists those that are", call->in.tenant_id);
	else
		refuse_overloaded(api, call->request);
}

void revoke_all(struct api *api, struct call *call)
{
	const struct input *in = &call->in;
	uint64_t number;
	uint32_t ended;
	enum fair_err err;

	if (in->pool == NULL && in->tenant_id == NULL && in->label == NULL) {
		decode_refuse(api, call, "revoke", "needs one of pool, tenant_id and label: it ends all leases that they name");
		return;
	}
	/* A script whose variable is empty would end all leases without a label. */
	if (in->label != NULL && *in->label == '\0') {
		decode_refuse(api, call, "label", "is empty: name one, or leave it out");
		return;
	}
	err = fair_revoke_all(api->fair, call->now, in->pool, in->tenant_id, in->label, in->state, &number, &ended);
	if (err != FAIR_OK) {
		refuse(api, call, err);
		return;
	}
	audit(api, call, number == 0, ended);
	/* Before the events are drained, which may tell of the end. */
	if (number > 0 && !park(api, call->request, number))
		refuse_overloaded(api, call->request);
	api_drain(api, call->now);
	if (number == 0)
		reply_ended(api, call->request, ended);
}

void revoke_tell(struct api *api, const struct fair_event *event)
{
	struct revoking *revoking, *next;

	DL_FOREACH_SAFE(api->revoking, revoking, next)
	{
		if (revoking->number == event->number)
			reply_ended(api, take(api, revoking), event->ended);
	}
}

void revoke_drop(struct api *api, struct api_request *request)
{
	take(api, request->revoking);
}
