/* SPDX-License-Identifier: MIT */
/* What systemd hears and what it hands over. The test is systemd: it binds NOTIFY_SOCKET, and opens the sockets. */
#include "harness.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAITERS 1000
#define WATCHDOG_MS 1000

TestSuite(systemd, .fini = harness_fini, .timeout = MORE_TIME);

/* ---- the manager's ear ---- */

/* ear binds NOTIFY_SOCKET for the servers to come. */
static int ear(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = text_format("%s/notify", temp_dir());
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind: %s", strerror(errno));
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

/* hear returns the next message, NULL when none comes within the time. */
static const char *hear(int fd, uint64_t timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char message[4096];
	ssize_t size;

	if (poll(&poll_fd, 1, (int)timeout_ms) != 1)
		return NULL;
	size = recv(fd, message, sizeof(message), 0);
	cr_assert(size > 0, "recv: %s", strerror(errno));
	return text_format("%.*s", (int)size, message);
}

static bool has_line(const char *message, const char *line)
{
	size_t size = strlen(line);

	for (; message; message = strchr(message, '\n') ? strchr(message, '\n') + 1 : NULL)
		if (!strncmp(message, line, size) && strchr("\n", message[size]))
			return true;
	return false;
}

/* hear_line waits for the message with this line, past others. */
static const char *hear_line(int fd, const char *line)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	const char *message = "nothing";

	while (now_ms() < end && (message = hear(fd, end - now_ms())) != NULL)
		if (has_line(message, line))
			return message;
	cr_assert(false, "'%s' is not told, the last was: %s", line, message ? message : "nothing");
	return NULL;
}

/* alive_for fails the test unless signs of life come in time, all the while. */
static void alive_for(int fd, uint64_t ms)
{
	uint64_t end = now_ms() + ms, last = now_ms(), first = last;
	unsigned count = 0;

	for (; now_ms() < end; last = now_ms(), count++) {
		const char *message = hear(fd, WATCHDOG_MS);

		cr_assert(message && has_line(message, "WATCHDOG=1"), "%s", message ? message : "nothing is heard");
		cr_assert(now_ms() - last < WATCHDOG_MS * 3 / 4, "a silence of %u ms", (unsigned)(now_ms() - last));
	}
	cr_assert(count >= (last - first) / (WATCHDOG_MS / 2 + 100), "only %u signs in %u ms", count,
			  (unsigned)(last - first));
}

static void set_watchdog(void)
{
	setenv("WATCHDOG_USEC", text_format("%d", WATCHDOG_MS * 1000), 1);
}

Test(systemd, hears_ready_when_the_server_serves_and_not_before)
{
	int fd = ear();
	const char *message, *port;
	struct server *server = server_start("--max-slots", "2", NULL);

	cr_assert_str_eq(hear(fd, PATIENCE_MS), "STATUS=loading the state");
	message = hear(fd, PATIENCE_MS);
	cr_assert(has_line(message, "READY=1"), "%s", message);
	port = strstr(message, "\nSTATUS=listening on http://127.0.0.1:");
	cr_assert(port && strtoul(strrchr(port, ':') + 1, NULL, 10) == server_port(server), "%s", message);
	server_stop(server);
}

/* Nobody waits for the server's own line here: what systemd starts on READY=1 may call at once. */
Test(systemd, is_answered_by_readyz_from_ready_on)
{
	int fd = ear();
	unsigned port = free_port();
	const char *const arguments[] = {FAIRSHARED, "--store", "memory", "--listen", text_format("127.0.0.1:%u", port),
									 NULL};

	spawn(arguments);
	hear_line(fd, "READY=1");
	cr_assert(conn_call(conn_open(port), "GET", "/readyz", NULL, NULL)->status == 200);
}

Test(systemd, hears_no_ready_of_a_server_that_cannot_listen)
{
	int fd = ear();
	struct server *first = server_start("--max-slots", "2", NULL);
	const char *const arguments[] = {"--listen", text_format("127.0.0.1:%u", server_port(first)), NULL};
	const char *words, *message;

	hear_line(fd, "READY=1");
	cr_assert(run_once(arguments, NULL, &words) == 1);
	cr_assert(strstr(words, "cannot listen"), "%s", words);
	while ((message = hear(fd, 0)) != NULL)
		cr_assert(!has_line(message, "READY=1"), "%s", message);
	server_stop(first);
}

