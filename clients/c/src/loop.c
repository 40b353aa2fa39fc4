/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- turns -------------------------------------------------------------------------------------------------------- */

void loop_rearm(struct fairshare_loop *loop)
{
	uint64_t due_ns = loop->curl_due_ns < loop->timers.bound_ns ? loop->curl_due_ns : loop->timers.bound_ns;
	uint64_t now_ns;
	int64_t delay_ms = -1;

	if (loop->in_turn || due_ns == loop->armed_ns)
		return;
	loop->armed_ns = due_ns;
	if (due_ns != NEVER) {
		now_ns = fairshare_now_ns();
		delay_ms = due_ns <= now_ns ? 0 : (int64_t)((due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
	}
	loop->hooks.timer(loop->hooks.data, delay_ms);
}

static void finish(struct exchange *exchange, CURLcode result)
{
	long status = 0;
	curl_off_t retry_after = 0;

	exchange->ended_ns = fairshare_now_ns();
	exchange->result = result;
	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after);
	exchange->status = (int)status;
	exchange->retry_after = (double)retry_after;
	exchange->done(exchange);
	exchange_drop(exchange);
}

static void finish_all(struct fairshare_loop *loop)
{
	CURLMsg *message;
	int left;
	char *exchange;

	while ((message = curl_multi_info_read(loop->multi, &left)) != NULL) {
		CURLcode result = message->data.result;

		if (message->msg == CURLMSG_DONE &&
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange) == CURLE_OK)
			finish((struct exchange *)exchange, result);
	}
}

static void tell_news(struct fairshare_loop *loop)
{
	struct fairshare_lease *lease;
	bool lost;

	while ((lease = news_next(&loop->news, &lost)) != NULL) {
		news_tell(&loop->settings, lease, lost);
		lease_unref(lease);
	}
}

static bool gave_back(struct fairshare_loop *loop);

/* The rest of a turn, after libcurl had its part. The loop may be freed by it. */
static void turn(struct fairshare_loop *loop)
{
	fairshare_closed_fn *closed_fn = NULL;
	void *data = NULL;

	finish_all(loop);
	timers_run(&loop->timers, fairshare_now_ns());
	if (loop->client == NULL)
		tell_news(loop);
	if (loop->closing && gave_back(loop)) {
		closed_fn = loop->closed_fn;
		data = loop->closed_data;
		loop_free(loop);
		if (closed_fn != NULL)
			closed_fn(data);
		return;
	}
	loop->in_turn = false;
	loop_rearm(loop);
}

