// SPDX-License-Identifier: MIT
// Who waits, by tenant: places, reasons and how long.
import { el, keyed, mark, say, the } from './dom.js';
import { count, counting, initials, why } from './words.js';
import { LINE_MAX } from './model.js';

const SHOWN_OF_TENANT = 8;

function makeGroup({ tenant }) {
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
	say(label, waiter.label);
	say(reason, why(waiter.reason));
	say(waits, counting((now - waiter.since) / 1000));
	mark(row, 'class', waiter.present ? undefined : 'away');
}

function groups({ line, stats }) {
	const found = new Map();
	for (const waiter of line) {
		if (!found.has(waiter.tenant_id))
			found.set(waiter.tenant_id, { tenant: waiter.tenant_id, waiters: [] });
		found.get(waiter.tenant_id).waiters.push(waiter);
	}
	for (const group of found.values())
		group.stats = stats.tenants[group.tenant];
	return [...found.values()];
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
	const items = [{ id: 'head' }, ...shown, ...(all > shown.length ? [{ id: 'more', more: all - shown.length }] : [])];
	node.nodes ??= new Map([['head', node.firstElementChild]]);
	keyed(node, items, ({ id }) => id, (item) => (item.more ? el('tr', { class: 'quiet' }, el('td'), el('td', { colspan: '3' })) : makeWaiter()),
		(row, item) => {
			if (item.more)
				say(row.lastChild, `and ${item.more} more`);
			else if (item.id !== 'head')
				drawWaiter(row, item, now);
		});
}

export function drawLine(model, now) {
	const table = the('line');
	const { stats, line } = model;
	the('line-box').hidden = line.length === 0;
	the('line-empty').hidden = line.length > 0;
	say(the('line-note'), stats.waiting + stats.absent === 0 ? '' : `${stats.waiting} waiting${stats.absent > 0 ? ` · ${stats.absent} away` : ''}` +
		(line.length === LINE_MAX ? ` · the first ${LINE_MAX} are shown` : ''));
	table.nodes ??= new Map([['head', table.tHead]]);
	keyed(table, [{ tenant: 'head' }, ...groups(model).map((group) => ({ ...group, key: `of ${group.tenant}` }))],
		(group) => group.key ?? 'head', makeGroup, (node, group) => {
			if (group.key !== undefined)
				drawGroup(node, group, model, now);
		});
}
