/* SPDX-License-Identifier: MIT */
/*
 * Behind a real nginx that gives a long-poll three seconds: every waiter is cut again and again. With a key each keeps
 * its turn; without one the order is lost, which shows that the first run proves something.
 */
#include "harness.h"
#include "nginx.h"

#include <criterion/criterion.h>
#include <poll.h>

#define WAITERS 5
#define CUTS 3

TestSuite(nginx, .fini = harness_fini, .timeout = MORE_TIME);

/* start_nginx puts nginx in front of the server and returns its port. */
static unsigned start_nginx(const struct server *server)
{
	const char *dir = temp_dir();
	unsigned port = free_port();

	nginx_start(
		dir,
		text_format(
			"worker_processes 1; pid %s/pid; error_log %s/error.log;\n"
			"events { worker_connections 256; }\n"
			"http {\n"
			"	access_log off; client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path "
			"%s/fastcgi;\n"
			"	uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
			"	server {\n"
			"		listen 127.0.0.1:%u;\n"
			"		location / { proxy_pass http://127.0.0.1:%u; proxy_http_version 1.1; proxy_read_timeout 3s; }\n"
			"	}\n"
			"}\n",
			dir, dir, dir, dir, dir, dir, dir, port, server_port(server)),
		port);
	return port;
}

struct line {
	struct server *server;
	unsigned port; /* of nginx */
	bool keyed;
	struct conn *waiters[WAITERS];
};

/* join has waiter i ask, once more or for the first time; `waiting` are present then. */
static void join(struct line *line, int i, double waiting)
{
	line->waiters[i] = conn_open(line->port);
	conn_acquire(line->waiters[i], text_format("t%d", i), ",\"wait_seconds\":300",
				 line->keyed ? text_format("job-%d", i) : NULL);
	wait_stat(line->server, "waiting", waiting);
}

/* all_cut waits until nginx has cut every waiter and the server has noticed. */
static void all_cut(struct line *line)
{
	for (int i = 0; i < WAITERS; i++) {
		struct reply *reply = conn_reply(line->waiters[i]);

		cr_assert(reply->status == 504, "nginx was to cut the long-poll, but: %u %s", reply->status, reply->body);
		conn_close(line->waiters[i]);
	}
	wait_stat(line->server, "waiting", 0);
	cr_assert(stat_of(line->server, "absent") == (line->keyed ? WAITERS : 0));
}

/* serve_next waits for the one who is granted the slot, gives it back, and returns who it was. */
static int serve_next(struct line *line, bool *served)
{
	struct pollfd polls[WAITERS];

	for (int i = 0; i < WAITERS; i++)
		polls[i] = (struct pollfd){.fd = served[i] ? -1 : conn_fd(line->waiters[i]), .events = POLLIN};
	cr_assert(poll(polls, WAITERS, PATIENCE_MS) == 1, "not one is served");
	for (int i = 0; i < WAITERS; i++)
		if (polls[i].revents) {
			served[i] = true;
			must_release(line->server, granted(conn_reply(line->waiters[i])));
			return i;
		}
	return -1;
}

/* run has five waiters cut CUTS times; each time they come back in turned order. It writes the order of service. */
static void run(bool keyed, int *ret_order)
{
	struct line line = {.server = server_start("--max-slots", "1", NULL), .keyed = keyed};
	const char *held = must_acquire(line.server, "holder", "", NULL);
	bool served[WAITERS] = {false};

	line.port = start_nginx(line.server);
	for (int i = 0; i < WAITERS; i++)
		join(&line, i, i + 1);
	for (int cut = 0; cut < CUTS; cut++) {
		all_cut(&line);
		for (int i = WAITERS - 1; i >= 0; i--)
			join(&line, i, WAITERS - i);
	}
	must_release(line.server, held);
	for (int i = 0; i < WAITERS; i++)
		ret_order[i] = serve_next(&line, served);
	server_stop(line.server);
}

Test(nginx, keyed_waiters_are_served_in_their_order_over_cuts)
{
	int order[WAITERS];

	run(true, order);
	for (int i = 0; i < WAITERS; i++)
		cr_assert(order[i] == i, "waiter %d was served as number %d", order[i], i);
}

Test(nginx, waiters_without_a_key_lose_their_order)
{
	int order[WAITERS];

	run(false, order);
	for (int i = 0; i < WAITERS; i++)
		cr_assert(order[i] == WAITERS - 1 - i, "waiter %d was served as number %d", order[i], i);
}
