// SPDX-License-Identifier: MIT
// Requests to the server. Addresses are relative to the page, which may stand under a prefix.

const TIMEOUT = 5000;

/** The server said no: `code` and `detail` are those of its problem. */
export class Refused extends Error {
	constructor(status, problem) {
		super(problem.detail ?? `the server answered ${status}`);
		this.status = status;
		this.code = problem.code ?? '';
	}
}

/** Sends a request and returns its JSON, or null for none. */
export async function call(method, path, { query = {}, body, signal } = {}) {
	const known = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
	const address = known.length === 0 ? path : `${path}?${new URLSearchParams(known)}`;
	const reply = await fetch(address, {
		method, body: body === undefined ? undefined : JSON.stringify(body),
		headers: { Accept: 'application/json' }, cache: 'no-store',
		signal: signal === undefined ? AbortSignal.timeout(TIMEOUT) : AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
	});
	const text = await reply.text();
	let value = null;
	try {
		value = text === '' ? null : JSON.parse(text);
	} catch {
		throw new Refused(reply.status, {});    // a proxy's own page
	}
	if (!reply.ok)
		throw new Refused(reply.status, value ?? {});
	return value;
}

/** The path of a thing: segment('leases', id). */
export function segment(folder, name) {
	return `${folder}/${encodeURIComponent(name)}`;
}

/** Reads a list page by page, `most` entries and `pages` requests at most. */
export async function list(path, query, { most, pages = 8, signal }) {
	const items = [];
	let cursor = null;
	for (let page = 0; page < pages && items.length < most; page++) {
		const reply = await call('GET', path, { query: { ...query, limit: Math.min(1000, most - items.length), cursor }, signal });
		items.push(...reply.items);
		cursor = reply.next_cursor;
		if (cursor === null)
			break;
	}
	return items;
}

/**
 * Server-sent events, read by fetch, which can send what EventSource cannot: {event, data}, and null for each comment, a sign of
 * life. Ends when the server ends it.
 */
export async function* stream(path, { query, signal }) {
	const reply = await fetch(`${path}?${new URLSearchParams(query)}`, { headers: { Accept: 'text/event-stream' }, cache: 'no-store', signal });
	if (!reply.ok)
		throw new Refused(reply.status, await reply.json().catch(() => ({})));
	const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
	let text = '';
	for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
		const blocks = (text + chunk.value).split('\n\n');
		text = blocks.pop();
		for (const block of blocks)
			yield parse(block);
	}
}

function parse(block) {
	const fields = block.split('\n').filter((line) => !line.startsWith(':')).map((line) => /^(\w+): ?(.*)$/.exec(line)).filter((found) => found !== null);
	const event = fields.find(([, name]) => name === 'event')?.[2];
	const data = fields.filter(([, name]) => name === 'data').map(([, , value]) => value).join('\n');
	return event === undefined || data === '' ? null : { event, data: JSON.parse(data) };
}
