/* SPDX-License-Identifier: MIT */
/* DELETE /leases?revoke=true: many leases are ended at once, and the request waits until all are. */
#ifndef FAIRSHARED_API_REVOKE_H
#define FAIRSHARED_API_REVOKE_H

#include "internal.h"

/* revoke_all answers a call that ends all leases of a pool, a tenant or with a label, or parks it until that is done.
 */
void revoke_all(struct api *api, struct call *call);
/* revoke_tell answers who waits for what an event says is done. */
void revoke_tell(struct api *api, const struct fair_event *event);
/* revoke_drop forgets a request whose client is gone; the revoking goes on. */
void revoke_drop(struct api *api, struct api_request *request);

#endif
