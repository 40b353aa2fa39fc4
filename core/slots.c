/* SPDX-License-Identifier: MIT */
/*
 * The slots of a pool. A slot is *usable*, as far as itself goes, while no lease holds it, nobody cordoned it and it does
 * not rest. Resting ones stand in a list in the order in which their rests began, which is that of their ends.
 */
#include "state.h"

#define NO_SLOT UINT32_MAX

static bool is_marked(const struct slots *s, enum slot_mark mark, uint32_t slot)
{
	return s->marks[mark][slot / 64] >> (slot % 64) & 1;
}

bool slots_is_usable(const struct slots *s, uint32_t slot)
{
	return slot < s->count && s->level[0][slot / 64] >> (slot % 64) & 1;
}

static void usable_add(struct slots *s, uint32_t slot)
{
	s->usable++;
	for (uint32_t i = 0; i < s->levels; i++) {
		s->level[i][slot / 64] |= UINT64_C(1) << (slot % 64);
		slot /= 64;
	}
}

static void usable_remove(struct slots *s, uint32_t slot)
{
	s->usable--;
	for (uint32_t i = 0; i < s->levels; i++) {
		uint64_t *word = &s->level[i][slot / 64];

		*word &= ~(UINT64_C(1) << (slot % 64));
		if (*word)
			break;
		slot /= 64;
	}
}

/* It would be usable if it did not rest. */
static bool only_rests(const struct slots *s, uint32_t slot)
{
	return is_marked(s, SLOT_RESTING, slot) && !is_marked(s, SLOT_HELD, slot) && !is_marked(s, SLOT_CORDONED, slot);
}

static void set_mark(struct slots *s, enum slot_mark mark, uint32_t slot, bool on)
{
	uint64_t bit = UINT64_C(1) << (slot % 64), marks = 0;

	s->only_resting -= only_rests(s, slot);
	if (on)
		s->marks[mark][slot / 64] |= bit;
	else
		s->marks[mark][slot / 64] &= ~bit;
	s->only_resting += only_rests(s, slot);
	for (int i = 0; i < SLOT_MARKS; i++)
		marks |= s->marks[i][slot / 64] & bit;
	if (slots_is_usable(s, slot) && marks)
		usable_remove(s, slot);
	else if (!slots_is_usable(s, slot) && !marks)
		usable_add(s, slot);
}

static bool make(struct fair *f, struct slots *s, bool rests)
{
	uint32_t bits = s->count;

	do {
		FAIR_ASSERT(s->levels < SLOT_LEVELS);
		s->words[s->levels] = (bits + 63) / 64;
		s->level[s->levels] = memory_get(f, s->words[s->levels] * sizeof(uint64_t));
		if (!s->level[s->levels])
			return false;
		bits = s->words[s->levels++];
	} while (bits > 1);
	for (int i = 0; i < SLOT_MARKS; i++) {
		s->marks[i] = memory_get(f, s->words[0] * sizeof(uint64_t));
		if (!s->marks[i])
			return false;
	}
	s->rests = rests ? memory_get(f, s->count * sizeof(*s->rests)) : NULL;
	return s->rests || !rests;
}

bool slots_init(struct fair *f, struct slots *s, uint32_t count, bool rests)
{
	*s = (struct slots){.count = count, .first_rest = NO_SLOT, .last_rest = NO_SLOT};
	if (!make(f, s, rests)) {
		slots_fini(f, s);
		return false;
	}
	for (uint32_t i = 0; i < count; i++)
		usable_add(s, i);
	return true;
}

bool slots_resize(struct fair *f, struct slots *s, uint32_t count, bool rests)
{
	struct slots resized;

	if (!slots_init(f, &resized, count, rests || s->rests))
		return false;
	for (uint32_t i = 0; i < s->count && i < count; i++) {
		if (is_marked(s, SLOT_HELD, i))
			set_mark(&resized, SLOT_HELD, i, true);
		if (is_marked(s, SLOT_CORDONED, i))
			set_mark(&resized, SLOT_CORDONED, i, true);
	}
	for (uint32_t i = s->first_rest; i != NO_SLOT; i = s->rests[i].next)
		slots_rest(&resized, i, s->rests[i].since);
	slots_fini(f, s);
	*s = resized;
	return true;
}

void slots_fini(struct fair *f, struct slots *s)
{
	for (uint32_t i = 0; i < SLOT_LEVELS; i++)
		memory_put(f, s->level[i]);
	for (int i = 0; i < SLOT_MARKS; i++)
		memory_put(f, s->marks[i]);
	memory_put(f, s->rests);
	memset(s, 0, sizeof(*s));
}

/* ---- leases ---- */

bool slots_is_free(const struct slots *s, uint32_t slot)
{
	return slot < s->count && !is_marked(s, SLOT_HELD, slot);
}

bool slots_take_this(struct slots *s, uint32_t slot)
{
	if (slot >= s->count)
		return true;
	if (!slots_is_free(s, slot))
		return false;
	slots_rest_over(s, slot);
	set_mark(s, SLOT_HELD, slot, true);
	return true;
}

uint32_t slots_take(struct slots *s)
{
	uint32_t at = 0;

	for (uint32_t i = s->levels; i-- > 0;) {
		FAIR_ASSERT(s->level[i][at]);
		at = at * 64 + (uint32_t)__builtin_ctzll(s->level[i][at]);
	}
	set_mark(s, SLOT_HELD, at, true);
	return at;
}

void slots_give(struct slots *s, uint32_t slot)
{
	FAIR_ASSERT(!slots_is_free(s, slot));
	if (slot < s->count)
		set_mark(s, SLOT_HELD, slot, false);
}

/* ---- cordons ---- */

void slots_cordon(struct slots *s, uint32_t slot, bool on)
{
	if (slot < s->count)
		set_mark(s, SLOT_CORDONED, slot, on);
}

bool slots_is_cordoned(const struct slots *s, uint32_t slot)
{
	return slot < s->count && is_marked(s, SLOT_CORDONED, slot);
}

/* ---- rests ---- */

bool slots_is_resting(const struct slots *s, uint32_t slot)
{
	return slot < s->count && is_marked(s, SLOT_RESTING, slot);
}

/* What was said of a rest before counts no more. */
void slots_rest(struct slots *s, uint32_t slot, uint64_t since)
{
	if (!slots_is_free(s, slot))
		return;
	FAIR_ASSERT(s->rests);
	slots_rest_over(s, slot);
	FAIR_ASSERT(s->last_rest == NO_SLOT || s->rests[s->last_rest].since <= since);
	s->rests[slot] = (struct rest){.since = since, .prev = s->last_rest, .next = NO_SLOT};
	if (s->last_rest == NO_SLOT)
		s->first_rest = slot;
	else
		s->rests[s->last_rest].next = slot;
	s->last_rest = slot;
	s->resting++;
	set_mark(s, SLOT_RESTING, slot, true);
}

void slots_rest_over(struct slots *s, uint32_t slot)
{
	if (!slots_is_resting(s, slot))
		return;

	const struct rest *rest = &s->rests[slot];

	if (rest->prev == NO_SLOT)
		s->first_rest = rest->next;
	else
		s->rests[rest->prev].next = rest->next;
	if (rest->next == NO_SLOT)
		s->last_rest = rest->prev;
	else
		s->rests[rest->next].prev = rest->prev;
	s->resting--;
	set_mark(s, SLOT_RESTING, slot, false);
}

uint64_t slots_resting_since(const struct slots *s)
{
	return s->first_rest == NO_SLOT ? FAIR_NEVER : s->rests[s->first_rest].since;
}
