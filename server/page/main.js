// SPDX-License-Identifier: MIT
// The page: which pool is shown, and what is drawn when.
import { call } from './api.js';
import { Past, Waits } from './charts.js';
import { el, keyed, mark, say, the } from './dom.js';
import { Feed } from './feed.js';
import { drawLine } from './line.js';
import { Model } from './model.js';
import { Slots } from './slots.js';
import { Table } from './tables.js';
import * as verbs from './verbs.js';
import { clock, counting, duration, headline, initials, rights } from './words.js';

const FRAME_BUDGET = 8;    // ms: what a frame draws before it leaves the rest to the next

let model = null;
let feed = null;
let lostAt = null;
let fresh = true;    // the pool is shown for the first time

/* ---- the tables ---- */

function badge(cell, tenant) {
	if (cell.firstChild === null)
		cell.append(el('b', {}), el('span', { class: 'name' }));
	mark(cell.firstChild, 'class', `badge tone-${model.tone(tenant)}`);
	say(cell.firstChild, initials(tenant));
	say(cell.lastChild, tenant);
	mark(cell, 'title', tenant);
}

function labelled(cell, label) {
	say(cell, label);
	mark(cell, 'title', label === '' ? undefined : label);
}

function button(cell, name, label, act) {
	if (cell.firstChild === null)
		cell.append(el('button', { type: 'button', class: 'small', click: () => cell.act() }, name));
	cell.act = act;
	mark(cell.firstChild, 'aria-label', label);
}

const refresh = () => feed.refresh();

const leases = new Table(the('leases-card'), {
	title: 'Leases', filter: 'filter by tenant or label', empty: 'No lease is held.', sort: { column: 0, down: false },
	columns: [
		{ title: 'Slot', number: true, sort: ({ lease }) => lease.slot_ids[0], show: (cell, { lease }) => say(cell, lease.slot_ids.join(', ')) },
		{ title: 'Tenant', sort: ({ lease }) => lease.tenant_id, show: (cell, { lease }) => badge(cell, lease.tenant_id) },
		{ title: 'Label', sort: ({ lease }) => lease.label, wide: true, show: (cell, { lease }) => labelled(cell, lease.label) },
		{ title: 'Age', number: true, sort: ({ lease }) => -lease.since, show: (cell, { lease }, now) => say(cell, counting((now - lease.since) / 1000)) },
		{ title: 'Last beat', number: true, sort: ({ lease }) => -lease.beat,
			show: (cell, { lease }, now) => say(cell, `${counting((now - lease.beat) / 1000)} ago`) },
		{ title: 'Left', number: true, sort: ({ lease }) => lease.expires, show: (cell, { lease }, now) => say(cell, counting((lease.expires - now) / 1000)) },
		{ title: 'Waited', number: true, sort: ({ lease }) => lease.waited_seconds, show: (cell, { lease }) => say(cell, duration(lease.waited_seconds)) },
		{ title: 'Revoke', show: (cell, { lease }) => button(cell, 'Revoke…', `Revoke the lease of ${lease.tenant_id} on slot ${lease.slot_ids.join(', ')}`,
			() => verbs.revoke(lease, refresh)) },
	],
});

