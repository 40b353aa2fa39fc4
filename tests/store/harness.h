/* SPDX-License-Identifier: MIT */
/*
 * The SQLite store on real files in a folder of the test. What it loads is caught on its way into the core (the linker
 * wraps fair_restore_*) and told as text, a line a record, so that whole states are compared as they are.
 */
#ifndef FAIRSHARED_TESTS_STORE_HARNESS_H
#define FAIRSHARED_TESTS_STORE_HARNESS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "store.h"

#define PATH_SIZE 4096

/* A folder of its own for each test, in memory; `folder_fini` removes it with what is in it. */
extern char folder[];
void folder_init(void);
void folder_fini(void);
/* in_folder returns folder/name, good until the fourth call after. */
const char *in_folder(const char *name);

/* store_open fails the test where the store cannot be opened; store_refused returns why it cannot. */
struct store *store_open(const char *path);
const char *store_refused(const char *path);

/* commit_batch commits and waits for the end; false: it failed. */
bool commit_batch(struct store *store, const struct batch *batch);
/* A lease with something in every field, all of it following from its number. */
struct fair_lease_record sample_lease(uint64_t number);
/* commit_lease commits one active lease and `number + 1000` as the next token. */
bool commit_lease(struct store *store, uint64_t number);

/* state_of returns what the store holds, to be freed; the told_* are its lines. `fair` NULL: caught only. */
char *state_of(struct store *store);
char *told_lease(const struct fair_lease_record *record);
char *told_tenant(const struct fair_tenant_record *record);
/* The state of a file, opened and closed again. */
char *state_of_file(const char *path);

/* bytes_of returns a file's content, to be freed; never of a file that this process has open by SQLite. */
char *bytes_of(const char *path, size_t *ret_size);
void write_bytes(const char *path, const void *bytes, size_t size);
bool exists(const char *path);
/* shell runs a command, which must succeed. */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* sql runs statements on a file and closes it. */
void sql(const char *path, const char *statements);
/* in_child runs `play` in a process that ends at once after, as by kill -9. */
void in_child(void (*play)(void));
/* child_requires is the assertion for there: Criterion's are heard in the process of the test only. */
void child_requires(bool condition);

/* mount_small mounts a tmpfs of `bytes` on the folder, for this test alone. */
void mount_small(const char *path, size_t bytes);
/* mount_read_only: no file or folder of the path can be written, until unmount. */
void mount_read_only(const char *path);
void unmount(const char *path);

#endif
