/* SPDX-License-Identifier: MIT */
#include "renewed.h"

#include <stdlib.h>

#include "internal.h"

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) (lost = true)
#include <uthash.h>

struct renewed {
	UT_hash_handle hh;
	struct fair_id id;
	uint64_t batch;
};

static void drop(struct api *api, struct renewed *renewed)
{
	HASH_DEL(api->renewed.leases, renewed);
	free(renewed);
}

void renewed_add(struct api *api, const struct fair_id *id, uint64_t batch)
{
	struct renewed *renewed;
	bool lost = false;

	/* Added anew, a lease goes to the end: the order is that of the batches. */
	HASH_FIND(hh, api->renewed.leases, id, sizeof(*id), renewed);
	if (renewed != NULL)
		drop(api, renewed);
	renewed = calloc(1, sizeof(*renewed));
	if (renewed != NULL) {
		*renewed = (struct renewed){.id = *id, .batch = batch};
		HASH_ADD(hh, api->renewed.leases, id, sizeof(renewed->id), renewed);
	}
	if (renewed == NULL || lost) {
		free(renewed);
		api->renewed.lost = batch;
	}
}

uint64_t renewed_batch(const struct api *api, const struct fair_id *id)
{
	const struct renewed *renewed;

	HASH_FIND(hh, api->renewed.leases, id, sizeof(*id), renewed);
	return renewed != NULL && renewed->batch > api->renewed.lost ? renewed->batch : api->renewed.lost;
}

void renewed_forget(struct api *api)
{
	while (api->renewed.leases != NULL && api->renewed.leases->batch <= api->committed)
		drop(api, api->renewed.leases);
}

void renewed_fini(struct api *api)
{
	struct renewed *renewed, *next;

	HASH_ITER(hh, api->renewed.leases, renewed, next)
	{
		drop(api, renewed);
	}
}
