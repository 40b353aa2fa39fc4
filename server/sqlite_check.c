/* SPDX-License-Identifier: MIT */
/* `--check-store`: reads all of a file as a start would, and tells what is in it. A server may run beside it. */
#include "sqlite.h"

#include <inttypes.h>

struct pools {
	struct fair *fair;
	uint64_t count;
	char *error;
};

static bool add_pool(void *context, const struct store_pool *pool)
{
	struct pools *pools = context;

	pools->count++;
	return fair_pool_add(pools->fair, &pool->core) == FAIR_OK || sqlite_fail_memory(pools->error);
}

/* read_all reads everything into a state of its own, of one moment though a server may commit meanwhile. */
static bool read_all(const struct sqlite_file *file, struct fair *fair, FILE *out, char *error)
{
	struct pools pools = {.fair = fair, .error = error};
	struct sqlite_counts counts;
	uint64_t next_token;

	if (!sqlite_file_exec(file, "BEGIN", error) || !sqlite_read_pools(file, add_pool, &pools, error) ||
		!sqlite_read_state(file, fair, INT64_MAX, &counts, error) || !sqlite_read_token(file, &next_token, error))
		return false;
	return fprintf(out,
				   "%s is whole (stored form %" PRIu64 ")\npools %" PRIu64 "\ntenants %" PRIu64
				   "\nactive leases %" PRIu64 "\nplaces %" PRIu64 "\nremembered leases %" PRIu64 "\nnext token %" PRIu64
				   "\n",
				   file->path, file->version, pools.count, counts.tenants, counts.active, counts.places,
				   counts.remembered, next_token) > 0 ||
		   sqlite_fail(error, "the result cannot be written");
}

bool store_sqlite_check(const char *path, FILE *out, char error[STORE_ERROR_MAX])
{
	struct fair_config config = fair_config_default();
	struct sqlite_file file;
	struct fair *fair;
	bool ok;

	if (!sqlite_file_look(&file, path, error))
		return false;
	config.first_token = 1;
	config.max_tenants = UINT32_MAX;
	config.ended_max = UINT32_MAX;
	fair = fair_create(&config);
	ok = fair ? read_all(&file, fair, out, error) : sqlite_fail_memory(error);
	fair_destroy(fair);
	sqlite_file_close(&file);
	return ok;
}