const tenants = new Table(the('tenants-card'), {
	title: 'Tenants', filter: 'filter by name', empty: 'No tenant is registered.', sort: { column: 1, down: true },
	columns: [
		{ title: 'Tenant', sort: ({ tenant }) => tenant.tenant_id, show: (cell, { tenant }) => badge(cell, tenant.tenant_id) },
		{ title: 'Holds', number: true, sort: ({ tenant }) => tenant.active_slots, show: (cell, { tenant }) => say(cell, String(tenant.active_slots)) },
		{ title: 'Share', number: true, sort: ({ tenant }) => tenant.share, show: (cell, { tenant }) => say(cell, String(tenant.share)) },
		{ title: 'Waits', number: true, sort: ({ tenant }) => tenant.waiting, show: (cell, { tenant }) => say(cell, String(tenant.waiting)) },
		{ title: 'Away', number: true, sort: ({ tenant }) => tenant.absent, show: (cell, { tenant }) => say(cell, String(tenant.absent)) },
		{ title: 'State', sort: ({ tenant }) => tenant.state, show: (cell, { tenant }) => say(cell, tenant.state) },
		{ title: 'May have', sort: ({ tenant }) => rights(tenant), show: (cell, { tenant }) => say(cell, rights(tenant)) },
		{ title: 'Registered by', wide: true, sort: ({ tenant }) => tenant.instances.join(' '), show: (cell, { tenant }) => labelled(cell, tenant.instances.join(', ')) },
		{ title: 'Revoke', show: (cell, { tenant }) => {
			if (tenant.active_slots + tenant.waiting + tenant.absent > 0)
				button(cell, 'Revoke all…', `Revoke all that ${tenant.tenant_id} holds`, () => verbs.revokeAll(model.name, tenant, refresh));
			else
				cell.replaceChildren();
		} },
	],
});

/** What the list told of each tenant, with the newer figures of the statistics. */
function tenantItems({ tenants: listed, stats }) {
	return [...listed.values()].map((tenant) => {
		const now = stats.tenants[tenant.tenant_id] ?? {};
		return { key: tenant.tenant_id, text: tenant.tenant_id, tenant: { ...tenant, ...now } };
	});
}

/* ---- the top ---- */

function drawFigures({ stats }) {
	const rows = [
		['Held', `${stats.total_active_slots} of ${stats.max_slots}`],
		['Share of each', stats.share === null ? 'differs' : String(stats.share)],
		['Tenants', `${stats.demanding_tenants} of ${stats.active_tenants} want slots`],
		['Waiting', stats.absent > 0 ? `${stats.waiting}, and ${stats.absent} away` : String(stats.waiting)],
		['Fairness', stats.fairness_index.toFixed(2)],
		['Half wait up to', stats.granted_total > 0 ? duration(stats.wait_seconds.p50) : '–'],
		['Half hold for up to', stats.hold_seconds.max > 0 ? duration(stats.hold_seconds.p50) : '–'],
		['Granted', stats.granted_total.toLocaleString('en')],
		['Ran out', stats.expired_total.toLocaleString('en')],
		['Revoked', stats.revoked_total.toLocaleString('en')],
		['Got no slot', stats.no_slot_total.toLocaleString('en')],
	];
	keyed(the('figures'), rows, ([name]) => name, ([name]) => el('div', {}, el('dt', {}, name), el('dd')), (node, [, value]) => say(node.lastChild, value));
}

function drawTop(now) {
	say(the('headline'), headline(model, now));
	document.title = `${model.stats.total_active_slots}/${model.stats.max_slots}${model.stats.waiting > 0 ? ` +${model.stats.waiting}` : ''} ${model.name} · fairshared`;
	say(the('version'), `${model.stats.version} · up for ${counting(model.stats.uptime_seconds)}`);
	say(the('drain'), model.pool.draining ? 'Grant again…' : 'Drain…');
	drawFigures(model);
}

function drawTabs() {
	const { pools } = model;
	const focused = document.activeElement?.getAttribute('role') === 'tab';
	keyed(the('tabs'), pools, ({ pool }) => pool, ({ pool }) => el('button', { type: 'button', role: 'tab', 'aria-controls': 'panel', click: () => choose(pool) },
		el('span', {}, pool), el('span', { class: 'count' })), (node, pool) => {
		const chosen = pool.pool === model.name;
		mark(node, 'aria-selected', String(chosen));
		mark(node, 'tabindex', chosen ? '0' : '-1');
		say(node.lastChild, `${pool.total_active_slots}/${pool.max_slots}${pool.waiting > 0 ? ` +${pool.waiting}` : ''}`);
		if (chosen && focused)
			node.focus();
	});
}

function turnTabs(event) {
	const names = model.pools.map(({ pool }) => pool);
	const at = names.indexOf(model.name);
	const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: names.length - 1 }[event.key];
	if (next === undefined)
		return;
	event.preventDefault();
	choose(names[(next + names.length) % names.length]);
}

