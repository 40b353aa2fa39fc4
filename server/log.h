/* SPDX-License-Identifier: MIT */
/*
 * The log on standard error: JSON lines {"ts", "level", "msg", fields...}, or text for people. One thread writes it.
 */
#ifndef FAIRSHARED_LOG_H
#define FAIRSHARED_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT };

/* One field of a line: a text, or a number where text is NULL. */
struct log_field {
	const char *name;
	const char *text;
	double number;
};

/* log_setup says what is written, and how; LOG_AUTO is text on a terminal, JSON otherwise. */
void log_setup(enum log_level level, enum log_format format);

/* log_wants tells whether lines of this level are written: to spare the work of making one that is not. */
bool log_wants(enum log_level level);

/* log_write writes one line with its fields, if its level is wanted. A line that is too long is cut to its message. */
void log_write(enum log_level level, const char *message, const struct log_field *fields, unsigned count);

/* log_say writes a line without fields; log_text one with a single text. */
void log_say(enum log_level level, const char *message);
void log_text(enum log_level level, const char *message, const char *name, const char *text);

/* log_plain writes a line as it is, whatever level and format are. */
void log_plain(const char *line);

#endif
