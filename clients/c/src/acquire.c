/* SPDX-License-Identifier: MIT */
/*
 * An acquire: polls with one key until a grant, a refusal, the caller's deadline or its cancellation. At any moment it
 * has a poll under way, a retry armed, or waits for the registration.
 */
#include "internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void poll_begin(struct fairshare_waiting *waiting);

static void new_key(struct give_up *give_up)
{
	uint64_t random[2];

	arc4random_buf(random, sizeof(random));
	snprintf(give_up->key, sizeof(give_up->key), "c-%016llx%016llx", (unsigned long long)random[0],
			 (unsigned long long)random[1]);
}

static void given_up(struct parting *parting)
{
	struct give_up *give_up = container_of(parting, struct give_up, parting);

	free(give_up->path);
	free(give_up);
}

static void waiting_free(struct fairshare_waiting *waiting)
{
	if (waiting->give_up != NULL)
		given_up(&waiting->give_up->parting);
	free(waiting->body);
	free(waiting->place_path);
	free(waiting);
}

static void stop(struct fairshare_waiting *waiting)
{
	exchange_drop(waiting->poll);
	exchange_drop(waiting->look);
	waiting->poll = waiting->look = NULL;
	timer_disarm(&waiting->retry);
	timer_disarm(&waiting->end);
	timer_disarm(&waiting->look_again);
}

/* A DELETE on another connection may overtake a poll that was just sent, which would then wait, or be granted, for
 * nobody. */
static bool may_be_overtaken(const struct fairshare_waiting *waiting)
{
	return waiting->poll != NULL && fairshare_now_ns() - waiting->poll->begun_ns < seconds_to_ns(OVERTAKEN_SECONDS);
}

/* end tells the caller and frees the acquire; without a lease what its key may stand for is given up. */
static void end(struct fairshare_waiting *waiting, enum fairshare_err err, struct fairshare_lease *lease)
{
	struct fairshare_loop *loop = waiting->loop;
	fairshare_acquired_fn *acquired = waiting->acquired;
	void *data = waiting->data;
	struct fairshare_error error = waiting->error;

	waiting->give_up->parting.once_more = may_be_overtaken(waiting);
	stop(waiting);
	LIST_REMOVE(waiting, link);
	if (lease == NULL && waiting->key_stands) {
		waiting->give_up->parting.until_ns = fairshare_now_ns() + seconds_to_ns(GIVE_UP_SECONDS);
		parting_begin(loop, &waiting->give_up->parting);
		waiting->give_up = NULL;
	}
	waiting_free(waiting);
	acquired(data, err, lease, err == FAIRSHARE_OK ? NULL : &error);
}

static void end_cancelled(struct fairshare_waiting *waiting)
{
	end(waiting, error_set(&waiting->error, FAIRSHARE_E_CANCELLED, "the acquire was cancelled"), NULL);
}

/*
 * The caller's time is up, whatever stood in the way last, which the error tells. One who tries once has no deadline
 * that could pass: the answer counts, or that there was none.
 */
static void end_at_deadline(struct fairshare_waiting *waiting)
{
	if (waiting->registering)
		waiting->error = waiting->loop->registration.error;
	if (waiting->options.timeout_seconds == 0)
		end(waiting, error_kind(&waiting->error), NULL);
	else
		end(waiting, FAIRSHARE_E_NO_SLOT, NULL);
}

static void end_fired(struct timer *timer)
{
	struct fairshare_waiting *waiting = container_of(timer, struct fairshare_waiting, end);

	if (waiting->cancelled)
		end_cancelled(waiting);
	else if (waiting->refused)
		end(waiting, FAIRSHARE_E_REFUSED, NULL);
	else
		end_at_deadline(waiting);
}

static void retry_fired(struct timer *timer)
{
	poll_begin(container_of(timer, struct fairshare_waiting, retry));
}

/* retry_at polls again at that time, or ends the acquire at its deadline if that is before. */
static void retry_at(struct fairshare_waiting *waiting, uint64_t at_ns)
{
	timer_arm(&waiting->loop->timers, &waiting->retry, at_ns < waiting->deadline_ns ? at_ns : waiting->deadline_ns);
}

/* A long-poll that was cut after a while is no sign of trouble: the back-off starts anew. */
static void back_off(struct fairshare_waiting *waiting, const struct exchange *exchange)
{
	if (waiting->options.trouble != NULL && strcmp(waiting->told, waiting->error.code) != 0) {
		snprintf(waiting->told, sizeof(waiting->told), "%s", waiting->error.code);
		waiting->options.trouble(waiting->options.trouble_data, &waiting->error);
	}
	if (exchange->ended_ns - exchange->begun_ns > NS_PER_SECOND)
		waiting->failures = 0;
	retry_at(waiting, fairshare_now_ns() + backoff_ns(waiting->failures++, exchange->retry_after));
}

