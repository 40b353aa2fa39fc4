/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "nearest.h"
#include "parse.h"
#include "value.h"
#include "version.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRONMENT_PREFIX "FAIRSHARED_"
#define VARIABLE_MAX 64
#define STANDARD "default" /* the origin of a value that nobody has set */
#define FILE_LINE_MAX 4094 /* bytes, without the line's end */
#define H (UINT64_C(3600) * 1000000000)
#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

enum type {
	NUMBER,
	DURATION,
	BOOL,
	TEXT,
	OWN_TEXT,
	POLICY,
	WEIGHT,
	CHOICE,
	ADDRESS
}; /* OWN_TEXT: of one pool, never inherited */
enum scope { SERVER, POOL, TENANT, NOT_IN_FILE };

static const char *const level_choices[] = {"error", "warning", "info", "debug", NULL};
static const char *const durability_choices[] = {"full", "normal", NULL}; /* enum store_durability */
static const char *const format_choices[] = {"auto", "json", "text", NULL};

/* `offset` is into struct config_pool for POOL, else into struct config; in the table of tenants into theirs. */
struct setting {
	const char *name;
	enum type type;
	enum scope scope;
	size_t offset;
	const char *standard;		/* the default, as it would be written */
	uint64_t min, max;			/* NUMBER and DURATION (ns) */
	const char *const *choices; /* CHOICE: its number is stored */
	const char *argument, *help;
};

#define IN(field) SERVER, offsetof(struct config, field)
#define IN_POOL(field) POOL, offsetof(struct config_pool, field)

