/* SPDX-License-Identifier: MIT */
/*
 * What durability costs: the server with a SQLite file beside the same with none, from one load generator in one run;
 * prints ratios. Loopback only, bounded in time. usage: bench_durable [--seconds N] [--parked N] [--leases N]
 * The files are made in the working folder: its disk is what is measured.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 3

struct program {
	const char *name, *durability;     /* NULL: in memory */
	double rate, rate_beside;
};

static char dir[] = "bench-durable-XXXXXX";

/* A pool with one slot is for those that only wait. */
static struct server run(const struct program *program)
{
	char config[64], store[64];
	char *argv[] = {SERVER, "--listen", "127.0.0.1:0", "--max-slots", "200000", "--config", config, "--store", store,
	                "--durability", (char *)(program->durability ? program->durability : "full"), "--max-waiting", "20000",
	                "--tenant-max-waiting", "20000", "--max-wait", "300s", NULL};
	FILE *file;

	snprintf(config, sizeof(config), "%s/config", dir);
	file = fopen(config, "w");
	if (!file || fputs("[pool parked]\nmax_slots = 1\n", file) < 0 || fclose(file) != 0)
		fail(config);
	snprintf(store, sizeof(store), program->durability ? "sqlite:%s/%s.db" : "memory", dir, program->name);
	return start(argv);
}

static void clean(void)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		fail(command);
}

static double best(double was, double now)
{
	return now > was ? now : was;
}

static void measure(struct program *program, double length)
{
	struct server s = run(program);

	program->rate = best(program->rate, rate(s.port, length, false));
	stop(s);
}

static void measure_beside(struct program *program, double length, int parked)
{
	struct server s = run(program);
	struct connection *all, holder = {.fd = dial(s.port)};

	call(&holder, "/tenants", "{\"tenant_id\":\"holder\",\"pool\":\"parked\"}");
	call(&holder, "/leases", "{\"tenant_id\":\"holder\",\"pool\":\"parked\",\"ttl_seconds\":3600}");
	all = park(s.port, "parked", parked);
	for (int i = 0; i < ROUNDS; i++)
		program->rate_beside = best(program->rate_beside, rate(s.port, length, false));
	for (int i = 0; i < parked; i++)
		close(all[i].fd);
	free(all);
	close(holder.fd);
	stop(s);
}

/* The server is killed while it has so many leases, and started again. */
static void measure_load(const struct program *program, int leases)
{
	struct server s = run(program);
	double began, took;

	take_leases(s.port, leases);
	stop(s);
	began = seconds();
	s = run(program);
	took = seconds() - began;
	printf("%d leases are loaded: %.2f s from the start to the line that the server listens\n", leases, took);
	stop(s);
}

int main(int argc, char **argv)
{
	struct program programs[] = {{"memory", NULL, 0, 0}, {"full", "full", 0, 0}, {"normal", "normal", 0, 0}};
	double length = 9;
	int parked = 10000, leases = 100000;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			length = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--parked") == 0)
			parked = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--leases") == 0)
			leases = (int)strtol(argv[i + 1], NULL, 10);
	}
	many_files();
	if (!mkdtemp(dir))
		fail(dir);
	atexit(clean);
	/* Rounds of each in turn: a noisy machine hits all of them. */
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 3; i++)
			measure(&programs[i], length / ROUNDS);
	printf("acquire + release a second, %d connections, %d tenants (best of %d rounds)\n", CONNECTIONS, TENANTS, ROUNDS);
	for (int i = 0; i < 3; i++)
		printf("  %-28s %8.0f  ratio to memory %.2f\n", programs[i].durability ? programs[i].name : "in memory",
		       programs[i].rate, programs[i].rate / programs[0].rate);
	for (int i = 1; i < 3; i++) {
		measure_beside(&programs[i], length / ROUNDS, parked);
		printf("  %-6s beside %d parked   %8.0f  ratio to none parked %.2f\n", programs[i].name, parked,
		       programs[i].rate_beside, programs[i].rate_beside / programs[i].rate);
	}
	measure_load(&programs[1], leases);
	return 0;
}
