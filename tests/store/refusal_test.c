/* SPDX-License-Identifier: MIT */
/* What is refused is refused with a sentence that says why, and left as it was. */
#include "harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(refusal, .init = folder_init, .fini = folder_fini, .timeout = 60);

/* refuses_untouched opens the file (and checks it), and compares it and its WAL with what they were. */
static void refuses_untouched(const char *path, const char *why)
{
	const char *wal = in_folder("s-wal");
	char *before[2] = {NULL, NULL}, *after, error[STORE_ERROR_MAX];
	bool has_wal = exists(wal);
	size_t sizes[2], size;

	before[0] = bytes_of(path, &sizes[0]);
	if (has_wal)
		before[1] = bytes_of(wal, &sizes[1]);
	cr_expect_not_null(strstr(store_refused(path), why), "%s", store_refused(path));
	cr_expect_not_null(strstr(store_refused(path), path), "%s", store_refused(path));
	cr_expect_not(store_sqlite_check(path, stderr, error));
	cr_expect_not_null(strstr(error, why), "%s", error);
	for (int i = 0; i < 1 + has_wal; i++) {
		after = bytes_of(i == 0 ? path : wal, &size);
		cr_expect_eq(size, sizes[i]);
		cr_expect_eq(memcmp(after, before[i], size), 0, "the file was changed");
		free(after);
		free(before[i]);
	}
}

static void make_store(unsigned leases)
{
	struct store *store = store_open(in_folder("s"));

	for (unsigned i = 1; i <= leases; i++)
		cr_assert(commit_lease(store, i));
	store->ops->destroy(store);
}

Test(refusal, a_text)
{
	write_bytes(in_folder("s"), "max_slots = 10\n", 15);
	refuses_untouched(in_folder("s"), "is not a SQLite database: name another file, or move this one away");
}

Test(refusal, a_long_text)
{
	char text[20000];

	memset(text, 'x', sizeof(text));
	write_bytes(in_folder("s"), text, sizeof(text));
	refuses_untouched(in_folder("s"), "is not a SQLite database");
}

Test(refusal, a_header_cut_short)
{
	write_bytes(in_folder("s"), "SQLite format 3", 16);
	refuses_untouched(in_folder("s"), "is not a SQLite database");
}

Test(refusal, a_database_of_another_application)
{
	sql(in_folder("s"), "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
	refuses_untouched(in_folder("s"), "is the database of another application (application_id 0x00000000)");
	sql(in_folder("s"), "PRAGMA application_id = 0x12345678; PRAGMA journal_mode = WAL");
	refuses_untouched(in_folder("s"), "another application (application_id 0x12345678): name another file");
}

Test(refusal, a_newer_form)
{
	make_store(1);
	sql(in_folder("s"), "PRAGMA user_version = 3");
	refuses_untouched(in_folder("s"), "was written by a newer fairshared (stored form 3, this one knows up to 2)");
}

static void make_newer_and_vanish(void)
{
	sqlite3 *db;

	child_requires(sqlite3_open(in_folder("s"), &db) == SQLITE_OK);
	child_requires(sqlite3_exec(db, "PRAGMA user_version = 3", NULL, NULL, NULL) == SQLITE_OK);
}

Test(refusal, a_newer_form_that_is_only_in_the_wal)
{
	make_store(1);
	in_child(make_newer_and_vanish);
	cr_assert(exists(in_folder("s-wal")));
	refuses_untouched(in_folder("s"), "was written by a newer fairshared (stored form 3, this one knows up to 2)");
}

Test(refusal, a_page_of_garbage)
{
	size_t size;
	char *bytes;

	make_store(300);
	bytes = bytes_of(in_folder("s"), &size);
	cr_assert_gt(size, 12 * 4096);
	memset(bytes + 9 * 4096, 0xff, 4096);
	write_bytes(in_folder("s"), bytes, size);
	free(bytes);
	refuses_untouched(in_folder("s"), "is corrupt (");
}

Test(refusal, a_file_cut_short)
{
	size_t size;
	char *bytes;

	make_store(300);
	bytes = bytes_of(in_folder("s"), &size);
	write_bytes(in_folder("s"), bytes, size / 2);
	free(bytes);
	refuses_untouched(in_folder("s"), "is corrupt (");
}

Test(refusal, a_wal_without_its_file)
{
	char error[STORE_ERROR_MAX];

	write_bytes(in_folder("s-wal"), "somebody's state", 16);
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "/s-wal is there, but "));
	cr_assert_not(exists(in_folder("s")));
	cr_assert_not(store_sqlite_check(in_folder("s"), stderr, error));
	cr_assert_not_null(strstr(error, "is missing or empty"), "%s", error);
	shell("test \"$(cat '%s')\" = \"somebody's state\"", in_folder("s-wal"));
}