static const struct setting options[] = {
	{"config", TEXT, NOT_IN_FILE, offsetof(struct config, file), "", 0, 0, NULL, "FILE", "Configuration file"},
	{"listen", ADDRESS, IN(listen), "127.0.0.1:8080", 0, 0, NULL, "ADDRESS:PORT",
	 "Address and port, port 0 picks a free one; or unix:/PATH"},
	{"max_slots", NUMBER, IN_POOL(max_slots), "10", 1, FAIR_SLOTS_MAX, NULL, "N", "Slots of the pool"},
	{"min_share", NUMBER, IN_POOL(min_share), "1", 1, FAIR_SLOTS_MAX, NULL, "N", "A share is never below this"},
	{"policy", POLICY, IN_POOL(policy), "equal", 0, 0, NULL, "equal|max-min",
	 "How slots are shared: even shares that nobody exceeds, or weighted max-min fairness that leaves none idle"},
	{"share_calculator", TEXT, IN_POOL(share_calculator), "", 0, 0, NULL, "EXPR",
	 "Lua expression of max_slots and num_demanding_tenants for the share"},
	{"slot_urls", OWN_TEXT, IN_POOL(slot_urls), "", 0, 0, NULL, "URLS",
	 "The address of each slot, with spaces between, or one with {slot} for its number: given out with the lease"},
	{"max_lease", DURATION, IN_POOL(max_lease_ns), "0s", 0, 720 * H, NULL, "DURATION",
	 "A lease ends so long after its grant, beats or not; 0: never"},
	{"slot_rest", DURATION, IN_POOL(slot_rest_ns), "0s", 0, 24 * H, NULL, "DURATION",
	 "A slot whose lease was not given back rests so long"},
	{"pass_over", DURATION, IN_POOL(pass_over_ns), "5s", 0, 24 * H, NULL, "DURATION",
	 "A request for several slots that was passed over waits so long until slots are saved for it"},
	{"priority_step", DURATION, IN_POOL(priority_step_ns), "30s", 0, 24 * H, NULL, "DURATION",
	 "A step of priority counts as so much earlier an arrival within the tenant"},
	{"store", TEXT, IN(store), "", 0, 0, NULL, "STORE",
	 "Where the state is kept: sqlite:PATH, or memory: then a stop ends everybody's work; without it a file in "
	 "$STATE_DIRECTORY, else in the state folder of the user"},
	{"durability", CHOICE, IN(durability), "full", 0, 0, durability_choices, "full|normal",
	 "full: what was told survives a power cut; normal: the end of the process"},
	{"settle", DURATION, IN(settle_ns), "2s", 0, 1 * H, NULL, "DURATION",
	 "After a start nothing is granted for so long when waiters have places from before"},
	{"auto_register", BOOL, IN(auto_register), "false", 0, 0, NULL, "true|false",
	 "POST /leases registers an unknown tenant"},
	{"http_daemons", NUMBER, IN(http_daemons), "4", 1, 64, NULL, "N",
	 "Event loops of the HTTP library; more help with thousands of waiters"},
	{"queue_grace", DURATION, IN(queue_grace_ns), "15s", 100 * MS, 24 * H, NULL, "DURATION",
	 "A waiter with a key keeps its place so long without a request"},
	{"claim", DURATION, IN(claim_ns), "10s", 100 * MS, 24 * H, NULL, "DURATION",
	 "A grant whose answer was lost must be fetched within this"},
	{"drain_timeout", DURATION, IN(drain_timeout_ns), "8s", 0, 24 * H, NULL, "DURATION",
	 "SIGTERM: longest time until the server leaves"},
	{"key_memory", DURATION, IN(key_memory_ns), "10m", 1 * S, 720 * H, NULL, "DURATION",
	 "Ended leases and their keys are remembered so long"},
	{"ended_max", NUMBER, IN(ended_max), "100000", 1, 10000000, NULL, "N", "And at most so many of a pool"},
	{"max_tenants", NUMBER, IN(max_tenants), "100000", 1, 10000000, NULL, "N", "Tenants of a pool"},
	{"metrics_max_tenants", NUMBER, IN(metrics_max_tenants), "100", 0, 1000, NULL, "N",
	 "Tenants of a pool with series of their own in /metrics"},
	{"max_waiting", NUMBER, IN_POOL(max_waiting), "10000", 1, 1000000, NULL, "N",
	 "Waiters of a pool whose request is attached"},
	{"tenant_max_waiting", NUMBER, IN_POOL(tenant_max_waiting), "1000", 1, 1000000, NULL, "N", "Waiters of one tenant"},
	{"min_ttl", DURATION, IN(min_ttl_ns), "1s", 100 * MS, 720 * H, NULL, "DURATION",
	 "Shortest ttl_seconds that may be asked for, down to 100ms"},
	{"max_ttl", DURATION, IN(max_ttl_ns), "1h", 100 * MS, 720 * H, NULL, "DURATION", "Longest"},
	{"ttl", DURATION, IN(ttl_ns), "30s", 100 * MS, 720 * H, NULL, "DURATION",
	 "ttl_seconds of a request that names none"},
	{"max_wait", DURATION, IN(max_wait_ns), "5m", 0, 24 * H, NULL, "DURATION", "Longest wait that may be asked for"},
	{"tenant_idle", DURATION, IN(tenant_idle_ns), "1h", 1 * S, 720 * H, NULL, "DURATION",
	 "Auto-registered tenants go after so long without slot, waiter or request"},
	{"max_connections", NUMBER, IN(max_connections), "16000", 10, 1000000, NULL, "N",
	 "Open connections; waiters are kept below it"},
	{"max_streams", NUMBER, IN(max_streams), "1000", 1, 1000000, NULL, "N", "Open streams of GET /events"},
	{"request_timeout", DURATION, IN(request_timeout_ns), "10s", 100 * MS, 1 * H, NULL, "DURATION",
	 "A request must have arrived within this"},
	{"log_level", CHOICE, IN(log_level), "info", 0, 0, level_choices, "LEVEL", "error, warning, info or debug"},
	{"log_format", CHOICE, IN(log_format), "auto", 0, 0, format_choices, "FORMAT",
	 "json or text; auto is text on a terminal, else JSON lines"},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

#define IN_TENANT(field) TENANT, offsetof(struct config_tenant, field)

/* The keys of a [tenant NAME] section. */
static const struct setting tenant_options[] = {
	{"weight", WEIGHT, IN_TENANT(weight), "1", 1, FAIR_WEIGHT_MAX, NULL, NULL,
	 "a number from 0.001 to 1000, in thousandths"},
	{"reserved_slots", NUMBER, IN_TENANT(reserved_slots), "0", 0, FAIR_SLOTS_MAX, NULL, NULL, NULL},
	{"max_slots", NUMBER, IN_TENANT(max_slots), "0", 0, FAIR_SLOTS_MAX, NULL, NULL, NULL},
	{"max_waiting", NUMBER, IN_TENANT(max_waiting), "0", 0, 1000000, NULL, NULL, NULL},
};

#define TENANT_OPTION_COUNT (sizeof(tenant_options) / sizeof(tenant_options[0]))

_Static_assert(TENANT_OPTION_COUNT == CONFIG_TENANT_KEYS, "a tenant remembers where each value comes from");
_Static_assert(OPTION_COUNT <= CONFIG_OPTIONS_MAX, "a pool remembers where each value comes from");

/* ---- one value ---- */

bool config_fail(char error[CONFIG_ERROR_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, CONFIG_ERROR_MAX, format, arguments);
	va_end(arguments);
	return false;
}

static const struct setting *find_in(const struct setting *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

static const struct setting *option_find(const char *name)
{
	return find_in(options, OPTION_COUNT, name);
}

/* option_nearest finds what a misspelled name was meant to be; NULL when more than a third of it would be wrong. */
static const struct setting *option_nearest(const char *name, size_t size)
{
	const struct setting *nearest = NULL;
	char text[VARIABLE_MAX] = "";
	size_t least = size / 3 + 1;

	for (size_t i = 0; i < size && i < sizeof(text) - 1; i++)
		text[i] = (char)tolower((unsigned char)name[i]);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t distance = nearest_distance(text, options[i].name);

		if (distance < least) {
			least = distance;
			nearest = &options[i];
		}
	}
	return nearest;
}

/* target points at the member that an option sets. */
static void *target(const struct config *config, const struct config_pool *pool, const struct setting *option)
{
	const char *base = option->scope == POOL ? (const char *)pool : (const char *)config;

	return (void *)(uintptr_t)(base + option->offset);
}

static bool replace(char **text, const char *by)
{
	char *copy = strdup(by);

	if (!copy)
		return false;
	free(*text);
	*text = copy;
	return true;
}

static bool choose(const struct setting *option, const char *text, uint64_t *ret_number)
{
	for (uint64_t i = 0; option->choices[i]; i++)
		if (!strcmp(option->choices[i], text)) {
			*ret_number = i;
			return true;
		}
	return false;
}

static bool in_range(const struct setting *option, uint64_t number)
{
	return number >= option->min && number <= option->max;
}

/* store_value reads the text strictly into the member; false when it is not a value of the option's type. */
static bool store_value(struct config *config, void *member, const struct setting *option, const char *text)
{
	uint64_t number;
	bool yes;

	switch (option->type) {
	case NUMBER:
		if (!value_number(text, &number) || !in_range(option, number))
			return false;
		*(uint64_t *)member = number;
		return true;
	case DURATION:
		if (!value_duration(text, &number) || !in_range(option, number))
			return false;
		*(uint64_t *)member = number;
		return true;
	case WEIGHT:
		if (!value_thousandths(text, &number) || !in_range(option, number))
			return false;
		*(uint64_t *)member = number;
		return true;
	case POLICY:
		return parse_policy(text, member);
	case BOOL:
		if (!value_bool(text, &yes))
			return false;
		*(bool *)member = yes;
		return true;
	case CHOICE:
		if (!choose(option, text, &number))
			return false;
		*(uint64_t *)member = number;
		return true;
	case ADDRESS:
		if (!value_address(text, &config->listen_address))
			return false;
		return replace(member, text);
	case TEXT:
	case OWN_TEXT:
		return replace(member, text);
	}
	return false;
}

/* expected describes the values an option takes. */
static void expected(const struct setting *option, char *text, size_t size)
{
	char least[VALUE_DURATION_TEXT], most[VALUE_DURATION_TEXT];

	switch (option->type) {
	case NUMBER:
		snprintf(text, size, "a whole number from %llu to %llu", (unsigned long long)option->min,
				 (unsigned long long)option->max);
		break;
	case DURATION:
		value_duration_text(option->min, least);
		value_duration_text(option->max, most);
		snprintf(text, size, "a duration from %s to %s, such as 0.5 (seconds), 250ms, 30s, 1m30s or 2h", least, most);
		break;
	case BOOL:
		snprintf(text, size, "true or false");
		break;
	case POLICY:
		snprintf(text, size, PARSE_POLICIES);
		break;
	case ADDRESS:
		snprintf(text, size, "a numeric address with a port, such as 127.0.0.1:8080 or [::1]:8080, or unix:/PATH");
		break;
	default:
		snprintf(text, size, "%s", option->help);
	}
}

static bool set_member(struct config *config, void *member, char **member_origin, const struct setting *option,
					   const char *text, const char *origin, char *error)
{
	char wanted[256];

	if (!store_value(config, member, option, text)) {
		expected(option, wanted, sizeof(wanted));
		return config_fail(error, "%s: %s is '%s', but must be %s", origin, option->name, text, wanted);
	}
	if (!replace(member_origin, origin))
		return config_fail(error, "out of memory");
	return true;
}

static bool set(struct config *config, struct config_pool *pool, const struct setting *option, const char *text,
				const char *origin, char *error)
{
	return set_member(config, target(config, pool, option), &pool->origins[option - options], option, text, origin,
					  error);
}

static void *tenant_target(const struct config_tenant *tenant, const struct setting *option)
{
	return (void *)(uintptr_t)((const char *)tenant + option->offset);
}

static bool set_tenant(struct config *config, struct config_tenant *tenant, const struct setting *option,
					   const char *text, const char *origin, char *error)
{
	return set_member(config, tenant_target(tenant, option), &tenant->origins[option - tenant_options], option, text,
					  origin, error);
}

/* ---- pools ---- */

/* What ends a name in a line is no character of one. */
static bool name_is_valid(const char *name, size_t size)
{
	static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-";

	return size > 0 && size <= FAIR_NAME_MAX && strspn(name, characters) == size;
}

/* pool_add adds a pool without values; NULL without memory. */
static struct config_pool *pool_add(struct config *config, const char *name, size_t size)
{
	struct config_pool *pools = realloc(config->pools, (config->pool_count + 1) * sizeof(*pools));
	struct config_pool *pool;

	if (!pools)
		return NULL;
	config->pools = pools;
	pool = &pools[config->pool_count++];
	memset(pool, 0, sizeof(*pool));
	memcpy(pool->name, name, size);
	return pool;
}

/* top_add adds the pool `default`, and gives every option its default. */
static bool top_add(struct config *config, char *error)
{
	struct config_pool *top = pool_add(config, "default", strlen("default"));

	for (size_t i = 0; top && i < OPTION_COUNT; i++)
		if (!set(config, top, &options[i], options[i].standard, STANDARD, error))
			return false;
	return top != NULL;
}

/* pool_inherit gives a pool what its section did not name: the value of the top, from wherever the top has it. */
static bool pool_inherit(const struct config *config, struct config_pool *pool)
{
	const struct config_pool *top = &config->pools[0];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		void *member = target(config, pool, &options[i]);
		const void *from = target(config, top, &options[i]);

		if (options[i].scope != POOL || pool->origins[i])
			continue;
		if (options[i].type == NUMBER || options[i].type == DURATION)
			*(uint64_t *)member = *(const uint64_t *)from;
		else if (options[i].type == POLICY)
			*(enum fair_policy *)member = *(const enum fair_policy *)from;
		else if (!replace(member, options[i].type == OWN_TEXT ? options[i].standard : *(char *const *)from))
			return false;
		if (!replace(&pool->origins[i], options[i].type == OWN_TEXT ? STANDARD : top->origins[i]))
			return false;
	}
	return true;
}

