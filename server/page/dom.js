// SPDX-License-Identifier: MIT
// Elements. Whatever comes from the server becomes text, never markup.

/** Makes an element: el('td', { class: 'number' }, 'text', child). Properties that are functions listen to events. */
export function el(tag, properties = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(properties)) {
		if (typeof value === 'function')
			node.addEventListener(name, value);
		else if (value !== undefined)
			node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}

/** The element of an id. */
export function the(id) {
	return document.getElementById(id);
}

/** Sets the text of a node where it differs: what is set is laid out anew. */
export function say(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

/** Sets an attribute where it differs; undefined takes it away. */
export function mark(node, name, value) {
	if (value === undefined)
		node.removeAttribute(name);
	else if (node.getAttribute(name) !== value)
		node.setAttribute(name, value);
}

/**
 * Makes the children of a node those that `make(item)` gives for items, one for each key; old ones are kept and `draw`n. `head` is a
 * first child that stays.
 */
export function keyed(parent, items, key, make, draw, head = null) {
	const nodes = parent.nodes ??= new Map();
	const wanted = new Map(items.map((item) => [key(item), item]));
	for (const [name, node] of nodes) {
		if (!wanted.has(name)) {
			node.remove();
			nodes.delete(name);
		}
	}
	let before = head === null ? parent.firstElementChild : head.nextElementSibling;
	for (const [name, item] of wanted) {
		let node = nodes.get(name);
		if (node === undefined)
			nodes.set(name, node = make(item));
		if (node === before)
			before = before.nextElementSibling;
		else
			parent.insertBefore(node, before);
		draw?.(node, item);
	}
}