Test(refusal, a_folder)
{
	mkdir(in_folder("s"), 0700);
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "/s is a folder: name a file in it"));
	cr_assert_not_null(strstr(store_refused(in_folder("s/")), "/s/ is a folder: name a file in it"));
	shell("test -z \"$(ls -A '%s')\" && test \"$(ls '%s')\" = s", in_folder("s"), folder);
}

Test(refusal, a_pipe)
{
	mkfifo(in_folder("s"), 0600);
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "is not a regular file"), "%s",
					   store_refused(in_folder("s")));
}

Test(refusal, a_file_where_a_folder_is_needed)
{
	write_bytes(in_folder("f"), "x", 1);
	cr_assert_not_null(strstr(store_refused(in_folder("f/s")), "Not a directory"), "%s",
					   store_refused(in_folder("f/s")));
}

Test(refusal, a_symbolic_link_to_nothing)
{
	cr_assert_eq(symlink("nothing", in_folder("s")), 0);
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "is a symbolic link to nothing"));
	cr_assert_not(exists(in_folder("nothing")));
}

Test(refusal, a_second_server_by_any_name)
{
	struct store *store = store_open(in_folder("s"));

	cr_assert_eq(symlink("s", in_folder("link")), 0);
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "/s is in use by another server: stop that one"));
	cr_assert_not_null(strstr(store_refused(in_folder("link")), "/s is in use by another server"));
	cr_assert(commit_lease(store, 1));
	store->ops->destroy(store);
	store = store_open(in_folder("link"));
	store->ops->destroy(store);
}

Test(refusal, a_second_server_where_the_lock_was_removed)
{
	struct store *store = store_open(in_folder("s"));

	cr_assert_eq(unlink(in_folder("s-lock")), 0);
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "/s is in use by another server: stop that one"));
	cr_assert(commit_lease(store, 1));
	store->ops->destroy(store);
	store = store_open(in_folder("s"));
	store->ops->destroy(store);
}

Test(refusal, a_file_with_two_names)
{
	struct store *store;

	make_store(1);
	cr_assert_eq(link(in_folder("s"), in_folder("hard")), 0);
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "/s has another name, too (a hard link)"));
	cr_assert_not_null(strstr(store_refused(in_folder("hard")), "/hard has another name"));
	cr_assert_eq(unlink(in_folder("hard")), 0);
	store = store_open(in_folder("s"));
	store->ops->destroy(store);
}

Test(refusal, a_read_only_folder)
{
	make_store(1);
	mount_read_only(folder);
	cr_assert_not_null(
		strstr(store_refused(in_folder("s")), "Read-only file system; the server must be able to write in the folder"),
		"%s", store_refused(in_folder("s")));
	cr_assert_not_null(strstr(store_refused(in_folder("new/s")), "cannot make the folder"));
	unmount(folder);
}

Test(refusal, a_file_that_cannot_be_written)
{
	make_store(1);
	mount_read_only(in_folder("s"));
	cr_assert_not_null(strstr(store_refused(in_folder("s")), "cannot be written by this user"), "%s",
					   store_refused(in_folder("s")));
	unmount(in_folder("s"));
}

