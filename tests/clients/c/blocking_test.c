/* SPDX-License-Identifier: MIT */
/* What the scenarios do not reach of the blocking form: threads, signals, forks, descriptors, callbacks. */
#include "../../server/harness.h"

#include <fairshare/client.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(client, .fini = harness_fini, .timeout = MORE_TIME);

static struct server *start(const char *slots)
{
	return server_start("--store", "memory", "--min-ttl", "0.1s", "--max-slots", slots, NULL);
}

static struct fairshare_options options_for(const struct server *server)
{
	struct fairshare_options options;

	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = text_format("http://127.0.0.1:%u", server_port(server));
	options.tenant = "alice";
	return options;
}

static struct fairshare_client *open_client(const struct fairshare_options *options)
{
	struct fairshare_client *client;
	struct fairshare_error error;

	cr_assert(fairshare_open(&client, options, &error) == FAIRSHARE_OK, "%s", error.message);
	return client;
}

static struct fairshare_lease *take(struct fairshare_client *client)
{
	struct fairshare_lease *lease;
	struct fairshare_error error;

	cr_assert(fairshare_acquire(client, NULL, &lease, &error) == FAIRSHARE_OK, "%s", error.message);
	return lease;
}

static struct fairshare_acquire_options within(double seconds)
{
	struct fairshare_acquire_options options;

	FAIRSHARE_ACQUIRE_OPTIONS_INIT(&options);
	options.timeout_seconds = seconds;
	return options;
}

/* ---- threads ---- */

#define RACERS 8
#define ROUNDS 25

struct race {
	struct fairshare_client *client;
	atomic_int holders;
	atomic_int most;
	atomic_int granted;
};

static void *racer(void *data)
{
	struct race *race = data;

	for (int i = 0; i < ROUNDS; i++) {
		struct fairshare_lease *lease = take(race->client);
		int now = atomic_fetch_add(&race->holders, 1) + 1;
		int most = atomic_load(&race->most);

		while (now > most && !atomic_compare_exchange_weak(&race->most, &most, now))
			;
		atomic_fetch_add(&race->granted, 1);
		atomic_fetch_sub(&race->holders, 1);
		cr_assert(fairshare_release(lease, NULL) == FAIRSHARE_OK);
	}
	return NULL;
}

Test(client, threads_that_race_never_hold_more_than_there_is)
{
	struct server *server = start("3");
	struct fairshare_options options = options_for(server);
	struct race race = {.client = open_client(&options)};
	pthread_t threads[RACERS];

	for (int i = 0; i < RACERS; i++)
		cr_assert(pthread_create(&threads[i], NULL, racer, &race) == 0);
	for (int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(race.granted, RACERS * ROUNDS);
	cr_expect_leq(race.most, 3);
	cr_expect_eq(stat_of(server, "total_active_slots"), 0);
	cr_expect_eq(stat_of(server, "released_total"), RACERS * ROUNDS);
	fairshare_close(race.client);
	server_stop(server);
}

/* ---- cancelling ---- */

static struct fairshare_cancel *signalled;

static void on_alarm(int number)
{
	(void)number;
	fairshare_cancel(signalled);
}

Test(client, a_signal_handler_cancels_an_acquire)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client = open_client(&options);
	struct fairshare_lease *held = take(client);
	struct fairshare_acquire_options acquire_options = within(FAIRSHARE_FOREVER);
	struct fairshare_lease *lease = NULL;
	struct fairshare_error error;
	uint64_t began = now_ms();
	timer_t timer;

	cr_assert(fairshare_cancel_create(client, &signalled) == FAIRSHARE_OK);
	signal(SIGALRM, on_alarm);
	cr_assert(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
	timer_settime(timer, 0, &(struct itimerspec){.it_value.tv_nsec = 300000000}, NULL);
	acquire_options.cancel = signalled;
	cr_assert(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_CANCELLED);
	cr_expect_lt(now_ms() - began, 2000);
	cr_expect_str_eq(error.code, "cancelled");
	cr_expect(lease == NULL);
	wait_stat(server, "waiting", 0);
	wait_stat(server, "absent", 0);

	/* The handle stays cancelled. */
	cr_expect(fairshare_acquire(client, &acquire_options, &lease, NULL) == FAIRSHARE_E_CANCELLED);
	timer_delete(timer);
	fairshare_cancel_destroy(signalled);
	cr_expect(fairshare_release(held, NULL) == FAIRSHARE_OK);
	fairshare_close(client);
	server_stop(server);
}

struct waiter {
	struct fairshare_client *client;
	enum fairshare_err err;
};

static void *wait_for_ever(void *data)
{
	struct waiter *waiter = data;
	struct fairshare_lease *lease;

	waiter->err = fairshare_acquire(waiter->client, NULL, &lease, NULL);
	return NULL;
}

Test(client, a_close_cancels_the_acquires_of_other_threads)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct waiter waiter = {.client = open_client(&options)};
	struct fairshare_lease *held = take(waiter.client);
	pthread_t thread;

	cr_assert(pthread_create(&thread, NULL, wait_for_ever, &waiter) == 0);
	wait_stat(server, "waiting", 1);
	fairshare_close(waiter.client);
	pthread_join(thread, NULL);
	cr_expect(waiter.err == FAIRSHARE_E_CANCELLED);
	cr_expect_eq(stat_of(server, "total_active_slots"), 0);
	cr_expect_eq(stat_of(server, "waiting") + stat_of(server, "absent"), 0);

	/* The lease is still there to be asked and freed. */
	cr_expect(fairshare_lease_lost(held));
	cr_expect_str_eq(fairshare_lease_lost_reason(held), "closed");
	cr_expect(fairshare_release(held, NULL) == FAIRSHARE_E_LOST);
	server_stop(server);
}

