/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1e9 /* as the library has it */

enum { KEY_URL = 0x100, KEY_JSON };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct common *common = state->input;

	switch (key) {
	case KEY_URL:
		common->url = arg;
		return 0;
	case 'p':
		common->pool = arg;
		return 0;
	case 't':
		common->tenant = arg;
		return 0;
	case KEY_JSON:
		common->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option url_options[] = {
	{"url", KEY_URL, "URL", 0, "the server: http://HOST:PORT, https://HOST, unix:/PATH (FAIRSHARE_URL)", 0}, {0}};
static const struct argp_option pool_options[] = {{"pool", 'p', "POOL", 0, "the pool (FAIRSHARE_POOL)", 0}, {0}};
static const struct argp_option tenant_options[] = {{"tenant", 't', "TENANT", 0, "the tenant (FAIRSHARE_TENANT)", 0},
													{0}};
static const struct argp_option json_options[] = {{"json", KEY_JSON, NULL, 0, "print JSON for programs", 0}, {0}};

const struct argp url_argp = {.options = url_options, .parser = parse};
const struct argp pool_argp = {.options = pool_options, .parser = parse};
const struct argp tenant_argp = {.options = tenant_options, .parser = parse};
const struct argp json_argp = {.options = json_options, .parser = parse};

void common_begin(struct argp_state *state, struct common *common)
{
	for (size_t i = 0; common->children[i].argp != NULL; i++)
		state->child_inputs[i] = common;
}

/* unit_seconds answers how long the unit lasts that *text begins with, and moves behind it; NAN where there is none. */
static double unit_seconds(const char **text)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strncmp(*text, units[i].name, strlen(units[i].name)) == 0) {
			*text += strlen(units[i].name);
			return units[i].seconds;
		}
	}
	return NAN;
}

/* read_number reads digits with or without a fraction, and moves behind them; NAN for anything else. */
static double read_number(const char **text)
{
	size_t length = strspn(*text, "0123456789.");
	char *end = NULL;
	double number = length > 0 ? strtod(*text, &end) : NAN;

	if (end != *text + length)
		return NAN;
	*text = end;
	return number;
}

/* read_seconds answers NAN for what is no duration. */
static double read_seconds(const char *text)
{
	double sum = read_number(&text);

	if (*text == '\0' || isnan(sum))
		return sum;
	sum *= unit_seconds(&text);
	while (*text != '\0' && !isnan(sum)) {
		double number = read_number(&text);

		sum += number * unit_seconds(&text);
	}
	return sum;
}

double parse_seconds(const char *text, const struct argp_state *state, const char *option)
{
	double seconds = read_seconds(text);

	if (!(seconds >= 0 && seconds <= SECONDS_MAX))
		argp_error(state, "%s is '%s': give a duration, such as 0.5 (seconds), 250ms, 30s, 1m30s or 2h", option, text);
	return seconds;
}

long parse_number(const char *text, long least, long most, const struct argp_state *state, const char *option)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (text[0] == '\0' || *end != '\0' || number < least || number > most)
		argp_error(state, "%s is '%s': give a whole number from %ld to %ld", option, text, least, most);
	return number;
}

const char *parse_lease_state(const char *text, const struct argp_state *state)
{
	if (strcmp(text, "active") != 0 && strcmp(text, "pending") != 0)
		argp_error(state, "--state is '%s': give active or pending", text);
	return text;
}
