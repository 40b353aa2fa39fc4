/* SPDX-License-Identifier: MIT */
/* Full disks, and a WAL that was cut by a crash. */
#include "harness.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(fault, .init = folder_init, .fini = folder_fini, .timeout = 280);

/* fill leaves no byte free beside the store. */
static void fill(const char *path)
{
	static const char block[4096];
	int filler = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	cr_assert_geq(filler, 0);
	while (write(filler, block, sizeof(block)) > 0)
		;
	close(filler);
}

/* is_prefix: the state is that after `last` commits of commit_lease(1..last). */
static bool is_prefix(const char *state, uint64_t last)
{
	char *text, *line;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool same;

	fprintf(out, "token %llu\n", (unsigned long long)(last > 0 ? 1000 + last : 0));
	for (uint64_t number = 1; number <= last; number++) {
		struct fair_lease_record record = sample_lease(number);

		line = told_lease(&record);
		fputs(line, out);
		free(line);
	}
	fclose(out);
	same = strcmp(state, text) == 0;
	free(text);
	return same;
}

Test(fault, a_full_disk_fails_commits_until_there_is_room_again)
{
	struct batch_lease many[200] = {0};
	struct batch batch = {.leases = many, .lease_count = 200, .next_token = 5000};
	struct batch nothing = {.next_token = 1001};
	struct batch_lease gone = {.gone = true, .record.number = 100};
	struct batch no_change = {.leases = &gone, .lease_count = 1, .next_token = 1001};
	struct store *store;
	char *state;

	mount_small(folder, 512 << 10);
	store = store_open(in_folder("s"));
	cr_assert(commit_lease(store, 1));
	fill(in_folder("filler"));
	for (uint64_t i = 0; i < 200; i++)
		many[i].record = sample_lease(100 + i);
	cr_expect_not(commit_batch(store, &batch));
	cr_expect_not_null(strstr(store->ops->reason(store), "/s: the disk is full: make room on it"), "%s",
					   store->ops->reason(store));
	cr_expect_not(commit_batch(store, &no_change), "what failed may be on the disk: it has to be written over");
	cr_expect_not(commit_batch(store, &nothing), "a batch of nothing has to try the disk");
	cr_expect_not(commit_lease(store, 2));
	cr_expect_not_null(strstr(store->ops->reason(store), "/s: the disk is full: make room on it"), "%s",
					   store->ops->reason(store));
	unlink(in_folder("filler"));
	cr_expect(commit_batch(store, &nothing), "%s", store->ops->reason(store));
	cr_expect(commit_lease(store, 2), "%s", store->ops->reason(store));
	store->ops->destroy(store);
	state = state_of_file(in_folder("s"));
	cr_expect(is_prefix(state, 2), "%s", state);
	free(state);
	unmount(folder);
}

Test(fault, a_full_disk_when_the_server_ends_loses_nothing)
{
	struct store *store;
	char *state;

	mount_small(folder, 512 << 10);
	store = store_open(in_folder("s"));
	for (uint64_t number = 1; number <= 40; number++)
		cr_assert(commit_lease(store, number));
	fill(in_folder("filler"));
	store->ops->destroy(store);
	unlink(in_folder("filler"));
	state = state_of_file(in_folder("s"));
	cr_expect(is_prefix(state, 40), "%s", state);
	free(state);
	unmount(folder);
}

Test(fault, no_room_for_a_new_file_is_said_and_leaves_nothing_half_made)
{
	struct store *store;

	mount_small(folder, 64 << 10);
	fill(in_folder("filler"));
	cr_expect_not_null(strstr(store_refused(in_folder("s")), "full"), "%s", store_refused(in_folder("s")));
	cr_expect_not(exists(in_folder("s")));
	unlink(in_folder("filler"));
	unmount(folder);
	store = store_open(in_folder("s"));
	store->ops->destroy(store);
}

/* A server that fell while it made its file leaves this; the next one begins anew. */
Test(fault, an_unfinished_new_file_is_made_anew)
{
	write_bytes(in_folder("s-new"), "half", 4);
	write_bytes(in_folder("s-new-journal"), "half", 4);
	store_open(in_folder("s"))->ops->destroy(store_open(in_folder("t")));
	cr_expect_not(exists(in_folder("s-new")));
	cr_expect_not(exists(in_folder("s-new-journal")));
}

