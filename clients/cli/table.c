/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

static char *copy(const char *text)
{
	char *copied = strdup(text);

	if (copied == NULL)
		no_memory();
	return copied;
}

/* width answers the columns that text takes on a terminal; its bytes where the locale does not know it. */
static int width(const char *text)
{
	wchar_t wide[512];
	size_t length = mbstowcs(wide, text, sizeof(wide) / sizeof(wide[0]));
	int columns = length == (size_t)-1 ? -1 : wcswidth(wide, length);

	return columns >= 0 ? columns : (int)strlen(text);
}

static char *join(const json_t *array)
{
	char *text = NULL;
	size_t size, i;
	const json_t *value;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		no_memory();
	json_array_foreach(array, i, value)
	{
		fputs(i > 0 ? "," : "", out);
		if (json_is_string(value))
			fputs(json_string_value(value), out);
		else
			fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	}
	fclose(out);
	return text;
}

static char *age(const char *instant)
{
	char text[DURATION_TEXT];
	struct tm tm = {0};

	if (strptime(instant, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return copy(instant);
	duration_text(difftime(time(NULL), timegm(&tm)), text);
	return copy(text);
}

static char *number_text(const json_t *value, const struct column *column)
{
	char text[DURATION_TEXT];

	if (column->kind == COLUMN_SECONDS)
		duration_text(json_number_value(value), text);
	else
		snprintf(text, sizeof(text), "%.15g", json_number_value(value));
	return copy(text);
}

/* cell answers the text of a member, "" where there is none. */
static char *cell(const json_t *row, const struct column *column)
{
	const json_t *value = json_object_get(row, column->member);

	if (json_is_string(value))
		return column->kind == COLUMN_AGE ? age(json_string_value(value)) : copy(json_string_value(value));
	if (json_is_number(value))
		return number_text(value, column);
	if (json_is_array(value))
		return join(value);
	if (json_is_boolean(value))
		return copy(json_is_true(value) ? "yes" : "no");
	return copy("");
}

static void print_cell(const char *text, const struct column *column, int columns, bool last)
{
	int space = columns - width(text);

	if (column->kind != COLUMN_TEXT)
		printf("%*s%s", space, "", text);
	else
		printf("%s%*s", text, last ? 0 : space, "");
	fputs(last ? "\n" : "  ", stdout);
}

/* widest answers the width of a column, 0 where no row has a value. */
static int widest(const json_t *rows, const struct column *column)
{
	int most = 0;
	size_t i;
	const json_t *row;

	json_array_foreach(rows, i, row)
	{
		char *text = cell(row, column);
		int columns = width(text);

		most = columns > most ? columns : most;
		free(text);
	}
	return most > 0 && width(column->title) > most ? width(column->title) : most;
}

static void print_row(const json_t *row, const struct column *columns, const int *widths, size_t count)
{
	size_t last = 0;

	for (size_t i = 0; i < count; i++)
		last = widths[i] > 0 ? i : last;
	for (size_t i = 0; i < count; i++) {
		char *text = row != NULL ? cell(row, &columns[i]) : copy(columns[i].title);

		if (widths[i] > 0)
			print_cell(text, &columns[i], widths[i], i == last);
		free(text);
	}
}

void table_print(const json_t *rows, const struct column *columns, size_t count)
{
	int *widths = calloc(count, sizeof(*widths));
	bool bold = colours(stdout);
	size_t i;
	const json_t *row;

	if (widths == NULL)
		no_memory();
	for (size_t column = 0; column < count; column++)
		widths[column] = widest(rows, &columns[column]);
	if (json_array_size(rows) > 0) {
		fputs(bold ? "\033[1m" : "", stdout);
		print_row(NULL, columns, widths, count);
		fputs(bold ? "\033[0m" : "", stdout);
	}
	json_array_foreach(rows, i, row) print_row(row, columns, widths, count);
	free(widths);
}
