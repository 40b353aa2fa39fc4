/* SPDX-License-Identifier: MIT */
/* Refusals that several handlers give. */
#ifndef FAIRSHARED_API_REFUSE_H
#define FAIRSHARED_API_REFUSE_H

#include "internal.h"
#include "text.h"

/* refuse_named shows what a path names: as it was sent where it cannot be a name at all. */
const char *refuse_named(const struct api_request *request, const char *text, char shown[TEXT_SHOWN]);
/* refuse_ended answers 410 with the reason and time of an ended lease. */
void refuse_ended(struct api *api, struct api_request *request, const struct fair_lease_view *view);
/* refuse_no_slot answers 429 no-slot, when all places are durable if it tells of one: `id`, or NULL. */
void refuse_no_slot(struct api *api, struct api_request *request, const struct fair_place *place,
					const struct fair_id *id);
/* refuse_too_many_slots answers 409: the pool, or what the tenant may have of it, is too small for the request. */
void refuse_too_many_slots(struct api *api, struct api_request *request, const char *tenant);
/* refuse_no_lease answers 404 for what stands in the path. */
void refuse_no_lease(struct api *api, struct api_request *request, const char *text);
/* refuse_no_pool answers 404 pool-not-found, refuse_no_tenant 404 tenant-not-found; of what cannot be a name they say so. */
void refuse_no_pool(struct api *api, struct api_request *request, const char *pool);
void refuse_no_tenant(struct api *api, struct api_request *request, const char *tenant, const char *pool);
/* refuse_method answers 405; `allow` names the methods that the path has. */
void refuse_method(struct api *api, struct api_request *request, const char *method, const char *path,
				   const char *allow);
/* refuse_store (of a grant), refuse_unstored (of any other change), refuse_draining and refuse_overloaded answer 503;
 * refuse_closing and refuse_superseded answer 409. */
void refuse_draining(struct api *api, struct api_request *request);
void refuse_store(struct api *api, struct api_request *request);
void refuse_unstored(struct api *api, struct api_request *request);
void refuse_overloaded(struct api *api, struct api_request *request);
void refuse_closing(struct api *api, struct api_request *request, const char *tenant);
void refuse_superseded(struct api *api, struct api_request *request);

#endif
