/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "fairness.h"

#define ARRIVALS_MAX 100000
#define MINUTE (60 * SECOND)

static uint64_t random_state;

static uint64_t random64(void)
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Within (0, 1]. */
static double uniform(void)
{
	return (double)((random64() >> 11) + 1) * 0x1p-53;
}

static double exponential(double mean)
{
	return -mean * log(uniform());
}

/* Its mean is 1.5 times its least, and its variance has no end; a hundredth is above 6 times the mean. */
static double pareto(double mean)
{
	double value = mean / 3 / pow(uniform(), 1 / 1.5);

	return value < 100 * mean ? value : 100 * mean;
}

static struct arrival *add(struct scenario *s, uint32_t tenant, double at, double hold, uint32_t slots)
{
	struct arrival *a = &s->arrivals[s->num_arrivals++];

	if (s->num_arrivals == ARRIVALS_MAX)
		abort();
	*a = (struct arrival){
		.at = (uint64_t)(at * (double)SECOND), .tenant = tenant, .slots = slots, .number = s->num_arrivals};
	a->hold = (uint64_t)(hold * (double)MEAN_HOLD) + 1;
	return a;
}

static void add_tenant(struct scenario *s, struct asker a)
{
	s->tenants[s->num_tenants++] = a;
}

/* Requests that know nothing of each other: so many a second, from one second to another. */
static void poisson(struct scenario *s, uint32_t tenant, double rate, double from, double to, uint32_t slots,
					double (*hold)(double mean))
{
	for (double at = from + exponential(1 / rate); at < to; at += exponential(1 / rate))
		add(s, tenant, at, hold(1), slots);
}

static void make_steady(struct scenario *s)
{
	s->name = "steady";
	s->what = "3 tenants, each 3 requests a second: 90 % of the slots";
	s->end = 20 * MINUTE;
	for (uint32_t t = 0; t < 3; t++)
		poisson(s, t, 3, 0, 1200, 1, exponential);
	s->num_tenants = 3;
}

static void make_overload(struct scenario *s)
{
	s->name = "overload";
	s->what = "4 tenants, each asks for 6 slots all the time";
	s->end = 20 * MINUTE;
	s->demands_always = true;
	for (uint32_t t = 0; t < 4; t++)
		poisson(s, t, 6, 0, 1200, 1, exponential);
	s->num_tenants = 4;
}

static void make_bursts(struct scenario *s)
{
	s->name = "bursts";
	s->what = "5 tenants take turns to send 100 requests at once, every 12 seconds";
	s->end = 20 * MINUTE;
	for (uint32_t burst = 0; burst < 100; burst++) {
		for (uint32_t i = 0; i < 100; i++)
			add(s, burst % 5, 12 * burst, exponential(1), 1);
	}
	s->num_tenants = 5;
}

static void make_greed(struct scenario *s)
{
	s->name = "greed";
	s->what = "one sends 1 000 requests at once, every 200 seconds; nine small ones one every 2 seconds";
	s->end = 20 * MINUTE;
	add_tenant(s, (struct asker){.name = "greedy", .greedy = true});
	for (uint32_t round = 0; round < 6; round++) {
		for (uint32_t i = 0; i < 1000; i++)
			add(s, 0, 10 + 200 * round, exponential(1), 1);
	}
	for (uint32_t t = 1; t < 10; t++)
		poisson(s, t, 0.5, 0, 1200, 1, exponential);
	s->num_tenants = 10;
}

static void make_heavy(struct scenario *s)
{
	s->name = "heavy tails";
	s->what = "5 tenants at 80 % of the slots; most holds are short, few are 100 times the mean";
	s->end = 20 * MINUTE;
	for (uint32_t t = 0; t < 5; t++)
		poisson(s, t, 1.6, 0, 1200, 1, pareto);
	s->num_tenants = 5;
}

/* Its requests of the time in which it is there; one in 30 of the clients crashes. */
static void come_and_go(struct scenario *s, uint32_t tenant, double from, double to)
{
	uint32_t first = s->num_arrivals;

	add(s, tenant, from, 0, 0)->kind = ARRIVAL_COMES;
	poisson(s, tenant, 2, from, to, 1, exponential);
	add(s, tenant, to, 0, 0)->kind = ARRIVAL_GOES;
	for (uint32_t i = first; i < s->num_arrivals; i++)
		s->arrivals[i].crashes = s->arrivals[i].kind == ARRIVAL_REQUEST && random64() % 30 == 0;
}

