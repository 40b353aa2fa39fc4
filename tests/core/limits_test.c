/* SPDX-License-Identifier: MIT */
/* The edges: no memory, many instances, bugs of the caller. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fair.h"

/* ---- an allocator whose n-th call fails ---- */

static long allocations_left = -1; /* -1: no end */
static long blocks;

static void *failing_alloc(size_t size, void *context)
{
	void *memory;

	(void)context;
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	memory = malloc(size);
	blocks += memory != NULL;
	return memory;
}

static void counting_free(void *memory, void *context)
{
	(void)context;
	blocks -= memory != NULL;
	free(memory);
}

static struct fair_config failing_config(void)
{
	struct fair_config c = fair_config_default();

	c.alloc = failing_alloc;
	c.free = counting_free;
	return c;
}

static const struct fair_pool_config pool = {
	.pool = "p", .max_slots = 100, .min_share = 1, .max_waiting = 100, .tenant_max_waiting = 100};

static struct fair *created(void)
{
	struct fair_config config = failing_config();
	struct fair *f = NULL;

	for (long n = 0; !f; n++) {
		allocations_left = n;
		f = fair_create(&config);
		cr_assert(f || blocks == 0, "fair_create leaks");
	}
	return f;
}

/* Each failing call must answer NO_MEMORY, pass the check, and tell of nothing. */
#define UNTIL_SUCCESS(call)                                                                                            \
	do {                                                                                                               \
		enum fair_err err = FAIR_E_NO_MEMORY;                                                                          \
		struct fair_event event;                                                                                       \
                                                                                                                       \
		for (long n = 0; err != FAIR_OK; n++) {                                                                        \
			long before = blocks;                                                                                      \
                                                                                                                       \
			allocations_left = n;                                                                                      \
			err = (call);                                                                                              \
			allocations_left = -1;                                                                                     \
			fair_check(f, 0);                                                                                          \
			if (err == FAIR_OK)                                                                                        \
				break;                                                                                                 \
			cr_assert_eq(err, FAIR_E_NO_MEMORY, "%s", fair_err_code(err));                                             \
			cr_assert_leq(blocks, before + 4, "a failing call leaks");                                                 \
			cr_assert_not(fair_next_event(f, &event), "a failing call tells an event");                                \
		}                                                                                                              \
	} while (0)

static void drain(struct fair *f)
{
	struct fair_event e;

	while (fair_next_event(f, &e))
		;
}

Test(memory, each_call_that_finds_none_says_so_and_changes_nothing)
{
	struct fair *f = created();
	struct fair_tenant_view t;
	struct fair_acquired got;
	struct fair_id id;
	bool is_new;

	UNTIL_SUCCESS(fair_pool_add(f, &pool));
	UNTIL_SUCCESS(fair_register(f, 0, "p", "a", NULL, &is_new));
	drain(f);
	UNTIL_SUCCESS(fair_register(f, 0, "p", "a", "p1", &is_new));
	drain(f);
	UNTIL_SUCCESS(fair_register(f, 0, "p", "b", "p1", &is_new));
	cr_assert(is_new);
	drain(f);

	struct fair_request r = {
		.id = {{1}}, .pool = "p", .tenant = "a", .key = "k", .key_len = 1, .label = "l", .ttl_ns = 1000, .wait = true};

	UNTIL_SUCCESS(fair_acquire(f, 0, &r, &got));
	drain(f);
	cr_assert(fair_key_find(f, "p", "a", "k", 1, &id));
	r.id.bytes[0] = 2;
	r.key = NULL;
	UNTIL_SUCCESS(fair_acquire(f, 0, &r, &got));
	drain(f);

	/* Known keys, ends and time take no memory. */
	r.id.bytes[0] = 3;
	r.key = "k";
	allocations_left = 0;
	cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
	cr_assert_eq(fair_heartbeat(f, 0, &got.id, 5), FAIR_OK);
	fair_confirm(f, 0, &got.id);
	fair_detach(f, 0, &got.id, FAIR_DETACH_BROKEN);
	cr_assert_eq(fair_revoke(f, 0, &(struct fair_id){{2}}), FAIR_OK);
	fair_advance(f, 10000, 100);
	fair_check(f, 10000);
	drain(f);
	cr_assert_eq(fair_tenant_get(f, "p", "a", &t), FAIR_OK);
	cr_assert_eq(t.active_slots, 0);
	allocations_left = -1;
	fair_destroy(f);
	cr_assert_eq(blocks, 0, "fair_destroy leaks");
}

