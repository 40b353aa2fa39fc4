/* SPDX-License-Identifier: MIT */
#include "crash_vfs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define NAMES_MAX 16

/* A write, or (data NULL) a truncation to `at`, that no sync has followed. */
struct change {
	size_t at, size;
	unsigned char *data;
};

/* A file, under whatever name. */
struct node {
	unsigned char *bytes; /* what the disk has for sure */
	size_t size;
	struct change *changes;
	size_t count, room;
	struct node *next;
};

struct name {
	char *path;
	struct node *now, *synced; /* NULL: there is none of that name */
};

struct shim {
	sqlite3_file base;
	struct node *node; /* NULL: a file without a name */
	bool is_database;
	bool syncs_folder; /* "unix" does with the first sync of a WAL or journal opened with CREATE, new or not */
	sqlite3_file *real;
};

/* Of the loop thread and the committer: one holds the mutex. */
static struct {
	pthread_mutex_t mutex;
	sqlite3_vfs *unix_vfs;
	struct node *nodes;
	struct name names[NAMES_MAX];
	size_t name_count;
	uint64_t random;
	uint64_t countdown;
	bool dead;
	enum crash_fault fault;
	struct crash_counts counts;
} disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void lock(void)
{
	pthread_mutex_lock(&disk.mutex);
}

static void unlock(void)
{
	pthread_mutex_unlock(&disk.mutex);
}

static uint64_t dice(uint64_t sides)
{
	disk.random = disk.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (disk.random >> 33) % sides;
}

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- what the disk has ---- */

static struct node *node_create(void)
{
	struct node *node = must(calloc(1, sizeof(*node)));

	node->next = disk.nodes;
	disk.nodes = node;
	return node;
}

static void changes_clear(struct node *node)
{
	for (size_t i = 0; i < node->count; i++)
		free(node->changes[i].data);
	free(node->changes);
	node->changes = NULL;
	node->count = node->room = 0;
}

static void change_add(struct node *node, size_t at, const void *data, size_t size)
{
	struct change *change;

	if (node->count == node->room) {
		node->room = node->room ? node->room * 2 : 16;
		node->changes = must(reallocarray(node->changes, node->room, sizeof(*node->changes)));
	}
	change = &node->changes[node->count++];
	*change = (struct change){.at = at, .size = size};
	if (data)
		change->data = memcpy(must(malloc(size)), data, size);
}

static void resize(struct node *node, size_t size)
{
	node->bytes = must(realloc(node->bytes, size + 1));
	if (size > node->size)
		memset(node->bytes + node->size, 0, size - node->size);
	node->size = size;
}

static void apply_part(struct node *node, const struct change *change, size_t from, size_t to)
{
	if (change->at + to > node->size)
		resize(node, change->at + to);
	memcpy(node->bytes + change->at + from, change->data + from, to - from);
}

static void apply(struct node *node, const struct change *change)
{
	if (change->data)
		apply_part(node, change, 0, change->size);
	else
		resize(node, change->at);
}

static void node_sync(struct node *node)
{
	for (size_t i = 0; i < node->count; i++)
		apply(node, &node->changes[i]);
	changes_clear(node);
}

static void count_outcome(bool some_kept, bool some_dropped)
{
	disk.counts.torn += some_kept && some_dropped;
	disk.counts.kept += some_kept && !some_dropped;
	disk.counts.dropped += !some_kept;
}

/* Sectors of one write come to the disk in any order, or not. */
static void tear(struct node *node, const struct change *change)
{
	bool some_kept = false, some_dropped = false;

	for (size_t from = 0, to; from < change->size; from = to) {
		to = from + SECTOR - (change->at + from) % SECTOR;
		if (to > change->size)
			to = change->size;
		if (dice(2) > 0) {
			apply_part(node, change, from, to);
			some_kept = true;
		} else {
			some_dropped = true;
		}
	}
	count_outcome(some_kept, some_dropped);
}

/*
 * node_settle leaves to chance what was not synced. An older write that came and a newer one to the same place that did
 * not is all that another order on the way to the disk can leave.
 */
static void node_settle(struct node *node)
{
	static const enum { NOTHING, ALL, SOME, PARTS, FIRST } ways[] = {NOTHING, ALL, SOME, PARTS, PARTS, PARTS, FIRST};
	int way = ways[dice(sizeof(ways) / sizeof(ways[0]))];
	size_t first = way == FIRST ? dice(node->count + 1) : 0;

	for (size_t i = 0; i < node->count; i++) {
		bool keeps = way == ALL || (way == FIRST && i < first) || ((way == SOME || way == PARTS) && dice(2) > 0);

		if (way == PARTS && node->changes[i].data) {
			tear(node, &node->changes[i]);
			continue;
		}
		if (keeps)
			apply(node, &node->changes[i]);
		count_outcome(keeps, !keeps);
	}
	changes_clear(node);
}

/* ---- names ---- */

