/* SPDX-License-Identifier: MIT */
/*
 * Works on a slot, and stops when it is lost:
 *     FAIRSHARE_URL=http://127.0.0.1:8080 FAIRSHARE_TENANT=alice ./example
 */
#include <fairshare/client.h>

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_bool stop;

/* The slot may be somebody else's already. Called from a thread of the library. */
static void on_lost(void *data, struct fairshare_lease *lease, const char *reason)
{
	(void)data;
	fprintf(stderr, "lost %s: %s\n", fairshare_lease_id(lease), reason);
	atomic_store(&stop, true);
}

static void work(unsigned slot)
{
	for (int i = 0; i < 10 && !atomic_load(&stop); i++) {
		printf("page %d on browser %u\n", i, slot);
		usleep(100000);
	}
}

int main(void)
{
	struct fairshare_options options;
	struct fairshare_acquire_options acquire;
	struct fairshare_client *client;
	struct fairshare_lease *lease;
	struct fairshare_error error;
	enum fairshare_err err;

	FAIRSHARE_OPTIONS_INIT(&options);
	options.register_tenant = true;
	options.lost = on_lost;
	if (fairshare_open(&client, &options, &error) != FAIRSHARE_OK) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	FAIRSHARE_ACQUIRE_OPTIONS_INIT(&acquire);
	acquire.timeout_seconds = 60;
	err = fairshare_acquire(client, &acquire, &lease, &error);
	if (err == FAIRSHARE_OK) {
		work(fairshare_lease_slot_id(lease, 0));
		err = fairshare_release(lease, &error);
	}
	if (err != FAIRSHARE_OK)
		fprintf(stderr, "%s\n", error.message);
	fairshare_close(client);
	return err == FAIRSHARE_OK ? 0 : 1;
}
