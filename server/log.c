/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "clock.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static enum log_level wanted = LOG_INFO;
static bool as_json = true;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* A line being put together; once something did not fit, `full` stays set. */
struct line {
	char bytes[LINE_MAX_BYTES];
	size_t size;
	bool full;
};

void log_setup(enum log_level level, enum log_format format)
{
	wanted = level;
	as_json = format == LOG_JSON || (format == LOG_AUTO && !isatty(STDERR_FILENO));
}

bool log_wants(enum log_level level)
{
	return level <= wanted;
}

static void put(struct line *line, const char *bytes, size_t size)
{
	if (size > sizeof(line->bytes) - line->size) {
		line->full = true;
		return;
	}
	memcpy(line->bytes + line->size, bytes, size);
	line->size += size;
}

static void put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_escape(struct line *line, unsigned unit)
{
	char escaped[16];

	snprintf(escaped, sizeof(escaped), "\\u%04x", unit);
	put_text(line, escaped);
}

/* Whatever a client sent may be in here: controls and what is past ASCII are written as escapes, so a line stays one. A
 * byte that is no part of UTF-8 counts as a character of its own. */
static void put_quoted(struct line *line, const char *text)
{
	put_text(line, "\"");
	while (*text) {
		const char *begin = text;
		uint32_t character = text_character(&text);

		if (character == UINT32_MAX)
			character = (unsigned char)*text++;
		if (character == '"' || character == '\\')
			put_text(line, "\\");
		if (character >= 0x10000) {
			put_escape(line, 0xd7c0 + (character >> 10));
			put_escape(line, 0xdc00 + (character & 0x3ff));
		} else if (character < 0x20 || character >= 0x7f) {
			put_escape(line, character);
		} else {
			put(line, begin, 1);
		}
	}
	put_text(line, "\"");
}

static void put_value(struct line *line, const struct log_field *field)
{
	char number[32];

	if (field->text) {
		put_quoted(line, field->text);
		return;
	}
	snprintf(number, sizeof(number), "%.15g", field->number);
	put_text(line, number);
}

static void put_timestamp(struct line *line)
{
	int64_t wall = clock_wall();
	time_t seconds = (time_t)(wall / 1000);
	struct tm tm;
	char text[48];
	size_t size;

	gmtime_r(&seconds, &tm);
	size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + size, sizeof(text) - size, ".%03dZ", (int)(wall % 1000));
	put_text(line, text);
}

static void put_json(struct line *line, enum log_level level, const char *message, const struct log_field *fields,
					 unsigned count)
{
	put_text(line, "{\"ts\":\"");
	put_timestamp(line);
	put_text(line, "\",\"level\":\"");
	put_text(line, level_names[level]);
	put_text(line, "\",\"msg\":");
	put_quoted(line, message);
	for (unsigned i = 0; i < count; i++) {
		put_text(line, ",");
		put_quoted(line, fields[i].name);
		put_text(line, ":");
		put_value(line, &fields[i]);
	}
	put_text(line, "}\n");
}

static void put_people(struct line *line, enum log_level level, const char *message, const struct log_field *fields,
					   unsigned count)
{
	put_timestamp(line);
	put_text(line, " ");
	put_text(line, level_names[level]);
	put_text(line, ": ");
	put_text(line, message);
	for (unsigned i = 0; i < count; i++) {
		put_text(line, " ");
		put_text(line, fields[i].name);
		put_text(line, "=");
		put_value(line, &fields[i]);
	}
	put_text(line, "\n");
}

/* A log that cannot be written is no reason to stop: there is nobody left to tell. */
static void write_out(const char *bytes, size_t size)
{
	ssize_t ignored = write(STDERR_FILENO, bytes, size);

	(void)ignored;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, unsigned count)
{
	struct line line = {.size = 0};

	if (!log_wants(level))
		return;
	(as_json ? put_json : put_people)(&line, level, message, fields, count);
	if (line.full && count > 0) {
		log_write(level, message, NULL, 0);
		return;
	}
	write_out(line.bytes, line.size);
}

void log_say(enum log_level level, const char *message)
{
	log_write(level, message, NULL, 0);
}

void log_text(enum log_level level, const char *message, const char *name, const char *text)
{
	const struct log_field field = {.name = name, .text = text};

	log_write(level, message, &field, 1);
}

void log_plain(const char *line)
{
	struct line out = {.size = 0};

	put_text(&out, line);
	put_text(&out, "\n");
	write_out(out.bytes, out.size);
}