/* "FAIR_E_NO_MEMORY (nothing changed)": neither is the tenant there that it would have registered. */
Test(memory, an_acquire_that_finds_none_registers_nobody)
{
	struct fair *f = created();
	struct fair_tenant_view t;
	struct fair_acquired got;
	struct fair_event e;
	struct fair_request r = {.id = {{1}},
							 .pool = "p",
							 .tenant = "new",
							 .key = "k",
							 .key_len = 1,
							 .label = "l",
							 .ttl_ns = 1000,
							 .wait = true,
							 .auto_register = true};
	enum fair_err err = FAIR_E_NO_MEMORY;

	allocations_left = -1;
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	for (long n = 0; err; n++) {
		allocations_left = n;
		err = fair_acquire(f, 0, &r, &got);
		allocations_left = -1;
		fair_check(f, 0);
		if (!err)
			break;
		cr_assert_eq(err, FAIR_E_NO_MEMORY);
		cr_assert_eq(fair_tenant_get(f, "p", "new", &t), FAIR_E_TENANT_NOT_FOUND,
					 "allocation %ld failed and the tenant is there", n);
		cr_assert_not(fair_next_event(f, &e), "allocation %ld failed and an event was told", n);
	}
	fair_destroy(f);
	cr_assert_eq(blocks, 0);
}

Test(memory, runs_out_and_comes_back_while_the_tables_grow)
{
	struct fair *f = created();
	struct fair_acquired got;
	bool is_new;
	uint32_t failures = 0;

	allocations_left = -1;
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	cr_assert_eq(fair_register(f, 0, "p", "a", NULL, &is_new), FAIR_OK);
	for (uint32_t i = 1; i < 60000; i++) {
		uint32_t hash = i * 2654435761u;
		struct fair_request r = {.pool = "p",
								 .tenant = "a",
								 .key = (const char *)&hash,
								 .key_len = sizeof(hash),
								 .label = "",
								 .ttl_ns = 1000,
								 .wait = true};

		memcpy(r.id.bytes, &hash, sizeof(hash));
		allocations_left = i % 7 == 0 ? 0 : i % 11 == 0 ? 1 : 2 + i % 13;
		if (fair_acquire(f, 0, &r, &got) == FAIR_E_NO_MEMORY)
			failures++;
		else
			cr_assert(fair_cancel(f, 0, "p", "a", (const char *)&hash, sizeof(hash)));
		drain(f);
		if (i % 5000 == 0)
			fair_check(f, 0);
	}
	cr_assert_gt(failures, 1000);
	allocations_left = -1;
	fair_destroy(f);
	cr_assert_eq(blocks, 0);
}

/* ---- limits ---- */

static struct fair *plain(void)
{
	struct fair_config config = fair_config_default();
	struct fair *f = fair_create(&config);

	cr_assert(f);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	return f;
}

Test(limits, a_tenant_has_at_most_1000_instances)
{
	struct fair *f = plain();
	bool is_new;
	char name[16];

	for (int i = 0; i < FAIR_INSTANCES_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		cr_assert_eq(fair_register(f, 0, "p", "a", name, &is_new), FAIR_OK);
		drain(f);
	}
	cr_assert_eq(fair_register(f, 0, "p", "a", "one more", &is_new), FAIR_E_TOO_MANY_INSTANCES);
	cr_assert_eq(fair_register(f, 0, "p", "a", "p0", &is_new), FAIR_OK);
	cr_assert_eq(fair_register(f, 0, "p", "a", NULL, &is_new), FAIR_OK);
	fair_check(f, 0);
	fair_destroy(f);
}

