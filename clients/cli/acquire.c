/* SPDX-License-Identifier: MIT */
/* Leases that no process keeps alive: acquire, renew and release, for scripts. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* --- acquire ------------------------------------------------------------------------------------------------------ */

struct acquire_arguments {
	struct wanted wanted;
	bool sh;
};

static error_t parse_acquire(int key, char *arg, struct argp_state *state)
{
	struct acquire_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->wanted;
		return 0;
	case 'f':
		if (strcmp(arg, "json") != 0 && strcmp(arg, "sh") != 0)
			argp_error(state, "--format is '%s': give json or sh", arg);
		arguments->sh = strcmp(arg, "sh") == 0;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_sh(const struct taken *taken)
{
	char **variables = lease_variables(taken);

	for (size_t i = 0; variables[i] != NULL; i++) {
		char *value = strchr(variables[i], '=') + 1;

		printf("export %.*s", (int)(value - variables[i]), variables[i]);
		shell_quote(stdout, value);
		putchar('\n');
	}
	variables_free(variables);
}

/* A lease nobody got to know of is of no use to anybody. */
static int hand_over(struct taken *taken, bool sh)
{
	if (sh)
		print_sh(taken);
	else
		puts(fairshare_lease_json(taken->lease));
	if (fflush(stdout) == 0) {
		fairshare_detach(taken->lease);
		fairshare_close(taken->client);
		return 0;
	}
	(void)give_back(taken);
	return CODE_FAILED;
}

int verb_acquire(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"format", 'f', "json|sh", 0, "what to print: the lease as JSON (default), or variables for eval", 0}, {0}};
	static const struct argp_child children[] = {{&wanted_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {
		.options = options,
		.parser = parse_acquire,
		.doc =
			"Takes a slot and prints its lease.\vNobody keeps the lease alive: it ends --ttl after it was granted, or "
			"after the last `fairshare renew`. Use `fairshare run` where a command can do the work.\n\n"
			"  lease=$(fairshare acquire -t alice --ttl 10m --format sh) || exit\n"
			"  eval \"$lease\"\n"
			"  …\n"
			"  fairshare release \"$FAIRSHARE_LEASE_ID\"",
		.children = children};
	struct acquire_arguments arguments = {0};
	struct taken taken;
	int code;

	wanted_init(&arguments.wanted);
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.wanted.register_tenant) {
		complain("--register would end with this command: use `fairshare register` before");
		return CODE_FAILED;
	}
	signal(SIGPIPE, SIG_IGN); /* whoever reads may be gone, and the lease is to be given back then */
	code = take(&arguments.wanted, &(struct listener){0}, &taken);
	if (code != 0)
		return code;
	if (taken.signal == 0)
		return hand_over(&taken, arguments.sh);
	(void)give_back(&taken);
	return CODE_SIGNAL + taken.signal;
}

/* --- renew, release and revoke
 * -------------------------------------------------------------------------------------------- */

enum { KEY_TTL = 0x400 };

struct ids_arguments {
	struct common common;
	double ttl_seconds; /* 0: as it was */
	int first;			/* of the ids in argv */
};

static error_t parse_ids(int key, char *arg, struct argp_state *state)
{
	struct ids_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		common_begin(state, &arguments->common);
		return 0;
	case KEY_TTL:
		arguments->ttl_seconds = parse_seconds(arg, state, "--ttl");
		if (arguments->ttl_seconds == 0)
			argp_error(state, "--ttl is '%s': give more than 0", arg);
		return 0;
	case ARGP_KEY_ARGS:
		arguments->first = state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which lease? Give its id, ls_…");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* for_each sends one request for each id, with ?revoke= unless it is NULL, and answers 0 if all went well. */
static int for_each(const struct common *common, char **ids, const char *method, const char *revoke, const char *body)
{
	struct fairshare_client *client = client_open(common);
	int code = 0;

	if (client == NULL)
		return CODE_FAILED;
	for (; *ids != NULL; ids++) {
		char *path = path_make("/leases/", *ids);
		json_t *json;

		path_add(&path, "revoke", revoke);
		if (!ask(client, method, path, body, &json))
			code = CODE_FAILED;
		else if (json != NULL)
			print_json(json);
		json_decref(json);
		free(path);
	}
	fairshare_close(client);
	return code;
}

int verb_renew(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"ttl", KEY_TTL, "DURATION", 0, "how long it lasts from now on; without it as long as before", 0}, {0}};
	static const struct argp_child children[] = {{&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.options = options,
							  .parser = parse_ids,
							  .args_doc = "LEASE...",
							  .doc = "Lets leases last for another ttl from now on, and prints them as JSON.",
							  .children = children};
	struct ids_arguments arguments = {.common.children = children};
	char body[64];

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	snprintf(body, sizeof(body), "{\"ttl_seconds\":%.9g}", arguments.ttl_seconds);
	return for_each(&arguments.common, argv + arguments.first, "PUT", NULL, arguments.ttl_seconds > 0 ? body : NULL);
}

int verb_release(int argc, char **argv)
{
	static const struct argp_child children[] = {{&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.parser = parse_ids,
							  .args_doc = "LEASE...",
							  .doc = "Gives slots back, or leaves the line.",
							  .children = children};
	struct ids_arguments arguments = {.common.children = children};

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	return for_each(&arguments.common, argv + arguments.first, "DELETE", NULL, NULL);
}

int verb_revoke(int argc, char **argv)
{
	static const struct argp_child children[] = {{&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.parser = parse_ids,
							  .args_doc = "LEASE...",
							  .doc = "Ends leases of others: their holders learn that they were revoked.",
							  .children = children};
	struct ids_arguments arguments = {.common.children = children};

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	return for_each(&arguments.common, argv + arguments.first, "DELETE", "true", NULL);
}
