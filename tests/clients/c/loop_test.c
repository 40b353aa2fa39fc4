/* SPDX-License-Identifier: MIT */
/* The form for event loops, on epoll: one thread does everything, and nothing blocks it. */
#include "../../server/harness.h"

#include <fairshare/client.h>

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

TestSuite(client_loop, .fini = harness_fini, .timeout = MORE_TIME);

#define ACQUIRES 40

/* An event loop as a program may have one, and what it was told. */
struct program {
	struct server *server;
	struct fairshare_loop *loop;
	int epoll;
	int64_t due_ms;	 /* -1: no timer */
	bool in_library; /* inside fairshare_loop_ready() or _timeout() */
	int granted, refused, released, answered, lost, reclaimed, closed;
	struct fairshare_lease *leases[ACQUIRES];
	enum fairshare_err err;
	struct fairshare_error error;
	char reason[32];
	int status;
	bool release_at_grant;
};

static void watch(void *data, int fd, unsigned events)
{
	struct program *program = data;
	struct epoll_event event = {.data.fd = fd};

	event.events = ((events & FAIRSHARE_READ) != 0 ? (uint32_t)EPOLLIN : 0u) |
				   ((events & FAIRSHARE_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0u);
	if (events == 0)
		epoll_ctl(program->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(program->epoll, EPOLL_CTL_MOD, fd, &event) != 0)
		cr_assert(epoll_ctl(program->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void timer(void *data, int64_t delay_ms)
{
	struct program *program = data;

	program->due_ms = delay_ms < 0 ? -1 : (int64_t)now_ms() + delay_ms;
}

static void turn(struct program *program)
{
	struct epoll_event events[16];
	int64_t now = (int64_t)now_ms();
	int64_t wait = program->due_ms < 0 || program->due_ms > now + 50 ? 50 : program->due_ms - now;
	int count = epoll_wait(program->epoll, events, 16, wait < 0 ? 0 : (int)wait);

	program->in_library = true;
	for (int i = 0; i < count && program->closed == 0; i++) {
		unsigned ready = 0;

		if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
			ready |= FAIRSHARE_READ;
		if ((events[i].events & (EPOLLOUT | EPOLLERR)) != 0)
			ready |= FAIRSHARE_WRITE;
		fairshare_loop_ready(program->loop, events[i].data.fd, ready);
	}
	if (program->closed == 0 && program->due_ms >= 0 && program->due_ms <= (int64_t)now_ms())
		fairshare_loop_timeout(program->loop);
	program->in_library = false;
}

/* run_until serves the loop until the number is reached. */
static void run_until(struct program *program, const int *number, int value)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (*number < value) {
		cr_assert_lt(now_ms(), end, "waited in vain: %s", program->error.message);
		turn(program);
	}
	cr_assert_eq(*number, value);
}

static void run_for(struct program *program, unsigned ms)
{
	uint64_t end = now_ms() + ms;

	while (now_ms() < end)
		turn(program);
}

static void on_released(void *data, enum fairshare_err err, const struct fairshare_error *error)
{
	struct program *program = data;

	cr_assert(program->in_library);
	program->err = err;
	if (error != NULL)
		program->error = *error;
	program->released++;
}

static void on_acquired(void *data, enum fairshare_err err, struct fairshare_lease *lease,
						const struct fairshare_error *error)
{
	struct program *program = data;

	cr_assert(program->in_library);
	cr_assert(err == FAIRSHARE_OK ? lease != NULL && error == NULL : lease == NULL && error != NULL);
	if (lease != NULL) {
		program->leases[program->granted++] = lease;
		if (program->release_at_grant)
			fairshare_loop_release(lease, on_released, program);
	} else {
		program->err = err;
		program->error = *error;
		program->refused++;
	}
}

static void on_answered(void *data, enum fairshare_err err, const struct fairshare_answer *answer,
						const struct fairshare_error *error)
{
	struct program *program = data;

	(void)error;
	cr_assert(program->in_library);
	program->err = err;
	program->status = answer != NULL ? answer->status : 0;
	program->answered++;
}

static void on_lost(void *data, struct fairshare_lease *lease, const char *reason)
{
	struct program *program = data;

	cr_assert(program->in_library);
	cr_assert(fairshare_lease_lost(lease));
	snprintf(program->reason, sizeof(program->reason), "%s", reason);
	program->lost++;
	fairshare_loop_release(lease, on_released, program);
}

static void on_reclaim(void *data, struct fairshare_lease *lease, double by_seconds)
{
	struct program *program = data;

	cr_assert(program->in_library);
	cr_assert(fairshare_lease_reclaim_ns(lease) > 0 && by_seconds >= 0);
	program->reclaimed++;
}

static void on_closed(void *data)
{
	struct program *program = data;

	cr_assert(program->in_library);
	program->closed++;
}

static void begin(struct program *program, const char *slots, double ttl)
{
	struct fairshare_loop_hooks hooks = {.size = sizeof(hooks), .watch = watch, .timer = timer, .data = program};
	struct fairshare_options options;

	*program = (struct program){.due_ms = -1, .epoll = epoll_create1(0)};
	program->server = server_start("--store", "memory", "--min-ttl", "0.1s", "--max-slots", slots, NULL);
	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = text_format("http://127.0.0.1:%u", server_port(program->server));
	options.tenant = "alice";
	options.register_tenant = true;
	options.ttl_seconds = ttl;
	options.lost = on_lost;
	options.lost_data = program;
	options.reclaim = on_reclaim;
	options.reclaim_data = program;
	cr_assert(fairshare_loop_open(&program->loop, &options, &hooks, &program->error) == FAIRSHARE_OK);
}

static struct fairshare_waiting *acquire_one(struct program *program, double timeout)
{
	struct fairshare_acquire_options options;
	struct fairshare_waiting *waiting;

	FAIRSHARE_ACQUIRE_OPTIONS_INIT(&options);
	options.timeout_seconds = timeout;
	cr_assert(fairshare_loop_acquire(program->loop, &options, on_acquired, program, &waiting, &program->error) ==
			  FAIRSHARE_OK);
	return waiting;
}

static void finish(struct program *program)
{
	fairshare_loop_close(program->loop, on_closed, program);
	run_until(program, &program->closed, 1);
	cr_expect_eq(stat_of(program->server, "total_active_slots"), 0);
	cr_expect_eq(stat_of(program->server, "waiting") + stat_of(program->server, "absent"), 0);
	cr_expect_eq(program->due_ms, -1);
	close(program->epoll);
	server_stop(program->server);
}

Test(client_loop, many_acquires_at_once_are_served_in_turns)
{
	struct program program;

	begin(&program, "3", 30);
	program.release_at_grant = true;
	for (int i = 0; i < ACQUIRES; i++)
		(void)acquire_one(&program, FAIRSHARE_FOREVER);
	cr_expect_eq(program.granted, 0, "nothing is called back before the loop is served");
	run_until(&program, &program.released, ACQUIRES);
	cr_expect(program.err == FAIRSHARE_OK);
	cr_expect_eq(program.granted, ACQUIRES);
	cr_expect_eq(stat_of(program.server, "released_total"), ACQUIRES);
	finish(&program);
}

Test(client_loop, leases_are_kept_while_the_loop_is_served)
{
	struct program program;

	begin(&program, "2", 2);
	(void)acquire_one(&program, 5);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 2);
	run_for(&program, 3000);
	cr_expect_eq(program.lost, 0);
	cr_expect_eq(stat_of(program.server, "total_active_slots"), 2);
	fairshare_detach(program.leases[0]);
	fairshare_loop_release(program.leases[1], NULL, NULL);
	run_for(&program, 2500);
	cr_expect_eq(stat_of(program.server, "total_active_slots"), 0);
	cr_expect_eq(stat_of(program.server, "expired_total"), 1, "the detached one");
	finish(&program);
}

Test(client_loop, an_acquire_ends_by_its_deadline_or_when_it_is_cancelled)
{
	struct program program;

	begin(&program, "1", 30);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 1);
	(void)acquire_one(&program, 0.3);
	run_until(&program, &program.refused, 1);
	cr_expect(program.err == FAIRSHARE_E_NO_SLOT);
	fairshare_loop_cancel(acquire_one(&program, FAIRSHARE_FOREVER));
	run_until(&program, &program.refused, 2);
	cr_expect(program.err == FAIRSHARE_E_CANCELLED);
	fairshare_loop_release(program.leases[0], on_released, &program);
	run_until(&program, &program.released, 1);
	finish(&program);
}

Test(client_loop, a_loss_is_told_and_the_release_after_it_says_so)
{
	struct program program;

	begin(&program, "1", 2);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 1);
	(void)call(program.server, "DELETE", "/tenants/alice?force=true", NULL, NULL);
	run_until(&program, &program.released, 1);
	cr_expect_eq(program.lost, 1);
	cr_expect_str_eq(program.reason, "revoked");
	cr_expect(program.err == FAIRSHARE_E_LOST);
	cr_expect_str_eq(program.error.code, "revoked");

	/* A loop that is not served misses its heartbeats, and tells when it is served again. */
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 2);
	pause_until(now_ms() + 2200);
	cr_expect(fairshare_lease_lost(program.leases[1]));
	cr_expect_str_eq(fairshare_lease_lost_reason(program.leases[1]), "no-heartbeat");
	run_until(&program, &program.lost, 2);
	run_until(&program, &program.released, 2);
	finish(&program);
}

