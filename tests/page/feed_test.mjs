// SPDX-License-Identifier: MIT
// What may happen to the page's connection: a stream that is refused or ends, a server that is gone, a pool that is left.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { axe, farm, grid, leave, look, shoot, shows, text, until } from './stage.mjs';
import { serve } from '../clients/node/server.js';

after(leave);

test('a pool is left while it is being drawn', async (t) => {
	const server = await farm(t, '--max-slots', '3');
	await server.send('PUT', '/pools/gpu', { max_slots: 2 });
	const page = await look(t, server.url);
	await page.route(/\/stats\?pool=gpu/, async (route) => {
		const reply = await route.fetch();
		await page.evaluate(() => globalThis.drawn);
		await route.fulfill({ response: reply });
	});
	/* The next frame comes when the other pool was chosen, and before anything is known of it. */
	await page.evaluate(() => {
		const soon = globalThis.requestAnimationFrame;
		globalThis.drawn = new Promise((resolve) => {
			globalThis.requestAnimationFrame = (draw) => {
				globalThis.requestAnimationFrame = soon;
				location.hash = 'pool=gpu';
				addEventListener('hashchange', () => setTimeout(() => soon((now) => {
					draw(now);
					resolve();
				})));
			};
		});
	});
	await shows(() => text(page, '#headline'), 'gpu is idle: all 2 slots are free', 'the other pool');
	assert.deepEqual(page.complaints, []);
});

test('a page whose stream is refused asks for lists, and less and less often for the stream', async (t) => {
	const server = await farm(t, '--max-slots', '2', '--max-streams', '1');
	await server.register('alice');
	const taken = new AbortController();
	const stream = await fetch(`${server.url}/events`, { signal: taken.signal });
	assert.equal(stream.status, 200);
	const page = await look(t, server.url);
	const asked = { events: [], pools: [] };
	page.on('request', (request) => asked[new URL(request.url()).pathname.slice(1)]?.push(performance.now()));
	await page.reload();
	await server.take('alice', 1);
	await shows(() => grid(page), ['AL alice', 'free'], 'a grant');
	assert.equal(await text(page, '#connection'), 'live');
	await until(async () => asked.events.length >= 3 && asked.pools.length >= 2, 'it goes on asking', 25);
	const pauses = (times) => times.slice(1).map((time, index) => time - times[index]);
	assert(pauses(asked.pools).every((ms) => ms > 2000), `lists: ${pauses(asked.pools)}`);
	const [first, second] = pauses(asked.events);
	assert(second > 1.5 * first && first > 900, `the stream: ${pauses(asked.events)}`);
	taken.abort();
	await page.waitForResponse((reply) => reply.url().includes('/events') && reply.status() === 200, { timeout: 40_000 });
	await server.take('alice', 1);
	await shows(() => grid(page), ['AL alice', 'AL alice'], 'the stream tells');
	assert.deepEqual(page.complaints.filter((line) => !/503/.test(line)), []);
});

test('a connection that is lost is told of, and comes back by itself', async (t) => {
	const server = await farm(t, '--max-slots', '2');
	await server.register('alice');
	await server.take('alice', 2);
	const page = await look(t, server.url);
	await shows(() => grid(page), ['AL alice', 'AL alice'], 'live');
	server.child.kill('SIGKILL');
	await page.locator('#lost', { hasText: /^The connection was lost at \d\d:\d\d:\d\d\. What you see is from then/ }).waitFor({ timeout: 25_000 });
	assert.equal(await text(page, '#connection'), 'lost');
	assert.deepEqual(await grid(page), ['AL alice', 'AL alice'], 'what was known stays');
	assert.deepEqual(await axe(page), []);
	await shoot(page, 'lost');
	await serve(t, '--max-slots', '3', '--listen', new URL(server.url).host);
	await shows(() => text(page, '#headline'), 'default is idle: all 3 slots are free', 'the new server');
	await page.locator('#lost').waitFor({ state: 'hidden' });
	assert.equal(await text(page, '#connection'), 'live');
	assert.deepEqual(page.complaints.filter((line) => !/ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE/.test(line)), []);
});

test('a server that drains ends the stream, and is shown to its end', async (t) => {
	const server = await farm(t, '--max-slots', '2', '--drain-timeout', '30s');
	await server.register('alice');
	const [lease, other] = await server.take('alice', 2);
	const page = await look(t, server.url);
	await shows(() => grid(page), ['AL alice', 'AL alice'], 'both are held');
	server.child.kill('SIGTERM');
	await until(async () => (await fetch(`${server.url}/readyz`)).status === 503, 'it drains');
	await server.send('DELETE', `/leases/${lease.id}`);
	await shows(async () => (await grid(page)).filter((each) => each === 'free').length, 1, 'one is given back');
	assert.equal(await text(page, '#connection'), 'live');
	await server.send('DELETE', `/leases/${other.id}`);
	await page.locator('#lost').waitFor();
});