static bool pools_inherit(struct config *config, char *error)
{
	for (size_t i = 1; i < config->pool_count; i++)
		if (!pool_inherit(config, &config->pools[i]))
			return config_fail(error, "out of memory");
	return true;
}

static struct config_pool *pool_find(struct config *config, const char *name, size_t size)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (strlen(config->pools[i].name) == size && !memcmp(config->pools[i].name, name, size))
			return &config->pools[i];
	return NULL;
}

/* ---- tenants ---- */

/* tenant_add adds a tenant with neutral values; NULL without memory. */
static struct config_tenant *tenant_add(struct config *config, const char *name, const char *pool, char *error)
{
	struct config_tenant *tenants = reallocarray(config->tenants, config->tenant_count + 1, sizeof(*tenants)), *tenant;

	if (!tenants)
		return NULL;
	config->tenants = tenants;
	tenant = &tenants[config->tenant_count++];
	memset(tenant, 0, sizeof(*tenant));
	memcpy(tenant->name, name, strlen(name) + 1);
	memcpy(tenant->pool, pool, strlen(pool) + 1);
	for (size_t i = 0; i < TENANT_OPTION_COUNT; i++)
		if (!set_tenant(config, tenant, &tenant_options[i], tenant_options[i].standard, STANDARD, error))
			return NULL;
	return tenant;
}