/* ---- the place in line ---- */

struct seen {
	int times;
	struct fairshare_place place;
	char reason[32];
	pthread_t thread;
};

static void on_progress(void *data, const struct fairshare_place *place)
{
	struct seen *seen = data;

	seen->times++;
	seen->place = *place;
	snprintf(seen->reason, sizeof(seen->reason), "%s", place->reason);
	seen->thread = pthread_self();
}

Test(client, the_place_in_line_is_told_while_an_acquire_waits)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client = open_client(&options);
	struct fairshare_acquire_options acquire_options = within(3.5);
	struct conn *first = conn_open(server_port(server));
	struct fairshare_lease *held = take(client);
	struct fairshare_lease *lease;
	struct fairshare_error error;
	struct seen seen = {0};

	conn_acquire(first, "bob", ",\"wait_seconds\":20", NULL);
	wait_stat(server, "waiting", 1);
	acquire_options.progress = on_progress;
	acquire_options.progress_data = &seen;
	cr_assert(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_NO_SLOT);
	cr_expect_geq(seen.times, 2, "after 1 s and 2 s later, not %d times", seen.times);
	cr_expect_eq(seen.place.position, 1);
	cr_expect_eq(seen.place.ahead, 1);
	cr_expect_str_eq(seen.reason, "at-share");
	cr_expect(seen.place.waited_seconds > 0.9 && seen.place.waited_seconds < 4);
	cr_expect(seen.place.estimated_wait_seconds < 0, "nothing was held yet");
	cr_expect(pthread_equal(seen.thread, pthread_self()));
	cr_expect_str_eq(error.code, "no-slot");
	cr_expect_eq(error.status, 429);
	conn_close(first);
	cr_expect(fairshare_release(held, NULL) == FAIRSHARE_OK);
	held = take(client);
	acquire_options.timeout_seconds = 1.5;
	cr_assert(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_NO_SLOT);
	cr_expect(seen.place.estimated_wait_seconds > 0, "the first was held for some seconds");
	cr_expect(fairshare_release(held, NULL) == FAIRSHARE_OK);
	fairshare_close(client);
	server_stop(server);
}

/* ---- leases ---- */

