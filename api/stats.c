/* SPDX-License-Identifier: MIT */
/* GET /stats (getStats): JSON with the names of aio-fairshare's SemaphoreStats, or the metrics. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "metrics.h"
#include "parse.h"
#include "refuse.h"

#define STATS_LIMIT 1000
#define SLICE_ROWS (SLICE_UNITS / 2)

/* ---- which of the two ---- */

/* The q of one range of an Accept header, in thousandths: 1000 unless it says otherwise. */
static unsigned quality_of(const char *range, size_t len)
{
	const char *end = range + len;
	unsigned quality = 1000;

	for (const char *at = memchr(range, ';', len); at != NULL; at = memchr(at, ';', (size_t)(end - at))) {
		const char *value;

		at++;
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (end - at < 2 || (at[0] != 'q' && at[0] != 'Q') || at[1] != '=')
			continue;
		value = at + 2;
		if (!parse_quality(value, strcspn(value, ";, \t"), &quality))
			quality = 1000;
	}
	return quality;
}

static bool is_type(const char *range, size_t len, const char *type)
{
	size_t own = strcspn(range, "; \t,");

	return own <= len && own == strlen(type) && strncasecmp(range, type, own) == 0;
}

/* Text has to be listed, and ahead of JSON and of whatever takes anything: browsers and curl get JSON. */
static bool prefers_text(const char *accept)
{
	unsigned text = 0, other = 0;

	while (accept != NULL && *accept != '\0') {
		size_t len;
		unsigned quality;

		accept += strspn(accept, " \t,");
		len = strcspn(accept, ",");
		quality = quality_of(accept, len);
		if (is_type(accept, len, "text/plain")) {
			text = quality > text ? quality : text;
		} else if (is_type(accept, len, "application/json") || is_type(accept, len, "application/*") ||
				   is_type(accept, len, "*/*")) {
			other = quality > other ? quality : other;
		}
		accept += len;
	}
	return text > other;
}

/* ---- JSON ---- */

/* A tenant as it was when the reply was begun; its name stands in the names. */
struct stats_row {
	uint32_t active_slots, share, waiting, absent;
	uint32_t name;
};

struct stats_work {
	struct sliced sliced;
	char pool[FAIR_NAME_MAX + 1];
	uint64_t limit; /* of tenants; 0: none are wanted */
	struct writer *out;
	bool begun, gone, failed; /* gone: the pool; failed: no memory */
	struct fair_pool_view view;
	struct stats_row *rows;
	char *names;
	uint32_t count, written;
	size_t names_len, names_room;
};

static uint32_t available(const struct fair_pool_view *view)
{
	return view->max_slots > view->active_slots ? view->max_slots - view->active_slots : 0;
}

static void encode_totals(struct writer *out, const struct fair_pool_view *view)
{
	write_count(out, "granted_total", view->granted_total);
	write_count(out, "released_total", view->released_total);
	write_count(out, "expired_total", view->expired_total);
	write_count(out, "revoked_total", view->revoked_total);
	write_count(out, "unclaimed_total", view->unclaimed_total);
	write_count(out, "no_slot_total", view->no_slot_total);
	encode_quantiles(out, "wait_seconds", &view->wait);
	encode_quantiles(out, "hold_seconds", &view->hold);
	write_count(out, "calculator_failures", view->calculator_failures);
}

/* What is not free for everybody, what is in use above max_slots, and how even the use is. */
static void encode_idle(struct writer *out, const struct fair_pool_view *view)
{
	write_count(out, "debt_slots", view->debt_slots);
	write_count(out, "reserved_slots", view->reserved_slots);
	write_count(out, "saved_slots", view->saved_slots);
	write_count(out, "resting_slots", view->resting_slots);
	write_ratio(out, "fairness_index", (uint64_t)(view->fairness_index * 1e6 + 0.5), 1000000);
}

static bool keep_name(struct stats_work *work, const char *name, uint32_t *ret_at)
{
	size_t size = strlen(name) + 1, room = work->names_room > 0 ? work->names_room : 4096;

	while (room - work->names_len < size)
		room *= 2;
	if (room > work->names_room) {
		char *names = realloc(work->names, room);

		if (names == NULL)
			return false;
		work->names = names;
		work->names_room = room;
	}
	memcpy(work->names + work->names_len, name, size);
	*ret_at = (uint32_t)work->names_len;
	work->names_len += size;
	return true;
}

static struct stats_row row_of(const struct fair_tenant_view *view)
{
	return (struct stats_row){view->active_slots, view->share, view->waiting, view->absent, 0};
}

/* Takes those with most slots and waiters, up to the limit: all at once, so that no tenant is there twice or left out. */
static bool take_tenants(struct api *api, struct stats_work *work)
{
	uint64_t most = work->limit < work->view.tenants ? work->limit : work->view.tenants;
	struct fair_tenant_view view;
	const void *cursor = NULL;

	if (most == 0)
		return true;
	work->rows = calloc(most, sizeof(*work->rows));
	if (work->rows == NULL)
		return false;
	while (work->count < most && fair_tenant_busiest(api->fair, work->pool, &cursor, &view)) {
		struct stats_row *row = &work->rows[work->count++];

		*row = row_of(&view);
		if (!keep_name(work, view.tenant, &row->name))
			return false;
	}
	return true;
}