static struct config_tenant *tenant_find(const struct config *config, const char *name, const char *pool)
{
	for (size_t i = 0; i < config->tenant_count; i++)
		if (!strcmp(config->tenants[i].name, name) && !strcmp(config->tenants[i].pool, pool))
			return &config->tenants[i];
	return NULL;
}

/* ---- the file ---- */

/*
 * The library tells neither line numbers nor empty sections, and cuts long names of sections: so the lines are
 * counted and the sections read as they pass on their way to it.
 */
struct file_reader {
	struct config *config;
	FILE *file;
	const char *path;
	char *error;
	enum scope section; /* the one we are in: SERVER above all, POOL or TENANT */
	size_t at;			/* its pool or tenant */
	bool failed;
	unsigned line;
};

static bool section_fail(struct file_reader *reader, const char *reason)
{
	reader->failed = !config_fail(reader->error, "%s:%u: %s", reader->path, reader->line, reason);
	return false;
}

/* section_word copies the next word before the end of the section; "" when there is none. false: it is no name. */
static bool section_word(struct file_reader *reader, const char **at, const char *end, char ret[FAIR_NAME_MAX + 1])
{
	size_t size;

	*ret = '\0';
	*at += strspn(*at, " \t");
	size = *at < end ? strcspn(*at, " \t]") : 0;
	if (size > 0 && !name_is_valid(*at, size))
		return section_fail(reader, "the name of a pool or tenant is 1 to 128 characters of A-Z a-z 0-9 . _ : @ -");
	memcpy(ret, *at, size);
	ret[size] = '\0';
	*at += size;
	return true;
}

static bool pool_begin(struct file_reader *reader, const char *name, const char *more)
{
	struct config_pool *pool;

	if (!*name || *more)
		return section_fail(reader, "a section of a pool is written [pool NAME]");
	pool = pool_find(reader->config, name, strlen(name));
	if (!pool)
		pool = pool_add(reader->config, name, strlen(name));
	if (!pool)
		return section_fail(reader, "out of memory");
	reader->section = POOL;
	reader->at = (size_t)(pool - reader->config->pools);
	return true;
}

static bool tenant_begin(struct file_reader *reader, const char *name, const char *pool)
{
	struct config_tenant *tenant;

	if (!*name)
		return section_fail(reader, "a section of a tenant is written [tenant NAME], or [tenant NAME POOL]");
	pool = *pool ? pool : "default";
	tenant = tenant_find(reader->config, name, pool);
	if (!tenant)
		tenant = tenant_add(reader->config, name, pool, reader->error);
	if (!tenant)
		return section_fail(reader, "out of memory");
	tenant->line = reader->line;
	reader->section = TENANT;
	reader->at = (size_t)(tenant - reader->config->tenants);
	return true;
}

static bool section_begin(struct file_reader *reader, const char *line)
{
	const char *at = line + strspn(line, " \t") + 1, *end = strchr(at, ']');
	char kind[FAIR_NAME_MAX + 1], names[2][FAIR_NAME_MAX + 1], more[FAIR_NAME_MAX + 1];

	if (!end)
		return section_fail(reader, "a section is written [pool NAME] or [tenant NAME]");
	if (!section_word(reader, &at, end, kind) || !section_word(reader, &at, end, names[0]) ||
		!section_word(reader, &at, end, names[1]) || !section_word(reader, &at, end, more))
		return false;
	if (!*more && !strcmp(kind, "pool"))
		return pool_begin(reader, names[0], names[1]);
	if (!*more && !strcmp(kind, "tenant"))
		return tenant_begin(reader, names[0], names[1]);
	return section_fail(reader, "a section is written [pool NAME] or [tenant NAME]");
}