static void make_churn(struct scenario *s)
{
	s->name = "come and go";
	s->what = "12 tenants come and go, half of the time there: 120 % of the slots; 1 client of 30 crashes, its slot "
			  "rests 2 seconds";
	s->end = 20 * MINUTE;
	s->slot_rest = 2 * SECOND;
	for (uint32_t t = 0; t < 12; t++) {
		for (double at = exponential(40); at < 1200;) {
			double to = at + exponential(60) + 1;

			come_and_go(s, t, at, to);
			at = to + exponential(60) + 1;
		}
	}
	s->num_tenants = 12;
}

static void make_weights(struct scenario *s)
{
	s->name = "weights 3 to 1";
	s->what = "one of weight 3, two of weight 1; each asks for 7 slots all the time";
	s->end = 20 * MINUTE;
	s->demands_always = true;
	add_tenant(s, (struct asker){.weight = 3000});
	for (uint32_t t = 0; t < 3; t++)
		poisson(s, t, 7, 0, 1200, 1, exponential);
	s->num_tenants = 3;
}

static void make_reserve(struct scenario *s)
{
	s->name = "reserve";
	s->what = "2 slots reserved for one that asks every 2 seconds (the small one), beside three that ask for 10 each "
			  "all the time";
	s->end = 20 * MINUTE;
	s->demands_always = true;
	add_tenant(s, (struct asker){.reserved_slots = 2});
	poisson(s, 0, 0.5, 0, 1200, 1, exponential);
	for (uint32_t t = 1; t < 4; t++) {
		add_tenant(s, (struct asker){.greedy = true});
		poisson(s, t, 10, 0, 1200, 1, exponential);
	}
}

static void make_sizes(struct scenario *s)
{
	s->name = "big and small";
	s->what = "two ask for 4 slots at a time (the greedy ones), four for single ones: 95 % of the slots";
	s->end = 20 * MINUTE;
	for (uint32_t t = 0; t < 2; t++) {
		add_tenant(s, (struct asker){.greedy = true});
		poisson(s, t, 0.4, 0, 1200, 4, exponential);
	}
	for (uint32_t t = 2; t < 6; t++)
		poisson(s, t, 1.575, 0, 1200, 1, exponential);
	s->num_tenants = 6;
}

/* ---- the list ---- */

/* What comes at the same time comes in the order in which it was made. */
static int by_time(const void *a, const void *b)
{
	const struct arrival *left = a, *right = b;

	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

static const char *const names[TENANTS_MAX] = {"t0", "t1", "t2",  "t3",	 "t4",	"t5",  "t6",  "t7",
											   "t8", "t9", "t10", "t11", "t12", "t13", "t14", "t15"};

bool scenario_make(uint32_t i, struct scenario *ret)
{
	static void (*const makers[])(struct scenario * s) = {make_steady,	make_overload, make_bursts,
														  make_greed,	make_heavy,	   make_churn,
														  make_weights, make_reserve,  make_sizes};

	if (i >= sizeof(makers) / sizeof(*makers))
		return false;
	*ret = (struct scenario){.max_slots = 10, .arrivals = calloc(ARRIVALS_MAX, sizeof(*ret->arrivals))};
	if (!ret->arrivals)
		abort();
	random_state = 1 + i;
	makers[i](ret);
	for (uint32_t t = 0; t < ret->num_tenants; t++)
		ret->tenants[t].name = names[t];
	qsort(ret->arrivals, ret->num_arrivals, sizeof(*ret->arrivals), by_time);
	return true;
}

struct scenario scenario_alone(const struct scenario *s, uint32_t tenant, uint32_t max_slots)
{
	struct scenario alone = {.name = s->name, .max_slots = max_slots, .num_tenants = 1, .end = s->end};

	alone.tenants[0] = (struct asker){.name = s->tenants[tenant].name};
	alone.arrivals = calloc(s->num_arrivals, sizeof(*alone.arrivals));
	if (!alone.arrivals)
		abort();
	for (uint32_t i = 0; i < s->num_arrivals; i++) {
		if (s->arrivals[i].tenant != tenant)
			continue;
		alone.arrivals[alone.num_arrivals] = s->arrivals[i];
		alone.arrivals[alone.num_arrivals++].tenant = 0;
	}
	return alone;
}

void scenario_free(struct scenario *s)
{
	free(s->arrivals);
}
