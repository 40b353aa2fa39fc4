/* SPDX-License-Identifier: MIT */
/* GET /metrics (getMetrics): what the core counts, of one moment, then what the server does. */
#ifndef FAIRSHARED_API_METRICS_H
#define FAIRSHARED_API_METRICS_H

#include "api.h"

struct call;

/* metrics_send answers with the metrics of one pool, of all with NULL, with or without the series of tenants. 404. */
void metrics_send(struct api *api, struct call *call, const char *pool, bool tenants);
/* metrics_none is api_config.metrics where there is no server around. */
bool metrics_none(void *context, unsigned part, struct exposition *out);

#endif
