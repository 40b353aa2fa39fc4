// SPDX-License-Identifier: MIT
// What people do with the page: pools, keys, tables, verbs.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { axe, farm, grid, leave, look, prefix, rows, shoot, shows, text, texts, until } from './stage.mjs';

after(leave);

test('each pool has a tab, and an address', async (t) => {
	const server = await farm(t, '--max-slots', '3');
	await server.send('PUT', '/pools/gpu', { max_slots: 2 });
	await server.register('alice', { tenant_id: 'zoe', pool: 'gpu' });
	await server.take('alice', 1);
	await server.take('zoe', 2, { pool: 'gpu' });
	const page = await look(t, server.url);
	await shows(() => texts(page, '[role=tab]'), ['default\n1/3', 'gpu\n2/2'], 'the tabs');
	await page.locator('[role=tab][aria-selected=true]').focus();
	await page.keyboard.press('ArrowRight');
	await shows(() => text(page, '#headline'), 'gpu is full: all 2 slots are held, nobody waits', 'the other pool');
	assert.deepEqual(await grid(page), ['ZO zoe', 'ZO zoe']);
	assert.match(page.url(), /#pool=gpu$/);
	assert.equal(await page.evaluate('document.activeElement.textContent'), 'gpu2/2');
	await page.goBack();
	await shows(() => text(page, '#headline'), 'default has 2 of 3 slots free, nobody waits', 'the way back');

	await page.goto(`${server.url}/#pool=gpu`);
	await shows(() => grid(page), ['ZO zoe', 'ZO zoe'], 'the address');
	for (const { id } of (await server.get('/leases?pool=gpu')).items)
		await server.send('DELETE', `/leases/${id}`);
	await server.send('DELETE', '/pools/gpu');
	await shows(() => text(page, '#headline'), 'default has 2 of 3 slots free, nobody waits', 'a pool that is gone');
	await shows(() => texts(page, '[role=tab]'), ['default\n1/3'], 'its tab is gone');
	assert.deepEqual(page.complaints.slice(1), [], 'a list that was under way may have found no pool');
});

test('everything can be done with keys', async (t) => {
	const server = await farm(t, '--max-slots', '12');
	await server.register('alice');
	await server.take('alice', 1);
	const page = await look(t, server.url);
	await page.locator('#slots .slot').nth(11).waitFor();
	const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
	const seen = [];
	for (let step = 0; step < 20 && seen.at(-1) !== 'slots'; step++) {
		await page.keyboard.press('Tab');
		seen.push(await focused());
	}
	assert.deepEqual(seen.slice(-4), ['default1/12', 'resize', 'drain', 'slots'].slice(-seen.length));
	const active = () => page.locator('#slots').getAttribute('aria-activedescendant');
	await shows(active, 'slot-0', 'the first slot');
	assert.match(await text(page, '#slots-detail'), /^Slot 0 · alice · worker:1 · held \d+ s · \d+ s left of 1 min 0 s$/);
	await page.keyboard.press('ArrowRight');
	assert.equal(await active(), 'slot-1');
	const perRow = await page.evaluate(() => [...document.querySelectorAll('.slot')].filter((cell, _, all) => cell.offsetTop === all[0].offsetTop).length);
	await page.keyboard.press('ArrowDown');
	assert.equal(await active(), `slot-${1 + perRow}`);
	await page.keyboard.press('End');
	assert.equal(await active(), 'slot-11');
	assert.equal(await text(page, '#slots-detail'), 'Slot 11 · free');
	await page.keyboard.press('Home');
	await page.keyboard.press('Enter');
	await page.locator('dialog[open]').waitFor();
	assert.match(await text(page, '#sheet-body'), /alice/);
	assert.deepEqual(await axe(page), []);
	await page.keyboard.press('Escape');
	await until(async () => await focused() === 'slots', 'the focus is back');
});

test('tables sort, filter and turn pages', async (t) => {
	const server = await farm(t, '--max-slots', '60', '--auto-register');
	await server.take('alice', 40);
	await server.take('bob', 20, { label: 'Render' });
	const page = await look(t, server.url);
	const first = async (column) => (await rows(page, 'leases-card', column + 1)).map((row) => row[column]);
	await shows(async () => (await first(0)).slice(0, 3), ['0', '1', '2'], 'by slot');
	assert.equal((await first(0)).length, 25);
	await page.locator('#leases-card th', { hasText: 'Slot' }).getByRole('button').click();
	assert.deepEqual((await first(0)).slice(0, 3), ['59', '58', '57']);
	assert.equal(await page.locator('#leases-card th', { hasText: 'Slot' }).getAttribute('aria-sort'), 'descending');
	await page.locator('#leases-card th', { hasText: 'Tenant' }).getByRole('button').click();
	assert.deepEqual(new Set(await first(1)), new Set(['alice']));
	await page.locator('#leases-card').getByRole('button', { name: 'Next' }).click();
	await page.locator('#leases-card').getByRole('button', { name: 'Next' }).click();
	assert.deepEqual([new Set(await first(1)), (await first(1)).length], [new Set(['bob']), 10]);
	assert(await page.locator('#leases-card').getByRole('button', { name: 'Next' }).isDisabled());
	await page.locator('#leases-card input').fill('rend');
	assert.deepEqual([new Set(await first(2)), (await first(2)).length], [new Set(['Render']), 20]);
	await page.locator('#leases-card input').fill('nobody');
	assert.equal(await text(page, '#leases-card .empty'), 'None of 60 has “nobody” in it.');
});

test('an operator resizes a pool, after a question', async (t) => {
	const server = await farm(t, '--max-slots', '2');
	await server.register('alice');
	await server.take('alice', 2);
	server.wait('alice', 2);
	await server.waiters(2);
	const page = await look(t, server.url);
	await page.getByRole('button', { name: 'Resize…' }).click();
	await page.getByRole('spinbutton', { name: 'Slots' }).fill('9');
	await page.getByRole('button', { name: 'Cancel' }).click();
	assert.equal((await server.stats()).max_slots, 2, 'nothing happens without the last word');

	await page.getByRole('button', { name: 'Resize…' }).click();
	assert.deepEqual(await axe(page), []);
	await page.getByRole('spinbutton', { name: 'Slots' }).fill('0');
	await page.keyboard.press('Enter');
	assert.equal((await server.stats()).max_slots, 2, 'the browser refuses what cannot be');
	await page.getByRole('spinbutton', { name: 'Slots' }).fill('3');
	await page.keyboard.press('Enter');
	await page.locator('#told', { hasText: 'default has 3 slots now.' }).waitFor();
	assert.equal((await server.stats()).max_slots, 3);
	await shows(() => grid(page), ['AL alice', 'AL alice', 'AL alice'], 'the third is granted at once');

	await page.getByRole('button', { name: 'Resize…' }).click();
	await page.getByRole('spinbutton', { name: 'Slots' }).fill('1');
	await page.locator('dialog').getByRole('button', { name: 'Resize' }).click();
	await shows(() => text(page, '#headline'), 'default holds 3, 2 more than its 1 slots: it shrinks as leases end', 'debt');

	server.child.kill('SIGKILL');
	await page.getByRole('button', { name: 'Resize…' }).click();
	await page.locator('dialog').getByRole('button', { name: 'Resize' }).click();
	await page.locator('#sheet-refusal', { hasText: 'could not be reached' }).waitFor();
});

test('an operator drains a pool and lets it grant again', async (t) => {
	const server = await farm(t, '--max-slots', '3');
	await server.register('alice', 'bob');
	const [lease] = await server.take('alice', 2);
	const page = await look(t, server.url);
	await page.getByRole('button', { name: 'Drain…' }).click();
	assert.deepEqual(await axe(page), []);
	await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
	assert.equal((await server.get('/pools/default')).draining, false);
	await page.getByRole('button', { name: 'Drain…' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Drain', exact: true }).click();
	await shows(() => text(page, '#headline'), 'default is draining: 2 of 3 slots are still held', 'it drains');
	assert.equal((await server.get('/pools/default')).draining, true);
	server.wait('bob', 1);
	await server.waiters(1);
	await shows(() => texts(page, '#line tr:not(.group) td:nth-child(3)'), ['pool drains'], 'why bob waits');
	await server.send('DELETE', `/leases/${lease.id}`);
	await shows(() => text(page, '#headline'), 'default is draining: 1 of 3 slots are still held', 'nobody gets the slot');
	await page.getByRole('button', { name: 'Grant again…' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Grant again' }).click();
	await shows(() => text(page, '#headline'), 'default has 1 of 3 slots free, nobody waits', 'bob has it');
	assert.deepEqual(page.complaints, []);
});

test('an operator cordons a slot and puts it back', async (t) => {
	const server = await farm(t, '--max-slots', '3');
	await server.register('alice');
	await server.take('alice', 1);
	const page = await look(t, server.url);
	const cordon = async (slot, name) => {
		await page.locator('#slots .slot').nth(slot).click();
		await page.getByRole('dialog').getByRole('button', { name: `${name}…` }).click();
		await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
		await page.locator('dialog').waitFor({ state: 'hidden' });
	};
	await cordon(1, 'Cordon');
	await shows(() => page.locator('#slots .cordoned').evaluateAll((cells) => cells.map(({ id }) => id)), ['slot-1'], 'a free slot');
	await cordon(0, 'Cordon');
	assert.deepEqual((await server.get('/pools/default')).cordoned, [0, 1]);
	await shows(() => text(page, '#slots-note'), '1 held · 1 free · 2 cordoned', 'a slot that is held stays held');
	assert.deepEqual(await axe(page), []);
	await shoot(page, 'cordoned');
	await cordon(1, 'Put back to use');
	assert.deepEqual((await server.get('/pools/default')).cordoned, [0]);
	await shows(() => page.locator('#slots .cordoned').count(), 1, 'it is back');
});

test('an operator revokes a lease, and all of a tenant', async (t) => {
	const server = await farm(t, '--max-slots', '3');
	await server.register('alice', 'bob');
	const leases = await server.take('alice', 3);
	const [bob] = server.wait('bob', 1);
	await server.waiters(1);
	const page = await look(t, server.url);
	await page.getByRole('button', { name: 'Revoke the lease of alice on slot 1' }).click();
	assert.match(await text(page, '#sheet-body'), /worker:\d/);
	await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
	assert.equal((await server.stats()).revoked_total, 0);
	await page.getByRole('button', { name: 'Revoke the lease of alice on slot 1' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
	await page.locator('#told', { hasText: 'The lease of alice is revoked.' }).waitFor();
	assert.equal((await bob).status, 201, 'the next in the line has the slot');
	await shows(async () => (await grid(page))[1], 'BO bob', 'the page shows it');
	const revoked = leases.find(({ slot_ids: [slot] }) => slot === 1);
	assert.equal((await server.send('GET', `/leases/${revoked.id}`)).body.reason, 'revoked');

	await page.getByRole('button', { name: 'Revoke all that alice holds' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Revoke all' }).click();
	await page.locator('#told', { hasText: '2 leases of alice ended.' }).waitFor();
	await shows(async () => (await grid(page)).filter((each) => each !== 'free'), ['BO bob'], 'only bob holds');
	assert.equal((await server.stats()).revoked_total, 3);
	assert.deepEqual(page.complaints, []);
});

test('it works under a path of a proxy', async (t) => {
	const server = await farm(t, '--max-slots', '2');
	await server.register('alice');
	await server.take('alice', 1);
	const page = await look(t, await prefix(t, server.url, '/farm/a'));
	await shows(() => grid(page), ['AL alice', 'free'], 'the grid');
	assert.deepEqual(page.complaints, []);
});
