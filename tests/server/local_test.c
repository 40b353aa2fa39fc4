/* SPDX-License-Identifier: MIT */
/* A local socket: all is as over TCP, and its name comes and goes with the server. */
#include "harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

TestSuite(local, .fini = harness_fini, .timeout = MORE_TIME);

static const char *name_in(const char *dir)
{
	return text_format("%s/s", dir);
}

static struct server *start_at(const char *path)
{
	return server_start("--max-slots", "1", "--listen", text_format("unix:%s", path), NULL);
}

Test(local, a_waiter_is_granted_and_one_that_left_is_passed_over)
{
	const char *path = name_in(temp_dir());
	struct server *server = start_at(path);
	const char *held = must_acquire(server, "holder", "", NULL);
	struct conn *gone = conn_open_local(path), *stays = conn_open_local(path);

	conn_acquire(gone, "alice", "", NULL);
	wait_stat(server, "waiting", 1);
	conn_acquire(stays, "bob", "", NULL);
	wait_stat(server, "waiting", 2);
	conn_close(gone);
	wait_stat(server, "waiting", 1);
	must_release(server, held);
	granted(conn_reply(stays));
	cr_assert(stat_of(server, "unclaimed_total") == 0);
	server_stop(server);
}

/* The client has read its answer when it goes: the lease is its own. */
Test(local, a_client_that_goes_with_its_answer_keeps_the_lease)
{
	const char *path = name_in(temp_dir());
	struct server *server = start_at(path);

	for (int i = 0; i < 100; i++) {
		struct conn *conn = conn_open_local(path);
		const char *id;

		conn_acquire(conn, "alice", "", NULL);
		id = granted(conn_reply(conn));
		conn_close(conn);
		must_release(server, id);
	}
	cr_assert(stat_of(server, "unclaimed_total") == 0);
	server_stop(server);
}

Test(local, the_name_goes_with_the_server)
{
	const char *path = name_in(temp_dir());

	server_stop(start_at(path));
	cr_assert(access(path, F_OK) != 0 && errno == ENOENT, "%s is still there", path);
}

Test(local, a_name_that_a_killed_server_left_is_taken)
{
	const char *path = name_in(temp_dir());

	server_kill(start_at(path));
	cr_assert(access(path, F_OK) == 0, "a server that is killed cannot take its name away");
	must_acquire(start_at(path), "alice", "", NULL);
}

Test(local, a_name_in_use_and_one_that_is_no_socket_are_refused_and_left)
{
	const char *dir = temp_dir(), *path = name_in(dir), *file = temp_file(dir, "file", "kept"), *words;
	struct server *server = start_at(path);
	const char *again[] = {"--store", "memory", "--listen", text_format("unix:%s", path), NULL};
	const char *over[] = {"--store", "memory", "--listen", text_format("unix:%s", file), NULL};

	cr_assert(run_once(again, NULL, &words) == 1);
	cr_assert(strstr(words, "Address already in use"), "%s", words);
	cr_assert(run_once(over, NULL, &words) == 1);
	cr_assert(strstr(words, "Address already in use"), "%s", words);
	cr_assert(access(file, F_OK) == 0, "a file of somebody else was taken away");
	must_acquire(server, "alice", "", NULL);
	server_stop(server);
}