Test(client, a_lease_shows_what_the_server_sent)
{
	struct server *server = start("2");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client;
	struct fairshare_lease *lease;
	struct reply *shown;

	options.ttl_seconds = 12;
	options.label = "worker";
	client = open_client(&options);
	lease = take(client);
	shown = call(server, "GET", lease_path(fairshare_lease_id(lease), ""), NULL, NULL);
	cr_expect_str_eq(text_of(shown, "tenant_id"), fairshare_lease_tenant(lease));
	cr_expect_str_eq(text_of(shown, "pool"), fairshare_lease_pool(lease));
	cr_expect_str_eq(text_of(shown, "label"), "worker");
	cr_expect_eq(number_of(shown, "fencing_token"), (double)fairshare_lease_fencing_token(lease));
	cr_expect_eq(fairshare_lease_ttl_seconds(lease), 12);
	cr_expect_eq(fairshare_lease_heartbeat_seconds(lease), 4);
	cr_expect_eq(fairshare_lease_slots(lease), 1);
	cr_expect_eq(fairshare_lease_slot_id(lease, 0), 0);
	cr_expect(fairshare_lease_slot_url(lease, 0) == NULL);
	cr_expect(strstr(fairshare_lease_json(lease), fairshare_lease_id(lease)) != NULL);
	cr_expect(!fairshare_lease_lost(lease));
	cr_expect(fairshare_lease_lost_reason(lease) == NULL);
	cr_expect_leq(fairshare_lease_deadline_ns(lease), fairshare_now_ns() + UINT64_C(12000000000));
	cr_expect_gt(fairshare_lease_deadline_ns(lease), fairshare_now_ns() + UINT64_C(10000000000));
	cr_expect(fairshare_release(lease, NULL) == FAIRSHARE_OK);
	fairshare_close(client);
	server_stop(server);
}

Test(client, the_deadline_moves_on_with_the_heartbeats)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client;
	struct fairshare_lease *lease;
	uint64_t first, end;

	options.ttl_seconds = 3;
	client = open_client(&options);
	lease = take(client);
	first = fairshare_lease_deadline_ns(lease);
	for (end = now_ms() + PATIENCE_MS; fairshare_lease_deadline_ns(lease) < first + UINT64_C(1000000000);) {
		cr_assert_lt(now_ms(), end);
		cr_assert(!fairshare_lease_lost(lease));
		pause_until(now_ms() + 20);
	}
	cr_expect_eq(stat_of(server, "expired_total"), 0);
	cr_expect(fairshare_release(lease, NULL) == FAIRSHARE_OK);
	fairshare_close(client);
	server_stop(server);
}

Test(client, a_detached_lease_stays_taken_until_it_runs_out)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client;

	options.ttl_seconds = 1;
	client = open_client(&options);
	fairshare_detach(take(client));
	cr_expect_eq(stat_of(server, "total_active_slots"), 1);
	wait_stat(server, "expired_total", 1);
	cr_expect_eq(stat_of(server, "released_total"), 0);
	fairshare_close(client);
	server_stop(server);
}

/* What a lost function may and may not do. */
struct loss {
	struct fairshare_client *client;
	enum fairshare_err acquired;
	enum fairshare_err released;
	char reason[32];
	atomic_bool told;
};

static void on_lost(void *data, struct fairshare_lease *lease, const char *reason)
{
	struct loss *loss = data;
	struct fairshare_lease *another;

	snprintf(loss->reason, sizeof(loss->reason), "%s", reason);
	loss->acquired = fairshare_acquire(loss->client, NULL, &another, NULL);
	loss->released = fairshare_release(lease, NULL);
	atomic_store(&loss->told, true);
}

Test(client, a_lost_function_may_release_and_may_not_wait)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct loss loss = {0};
	uint64_t end = now_ms() + PATIENCE_MS;

	options.ttl_seconds = 3;
	options.lost = on_lost;
	options.lost_data = &loss;
	loss.client = open_client(&options);
	(void)take(loss.client);
	(void)call(server, "DELETE", "/tenants/alice?force=true", NULL, NULL);
	while (!atomic_load(&loss.told)) {
		cr_assert_lt(now_ms(), end);
		pause_until(now_ms() + 10);
	}
	cr_expect_str_eq(loss.reason, "revoked");
	cr_expect(loss.acquired == FAIRSHARE_E_INVALID);
	cr_expect(loss.released == FAIRSHARE_OK);
	fairshare_close(loss.client);
	server_stop(server);
}

