/* SPDX-License-Identifier: MIT */
#include "http.h"

#include "clock.h"
#include "framing.h"
#include "linger.h"
#include "log.h"
#include "socket.h"
#include "streams.h"
#include "tally.h"
#include "watch.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define DAEMONS_MAX 64
#define CONNECTION_MEMORY 16384          /* see below */
#define IDLE_TIMEOUT (75 * CLOCK_S)
#define SEND_TIMEOUT (30 * CLOCK_S)
#define ARRIVING_AT_LEAST CLOCK_S        /* so long a connection may take with its request when there is no room */
#define HIDDEN_WORK_AFTER (5 * CLOCK_MS) /* see daemon_run() */
#define ACCEPT_TURN 256                  /* connections taken in one turn */
#define LOOK_BACK 1024                   /* connections whose requests arrive */
#define REFUSAL "Error processing request (HTTP response code is %u" /* how libmicrohttpd tells of one */
#define CONTENT_SECURITY_POLICY                                                                                            \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "          \
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
#define ACCEPT_PAUSE (100 * CLOCK_MS)    /* when there is no room for another */

/*
 * The memory of a connection holds what was read, 64 bytes for each header, and the reply's headers. libmicrohttpd reads
 * up to half of it at once and clears all of it after each request: twice as much took 4 % of an acquire + release. So
 * this is room for 8 KiB of headers in 100 lines, as many as HAProxy and Apache take; what needs more is refused (431).
 */
#define HEADER_COST 64
#define REPLY_ROOM 1536                  /* for the reply's headers: without it libmicrohttpd closes and says nothing */

/*
 * A connection is in one of these phases. Each phase lasts equally long for all, so that the queue of a phase is in
 * the order of its deadlines; a parked one has none here, the api knows when its wait is over.
 */
enum phase { IDLE, ARRIVING, SENDING, PARKED, PHASE_COUNT };

struct connection {
	TAILQ_ENTRY(connection) in_phase;
	enum phase phase;
	bool cut;                            /* shut down by us, about to be closed: in no queue */
	bool guarded;
	bool whole;                          /* the last request of its client has been read to its end */
	uint64_t deadline;
	int fd;
	struct daemon *daemon;
	struct request *request;             /* being served, or NULL */
};

TAILQ_HEAD(connections, connection);

/* One of several daemons: resuming walks all suspended connections of a daemon, so they share that walk. */
struct daemon {
	struct watch watch;
	struct http *http;
	struct MHD_Daemon *mhd;
	unsigned connections;
	struct connection *latest;           /* whose request line was read last, or NULL */
	bool ready, busy;                    /* its epoll told so; it had work when it ran last */
	bool resumed;                        /* a connection was resumed: nothing but running it again finds that out */
	unsigned asking;                     /* connections that it asks for an answer whenever it runs */
	uint64_t run_at;                     /* it may have work that their asking hides */
};

struct http {
	struct watch watch;                  /* the listener */
	struct http_config config;
	struct api *api;
	struct daemon daemons[DAEMONS_MAX];
	struct connections phases[PHASE_COUNT];
	struct linger_line linger;                /* sockets whose connection is over */
	struct streams streams;
	uint64_t timeouts[PHASE_COUNT];
	unsigned connections, suspended;
	struct tally tally;
	uint64_t accept_at;                  /* when to accept again; FAIR_NEVER: accepting, or closed */
	uint64_t now;
	bool worked;                         /* a handler ran */
};

enum state { REQUEST_ARRIVING, REQUEST_HANDED, REQUEST_ANSWERED, REQUEST_BROKEN };

