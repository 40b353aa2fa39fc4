/* SPDX-License-Identifier: MIT */
/*
 * What a scrape costs others: GET /metrics and GET /stats?limit=10000 of a server with 10 000 tenants and 1 000 leases, once a
 * second, beside 2 000 acquires and releases a second. Prints the turns of the loop that took longer than a millisecond, and the
 * best p99 of acquires with and without scrapes, of rounds of each in turn: what else runs on the machine hits some of them,
 * and both figures if there is much of it. usage: bench_scrape [--seconds N] [--rounds N]
 */
#include "load.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY_TENANTS 10000
#define LEASES 1000
#define EVERY 500e-6   /* seconds between two requests */
#define CLIENTS 16
#define TEXT_MAX (8 << 20)

static char text[TEXT_MAX];

/* fetch reads a long reply into `text`; its size. */
static size_t fetch(int port, const char *target)
{
	char request[256];
	size_t size = 0;
	ssize_t n;
	int fd = dial(port);

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n", target);
	put(fd, request);
	while (size < TEXT_MAX - 1 && (n = read(fd, text + size, TEXT_MAX - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	close(fd);
	if (strncmp(text, "HTTP/1.1 200", 12) != 0)
		fail(target);
	return size;
}

static double sample(const char *series)
{
	const char *at = strstr(text, series);

	return at ? strtod(at + strlen(series), NULL) : 0;
}

struct turns {
	double all, longer, much_longer;   /* than 1 ms, than 2.5 ms */
};

static struct turns turns(int port)
{
	fetch(port, "/metrics");

	double all = sample("fairshared_loop_turn_seconds_count ");

	return (struct turns){all, all - sample("fairshared_loop_turn_seconds_bucket{le=\"0.001\"} "),
	                      all - sample("fairshared_loop_turn_seconds_bucket{le=\"0.0025\"} ")};
}

static pid_t scrape_each_second(int port)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fetch(port, "/metrics");
		fetch(port, "/stats?limit=10000");
		sleep(1);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct client {
	struct connection c;
	double since;   /* 0: idle */
};

/* Takes what is there; true when the reply is whole. */
static bool take(struct connection *c)
{
	ssize_t n = recv(c->fd, c->buffer + c->size, sizeof(c->buffer) - 1 - c->size, MSG_DONTWAIT);

	if (n > 0)
		c->size += (size_t)n;
	c->buffer[c->size] = '\0';
	return c->size > 0 && strstr(c->buffer, "\r\n\r\n") && (!c->acquiring || c->buffer[c->size - 1] == '\n');
}

/* p99 runs the load for so long; the latency of acquires from when they were due, in seconds. */
static double p99(int port, double length)
{
	struct client clients[CLIENTS] = {0};
	struct pollfd fds[CLIENTS];
	size_t room = (size_t)(length / EVERY) + 1, count = 0;
	double *took = calloc(room, sizeof(*took)), begin, due, now, result;
	unsigned next = 0;

	for (int i = 0; i < CLIENTS; i++) {
		clients[i].c = (struct connection){.fd = dial(port), .tenant = i % TENANTS};
		fds[i] = (struct pollfd){.fd = clients[i].c.fd, .events = POLLIN};
	}
	begin = due = seconds();
	while ((now = seconds()) < begin + length) {
		while (due <= now && clients[next].since == 0) {
			clients[next].since = due;
			ask(&clients[next].c);
			next = (next + 1) % CLIENTS;
			due += EVERY;
		}
		/* It sleeps: where there are two cores one is the server's, and the scraper needs the other. */
		struct timespec rest = {.tv_nsec = due > now ? (long)((due - now) * 1e9) : 0};

		ppoll(fds, CLIENTS, &rest, NULL);
		for (int i = 0; i < CLIENTS; i++) {
			if (!(fds[i].revents & POLLIN) || clients[i].since == 0 || !take(&clients[i].c))
				continue;
			if (clients[i].c.acquiring && count < room)
				took[count++] = seconds() - clients[i].since;
			remember(&clients[i].c);
			clients[i].since = 0;
		}
	}
	for (int i = 0; i < CLIENTS; i++)
		close(clients[i].c.fd);
	qsort(took, count, sizeof(*took), by_value);
	result = count > 0 ? took[count * 99 / 100] : 0;
	free(took);
	return result;
}

static void register_many(int port)
{
	struct connection c = {.fd = dial(port)};
	char body[64];

	for (int i = 0; i < MANY_TENANTS; i++) {
		snprintf(body, sizeof(body), "{\"tenant_id\":\"worker-%05d\"}", i);
		call(&c, "/tenants", body);
	}
	close(c.fd);
}

/* Nobody else asks: how long the turns are that make the replies. */
static void alone(int port, int scrapes)
{
	struct turns before = turns(port), after;
	size_t metrics = 0, stats = 0;
	double begin = seconds();

	for (int i = 0; i < scrapes; i++) {
		metrics = fetch(port, "/metrics");
		stats = fetch(port, "/stats?limit=10000");
	}
	begin = (seconds() - begin) / scrapes;
	after = turns(port);
	printf("%d scrapes, /metrics %zu KiB and /stats %zu KiB, %.1f ms both: %.0f turns, %.0f above 1 ms, %.0f above 2.5 ms\n", scrapes,
	       metrics / 1024, stats / 1024, begin * 1e3, after.all - before.all, after.longer - before.longer,
	       after.much_longer - before.much_longer);
}

int main(int argc, char **argv)
{
	double length = 3, without = 1e9, with = 1e9;
	int rounds = 5;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			length = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = (int)strtol(argv[i + 1], NULL, 10);
	}

	char *argv_server[] = {SERVER, "--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "100000", NULL};
	struct server s = start(argv_server);

	register_tenants(s.port);
	register_many(s.port);
	take_leases(s.port, LEASES);
	alone(s.port, 100);
	for (int i = 0; i < rounds; i++) {
		double now = p99(s.port, length);
		pid_t scraper;

		without = now < without ? now : without;
		scraper = scrape_each_second(s.port);
		now = p99(s.port, length);
		with = now < with ? now : with;
		kill(scraper, SIGKILL);
		waitpid(scraper, NULL, 0);
	}
	printf("p99 of acquires, best of %d rounds: %.0f us without scrapes, %.0f us with, ratio %.2f\n", rounds, without * 1e6, with * 1e6,
	       with / without);
	stop(s);
	return 0;
}
