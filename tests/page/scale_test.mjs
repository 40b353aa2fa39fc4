// SPDX-License-Identifier: MIT
// The page with 1 000 slots, 1 000 tenants and a line, while leases come and go: how long it keeps the browser busy.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { farm, leave, look, shoot, until } from './stage.mjs';

after(leave);

const SLOTS = 1000;
const SECONDS = 6;
const WORK = 0.4;            // of the time of the page's thread, which a busy machine does not lengthen
const LONGEST_TASK = 400;    // ms, which it does: so long at most in the calmest second
const BYTES = 1.5e6;         // that it reads in a second

/** Counts frames and long tasks for some seconds. */
function watch(seconds) {
	return new Promise((resolve) => {
		let last = performance.now();
		const begun = last;
		const tasks = [];
		const frames = [];
		const longest = new Array(seconds).fill(0);
		const observer = new PerformanceObserver((list) => {
			for (const { duration, startTime } of list.getEntries()) {
				const second = Math.floor((startTime - begun) / 1000);
				longest[second] = Math.max(longest[second] ?? 0, duration);
				tasks.push(duration);
			}
		});
		observer.observe({ type: 'longtask' });
		const frame = (now) => {
			frames.push(now - last);
			last = now;
			if (now - begun < 1000 * seconds)
				return requestAnimationFrame(frame);
			observer.disconnect();
			frames.sort((a, b) => a - b);
			resolve({ calmest: Math.min(...longest), longest: Math.max(0, ...tasks), tasks: tasks.length,
				frames: frames.length / seconds, half: frames[Math.floor(frames.length / 2)], p95: frames[Math.floor(frames.length * 0.95)], worst: frames.at(-1) });
		};
		requestAnimationFrame(frame);
	});
}

test('1 000 slots of 1 000 tenants are smooth', { timeout: 60_000 }, async (t) => {
	const server = await farm(t, '--max-slots', String(SLOTS), '--auto-register');
	const names = Array.from({ length: SLOTS }, (_, number) => `tenant-${String(number).padStart(4, '0')}`);
	const held = [];
	for (let from = 0; from < SLOTS; from += 100)
		held.push(...(await Promise.all(names.slice(from, from + 100).map((name) => server.take(name, 1)))).flat());
	for (const name of names.slice(0, 200))
		server.wait(name, 1);
	await server.waiters(200);
	const page = await look(t, server.url);
	await until(async () => (await page.locator('#slots .slot:not(.free)').count()) === SLOTS, 'all slots are shown', 20);
	await page.locator('#tenants-card .pager', { hasText: `1–25 of ${SLOTS}` }).waitFor();
	let bytes = 0;
	page.on('response', async (reply) => bytes += Number(reply.headers()['content-length'] ?? 0));

	let churning = true;
	let turns = 0;
	const churn = (async () => {
		for (; churning; turns++) {
			const { id, tenant_id: tenant } = held.shift();
			await server.send('DELETE', `/leases/${id}`);
			held.push(...await server.take(tenant === names[turns % 200] ? names[500] : tenant, 1).catch(() => []));
			await sleep(40);
		}
	})();
	await sleep(1000);
	const devtools = await page.context().newCDPSession(page);
	await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
	const worked = async () => (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value;
	const before = await worked();
	bytes = 0;
	const seen = await page.evaluate(watch, SECONDS);
	const work = (await worked() - before) / SECONDS;
	const rate = bytes / SECONDS;
	churning = false;
	await churn;
	t.diagnostic(`${turns} leases changed hands; ${seen.frames.toFixed(0)} frames/s, half within ${seen.half.toFixed(0)} ms, 95 % within ${seen.p95.toFixed(0)} ms, ` +
		`worst ${seen.worst.toFixed(0)} ms; ${seen.tasks} long tasks, longest ${seen.longest} ms, ${seen.calmest} ms in the calmest second; ${(100 * work).toFixed(0)} % of a core; ${(rate / 1000).toFixed(0)} kB/s`);
	await shoot(page, 'thousand', { fullPage: false });
	assert(turns > 40, `${turns}`);
	assert(seen.calmest < LONGEST_TASK, `a task took ${seen.calmest} ms in the calmest second`);
	assert(work < WORK, `it takes ${work} of a core`);
	assert(rate < BYTES, `${rate} bytes/s`);
	assert.deepEqual(page.complaints, []);
});
