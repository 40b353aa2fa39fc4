/* SPDX-License-Identifier: MIT */
/*
 * What policies do with the same arrivals, in simulated time: a plain semaphore (first come first served, by its head)
 * beside the core, which is called directly and told what time it is. All is by value, and the same in every run.
 */
#ifndef FAIRSHARE_BENCH_FAIRNESS_H
#define FAIRSHARE_BENCH_FAIRNESS_H

#include "fair.h"

#define TENANTS_MAX 16
#define SECOND UINT64_C(1000000000)
#define MEAN_HOLD SECOND		 /* of one slot, in all scenarios */
#define WINDOW (100 * MEAN_HOLD) /* over which Jain's index is taken */

enum policy { POLICY_FIFO, POLICY_EQUAL, POLICY_MAX_MIN, POLICIES };

struct asker {
	const char *name;
	bool greedy;					 /* waits of the greedy have columns of their own */
	uint32_t weight, reserved_slots; /* max-min only: in thousandths, and slots; 0: 1000, none */
};

enum arrival_kind { ARRIVAL_REQUEST, ARRIVAL_COMES, ARRIVAL_GOES };

struct arrival {
	uint64_t at, hold;
	enum arrival_kind kind; /* a request; or its tenant registers, or unregisters, and is refused */
	uint32_t tenant, slots, number;
	bool crashes; /* its holder is never heard of again: it expires after `hold` */
};

struct scenario {
	const char *name, *what;
	uint32_t max_slots, num_tenants;
	struct asker tenants[TENANTS_MAX];
	bool demands_always;	  /* two tenants or more, without a pause */
	uint64_t slot_rest, end;  /* nothing is looked at from `end` on */
	struct arrival *arrivals; /* by time */
	uint32_t num_arrivals;
};

/* scenario_make makes scenario i; false past the last. The caller frees it. */
bool scenario_make(uint32_t i, struct scenario *ret);
/* scenario_alone makes of one tenant's arrivals a scenario of their own, over so many slots. The caller frees it. */
struct scenario scenario_alone(const struct scenario *s, uint32_t tenant, uint32_t max_slots);
void scenario_free(struct scenario *s);

/* A moment: all between two things that happen is the same. */
struct moment {
	uint64_t from, to;
	uint32_t active[TENANTS_MAX], waiting[TENANTS_MAX]; /* slots, requests */
	uint32_t first_slots[TENANTS_MAX];					/* that the first request of each waits for; 0: none waits */
	uint32_t resting, saved;
};

struct wait {
	uint32_t tenant;
	uint64_t ns; /* of what waits at the end still: until then */
};

/* play plays a scenario, telling of every moment in the order of time; *ret_waits is freed by the caller. */
typedef void moment_seen(const struct scenario *s, const struct moment *m, void *context);
void play(const struct scenario *s, enum policy policy, moment_seen *seen, void *context, struct wait **ret_waits,
		  uint32_t *ret_num_waits);

/* What is measured; shares of time and slots are of the time in which somebody waited. */
struct figures {
	double utilisation;				 /* of the usable slots: NAN where nobody ever waited */
	double reserved, saved, resting; /* of all slots */
	double jain;					 /* NAN: never two tenants that demanded through a whole window */
	double small_p50, small_p99, greedy_p50, greedy_p99; /* seconds, NAN: none */
	double tenant_p99[TENANTS_MAX];
};

struct figures measure(const struct scenario *s, enum policy policy);

/* plot writes slots over time as SVG; false when the file cannot be written. */
bool plot(const char *path, const struct scenario *s, uint64_t end);

extern const char *const policy_names[POLICIES];

#endif
