/* SPDX-License-Identifier: MIT */
#include "state.h"

/* Quantiles cover the current half and the one before it: the last 5 to 10 minutes. */
#define HALF_NS (UINT64_C(300) * 1000000000)

uint32_t histogram_bin(uint64_t value)
{
	if (value < HISTOGRAM_STEPS)
		return (uint32_t)value;

	uint32_t log2 = 63 - (uint32_t)__builtin_clzll(value);
	uint32_t step = (uint32_t)(value >> (log2 - 5)) - HISTOGRAM_STEPS;

	return (log2 - 4) * HISTOGRAM_STEPS + step;
}

/* The largest value of a bin: a quantile is never told smaller than it was. */
static uint64_t bin_top(uint32_t bin)
{
	if (bin < HISTOGRAM_STEPS)
		return bin;

	uint32_t log2 = bin / HISTOGRAM_STEPS + 4;
	uint64_t step = bin % HISTOGRAM_STEPS;

	return ((step + HISTOGRAM_STEPS + 1) << (log2 - 5)) - 1;
}

static void window_turn(struct window *w, uint64_t now)
{
	if (now - w->turned_at < HALF_NS)
		return;
	if (now - w->turned_at >= 2 * HALF_NS)
		memset(&w->half[w->current], 0, sizeof(w->half[0]));
	w->current ^= 1;
	memset(&w->half[w->current], 0, sizeof(w->half[0]));
	w->turned_at = now;
}

void window_add(struct window *w, uint64_t now, uint64_t value)
{
	window_turn(w, now);

	struct histogram *h = &w->half[w->current];

	h->bins[histogram_bin(value)]++;
	h->count++;
	h->sum += (double)value;
	h->squares += (double)value * (double)value;
	if (value > h->max)
		h->max = value;
}

static uint64_t quantile(const struct window *w, uint64_t per_cent, uint64_t max)
{
	uint64_t count = w->half[0].count + w->half[1].count;
	uint64_t rank = (count * per_cent + 99) / 100;
	uint64_t seen = 0;

	if (count == 0)
		return 0;
	for (uint32_t i = 0; i < HISTOGRAM_BINS; i++) {
		seen += (uint64_t)w->half[0].bins[i] + w->half[1].bins[i];
		if (seen >= rank)
			return bin_top(i) < max ? bin_top(i) : max;
	}
	return max;
}

struct fair_quantiles window_quantiles(struct window *w, uint64_t now)
{
	window_turn(w, now);

	uint64_t max = w->half[0].max > w->half[1].max ? w->half[0].max : w->half[1].max;

	return (struct fair_quantiles){
		.p50_ns = quantile(w, 50, max), .p95_ns = quantile(w, 95, max), .p99_ns = quantile(w, 99, max), .max_ns = max};
}

/* Does not turn the window: what is too old is left out. */
struct holds window_holds(const struct window *w, uint64_t now)
{
	uint64_t age = now - w->turned_at;
	double sum = 0, squares = 0;
	struct holds holds = {0};

	for (uint32_t i = 0; i < 2; i++) {
		if (age >= (i == w->current ? 2 * HALF_NS : HALF_NS))
			continue;
		holds.count += w->half[i].count;
		sum += w->half[i].sum;
		squares += w->half[i].squares;
	}
	if (holds.count == 0)
		return holds;
	holds.mean = sum / (double)holds.count;
	if (sum > 0)
		holds.spread = squares * (double)holds.count / (sum * sum) - 1;
	return holds;
}
