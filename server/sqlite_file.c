/* SPDX-License-Identifier: MIT */
/*
 * The file of the SQLite store: verified, made, migrated, opened. Whatever is refused is left as it is, to the
 * byte: the header is read before SQLite sees the file, and closing writes nothing before all is verified.
 */
#include "sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 1000			  /* how long somebody with a shell may be waited for */
#define WAL_KEPT_BYTES "16777216" /* a longer WAL is cut down after a checkpoint */

/* The header of a database file, as SQLite documents it: numbers are big-endian. */
#define HEADER_MAGIC "SQLite format 3" /* with its NUL */
#define HEADER_VERSION 60
#define HEADER_APPLICATION 68
#define HEADER_SIZE 100

/*
 * steps[n] makes version n + 1 of version n, within one transaction; version 0 is an empty file with our application
 * id. A step that was released is never changed. States and reasons are text, for people look inside.
 */
static const char *const steps[] = {
	"CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE pools(name TEXT NOT NULL PRIMARY KEY, max_slots INTEGER NOT NULL, min_share INTEGER NOT NULL,"
	" max_waiting INTEGER NOT NULL, tenant_max_waiting INTEGER NOT NULL, share_calculator TEXT NOT NULL,"
	" configured INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE tenants(pool TEXT NOT NULL, tenant TEXT NOT NULL, number INTEGER NOT NULL, closing INTEGER NOT NULL,"
	" automatic INTEGER NOT NULL, anonymous INTEGER NOT NULL, revoke_below INTEGER NOT NULL,"
	" instances TEXT NOT NULL, PRIMARY KEY(pool, tenant)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE leases(number INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, pool TEXT NOT NULL,"
	" tenant TEXT NOT NULL, label TEXT NOT NULL, key BLOB, state TEXT NOT NULL, reason TEXT NOT NULL,"
	" slots INTEGER NOT NULL, slot_ids TEXT NOT NULL, fencing_token INTEGER NOT NULL, ttl_ns INTEGER NOT NULL,"
	" asked_ttl_ns INTEGER NOT NULL, arrived_ns INTEGER NOT NULL, granted_ns INTEGER NOT NULL,"
	" ended_ns INTEGER NOT NULL) STRICT;"
	"CREATE VIEW holding AS SELECT pool, tenant, slot_ids, label,"
	" datetime(granted_ns / 1000000000, 'unixepoch') AS since, ttl_ns / 1e9 AS ttl_seconds, fencing_token"
	" FROM leases WHERE state = 'active' ORDER BY pool, tenant, number;"
	"CREATE VIEW waiting AS SELECT pool, tenant, label, datetime(arrived_ns / 1000000000, 'unixepoch') AS since"
	" FROM leases WHERE state = 'pending' ORDER BY pool, number;",

	"ALTER TABLE pools ADD COLUMN policy TEXT NOT NULL DEFAULT 'equal';"
	"ALTER TABLE pools ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE pools ADD COLUMN cordoned TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE pools ADD COLUMN slot_rest_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE pools ADD COLUMN max_lease_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE pools ADD COLUMN pass_over_ns INTEGER NOT NULL DEFAULT 5000000000;"
	"ALTER TABLE pools ADD COLUMN priority_step_ns INTEGER NOT NULL DEFAULT 30000000000;"
	"ALTER TABLE pools ADD COLUMN slot_urls TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE tenants ADD COLUMN weight INTEGER NOT NULL DEFAULT 1000;"
	"ALTER TABLE tenants ADD COLUMN reserved_slots INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tenants ADD COLUMN max_slots INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tenants ADD COLUMN max_waiting INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE leases ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE leases ADD COLUMN max_lease_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE leases ADD COLUMN max_ns INTEGER NOT NULL DEFAULT 0;",
};

static_assert(sizeof(steps) / sizeof(steps[0]) == STORE_VERSION, "there is a step for every version");

/* ---- errors, statements ---- */

