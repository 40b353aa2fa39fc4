/* SPDX-License-Identifier: MIT */
/*
 * Finished replies that tell of a change which is not durable yet. Each waits for the batch of its request, and leaves
 * when that is committed, when the store fails (503 instead), or when its client does. A reply that tells of a grant
 * is never among them: api_sent() and api_broken() settle whose lease that is.
 */
#ifndef FAIRSHARED_API_WITHHELD_H
#define FAIRSHARED_API_WITHHELD_H

#include "api.h"

struct withheld {
	struct api_request *request;
	struct api_reply reply;
	struct withheld *prev, *next;
};

struct withheld_set {
	struct withheld *answers; /* oldest first; the batches need not ascend: an answer may tell of an older change */
	uint32_t count;
};

/* withheld_add takes a reply (it moves) and parks its request; false without memory. */
bool withheld_add(struct api *api, struct api_request *request, const struct api_reply *reply);
/* withheld_send sends the replies whose batch is committed. */
void withheld_send(struct api *api);
/* withheld_refuse answers all that are withheld with 503 store-unavailable. */
void withheld_refuse(struct api *api, uint64_t now);
/* withheld_drop frees the reply of a request whose client is gone. */
void withheld_drop(struct api *api, struct api_request *request);

#endif
