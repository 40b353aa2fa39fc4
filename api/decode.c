/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "encode.h"
#include "internal.h"
#include "memory.h"
#include "nearest.h"
#include "parse.h"
#include "problem.h"
#include "refuse.h"
#include "text.h"

#define ERRORS_MAX 20 /* past these a list of faults helps nobody */
#define IDS_MAX 1000
#define COUNT_MAX 1000000
#define LIFE_LEAST_NS (100 * NS_PER_MS)
#define LIFE_MOST_NS (720 * 3600 * NS_PER_S)
#define SPAN_MOST_NS (24 * 3600 * NS_PER_S)

#define AT(member) offsetof(struct input, member)

const struct field body_register[] = {
	{"tenant_id", FIELD_NAME, AT(tenant_id), true},
	{"pool", FIELD_NAME, AT(pool), false},
	{"instance", FIELD_NAME, AT(instance), false},
	{0},
};
const struct field body_acquire[] = {
	{"tenant_id", FIELD_NAME, AT(tenant_id), true},
	{"pool", FIELD_NAME, AT(pool), false},
	{"ttl_seconds", FIELD_TTL, AT(ttl_ns), false},
	{"wait_seconds", FIELD_WAIT, AT(body_wait_ns), false},
	{"label", FIELD_LABEL, AT(label), false},
	{"slots", FIELD_SLOTS, AT(slots), false},
	{"priority", FIELD_PRIORITY, AT(priority), false},
	{"max_lease_seconds", FIELD_LIFE, AT(max_lease_ns), false},
	{0},
};
const struct field body_renew[] = {{"ttl_seconds", FIELD_TTL, AT(ttl_ns), false}, {0}};
const struct field body_heartbeats[] = {
	{"lease_ids", FIELD_IDS, AT(lease_ids), true},
	{"ttl_seconds", FIELD_TTL, AT(ttl_ns), false},
	{0},
};
/* PUT must name max_slots. */
#define POOL_FIELDS(required)                                                                                          \
	{"max_slots", FIELD_COUNT, AT(max_slots), required}, {"min_share", FIELD_COUNT, AT(min_share), false},             \
		{"max_waiting", FIELD_COUNT, AT(max_waiting), false}, {"policy", FIELD_TEXT, AT(policy), false},               \
		{"share_calculator", FIELD_EXPRESSION, AT(share_calculator), false},                                           \
		{"slot_urls", FIELD_URLS, AT(slot_urls), false}, {"draining", FIELD_SWITCH, AT(draining), false},              \
		{"cordoned", FIELD_SLOT_IDS, AT(cordoned), false}, {"slot_rest_seconds", FIELD_SPAN, AT(slot_rest_ns), false}, \
		{"max_lease_seconds", FIELD_LIFE, AT(max_lease_ns), false},                                                    \
		{"pass_over_seconds", FIELD_SPAN, AT(pass_over_ns), false},                                                    \
		{"priority_step_seconds", FIELD_SPAN, AT(priority_step_ns), false}, {0},
