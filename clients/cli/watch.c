/* SPDX-License-Identifier: MIT */
/*
 * Looks after the command: signals come by a descriptor, so that one poll(2) waits for all there is to wait for. When
 * heartbeats fail, TERM is sent while the lease still stands, so that KILL, if it needs one, comes before its end.
 */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER UINT64_MAX
#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define MARGIN_SECONDS 0.1	   /* of KILL before the end of the lease */
#define BEAT_PATIENCE 1.5	   /* heartbeats that may pass since the last good one before we give the lease up */
#define GONE_LOOK_SECONDS 0.02 /* between two looks at what is left of a group */

static const int watched[] = {SIGCHLD, SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM, SIGUSR1,
							  SIGUSR2, SIGALRM, SIGCONT, SIGTSTP, SIGWINCH};

/* How far it is with one child. */
struct progress {
	uint64_t begun_ns;
	bool lost;		  /* the loss was told */
	bool ending;	  /* TERM or KILL was sent because of the lease */
	uint64_t kill_ns; /* when KILL is due; NEVER: not, or sent */
	bool ended;		  /* the child was waited for */
	int status;
};

static sigset_t watched_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		sigaddset(&set, watched[i]);
	return set;
}

void watched_signals_block(void)
{
	sigset_t set = watched_set();

	signal(SIGCHLD, SIG_DFL); /* where it was ignored nothing could be waited for */
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static uint64_t to_ns(double seconds)
{
	return (uint64_t)(seconds * (double)NS_PER_SECOND);
}

static double to_seconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_SECOND;
}

/* --- the end of a lease ------------------------------------------------------------------------------------------- */

/*
 * When the command is told to end if no heartbeat prolongs the lease until then: so early that it has its time before
 * the end of the lease, but not before the heartbeats had a fair chance, and not before half of a life that is limited.
 */
static uint64_t give_up_ns(const struct watch *watch, const struct progress *progress)
{
	uint64_t deadline = fairshare_lease_deadline_ns(watch->lease);
	double grace = watch->on_lost == ON_LOST_TERM ? watch->kill_after_seconds : 0;
	double patience = fairshare_lease_heartbeat_seconds(watch->lease) * BEAT_PATIENCE;
	double left = fairshare_lease_ttl_seconds(watch->lease) - patience;
	double life = deadline > progress->begun_ns ? to_seconds(deadline - progress->begun_ns) : 0;
	double before = fmin(grace + MARGIN_SECONDS, fmin(left, life / 2));

	if (watch->on_lost == ON_LOST_IGNORE)
		return NEVER;
	return before > 0 ? deadline - to_ns(before) : deadline;
}

/* A stopped command would not hear TERM. */
static void end_child(const struct watch *watch, struct progress *progress)
{
	if (progress->ending || watch->on_lost == ON_LOST_IGNORE)
		return;
	progress->ending = true;
	progress->kill_ns = fairshare_now_ns();
	if (watch->on_lost == ON_LOST_TERM) {
		progress->kill_ns += to_ns(watch->kill_after_seconds);
		child_signal(&watch->child, SIGTERM);
		child_signal(&watch->child, SIGCONT);
	}
}

static void hear_loss(const struct watch *watch, struct progress *progress)
{
	if (progress->lost)
		return;
	progress->lost = true;
	complain("the lease %s is lost: %s", fairshare_lease_id(watch->lease), fairshare_lease_lost_reason(watch->lease));
	end_child(watch, progress);
}

/* It is but a wish, and the command may go on. USR1 is for it alone: what it started may know nothing of that. */
static void hear_reclaim(const struct watch *watch)
{
	uint64_t by = fairshare_lease_reclaim_ns(watch->lease);
	uint64_t now = fairshare_now_ns();
	char seconds[DURATION_TEXT];

	if (by == 0)
		return;
	duration_text(by > now ? to_seconds(by - now) : 0, seconds);
	complain("the lease %s is asked back within %s, as others wait", fairshare_lease_id(watch->lease), seconds);
	if (watch->on_reclaim == SIGUSR1)
		kill(watch->child.pid, SIGUSR1);
	else if (watch->on_reclaim != 0)
		child_signal(&watch->child, watch->on_reclaim);
}

