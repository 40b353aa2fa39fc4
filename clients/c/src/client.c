/* SPDX-License-Identifier: MIT */
/*
 * The blocking form: a loop, the thread that serves it, and a lock around both. A call begins what it wants under the
 * lock and sleeps on a condition of its own until the loop has called back. Functions of the caller's are called
 * without the lock: `lost` from the thread, `progress` from the thread that waits.
 */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define JOIN_SECONDS 2.0

/* Held by the caller, the thread, each lease, each handle and each call that waits; freed with the last. */
struct fairshare_client {
	pthread_mutex_t lock;
	pthread_cond_t closed;
	atomic_uint refs;
	struct fairshare_loop *loop; /* NULL: closed, and the thread is about to end */
	pthread_t thread;
	pid_t pid;
	int epoll;
	int timer;
	int wake; /* written by fairshare_cancel() */
};

void client_ref(struct fairshare_client *client)
{
	atomic_fetch_add(&client->refs, 1);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void client_unref(struct fairshare_client *client)
{
	if (atomic_fetch_sub(&client->refs, 1) != 1)
		return;
	close_fd(client->wake);
	pthread_cond_destroy(&client->closed);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

static struct timespec monotonic_in(double seconds)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec + seconds_to_ns(seconds);
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void watch(void *data, int fd, unsigned events)
{
	struct fairshare_client *client = data;
	struct epoll_event event = {.events = ((events & FAIRSHARE_READ) != 0 ? (uint32_t)EPOLLIN : 0) |
										  ((events & FAIRSHARE_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0),
								.data.fd = fd};

	if (events == 0)
		epoll_ctl(client->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(client->epoll, EPOLL_CTL_MOD, fd, &event) != 0)
		epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void set_timer(void *data, int64_t delay_ms)
{
	struct fairshare_client *client = data;
	struct itimerspec at = {0};

	if (delay_ms >= 0) {
		at.it_value.tv_sec = (time_t)(delay_ms / 1000);
		at.it_value.tv_nsec = (long)(delay_ms % 1000) * (long)NS_PER_MS + 1; /* 0 would be no timer */
	}
	timerfd_settime(client->timer, 0, &at, NULL);
}

static void dispatch(struct fairshare_client *client, const struct epoll_event *event)
{
	int fd = event->data.fd;
	unsigned events = 0;
	uint64_t count;

	if (fd == client->timer) {
		if (read(fd, &count, sizeof(count)) > 0)
			fairshare_loop_timeout(client->loop);
	} else if (fd == client->wake) {
		if (read(fd, &count, sizeof(count)) > 0)
			waitings_cancelled(client->loop);
	} else {
		if ((event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
			events |= FAIRSHARE_READ;
		if ((event->events & (EPOLLOUT | EPOLLERR)) != 0)
			events |= FAIRSHARE_WRITE;
		fairshare_loop_ready(client->loop, fd, events);
	}
}

/* tell_news calls the caller without the lock; the loop cannot go meanwhile, as this thread alone frees it. */
static void tell_news(struct fairshare_client *client)
{
	const struct settings *settings = &client->loop->settings;
	struct fairshare_lease *lease;
	bool lost;

	while ((lease = news_next(&client->loop->news, &lost)) != NULL) {
		pthread_mutex_unlock(&client->lock);
		news_tell(settings, lease, lost);
		pthread_mutex_lock(&client->lock);
		lease_unref(lease);
	}
}

static void *serve(void *data)
{
	struct fairshare_client *client = data;
	struct epoll_event events[EVENTS_AT_ONCE];
	int count;

	pthread_mutex_lock(&client->lock);
	while (client->loop != NULL) {
		pthread_mutex_unlock(&client->lock);
		count = epoll_wait(client->epoll, events, EVENTS_AT_ONCE, -1);
		pthread_mutex_lock(&client->lock);
		for (int i = 0; i < count && client->loop != NULL; i++)
			dispatch(client, &events[i]);
		if (client->loop != NULL)
			tell_news(client);
	}
	close_fd(client->epoll);
	close_fd(client->timer);
	pthread_mutex_unlock(&client->lock);
	client_unref(client);
	return NULL;
}

static bool start_thread(struct fairshare_client *client)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	client_ref(client);
	failed = pthread_create(&client->thread, NULL, serve, client);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		client_unref(client);
	return failed == 0;
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

/* A call that waits, on the stack of its thread. */
struct call {
	struct fairshare_client *client;
	pthread_cond_t changed;
	bool done;
	enum fairshare_err err;
	struct fairshare_error error;
	struct fairshare_lease *lease;
	struct fairshare_answer *answer;
	bool moved; /* place is new */
	struct fairshare_place place;
	char reason[REASON_MAX];
};

/* call_begin takes the lock; refuses in a forked child, which has no thread, and in the thread, which would wait for
 * itself. */
static enum fairshare_err call_begin(struct call *call, struct fairshare_client *client, struct fairshare_error *error)
{
	if (client->pid != getpid())
		return error_set(error, FAIRSHARE_E_INVALID,
						 "this client belongs to the process %d: open one of your own after fork", (int)client->pid);
	if (pthread_equal(pthread_self(), client->thread))
		return error_set(error, FAIRSHARE_E_INVALID, "called from the lost function: let another thread call it");
	*call = (struct call){.client = client, .changed = PTHREAD_COND_INITIALIZER};
	client_ref(client);
	pthread_mutex_lock(&client->lock);
	if (client->loop != NULL)
		return FAIRSHARE_OK;
	pthread_mutex_unlock(&client->lock);
	client_unref(client);
	return error_set(error, FAIRSHARE_E_INVALID, "the client is closed");
}

static enum fairshare_err call_end(struct call *call, enum fairshare_err err)
{
	pthread_mutex_unlock(&call->client->lock);
	pthread_cond_destroy(&call->changed);
	client_unref(call->client);
	return err;
}

static void finish_call(struct call *call, enum fairshare_err err, const struct fairshare_error *error)
{
	call->err = err;
	if (error != NULL)
		call->error = *error;
	call->done = true;
	pthread_cond_signal(&call->changed);
}

/* wait_call waits at most so long; tells whether the call is done. */
static bool wait_call(struct call *call, double seconds)
{
	struct timespec until = monotonic_in(seconds);

	while (!call->done &&
		   pthread_cond_clockwait(&call->changed, &call->client->lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	return call->done;
}

static void registered(void *data, enum fairshare_err err, const struct fairshare_error *error)
{
	finish_call(data, err, error);
}

static enum fairshare_err register_tenant(struct fairshare_client *client, struct fairshare_error *error)
{
	struct registration *registration = &client->loop->registration;
	struct call call;
	enum fairshare_err err = call_begin(&call, client, error);

	if (err != FAIRSHARE_OK)
		return err;
	registration->told = registered;
	registration->told_data = &call;
	registration_begin(client->loop);
	if (!wait_call(&call, OPEN_SECONDS)) {
		registration->told = NULL;
		call.error = registration->error;
		call.err = error_kind(&call.error);
	}
	if (call.err != FAIRSHARE_OK && error != NULL)
		*error = call.error;
	return call_end(&call, call.err);
}

static bool open_fds(struct fairshare_client *client)
{
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	client->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	client->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (client->epoll < 0 || client->timer < 0 || client->wake < 0)
		return false;
	watch(client, client->timer, FAIRSHARE_READ);
	watch(client, client->wake, FAIRSHARE_READ);
	return true;
}

static enum fairshare_err start(struct fairshare_client *client, const struct fairshare_options *options,
								struct fairshare_error *error)
{
	struct fairshare_loop_hooks hooks = {.size = sizeof(hooks), .watch = watch, .timer = set_timer, .data = client};
	enum fairshare_err err;

	if (!open_fds(client))
		return error_set(error, FAIRSHARE_E_NO_MEMORY, "no descriptors for a client: %s", strerror(errno));
	err = fairshare_loop_open(&client->loop, options, &hooks, error);
	if (err != FAIRSHARE_OK)
		return err;
	client->loop->client = client;
	if (!start_thread(client)) {
		loop_free(client->loop);
		client->loop = NULL;
		return error_set(error, FAIRSHARE_E_NO_MEMORY, "no thread for a client: raise the limit of threads or memory");
	}
	return FAIRSHARE_OK;
}

enum fairshare_err fairshare_open(struct fairshare_client **ret_client, const struct fairshare_options *options,
								  struct fairshare_error *error)
{
	struct fairshare_client *client = calloc(1, sizeof(*client));
	enum fairshare_err err;

	if (client == NULL)
		return error_no_memory(error);
	pthread_mutex_init(&client->lock, NULL);
	pthread_cond_init(&client->closed, NULL);
	client->refs = 1;
	client->pid = getpid();
	err = start(client, options, error);
	if (err != FAIRSHARE_OK) {
		close_fd(client->epoll);
		close_fd(client->timer);
		client_unref(client);
		return err;
	}
	if (client->loop->settings.instance != NULL)
		err = register_tenant(client, error);
	if (err != FAIRSHARE_OK)
		fairshare_close(client);
	else
		*ret_client = client;
	return err;
}

static void closed(void *data)
{
	struct fairshare_client *client = data;

	client->loop = NULL;
	pthread_cond_signal(&client->closed);
}

void fairshare_close(struct fairshare_client *client)
{
	struct timespec until = monotonic_in(JOIN_SECONDS);
	bool gone;

	if (client == NULL || client->pid != getpid())
		return;
	assert(!pthread_equal(pthread_self(), client->thread));
	pthread_mutex_lock(&client->lock);
	fairshare_loop_close(client->loop, closed, client);
	while (client->loop != NULL &&
		   pthread_cond_clockwait(&client->closed, &client->lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	gone = client->loop == NULL;
	pthread_mutex_unlock(&client->lock);
	/* A lost function that does not return keeps the thread, and the client with it, but nobody waits for it. */
	if (gone)
		pthread_join(client->thread, NULL);
	else
		pthread_detach(client->thread);
	client_unref(client);
}

/* --- acquire and release ------------------------------------------------------------------------------------------ */

static void acquired(void *data, enum fairshare_err err, struct fairshare_lease *lease,
					 const struct fairshare_error *error)
{
	struct call *call = data;

	call->lease = lease;
	finish_call(call, err, error);
}

static void note_place(void *data, const struct fairshare_place *place)
{
	struct call *call = data;

	call->place = *place;
	snprintf(call->reason, sizeof(call->reason), "%s", place->reason);
	call->moved = true;
	pthread_cond_signal(&call->changed);
}

/* tell_place calls the caller with a copy, without the lock. */
static void tell_place(struct call *call, const struct fairshare_acquire_options *options)
{
	struct fairshare_place place = call->place;
	char reason[REASON_MAX];

	memcpy(reason, call->reason, sizeof(reason));
	place.reason = reason;
	call->moved = false;
	pthread_mutex_unlock(&call->client->lock);
	options->progress(options->progress_data, &place);
	pthread_mutex_lock(&call->client->lock);
}

static void wait_acquire(struct call *call, const struct fairshare_acquire_options *options)
{
	while (!call->done) {
		if (call->moved)
			tell_place(call, options);
		else
			pthread_cond_wait(&call->changed, &call->client->lock);
	}
}

enum fairshare_err fairshare_acquire(struct fairshare_client *client, const struct fairshare_acquire_options *options,
									 struct fairshare_lease **ret_lease, struct fairshare_error *error)
{
	struct fairshare_acquire_options read, inner;
	struct fairshare_waiting *waiting;
	struct call call;
	enum fairshare_err err = acquire_options_read(&read, options, error);

	if (err == FAIRSHARE_OK)
		err = call_begin(&call, client, error);
	if (err != FAIRSHARE_OK)
		return err;
	inner = read;
	if (read.progress != NULL) {
		inner.progress = note_place;
		inner.progress_data = &call;
	}
	err = fairshare_loop_acquire(client->loop, &inner, acquired, &call, &waiting, error);
	if (err != FAIRSHARE_OK)
		return call_end(&call, err);
	if (read.cancel != NULL && atomic_load(&read.cancel->cancelled))
		fairshare_loop_cancel(waiting);
	wait_acquire(&call, &read);
	if (call.err == FAIRSHARE_OK)
		*ret_lease = call.lease;
	else if (error != NULL)
		*error = call.error;
	return call_end(&call, call.err);
}

static void released(void *data, enum fairshare_err err, const struct fairshare_error *error)
{
	finish_call(data, err, error);
}

static enum fairshare_err closed_before(struct fairshare_error *error)
{
	return error_set(error, FAIRSHARE_E_LOST, "the client was closed before");
}

/* release_waiting holds the lease besides, to find it again where nobody answers in time. */
static enum fairshare_err release_waiting(struct call *call, struct fairshare_lease *lease)
{
	if (lease->loop == NULL) { /* the close that is under way has given it back */
		lease_forget(lease);
		call->err = closed_before(&call->error);
		return call->err;
	}
	lease_ref(lease);
	fairshare_loop_release(lease, released, call);
	if (!wait_call(call, RELEASE_SECONDS)) {
		lease->released = NULL;
		call->err = error_set(
			&call->error, FAIRSHARE_E_UNREACHABLE,
			"the lease %s is not given back yet, as the server does not answer; it runs out by itself", lease->id);
	}
	lease_unref(lease);
	return call->err;
}

/* let_go takes a lease from a caller who does not wait. */
static void let_go(struct fairshare_lease *lease, bool give_back)
{
	if (lease->loop == NULL) {
		lease_forget(lease);
	} else if (give_back || lease->parting_begun) {
		fairshare_loop_release(lease, NULL, NULL);
	} else {
		struct fairshare_loop *loop = lease->loop;

		lease_forget(lease);
		beats_plan(loop);
		loop_rearm(loop);
	}
}

/* let_go_locked is let_go() for a lease that may be its client's last. */
static void let_go_locked(struct fairshare_lease *lease, bool give_back)
{
	struct fairshare_client *client = lease->client;

	if (client == NULL) {
		let_go(lease, give_back);
		return;
	}
	client_ref(client);
	pthread_mutex_lock(&client->lock);
	let_go(lease, give_back);
	pthread_mutex_unlock(&client->lock);
	client_unref(client);
}

enum fairshare_err fairshare_release(struct fairshare_lease *lease, struct fairshare_error *error)
{
	struct fairshare_client *client;
	struct call call;
	enum fairshare_err err;

	if (lease == NULL)
		return FAIRSHARE_OK;
	client = lease->client;
	if (client == NULL)
		return error_set(error, FAIRSHARE_E_INVALID, "the lease is of a loop: use fairshare_loop_release()");
	if (client->pid == getpid() && pthread_equal(pthread_self(), client->thread)) {
		let_go_locked(lease, true);
		return FAIRSHARE_OK;
	}
	err = call_begin(&call, client, error);
	if (err != FAIRSHARE_OK && client->pid == getpid()) {
		let_go_locked(lease, true);
		return closed_before(error);
	}
	if (err != FAIRSHARE_OK)
		return err;
	err = release_waiting(&call, lease);
	if (err != FAIRSHARE_OK && error != NULL)
		*error = call.error;
	return call_end(&call, err);
}

void fairshare_detach(struct fairshare_lease *lease)
{
	if (lease != NULL && (lease->client == NULL || lease->client->pid == getpid()))
		let_go_locked(lease, false);
}

/* --- cancel ------------------------------------------------------------------------------------------------------- */

enum fairshare_err fairshare_cancel_create(struct fairshare_client *client, struct fairshare_cancel **ret_cancel)
{
	struct fairshare_cancel *cancel;

	if (client->pid != getpid())
		return FAIRSHARE_E_INVALID;
	cancel = calloc(1, sizeof(*cancel));
	if (cancel == NULL)
		return FAIRSHARE_E_NO_MEMORY;
	cancel->client = client;
	client_ref(client);
	*ret_cancel = cancel;
	return FAIRSHARE_OK;
}

/* Async-signal-safe: an atomic without a lock, and write(2). The counter of the eventfd does not fill up. */
void fairshare_cancel(struct fairshare_cancel *cancel)
{
	static const uint64_t one = 1;
	int saved = errno;
	ssize_t written;

	atomic_store(&cancel->cancelled, true);
	written = write(cancel->client->wake, &one, sizeof(one));
	(void)written;
	errno = saved;
}

void fairshare_cancel_destroy(struct fairshare_cancel *cancel)
{
	if (cancel == NULL)
		return;
	client_unref(cancel->client);
	free(cancel);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static void answered(void *data, enum fairshare_err err, const struct fairshare_answer *answer,
					 const struct fairshare_error *error)
{
	struct call *call = data;

	if (answer != NULL) {
		*call->answer = *answer;
		call->answer->body = strndup(answer->body, answer->size);
		if (call->answer->body == NULL) {
			call->answer->size = 0;
			err = error_no_memory(&call->error);
			error = NULL;
		}
	}
	finish_call(call, err, error);
}

enum fairshare_err fairshare_request(struct fairshare_client *client, const char *method, const char *path,
									 const char *body, double timeout_seconds, struct fairshare_answer *ret_answer,
									 struct fairshare_error *error)
{
	struct call call;
	enum fairshare_err err = call_begin(&call, client, error);

	*ret_answer = (struct fairshare_answer){0};
	if (err != FAIRSHARE_OK)
		return err;
	call.answer = ret_answer;
	err = fairshare_loop_request(client->loop, method, path, body, timeout_seconds, answered, &call, error);
	if (err != FAIRSHARE_OK)
		return call_end(&call, err);
	while (!call.done)
		pthread_cond_wait(&call.changed, &client->lock);
	if (call.err != FAIRSHARE_OK && error != NULL)
		*error = call.error;
	return call_end(&call, call.err);
}

void fairshare_answer_fini(struct fairshare_answer *answer)
{
	free(answer->body);
	*answer = (struct fairshare_answer){0};
}

const char *fairshare_client_url(const struct fairshare_client *client)
{
	return client->loop->settings.url;
}

const char *fairshare_client_tenant(const struct fairshare_client *client)
{
	return client->loop->settings.tenant;
}

const char *fairshare_client_pool(const struct fairshare_client *client)
{
	return client->loop->settings.pool;
}
