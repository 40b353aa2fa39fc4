/* SPDX-License-Identifier: MIT */
/* The command `fairshare`: finds the verb and hands the rest over. */
#include "cli.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "fairshare " FAIRSHARE_CLIENT_VERSION;

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
};

static const struct verb verbs[] = {
	{"run", verb_run, "run a command while holding a slot"},
	{"acquire", verb_acquire, "take a slot and print its lease"},
	{"renew", verb_renew, "let a lease last longer"},
	{"release", verb_release, "give a slot back, or leave the line"},
	{"leases", verb_leases, "list who holds and who waits"},
	{"tenants", verb_tenants, "list the tenants"},
	{"register", verb_register, "register a tenant"},
	{"unregister", verb_unregister, "unregister a tenant"},
	{"stats", verb_stats, "show how a pool goes"},
	{"pools", verb_pools, "list the pools"},
	{"resize", verb_resize, "change how many slots a pool has"},
	{"drain", verb_drain, "grant nothing in a pool any more"},
	{"cordon", verb_cordon, "take slots out of use"},
	{"revoke", verb_revoke, "end leases of others"},
	{"clear", verb_clear, "end all leases of a pool or tenant"},
	{"top", verb_top, "watch a pool in the terminal"},
};

struct choice {
	const struct verb *verb;
	int at; /* its place in argv */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct choice *choice = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (strcmp(verbs[i].name, arg) == 0)
				choice->verb = &verbs[i];
		if (choice->verb == NULL)
			argp_error(state, "there is no '%s'", arg);
		choice->at = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *help(int key, const char *text, void *input)
{
	char *list = NULL;
	size_t size;
	FILE *out;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	out = open_memstream(&list, &size);
	if (out == NULL)
		no_memory();
	fputs("Verbs, each with --help:\n", out);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(out, "  %-12s%s\n", verbs[i].name, verbs[i].what);
	fputs("\nFAIRSHARE_URL, FAIRSHARE_TENANT, FAIRSHARE_POOL and FAIRSHARE_TOKEN fill in what is left out.", out);
	fclose(out);
	return list;
}

/* What could not be written must not look like success. */
static int finish_output(int code)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	complain("standard output cannot be written: check the disk, or who reads the pipe");
	return code == 0 ? CODE_FAILED : code;
}

int main(int argc, char **argv)
{
	const struct argp argp = {.parser = parse,
							  .args_doc = "VERB [ARGUMENT...]",
							  .doc = "Shares the slots of a fairshared server.\v ",
							  .help_filter = help};
	struct choice choice = {0};
	char name[64];

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	argp_err_exit_status = CODE_FAILED;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice) != 0)
		no_memory();
	snprintf(name, sizeof(name), "fairshare %s", choice.verb->name);
	argv[choice.at] = name;
	return finish_output(choice.verb->run(argc - choice.at, argv + choice.at));
}
