/* SPDX-License-Identifier: MIT */
/* A disk that is full, under the real binary: nothing is granted, all else goes on, and it comes back by itself. */
#include "harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DISK_BYTES (1 << 20)
#define MANY "100000"

TestSuite(disk, .fini = harness_fini, .timeout = MORE_TIME);

/* fill takes all room that is left, and returns the file that has it. */
static const char *fill(const char *dir)
{
	const char *path = text_format("%s/fill", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	static const char zeros[4096];

	cr_assert(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	cr_assert(errno == ENOSPC, "%s", strerror(errno));
	close(fd);
	return path;
}

/* acquire_until_full also has the server use up the room that it has already taken. */
static void acquire_until_full(struct server *server)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	struct reply *reply;

	while ((reply = acquire(server, "filler", "", NULL))->status == 201)
		cr_assert(now_ms() < end, "the disk does not get full");
	refused(reply, 503, "store-unavailable");
}

/* A new ttl would have to be written, so it is asked for of another lease than the one that beats. */
static void check_is_held(struct server *server, const char *beats, const char *changes)
{
	struct reply *reply;

	refused(call(server, "GET", "/readyz", NULL, NULL), 503, "store-unavailable");
	cr_assert(call(server, "GET", "/healthz", NULL, NULL)->status == 200);
	cr_assert(heartbeat(server, beats)->status == 200);
	refused(call(server, "PUT", lease_path(changes, ""), "{\"ttl_seconds\":1800}", NULL), 503, "store-unavailable");
	refused(call(server, "POST", "/tenants", "{\"tenant_id\":\"new\"}", NULL), 503, "store-unavailable");
	/* A place for the key would have to be written; who has none may wait until the disk is well. */
	refused(acquire(server, "alice", ",\"wait_seconds\":0.2", "job-1"), 503, "store-unavailable");
	reply = acquire(server, "alice", ",\"wait_seconds\":0", NULL);
	refused(reply, 429, "no-slot");
	cr_assert_str_eq(text_of(reply, "reason"), "held", "%s", reply->body);
}

/* free_room returns how long the server needed to come back. */
static uint64_t free_room(struct server *server, const char *file)
{
	uint64_t began = now_ms();

	cr_assert(unlink(file) == 0);
	while (call(server, "GET", "/readyz", NULL, NULL)->status != 200)
		cr_assert(now_ms() < began + PATIENCE_MS, "the server does not come back");
	return now_ms() - began;
}

static void check_ended(struct server *server, const char *id, const char *reason)
{
	struct reply *reply = call(server, "GET", lease_path(id, ""), NULL, NULL);

	refused(reply, 410, "lease-ended");
	cr_assert_str_eq(text_of(reply, "reason"), reason, "%s", reply->body);
}

static void wait_ended(struct server *server, const char *id)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (call(server, "GET", lease_path(id, ""), NULL, NULL)->status != 410)
		cr_assert(now_ms() < end, "lease %s does not end", id);
}

Test(disk, that_is_full_holds_grants_until_there_is_room)
{
	const char *dir = small_disk(DISK_BYTES), *store = text_format("sqlite:%s/s", dir), *file;
	struct server *server = server_start("--store", store, "--max-slots", MANY, NULL);
	const char *kept = must_acquire(server, "alice", "", NULL), *released = must_acquire(server, "alice", "", NULL);
	const char *changed = must_acquire(server, "alice", "", NULL),
			   *expired = granted(call(server, "POST", "/leases", "{\"tenant_id\":\"bob\",\"ttl_seconds\":3}", NULL));
	double active, token;
	uint64_t took;

	file = fill(dir);
	acquire_until_full(server);
	server_says(server, "the store failed; granting is held until it is well again\",\"reason\":");
	server_says(server, "/s: the disk is full: make room on it");
	check_is_held(server, kept, changed);
	must_release(server, released);
	wait_ended(server, expired);
	check_ended(server, released, "released");
	check_ended(server, expired, "expired");
	check_is_held(server, kept, changed);
	took = free_room(server, file);
	cr_assert(took <= 1000, "it came back after %u ms", (unsigned)took);
	server_says(server, "the store is well again");
	token = number_of(acquire(server, "alice", "", NULL), "fencing_token");
	cr_assert(call(server, "PUT", lease_path(changed, ""), "{\"ttl_seconds\":1800}", NULL)->status == 200);
	active = stat_of(server, "total_active_slots");
	server_kill(server);
	server = server_start("--store", store, "--max-slots", MANY, NULL);
	cr_assert(stat_of(server, "total_active_slots") == active);
	check_ended(server, released, "released");
	check_ended(server, expired, "expired");
	cr_assert(number_of(heartbeat(server, changed), "ttl_seconds") == 1800);
	cr_assert(number_of(acquire(server, "alice", "", NULL), "fencing_token") > token);
	server_stop(server);
}