/* Born with the request line, freed when libmicrohttpd says that the request is over and only then. */
struct request {
	struct watch watch;                  /* its socket, while suspended */
	struct api_request api;
	struct api_reply reply;              /* once answered, until it is sent */
	struct connection *connection;
	struct MHD_Connection *mhd;
	enum state state;
	bool suspended;
	struct open_stream *stream;          /* suspended, and what is sent to it does not go through libmicrohttpd */
	bool streamed;                       /* it was that, and is over */
	uint64_t handed_at;                  /* when all of it was there */
	uint64_t waits_since, waited;        /* suspended */
	uint64_t sent_before;                /* bytes of its connection, when its grant was about to be told */
	bool asked;                          /* parked, and not suspended: see ask() */
	bool begun;                          /* the headers have been looked at */
	bool queued;                         /* the reply went to libmicrohttpd */
	struct framing framing;
	size_t body_room;
	char *body;
	char target[];                       /* cut in two: path and query */
};

static struct request *request_of(struct api_request *api)
{
	return (struct request *)(void *)((char *)api - offsetof(struct request, api));
}

void http_address(struct api_request *request, char text[SOCKET_WHERE_MAX])
{
	socket_peer(request_of(request)->connection->fd, text);
}

/* ---- phases ---- */

static void phase_leave(struct http *http, struct connection *c)
{
	if (!c->cut)
		TAILQ_REMOVE(&http->phases[c->phase], c, in_phase);
}

static void phase_enter(struct http *http, struct connection *c, enum phase phase)
{
	if (c->cut)
		return;
	TAILQ_REMOVE(&http->phases[c->phase], c, in_phase);
	TAILQ_INSERT_TAIL(&http->phases[phase], c, in_phase);
	c->phase = phase;
	c->deadline = phase == PARKED ? FAIR_NEVER : http->now + http->timeouts[phase];
}

/* cut shuts a connection down; libmicrohttpd sees its end and closes it. */
static void cut(struct http *http, struct connection *c)
{
	phase_leave(http, c);
	c->cut = true;
	shutdown(c->fd, SHUT_RDWR);
}

/* ---- requests ---- */

/* split cuts the target into path and query; of an absolute one (http://host/path) only the path counts. */
static void split(struct request *request)
{
	char *path = request->target, *query;

	if (!strncasecmp(path, "http://", 7)) {
		path += 7;
		path += strcspn(path, "/?");
	}
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	request->api.path = *path ? path : "/";
	request->api.query = query;
}

static void request_free(struct request *request)
{
	if (!request)
		return;
	free(request->body);
	free(request->reply.body);
	free(request->reply.location_long);
	free(request);
}

static void socket_ready(struct watch *watch);

/*
 * libmicrohttpd parses the query next, each parameter into its memory of the connection, and where that runs out it
 * answers nobody. The api parses the query itself, so that it is taken away here: in libmicrohttpd's own buffer.
 */
static void hide_query(const char *uri)
{
	char *query = strchr(uri, '?');

	if (query)
		query[1] = '\0';
}

/* on_request_line makes the request: the only place that shows the target as it was sent. */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct daemon *daemon = context;
	struct connection *c = info ? info->socket_context : NULL;
	size_t size = strlen(uri) + 1;
	struct request *request = c ? calloc(1, sizeof(*request) + size) : NULL;

	if (!request)
		return NULL;
	request_free(c->request);     /* one whose headers libmicrohttpd refused itself */
	c->request = request;
	c->whole = false;
	daemon->latest = c;
	request->connection = c;
	request->mhd = mhd;
	request->watch.ready = socket_ready;
	memcpy(request->target, uri, size);
	framing_target(&request->framing, uri);
	split(request);
	hide_query(uri);
	phase_enter(daemon->http, c, ARRIVING);
	return request;
}

#define HEADER(name, member) {name, sizeof(name) - 1, offsetof(struct api_request, member)}

static const struct header {
	const char *name;
	size_t len, offset;
} headers[] = {
	HEADER("X-Request-Id", request_id),
	HEADER("Idempotency-Key", idempotency_key),
	HEADER("traceparent", traceparent),
	HEADER("Sec-Fetch-Site", sec_fetch_site),
	HEADER("Origin", origin),
	HEADER("Host", host),
	HEADER("Accept", accept),
	HEADER("If-None-Match", if_none_match),
	HEADER("Last-Event-ID", last_event_id),
};

