// SPDX-License-Identifier: MIT
// The examples that open pages of a real Chromium: how many are open the browser says itself, over CDP.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FairShareClient } from '../../../clients/node/src/index.js';
import { serve, until } from './server.js';

const folder = new URL('../../../clients/node/', import.meta.url);
const { chromium } = createRequire(folder)('playwright-core');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const SLOTS = 4;

/** Starts a Chromium that tells of every page that opens and closes. */
async function browse(t) {
	const server = await chromium.launchServer({
		executablePath: CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
	});
	t.after(() => server.kill());
	const url = server.wsEndpoint();
	const session = await (await chromium.connect(url)).newBrowserCDPSession();
	const open = new Set();
	const pages = { url, most: 0, opened: 0, get open() { return open.size; } };
	session.on('Target.targetCreated', ({ targetInfo: { targetId, type } }) => {
		if (type !== 'page' || first.has(targetId))
			return;
		open.add(targetId);
		pages.opened++;
		pages.most = Math.max(pages.most, open.size);
	});
	session.on('Target.targetDestroyed', ({ targetId }) => open.delete(targetId));
	const first = new Set((await session.send('Target.getTargets')).targetInfos.map(({ targetId }) => targetId));
	await session.send('Target.setDiscoverTargets', { discover: true });
	return pages;
}

/** A site whose pages are there after `delay` seconds, or never where it is Infinity. */
async function site(t, delay) {
	const server = http.createServer(async (request, response) => {
		if (delay === Infinity)
			return;
		await sleep(1000 * delay);
		response.setHeader('content-type', 'text/html').end(`<title>page ${request.url.slice(1)}</title>`);
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	t.after(() => {
		server.closeAllConnections();
		server.close();
	});
	return (count) => Array.from({ length: count }, (_, number) => `http://127.0.0.1:${server.address().port}/${number}`);
}

/** Runs an example for a tenant. */
function run(t, server, tenant, example, urls) {
	const child = spawn(process.execPath, [fileURLToPath(new URL(`example/${example}`, folder)), ...urls], {
		stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, FAIRSHARE_URL: server.url, FAIRSHARE_TENANT: tenant },
	});
	t.after(() => child.kill('SIGKILL'));
	let output = '';
	child.stdout.on('data', (data) => output += data);
	return { child, done: once(child, 'close').then(([code]) => ({ code, titles: output.match(/page \d+/g) ?? [] })) };
}

function worker(t, server, browser, tenant, pages) {
	return run(t, server, tenant, 'pages.js', [browser.url, ...pages]);
}

/** Holds all slots until `condition()` is true, so that all begin at once. */
async function gate(server, condition, what) {
	const client = new FairShareClient({ url: server.url, tenant: 'gate' });
	await client.register();
	await Promise.all(Array.from({ length: SLOTS }, () => client.acquire()));
	return async () => {
		await until(condition, what, 60);
		await client.close();
	};
}

test('three tenants open 30 pages in 4 slots: never more at once, and none above its share while others wait', async (t) => {
	const server = await serve(t, '--max-slots', String(SLOTS));
	const browser = await browse(t);
	const pages = await site(t, 0.1);
	const appetites = { small: 4, middle: 9, big: 17 };
	const start = await gate(server, async () => (await server.stats()).waiting === 30, 'all wait');
	const workers = Object.entries(appetites).map(([tenant, count]) => worker(t, server, browser, tenant, pages(count)));
	await start();
	let running = true;
	const done = Promise.all(workers.map((each) => each.done)).finally(() => running = false);

	let contested = 0;
	while (running) {
		const { tenants, total_active_slots: active } = await server.stats();
		const all = Object.values(tenants);
		assert(active <= SLOTS, `${active} slots are held`);
		for (const tenant of all)
			if (all.some((other) => other !== tenant && other.waiting > 0))
				assert(tenant.active_slots <= tenant.share, `${tenant.tenant_id} holds ${tenant.active_slots}, its share is ${tenant.share}, and others wait`);
		contested += all.filter(({ waiting, active_slots: held, share }) => waiting > 0 && held === share).length === 3;
		await sleep(10);
	}
	for (const { code, titles } of await done)
		assert.deepEqual([code, new Set(titles).size], [0, titles.length]);
	assert.deepEqual((await done).map(({ titles }) => titles.length), Object.values(appetites));
	assert(contested > 0, 'all three held their share while all three waited');
	assert.deepEqual([browser.opened, browser.open], [30, 0]);
	assert(browser.most > 1 && browser.most <= SLOTS, `${browser.most} pages were open at once`);
	const { granted_total: granted, released_total: released } = await server.stats();
	assert.deepEqual([granted, released], [30 + SLOTS, 30 + SLOTS]);
});

test('the slots of a worker that is killed are free after one ttl', async (t) => {
	const ttl = 3;
	const server = await serve(t, '--max-slots', String(SLOTS), '--ttl', `${ttl}s`);
	const browser = await browse(t);
	const [stuck, quick] = [await site(t, Infinity), await site(t, 0)];
	const killed = worker(t, server, browser, 'killed', stuck(6));
	await until(() => browser.open === SLOTS, 'all slots are taken', 20);
	const other = worker(t, server, browser, 'other', quick(4));
	await until(async () => (await server.stats()).tenants.other?.waiting === 4, 'the other waits', 20);

	const since = performance.now();
	killed.child.kill('SIGKILL');
	await until(async () => (await server.stats()).granted_total > SLOTS, 'the other has a slot', 2 * ttl);
	const seconds = (performance.now() - since) / 1000;
	assert(seconds > ttl / 2 && seconds < ttl + 1, `it had to wait for ${seconds} s`);
	assert.deepEqual(await other.done.then(({ code, titles }) => [code, titles.length]), [0, 4]);
	assert.equal((await server.stats()).expired_total, SLOTS);
	assert(browser.most <= SLOTS, `${browser.most} pages were open at once`);
});

test('each slot is a browser of its own: the lease tells its address', async (t) => {
	const server = await serve(t, '--max-slots', '2');
	const browsers = [await browse(t), await browse(t)];
	const body = JSON.stringify({ slot_urls: browsers.map(({ url }) => url) });
	assert.equal((await fetch(`${server.url}/pools/default`, { method: 'PATCH', body })).status, 200);
	const pages = await site(t, 0.1);
	const { code, titles } = await run(t, server, 'alice', 'farm.js', pages(6)).done;
	assert.deepEqual([code, titles.length], [0, 6]);
	assert.deepEqual(browsers.map(({ most }) => most), [1, 1]);
	assert.equal(browsers[0].opened + browsers[1].opened, 6);
});
