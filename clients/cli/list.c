/* SPDX-License-Identifier: MIT */
/* What is there: tenants, leases, stats, pools; tables for people, the server's JSON for programs. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS(array) (array), sizeof(array) / sizeof((array)[0])

struct list_arguments {
	struct common common;
	const char *label;
	const char *state;
	const char *id;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list_arguments *arguments = state->input;

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
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One lease may be named, whose place in line is of interest. */
static error_t parse_leases(int key, char *arg, struct argp_state *state)
{
	struct list_arguments *arguments = state->input;

	if (key != ARGP_KEY_ARG || state->arg_num > 0)
		return parse(key, arg, state);
	arguments->id = arg;
	return 0;
}

/* answer asks for what `path` names, which it frees, with or without further pages. */
static json_t *answer(const struct common *common, char *path, bool pages)
{
	struct fairshare_client *client = client_open(common);
	json_t *json = NULL;

	if (client != NULL && pages)
		json = ask_pages(client, path);
	else if (client != NULL && !ask(client, "GET", path, NULL, &json))
		json = NULL;
	fairshare_close(client);
	free(path);
	return json;
}

/* show prints a page and frees it. */
static int show(json_t *page, bool as_json, const struct column *columns, size_t count)
{
	if (page == NULL)
		return CODE_FAILED;
	if (as_json)
		print_json(page);
	else
		table_print(json_object_get(page, "items"), columns, count);
	json_decref(page);
	return 0;
}

/* --- tenants ------------------------------------------------------------------------------------------------------ */

int verb_tenants(int argc, char **argv)
{
	static const struct column columns[] = {
		{"POOL", "pool", COLUMN_TEXT},		 {"TENANT", "tenant_id", COLUMN_TEXT},
		{"STATE", "state", COLUMN_TEXT},	 {"ACTIVE", "active_slots", COLUMN_NUMBER},
		{"SHARE", "share", COLUMN_NUMBER},	 {"WAITING", "waiting", COLUMN_NUMBER},
		{"ABSENT", "absent", COLUMN_NUMBER}, {"INSTANCES", "instances", COLUMN_TEXT}};
	static const struct argp_child children[] = {
		{&pool_argp, 0, NULL, 0}, {&json_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {
		.parser = parse, .doc = "Lists the tenants of a pool, without --pool of all.", .children = children};
	struct list_arguments arguments = {.common.children = children};
	char *path;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	path = path_make("/tenants", "");
	path_add(&path, "pool", arguments.common.pool);
	path_add(&path, "limit", "1000");
	return show(answer(&arguments.common, path, true), arguments.common.json, COLUMNS(columns));
}

/* --- leases ------------------------------------------------------------------------------------------------------- */

static char *leases_path(const struct list_arguments *arguments)
{
	char *path = path_make("/leases", "");

	path_add(&path, "pool", arguments->common.pool);
	path_add(&path, "tenant_id", arguments->common.tenant);
	path_add(&path, "label", arguments->label);
	path_add(&path, "state", arguments->state);
	path_add(&path, "limit", "1000");
	return path;
}

static const struct column lease_columns[] = {
	{"LEASE", "id", COLUMN_TEXT},
	{"POOL", "pool", COLUMN_TEXT},
	{"TENANT", "tenant_id", COLUMN_TEXT},
	{"STATE", "state", COLUMN_TEXT},
	{"SLOTS", "slot_ids", COLUMN_TEXT},
	{"AGE", "acquired_at", COLUMN_AGE},
	{"EXPIRES", "expires_in_seconds", COLUMN_SECONDS},
	{"POSITION", "position", COLUMN_NUMBER},
	{"AHEAD", "ahead", COLUMN_NUMBER},
	{"REASON", "reason", COLUMN_TEXT},
	{"WAITED", "waited_seconds", COLUMN_SECONDS},
	{"LABEL", "label", COLUMN_TEXT},
};

static int show_lease(const struct common *common, const char *id)
{
	json_t *lease = answer(common, path_make("/leases/", id), false);
	json_t *rows;

	if (lease == NULL)
		return CODE_FAILED;
	rows = json_pack("[O]", lease);
	if (common->json)
		print_json(lease);
	else
		table_print(rows, COLUMNS(lease_columns));
	json_decref(rows);
	json_decref(lease);
	return 0;
}

int verb_leases(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"label", 'l', "LABEL", 0, "only those with this label", 0},
		{"state", 's', "active|pending", 0, "only those that hold, or that wait", 0},
		{0}};
	static const struct argp_child children[] = {
		{&pool_argp, 0, NULL, 0}, {&tenant_argp, 0, NULL, 0}, {&json_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.options = options,
							  .parser = parse_leases,
							  .args_doc = "[LEASE]",
							  .doc = "Lists who holds slots and who waits for them, or shows one lease.\v"
									 "Only what is given here chooses, not the environment.",
							  .children = children};
	struct list_arguments arguments = {.common.children = children};

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.id != NULL)
		return show_lease(&arguments.common, arguments.id);
	return show(answer(&arguments.common, leases_path(&arguments), true), arguments.common.json,
				COLUMNS(lease_columns));
}