/* ---- drawing ---- */

const slots = new Slots((number) => verbs.slot(model, number, refresh));
const past = new Past();
const waits = new Waits();

const views = [
	drawTabs,
	drawTop,
	(now) => slots.draw(model, now),
	(now) => drawLine(model, now),
	(now) => leases.draw([...model.leases.values()].map((lease) => ({ key: lease.id, text: `${lease.tenant_id} ${lease.label}`, lease })),
		/* Of those that are not known only the slots are. */
		model.leases.size + model.stats.total_active_slots - [...model.leases.values()].reduce((sum, { slots: held }) => sum + held, 0), now),
	(now) => tenants.draw(tenantItems(model), model.stats.active_tenants, now),
];
/* The pictures change once a second: that is what the history keeps. */
const pictures = [(now) => past.draw(model, now), () => waits.draw(model)];
let left = [];

/** Draws one view after the other, in as many frames as it takes. */
function frame() {
	const began = performance.now();
	if (model.stats === null)    // another pool was chosen since
		left = [];
	while (left.length > 0 && performance.now() - began < FRAME_BUDGET)
		left.shift()(began);
	if (left.length > 0)
		requestAnimationFrame(frame);
}

function draw({ all } = { all: false }) {
	if (model?.stats == null || document.hidden)
		return;
	the('start').hidden = true;
	the('panel').hidden = false;
	const idle = left.length === 0;
	left = [...left, ...[...views, ...(all || fresh ? pictures : [])].filter((view) => !left.includes(view))];
	fresh = false;
	if (idle)
		requestAnimationFrame(frame);
}

/* ---- the connection ---- */

function connection(state, error) {
	const now = performance.now();
	if (state === 'live')
		lostAt = null;
	else if (error.code === 'pool-not-found')
		return home();
	else
		lostAt ??= now;
	mark(the('connection'), 'data-state', state);
	say(the('connection').lastChild, state);
	document.body.classList.toggle('stale', lostAt !== null);
	drawLost();
}

function drawLost() {
	const banner = the('lost');
	banner.hidden = lostAt === null;
	if (lostAt === null)
		return;
	say(banner, `The connection was lost at ${clock(lostAt, performance.now())}. What you see is from then; the page goes on trying.`);
}

/* ---- which pool ---- */

function choose(pool) {
	location.hash = new URLSearchParams({ pool }).toString();
}

/** The pool that the address names is gone: the first there is. */
async function home() {
	const { items } = await call('GET', 'pools').catch(() => ({ items: [] }));    // the feed tries again
	if (items.length > 0)
		choose(items[0].pool);
}

function follow() {
	const name = new URLSearchParams(location.hash.slice(1)).get('pool') ?? 'default';
	if (model?.name === name)
		return;
	feed?.stop();
	fresh = true;
	const pools = model?.pools ?? [];
	model = new Model(name);
	model.takePools(pools);
	feed = new Feed(model, { changed: () => draw(), connection });
}

/* ---- colours ---- */

function theme(name) {
	if (name === 'auto')
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = name;
	past.colour();
	waits.colour();
	draw({ all: true });
}

function remembered() {
	try {
		return localStorage.getItem('fairshared-theme') ?? 'auto';
	} catch {
		return 'auto';    // a browser that keeps nothing
	}
}

the('theme').value = remembered();
the('theme').addEventListener('change', ({ target }) => {
	try {
		localStorage.setItem('fairshared-theme', target.value);
	} catch { /* it holds for this visit */ }
	theme(target.value);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => theme(the('theme').value));

the('tabs').addEventListener('keydown', turnTabs);
the('resize').addEventListener('click', () => verbs.resize(model.pool, refresh));
the('drain').addEventListener('click', () => verbs.drain(model.pool, refresh));
document.addEventListener('visibilitychange', () => feed.seen());
addEventListener('hashchange', follow);
setInterval(() => {
	if (lostAt === null)
		model.sample(performance.now());
	drawLost();
	draw({ all: true });
}, 1000);
theme(the('theme').value);
follow();
