/* SPDX-License-Identifier: MIT */
/*
 * A disk that can be cut off from its power: the default VFS of SQLite, around "unix". Real files hold what the process
 * sees; what would be left of them is kept apart: of a file what was written before its last sync, of a folder the
 * names at its last sync. A crash makes of every write since then, or of each of its sectors, what it likes: it is
 * there or not.
 *
 * The names that the product itself gives and takes (rename, unlink) and its sync of the folder are seen too: the
 * linker wraps them. What is mapped (the -shm) is gone after a crash.
 */
#ifndef FAIRSHARED_TESTS_STORE_CRASH_VFS_H
#define FAIRSHARED_TESTS_STORE_CRASH_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crash_place {
	CRASH_IDLE,		  /* crash_now, nothing under way */
	CRASH_FLIGHT,	  /* crash_now, with a batch at the committer */
	CRASH_WRITE,	  /* in a write to the WAL or a journal */
	CRASH_SYNC,		  /* in a sync of one, or of the folder */
	CRASH_CHECKPOINT, /* in a write to the database, its sync, or what cuts the WAL down */
	CRASH_NAME,		  /* in a rename or delete */
	CRASH_PLACES,
};

enum crash_fault { CRASH_NO_FAULT, CRASH_WRITE_FAILS, CRASH_SYNC_FAILS, CRASH_DISK_FULL, CRASH_FAULTS };

struct crash_counts {
	uint64_t places[CRASH_PLACES];
	uint64_t dropped, kept, torn;  /* writes that were not synced when the power went */
	uint64_t forgotten, back;	   /* names that were made, or taken, in vain */
	uint64_t faults[CRASH_FAULTS]; /* operations that failed */
};

void crash_vfs_init(uint64_t seed);
struct crash_counts crash_counts(void);

/* crash_after: the power goes in the n-th write, sync or rename from now, on whichever thread. 0: not. */
void crash_after(uint64_t operations);
/* crash_now: `where` is counted, unless the power went before. */
void crash_now(enum crash_place where);
/* From when the power goes until crash_restart every operation fails. */
bool crash_is_dead(void);
/* crash_restart makes the files what the crash left of them. None may be open. */
void crash_restart(void);
/* crash_forget lets go of all files: their folder has been removed. */
void crash_forget(void);

/* crash_fault makes operations fail until the next call. A sync that fails has lost what it likes, for good. */
void crash_fault(enum crash_fault fault);

#endif