/* What a lease was told that is asked back, and gave back itself. */
struct asked_back {
	_Atomic(struct fairshare_lease *) lease;
	double by_seconds;
	uint64_t reclaim_ns;
};

static void on_reclaim(void *data, struct fairshare_lease *lease, double by_seconds)
{
	struct asked_back *asked = data;

	asked->by_seconds = by_seconds;
	asked->reclaim_ns = fairshare_lease_reclaim_ns(lease);
	(void)fairshare_release(lease, NULL);
	atomic_store(&asked->lease, lease);
}

Test(client, a_lease_that_is_asked_back_may_be_released_at_once)
{
	struct server *server = start("2");
	struct fairshare_options options = options_for(server);
	struct asked_back asked = {0};
	struct fairshare_client *client;
	struct fairshare_lease *older, *younger;
	struct conn *other = conn_open(server_port(server));

	options.ttl_seconds = 3;
	options.reclaim = on_reclaim;
	options.reclaim_data = &asked;
	client = open_client(&options);
	older = take(client);
	younger = take(client);
	cr_expect_eq(fairshare_lease_reclaim_ns(younger), 0);
	conn_acquire(other, "bob", "", NULL);
	(void)granted(conn_reply(other));
	cr_assert(atomic_load(&asked.lease) == younger);
	cr_expect(asked.by_seconds > 0 && asked.by_seconds <= 3, "%g", asked.by_seconds);
	cr_expect(asked.reclaim_ns > 0 && asked.reclaim_ns <= fairshare_now_ns() + UINT64_C(3000000000));
	cr_expect_eq(fairshare_lease_reclaim_ns(older), 0);
	cr_expect(fairshare_release(older, NULL) == FAIRSHARE_OK);
	conn_close(other);
	fairshare_close(client);
	server_stop(server);
}

Test(client, the_release_of_a_lost_lease_says_so)
{
	struct server *server = start("2");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client = open_client(&options);
	struct fairshare_lease *revoked = take(client);
	struct fairshare_lease *released = take(client);
	struct fairshare_error error;

	must_release(server, fairshare_lease_id(released));
	cr_expect(fairshare_release(released, &error) == FAIRSHARE_OK, "a release is safe to repeat");
	(void)call(server, "DELETE", "/tenants/alice?force=true", NULL, NULL);
	cr_assert(fairshare_release(revoked, &error) == FAIRSHARE_E_LOST);
	cr_expect_str_eq(error.code, "revoked");
	cr_expect_eq(error.status, 410);
	fairshare_close(client);
	server_stop(server);
}

Test(client, a_release_gives_up_waiting_after_two_seconds)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client = open_client(&options);
	struct fairshare_lease *lease = take(client);
	struct fairshare_error error;
	uint64_t began = now_ms();

	server_signal(server, SIGSTOP);
	cr_expect(fairshare_release(lease, &error) == FAIRSHARE_E_UNREACHABLE);
	cr_expect_geq(now_ms() - began, 1900);
	cr_expect_lt(now_ms() - began, 3000);
	server_signal(server, SIGCONT);
	wait_stat(server, "released_total", 1);
	fairshare_close(client);
	server_stop(server);
}

/* ---- processes ---- */

