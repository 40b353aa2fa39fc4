/* SPDX-License-Identifier: MIT */
/* The load generator of the benchmarks over HTTP: starts servers, speaks to them on loopback, counts. Ends the program on errors. */
#ifndef FAIRSHARED_BENCH_LOAD_H
#define FAIRSHARED_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONNECTIONS 64
#define TENANTS 10

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

double seconds(void);
void fail(const char *what);

/* start waits for the line that tells the port; stop kills. */
struct server start(char *const argv[]);
void stop(struct server s);

int dial(int port);
void put(int fd, const char *text);
/* ask sends an acquire and a release in turn, wait_reply returns the status, remember keeps the lease of the reply. */
void ask(struct connection *c);
int wait_reply(struct connection *c);
void remember(struct connection *c);
/* call posts a body and returns the status of the reply. */
int call(struct connection *c, const char *path, const char *body);
void register_tenants(int port);

/*
 * load_run returns the acquire + release pairs a second over CONNECTIONS connections, each of which ends its last pair
 * before it returns. An awake generator looks without sleeping, where there is a core for it: else the server pays for
 * waking it, which clients across a network do not cost it, and which is half of the noise.
 */
struct load *load_open(int port);
double load_run(struct load *l, double length, bool awake);
void load_close(struct load *l);
/* rate is one such run over connections of its own. */
double rate(int port, double length, bool awake);
/* take_leases leaves so many leases behind that last an hour. */
void take_leases(int port, int count);
/* park leaves `count` connections of a tenant of their own waiting for a slot of a pool that has none left, in line. */
struct connection *park(int port, const char *pool, int count);
long resident_kib(pid_t pid);
/* many_files raises the limit of open files. */
void many_files(void);

#endif
