// SPDX-License-Identifier: MIT
// What the API says is what the page shows: in a real Chromium, of a real server.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { axe, busy, farm, grid, leave, look, rows, shoot, shows, text, texts, until } from './stage.mjs';

after(leave);

const LOADED = 1000;    // ms that a busy machine may add
const ATTACK = `<img src=x onerror="window.pwned=1"><svg onload="window.pwned=1">"'><script>window.pwned=1</script>{{7*7}}`;

test('the files are served with what keeps a browser from anything else', async (t) => {
	const { url } = await farm(t);
	const page = await fetch(`${url}/`);
	const policy = page.headers.get('content-security-policy');
	assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
	assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
	assert.doesNotMatch(policy, /unsafe|\*|https?:/);
	const html = await page.text();
	const files = [...html.matchAll(/(?:src|href)="(page\/[^"]+)"/g)].map(([, path]) => path);
	assert(files.length >= 4, html);
	for (const path of ['', 'openapi.yaml', ...files]) {
		const reply = await fetch(`${url}/${path}`);
		await reply.arrayBuffer();
		const tag = reply.headers.get('etag');
		assert.equal(reply.status, 200, path);
		assert.equal(reply.headers.get('x-content-type-options'), 'nosniff');
		assert.equal(reply.headers.get('referrer-policy'), 'no-referrer');
		assert.equal(reply.headers.get('cache-control'), path === 'openapi.yaml' ? 'no-store' : 'no-cache');
		const again = await fetch(`${url}/${path}`, { headers: { 'If-None-Match': tag } });
		assert.deepEqual([again.status, await again.text(), again.headers.get('etag')], [304, '', tag]);
		const head = await fetch(`${url}/${path}`, { method: 'HEAD' });
		assert.equal(head.headers.get('content-length'), reply.headers.get('content-length'));
	}
	assert.equal((await fetch(`${url}/page/none.js`)).status, 404);
	assert.doesNotMatch(html, /(src|href)="(https?:|\/)/, 'addresses are relative');
});

test('holders, the line, tenants and figures are those of the API', async (t) => {
	const server = await busy(t);
	const page = await look(t, server.url);
	const leases = (await server.get('/leases?state=active&limit=100')).items.sort((a, b) => a.slot_ids[0] - b.slot_ids[0]);
	const names = { alice: 'AL alice', bob: 'BO bob', 'team-west': 'TW team-west' };

	await shows(() => grid(page), leases.map(({ tenant_id: tenant }) => names[tenant]), 'the grid');
	await shows(() => text(page, '#headline'), 'default is full: 7 wait', 'the sentence');
	await shows(() => rows(page, 'leases-card', 3), leases.map((lease) => [String(lease.slot_ids[0]), lease.tenant_id, lease.label]), 'the leases');
	await shows(() => rows(page, 'tenants-card', 8), [
		['alice', '4', '2', '3', '0', 'active', 'at most 6', ''], ['bob', '4', '2', '2', '0', 'active', '', ''], ['team-west', '2', '2', '0', '0', 'active', '', ''],
		['carol', '0', '2', '2', '0', 'active', '', 'p1'], ['idle-one', '0', '2', '0', '0', 'active', '', ''],
	], 'the tenants');
	const waiters = await page.locator('#line tr:not(.group) td').evaluateAll((cells) => cells.map((cell) => cell.textContent));
	const line = Array.from({ length: waiters.length / 4 }, (_, row) => waiters.slice(4 * row, 4 * row + 3));
	const pending = (await server.get('/leases?state=pending')).items;
	const reasons = { 'at-share': 'at its share', 'pool-full': 'no free slot' };
	assert.deepEqual(line, pending.map(({ ahead, label, reason }) => [String(ahead + 1), label, reasons[reason]]));
	assert.deepEqual(await texts(page, '#line .group .name'), ['carol', 'alice', 'bob']);
	const figures = Object.fromEntries(await page.locator('#figures div').evaluateAll((all) => all.map((each) => [...each.children].map(({ textContent }) => textContent))));
	const stats = await server.stats();
	assert.deepEqual([figures.Held, figures['Share of each'], figures.Waiting, figures.Tenants, figures.Granted],
		['10 of 10', String(stats.share), '7', '4 of 5 want slots', '10']);
	assert.match(await page.title(), /^10\/10 \+7 default/);
	assert.match(await text(page, '#waits-note'), /^10 leases/);

	// Age and what is left of the ttl count on; a heartbeat is seen.
	const cell = page.locator('#slots .slot').nth(leases.find(({ tenant_id: tenant }) => tenant === 'team-west').slot_ids[0]);
	const left = async () => Number(/(\d+)s left/.exec(await cell.locator('.age').textContent())[1]);
	await until(async () => await left() <= 27, 'the ttl runs', 25);
	const lease = leases.find(({ tenant_id: tenant }) => tenant === 'team-west');
	await server.send('PUT', `/leases/${lease.id}`);
	await until(async () => await left() >= 28, 'the heartbeat is seen', 25);
	assert(Number(/^(\d+)s/.exec(await cell.locator('.age').textContent())[1]) >= 2, 'the age goes on');
	assert.deepEqual(page.complaints, []);
});

test('a grant, a release and a waiter are seen within a second', async (t) => {
	const server = await farm(t, '--max-slots', '4');
	await server.register('alice', 'bob');
	const page = await look(t, server.url);
	/** Milliseconds from what `act` did until the page has `count` of what the selector means. */
	const lag = async (selector, count, act) => {
		const seen = page.waitForFunction(([what, wanted]) => document.querySelectorAll(what).length === wanted, [selector, count], { polling: 20, timeout: 25_000 });
		await act();
		const from = performance.now();
		await seen;
		return performance.now() - from;
	};
	const lags = { grant: [], wait: [], release: [] };
	for (let round = 0; round < 3; round++) {
		let held;
		const note = (name, ms) => lags[name].push(ms);
		note('grant', await lag('#slots .slot:not(.free)', 4, async () => held = await server.take('alice', 4)));
		const waits = server.wait('bob', 1);
		note('wait', await lag('#line tbody tr:not(.group)', 1, () => server.waiters(1)));
		note('release', await lag('#slots .tone-1', 1, () => server.send('DELETE', `/leases/${held[0].id}`)));
		const { body } = await waits[0];
		for (const { id } of [...held.slice(1), body])
			await server.send('DELETE', `/leases/${id}`);
		await lag('#slots .slot.free', 4, () => {});
	}
	for (const [name, all] of Object.entries(lags)) {
		const [least, half, most] = all.sort((a, b) => a - b).map((ms) => ms.toFixed(0));
		t.diagnostic(`${name}: seen after ${least}, ${half}, ${most} ms`);
		assert(half < 1000 + LOADED, `${name}: ${half} ms`);
	}
	await shows(() => text(page, '#headline'), 'default is idle: all 4 slots are free', 'the sentence');
});

test('what the stream tells is shown without asking for lists', async (t) => {
	const server = await farm(t, '--max-slots', '3');
	await server.register('alice', 'bob');
	const page = await look(t, server.url);
	await shows(() => grid(page), ['free', 'free', 'free'], 'nothing is held');
	const kept = [];
	await page.route(/\/(pools|stats|leases|tenants)(\?|$)/, (route) => kept.push(route));
	const [lease] = await server.take('alice', 1);
	await shows(() => grid(page), ['AL alice', 'free', 'free'], 'a grant');
	await server.take('bob', 1);
	await server.send('DELETE', `/leases/${lease.id}`);
	await shows(() => grid(page), ['free', 'BO bob', 'free'], 'an end, and another grant');
	assert.equal(await text(page, '#headline'), 'default has 2 of 3 slots free, nobody waits', 'the statistics');
	await page.unroute(/\/(pools|stats|leases|tenants)(\?|$)/);
	await Promise.all(kept.map((route) => route.continue().catch(() => {})));    // the page may have given up
	assert.deepEqual(page.complaints, []);
});

test('the sentence tells how long the next takes', async (t) => {
	const server = await farm(t, '--max-slots', '2');
	await server.register('alice', 'bob');
	for (let round = 0; round < 4; round++)
		for (const { id } of await server.take('alice', 2))
			await server.send('DELETE', `/leases/${id}`);
	await server.take('alice', 2);
	server.wait('bob', 2);
	const page = await look(t, server.url);
	await page.locator('#headline', { hasText: /^default is full: 2 wait, the next in about \d/ }).waitFor();
});

test('the pictures have tables beside them', async (t) => {
	const server = await farm(t, '--max-slots', '5');
	await server.register('alice', 'bob');
	await server.take('alice', 2);
	await server.take('bob', 1);
	const page = await look(t, server.url);
	await page.locator('#past-details summary').click();
	await page.locator('#waits-details summary').click();
	const cells = (table) => page.locator(`${table} tr`).evaluateAll((found) => found.map((row) => [...row.cells].map(({ textContent }) => textContent)));
	await shows(async () => (await cells('#past-table')).slice(0, 2).map((row) => row.slice(1)), [['alice', 'bob', 'share'], ['2', '1', '2']], 'slots over time');
	assert.deepEqual((await cells('#waits-table')).slice(0, 3), [['waited', 'leases'], ['up to 0.1 s', '3'], ['up to 0.5 s', '0']]);
	assert.deepEqual(await texts(page, '#past-legend li'), ['AL\nalice', 'BO\nbob', '\nshare, 2 now'].map((each) => each.trim()));
	assert.equal(await page.locator('#past').evaluate((canvas) => globalThis.Chart.getChart(canvas).getSortedVisibleDatasetMetas()[0].label), 'share', 'the line is on top');
	const painted = await page.locator('#past').evaluate((canvas) => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size);
	assert(painted > 10, 'something is painted');
});

test('a label that is markup stays text', async (t) => {
	const server = await farm(t, '--max-slots', '2');
	await server.register('alice');
	await server.take('alice', 2, { label: ATTACK.slice(0, 120) });
	server.wait('alice', 1, { label: ATTACK.slice(0, 120) });
	const page = await look(t, server.url);
	await shows(async () => (await rows(page, 'leases-card', 3))[0][2], ATTACK.slice(0, 120), 'the label');
	await page.locator('#slots .slot').first().click();
	await shows(async () => (await text(page, '#sheet-body')).includes(ATTACK.slice(0, 120)), true, 'the sheet');
	assert.equal(await page.evaluate('window.pwned'), undefined);
	assert.deepEqual(page.complaints, []);
});

test('a label turns nothing around that stands beside it', async (t) => {
	const server = await farm(t, '--max-slots', '2');
	const [turned, hebrew] = ['job \u202e)001 fo 1( \u200bx', 'שלום'];
	await server.register('alice');
	const [lease] = await server.take('alice', 1, { label: turned, slots: 2 });
	server.wait('alice', 1, { label: hebrew, slots: 2 });
	const page = await look(t, server.url);
	const seen = 'job \\u{202e})001 fo 1( \\u{200b}x';
	await shows(async () => (await rows(page, 'leases-card', 3))[0]?.[2], seen, 'what cannot be seen is spelled out');
	assert.equal(await page.locator('#leases-card td[title*="job"]').getAttribute('title'), seen);
	await page.locator('#slots .slot').first().hover();
	assert.match(await text(page, '#slots-detail'), /^Slot 0 · alice · job \\u\{202e\}\)001 fo 1\( \\u\{200b\}x · held/);
	await page.locator('#line td.label').waitFor();
	/** Where a part of the label's cell begins, in pixels from the left. */
	const left = (part) => page.locator('#line td.label').evaluate(({ firstChild: node }, wanted) => {
		const range = document.createRange();
		range.setStart(node, node.data.indexOf(wanted));
		range.setEnd(node, node.data.indexOf(wanted) + wanted.length);
		return range.getBoundingClientRect().left;
	}, part);
	assert(await left(hebrew) < await left('2') && await left('2') < await left('slots'), 'left to right');
	await server.send('DELETE', `/leases/${lease.id}`);
	await shows(async () => (await rows(page, 'leases-card', 3))[0]?.[2], hebrew, 'the event tells of the grant');
	assert.deepEqual(page.complaints, []);
});

/** Every string of a reply becomes an attack, the names of members but for those of the contract, too. */
function attacked(value, number = { next: 0 }) {
	if (typeof value === 'string')
		return `${number.next++} ${ATTACK}`;
	if (Array.isArray(value))
		return value.map((each) => attacked(each, number));
	if (value === null || typeof value !== 'object')
		return value;
	return Object.fromEntries(Object.entries(value).map(([name, each]) => [/^[a-z]+[0-9]*(_[a-z]+)*$/.test(name) && name !== 'alice' ? name : `${ATTACK}`, attacked(each, number)]));
}

test('markup in every string of every reply stays text', async (t) => {
	const server = await busy(t);
	const page = await look(t, server.url);
	let replies = 0;
	await page.route(/\/(pools|stats|leases|tenants)(\?|$)/, async (route) => {
		const reply = await route.fetch();
		const body = await reply.json();
		replies++;
		const items = route.request().url().endsWith('/pools') ? { items: [...body.items, ...attacked(body.items)], next_cursor: null } : undefined;
		await route.fulfill({ response: reply, json: items ?? attacked(body) });    // without its own name the pool would be gone
	});
	await page.route(/\/events\?/, async (route) => {
		const [lease] = (await server.get('/leases?state=active')).items;
		const events = { granted: lease, ended: { ...lease, reason: 'released' }, tenant: (await server.get('/tenants')).items[0], stats: await server.stats() };
		await route.fulfill({ contentType: 'text/event-stream',
			body: Object.entries(events).map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify(attacked(data))}\n\n`).join('') });
	});
	await page.reload();
	await shows(async () => (await rows(page, 'leases-card', 3))[0]?.[2].includes(ATTACK), true, 'the leases');
	await shows(async () => (await texts(page, '[role=tab]'))[1]?.includes('<img src=x'), true, 'the tab');
	await page.locator('#slots .slot').first().click();
	await page.locator('#waits-table, dialog[open]').last().waitFor();
	await shoot(page, 'attacked');
	await page.keyboard.press('Escape');
	await page.locator('#past-details summary').click();
	await shows(async () => replies > 8, true, 'some rounds');
	assert.equal(await page.evaluate('window.pwned'), undefined);
	assert.equal(await page.locator('img:not([src="page/icon.svg"]), svg, iframe, script:not([src])').count(), 0);
	assert.deepEqual(page.complaints, []);
});

test('it is as good to the eye as to those who cannot see', async (t) => {
	const server = await busy(t);
	const page = await look(t, server.url);
	await shows(() => text(page, '#headline'), 'default is full: 7 wait', 'the sentence');
	await until(async () => (await page.locator('#past-legend li').count()) === 4, 'the picture', 25);
	assert.deepEqual(await axe(page), []);
	await shoot(page, 'full-light');
	await page.getByLabel('Colours').selectOption('dark');
	assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(20, 23, 28)');
	assert.deepEqual(await axe(page), []);
	await shoot(page, 'full-dark');
	await page.reload();
	assert.equal(await page.evaluate('document.documentElement.dataset.theme'), 'dark', 'it is remembered');
	await page.getByLabel('Colours').selectOption('auto');
	await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
	assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(20, 23, 28)');
	await page.locator('#slots .slot').first().waitFor();
	assert.equal(await page.evaluate('getComputedStyle(document.querySelector("#slots .slot")).animationName'), 'none');
	await page.setViewportSize({ width: 390, height: 844 });
	await shows(() => page.evaluate('document.documentElement.scrollWidth'), 390, 'nothing is wider than a telephone');
	assert.deepEqual(await axe(page), []);
	await shoot(page, 'narrow');
	assert.deepEqual(page.complaints, []);
});

test('a pool where nothing happens says so', async (t) => {
	const server = await farm(t, '--max-slots', '10');
	const page = await look(t, server.url);
	assert.equal(await text(page, '#headline'), 'default is idle: all 10 slots are free');
	await shows(() => grid(page), Array(10).fill('free'), 'the grid');
	assert.deepEqual((await texts(page, '.empty:visible')).sort(), ['No lease is held.', 'No lease was granted yet.', 'No tenant is registered.', 'Nobody waits.',
		'Nothing is held yet: the picture begins with the first slot.']);
	assert.deepEqual(await axe(page), []);
	await shoot(page, 'empty');
	assert.deepEqual(page.complaints, []);
});
