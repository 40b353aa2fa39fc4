/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include "clock.h"
#include "socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PERIOD (250 * CLOCK_MS)
#define COMMENT_EVERY (15 * CLOCK_S)
#define PATIENCE (30 * CLOCK_S)          /* with a reader that takes nothing */
#define WOKEN_A_TURN 8                   /* each may write some 100 KB */
#define SEND_BUFFER 65536                /* of the kernel, for each */
#define COMMENT ":\n\n"

struct open_stream {
	TAILQ_ENTRY(open_stream) place;
	struct watch *watch;
	struct api_request *request;
	int fd;
	uint64_t woken;                      /* in the line: when it was told last; slow: when its reader took something last */
	uint64_t mark;                       /* what there was then */
	char *rest;                          /* slow: what has to leave first, from `sent` on (heap) */
	size_t rest_len, sent;
	bool last;                           /* it is over when all has left */
};

void streams_init(struct streams *streams, int epoll, void (*over)(struct watch *watch))
{
	streams->epoll = epoll;
	streams->over = over;
	TAILQ_INIT(&streams->line);
	TAILQ_INIT(&streams->slow);
}

static struct open_streams *whereabouts(struct streams *streams, const struct open_stream *stream)
{
	return stream->rest ? &streams->slow : &streams->line;
}

void streams_drop(struct streams *streams, struct open_stream *stream)
{
	TAILQ_REMOVE(whereabouts(streams, stream), stream, place);
	free(stream->rest);
	free(stream);
}

static void end(struct streams *streams, struct open_stream *stream)
{
	struct watch *watch = stream->watch;

	streams_drop(streams, stream);
	streams->over(watch);
}

/* ---- sending ---- */

static void watch_room(const struct streams *streams, const struct open_stream *stream, bool on)
{
	struct epoll_event event = {.events = EPOLLRDHUP | (on ? EPOLLOUT : 0U), .data.ptr = stream->watch};

	(void)epoll_ctl(streams->epoll, EPOLL_CTL_MOD, stream->fd, &event);
}

/* send_some moves *sent on; false: the other end is gone. */
static bool send_some(int fd, const char *bytes, size_t len, size_t *sent)
{
	while (*sent < len) {
		ssize_t n = send(fd, bytes + *sent, len - *sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		*sent += (size_t)n;
	}
	return true;
}

/* place puts a stream that is in no queue at the end of the one it belongs to. */
static void place(struct streams *streams, struct open_stream *stream, uint64_t now)
{
	stream->woken = now;
	TAILQ_INSERT_TAIL(whereabouts(streams, stream), stream, place);
}

/* transmit takes a piece (heap) of a stream that is in no queue; false: the other end is gone. */
static bool transmit(struct streams *streams, struct open_stream *stream, char *bytes, size_t len, uint64_t now)
{
	bool there = send_some(stream->fd, bytes, len, &stream->sent);

	if (there && stream->sent < len) {
		stream->rest = bytes;
		stream->rest_len = len;
		watch_room(streams, stream, true);
	} else {
		stream->sent = 0;
		free(bytes);
	}
	place(streams, stream, now);
	return there;
}

/* flush sends on; false: the other end is gone. */
static bool flush(struct streams *streams, struct open_stream *stream, uint64_t now)
{
	if (!send_some(stream->fd, stream->rest, stream->rest_len, &stream->sent))
		return false;
	TAILQ_REMOVE(&streams->slow, stream, place);
	if (stream->sent == stream->rest_len) {
		free(stream->rest);
		stream->rest = NULL;
		stream->sent = 0;
		watch_room(streams, stream, false);
	}
	place(streams, stream, now);
	return true;
}

void streams_ready(struct streams *streams, struct open_stream *stream, uint64_t now)
{
	struct pollfd found = {.fd = stream->fd, .events = (short)(POLLRDHUP | (stream->rest ? POLLOUT : 0))};

	if (poll(&found, 1, 0) <= 0)
		return;
	if ((found.revents & (POLLRDHUP | POLLHUP | POLLERR)) || (stream->rest && !flush(streams, stream, now)) ||
	    (stream->last && !stream->rest))
		end(streams, stream);
}

/* ---- waking ---- */

static char *head(const struct api_request *request, size_t *ret_len)
{
	char date[CLOCK_DATE_SIZE];
	char *text;
	int len;

	clock_date(date);
	len = asprintf(&text,
	               "HTTP/1.1 200 OK\r\nDate: %s\r\nConnection: close\r\nContent-Type: text/event-stream\r\n"
	               "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nX-Request-Id: %s\r\n\r\n",
	               date, request->id);
	*ret_len = len > 0 ? (size_t)len : 0;
	return len > 0 ? text : NULL;
}

struct open_stream *streams_open(struct streams *streams, struct api *api, struct api_request *request, int fd,
                                 struct watch *watch, uint64_t now)
{
	struct open_stream *stream = calloc(1, sizeof(*stream));
	size_t head_len, len = 0;
	char *first = head(request, &head_len), *piece, *both;

	if (!stream || !first) {
		free(stream);
		free(first);
		return NULL;
	}
	stream->watch = watch;
	stream->request = request;
	stream->fd = fd;
	stream->mark = api_stream_mark(api);
	socket_narrow(fd, SEND_BUFFER);
	piece = api_stream_next(api, request, now, &len, &stream->last);
	both = piece ? realloc(first, head_len + len) : NULL;
	if (both) {
		memcpy(both + head_len, piece, len);
		first = both;
		head_len += len;
	}
	free(piece);
	(void)transmit(streams, stream, first, head_len, now); /* epoll tells when the other end is gone */
	return stream;
}

static uint64_t due(const struct open_stream *stream, uint64_t mark)
{
	return stream->woken + (stream->mark == mark ? COMMENT_EVERY : PERIOD);
}

static void wake(struct streams *streams, struct open_stream *stream, struct api *api, uint64_t now)
{
	size_t len = strlen(COMMENT);
	char *piece = api_stream_next(api, stream->request, now, &len, &stream->last);

	TAILQ_REMOVE(&streams->line, stream, place);
	stream->mark = api_stream_mark(api);
	if (!piece)
		piece = strdup(COMMENT);
	if (!piece)
		place(streams, stream, now);
	else if (!transmit(streams, stream, piece, len, now) || (stream->last && !stream->rest))
		end(streams, stream);
}

void streams_run(struct streams *streams, struct api *api, uint64_t now)
{
	struct open_stream *stream;

	for (unsigned i = 0; i < WOKEN_A_TURN; i++) {
		stream = TAILQ_FIRST(&streams->line);
		if (!stream || due(stream, api_stream_mark(api)) > now)
			break;
		wake(streams, stream, api, now);
	}
	while ((stream = TAILQ_FIRST(&streams->slow)) != NULL && stream->woken + PATIENCE <= now)
		end(streams, stream);
}

uint64_t streams_deadline(const struct streams *streams, const struct api *api)
{
	const struct open_stream *first = TAILQ_FIRST(&streams->line), *slow = TAILQ_FIRST(&streams->slow);
	uint64_t next = first ? due(first, api_stream_mark(api)) : FAIR_NEVER;

	return slow && slow->woken + PATIENCE < next ? slow->woken + PATIENCE : next;
}

void streams_end(struct streams *streams)
{
	struct open_stream *stream;

	while ((stream = TAILQ_FIRST(&streams->line)) != NULL || (stream = TAILQ_FIRST(&streams->slow)) != NULL)
		end(streams, stream);
}
