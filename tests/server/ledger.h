/* SPDX-License-Identifier: MIT */
/*
 * The ledger of a test that kills the server: every acquire that was asked for, what was told of it, and the check that
 * a server which was started again still keeps to all of it. An acquire is known by its label, the number of its entry.
 */
#ifndef FAIRSHARED_TESTS_SERVER_LEDGER_H
#define FAIRSHARED_TESTS_SERVER_LEDGER_H

#include "harness.h"

#define LEDGER_SLOTS 24

enum entry_state {
	ENTRY_OPEN,	   /* asked for; there may be a place or a lease that nobody was told of */
	ENTRY_HELD,	   /* told to be granted, and its end was not asked for: it must be there */
	ENTRY_LEFT,	   /* its end was asked for, or its client is gone: it may be there, and then runs out */
	ENTRY_NOTHING, /* told that there is neither place nor lease */
};

struct entry {
	enum entry_state state;
	bool keyed;
	bool told_end; /* its end was answered */
	bool loose;	   /* left while an older request may still be read: that one begins anew */
	unsigned tenant;
	unsigned ttl, new_ttl;		   /* seconds as told; asked for and not told yet, 0: nothing */
	unsigned asked_ttl;			   /* in the acquire */
	char id[32];				   /* "" until it is known */
	json_int_t slot, token, floor; /* the token is larger than floor: those told before it was asked for */
};

struct ledger {
	struct entry *entries;
	size_t count, room;
	size_t holder[LEDGER_SLOTS]; /* the entry that holds the slot, plus one */
	json_int_t last_token;
	bool drained;	 /* the last server left by itself: whatever was told is written, ends too */
	size_t returned; /* leases that a restart brought back for nobody */
};

/* ledger_add begins an entry; its number is also the label of the acquire. */
size_t ledger_add(struct ledger *ledger, bool keyed, unsigned tenant, unsigned ttl);
/* ledger_granted takes in a 201: the first one of an entry, or the same once more. */
void ledger_granted(struct ledger *ledger, size_t number, const json_t *lease);
/* ledger_leave: from now on its slot may be another's. */
void ledger_leave(struct ledger *ledger, size_t number);
/* ledger_check asks a server that was launched at that time, and gives back what is there for nobody. */
void ledger_check(struct ledger *ledger, struct server *server, uint64_t launched_ms);
/* ledger_check_tokens: no two leases have the same. */
void ledger_check_tokens(const struct ledger *ledger);
void ledger_fini(struct ledger *ledger);

/* The body of an acquire, the same each time but for the wait. */
int ledger_body(const struct ledger *ledger, size_t number, double wait, char *text, size_t size);

#endif