static struct name *name_of(const char *path)
{
	for (size_t i = 0; i < disk.name_count; i++)
		if (strcmp(disk.names[i].path, path) == 0)
			return &disk.names[i];
	assert(disk.name_count < NAMES_MAX);
	disk.names[disk.name_count].path = must(strdup(path));
	return &disk.names[disk.name_count++];
}

static void names_sync(void)
{
	for (size_t i = 0; i < disk.name_count; i++)
		disk.names[i].synced = disk.names[i].now;
}

/* ---- the power, and faults ---- */

static enum crash_place place_of(const struct shim *f, enum crash_place otherwise)
{
	return f->is_database ? CRASH_CHECKPOINT : otherwise;
}

/* is_cut tells whether the power is gone, by this operation at the latest. */
static bool is_cut(enum crash_place place)
{
	if (!disk.dead && disk.countdown > 0 && --disk.countdown == 0) {
		disk.dead = true;
		disk.counts.places[place]++;
	}
	return disk.dead;
}

static bool has_fault(enum crash_fault fault)
{
	if (disk.fault != fault)
		return false;
	disk.counts.faults[fault]++;
	return true;
}

/* ---- files ---- */

static struct shim *of(sqlite3_file *file)
{
	return (struct shim *)file;
}

static int file_close(sqlite3_file *file)
{
	return of(file)->real->pMethods->xClose(of(file)->real);
}

static int file_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at)
{
	return crash_is_dead() ? SQLITE_IOERR_READ : of(file)->real->pMethods->xRead(of(file)->real, bytes, size, at);
}

static int write_through(struct shim *f, const void *bytes, int size, sqlite3_int64 at)
{
	if (f->node)
		change_add(f->node, (size_t)at, bytes, (size_t)size);
	return f->real->pMethods->xWrite(f->real, bytes, size, at);
}

/* A write that fails may have come half the way, and so has the one during which the power went. */
static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
	struct shim *f = of(file);
	bool was_dead;
	int code;

	lock();
	was_dead = disk.dead;
	if (is_cut(place_of(f, CRASH_WRITE)))
		code = SQLITE_IOERR_WRITE;
	else if (has_fault(CRASH_WRITE_FAILS))
		code = SQLITE_IOERR_WRITE;
	else if (has_fault(CRASH_DISK_FULL))
		code = SQLITE_FULL;
	else
		code = SQLITE_OK;
	if (code == SQLITE_OK)
		code = write_through(f, bytes, size, at);
	else if (!was_dead && dice(2) > 0)
		(void)write_through(f, bytes, 1 + (int)dice((uint64_t)size), at);
	unlock();
	return code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct shim *f = of(file);
	int code = SQLITE_IOERR_TRUNCATE;

	lock();
	if (!is_cut(CRASH_CHECKPOINT)) {
		if (f->node)
			change_add(f->node, (size_t)size, NULL, 0);
		code = f->real->pMethods->xTruncate(f->real, size);
	}
	unlock();
	return code;
}

/* A sync that fails leaves the pages clean: the next one does not write them again. */
static int file_sync(sqlite3_file *file, int flags)
{
	struct shim *f = of(file);
	int code = SQLITE_IOERR_FSYNC;

	(void)flags;
	lock();
	if (is_cut(place_of(f, CRASH_SYNC))) {
		;
	} else if (has_fault(CRASH_SYNC_FAILS)) {
		if (f->node)
			node_settle(f->node);
	} else {
		if (f->node)
			node_sync(f->node);
		if (f->syncs_folder)
			names_sync();
		f->syncs_folder = false;
		code = SQLITE_OK;
	}
	unlock();
	return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	return crash_is_dead() ? SQLITE_IOERR_FSTAT : of(file)->real->pMethods->xFileSize(of(file)->real, ret_size);
}

/* Locks go on after a crash: the next process of this test is this process. */
static int file_lock(sqlite3_file *file, int level)
{
	return of(file)->real->pMethods->xLock(of(file)->real, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}

static int file_is_reserved(sqlite3_file *file, int *ret)
{
	return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, ret);
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
	return of(file)->real->pMethods->xFileControl(of(file)->real, operation, argument);
}