Test(systemd, hears_that_the_server_stops_and_how_long_that_may_take)
{
	int fd = ear();
	struct server *server = server_start("--drain-timeout", "40s", NULL);
	const char *id, *message;

	hear_line(fd, "READY=1");
	id = must_acquire(server, "alice", "", NULL);
	server_signal(server, SIGTERM);
	message = hear_line(fd, "STOPPING=1");
	cr_assert(has_line(message, "STATUS=draining"), "%s", message);
	cr_assert(has_line(message, "EXTEND_TIMEOUT_USEC=60000000"), "%s", message);
	must_release(server, id);
	cr_assert(server_leaves(server) == 0);
}

Test(systemd, hears_signs_of_life_while_idle_and_none_of_one_that_is_stopped)
{
	int fd = ear();
	struct server *server;

	set_watchdog();
	server = server_start("--store", "memory", NULL);
	hear_line(fd, "READY=1");
	alive_for(fd, 3 * WATCHDOG_MS);
	server_signal(server, SIGSTOP);
	while (hear(fd, 100) != NULL)
		;
	cr_assert(!hear(fd, 2 * WATCHDOG_MS), "a process that does not run tells of its life");
	server_signal(server, SIGCONT);
	hear_line(fd, "WATCHDOG=1");
	alive_for(fd, WATCHDOG_MS);
	server_stop(server);
}

Test(systemd, hears_signs_of_life_while_many_wait_and_while_draining)
{
	static struct conn *waiters[WAITERS];
	int fd = ear();
	struct server *server;

	set_watchdog();
	server = server_start("--max-slots", "1", "--drain-timeout", "1h", NULL);
	hear_line(fd, "READY=1");
	must_acquire(server, "holder", "", NULL);
	for (int i = 0; i < WAITERS; i++) {
		waiters[i] = conn_open(server_port(server));
		conn_acquire(waiters[i], text_format("t%d", i % 7), ",\"wait_seconds\":300", NULL);
	}
	wait_stat(server, "waiting", WAITERS);
	while (hear(fd, 0) != NULL)
		;
	alive_for(fd, 3 * WATCHDOG_MS);
	server_signal(server, SIGTERM);
	hear_line(fd, "STOPPING=1");
	alive_for(fd, 2 * WATCHDOG_MS);
	server_signal(server, SIGTERM);
	cr_assert(server_leaves(server) == 1);
}

Test(systemd, hears_no_signs_of_life_that_it_did_not_ask_this_process_for)
{
	int fd = ear();
	struct server *server;

	set_watchdog();
	setenv("WATCHDOG_PID", "1", 1);
	server = server_start("--max-slots", "2", NULL);
	hear_line(fd, "READY=1");
	cr_assert(!hear(fd, 2 * WATCHDOG_MS));
	server_stop(server);
}

/* ---- sockets handed over ---- */

/* open_socket opens one of 127.0.0.1, which listens where its type can. */
static int open_socket(int type)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind: %s", strerror(errno));
	cr_assert(type != SOCK_STREAM || listen(fd, 100) == 0, "listen: %s", strerror(errno));
	return fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	return ntohs(address.sin_port);
}

/* A client that comes before the server is served as soon as it is there: that is what the socket unit is for. */
Test(systemd, hands_over_a_socket_that_is_served_instead_of_listen)
{
	int fd = open_socket(SOCK_STREAM);
	struct conn *early = conn_open(port_of(fd));
	struct server *server;

	conn_acquire(early, "alice", "", NULL);
	hand_over(fd);
	server = server_start("--max-slots", "2", NULL);
	cr_assert(server_port(server) == port_of(fd), "port %u was handed over, %u is told", port_of(fd),
			  server_port(server));
	server_says(server, "listen is ignored");
	granted(conn_reply(early));
	must_release(server, must_acquire(server, "bob", "", NULL));
	server_stop(server);
}

