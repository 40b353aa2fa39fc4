/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>

static void send_registration(struct fairshare_loop *loop);

static void decided(struct fairshare_loop *loop, enum fairshare_err err)
{
	struct registration *registration = &loop->registration;

	if (registration->told != NULL)
		registration->told(registration->told_data, err, &registration->error);
	registration->told = NULL;
	waitings_registered(loop, err, &registration->error);
}

static void again(struct fairshare_loop *loop, double retry_after)
{
	timer_arm(&loop->timers, &loop->registration.retry,
			  fairshare_now_ns() + backoff_ns(loop->registration.failures++, retry_after));
}

static void answered(struct exchange *exchange)
{
	struct fairshare_loop *loop = exchange->loop;
	struct registration *registration = &loop->registration;
	json_t *body;

	registration->exchange = NULL;
	switch (exchange_verdict(exchange, &body, &registration->error)) {
	case VERDICT_GOOD:
		registration->done = true;
		registration->ever = true;
		registration->failures = 0;
		decided(loop, FAIRSHARE_OK);
		break;
	case VERDICT_AGAIN:
		again(loop, exchange->retry_after);
		break;
	case VERDICT_REFUSED:
		decided(loop, FAIRSHARE_E_REFUSED);
		break;
	}
	json_decref(body);
}

static void retry(struct timer *timer)
{
	send_registration(container_of(timer, struct fairshare_loop, registration.retry));
}

static void send_registration(struct fairshare_loop *loop)
{
	const struct settings *settings = &loop->settings;
	json_t *json = json_pack("{s:s, s:s, s:s}", "tenant_id", settings->tenant, "pool", settings->pool, "instance",
							 settings->instance);
	char *body = json_dumps(json, JSON_COMPACT);
	struct request request = {.method = "POST", .path = "/tenants", .body = body, .timeout_seconds = ANSWER_SECONDS};

	json_decref(json);
	if (body != NULL)
		loop->registration.exchange = exchange_begin(loop, &request, answered, NULL);
	free(body);
	if (loop->registration.exchange == NULL) {
		(void)error_no_memory(&loop->registration.error);
		again(loop, BACKOFF_MIN_SECONDS);
	}
}

void registration_init(struct fairshare_loop *loop)
{
	loop->registration.retry.fire = retry;
	(void)error_set(&loop->registration.error, FAIRSHARE_E_UNREACHABLE, "no answer from %s", loop->settings.url);
}

void registration_begin(struct fairshare_loop *loop)
{
	struct registration *registration = &loop->registration;

	registration->done = false;
	if (registration->exchange == NULL && !registration->retry.armed)
		send_registration(loop);
}

void registration_stop(struct fairshare_loop *loop)
{
	exchange_drop(loop->registration.exchange);
	loop->registration.exchange = NULL;
	timer_disarm(&loop->registration.retry);
}