const struct field body_put_pool[] = {POOL_FIELDS(true)};
const struct field body_patch_pool[] = {POOL_FIELDS(false)};
const struct field body_patch_tenant[] = {
	{"weight", FIELD_WEIGHT, AT(weight), false},
	{"reserved_slots", FIELD_AMOUNT, AT(reserved_slots), false},
	{"max_slots", FIELD_COUNT_OR_NONE, AT(cap), false},
	{"max_waiting", FIELD_COUNT_OR_NONE, AT(own_waiting), false},
	{0},
};
const struct field query_tenants[] = {
	{"pool", FIELD_NAME, AT(pool), false},
	{"limit", FIELD_LIMIT, AT(limit), false},
	{"cursor", FIELD_TEXT, AT(cursor), false},
	{0},
};
const struct field query_pool[] = {{"pool", FIELD_NAME, AT(pool), false}, {0}};
const struct field query_unregister[] = {
	{"pool", FIELD_NAME, AT(pool), false},
	{"instance", FIELD_NAME, AT(instance), false},
	{"force", FIELD_BOOL, AT(force), false},
	{0},
};
const struct field query_wait[] = {{"wait", FIELD_WAIT, AT(query_wait_ns), false}, {0}};
const struct field query_leases[] = {
	{"pool", FIELD_NAME, AT(pool), false},
	{"tenant_id", FIELD_NAME, AT(tenant_id), false},
	{"label", FIELD_LABEL, AT(label), false},
	{"state", FIELD_STATE, AT(state), false},
	{"limit", FIELD_LIMIT, AT(limit), false},
	{"cursor", FIELD_TEXT, AT(cursor), false},
	{0},
};
const struct field query_end[] = {
	{"tenant_id", FIELD_NAME, AT(tenant_id), false}, {"pool", FIELD_NAME, AT(pool), false},
	{"label", FIELD_LABEL, AT(label), false},		 {"state", FIELD_STATE, AT(state), false},
	{"revoke", FIELD_BOOL, AT(revoke), false},		 {0},
};
const struct field query_release[] = {{"revoke", FIELD_BOOL, AT(revoke), false}, {0}};
const struct field query_stats[] = {
	{"pool", FIELD_NAME, AT(pool), false},
	{"tenants", FIELD_BOOL, AT(tenants), false},
	{"limit", FIELD_STATS_LIMIT, AT(limit), false},
	{0},
};
const struct field query_events[] = {
	{"pool", FIELD_NAME, AT(pool), false},
	{"tenant_id", FIELD_NAME, AT(tenant_id), false},
	{0},
};
const struct field query_check[] = {{"lease", FIELD_TEXT, AT(lease), true}, {0}};

/* The faults found so far. */
struct faults {
	json_t *list; /* of {"pointer" | "parameter", "detail"}; NULL while there is none */
	bool in_query;
};