void fairshare_loop_ready(struct fairshare_loop *loop, int fd, unsigned events)
{
	int ready = ((events & FAIRSHARE_READ) != 0 ? CURL_CSELECT_IN : 0) |
				((events & FAIRSHARE_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
	int running;

	loop->in_turn = true;
	curl_multi_socket_action(loop->multi, fd, ready, &running);
	turn(loop);
}

void fairshare_loop_timeout(struct fairshare_loop *loop)
{
	int running;

	loop->in_turn = true;
	loop->armed_ns = NEVER;
	if (loop->curl_due_ns <= fairshare_now_ns()) {
		loop->curl_due_ns = NEVER;
		curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	turn(loop);
}

/* --- libcurl's side ----------------------------------------------------------------------------------------------- */

static int curl_watch(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	struct fairshare_loop *loop = data;
	unsigned events = 0;

	(void)easy;
	(void)socket_data;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= FAIRSHARE_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= FAIRSHARE_WRITE;
	loop->hooks.watch(loop->hooks.data, fd, events);
	return 0;
}

static int curl_timer(CURLM *multi, long delay_ms, void *data)
{
	struct fairshare_loop *loop = data;

	(void)multi;
	loop->curl_due_ns = delay_ms < 0 ? NEVER : fairshare_now_ns() + (uint64_t)delay_ms * NS_PER_MS;
	loop_rearm(loop);
	return 0;
}

static CURLcode global_result;

static void global_init(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURLM *make_multi(struct fairshare_loop *loop)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	CURLM *multi;

	pthread_once(&once, global_init);
	if (global_result != CURLE_OK)
		return NULL;
	multi = curl_multi_init();
	if (multi == NULL)
		return NULL;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, curl_watch);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, curl_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop);
	return multi;
}

/* --- requests of the caller's ------------------------------------------------------------------------------------- */

struct asking {
	LIST_ENTRY(asking) link;
	struct exchange *exchange;
	fairshare_answered_fn *answered;
	void *data;
};

static void asking_end(struct asking *asking, enum fairshare_err err, const struct fairshare_answer *answer,
					   const struct fairshare_error *error)
{
	LIST_REMOVE(asking, link);
	asking->answered(asking->data, err, answer, error);
	free(asking);
}

/* Any answer with a status below 400 is the caller's to read, also one that is no JSON. */
static void asked(struct exchange *exchange)
{
	static char empty[] = "";
	struct fairshare_answer answer = {
		.status = exchange->status, .body = exchange->body != NULL ? exchange->body : empty, .size = exchange->size};
	struct fairshare_error error = {0};
	json_t *body;

	(void)exchange_verdict(exchange, &body, &error);
	json_decref(body);
	if (exchange->no_memory)
		asking_end(exchange->owner, FAIRSHARE_E_NO_MEMORY, NULL, &error);
	else if (exchange->result != CURLE_OK)
		asking_end(exchange->owner, FAIRSHARE_E_UNREACHABLE, NULL, &error);
	else if (exchange->status >= 400)
		asking_end(exchange->owner, FAIRSHARE_E_REFUSED, &answer, &error);
	else
		asking_end(exchange->owner, FAIRSHARE_OK, &answer, NULL);
}

enum fairshare_err fairshare_loop_request(struct fairshare_loop *loop, const char *method, const char *path,
										  const char *body, double timeout_seconds, fairshare_answered_fn *answered,
										  void *data, struct fairshare_error *error)
{
	struct request request = {.method = method, .path = path, .body = body, .timeout_seconds = timeout_seconds};
	struct asking *asking;

	if (path[0] != '/' || !(timeout_seconds > 0 && timeout_seconds < 1e6))
		return error_set(error, FAIRSHARE_E_INVALID,
						 "the path is '%s' and the timeout %g s: give a path that begins with /, and seconds", path,
						 timeout_seconds);
	if (loop->closing)
		return error_set(error, FAIRSHARE_E_INVALID, "the client is closing: ask before it closes");
	asking = calloc(1, sizeof(*asking));
	if (asking == NULL)
		return error_no_memory(error);
	asking->answered = answered;
	asking->data = data;
	asking->exchange = exchange_begin(loop, &request, asked, asking);
	if (asking->exchange == NULL) {
		free(asking);
		return error_no_memory(error);
	}
	LIST_INSERT_HEAD(&loop->askings, asking, link);
	loop_rearm(loop);
	return FAIRSHARE_OK;
}

static void askings_cancel(struct fairshare_loop *loop)
{
	struct asking *asking;
	struct fairshare_error error;

	(void)error_set(&error, FAIRSHARE_E_CANCELLED, "the client closed");
	while ((asking = LIST_FIRST(&loop->askings)) != NULL) {
		exchange_drop(asking->exchange);
		asking_end(asking, FAIRSHARE_E_CANCELLED, NULL, &error);
	}
}

char *fairshare_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *copy = escaped != NULL ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}

/* --- open and close ----------------------------------------------------------------------------------------------- */

void fairshare_loop_release(struct fairshare_lease *lease, fairshare_released_fn *released, void *data)
{
	struct fairshare_loop *loop = lease->loop;

	lease_part(lease, released, data);
	beats_plan(loop);
	loop_rearm(loop);
}

