/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW UINT64_C(1900000000000000000)

void child_requires(bool condition)
{
	if (!condition)
		abort();
}

/* ---- folders, files ---- */

char folder[] = "/dev/shm/fairshared-store-XXXXXX";

void folder_init(void)
{
	cr_assert_not_null(mkdtemp(folder), "no folder in /dev/shm");
}

void folder_fini(void)
{
	shell("rm -rf '%s'", folder);
}

const char *in_folder(const char *name)
{
	static char paths[4][PATH_SIZE];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_SIZE, "%s/%s", folder, name);
	return path;
}

char *bytes_of(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	char *bytes;
	long size;

	cr_assert_not_null(file, "cannot open %s", path);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	bytes = malloc((size_t)size + 1);
	*ret_size = fread(bytes, 1, (size_t)size, file);
	bytes[*ret_size] = '\0';
	cr_assert_eq(*ret_size, (size_t)size);
	fclose(file);
	return bytes;
}

void write_bytes(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	cr_assert_not_null(file, "cannot write %s", path);
	cr_assert_eq(fwrite(bytes, 1, size, file), size);
	cr_assert_eq(fclose(file), 0);
}

bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

void shell(const char *format, ...)
{
	char command[3 * PATH_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	cr_assert_eq(system(command), 0, "%s", command);
}

void sql(const char *path, const char *statements)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, statements, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

void in_child(void (*play)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		alarm(30); /* an assertion that fails here waits for ever to be heard */
		play();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0, "the child failed: %d", status);
}

/* own_mounts: mounts of this process are nobody else's, and go with it. Needs root or user namespaces. */
static void own_mounts(void)
{
	cr_assert_eq(unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS), 0,
				 "mounting needs root or user namespaces: %s", strerror(errno));
	cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0, "%s", strerror(errno));
}

void mount_small(const char *path, size_t bytes)
{
	char options[64];

	own_mounts();
	snprintf(options, sizeof(options), "size=%zu", bytes);
	cr_assert_eq(mount("tmpfs", path, "tmpfs", 0, options), 0, "cannot mount a tmpfs: %s", strerror(errno));
}

void mount_read_only(const char *path)
{
	own_mounts();
	cr_assert_eq(mount(path, path, NULL, MS_BIND, NULL), 0, "%s", strerror(errno));
	cr_assert_eq(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0, "%s", strerror(errno));
}

void unmount(const char *path)
{
	cr_assert_eq(umount2(path, MNT_DETACH), 0, "%s", strerror(errno));
}

/* ---- stores ---- */

struct store *store_open(const char *path)
{
	char error[STORE_ERROR_MAX];
	struct store *store = store_sqlite_create(path, STORE_FULL, error);

	cr_assert_not_null(store, "%s", error);
	return store;
}

const char *store_refused(const char *path)
{
	static char error[STORE_ERROR_MAX];

	cr_assert_null(store_sqlite_create(path, STORE_FULL, error), "%s is opened", path);
	return error;
}

bool commit_batch(struct store *store, const struct batch *batch)
{
	struct pollfd ends = {.fd = store->ops->descriptor(store), .events = POLLIN};
	enum store_state state;

	store->ops->commit(store, NOW, batch);
	cr_assert_eq(poll(&ends, 1, 20000), 1, "the commit does not end");
	state = store->ops->ended(store, NOW);
	cr_assert_neq(state, STORE_BUSY);
	cr_assert_eq(poll(&ends, 1, 0), 0, "the descriptor is still readable");
	return state == STORE_COMMITTED;
}

struct fair_lease_record sample_lease(uint64_t number)
{
	static uint32_t slot_ids[1024];
	uint32_t *slot_id = &slot_ids[number % 1024];
	struct fair_lease_record record = {.number = number,
									   .pool = "default",
									   .tenant = "alice",
									   .label = "sample",
									   .key = "a key",
									   .key_len = 5,
									   .state = FAIR_ACTIVE,
									   .slots = 1,
									   .slot_ids = slot_id,
									   .fencing_token = 1000 + number,
									   .ttl_ns = 30000000000 + number,
									   .asked_ttl_ns = 30000000000,
									   .arrived_ns = NOW - 2000 + number,
									   .granted_ns = NOW - 1000 + number};

	*slot_id = (uint32_t)number;
	memset(record.id.bytes, (int)number, sizeof(record.id.bytes));
	memcpy(record.id.bytes, &number, sizeof(number));
	return record;
}

bool commit_lease(struct store *store, uint64_t number)
{
	struct batch_lease lease = {.record = sample_lease(number)};
	struct batch batch = {.leases = &lease, .lease_count = 1, .next_token = 1000 + number};

	return commit_batch(store, &batch);
}