bool sqlite_fail(char error[STORE_ERROR_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(error, STORE_ERROR_MAX, format, arguments);
	va_end(arguments);
	return false;
}

bool sqlite_fail_memory(char error[STORE_ERROR_MAX])
{
	return sqlite_fail(error, "out of memory");
}

bool sqlite_fail_system(char error[STORE_ERROR_MAX], const char *what, const char *path)
{
	return sqlite_fail(error, "%s %s: %s", what, path, strerror(errno));
}

static bool fail_corrupt(const struct sqlite_file *file, const char *what, char *error)
{
	return sqlite_fail(error, "%s is corrupt (%s): restore a backup, or move the file away to begin with nothing",
					   file->path, what);
}

bool sqlite_error(const struct sqlite_file *file, char error[STORE_ERROR_MAX])
{
	int code = sqlite3_errcode(file->db) & 0xff; /* the rest tells where it was met */
	int system = sqlite3_system_errno(file->db);
	bool has_errno = (code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && system != 0;

	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return fail_corrupt(file, sqlite3_errmsg(file->db), error);
	if (code == SQLITE_FULL || (has_errno && system == ENOSPC))
		return sqlite_fail(error, "%s: the disk is full: make room on it", file->path);
	if (has_errno)
		return sqlite_fail(error, "%s: %s (%s)", file->path, sqlite3_errmsg(file->db), strerror(system));
	return sqlite_fail(error, "%s: %s", file->path, sqlite3_errmsg(file->db));
}

sqlite3_stmt *sqlite_file_prepare(const struct sqlite_file *file, const char *sql, char error[STORE_ERROR_MAX])
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v3(file->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) == SQLITE_OK)
		return statement;
	sqlite_error(file, error);
	return NULL;
}

bool sqlite_file_exec(const struct sqlite_file *file, const char *sql, char error[STORE_ERROR_MAX])
{
	return sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK || sqlite_error(file, error);
}

