/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <assert.h>
#include <stdlib.h>

#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "problem.h"
#include "refuse.h"
#include "text.h"

#define EVENTS_AT_ONCE 200
#define STATS_TENANTS 50 /* the busiest; more would make each piece long */

static const char hello[] = "retry: 1000\n\n";

struct stream {
	uint64_t from;	 /* the number of the next event to tell */
	bool lost;		 /* it comes back with an id of another start */
	bool begun;		 /* it was told something */
	uint64_t mark;	 /* what there was when it was told last */
	char pool[FAIR_NAME_MAX + 1], tenant[FAIR_NAME_MAX + 1]; /* "": of all tenants */
};

/* A piece of a stream that is being put together. */
struct piece {
	char *bytes;
	size_t len, room;
	bool failed;
};

/* ---- GET /events (getEvents) ---- */

static bool is_full(const struct api *api)
{
	return api->streams >= api->config.streams_max || api_full(api);
}

static bool stream_open(struct api *api, struct call *call)
{
	const char *id = call->request->last_event_id;
	struct stream *stream = events_begin(api) ? calloc(1, sizeof(*stream)) : NULL;
	uint64_t from;

	if (stream == NULL)
		return false;
	from = id != NULL ? events_parse(api, id) : api->events.visible;
	stream->lost = from == 0;
	stream->from = stream->lost ? api->events.visible : from;
	text_copy(stream->pool, sizeof(stream->pool), call_pool(call));
	if (call->in.tenant_id != NULL)
		text_copy(stream->tenant, sizeof(stream->tenant), call->in.tenant_id);
	call->request->stream = stream;
	api->streams++;
	return true;
}

void events_get(struct api *api, struct call *call)
{
	struct api_reply reply = {.status = 200, .content_type = "text/event-stream"};
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, call->now, call_pool(call), &view) != FAIR_OK)
		refuse_no_pool(api, call->request, call_pool(call));
	else if (api->readiness == API_DRAINING)
		refuse_draining(api, call->request);
	else if (!call->head && is_full(api))
		problem_send(api, call->request, FAIR_E_NO_MEMORY,
					 "%u streams are open, and the server has no room for more: close one, or raise max_streams", api->streams);
	else if (!call->head && !stream_open(api, call))
		refuse_overloaded(api, call->request);
	else
		reply_send(api, call->request, &reply);
}

void stream_close(struct api *api, struct api_request *request)
{
	assert(api->streams > 0);
	api->streams--;
	free(request->stream);
	request->stream = NULL;
}

/* ---- pieces ---- */

static void append(struct piece *piece, const char *bytes, size_t len)
{
	size_t room = piece->room > 0 ? piece->room : 4096;

	while (room - piece->len < len)
		room *= 2;
	if (room > piece->room && !piece->failed) {
		char *more = bytes != NULL ? realloc(piece->bytes, room) : NULL;

		piece->failed = more == NULL;
		piece->bytes = more != NULL ? more : piece->bytes;
		piece->room = more != NULL ? room : piece->room;
	}
	piece->failed = piece->failed || bytes == NULL;
	if (piece->failed)
		return;
	memcpy(piece->bytes + piece->len, bytes, len);
	piece->len += len;
}

/* append_written ends what was written to api->out; `told` is the last number that is told by then. */
static void append_written(struct api *api, struct piece *piece, const char *type, uint64_t told)
{
	size_t len = 0;
	char *frame = events_frame(api, type, told, &len);

	append(piece, frame, len);
	free(frame);
}

/* false: there is no such pool any more. */
static bool append_stats(struct api *api, struct piece *piece, const struct stream *stream, uint64_t now)
{
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, now, stream->pool, &view) != FAIR_OK)
		return false;
	encode_stats(api, now, &view, STATS_TENANTS);
	append_written(api, piece, "stats", stream->from - 1);
	return true;
}

static void append_missed(struct api *api, struct piece *piece, struct stream *stream)
{
	uint64_t visible = api->events.visible;

	write_object(api->out, NULL);
	if (stream->lost)
		write_null(api->out, "count");
	else
		write_count(api->out, "count", visible - stream->from);
	write_object_end(api->out);
	append_written(api, piece, "missed", visible - 1);
}

static void append_events(struct api *api, struct piece *piece, struct stream *stream, uint64_t now)
{
	struct event *events[EVENTS_AT_ONCE];
	size_t count = stream->lost ? EVENTS_AT_ONCE + 1
								: events_since(api, stream->from, stream->pool, stream->tenant,
											   events, EVENTS_AT_ONCE);

	if (count > EVENTS_AT_ONCE)
		append_missed(api, piece, stream);
	for (size_t i = 0; count <= EVENTS_AT_ONCE && i < count; i++) {
		size_t len = 0;
		const char *frame = event_frame(api, now, events[i], &len);

		append(piece, frame, len);
	}
	stream->from = api->events.visible;
	stream->lost = false;
}

uint64_t api_stream_mark(const struct api *api)
{
	return api->events.mark;
}

/* The first piece begins with the statistics, the others end with them. */
char *api_stream_next(struct api *api, struct api_request *request, uint64_t now, size_t *ret_len, bool *ret_over)
{
	struct stream before = *request->stream, *stream = request->stream;
	struct piece piece = {0};
	bool there = true;

	*ret_over = false;
	if (stream->begun && stream->mark == api->events.mark)
		return NULL;
	if (!stream->begun) {
		append(&piece, hello, sizeof(hello) - 1);
		there = append_stats(api, &piece, stream, now);
	}
	append_events(api, &piece, stream, now);
	if (stream->begun)
		there = append_stats(api, &piece, stream, now);
	stream->begun = true;
	stream->mark = api->events.mark;
	if (piece.failed) {
		free(piece.bytes);
		*stream = before;
		return NULL;
	}
	*ret_over = !there;
	*ret_len = piece.len;
	return piece.bytes;
}