__attribute__((format(printf, 3, 4))) static void fault(struct faults *faults, const char *name, const char *format,
														...)
{
	char detail[512];
	va_list args;
	json_t *entry;

	if (json_array_size(faults->list) >= ERRORS_MAX)
		return;
	if (faults->list == NULL)
		faults->list = json_array();
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	entry = json_object();
	json_object_set_new(entry, faults->in_query ? "parameter" : "pointer", json_string(name));
	json_object_set_new(entry, "detail", json_string(detail));
	json_array_append_new(faults->list, entry);
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void encode_faults(struct writer *out, json_t *list)
{
	json_t *fault;
	size_t i;

	write_array(out, "errors");
	json_array_foreach(list, i, fault)
	{
		const char *pointer = text_of(fault, "pointer"), *parameter = text_of(fault, "parameter");
		const char *detail = text_of(fault, "detail");

		write_object(out, NULL);
		write_string(out, pointer != NULL ? "pointer" : "parameter",
					 pointer != NULL	 ? pointer
					 : parameter != NULL ? parameter
										 : "");
		write_string(out, "detail", detail != NULL ? detail : "is not valid");
		write_object_end(out);
	}
	write_array_end(out);
}

static void answer_faults(struct api *api, struct call *call, json_t *list)
{
	const json_t *first = json_array_get(list, 0);
	const char *pointer = text_of(first, "pointer"), *parameter = text_of(first, "parameter");
	const char *detail = text_of(first, "detail");
	char shown[TEXT_SHOWN];

	text_show(pointer != NULL ? pointer : parameter != NULL ? parameter : "", shown);
	problem_begin(api, call->request, PROBLEM_INVALID_VALUE, "%s: %s", shown, detail != NULL ? detail : "is not valid");
	encode_faults(api->out, list);
	problem_end(api, call->request, PROBLEM_INVALID_VALUE, NULL, NULL);
}

static void refuse_one(struct api *api, struct call *call, bool in_query, const char *place, const char *format,
					   va_list args)
{
	struct faults faults = {NULL, in_query};
	char detail[384];

	vsnprintf(detail, sizeof(detail), format, args);
	fault(&faults, place, "%s", detail);
	answer_faults(api, call, faults.list);
	json_decref(faults.list);
}

void decode_refuse(struct api *api, struct call *call, const char *parameter, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse_one(api, call, true, parameter, format, args);
	va_end(args);
}

void decode_refuse_member(struct api *api, struct call *call, const char *pointer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	refuse_one(api, call, false, pointer, format, args);
	va_end(args);
}

/* "/ttl_seconds" with ~ and / escaped, cut where nobody reads on; for a parameter its bare name. */
static const char *place_of(const struct faults *faults, const char *name, char ret[256])
{
	size_t len = 0;

	if (faults->in_query)
		return text_show(name, ret);
	ret[len++] = '/';
	for (; *name != '\0' && len < 250; name++) {
		if (*name == '~' || *name == '/') {
			ret[len++] = '~';
			ret[len++] = *name == '~' ? '0' : '1';
		} else {
			ret[len++] = *name;
		}
	}
	/* The cut must not go through a character. */
	if (*name != '\0') {
		while (len > 1 && ((unsigned char)ret[len - 1] & 0x80) != 0)
			len--;
	}
	ret[len] = '\0';
	return ret;
}

/* "tenant_id, pool, label" */
static const char *known_names(const struct field *fields, char ret[256])
{
	size_t len = 0;

	for (const struct field *field = fields; field->name != NULL; field++) {
		len += (size_t)snprintf(ret + len, 256 - len, "%s%s", len > 0 ? ", " : "", field->name);
		assert(len < 256);
	}
	return ret;
}

static void fault_unknown(struct faults *faults, const struct field *fields, const char *name)
{
	const char *what = faults->in_query ? "parameter" : "member";
	const struct field *best = NULL;
	char place[256], known[256];

	place_of(faults, name, place);
	for (const struct field *field = fields; field != NULL && field->name != NULL; field++) {
		if (best == NULL || nearest_distance(name, field->name) < nearest_distance(name, best->name))
			best = field;
	}
	if (best == NULL)
		fault(faults, place, "there is no such %s; this request takes none", what);
	else if (nearest_is_near(name, best->name))
		fault(faults, place, "there is no such %s; the nearest known one is '%s'", what, best->name);
	else
		fault(faults, place, "there is no such %s; known are %s", what, known_names(fields, known));
}

static void *target(struct input *in, const struct field *field)
{
	return (char *)in + field->offset;
}

static void fault_name(struct faults *faults, const char *place, const char *text)
{
	char shown[TEXT_SHOWN];

	fault(faults, place, "'%s' is no name: use " TEXT_NAME_RULE, text_show(text, shown));
}

static void take_text(struct faults *faults, const struct field *field, const char *place, const char *text,
					  struct input *in)
{
	if (field->type == FIELD_NAME && !text_is_name(text))
		fault_name(faults, place, text);
	else if (field->type == FIELD_LABEL && !text_is_label(text))
		fault(faults, place, "is no label: use at most %d characters of UTF-8 without controls", TEXT_LABEL_CHARACTERS);
	else
		*(const char **)target(in, field) = text;
}

static void time_limits(const struct api *api, const struct field *field, uint64_t *ret_least, uint64_t *ret_most)
{
	bool ttl = field->type == FIELD_TTL;

	*ret_least = ttl ? api->config.min_ttl_ns : 0;
	*ret_most = ttl ? api->config.max_ttl_ns : api->config.max_wait_ns;
}

static void take_time(const struct api *api, struct faults *faults, const struct field *field, const char *place,
					  const char *text, uint64_t ns, struct input *in)
{
	bool ttl = field->type == FIELD_TTL;
	uint64_t least, most;
	char shown[TEXT_SHOWN];

	time_limits(api, field, &least, &most);

	if (ns > most)
		fault(faults, place, "%s is too long: use at most %.15g seconds (%s)", text_show(text, shown),
			  (double)most / 1e9, ttl ? "max_ttl" : "max_wait");
	else if (ns < least)
		fault(faults, place, "%s is too short: use at least %.15g seconds (min_ttl)", text_show(text, shown),
			  (double)least / 1e9);
	else
		*(uint64_t *)target(in, field) = ns;
}

/* The number becomes text only where something is wrong with it: that took as long as reading the whole body. */
static void take_seconds(const struct api *api, struct faults *faults, const struct field *field, const char *place,
						 double seconds, struct input *in)
{
	uint64_t least, most, ns;
	char text[40];

	time_limits(api, field, &least, &most);
	if (parse_seconds(seconds, &ns) && ns >= least && ns <= most) {
		*(uint64_t *)target(in, field) = ns;
		return;
	}
	snprintf(text, sizeof(text), "%.15g", seconds);
	if (seconds >= 0)
		take_time(api, faults, field, place, text, ns, in);
	else
		fault(faults, place, "%s is negative: give seconds from 0 on", text);
}

static void take_parameter(const struct api *api, struct faults *faults, const struct field *field, const char *text,
						   struct input *in)
{
	uint64_t most = field->type == FIELD_LIMIT ? 1000 : 10000, number;
	char shown[TEXT_SHOWN];

	switch (field->type) {
	case FIELD_TTL:
	case FIELD_WAIT:
		if (parse_duration(text, &number))
			take_time(api, faults, field, field->name, text, number, in);
		else
			fault(faults, field->name, "'%s' is no duration: use 250ms, 30s, 1m30s, 2h or a number of seconds",
				  text_show(text, shown));
		break;
	case FIELD_LIMIT:
	case FIELD_STATS_LIMIT:
		if (parse_count(text, strlen(text), &number) && number >= 1 && number <= most)
			*(uint64_t *)target(in, field) = number;
		else
			fault(faults, field->name, "'%s' is no limit: use a whole number from 1 to %d", text_show(text, shown),
				  (int)most);
		break;
	case FIELD_BOOL:
		if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
			*(bool *)target(in, field) = text[0] == 't';
		else
			fault(faults, field->name, "'%s' is neither true nor false", text_show(text, shown));
		break;
	case FIELD_STATE:
		if (strcmp(text, "active") == 0 || strcmp(text, "pending") == 0)
			*(enum fair_state *)target(in, field) = text[0] == 'a' ? FAIR_ACTIVE : FAIR_PENDING;
		else
			fault(faults, field->name, "'%s' is neither active nor pending", text_show(text, shown));
		break;
	default:
		take_text(faults, field, field->name, text, in);
	}
}

static void take_ids(struct faults *faults, const struct field *field, json_t *value, struct input *in)
{
	size_t count = json_array_size(value);
	size_t i;
	json_t *id;

	if (count < 1 || count > IDS_MAX) {
		fault(faults, "/lease_ids", "has %zu ids: use 1 to %d", count, IDS_MAX);
		return;
	}
	json_array_foreach(value, i, id)
	{
		char place[64];

		if (json_is_string(id))
			continue;
		snprintf(place, sizeof(place), "/lease_ids/%zu", i);
		fault(faults, place, "is no string: use the id of a lease");
	}
	*(json_t **)target(in, field) = value;
}

static void take_urls(struct faults *faults, const struct field *field, json_t *value, struct input *in)
{
	size_t i;
	json_t *url;

	json_array_foreach(value, i, url)
	{
		char place[64];

		if (json_is_string(url) && text_is_url(json_string_value(url)))
			continue;
		snprintf(place, sizeof(place), "/%s/%zu", field->name, i);
		fault(faults, place, "is no address: use a text such as ws://farm:9222/3, of at most %d characters",
			  TEXT_URL_MAX);
	}
	*(json_t **)target(in, field) = value;
}

static bool takes_null(enum field_type type)
{
	return type == FIELD_COUNT_OR_NONE || type == FIELD_LIFE;
}

/* take_integer reads what lies in a range that the type has. */
static void take_integer(struct faults *faults, const struct field *field, const char *place, const json_t *value,
						 struct input *in)
{
	json_int_t least = field->type == FIELD_PRIORITY ? -FAIR_PRIORITY_MAX : field->type == FIELD_AMOUNT ? 0 : 1;
	json_int_t most = field->type == FIELD_PRIORITY ? FAIR_PRIORITY_MAX
					  : field->type == FIELD_SLOTS	? FAIR_LEASE_SLOTS_MAX
													: COUNT_MAX;

	if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
		fault(faults, place, "must be a whole number from %d to %d%s", (int)least, (int)most,
			  takes_null(field->type) ? ", or null" : "");
	else if (field->type == FIELD_PRIORITY)
		*(int64_t *)target(in, field) = json_integer_value(value);
	else
		*(uint64_t *)target(in, field) = (uint64_t)json_integer_value(value);
}

/* take_weight reads thousandths; what is finer is refused and not rounded. */
static void take_weight(struct faults *faults, const struct field *field, const char *place, const json_t *value,
						struct input *in)
{
	double thousandths = json_number_value(value) * FAIR_WEIGHT_ONE;
	double whole = nearbyint(thousandths);

	if (!json_is_number(value) || !(whole >= 1 && whole <= FAIR_WEIGHT_MAX) || fabs(thousandths - whole) > 1e-6)
		fault(faults, place, "must be a number from 0.001 to %d, in thousandths", FAIR_WEIGHT_MAX / FAIR_WEIGHT_ONE);
	else
		*(uint64_t *)target(in, field) = (uint64_t)whole;
}

/* take_span reads seconds of a time that no flag limits. */
static void take_span(struct faults *faults, const struct field *field, const char *place, const json_t *value,
					  struct input *in)
{
	bool life = field->type == FIELD_LIFE;
	uint64_t least = life ? LIFE_LEAST_NS : 0, most = life ? LIFE_MOST_NS : SPAN_MOST_NS, ns;

	if (json_is_number(value) && parse_seconds(json_number_value(value), &ns) && ns >= least && ns <= most)
		*(uint64_t *)target(in, field) = ns;
	else
		fault(faults, place, "must be a number of seconds from %.15g to %.15g%s", (double)least / 1e9,
			  (double)most / 1e9, life ? ", or null for none" : "");
}

/* take_slot_ids reads numbers of slots, each once. */
static void take_slot_ids(struct faults *faults, const struct field *field, json_t *value, struct input *in)
{
	uint8_t seen[FAIR_SLOTS_MAX / 8] = {0};
	size_t i;
	json_t *id;

	json_array_foreach(value, i, id)
	{
		json_int_t slot = json_integer_value(id);
		char place[64];

		snprintf(place, sizeof(place), "/%s/%zu", field->name, i);
		if (!json_is_integer(id) || slot < 0 || slot >= FAIR_SLOTS_MAX)
			fault(faults, place, "is no slot: use whole numbers from 0 to %d", FAIR_SLOTS_MAX - 1);
		else if ((seen[slot / 8] & 1U << slot % 8) != 0)
			fault(faults, place, "is slot %d once more: name each once", (int)slot);
		else
			seen[slot / 8] |= (uint8_t)(1U << slot % 8);
	}
	*(json_t **)target(in, field) = value;
}

/* take_list reads an array, or null where the type takes it. */
static void take_list(struct faults *faults, const struct field *field, const char *place, json_t *value,
					  struct input *in)
{
	bool urls = field->type == FIELD_URLS;

	if (urls && json_is_null(value))
		*(json_t **)target(in, field) = value;
	else if (!json_is_array(value))
		fault(faults, place, "is no array: give %s",
			  urls							  ? "an address for each slot, or null for none"
			  : field->type == FIELD_SLOT_IDS ? "the numbers of slots"
											  : "the ids of leases");
	else if (urls)
		take_urls(faults, field, value, in);
	else if (field->type == FIELD_SLOT_IDS)
		take_slot_ids(faults, field, value, in);
	else
		take_ids(faults, field, value, in);
}

static void take_string(struct faults *faults, const struct field *field, const char *place, const json_t *value,
						struct input *in)
{
	if (json_is_string(value))
		take_text(faults, field, place, json_string_value(value), in);
	else if (field->type == FIELD_EXPRESSION && json_is_null(value))
		*(const char **)target(in, field) = "";
	else
		fault(faults, place, "is no string");
}

static void take_member(const struct api *api, struct faults *faults, const struct field *field, json_t *value,
						struct input *in)
{
	char place[256];

	place_of(faults, field->name, place);
	if (takes_null(field->type) && json_is_null(value)) {
		*(uint64_t *)target(in, field) = 0;
		return;
	}
	switch (field->type) {
	case FIELD_TTL:
	case FIELD_WAIT:
		if (json_is_number(value))
			take_seconds(api, faults, field, place, json_number_value(value), in);
		else
			fault(faults, place, "is no number: give seconds");
		break;
	case FIELD_SPAN:
	case FIELD_LIFE:
		take_span(faults, field, place, value, in);
		break;
	case FIELD_COUNT:
	case FIELD_COUNT_OR_NONE:
	case FIELD_AMOUNT:
	case FIELD_SLOTS:
	case FIELD_PRIORITY:
		take_integer(faults, field, place, value, in);
		break;
	case FIELD_WEIGHT:
		take_weight(faults, field, place, value, in);
		break;
	case FIELD_SWITCH:
		if (json_is_boolean(value))
			*(enum given *)target(in, field) = json_is_true(value) ? GIVEN_TRUE : GIVEN_FALSE;
		else
			fault(faults, place, "is neither true nor false");
		break;
	case FIELD_IDS:
	case FIELD_SLOT_IDS:
	case FIELD_URLS:
		take_list(faults, field, place, value, in);
		break;
	default:
		take_string(faults, field, place, value, in);
	}
}

static const struct field *field_named(const struct field *fields, const char *name)
{
	for (const struct field *field = fields; field != NULL && field->name != NULL; field++) {
		if (strcmp(field->name, name) == 0)
			return field;
	}
	return NULL;
}

static void members(const struct api *api, struct faults *faults, const struct field *fields, json_t *body,
					struct input *in)
{
	const char *name;
	json_t *value;

	json_object_foreach(body, name, value)
	{
		const struct field *field = field_named(fields, name);

		if (field != NULL)
			take_member(api, faults, field, value, in);
		else
			fault_unknown(faults, fields, name);
	}
	for (const struct field *field = fields; field->name != NULL; field++) {
		char place[256];

		if (field->required && json_object_get(body, field->name) == NULL)
			fault(faults, place_of(faults, field->name, place), "is missing: it is required");
	}
}

/* One "name=value" of the query; both are decoded in place, which never lengthens them. */
static void parameter(const struct api *api, struct faults *faults, const struct field *fields, char *name,
					  const struct field **seen, struct input *in)
{
	char *value = strchr(name, '=');
	static char none[] = "";
	const struct field *field;
	bool well;
	size_t i;

	if (value != NULL)
		*value++ = '\0';
	else
		value = none;
	well = text_unescape(value, strlen(value), true, value);
	if (!text_unescape(name, strlen(name), true, name)) {
		fault(faults, "?", "a name has a broken escape: use %%XX with two hexadecimal digits, not %%00");
		return;
	}
	field = field_named(fields, name);
	if (field == NULL) {
		fault_unknown(faults, fields, name);
		return;
	}
	for (i = 0; seen[i] != NULL; i++) {
		if (seen[i] == field) {
			fault(faults, name, "is there more than once: give it once");
			return;
		}
	}
	seen[i] = field;
	if (well)
		take_parameter(api, faults, field, value, in);
	else
		fault(faults, name, "has a broken escape: use %%XX with two hexadecimal digits, not %%00");
}

static void parameters(const struct api *api, struct faults *faults, const struct field *fields, char *query,
					   struct input *in)
{
	const struct field *seen[16] = {0};
	char *next = query;

	while (next != NULL) {
		char *name = next;

		next = strchr(name, '&');
		if (next != NULL)
			*next++ = '\0';
		if (*name != '\0')
			parameter(api, faults, fields, name, seen, in);
	}
	for (const struct field *field = fields; field != NULL && field->name != NULL; field++) {
		size_t i = 0;

		while (seen[i] != NULL && seen[i] != field)
			i++;
		if (field->required && seen[i] == NULL)
			fault(faults, field->name, "is missing: it is required");
	}
}

/* What jansson found, as part of a sentence; its own words end with a quotation of the body that closes nothing. */
static void bad_json_says(const json_error_t *error, char *ret, size_t size)
{
	const char *near = strstr(error->text, " near '");
	char shown[TEXT_SHOWN];

	/* What it quotes, if it is short, without the apostrophe that ends it. */
	text_show(near != NULL ? near + strlen(" near '") : "", shown);
	if (*shown != '\0')
		shown[strlen(shown) - 1] = '\0';
	switch (json_error_code(error)) {
	case json_error_null_character:
	case json_error_null_byte_in_key:
		snprintf(ret, size, "a NUL character (\\u0000) in a string is not allowed: leave it out");
		break;
	case json_error_numeric_overflow:
		snprintf(ret, size, "%s is beyond all that can be read: give a number that its member takes",
				 *shown != '\0' ? shown : "a number");
		break;
	case json_error_premature_end_of_input:
		snprintf(ret, size, "the body ends too early: send one whole JSON object");
		break;
	case json_error_end_of_input_expected:
		snprintf(ret, size, "something follows the object: send one JSON object");
		break;
	case json_error_duplicate_key:
		snprintf(ret, size, "a member is there more than once%s%s: give it once", *shown != '\0' ? ", " : "", shown);
		break;
	case json_error_invalid_utf8:
		snprintf(ret, size, "the body is not UTF-8: send one JSON object in UTF-8");
		break;
	case json_error_stack_overflow:
		snprintf(ret, size, "arrays and objects are nested too deeply: send one JSON object");
		break;
	default:
		/* A quotation that is cut within a string has a quote too few. */
		snprintf(ret, size, "%.*s%s%s: send one JSON object",
				 near != NULL ? (int)(near - error->text) : (int)strlen(error->text), error->text,
				 *shown != '\0' && strpbrk(shown, "'\"") == NULL ? " " : "",
				 strpbrk(shown, "'\"") == NULL ? shown : "");
	}
}

static bool read_body(struct api *api, struct call *call, struct decoded *ret)
{
	const struct api_request *request = call->request;
	json_error_t error;
	char says[256];

	if (request->body == NULL || request->body_len == 0) {
		problem_send(api, call->request, PROBLEM_BAD_JSON, "line 1, column 1: the body is empty: send one JSON object");
		return false;
	}
	ret->body = json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, &error);
	if (ret->body == NULL && memory_short()) {
		refuse_overloaded(api, call->request);
		return false;
	}
	if (ret->body == NULL) {
		bad_json_says(&error, says, sizeof(says));
		problem_send(api, call->request, PROBLEM_BAD_JSON, "line %d, column %d: %s", error.line < 1 ? 1 : error.line,
					 error.column < 0 ? 0 : error.column, says);
		return false;
	}
	if (!json_is_object(ret->body)) {
		problem_send(api, call->request, PROBLEM_BAD_JSON,
					 "line 1, column 1: the body is an array: send one JSON object");
		return false;
	}
	return true;
}

