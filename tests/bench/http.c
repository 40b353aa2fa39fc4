/* SPDX-License-Identifier: MIT */
/*
 * The server over HTTP beside a bare libmicrohttpd program, from one load generator in one run; prints ratios.
 * Loopback only, bounded in time. usage: bench_http [--seconds N] [--parked N]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 64
#define TENANTS 10
#define HANDOFFS 5000

struct server {
	pid_t pid;
	int port;
};

struct connection {
	int fd;
	int tenant;
	bool acquiring;
	size_t size;
	char lease[64];
	char buffer[4096];
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct server start(char *const argv[])
{
	struct server s = {0};
	char line[512];
	int out[2];

	if (pipe(out))
		fail("pipe");
	s.pid = fork();
	if (s.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(out[1]);

	FILE *f = fdopen(out[0], "r");

	while (f && fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "listening on http://127.0.0.1:");

		if (at && sscanf(at, "listening on http://127.0.0.1:%d", &s.port) == 1)
			return s;
	}
	fail(argv[0]);
	return s;
}

static void stop(struct server s)
{
	kill(s.pid, SIGKILL);
	waitpid(s.pid, NULL, 0);
}

static int dial(int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail("write");
}

/* Reads until a whole reply is there; its status, or 0 when more is to come. */
static int reply(struct connection *c)
{
	const char *end = strstr(c->buffer, "\r\n\r\n"), *length = strcasestr(c->buffer, "content-length:");
	size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
	int status = 0;

	if (!end || c->size < (size_t)(end + 4 - c->buffer) + body)
		return 0;
	sscanf(c->buffer, "HTTP/1.1 %d", &status);
	return status;
}

static bool receive(struct connection *c, int flags)
{
	ssize_t n = recv(c->fd, c->buffer + c->size, sizeof(c->buffer) - 1 - c->size, flags);

	if (n <= 0)
		fail("recv");
	c->size += (size_t)n;
	c->buffer[c->size] = '\0';
	return true;
}

static int wait_reply(struct connection *c)
{
	int status;

	while (receive(c, 0) && !(status = reply(c)))
		;
	return status;
}

static void ask(struct connection *c)
{
	char text[512], body[128];

	c->size = 0;
	c->buffer[0] = '\0';
	c->acquiring = !c->acquiring;
	if (c->acquiring) {
		snprintf(body, sizeof(body), "{\"tenant_id\":\"tenant-%d\",\"wait_seconds\":60}", c->tenant);
		snprintf(text, sizeof(text), "POST /leases HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
		         body);
	} else {
		snprintf(text, sizeof(text), "DELETE /leases/%s HTTP/1.1\r\nHost: bench\r\n\r\n", c->lease);
	}
	put(c->fd, text);
}

static void remember(struct connection *c)
{
	const char *id = strstr(c->buffer, "\"ls_");

	if (c->acquiring)
		snprintf(c->lease, sizeof(c->lease), "%.29s", id ? id + 1 : "ls_00000000000000000000000000");
}

static void register_tenants(int port)
{
	struct connection c = {.fd = dial(port)};

	for (int i = 0; i < TENANTS; i++) {
		char text[256], body[64];

		snprintf(body, sizeof(body), "{\"tenant_id\":\"tenant-%d\"}", i);
		snprintf(text, sizeof(text), "POST /tenants HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
		         body);
		c.size = 0;
		put(c.fd, text);
		wait_reply(&c);
	}
	close(c.fd);
}

/* acquire + release pairs a second. */
static double rate(int port, double length)
{
	struct connection *all = calloc(CONNECTIONS, sizeof(*all));
	struct epoll_event events[CONNECTIONS];
	int epoll = epoll_create1(0);
	long pairs = 0, refused = 0;

	if (!all || epoll < 0)
		fail("epoll");
	register_tenants(port);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};

		all[i] = (struct connection){.fd = dial(port), .tenant = i % TENANTS};
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
		ask(&all[i]);
	}

	double begin = seconds(), took;

	while ((took = seconds() - begin) < length) {
		int n = epoll_wait(epoll, events, CONNECTIONS, 1000);

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			int status = receive(c, MSG_DONTWAIT) ? reply(c) : 0;

			if (!status)
				continue;
			refused += status >= 300;
			pairs += !c->acquiring;
			remember(c);
			ask(c);
		}
	}
	for (int i = 0; i < CONNECTIONS; i++)
		close(all[i].fd);
	close(epoll);
	free(all);
	if (refused)
		printf("  %ld replies were refusals\n", refused);
	return (double)pairs / took;
}

