/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define CUT 64

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Row i of the table of distances: from the first i characters of `name` to each beginning of `known`. */
static void fill_row(const char *name, size_t i, const char *known, size_t known_len, const size_t *before,
					 const size_t *above, size_t *row)
{
	row[0] = i;
	for (size_t j = 1; j <= known_len; j++) {
		row[j] = smaller(smaller(row[j - 1], above[j]) + 1, above[j - 1] + !same(name[i - 1], known[j - 1]));
		if (i > 1 && j > 1 && same(name[i - 1], known[j - 2]) && same(name[i - 2], known[j - 1]))
			row[j] = smaller(row[j], before[j - 2] + 1);
	}
}

size_t nearest_distance(const char *name, const char *known)
{
	size_t name_len = strnlen(name, CUT), known_len = strnlen(known, CUT), least = name_len;
	size_t rows[3][CUT + 1];

	if (strncasecmp(name, known, known_len) == 0)
		return 0;
	for (size_t j = 0; j <= known_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= name_len; i++)
		fill_row(name, i, known, known_len, rows[(i + 1) % 3], rows[(i + 2) % 3], rows[i % 3]);
	for (size_t j = 0; j <= known_len; j++)
		least = smaller(least, rows[name_len % 3][j]);
	return least;
}

bool nearest_is_near(const char *name, const char *known)
{
	return *name != '\0' && nearest_distance(name, known) * 3 <= strnlen(name, CUT);
}