Test(systemd, hands_over_a_socket_of_ipv6)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int notified = ear(), fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);
	const char *const arguments[] = {FAIRSHARED, "--store", "memory", NULL};

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		cr_skip_test("no IPv6 here: %s", strerror(errno));
	cr_assert(listen(fd, 100) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	hand_over(fd);
	spawn(arguments);
	hear_line(notified, text_format("STATUS=listening on http://[::1]:%u", ntohs(address.sin6_port)));
}

static long ms_of(struct timeval time)
{
	return time.tv_sec * 1000 + time.tv_usec / 1000;
}

/*
 * The manager keeps the socket open while the server leaves, here slowly, as somebody does not read an answer. Whoever
 * comes meanwhile waits for the next server; the one that leaves neither takes them nor spins over them.
 */
Test(systemd, keeps_for_the_next_server_who_comes_while_one_leaves)
{
	int fd = open_socket(SOCK_STREAM);
	const char *label = text_format(",\"label\":\"%s\"", text_repeat('x', 250));
	struct server *server;
	struct conn *slow, *late;
	struct rusage usage;
	long busy_ms;

	hand_over(fd);
	server = server_start("--max-slots", "1000", "--store", "memory", NULL);
	slow = conn_open_small(server_port(server));
	for (int i = 0; i < 1000; i++)
		must_acquire(server, "alice", label, NULL);
	for (int i = 0; i < 10; i++)
		conn_ask(slow, "GET", "/leases?limit=1000", NULL, NULL);
	cr_assert(conn_readable(slow, PATIENCE_MS), "no reply");
	cr_assert(stat_of(server, "total_active_slots") == 1000);
	server_signal(server, SIGTERM);
	server_says(server, "told to stop");
	pause_until(now_ms() + 300);
	late = conn_open(port_of(fd));
	conn_ask(late, "GET", "/readyz", NULL, NULL);
	cr_assert(server_leaves(server) == 0);
	cr_assert(getrusage(RUSAGE_CHILDREN, &usage) == 0);
	busy_ms = ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
	cr_assert(busy_ms < 1200, "the server was busy for %ld ms, mostly while it left", busy_ms);
	cr_assert(!conn_readable(late, 0), "the server that left has answered");
	server = server_start("--store", "memory", NULL);
	cr_assert(conn_reply(late)->status == 200);
	server_stop(server);
}

static void is_refused(const char *reason)
{
	const char *const arguments[] = {"--store", "memory", "--listen", "127.0.0.1:0", NULL};
	const char *words;

	cr_assert(run_once(arguments, NULL, &words) == 1, "%s", words);
	cr_assert(strstr(words, reason), "%s", words);
	cr_assert(!strstr(words, "listening on"), "%s", words);
}

Test(systemd, hands_over_two_sockets_and_is_refused)
{
	hand_over(open_socket(SOCK_STREAM));
	hand_over(open_socket(SOCK_STREAM));
	is_refused("2 sockets are handed over, but only one is served: leave one ListenStream in the socket unit");
}

#define NOT_LISTENING "what is handed over is not a listening stream socket: the socket unit needs ListenStream="

Test(systemd, hands_over_a_datagram_socket_and_is_refused)
{
	hand_over(open_socket(SOCK_DGRAM));
	is_refused(NOT_LISTENING);
}

Test(systemd, hands_over_a_connection_and_is_refused)
{
	int fd = open_socket(SOCK_STREAM);

	hand_over(conn_fd(conn_open(port_of(fd))));
	is_refused(NOT_LISTENING);
}

/* Its name is systemd's: it stays. */
Test(systemd, hands_over_a_local_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct server *server;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", temp_dir());
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0);
	hand_over(fd);
	server = server_start("--max-slots", "1", NULL);
	server_says(server, text_format("listening on unix:%s", address.sun_path));
	must_acquire(server, "alice", "", NULL);
	server_stop(server);
	cr_assert(access(address.sun_path, F_OK) == 0);
	close(fd);
}

Test(systemd, hands_over_a_file_and_is_refused)
{
	FILE *file = tmpfile();

	cr_assert(file != NULL);
	hand_over(fileno(file));
	is_refused(NOT_LISTENING);
	fclose(file);
}
