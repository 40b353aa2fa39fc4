/* SPDX-License-Identifier: MIT */
/*
 * Chance: every request that does not break is answered exactly once (the harness aborts at a second answer), and none
 * tells of what is not durable.
 */
#include "check.h"

TestSuite(stress);

static unsigned roll(struct world *w, unsigned sides)
{
	w->dice = w->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(w->dice >> 33) % sides;
}

/* A random earlier exchange that told of a lease, or NULL. */
static struct exchange *some_lease(struct world *w)
{
	for (size_t tries = 0; tries < 20; tries++) {
		struct exchange *e = w->exchanges[roll(w, (unsigned)w->count)];

		if (*text(e, "id") != '\0')
			return e;
	}
	return NULL;
}

static void step_on_lease(struct world *w, unsigned kind)
{
	static const char *const methods[] = {"GET", "GET", "PUT", "DELETE", "HEAD"};
	static const char *const rests[] = {"", "?wait=3", "", "", ""};
	static const char *const ttls[] = {"", ",\"ttl_seconds\":3", ",\"ttl_seconds\":30"};
	struct exchange *of = some_lease(w);
	const char *ttl = ttls[roll(w, 3)];
	char body[96];

	if (of == NULL)
		return;
	if (kind == 2 && *ttl != '\0') {
		snprintf(body, sizeof(body), "{%s}", ttl + 1);
		lease(w, "PUT", of, "", body);
	} else if (kind < 5) {
		lease(w, methods[kind], of, rests[kind], NULL);
	} else {
		snprintf(body, sizeof(body), "{\"lease_ids\":[\"%s\"]%s}", text(of, "id"), ttl);
		ask(w, "POST /heartbeats", body);
	}
}

static void step_on_request(struct world *w)
{
	struct exchange *e = w->exchanges[roll(w, (unsigned)w->count)];

	if (e->request.parked && !e->answered)
		hang_up(w, e);
	else if (e->answered && !e->sent)
		hand_over(w, e, roll(w, 3) > 0);
}

static void step_on_tenant(struct world *w, const char *tenant)
{
	char line[80];

	if (roll(w, 3) == 0) {
		snprintf(line, sizeof(line), "{\"tenant_id\":\"%s\"}", tenant);
		ask(w, "POST /tenants", line);
		return;
	}
	snprintf(line, sizeof(line), "DELETE /tenants/%s%s", tenant, roll(w, 2) == 0 ? "?force=true" : "");
	ask(w, line, NULL);
}

static void step_on_store(struct world *w)
{
	switch (roll(w, 8)) {
	case 0:
		fail(w);
		cr_assert(fair_hold(w->fair, w->now, NULL, false) == FAIR_OK);
		break;
	case 1:
	case 2:
		send_off(w);
		break;
	default:
		commit(w);
	}
}

static void step(struct world *w)
{
	static const char *const tenants[] = {"alice", "bob", "carol", "dave"};
	static const char *const waits[] = {",\"wait_seconds\":0", ",\"wait_seconds\":2", "", ",\"ttl_seconds\":3"};
	static const char *const keys[] = {NULL, NULL, "k1", "k2", "k3", "k4"};
	const char *tenant = tenants[roll(w, 4)];
	char line[80];

	switch (roll(w, 12)) {
	case 0:
		step_on_tenant(w, tenant);
		break;
	case 1:
		snprintf(line, sizeof(line), "DELETE /leases?tenant_id=%s", tenant);
		ask_key(w, line, NULL, keys[2 + roll(w, 4)]);
		break;
	case 2:
		pass(w, roll(w, 2000) * MS);
		break;
	case 3:
		step_on_store(w);
		break;
	case 4:
		w->slow = roll(w, 2) == 0;
		w->no_send = roll(w, 2) == 0;
		break;
	case 5:
	case 6:
		step_on_lease(w, roll(w, 6));
		break;
	case 7:
		step_on_request(w);
		break;
	case 8:
		ask(w, "GET /leases?state=pending", NULL);
		break;
	default:
		acquire(w, tenant, waits[roll(w, 4)], keys[roll(w, 6)]);
	}
	fair_check(w->fair, w->now);
}

Test(stress, every_request_is_answered_once)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct world *w = world_create((struct world_config){.max_slots = 3, .auto_register = true});

		w->dice = seed;
		for (int i = 0; i < 600; i++)
			step(w);
		w->slow = false;
		for (int i = 0; i < 10 || w->committed + 1 < w->batch; i++) {
			commit(w);
			pass(w, 40 * S);
		}
		cr_expect(w->told_early == 0, "seed %lu: %zu answers told of what was not durable", (unsigned long)seed,
				  w->told_early);
		for (size_t i = 0; i < w->count; i++) {
			const struct exchange *e = w->exchanges[i];

			cr_expect(e->answered || e->sent, "seed %lu: %s %s waits for ever", (unsigned long)seed, e->request.method,
					  e->request.path);
			cr_expect(status(e) < 500 || status(e) == 503);
		}
		world_destroy(w);
	}
}