Test(client_loop, a_lease_is_asked_back_once_until_the_wish_is_over)
{
	struct conn *other;
	struct program program;
	uint64_t end;

	begin(&program, "2", 3);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 1);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 2);
	for (int times = 1; times <= 2; times++) {
		other = conn_open(server_port(program.server));
		conn_acquire(other, "bob", "", NULL);
		run_until(&program, &program.reclaimed, times);
		run_for(&program, 1500);
		cr_expect_eq(program.reclaimed, times);
		conn_close(other);
		for (end = now_ms() + PATIENCE_MS; fairshare_lease_reclaim_ns(program.leases[1]) != 0;) {
			cr_assert_lt(now_ms(), end);
			turn(&program);
		}
	}
	cr_expect_eq(program.lost, 0);
	fairshare_loop_release(program.leases[0], NULL, NULL);
	fairshare_loop_release(program.leases[1], NULL, NULL);
	finish(&program);
}

Test(client_loop, the_tenant_is_registered_with_the_first_acquire_and_unregistered_by_the_close)
{
	struct program program;
	struct reply *tenants;

	begin(&program, "1", 30);
	run_for(&program, 100);
	cr_expect_eq(stat_of(program.server, "active_tenants"), 0);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 1);
	tenants = call(program.server, "GET", "/tenants/alice", NULL, NULL);
	cr_expect_eq(json_array_size(json_object_get(tenants->json, "instances")), 1);
	fairshare_loop_close(program.loop, on_closed, &program);
	run_until(&program, &program.closed, 1);
	fairshare_detach(program.leases[0]);
	cr_expect_eq(call(program.server, "GET", "/tenants/alice", NULL, NULL)->status, 404);
	close(program.epoll);
	server_stop(program.server);
}

