/* SPDX-License-Identifier: MIT */
/* GET /events: a stream tells the events of one pool, and its statistics. It has a place in the ring and nothing else. */
#ifndef FAIRSHARED_API_STREAM_H
#define FAIRSHARED_API_STREAM_H

#include "api.h"

/* stream_close ends the stream of a request. */
void stream_close(struct api *api, struct api_request *request);

#endif
