/* SPDX-License-Identifier: MIT */
/*
 * The requests that wait. By lease: who is to be answered when something happens to it. By deadline: whose wait
 * runs out. Both are of one entry per request.
 */
#ifndef FAIRSHARED_API_PARKED_H
#define FAIRSHARED_API_PARKED_H

#include <bsd/sys/tree.h>
#include <stdint.h>

#include "api.h"

enum parked_kind {
	PARKED_POST,  /* attached to the lease; a newer POST supersedes it */
	PARKED_GET,	  /* attached to the lease; stands beside others */
	PARKED_ASIDE, /* not attached: dispatched anew when the lease's grant is committed, failed or ended */
};

struct parked_lease;

struct api_parked {
	struct api_request *request;
	enum parked_kind kind;
	uint64_t deadline, order; /* when its wait runs out; FAIR_NEVER: not by itself */
	struct parked_lease *lease;
	struct api_parked *prev, *next;	  /* of the same lease, or of the ones to dispatch anew */
	RB_ENTRY(api_parked) by_deadline; /* iff deadline != FAIR_NEVER */
};

RB_HEAD(parked_deadlines, api_parked);

struct parked_set {
	struct parked_lease *leases; /* uthash */
	struct parked_deadlines deadlines;
	struct api_parked *anew; /* taken off their lease, to be dispatched again; oldest first */
	uint64_t order;
	uint32_t count;
};

/* parked_add parks a request at a lease; false without memory. */
bool parked_add(struct api *api, struct api_request *request, const struct fair_id *id, enum parked_kind kind,
				uint64_t deadline);
/* parked_first returns the oldest entry of a lease, NULL when nobody waits for it. */
struct api_parked *parked_first(struct api *api, const struct fair_id *id);
/* parked_id is the lease an entry waits for. */
const struct fair_id *parked_id(const struct api_parked *entry);
/* parked_take unlinks and frees an entry; its request is not parked any more. */
struct api_request *parked_take(struct api *api, struct api_parked *entry);
/* parked_again moves an entry to those to be dispatched anew. */
void parked_again(struct api *api, struct api_parked *entry);
/* parked_next_again takes the next of them, NULL for none. */
struct api_request *parked_next_again(struct api *api);
/* parked_forever takes an entry's deadline away. */
void parked_forever(struct api *api, struct api_parked *entry);
/* parked_due returns the entry with the earliest deadline, NULL for none. */
struct api_parked *parked_due(const struct api *api);

#endif
