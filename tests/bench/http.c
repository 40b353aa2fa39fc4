/* SPDX-License-Identifier: MIT */
/*
 * The server over HTTP beside a bare libmicrohttpd program, from one load generator in one run; prints ratios.
 * Loopback only, bounded in time. usage: bench_http [--seconds N] [--parked N]
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDOFFS 5000
#define SLICE 0.05 /* s: noise of a machine mostly lasts longer than one slice of each */
#define WARM_UP 3.0 /* s: then as many ended leases are remembered as are at most */
#define PROGRAMS 3

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
	struct connection *all, holder = {.fd = dial(s.port)};
	int rounds = parked - 1 < HANDOFFS ? parked - 1 : HANDOFFS;
	double *took = calloc((size_t)rounds, sizeof(*took));
	long before;

	register_tenants(s.port);
	ask(&holder);
	wait_reply(&holder);
	remember(&holder);
	before = resident_kib(s.pid);
	all = park(s.port, "default", parked);
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

/* Slices of each in turn while all of them run: a noisy machine hits all, and each ratio is of one moment. */
static void slices(double length)
{
	char *bare[] = {BARE, NULL};
	char *enough[] = {SERVER, "--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "1000", NULL};
	char *few[] = {SERVER, "--listen", "127.0.0.1:0", "--store", "memory", "--max-slots", "10", NULL};
	char *const *programs[PROGRAMS] = {bare, enough, few};
	static const char *const names[PROGRAMS] = {"bare libmicrohttpd", "fairshared, slots enough", "fairshared, 10 slots"};
	struct server servers[PROGRAMS];
	struct load *loads[PROGRAMS];
	double *pairs[PROGRAMS], *ratios[PROGRAMS];
	size_t rounds = (size_t)(length / SLICE);

	for (int i = 0; i < PROGRAMS; i++) {
		servers[i] = start((char **)programs[i]);
		loads[i] = load_open(servers[i].port);
		pairs[i] = calloc(rounds, sizeof(double));
		ratios[i] = calloc(rounds, sizeof(double));
		load_run(loads[i], WARM_UP, true);
	}
	for (size_t round = 0; round < rounds; round++)
		for (int i = 0; i < PROGRAMS; i++) {
			pairs[i][round] = load_run(loads[i], SLICE, true);
			ratios[i][round] = pairs[i][round] / pairs[0][round];
		}
	printf("acquire + release a second, %d connections, %d tenants (medians of %zu slices of %.0f ms; ratios of the same moment, "
	       "with their quartiles)\n", CONNECTIONS, TENANTS, rounds, SLICE * 1000);
	for (int i = 0; i < PROGRAMS; i++) {
		qsort(pairs[i], rounds, sizeof(double), by_value);
		qsort(ratios[i], rounds, sizeof(double), by_value);
		printf("  %-25s %7.0f  ratio %.2f (%.2f to %.2f)\n", names[i], pairs[i][rounds / 2], ratios[i][rounds / 2],
		       ratios[i][rounds / 4], ratios[i][rounds * 3 / 4]);
		load_close(loads[i]);
		stop(servers[i]);
		free(pairs[i]);
		free(ratios[i]);
	}
}

int main(int argc, char **argv)
{
	double length = 5;
	int parked = 10000;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			length = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--parked") == 0)
			parked = (int)strtol(argv[i + 1], NULL, 10);
	}
	many_files();

	slices(length);
	handoff(SERVER, parked);
	return 0;
}