Test(client, a_forked_child_is_refused_and_the_parents_lease_lives_on)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client;
	struct fairshare_lease *lease, *another;
	struct fairshare_answer answer;
	int status;
	pid_t child;

	options.ttl_seconds = 3;
	client = open_client(&options);
	lease = take(client);
	child = fork();
	if (child == 0) {
		bool refused_all = fairshare_acquire(client, NULL, &another, NULL) == FAIRSHARE_E_INVALID &&
						   fairshare_request(client, "GET", "/stats", NULL, 1, &answer, NULL) == FAIRSHARE_E_INVALID &&
						   fairshare_release(lease, NULL) == FAIRSHARE_E_INVALID;

		fairshare_detach(lease);
		fairshare_close(client);
		_exit(refused_all ? 0 : 1);
	}
	cr_assert(waitpid(child, &status, 0) == child);
	cr_expect_eq(status, 0);
	pause_until(now_ms() + 3500);
	cr_expect(!fairshare_lease_lost(lease));
	cr_expect(fairshare_release(lease, NULL) == FAIRSHARE_OK);
	fairshare_close(client);
	server_stop(server);
}

#define FDS_MAX 256

/* libcurl 7.88 keeps an unnamed pair of sockets to wake itself, which children inherit and which does nothing there. */
static bool is_curls_pair(int fd)
{
	struct sockaddr_un name;
	socklen_t size = sizeof(name);

	return getsockname(fd, (struct sockaddr *)&name, &size) == 0 && name.sun_family == AF_UNIX;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

Test(client, all_descriptors_are_close_on_exec_and_gone_after_the_close)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client;
	struct fairshare_lease *lease;
	bool before[FDS_MAX];
	int made = 0;

	for (int fd = 0; fd < FDS_MAX; fd++)
		before[fd] = is_open(fd);
	client = open_client(&options);
	lease = take(client);
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (before[fd] || !is_open(fd) || is_curls_pair(fd))
			continue;
		made++;
		cr_expect((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, "descriptor %d would be inherited", fd);
	}
	cr_expect_geq(made, 4, "epoll, timer, wake-up and a socket");
	cr_expect(fairshare_release(lease, NULL) == FAIRSHARE_OK);
	fairshare_close(client);
	for (int fd = 0; fd < FDS_MAX; fd++)
		cr_expect(before[fd] == is_open(fd), "descriptor %d", fd);
	server_stop(server);
}

Test(client, two_clients_of_a_process_register_as_two_instances)
{
	struct server *server = start("1");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *first, *second;
	struct reply *tenant;

	options.register_tenant = true;
	first = open_client(&options);
	second = open_client(&options);
	tenant = call(server, "GET", "/tenants/alice", NULL, NULL);
	cr_expect_eq(json_array_size(json_object_get(tenant->json, "instances")), 2);
	fairshare_close(second);
	tenant = call(server, "GET", "/tenants/alice", NULL, NULL);
	cr_expect_eq(json_array_size(json_object_get(tenant->json, "instances")), 1);
	fairshare_close(first);
	cr_expect_eq(call(server, "GET", "/tenants/alice", NULL, NULL)->status, 404);
	server_stop(server);
}

/* ---- requests and mistakes ---- */

Test(client, a_request_hands_out_the_answer_and_the_problem)
{
	struct server *server = start("7");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client = open_client(&options);
	struct fairshare_answer answer;
	struct fairshare_error error;
	char *escaped = fairshare_escape("a b&c");

	cr_assert(fairshare_request(client, "GET", "/pools/default", NULL, 5, &answer, &error) == FAIRSHARE_OK);
	cr_expect_eq(answer.status, 200);
	cr_expect(strstr(answer.body, "\"max_slots\":7") != NULL);
	cr_expect_eq(answer.size, strlen(answer.body));
	fairshare_answer_fini(&answer);

	cr_assert(fairshare_request(client, "GET", text_format("/leases?label=%s&limit=0", escaped), NULL, 5, &answer,
								&error) == FAIRSHARE_E_REFUSED);
	cr_expect_eq(answer.status, 422);
	cr_expect_str_eq(error.code, "invalid-value");
	cr_expect(strstr(error.message, "limit") != NULL, "%s", error.message);
	cr_expect(strstr(answer.body, "invalid-value") != NULL);
	fairshare_answer_fini(&answer);

	cr_assert(fairshare_request(client, "POST", "/tenants", "{\"tenant_id\":\"bob\"}", 5, &answer, &error) ==
			  FAIRSHARE_OK);
	cr_expect_eq(answer.status, 201);
	fairshare_answer_fini(&answer);
	cr_expect(fairshare_request(client, "GET", "stats", NULL, 5, &answer, &error) == FAIRSHARE_E_INVALID);

	server_signal(server, SIGSTOP);
	cr_expect(fairshare_request(client, "GET", "/stats", NULL, 0.3, &answer, &error) == FAIRSHARE_E_UNREACHABLE);
	server_signal(server, SIGCONT);
	free(escaped);
	fairshare_close(client);
	server_stop(server);
}

