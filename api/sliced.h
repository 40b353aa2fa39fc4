/* SPDX-License-Identifier: MIT */
/*
 * Replies that are made in slices, as to make them at once would hold the loop for longer than a millisecond. What fits
 * into one slice is answered at once. Else the request waits in line, and only the first in line is worked on, one slice in
 * each turn: so no more than one large reply is in the making, and others are served between its slices.
 *
 * A slice is about SLICE_UNITS units of work. What must be of one moment is copied in one slice (the snapshot); the text is
 * made from the copy.
 */
#ifndef FAIRSHARED_API_SLICED_H
#define FAIRSHARED_API_SLICED_H

#include "api.h"

#define SLICE_UNITS 500 /* lines or members of about half a microsecond each */
#define SLICED_MAX 64	/* requests in line; more are refused: 503 overloaded */

/* The first member of a handler's own work, on the heap, which keeps what it needs of the call. */
struct sliced {
	/* step does one slice; true: there is more to do. It may not answer. */
	bool (*step)(struct api *api, uint64_t now, struct sliced *work);
	/* answer answers the request when all steps are done; what the reply needs moves out of the work. */
	void (*answer)(struct api *api, struct api_request *request, struct sliced *work);
	/* destroy frees the work, also in the midst of it. */
	void (*destroy)(struct sliced *work);

	struct api_request *request;
	struct sliced *prev, *next;
};

struct sliced_line {
	struct sliced *first;
	uint32_t count;
};

/* sliced_answer answers the request with what the work makes (it moves): now, or slice by slice. */
void sliced_answer(struct api *api, struct api_request *request, uint64_t now, struct sliced *work);
/* sliced_advance does one slice; true: there are more. */
bool sliced_advance(struct api *api, uint64_t now);
/* sliced_drop ends the work for a request whose client is gone. */
void sliced_drop(struct api *api, struct api_request *request);

#endif
