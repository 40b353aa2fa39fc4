/* SPDX-License-Identifier: MIT */
#ifndef FAIRSHARED_API_LEASES_H
#define FAIRSHARED_API_LEASES_H

#include "internal.h"

/* lease_tell answers an attached request with its grant: 201 to a POST, 200 to a GET; api_sent() claims it. */
void lease_tell(struct api *api, struct api_request *request, uint64_t now, const struct fair_lease_view *view,
				bool post);
/* lease_unconfirmed: its grant is not durable yet, and nobody may be told of it. */
bool lease_unconfirmed(const struct fair_lease_view *view);

#endif
