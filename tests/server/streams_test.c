/* SPDX-License-Identifier: MIT */
/* When streams are woken, by a clock that is set, over a pair of sockets: pieces, comments, a reader that takes nothing. */
#include "streams.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS CLOCK_MS
#define S CLOCK_S

/* One stream of a server by value; the api hands its answer to nobody. */
struct scene {
	struct watch watch; /* first: over() gets it */
	struct fair *fair;
	struct api *api;
	struct streams streams;
	struct api_request request;
	struct open_stream *stream;
	int epoll, ours, theirs;
	uint64_t now;
	bool over;
	char heard[1 << 20];
};

TestSuite(streams);

static void on_answer(void *context, struct api_request *request, struct api_reply *reply)
{
	(void)context;
	(void)request;
	free(reply->body);
}

static uint64_t on_store(void *context, const struct fair_event *event)
{
	(void)context;
	(void)event;
	return 0;
}

static void on_random(void *context, void *bytes, size_t size)
{
	static unsigned char next;

	(void)context;
	for (size_t i = 0; i < size; i++)
		((unsigned char *)bytes)[i] = next++;
}

static void on_over(struct watch *watch)
{
	((struct scene *)watch)->over = true;
}

/* hear takes all that has come; a new text each time. */
static const char *hear(struct scene *s)
{
	ssize_t n, len = 0;

	while ((n = recv(s->theirs, s->heard + len, sizeof(s->heard) - 1 - (size_t)len, MSG_DONTWAIT)) > 0)
		len += n;
	s->heard[len] = '\0';
	return s->heard;
}

static struct scene *begin(void)
{
	static const struct fair_pool_config pool = {
		.pool = "default", .max_slots = 2, .min_share = 1, .max_waiting = 10, .tenant_max_waiting = 10};
	struct api_hooks hooks = {.answer = on_answer, .store = on_store, .random = on_random};
	struct fair_config fair = fair_config_default();
	struct api_config config = api_config_default();
	struct scene *s = calloc(1, sizeof(*s));
	struct epoll_event event = {.events = EPOLLRDHUP};
	int pair[2];

	cr_assert(s && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	s->epoll = epoll_create1(0);
	s->ours = pair[0];
	s->theirs = pair[1];
	s->now = 1000 * S;
	fair.hash_seed = fair.first_token = 1;
	s->fair = fair_create(&fair);
	cr_assert(s->fair && fair_pool_add(s->fair, &pool) == FAIR_OK);
	s->api = api_create(s->fair, &config, &hooks, s->now);
	s->request = (struct api_request){.method = "GET", .path = "/events"};
	api_handle(s->api, &s->request, s->now);
	streams_init(&s->streams, s->epoll, on_over);
	event.data.ptr = &s->watch;
	cr_assert(s->request.stream && epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->ours, &event) == 0);
	s->stream = streams_open(&s->streams, s->api, &s->request, s->ours, &s->watch, s->now);
	cr_assert(s->stream);
	return s;
}

static void end(struct scene *s)
{
	streams_end(&s->streams);
	api_sent(s->api, &s->request, s->now, true);
	api_destroy(s->api);
	fair_destroy(s->fair);
	close(s->epoll);
	close(s->ours);
	close(s->theirs);
	free(s);
}

static void pass(struct scene *s, uint64_t ns)
{
	s->now += ns;
	streams_run(&s->streams, s->api, s->now);
}

/* Something happens that is told, with a label that makes it long. */
static void happen(struct scene *s, const char *tenant)
{
	char body[512];
	int len = snprintf(body, sizeof(body), "{\"tenant_id\":\"%s\",\"label\":\"%0256d\"}", tenant, 1);
	struct api_request request = {.method = "POST", .path = "/leases", .body = body, .body_len = (size_t)len};

	api_handle(s->api, &request, s->now);
	api_sent(s->api, &request, s->now, true);
}

