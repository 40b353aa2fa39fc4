/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include "clock.h"
#include "log.h"
#include "systemd.h"
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define LATE (100 * CLOCK_MS)		/* a timer that is later than this means that we stalled */
#define LATE_ROUNDS 64				/* then sockets are served so often before anything expires: 256 new ones a round */
#define ADVANCE_BUDGET 256			/* about a millisecond of work */
#define LOOK_EVERY 8				/* turns without a look at the other descriptors while sockets have work; else it costs little */
#define LEAVE_TIMEOUT (5 * CLOCK_S) /* for the answers that are on their way to slow readers */
#define CLOSE_TIME (15 * CLOCK_S)	/* what taking everything apart may take after that */

enum stage { RUNNING, DRAINING, LEAVING, LEFT };

struct loop {
	struct watch signals, store;
	const struct loop_parts *parts;
	int signal_fd;
	enum stage stage;
	int status;
	uint64_t now;
	uint64_t planned;	 /* when time had to advance next, as known at the end of the last turn */
	uint64_t stage_ends; /* FAIR_NEVER: it does not by itself */
	uint64_t alive_every;
	uint64_t alive_at; /* when systemd hears next that we turn; FAIR_NEVER: it does not want to */
	bool advancing;	   /* the budget of the last turn ran out */
	struct epoll_event events[EVENTS_MAX];
};

static void our_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