static void hear_news(const struct watch *watch, struct progress *progress)
{
	uint64_t count;

	if (read(watch->news_fd, &count, sizeof(count)) < 0)
		return;
	if (fairshare_lease_lost(watch->lease))
		hear_loss(watch, progress);
	else
		hear_reclaim(watch);
}

/* on_time does what is due, and answers when something is due next. */
static uint64_t on_time(const struct watch *watch, struct progress *progress)
{
	uint64_t now = fairshare_now_ns();

	if (!progress->ending && !progress->lost && now >= give_up_ns(watch, progress)) {
		complain("the lease %s runs out soon, and no heartbeat prolongs it: the command is told to end",
				 fairshare_lease_id(watch->lease));
		end_child(watch, progress);
	}
	if (progress->ending && now >= progress->kill_ns) {
		child_signal(&watch->child, SIGKILL);
		progress->kill_ns = NEVER;
	}
	if (progress->ending)
		return progress->kill_ns;
	return progress->lost ? NEVER : give_up_ns(watch, progress);
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

/* What the terminal sends reaches the command by itself: it is in our group. Ctrl-Z stops us too, as the shell expects.
 */
static void forward(struct watch *watch, const struct signalfd_siginfo *info)
{
	int signal = (int)info->ssi_signo;
	bool from_terminal = info->ssi_code == SI_KERNEL && !watch->child.leads_group;

	if (!from_terminal || sigismember(&watch->child.missed, signal))
		child_signal(&watch->child, signal);
	sigdelset(&watch->child.missed, signal);
	if (from_terminal && signal == SIGTSTP)
		kill(getpid(), SIGSTOP);
}

static void hear_signals(struct watch *watch, struct progress *progress, int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			forward(watch, &info);
		else if (waitpid(watch->child.pid, &progress->status, WNOHANG) == watch->child.pid)
			progress->ended = true;
		if (progress->ended)
			return;
	}
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static int wait_ms(uint64_t due_ns)
{
	uint64_t now = fairshare_now_ns();

	if (due_ns == NEVER)
		return -1;
	if (due_ns <= now)
		return 0;
	return (due_ns - now) / NS_PER_MS < 60000 ? (int)((due_ns - now) / NS_PER_MS) + 1 : 60000;
}

/* What the command left behind has its time too, where we can reach it. */
static void end_rest(const struct watch *watch, const struct progress *progress)
{
	while (progress->ending && !child_gone(&watch->child)) {
		if (fairshare_now_ns() >= progress->kill_ns || progress->kill_ns == NEVER) {
			child_signal(&watch->child, SIGKILL);
			return;
		}
		usleep((useconds_t)(GONE_LOOK_SECONDS * 1e6));
	}
}

static int code_of(const struct progress *progress)
{
	if (progress->ending)
		return CODE_LOST;
	return WIFSIGNALED(progress->status) ? CODE_SIGNAL + WTERMSIG(progress->status) : WEXITSTATUS(progress->status);
}

int watch_child(struct watch *watch)
{
	sigset_t set = watched_set();
	int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	struct progress progress = {.begun_ns = fairshare_now_ns(), .kill_ns = NEVER};
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = watch->news_fd, .events = POLLIN}};

	if (signals < 0) {
		complain("no descriptor is left: %s", strerror(errno));
		child_signal(&watch->child, SIGKILL);
		return CODE_FAILED;
	}
	while (!progress.ended) {
		if (poll(fds, 2, wait_ms(on_time(watch, &progress))) <= 0)
			continue;
		if (fds[1].revents != 0)
			hear_news(watch, &progress);
		if (fds[0].revents != 0)
			hear_signals(watch, &progress, signals);
	}
	end_rest(watch, &progress);
	close(signals);
	return code_of(&progress);
}
