/* SPDX-License-Identifier: MIT */
/* Text from outside: names, labels, percent-encoding, and how it is shown in a sentence. */
#ifndef FAIRSHARED_API_TEXT_H
#define FAIRSHARED_API_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_SHOWN 104
#define TEXT_LABEL_CHARACTERS 256
#define TEXT_URL_MAX 2000

/* text_is_name: TEXT_NAME_RULE, as a sentence says it. */
#define TEXT_NAME_RULE "1 to 128 characters of A-Z a-z 0-9 . _ : @ -"
bool text_is_name(const char *text);
/* text_character reads one character of UTF-8 at *at and moves on; UINT32_MAX, and nothing moves, where there is none. */
uint32_t text_character(const char **at);
/* text_is_label: valid UTF-8 of at most 256 characters, without controls. */
bool text_is_label(const char *text);
/* text_is_url: a scheme, a colon and something after it, of at most TEXT_URL_MAX characters of visible ASCII. */
bool text_is_url(const char *text);
/* text_unescape decodes %XX (and with `plus` also "+" as a space) into `ret`, which has len + 1 bytes or more.
 * false for a broken escape or a NUL. */
bool text_unescape(const char *text, size_t len, bool plus, char *ret);
/* text_copy copies a text that fits into `room` bytes with its NUL. */
void text_copy(char *ret, size_t room, const char *text);
/* text_show copies what can be shown in an error's sentence: other bytes become "?", long texts are cut. Returns `ret`.
 */
const char *text_show(const char *text, char ret[TEXT_SHOWN]);

#endif
