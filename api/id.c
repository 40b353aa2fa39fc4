/* SPDX-License-Identifier: MIT */
#include "id.h"

#include <string.h>

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

__extension__ typedef unsigned __int128 uint128;

/* 128 bits in 26 digits: two zeros go first. */
void id_digits(const struct fair_id *id, char ret_text[ID_DIGITS + 1])
{
	uint128 value = 0;

	for (size_t i = 0; i < sizeof(id->bytes); i++)
		value = value << 8 | id->bytes[i];
	for (size_t at = ID_DIGITS; at-- > 0; value >>= 5)
		ret_text[at] = digits[value & 31];
	ret_text[ID_DIGITS] = '\0';
}

void id_format(const struct fair_id *id, char ret_text[ID_TEXT_LEN + 1])
{
	memcpy(ret_text, "ls_", 3);
	id_digits(id, ret_text + 3);
}

/* The value of a digit and one more; 0 is none. */
static const uint8_t values[256] = {
	['0'] = 1,	['1'] = 2,	['2'] = 3,	['3'] = 4,	['4'] = 5,	['5'] = 6,	['6'] = 7,	['7'] = 8,
	['8'] = 9,	['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['g'] = 17, ['h'] = 18, ['j'] = 19, ['k'] = 20, ['m'] = 21, ['n'] = 22, ['p'] = 23, ['q'] = 24,
	['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28, ['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32,
};

bool id_parse(const char *text, struct fair_id *ret_id)
{
	uint128 value = 0;

	if (strncmp(text, "ls_", 3) != 0 || strlen(text) != ID_TEXT_LEN)
		return false;
	/* The first digit carries only three bits: two texts must not stand for one id. */
	if (text[3] > '7')
		return false;
	for (size_t i = 3; i < ID_TEXT_LEN; i++) {
		unsigned digit = values[(unsigned char)text[i]];

		if (digit == 0)
			return false;
		value = value << 5 | (digit - 1);
	}
	for (size_t i = sizeof(ret_id->bytes); i-- > 0; value >>= 8)
		ret_id->bytes[i] = (uint8_t)value;
	return true;
}
