/* SPDX-License-Identifier: MIT */
/* Waits in line for a slot, as `run` and `acquire` do. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- arguments ---------------------------------------------------------------------------------------------------- */

enum { KEY_SLOTS = 0x200, KEY_PRIORITY, KEY_TTL, KEY_MAX_LEASE, KEY_REGISTER };

static const struct argp_option options[] = {
	{"no-wait", 'n', NULL, 0, "do not wait: take a free slot, or leave with 124", 0},
	{"wait", 'w', "DURATION", 0, "wait so long at most; without it for ever", 0},
	{"slots", KEY_SLOTS, "N", 0, "so many slots at once", 0},
	{"priority", KEY_PRIORITY, "N", 0, "-10 to 10: before or behind the tenant's other waiters", 0},
	{"ttl", KEY_TTL, "DURATION", 0, "how long the lease lasts without a heartbeat", 0},
	{"max-lease", KEY_MAX_LEASE, "DURATION", 0, "how long the lease lasts at most, whatever its heartbeats", 0},
	{"label", 'l', "LABEL", 0, "what others see of the lease; host:pid", 0},
	{"no-slot-code", 'E', "CODE", 0, "leave with CODE instead of 124 when there is no slot in time", 0},
	{"register", KEY_REGISTER, NULL, 0, "register the tenant, with host:pid as instance, as long as this runs", 0},
	{0},
};