bool sqlite_file_number(const struct sqlite_file *file, const char *sql, uint64_t *ret, char error[STORE_ERROR_MAX])
{
	sqlite3_stmt *statement = sqlite_file_prepare(file, sql, error);
	int code = statement ? sqlite3_step(statement) : SQLITE_ERROR;

	if (code == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(statement, 0);
	else if (code == SQLITE_DONE)
		*ret = 0;
	else if (statement)
		sqlite_error(file, error);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE;
}

bool sqlite_file_verify(const struct sqlite_file *file, const char *pragma, char error[STORE_ERROR_MAX])
{
	sqlite3_stmt *statement = sqlite_file_prepare(file, pragma, error);
	bool ok = false;

	if (!statement)
		return false;
	if (sqlite3_step(statement) != SQLITE_ROW) {
		sqlite_error(file, error);
	} else {
		const char *answer = (const char *)sqlite3_column_text(statement, 0);

		ok = answer && (strcmp(answer, "ok") == 0 || fail_corrupt(file, answer, error));
	}
	sqlite3_finalize(statement);
	return ok;
}

/* ---- verifying ---- */

static uint32_t header_number(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool verify_identity(const struct sqlite_file *file, uint64_t application, uint64_t version, char *error)
{
	if (application != STORE_APPLICATION_ID)
		return sqlite_fail(error,
						   "%s is the database of another application (application_id 0x%08x): name another file",
						   file->path, (unsigned)application);
	if (version > STORE_VERSION)
		return sqlite_fail(
			error,
			"%s was written by a newer fairshared (stored form %u, this one knows up to %d): run that one, "
			"or restore an older backup",
			file->path, (unsigned)version, STORE_VERSION);
	return true;
}

/* verify_header looks at the file before SQLite does. Its descriptor is closed while SQLite has no locks yet. */
static bool verify_header(const struct sqlite_file *file, bool *ret_new, char *error)
{
	int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char header[HEADER_SIZE];
	ssize_t size;

	*ret_new = descriptor < 0 && errno == ENOENT;
	if (*ret_new)
		return true;
	if (descriptor < 0)
		return sqlite_fail_system(error, "cannot open", file->path);
	size = pread(descriptor, header, sizeof(header), 0);
	close(descriptor);
	if (size < 0)
		return sqlite_fail_system(error, "cannot read", file->path);
	*ret_new = size == 0;
	if (*ret_new)
		return true;
	if (size < HEADER_SIZE || memcmp(header, HEADER_MAGIC, sizeof(HEADER_MAGIC)) != 0)
		return sqlite_fail(error, "%s is not a SQLite database: name another file, or move this one away", file->path);
	return verify_identity(file, header_number(header + HEADER_APPLICATION), header_number(header + HEADER_VERSION),
						   error);
}

static bool connect(struct sqlite_file *file, const char *path, int flags, char *error)
{
	/* One thread at a time has the connection: it needs no mutex of its own. */
	if (sqlite3_open_v2(path, &file->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
		return sqlite_error(file, error);
	sqlite3_busy_timeout(file->db, BUSY_MS);
	/* Until all is verified. */
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return sqlite_file_exec(
		file, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY", error);
}

/* verify asks SQLite too, as the newest header may still lie in the WAL. */
static bool verify(const struct sqlite_file *file, const char *pragma, char *error)
{
	uint64_t application, version;

	return sqlite_file_number(file, "PRAGMA application_id", &application, error) &&
		   sqlite_file_number(file, "PRAGMA user_version", &version, error) &&
		   verify_identity(file, application, version, error) && sqlite_file_verify(file, pragma, error);
}

/* ---- making, migrating ---- */

static bool migrate(const struct sqlite_file *file, char *error)
{
	uint64_t version;
	char set_version[64];
	bool ok;

	if (!sqlite_file_number(file, "PRAGMA user_version", &version, error))
		return false;
	if (version == STORE_VERSION)
		return true;
	ok = sqlite_file_exec(file, "BEGIN IMMEDIATE", error);
	for (; ok && version < STORE_VERSION; version++)
		ok = sqlite_file_exec(file, steps[version], error);
	(void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d; COMMIT", STORE_VERSION);
	return ok && sqlite_file_exec(file, set_version, error);
}

static bool configure(const struct sqlite_file *file, enum store_durability durability, char *error)
{
	/* In the WAL mode nothing but this pragma's answer tells that it failed. */
	sqlite3_stmt *statement = sqlite_file_prepare(file, "PRAGMA journal_mode = WAL", error);
	bool is_wal = false;

	if (!statement)
		return false;
	if (sqlite3_step(statement) == SQLITE_ROW)
		is_wal = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0 ||
				 sqlite_fail(error, "%s cannot have a WAL: the folder must be on a local disk", file->path);
	else
		sqlite_error(file, error);
	sqlite3_finalize(statement);
	return is_wal && sqlite_file_exec(file, "PRAGMA journal_size_limit = " WAL_KEPT_BYTES, error) &&
		   sqlite_file_exec(
			   file, durability == STORE_FULL ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", error);
}

static void disconnect(struct sqlite_file *file)
{
	int code = sqlite3_close(file->db);

	assert(code == SQLITE_OK); /* else a statement was not finalized */
	file->db = NULL;
}

/* A WAL or journal without its file is what is left of somebody's state; SQLite would play it into a new file. */
static bool refuse_leftovers(const struct sqlite_file *file, char *error)
{
	static const char *const suffixes[] = {"-wal", "-journal"};
	bool ok = true;

	for (size_t i = 0; ok && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char *name = sqlite_place_beside(file, suffixes[i], error);
		struct stat status;

		ok = name && (stat(name, &status) != 0 || status.st_size == 0 ||
					  sqlite_fail(error, "%s is there, but %s is missing or empty: restore that, or move both away",
								  name, file->path));
		free(name);
	}
	return ok;
}

/* remove_unfinished removes what a crash left while a file was being made. */
static bool remove_unfinished(const struct sqlite_file *file, char *error)
{
	static const char *const suffixes[] = {"-new", "-new-journal"};
	bool ok = true;

	for (size_t i = 0; ok && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char *name = sqlite_place_beside(file, suffixes[i], error);

		ok = name && (unlink(name) == 0 || errno == ENOENT || sqlite_fail_system(error, "cannot remove", name));
		free(name);
	}
	return ok;
}

static bool fill_new(struct sqlite_file *file, const char *name, char *error)
{
	int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char set_application[64];
	bool ok;

	if (descriptor < 0)
		return sqlite_fail_system(error, "cannot make", name);
	close(descriptor);
	(void)snprintf(set_application, sizeof(set_application), "PRAGMA application_id = %d", STORE_APPLICATION_ID);
	ok = connect(file, name, SQLITE_OPEN_READWRITE, error) && sqlite_file_exec(file, set_application, error) &&
		 migrate(file, error);
	disconnect(file);
	return ok;
}

/* create makes the file under another name first: one with the right name always has its header and tables. */
static bool create(struct sqlite_file *file, char *error)
{
	char *name, *folder;
	bool ok;

	if (!refuse_leftovers(file, error) || !remove_unfinished(file, error))
		return false;
	name = sqlite_place_beside(file, "-new", error);
	folder = sqlite_place_folder(file->path, error);
	ok = name && folder && fill_new(file, name, error) &&
		 (rename(name, file->path) == 0 || sqlite_fail_system(error, "cannot make", file->path)) &&
		 sqlite_place_sync(folder, error);
	free(name);
	free(folder);
	return ok;
}

/* ---- opening, closing ---- */

static bool open_whole(struct sqlite_file *file, enum store_durability durability, char *error)
{
	if (!connect(file, file->path, SQLITE_OPEN_READWRITE, error))
		return false;
	if (sqlite3_db_readonly(file->db, "main") == 1)
		return sqlite_fail(error, "%s cannot be written by this user: give it to the user of the server", file->path);
	if (!verify(file, "PRAGMA quick_check(1)", error) || !migrate(file, error) || !configure(file, durability, error))
		return false;
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return true;
}

bool sqlite_file_open(struct sqlite_file *file, const char *path, enum store_durability durability,
					  char error[STORE_ERROR_MAX])
{
	bool is_new;

	*file = (struct sqlite_file){.lock = -1, .kept = -1};
	if (sqlite_place_make(path, error) && sqlite_place_find(file, path, error) && sqlite_place_lock(file, error) &&
		verify_header(file, &is_new, error) && (!is_new || create(file, error)) && sqlite_place_keep(file, error) &&
		open_whole(file, durability, error))
		return true;
	sqlite_file_close(file);
	return false;
}

/* look_at_copy migrates a copy in memory: the file is only read. */
static bool look_at_copy(struct sqlite_file *file, char *error)
{
	sqlite3 *copy = NULL;
	sqlite3_backup *backup = NULL;
	int code = sqlite3_open_v2(":memory:", &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (code == SQLITE_OK)
		backup = sqlite3_backup_init(copy, "main", file->db, "main");
	if (backup) {
		sqlite3_backup_step(backup, -1);
		code = sqlite3_backup_finish(backup);
	}
	if (!backup || code != SQLITE_OK) {
		sqlite_fail(error, "%s cannot be copied into memory: %s", file->path, sqlite3_errmsg(copy));
		sqlite3_close(copy);
		return false;
	}
	disconnect(file);
	file->db = copy;
	return migrate(file, error);
}

bool sqlite_file_look(struct sqlite_file *file, const char *path, char error[STORE_ERROR_MAX])
{
	bool is_new;

	*file = (struct sqlite_file){.lock = -1, .kept = -1};
	if (sqlite_place_find(file, path, error) && verify_header(file, &is_new, error) &&
		(!is_new || sqlite_fail(error, "%s is missing or empty", file->path)) &&
		connect(file, file->path, SQLITE_OPEN_READONLY, error) && verify(file, "PRAGMA integrity_check(1)", error) &&
		sqlite_file_number(file, "PRAGMA user_version", &file->version, error) &&
		(file->version == STORE_VERSION || look_at_copy(file, error)))
		return true;
	sqlite_file_close(file);
	return false;
}

void sqlite_file_close(struct sqlite_file *file)
{
	disconnect(file);
	if (file->kept >= 0)
		close(file->kept);
	if (file->lock >= 0)
		close(file->lock);
	free(file->path);
	*file = (struct sqlite_file){.lock = -1, .kept = -1};
}
