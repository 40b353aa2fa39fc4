/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "fairness.h"

struct sums {
	double active, idle, all, reserved, saved, resting; /* slots x time in which somebody waited */
	uint64_t window_end;
	bool demands[TENANTS_MAX]; /* through the whole window, so far */
	double held[TENANTS_MAX];  /* in it, by weight */
	double jain;
	uint32_t num_windows;
};

static uint32_t weight_of(const struct asker *a)
{
	return a->weight ? a->weight : 1000;
}

/* ---- Jain's index ---- */

static void window_over(struct sums *sum, uint32_t num_tenants)
{
	double all = 0, squares = 0;
	uint32_t n = 0;

	for (uint32_t t = 0; t < num_tenants; t++) {
		if (sum->demands[t]) {
			all += sum->held[t];
			squares += sum->held[t] * sum->held[t];
			n++;
		}
		sum->demands[t] = true;
		sum->held[t] = 0;
	}
	if (n < 2 || squares == 0)
		return;
	sum->jain += all * all / (n * squares);
	sum->num_windows++;
}

static void window_add(const struct scenario *s, struct sums *sum, const struct moment *m, uint64_t ns)
{
	for (uint32_t t = 0; t < s->num_tenants; t++) {
		sum->demands[t] = sum->demands[t] && m->waiting[t] > 0;
		sum->held[t] += (double)ns * m->active[t] / weight_of(&s->tenants[t]);
	}
}

static void windows(const struct scenario *s, struct sums *sum, const struct moment *m)
{
	uint64_t from = m->from;

	while (m->to >= sum->window_end) {
		window_add(s, sum, m, sum->window_end - from);
		window_over(sum, s->num_tenants);
		from = sum->window_end;
		sum->window_end += WINDOW;
	}
	window_add(s, sum, m, m->to - from);
}

/* ---- what idles ---- */

static uint32_t kept_for(const struct scenario *s, const struct moment *m, uint32_t tenant, bool reserves)
{
	uint32_t reserved = reserves ? s->tenants[tenant].reserved_slots : 0;

	return reserved > m->active[tenant] ? reserved - m->active[tenant] : 0;
}

/* Of the free slots: those that somebody who waits could take, were it not for the policy. */
static uint32_t idle_slots(const struct scenario *s, const struct moment *m, uint32_t usable, bool reserves)
{
	uint32_t most = 0, reserved = 0;

	for (uint32_t t = 0; t < s->num_tenants; t++)
		reserved += kept_for(s, m, t, reserves);
	for (uint32_t t = 0; t < s->num_tenants; t++) {
		uint32_t others = reserved - kept_for(s, m, t, reserves);
		uint32_t may_take = usable > others ? usable - others : 0;

		if (m->first_slots[t] > 0 && m->first_slots[t] <= may_take && may_take > most)
			most = may_take;
	}
	return most;
}

struct watch {
	struct sums sum;
	bool reserves;
};

static void seen(const struct scenario *s, const struct moment *m, void *context)
{
	struct watch *w = context;
	uint32_t active = 0, waiting = 0, kept = 0, free_slots;
	double ns = (double)(m->to - m->from);

	windows(s, &w->sum, m);
	for (uint32_t t = 0; t < s->num_tenants; t++) {
		active += m->active[t];
		waiting += m->waiting[t];
		kept += kept_for(s, m, t, w->reserves);
	}
	if (waiting == 0)
		return;
	if (active + m->resting + m->saved > s->max_slots)
		abort();
	free_slots = s->max_slots - active - m->resting - m->saved;
	w->sum.active += ns * active;
	w->sum.idle += ns * idle_slots(s, m, free_slots, w->reserves);
	w->sum.all += ns * s->max_slots;
	w->sum.reserved += ns * (kept < free_slots ? kept : free_slots);
	w->sum.saved += ns * m->saved;
	w->sum.resting += ns * m->resting;
}

/* ---- waits ---- */

static int by_length(const void *a, const void *b)
{
	const struct wait *left = a, *right = b;

	return (left->ns > right->ns) - (left->ns < right->ns);
}

/* The wait that so many of those picked do not exceed; they are in order. */
static double quantile(const struct scenario *s, const struct wait *waits, uint32_t count, double part, int tenant,
					   bool greedy)
{
	double *picked = calloc(count + 1, sizeof(*picked)), value = NAN;
	uint32_t n = 0;

	if (!picked)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		if (tenant >= 0 ? waits[i].tenant == (uint32_t)tenant : s->tenants[waits[i].tenant].greedy == greedy)
			picked[n++] = (double)waits[i].ns / (double)SECOND;
	}
	if (n > 0)
		value = picked[(uint32_t)ceil(part * n) - 1];
	free(picked);
	return value;
}

struct figures measure(const struct scenario *s, enum policy policy)
{
	struct watch w = {.sum.window_end = WINDOW, .reserves = policy == POLICY_MAX_MIN};
	struct sums *sum = &w.sum;
	struct figures f;
	struct wait *waits;
	uint32_t count;

	for (uint32_t t = 0; t < s->num_tenants; t++)
		sum->demands[t] = true;
	play(s, policy, seen, &w, &waits, &count);
	qsort(waits, count, sizeof(*waits), by_length);
	f.utilisation = sum->all > 0 ? sum->active / (sum->active + sum->idle) : NAN;
	f.reserved = sum->reserved / sum->all;
	f.saved = sum->saved / sum->all;
	f.resting = sum->resting / sum->all;
	f.jain = sum->num_windows > 0 ? sum->jain / sum->num_windows : NAN;
	f.small_p50 = quantile(s, waits, count, 0.5, -1, false);
	f.small_p99 = quantile(s, waits, count, 0.99, -1, false);
	f.greedy_p50 = quantile(s, waits, count, 0.5, -1, true);
	f.greedy_p99 = quantile(s, waits, count, 0.99, -1, true);
	for (uint32_t t = 0; t < s->num_tenants; t++)
		f.tenant_p99[t] = quantile(s, waits, count, 0.99, (int)t, false);
	free(waits);
	return f;
}
