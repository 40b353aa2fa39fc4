/* SPDX-License-Identifier: MIT */
/* The metrics of the real server, as promtool and a real Prometheus see them. */
#include "harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(metrics, .fini = harness_fini, .timeout = MORE_TIME);


static const char *scrape(struct server *server)
{
	struct reply *reply = call(server, "GET", "/metrics", NULL, NULL);

	cr_assert_eq(reply->status, 200);
	cr_assert_str_eq(reply_header(reply, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
	return reply->body;
}

/* The value of a sample, -1 when it is not there. */
static double sample(const char *text, const char *series)
{
	size_t len = strlen(series);

	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, series, len) == 0 && at[len] == ' ')
			return strtod(at + len, NULL);
	return -1;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* promtool does not mind a series that is there twice; Prometheus drops it. */
static void expect_each_once(const char *text)
{
	static char copy[1 << 20];
	static char *lines[20000];
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
		if (*line != '#') {
			char *end = strrchr(line, ' ');

			cr_assert(end && count < sizeof(lines) / sizeof(lines[0]));
			*end = '\0';
			lines[count++] = line;
		}
	qsort(lines, count, sizeof(*lines), by_text);
	for (size_t i = 1; i < count; i++)
		cr_expect(strcmp(lines[i - 1], lines[i]) != 0, "twice: %s", lines[i]);
	cr_expect(count > 100);
}

static void promtool_likes(const char *text)
{
	const char *file = temp_file(temp_dir(), "metrics", text);

	cr_expect_eq(system(text_format("promtool check metrics < %s", file)), 0);
}

Test(metrics, are_zero_from_the_start)
{
	static const char *const zero[] = {
		"fairshared_http_requests_total{method=\"POST\",route=\"/leases\",code=\"201\"}",
		"fairshared_http_requests_total{method=\"POST\",route=\"/leases\",code=\"503\"}",
		"fairshared_http_requests_total{method=\"DELETE\",route=\"/leases/{id}\",code=\"204\"}",
		"fairshared_http_request_duration_seconds_count{route=\"/leases\"}",
		"fairshared_store_commits_total{outcome=\"ok\"}",
		"fairshared_store_commits_total{outcome=\"failed\"}",
		"fairshared_store_commit_seconds_bucket{le=\"0.1\"}",
		"fairshared_store_batch_records_bucket{le=\"+Inf\"}",
		"fairshared_http_connections{state=\"suspended\"}",
	};
	struct server *server = server_start("--max-slots", "3", "--store", "memory", NULL);
	const char *text = scrape(server);

	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		cr_expect_eq(sample(text, zero[i]), 0, "%s is %g", zero[i], sample(text, zero[i]));
	cr_expect_eq(sample(text, "fairshared_max_slots{pool=\"default\"}"), 3);
	cr_expect(sample(text, "fairshared_http_connections{state=\"active\"}") >= 1);
	cr_expect(sample(text, "process_open_fds") > 5);
	cr_expect(sample(text, "process_max_fds") > sample(text, "process_open_fds"));
	cr_expect(sample(text, "process_resident_memory_bytes") > 1e6);
	cr_expect(sample(text, "process_cpu_seconds_total") >= 0);
	cr_expect(sample(text, "process_start_time_seconds") > 1.7e9);
	promtool_likes(text);
	expect_each_once(text);
	server_stop(server);
}

Test(metrics, tell_of_http_by_template_and_of_the_store)
{
	const char *store = text_format("sqlite:%s/state", temp_dir());
	struct server *server = server_start("--max-slots", "1", "--store", store, "--metrics-max-tenants", "1", NULL);
	const char *held = must_acquire(server, "alice", "", NULL), *text;
	struct conn *waiter = conn_open(server_port(server));

	conn_acquire(waiter, "bob", "", NULL);
	wait_stat(server, "waiting", 1);
	text = scrape(server);
	cr_expect_eq(sample(text, "fairshared_http_connections{state=\"suspended\"}"), 1);
	cr_expect_eq(sample(text, "fairshared_tenant_waiters{pool=\"default\",tenant=\"_other\"}"), 1);
	cr_expect_eq(sample(text, "fairshared_tenant_active_slots{pool=\"default\",tenant=\"alice\"}"), 1);
	cr_expect_eq(sample(text, "fairshared_tenant_active_slots{pool=\"default\",tenant=\"bob\"}"), -1);
	pause_until(now_ms() + 1100);
	must_release(server, held);
	granted(conn_reply(waiter));
	call(server, "GET", "/leases/none", NULL, NULL);
	call(server, "GET", "/no/such/path", NULL, NULL);
	call(server, "BREW", "/stats", NULL, NULL);
	text = scrape(server);
	cr_expect_eq(sample(text, "fairshared_http_requests_total{method=\"POST\",route=\"/leases\",code=\"201\"}"), 2);
	cr_expect_eq(sample(text, "fairshared_http_requests_total{method=\"DELETE\",route=\"/leases/{id}\",code=\"204\"}"), 1);
	cr_expect_eq(sample(text, "fairshared_http_requests_total{method=\"GET\",route=\"/leases/{id}\",code=\"404\"}"), 1);
	cr_expect_eq(sample(text, "fairshared_http_requests_total{method=\"GET\",route=\"none\",code=\"404\"}"), 1);
	cr_expect_eq(sample(text, "fairshared_http_requests_total{method=\"other\",route=\"/stats\",code=\"405\"}"), 1);
	/* bob's wait was longer than a second: it is in one histogram, and not in the other. */
	cr_expect_eq(sample(text, "fairshared_acquire_wait_seconds_bucket{pool=\"default\",le=\"1\"}"), 1);
	cr_expect_eq(sample(text, "fairshared_acquire_wait_seconds_count{pool=\"default\"}"), 2);
	cr_expect_eq(sample(text, "fairshared_http_request_duration_seconds_count{route=\"/leases\"}"), 2);
	cr_expect(sample(text, "fairshared_http_request_duration_seconds_sum{route=\"/leases\"}") < 1);
	cr_expect(sample(text, "fairshared_store_commits_total{outcome=\"ok\"}") >= 3);
	cr_expect(sample(text, "fairshared_store_batch_records_sum") >= 4);
	cr_expect(sample(text, "fairshared_store_commit_seconds_sum") > 0);
	cr_expect(sample(text, "fairshared_loop_turn_seconds_count") > 5);
	promtool_likes(text);
	expect_each_once(text);
	conn_close(waiter);
	server_stop(server);
}

Test(metrics, tell_of_a_store_that_fails)
{
	struct server *server = server_start("--store", "test:fail=1,seed=1", NULL);
	double failed = 0;

	conn_acquire(conn_open(server_port(server)), "alice", "", NULL);
	for (uint64_t end = now_ms() + PATIENCE_MS; failed < 2 && now_ms() < end;)
		failed = sample(scrape(server), "fairshared_store_commits_total{outcome=\"failed\"}");
	cr_expect(failed >= 2);
	server_kill(server);
}

/* A query of Prometheus' API; its first value, or "" while there is none. */
static const char *query(unsigned port, const char *expression)
{
	struct conn *conn = conn_open(port);
	struct reply *reply = conn_call(conn, "GET", text_format("/api/v1/query?query=%s", expression), NULL, NULL);
	json_t *result = json_object_get(json_object_get(reply->json, "data"), "result");
	json_t *value = json_array_get(json_object_get(json_array_get(result, 0), "value"), 1);

	conn_close(conn);
	return json_is_string(value) ? json_string_value(value) : "";
}

static void wait_for(unsigned port, const char *expression, const char *value)
{
	const char *is = "";

	for (uint64_t end = now_ms() + 2 * PATIENCE_MS; now_ms() < end; pause_until(now_ms() + 100)) {
		is = query(port, expression);
		if (strcmp(is, value) == 0)
			return;
	}
	cr_assert(false, "%s is '%s', not %s", expression, is, value);
}

/* What Prometheus takes in is what there is, every sample of it. */
Test(metrics, are_scraped_by_prometheus)
{
	struct server *server = server_start("--max-slots", "4", "--store", "memory", NULL);
	unsigned port = free_port();
	const char *folder = temp_dir();
	const char *config = temp_file(folder, "prometheus.yml",
								   text_format("global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
											   "scrape_configs: [{job_name: f, static_configs: [{targets: "
											   "['127.0.0.1:%u']}]}]\n",
											   server_port(server)));
	const char *said = text_format("%s/said", folder);

	spawn((const char *const[]){"/bin/sh", "-c",
								text_format("exec prometheus --config.file=%s --storage.tsdb.path=%s/data "
											"--web.listen-address=127.0.0.1:%u >%s 2>&1",
											config, folder, port, said),
								NULL});
	for (uint64_t end = now_ms() + 2 * PATIENCE_MS;; pause_until(now_ms() + 100)) {
		cr_assert(now_ms() < end, "Prometheus does not come up");
		if (system(text_format("curl -fs -o /dev/null http://127.0.0.1:%u/-/ready", port)) == 0)
			break;
	}
	wait_for(port, "up", "1");
	wait_for(port, "fairshared_slots%7Bstate=%22active%22%7D", "0");
	must_acquire(server, "alice", "", NULL);
	must_acquire(server, "alice", "", NULL);
	wait_for(port, "fairshared_slots%7Bstate=%22active%22%7D", "2");
	wait_for(port, "fairshared_tenant_grants_total%7Btenant=%22alice%22%7D", "2");
	wait_for(port, "fairshared_acquire_wait_seconds_count", "2");
	/* Nothing was dropped: no series twice, none out of order. */
	wait_for(port, "scrape_samples_scraped-scrape_samples_post_metric_relabeling", "0");
	cr_expect(system(text_format("grep -q -i -e duplicate -e 'level=error' %s", said)) != 0);
	server_stop(server);
}
