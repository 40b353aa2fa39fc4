/* SPDX-License-Identifier: MIT */
/*
 * docker/nginx.conf in front of a browser farm: a real nginx asks the real server at /check before it lets anybody in.
 * The farm is a socket of the test, which sees what arrives there, and that nothing does.
 */
#include "harness.h"
#include "nginx.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FARM_OK "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfarm"
#define REQUEST_MAX 4096

TestSuite(farm, .fini = harness_fini, .timeout = MORE_TIME);

struct farm {
	struct server *server;
	int listener;
	unsigned port; /* of nginx */
};

/* file_text reads a file whole; free it. */
static char *file_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	cr_assert(file && getdelim(&text, &size, '\0', file) > 0, "%s cannot be read", path);
	fclose(file);
	return text;
}

/* replaced puts `by` in all places of `what`, which must be there. */
static const char *replaced(const char *text, const char *what, const char *by)
{
	const char *rest = strstr(text, what);

	cr_assert(rest, "docker/nginx.conf has no '%s' any more", what);
	while (rest) {
		size_t before = (size_t)(rest - text);

		text = text_format("%.*s%s%s", (int)before, text, by, rest + strlen(what));
		rest = strstr(text + before + strlen(by), what);
	}
	return text;
}

static unsigned listen_anywhere(int *ret_listener)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*ret_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(*ret_listener, (struct sockaddr *)&address, size) == 0 && listen(*ret_listener, 16) == 0);
	cr_assert(getsockname(*ret_listener, (struct sockaddr *)&address, &size) == 0);
	return ntohs(address.sin_port);
}

/* farm_start puts docker/nginx.conf, with ports and folder of this test, between the test's socket and a server. */
static struct farm farm_start(void)
{
	struct farm farm = {.server = server_start("--max-slots", "2", NULL), .port = free_port()};
	char *file = file_text(NGINX_CONF);
	const char *dir = temp_dir(), *conf;

	conf = replaced(file, "server fairshared:8080;", text_format("server 127.0.0.1:%u;", server_port(farm.server)));
	conf = replaced(conf, "server chrome:4444;", text_format("server 127.0.0.1:%u;", listen_anywhere(&farm.listener)));
	conf = replaced(conf, "listen 4444;", text_format("listen 127.0.0.1:%u;", farm.port));
	conf = replaced(conf, "/tmp/", text_format("%s/", dir));
	conf = replaced(conf, "error_log stderr", text_format("error_log %s/error.log", dir));
	free(file);
	nginx_start(dir, conf, farm.port);
	return farm;
}

static void farm_stop(struct farm *farm)
{
	close(farm->listener);
	server_stop(farm->server);
}

/* farm_accept waits for a request and returns its connection; the head is in `request`. */
static int farm_accept(const struct farm *farm, char request[REQUEST_MAX])
{
	struct pollfd poll_fd = {.fd = farm->listener, .events = POLLIN};
	size_t size = 0;
	int fd;

	cr_assert(poll(&poll_fd, 1, PATIENCE_MS) == 1, "nothing reaches the farm");
	fd = accept(farm->listener, NULL, NULL);
	cr_assert(fd >= 0);
	for (request[0] = '\0'; !strstr(request, "\r\n\r\n"); request[size] = '\0') {
		ssize_t got = recv(fd, request + size, REQUEST_MAX - 1 - size, 0);

		cr_assert(got > 0, "no whole request: %s", request);
		size += (size_t)got;
	}
	return fd;
}

static void farm_answer(int fd, const char *answer)
{
	cr_assert(send(fd, answer, strlen(answer), MSG_NOSIGNAL) == (ssize_t)strlen(answer));
}

/* nobody_came: what was refused has not been at the farm. It is asked after the refusal was answered. */
static void nobody_came(const struct farm *farm)
{
	struct pollfd poll_fd = {.fd = farm->listener, .events = POLLIN};

	cr_assert(poll(&poll_fd, 1, 0) == 0, "a request without a lease reached the farm");
}

/* passes asks at the door and expects the request at the farm to begin with that line. */
static void passes(const struct farm *farm, const char *method, const char *target, const char *line)
{
	struct conn *conn = conn_open(farm->port);
	char request[REQUEST_MAX];
	struct reply *reply;
	int fd;

	conn_ask(conn, method, target, !strcmp(method, "POST") ? "{\"capabilities\":{}}" : NULL, NULL);
	fd = farm_accept(farm, request);
	cr_assert(!strncmp(request, line, strlen(line)), "%s %s reaches the farm as: %s", method, target, request);
	farm_answer(fd, FARM_OK);
	reply = conn_reply(conn);
	cr_assert(reply->status == 200 && !strcmp(reply->body, "farm"), "%u %s", reply->status, reply->body);
	close(fd);
	conn_close(conn);
}

static void shut_out(const struct farm *farm, const char *method, const char *target, unsigned status)
{
	struct conn *conn = conn_open(farm->port);
	struct reply *reply = conn_call(conn, method, target, NULL, NULL);

	cr_assert(reply->status == status, "%s %s: %u %s", method, target, reply->status, reply->body);
	nobody_came(farm);
	conn_close(conn);
}

