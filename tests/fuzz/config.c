/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the readers of the configuration. An input is lines: those before the first empty one that begin with
 * FAIRSHARED_ are variables, those that begin with -- are flags (only of `flags`: argp ends the process at others);
 * what follows is the file. Each line's text is also read as each kind of value.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "value.h"

#define ARGUMENTS_MAX 12

static const char *const flags[] = {"--max-slots=", "--ttl=", "--listen=", "--share-calculator=", "--auto-register="};

/* What a process starts with; the strings are in the input's copy. */
struct start {
	char *arguments[ARGUMENTS_MAX + 3];
	int count;
	char *variables[ARGUMENTS_MAX + 1];
	int num_variables;
};

/* ---- values ---- */

static void check_duration(const char *text)
{
	char written[VALUE_DURATION_TEXT];
	uint64_t ns, again;

	if (!value_duration(text, &ns))
		return;
	/* Written out it is the same again. */
	value_duration_text(ns, written);
	MUST(strlen(written) + 1 < sizeof(written));
	MUST(value_duration(written, &again) && again == ns);
}

static void check_number(const char *text)
{
	char written[32];
	uint64_t number, again;

	if (!value_number(text, &number))
		return;
	snprintf(written, sizeof(written), "%llu", (unsigned long long)number);
	MUST(value_number(written, &again) && again == number);
	MUST(strspn(text, "0123456789") == strlen(text));
}

static void check_value(const char *text)
{
	union value_address address;
	bool yes;

	check_duration(text);
	check_number(text);
	if (value_bool(text, &yes))
		MUST(strcmp(text, yes ? "true" : "false") == 0);
	if (value_address(text, &address))
		MUST(address.any.sa_family != AF_UNIX || address.local.sun_path[0] == '/');
}

/* ---- the configuration ---- */

/* file_of writes a file that only this process sees. */
static int file_of(const char *text, size_t size, char ret_path[40])
{
	int fd = memfd_create("configuration", MFD_CLOEXEC);

	MUST(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	snprintf(ret_path, 40, "/proc/self/fd/%d", fd);
	return fd;
}

static char *print(const struct config *config, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);

	MUST(out != NULL);
	config_print(config, out);
	MUST(fclose(out) == 0);
	return text;
}

static void check_limits(const struct config *config)
{
	MUST(config->pool_count >= 1 && strcmp(config->pools[0].name, "default") == 0);
	MUST(config->min_ttl_ns <= config->ttl_ns && config->ttl_ns <= config->max_ttl_ns);
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *p = &config->pools[i];

		MUST(*p->name != '\0' && strlen(p->name) <= FAIR_NAME_MAX);
		MUST(p->max_slots >= 1 && p->max_slots <= FAIR_SLOTS_MAX);
		MUST(p->min_share >= 1 && p->min_share <= p->max_slots);
	}
}

/* Free texts may hold what a file cannot. */
static bool fits_a_file(const struct config *config)
{
	for (size_t i = 0; i < config->pool_count; i++) {
		if (*config->pools[i].share_calculator != '\0')
			return false;
	}
	return strcmp(config->store, "memory") == 0;
}

static bool load(struct config *config, struct start *start, const char *file, size_t size)
{
	char error[CONFIG_ERROR_MAX], path[40], argument[60];
	int fd = file_of(file, size, path);
	bool loaded;

	snprintf(argument, sizeof(argument), "--config=%s", path);
	start->arguments[start->count] = argument;
	environ = start->variables;
	loaded = config_load(config, start->count + 1, start->arguments, error);
	start->arguments[start->count] = NULL;
	close(fd);
	MUST(loaded || *error != '\0');
	return loaded;
}

/* What --print-config writes is a file that means the same. */
static void check_print(const struct config *config)
{
	struct start start = {.arguments = {(char[]){"fairshared"}}, .count = 1};
	struct config again;
	size_t size, size_again;
	char *text = print(config, &size), *text_again;

	MUST(load(&again, &start, text, size));
	text_again = print(&again, &size_again);
	MUST(size == size_again && memcmp(text, text_again, size) == 0);
	config_free(&again);
	free(text);
	free(text_again);
}

static void check_config(struct start *start, const char *file, size_t size)
{
	struct config config;

	if (load(&config, start, file, size)) {
		check_limits(&config);
		if (fits_a_file(&config))
			check_print(&config);
	}
	config_free(&config);
}

static bool is_flag(const char *line)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strncmp(line, flags[i], strlen(flags[i])) == 0)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct start start = {.arguments = {(char[]){"fairshared"}}, .count = 1};
	char **environment = environ;
	char *copy = malloc(size + 1), *line = copy, *end;

	MUST(copy != NULL);
	memcpy(copy, data, size);
	copy[size] = '\0';
	while ((end = strchr(line, '\n')) != NULL && end != line) {
		*end = '\0';
		check_value(line);
		if (strchr(line, '=') != NULL)
			check_value(strchr(line, '=') + 1);
		if (strncmp(line, "FAIRSHARED_", 11) == 0 && start.num_variables < ARGUMENTS_MAX)
			start.variables[start.num_variables++] = line;
		else if (is_flag(line) && start.count < ARGUMENTS_MAX)
			start.arguments[start.count++] = line;
		line = end + 1;
	}
	line += end != NULL;
	check_config(&start, line, size - (size_t)(line - copy));
	environ = environment;
	free(copy);
	return 0;
}
