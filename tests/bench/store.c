/* SPDX-License-Identifier: MIT */
/* Loading: a file of 100 000 leases, half of them ended, is opened, verified and restored, as at the start of a server.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store.h"

#define LEASES 100000
#define TENANTS 1000
#define NOW UINT64_C(1900000000000000000)
#define SECOND UINT64_C(1000000000)

static char error[STORE_ERROR_MAX];

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void require(bool ok)
{
	if (!ok) {
		fprintf(stderr, "bench: %s\n", error);
		abort();
	}
}

static struct store *open_store(const char *path)
{
	struct store *store = store_sqlite_create(path, STORE_FULL, error);

	require(store != NULL);
	return store;
}

static void fill_tenant(struct fair_tenant_record *tenant, unsigned i, char (*names)[16])
{
	snprintf(names[i], sizeof(names[i]), "tenant-%u", i);
	*tenant = (struct fair_tenant_record){.number = i + 1, .pool = "default", .tenant = names[i], .anonymous = true};
}

static void fill_lease(struct fair_lease_record *lease, uint32_t i, char (*names)[16], char (*keys)[40],
					   uint32_t *slot_ids)
{
	bool ended = i % 2 == 0;
	int key_len = snprintf(keys[i], sizeof(keys[i]), "5ad86f05-0000-4000-8000-%012u", (unsigned)i);

	slot_ids[i] = i;
	*lease = (struct fair_lease_record){.number = TENANTS + 1 + i,
										.pool = "default",
										.tenant = names[i % TENANTS],
										.label = "worker:4711 https://example.com/",
										.key = keys[i],
										.key_len = (size_t)key_len,
										.state = ended ? FAIR_ENDED : FAIR_ACTIVE,
										.reason = ended ? FAIR_REASON_RELEASED : FAIR_REASON_NONE,
										.slots = 1,
										.slot_ids = &slot_ids[i],
										.fencing_token = 1000 + i,
										.ttl_ns = 30 * SECOND,
										.asked_ttl_ns = 30 * SECOND,
										.arrived_ns = NOW - 60 * SECOND + i,
										.granted_ns = NOW - 60 * SECOND + i,
										.ended_ns = ended ? NOW - 30 * SECOND + i : 0};
	memcpy(lease->id.bytes, &i, sizeof(i));
}

static void write_store(const char *path)
{
	static struct batch_tenant tenants[TENANTS];
	static struct batch_lease leases[LEASES];
	static char names[TENANTS][16], keys[LEASES][40];
	static uint32_t slot_ids[LEASES];
	const struct batch batch = {.leases = leases,
								.lease_count = LEASES,
								.tenants = tenants,
								.tenant_count = TENANTS,
								.next_token = 1000 + LEASES};
	const struct store_pool pool = {
		.core = {.pool = "default", .max_slots = LEASES, .min_share = 1}, .share_calculator = "", .slot_urls = ""};
	struct store *store = open_store(path);
	struct pollfd ends = {.fd = store->ops->descriptor(store), .events = POLLIN};

	for (unsigned i = 0; i < TENANTS; i++)
		fill_tenant(&tenants[i].record, i, names);
	for (uint32_t i = 0; i < LEASES; i++)
		fill_lease(&leases[i].record, i, names, keys, slot_ids);
	require(store->ops->keep_pools(store, &pool, 1, error));
	store->ops->commit(store, NOW, &batch);
	poll(&ends, 1, -1);
	if (store->ops->ended(store, NOW) != STORE_COMMITTED)
		snprintf(error, sizeof(error), "%s", store->ops->reason(store));
	require(*error == '\0');
	store->ops->destroy(store);
}

static bool add_pool(void *context, const struct store_pool *pool)
{
	return fair_pool_add(context, &pool->core) == FAIR_OK;
}

static void load_store(const char *path)
{
	struct fair_config config = fair_config_default();
	double begin = seconds(), opened, loaded;
	struct store *store;
	struct fair *fair;

	config.first_token = 1;
	fair = fair_create(&config);
	store = open_store(path);
	opened = seconds();
	require(store->ops->load_pools(store, add_pool, fair, error) && store->ops->load(store, fair, NOW, error));
	loaded = seconds();
	printf(
		"store: %d leases opened and verified in %.2f s, restored in %.2f s; together %.2f of the 2 s they may take\n",
		LEASES, opened - begin, loaded - opened, (loaded - begin) / 2);
	fair_destroy(fair);
	store->ops->destroy(store);
}

int main(void)
{
	char folder[] = "/tmp/fairshared-bench-XXXXXX", path[64], lock[64];

	if (!mkdtemp(folder))
		abort();
	snprintf(path, sizeof(path), "%s/s", folder);
	snprintf(lock, sizeof(lock), "%s/s-lock", folder);
	write_store(path);
	load_store(path);
	unlink(path);
	unlink(lock);
	rmdir(folder);
	return 0;
}
