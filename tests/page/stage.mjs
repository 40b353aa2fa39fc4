// SPDX-License-Identifier: MIT
// A real server, tenants that ask it for slots, and a real Chromium that looks at its page.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { serve, until } from '../clients/node/server.js';

export { until };
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOTS = process.env.SHOTS;
const PATIENCE = 25;    // seconds: a busy machine may take them

/** Starts a server and speaks for its tenants. Requests that wait are ended with the test. */
export async function farm(t, ...flags) {
	const server = await serve(t, ...flags);
	const waiting = new AbortController();
	const waits = [];
	server.clients.push({ close: () => {    // before the server is stopped
		waiting.abort();
		return Promise.all(waits);
	} });
	const send = async (method, path, body, signal) => {
		const reply = await fetch(server.url + path, { method, body: body && JSON.stringify(body), signal });
		const text = await reply.text();
		return { status: reply.status, body: text === '' ? null : JSON.parse(text) };
	};
	const register = (...names) => Promise.all(names.map((name) => send('POST', '/tenants', typeof name === 'string' ? { tenant_id: name } : name)));
	/** Takes `count` slots. */
	const take = async (tenant, count = 1, more = {}) => {
		const replies = await Promise.all(Array.from({ length: count }, (_, number) => send('POST', '/leases',
			{ tenant_id: tenant, ttl_seconds: 60, wait_seconds: 0, label: `worker:${number + 1}`, ...more })));
		for (const { status, body } of replies)
			if (status !== 201)
				throw new Error(`${tenant} got no slot: ${JSON.stringify(body)}`);
		return replies.map(({ body }) => body);
	};
	/** Has `count` requests wait; their answers come later. */
	const wait = (tenant, count = 1, more = {}) => {
		const sent = Array.from({ length: count }, (_, number) => send('POST', '/leases',
			{ tenant_id: tenant, ttl_seconds: 60, wait_seconds: 120, label: `worker:${number + 1}`, ...more }, waiting.signal).catch(() => null));
		waits.push(...sent);
		return sent;
	};
	const waiters = (count, pool = 'default') => until(async () => (await server.get(`/stats?pool=${pool}`)).waiting === count, `${count} wait in ${pool}`, PATIENCE);
	return { ...server, send, register, take, wait, waiters };
}

let browser;

/** One browser for all tests of a file: closed at its end. */
export async function browse() {
	browser ??= await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
	return browser;
}

export async function leave() {
	await browser?.close();
	browser = undefined;
}

/** Opens the page. What the browser complains of is gathered in `complaints`. */
export async function look(t, url, options = {}) {
	const context = await (await browse()).newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light', ...options });
	const page = await context.newPage();
	page.complaints = [];
	page.on('console', (message) => {
		if (['error', 'warning'].includes(message.type()))
			page.complaints.push(message.text());
	});
	page.on('pageerror', (error) => page.complaints.push(error.stack));
	page.on('dialog', (dialog) => {
		page.complaints.push(`a dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	t.after(() => context.close());
	await page.goto(url);
	await page.locator('#headline').filter({ hasText: /\S/ }).waitFor();
	return page;
}

/** What axe-core has against the page as it stands. */
export async function axe(page) {
	await page.evaluate(AXE);
	const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
	return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
}

/** Keeps a picture where SHOTS names a folder. */
export async function shoot(page, name, more = {}) {
	if (SHOTS === undefined)
		return;
	mkdirSync(SHOTS, { recursive: true });
	await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true, ...more });
}

/** A proxy that serves what is at `url` under a path; returns its address, which ends in a slash. */
export async function prefix(t, url, path) {
	const proxy = http.createServer((request, response) => {
		if (!request.url.startsWith(`${path}/`)) {
			response.writeHead(404).end();
			return;
		}
		const { host: _, ...headers } = request.headers;
		const onward = http.request(url + request.url.slice(path.length), { method: request.method, headers }, (reply) => {
			response.writeHead(reply.statusCode, reply.headers);
			reply.pipe(response);
		});
		onward.on('error', () => response.destroy());
		response.on('close', () => onward.destroy());
		request.pipe(onward);
	}).listen(0, '127.0.0.1');
	await once(proxy, 'listening');
	t.after(() => {
		proxy.closeAllConnections();
		proxy.close();
	});
	return `http://127.0.0.1:${proxy.address().port}${path}/`;
}

/* ---- what the page says ---- */

export const text = (page, selector) => page.locator(selector).innerText();
export const texts = (page, selector) => page.locator(selector).allInnerTexts();

/** Waits until `read()` gives what is wanted. */
export async function shows(read, wanted, what) {
	let found;
	await until(async () => {
		found = await read();
		try {
			assert.deepEqual(found, wanted);
			return true;
		} catch {
			return false;
		}
	}, what, PATIENCE).catch(() => assert.deepEqual(found, wanted, what));
}

/** What the grid says, one text a slot: "AL alice" or "free". */
export const grid = (page) => page.locator('#slots .slot').evaluateAll((cells) => cells.map((cell) =>
	(cell.classList.contains('free') ? 'free' : `${cell.querySelector('b').textContent} ${cell.querySelector('.more').textContent}`)));

/** Rows of a table by their first cells. */
export const rows = (page, card, cells) => page.locator(`#${card} tbody tr`).evaluateAll((found, count) => found.map((row) =>
	[...row.cells].slice(0, count).map((cell) => cell.querySelector('.name')?.textContent ?? cell.textContent)), cells);

/** Ten slots that are all held, and seven requests that wait. */
export async function busy(t, ...flags) {
	const server = await farm(t, '--max-slots', '10', ...flags);
	await server.register('alice', 'bob', 'team-west', { tenant_id: 'carol', instance: 'p1' }, 'idle-one');
	await server.send('PATCH', '/tenants/alice', { max_slots: 6 });
	await server.take('alice', 4);
	await server.take('bob', 4);
	await server.take('team-west', 2, { label: '', ttl_seconds: 30 });
	server.wait('carol', 2);
	await server.waiters(2);
	server.wait('alice', 3);
	await server.waiters(5);
	server.wait('bob', 2);
	await server.waiters(7);
	return server;
}