static void encode_head(struct writer *out, const struct fair_pool_view *view)
{
	write_object(out, NULL);
	write_string(out, "pool", view->pool);
	write_string(out, "policy", fair_policy_code(view->policy));
	write_count(out, "max_slots", view->max_slots);
	write_count(out, "min_share", view->min_share);
	if (view->policy == FAIR_POLICY_EQUAL)
		write_count(out, "share", view->share);
	else
		write_null(out, "share");
	write_count(out, "active_tenants", view->tenants);
	write_count(out, "demanding_tenants", view->demanding);
	write_count(out, "total_active_slots", view->active_slots);
	write_count(out, "available_slots", available(view));
	write_count(out, "waiting", view->waiting);
	write_count(out, "absent", view->absent);
	write_object(out, "tenants");
}

static void encode_row(struct writer *out, const char *name, const struct stats_row *row)
{
	write_object(out, name);
	write_string(out, "tenant_id", name);
	write_count(out, "active_slots", row->active_slots);
	write_count(out, "share", row->share);
	write_count(out, "waiting", row->waiting);
	write_count(out, "absent", row->absent);
	write_object_end(out);
}

static void encode_tail(struct api *api, uint64_t now, struct writer *out, const struct fair_pool_view *view, uint32_t omitted)
{
	write_object_end(out);
	write_count(out, "tenants_omitted", omitted);
	encode_totals(out, view);
	encode_idle(out, view);
	write_string(out, "version", api->config.version);
	encode_seconds(out, "uptime_seconds", now - api->started);
	write_object_end(out);
}

static uint32_t omitted(const struct fair_pool_view *view, uint64_t limit, uint32_t shown)
{
	return limit > 0 && view->tenants > shown ? view->tenants - shown : 0;
}

void encode_stats(struct api *api, uint64_t now, const struct fair_pool_view *view, uint64_t limit)
{
	struct fair_tenant_view tenant;
	const void *cursor = NULL;
	uint32_t shown;

	encode_head(api->out, view);
	for (shown = 0; shown < limit && fair_tenant_busiest(api->fair, view->pool, &cursor, &tenant); shown++) {
		struct stats_row row = row_of(&tenant);

		encode_row(api->out, tenant.tenant, &row);
	}
	encode_tail(api, now, api->out, view, omitted(view, limit, shown));
}

static bool stats_begin(struct api *api, uint64_t now, struct stats_work *work)
{
	work->begun = true;
	work->gone = fair_pool_get(api->fair, now, work->pool, &work->view) != FAIR_OK;
	if (work->gone)
		return false;
	work->view.pool = work->pool;
	work->failed = !take_tenants(api, work);
	if (!work->failed)
		encode_head(work->out, &work->view);
	return !work->failed;
}

static bool stats_step(struct api *api, uint64_t now, struct sliced *sliced)
{
	struct stats_work *work = (struct stats_work *)sliced;
	bool begins = !work->begun;

	if (begins && !stats_begin(api, now, work))
		return false;
	/* To take many tenants is a slice of its own. */
	if (begins && work->count > SLICE_ROWS)
		return true;
	for (uint32_t i = 0; i < SLICE_ROWS && work->written < work->count; i++, work->written++)
		encode_row(work->out, work->names + work->rows[work->written].name, &work->rows[work->written]);
	if (work->written < work->count)
		return true;
	encode_tail(api, now, work->out, &work->view, omitted(&work->view, work->limit, work->count));
	return false;
}

static void stats_answer(struct api *api, struct api_request *request, struct sliced *sliced)
{
	struct stats_work *work = (struct stats_work *)sliced;
	size_t len = 0;
	char *text = write_finish(work->out, &len);

	if (!work->gone && !work->failed && text != NULL) {
		reply_text(api, request, "application/json", text, len);
		return;
	}
	free(text);
	if (work->gone)
		refuse_no_pool(api, request, work->pool);
	else
		refuse_overloaded(api, request);
}

static void stats_destroy(struct sliced *sliced)
{
	struct stats_work *work = (struct stats_work *)sliced;

	write_destroy(work->out);
	free(work->rows);
	free(work->names);
	free(work);
}

static void send_json(struct api *api, struct call *call)
{
	struct stats_work *work = calloc(1, sizeof(*work));

	if (work != NULL)
		work->out = write_create();
	if (work == NULL || work->out == NULL) {
		free(work);
		refuse_overloaded(api, call->request);
		return;
	}
	work->sliced = (struct sliced){.step = stats_step, .answer = stats_answer, .destroy = stats_destroy};
	snprintf(work->pool, sizeof(work->pool), "%s", call_pool(call));
	work->limit = !call->in.tenants ? 0 : call->in.limit > 0 ? call->in.limit : STATS_LIMIT;
	sliced_answer(api, call->request, call->now, &work->sliced);
}

void stats_get(struct api *api, struct call *call)
{
	if (prefers_text(call->request->accept))
		metrics_send(api, call, call->in.pool, call->in.tenants);
	else
		send_json(api, call);
}
