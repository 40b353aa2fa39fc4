/* SPDX-License-Identifier: MIT */
#include "state.h"

bool slots_init(struct fair *f, struct slots *s, uint32_t count)
{
	uint32_t bits = count;

	memset(s, 0, sizeof(*s));
	s->count = count;
	do {
		FAIR_ASSERT(s->levels < SLOT_LEVELS);
		s->words[s->levels] = (bits + 63) / 64;
		s->level[s->levels] = memory_get(f, s->words[s->levels] * sizeof(uint64_t));
		if (!s->level[s->levels]) {
			slots_fini(f, s);
			return false;
		}
		bits = s->words[s->levels++];
	} while (bits > 1);
	for (uint32_t i = 0; i < count; i++)
		slots_give(s, i);
	return true;
}

bool slots_resize(struct fair *f, struct slots *s, uint32_t count)
{
	struct slots resized;

	if (!slots_init(f, &resized, count))
		return false;
	for (uint32_t i = 0; i < s->count && i < count; i++)
		if (!slots_is_free(s, i))
			slots_take_this(&resized, i);
	slots_fini(f, s);
	*s = resized;
	return true;
}

void slots_fini(struct fair *f, struct slots *s)
{
	for (uint32_t i = 0; i < SLOT_LEVELS; i++)
		memory_put(f, s->level[i]);
	memset(s, 0, sizeof(*s));
}

bool slots_take_this(struct slots *s, uint32_t slot)
{
	if (slot >= s->count)
		return true;
	if (!slots_is_free(s, slot))
		return false;
	for (uint32_t i = 0; i < s->levels; i++) {
		uint64_t *word = &s->level[i][slot / 64];

		*word &= ~(UINT64_C(1) << (slot % 64));
		if (*word)
			break;
		slot /= 64;
	}
	return true;
}

uint32_t slots_take(struct slots *s)
{
	uint32_t at = 0;

	for (uint32_t i = s->levels; i-- > 0;) {
		FAIR_ASSERT(s->level[i][at]);
		at = at * 64 + (uint32_t)__builtin_ctzll(s->level[i][at]);
	}
	slots_take_this(s, at);
	return at;
}

void slots_give(struct slots *s, uint32_t slot)
{
	FAIR_ASSERT(!slots_is_free(s, slot));
	if (slot >= s->count)
		return;
	for (uint32_t i = 0; i < s->levels; i++) {
		s->level[i][slot / 64] |= UINT64_C(1) << (slot % 64);
		slot /= 64;
	}
}

bool slots_is_free(const struct slots *s, uint32_t slot)
{
	return slot < s->count && s->level[0][slot / 64] >> (slot % 64) & 1;
}
