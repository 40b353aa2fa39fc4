/* SPDX-License-Identifier: MIT */
/* The stored form: every version that was ever released is read, and the check tells what is in a file. */
#include "harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(form, .init = folder_init, .fini = folder_fini, .timeout = 60);

/* load_dump makes a file of a dump of the repository. */
static void load_dump(const char *name)
{
	char path[PATH_SIZE], *text;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s", DUMPS, name);
	text = bytes_of(path, &size);
	sql(in_folder("s"), text);
	free(text);
}

static void expect_check(const char *path, const char *told)
{
	char error[STORE_ERROR_MAX], *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_expect(store_sqlite_check(path, out, error), "%s", error);
	fclose(out);
	cr_expect_str_eq(text, told);
	free(text);
}

/* The state of v1.sql, which every version has to load. */
static void expect_v1(void)
{
	char *state = state_of_file(in_folder("s"));

	cr_expect_str_eq(
		state,
		"token 1790000000000005\n"
		"pool default 10 1 10000 1000 'max_slots // num_demanding_tenants + 1' 1 equal drain=0 cordon= 0 0 5000000000 "
		"30000000000 ''\n"
		"pool old 2 1 100 10 '' 0 equal drain=0 cordon= 0 0 5000000000 30000000000 ''\n"
		"tenant 1 default/alice closing=0 automatic=0 anonymous=1 revoke=0 instances=web-1;web-2; policy=1000,0,0,0\n"
		"tenant 3 old/bob closing=1 automatic=0 anonymous=0 revoke=9 instances= policy=1000,0,0,0\n"
		"lease 2 000102030405060708090a0b0c0d0e0f default/alice label=Zo\xc3\xab key=006b6579ff state=1 reason=0 "
		"slots=1 ids=3; "
		"token=1790000000000001 ttl=30000000000 asked=60000000000 arrived=1790000000000000001 "
		"granted=1790000000000000002 ended=0 priority=0 max=0,0\n"
		"lease 4 100102030405060708090a0b0c0d0e0f old/bob label= key= state=1 reason=0 slots=1 ids=0; "
		"token=1790000000000004 ttl=1000000000 asked=1000000000 arrived=1790000000000000003 "
		"granted=1790000000000000003 ended=0 priority=0 max=0,0\n"
		"lease 5 200102030405060708090a0b0c0d0e0f default/alice label= key=6b32 state=0 reason=0 slots=1 ids= "
		"token=0 ttl=30000000000 asked=30000000000 arrived=1790000000000000005 granted=0 ended=0 priority=0 max=0,0\n"
		"lease 1 300102030405060708090a0b0c0d0e0f default/carol label=x key=6b33 state=2 reason=2 slots=1 ids=4; "
		"token=1790000000000000 ttl=1000000000 asked=1000000000 arrived=1789999999000000000 "
		"granted=1789999999000000000 "
		"ended=1790000000000000000 priority=0 max=0,0\n");
	free(state);
}

/* The check reads a file of an older form and leaves it so. */
static void expect_check_of(int version)
{
	char told[1024];

	snprintf(told, sizeof(told),
			 "%s is whole (stored form %d)\npools 2\ntenants 2\nactive leases 2\nplaces 1\nremembered leases 1\n"
			 "next token 1790000000000005\n",
			 in_folder("s"), version);
	expect_check(in_folder("s"), told);
}

Test(form, version_1_is_read)
{
	load_dump("v1.sql");
	expect_check_of(1);
	shell("test \"$(sqlite3 '%s' 'PRAGMA user_version')\" = 1", in_folder("s"));
	expect_v1();
	expect_check_of(2);
}