void loop_block_signals(void)
{
	sigset_t set;

	our_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void stage_begin(struct loop *loop, enum stage stage, uint64_t lasts)
{
	loop->stage = stage;
	loop->stage_ends = loop->now + lasts;
}

static void told_to_stop(struct loop *loop)
{
	if (loop->stage != RUNNING) {
		log_say(LOG_WARNING, "told again to stop: leaving at once");
		loop->stage = LEFT;
		loop->status = 1;
		return;
	}
	log_say(LOG_INFO, "told to stop: draining");
	systemd_stopping(loop->parts->drain_timeout_ns + LEAVE_TIMEOUT + CLOSE_TIME);
	stage_begin(loop, DRAINING, loop->parts->drain_timeout_ns);
	commit_drain(loop->parts->commit, loop->now);
	http_end_streams(loop->parts->http);
}

static void signal_ready(struct watch *watch)
{
	struct loop *loop = (struct loop *)watch;
	struct signalfd_siginfo info;

	while (loop->stage != LEFT && read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			loop->parts->reload(loop->parts->context, loop->now);
		else
			told_to_stop(loop);
	}
}

/* The committer's descriptor only wakes the loop: commit_turn looks every turn. */
static void store_ready(struct watch *watch)
{
	(void)watch;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool has_work(const struct loop *loop)
{
	return loop->advancing || http_pending(loop->parts->http);
}

/* timeout is that of epoll_wait, rounded up: a timer that fires too early would only fire again. */
static int timeout(const struct loop *loop)
{
	uint64_t due = earliest(loop->planned, earliest(http_deadline(loop->parts->http), loop->stage_ends));
	uint64_t now, ms;

	due = earliest(due, earliest(commit_deadline(loop->parts->commit), loop->alive_at));
	if (has_work(loop))
		return 0;
	if (due == FAIR_NEVER)
		return -1;
	now = loop->now;
	ms = due <= now ? 0 : (due - now + CLOCK_MS - 1) / CLOCK_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

static int look(struct loop *loop, int timeout_ms)
{
	int count = epoll_wait(loop->parts->epoll, loop->events, EVENTS_MAX, timeout_ms);

	if (count < 0 && errno != EINTR) {
		log_text(LOG_ERROR, "the loop cannot wait", "error", strerror(errno));
		loop->stage = LEFT;
		loop->status = 1;
	}
	return count < 0 ? 0 : count;
}

static void clock_turn(struct loop *loop)
{
	loop->now = clock_now();
	api_clock(loop->parts->api, loop->now, clock_wall());
	http_clock(loop->parts->http, loop->now);
}

static void hand_out(struct loop *loop, int count)
{
	for (int i = 0; i < count; i++) {
		struct watch *watch = loop->events[i].data.ptr;

		watch->ready(watch);
	}
}

/* serve hands out what is ready: first who hung up and who comes, then the requests. After a stall it goes on until
 * all that waited in sockets meanwhile has been read, also of clients that connected meanwhile. */
static void serve(struct loop *loop, int count, uint64_t late)
{
	hand_out(loop, count);
	http_run(loop->parts->http, late > 0);
	for (unsigned i = 1; late > 0 && i < LATE_ROUNDS; i++) {
		hand_out(loop, look(loop, 0));
		http_run(loop->parts->http, true);
	}
}

/* lateness reaches back past the first deadline that was planned: what ends at that very moment may be renewed, too. */
static uint64_t lateness(const struct loop *loop)
{
	return loop->planned < loop->now && loop->now - loop->planned > LATE ? loop->now - loop->planned + 1 : 0;
}

/* pass_time lets happen what is due, and plans when to come again. */
static void pass_time(struct loop *loop)
{
	struct api *api = loop->parts->api;
	uint64_t next;

	http_expire(loop->parts->http);
	loop->advancing = api_next_deadline(api) <= loop->now && api_advance(api, loop->now, ADVANCE_BUDGET);
	commit_turn(loop->parts->commit, loop->now); /* last, so that nothing gathered lies until the next turn */
	http_tell(loop->parts->http);
	next = api_next_deadline(api);
	loop->planned = next < loop->now ? loop->now : next;
}

static void stage_turn(struct loop *loop)
{
	if (loop->stage == DRAINING && (loop->now >= loop->stage_ends || api_drained(loop->parts->api, loop->now))) {
		http_close(loop->parts->http);
		stage_begin(loop, LEAVING, LEAVE_TIMEOUT);
	}
	if (loop->stage == LEAVING &&
		(loop->now >= loop->stage_ends ||
		 !(http_sending(loop->parts->http) || has_work(loop) || commit_pending(loop->parts->commit))))
		loop->stage = LEFT;
}

/* tell_alive speaks from within a turn: a loop that hangs falls silent, one that only waits does not. */
static void tell_alive(struct loop *loop)
{
	if (loop->now < loop->alive_at)
		return;
	systemd_alive();
	loop->alive_at = loop->now + loop->alive_every;
}

static void turn(struct loop *loop, bool looks)
{
	int count = looks ? look(loop, timeout(loop)) : 0;
	uint64_t late;

	clock_turn(loop);
	late = lateness(loop);
	if (late > 0) {
		if (count == 0)
			count = look(loop, 0); /* a stop and its end by signals interrupt the wait without a result */
		log_write(LOG_WARNING, "the loop stalled",
				  &(const struct log_field){.name = "milliseconds", .number = (double)(late / CLOCK_MS)}, 1);
	}
	fair_lateness(loop->parts->fair, late);
	serve(loop, count, late);
	fair_lateness(loop->parts->fair, 0);
	pass_time(loop);
	tell_alive(loop);
	stage_turn(loop);
	fair_spans_add(loop->parts->turns, clock_now() - loop->now);
}

static bool watch_descriptor(struct loop *loop, struct watch *watch, void (*ready)(struct watch *), int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	watch->ready = ready;
	return fd < 0 || epoll_ctl(loop->parts->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

int loop_run(const struct loop_parts *parts)
{
	struct loop loop = {.parts = parts, .planned = FAIR_NEVER, .stage_ends = FAIR_NEVER, .alive_at = FAIR_NEVER};
	sigset_t set;

	our_signals(&set);
	loop.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop.signal_fd < 0 || !watch_descriptor(&loop, &loop.signals, signal_ready, loop.signal_fd) ||
		!watch_descriptor(&loop, &loop.store, store_ready, parts->store_descriptor)) {
		log_text(LOG_ERROR, "the loop cannot start", "error", strerror(errno));
		loop.stage = LEFT;
		loop.status = 1;
	}
	loop.now = clock_now();
	loop.alive_every = systemd_watchdog() / 2;
	if (loop.alive_every > 0)
		loop.alive_at = loop.now;
	for (unsigned i = 0; loop.stage != LEFT; i++)
		turn(&loop, loop.advancing || !has_work(&loop) || i % LOOK_EVERY == 0);
	if (loop.signal_fd >= 0)
		close(loop.signal_fd);
	return loop.status;
}