Test(streams, the_head_and_the_first_piece_come_at_once)
{
	struct scene *s = begin();
	const char *text = hear(s);

	cr_assert(!strncmp(text, "HTTP/1.1 200 OK\r\n", 17));
	cr_assert(strstr(text, "\r\n\r\nretry: 1000\n\nid: "));
	cr_assert(strstr(text, "\nevent: stats\n"));
	end(s);
}

Test(streams, what_happens_is_told_a_quarter_of_a_second_after_the_last_piece_at_the_earliest)
{
	struct scene *s = begin();

	hear(s);
	pass(s, 100 * MS);
	happen(s, "alice");
	cr_assert(streams_deadline(&s->streams, s->api) == s->now + 150 * MS);
	pass(s, 149 * MS);
	cr_assert_str_eq(hear(s), "");
	pass(s, 1 * MS);
	cr_assert(strstr(hear(s), "\"code\":\"tenant-not-registered\""));
	pass(s, 1000 * MS);
	cr_assert_str_eq(hear(s), "");
	happen(s, "bob");
	pass(s, 0);
	cr_assert(strstr(hear(s), "\"bob\""), "who was told nothing for so long is told at once");
	end(s);
}

Test(streams, a_comment_comes_every_15_s_while_nothing_happens)
{
	struct scene *s = begin();

	hear(s);
	cr_assert(streams_deadline(&s->streams, s->api) == s->now + 15 * S);
	pass(s, 15 * S - 1);
	cr_assert_str_eq(hear(s), "");
	pass(s, 1);
	cr_assert_str_eq(hear(s), ":\n\n");
	pass(s, 15 * S);
	cr_assert_str_eq(hear(s), ":\n\n");
	end(s);
}

/* fill has pieces sent until the socket takes no more. */
static void fill(struct scene *s)
{
	for (int i = 0; TAILQ_EMPTY(&s->streams.slow); i++) {
		cr_assert(i < 1000, "the socket takes everything");
		for (int j = 0; j < 150; j++)
			happen(s, "alice");
		pass(s, 250 * MS);
	}
}

Test(streams, a_reader_that_takes_nothing_is_not_told_more_and_is_cut_after_30_s)
{
	struct scene *s = begin();
	uint64_t deadline;

	fill(s);
	deadline = s->now + 30 * S;
	for (int i = 0; i < 1000; i++)
		happen(s, "alice");
	pass(s, 20 * S);
	cr_assert(streams_deadline(&s->streams, s->api) == deadline);
	pass(s, 10 * S - 1);
	cr_assert(!s->over);
	pass(s, 1);
	cr_assert(s->over);
	end(s);
}

Test(streams, a_reader_that_comes_back_gets_the_rest_and_what_it_missed)
{
	struct scene *s = begin();
	struct epoll_event event;
	const char *text;

	fill(s);
	for (int i = 0; i < 1000; i++)
		happen(s, "alice");
	hear(s);
	cr_assert(epoll_wait(s->epoll, &event, 1, 0) == 1 && event.data.ptr == &s->watch, "epoll tells of the room");
	streams_ready(&s->streams, s->stream, s->now);
	text = hear(s);
	cr_assert_str_eq(text + strlen(text) - 2, "\n\n");
	cr_assert(!strstr(text, "event: missed"));
	cr_assert(epoll_wait(s->epoll, &event, 1, 0) == 0, "and of nothing else");
	pass(s, 250 * MS);
	cr_assert(strstr(hear(s), "\nevent: missed\ndata: {\"count\":1000}\n"));
	end(s);
}

Test(streams, it_is_over_when_the_reader_hangs_up)
{
	struct scene *s = begin();
	struct epoll_event event;

	shutdown(s->theirs, SHUT_WR);
	cr_assert(epoll_wait(s->epoll, &event, 1, 0) == 1);
	streams_ready(&s->streams, s->stream, s->now);
	cr_assert(s->over);
	end(s);
}