Test(fault, a_batch_is_kept_whole_or_not_at_all)
{
	struct batch_lease leases[2] = {{.record = sample_lease(1)}, {.record = sample_lease(2)}};
	struct batch batch = {.leases = leases, .lease_count = 2, .next_token = 5000};
	struct store *store = store_open(in_folder("s"));
	char *state;

	leases[1].record.label = NULL; /* which the tables refuse */
	cr_expect_not(commit_batch(store, &batch));
	cr_expect_not_null(strstr(store->ops->reason(store), "NOT NULL constraint failed"), "%s",
					   store->ops->reason(store));
	leases[1].record.label = "";
	cr_expect(commit_batch(store, &(struct batch){.next_token = 0}), "%s", store->ops->reason(store));
	store->ops->destroy(store);
	state = state_of_file(in_folder("s"));
	cr_expect(is_prefix(state, 0), "%s", state);
	free(state);
}

Test(fault, somebody_who_writes_with_a_shell_fails_commits_only_until_done)
{
	struct store *store = store_open(in_folder("s"));
	sqlite3 *shell;
	char *state;

	cr_assert_eq(sqlite3_open(in_folder("s"), &shell), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_not(commit_lease(store, 1));
	cr_expect_not_null(strstr(store->ops->reason(store), "/s: database is locked"), "%s", store->ops->reason(store));
	cr_assert_eq(sqlite3_close(shell), SQLITE_OK);
	cr_expect(commit_lease(store, 1), "%s", store->ops->reason(store));
	store->ops->destroy(store);
	state = state_of_file(in_folder("s"));
	cr_expect(is_prefix(state, 1), "%s", state);
	free(state);
}

/* ---- the WAL ---- */

#define COMMITS 12
#define CUT_COMMITS 2 /* so many of the last are cut */

static void write_commits(void)
{
	struct store *store = store_open(in_folder("s"));

	for (uint64_t number = 1; number <= COMMITS - CUT_COMMITS; number++)
		child_requires(commit_lease(store, number));
	shell("cp '%s' '%s'", in_folder("s-wal"), in_folder("before"));
	for (uint64_t number = COMMITS - CUT_COMMITS + 1; number <= COMMITS; number++)
		child_requires(commit_lease(store, number));
}

/* commits_after plays a cut WAL beside the file; returns how many commits are in the state. */
static uint64_t commits_after(const char *file, size_t file_size, const char *wal, size_t wal_size)
{
	uint64_t commits = 0;
	char *state;

	write_bytes(in_folder("cut"), file, file_size);
	write_bytes(in_folder("cut-wal"), wal, wal_size);
	state = state_of_file(in_folder("cut"));
	while (commits <= COMMITS && !is_prefix(state, commits))
		commits++;
	cr_assert_leq(commits, COMMITS, "the WAL cut at %zu leaves no prefix of the commits: %s", wal_size, state);
	free(state);
	return commits;
}

Test(fault, a_wal_cut_anywhere_is_a_prefix_of_the_commits)
{
	size_t file_size, wal_size, begin, seen[COMMITS + 1] = {0};
	char *file, *wal;
	uint64_t last = 0;

	in_child(write_commits);
	free(bytes_of(in_folder("before"), &begin));
	file = bytes_of(in_folder("s"), &file_size);
	wal = bytes_of(in_folder("s-wal"), &wal_size);
	for (size_t cut = begin; cut <= wal_size; cut++) {
		uint64_t commits = commits_after(file, file_size, wal, cut);

		cr_assert_geq(commits, last, "less is left of a longer WAL");
		last = commits;
		seen[commits]++;
	}
	cr_expect_eq(last, COMMITS);
	for (uint64_t commits = COMMITS - CUT_COMMITS; commits <= COMMITS; commits++)
		cr_expect_gt(seen[commits], 0, "no cut left %llu commits", (unsigned long long)commits);
	fprintf(stderr, "WAL cut at %zu offsets: after %zu, %zu, %zu of them the last 0, 1, 2 commits were there\n",
			wal_size - begin + 1, seen[COMMITS - 2], seen[COMMITS - 1], seen[COMMITS]);
	/* Torn: the length is there, the bytes are not. */
	memset(wal + wal_size - 2000, 0, 2000);
	cr_expect_eq(commits_after(file, file_size, wal, wal_size), COMMITS - 1);
	free(file);
	free(wal);
}
