/* SPDX-License-Identifier: MIT */
/* What has happened since the start: totals of a pool, accounts of its tenants, spans. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fair.h"

#define SECOND UINT64_C(1000000000)

static struct fair *make(uint32_t slots, uint32_t accounts)
{
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {
		.pool = "p", .max_slots = slots, .min_share = 1, .max_waiting = 10, .tenant_max_waiting = 10};
	struct fair *f;

	config.accounts_max = accounts;
	f = fair_create(&config);
	cr_assert(f);
	cr_assert_eq(fair_pool_add(f, &pool), FAIR_OK);
	return f;
}

static void drain(struct fair *f, uint64_t now, bool confirm)
{
	struct fair_event e;

	while (fair_next_event(f, &e))
		if (e.type == FAIR_EV_GRANTED && confirm)
			fair_confirm(f, now, &e.id);
	fair_check(f, now);
}

static enum fair_err ask(struct fair *f, uint64_t now, const char *tenant, const char *key, bool wait, struct fair_id *ret)
{
	static uint32_t next;
	struct fair_acquired got;
	struct fair_request r = {.pool = "p",
							 .tenant = tenant,
							 .label = "",
							 .key = key,
							 .key_len = key ? strlen(key) : 0,
							 .ttl_ns = 100 * SECOND,
							 .wait = wait,
							 .auto_register = true};
	enum fair_err err;

	next++;
	memcpy(r.id.bytes, &next, sizeof(next));
	err = fair_acquire(f, now, &r, &got);
	*ret = got.id;
	drain(f, now, true);
	return err;
}

static struct fair_id get(struct fair *f, uint64_t now, const char *tenant)
{
	struct fair_id id;

	cr_assert_eq(ask(f, now, tenant, NULL, true, &id), FAIR_OK);
	return id;
}

static void let_go(struct fair *f, uint64_t now, const struct fair_id *id)
{
	cr_assert_eq(fair_release(f, now, id), FAIR_OK);
	drain(f, now, true);
}

static struct fair_pool_totals totals_of(const struct fair *f, struct fair_account *ret_others)
{
	struct fair_pool_totals totals;

	cr_assert_eq(fair_pool_totals(f, "p", &totals, ret_others), FAIR_OK);
	return totals;
}

static struct fair_account others_of(struct fair *f, uint64_t now)
{
	struct fair_pool_view view;
	struct fair_account others;

	cr_assert_eq(fair_pool_get(f, now, "p", &view), FAIR_OK);
	totals_of(f, &others);
	return others;
}

static struct fair_tenant_view tenant_of(struct fair *f, uint64_t now, const char *name)
{
	struct fair_pool_view pool;
	struct fair_tenant_view view;

	cr_assert_eq(fair_pool_get(f, now, "p", &pool), FAIR_OK);
	cr_assert_eq(fair_tenant_get(f, "p", name, &view), FAIR_OK);
	return view;
}

Test(totals, count_how_acquires_and_leases_end)
{
	struct fair *f = make(1, 10);
	struct fair_id holder = get(f, 0, "a"), waiter, id;
	struct fair_account others;
	struct fair_pool_totals t;
	enum fair_unregistered how;

	cr_assert_eq(ask(f, 0, "b", NULL, false, &id), FAIR_E_NO_SLOT);
	waiter = get(f, 0, "b");
	fair_detach(f, 1 * SECOND, &waiter, FAIR_DETACH_BROKEN); /* left */
	cr_assert_eq(ask(f, 1 * SECOND, "b", "k", true, &id), FAIR_OK);
	fair_detach(f, 2 * SECOND, &id, FAIR_DETACH_WAIT_OVER); /* no slot; its place is lost after the grace */
	drain(f, 20 * SECOND, fair_advance(f, 20 * SECOND, 100));
	get(f, 20 * SECOND, "c");
	cr_assert_eq(fair_unregister(f, 20 * SECOND, "p", "c", NULL, false, &how), FAIR_OK); /* refused */
	drain(f, 20 * SECOND, true);
	for (int i = 0; i < 10; i++)
		get(f, 20 * SECOND, "d");
	cr_assert_eq(ask(f, 20 * SECOND, "d", NULL, true, &id), FAIR_E_QUEUE_FULL);
	fair_advance(f, 101 * SECOND, 100); /* the holder expires, and the first of d is granted */
	drain(f, 101 * SECOND, true);
	cr_assert_eq(fair_heartbeat(f, 101 * SECOND, &holder, 0), FAIR_E_LEASE_ENDED);

	t = totals_of(f, &others);
	cr_expect_eq(t.granted, 2);
	cr_expect_eq(t.no_slot, 2);
	cr_expect_eq(t.left, 2);
	cr_expect_eq(t.refused, 2);
	cr_expect_eq(t.ended[FAIR_REASON_LEFT], 1);
	cr_expect_eq(t.ended[FAIR_REASON_PLACE_LOST], 1);
	cr_expect_eq(t.ended[FAIR_REASON_TENANT_CLOSING], 1);
	cr_expect_eq(t.ended[FAIR_REASON_EXPIRED], 1);
	cr_expect_eq(t.ended[FAIR_REASON_RELEASED], 0);
	fair_destroy(f);
}