static long resident_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);

	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One slot, many parked: each release hands it to the next in line. The time from sending the release to the waiter's reply. */
static void handoff(const char *binary, int parked)
{
	char *argv[] = {(char *)binary, "--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "1", "--max-waiting", "20000",
	                "--tenant-max-waiting", "20000", "--max-wait", "300s", NULL};
	struct server s = start(argv);
	struct connection *all = calloc((size_t)parked, sizeof(*all)), holder = {.fd = dial(s.port)};
	int rounds = parked - 1 < HANDOFFS ? parked - 1 : HANDOFFS;
	double *took = calloc((size_t)rounds, sizeof(*took));
	long before;

	register_tenants(s.port);
	ask(&holder);
	wait_reply(&holder);
	remember(&holder);
	before = resident_kib(s.pid);
	for (int i = 0; i < parked; i++) {
		char text[512];
		const char *body = "{\"tenant_id\":\"tenant-0\",\"wait_seconds\":300}";

		all[i].fd = dial(s.port);
		snprintf(text, sizeof(text), "POST /leases HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
		         body);
		put(all[i].fd, text);
		/* The line is in order of arrival: the next is sent when this one is in line. */
		struct connection probe = {.fd = holder.fd};
		do {
			probe.size = 0;
			put(probe.fd, "GET /pools/default HTTP/1.1\r\nHost: bench\r\n\r\n");
			wait_reply(&probe);
			const char *at = strstr(probe.buffer, "\"waiting\":");
			if (at && strtol(at + 10, NULL, 10) >= i + 1)
				break;
		} while (true);
	}
	printf("%d parked waiters: %.2f KiB of resident memory each\n", parked, (double)(resident_kib(s.pid) - before) / parked);

	struct connection *last = &holder;

	for (int i = 0; i < rounds; i++) {
		char text[256];
		double begin = seconds();

		snprintf(text, sizeof(text), "DELETE /leases/%s HTTP/1.1\r\nHost: bench\r\n\r\n", last->lease);
		put(holder.fd, text);
		wait_reply(&all[i]);
		took[i] = seconds() - begin;
		holder.size = 0;
		wait_reply(&holder);
		all[i].acquiring = true;
		remember(&all[i]);
		last = &all[i];
	}
	qsort(took, (size_t)rounds, sizeof(*took), by_value);
	printf("hand-off with %d parked: p50 %.0f us, p99 %.0f us, max %.0f us (%d hand-offs)\n", parked, took[rounds / 2] * 1e6,
	       took[rounds * 99 / 100] * 1e6, took[rounds - 1] * 1e6, rounds);
	stop(s);
	for (int i = 0; i < parked; i++)
		close(all[i].fd);
	close(holder.fd);
	free(all);
	free(took);
}

int main(int argc, char **argv)
{
	double length = 5;
	int parked = 10000;
	struct rlimit files = {65536, 65536};

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			length = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--parked") == 0)
			parked = (int)strtol(argv[i + 1], NULL, 10);
	}
	if (setrlimit(RLIMIT_NOFILE, &files))
		getrlimit(RLIMIT_NOFILE, &files);

	char *bare[] = {BARE, NULL};
	char *enough[] = {SERVER, "--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "1000", NULL};
	char *few[] = {SERVER, "--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "10", NULL};
	double r[3] = {0};

	/* Three rounds of each in turn: a noisy machine hits all of them. */
	for (int round = 0; round < 3; round++) {
		char *const *programs[] = {bare, enough, few};

		for (int i = 0; i < 3; i++) {
			struct server s = start((char **)programs[i]);
			double now = rate(s.port, length / 3);

			r[i] = now > r[i] ? now : r[i];
			stop(s);
		}
	}
	printf("acquire + release a second, %d connections, %d tenants (best of 3 rounds)\n", CONNECTIONS, TENANTS);
	printf("  bare libmicrohttpd      %8.0f\n", r[0]);
	printf("  fairshared, slots enough %7.0f  ratio %.2f\n", r[1], r[1] / r[0]);
	printf("  fairshared, 10 slots     %7.0f  ratio %.2f\n", r[2], r[2] / r[0]);
	handoff(SERVER, parked);
	return 0;
}
