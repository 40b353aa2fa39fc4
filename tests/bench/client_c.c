/* SPDX-License-Identifier: MIT */
/* The C client against the server on loopback: acquire + release a second, and the memory of a process with 1 000
 * leases. */
#include "load.h"

#include <fairshare/client.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEASES 1000
#define THREADS 8
#define SECONDS 3.0

struct worker {
	pthread_t thread;
	struct fairshare_client *client;
	double end;
	unsigned long done;
};

static struct fairshare_lease *take(struct fairshare_client *client)
{
	struct fairshare_lease *lease;
	struct fairshare_error error;

	if (fairshare_acquire(client, NULL, &lease, &error) != FAIRSHARE_OK)
		fail(error.message);
	return lease;
}

static void *work(void *data)
{
	struct worker *worker = data;

	while (seconds() < worker->end) {
		if (fairshare_release(take(worker->client), NULL) != FAIRSHARE_OK)
			fail("release");
		worker->done++;
	}
	return NULL;
}

static double pairs_a_second(struct fairshare_client *client, int threads)
{
	struct worker workers[THREADS];
	double begin = seconds();
	unsigned long done = 0;

	for (int i = 0; i < threads; i++) {
		workers[i] = (struct worker){.client = client, .end = begin + SECONDS};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			fail("pthread_create");
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
	}
	return (double)done / (seconds() - begin);
}

static void hold_many(struct fairshare_client *client)
{
	static struct fairshare_lease *leases[LEASES];
	long before = resident_kib(getpid());
	double begin;

	for (int i = 0; i < LEASES; i++)
		leases[i] = take(client);
	printf("%d leases: the process has %ld KiB, %.2f KiB a lease\n", LEASES, resident_kib(getpid()),
		   (double)(resident_kib(getpid()) - before) / LEASES);
	begin = seconds();
	fairshare_close(client);
	printf("close with %d leases: %.3f s\n", LEASES, seconds() - begin);
	for (int i = 0; i < LEASES; i++)
		(void)fairshare_release(leases[i], NULL);
}

int main(void)
{
	char *argv[] = {SERVER, "--listen",		   "127.0.0.1:0",	  "--store", "memory", "--max-slots",
					"2000", "--auto-register", "--drain-timeout", "0s",		 NULL};
	struct server server = start(argv);
	struct fairshare_options options;
	struct fairshare_client *client;
	struct fairshare_error error;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", server.port);
	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = url;
	options.tenant = "alice";
	if (fairshare_open(&client, &options, &error) != FAIRSHARE_OK)
		fail(error.message);
	printf("1 thread:  %.0f acquire + release a second\n", pairs_a_second(client, 1));
	printf("%d threads: %.0f acquire + release a second\n", THREADS, pairs_a_second(client, THREADS));
	hold_many(client);
	stop(server);
	return 0;
}
