/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include <assert.h>

void audit_tell(struct api *api, const struct call *call, const char *act, const struct api_detail *details,
				size_t count)
{
	struct api_detail given[API_DETAILS_MAX];
	size_t n = 0;

	if (api->hooks.audit == NULL)
		return;
	assert(count <= API_DETAILS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (details[i].text != NULL || details[i].number != INT64_MIN)
			given[n++] = details[i];
	}
	api->hooks.audit(api->hooks.context, call->request, act, given, n);
}

/* ---- pools ---- */

static void number(struct api *api, const struct call *call, const char *act, const char *pool, const char *key,
				   uint64_t was, uint64_t is)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", pool), AUDIT_TEXT("key", key), AUDIT_NUMBER("was", was),
										 AUDIT_NUMBER("is", is)};

	if (was != is)
		audit_tell(api, call, act, details, sizeof(details) / sizeof(details[0]));
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_urls(const struct api_pool *a, const struct api_pool *b)
{
	if (a->slot_urls == NULL || b->slot_urls == NULL)
		return a->slot_urls == b->slot_urls;
	if (a->core.max_slots != b->core.max_slots)
		return false;
	for (uint32_t i = 0; i < a->core.max_slots; i++) {
		if (strcmp(a->slot_urls[i], b->slot_urls[i]) != 0)
			return false;
	}
	return true;
}

struct audit_change audit_compare(const struct api_pool *was, const struct api_pool *is)
{
	return (struct audit_change){.was = was->core,
								 .calculator = !same_text(was->share_calculator, is->share_calculator),
								 .slot_urls = !same_urls(was, is)};
}

static void calculator(struct api *api, const struct call *call, const struct api_pool *is)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", is->core.pool), AUDIT_TEXT("key", "share_calculator"),
										 AUDIT_TEXT("is", is->share_calculator != NULL ? is->share_calculator : "")};

	audit_tell(api, call, "set", details, sizeof(details) / sizeof(details[0]));
}

static void slot_urls(struct api *api, const struct call *call, const struct api_pool *is)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", is->core.pool), AUDIT_TEXT("key", "slot_urls"),
										 AUDIT_NUMBER("count", is->slot_urls != NULL ? is->core.max_slots : 0)};

	audit_tell(api, call, "set", details, sizeof(details) / sizeof(details[0]));
}

void audit_made(struct api *api, const struct call *call, const struct api_pool *is)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", is->core.pool),
										 AUDIT_NUMBER("max_slots", is->core.max_slots)};

	audit_tell(api, call, "make", details, sizeof(details) / sizeof(details[0]));
}

void audit_changed(struct api *api, const struct call *call, const struct audit_change *change,
				   const struct api_pool *is)
{
	const struct fair_pool_config *was = &change->was;
	const char *pool = is->core.pool;

	number(api, call, "resize", pool, "max_slots", was->max_slots, is->core.max_slots);
	number(api, call, "set", pool, "min_share", was->min_share, is->core.min_share);
	number(api, call, "set", pool, "max_waiting", was->max_waiting, is->core.max_waiting);
	if (change->calculator)
		calculator(api, call, is);
	if (change->slot_urls)
		slot_urls(api, call, is);
}
