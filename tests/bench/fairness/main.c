/* SPDX-License-Identifier: MIT */
/*
 * bench_fairness [--svg FILE]: one table of what the policies do with the same arrivals, as it stands in the README,
 * and whether max-min meets its goals: 1 when it misses one.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairness.h"

#define LEAST_JAIN 0.99
#define PLOTTED (60 * SECOND)

const char *const policy_names[POLICIES] = {"fifo", "equal", "max-min"};

static bool missed;

static void goal(const struct scenario *s, const char *what, double value, double least, double most)
{
	if (isnan(value) || (value >= least && value <= most))
		return;
	printf("MISSED %s: %s is %.4f\n", s->name, what, value);
	missed = true;
}

static void cell(double value, int digits, const char *unit)
{
	if (isnan(value))
		printf(" - |");
	else
		printf(" %.*f%s |", digits, value, unit);
}

static void row(const struct scenario *s, enum policy policy, const struct figures *f)
{
	printf("| %s | %s |", policy == POLICY_FIFO ? s->name : "", policy_names[policy]);
	cell(f->utilisation, 3, "");
	cell(100 * f->reserved, 1, " %");
	cell(100 * f->saved, 1, " %");
	cell(100 * f->resting, 1, " %");
	cell(f->jain, 3, "");
	cell(f->small_p50, 2, "");
	cell(f->small_p99, 2, "");
	cell(f->greedy_p50, 1, "");
	cell(f->greedy_p99, 1, "");
	printf("\n");
}

/*
 * A small tenant's p99 wait under greed: at most the larger of one mean hold and twice its p99 wait alone on a pool of
 * exactly its share with the same arrivals.
 */
static void small_beside_greed(const struct scenario *s, const struct figures *f)
{
	double worst = 0, alone_least = INFINITY;

	for (uint32_t t = 0; t < s->num_tenants; t++) {
		if (s->tenants[t].greedy)
			continue;

		struct scenario alone = scenario_alone(s, t, s->max_slots / s->num_tenants);
		double alone_p99 = measure(&alone, POLICY_MAX_MIN).tenant_p99[0];

		scenario_free(&alone);
		goal(s, "the p99 wait of a small tenant", f->tenant_p99[t], 0, fmax((double)MEAN_HOLD / SECOND, 2 * alone_p99));
		worst = fmax(worst, f->tenant_p99[t]);
		alone_least = fmin(alone_least, alone_p99);
	}
	printf("\n%s: the largest p99 wait of a small tenant is %.2f s; alone on its share of the pool, each has at least "
		   "%.2f s\n",
		   s->name, worst, alone_least);
}

static void goals(const struct scenario *s, const struct figures *f)
{
	goal(s, "utilisation", f->utilisation, 1, 1);
	if (s->demands_always)
		goal(s, "Jain's index", f->jain, LEAST_JAIN, 1);
}

int main(int argc, char **argv)
{
	const char *svg = argc == 3 && strcmp(argv[1], "--svg") == 0 ? argv[2] : NULL;
	struct scenario s, greed = {0};
	struct figures under_greed;

	if (argc > 1 && !svg) {
		fprintf(stderr, "usage: bench_fairness [--svg FILE]\n");
		return 2;
	}
	printf(
		"| arrivals | policy | utilisation | reserved | saved | resting | Jain | small p50 | p99 | greedy p50 | p99 |\n"
		"|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (uint32_t i = 0; scenario_make(i, &s); i++) {
		struct figures f;

		for (int policy = 0; policy < POLICIES; policy++) {
			f = measure(&s, (enum policy)policy);
			row(&s, (enum policy)policy, &f);
		}
		goals(&s, &f);
		if (strcmp(s.name, "greed") == 0) {
			greed = s;
			under_greed = f;
		} else {
			scenario_free(&s);
		}
	}
	small_beside_greed(&greed, &under_greed);
	if (svg && !plot(svg, &greed, PLOTTED)) {
		perror(svg);
		return 2;
	}
	scenario_free(&greed);
	return missed;
}
