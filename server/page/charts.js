// SPDX-License-Identifier: MIT
// The two pictures that Chart.js draws, and the tables that say the same.
import { el, keyed, mark, say, the } from './dom.js';
import { clock, count, duration, initials } from './words.js';

const { Chart } = globalThis;
const BANDS = 8;
const ROWS = 30;          // of the table, the latest
const BAND_LABEL = 13;    // pixels that a band needs for the initials of its tenant
const BUCKETS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300];    // upper bounds in seconds; one more for what is longer

/** The colours of the style sheet, for the canvas: they follow the theme. */
function paint() {
	const probe = the('past-title');
	const style = (name) => {
		probe.style.setProperty('color', `var(${name})`);
		const value = getComputedStyle(probe).color;
		probe.style.removeProperty('color');
		return value;
	};
	return {
		text: style('--quiet'), strong: style('--text'), lines: style('--hairline'), other: style('--other'), accent: style('--accent'),
		tones: Array.from({ length: 12 }, (_, tone) => style(`--solid-${tone}`)),
	};
}

/** Initials at the right end of each band that has room for them. */
const bandLabels = {
	id: 'bandLabels',
	afterDatasetsDraw(chart) {
		const { ctx, chartArea, scales: { x, y } } = chart;
		let below = 0;
		ctx.save();
		ctx.font = '600 10px system-ui, sans-serif';
		ctx.textAlign = 'right';
		ctx.textBaseline = 'middle';
		for (const { initials: text, data, band } of chart.data.datasets) {
			if (!band || data.length === 0)
				continue;
			const value = data.at(-1).y;
			const [low, high] = [y.getPixelForValue(below), y.getPixelForValue(below + value)];
			below += value;
			if (low - high < BAND_LABEL || chartArea.right - x.getPixelForValue(data[0].x) < ctx.measureText(text).width + 10)
				continue;
			ctx.fillStyle = chart.options.plugins.bandLabels.color;
			ctx.fillText(text, chartArea.right - 5, (low + high) / 2);
		}
		ctx.restore();
	},
};

function axis(colours, more) {
	return { ...more, border: { display: false }, grid: { color: colours.lines, drawTicks: false, ...more.grid },
		ticks: { color: colours.text, padding: 6, font: { size: 11 }, ...more.ticks } };
}

function options(colours, scales, tooltip) {
	return {
		animation: false, responsive: true, maintainAspectRatio: false, normalized: true, parsing: false,
		interaction: { mode: 'index', intersect: false, axis: 'x' }, events: ['mousemove', 'mouseout', 'touchstart', 'touchmove'],
		plugins: { legend: { display: false }, tooltip, bandLabels: { color: colours.strong } },
		scales,
	};
}

/** The name of a place on the axis of time, `value` being seconds from now. */
function ago(value) {
	if (value === 0)
		return 'now';
	return value % 60 === 0 ? `${-value / 60} min ago` : `${-value} s ago`;
}

/** Seconds that the axis of time shows, and from tick to tick: it grows with what is known. */
function span(history, now) {
	const known = history.length === 0 ? 0 : (now - history[0].at) / 1000;
	return known <= 60 ? [60, 15] : known <= 120 ? [120, 30] : [300, 60];
}

export class Past {
	constructor() {
		this.colour();
	}

	colour() {
		this.colours = paint();
		this.chart?.destroy();
		this.chart = new Chart(the('past'), {
			type: 'line', data: { datasets: [] }, plugins: [bandLabels],
			options: options(this.colours, {
				x: axis(this.colours, { type: 'linear', max: 0, grid: { display: false }, ticks: { maxRotation: 0, callback: ago } }),
				y: axis(this.colours, { stacked: true, beginAtZero: true, ticks: { precision: 0, maxTicksLimit: 6 } }),
			}, { callbacks: { title: ([{ parsed }]) => `${duration(-Math.round(parsed.x))} ago` }, itemSort: (a, b) => b.datasetIndex - a.datasetIndex }),
		});
	}

	/** The tenants with most slots over all that is kept; the others are one band. */
	bands(history) {
		const sums = new Map();
		for (const { held } of history)
			for (const [tenant, slots] of held)
				sums.set(tenant, (sums.get(tenant) ?? 0) + slots);
		return [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, BANDS).map(([tenant]) => tenant);
	}

	draw(model, now) {
		const { history } = model;
		const bands = this.bands(history);
		const rest = ({ total, held }) => Math.max(0, total - bands.reduce((sum, tenant) => sum + (held.get(tenant) ?? 0), 0));
		const others = history.some((sample) => rest(sample) > 0);
		const points = (value) => history.map((sample) => ({ x: (sample.at - now) / 1000, y: value(sample) }));
		const area = (label, short, colour, value) => ({ label, initials: short, band: true, data: points(value), fill: true, stack: 'held', stepped: true,
			borderWidth: 0, pointRadius: 0, backgroundColor: colour });
		this.chart.data.datasets = [
			...bands.map((tenant) => area(tenant, initials(tenant), this.colours.tones[model.tone(tenant)], ({ held }) => held.get(tenant) ?? 0)),
			...(others ? [area('others', 'others', this.colours.other, rest)] : []),
			{ label: 'share', data: points(({ share }) => share ?? NaN), stack: 'share', order: -1, fill: false, stepped: true, borderColor: this.colours.strong,
				borderWidth: 1.5, borderDash: [5, 4], pointRadius: 0 },
		];
		const [seconds, step] = span(history, now);
		const { x, y } = this.chart.options.scales;
		x.min = -seconds;
		x.ticks.stepSize = step;
		y.suggestedMax = model.stats.max_slots;
		the('past-empty').hidden = history.some(({ total }) => total > 0);
		this.chart.update('none');
		say(the('past-note'), history.length < 2 ? 'begins now' : `since ${clock(history[0].at, now)}`);
		this.legend(bands, others, model);
		if (the('past-details').open)
			this.table(bands, others, rest, model, now);
	}