/* --- the place in line -------------------------------------------------------------------------------------------- */

static void tell_place(struct fairshare_waiting *waiting, const json_t *json)
{
	const char *reason = json_string_value(json_object_get(json, "reason"));
	const json_t *estimate = json_object_get(json, "estimated_wait_seconds");
	struct fairshare_place place = {
		.position = (uint64_t)json_integer_value(json_object_get(json, "position")),
		.ahead = (uint64_t)json_integer_value(json_object_get(json, "ahead")),
		.reason = reason != NULL ? reason : "",
		.waited_seconds = ns_to_seconds(fairshare_now_ns() - waiting->begun_ns),
		.estimated_wait_seconds = estimate != NULL ? json_number_value(estimate) : -1,
	};

	if (waiting->options.progress != NULL && place.position > 0)
		waiting->options.progress(waiting->options.progress_data, &place);
}

static void looked(struct exchange *exchange)
{
	struct fairshare_waiting *waiting = exchange->owner;
	struct fairshare_error error;
	json_t *body;

	waiting->look = NULL;
	timer_arm(&waiting->loop->timers, &waiting->look_again, fairshare_now_ns() + seconds_to_ns(PROGRESS_SECONDS));
	if (exchange_verdict(exchange, &body, &error) == VERDICT_GOOD)
		tell_place(waiting, body);
	json_decref(body);
}

static void look_fired(struct timer *timer)
{
	struct fairshare_waiting *waiting = container_of(timer, struct fairshare_waiting, look_again);
	struct request request = {.method = "GET", .path = waiting->place_path, .timeout_seconds = PROGRESS_SECONDS};

	waiting->look = exchange_begin(waiting->loop, &request, looked, waiting);
}

