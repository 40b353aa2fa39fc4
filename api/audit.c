/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include <assert.h>
#include <stdio.h>

void audit_tell(struct api *api, const struct call *call, const char *act, const struct api_detail *details,
				size_t count)
{
	struct api_detail given[API_DETAILS_MAX];
	size_t n = 0;

	if (api->hooks.audit == NULL)
		return;
	assert(count <= API_DETAILS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (details[i].text != NULL || !isnan(details[i].number))
			given[n++] = details[i];
	}
	api->hooks.audit(api->hooks.context, call->request, act, given, n);
}

/* ---- pools ---- */

static void number(struct api *api, const struct call *call, const char *act, const char *pool, const char *key,
				   double was, double is)
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

static bool same_cordoned(const struct fair_pool_config *a, const struct fair_pool_config *b)
{
	return a->num_cordoned == b->num_cordoned &&
		   (a->num_cordoned == 0 || memcmp(a->cordoned, b->cordoned, a->num_cordoned * sizeof(*a->cordoned)) == 0);
}

struct audit_change audit_compare(const struct api_pool *was, const struct api_pool *is)
{
	return (struct audit_change){.was = was->core,
								 .calculator = !same_text(was->share_calculator, is->share_calculator),
								 .slot_urls = !same_urls(was, is),
								 .cordoned = !same_cordoned(&was->core, &is->core)};
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

static void policy(struct api *api, const struct call *call, const struct fair_pool_config *was,
				   const struct fair_pool_config *is)
{
	const struct api_detail details[] = {AUDIT_TEXT("pool", is->pool), AUDIT_TEXT("key", "policy"),
										 AUDIT_TEXT("was", fair_policy_code(was->policy)),
										 AUDIT_TEXT("is", fair_policy_code(is->policy))};

	audit_tell(api, call, "set", details, sizeof(details) / sizeof(details[0]));
}

static void span(struct api *api, const struct call *call, const char *pool, const char *key, uint64_t was_ns,
				 uint64_t is_ns)
{
	number(api, call, "set", pool, key, (double)was_ns / 1e9, (double)is_ns / 1e9);
}

static void spans(struct api *api, const struct call *call, const struct fair_pool_config *was,
				  const struct fair_pool_config *is)
{
	span(api, call, is->pool, "slot_rest_seconds", was->slot_rest_ns, is->slot_rest_ns);
	span(api, call, is->pool, "max_lease_seconds", was->max_lease_ns, is->max_lease_ns);
	span(api, call, is->pool, "pass_over_seconds", was->pass_over_ns, is->pass_over_ns);
	span(api, call, is->pool, "priority_step_seconds", was->priority_step_ns, is->priority_step_ns);
}

/* The numbers of the cordoned slots, cut where the line would get too long. */
static void cordoned(struct api *api, const struct call *call, const struct fair_pool_config *is)
{
	char slots[256] = "";
	const struct api_detail details[] = {AUDIT_TEXT("pool", is->pool), AUDIT_TEXT("slots", slots),
										 AUDIT_NUMBER("count", is->num_cordoned)};
	size_t len = 0;

	for (uint32_t i = 0; i < is->num_cordoned && len < sizeof(slots) - 16; i++)
		len += (size_t)snprintf(slots + len, sizeof(slots) - len, "%s%u", i > 0 ? "," : "", is->cordoned[i]);
	audit_tell(api, call, "cordon", details, sizeof(details) / sizeof(details[0]));
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
	number(api, call, "drain", pool, "draining", was->draining, is->core.draining);
	spans(api, call, was, &is->core);
	if (was->policy != is->core.policy)
		policy(api, call, was, &is->core);
	if (change->cordoned)
		cordoned(api, call, &is->core);
	if (change->calculator)
		calculator(api, call, is);
	if (change->slot_urls)
		slot_urls(api, call, is);
}