static void take_header(struct request *request, const char *name, size_t len, const char *value)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (headers[i].len == len && !strcasecmp(headers[i].name, name)) {
			const char **member = (const char **)(void *)((char *)&request->api + headers[i].offset);

			if (!*member)
				*member = value;
			return;
		}
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                 const char *value, size_t value_len)
{
	struct request *request = context;

	(void)kind;
	(void)value_len;
	take_header(request, name, name_len, value ? value : "");
	framing_header(&request->framing, name, value ? value : "");
	return MHD_YES;
}

/* begin looks at the headers; false when the request is framed badly. */
static bool begin(struct request *request, const char *method, const char *version)
{
	request->begun = true;
	request->api.method = method;
	MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, on_header, request);
	return framing_end(&request->framing, !strcmp(version, MHD_HTTP_VERSION_1_1));
}

/* take_body keeps a piece of the body; what is too large is read but not kept. */
static bool take_body(struct request *request, const char *piece, size_t size)
{
	struct api_request *api = &request->api;
	size_t wanted = request->body_room ? request->body_room : 256;

	if (api->body_too_large || size > API_BODY_MAX - api->body_len) {
		api->body_too_large = true;
		return true;
	}
	while (wanted < api->body_len + size)
		wanted *= 2;
	if (wanted > request->body_room) {
		char *body = realloc(request->body, wanted);

		if (!body)
			return false;
		request->body = body;
		request->body_room = wanted;
	}
	memcpy(request->body + api->body_len, piece, size);
	api->body_len += size;
	api->body = request->body;
	return true;
}

/* ---- parking ---- */

/* A parked request may wait for minutes, ten thousand of them: it keeps no more than it needs. */
static void trim_body(struct request *request)
{
	struct api_request *api = &request->api;
	char *body = api->body_len > 0 ? realloc(request->body, api->body_len) : NULL;

	if (!body)
		return;
	request->body = body;
	request->body_room = api->body_len;
	api->body = body;
}

