// SPDX-License-Identifier: MIT
// Tables that are sorted by any column, filtered by a text, and turned page by page.
import { el, keyed, mark, say } from './dom.js';

const PAGE = 25;

/**
 * A column: {title, number?, wide?, sort(item) -> value, show(cell, item, now)}; an item has a `key`, and `text` to filter by.
 */
export class Table {
	constructor(card, { title, columns, sort, filter, empty }) {
		this.columns = columns;
		this.sort = sort;       // {column, down}
		this.page = 0;
		this.items = [];
		this.empty = empty;
		this.note = el('span', { class: 'quiet' });
		this.input = el('input', { type: 'search', placeholder: filter, 'aria-label': `${title}: ${filter}`, spellcheck: 'false', input: () => {
			this.page = 0;
			this.redraw();
		} });
		this.heads = columns.map((column, index) => this.makeHead(column, index));
		this.body = el('tbody');
		this.table = el('table', { class: 'data', 'aria-labelledby': `${card.id.replace('-card', '')}-title` },
			el('thead', {}, el('tr', {}, ...this.heads)), this.body);
		this.box = el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${title}, the table` }, this.table);
		this.none = el('p', { class: 'empty' });
		this.back = el('button', { type: 'button', click: () => this.turn(-1) }, 'Previous');
		this.on = el('button', { type: 'button', click: () => this.turn(1) }, 'Next');
		this.where = el('span', { class: 'quiet' });
		this.pager = el('div', { class: 'pager' }, this.back, this.where, this.on);
		card.append(el('header', {}, el('h2', { id: `${card.id.replace('-card', '')}-title` }, title), this.note, el('span', { class: 'gap' }), this.input),
			this.box, this.none, this.pager);
	}

	makeHead({ title, number, wide, sort }, index) {
		const head = el('th', { scope: 'col', class: number ? 'number' : wide ? 'rest' : undefined });
		if (sort === undefined)
			head.append(el('span', { class: 'unseen' }, title));
		else
			head.append(el('button', { type: 'button', click: () => this.sortBy(index) }, title));
		return head;
	}

	sortBy(column) {
		this.sort = { column, down: this.sort.column === column ? !this.sort.down : false };
		this.page = 0;
		this.redraw();
	}

	turn(by) {
		this.page += by;
		this.redraw();
		this.box.scrollTop = 0;
	}

	redraw() {
		this.draw(this.items, this.all, performance.now());
	}

	ordered() {
		const needle = this.input.value.trim().toLowerCase();
		const found = needle === '' ? [...this.items] : this.items.filter(({ text }) => text.toLowerCase().includes(needle));
		const { column, down } = this.sort;
		const value = this.columns[column].sort;
		const sign = down ? -1 : 1;
		return found.map((item) => [value(item), item])
			.sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : x.key < y.key ? -1 : 1))
			.map(([, item]) => item);
	}

	/** Shows items; `all` is how many there are, where not all are known. */
	draw(items, all, now) {
		this.items = items;
		this.all = all;
		const found = this.ordered();
		const pages = Math.max(1, Math.ceil(found.length / PAGE));
		this.page = Math.max(0, Math.min(this.page, pages - 1));
		const shown = found.slice(this.page * PAGE, (this.page + 1) * PAGE);
		this.heads.forEach((head, index) => mark(head, 'aria-sort', index !== this.sort.column ? undefined : this.sort.down ? 'descending' : 'ascending'));
		keyed(this.body, shown, ({ key }) => key, () => el('tr', {}, ...this.columns.map(({ number }) => el('td', { class: number ? 'number' : undefined }))),
			(row, item) => this.columns.forEach((column, index) => column.show(row.cells[index], item, now)));
		this.box.hidden = shown.length === 0;
		this.none.hidden = shown.length > 0;
		say(this.none, items.length === 0 ? this.empty : `None of ${items.length} has “${this.input.value.trim()}” in it.`);
		this.pager.hidden = pages === 1;
		this.back.disabled = this.page === 0;
		this.on.disabled = this.page === pages - 1;
		say(this.where, `${this.page * PAGE + 1}–${this.page * PAGE + shown.length} of ${found.length}`);
		say(this.note, items.length < all ? `${items.length} of ${all} are known here` : items.length === 0 ? '' : String(items.length));
	}
}
