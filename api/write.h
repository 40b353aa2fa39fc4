/* SPDX-License-Identifier: MIT */
/*
 * JSON, written as it is told: one text at a time, by yajl, into memory that the next text uses again. Whoever begins a
 * text finishes it before anything else can be written. A lack of memory shows at write_finish() only.
 */
#ifndef FAIRSHARED_API_WRITE_H
#define FAIRSHARED_API_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer;

/* write_create returns NULL without memory. */
struct writer *write_create(void);
void write_destroy(struct writer *w);

/* `name` is that of the member, NULL in an array and for the outermost value. Texts must be UTF-8. */
void write_object(struct writer *w, const char *name);
void write_object_end(struct writer *w);
void write_array(struct writer *w, const char *name);
void write_array_end(struct writer *w);
void write_string(struct writer *w, const char *name, const char *value);
void write_count(struct writer *w, const char *name, uint64_t value);
void write_integer(struct writer *w, const char *name, int64_t value);
/* write_count_or_null writes null for 0. */
void write_count_or_null(struct writer *w, const char *name, uint64_t value);
/* write_ratio writes count / per_one (a power of ten): whole numbers stay whole, 30 and not 30.0. */
void write_ratio(struct writer *w, const char *name, uint64_t count, uint64_t per_one);
void write_bool(struct writer *w, const char *name, bool value);
void write_null(struct writer *w, const char *name);

/* write_finish returns the text (heap; a line's end closes it, for people at a terminal); NULL without memory. */
char *write_finish(struct writer *w, size_t *ret_len);

#endif