static const struct argp_child children[] = {
	{&pool_argp, 0, NULL, 0}, {&tenant_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};

static double parse_above_0(const char *text, const struct argp_state *state, const char *option)
{
	double seconds = parse_seconds(text, state, option);

	if (seconds == 0)
		argp_error(state, "%s is '%s': give more than 0", option, text);
	return seconds;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wanted *wanted = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		common_begin(state, &wanted->common);
		return 0;
	case 'n':
	case 'w':
		if (wanted->timeout_seconds != FAIRSHARE_FOREVER)
			argp_error(state, "--no-wait and --wait exclude each other: give one of them, once");
		wanted->timeout_seconds = key == 'n' ? 0 : parse_seconds(arg, state, "--wait");
		return 0;
	case KEY_SLOTS:
		wanted->slots = (uint32_t)parse_number(arg, 1, 1000, state, "--slots");
		return 0;
	case KEY_PRIORITY:
		wanted->priority = (int32_t)parse_number(arg, -10, 10, state, "--priority");
		return 0;
	case KEY_TTL:
		wanted->ttl_seconds = parse_above_0(arg, state, "--ttl");
		return 0;
	case KEY_MAX_LEASE:
		wanted->max_lease_seconds = parse_above_0(arg, state, "--max-lease");
		return 0;
	case 'l':
		wanted->label = arg;
		return 0;
	case 'E':
		wanted->no_slot_code = (int)parse_number(arg, 0, 255, state, "--no-slot-code");
		return 0;
	case KEY_REGISTER:
		wanted->register_tenant = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp wanted_argp = {.options = options, .parser = parse, .children = children};

void wanted_init(struct wanted *wanted)
{
	*wanted = (struct wanted){
		.common.children = children, .timeout_seconds = FAIRSHARE_FOREVER, .no_slot_code = CODE_NO_SLOT};
}

/* --- the place in line -------------------------------------------------------------------------------------------- */

static bool line_shown;

static void clear_line(void)
{
	if (line_shown)
		fputs("\r\033[K", stderr);
	line_shown = false;
}

/* One line, cut to the terminal so that it can be written anew. */
static void show_place(void *data, const struct fairshare_place *place)
{
	struct winsize window = {.ws_col = 0};
	char waited[DURATION_TEXT], estimate[DURATION_TEXT];
	char more[DURATION_TEXT + 16] = "";
	char *line;
	int columns;

	(void)data;
	ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
	columns = window.ws_col > 1 ? window.ws_col - 1 : 79;
	duration_text(place->waited_seconds, waited);
	duration_text(place->estimated_wait_seconds, estimate);
	if (place->estimated_wait_seconds >= 0)
		snprintf(more, sizeof(more), ", about %s more", estimate);
	if (asprintf(&line, "fairshare: waiting for %s%s: %llu in the tenant's line, %llu ahead in the pool, %s", waited,
				 more, (unsigned long long)place->position, (unsigned long long)place->ahead, place->reason) < 0)
		return;
	fprintf(stderr, "\r%.*s\033[K", columns, line);
	line_shown = true;
	free(line);
}

static void show_trouble(void *data, const struct fairshare_error *error)
{
	(void)data;
	clear_line();
	complain("%s (%s); trying again", error->message, error->code);
}

static bool can_rewrite(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

/* --- signals while waiting ---------------------------------------------------------------------------------------- */

static const int leaving_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
static volatile sig_atomic_t caught;
static struct fairshare_cancel *_Atomic cancel;

static void leave(int signal)
{
	struct fairshare_cancel *handle = atomic_load(&cancel);

	caught = signal;
	if (handle != NULL)
		fairshare_cancel(handle);
}

/* What was ignored stays so, as under nohup(1). */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = leave, .sa_flags = SA_RESTART};
	struct sigaction was;

	for (size_t i = 0; i < sizeof(leaving_signals) / sizeof(leaving_signals[0]); i++)
		if (sigaction(leaving_signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(leaving_signals[i], &action, NULL);
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static enum fairshare_err open_client(const struct wanted *wanted, const struct listener *listener,
									  struct taken *ret_taken, struct fairshare_error *error)
{
	struct fairshare_options client;

	client_options(&client, &wanted->common);
	client.label = wanted->label;
	client.ttl_seconds = wanted->ttl_seconds;
	client.register_tenant = wanted->register_tenant;
	client.lost = listener->lost;
	client.reclaim = listener->reclaim;
	client.lost_data = client.reclaim_data = listener->data;
	return fairshare_open(&ret_taken->client, &client, error);
}

/* acquire waits; a signal that came before there was a handle cancels it too. */
static enum fairshare_err acquire(const struct wanted *wanted, struct taken *taken, struct fairshare_error *error)
{
	struct fairshare_acquire_options acquiring;
	struct fairshare_cancel *handle;
	enum fairshare_err err;

	if (fairshare_cancel_create(taken->client, &handle) != FAIRSHARE_OK)
		no_memory();
	atomic_store(&cancel, handle);
	if (caught != 0)
		fairshare_cancel(handle);
	FAIRSHARE_ACQUIRE_OPTIONS_INIT(&acquiring);
	acquiring.timeout_seconds = wanted->timeout_seconds;
	acquiring.slots = wanted->slots;
	acquiring.priority = wanted->priority;
	acquiring.max_lease_seconds = wanted->max_lease_seconds;
	acquiring.cancel = handle;
	acquiring.progress = can_rewrite() ? show_place : NULL;
	acquiring.trouble = wanted->timeout_seconds != 0 ? show_trouble : NULL;
	err = fairshare_acquire(taken->client, &acquiring, &taken->lease, error);
	clear_line();
	atomic_store(&cancel, NULL);
	fairshare_cancel_destroy(handle);
	return err;
}

int take(const struct wanted *wanted, const struct listener *listener, struct taken *ret_taken)
{
	struct fairshare_error error;
	enum fairshare_err err;

	*ret_taken = (struct taken){0};
	sigprocmask(SIG_BLOCK, NULL, &ret_taken->mask);
	catch_signals();
	err = open_client(wanted, listener, ret_taken, &error);
	if (err == FAIRSHARE_OK)
		err = acquire(wanted, ret_taken, &error);
	watched_signals_block();
	ret_taken->signal = caught;
	if (err == FAIRSHARE_OK)
		return 0;
	if (err != FAIRSHARE_E_CANCELLED)
		complain_of(&error);
	fairshare_close(ret_taken->client);
	if (err == FAIRSHARE_E_CANCELLED)
		return CODE_SIGNAL + caught;
	return err == FAIRSHARE_E_NO_SLOT ? wanted->no_slot_code : CODE_FAILED;
}

/* A loss was told when it came. A release that got no answer in 2 s leaves no time to close: the lease runs out. */
enum fairshare_err give_back(struct taken *taken)
{
	struct fairshare_error error;
	bool told = fairshare_lease_lost(taken->lease);
	enum fairshare_err err = fairshare_release(taken->lease, &error);

	if (err != FAIRSHARE_OK && !(told && err == FAIRSHARE_E_LOST))
		complain_of(&error);
	if (err != FAIRSHARE_E_UNREACHABLE)
		fairshare_close(taken->client);
	return err;
}

/* --- what was taken, as variables --------------------------------------------------------------------------------- */

static void add_variable(char **variables, const char *name, const char *value)
{
	while (*variables != NULL)
		variables++;
	if (asprintf(variables, "FAIRSHARE_%s=%s", name, value) < 0)
		no_memory();
}

/* slots_text joins the slots' numbers, or their addresses, by spaces; NULL where there are none. */
static char *slots_text(const struct fairshare_lease *lease, bool urls)
{
	char *text = NULL;
	size_t size;
	FILE *out;

	if (urls && fairshare_lease_slot_url(lease, 0) == NULL)
		return NULL;
	out = open_memstream(&text, &size);
	if (out == NULL)
		no_memory();
	for (size_t i = 0; i < fairshare_lease_slots(lease); i++) {
		fputs(i > 0 ? " " : "", out);
		if (urls)
			fputs(fairshare_lease_slot_url(lease, i), out);
		else
			fprintf(out, "%u", fairshare_lease_slot_id(lease, i));
	}
	fclose(out);
	return text;
}

char **lease_variables(const struct taken *taken)
{
	const struct fairshare_lease *lease = taken->lease;
	char **variables = calloc(8, sizeof(*variables));
	char *ids = slots_text(lease, false);
	char *urls = slots_text(lease, true);
	char token[32];

	if (variables == NULL)
		no_memory();
	snprintf(token, sizeof(token), "%llu", (unsigned long long)fairshare_lease_fencing_token(lease));
	add_variable(variables, "LEASE_ID", fairshare_lease_id(lease));
	add_variable(variables, "TENANT", fairshare_lease_tenant(lease));
	add_variable(variables, "POOL", fairshare_lease_pool(lease));
	add_variable(variables, "SLOT_IDS", ids);
	add_variable(variables, "SLOT_URLS", urls != NULL ? urls : "");
	add_variable(variables, "FENCING_TOKEN", token);
	add_variable(variables, "URL", fairshare_client_url(taken->client));
	free(ids);
	free(urls);
	return variables;
}

void variables_free(char **variables)
{
	for (size_t i = 0; variables[i] != NULL; i++)
		free(variables[i]);
	free(variables);
}
