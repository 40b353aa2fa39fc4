/* SPDX-License-Identifier: MIT */
#include "sliced.h"

#include <utlist.h>

#include "internal.h"
#include "refuse.h"

static void finish(struct api *api, struct api_request *request, struct sliced *work)
{
	work->answer(api, request, work);
	work->destroy(work);
}

static void leave(struct api *api, struct sliced *work)
{
	struct api_request *request = work->request;

	DL_DELETE(api->sliced.first, work);
	api->sliced.count--;
	request->sliced = NULL;
	request->parked = false;
	request->brief = false;
}

static void enter(struct api *api, struct api_request *request, struct sliced *work)
{
	DL_APPEND(api->sliced.first, work);
	api->sliced.count++;
	work->request = request;
	request->sliced = work;
	request->parked = true;
	request->brief = true;
}

void sliced_answer(struct api *api, struct api_request *request, uint64_t now, struct sliced *work)
{
	if (api->sliced.count == SLICED_MAX) {
		work->destroy(work);
		refuse_overloaded(api, request);
	} else if (api->sliced.first != NULL || work->step(api, now, work)) {
		enter(api, request, work);
	} else {
		finish(api, request, work);
	}
}

bool sliced_advance(struct api *api, uint64_t now)
{
	struct sliced *work = api->sliced.first;

	if (work != NULL && !work->step(api, now, work)) {
		leave(api, work);
		finish(api, work->request, work);
	}
	return api->sliced.first != NULL;
}

void sliced_drop(struct api *api, struct api_request *request)
{
	struct sliced *work = request->sliced;

	leave(api, work);
	work->destroy(work);
}