static void suspend(struct http *http, struct request *request)
{
	struct connection *c = request->connection;
	struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = &request->watch};

	if (!c->guarded)
		socket_guard(c->fd);
	c->guarded = true;
	request->suspended = true;
	request->waits_since = http->now;
	http->suspended++;
	trim_body(request);
	phase_enter(http, c, PARKED);
	MHD_suspend_connection(request->mhd);
	if (epoll_ctl(http->config.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		log_text(LOG_WARNING, "a waiting client cannot be watched", "error", strerror(errno));
}

/*
 * A request that waits for no more than a commit is not suspended, which would cost six system calls and a walk over
 * all that are: libmicrohttpd asks it for its answer whenever the daemon runs, and that is when the commit is done.
 * Whether its client is still there is looked at then.
 */
static void ask(struct http *http, struct request *request)
{
	request->asked = true;
	request->connection->daemon->asking++;
	phase_enter(http, request->connection, PARKED);
}

static void stop_asking(struct request *request)
{
	if (!request->asked)
		return;
	request->asked = false;
	request->connection->daemon->asking--;
	request->connection->daemon->resumed = true;
}

/* resume has the handler run once more; the socket is watched no longer, its number may soon be another's. */
static void resume(struct http *http, struct request *request)
{
	stop_asking(request);
	if (!request->suspended)
		return;
	request->suspended = false;
	request->waited = http->now - request->waits_since;
	http->suspended--;
	epoll_ctl(http->config.epoll, EPOLL_CTL_DEL, request->connection->fd, NULL);
	MHD_resume_connection(request->mhd);
	request->connection->daemon->resumed = true;
}

static void request_break(struct http *http, struct request *request)
{
	request->state = REQUEST_BROKEN;
	api_broken(http->api, &request->api, http->now);
	resume(http, request);
}

/*
 * The client of a waiting request has hung up. Another event of the same turn may have had it answered before. The reader
 * of a stream has hung up or has room again.
 */
static void socket_ready(struct watch *watch)
{
	struct request *request = (struct request *)watch;
	struct http *http = request->connection->daemon->http;

	if (request->stream)
		streams_ready(&http->streams, request->stream, http->now);
	else if (request->suspended && request->state == REQUEST_HANDED)
		request_break(http, request);
}

/* A stream is over: libmicrohttpd gets its connection back to close it. */
static void stream_over(struct watch *watch)
{
	struct request *request = (struct request *)watch;

	request->stream = NULL;
	request->streamed = true;
	resume(request->connection->daemon->http, request);
}

void http_answer(void *context, struct api_request *api, struct api_reply *reply)
{
	struct request *request = request_of(api);
	struct http *http = context;

	request->reply = *reply;
	reply->body = NULL;
	reply->location_long = NULL;
	request->state = REQUEST_ANSWERED;
	phase_enter(http, request->connection, SENDING);
	resume(http, request);
}

/* ---- replies ---- */

static void add(struct MHD_Response *response, const char *name, const char *value)
{
	if (MHD_add_response_header(response, name, value) != MHD_YES)
		log_text(LOG_WARNING, "a header could not be added", "name", name);
}

/* What a browser needs to know of the page's files: when to ask again, and that nothing of another origin belongs to them. */
static void add_file_headers(struct MHD_Response *response, const struct api_file *file)
{
	add(response, MHD_HTTP_HEADER_CACHE_CONTROL, file->cache_control);
	add(response, MHD_HTTP_HEADER_ETAG, file->etag);
	add(response, "X-Content-Type-Options", "nosniff");
	add(response, "Referrer-Policy", "no-referrer");
	add(response, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
}

static void add_headers(struct MHD_Response *response, const struct request *request)
{
	const struct api_reply *reply = &request->reply;
	char seconds[16];

	if (reply->file)
		add_file_headers(response, reply->file);
	else
		add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	add(response, "X-Request-Id", request->api.id);
	if (reply->content_type)
		add(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
	if (reply->allow)
		add(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (reply->location_long || *reply->location)
		add(response, MHD_HTTP_HEADER_LOCATION, reply->location_long ? reply->location_long : reply->location);
	if (reply->retry_after > 0) {
		snprintf(seconds, sizeof(seconds), "%u", reply->retry_after);
		add(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
}

/* new_response moves the body of the reply to libmicrohttpd, which frees it. */
static struct MHD_Response *new_response(struct api_reply *reply)
{
	struct MHD_Response *response;

	if (reply->file && reply->status == MHD_HTTP_OK)
		return MHD_create_response_from_buffer(reply->file->len, (void *)(uintptr_t)reply->file->bytes, MHD_RESPMEM_PERSISTENT);
	if (!reply->body)
		return MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer(reply->body_len, reply->body, MHD_RESPMEM_MUST_FREE);
	if (response)
		reply->body = NULL;
	return response;
}

static void log_request(const struct request *request)
{
	const struct log_field fields[] = {
		{"method", request->api.method, 0},
		{"route", request->api.route ? request->api.route : "", 0},
		{"status", NULL, request->reply.status},
		{"request_id", request->api.id, 0},
		{"traceparent", request->api.traceparent, 0},
	};

	log_write(LOG_DEBUG, "request", fields, request->api.traceparent ? 5 : 4);
}

static enum MHD_Result queue_response(struct request *request, struct MHD_Response *response)
{
	enum MHD_Result queued = MHD_queue_response(request->mhd, request->reply.status, response);

	MHD_destroy_response(response);
	request->queued = queued == MHD_YES;
	return queued;
}

/* The end is not the time of the turn: most requests come and are answered in one. */
static void count_answer(const struct request *request)
{
	struct http *http = request->connection->daemon->http;
	uint64_t took = clock_now() - request->handed_at;

	tally_answer(&http->tally, &request->api, request->reply.status, took > request->waited ? took - request->waited : 0);
}

/* send_reply hands the reply over. A slot is not spent on a client that has left: what it was told is not sent. */
static enum MHD_Result send_reply(struct request *request)
{
	struct MHD_Response *response;

	if (log_wants(LOG_DEBUG))
		log_request(request);
	if (request->api.told_grant && socket_gone(request->connection->fd, &request->sent_before))
		return MHD_NO;
	response = new_response(&request->reply);
	if (!response)
		return MHD_NO;
	add_headers(response, request);
	count_answer(request);
	return queue_response(request, response);
}

/* refuse answers a request whose end cannot be told for sure: 400, and the connection is closed. */
static enum MHD_Result refuse(struct request *request)
{
	struct MHD_Response *response;
	unsigned long long random;

	arc4random_buf(&random, sizeof(random));
	snprintf(request->api.id, sizeof(request->api.id), "%016llx", random);
	request->reply.status = MHD_HTTP_BAD_REQUEST;
	response = new_response(&request->reply);
	if (!response)
		return MHD_NO;
	add_headers(response, request);
	add(response, MHD_HTTP_HEADER_CONNECTION, "close");
	request->handed_at = request->connection->daemon->http->now;
	count_answer(request);
	if (log_wants(LOG_DEBUG))
		log_request(request);
	return queue_response(request, response);
}

static void begin_stream(struct http *http, struct request *request)
{
	if (log_wants(LOG_DEBUG))
		log_request(request);
	count_answer(request);
	suspend(http, request);
	request->stream = streams_open(&http->streams, http->api, &request->api, request->connection->fd, &request->watch, http->now);
	if (!request->stream)
		stream_over(&request->watch);
}

/* hand_over gives the request to the api; it is answered at once, or parked. */
static enum MHD_Result hand_over(struct http *http, struct request *request)
{
	request->state = REQUEST_HANDED;
	request->handed_at = http->now;
	api_handle(http->api, &request->api, http->now);
	if (request->state == REQUEST_ANSWERED && !request->api.stream)
		return send_reply(request);
	if (request->api.stream)
		begin_stream(http, request);
	else if (request->api.brief)
		ask(http, request);
	else
		suspend(http, request);
	return MHD_YES;
}

/* has_room tells whether a reply can be made, with what the headers leave of the connection's memory. */
static bool has_room(const struct request *request)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	size_t size = info ? info->header_size : 0;

	return size + (size_t)request->framing.headers * HEADER_COST <= CONNECTION_MEMORY - REPLY_ROOM;
}

/* refuse_headers needs none of that memory. */
static enum MHD_Result refuse_headers(struct request *request)
{
	unsigned status = MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;

	request->reply.status = status;
	request->handed_at = request->connection->daemon->http->now;
	count_answer(request);
	socket_refuse(request->connection->fd, status, MHD_get_reason_phrase_for(status));
	return MHD_NO;
}

/*
 * A body that is announced to be too large is not waited for: the api refuses it now. libmicrohttpd closes a connection
 * that is answered before the body has come.
 */
static enum MHD_Result on_headers(struct http *http, struct request *request, const char *method, const char *version)
{
	bool framed = begin(request, method, version);

	if (!has_room(request))
		return refuse_headers(request);
	if (!framed)
		return refuse(request);
	if (framing_announced(&request->framing) <= API_BODY_MAX)
		return MHD_YES;
	request->api.body_too_large = true;
	return hand_over(http, request);
}

/* on_request runs for the headers, for each piece of the body, at the end of the request, and after a resume. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request_context)
{
	struct http *http = ((struct daemon *)context)->http;
	struct request *request = *request_context;

	(void)mhd;
	(void)url;
	if (request && request->asked)
		return MHD_YES;
	http->worked = true;
	if (!request || request->streamed)
		return MHD_NO;
	if (!request->begun)
		return on_headers(http, request, method, version);
	if (*upload_size > 0) {
		bool kept = take_body(request, upload, *upload_size);

		*upload_size = 0;
		return kept ? MHD_YES : MHD_NO;
	}
	switch (request->state) {
	case REQUEST_ARRIVING:
		request->connection->whole = true;
		return hand_over(http, request);
	case REQUEST_ANSWERED:
		return send_reply(request);
	default:
		return MHD_NO;
	}
}

/*
 * Whether the answer reached the kernel. libmicrohttpd sends it in one call and finds out in the next that it is complete:
 * a client may have read it and be gone in between.
 */
static bool handed_over(const struct request *request, enum MHD_RequestTerminationCode how)
{
	if (!request->queued)
		return false;
	return how == MHD_REQUEST_TERMINATED_COMPLETED_OK ||
	       (request->api.told_grant && socket_sent_since(request->connection->fd, request->sent_before));
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode how)
{
	struct http *http = ((struct daemon *)context)->http;
	struct request *request = *request_context;

	(void)mhd;
	*request_context = NULL;
	http->worked = true;
	if (!request)
		return;
	if (request->state == REQUEST_ANSWERED)
		api_sent(http->api, &request->api, http->now, handed_over(request, how));
	else if (request->state == REQUEST_HANDED)
		api_broken(http->api, &request->api, http->now);
	stop_asking(request);
	request->connection->request = NULL;
	phase_enter(http, request->connection, IDLE);
	request_free(request);
}

/* ---- connections ---- */

static void connection_open(struct daemon *daemon, struct MHD_Connection *mhd, void **socket_context)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct http *http = daemon->http;

	*socket_context = c;
	if (!c)
		return;
	c->daemon = daemon;
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	c->phase = ARRIVING;
	c->deadline = http->now + http->timeouts[ARRIVING];
	TAILQ_INSERT_TAIL(&http->phases[ARRIVING], c, in_phase);
	daemon->connections++;
	http->connections++;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode how)
{
	struct daemon *daemon = context;
	struct connection *c = *socket_context;

	if (how == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_open(daemon, mhd, socket_context);
		return;
	}
	if (!c)
		return;
	if (!c->cut && !c->whole)
		linger_add(&daemon->http->linger, c->fd, daemon->http->now);
	if (daemon->latest == c)
		daemon->latest = NULL;
	phase_leave(daemon->http, c);
	request_free(c->request);
	daemon->connections--;
	daemon->http->connections--;
	*socket_context = NULL;
	free(c);
}

static void listener_watch(struct http *http, bool on)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &http->watch};

	if (http->config.listener >= 0 &&
	    epoll_ctl(http->config.epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, http->config.listener, &event) != 0)
		log_text(LOG_ERROR, "the listening socket cannot be watched", "error", strerror(errno));
	http->accept_at = on || http->config.listener < 0 ? FAIR_NEVER : http->now + ACCEPT_PAUSE;
}

/* dispensable finds who has been idle longest, else whose request has been arriving longest, for a second at least. */
static struct connection *dispensable(struct http *http)
{
	struct connection *idle = TAILQ_FIRST(&http->phases[IDLE]), *arriving = TAILQ_FIRST(&http->phases[ARRIVING]);

	if (idle || !arriving)
		return idle;
	return arriving->deadline + ARRIVING_AT_LEAST <= http->now + http->timeouts[ARRIVING] ? arriving : NULL;
}

/* make_room ends what lingers or is dispensable; where nothing is, nobody is accepted for a moment. */
static void make_room(struct http *http)
{
	struct connection *c;

	if (linger_cut(&http->linger))
		return;
	c = dispensable(http);
	if (c)
		cut(http, c);
	else
		listener_watch(http, false);
}

static struct daemon *emptiest(struct http *http)
{
	struct daemon *best = &http->daemons[0];

	for (unsigned i = 1; i < http->config.daemons; i++)
		if (http->daemons[i].connections < best->connections)
			best = &http->daemons[i];
	return best;
}

/* accept_one takes one connection; false when there is none, or no room for it. */
static bool accept_one(struct http *http)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct daemon *daemon = emptiest(http);
	int fd;

	if (http->connections + http->linger.count >= http->config.max_connections) {
		make_room(http);
		return false;
	}
	fd = accept4(http->config.listener, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_text(LOG_WARNING, "a connection cannot be accepted", "error", strerror(errno));
			make_room(http);
		}
		return false;
	}
	socket_prompt(fd);
	if (MHD_add_connection(daemon->mhd, fd, (struct sockaddr *)&address, size) != MHD_YES)
		log_say(LOG_WARNING, "a connection cannot be served");
	daemon->busy = true;
	return true;
}

