/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "limit=1000"

size_t ledger_add(struct ledger *l, bool keyed, unsigned tenant, unsigned ttl)
{
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->entries = reallocarray(l->entries, l->room, sizeof(*l->entries));
		cr_assert(l->entries, "out of memory");
	}
	l->entries[l->count] =
		(struct entry){.keyed = keyed, .tenant = tenant, .ttl = ttl, .asked_ttl = ttl, .floor = l->last_token};
	return l->count++;
}

void ledger_fini(struct ledger *l)
{
	free(l->entries);
}

int ledger_body(const struct ledger *l, size_t number, double wait, char *text, size_t size)
{
	const struct entry *e = &l->entries[number];

	return snprintf(text, size, "{\"tenant_id\":\"t%u\",\"ttl_seconds\":%u,\"wait_seconds\":%g,\"label\":\"%zu\"}",
					e->tenant, e->asked_ttl, wait, number);
}

static json_int_t slot_of(const json_t *lease)
{
	const json_t *slots = json_object_get(lease, "slot_ids");
	json_int_t slot = json_integer_value(json_array_get(slots, 0));

	cr_assert(json_array_size(slots) == 1 && slot >= 0 && slot < LEDGER_SLOTS, "slot %d of %zu", (int)slot,
			  json_array_size(slots));
	return slot;
}

static json_int_t token_of(const json_t *lease)
{
	return json_integer_value(json_object_get(lease, "fencing_token"));
}

/* check_same: whatever is known of the entry is still so. */
static void check_same(const struct entry *e, size_t number, const json_t *lease)
{
	const char *id = json_string_value(json_object_get(lease, "id"));

	cr_assert(id && (!*e->id || !strcmp(e->id, id)), "lease %zu was told as %s, and is now %s", number, e->id, id);
	if (e->token > 0)
		cr_assert(slot_of(lease) == e->slot && token_of(lease) == e->token,
				  "lease %zu was told with slot %d and token %lld, and has slot %d and token %lld", number,
				  (int)e->slot, (long long)e->token, (int)slot_of(lease), (long long)token_of(lease));
}

void ledger_granted(struct ledger *l, size_t number, const json_t *lease)
{
	struct entry *e = &l->entries[number];

	check_same(e, number, lease);
	if (e->state == ENTRY_HELD)
		return;
	snprintf(e->id, sizeof(e->id), "%s", json_string_value(json_object_get(lease, "id")));
	e->slot = slot_of(lease);
	e->token = token_of(lease);
	e->state = ENTRY_HELD;
	cr_assert(e->token > e->floor, "token %lld of lease %zu is not above %lld, which was told before",
			  (long long)e->token, number, (long long)e->floor);
	cr_assert(!l->holder[e->slot], "slot %d is told to lease %zu while %zu holds it", (int)e->slot, number,
			  l->holder[e->slot] - 1);
	l->holder[e->slot] = number + 1;
	if (e->token > l->last_token)
		l->last_token = e->token;
}

void ledger_leave(struct ledger *l, size_t number)
{
	struct entry *e = &l->entries[number];

	if (e->state == ENTRY_HELD)
		l->holder[e->slot] = 0;
	e->state = ENTRY_LEFT;
}

/* ---- after a restart ---- */

struct check {
	struct ledger *ledger;
	struct server *server;
	uint64_t launched_ms;
	size_t found;
	size_t holder[LEDGER_SLOTS]; /* as the server tells */
};

/* The full ttl from the start, less the time since the start. */
static void check_time(const struct check *check, struct entry *e, size_t number, const json_t *lease)
{
	double ttl = json_number_value(json_object_get(lease, "ttl_seconds"));
	double left = json_number_value(json_object_get(lease, "expires_in_seconds"));
	double ran = (double)(now_ms() - check->launched_ms) / 1000;

	cr_assert(ttl == e->ttl || (e->new_ttl > 0 && ttl == e->new_ttl),
			  "lease %zu was told ttl %u (asked for %u), and has %g", number, e->ttl, e->new_ttl, ttl);
	cr_assert(left <= ttl + 0.002 && left >= ttl - ran - 0.01, "lease %zu has %g s left of %g, %g s after the start",
			  number, left, ttl, ran);
	e->ttl = (unsigned)ttl;
	e->new_ttl = 0;
}