Test(limits, the_longest_names_keys_and_labels_pass)
{
	struct fair *f = plain();
	char name[FAIR_NAME_MAX + 1] = "", label[FAIR_LABEL_MAX + 1] = "", key[FAIR_KEY_MAX];
	struct fair_acquired got;
	struct fair_lease_view v;
	bool is_new;

	memset(name, 'n', FAIR_NAME_MAX);
	memset(label, 'l', FAIR_LABEL_MAX);
	memset(key, 0, FAIR_KEY_MAX); /* keys are bytes */

	struct fair_request r = {.id = {{1}},
							 .pool = "p",
							 .tenant = name,
							 .key = key,
							 .key_len = FAIR_KEY_MAX,
							 .label = label,
							 .ttl_ns = 1,
							 .wait = true};

	cr_assert_eq(fair_register(f, 0, "p", name, name, &is_new), FAIR_OK);
	cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
	cr_assert_eq(fair_lease_get(f, 0, &r.id, &v), FAIR_OK);
	cr_assert_str_eq(v.tenant, name);
	cr_assert_str_eq(v.label, label);
	fair_check(f, 0);
	fair_destroy(f);
}

Test(limits, a_pool_of_a_million_slots_grants_each_once)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config big = pool;
	struct fair *f = fair_create(&config);
	struct fair_lease_view v;
	struct fair_acquired got;
	bool is_new;

	cr_assert(f);
	big.max_slots = FAIR_SLOTS_MAX;
	cr_assert_eq(fair_pool_add(f, &big), FAIR_OK);
	cr_assert_eq(fair_register(f, 0, "p", "a", NULL, &is_new), FAIR_OK);
	for (uint32_t i = 0; i < 5000; i++) {
		struct fair_request r = {.pool = "p", .tenant = "a", .label = "", .ttl_ns = 1, .wait = false};
		uint32_t hash = (i + 1) * 2654435761u;

		memcpy(r.id.bytes, &hash, sizeof(hash));
		cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
		cr_assert_eq(fair_lease_get(f, 0, &r.id, &v), FAIR_OK);
		cr_assert_eq(v.slot_ids[0], i);
		drain(f);
	}
	fair_check(f, 0);
	fair_destroy(f);
}

/* ---- bugs of the caller ---- */

static void add(uint32_t max_slots, uint32_t min_share, const char *name)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config p = {.pool = name, .max_slots = max_slots, .min_share = min_share};
	struct fair *f = fair_create(&config);
	enum fair_err err = fair_pool_add(f, &p);

	cr_assert_fail("it did not abort: %s", fair_err_code(err));
}

Test(bugs_of_the_caller, min_share_above_max_slots_aborts, .signal = SIGABRT)
{
	add(3, 4, "p");
}

Test(bugs_of_the_caller, no_slots_abort, .signal = SIGABRT)
{
	add(0, 1, "p");
}

Test(bugs_of_the_caller, too_many_slots_abort, .signal = SIGABRT)
{
	add(FAIR_SLOTS_MAX + 1, 1, "p");
}

Test(bugs_of_the_caller, a_pool_without_a_name_aborts, .signal = SIGABRT)
{
	add(1, 1, "");
}

Test(bugs_of_the_caller, time_that_goes_back_aborts, .signal = SIGABRT)
{
	struct fair *f = plain();

	fair_advance(f, 10, 1);
	fair_advance(f, 9, 1);
}

Test(bugs_of_the_caller, force_with_an_instance_aborts, .signal = SIGABRT)
{
	struct fair *f = plain();
	enum fair_unregistered how;
	bool is_new;

	cr_assert_eq(fair_register(f, 0, "p", "a", "p1", &is_new), FAIR_OK);
	cr_assert_eq(fair_unregister(f, 0, "p", "a", "p1", true, &how), FAIR_OK);
}

Test(bugs_of_the_caller, an_id_that_is_there_already_aborts, .signal = SIGABRT)
{
	struct fair *f = plain();
	struct fair_acquired got;
	bool is_new;
	struct fair_request r = {.id = {{1}}, .pool = "p", .tenant = "a", .label = "", .ttl_ns = 1, .wait = true};

	cr_assert_eq(fair_register(f, 0, "p", "a", NULL, &is_new), FAIR_OK);
	cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
	cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
}