static void listener_ready(struct watch *watch)
{
	struct http *http = (struct http *)watch;

	for (unsigned i = 0; i < ACCEPT_TURN && accept_one(http); i++)
		;
}

/* ---- running ---- */

static void daemon_ready(struct watch *watch)
{
	((struct daemon *)watch)->ready = true;
}

static bool headers_read(const struct connection *c)
{
	return c->request && !c->request->begun &&
	       MHD_get_connection_info(c->request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
}

/*
 * being_parsed finds the connection whose headers libmicrohttpd has read and is looking at: mostly that whose request
 * line came last. Where headers come in pieces it is looked for, not so far that it could be used to keep us busy.
 */
static struct connection *being_parsed(struct daemon *daemon)
{
	struct connection *c = daemon->latest;
	unsigned looked = 0;

	if (c && headers_read(c))
		return c;
	TAILQ_FOREACH_REVERSE(c, &daemon->http->phases[ARRIVING], connections, in_phase) {
		if (c->daemon == daemon && headers_read(c))
			return c;
		if (++looked == LOOK_BACK)
			break;
	}
	return NULL;
}

/*
 * on_message hears that libmicrohttpd refuses a request. Once it has read the headers (a Content-Length that is none, a
 * Cookie that is too long) it would say its status line twice. Nothing else runs before that: so the answer is given
 * here, and no other can be sent after it.
 */
static void on_message(void *context, const char *format, va_list arguments)
{
	struct connection *c;
	unsigned status;

	if (strncmp(format, REFUSAL, strlen(REFUSAL)) != 0)
		return;
	c = being_parsed(context);
	if (!c)
		return;
	status = va_arg(arguments, unsigned);
	c->request->begun = true;
	socket_refuse(c->fd, status, MHD_get_reason_phrase_for(status));
}

/* Nothing is decoded before the path has been split: %2F is not a slash. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
	(void)context;
	(void)mhd;
	return strlen(text);
}

static bool daemon_start(struct http *http, struct daemon *daemon)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &daemon->watch};
	const union MHD_DaemonInfo *info;

	daemon->http = http;
	daemon->run_at = FAIR_NEVER;
	daemon->watch.ready = daemon_ready;
	daemon->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, daemon,
		MHD_OPTION_EXTERNAL_LOGGER, on_message, daemon,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_LIMIT, http->config.max_connections,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, daemon,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, daemon,
		MHD_OPTION_URI_LOG_CALLBACK, on_request_line, daemon,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_END);
	info = daemon->mhd ? MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	return info && epoll_ctl(http->config.epoll, EPOLL_CTL_ADD, info->epoll_fd, &event) == 0;
}

struct http *http_create(const struct http_config *config)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http || config->daemons > DAEMONS_MAX) {
		close(config->listener);
		free(http);
		return NULL;
	}
	http->config = *config;
	linger_init(&http->linger, config->epoll);
	streams_init(&http->streams, config->epoll, stream_over);
	tally_init(&http->tally);
	http->watch.ready = listener_ready;
	http->accept_at = FAIR_NEVER;
	http->timeouts[IDLE] = IDLE_TIMEOUT;
	http->timeouts[ARRIVING] = config->request_timeout_ns;
	http->timeouts[SENDING] = SEND_TIMEOUT;
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		TAILQ_INIT(&http->phases[i]);
	for (unsigned i = 0; i < config->daemons; i++)
		if (!daemon_start(http, &http->daemons[i])) {
			http_destroy(http);
			return NULL;
		}
	return http;
}

bool http_attach(struct http *http, struct api *api)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &http->watch};

	http->api = api;
	return epoll_ctl(http->config.epoll, EPOLL_CTL_ADD, http->config.listener, &event) == 0;
}

void http_clock(struct http *http, uint64_t now)
{
	http->now = now;
}

/* Connections that are asked make libmicrohttpd say that there is work at once, always. */
static void daemon_run(struct daemon *daemon)
{
	struct http *http = daemon->http;
	MHD_UNSIGNED_LONG_LONG timeout;
	bool more;

	daemon->ready = false;
	daemon->resumed = false;
	http->worked = false;
	MHD_run(daemon->mhd);
	more = MHD_get_timeout(daemon->mhd, &timeout) == MHD_YES && timeout == 0;
	daemon->busy = http->worked || (more && daemon->asking == 0);
	daemon->run_at = more && daemon->asking > 0 ? http->now + HIDDEN_WORK_AFTER : FAIR_NEVER;
}

void http_run(struct http *http, bool all)
{
	for (unsigned i = 0; i < http->config.daemons; i++) {
		struct daemon *daemon = &http->daemons[i];

		if (all || daemon->ready || daemon->busy || daemon->resumed || daemon->run_at <= http->now)
			daemon_run(daemon);
	}
}

bool http_pending(const struct http *http)
{
	for (unsigned i = 0; i < http->config.daemons; i++)
		if (http->daemons[i].busy || http->daemons[i].resumed)
			return true;
	return false;
}

void http_expire(struct http *http)
{
	for (unsigned i = 0; i < PHASE_COUNT; i++) {
		struct connection *c;

		while ((c = TAILQ_FIRST(&http->phases[i])) != NULL && c->deadline <= http->now)
			cut(http, c);
	}
	linger_expire(&http->linger, http->now);
	if (http->accept_at <= http->now)
		listener_watch(http, true);
}

void http_tell(struct http *http)
{
	streams_run(&http->streams, http->api, http->now);
}

void http_end_streams(struct http *http)
{
	streams_end(&http->streams);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t http_deadline(const struct http *http)
{
	uint64_t first = earlier(http->accept_at, linger_deadline(&http->linger));

	first = earlier(first, streams_deadline(&http->streams, http->api));

	for (unsigned i = 0; i < PHASE_COUNT; i++) {
		const struct connection *c = TAILQ_FIRST(&http->phases[i]);

		if (c)
			first = earlier(first, c->deadline);
	}
	for (unsigned i = 0; i < http->config.daemons; i++)
		first = earlier(first, http->daemons[i].run_at);
	return first;
}

void http_close(struct http *http)
{
	if (http->config.listener >= 0) {
		/* systemd may hold the socket open, too: closing alone would not end the watch. */
		(void)epoll_ctl(http->config.epoll, EPOLL_CTL_DEL, http->config.listener, NULL);
		if (http->config.name)
			socket_remove(http->config.name);
		close(http->config.listener);
	}
	http->config.listener = -1;
	http->accept_at = FAIR_NEVER;
}

struct http_counts http_counts(const struct http *http)
{
	return (struct http_counts){http->connections, http->suspended, &http->tally};
}

bool http_sending(const struct http *http)
{
	return !TAILQ_EMPTY(&http->phases[SENDING]);
}

/* break_parked resumes all: a daemon must not be stopped with a suspended connection. */
static void break_parked(struct http *http)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(&http->phases[PARKED])) != NULL) {
		request_break(http, c->request);
		cut(http, c);
	}
}

void http_destroy(struct http *http)
{
	if (!http)
		return;
	http_close(http);
	http_end_streams(http);
	break_parked(http);
	for (unsigned i = 0; i < http->config.daemons; i++)
		if (http->daemons[i].mhd) {
			MHD_run(http->daemons[i].mhd);
			MHD_stop_daemon(http->daemons[i].mhd);
		}
	linger_fini(&http->linger);
	free(http);
}
