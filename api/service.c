/* SPDX-License-Identifier: MIT */
/* What is about the service itself: /healthz, /readyz. */
#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "problem.h"
#include "refuse.h"

static void say(struct api *api, struct call *call, const char *status)
{
	write_object(api->out, NULL);
	write_string(api->out, "status", status);
	write_object_end(api->out);
	reply_json(api, call->request, 200);
}

/* GET /healthz (getHealth) */
void service_health(struct api *api, struct call *call)
{
	say(api, call, "ok");
}

/* GET /readyz (getReadiness) */
void service_ready(struct api *api, struct call *call)
{
	switch (api->readiness) {
	case API_READY:
		say(api, call, "ready");
		break;
	case API_DRAINING:
		refuse_draining(api, call->request);
		break;
	case API_STORE_UNAVAILABLE:
		problem_send(api, call->request, PROBLEM_STORE_UNAVAILABLE,
					 "nothing is granted until the store is back: ask again");
		break;
	default:
		problem_send(api, call->request, PROBLEM_NOT_READY, "the server is still starting: ask again");
	}
}