Test(farm, a_lease_opens_the_door_and_its_end_closes_it)
{
	struct farm farm = farm_start();
	const char *id = must_acquire(farm.server, "alice", "", NULL);
	const char *session = text_format("/%s/session", id);

	passes(&farm, "POST", session, "POST /session HTTP/1.1\r\n");
	passes(&farm, "GET", text_format("/%s/session/17/url", id), "GET /session/17/url HTTP/1.1\r\n");
	must_release(farm.server, id);
	shut_out(&farm, "POST", session, 403);
	shut_out(&farm, "GET", text_format("/%s/session/17/url", id), 403);
	farm_stop(&farm);
}

Test(farm, without_a_lease_nobody_gets_in)
{
	struct farm farm = farm_start();
	const char *id = must_acquire(farm.server, "alice", "", NULL);
	const char *const targets[] = {
		"/",
		"/session",
		"/ls_00000000000000000000000000/session",
		"/ls_/session",
		"/LS_0/session",
		"//session",
		text_format("/session?lease=%s", id),
		text_format("/x/../%s/session", id),
		text_format("/%s0/session", id),
		text_format("/%%6c%s/session", id + 1),
		text_format("/%sx", id),
		text_format("/%.*s/session", 20, id),
		text_format("/%s&lease=%s/session", "ls_0", id),
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		shut_out(&farm, "GET", targets[i], 403);
	shut_out(&farm, "GET", "/lease", 404);
	farm_stop(&farm);
}

/* A client's log has to show why. */
Test(farm, the_refusal_is_worded_as_webdriver_does)
{
	struct farm farm = farm_start();
	struct conn *conn = conn_open(farm.port);
	struct reply *reply = conn_call(conn, "POST", "/session", "{}", NULL);
	json_t *value = json_object_get(reply->json, "value");

	cr_assert(reply->status == 403 && value, "%u %s", reply->status, reply->body);
	cr_assert(!strcmp(json_string_value(json_object_get(value, "error")), "session not created"), "%s", reply->body);
	cr_assert(strstr(json_string_value(json_object_get(value, "message")), "no active lease"), "%s", reply->body);
	farm_stop(&farm);
}

/* The farm gets what was sent: escapes stay escapes, the query stays, the lease is gone. */
Test(farm, the_target_is_passed_on_as_it_was_sent)
{
	struct farm farm = farm_start();
	const char *id = must_acquire(farm.server, "alice", "", NULL);
	const struct {
		const char *after, *line;
	} rows[] = {
		{"", "GET / HTTP/1.1\r\n"},
		{"/", "GET / HTTP/1.1\r\n"},
		{"?token=a%20b", "GET /?token=a%20b HTTP/1.1\r\n"},
		{"/a%2Fb/c?d=e&f=%00", "GET /a%2Fb/c?d=e&f=%00 HTTP/1.1\r\n"},
		{"/x%0d%0aHost:%20other", "GET /x%0d%0aHost:%20other HTTP/1.1\r\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		passes(&farm, "GET", text_format("/%s%s", id, rows[i].after), rows[i].line);
	farm_stop(&farm);
}

Test(farm, a_websocket_goes_both_ways)
{
	struct farm farm = farm_start();
	const char *id = must_acquire(farm.server, "alice", "", NULL);
	struct conn *conn = conn_open(farm.port);
	char request[REQUEST_MAX], heard[8] = "";
	struct reply *reply;
	int fd;

	conn_say(conn, text_format("GET /%s/devtools/browser/1 HTTP/1.1\r\nHost: farm:4444\r\nUpgrade: websocket\r\n"
							   "Connection: Upgrade\r\n\r\n",
							   id));
	fd = farm_accept(&farm, request);
	cr_assert(!strncmp(request, "GET /devtools/browser/1 HTTP/1.1\r\n", 34), "%s", request);
	cr_assert(strstr(request, "\r\nUpgrade: websocket\r\n") && strstr(request, "\r\nConnection: upgrade\r\n") &&
				  strstr(request, "\r\nHost: farm:4444\r\n"),
			  "%s", request);
	farm_answer(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	farm_answer(fd, "HTTP/1.1 299 from the farm\r\nContent-Length: 0\r\n\r\n");
	reply = conn_reply(conn);
	cr_assert(reply->status == 101, "%u", reply->status);
	cr_assert(conn_reply(conn)->status == 299, "what the farm says after that does not arrive");
	conn_say(conn, "hello");
	cr_assert(recv(fd, heard, 5, MSG_WAITALL) == 5 && !strcmp(heard, "hello"), "%s", heard);
	close(fd);
	farm_stop(&farm);
}

/* The door stays shut when the one who knows is not there. */
Test(farm, nobody_gets_in_while_the_server_is_down)
{
	struct farm farm = farm_start();
	const char *id = must_acquire(farm.server, "alice", "", NULL);

	server_kill(farm.server);
	shut_out(&farm, "GET", text_format("/%s/session", id), 500);
	close(farm.listener);
}
