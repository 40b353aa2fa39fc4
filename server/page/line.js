// SPDX-License-Identifier: MIT
// Who waits, by tenant: places, reasons and how long.
import { el, keyed, mark, say, the } from './dom.js';
import { count, counting, initials, isolated, why } from './words.js';
import { LINE_MAX } from './model.js';

const SHOWN_OF_TENANT = 8;
const TENANTS_SHOWN = 40;

function makeGroup({ tenant, more }) {
	if (more !== undefined)
		return el('tbody', {}, el('tr', { class: 'group quiet' }, el('td', { colspan: '4' })));
	const head = el('tr', { class: 'group' }, el('th', { colspan: '4', scope: 'rowgroup' }, el('b', { class: 'badge' }), el('span', { class: 'name' }),
		el('span', { class: 'quiet' })));
	const group = el('tbody', { 'data-tenant': tenant }, head);
	group.head = head.firstChild;
	return group;
}

function makeWaiter() {
	return el('tr', {}, el('td', { class: 'number' }), el('td', { class: 'label' }), el('td'), el('td', { class: 'number' }));
}

function drawWaiter(row, waiter, now) {
	const [place, label, reason, waits] = row.children;
	say(place, waiter.present ? String(waiter.ahead + 1) : '–');
	say(label, [isolated(waiter.label), waiter.slots > 1 ? `${waiter.slots} slots` : '', waiter.priority !== 0 ? `priority ${waiter.priority}` : '']
		.filter((part) => part !== '').join(' · '));
	mark(label, 'title', label.textContent);
	say(reason, why(waiter.reason));
	say(waits, counting((now - waiter.since) / 1000));
	mark(row, 'class', waiter.present ? undefined : 'away');
}

/** Those who wait by tenant, in the order of the first of each; the last one stands for the tenants that are not shown. */
function groups({ line, stats }) {
	const found = new Map();
	for (const waiter of line) {
		if (!found.has(waiter.tenant_id))
			found.set(waiter.tenant_id, { tenant: waiter.tenant_id, waiters: [] });
		found.get(waiter.tenant_id).waiters.push(waiter);
	}
	for (const group of found.values())
		group.stats = stats.tenants[group.tenant];
	const all = [...found.values()];
	return [...all.slice(0, TENANTS_SHOWN), ...(all.length > TENANTS_SHOWN ? [{ more: all.length - TENANTS_SHOWN }] : [])];
}

function drawGroup(node, group, model, now) {
	const [badge, name, note] = node.head.children;
	const { tenant, waiters, stats } = group;
	const all = Math.max(waiters.length, stats === undefined ? 0 : stats.waiting + stats.absent);
	mark(badge, 'class', `badge tone-${model.tone(tenant)}`);
	say(badge, initials(tenant));
	say(name, tenant);
	say(note, `${count(all, 'waits', 'wait')}${stats === undefined ? '' : `, holds ${stats.active_slots} of ${stats.share}`}`);
	const shown = waiters.slice(0, SHOWN_OF_TENANT);
	const items = [...shown, ...(all > shown.length ? [{ id: 'more', more: all - shown.length }] : [])];
	keyed(node, items, ({ id }) => id, (item) => (item.more ? el('tr', { class: 'quiet' }, el('td'), el('td', { colspan: '3' })) : makeWaiter()),
		(row, item) => {
			if (item.more)
				say(row.lastChild, `and ${item.more} more`);
			else
				drawWaiter(row, item, now);
		}, node.head.parentNode);
}

export function drawLine(model, now) {
	const table = the('line');
	const { stats, line } = model;
	the('line-box').hidden = line.length === 0;
	the('line-empty').hidden = line.length > 0;
	say(the('line-note'), stats.waiting + stats.absent === 0 ? '' : `${stats.waiting} waiting${stats.absent > 0 ? ` · ${stats.absent} away` : ''}` +
		(line.length === LINE_MAX ? ` · the first ${LINE_MAX} are shown` : ''));
	keyed(table, groups(model), ({ tenant, more }) => (more === undefined ? `of ${tenant}` : 'more'), makeGroup, (node, group) => {
		if (group.more === undefined)
			drawGroup(node, group, model, now);
		else
			say(node.rows[0].cells[0], `and ${count(group.more, 'more tenant', 'more tenants')}`);
	}, table.tHead);
}
