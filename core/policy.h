/* SPDX-License-Identifier: MIT */
/*
 * A policy says whose turn it is and what a tenant's share is. Everything else is the same under every policy: turns.c
 * keeps the first waiters of all tenants in one tree and finds the first turn among those that fit, saves slots for big
 * requests, and keeps reserves and caps.
 *
 * A request *fits* when as many slots as it asks for are usable for it: free, in service, rested, not kept for other
 * tenants by their reserves and not saved for another request. With `room` for what is free less all that is kept, and
 * `need` for what is asked less what is kept for the tenant itself, that is need <= room, whoever asks. Where less is
 * free than is kept (cordons, rests, a debt), nothing is kept against a request within its own tenant's reserve: it
 * fits when need <= 0 and its slots are free.
 */
#ifndef FAIRSHARE_POLICY_H
#define FAIRSHARE_POLICY_H

#include "state.h"

struct policy {
	/*
	 * Fills in l's turn, the first waiter of its tenant which holds `active` slots: all but number and need. The limit
	 * is l->slots before; a policy that keeps reserves leaves it so.
	 */
	void (*turn)(const struct pool *p, const struct tenant *t, const struct lease *l, uint32_t active,
				 struct turn *ret);
	/* Turns with a larger limit may not be granted now. */
	uint32_t (*limit)(const struct pool *p);
	/* What a tenant may have, or is worth, in slots. */
	uint32_t (*share)(const struct pool *p, const struct tenant *t);
	/* Something that shares are worked out from has changed. */
	void (*changed)(struct fair *f, struct pool *p);
	/* Does a slice of what is to be worked out; false when nothing is left. */
	bool (*work)(struct fair *f, struct pool *p);
	/* When work() has something to do at the latest; FAIR_NEVER: nothing, or it has begun. */
	uint64_t (*deadline)(const struct pool *p);
	/* Frees what work() has begun. */
	void (*stop)(struct fair *f, struct pool *p);
};

extern const struct policy policy_equal, policy_max_min;

const struct policy *policy_of(const struct pool *p);

#endif
