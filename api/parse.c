/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <math.h>
#include <string.h>

#define NS_MAX (PARSE_SECONDS_MAX * UINT64_C(1000000000))

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool parse_count(const char *text, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (len == 0 || len > 19 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value > (uint64_t)INT64_MAX)
		return false;
	*ret_value = value;
	return true;
}

/* Reads "12" or "1.25" at *at as billionths and moves on; any number above PARSE_SECONDS_MAX stands for a larger one.
 */
static bool decimal(const char **at, uint64_t *ret_billionths)
{
	const char *p = *at;
	uint64_t whole = 0, part = 0, scale = UINT64_C(1000000000);

	if (!is_digit(*p))
		return false;
	for (; is_digit(*p); p++) {
		if (whole <= PARSE_SECONDS_MAX)
			whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (*p == '.') {
		p++;
		if (!is_digit(*p))
			return false;
		for (; is_digit(*p); p++) {
			scale /= 10;
			part += (uint64_t)(*p - '0') * scale;
		}
	}
	*at = p;
	*ret_billionths = whole * UINT64_C(1000000000) + part;
	return true;
}

/* Reads a unit at *at and moves on: its rank (units go downwards), and what it multiplies and divides by. */
static int unit(const char **at, uint64_t *ret_times, uint64_t *ret_over)
{
	static const struct {
		const char *name;
		uint64_t times, over;
	} units[] = {{"ms", 1, 1000}, {"s", 1, 1}, {"m", 60, 1}, {"h", 3600, 1}};

	for (int i = 0; i < 4; i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*at, units[i].name, len) == 0) {
			*at += len;
			*ret_times = units[i].times;
			*ret_over = units[i].over;
			return i;
		}
	}
	return -1;
}

bool parse_duration(const char *text, uint64_t *ret_ns)
{
	uint64_t total = 0;
	int above = 4;

	do {
		uint64_t ns, times = 1, over = 1;
		int rank;

		if (!decimal(&text, &ns))
			return false;
		if (*text == '\0' && above == 4)
			rank = 0;
		else
			rank = unit(&text, &times, &over);
		if (rank < 0 || rank >= above)
			return false;
		above = rank;
		if (total > NS_MAX || ns / over > NS_MAX / times)
			total = NS_MAX + 1;
		else
			total += ns * times / over;
	} while (*text != '\0');
	*ret_ns = total > NS_MAX ? UINT64_MAX : total;
	return true;
}

bool parse_seconds(double seconds, uint64_t *ret_ns)
{
	if (!(seconds >= 0))
		return false;
	*ret_ns = seconds > (double)PARSE_SECONDS_MAX ? UINT64_MAX : (uint64_t)llround(seconds * 1e9);
	return true;
}

bool parse_quality(const char *text, size_t len, unsigned *ret_thousandths)
{
	char copy[8];
	const char *at = copy;
	uint64_t billionths;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!decimal(&at, &billionths) || *at != '\0' || billionths > UINT64_C(1000000000))
		return false;
	*ret_thousandths = (unsigned)(billionths / 1000000);
	return true;
}

bool parse_policy(const char *text, enum fair_policy *ret_policy)
{
	static const enum fair_policy policies[] = {
#define FAIR_X(name, code) FAIR_POLICY_##name,
		FAIR_POLICY_LIST(FAIR_X)
#undef FAIR_X
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (strcmp(text, fair_policy_code(policies[i])) == 0) {
			*ret_policy = policies[i];
			return true;
		}
	}
	return false;
}
