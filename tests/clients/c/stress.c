/* SPDX-License-Identifier: MIT */
/*
 * stress URL: threads that acquire, give up, cancel, release and ask at once, then a close in the middle of it. For the
 * thread sanitizer; in the end the server must have nothing left.
 */
#include <fairshare/client.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 12
#define ROUNDS 30

static struct fairshare_client *client;
static atomic_uint granted, cancelled, no_slot, lost;

static void die(const char *what, const struct fairshare_error *error)
{
	fprintf(stderr, "%s: %s (%s)\n", what, error->message, error->code);
	exit(1);
}

static void on_lost(void *data, struct fairshare_lease *lease, const char *reason)
{
	(void)data;
	(void)lease;
	(void)reason;
	atomic_fetch_add(&lost, 1);
}

static void on_progress(void *data, const struct fairshare_place *place)
{
	(void)place;
	(*(unsigned *)data)++;
}

static void *cancel_soon(void *data)
{
	usleep((useconds_t)(random() % 3000));
	fairshare_cancel(data);
	return NULL;
}

/* hold looks at the lease as a worker does; every fourth is left to its ttl, which is short. */
static void hold(struct fairshare_lease *lease, int round)
{
	struct fairshare_error error;
	enum fairshare_err err;

	atomic_fetch_add(&granted, 1);
	(void)fairshare_lease_lost(lease);
	(void)fairshare_lease_deadline_ns(lease);
	usleep((useconds_t)(random() % 2000));
	if (round % 4 == 3) {
		fairshare_detach(lease);
		return;
	}
	err = fairshare_release(lease, &error);
	if (err != FAIRSHARE_OK && err != FAIRSHARE_E_LOST)
		die("release", &error);
}

static void acquire_once(int round)
{
	struct fairshare_acquire_options options;
	struct fairshare_lease *lease;
	struct fairshare_error error;
	struct fairshare_cancel *cancel;
	unsigned told = 0;
	pthread_t canceller;
	enum fairshare_err err;

	if (fairshare_cancel_create(client, &cancel) != FAIRSHARE_OK)
		exit(1);
	FAIRSHARE_ACQUIRE_OPTIONS_INIT(&options);
	options.timeout_seconds = round % 3 == 0 ? 0.005 : FAIRSHARE_FOREVER;
	options.cancel = cancel;
	options.progress = on_progress;
	options.progress_data = &told;
	if (round % 3 == 1)
		pthread_create(&canceller, NULL, cancel_soon, cancel);
	err = fairshare_acquire(client, &options, &lease, &error);
	if (round % 3 == 1)
		pthread_join(canceller, NULL);
	fairshare_cancel_destroy(cancel);
	if (err == FAIRSHARE_OK)
		hold(lease, round);
	else if (err == FAIRSHARE_E_CANCELLED)
		atomic_fetch_add(&cancelled, 1);
	else if (err == FAIRSHARE_E_NO_SLOT)
		atomic_fetch_add(&no_slot, 1);
	else
		die("acquire", &error);
}

static void *work(void *data)
{
	struct fairshare_answer answer;
	struct fairshare_error error;

	(void)data;
	for (int i = 0; i < ROUNDS; i++) {
		acquire_once(i);
		if (i % 5 != 0)
			continue;
		if (fairshare_request(client, "GET", "/stats", NULL, 10, &answer, &error) != FAIRSHARE_OK)
			die("stats", &error);
		fairshare_answer_fini(&answer);
	}
	return NULL;
}

static void *wait_for_close(void *data)
{
	struct fairshare_lease *lease;

	(void)data;
	if (fairshare_acquire(client, NULL, &lease, NULL) == FAIRSHARE_OK) {
		usleep(300000);
		(void)fairshare_release(lease, NULL);
	}
	return NULL;
}

static void run(void *(*begin)(void *data), bool close_meanwhile)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, begin, NULL) != 0)
			exit(1);
	if (close_meanwhile) {
		usleep(200000);
		fairshare_close(client);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char *argv[])
{
	struct fairshare_options options;
	struct fairshare_error error;

	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = argc > 1 ? argv[1] : NULL;
	options.tenant = "alice";
	options.register_tenant = true;
	options.ttl_seconds = 0.5;
	options.lost = on_lost;
	if (fairshare_open(&client, &options, &error) != FAIRSHARE_OK)
		die("open", &error);
	run(work, false);
	run(wait_for_close, true);
	printf("granted %u, cancelled %u, no slot %u, lost %u\n", granted, cancelled, no_slot, lost);
	return granted > 0 && cancelled > 0 && no_slot > 0 ? 0 : 1;
}
