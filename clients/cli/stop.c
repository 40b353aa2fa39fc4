/* SPDX-License-Identifier: MIT */
/* What stops others: drains a pool, cordons slots, revokes leases. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const struct argp_child pool_children[] = {{&url_argp, 0, NULL, 0}, {0}};

/* --- clear -------------------------------------------------------------------------------------------------------- */

struct clear_arguments {
	struct common common;
	const char *label, *state;
};

static error_t parse_clear(int key, char *arg, struct argp_state *state)
{
	struct clear_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		common_begin(state, &arguments->common);
		return 0;
	case 'l':
		arguments->label = arg;
		return 0;
	case 's':
		arguments->state = parse_lease_state(arg, state);
		return 0;
	case ARGP_KEY_END:
		if (arguments->common.pool == NULL && arguments->common.tenant == NULL && arguments->label == NULL)
			argp_error(state, "of whom? Give --pool, --tenant or --label, which the environment does not stand in for");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int verb_clear(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"label", 'l', "LABEL", 0, "only leases with exactly this label", 0},
		{"state", 's', "active|pending", 0, "only those that hold, or only those that wait", 0},
		{0}};
	static const struct argp_child children[] = {
		{&pool_argp, 0, NULL, 0}, {&tenant_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {
		.options = options,
		.parser = parse_clear,
		.doc = "Revokes all leases of a pool, of a tenant or with a label, and prints how many as JSON.",
		.children = children};
	struct clear_arguments arguments = {.common.children = children};
	struct fairshare_client *client;
	char *path;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	client = client_open(&arguments.common);
	if (client == NULL)
		return CODE_FAILED;
	path = path_make("/leases", "");
	path_add(&path, "revoke", "true");
	path_add(&path, "pool", arguments.common.pool);
	path_add(&path, "tenant_id", arguments.common.tenant);
	path_add(&path, "label", arguments.label);
	path_add(&path, "state", arguments.state);
	return send_and_show(client, "DELETE", path, NULL);
}

/* --- drain and cordon --------------------------------------------------------------------------------------------- */

enum { KEY_END = 0x500 };

struct pool_arguments {
	struct common common;
	const char *name;
	bool end; /* of the draining, of the cordon */
	bool takes_slots;
	int first; /* of the slots in argv */
};

static error_t parse_pool(int key, char *arg, struct argp_state *state)
{
	struct pool_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		common_begin(state, &arguments->common);
		return 0;
	case KEY_END:
		arguments->end = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0 && !arguments->takes_slots)
			return ARGP_ERR_UNKNOWN;
		if (state->arg_num == 0)
			arguments->name = arg;
		else
			parse_number(arg, 0, 999999, state, "a slot");
		if (state->arg_num == 1)
			arguments->first = state->next - 1;
		return 0;
	case ARGP_KEY_END:
		if (arguments->name == NULL)
			argp_error(state, "which pool? Give its name");
		if (arguments->takes_slots && state->arg_num < 2)
			argp_error(state, "which slots? Give their numbers after the pool");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int verb_drain(int argc, char **argv)
{
	static const struct argp_option options[] = {{"end", KEY_END, NULL, 0, "grant again", 0}, {0}};
	const struct argp argp = {
		.options = options,
		.parser = parse_pool,
		.args_doc = "POOL",
		.doc = "Lets the leases of a pool finish and grants nothing there any more; prints it as JSON.",
		.children = pool_children};
	struct pool_arguments arguments = {.common.children = pool_children};
	struct fairshare_client *client;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	client = client_open(&arguments.common);
	if (client == NULL)
		return CODE_FAILED;
	return send_and_show(client, "PATCH", path_make("/pools/", arguments.name),
						 dump(json_pack("{s:b}", "draining", !arguments.end)));
}

/* without_slot answers the list without that slot. */
static json_t *without_slot(const json_t *slots, json_int_t slot)
{
	json_t *rest = json_array(), *other;
	size_t i;

	json_array_foreach((json_t *)slots, i, other)
	{
		if (json_integer_value(other) != slot && json_array_append(rest, other) != 0)
			no_memory();
	}
	if (rest == NULL)
		no_memory();
	return rest;
}

/* cordoned_after answers what is cordoned afterwards: each of `slots`, up to a NULL, once at the end, or not at all. */
static json_t *cordoned_after(const json_t *pool, char **slots, bool end)
{
	json_t *list = without_slot(json_object_get(pool, "cordoned"), -1), *rest;

	for (; *slots != NULL; slots++) {
		json_int_t slot = strtol(*slots, NULL, 10);

		rest = without_slot(list, slot);
		json_decref(list);
		list = rest;
		if (!end && json_array_append_new(list, json_integer(slot)) != 0)
			no_memory();
	}
	return list;
}

int verb_cordon(int argc, char **argv)
{
	static const struct argp_option options[] = {{"end", KEY_END, NULL, 0, "put the slots back to use", 0}, {0}};
	const struct argp argp = {
		.options = options,
		.parser = parse_pool,
		.args_doc = "POOL SLOT...",
		.doc = "Takes slots out of use: who holds one keeps it, nobody gets it after that. Prints the "
			   "pool as JSON.",
		.children = pool_children};
	struct pool_arguments arguments = {.common.children = pool_children, .takes_slots = true};
	struct fairshare_client *client;
	json_t *pool, *cordoned;
	char *path;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	client = client_open(&arguments.common);
	if (client == NULL)
		return CODE_FAILED;
	path = path_make("/pools/", arguments.name);
	/* The server takes the whole list: that of others is kept. */
	if (!ask(client, "GET", path, NULL, &pool)) {
		free(path);
		fairshare_close(client);
		return CODE_FAILED;
	}
	cordoned = cordoned_after(pool, argv + arguments.first, arguments.end);
	json_decref(pool);
	return send_and_show(client, "PATCH", path, dump(json_pack("{s:o}", "cordoned", cordoned)));
}