static struct input input_none(void)
{
	return (struct input){
		.ttl_ns = FAIR_NEVER,
		.body_wait_ns = FAIR_NEVER,
		.query_wait_ns = FAIR_NEVER,
		.state = FAIR_ENDED,
		.tenants = true,
		.max_lease_ns = FAIR_NEVER,
		.slot_rest_ns = FAIR_NEVER,
		.pass_over_ns = FAIR_NEVER,
		.priority_step_ns = FAIR_NEVER,
		.weight = FAIR_NEVER,
		.reserved_slots = FAIR_NEVER,
		.cap = FAIR_NEVER,
		.own_waiting = FAIR_NEVER,
	};
}

bool decode_call(struct api *api, struct call *call, const struct route *route, struct decoded *ret)
{
	const struct api_request *request = call->request;
	struct faults faults = {NULL, true};
	static char none[] = "";
	bool fine, whole;

	*ret = (struct decoded){0};
	call->in = input_none();
	if (request->query != NULL && *request->query != '\0') {
		ret->query = strdup(request->query);
		if (ret->query == NULL)
			memory_note();
	}
	parameters(api, &faults, route->query, ret->query != NULL ? ret->query : none, &call->in);
	if (route->takes_body == ROUTE_BODY_REQUIRED ||
		(route->takes_body == ROUTE_BODY_OPTIONAL && request->body_len > 0)) {
		if (!read_body(api, call, ret)) {
			json_decref(faults.list);
			return false;
		}
		faults.in_query = false;
		members(api, &faults, route->body, ret->body, &call->in);
	}
	/* A fault that found no memory is not in the list. */
	whole = !memory_short();
	fine = whole && json_array_size(faults.list) == 0;
	if (!whole)
		refuse_overloaded(api, call->request);
	else if (!fine)
		answer_faults(api, call, faults.list);
	json_decref(faults.list);
	return fine;
}