static char *read_line(char *line, int size, void *context)
{
	struct file_reader *reader = context;

	if (reader->failed || !fgets(line, size, reader->file))
		return NULL;
	reader->line++;
	if (!strchr(line, '\n') && !feof(reader->file)) {
		reader->failed = !config_fail(reader->error, "%s:%u: the line is longer than %d bytes", reader->path,
									  reader->line, FILE_LINE_MAX);
		return NULL;
	}
	if (line[strspn(line, " \t")] == '[')
		section_begin(reader, line);
	return reader->failed ? NULL : line;
}

static bool key_unknown(const struct file_reader *reader, const char *origin, const char *name)
{
	const struct setting *nearest = option_nearest(name, strlen(name));

	if (nearest && nearest->scope != NOT_IN_FILE)
		return config_fail(reader->error, "%s: unknown key '%s': did you mean %s?", origin, name, nearest->name);
	return config_fail(reader->error, "%s: unknown key '%s': see --help for what there is", origin, name);
}

static bool set_before(const struct file_reader *reader, const char *origin, const char *name, const char *before)
{
	return config_fail(reader->error, "%s: '%s' was set before at %s", origin, name, before);
}

static bool read_tenant_key(struct file_reader *reader, const char *origin, const char *name, const char *text)
{
	struct config_tenant *tenant = &reader->config->tenants[reader->at];
	const struct setting *option = find_in(tenant_options, TENANT_OPTION_COUNT, name);
	const char *before = option ? tenant->origins[option - tenant_options] : STANDARD;

	if (!option)
		return config_fail(reader->error,
						   "%s: '%s' is not a key of a tenant: use weight, reserved_slots, max_slots or max_waiting",
						   origin, name);
	if (strcmp(before, STANDARD) != 0)
		return set_before(reader, origin, name, before);
	return set_tenant(reader->config, tenant, option, text, origin, reader->error);
}

static bool read_pool_key(struct file_reader *reader, const char *origin, const char *name, const char *text)
{
	struct config_pool *pool = &reader->config->pools[reader->section == POOL ? reader->at : 0];
	const struct setting *option = option_find(name);

	if (!option || option->scope == NOT_IN_FILE)
		return key_unknown(reader, origin, name);
	if (reader->section == POOL && option->scope != POOL)
		return config_fail(reader->error, "%s: '%s' is not a key of a pool; write it above all sections", origin, name);
	if (strcmp(config_origin(pool, name), STANDARD) != 0)
		return set_before(reader, origin, name, pool->origins[option - options]);
	return set(reader->config, pool, option, text, origin, reader->error);
}

static int read_key(void *context, const char *section, const char *name, const char *text)
{
	struct file_reader *reader = context;
	char origin[CONFIG_ERROR_MAX / 2];

	(void)section;
	snprintf(origin, sizeof(origin), "%s:%u", reader->path, reader->line);
	reader->failed = reader->section == TENANT ? !read_tenant_key(reader, origin, name, text)
											   : !read_pool_key(reader, origin, name, text);
	return !reader->failed;
}

static bool read_file(struct config *config, char *error)
{
	struct file_reader reader = {.config = config, .path = config->file, .error = error, .section = SERVER};
	int line;

	reader.file = fopen(config->file, "re");
	if (!reader.file)
		return config_fail(error, "%s: %s", config->file, strerror(errno));
	ini_use_stack = false;
	ini_max_line = FILE_LINE_MAX + 2;
	ini_initial_alloc = FILE_LINE_MAX + 2;
	ini_allow_multiline = false;
	ini_stop_on_first_error = true;
	line = ini_parse_stream(read_line, &reader, read_key, &reader);
	if (!reader.failed && ferror(reader.file))
		reader.failed = !config_fail(error, "%s: cannot be read", config->file);
	fclose(reader.file);
	if (reader.failed)
		return false;
	if (line != 0)
		return config_fail(error,
						   "%s:%d: this is neither 'key = value' nor '[pool NAME]' or '[tenant NAME]' nor a comment",
						   config->file, line);
	return true;
}

/* ---- the environment ---- */

static void variable_name(const struct setting *option, char text[VARIABLE_MAX])
{
	snprintf(text, VARIABLE_MAX, ENVIRONMENT_PREFIX "%s", option->name);
	for (char *p = text; *p; p++)
		*p = (char)toupper((unsigned char)*p);
}

/* variable_option finds the option of a variable; NULL for none. */
static const struct setting *variable_option(const char *name, size_t size)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char text[VARIABLE_MAX];

		variable_name(&options[i], text);
		if (strlen(text) == size && !memcmp(text, name, size))
			return &options[i];
	}
	return NULL;
}

/*
 * Kubernetes tells every container of the Services around it, and Docker of its links, in variables that begin with
 * their names. Those of a Service named fairshared, or fairshared-web, are not meant for us. Where a misspelled key
 * might look the same (FAIRSHARED_PORT=8080), the value decides: theirs is tcp://10.0.0.1:8080.
 */
