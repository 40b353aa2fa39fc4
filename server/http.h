/* SPDX-License-Identifier: MIT */
/*
 * HTTP by libmicrohttpd, which only http.c knows: brings requests to the api and its answers back, parks the sockets
 * of those that wait, and cuts connections that dawdle. Without threads: the loop calls http_run.
 */
#ifndef FAIRSHARED_HTTP_H
#define FAIRSHARED_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "api.h"
#include "socket.h"

struct http;
struct tally;
union value_address;

struct http_config {
	int epoll;                       /* the loop's, whose events carry a struct watch; borrowed */
	int listener;                    /* owned from http_create on, also when it fails */
	const union value_address *name; /* of the listener, to be taken away with it; NULL: it is another's */
	unsigned daemons;
	unsigned max_connections;
	uint64_t request_timeout_ns;
};

/* http_create returns NULL when something it needs cannot be had. Nothing is accepted before http_attach. */
struct http *http_create(const struct http_config *config);
/* http_attach says where requests go, and begins to accept connections; false: the listener cannot be watched. */
bool http_attach(struct http *http, struct api *api);
/* http_destroy breaks all requests that are not answered and closes all connections. Destroy the api afterwards. */
void http_destroy(struct http *http);

/* http_answer is api_hooks.answer; context is the struct http. */
void http_answer(void *context, struct api_request *request, struct api_reply *reply);

/* http_address tells where a request came from, as socket_peer does. */
void http_address(struct api_request *request, char text[SOCKET_WHERE_MAX]);

/* http_clock sets the time of the turn. */
void http_clock(struct http *http, uint64_t now);
/* http_run serves what is ready once; with `all` it looks at every connection, whatever epoll told. */
void http_run(struct http *http, bool all);
/* http_pending tells whether http_run should be called again at once: there is or may be more. */
bool http_pending(const struct http *http);
/* http_expire cuts the connections whose time is over: after http_run, so that what has arrived counts. */
void http_expire(struct http *http);
/* http_tell has streams of events told what is new: last in a turn. http_end_streams ends all of them. */
void http_tell(struct http *http);
void http_end_streams(struct http *http);
/* http_deadline says when http_expire and http_tell must run next; FAIR_NEVER: not. */
uint64_t http_deadline(const struct http *http);

/* What is to be seen of it, borrowed. suspended: connections whose request waits, of all. */
struct http_counts {
	unsigned connections, suspended;
	const struct tally *tally;
};
struct http_counts http_counts(const struct http *http);

/* http_close stops accepting connections; http_sending tells whether answers are still on their way. */
void http_close(struct http *http);
bool http_sending(const struct http *http);

#endif