void decode_fini(struct decoded *decoded)
{
	json_decref(decoded->body);
	free(decoded->query);
}

static void key_put(char *ret, size_t *len, char c)
{
	if (*len < FAIR_KEY_MAX)
		ret[*len] = c;
	++*len;
}

/*
 * Both write at most FAIR_KEY_MAX bytes, count all of them, and return NULL or what is wrong. RFC 8941, 3.3.3: a
 * string has printable ASCII in its quotes, and a backslash before a quote or a backslash only.
 */
static const char *key_quoted(const char *text, char *ret, size_t *len)
{
	for (text++; *text != '"'; text++) {
		if (*text == '\0')
			return "begins with a quote and ends without one: close it";
		if (*text == '\\' && *++text != '"' && *text != '\\')
			return "has a backslash that is not before a quote or a backslash: write it twice";
		if (*text < 0x20 || *text > 0x7e)
			return "has a byte that is not printable ASCII: use other characters";
		key_put(ret, len, *text);
	}
	return text[1] == '\0' ? NULL : "goes on after its closing quote: end it there";
}

static const char *key_bare(const char *text, char *ret, size_t *len)
{
	for (; *text != '\0'; text++) {
		if (*text <= 0x20 || *text > 0x7e)
			return "has a byte that is not visible ASCII: use other characters, or quotes for spaces";
		key_put(ret, len, *text);
	}
	return NULL;
}

bool decode_key(struct api *api, struct call *call, char *ret, const char **ret_key, size_t *ret_len)
{
	const char *text = call->request->idempotency_key;
	const char *wrong;

	*ret_key = NULL;
	*ret_len = 0;
	if (text == NULL)
		return true;
	wrong = *text == '"' ? key_quoted(text, ret, ret_len) : key_bare(text, ret, ret_len);
	if (wrong != NULL) {
		problem_send(api, call->request, PROBLEM_KEY_INVALID, "Idempotency-Key %s", wrong);
		return false;
	}
	if (*ret_len < 1 || *ret_len > FAIR_KEY_MAX) {
		problem_send(api, call->request, PROBLEM_KEY_INVALID, "Idempotency-Key has %zu bytes: use 1 to %d", *ret_len,
					 FAIR_KEY_MAX);
		return false;
	}
	*ret_key = ret;
	return true;
}