Test(client, several_slots_are_asked_for_and_the_servers_sentence_handed_on)
{
	struct server *server = start("4");
	struct fairshare_options options = options_for(server);
	struct fairshare_client *client = open_client(&options);
	struct fairshare_acquire_options acquire_options = within(1);
	struct fairshare_lease *lease;
	struct fairshare_error error;

	acquire_options.slots = 1000;
	cr_assert(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_REFUSED);
	cr_expect_geq(error.status, 400);
	cr_expect(strstr(error.message, "slots") != NULL, "%s", error.message);
	fairshare_close(client);
	server_stop(server);
}

static void refused_at_open(struct fairshare_options options, const char *word)
{
	struct fairshare_client *client = NULL;
	struct fairshare_error error;

	cr_expect(fairshare_open(&client, &options, &error) == FAIRSHARE_E_INVALID, "%s", word);
	cr_expect(strstr(error.message, word) != NULL, "%s", error.message);
	cr_expect(client == NULL);
}

Test(client, mistakes_are_named)
{
	struct fairshare_options options;
	struct fairshare_client *client;
	struct fairshare_lease *lease;
	struct fairshare_error error;
	struct fairshare_acquire_options acquire_options = within(-3);

	unsetenv("FAIRSHARE_TENANT");
	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = "localhost:8080";
	refused_at_open(options, "localhost:8080");
	options.url = "http://127.0.0.1:1";
	options.register_tenant = true;
	refused_at_open(options, "FAIRSHARE_TENANT");
	options.register_tenant = false;
	options.token = "a\r\nX-Evil: 1";
	refused_at_open(options, "token");
	options.token = NULL;
	options.ttl_seconds = -1;
	refused_at_open(options, "ttl_seconds");
	options.ttl_seconds = 0;
	options.size = 3;
	refused_at_open(options, "FAIRSHARE_OPTIONS_INIT");

	FAIRSHARE_OPTIONS_INIT(&options);
	client = open_client(&options);
	cr_expect(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_INVALID);
	cr_expect(strstr(error.message, "timeout_seconds") != NULL, "%s", error.message);
	acquire_options.timeout_seconds = 0;
	acquire_options.max_lease_seconds = -1;
	cr_expect(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_INVALID);
	cr_expect(strstr(error.message, "max_lease_seconds") != NULL, "%s", error.message);
	cr_expect(fairshare_acquire(client, NULL, &lease, &error) == FAIRSHARE_E_INVALID);
	cr_expect(strstr(error.message, "tenant") != NULL, "%s", error.message);
	fairshare_close(client);
}

Test(client, nobody_there_is_told_at_once_where_the_caller_does_not_wait)
{
	struct fairshare_options options;
	struct fairshare_client *client;
	struct fairshare_lease *lease;
	struct fairshare_error error;
	struct fairshare_acquire_options acquire_options = within(0);

	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = "http://127.0.0.1:1"; /* a free port may be somebody else's by now */
	options.tenant = "alice";
	client = open_client(&options);
	cr_expect(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_UNREACHABLE);
	cr_expect(strstr(error.message, options.url) != NULL, "%s", error.message);
	acquire_options = within(0.5);
	cr_expect(fairshare_acquire(client, &acquire_options, &lease, &error) == FAIRSHARE_E_NO_SLOT);
	cr_expect_str_eq(error.code, "unreachable");
	fairshare_close(client);

	options.register_tenant = true;
	cr_expect(fairshare_open(&client, &options, &error) == FAIRSHARE_E_UNREACHABLE);
}
