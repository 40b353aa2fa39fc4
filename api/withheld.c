/* SPDX-License-Identifier: MIT */
#include "withheld.h"

#include <stdlib.h>

#include <utlist.h>

#include "encode.h"
#include "internal.h"
#include "refuse.h"

bool withheld_add(struct api *api, struct api_request *request, const struct api_reply *reply)
{
	struct withheld *withheld = calloc(1, sizeof(*withheld));

	if (withheld == NULL)
		return false;
	withheld->request = request;
	withheld->reply = *reply;
	DL_APPEND(api->withheld.answers, withheld);
	api->withheld.count++;
	request->withheld = withheld;
	request->parked = true;
	return true;
}

/* Unlinks and frees it; the reply is the caller's. */
static struct api_request *take(struct api *api, struct withheld *withheld, struct api_reply *ret_reply)
{
	struct api_request *request = withheld->request;

	*ret_reply = withheld->reply;
	DL_DELETE(api->withheld.answers, withheld);
	api->withheld.count--;
	free(withheld);
	request->withheld = NULL;
	request->batch = 0;
	request->parked = false;
	return request;
}

void withheld_send(struct api *api)
{
	struct withheld *withheld, *next;
	struct api_reply reply;

	DL_FOREACH_SAFE(api->withheld.answers, withheld, next)
	{
		if (withheld->request->batch <= api->committed)
			reply_send(api, take(api, withheld, &reply), &reply);
	}
}

void withheld_refuse(struct api *api, uint64_t now)
{
	struct api_reply reply;

	while (api->withheld.answers != NULL) {
		struct api_request *request = take(api, api->withheld.answers, &reply);

		reply_fini(&reply);
		if (request->told_grant)
			fair_detach(api->fair, now, &request->told, FAIR_DETACH_ANSWERED);
		request->told_grant = false;
		refuse_unstored(api, request);
	}
}

void withheld_drop(struct api *api, struct api_request *request)
{
	struct api_reply reply;

	take(api, request->withheld, &reply);
	reply_fini(&reply);
}