static bool tells_of_a_service(const char *variable)
{
	static const char pattern[] = "^" ENVIRONMENT_PREFIX "([A-Z0-9_]+_)?("
								  "SERVICE_HOST=|"
								  "SERVICE_PORT(_[A-Z0-9_]+)?=|"
								  "PORT(_[0-9]+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://|"
								  "PORT_[0-9]+_(TCP|UDP|SCTP)_(ADDR|PORT|PROTO)=)";
	regex_t regex;
	bool tells;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	tells = regexec(&regex, variable, 0, NULL, 0) == 0;
	regfree(&regex);
	return tells;
}

static bool variable_unknown(const char *variable, size_t size, char *error)
{
	size_t prefix = strlen(ENVIRONMENT_PREFIX);
	const struct setting *nearest = option_nearest(variable + prefix, size - prefix);
	char text[VARIABLE_MAX];

	if (!nearest)
		return config_fail(error, "unknown environment variable %.*s: unset it, or see --help for what there is",
						   (int)size, variable);
	variable_name(nearest, text);
	return config_fail(error, "unknown environment variable %.*s: did you mean %s?", (int)size, variable, text);
}

/* read_environment sets the options of one kind: --config's variable must be known before the file is read. */
static bool read_environment(struct config *config, bool before_file, char *error)
{
	for (char **at = environ; *at; at++) {
		size_t size = strcspn(*at, "=");
		const struct setting *option = variable_option(*at, size);
		char origin[VARIABLE_MAX];

		if (strncmp(*at, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0 || !(*at)[size])
			continue;
		if (!option && tells_of_a_service(*at))
			continue;
		if (!option)
			return variable_unknown(*at, size, error);
		variable_name(option, origin);
		if ((option->scope == NOT_IN_FILE) == before_file &&
			!set(config, &config->pools[0], option, *at + size + 1, origin, error))
			return false;
	}
	return true;
}

/* ---- the command line ---- */

#define KEY_FIRST 0x1000 /* of the table's options; past the characters */
#define KEY_PRINT 0x2000
#define KEY_CHECK 0x2001
#define KEY_CHECK_STORE 0x2002
#define KEY_HEALTH 0x2003

const char *argp_program_version = "fairshared " FAIRSHARED_VERSION;

struct flags {
	enum config_action action;
	const char *check_store;
	const char *texts[OPTION_COUNT]; /* NULL: not given; of a repeated one the last counts */
};

static error_t parse_flag(int key, char *argument, struct argp_state *state)
{
	struct flags *flags = state->input;

	if (key >= KEY_FIRST && key < KEY_FIRST + (int)OPTION_COUNT) {
		flags->texts[key - KEY_FIRST] = argument ? argument : "true";
		return 0;
	}
	switch (key) {
	case KEY_PRINT:
		flags->action = CONFIG_PRINT;
		return 0;
	case KEY_CHECK:
		flags->action = CONFIG_CHECK;
		return 0;
	case KEY_CHECK_STORE:
		flags->action = CONFIG_CHECK_STORE;
		flags->check_store = argument;
		return 0;
	case KEY_HEALTH:
		flags->action = CONFIG_HEALTH;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", argument);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The texts of the flags, made from the table. */
struct flag_texts {
	struct argp_option rows[OPTION_COUNT + 5];
	char names[OPTION_COUNT][32];
	char helps[OPTION_COUNT][224];
};

static void describe_flags(struct flag_texts *texts)
{
	memset(texts, 0, sizeof(*texts));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct setting *option = &options[i];

		snprintf(texts->names[i], sizeof(texts->names[i]), "%s", option->name);
		for (char *p = texts->names[i]; *p; p++)
			if (*p == '_')
				*p = '-';
		snprintf(texts->helps[i], sizeof(texts->helps[i]), "%s (default: %s)", option->help,
				 *option->standard ? option->standard : "none");
		texts->rows[i] = (struct argp_option){.name = texts->names[i],
											  .key = KEY_FIRST + (int)i,
											  .arg = option->argument,
											  .flags = option->type == BOOL ? OPTION_ARG_OPTIONAL : 0,
											  .doc = texts->helps[i],
											  .group = 1};
	}
	texts->rows[OPTION_COUNT] = (struct argp_option){
		.name = "print-config", .key = KEY_PRINT, .doc = "Print the resulting configuration and exit", .group = 2};
	texts->rows[OPTION_COUNT + 1] = (struct argp_option){
		.name = "check-config", .key = KEY_CHECK, .doc = "Check the configuration and exit", .group = 2};
	texts->rows[OPTION_COUNT + 2] = (struct argp_option){.name = "check-store",
														 .key = KEY_CHECK_STORE,
														 .arg = "PATH",
														 .doc = "Verify a file of the sqlite store and exit",
														 .group = 2};
	texts->rows[OPTION_COUNT + 3] =
		(struct argp_option){.name = "healthcheck",
							 .key = KEY_HEALTH,
							 .doc = "Ask the server that listens as configured whether it is alive, and exit",
							 .group = 2};
}

static bool read_flags(struct flags *flags, struct flag_texts *texts, int argc, char **argv)
{
	const struct argp argp = {
		.options = texts->rows,
		.parser = parse_flag,
		.doc = "Share a fixed number of slots fairly among tenants, over HTTP.\v"
			   "Each option is also a variable (FAIRSHARED_MAX_SLOTS) and a key of the file (max_slots = 10); "
			   "durations are written 250ms, 30s, 1m30s, 2h, or as seconds: 30, 0.5.",
	};

	describe_flags(texts);
	argp_err_exit_status = 1;
	return argp_parse(&argp, argc, argv, 0, NULL, flags) == 0;
}

static bool set_flags(struct config *config, const struct flags *flags, const struct flag_texts *texts,
					  bool before_file, char *error)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char origin[40];

		if (!flags->texts[i] || (options[i].scope == NOT_IN_FILE) != before_file)
			continue;
		snprintf(origin, sizeof(origin), "--%s", texts->names[i]);
		if (!set(config, &config->pools[0], &options[i], flags->texts[i], origin, error))
			return false;
	}
	return true;
}