/* Rows that a person wrote wrongly. Each is refused by its name, when it is loaded and when it is checked. */
static const struct {
	const char *statement, *why;
} rows[] = {
	{"UPDATE leases SET state = 'lost' WHERE number = 2", "lease 2: column state holds what it must not"},
	{"UPDATE leases SET reason = 'because' WHERE number = 2", "lease 2: column reason holds"},
	{"UPDATE leases SET id = x'00' WHERE number = 2", "lease 2: column id holds"},
	{"UPDATE leases SET key = zeroblob(257) WHERE number = 2", "lease 2: column key holds"},
	{"UPDATE leases SET key = x'' WHERE number = 2", "lease 2: column key holds"},
	{"UPDATE leases SET slot_ids = '1,,2' WHERE number = 2", "lease 2: column slot_ids holds"},
	{"UPDATE leases SET slot_ids = '1000000' WHERE number = 2", "lease 2: column slot_ids holds"},
	{"UPDATE leases SET slot_ids = '1,2' WHERE number = 2", "lease 2: column slot_ids holds"},
	{"UPDATE leases SET slot_ids = '' WHERE number = 2", "lease 2 does not fit the other rows (bad-record)"},
	{"UPDATE leases SET slot_ids = '1' WHERE number = 2", "lease 2 does not fit the other rows (bad-record)"},
	{"UPDATE leases SET pool = 'gone' WHERE number = 2", "lease 2 does not fit the other rows (pool-not-found)"},
	{"UPDATE leases SET tenant = 'gone' WHERE number = 2", "lease 2 does not fit the other rows (tenant-not-found)"},
	{"UPDATE leases SET tenant = '' WHERE number = 2", "lease 2: column tenant holds"},
	{"UPDATE leases SET label = CAST(x'610062' AS TEXT) WHERE number = 2", "lease 2: column label holds"},
	{"UPDATE leases SET ttl_ns = -1 WHERE number = 2", "lease 2: column ttl_ns holds"},
	{"UPDATE leases SET priority = 11 WHERE number = 2", "lease 2: column priority holds"},
	{"UPDATE leases SET priority = -11 WHERE number = 2", "lease 2: column priority holds"},
	{"UPDATE leases SET max_lease_ns = -1 WHERE number = 2", "lease 2: column max_lease_ns holds"},
	{"UPDATE leases SET max_ns = -1 WHERE number = 2", "lease 2: column max_ns holds"},
	{"UPDATE tenants SET weight = 1000001", "tenant 'alice' of pool 'default': column weight holds"},
	{"UPDATE tenants SET reserved_slots = -1", "tenant 'alice' of pool 'default': column reserved_slots holds"},
	{"UPDATE tenants SET max_slots = 1000001", "tenant 'alice' of pool 'default': column max_slots holds"},
	{"UPDATE pools SET policy = 'lottery'", "pool 'default': column policy holds"},
	{"UPDATE pools SET draining = 2", "pool 'default': column draining holds"},
	{"UPDATE pools SET cordoned = '1,x'", "pool 'default': column cordoned holds"},
	{"UPDATE pools SET pass_over_ns = -1", "pool 'default': column pass_over_ns holds"},
	{"UPDATE tenants SET closing = 2", "tenant 'alice' of pool 'default': column closing holds"},
	{"UPDATE tenants SET instances = 'a  b'", "tenant 'alice' of pool 'default': column instances holds"},
	{"UPDATE tenants SET pool = 'gone'", "tenant 'alice' of pool 'gone' does not fit the other rows (pool-not-found)"},
	{"UPDATE pools SET max_slots = 0", "pool 'default': column max_slots holds"},
	{"UPDATE pools SET min_share = 11", "pool 'default': column min_share holds"},
};

static bool add_pool(void *context, const struct store_pool *pool)
{
	return fair_pool_add(context, &pool->core) == FAIR_OK;
}

/* load_refused loads as the server does; false: it was loaded. */
static bool load_refused(char error[STORE_ERROR_MAX])
{
	struct store *store = store_open(in_folder("s"));
	struct fair_config config = fair_config_default();
	struct fair *fair;
	bool ok;

	config.first_token = 1;
	fair = fair_create(&config);
	ok = store->ops->load_pools(store, add_pool, fair, error) &&
		 store->ops->load(store, fair, 1900000000000000000, error);
	fair_destroy(fair);
	store->ops->destroy(store);
	return !ok;
}

Test(refusal, rows_that_are_not_those_of_one_state)
{
	const struct store_pool pool = {
		.core = {.pool = "default", .max_slots = 10, .min_share = 1}, .share_calculator = "", .slot_urls = ""};
	struct batch_tenant tenant = {.record = {.number = 10, .pool = "default", .tenant = "alice", .anonymous = true}};
	struct batch batch = {.tenants = &tenant, .tenant_count = 1, .next_token = 7};
	struct batch_lease lease;
	struct store *store = store_open(in_folder("s"));
	char error[STORE_ERROR_MAX];

	cr_assert(store->ops->keep_pools(store, &pool, 1, error));
	cr_assert(commit_batch(store, &batch));
	for (uint64_t number = 1; number <= 2; number++) {
		uint32_t slot_id = (uint32_t)number;

		lease = (struct batch_lease){.record = sample_lease(number)};
		lease.record.slot_ids = &slot_id;
		lease.record.key = number == 1 ? "one" : "two";
		lease.record.key_len = 3;
		cr_assert(commit_batch(store, &(struct batch){.leases = &lease, .lease_count = 1, .next_token = 7}));
	}
	store->ops->destroy(store);
	cr_assert_not(load_refused(error), "%s", error);
	cr_assert(store_sqlite_check(in_folder("s"), stderr, error), "%s", error);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		shell("cp '%s' '%s'", in_folder("s"), in_folder("good"));
		sql(in_folder("s"), rows[i].statement);
		cr_expect(load_refused(error), "%s", rows[i].statement);
		cr_expect_not_null(strstr(error, rows[i].why), "%s: %s", rows[i].statement, error);
		cr_expect_not(store_sqlite_check(in_folder("s"), stderr, error), "%s", rows[i].statement);
		cr_expect_not_null(strstr(error, rows[i].why), "%s: %s", rows[i].statement, error);
		shell("cp '%s' '%s'", in_folder("good"), in_folder("s"));
	}
}
