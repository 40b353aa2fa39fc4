/* SPDX-License-Identifier: MIT */
/*
 * The row "cost" of the table of faults_test.c. Work is counted, never timed: the core is compiled once more for this
 * test, so that the compiler calls __sanitizer_cov_trace_pc() in every basic block (the straight pieces between
 * branches) that runs. Loops are made of these, so that a scan shows, on any machine in the same way.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fair.h"

#define ROUNDS 2000

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void)
{
	blocks++;
}

struct line {
	struct fair *fair;
	uint32_t tenants;
	uint64_t number; /* of the last lease */
};

static void drain(struct line *line)
{
	struct fair_event e;

	while (fair_next_event(line->fair, &e))
		;
}

static struct line line_of(uint32_t tenants)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {
		.pool = "p", .max_slots = 30000, .min_share = 1, .max_waiting = 10, .tenant_max_waiting = 10};
	struct line line = {.tenants = tenants};
	bool created;

	config.ended_max = 1000;
	line.fair = fair_create(&config);
	cr_assert(line.fair);
	cr_assert_eq(fair_pool_add(line.fair, &pool), FAIR_OK);
	for (uint32_t t = 0; t < tenants; t++) {
		char name[16];

		snprintf(name, sizeof(name), "t%" PRIu32, t);
		cr_assert_eq(fair_register(line.fair, 0, "p", name, NULL, &created), FAIR_OK);
		drain(&line);
	}
	return line;
}

/* blocks_a_round counts what an acquire and its release cost on average. */
static uint64_t blocks_a_round(struct line *line)
{
	uint64_t before = blocks;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		char name[16];
		struct fair_acquired got;
		uint64_t id[2] = {++line->number * UINT64_C(0x9e3779b97f4a7c15), line->number};
		struct fair_request r = {.pool = "p", .tenant = name, .label = "", .ttl_ns = 1000, .wait = true};

		snprintf(name, sizeof(name), "t%" PRIu64, line->number * 7919 % line->tenants);
		memcpy(r.id.bytes, id, sizeof(id));
		cr_assert_eq(fair_acquire(line->fair, 0, &r, &got), FAIR_OK);
		cr_assert_eq(fair_release(line->fair, 0, &r.id), FAIR_OK);
		drain(line);
	}
	return (blocks - before) / ROUNDS;
}

/* "5 us with 10 tenants, 226 us with 10 000 (scans all tenants)": 45 times. Deeper trees add a fifth here, a scan 10
 * 000. */
Test(faults, the_cost_of_an_acquire_and_its_release_does_not_grow_with_the_tenants)
{
	struct line few = line_of(10), many = line_of(10000);
	uint64_t of_few, of_many;

	/* Once before, so that the memory of ended leases is full in both. */
	blocks_a_round(&few);
	blocks_a_round(&many);
	of_few = blocks_a_round(&few);
	of_many = blocks_a_round(&many);
	cr_assert_gt(of_few, 50, "the core is not counted");
	cr_assert_lt(of_many, 2 * of_few, "%" PRIu64 " basic blocks with 10 tenants, %" PRIu64 " with 10 000", of_few,
				 of_many);
	fair_destroy(few.fair);
	fair_destroy(many.fair);
}

/* One tenant holds all slots and every other waits: each of its heartbeats asks whether the lease is to be given back. */
static uint64_t blocks_a_look(uint32_t tenants)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {
		.pool = "p", .max_slots = tenants, .min_share = 1, .max_waiting = tenants, .tenant_max_waiting = 10};
	struct line line = {.fair = fair_create(&config), .tenants = tenants};
	struct fair_id first = {{0}}, last = {{0}};
	struct fair_lease_view view;
	struct fair_place place;
	uint64_t before;

	cr_assert_eq(fair_pool_add(line.fair, &pool), FAIR_OK);
	for (uint32_t i = 0; i < 2 * tenants; i++) {
		char name[16];
		struct fair_acquired got;
		struct fair_request r = {
			.pool = "p", .tenant = name, .label = "", .ttl_ns = 1000, .wait = true, .auto_register = true};
		uint64_t id[2] = {++line.number * UINT64_C(0x9e3779b97f4a7c15), line.number};

		snprintf(name, sizeof(name), "t%" PRIu32, i < tenants ? 0 : i);
		memcpy(r.id.bytes, id, sizeof(id));
		cr_assert_eq(fair_acquire(line.fair, 0, &r, &got), FAIR_OK);
		drain(&line);
		if (i == tenants - 1)
			first = r.id;
		last = r.id;
	}
	before = blocks;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		cr_assert_eq(fair_heartbeat(line.fair, 0, &first, 0), FAIR_OK);
		cr_assert_eq(fair_lease_place(line.fair, &last, &place), FAIR_OK);
	}
	before = blocks - before;
	cr_assert_eq(fair_lease_get(line.fair, 0, &first, &view), FAIR_OK);
	cr_assert_eq(view.reclaim_ns, 1000);
	cr_assert_eq(place.ahead, tenants - 1);
	fair_destroy(line.fair);
	return before / ROUNDS;
}

