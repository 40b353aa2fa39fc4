/* SPDX-License-Identifier: MIT */
/*
 * Stands in for systemd where that is not what started the machine: `LAUNCHER=sandbox UNIT=FILE sandbox PROGRAM...`
 * runs the program as the service unit has it run, as far as a process can do that to itself. From the unit come the
 * system calls, the address families and LimitNOFILE; the rest is that of these lines, which must stand in it. Whatever
 * is against the rules kills the program (SIGSYS), where systemd at times only has the call fail.
 */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALLS_MAX 1024
#define FAMILIES_MAX 64
#define NOBODY 65534

static const char *const must_stand_in_it[] = {
	"\nNoNewPrivileges=yes\n",		  "\nCapabilityBoundingSet=\n", "\nDynamicUser=yes\n",
	"\nMemoryDenyWriteExecute=yes\n", "\nPrivateTmp=yes\n",			"\nProtectSystem=strict\n",
	"\nRestrictNamespaces=yes\n",	  "\nLockPersonality=yes\n",	"\nUMask=0077\n",
};

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "sandbox: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(arguments);
	exit(125);
}

static void must(bool done, const char *what)
{
	if (!done)
		fail("%s", what);
}

/* read_all returns what a stream has, after a line's end. */
static char *read_all(FILE *in)
{
	static const size_t room = 1 << 20;
	char *text = malloc(room);
	size_t size;

	must(in && text, "cannot read");
	text[0] = '\n';
	size = fread(text + 1, 1, room - 2, in);
	must(size > 0 && feof(in), "cannot read");
	text[size + 1] = '\0';
	return text;
}

/* value returns what stands behind the n-th line of this key; NULL when there are not so many. */
static char *value(const char *unit, const char *key, unsigned n)
{
	char start[64];
	const char *at = unit;

	snprintf(start, sizeof(start), "\n%s=", key);
	do
		at = strstr(at + 1, start);
	while (at && n-- > 0);
	return at ? strndup(at + strlen(start), strcspn(at + strlen(start), "\n")) : NULL;
}

/* ---- which system calls ---- */

static bool allowed[CALLS_MAX];
static const char *groups; /* as `systemd-analyze syscall-filter` prints them */

/* allow sets a system call, or all of a @group. Those that this machine or the library does not know are no matter. */
static void allow(const char *name, bool on)
{
	char line[256];
	const char *at;
	int call;

	if (name[0] != '@') {
		call = seccomp_syscall_resolve_name(name);
		if (call >= 0 && call < CALLS_MAX)
			allowed[call] = on;
		return;
	}
	snprintf(line, sizeof(line), "\n%s\n", name);
	at = strstr(groups, line);
	if (!at)
		fail("unknown group %s", name);
	at += strlen(line);
	for (; *at == ' '; at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n'))
		if (sscanf(at, " %255s", line) == 1 && line[0] != '#')
			allow(line, on);
}

static void filter_calls(const char *unit)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	char *words;

	must(filter != NULL, "seccomp");
	groups = read_all(popen("systemd-analyze --no-pager syscall-filter", "r"));
	allow("@default", true);
	for (unsigned i = 0; (words = value(unit, "SystemCallFilter", i)) != NULL; i++) {
		bool on = words[0] != '~';

		for (char *word = strtok(on ? words : words + 1, " "); word; word = strtok(NULL, " "))
			allow(word, on);
	}
	for (int call = 0; call < CALLS_MAX; call++)
		if (allowed[call])
			must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0, "a system call cannot be allowed");
	must(seccomp_load(filter) == 0, "the filter of system calls cannot be loaded");
}

/* ---- what is forbidden of those ---- */

static void kill_when(scmp_filter_ctx filter, int call, struct scmp_arg_cmp when)
{
	must(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 1, when) == 0, "a rule cannot be added");
}

static void filter_families(scmp_filter_ctx filter, const char *unit)
{
	static const struct {
		const char *name;
		unsigned family;
	} known[] = {{"AF_INET", AF_INET}, {"AF_INET6", AF_INET6}, {"AF_UNIX", AF_UNIX}};
	char *names = value(unit, "RestrictAddressFamilies", 0);
	bool good[FAMILIES_MAX] = {false};

	must(names != NULL, "the unit restricts no address families");
	for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			good[known[i].family] |= !strcmp(known[i].name, name);
	for (unsigned family = 0; family < FAMILIES_MAX; family++)
		if (!good[family])
			kill_when(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, family));
}

static void filter_arguments(const char *unit)
{
	static const unsigned long namespaces[] = {CLONE_NEWNS,	  CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
											   CLONE_NEWUSER, CLONE_NEWPID,	   CLONE_NEWNET};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	unsigned long both = PROT_WRITE | PROT_EXEC;

	must(filter != NULL, "seccomp");
	filter_families(filter, unit);
	kill_when(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));
	kill_when(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		kill_when(filter, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	must(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(unshare), 0) == 0 &&
			 seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(setns), 0) == 0 &&
			 seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(personality), 0) == 0 &&
			 /* Its flags cannot be looked at; as under systemd, threads are then made by clone. */
			 seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0,
		 "a rule cannot be added");
	must(seccomp_load(filter) == 0, "the filter of arguments cannot be loaded");
}

/* ---- the rest ---- */

/* All is read-only but /tmp, where the tests have the folders of their servers. */
static void protect_files(void)
{
	struct mount_attr off = {.attr_set = MOUNT_ATTR_RDONLY}, on = {.attr_clr = MOUNT_ATTR_RDONLY};
	char *here = get_current_dir_name();

	must(here && unshare(CLONE_NEWNS) == 0, "no mount namespace: this needs root");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("/tmp", "/tmp", NULL, MS_BIND, NULL) == 0 &&
			 mount_setattr(-1, "/", AT_RECURSIVE, &off, sizeof(off)) == 0 &&
			 mount_setattr(-1, "/tmp", 0, &on, sizeof(on)) == 0 && chdir(here) == 0,
		 "the file system cannot be made read-only");
	free(here);
}

static void limit_files(const char *unit)
{
	const char *text = value(unit, "LimitNOFILE", 0);
	struct rlimit limit;

	must(text && getrlimit(RLIMIT_NOFILE, &limit) == 0, "LimitNOFILE");
	limit.rlim_cur = strtoul(text, NULL, 10);
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max; /* more than this machine has to give */
	must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "LimitNOFILE");
}

static void become_nobody(void)
{
	must(chown(".", NOBODY, NOBODY) == 0, "the folder cannot be handed over");
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
		must(prctl(PR_CAPBSET_DROP, capability) == 0, "the capabilities cannot be dropped");
	must(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0,
		 "nobody is not to be had");
	must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl"); /* it is lost with the user */
}

int main(int argc, char **argv)
{
	const char *path = getenv("UNIT"), *unit;
	int program;

	must(path && argc > 1, "usage: UNIT=FILE sandbox PROGRAM [ARGUMENT]...");
	/* Opened as root: it may lie in a folder that nobody else may enter. */
	program = open(argv[1], O_RDONLY | O_CLOEXEC);
	must(program >= 0, argv[1]);
	unit = read_all(fopen(path, "re"));
	for (size_t i = 0; i < sizeof(must_stand_in_it) / sizeof(must_stand_in_it[0]); i++)
		if (!strstr(unit, must_stand_in_it[i]))
			fail("the unit lacks%s", must_stand_in_it[i]);
	protect_files();
	limit_files(unit);
	umask(0077);
	become_nobody();
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "prctl");
	filter_arguments(unit);
	filter_calls(unit);
	fexecve(program, argv + 1, environ);
	fail("%s", argv[1]);
}
