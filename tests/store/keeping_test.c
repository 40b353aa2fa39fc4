/* SPDX-License-Identifier: MIT */
/* What is put is what is loaded, to the byte. */
#include "harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(keeping, .init = folder_init, .fini = folder_fini, .timeout = 60);

#define HIGH "\xc3\xa9\xf0\x9f\xa6\x8a" /* e acute, a fox */

/* expect compares the state of the file with these lines, each of which it frees. */
static void expect(const char *path, const char *head, char *const *lines, size_t count)
{
	char *state = state_of_file(path), *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs(head, out);
	for (size_t i = 0; i < count; i++) {
		fputs(lines[i], out);
		free(lines[i]);
	}
	fclose(out);
	cr_assert_str_eq(state, text);
	free(state);
	free(text);
}

Test(keeping, an_empty_store_is_empty)
{
	expect(in_folder("s"), "token 0\n", NULL, 0);
	expect(in_folder("s"), "token 0\n", NULL, 0);
}

Test(keeping, every_field_of_a_lease)
{
	static const char key[] = "\0\xff\x80 k\0";
	const uint32_t ids[] = {3, 999999, 0};
	struct fair_lease_record record = {.id = {.bytes = {0, 1, 0xff, 4, 0, 0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0}},
									   .number = INT64_MAX,
									   .pool = "default",
									   .tenant = "bob:1",
									   .label = "say \"" HIGH "\" 'x'; --",
									   .key = key,
									   .key_len = sizeof(key) - 1,
									   .state = FAIR_ACTIVE,
									   .slots = 3,
									   .slot_ids = ids,
									   .fencing_token = (UINT64_C(1) << 53) - 1,
									   .ttl_ns = 1,
									   .asked_ttl_ns = 3600000000001,
									   .arrived_ns = 1900000000000000001,
									   .granted_ns = 1900000000000000002,
									   .ended_ns = 0,
									   .priority = -10,
									   .max_lease_ns = 3600000000003,
									   .max_ns = 1900000000000000004};
	struct batch_lease lease = {.record = record};
	struct batch batch = {.leases = &lease, .lease_count = 1, .next_token = UINT64_C(1) << 53};
	struct store *store = store_open(in_folder("s"));
	char *line = told_lease(&record);

	cr_assert(commit_batch(store, &batch));
	store->ops->destroy(store);
	expect(in_folder("s"), "token 9007199254740992\n", &line, 1);
}

Test(keeping, a_place_has_no_slot_ids_and_an_anonymous_lease_no_key)
{
	struct batch_lease leases[2] = {{.record = sample_lease(1)}, {.record = sample_lease(2)}};
	struct batch batch = {.leases = leases, .lease_count = 2, .next_token = 7};
	struct store *store = store_open(in_folder("s"));
	char *lines[2];

	leases[0].record.state = FAIR_PENDING;
	leases[0].record.slot_ids = NULL;
	leases[0].record.fencing_token = leases[0].record.granted_ns = 0;
	leases[0].record.label = "";
	leases[1].record.key = NULL;
	leases[1].record.key_len = 0;
	for (int i = 0; i < 2; i++)
		lines[i] = told_lease(&leases[i].record);
	cr_assert(commit_batch(store, &batch));
	store->ops->destroy(store);
	expect(in_folder("s"), "token 7\n", lines, 2);
}

Test(keeping, leases_that_ended_come_last_in_the_order_of_their_ends_with_every_reason)
{
	static const enum fair_reason reasons[] = {
#define FAIR_X(name, code) FAIR_REASON_##name,
		FAIR_REASON_LIST(FAIR_X)
#undef FAIR_X
	};
	enum { REASONS = sizeof(reasons) / sizeof(reasons[0]) };
	struct batch_lease leases[REASONS + 1] = {0};
	struct batch batch = {.leases = leases, .lease_count = REASONS + 1, .next_token = 7};
	struct store *store = store_open(in_folder("s"));
	char *lines[REASONS + 1];

	for (unsigned i = 0; i < REASONS; i++) {
		leases[i].record = sample_lease(i + 1);
		leases[i].record.state = FAIR_ENDED;
		leases[i].record.reason = reasons[i];
		leases[i].record.ended_ns = 1900000000000000000 - i;
		lines[REASONS - i] = told_lease(&leases[i].record);
	}
	leases[REASONS].record = sample_lease(REASONS + 1);
	lines[0] = told_lease(&leases[REASONS].record);
	cr_assert(commit_batch(store, &batch));
	store->ops->destroy(store);
	expect(in_folder("s"), "token 7\n", lines, REASONS + 1);
}

