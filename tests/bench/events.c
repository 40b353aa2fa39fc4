/* SPDX-License-Identifier: MIT */
/*
 * What open streams of GET /events cost the rate of acquires, in one run; prints ratios. Loopback only, bounded in time. On a
 * machine that has other work the time that the server computes for a pair says more than the rate.
 * usage: bench_events [--seconds N] [--streams N]
 */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 6

/* A process of its own reads all streams and throws away what comes; it counts the bytes. */
static pid_t read_all(int port, int streams, int out)
{
	int ready[2], epoll;
	char byte, buffer[65536];
	long long bytes = 0;
	pid_t pid;

	if (pipe(ready))
		fail("pipe");
	pid = fork();
	if (pid != 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			fail("streams");
		close(ready[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll = epoll_create1(0);
	for (int i = 0; i < streams; i++) {
		int fd = dial(port);
		struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

		put(fd, "GET /events HTTP/1.1\r\nHost: bench\r\n\r\n");
		if (recv(fd, buffer, sizeof(buffer), 0) < 12 || memcmp(buffer, "HTTP/1.1 200", 12) != 0)
			fail("GET /events");
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	}
	if (write(ready[1], "", 1) != 1)
		fail("write");
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			ssize_t got = recv(events[i].data.fd, buffer, sizeof(buffer), 0);

			if (got <= 0)
				_exit(0); /* the server is gone */
			bytes += got;
		}
		if (pwrite(out, &bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
			_exit(1);
	}
}

/* cpu returns the seconds that a process has computed. */
static double cpu(pid_t pid)
{
	char path[64], line[1024];
	unsigned long user = 0, kernel = 0;
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	at = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
		fail(path);
	fclose(f);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

int main(int argc, char **argv)
{
	double length = 6, rates[2] = {0}, computed[2] = {0}, pairs[2] = {0};
	long long bytes = 0;
	int streams = 100, out = fileno(tmpfile());

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			length = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--streams") == 0)
			streams = (int)strtol(argv[i + 1], NULL, 10);
	}
	many_files();

	char *plain[] = {SERVER, "--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "1000", "--max-streams", "10000", NULL};

	/* Rounds of both in turn: a noisy machine hits both. */
	for (int round = 0; round < 2 * ROUNDS; round++) {
		bool watched = round % 2 == 1;
		struct server s = start(plain);
		pid_t reader = watched ? read_all(s.port, streams, out) : 0;
		double before = cpu(s.pid), now = rate(s.port, length / ROUNDS, false);

		rates[watched] = now > rates[watched] ? now : rates[watched];
		computed[watched] += cpu(s.pid) - before;
		pairs[watched] += now * length / ROUNDS;
		stop(s);
		if (watched)
			waitpid(reader, NULL, 0);
		if (watched && pread(out, &bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
			fail("pread");
	}
	printf("acquire + release a second, %d connections, %d tenants (best of %d rounds)\n", CONNECTIONS, TENANTS, ROUNDS);
	printf("  no stream          %8.0f\n", rates[0]);
	printf("  %4d streams       %8.0f  ratio %.2f (%.1f kB a second to each)\n", streams, rates[1], rates[1] / rates[0],
	       (double)bytes / 1000 / (length / ROUNDS) / streams);
	printf("  the server computes %.1f us for a pair without, %.1f us with them: ratio %.2f\n", computed[0] / pairs[0] * 1e6,
	       computed[1] / pairs[1] * 1e6, computed[0] / pairs[0] / (computed[1] / pairs[1]));
	return 0;
}
