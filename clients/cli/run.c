/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define KILL_AFTER_SECONDS 10.0

enum { KEY_ON_LOST = 0x300, KEY_ON_RECLAIM };

struct run_arguments {
	struct wanted wanted;
	enum on_lost on_lost;
	int on_reclaim; /* a signal, 0: none */
	double kill_after_seconds;
	char **command;
};

static enum on_lost parse_on_lost(const char *arg, struct argp_state *state)
{
	static const char *const names[] = {[ON_LOST_TERM] = "term", [ON_LOST_KILL] = "kill", [ON_LOST_IGNORE] = "ignore"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], arg) == 0)
			return (enum on_lost)i;
	argp_error(state, "--on-lost is '%s': give term, kill or ignore", arg);
	return ON_LOST_TERM;
}

static int parse_on_reclaim(const char *arg, struct argp_state *state)
{
	static const struct {
		const char *name;
		int signal;
	} known[] = {{"ignore", 0}, {"term", SIGTERM}, {"usr1", SIGUSR1}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, arg) == 0)
			return known[i].signal;
	argp_error(state, "--on-reclaim is '%s': give ignore, term or usr1", arg);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->wanted;
		return 0;
	case KEY_ON_LOST:
		arguments->on_lost = parse_on_lost(arg, state);
		return 0;
	case KEY_ON_RECLAIM:
		arguments->on_reclaim = parse_on_reclaim(arg, state);
		return 0;
	case 'k':
		arguments->kill_after_seconds = parse_seconds(arg, state, "--kill-after");
		return 0;
	case ARGP_KEY_ARGS:
		arguments->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "what is to be run? Give the command after --");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Called, as those below, from the library's thread. */
static void tell_news(const int *fd)
{
	static const uint64_t one = 1;
	ssize_t written = write(*fd, &one, sizeof(one));

	(void)written; /* the counter does not fill up */
}

static void tell_lost(void *data, struct fairshare_lease *lease, const char *reason)
{
	(void)lease;
	(void)reason;
	tell_news(data);
}

static void tell_reclaim(void *data, struct fairshare_lease *lease, double by_seconds)
{
	(void)lease;
	(void)by_seconds;
	tell_news(data);
}

/* A command that dies with us cannot go on without a lease. */
static int death_signal(enum on_lost on_lost)
{
	static const int signals[] = {[ON_LOST_TERM] = SIGTERM, [ON_LOST_KILL] = SIGKILL, [ON_LOST_IGNORE] = 0};

	return signals[on_lost];
}

static int run_command(const struct run_arguments *arguments, const struct taken *taken, int news_fd)
{
	struct watch watch = {.lease = taken->lease,
						  .on_lost = arguments->on_lost,
						  .kill_after_seconds = arguments->kill_after_seconds,
						  .on_reclaim = arguments->on_reclaim,
						  .news_fd = news_fd};
	char **variables = lease_variables(taken);
	int code = child_start(&watch.child, arguments->command, variables, &taken->mask, death_signal(arguments->on_lost));

	variables_free(variables);
	return code != 0 ? code : watch_child(&watch);
}

static int run(const struct run_arguments *arguments)
{
	int news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const struct listener listener = {.lost = tell_lost, .reclaim = tell_reclaim, .data = &news_fd};
	struct taken taken;
	int code;

	if (news_fd < 0) {
		complain("no descriptor is left: %s", strerror(errno));
		return CODE_FAILED;
	}
	code = take(&arguments->wanted, &listener, &taken);
	if (code != 0)
		return code;
	if (taken.signal == 0)
		code = run_command(arguments, &taken, news_fd);
	else
		code = CODE_SIGNAL + taken.signal;
	/* What ended before anybody noticed was not there all the time the command ran. */
	if (give_back(&taken) == FAIRSHARE_E_LOST && taken.signal == 0 && arguments->on_lost != ON_LOST_IGNORE)
		code = CODE_LOST;
	return code;
}

int verb_run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"on-lost", KEY_ON_LOST, "term|kill|ignore", 0,
		 "what happens to the command when the lease is lost: TERM and then KILL (default), KILL at once, nothing", 0},
		{"on-reclaim", KEY_ON_RECLAIM, "ignore|term|usr1", 0,
		 "what the command gets when the lease is asked back, as others wait: nothing (default), TERM, USR1", 0},
		{"kill-after", 'k', "DURATION", 0, "how long after TERM the KILL follows; 10s", 0},
		{0}};
	static const struct argp_child children[] = {{&wanted_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[--] COMMAND [ARGUMENT...]",
		.doc =
			"Waits for a slot, runs a command while holding it, and gives it back.\v"
			"The command finds FAIRSHARE_LEASE_ID, _TENANT, _POOL, _SLOT_IDS, _SLOT_URLS, _FENCING_TOKEN and _URL in "
			"its "
			"environment. Exit status: the command's; 128+N when signal N ended it, or the waiting; 123 the lease was "
			"lost; 124 no slot in time; 125 fairshare itself failed; 126 the command cannot be run; 127 it was not "
			"found.",
		.children = children};
	struct run_arguments arguments = {.kill_after_seconds = KILL_AFTER_SECONDS};

	inherited_note();
	wanted_init(&arguments.wanted);
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	return run(&arguments);
}
