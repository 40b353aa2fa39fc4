/* SPDX-License-Identifier: MIT */
/*
 * Linked with the static library and --wrap: the n-th allocation of the library, or of jansson, fails. Every call says
 * so and leaves nothing behind, which the address sanitizer looks after.
 */
#include <fairshare/client.h>

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALLOCATIONS_MAX 200

static int left = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return fails() ? NULL : __real_strndup(text, size);
}

int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list args;
	int length;

	if (fails())
		return -1;
	va_start(args, format);
	length = vasprintf(ret, format, args);
	va_end(args);
	return length;
}

static void *json_malloc(size_t size)
{
	return fails() ? NULL : malloc(size);
}

static void json_free(void *memory)
{
	free(memory);
}

static void watch(void *data, int fd, unsigned events)
{
	(void)data;
	(void)fd;
	(void)events;
}

static void timer(void *data, int64_t delay_ms)
{
	(void)data;
	(void)delay_ms;
}

static void acquired(void *data, enum fairshare_err err, struct fairshare_lease *lease,
					 const struct fairshare_error *error)
{
	(void)lease;
	(void)error;
	*(enum fairshare_err *)data = err;
}

static void answered(void *data, enum fairshare_err err, const struct fairshare_answer *answer,
					 const struct fairshare_error *error)
{
	(void)answer;
	(void)error;
	*(enum fairshare_err *)data = err;
}

static void closed(void *data)
{
	*(bool *)data = true;
}

static enum fairshare_err open_loop(struct fairshare_loop **ret_loop, struct fairshare_error *error)
{
	struct fairshare_loop_hooks hooks = {.size = sizeof(hooks), .watch = watch, .timer = timer};
	struct fairshare_options options;

	FAIRSHARE_OPTIONS_INIT(&options);
	options.url = "http://127.0.0.1:1/";
	options.tenant = "alice";
	options.token = "secret";
	return fairshare_loop_open(ret_loop, &options, &hooks, error);
}

static void close_loop(struct fairshare_loop *loop)
{
	bool done = false;

	fairshare_loop_close(loop, closed, &done);
	while (!done)
		fairshare_loop_timeout(loop);
}

/* fail_each makes the first allocation of `act` fail, then the second, until one call of it needs less. */
static void fail_each(enum fairshare_err (*act)(struct fairshare_error *error))
{
	json_set_alloc_funcs(json_malloc, json_free);
	for (int n = 0; n < ALLOCATIONS_MAX; n++) {
		struct fairshare_error error = {0};
		enum fairshare_err err;

		left = n;
		err = act(&error);
		if (left >= 0) {
			left = -1;
			cr_assert(err == FAIRSHARE_OK, "%s", error.message);
			cr_expect_gt(n, 3, "there were allocations to fail");
			return;
		}
		cr_assert(err == FAIRSHARE_E_NO_MEMORY, "allocation %d: %s", n, error.message);
		cr_expect_str_eq(error.code, "no-memory");
	}
	cr_assert_fail("it never succeeds");
}

static enum fairshare_err act_open(struct fairshare_error *error)
{
	struct fairshare_loop *loop;
	enum fairshare_err err = open_loop(&loop, error);
	int kept = left;

	if (err != FAIRSHARE_OK)
		return err;
	left = -1;
	close_loop(loop);
	left = kept;
	return FAIRSHARE_OK;
}

/* Acquires begun are cancelled by the close, which needs no memory. */
static enum fairshare_err act_acquire(struct fairshare_error *error)
{
	struct fairshare_loop *loop;
	enum fairshare_err err, outcome = FAIRSHARE_OK;
	int kept = left;

	left = -1;
	cr_assert(open_loop(&loop, error) == FAIRSHARE_OK);
	left = kept;
	err = fairshare_loop_acquire(loop, NULL, acquired, &outcome, NULL, error);
	kept = left;
	left = -1;
	close_loop(loop);
	cr_expect(outcome == (err == FAIRSHARE_OK ? FAIRSHARE_E_CANCELLED : FAIRSHARE_OK));
	left = kept;
	return err;
}

static enum fairshare_err act_request(struct fairshare_error *error)
{
	struct fairshare_loop *loop;
	enum fairshare_err err, outcome = FAIRSHARE_OK;
	int kept = left;

	left = -1;
	cr_assert(open_loop(&loop, error) == FAIRSHARE_OK);
	left = kept;
	err = fairshare_loop_request(loop, "POST", "/tenants", "{}", 5, answered, &outcome, error);
	kept = left;
	left = -1;
	close_loop(loop);
	cr_expect(outcome == (err == FAIRSHARE_OK ? FAIRSHARE_E_CANCELLED : FAIRSHARE_OK));
	left = kept;
	return err;
}

Test(client_memory, an_open_without_memory_says_so)
{
	fail_each(act_open);
}

Test(client_memory, an_acquire_without_memory_says_so)
{
	fail_each(act_acquire);
}

Test(client_memory, a_request_without_memory_says_so)
{
	fail_each(act_request);
}