/* keep_place notes the id of the place, and begins to look at it where the caller wants to know. */
static void keep_place(struct fairshare_waiting *waiting, const char *id)
{
	if (id == NULL || waiting->options.progress == NULL)
		return;
	free(waiting->place_path);
	if (asprintf(&waiting->place_path, "/leases/%s", id) < 0)
		waiting->place_path = NULL;
	else if (waiting->look == NULL && !waiting->look_again.armed)
		timer_arm(&waiting->loop->timers, &waiting->look_again, fairshare_now_ns() + seconds_to_ns(PROGRESS_SECONDS));
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/*
 * The ttl runs from the grant. Of the first poll we know when that was at the earliest: the wait began after it was
 * sent. Of a later one it may have been granted to an earlier poll whose answer was lost; a heartbeat at once tells. So
 * it does for one that would end before its first heartbeat: by its longest life, or as its answer came late.
 */
static void granted(struct fairshare_waiting *waiting, const struct exchange *exchange, json_t *body)
{
	struct fairshare_loop *loop = waiting->loop;
	struct fairshare_lease *lease = NULL;
	bool first = waiting->polls == 1;
	enum fairshare_err err;
	double expires_in, waited;
	uint64_t since_ns = exchange->ended_ns;

	err = lease_create(loop, body, &lease, &waiting->error);
	if (err == FAIRSHARE_E_UNREACHABLE) {
		back_off(waiting, exchange);
		return;
	}
	if (lease != NULL) {
		expires_in = json_number_value(json_object_get(lease->json, "expires_in_seconds"));
		waited = fairshare_lease_waited_seconds(lease);
		if (first && exchange->begun_ns + seconds_to_ns(waited) < since_ns)
			since_ns = exchange->begun_ns + seconds_to_ns(waited);
		lease_renewed(lease, since_ns, expires_in, json_number_value(json_object_get(lease->json, "heartbeat_seconds")),
					  false);
		if (!first || expires_in < fairshare_lease_heartbeat_seconds(lease))
			lease->beat_ns = since_ns;
		beats_plan(loop);
	}
	end(waiting, err, lease);
}

static void no_slot(struct fairshare_waiting *waiting, const struct exchange *exchange, const json_t *body)
{
	const char *id = json_string_value(json_object_get(body, "id"));
	uint64_t lasted_ns = exchange->ended_ns - exchange->begun_ns;

	waiting->registered_again = false;
	waiting->key_stands = id != NULL;
	keep_place(waiting, id);
	tell_place(waiting, body);
	if (lasted_ns + 50 * NS_PER_MS < waiting->wait_ns) {
		back_off(waiting, exchange);
	} else {
		waiting->failures = 0;
		retry_at(waiting, 0);
	}
}

/* Our grant was not claimed in time, or our place was lost: the key is spent. Whoever ended it on purpose meant us. */
static bool lost_by_accident(const struct fairshare_waiting *waiting, const json_t *body)
{
	const char *reason = json_string_value(json_object_get(body, "reason"));

	return strcmp(waiting->error.code, "lease-ended") == 0 && reason != NULL &&
		   (strcmp(reason, "unclaimed") == 0 || strcmp(reason, "expired") == 0 || strcmp(reason, "place-lost") == 0);
}

static void refused(struct fairshare_waiting *waiting, const struct exchange *exchange, const json_t *body)
{
	struct fairshare_loop *loop = waiting->loop;

	waiting->key_stands = false;
	waiting->polls = 0;
	if (strcmp(waiting->error.code, "tenant-not-registered") == 0 && loop->settings.instance != NULL &&
		!waiting->registered_again) {
		waiting->registered_again = waiting->registering = true;
		registration_begin(loop);
	} else if (lost_by_accident(waiting, body)) {
		new_key(waiting->give_up);
		back_off(waiting, exchange);
	} else {
		end(waiting, FAIRSHARE_E_REFUSED, NULL);
	}
}

static void polled(struct exchange *exchange)
{
	struct fairshare_waiting *waiting = exchange->owner;
	json_t *body;
	enum verdict verdict = exchange_verdict(exchange, &body, &waiting->error);

	waiting->poll = NULL;
	if (verdict == VERDICT_GOOD) {
		granted(waiting, exchange, body);
		return;
	}
	if (verdict == VERDICT_REFUSED) {
		refused(waiting, exchange, body);
	} else if (strcmp(waiting->error.code, "no-slot") == 0) {
		no_slot(waiting, exchange, body);
	} else {
		back_off(waiting, exchange);
	}
	json_decref(body);
}

/* --- begin -------------------------------------------------------------------------------------------------------- */

/* The first poll is short where progress is told: only a no-slot names the place. */
static double poll_seconds(const struct fairshare_waiting *waiting, uint64_t now_ns)
{
	double most = waiting->polls == 0 && waiting->options.progress != NULL ? FIRST_POLL_SECONDS : POLL_SECONDS;

	return now_ns < waiting->deadline_ns ? fmin(most, ns_to_seconds(waiting->deadline_ns - now_ns)) : 0;
}

static void poll_begin(struct fairshare_waiting *waiting)
{
	uint64_t now_ns = fairshare_now_ns();
	bool try_once = waiting->options.timeout_seconds == 0;
	char path[64];
	double wait;

	if (now_ns >= waiting->deadline_ns && (waiting->tried || !try_once)) {
		end_at_deadline(waiting);
		return;
	}
	wait = poll_seconds(waiting, now_ns);
	snprintf(path, sizeof(path), "/leases?wait=%.3f", wait);
	waiting->wait_ns = seconds_to_ns(wait);
	waiting->poll = exchange_begin(waiting->loop,
								   &(struct request){.method = "POST",
													 .path = path,
													 .key = waiting->give_up->key,
													 .body = waiting->body,
													 .timeout_seconds = wait + ANSWER_SECONDS},
								   polled, waiting);
	if (waiting->poll == NULL) {
		end(waiting, error_no_memory(&waiting->error), NULL);
		return;
	}
	waiting->tried = true;
	waiting->polls++;
	waiting->key_stands = true;
}

static json_t *make_body(const struct settings *settings, const struct fairshare_acquire_options *options)
{
	const char *label = options->label != NULL ? options->label : settings->label;
	double ttl = options->ttl_seconds > 0 ? options->ttl_seconds : settings->ttl_seconds;
	json_t *body = json_pack("{s:s, s:s, s:s}", "tenant_id", settings->tenant, "pool", settings->pool, "label", label);
	int failed = 0;

	if (ttl > 0)
		failed |= json_object_set_new(body, "ttl_seconds", json_real(ttl));
	if (options->slots > 0)
		failed |= json_object_set_new(body, "slots", json_integer(options->slots));
	if (options->priority != 0)
		failed |= json_object_set_new(body, "priority", json_integer(options->priority));
	if (options->max_lease_seconds > 0)
		failed |= json_object_set_new(body, "max_lease_seconds", json_real(options->max_lease_seconds));
	if (failed == 0)
		return body;
	json_decref(body);
	return NULL;
}

static struct give_up *make_give_up(const struct settings *settings)
{
	struct give_up *give_up = calloc(1, sizeof(*give_up));
	char *tenant = fairshare_escape(settings->tenant);
	char *pool = fairshare_escape(settings->pool);

	if (give_up != NULL && tenant != NULL && pool != NULL &&
		asprintf(&give_up->path, "/leases?tenant_id=%s&pool=%s", tenant, pool) >= 0) {
		give_up->parting.path = give_up->path;
		give_up->parting.key = give_up->key;
		give_up->parting.parted = given_up;
		new_key(give_up);
	} else {
		free(give_up);
		give_up = NULL;
	}
	free(tenant);
	free(pool);
	return give_up;
}

static struct fairshare_waiting *waiting_create(struct fairshare_loop *loop,
												const struct fairshare_acquire_options *options)
{
	struct fairshare_waiting *waiting = calloc(1, sizeof(*waiting));
	json_t *body;

	if (waiting == NULL)
		return NULL;
	body = make_body(&loop->settings, options);
	waiting->body = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	waiting->give_up = make_give_up(&loop->settings);
	if (waiting->body == NULL || waiting->give_up == NULL) {
		waiting_free(waiting);
		return NULL;
	}
	waiting->loop = loop;
	waiting->options = *options;
	waiting->options.label = NULL;
	waiting->retry.fire = retry_fired;
	waiting->end.fire = end_fired;
	waiting->look_again.fire = look_fired;
	return waiting;
}

/* waiting_start arms its timers; all else happens in turns. */
static void waiting_start(struct fairshare_waiting *waiting)
{
	struct fairshare_loop *loop = waiting->loop;
	double timeout = waiting->options.timeout_seconds;
	uint64_t slack_ns = seconds_to_ns(timeout == 0 ? TRY_ONCE_SECONDS : SLACK_SECONDS);

	waiting->begun_ns = fairshare_now_ns();
	waiting->deadline_ns = timeout < 0 ? NEVER : waiting->begun_ns + seconds_to_ns(timeout);
	(void)error_set(&waiting->error, FAIRSHARE_E_UNREACHABLE, "no answer from %s within %g s", loop->settings.url,
					timeout);
	if (timeout >= 0)
		timer_arm(&loop->timers, &waiting->end, waiting->deadline_ns + slack_ns);
	if (loop->settings.instance != NULL && !loop->registration.done) {
		waiting->registering = true;
		registration_begin(loop);
	} else {
		timer_arm(&loop->timers, &waiting->retry, 0);
	}
}

enum fairshare_err fairshare_loop_acquire(struct fairshare_loop *loop, const struct fairshare_acquire_options *options,
										  fairshare_acquired_fn *acquired, void *data,
										  struct fairshare_waiting **ret_waiting, struct fairshare_error *error)
{
	struct fairshare_acquire_options read;
	enum fairshare_err err = acquire_options_read(&read, options, error);
	struct fairshare_waiting *waiting;

	if (err != FAIRSHARE_OK)
		return err;
	if (loop->closing)
		return error_set(error, FAIRSHARE_E_INVALID, "the client is closing: acquire before it closes");
	if (loop->settings.tenant == NULL)
		return error_set(error, FAIRSHARE_E_INVALID,
						 "no tenant is named: name one in the options of the client or as FAIRSHARE_TENANT");
	waiting = waiting_create(loop, &read);
	if (waiting == NULL)
		return error_no_memory(error);
	waiting->acquired = acquired;
	waiting->data = data;
	LIST_INSERT_HEAD(&loop->waitings, waiting, link);
	waiting_start(waiting);
	if (ret_waiting != NULL)
		*ret_waiting = waiting;
	loop_rearm(loop);
	return FAIRSHARE_OK;
}

void fairshare_loop_cancel(struct fairshare_waiting *waiting)
{
	waiting->cancelled = true;
	timer_arm(&waiting->loop->timers, &waiting->end, 0);
	loop_rearm(waiting->loop);
}

void waitings_registered(struct fairshare_loop *loop, enum fairshare_err err, const struct fairshare_error *error)
{
	struct fairshare_waiting *waiting;

	LIST_FOREACH(waiting, &loop->waitings, link)
	{
		if (!waiting->registering)
			continue;
		waiting->registering = false;
		waiting->refused = err != FAIRSHARE_OK;
		if (waiting->refused)
			waiting->error = *error;
		timer_arm(&loop->timers, err == FAIRSHARE_OK ? &waiting->retry : &waiting->end, 0);
	}
}

void waitings_cancel(struct fairshare_loop *loop)
{
	struct fairshare_waiting *waiting;

	while ((waiting = LIST_FIRST(&loop->waitings)) != NULL)
		end_cancelled(waiting);
}

void waitings_cancelled(struct fairshare_loop *loop)
{
	struct fairshare_waiting *waiting;

	LIST_FOREACH(waiting, &loop->waitings, link)
	if (waiting->options.cancel != NULL && atomic_load(&waiting->options.cancel->cancelled))
		fairshare_loop_cancel(waiting);
}
