/* SPDX-License-Identifier: MIT */
/*
 * What the SQLite store is made of, private to it: the place of the file (sqlite_place.c), the file (sqlite_file.c),
 * its rows (sqlite_read.c), the commits (store_sqlite.c) and the check (sqlite_check.c). The only header of ours that
 * includes <sqlite3.h>.
 */
#ifndef FAIRSHARED_SQLITE_H
#define FAIRSHARED_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store.h"

#define STORE_APPLICATION_ID 0x46414952 /* "FAIR", in the header of the file */

/*
 * The version of the stored form, user_version in the header of the file. Whoever changes the tables or the meaning of
 * a column follows "Changing the stored form" in HACKING.md: a new number, a step in sqlite_file.c, a dump in
 * tests/store.
 */
#define STORE_VERSION 2

struct sqlite_file {
	char *path; /* without symbolic links, so that every name of a file has the same lock */
	int lock;	/* descriptor of PATH-lock, -1: none */
	int kept;	/* descriptor of the file itself, likewise */
	sqlite3 *db;
	uint64_t version; /* of the stored form, as it lay there */
};

/* sqlite_place_make makes the folders of a path that are missing. */
bool sqlite_place_make(const char *path, char error[STORE_ERROR_MAX]);
/* sqlite_place_find sets file->path; the file need not be there, but it is no folder or device. */
bool sqlite_place_find(struct sqlite_file *file, const char *path, char error[STORE_ERROR_MAX]);
/* sqlite_place_lock keeps other servers away, also while there is no file yet. */
bool sqlite_place_lock(struct sqlite_file *file, char error[STORE_ERROR_MAX]);
/* sqlite_place_keep does so once the file is there, whatever becomes of the lock beside it. */
bool sqlite_place_keep(struct sqlite_file *file, char error[STORE_ERROR_MAX]);
/* sqlite_place_beside returns file->path with a suffix, sqlite_place_folder the folder of a path; to be freed. */
char *sqlite_place_beside(const struct sqlite_file *file, const char *suffix, char error[STORE_ERROR_MAX]);
char *sqlite_place_folder(const char *path, char error[STORE_ERROR_MAX]);
/* sqlite_place_sync makes the names in a folder durable. */
bool sqlite_place_sync(const char *folder, char error[STORE_ERROR_MAX]);

/* sqlite_file_open locks, verifies, makes or migrates the file for a server; sqlite_file_look opens it only to read, one of
 * an older form as a copy in memory. */
bool sqlite_file_open(struct sqlite_file *file, const char *path, enum store_durability durability,
					  char error[STORE_ERROR_MAX]);
bool sqlite_file_look(struct sqlite_file *file, const char *path, char error[STORE_ERROR_MAX]);
/* sqlite_file_close also takes what was opened in part. */
void sqlite_file_close(struct sqlite_file *file);

/* sqlite_file_exec runs statements without results. */
bool sqlite_file_exec(const struct sqlite_file *file, const char *sql, char error[STORE_ERROR_MAX]);
/* sqlite_file_number runs a statement that gives one number, 0 when it gives none. */
bool sqlite_file_number(const struct sqlite_file *file, const char *sql, uint64_t *ret, char error[STORE_ERROR_MAX]);
/* sqlite_file_verify runs `pragma`, a check of SQLite's that answers "ok". */
bool sqlite_file_verify(const struct sqlite_file *file, const char *pragma, char error[STORE_ERROR_MAX]);
/* sqlite_file_prepare returns NULL with the reason in error. */
sqlite3_stmt *sqlite_file_prepare(const struct sqlite_file *file, const char *sql, char error[STORE_ERROR_MAX]);

/* sqlite_error writes what SQLite says of its last failure; returns false. */
bool sqlite_error(const struct sqlite_file *file, char error[STORE_ERROR_MAX]);
/* sqlite_fail writes a text as printf does; returns false. */
bool sqlite_fail(char error[STORE_ERROR_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
bool sqlite_fail_memory(char error[STORE_ERROR_MAX]);
/* sqlite_fail_system: "what path: " and what errno says. */
bool sqlite_fail_system(char error[STORE_ERROR_MAX], const char *what, const char *path);

struct sqlite_counts {
	uint64_t tenants, active, places, remembered;
};

/* sqlite_read_pools is store_ops.load_pools. Where `each` returns false so does it, and leaves error alone. */
bool sqlite_read_pools(const struct sqlite_file *file, bool (*each)(void *context, const struct store_pool *pool),
					   void *context, char error[STORE_ERROR_MAX]);
/* sqlite_read_state restores all tenants and leases into a state that has the pools, and counts them. */
bool sqlite_read_state(const struct sqlite_file *file, struct fair *fair, uint64_t now, struct sqlite_counts *ret,
					   char error[STORE_ERROR_MAX]);
bool sqlite_read_token(const struct sqlite_file *file, uint64_t *ret, char error[STORE_ERROR_MAX]);

#endif