Test(keeping, tenants_open_closing_forced_and_with_a_thousand_instances)
{
	static char names[FAIR_INSTANCES_MAX][FAIR_NAME_MAX + 1];
	static const char *instances[FAIR_INSTANCES_MAX];
	struct batch_tenant tenants[] = {
		{.record = {.number = 4, .pool = "default", .tenant = "open", .anonymous = true}},
		{.record = {.number = 1, .pool = "default", .tenant = "closing", .closing = true, .revoke_below = 17}},
		{.record = {.number = 2,
					.pool = "other",
					.tenant = "open",
					.automatic = true,
					.num_instances = FAIR_INSTANCES_MAX,
					.instances = instances}},
		{.record = {.number = 3, .pool = "other", .tenant = "one", .num_instances = 1, .instances = instances}},
	};
	struct batch batch = {.tenants = tenants, .tenant_count = 4, .next_token = 7};
	struct store *store = store_open(in_folder("s"));
	char *lines[4];

	for (unsigned i = 0; i < FAIR_INSTANCES_MAX; i++) {
		memset(names[i], 'a', FAIR_NAME_MAX);
		snprintf(names[i], sizeof(names[i]), "%0*u", i % 2 == 0 ? FAIR_NAME_MAX : 1, i);
		instances[i] = names[i];
	}
	for (int i = 0; i < 4; i++)
		lines[tenants[i].record.number - 1] = told_tenant(&tenants[i].record);
	cr_assert(commit_batch(store, &batch));
	store->ops->destroy(store);
	expect(in_folder("s"), "token 7\n", lines, 4);
}

Test(keeping, a_put_replaces_and_what_is_gone_is_gone)
{
	struct batch_lease leases[2] = {{.record = sample_lease(1)}, {.record = sample_lease(2)}};
	struct batch_tenant tenants[2] = {
		{.record = {.number = 1, .pool = "default", .tenant = "alice", .anonymous = true}},
		{.record = {.number = 2, .pool = "other", .tenant = "alice", .anonymous = true}},
	};
	struct batch batch = {.leases = leases, .tenants = tenants, .lease_count = 2, .tenant_count = 2, .next_token = 7};
	struct store *store = store_open(in_folder("s"));
	char *lines[2];

	cr_assert(commit_batch(store, &batch));
	leases[0].gone = true;
	leases[0].record = (struct fair_lease_record){.number = 1};
	leases[1].record.state = FAIR_ENDED;
	leases[1].record.reason = FAIR_REASON_RELEASED;
	leases[1].record.ended_ns = 5;
	tenants[0].gone = true;
	tenants[0].record = (struct fair_tenant_record){.pool = "default", .tenant = "alice"};
	tenants[1].record.closing = true;
	cr_assert(commit_batch(store, &batch));
	lines[0] = told_tenant(&tenants[1].record);
	lines[1] = told_lease(&leases[1].record);
	store->ops->destroy(store);
	expect(in_folder("s"), "token 7\n", lines, 2);
}