Test(totals, count_heartbeats)
{
	struct fair *f = make(1, 10);
	struct fair_id holder = get(f, 0, "a"), waiter = get(f, 0, "b"), nobody = {{0xff}};
	struct fair_account others;
	struct fair_pool_totals t;

	cr_assert_eq(fair_heartbeat(f, 1, &holder, 0), FAIR_OK);
	cr_assert_eq(fair_heartbeat(f, 1, &holder, 0), FAIR_OK);
	cr_assert_eq(fair_heartbeat(f, 1, &waiter, 0), FAIR_E_LEASE_PENDING);
	cr_assert_eq(fair_heartbeat(f, 1, &nobody, 0), FAIR_E_LEASE_NOT_FOUND);
	t = totals_of(f, &others);
	cr_expect_eq(t.renewed, 2);
	cr_expect_eq(t.lost, 1);
	cr_expect_eq(fair_heartbeats_unknown(f), 1);
	fair_destroy(f);
}

Test(totals, put_waits_and_holds_into_bins)
{
	struct fair *f = make(1, 10);
	struct fair_id a = get(f, 0, "a"), b = get(f, 0, "b");
	struct fair_account others;
	struct fair_pool_totals t;

	let_go(f, 3 * SECOND, &a); /* held 3 s; b has waited 3 s */
	let_go(f, 3 * SECOND + 1, &b);
	t = totals_of(f, &others);
	cr_expect_eq(t.wait.sum_ns, 3 * SECOND);
	cr_expect_eq(t.wait.counts[0], 1);
	cr_expect_eq(t.hold.sum_ns, 3 * SECOND + 1);
	cr_expect_eq(t.hold.counts[0], 1);
	for (int i = 0; i < FAIR_SPANS; i++) {
		bool is_bin = fair_span_bounds[i] == 5 * SECOND;

		cr_expect_eq(t.wait.counts[i], (i == 0) + is_bin);
		cr_expect_eq(t.hold.counts[i], (i == 0) + is_bin);
	}
	fair_destroy(f);
}

Test(totals, a_span_of_a_bound_is_in_its_bin)
{
	struct fair_spans spans = {.sum_ns = 0};

	for (int i = 0; i < FAIR_SPANS; i++) {
		cr_assert(i == 0 || fair_span_bounds[i] > fair_span_bounds[i - 1]);
		fair_spans_add(&spans, fair_span_bounds[i]);
	}
	fair_spans_add(&spans, fair_span_bounds[FAIR_SPANS - 1] + 1);
	for (int i = 0; i <= FAIR_SPANS; i++)
		cr_expect_eq(spans.counts[i], 1);
}

Test(totals, know_who_has_waited_longest)
{
	struct fair *f = make(1, 10);
	struct fair_id a = get(f, 1, "a"), b, c;
	struct fair_pool_view view;

	cr_assert_eq(fair_pool_get(f, 1, "p", &view), FAIR_OK);
	cr_expect_eq(view.oldest_waiter_ns, FAIR_NEVER);
	cr_assert_eq(ask(f, 2, "b", "k", true, &b), FAIR_OK);
	c = get(f, 3, "c");
	cr_assert_eq(fair_pool_get(f, 3, "p", &view), FAIR_OK);
	cr_expect_eq(view.oldest_waiter_ns, 2);
	fair_detach(f, 4, &b, FAIR_DETACH_BROKEN); /* absent: it counts for nothing */
	cr_assert_eq(fair_pool_get(f, 4, "p", &view), FAIR_OK);
	cr_expect_eq(view.oldest_waiter_ns, 3);
	let_go(f, 5, &a);
	cr_assert_eq(fair_pool_get(f, 5, "p", &view), FAIR_OK);
	cr_expect_eq(view.oldest_waiter_ns, FAIR_NEVER);
	let_go(f, 5, &c);
	fair_destroy(f);
}

