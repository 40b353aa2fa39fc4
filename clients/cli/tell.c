/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

void complain(const char *format, ...)
{
	va_list arguments;

	flockfile(stderr);
	fputs("fairshare: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	funlockfile(stderr);
}

void complain_of(const struct fairshare_error *error)
{
	complain("%s (%s)", error->message, error->code);
}

void no_memory(void)
{
	complain("there is no memory left: free some and try again");
	exit(CODE_FAILED);
}

void print_json(const json_t *json)
{
	if (json_dumpf(json, stdout, JSON_COMPACT) != 0)
		no_memory();
	putchar('\n');
}

bool colours(FILE *file)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fileno(file)) && (no == NULL || no[0] == '\0');
}

void duration_text(double seconds, char text[DURATION_TEXT])
{
	long whole = lround(seconds);

	if (seconds < 9.95)
		snprintf(text, DURATION_TEXT, "%.1fs", seconds < 0 ? 0 : seconds);
	else if (whole < 60)
		snprintf(text, DURATION_TEXT, "%lds", whole);
	else if (whole < 3600)
		snprintf(text, DURATION_TEXT, "%ldm%02lds", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(text, DURATION_TEXT, "%ldh%02ldm", whole / 3600, whole / 60 % 60);
	else
		snprintf(text, DURATION_TEXT, "%ldd%02ldh", whole / 86400, whole / 3600 % 24);
}

/* Within '…' only ' itself means something. */
void shell_quote(FILE *file, const char *text)
{
	fputc('\'', file);
	for (; *text != '\0'; text++)
		if (*text == '\'')
			fputs("'\\''", file);
		else
			fputc(*text, file);
	fputc('\'', file);
}