/* ---- all of it ---- */

static bool check_pool(const struct config_pool *pool, char *error)
{
	if (pool->min_share > pool->max_slots)
		return config_fail(error, "%s: min_share %llu of pool '%s' is more than its max_slots %llu (%s)",
						   config_origin(pool, "min_share"), (unsigned long long)pool->min_share, pool->name,
						   (unsigned long long)pool->max_slots, config_origin(pool, "max_slots"));
	if (pool->max_lease_ns > 0 && pool->max_lease_ns < 100 * MS)
		return config_fail(error, "%s: max_lease of pool '%s' must be 100ms or more, or 0 for none",
						   config_origin(pool, "max_lease"), pool->name);
	return true;
}

static bool check_tenant(struct config *config, const struct config_tenant *tenant, char *error)
{
	const struct config_pool *pool = pool_find(config, tenant->pool, strlen(tenant->pool));

	if (!pool)
		return config_fail(error, "%s:%u: pool '%s' of tenant '%s' is not there: name it in a section [pool %s]",
						   config->file, tenant->line, tenant->pool, tenant->name, tenant->pool);
	if (pool->policy == FAIR_POLICY_EQUAL && (tenant->weight != FAIR_WEIGHT_ONE || tenant->reserved_slots > 0))
		return config_fail(
			error,
			"%s:%u: tenant '%s' has a weight or reserved_slots, but policy equal of pool '%s' (%s) knows "
			"neither: use policy max-min",
			config->file, tenant->line, tenant->name, pool->name, config_origin(pool, "policy"));
	if (tenant->max_slots > 0 && tenant->reserved_slots > tenant->max_slots)
		return config_fail(error, "%s:%u: reserved_slots %llu of tenant '%s' is more than its max_slots %llu",
						   config->file, tenant->line, (unsigned long long)tenant->reserved_slots, tenant->name,
						   (unsigned long long)tenant->max_slots);
	return true;
}

static bool check_reserves(const struct config *config, const struct config_pool *pool, char *error)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < config->tenant_count; i++)
		if (!strcmp(config->tenants[i].pool, pool->name))
			sum += config->tenants[i].reserved_slots;
	return sum <= pool->max_slots ||
		   config_fail(error,
					   "%s: reserved_slots of the tenants of pool '%s' are %llu, more than its max_slots %llu (%s)",
					   config->file, pool->name, (unsigned long long)sum, (unsigned long long)pool->max_slots,
					   config_origin(pool, "max_slots"));
}

