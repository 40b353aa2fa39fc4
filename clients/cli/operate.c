/* SPDX-License-Identifier: MIT */
/* What changes tenants and pools. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct operate_arguments {
	struct common common;
	const char *name;
	long slots; /* 0: not given yet */
	const char *instance;
	bool force;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct operate_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		common_begin(state, &arguments->common);
		return 0;
	case 'i':
		arguments->instance = arg;
		return 0;
	case 'f':
		arguments->force = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return ARGP_ERR_UNKNOWN;
		arguments->name = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "of whom, or what? Give its name");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int send_and_show(struct fairshare_client *client, const char *method, char *path, char *body)
{
	json_t *json;
	bool good = ask(client, method, path, body, &json);

	if (good && json != NULL)
		print_json(json);
	json_decref(json);
	free(path);
	free(body);
	fairshare_close(client);
	return good ? 0 : CODE_FAILED;
}

char *dump(json_t *json)
{
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (text == NULL)
		no_memory();
	return text;
}

static const struct argp_child tenant_children[] = {{&pool_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};

int verb_register(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"instance", 'i', "NAME", 0, "make it a registration of its own, to be taken back by this name", 0}, {0}};
	const struct argp argp = {.options = options,
							  .parser = parse,
							  .args_doc = "TENANT",
							  .doc = "Registers a tenant with a pool, and prints it as JSON.",
							  .children = tenant_children};
	struct operate_arguments arguments = {.common.children = tenant_children};
	struct fairshare_client *client;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	client = client_open(&arguments.common);
	if (client == NULL)
		return CODE_FAILED;
	return send_and_show(client, "POST", path_make("/tenants", ""),
				dump(json_pack("{s:s, s:s, s:s*}", "tenant_id", arguments.name, "pool", fairshare_client_pool(client),
							   "instance", arguments.instance)));
}

int verb_unregister(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"instance", 'i', "NAME", 0, "take back only this registration", 0},
		{"force", 'f', NULL, 0, "take back all registrations and revoke all leases", 0},
		{0}};
	const struct argp argp = {.options = options,
							  .parser = parse,
							  .args_doc = "TENANT",
							  .doc =
								  "Unregisters a tenant; prints it as JSON where it is still there: it closes when its "
								  "last lease ends.",
							  .children = tenant_children};
	struct operate_arguments arguments = {.common.children = tenant_children};
	struct fairshare_client *client;
	char *path;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	client = client_open(&arguments.common);
	if (client == NULL)
		return CODE_FAILED;
	path = path_make("/tenants/", arguments.name);
	path_add(&path, "pool", fairshare_client_pool(client));
	path_add(&path, "instance", arguments.instance);
	path_add(&path, "force", arguments.force ? "true" : NULL);
	return send_and_show(client, "DELETE", path, NULL);
}

static error_t parse_resize(int key, char *arg, struct argp_state *state)
{
	struct operate_arguments *arguments = state->input;

	if (key == ARGP_KEY_END && arguments->slots == 0)
		argp_error(state, "to how many slots? Give their number after the pool");
	if (key != ARGP_KEY_ARG || state->arg_num != 1)
		return parse(key, arg, state);
	arguments->slots = parse_number(arg, 1, 1000000, state, "the number of slots");
	return 0;
}

int verb_resize(int argc, char **argv)
{
	static const struct argp_child children[] = {{&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.parser = parse_resize,
							  .args_doc = "POOL SLOTS",
							  .doc = "Changes how many slots a pool has, and prints it as JSON. Nobody loses a lease.",
							  .children = children};
	struct operate_arguments arguments = {.common.children = children};
	struct fairshare_client *client;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	client = client_open(&arguments.common);
	if (client == NULL)
		return CODE_FAILED;
	return send_and_show(client, "PATCH", path_make("/pools/", arguments.name),
				dump(json_pack("{s:I}", "max_slots", (json_int_t)arguments.slots)));
}
