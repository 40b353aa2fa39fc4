/* SPDX-License-Identifier: MIT */
/* Lease ids as text: "ls_" and 26 characters of Crockford's base32 in lower case for 128 bits. */
#ifndef FAIRSHARED_API_ID_H
#define FAIRSHARED_API_ID_H

#include <stdbool.h>

#include "fair.h"

#define ID_DIGITS 26
#define ID_TEXT_LEN (3 + ID_DIGITS)

/* id_digits writes the 26 characters of an id, without the prefix, and a NUL. */
void id_digits(const struct fair_id *id, char ret_text[ID_DIGITS + 1]);
/* id_format writes an id with its prefix and a NUL. */
void id_format(const struct fair_id *id, char ret_text[ID_TEXT_LEN + 1]);
/* id_parse reads exactly what id_format writes; false for anything else. */
bool id_parse(const char *text, struct fair_id *ret_id);

#endif