/* store_standard names the file of a server that was told of none. systemd makes $STATE_DIRECTORY. */
static bool store_standard(struct config *config, char *error)
{
	const char *system = getenv("STATE_DIRECTORY"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int size = -1;

	if (*config->store)
		return true;
	if (system && *system == '/')
		size = asprintf(&path, "sqlite:%.*s/fairshared.db", (int)strcspn(system, ":"), system);
	else if (state && *state == '/')
		size = asprintf(&path, "sqlite:%s/fairshared/fairshared.db", state);
	else if (home && *home == '/')
		size = asprintf(&path, "sqlite:%s/.local/state/fairshared/fairshared.db", home);
	else
		return config_fail(error,
						   "there is no place for the state: set HOME, STATE_DIRECTORY or --store sqlite:PATH, or "
						   "say --store memory");
	if (size < 0)
		return config_fail(error, "out of memory");
	free(config->store);
	config->store = path;
	return true;
}

/* What no value can be wrong in alone. */
static bool check_together(struct config *config, char *error)
{
	const struct config_pool *top = &config->pools[0];

	for (size_t i = 0; i < config->pool_count; i++)
		if (!check_pool(&config->pools[i], error) || !check_reserves(config, &config->pools[i], error))
			return false;
	for (size_t i = 0; i < config->tenant_count; i++)
		if (!check_tenant(config, &config->tenants[i], error))
			return false;
	if (config->min_ttl_ns > config->max_ttl_ns)
		return config_fail(error, "%s: min_ttl is longer than max_ttl (%s)", config_origin(top, "min_ttl"),
						   config_origin(top, "max_ttl"));
	if (config->ttl_ns < config->min_ttl_ns || config->ttl_ns > config->max_ttl_ns)
		return config_fail(error, "%s: ttl must lie between min_ttl (%s) and max_ttl (%s)", config_origin(top, "ttl"),
						   config_origin(top, "min_ttl"), config_origin(top, "max_ttl"));
	return true;
}

bool config_load(struct config *config, int argc, char **argv, char error[CONFIG_ERROR_MAX])
{
	struct flags flags = {.action = CONFIG_RUN};
	struct flag_texts texts;

	*config = (struct config){.argc = argc, .argv = argv};
	snprintf(error, CONFIG_ERROR_MAX, "out of memory");
	if (!read_flags(&flags, &texts, argc, argv))
		return config_fail(error, "the command line cannot be read");
	config->action = flags.action;
	if (flags.check_store && !replace(&config->check_store, flags.check_store))
		return false;
	if (!top_add(config, error) || !read_environment(config, true, error) ||
		!set_flags(config, &flags, &texts, true, error))
		return false;
	if (*config->file && !read_file(config, error))
		return false;
	return read_environment(config, false, error) && set_flags(config, &flags, &texts, false, error) &&
		   pools_inherit(config, error) && store_standard(config, error) && check_together(config, error);
}

bool config_reload(struct config *config, const struct config *old, char error[CONFIG_ERROR_MAX])
{
	return config_load(config, old->argc, old->argv, error);
}

static bool same(const struct config *a, const struct config *b, const struct setting *option)
{
	const void *one = target(a, &a->pools[0], option), *other = target(b, &b->pools[0], option);

	switch (option->type) {
	case BOOL:
		return *(const bool *)one == *(const bool *)other;
	case NUMBER:
	case DURATION:
	case CHOICE:
		return *(const uint64_t *)one == *(const uint64_t *)other;
	default:
		return !strcmp(*(char *const *)one, *(char *const *)other);
	}
}

void config_differences(const struct config *old, const struct config *fresh, void (*each)(const char *key))
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (options[i].scope == SERVER && !same(old, fresh, &options[i]))
			each(options[i].name);
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config->pool_count; i++) {
		struct config_pool *pool = &config->pools[i];

		for (size_t j = 0; j < OPTION_COUNT; j++)
			free(pool->origins[j]);
		free(pool->share_calculator);
		free(pool->slot_urls);
	}
	for (size_t i = 0; i < config->tenant_count; i++)
		for (size_t j = 0; j < TENANT_OPTION_COUNT; j++)
			free(config->tenants[i].origins[j]);
	free(config->tenants);
	free(config->pools);
	free(config->file);
	free(config->listen);
	free(config->store);
	free(config->check_store);
	memset(config, 0, sizeof(*config));
}

const char *config_origin(const struct config_pool *pool, const char *key)
{
	const struct setting *option = option_find(key);

	return option && pool->origins[option - options] ? pool->origins[option - options] : STANDARD;
}

static void print_value(const void *member, const struct setting *option, FILE *out)
{
	char text[VALUE_DURATION_TEXT];
	uint64_t number;

	fprintf(out, "%s =", option->name);
	switch (option->type) {
	case NUMBER:
		fprintf(out, " %llu\n", (unsigned long long)*(const uint64_t *)member);
		break;
	case DURATION:
		value_duration_text(*(const uint64_t *)member, text);
		fprintf(out, " %s\n", text);
		break;
	case WEIGHT:
		number = *(const uint64_t *)member;
		fprintf(out, " %llu.%03llu\n", (unsigned long long)number / 1000, (unsigned long long)number % 1000);
		break;
	case POLICY:
		fprintf(out, " %s\n", fair_policy_code(*(const enum fair_policy *)member));
		break;
	case BOOL:
		fprintf(out, " %s\n", *(const bool *)member ? "true" : "false");
		break;
	case CHOICE:
		fprintf(out, " %s\n", option->choices[*(const uint64_t *)member]);
		break;
	default:
		fprintf(out, "%s%s\n", **(char *const *)member ? " " : "", *(char *const *)member);
	}
}

static void print_option(const struct config *config, const struct config_pool *pool, const struct setting *option,
						 FILE *out)
{
	print_value(target(config, pool, option), option, out);
}

static void print_tenant(const struct config_tenant *tenant, FILE *out)
{
	fprintf(out, "\n[tenant %s %s]\n", tenant->name, tenant->pool);
	for (size_t i = 0; i < TENANT_OPTION_COUNT; i++)
		print_value(tenant_target(tenant, &tenant_options[i]), &tenant_options[i], out);
}

bool config_print(const struct config *config, FILE *out)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (options[i].scope != NOT_IN_FILE)
			print_option(config, &config->pools[0], &options[i], out);
	for (size_t p = 1; p < config->pool_count; p++) {
		fprintf(out, "\n[pool %s]\n", config->pools[p].name);
		for (size_t i = 0; i < OPTION_COUNT; i++)
			if (options[i].scope == POOL)
				print_option(config, &config->pools[p], &options[i], out);
	}
	for (size_t i = 0; i < config->tenant_count; i++)
		print_tenant(&config->tenants[i], out);
	return fflush(out) == 0 && !ferror(out);
}
