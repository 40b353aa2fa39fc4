/* SPDX-License-Identifier: MIT */
/* GET /stats (getStats): JSON with the names of aio-fairshare's SemaphoreStats, or Prometheus text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "parse.h"
#include "refuse.h"

#define STATS_LIMIT 1000

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

/* encode_tenants writes those with most slots and waiters, up to the limit; returns how many. */
static uint32_t encode_tenants(struct api *api, const char *pool, uint64_t limit)
{
	struct writer *out = api->out;
	struct fair_tenant_view view;
	const void *cursor = NULL;
	uint32_t shown;

	write_object(out, "tenants");
	for (shown = 0; shown < limit && fair_tenant_busiest(api->fair, pool, &cursor, &view); shown++) {
		write_object(out, view.tenant);
		write_string(out, "tenant_id", view.tenant);
		write_count(out, "active_slots", view.active_slots);
		write_count(out, "share", view.share);
		write_count(out, "waiting", view.waiting);
		write_count(out, "absent", view.absent);
		write_object_end(out);
	}
	write_object_end(out);
	return shown;
}

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

void encode_stats(struct api *api, uint64_t now, const struct fair_pool_view *view, uint64_t limit)
{
	struct writer *out = api->out;
	uint32_t shown;

	write_object(out, NULL);
	write_string(out, "pool", view->pool);
	write_string(out, "policy", "equal");
	write_count(out, "max_slots", view->max_slots);
	write_count(out, "min_share", view->min_share);
	write_count(out, "share", view->share);
	write_count(out, "active_tenants", view->tenants);
	write_count(out, "demanding_tenants", view->demanding);
	write_count(out, "total_active_slots", view->active_slots);
	write_count(out, "available_slots", available(view));
	write_count(out, "waiting", view->waiting);
	write_count(out, "absent", view->absent);
	shown = encode_tenants(api, view->pool, limit);
	write_count(out, "tenants_omitted", limit > 0 && view->tenants > shown ? view->tenants - shown : 0);
	encode_totals(out, view);
	write_string(out, "version", api->config.version);
	encode_seconds(out, "uptime_seconds", now - api->started);
	write_object_end(out);
}

static void send_json(struct api *api, struct call *call, const struct fair_pool_view *view)
{
	encode_stats(api, call->now, view, !call->in.tenants ? 0 : call->in.limit > 0 ? call->in.limit : STATS_LIMIT);
	reply_json(api, call->request, 200);
}

/* ---- text ---- */

static void metric(FILE *out, const char *pool, const char *type, const char *name, const char *label, uint64_t value)
{
	if (type != NULL)
		fprintf(out, "# TYPE fairshared_%s %s\n", name, type);
	fprintf(out, "fairshared_%s{pool=\"%s\"%s} %" PRIu64 "\n", name, pool, label, value);
}

static void summary(FILE *out, const char *pool, const char *name, const struct fair_quantiles *quantiles)
{
	const struct {
		const char *quantile;
		uint64_t ns;
	} rows[] = {
		{"0.5", quantiles->p50_ns}, {"0.95", quantiles->p95_ns}, {"0.99", quantiles->p99_ns}, {"1", quantiles->max_ns}};

	fprintf(out, "# TYPE fairshared_%s gauge\n", name);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(out, "fairshared_%s{pool=\"%s\",quantile=\"%s\"} %.6f\n", name, pool, rows[i].quantile,
				(double)rows[i].ns / 1e9);
}

static void write_pool(FILE *out, const struct fair_pool_view *view)
{
	const char *pool = view->pool;

	metric(out, pool, "gauge", "max_slots", "", view->max_slots);
	metric(out, pool, "gauge", "min_share", "", view->min_share);
	metric(out, pool, "gauge", "slots", ",state=\"active\"", view->active_slots);
	metric(out, pool, NULL, "slots", ",state=\"free\"", available(view));
	metric(out, pool, "gauge", "share_slots", "", view->share);
	metric(out, pool, "gauge", "tenants", ",state=\"idle\"",
		   view->tenants > view->demanding ? view->tenants - view->demanding : 0);
	metric(out, pool, NULL, "tenants", ",state=\"demanding\"", view->demanding);
	metric(out, pool, "gauge", "waiters", "", view->waiting);
	metric(out, pool, "gauge", "waiters_absent", "", view->absent);
	metric(out, pool, "counter", "acquires_total", ",outcome=\"granted\"", view->granted_total);
	metric(out, pool, NULL, "acquires_total", ",outcome=\"no_slot\"", view->no_slot_total);
	metric(out, pool, "counter", "leases_ended_total", ",reason=\"released\"", view->released_total);
	metric(out, pool, NULL, "leases_ended_total", ",reason=\"expired\"", view->expired_total);
	metric(out, pool, NULL, "leases_ended_total", ",reason=\"revoked\"", view->revoked_total);
	metric(out, pool, NULL, "leases_ended_total", ",reason=\"unclaimed\"", view->unclaimed_total);
	metric(out, pool, "counter", "calculator_failures_total", "", view->calculator_failures);
	summary(out, pool, "wait_seconds", &view->wait);
	summary(out, pool, "hold_seconds", &view->hold);
}

static void tenant_metrics(struct api *api, struct call *call, FILE *out, const char *pool, bool waiters)
{
	uint64_t limit = call->in.limit > 0 ? call->in.limit : STATS_LIMIT;
	const char *name = waiters ? "tenant_waiters" : "tenant_active_slots";
	struct fair_tenant_view view;
	const void *cursor = NULL;

	fprintf(out, "# TYPE fairshared_%s gauge\n", name);
	for (uint64_t i = 0; i < limit && fair_tenant_busiest(api->fair, pool, &cursor, &view); i++)
		fprintf(out, "fairshared_%s{pool=\"%s\",tenant=\"%s\"} %" PRIu32 "\n", name, pool, view.tenant,
				waiters ? view.waiting : view.active_slots);
}

static void send_text(struct api *api, struct call *call, const struct fair_pool_view *view)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool lost;

	if (out == NULL) {
		refuse_overloaded(api, call->request);
		return;
	}
	fprintf(out, "# TYPE fairshared_build_info gauge\nfairshared_build_info{version=\"%s\"} 1\n", api->config.version);
	write_pool(out, view);
	if (call->in.tenants) {
		tenant_metrics(api, call, out, view->pool, false);
		tenant_metrics(api, call, out, view->pool, true);
	}
	lost = ferror(out) != 0;
	if (fclose(out) != 0 || lost) {
		free(text);
		refuse_overloaded(api, call->request);
		return;
	}
	reply_text(api, call->request, "text/plain; version=0.0.4; charset=utf-8", text, len);
}

void stats_get(struct api *api, struct call *call)
{
	const char *pool = call_pool(call);
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, call->now, pool, &view) != FAIR_OK)
		refuse_no_pool(api, call->request, pool);
	else if (prefers_text(call->request->accept))
		send_text(api, call, &view);
	else
		send_json(api, call, &view);
}