static void check_active(struct check *check, size_t number, const json_t *lease)
{
	struct entry *e = &check->ledger->entries[number];
	json_int_t slot = slot_of(lease);

	cr_assert(!check->holder[slot], "slot %d is held by leases %zu and %zu", (int)slot, check->holder[slot] - 1,
			  number);
	check->holder[slot] = number + 1;
	if (e->state == ENTRY_HELD) {
		check->found++;
		check_time(check, e, number, lease);
	} else if (e->state == ENTRY_LEFT) {
		check->ledger->returned++;
		must_release(check->server, json_string_value(json_object_get(lease, "id")));
	}
}

static void check_pending(struct check *check, size_t number, const json_t *lease)
{
	const struct entry *e = &check->ledger->entries[number];

	cr_assert(e->keyed && (e->token == 0 || e->loose),
			  "lease %zu is pending, but it has no key or was told to be granted", number);
	if (e->state == ENTRY_LEFT)
		must_release(check->server, json_string_value(json_object_get(lease, "id")));
}

/* An entry that is open belongs to a key now: its client will be told of what is here, and of nothing else. */
static void check_item(struct check *check, const json_t *lease)
{
	const char *label = json_string_value(json_object_get(lease, "label"));
	const char *state = json_string_value(json_object_get(lease, "state"));
	size_t number = strtoul(label, NULL, 10);
	struct entry *e = &check->ledger->entries[number];

	cr_assert(number < check->ledger->count, "lease '%s' is %s, but nobody asked for it", label, state);
	cr_assert(e->state != ENTRY_NOTHING, "lease %zu is %s after a server that %s, but its client was told to have none",
			  number, state, check->ledger->drained ? "left by itself" : "was killed");
	cr_assert(!check->ledger->drained || !e->told_end || e->loose, "the end of lease %zu was told and is not written",
			  number);
	if (!strcmp(state, "pending"))
		check_pending(check, number, lease);
	if (!e->loose)
		check_same(e, number, lease);
	if (!strcmp(state, "active"))
		check_active(check, number, lease);
	if (e->state == ENTRY_OPEN)
		snprintf(e->id, sizeof(e->id), "%s", json_string_value(json_object_get(lease, "id")));
}

/* The key of a lease that is held gets that lease. */
static size_t check_keys(const struct check *check)
{
	struct ledger *l = check->ledger;
	size_t held = 0;
	char body[256], key[32];

	for (size_t i = 0; i < LEDGER_SLOTS; i++) {
		size_t number = l->holder[i] - 1;
		struct reply *reply;

		if (!l->holder[i])
			continue;
		held++;
		if (!l->entries[number].keyed)
			continue;
		ledger_body(l, number, 0, body, sizeof(body));
		snprintf(key, sizeof(key), "k%zu", number);
		reply = call(check->server, "POST", "/leases", body, key);
		granted(reply);
		ledger_granted(l, number, reply->json);
	}
	return held;
}

void ledger_check(struct ledger *l, struct server *server, uint64_t launched_ms)
{
	struct check check = {.ledger = l, .server = server, .launched_ms = launched_ms};
	struct reply *reply = call(server, "GET", "/leases?" PAGE, NULL, NULL);
	size_t index, held;
	json_t *lease;

	cr_assert(reply->status == 200 && json_is_null(json_object_get(reply->json, "next_cursor")), "%s", reply->body);
	json_array_foreach(json_object_get(reply->json, "items"), index, lease) check_item(&check, lease);
	held = check_keys(&check);
	cr_assert(check.found == held, "of %zu leases that were told %zu are there: %s", held, check.found, reply->body);
}

static int by_number(const void *a, const void *b)
{
	json_int_t x = *(const json_int_t *)a, y = *(const json_int_t *)b;

	return (x > y) - (x < y);
}

void ledger_check_tokens(const struct ledger *l)
{
	json_int_t *tokens = calloc(l->count + 1, sizeof(*tokens));
	size_t count = 0;

	cr_assert(tokens, "out of memory");
	for (size_t i = 0; i < l->count; i++)
		if (l->entries[i].token > 0)
			tokens[count++] = l->entries[i].token;
	qsort(tokens, count, sizeof(*tokens), by_number);
	for (size_t i = 1; i < count; i++)
		cr_assert(tokens[i] != tokens[i - 1], "token %lld was given twice", (long long)tokens[i]);
	free(tokens);
}
