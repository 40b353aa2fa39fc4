// SPDX-License-Identifier: MIT
// The slots as a grid of cells: whose, since when, and how much of the ttl is left.
import { el, mark, say, the } from './dom.js';
import { brief, counting, initials, isolated } from './words.js';

const CELLS_MAX = 2000;
const ROOMY = 40;
const MEDIUM = 240;
const STEPS = 20;    // of the bar that shows the ttl: it is painted anew only so often

export class Slots {
	constructor(open) {
		this.grid = the('slots');
		this.cells = [];
		this.at = 0;
		this.hovered = null;
		this.open = open;
		this.grid.addEventListener('keydown', (event) => this.key(event));
		this.grid.addEventListener('click', (event) => this.click(event));
		this.grid.addEventListener('pointerover', (event) => this.hover(event.target.closest('.slot')));
		this.grid.addEventListener('pointerleave', () => this.hover(null));
		this.grid.addEventListener('focus', () => this.go(this.at));
	}

	hover(cell) {
		this.hovered = cell === null ? null : this.cells.indexOf(cell);
		this.tell();
	}

	click(event) {
		const cell = event.target.closest('.slot');
		if (cell === null)
			return;
		this.go(this.cells.indexOf(cell));
		this.open(this.at);
	}

	key(event) {
		const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.perRow(), ArrowDown: this.perRow(), Home: -Infinity, End: Infinity };
		if (event.key in steps)
			this.go(Math.min(this.cells.length - 1, Math.max(0, this.at + steps[event.key])));
		else if (event.key === 'Enter' || event.key === ' ')
			this.open(this.at);
		else
			return;
		event.preventDefault();
	}

	perRow() {
		const top = this.cells[0]?.offsetTop;
		const next = this.cells.findIndex((cell) => cell.offsetTop !== top);
		return next === -1 ? this.cells.length : next;
	}

	go(index) {
		if (this.cells.length === 0)
			return;
		this.cells[this.at]?.removeAttribute('aria-selected');
		this.at = Math.min(index, this.cells.length - 1);
		this.cells[this.at].setAttribute('aria-selected', 'true');
		this.grid.setAttribute('aria-activedescendant', this.cells[this.at].id);
		this.cells[this.at].scrollIntoView({ block: 'nearest' });
		this.tell();
	}

	/** The line under the grid says all of the slot that is pointed at or stood on. */
	tell() {
		const index = this.hovered ?? (document.activeElement === this.grid ? this.at : null);
		say(the('slots-detail'), index === null || this.cells[index] === undefined ? 'Point at a slot, or go there with the arrow keys, to see who holds it.' : this.sentence(index));
	}

	sentence(index) {
		const lease = this.held?.get(index);
		const cordoned = this.cordoned.has(index) ? ' · cordoned' : '';
		const reclaimed = lease?.reclaim === undefined ? '' : ' · asked back';
		if (lease === undefined)
			return `Slot ${index} · free${cordoned}`;
		const now = performance.now();
		return `Slot ${index} · ${lease.tenant_id}${lease.label === '' ? '' : ` · ${isolated(lease.label)}`} · held ${counting((now - lease.since) / 1000)} · ` +
			`${counting((lease.expires - now) / 1000)} left of ${counting(lease.ttl_seconds)}${reclaimed}${cordoned}`;
	}

	resize(count) {
		while (this.cells.length > count)
			this.cells.pop().remove();
		if (this.at >= count)
			this.at = 0;
		const added = document.createDocumentFragment();
		while (this.cells.length < count) {
			const number = this.cells.length;
			const cell = el('div', { class: 'slot', role: 'option', id: `slot-${number}` });
			const parts = { name: el('span', { class: 'unseen' }), who: el('b'), more: el('span', { class: 'more' }), age: el('span', { class: 'age' }), number: el('span', { class: 'quiet id', 'aria-hidden': 'true' }), left: el('i', { class: 'left' }) };
			cell.append(parts.name, parts.who, parts.more, parts.age, parts.number, parts.left);
			cell.parts = parts;
			cell.lease = undefined;
			this.cells.push(cell);
			added.append(cell);
		}
		this.grid.append(added);
	}

	draw(model, now) {
		const { stats } = model;
		const held = new Map();
		for (const lease of model.leases.values())
			for (const slot of lease.slot_ids)
				held.set(slot, lease);
		const past = Math.max(-1, ...[...held.keys()].filter((slot) => slot >= stats.max_slots));
		const count = Math.min(CELLS_MAX, Math.max(stats.max_slots, past + 1));
		this.held = held;
		this.cordoned = new Set(model.pool.cordoned);
		this.size = count <= ROOMY ? 'roomy' : count <= MEDIUM ? 'medium' : 'small';
		mark(this.grid, 'data-size', this.size);
		if (this.cells.length !== count)
			this.resize(count);
		for (let slot = 0; slot < count; slot++)
			this.drawCell(this.cells[slot], slot, held.get(slot), model, now);
		const free = Math.max(0, stats.max_slots - stats.total_active_slots - model.idleCordoned() - stats.resting_slots -
			stats.reserved_slots - stats.saved_slots);
		const kept = [[this.cordoned.size, 'cordoned'], [stats.resting_slots, 'resting'], [stats.reserved_slots, 'reserved'], [stats.saved_slots, 'saved']];
		say(the('slots-note'), [`${stats.total_active_slots} held`, `${free} free`, ...kept.filter(([slots]) => slots > 0).map(([slots, how]) => `${slots} ${how}`),
			...(stats.max_slots > count ? [`the first ${count} are shown`] : [])].join(' · '));
		this.tell();
	}

	drawCell(cell, slot, lease, model, now) {
		const cordoned = this.cordoned.has(slot);
		const look = `${lease?.id ?? ''} ${this.size} ${cordoned} ${slot >= model.stats.max_slots}`;
		if (cell.look !== look) {
			cell.look = look;
			this.dress(cell, slot, lease, model, cordoned);
		}
		if (lease === undefined)
			return;
		const age = (now - lease.since) / 1000;
		const left = (lease.expires - now) / 1000;
		say(cell.parts.age, this.size === 'roomy' ? `${brief(age)} · ${brief(left)} left` : brief(age));
		const step = Math.max(0, Math.min(STEPS, Math.ceil(STEPS * left / lease.ttl_seconds)));
		if (cell.step !== step) {
			cell.step = step;
			cell.parts.left.style.backgroundSize = `${100 * step / STEPS}% 100%`;
		}
	}

	/** What changes with the holder only. */
	dress(cell, slot, lease, model, cordoned) {
		const { name, who, more, age, number } = cell.parts;
		cell.className = `slot${lease === undefined ? ' free' : ` tone-${model.tone(lease.tenant_id)}`}${cordoned ? ' cordoned' : ''}` +
			(slot >= model.stats.max_slots ? ' surplus' : '');
		cell.step = undefined;
		say(who, lease === undefined ? String(slot) : initials(lease.tenant_id));
		say(number, lease === undefined || this.size !== 'roomy' ? '' : String(slot));
		say(more, lease === undefined || this.size !== 'roomy' ? '' : lease.tenant_id);
		say(age, lease !== undefined ? '' : cordoned ? (this.size === 'roomy' ? 'cordoned' : 'off') : this.size === 'roomy' ? 'free' : '');
		say(name, `slot ${slot}${cordoned ? ', cordoned' : ''}${lease === undefined ? ', free, ' : `, ${lease.tenant_id}${lease.label === '' ? '' : `, ${isolated(lease.label)}`}, `}`);
	}
}