Test(faults, the_cost_of_a_heartbeat_and_a_place_does_not_grow_with_the_tenants)
{
	uint64_t of_few = blocks_a_look(10), of_many = blocks_a_look(10000);

	cr_assert_gt(of_few, 50, "the core is not counted");
	/* The logarithm of 10 000 is four times that of 10. */
	cr_assert_leq(of_many, 4 * of_few, "%" PRIu64 " basic blocks with 10 tenants, %" PRIu64 " with 10 000", of_few, of_many);
}

#define SHARE 60

static bool share_of_all(uint32_t max_slots, uint32_t num_demanding, void *context, uint64_t *ret)
{
	(void)max_slots;
	(void)num_demanding;
	(void)context;
	*ret = SHARE;
	return true;
}

static void ask(struct line *line, uint32_t tenant, uint32_t slots, struct fair_id *ret)
{
	char name[16];
	struct fair_acquired got;
	uint64_t id[2] = {++line->number * UINT64_C(0x9e3779b97f4a7c15), line->number};
	struct fair_request r = {
		.pool = "p", .tenant = name, .label = "", .ttl_ns = 1000, .slots = slots, .wait = true, .auto_register = true};

	snprintf(name, sizeof(name), "t%" PRIu32, tenant);
	memcpy(r.id.bytes, id, sizeof(id));
	cr_assert_eq(fair_acquire(line->fair, 0, &r, &got), FAIR_OK);
	drain(line);
	*ret = r.id;
}

/*
 * Each tenant holds some slots of a full pool and asks for more, half of them for more than their share lets them have.
 * A slot is given back that only the youngest can take: it passes over all those that want more than that.
 */
static uint64_t blocks_of_passing_over(uint32_t tenants, bool one_size)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {.pool = "p",
									.max_slots = 1,
									.min_share = 1,
									.max_waiting = UINT32_MAX,
									.tenant_max_waiting = UINT32_MAX,
									.pass_over_ns = 500,
									.calculator = share_of_all};
	struct line line = {.fair = fair_create(&config), .tenants = tenants};
	struct fair_id last, youngest;
	struct fair_lease_view view;
	uint64_t before;

	for (uint32_t t = 0; t < tenants; t++)
		pool.max_slots += 1 + t * 7919 % (SHARE - 1);
	cr_assert_eq(fair_pool_add(line.fair, &pool), FAIR_OK);
	for (uint32_t t = 0; t < tenants; t++)
		ask(&line, t, 1 + t * 7919 % (SHARE - 1), &last);
	ask(&line, tenants, 1, &last);
	for (uint32_t t = 0; t < tenants; t++)
		ask(&line, t, one_size ? SHARE / 2 : 2 + t / (SHARE - 1) * 7907 % (SHARE - 1), &youngest);
	ask(&line, tenants + 1, 1, &youngest);
	before = blocks;
	cr_assert_eq(fair_release(line.fair, 0, &last), FAIR_OK);
	while (fair_next_deadline(line.fair) == 0)
		fair_advance(line.fair, 0, 256);
	before = blocks - before;
	cr_assert_eq(fair_lease_get(line.fair, 0, &youngest, &view), FAIR_OK);
	cr_assert_eq(view.state, FAIR_ACTIVE);
	cr_assert_eq(fair_next_deadline(line.fair), 500, "nobody was passed over");
	fair_destroy(line.fair);
	return before;
}

Test(faults, the_cost_of_passing_over_requests_of_many_sizes_is_that_of_one_size)
{
	uint64_t of_one = blocks_of_passing_over(10000, true), of_many = blocks_of_passing_over(10000, false);

	cr_assert_gt(of_one, 50, "the core is not counted");
	cr_assert_lt(of_many, 2 * of_one, "%" PRIu64 " basic blocks with requests of one size, %" PRIu64 " with many", of_one,
				 of_many);
}