Test(form, version_2_is_read)
{
	char *state;

	load_dump("v2.sql");
	expect_check_of(2);
	state = state_of_file(in_folder("s"));
	cr_expect_str_eq(
		state,
		"token 1790000000000005\n"
		"pool default 10 1 10000 1000 'max_slots // num_demanding_tenants + 1' 1 max-min drain=1 cordon=3;7; "
		"1500000000 "
		"3600000000000 2000000000 10000000000 ''\n"
		"pool old 2 1 100 10 '' 0 equal drain=0 cordon= 0 0 5000000000 30000000000 'ws://farm:9222/0 "
		"ws://farm:9222/1'\n"
		"tenant 1 default/alice closing=0 automatic=0 anonymous=1 revoke=0 instances=web-1;web-2; policy=2500,2,6,9\n"
		"tenant 3 old/bob closing=1 automatic=0 anonymous=0 revoke=9 instances= policy=1000,0,0,0\n"
		"lease 2 000102030405060708090a0b0c0d0e0f default/alice label=Zo\xc3\xab key=006b6579ff state=1 reason=0 "
		"slots=2 ids=3;5; "
		"token=1790000000000001 ttl=30000000000 asked=60000000000 arrived=1790000000000000001 "
		"granted=1790000000000000002 ended=0 priority=-3 max=60000000000,1790000060000000002\n"
		"lease 4 100102030405060708090a0b0c0d0e0f old/bob label= key= state=1 reason=0 slots=1 ids=0; "
		"token=1790000000000004 ttl=1000000000 asked=1000000000 arrived=1790000000000000003 "
		"granted=1790000000000000003 ended=0 priority=0 max=0,0\n"
		"lease 5 200102030405060708090a0b0c0d0e0f default/alice label= key=6b32 state=0 reason=0 slots=1 ids= "
		"token=0 ttl=30000000000 asked=30000000000 arrived=1790000000000000005 granted=0 ended=0 priority=10 "
		"max=5000000000,0\n"
		"lease 1 300102030405060708090a0b0c0d0e0f default/carol label=x key=6b33 state=2 reason=8 slots=1 ids=4; "
		"token=1790000000000000 ttl=1000000000 asked=1000000000 arrived=1789999999000000000 "
		"granted=1789999999000000000 "
		"ended=1790000000000000000 priority=0 max=0,0\n");
	free(state);
}

/* What is made today has the tables that the newest dump has: they are not changed without a new version. */
Test(form, the_tables_of_version_2_are_as_they_were)
{
	load_dump("v2.sql");
	store_open(in_folder("new"))->ops->destroy(store_open(in_folder("unused")));
	shell("sqlite3 '%s' .schema > '%s' && sqlite3 '%s' .schema | diff '%s' -", in_folder("s"), in_folder("a"),
		  in_folder("new"), in_folder("a"));
}

Test(form, version_0_is_migrated)
{
	struct store *store;
	char *state;

	sql(in_folder("s"), "PRAGMA application_id = 0x46414952");
	shell("test \"$(sqlite3 '%s' 'PRAGMA user_version')\" = 0 && test -s '%s'", in_folder("s"), in_folder("s"));
	store = store_open(in_folder("s"));
	cr_expect(commit_lease(store, 1));
	store->ops->destroy(store);
	shell("test \"$(sqlite3 '%s' 'PRAGMA user_version; PRAGMA application_id')\" = \"$(printf '2\\n1178683730')\"",
		  in_folder("s"));
	state = state_of_file(in_folder("s"));
	cr_expect(strncmp(state, "token 1001\nlease 1 ", 19) == 0, "%s", state);
	free(state);
}

/* A step that fails leaves the version before. */
Test(form, a_migration_is_whole_or_not_at_all)
{
	sql(in_folder("s"), "PRAGMA application_id = 0x46414952; CREATE TABLE leases(a)");
	cr_expect_not_null(strstr(store_refused(in_folder("s")), "table leases already exists"), "%s",
					   store_refused(in_folder("s")));
	shell("test \"$(sqlite3 '%s' 'PRAGMA user_version; SELECT name FROM sqlite_schema')\" = \"$(printf '0\\nleases')\"",
		  in_folder("s"));
}

static void check_beside_a_server(void)
{
	char error[STORE_ERROR_MAX], *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	child_requires(store_sqlite_check(in_folder("s"), out, error));
	fclose(out);
	child_requires(strstr(text, "\nactive leases 0\n"));
	child_requires(strstr(text, "\nnext token 7\n"));
	free(text);
}

Test(form, a_check_runs_beside_a_server_and_changes_nothing)
{
	const struct store_pool pool = {
		.core = {.pool = "default", .max_slots = 10, .min_share = 1}, .share_calculator = "", .slot_urls = ""};
	struct batch batch = {.next_token = 7};
	struct store *store = store_open(in_folder("s"));
	char error[STORE_ERROR_MAX];

	cr_assert(store->ops->keep_pools(store, &pool, 1, error), "%s", error);
	cr_assert(commit_batch(store, &batch));
	shell("cat '%s' '%s' > '%s'", in_folder("s"), in_folder("s-wal"), in_folder("before"));
	in_child(check_beside_a_server);
	shell("cat '%s' '%s' | cmp - '%s'", in_folder("s"), in_folder("s-wal"), in_folder("before"));
	cr_expect(commit_batch(store, &batch));
	store->ops->destroy(store);
}

Test(form, a_check_of_a_missing_file_makes_none)
{
	char error[STORE_ERROR_MAX];

	cr_expect_not(store_sqlite_check(in_folder("s"), stderr, error));
	cr_expect_not_null(strstr(error, "/s is missing or empty"), "%s", error);
	shell("test -z \"$(ls -A '%s')\"", folder);
}
