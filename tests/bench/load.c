/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
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

double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct server start(char *const argv[])
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

void stop(struct server s)
{
	kill(s.pid, SIGKILL);
	waitpid(s.pid, NULL, 0);
}

int dial(int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

void put(int fd, const char *text)
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

int wait_reply(struct connection *c)
{
	int status;

	while (receive(c, 0) && !(status = reply(c)))
		;
	return status;
}

void ask(struct connection *c)
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

void remember(struct connection *c)
{
	const char *id = strstr(c->buffer, "\"ls_");

	if (c->acquiring)
		snprintf(c->lease, sizeof(c->lease), "%.29s", id ? id + 1 : "ls_00000000000000000000000000");
}

static void post(int fd, const char *path, const char *body)
{
	char text[512];

	snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body),
	         body);
	put(fd, text);
}

int call(struct connection *c, const char *path, const char *body)
{
	c->size = 0;
	post(c->fd, path, body);
	return wait_reply(c);
}

void register_tenants(int port)
{
	struct connection c = {.fd = dial(port)};

	for (int i = 0; i < TENANTS; i++) {
		char body[64];

		snprintf(body, sizeof(body), "{\"tenant_id\":\"tenant-%d\"}", i);
		call(&c, "/tenants", body);
	}
	close(c.fd);
}

struct load {
	struct connection all[CONNECTIONS];
	int epoll;
};

struct load *load_open(int port)
{
	struct load *l = calloc(1, sizeof(*l));

	if (!l || (l->epoll = epoll_create1(0)) < 0)
		fail("epoll");
	register_tenants(port);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &l->all[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

		*c = (struct connection){.fd = dial(port), .tenant = i % TENANTS};
		epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e);
	}
	return l;
}

void load_close(struct load *l)
{
	for (int i = 0; i < CONNECTIONS; i++)
		close(l->all[i].fd);
	close(l->epoll);
	free(l);
}

double load_run(struct load *l, double length, bool awake)
{
	struct epoll_event events[CONNECTIONS];
	long pairs = 0, refused = 0;
	int busy = CONNECTIONS;
	double begin = seconds(), took = 0;

	for (int i = 0; i < CONNECTIONS; i++)
		ask(&l->all[i]);
	while (busy > 0) {
		int n = epoll_wait(l->epoll, events, CONNECTIONS, awake ? 0 : 1000);
		bool over = took >= length;

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			int status = receive(c, MSG_DONTWAIT) ? reply(c) : 0;

			if (!status)
				continue;
			refused += status >= 300;
			pairs += !over && !c->acquiring;
			remember(c);
			if (over && !c->acquiring)
				busy--;
			else
				ask(c);
		}
		if (!over)
			took = seconds() - begin;
	}
	if (refused)
		printf("  %ld replies were refusals\n", refused);
	return (double)pairs / took;
}

double rate(int port, double length, bool awake)
{
	struct load *l = load_open(port);
	double pairs = load_run(l, length, awake);

	load_close(l);
	return pairs;
}

long resident_kib(pid_t pid)
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


static int waiting(int fd, const char *pool)
{
	struct connection probe = {.fd = fd};
	char text[128];
	const char *at;

	snprintf(text, sizeof(text), "GET /pools/%s HTTP/1.1\r\nHost: bench\r\n\r\n", pool);
	put(fd, text);
	wait_reply(&probe);
	at = strstr(probe.buffer, "\"waiting\":");
	return at ? (int)strtol(at + 10, NULL, 10) : 0;
}

/* All at once over some connections: each commit takes as many as came meanwhile. */
void take_leases(int port, int count)
{
	struct connection all[CONNECTIONS];
	const char *body = "{\"tenant_id\":\"tenant-0\",\"ttl_seconds\":3600}";

	register_tenants(port);
	for (int i = 0; i < CONNECTIONS; i++)
		all[i] = (struct connection){.fd = dial(port)};
	for (int i = 0; i < count + CONNECTIONS; i++) {
		struct connection *c = &all[i % CONNECTIONS];

		if (i >= CONNECTIONS && wait_reply(c) != 201)
			fail("acquire");
		c->size = 0;
		if (i < count)
			post(c->fd, "/leases", body);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		close(all[i].fd);
}

struct connection *park(int port, const char *pool, int count)
{
	struct connection *all = calloc((size_t)count, sizeof(*all)), helper = {.fd = dial(port)};
	char body[128];

	if (!all)
		fail("calloc");
	snprintf(body, sizeof(body), "{\"tenant_id\":\"parked\",\"pool\":\"%s\"}", pool);
	call(&helper, "/tenants", body);
	snprintf(body, sizeof(body), "{\"tenant_id\":\"parked\",\"pool\":\"%s\",\"wait_seconds\":300}", pool);
	for (int i = 0; i < count; i++) {
		all[i].fd = dial(port);
		post(all[i].fd, "/leases", body);
		/* The line is in order of arrival: the next is sent when this one is in line. */
		while (waiting(helper.fd, pool) < i + 1)
			;
	}
	close(helper.fd);
	return all;
}

void many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		fail("getrlimit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("setrlimit");
}
