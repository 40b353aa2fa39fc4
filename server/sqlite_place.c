/* SPDX-License-Identifier: MIT */
/* Where the file of the SQLite store lies: its folders, its one name, its lock. Nothing here knows what is in it. */
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool sqlite_place_sync(const char *path, char error[STORE_ERROR_MAX])
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = folder >= 0 && fsync(folder) == 0;

	if (!ok)
		sqlite_fail_system(error, "cannot sync the folder", path);
	if (folder >= 0)
		close(folder);
	return ok;
}

/* make_folder makes one folder and its name durable; one that exists is as good. */
static bool make_folder(const char *path, char *error)
{
	char *parent;
	bool ok;

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST || sqlite_fail_system(error, "cannot make the folder", path);
	parent = sqlite_place_folder(path, error);
	ok = parent && sqlite_place_sync(parent, error);
	free(parent);
	return ok;
}

bool sqlite_place_make(const char *path, char error[STORE_ERROR_MAX])
{
	char *folder = strdup(path);
	bool ok = true;

	if (!folder)
		return sqlite_fail_memory(error);
	for (char *slash = folder; ok && (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
		*slash = '\0';
		ok = make_folder(folder, error);
	}
	free(folder);
	return ok;
}

char *sqlite_place_folder(const char *path, char error[STORE_ERROR_MAX])
{
	const char *slash = strrchr(path, '/');
	char *folder;

	if (!slash)
		folder = strdup(".");
	else
		folder = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	if (!folder)
		sqlite_fail_memory(error);
	return folder;
}

/* resolve_new resolves the name of a file that is not there yet. */
static bool resolve_new(struct sqlite_file *file, const char *path, char *error)
{
	const char *slash = strrchr(path, '/');
	char *given = sqlite_place_folder(path, error), *folder = given ? realpath(given, NULL) : NULL;
	struct stat status;

	if (given && !folder) {
		sqlite_fail_system(error, "cannot use the folder of", path);
	} else if (given && lstat(path, &status) == 0) {
		sqlite_fail(error, "%s is a symbolic link to nothing: make what it points to, or remove it", path);
	} else if (given &&
			   asprintf(&file->path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, slash ? slash + 1 : path) < 0) {
		file->path = NULL;
		sqlite_fail_memory(error);
	}
	free(given);
	free(folder);
	return file->path != NULL;
}

/* With a second name the file could have a second lock and a second WAL. */
static bool is_only_name(const char *path, char *error)
{
	struct stat status;

	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return sqlite_fail(error, "%s is not a regular file: name another file", path);
	return status.st_nlink <= 1 ||
		   sqlite_fail(error, "%s has another name, too (a hard link), by which another server could use it: remove that one",
					   path);
}

bool sqlite_place_find(struct sqlite_file *file, const char *path, char error[STORE_ERROR_MAX])
{
	size_t length = strlen(path);
	struct stat status;

	if (length == 0)
		return sqlite_fail(error, "the store names no file: write sqlite:PATH");
	if (path[length - 1] == '/' || (stat(path, &status) == 0 && S_ISDIR(status.st_mode)))
		return sqlite_fail(error, "%s is a folder: name a file in it", path);
	file->path = realpath(path, NULL);
	if (file->path)
		return is_only_name(file->path, error);
	return errno == ENOENT ? resolve_new(file, path, error) : sqlite_fail_system(error, "cannot use", path);
}

char *sqlite_place_beside(const struct sqlite_file *file, const char *suffix, char error[STORE_ERROR_MAX])
{
	char *name;

	if (asprintf(&name, "%s%s", file->path, suffix) >= 0)
		return name;
	sqlite_fail_memory(error);
	return NULL;
}

static bool lock_alone(int fd, const struct sqlite_file *file, char *error)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return sqlite_fail(error, "%s is in use by another server: stop that one, or give this one its own with --store sqlite:PATH",
						   file->path);
	return sqlite_fail_system(error, "cannot lock", file->path);
}

/* The lock beside the file stays when the server ends; the kernel lets go of it even for kill -9. */
bool sqlite_place_lock(struct sqlite_file *file, char error[STORE_ERROR_MAX])
{
	char *name = sqlite_place_beside(file, "-lock", error);

	if (!name)
		return false;
	file->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->lock < 0)
		sqlite_fail(error, "cannot make or open %s: %s; the server must be able to write in the folder of its store",
					name, strerror(errno));
	free(name);
	return file->lock >= 0 && lock_alone(file->lock, file, error);
}

/*
 * SQLite locks the file with POSIX locks, and those of a whole process go when any descriptor of the file is closed: this
 * one is closed after SQLite's.
 */
bool sqlite_place_keep(struct sqlite_file *file, char error[STORE_ERROR_MAX])
{
	file->kept = open(file->path, O_RDONLY | O_CLOEXEC);
	if (file->kept < 0)
		return sqlite_fail_system(error, "cannot open", file->path);
	return lock_alone(file->kept, file, error);
}