Test(client_loop, a_request_is_answered)
{
	struct program program;

	begin(&program, "1", 30);
	cr_assert(fairshare_loop_request(program.loop, "GET", "/stats", NULL, 5, on_answered, &program, NULL) ==
			  FAIRSHARE_OK);
	run_until(&program, &program.answered, 1);
	cr_expect(program.err == FAIRSHARE_OK && program.status == 200);
	cr_assert(fairshare_loop_request(program.loop, "GET", "/nowhere", NULL, 5, on_answered, &program, NULL) ==
			  FAIRSHARE_OK);
	run_until(&program, &program.answered, 2);
	cr_expect(program.err == FAIRSHARE_E_REFUSED && program.status == 404);
	finish(&program);
}

Test(client_loop, a_close_calls_everybody_back)
{
	struct program program;

	begin(&program, "1", 30);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 1);
	for (int i = 0; i < 5; i++)
		(void)acquire_one(&program, FAIRSHARE_FOREVER);
	run_for(&program, 200);
	cr_assert(fairshare_loop_request(program.loop, "GET", "/stats", NULL, 5, on_answered, &program, NULL) ==
			  FAIRSHARE_OK);
	finish(&program);
	cr_expect_eq(program.refused, 5);
	cr_expect_eq(program.answered, 1);
	cr_expect(program.err == FAIRSHARE_E_CANCELLED);
	cr_expect(fairshare_lease_lost(program.leases[0]));
	fairshare_detach(program.leases[0]);
}

Test(client_loop, a_close_ends_while_nobody_answers)
{
	struct program program;
	uint64_t began;

	begin(&program, "1", 30);
	(void)acquire_one(&program, 5);
	run_until(&program, &program.granted, 1);
	fairshare_loop_release(program.leases[0], on_released, &program);
	server_signal(program.server, SIGSTOP);
	began = now_ms();
	fairshare_loop_close(program.loop, on_closed, &program);
	run_until(&program, &program.closed, 1);
	cr_expect_leq(now_ms() - began, 3000);
	cr_expect_eq(program.released, 1);
	server_signal(program.server, SIGCONT);
	close(program.epoll);
	server_stop(program.server);
}
