/* SPDX-License-Identifier: MIT */
/* The handlers of the route table, one per operation of openapi.yaml. Each answers its request or parks it. */
#ifndef FAIRSHARED_API_HANDLERS_H
#define FAIRSHARED_API_HANDLERS_H

struct api;
struct call;

void tenant_register(struct api *api, struct call *call);
void tenant_list(struct api *api, struct call *call);
void tenant_get(struct api *api, struct call *call);
void tenant_patch(struct api *api, struct call *call);
void tenant_unregister(struct api *api, struct call *call);
void lease_acquire(struct api *api, struct call *call);
void lease_list(struct api *api, struct call *call);
void lease_get(struct api *api, struct call *call);
void lease_renew(struct api *api, struct call *call);
void lease_release(struct api *api, struct call *call);
void lease_end_many(struct api *api, struct call *call);
void lease_check(struct api *api, struct call *call);
void heartbeats_send(struct api *api, struct call *call);
void metrics_get(struct api *api, struct call *call);
void stats_get(struct api *api, struct call *call);
void events_get(struct api *api, struct call *call);
void pool_list(struct api *api, struct call *call);
void pool_get(struct api *api, struct call *call);
void pool_put(struct api *api, struct call *call);
void pool_patch(struct api *api, struct call *call);
void pool_delete(struct api *api, struct call *call);
void service_health(struct api *api, struct call *call);
void service_ready(struct api *api, struct call *call);
void file_get(struct api *api, struct call *call);

#endif