static int file_sector_size(sqlite3_file *file)
{
	return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int file_characteristics(sqlite3_file *file)
{
	return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real);
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
	return of(file)->real->pMethods->xShmMap(of(file)->real, page, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return of(file)->real->pMethods->xShmLock(of(file)->real, offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
	of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int file_shm_unmap(sqlite3_file *file, int removes)
{
	return of(file)->real->pMethods->xShmUnmap(of(file)->real, removes);
}

/* Version 2: without xFetch, so that nothing of a file is read or written past us. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static void track(struct shim *f, const char *path, int flags)
{
	struct name *name = name_of(path);

	f->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
	f->syncs_folder = (flags & SQLITE_OPEN_CREATE) != 0 && !f->is_database;
	if (!name->now)
		name->now = node_create();
	f->node = name->now;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
	struct shim *f = of(file);
	int code = SQLITE_CANTOPEN;

	(void)vfs;
	*f = (struct shim){.real = (sqlite3_file *)(f + 1)};
	lock();
	if (!disk.dead)
		code = disk.unix_vfs->xOpen(disk.unix_vfs, path, f->real, flags, ret_flags);
	if (code == SQLITE_OK && path)
		track(f, path, flags);
	if (code == SQLITE_OK)
		f->base.pMethods = &methods;
	unlock();
	return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs_folder)
{
	int code = SQLITE_IOERR_DELETE;

	(void)vfs;
	lock();
	if (!is_cut(CRASH_NAME)) {
		code = disk.unix_vfs->xDelete(disk.unix_vfs, path, syncs_folder);
		if (code == SQLITE_OK)
			name_of(path)->now = NULL;
		if (code == SQLITE_OK && syncs_folder)
			names_sync();
	}
	unlock();
	return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	(void)vfs;
	return crash_is_dead() ? SQLITE_IOERR_ACCESS : disk.unix_vfs->xAccess(disk.unix_vfs, path, flags, ret);
}

/* ---- names that the product gives and takes ---- */

int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_fsync(int descriptor);

int __wrap_rename(const char *from, const char *to)
{
	int result = -1;

	lock();
	if (is_cut(CRASH_NAME))
		errno = EIO;
	else
		result = __real_rename(from, to);
	if (result == 0) {
		name_of(to)->now = name_of(from)->now;
		name_of(from)->now = NULL;
	}
	unlock();
	return result;
}

int __wrap_unlink(const char *path)
{
	int result = -1;

	lock();
	if (is_cut(CRASH_NAME))
		errno = EIO;
	else
		result = __real_unlink(path);
	if (result == 0)
		name_of(path)->now = NULL;
	unlock();
	return result;
}

/* The product itself syncs nothing but folders. */
int __wrap_fsync(int descriptor)
{
	bool is_synced;

	(void)descriptor;
	lock();
	is_synced = !is_cut(CRASH_SYNC);
	if (is_synced)
		names_sync();
	else
		errno = EIO;
	unlock();
	return is_synced ? 0 : -1;
}

/* ---- what the test does ---- */

void crash_vfs_init(uint64_t seed)
{
	static sqlite3_vfs vfs;

	disk.unix_vfs = sqlite3_vfs_find("unix");
	disk.random = seed;
	vfs = *disk.unix_vfs;
	vfs.zName = "crash";
	vfs.szOsFile += (int)sizeof(struct shim);
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	vfs.xAccess = vfs_access;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

struct crash_counts crash_counts(void)
{
	return disk.counts;
}

void crash_after(uint64_t operations)
{
	lock();
	disk.countdown = operations;
	unlock();
}

void crash_now(enum crash_place where)
{
	lock();
	if (!disk.dead)
		disk.counts.places[where]++;
	disk.dead = true;
	unlock();
}

bool crash_is_dead(void)
{
	bool dead;

	lock();
	dead = disk.dead;
	unlock();
	return dead;
}

void crash_fault(enum crash_fault fault)
{
	lock();
	disk.fault = fault;
	unlock();
}

static void write_whole(const char *path, const struct node *node)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (file < 0 || write(file, node->bytes, node->size) != (ssize_t)node->size)
		abort();
	close(file);
}

/* name_settle leaves to chance which of two the name stands for, when the folder was not synced since. */
static void name_settle(struct name *name)
{
	char shm[4096];

	if (name->now != name->synced && dice(2) > 0) {
		disk.counts.forgotten += name->synced == NULL;
		disk.counts.back += name->now == NULL;
		name->now = name->synced;
	}
	name->synced = name->now;
	if (name->now)
		write_whole(name->path, name->now);
	else
		(void)__real_unlink(name->path);
	(void)snprintf(shm, sizeof(shm), "%s-shm", name->path);
	(void)__real_unlink(shm);
}

static bool has_name(const struct node *node)
{
	for (size_t i = 0; i < disk.name_count; i++)
		if (disk.names[i].now == node)
			return true;
	return false;
}

static void drop_nameless(void)
{
	struct node *node, **link = &disk.nodes;

	while ((node = *link) != NULL) {
		if (has_name(node)) {
			link = &node->next;
			continue;
		}
		*link = node->next;
		changes_clear(node);
		free(node->bytes);
		free(node);
	}
}

void crash_restart(void)
{
	lock();
	assert(disk.dead);
	for (struct node *node = disk.nodes; node; node = node->next)
		node_settle(node);
	for (size_t i = 0; i < disk.name_count; i++)
		name_settle(&disk.names[i]);
	drop_nameless();
	disk.dead = false;
	disk.countdown = 0;
	disk.fault = CRASH_NO_FAULT;
	unlock();
}

void crash_forget(void)
{
	lock();
	for (size_t i = 0; i < disk.name_count; i++)
		free(disk.names[i].path);
	memset(disk.names, 0, sizeof(disk.names));
	disk.name_count = 0;
	drop_nameless();
	unlock();
}