	legend(bands, others, model) {
		const items = [...bands.map((tenant) => ({ key: `of ${tenant}`, tone: `tone-${model.tone(tenant)}`, short: initials(tenant), text: tenant })),
			...(others ? [{ key: 'others', tone: 'tone-other', short: '…', text: 'others' }] : []),
			{ key: 'share', tone: 'dashes', short: '', text: model.stats.share === null ? 'share differs by tenant' : `share, ${model.stats.share} now` }];
		keyed(the('past-legend'), items, ({ key }) => key, () => el('li', {}, el('b'), el('span')), (node, { tone, short, text }) => {
			mark(node.firstChild, 'class', `badge ${tone}`);
			say(node.firstChild, short);
			say(node.lastChild, text);
		});
	}

	table(bands, others, rest, model, now) {
		const samples = model.history.slice(-ROWS).reverse();
		const columns = ['time', ...bands, ...(others ? ['others'] : []), 'share'];
		const row = (sample) => [clock(sample.at, now), ...bands.map((tenant) => sample.held.get(tenant) ?? 0), ...(others ? [rest(sample)] : []),
			sample.share ?? 'differs'].map((value, index) => el(index === 0 ? 'th' : 'td', index === 0 ? { scope: 'row' } : { class: 'number' }, String(value)));
		the('past-table').replaceChildren(
			el('thead', {}, el('tr', {}, ...columns.map((name, index) => el('th', { scope: 'col', class: index === 0 ? undefined : 'number' }, name)))),
			el('tbody', {}, ...samples.map((sample) => el('tr', {}, ...row(sample)))));
	}
}

function bucketName(index) {
	const bound = (seconds) => (seconds < 60 ? `${seconds} s` : `${seconds / 60} min`);
	if (index === 0)
		return `up to ${bound(BUCKETS[0])}`;
	return index === BUCKETS.length ? `over ${bound(BUCKETS.at(-1))}` : `up to ${bound(BUCKETS[index])}`;
}

/** How many waits fall into each bucket. */
export function histogram(waits) {
	const counts = new Array(BUCKETS.length + 1).fill(0);
	for (const seconds of waits) {
		const index = BUCKETS.findIndex((bound) => seconds <= bound);
		counts[index === -1 ? BUCKETS.length : index]++;
	}
	return counts;
}

export class Waits {
	constructor() {
		this.colour();
	}

	colour() {
		this.colours = paint();
		this.chart?.destroy();
		this.chart = new Chart(the('waits'), {
			type: 'bar', data: { labels: [...BUCKETS.map((bound) => (bound < 60 ? `≤${bound}s` : `≤${bound / 60}m`)), '>5m'], datasets: [] },
			options: { ...options(this.colours, {
				x: axis(this.colours, { grid: { display: false }, ticks: { maxRotation: 0, autoSkip: true } }),
				y: axis(this.colours, { beginAtZero: true, ticks: { precision: 0, maxTicksLimit: 5 } }),
			}, { displayColors: false, callbacks: { title: ([{ dataIndex }]) => `waited ${bucketName(dataIndex)}`, label: ({ raw }) => count(raw, 'lease', 'leases') } }),
			parsing: true },
		});
	}

	draw(model) {
		const counts = histogram(model.waits.values());
		const known = model.stats.granted_total > 0;
		the('waits-empty').hidden = model.waits.size > 0;
		this.chart.data.datasets = [{ data: counts, backgroundColor: this.colours.accent, borderRadius: 2, barPercentage: 0.9, categoryPercentage: 0.95 }];
		this.chart.update('none');
		say(the('waits-note'), model.waits.size === 0 ? 'no lease yet' : `${count(model.waits.size, 'lease', 'leases')} seen here`);
		const { p50, p95, p99, max } = model.stats.wait_seconds;
		keyed(the('quantiles'), [['half up to', p50], ['95 % up to', p95], ['99 % up to', p99], ['longest', max]], ([name]) => name,
			([name]) => el('div', {}, el('dt', {}, name), el('dd')), (node, [, seconds]) => say(node.lastChild, known ? duration(seconds) : '–'));
		if (the('waits-details').open)
			the('waits-table').replaceChildren(
				el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'waited'), el('th', { scope: 'col', class: 'number' }, 'leases'))),
				el('tbody', {}, ...counts.map((number, index) => el('tr', {}, el('th', { scope: 'row' }, bucketName(index)),
					el('td', { class: 'number' }, String(number))))));
	}
}