Test(keeping, pools_are_those_that_were_kept_last)
{
	const struct store_pool pools[] = {
		{.core = {.pool = "zebra", .max_slots = FAIR_SLOTS_MAX, .min_share = 7, .max_waiting = UINT32_MAX},
		 .share_calculator = "",
		 .slot_urls = ""},
		{.core = {.pool = "default",
				  .max_slots = 10,
				  .min_share = 1,
				  .max_waiting = 100,
				  .tenant_max_waiting = 20,
				  .policy = FAIR_POLICY_MAX_MIN,
				  .draining = true,
				  .cordoned = (const uint32_t[]){7, 0, 999999},
				  .num_cordoned = 3,
				  .slot_rest_ns = 1,
				  .max_lease_ns = 2,
				  .pass_over_ns = 3,
				  .priority_step_ns = 4},
		 .slot_urls = "ws://farm:9222/0 '" HIGH "'",
		 .share_calculator = "max_slots // num_demanding_tenants -- '" HIGH "'",
		 .configured = true},
	};
	struct store *store = store_open(in_folder("s"));
	char error[STORE_ERROR_MAX];

	cr_assert(store->ops->keep_pools(store,
									 &(struct store_pool){.core = {.pool = "old", .max_slots = 1, .min_share = 1},
														  .share_calculator = "",
														  .slot_urls = ""},
									 1, error));
	cr_assert(store->ops->keep_pools(store, pools, 2, error), "%s", error);
	store->ops->destroy(store);
	expect(in_folder("s"),
		   "token 0\npool default 10 1 100 20 'max_slots // num_demanding_tenants -- '" HIGH "'' 1 "
		   "max-min drain=1 cordon=7;0;999999; 1 2 3 4 'ws://farm:9222/0 '" HIGH "''\n"
		   "pool zebra 1000000 7 4294967295 0 '' 0 equal drain=0 cordon= 0 0 0 0 ''\n",
		   NULL, 0);
}

Test(keeping, the_token_goes_with_any_batch)
{
	struct batch batch = {.next_token = 41};
	struct store *store = store_open(in_folder("s"));

	cr_assert(commit_batch(store, &batch));
	batch.next_token = 42;
	cr_assert(commit_batch(store, &batch));
	store->ops->destroy(store);
	expect(in_folder("s"), "token 42\n", NULL, 0);
}

Test(keeping, destroy_finishes_the_batch_in_flight)
{
	struct batch_lease lease = {.record = sample_lease(1)};
	struct batch batch = {.leases = &lease, .lease_count = 1, .next_token = 7};
	struct store *store = store_open(in_folder("s"));
	char *line = told_lease(&lease.record);

	store->ops->commit(store, 0, &batch);
	store->ops->destroy(store);
	expect(in_folder("s"), "token 7\n", &line, 1);
}

static void commit_and_vanish(void)
{
	struct store *store = store_open(in_folder("s"));

	child_requires(commit_lease(store, 1));
}

Test(keeping, what_was_committed_outlives_the_process)
{
	struct fair_lease_record record = sample_lease(1);
	char *line = told_lease(&record);

	in_child(commit_and_vanish);
	cr_assert(exists(in_folder("s-wal")));
	expect(in_folder("s"), "token 1001\n", &line, 1);
}

Test(keeping, a_clean_end_leaves_one_file_and_the_lock_which_are_the_owners_alone)
{
	struct store *store = store_open(in_folder("a/b/s"));

	cr_assert(commit_lease(store, 1));
	shell("test \"$(stat -c %%a '%s' '%s' '%s')\" = \"$(printf '600\\n600\\n600')\"", in_folder("a/b/s"),
		  in_folder("a/b/s-wal"), in_folder("a/b/s-lock"));
	store->ops->destroy(store);
	shell("test \"$(ls '%s')\" = \"$(printf 's\\ns-lock')\"", in_folder("a/b"));
	shell("test \"$(stat -c %%a '%s' '%s')\" = \"$(printf '700\\n700')\"", in_folder("a"), in_folder("a/b"));
}

Test(keeping, people_see_who_holds_and_waits_while_the_server_runs)
{
	struct batch_lease leases[2] = {{.record = sample_lease(1)}, {.record = sample_lease(2)}};
	struct batch batch = {.leases = leases, .lease_count = 2, .next_token = 7};
	struct store *store = store_open(in_folder("s"));

	leases[1].record.state = FAIR_PENDING;
	leases[1].record.slot_ids = NULL;
	cr_assert(commit_batch(store, &batch));
	shell("test \"$(sqlite3 '%s' 'SELECT tenant, slot_ids, label, since FROM holding')\" = 'alice|1|sample|2030-03-17 "
		  "17:46:39'",
		  in_folder("s"));
	shell("test \"$(sqlite3 '%s' 'SELECT pool, tenant FROM waiting')\" = 'default|alice'", in_folder("s"));
	cr_assert(commit_lease(store, 3));
	store->ops->destroy(store);
}