/* close_fired begins the close, and fired a second time ends it. */
static void close_fired(struct timer *timer)
{
	struct fairshare_loop *loop = container_of(timer, struct fairshare_loop, close_timer);
	struct fairshare_lease *lease;

	if (loop->close_begun) {
		loop->late = true;
		return;
	}
	loop->close_begun = true;
	timer_arm(&loop->timers, &loop->close_timer, fairshare_now_ns() + seconds_to_ns(CLOSE_SECONDS));
	registration_stop(loop);
	waitings_cancel(loop);
	askings_cancel(loop);
	LIST_FOREACH(lease, &loop->leases, link)
	lease_close(lease);
	beats_plan(loop);
}

static void unregistered(struct exchange *exchange)
{
	exchange->loop->unregister = NULL;
}

/* Without memory the registration stays, as if the process had died. */
static void unregister(struct fairshare_loop *loop)
{
	const struct settings *settings = &loop->settings;
	char *tenant = fairshare_escape(settings->tenant);
	char *pool = fairshare_escape(settings->pool);
	char *path;

	loop->registration.ever = false;
	if (tenant != NULL && pool != NULL &&
		asprintf(&path, "/tenants/%s?pool=%s&instance=%s", tenant, pool, settings->instance) >= 0) {
		struct request request = {.method = "DELETE", .path = path, .timeout_seconds = ANSWER_SECONDS};

		loop->unregister = exchange_begin(loop, &request, unregistered, NULL);
		free(path);
	}
	free(tenant);
	free(pool);
}

/* gave_back tells whether the close is done: all is given back, the registration last, or it is late. */
static bool gave_back(struct fairshare_loop *loop)
{
	if (loop->late)
		return true;
	if (!loop->close_begun || loop->parting_count > 0)
		return false;
	if (loop->registration.ever)
		unregister(loop);
	return loop->unregister == NULL;
}

void loop_free(struct fairshare_loop *loop)
{
	struct fairshare_lease *lease;
	bool lost;

	partings_end(loop);
	while ((lease = news_next(&loop->news, &lost)) != NULL)
		lease_unref(lease);
	while (!LIST_EMPTY(&loop->exchanges))
		exchange_drop(LIST_FIRST(&loop->exchanges));
	curl_multi_cleanup(loop->multi);
	loop->hooks.timer(loop->hooks.data, -1);
	settings_fini(&loop->settings);
	free(loop);
}

static enum fairshare_err check_hooks(const struct fairshare_loop_hooks *hooks, struct fairshare_error *error)
{
	if (hooks->size == sizeof(*hooks) && hooks->watch != NULL && hooks->timer != NULL)
		return FAIRSHARE_OK;
	return error_set(error, FAIRSHARE_E_INVALID,
					 "the hooks of the loop are not complete: set size to sizeof, and watch and timer");
}

enum fairshare_err fairshare_loop_open(struct fairshare_loop **ret_loop, const struct fairshare_options *options,
									   const struct fairshare_loop_hooks *hooks, struct fairshare_error *error)
{
	enum fairshare_err err = check_hooks(hooks, error);
	struct fairshare_loop *loop;

	if (err != FAIRSHARE_OK)
		return err;
	loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return error_no_memory(error);
	err = settings_init(&loop->settings, options, error);
	if (err != FAIRSHARE_OK) {
		free(loop);
		return err;
	}
	loop->hooks = *hooks;
	loop->curl_due_ns = loop->armed_ns = NEVER;
	timers_init(&loop->timers);
	TAILQ_INIT(&loop->queued);
	TAILQ_INIT(&loop->parting);
	STAILQ_INIT(&loop->news);
	loop->close_timer.fire = close_fired;
	beats_init(loop);
	registration_init(loop);
	loop->multi = make_multi(loop);
	if (loop->multi == NULL) {
		settings_fini(&loop->settings);
		free(loop);
		return error_no_memory(error);
	}
	*ret_loop = loop;
	return FAIRSHARE_OK;
}

void fairshare_loop_close(struct fairshare_loop *loop, fairshare_closed_fn *closed, void *data)
{
	if (loop->closing)
		return;
	loop->closing = true;
	loop->closed_fn = closed;
	loop->closed_data = data;
	timer_arm(&loop->timers, &loop->close_timer, 0);
	loop_rearm(loop);
}
