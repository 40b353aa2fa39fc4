/* SPDX-License-Identifier: MIT */
#include "parked.h"

#include <stdlib.h>

#include "internal.h"

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) (lost = true)
#include <uthash.h>
#include <utlist.h>

/* The requests that wait for one lease; gone with the last of them. Ids are random, so that no seed is needed. */
struct parked_lease {
	UT_hash_handle hh;
	struct fair_id id;
	struct api_parked *entries;
};

static int compare(const struct api_parked *a, const struct api_parked *b)
{
	if (a->deadline != b->deadline)
		return a->deadline < b->deadline ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Not RB_GENERATE_STATIC: its __unused is not defined on every system. */
RB_GENERATE_INTERNAL(parked_deadlines, api_parked, by_deadline, compare, __attribute__((unused)) static)

static struct parked_lease *lease_find(struct api *api, const struct fair_id *id)
{
	struct parked_lease *lease;

	HASH_FIND(hh, api->parked.leases, id, sizeof(*id), lease);
	return lease;
}

static struct parked_lease *lease_make(struct api *api, const struct fair_id *id)
{
	struct parked_lease *lease = calloc(1, sizeof(*lease));
	bool lost = false;

	if (lease == NULL)
		return NULL;
	lease->id = *id;
	HASH_ADD(hh, api->parked.leases, id, sizeof(lease->id), lease);
	if (lost) {
		free(lease);
		return NULL;
	}
	return lease;
}

bool parked_add(struct api *api, struct api_request *request, const struct fair_id *id, enum parked_kind kind,
				uint64_t deadline)
{
	struct parked_set *set = &api->parked;
	struct api_parked *entry = calloc(1, sizeof(*entry));
	struct parked_lease *lease = lease_find(api, id);

	if (entry != NULL && lease == NULL)
		lease = lease_make(api, id);
	if (entry == NULL || lease == NULL) {
		free(entry);
		return false;
	}
	*entry = (struct api_parked){
		.request = request, .kind = kind, .deadline = deadline, .order = set->order++, .lease = lease};
	DL_APPEND(lease->entries, entry);
	if (deadline != FAIR_NEVER)
		RB_INSERT(parked_deadlines, &set->deadlines, entry);
	set->count++;
	request->parked = true;
	request->waiting = entry;
	events_touch(api);
	return true;
}

struct api_parked *parked_first(struct api *api, const struct fair_id *id)
{
	struct parked_lease *lease = lease_find(api, id);

	return lease != NULL ? lease->entries : NULL;
}

const struct fair_id *parked_id(const struct api_parked *entry)
{
	return &entry->lease->id;
}

void parked_forever(struct api *api, struct api_parked *entry)
{
	if (entry->deadline == FAIR_NEVER)
		return;
	RB_REMOVE(parked_deadlines, &api->parked.deadlines, entry);
	entry->deadline = FAIR_NEVER;
}

static void leave_lease(struct api *api, struct api_parked *entry)
{
	struct parked_lease *lease = entry->lease;

	DL_DELETE(lease->entries, entry);
	if (lease->entries != NULL)
		return;
	HASH_DEL(api->parked.leases, lease);
	free(lease);
}

struct api_request *parked_take(struct api *api, struct api_parked *entry)
{
	struct api_request *request = entry->request;

	parked_forever(api, entry);
	leave_lease(api, entry);
	api->parked.count--;
	request->waiting = NULL;
	request->parked = false;
	free(entry);
	events_touch(api);
	return request;
}

void parked_again(struct api *api, struct api_parked *entry)
{
	leave_lease(api, entry);
	DL_APPEND(api->parked.anew, entry);
}

struct api_request *parked_next_again(struct api *api)
{
	struct api_parked *entry = api->parked.anew;
	struct api_request *request;

	if (entry == NULL)
		return NULL;
	DL_DELETE(api->parked.anew, entry);
	request = entry->request;
	api->parked.count--;
	request->waiting = NULL;
	request->parked = false;
	free(entry);
	return request;
}

struct api_parked *parked_due(const struct api *api)
{
	return RB_MIN(parked_deadlines, (struct parked_deadlines *)&api->parked.deadlines);
}
