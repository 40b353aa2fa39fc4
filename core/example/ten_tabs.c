/* SPDX-License-Identifier: MIT */
/* Ten browser tabs and three tenants, without the server: what each may hold, as the others come and go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fair.h"

#define SECOND UINT64_C(1000000000)

static struct fair *fair;
static uint64_t now;
static uint8_t next_id;

static void require(enum fair_err err)
{
	if (err != FAIR_OK) {
		(void)fprintf(stderr, "%s\n", fair_err_code(err));
		abort();
	}
}

/* Tells what happened. There is no store here, so a grant is durable at once. */
static void drain(void)
{
	struct fair_event e;

	while (fair_next_event(fair, &e)) {
		if (e.type == FAIR_EV_GRANTED) {
			fair_confirm(fair, now, &e.id);
			fair_claim(fair, now, &e.id);
			printf("  %s is granted a tab (lease %u)\n", e.tenant, e.id.bytes[0]);
		} else if (e.type == FAIR_EV_ENDED) {
			printf("  lease %u of %s ends: %s\n", e.id.bytes[0], e.tenant, fair_reason_code(e.reason));
		}
	}
}

static void ask(const char *tenant, int tabs)
{
	printf("%s asks for %d tabs\n", tenant, tabs);
	for (int i = 0; i < tabs; i++) {
		struct fair_acquired got;
		struct fair_request r = {.id = {{++next_id}},
		                         .pool = "tabs",
		                         .tenant = tenant,
		                         .label = "",
		                         .ttl_ns = 30 * SECOND,
		                         .wait = true};

		require(fair_acquire(fair, now, &r, &got));
		drain();
	}
}

static void show(void)
{
	struct fair_pool_view p;
	struct fair_tenant_view t;
	uint64_t number = 0;

	require(fair_pool_get(fair, now, "tabs", &p));
	printf("  -- share %u, %u of %u tabs in use:", p.share, p.active_slots, p.max_slots);
	for (; fair_tenant_next(fair, "tabs", number, &t); number = t.number)
		printf(" %s %u+%u", t.tenant, t.active_slots, t.waiting);
	printf("\n");
}

int main(void)
{
	static const char *const tenants[] = {"alice", "bob", "carol"};
	struct fair_config config = fair_config_default();
	struct fair_pool_config pool = {
		.pool = "tabs", .max_slots = 10, .min_share = 1, .max_waiting = 100, .tenant_max_waiting = 100};
	bool created;

	fair = fair_create(&config);
	if (!fair)
		return 1;
	require(fair_pool_add(fair, &pool));
	for (size_t i = 0; i < sizeof(tenants) / sizeof(*tenants); i++)
		require(fair_register(fair, now, "tabs", tenants[i], NULL, &created));

	ask("alice", 12);
	show();
	ask("bob", 6);
	show();
	for (uint8_t id = 1; id <= 5; id++) {
		printf("alice gives lease %u back\n", id);
		require(fair_release(fair, now, &(struct fair_id){{id}}));
		drain();
	}
	show();
	printf("30 seconds pass and nobody beats\n");
	now += 30 * SECOND;
	while (fair_advance(fair, now, 100))
		drain();
	drain();
	show();
	fair_destroy(fair);
	return 0;
}
