/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include <string.h>

#define CUT 64

size_t nearest_distance(const char *from, const char *to)
{
	size_t from_len = strnlen(from, CUT), to_len = strnlen(to, CUT);
	size_t row[CUT + 1];

	for (size_t j = 0; j <= to_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= from_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= to_len; j++) {
			size_t replaced = diagonal + (from[i - 1] != to[j - 1]);
			size_t best = row[j - 1] < row[j] ? row[j - 1] + 1 : row[j] + 1;

			diagonal = row[j];
			row[j] = replaced < best ? replaced : best;
		}
	}
	return row[to_len];
}