Test(disk, that_is_full_when_the_server_is_killed_has_all_that_was_told)
{
	const char *dir = small_disk(DISK_BYTES), *store = text_format("sqlite:%s/s", dir), *file, *id, *words;
	struct server *server = server_start("--store", store, "--max-slots", MANY, NULL);
	double active;

	id = must_acquire(server, "alice", "", "job-1");
	file = fill(dir);
	acquire_until_full(server);
	active = stat_of(server, "total_active_slots");
	server_kill(server);
	cr_assert(run_once((const char *[]){"--listen", "127.0.0.1:0", "--store", store, NULL}, NULL, &words) == 1, "%s",
			  words);
	cr_assert(strstr(words, "/s: the disk is full: make room on it"), "%s", words);
	cr_assert(unlink(file) == 0);
	server = server_start("--store", store, "--max-slots", MANY, NULL);
	cr_assert(stat_of(server, "total_active_slots") == active);
	cr_assert_str_eq(granted(acquire(server, "alice", "", "job-1")), id);
	server_stop(server);
}

/* What is written to a file without a name is not kept: nothing may be told of it. */
Test(disk, that_has_lost_the_file_holds_grants_until_it_is_back)
{
	const char *dir = temp_dir(), *path = text_format("%s/s", dir), *away = text_format("%s/away", dir), *id;
	struct server *server = server_start("--store", text_format("sqlite:%s", path), NULL);
	uint64_t end;

	id = must_acquire(server, "alice", "", NULL);
	cr_assert(rename(path, away) == 0);
	refused(acquire(server, "alice", "", NULL), 503, "store-unavailable");
	server_says(server, "/s was removed, moved or replaced: put it back");
	refused(call(server, "GET", "/readyz", NULL, NULL), 503, "store-unavailable");
	cr_assert(heartbeat(server, id)->status == 200);
	cr_assert(rename(away, path) == 0);
	for (end = now_ms() + PATIENCE_MS; call(server, "GET", "/readyz", NULL, NULL)->status != 200;)
		cr_assert(now_ms() < end, "the server does not come back");
	must_acquire(server, "alice", "", NULL);
	server_kill(server);
	server = server_start("--store", text_format("sqlite:%s", path), NULL);
	cr_assert(stat_of(server, "total_active_slots") == 2);
	server_stop(server);
}

Test(disk, that_is_full_when_the_server_starts_is_said_so_and_nothing_is_lost)
{
	const char *dir = small_disk(DISK_BYTES), *store = text_format("sqlite:%s/s", dir), *file, *id, *words;
	struct server *server = server_start("--store", store, NULL);

	id = must_acquire(server, "alice", "", NULL);
	server_stop(server);
	file = fill(dir);
	cr_assert(run_once((const char *[]){"--listen", "127.0.0.1:0", "--store", store, NULL}, NULL, &words) == 1, "%s",
			  words);
	cr_assert(strstr(words, "/s: the disk is full: make room on it"), "%s", words);
	cr_assert(unlink(file) == 0);
	server = server_start("--store", store, NULL);
	cr_assert(heartbeat(server, id)->status == 200);
	server_stop(server);
}
