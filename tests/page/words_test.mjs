// SPDX-License-Identifier: MIT
// What the page says, by value.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brief, clock, counting, duration, headline, initials, isolated, moment, nextIn, plain, rights, why } from '../../server/page/words.js';

const none = { p50: 0, p95: 0, p99: 0, max: 0 };
const stats = (more) => ({ pool: 'default', max_slots: 10, total_active_slots: 10, waiting: 0, reserved_slots: 0, resting_slots: 0,
	saved_slots: 0, hold_seconds: none, released_total: 0, expired_total: 0,
	revoked_total: 0, unclaimed_total: 0, ...more });
const waiter = (reason, more) => ({ present: reason !== 'absent', reason, ...more });
const model = (of, { line = [], history = [], pool = {}, cordoned = 0 } = {}) =>
	({ stats: stats(of), line, history, pool, idleCordoned: () => cordoned });
const says = (of, more) => headline(model(of, more), 100_000);

test('durations', () => {
	assert.deepEqual([0, 4.9, 59.9, 60, 3599, 3600, 86399, 86400, 432000, -1].map(brief), ['0s', '4s', '59s', '1m', '59m', '1h', '23h', '1d', '5d', '0s']);
	assert.deepEqual([0, 0.0002, 0.012, 0.4, 9.94, 9.96, 59.6, 61, 3599, 3600, 7500, 86400, 100_000].map(duration),
		['0 s', '0.0002 s', '0.012 s', '0.4 s', '9.9 s', '10 s', '1 min 0 s', '1 min 1 s', '59 min 59 s', '1 h 0 min', '2 h 5 min', '1 d 0 h', '1 d 3 h']);
	assert.deepEqual([-2, 0.9, 6.2, 59.9, 60].map(counting), ['0 s', '0 s', '6 s', '59 s', '1 min 0 s']);
});

test('moments', () => {
	const now = performance.now();
	const part = (at) => new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' }).format(at);
	assert([0, 1000].some((late) => clock(now - 60_000, now) === part(Date.now() - 60_000 - late)), clock(now - 60_000, now));
	assert.match(moment('2026-11-24T16:26:38.123Z'), /2026.*26:38/);
	assert.equal(moment('no time'), 'no time');
});

test('initials', () => {
	assert.deepEqual(['alice', 'team-west', 'tenant-0042', 'a', 'x.y.z', '42', 'ci@main', '--', 't1000'].map(initials),
		['AL', 'TW', 'T42', 'A', 'XY', '42', 'CM', '--', 'T00']);
});

test('rights', () => {
	assert.equal(rights({ weight: 1, reserved_slots: 0, max_slots: null }), '');
	assert.equal(rights({ weight: 2.5, reserved_slots: 1, max_slots: 5 }), 'weight 2.5 · 1 reserved · at most 5');
});

test('labels', () => {
	assert.deepEqual(['', 'worker:7', 'Grüße 東京 שלום', '👩\u200d💻'].map(plain), ['', 'worker:7', 'Grüße 東京 שלום', '👩\u200d💻'], 'what can be seen stays');
	assert.equal(plain('a\u202egnp.exe\u202c b\u200bc\u{e0041}\ufeff\u2067'), 'a\\u{202e}gnp.exe\\u{202c} b\\u{200b}c\\u{e0041}\\u{feff}\\u{2067}');
	assert.deepEqual(['worker:7', 'שלום'].map(isolated), ['worker:7', '\u2068שלום\u2069']);
});

test('reasons', () => {
	assert.deepEqual(['at-share', 'pool-full', 'something-new'].map(why), ['at its share', 'no free slot', 'something-new']);
});

test('one sentence', () => {
	assert.equal(says({ waiting: 7 }), 'default is full: 7 wait');
	assert.equal(says({ waiting: 1 }), 'default is full: 1 waits');
	assert.equal(says({}), 'default is full: all 10 slots are held, nobody waits');
	assert.equal(says({ total_active_slots: 0 }), 'default is idle: all 10 slots are free');
	assert.equal(says({ total_active_slots: 9 }), 'default has 1 of 10 slots free, nobody waits');
	assert.equal(says({ total_active_slots: 9, waiting: 2 }, { line: [waiter('at-share'), waiter('absent')] }), 'default has 1 of 10 slots free: 2 wait at their share');
	assert.equal(says({ total_active_slots: 9, waiting: 2 }, { line: [waiter('at-share'), waiter('resting')] }), 'default has 1 of 10 slots free: 2 wait');
	assert.equal(says({ total_active_slots: 9, waiting: 2 }, { line: [waiter('held')] }), 'default is on hold: 2 wait until the server grants again');
	assert.equal(says({ total_active_slots: 6, resting_slots: 2, reserved_slots: 1 }), 'default has 1 of 10 slots free, nobody waits');
	assert.equal(says({ total_active_slots: 6, resting_slots: 4, waiting: 2 }),
		'default has no slot to give, 4 of 10 rest or are kept back: 2 wait');
	assert.equal(says({ total_active_slots: 12 }), 'default holds 12, 2 more than its 10 slots: it shrinks as leases end');
	assert.equal(says({ total_active_slots: 3, waiting: 4 }, { pool: { draining: true } }), 'default is draining: 3 of 10 slots are still held');
	assert.equal(says({ total_active_slots: 0 }, { pool: { draining: true } }), 'default is drained: nothing is held, nothing is granted');
	assert.equal(says({ total_active_slots: 8, waiting: 1 }, { cordoned: 2 }), 'default is full: 1 waits');
});

test('when the next comes', () => {
	const first = (at, ended) => ({ history: [{ at, ended }] });
	assert.equal(nextIn(model({}), 0), null);
	assert.equal(nextIn(model({ hold_seconds: { ...none, p50: 40 } }), 0), 4, 'ten slots that are held for 40 s');
	assert.equal(nextIn(model({ released_total: 14, expired_total: 1 }, first(70_000, 5)), 100_000), 3, 'ten ended in 30 s');
	assert.equal(nextIn(model({ released_total: 14, hold_seconds: { ...none, p50: 40 } }, first(98_000, 5)), 100_000), 4, 'too short to tell');
	assert.equal(nextIn(model({ released_total: 14 }, first(30_000, 5)), 100_000), null, 'too long ago');
	assert.equal(nextIn(model({ released_total: 14 }, { ...first(70_000, 5), line: [waiter('absent'), waiter('pool-full', { estimated_wait_seconds: 9 }), waiter('at-share', { estimated_wait_seconds: 7.5 })] }), 100_000), 7.5);
	assert.equal(says({ waiting: 7, hold_seconds: { ...none, p50: 40 } }), 'default is full: 7 wait, the next in about 4 s');
	assert.equal(says({ waiting: 7, hold_seconds: { ...none, p50: 2 } }), 'default is full: 7 wait, the next in about 1 s');
	assert.equal(says({ waiting: 7, hold_seconds: { ...none, p50: 900 } }), 'default is full: 7 wait, the next in about 1 min 30 s');
});
