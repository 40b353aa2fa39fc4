/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <assert.h>
#include <string.h>

#include "fair.h"

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
		   c == ':' || c == '@' || c == '-';
}

bool text_is_name(const char *text)
{
	size_t len = 0;

	while (text[len] != '\0') {
		if (!is_name_character(text[len]) || ++len > FAIR_NAME_MAX)
			return false;
	}
	return len > 0;
}

/* A NUL ends every sequence early. */
uint32_t text_character(const char **at)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)*at;
	int more = *p < 0x80				 ? 0
			   : *p >= 0xc2 && *p < 0xe0 ? 1
			   : *p >= 0xe0 && *p < 0xf0 ? 2
			   : *p >= 0xf0 && *p < 0xf5 ? 3
										 : -1;
	uint32_t value;

	if (more < 0)
		return UINT32_MAX;
	value = more == 0 ? *p : *p & (0x3fU >> more);
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		value = value << 6 | (p[i] & 0x3fU);
	}
	if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return UINT32_MAX;
	*at += more + 1;
	return value;
}

bool text_is_label(const char *text)
{
	size_t characters = 0;

	while (*text != '\0') {
		uint32_t value = text_character(&text);

		if (value == UINT32_MAX || value < 0x20 || (value >= 0x7f && value < 0xa0))
			return false;
		if (++characters > TEXT_LABEL_CHARACTERS)
			return false;
	}
	return true;
}

bool text_is_url(const char *text)
{
	size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"), len = 0;

	while (text[len] > 0x20 && text[len] < 0x7f)
		len++;
	return scheme > 0 && text[scheme] == ':' && len > scheme + 1 && text[len] == '\0' && len <= TEXT_URL_MAX;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool text_unescape(const char *text, size_t len, bool plus, char *ret)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = len - i > 2 ? hex(text[i + 1]) : -1;
			int low = len - i > 2 ? hex(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0')
			return false;
		*ret++ = c;
	}
	*ret = '\0';
	return true;
}

void text_copy(char *ret, size_t room, const char *text)
{
	size_t size = strlen(text) + 1;

	assert(size <= room);
	memcpy(ret, text, size);
}

const char *text_show(const char *text, char ret[TEXT_SHOWN])
{
	size_t i;

	for (i = 0; i < 100 && text[i] != '\0'; i++)
		ret[i] = text[i];
	for (size_t j = 0; j < i; j++) {
		if ((unsigned char)ret[j] < 0x20 || (unsigned char)ret[j] > 0x7e)
			ret[j] = '?';
	}
	memcpy(ret + i, text[i] != '\0' ? "..." : "", text[i] != '\0' ? 4 : 1);
	return ret;
}
