/* SPDX-License-Identifier: MIT */
/* Starts the command. */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * With a terminal the command stays in our group, so that Ctrl-C, Ctrl-Z and pipelines work as without us. Without one
 * it leads a group of its own, and signals reach whatever it starts.
 */
static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

#define INHERITED_MAX 1024

static bool inherited[INHERITED_MAX];

/* each_descriptor calls for all that are open, but for the one that it looks with. */
static void each_descriptor(void (*call)(int fd))
{
	DIR *open_now = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (open_now != NULL && (entry = readdir(open_now)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && fd != dirfd(open_now))
			call(fd);
	}
	if (open_now != NULL)
		closedir(open_now);
}

static void note(int fd)
{
	if (fd < INHERITED_MAX)
		inherited[fd] = true;
}

void inherited_note(void)
{
	each_descriptor(note);
}

/* libcurl 7.88 makes a pair of sockets that children would inherit. */
static void keep_to_us(int fd)
{
	if (fd < INHERITED_MAX && !inherited[fd])
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* --- environment -------------------------------------------------------------------------------------------------- */

static bool is_replaced(const char *old, char *const *variables)
{
	for (; *variables != NULL; variables++)
		if (strncmp(old, *variables, (size_t)(strchr(*variables, '=') - *variables) + 1) == 0)
			return true;
	return false;
}

/* make_environment answers an array for free(3) of strings that stay whose they are; an empty variable unsets. */
static char **make_environment(char *const *variables)
{
	size_t count = 1;
	char **environment;

	for (char *const *old = environ; *old != NULL; old++)
		count++;
	for (char *const *new = variables; *new != NULL; new ++)
		count++;
	environment = calloc(count, sizeof(*environment));
	if (environment == NULL)
		no_memory();
	count = 0;
	for (char **old = environ; *old != NULL; old++)
		if (!is_replaced(*old, variables))
			environment[count++] = *old;
	for (char *const *new = variables; *new != NULL; new ++)
		if (strchr(*new, '=')[1] != '\0')
			environment[count++] = *new;
	return environment;
}

/* --- start -------------------------------------------------------------------------------------------------------- */

/* What is to be started, and how. */
struct start {
	char *const *argv;
	char **environment;
	const sigset_t *mask;
	int death_signal;
};

/* fail tells what exec said, by calls that are safe after fork(2). It does not return. */
static _Noreturn void fail(const char *command, int failure)
{
	const char *const words[] = {"fairshare: '", command, "' cannot be run: ", strerrordesc_np(failure), "\n"};
	struct iovec parts[sizeof(words) / sizeof(words[0])];
	ssize_t written;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		parts[i] = (struct iovec){.iov_base = (char *)words[i], .iov_len = strlen(words[i])};
	written = writev(STDERR_FILENO, parts, sizeof(parts) / sizeof(parts[0]));
	(void)written; /* there is nobody else to tell */
	_exit(failure == ENOENT ? CODE_NOT_FOUND : CODE_CANNOT_RUN);
}

/* Only what is safe after fork(2) in a process with threads. Our handlers must not run here: they know the parent's
 * client. */
static _Noreturn void become(const struct start *start, bool lead, pid_t parent)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	struct sigaction was;

	if (lead)
		setpgid(0, 0);
	for (int number = 1; number < NSIG; number++)
		if (sigaction(number, NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(number, &action, NULL);
	sigprocmask(SIG_SETMASK, start->mask, NULL);
	if (start->death_signal != 0)
		prctl(PR_SET_PDEATHSIG, start->death_signal);
	if (getppid() != parent)
		_exit(CODE_FAILED);
	execvpe(start->argv[0], start->argv, start->environment);
	fail(start->argv[0], errno);
}

int child_start(struct child *ret_child, char *const *argv, char *const *variables, const sigset_t *mask,
				int death_signal)
{
	struct start start = {.argv = argv, .mask = mask, .death_signal = death_signal};
	pid_t parent = getpid();

	*ret_child = (struct child){.leads_group = !has_terminal()};
	start.environment = make_environment(variables);
	each_descriptor(keep_to_us);
	sigpending(&ret_child->missed);
	ret_child->pid = fork();
	if (ret_child->pid == 0)
		become(&start, ret_child->leads_group, parent);
	free(start.environment);
	if (ret_child->pid < 0) {
		complain("no process is to be had for '%s': %s", argv[0], strerror(errno));
		return CODE_FAILED;
	}
	if (ret_child->leads_group)
		setpgid(ret_child->pid, ret_child->pid);
	return 0;
}

void child_signal(const struct child *child, int signal)
{
	kill(child->leads_group ? -child->pid : child->pid, signal);
}

bool child_gone(const struct child *child)
{
	return !child->leads_group || (kill(-child->pid, 0) != 0 && errno == ESRCH);
}
