/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>
#include <string.h>

static void pump(struct fairshare_loop *loop);
static void send_delete(struct parting *parting);

static void part(struct parting *parting, enum fairshare_err err)
{
	struct fairshare_loop *loop = parting->loop;

	parting->err = err;
	timer_disarm(&parting->timer);
	TAILQ_REMOVE(&loop->parting, parting, link);
	loop->parting_count--;
	parting->parted(parting);
	pump(loop);
}

static void again(struct parting *parting, enum fairshare_err err, double retry_after)
{
	uint64_t at = fairshare_now_ns() + backoff_ns(parting->failures++, retry_after);

	if (at >= parting->until_ns)
		part(parting, err);
	else
		timer_arm(&parting->loop->timers, &parting->timer, at);
}

/* The lease had ended: a release is told so, for a key it is as good as given up. */
static bool ended(struct parting *parting, const json_t *body)
{
	struct fairshare_error *error = &parting->error;
	const char *reason = json_string_value(json_object_get(body, "reason"));

	if (strcmp(error->code, "lease-ended") != 0 && strcmp(error->code, "lease-not-found") != 0)
		return false;
	snprintf(error->code, sizeof(error->code), "%s", reason != NULL ? reason : "not-found");
	return true;
}

static void delete_once_more(struct parting *parting)
{
	parting->once_more = false;
	timer_arm(&parting->loop->timers, &parting->timer, fairshare_now_ns() + seconds_to_ns(ONCE_MORE_SECONDS));
}

static void answered(struct exchange *exchange)
{
	struct parting *parting = exchange->owner;
	json_t *body;
	enum verdict verdict = exchange_verdict(exchange, &body, &parting->error);

	parting->exchange = NULL;
	if (verdict == VERDICT_GOOD && parting->once_more)
		delete_once_more(parting);
	else if (verdict == VERDICT_GOOD)
		part(parting, FAIRSHARE_OK);
	else if (ended(parting, body))
		part(parting, FAIRSHARE_E_LOST);
	else if (verdict == VERDICT_REFUSED)
		part(parting, FAIRSHARE_E_REFUSED);
	else
		again(parting, FAIRSHARE_E_UNREACHABLE, exchange->retry_after);
	json_decref(body);
}

static void fire(struct timer *timer)
{
	struct parting *parting = container_of(timer, struct parting, timer);

	if (parting->path == NULL)
		part(parting, parting->err);
	else
		send_delete(parting);
}

static void send_delete(struct parting *parting)
{
	struct request request = {
		.method = "DELETE", .path = parting->path, .key = parting->key, .timeout_seconds = ANSWER_SECONDS};

	parting->exchange = exchange_begin(parting->loop, &request, answered, parting);
	if (parting->exchange != NULL)
		return;
	(void)error_no_memory(&parting->error);
	timer_arm(&parting->loop->timers, &parting->timer,
			  fairshare_now_ns() + backoff_ns(parting->failures++, BACKOFF_MIN_SECONDS));
}

/* Begins what is queued, from a timer, as `parted` is called in turns only. */
static void pump(struct fairshare_loop *loop)
{
	struct parting *parting;

	while (loop->parting_count < PARTINGS_AT_ONCE && (parting = TAILQ_FIRST(&loop->queued)) != NULL) {
		TAILQ_REMOVE(&loop->queued, parting, link);
		TAILQ_INSERT_TAIL(&loop->parting, parting, link);
		loop->parting_count++;
		timer_arm(&loop->timers, &parting->timer, 0);
	}
}

void parting_begin(struct fairshare_loop *loop, struct parting *parting)
{
	parting->loop = loop;
	parting->timer.fire = fire;
	TAILQ_INSERT_TAIL(&loop->queued, parting, link);
	pump(loop);
}

void partings_end(struct fairshare_loop *loop)
{
	struct parting *parting;

	while ((parting = TAILQ_FIRST(&loop->parting)) != NULL) {
		exchange_drop(parting->exchange);
		(void)error_set(&parting->error, FAIRSHARE_E_UNREACHABLE, "the client closed before %s answered",
						loop->settings.url);
		part(parting, FAIRSHARE_E_UNREACHABLE);
	}
}