/* ---- states as text ---- */

static FILE *caught;

static void tell_bytes(FILE *out, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%02x", ((const unsigned char *)bytes)[i]);
}

static void tell_lease(FILE *out, const struct fair_lease_record *r)
{
	fprintf(out, "lease %" PRIu64 " ", r->number);
	tell_bytes(out, r->id.bytes, sizeof(r->id.bytes));
	fprintf(out, " %s/%s label=%s key=", r->pool, r->tenant, r->label);
	if (r->key)
		tell_bytes(out, r->key, r->key_len);
	fprintf(out, " state=%d reason=%d slots=%u ids=", (int)r->state, (int)r->reason, r->slots);
	for (uint32_t i = 0; r->slot_ids && i < r->slots; i++)
		fprintf(out, "%u;", r->slot_ids[i]);
	fprintf(out,
			" token=%" PRIu64 " ttl=%" PRIu64 " asked=%" PRIu64 " arrived=%" PRIu64 " granted=%" PRIu64
			" ended=%" PRIu64 " priority=%d max=%" PRIu64 ",%" PRIu64 "\n",
			r->fencing_token, r->ttl_ns, r->asked_ttl_ns, r->arrived_ns, r->granted_ns, r->ended_ns, (int)r->priority,
			r->max_lease_ns, r->max_ns);
}

static void tell_tenant(FILE *out, const struct fair_tenant_record *r)
{
	fprintf(out,
			"tenant %" PRIu64 " %s/%s closing=%d automatic=%d anonymous=%d revoke=%" PRIu64 " instances=", r->number,
			r->pool, r->tenant, r->closing, r->automatic, r->anonymous, r->revoke_below);
	for (uint32_t i = 0; i < r->num_instances; i++)
		fprintf(out, "%s;", r->instances[i]);
	fprintf(out, " policy=%u,%u,%u,%u\n", r->policy.weight, r->policy.reserved_slots, r->policy.max_slots,
			r->policy.max_waiting);
}

char *told_lease(const struct fair_lease_record *record)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	tell_lease(out, record);
	fclose(out);
	return text;
}

char *told_tenant(const struct fair_tenant_record *record)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	tell_tenant(out, record);
	fclose(out);
	return text;
}

enum fair_err __real_fair_restore_tenant(struct fair *f, uint64_t now, const struct fair_tenant_record *record);
enum fair_err __real_fair_restore_lease(struct fair *f, uint64_t now, const struct fair_lease_record *record);
enum fair_err __wrap_fair_restore_tenant(struct fair *f, uint64_t now, const struct fair_tenant_record *record);
enum fair_err __wrap_fair_restore_lease(struct fair *f, uint64_t now, const struct fair_lease_record *record);

enum fair_err __wrap_fair_restore_tenant(struct fair *f, uint64_t now, const struct fair_tenant_record *record)
{
	if (caught)
		tell_tenant(caught, record);
	return f ? __real_fair_restore_tenant(f, now, record) : FAIR_OK;
}

enum fair_err __wrap_fair_restore_lease(struct fair *f, uint64_t now, const struct fair_lease_record *record)
{
	if (caught)
		tell_lease(caught, record);
	return f ? __real_fair_restore_lease(f, now, record) : FAIR_OK;
}

static bool tell_pool(void *context, const struct store_pool *p)
{
	fprintf(context, "pool %s %u %u %u %u '%s' %d ", p->core.pool, p->core.max_slots, p->core.min_share,
			p->core.max_waiting, p->core.tenant_max_waiting, p->share_calculator, p->configured);
	fprintf(context, "%s drain=%d cordon=", fair_policy_code(p->core.policy), p->core.draining);
	for (uint32_t i = 0; i < p->core.num_cordoned; i++)
		fprintf(context, "%u;", p->core.cordoned[i]);
	fprintf(context, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " '%s'\n", p->core.slot_rest_ns,
			p->core.max_lease_ns, p->core.pass_over_ns, p->core.priority_step_ns, p->slot_urls);
	return true;
}

char *state_of(struct store *store)
{
	char error[STORE_ERROR_MAX], *text;
	uint64_t next_token;
	size_t size;

	caught = open_memstream(&text, &size);
	cr_assert(store->ops->next_token(store, &next_token, error), "%s", error);
	fprintf(caught, "token %" PRIu64 "\n", next_token);
	cr_assert(store->ops->load_pools(store, tell_pool, caught, error), "%s", error);
	cr_assert(store->ops->load(store, NULL, NOW, error), "%s", error);
	fclose(caught);
	caught = NULL;
	return text;
}

char *state_of_file(const char *path)
{
	struct store *store = store_open(path);
	char *state = state_of(store);

	store->ops->destroy(store);
	return state;
}
