/* SPDX-License-Identifier: MIT */
/*
 * The streams of GET /events. Their sockets are written here, with one call a piece, while libmicrohttpd has their
 * connections suspended: to resume and suspend them for each piece took six calls and a walk over all that are.
 * A stream is woken at most four times a second, a few of them in a turn. One whose reader is slow is not woken until
 * what it was sent has left: it costs the rest of one piece and nothing else.
 */
#ifndef FAIRSHARED_STREAMS_H
#define FAIRSHARED_STREAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api.h"
#include "watch.h"

struct open_stream;
TAILQ_HEAD(open_streams, open_stream);

struct streams {
	int epoll;                       /* the loop's; borrowed */
	void (*over)(struct watch *watch);   /* a stream is over, and gone from here */
	struct open_streams line;        /* who is due first, first */
	struct open_streams slow;        /* whose reader has to take something first; who waits longest, first */
};

void streams_init(struct streams *streams, int epoll, void (*over)(struct watch *watch));

/*
 * streams_open sends the reply's head and the first piece to a socket that epoll watches as `watch` for its end; call
 * streams_ready when it tells anything. NULL: without memory. It never calls over().
 */
struct open_stream *streams_open(struct streams *streams, struct api *api, struct api_request *request, int fd,
                                 struct watch *watch, uint64_t now);
void streams_ready(struct streams *streams, struct open_stream *stream, uint64_t now);
/* streams_run wakes those that are due, a few of them; streams_deadline is when it must run next, FAIR_NEVER: not. */
void streams_run(struct streams *streams, struct api *api, uint64_t now);
uint64_t streams_deadline(const struct streams *streams, const struct api *api);
/* streams_end ends all. */
void streams_end(struct streams *streams);
/* streams_drop takes one away without a word. */
void streams_drop(struct streams *streams, struct open_stream *stream);

#endif
