/* SPDX-License-Identifier: MIT */
/* The addresses of a pool's slots: one text with a space between two of them, as file and store have them. */
#ifndef FAIRSHARED_URLS_H
#define FAIRSHARED_URLS_H

#include <stdbool.h>
#include <stdint.h>

#define URLS_SLOT "{slot}" /* stands for the number of a slot, where one address is meant for all */

/* urls_expand makes the addresses of `count` slots of what a configuration says: as many, or one with {slot}. "" for
 * none. To be freed; NULL with *ret_wrong a static text of what is wrong. */
char *urls_expand(const char *text, uint32_t count, const char **ret_wrong);

/* urls_join makes the text of `count` addresses, urls_split takes one apart; to be freed, NULL without memory. */
char *urls_join(const char *const *urls, uint32_t count);
const char **urls_split(const char *text, uint32_t *ret_count);

#endif