Test(accounts, hold_grants_and_the_time_of_slots)
{
	struct fair *f = make(4, 10);
	struct fair_id one = get(f, 0, "a"), two = get(f, 2 * SECOND, "a");
	struct fair_tenant_view v = tenant_of(f, 5 * SECOND, "a");

	cr_expect(v.has_account);
	cr_expect_eq(v.account.grants, 2);
	cr_expect_eq(v.account.slot_ns, 8 * SECOND);
	let_go(f, 6 * SECOND, &one);
	let_go(f, 7 * SECOND, &two);
	v = tenant_of(f, 100 * SECOND, "a");
	cr_expect_eq(v.account.grants, 2);
	cr_expect_eq(v.account.slot_ns, 11 * SECOND);
	fair_destroy(f);
}

Test(accounts, do_not_go_back_when_a_grant_is_withdrawn)
{
	struct fair *f = make(4, 10);
	struct fair_acquired got;
	struct fair_request r = {.id = {{9}}, .pool = "p", .tenant = "a", .label = "", .ttl_ns = SECOND, .wait = true, .auto_register = true};

	cr_assert_eq(fair_acquire(f, 0, &r, &got), FAIR_OK);
	drain(f, 0, false);
	cr_expect_eq(tenant_of(f, 3 * SECOND, "a").account.slot_ns, 3 * SECOND);
	cr_expect_eq(tenant_of(f, 3 * SECOND, "a").account.grants, 0);
	cr_assert_eq(fair_hold(f, 3 * SECOND, NULL, true), FAIR_OK);
	fair_withdraw(f, 3 * SECOND, &r.id);
	drain(f, 3 * SECOND, false);
	cr_expect_eq(tenant_of(f, 9 * SECOND, "a").account.slot_ns, 3 * SECOND);
	fair_destroy(f);
}

/* "The first have accounts, all others one together; when one of the first goes, the next begins with nothing." */
Test(accounts, are_of_the_first_tenants)
{
	struct fair *f = make(9, 2);
	struct fair_id a = get(f, 0, "a"), b = get(f, 0, "b"), c = get(f, 0, "c"), d = get(f, 0, "d");
	enum fair_unregistered how;
	struct fair_account others;
	struct fair_tenant_view v;

	cr_expect(tenant_of(f, 0, "a").has_account && tenant_of(f, 0, "b").has_account);
	cr_expect(!tenant_of(f, 0, "c").has_account && !tenant_of(f, 0, "d").has_account);
	others = others_of(f, 10 * SECOND);
	cr_expect_eq(others.grants, 2);
	cr_expect_eq(others.slot_ns, 20 * SECOND);

	let_go(f, 10 * SECOND, &a);
	cr_assert_eq(fair_unregister(f, 10 * SECOND, "p", "a", NULL, false, &how), FAIR_OK);
	drain(f, 10 * SECOND, true);
	v = tenant_of(f, 10 * SECOND, "c");
	cr_expect(v.has_account && !tenant_of(f, 10 * SECOND, "d").has_account);
	cr_expect_eq(v.account.grants, 0);
	cr_expect_eq(v.account.slot_ns, 0);
	others = others_of(f, 10 * SECOND);
	cr_expect_eq(others.grants, 2);
	cr_expect_eq(others.slot_ns, 20 * SECOND);

	cr_expect_eq(tenant_of(f, 15 * SECOND, "c").account.slot_ns, 5 * SECOND);
	cr_expect_eq(others_of(f, 15 * SECOND).slot_ns, 25 * SECOND);
	let_go(f, 15 * SECOND, &c);
	let_go(f, 15 * SECOND, &d);
	cr_expect_eq(tenant_of(f, 99 * SECOND, "c").account.slot_ns, 5 * SECOND);
	cr_expect_eq(others_of(f, 99 * SECOND).slot_ns, 25 * SECOND);
	let_go(f, 99 * SECOND, &b);
	fair_destroy(f);
}
