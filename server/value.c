/* SPDX-License-Identifier: MIT */
#include "value.h"

#include "parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{"h", UINT64_C(3600000000000)},
	{"m", UINT64_C(60000000000)},
	{"s", UINT64_C(1000000000)},
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

/* digits reads a number at *at and moves past it. */
static bool digits(const char **at, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *p = *at;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*at = p;
	*ret_number = number;
	return true;
}

bool value_number(const char *text, uint64_t *ret_number)
{
	uint64_t number;

	if (!digits(&text, &number) || *text)
		return false;
	*ret_number = number;
	return true;
}

bool value_thousandths(const char *text, uint64_t *ret)
{
	uint64_t whole, part = 0, place = 1000;

	if (!digits(&text, &whole) || whole > UINT64_MAX / 1000 - 1)
		return false;
	if (*text == '.') {
		const char *first = ++text;

		if (!digits(&text, &part) || text - first > 3)
			return false;
		for (; first < text; first++)
			place /= 10;
	} else {
		place = 0;
	}
	if (*text)
		return false;
	*ret = whole * 1000 + part * place;
	return true;
}

bool value_bool(const char *text, bool *ret_value)
{
	bool yes = !strcmp(text, "true");

	if (!yes && strcmp(text, "false") != 0)
		return false;
	*ret_value = yes;
	return true;
}

bool value_duration(const char *text, uint64_t *ret_ns)
{
	return parse_duration(text, ret_ns);
}

void value_duration_text(uint64_t ns, char text[VALUE_DURATION_TEXT])
{
	size_t size = 0;

	for (size_t i = 0; i < UNIT_COUNT; i++) {
		uint64_t count = ns / units[i].ns;

		if (count > 0)
			size += (size_t)snprintf(text + size, VALUE_DURATION_TEXT - size, "%llu%s", (unsigned long long)count,
									 units[i].name);
		ns %= units[i].ns;
	}
	if (ns % MS != 0)
		snprintf(text + size, VALUE_DURATION_TEXT - size, "%llu.%06llums", (unsigned long long)(ns / MS),
				 (unsigned long long)(ns % MS));
	else if (ns > 0)
		snprintf(text + size, VALUE_DURATION_TEXT - size, "%llums", (unsigned long long)(ns / MS));
	else if (size == 0)
		snprintf(text, VALUE_DURATION_TEXT, "0s");
}

static bool local_address(const char *path, struct sockaddr_un *ret)
{
	ret->sun_family = AF_UNIX;
	if (path[0] != '/' || strlen(path) >= sizeof(ret->sun_path))
		return false;
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return true;
}

bool value_address(const char *text, union value_address *ret)
{
	const char *colon = strrchr(text, ':'), *host = text;
	char copy[INET6_ADDRSTRLEN];
	size_t size;
	uint64_t port;
	bool six;

	memset(ret, 0, sizeof(*ret));
	if (strncmp(text, VALUE_LOCAL, strlen(VALUE_LOCAL)) == 0)
		return local_address(text + strlen(VALUE_LOCAL), &ret->local);
	if (!colon || !value_number(colon + 1, &port) || port > UINT16_MAX)
		return false;
	size = (size_t)(colon - text);
	six = size >= 2 && text[0] == '[' && text[size - 1] == ']';
	if (six) {
		host++;
		size -= 2;
	}
	if (size >= sizeof(copy))
		return false;
	memcpy(copy, host, size);
	copy[size] = '\0';
	if (six) {
		ret->six.sin6_family = AF_INET6;
		ret->six.sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, copy, &ret->six.sin6_addr) == 1;
	}
	ret->four.sin_family = AF_INET;
	ret->four.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, copy, &ret->four.sin_addr) == 1;
}

uint16_t value_address_port(const union value_address *address)
{
	return ntohs(address->any.sa_family == AF_INET ? address->four.sin_port : address->six.sin6_port);
}

bool value_fraction(const char *text, double *ret)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end || !(number >= 0 && number <= 1))
		return false;
	*ret = number;
	return true;
}