/* --- stats -------------------------------------------------------------------------------------------------------- */

static long long number(const json_t *stats, const char *member)
{
	return (long long)json_integer_value(json_object_get(stats, member));
}

static void print_quantiles(const json_t *stats, const char *member, const char *title)
{
	static const char *const names[] = {"p50", "p95", "p99", "max"};
	const json_t *quantiles = json_object_get(stats, member);

	printf("%s", title);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[DURATION_TEXT];

		duration_text(json_number_value(json_object_get(quantiles, names[i])), text);
		printf("  %s %s", names[i], text);
	}
	putchar('\n');
}

static void print_stats(const json_t *stats)
{
	static const struct column columns[] = {{"TENANT", "tenant_id", COLUMN_TEXT},
											{"ACTIVE", "active_slots", COLUMN_NUMBER},
											{"SHARE", "share", COLUMN_NUMBER},
											{"WAITING", "waiting", COLUMN_NUMBER},
											{"ABSENT", "absent", COLUMN_NUMBER}};
	json_t *rows = json_array();
	const char *key;
	json_t *tenant;

	printf("pool      %s (%s)\n", json_string_value(json_object_get(stats, "pool")),
		   json_string_value(json_object_get(stats, "policy")));
	printf("slots     %lld of %lld active\n", number(stats, "total_active_slots"), number(stats, "max_slots"));
	printf("share     %lld, %lld of %lld tenants demanding\n", number(stats, "share"),
		   number(stats, "demanding_tenants"), number(stats, "active_tenants"));
	printf("waiting   %lld, absent %lld\n", number(stats, "waiting"), number(stats, "absent"));
	print_quantiles(stats, "wait_seconds", "waits   ");
	print_quantiles(stats, "hold_seconds", "holds   ");
	printf("totals    %lld granted, %lld released, %lld expired, %lld revoked, %lld unclaimed, %lld without a slot\n",
		   number(stats, "granted_total"), number(stats, "released_total"), number(stats, "expired_total"),
		   number(stats, "revoked_total"), number(stats, "unclaimed_total"), number(stats, "no_slot_total"));
	json_object_foreach(json_object_get(stats, "tenants"), key, tenant) json_array_append(rows, tenant);
	if (json_array_size(rows) > 0)
		putchar('\n');
	table_print(rows, COLUMNS(columns));
	if (number(stats, "tenants_omitted") > 0)
		printf("and %lld more\n", number(stats, "tenants_omitted"));
	json_decref(rows);
}

int verb_stats(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{&pool_argp, 0, NULL, 0}, {&json_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.parser = parse, .doc = "Shows how a pool goes.", .children = children};
	struct list_arguments arguments = {.common.children = children};
	struct fairshare_client *client;
	json_t *stats;
	char *path;
	bool good;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	client = client_open(&arguments.common);
	if (client == NULL)
		return CODE_FAILED;
	path = path_make("/stats", "");
	path_add(&path, "pool", fairshare_client_pool(client));
	good = ask(client, "GET", path, NULL, &stats);
	if (good && arguments.common.json)
		print_json(stats);
	else if (good)
		print_stats(stats);
	json_decref(stats);
	free(path);
	fairshare_close(client);
	return good ? 0 : CODE_FAILED;
}

/* --- pools -------------------------------------------------------------------------------------------------------- */

int verb_pools(int argc, char **argv)
{
	static const struct column columns[] = {{"POOL", "pool", COLUMN_TEXT},
											{"POLICY", "policy", COLUMN_TEXT},
											{"ACTIVE", "total_active_slots", COLUMN_NUMBER},
											{"SLOTS", "max_slots", COLUMN_NUMBER},
											{"WAITING", "waiting", COLUMN_NUMBER},
											{"MIN SHARE", "min_share", COLUMN_NUMBER},
											{"TTL", "ttl_seconds", COLUMN_SECONDS},
											{"MAX WAITING", "max_waiting", COLUMN_NUMBER},
											{"SHARE CALCULATOR", "share_calculator", COLUMN_TEXT}};
	static const struct argp_child children[] = {{&json_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.parser = parse, .doc = "Lists the pools.", .children = children};
	struct list_arguments arguments = {.common.children = children};

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	return show(answer(&arguments.common, path_make("/pools", ""), true), arguments.common.json, COLUMNS(columns));
}
