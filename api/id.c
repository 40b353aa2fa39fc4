/* SPDX-License-Identifier: MIT */
#include "id.h"

#include <string.h>

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

void id_digits(const struct fair_id *id, char ret_text[ID_DIGITS + 1])
{
	unsigned bits = 2; /* 130 bits in 26 digits: two zeros go first */
	unsigned held = 0;
	size_t at = 0;

	for (size_t i = 0; i < sizeof(id->bytes); i++) {
		held = (held << 8 | id->bytes[i]) & 0xfff;
		bits += 8;
		while (bits >= 5) {
			bits -= 5;
			ret_text[at++] = digits[held >> bits & 31];
		}
	}
	ret_text[at] = '\0';
}

void id_format(const struct fair_id *id, char ret_text[ID_TEXT_LEN + 1])
{
	memcpy(ret_text, "ls_", 3);
	id_digits(id, ret_text + 3);
}

static int digit_value(char c)
{
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

bool id_parse(const char *text, struct fair_id *ret_id)
{
	unsigned held = 0, bits = 0;
	size_t at = 0;
	struct fair_id id;

	if (strncmp(text, "ls_", 3) != 0 || strlen(text) != ID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < ID_DIGITS; i++) {
		int value = digit_value(text[3 + i]);

		/* The first digit carries only three bits: two texts must not stand for one id. */
		if (value < 0 || (i == 0 && value > 7))
			return false;
		held = (held << 5 | (unsigned)value) & 0xfff;
		bits += i == 0 ? 3 : 5;
		if (bits >= 8) {
			bits -= 8;
			id.bytes[at++] = (uint8_t)(held >> bits & 255);
		}
	}
	*ret_id = id;
	return true;
}
