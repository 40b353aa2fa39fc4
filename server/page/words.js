// SPDX-License-Identifier: MIT
// What the page says: durations, initials, reasons, and the sentence at the top. Nothing here touches the document.

const UNITS = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];

/** A duration in at most three characters: 4s, 17m, 2h, 5d. */
export function brief(seconds) {
	const whole = Math.max(0, Math.floor(seconds));
	const [unit, size] = UNITS.find(([, size]) => whole >= size) ?? UNITS[3];
	return `${Math.floor(whole / size)}${unit}`;
}

/** A duration for a sentence or a column: 0.4 s, 17 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(seconds) {
	const whole = Math.max(0, Math.round(seconds));
	if (seconds > 0 && seconds < 9.95)
		return `${seconds < 0.0995 ? seconds.toFixed(seconds < 0.00095 ? 4 : 3) : seconds.toFixed(1)} s`;
	if (whole < 60)
		return `${whole} s`;
	if (whole < 3600)
		return `${Math.floor(whole / 60)} min ${whole % 60} s`;
	if (whole < 86400)
		return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
	return `${Math.floor(whole / 86400)} d ${Math.floor(whole % 86400 / 3600)} h`;
}

/** A duration that counts on, in whole seconds: it does not flicker. */
export function counting(seconds) {
	const whole = Math.max(0, Math.floor(seconds));
	return whole < 60 ? `${whole} s` : duration(whole);
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });

/** The time of day of a moment that is told in performance.now(). */
export function clock(at, now) {
	return TIME.format(Date.now() - (now - at));
}

/** A timestamp of the server. */
export function moment(timestamp) {
	const at = Date.parse(timestamp);
	return Number.isNaN(at) ? timestamp : DAY_AND_TIME.format(at);
}

/** Two or three characters for a tenant: AL for alice, TW for team-west, T42 for tenant-0042. */
export function initials(name) {
	const parts = name.split(/[._:@-]+/).filter((part) => part !== '');
	const number = /\d{1,2}$/.exec(name)?.[0];
	if (parts.length === 0)
		return name.slice(0, 2);
	if (number !== undefined && !/^\d/.test(parts[0]))
		return parts[0][0].toUpperCase() + number;
	return (parts.length > 1 ? parts[0][0] + parts[1][0] : parts[0].slice(0, 2)).toUpperCase();
}

/* What turns a line around or cannot be seen: controls of direction, spaces of no width, separators, tags. */
const UNSEEN = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** A label as it is shown: what cannot be seen is spelled out. */
export function plain(label) {
	return label.replace(UNSEEN, (found) => `\\u{${found.codePointAt(0).toString(16)}}`);
}

/** A label within a sentence: one that runs from right to left turns nothing around that stands beside it. */
export function isolated(label) {
	return /^[ -~]*$/.test(label) ? label : `\u2068${label}\u2069`;
}

const REASONS = {
	absent: 'client away', held: 'server on hold', 'pool-draining': 'pool drains', 'at-cap': 'at its cap', 'at-share': 'at its share',
	reserved: 'slots reserved', saving: 'slots saved for another', resting: 'slots rest', 'pool-full': 'no free slot',
};

/** What a tenant may have beyond what all may: nothing, or "weight 2 · 1 reserved · at most 5". */
export function rights({ weight, reserved_slots: reserved, max_slots: most }) {
	return [weight === 1 ? '' : `weight ${weight}`, reserved === 0 ? '' : `${reserved} reserved`, most === null ? '' : `at most ${most}`]
		.filter((part) => part !== '').join(' · ');
}

/** Why a waiter waits. */
export function why(reason) {
	return REASONS[reason] ?? reason;
}

export function count(number, one, many) {
	return `${number} ${number === 1 ? one : many}`;
}

function ended(stats) {
	return stats.released_total + stats.expired_total + stats.revoked_total + stats.unclaimed_total;
}

const RATE_SECONDS = 60;

/**
 * Seconds until the next slot is likely to be given, or null: what the server estimates for those who wait, else how often
 * leases ended in the last minute, else how long they are held.
 */
export function nextIn({ stats, history, line }, now) {
	const told = line.filter(({ present }) => present).map((waiter) => waiter.estimated_wait_seconds).filter((seconds) => seconds !== undefined);
	if (told.length > 0)
		return Math.min(...told);
	const first = history.find((sample) => sample.at >= now - 1000 * RATE_SECONDS);
	const lapsed = first === undefined ? 0 : (now - first.at) / 1000;
	const ends = first === undefined ? 0 : ended(stats) - first.ended;
	if (lapsed >= 5 && ends > 0)
		return lapsed / ends;
	if (stats.hold_seconds.p50 > 0 && stats.total_active_slots > 0)
		return stats.hold_seconds.p50 / stats.total_active_slots;
	return null;
}

/** The leases that have ended, for `history`. */
export { ended as endedTotal };

/** One sentence on how a pool goes. */
export function headline(model, now) {
	const { stats, pool, line } = model;
	const { pool: name, max_slots: most, total_active_slots: held, waiting } = stats;
	const kept = stats.resting_slots + stats.reserved_slots + stats.saved_slots;
	const free = Math.max(0, most - held - model.idleCordoned() - kept);
	const wait = waiting === 1 ? '1 waits' : `${waiting} wait`;

	if (pool.draining)
		return held === 0 ? `${name} is drained: nothing is held, nothing is granted` : `${name} is draining: ${held} of ${most} slots are still held`;
	if (held > most)
		return `${name} holds ${held}, ${held - most} more than its ${most} slots: it shrinks as leases end`;
	if (waiting > 0 && line.some((waiter) => waiter.reason === 'held'))
		return `${name} is on hold: ${wait} until the server grants again`;
	if (free === 0 && kept > 0)
		return `${name} has no slot to give, ${kept} of ${most} rest or are kept back: ${waiting > 0 ? wait : 'nobody waits'}`;
	if (free === 0 && waiting > 0) {
		const next = nextIn(model, now);
		return `${name} is full: ${wait}${next === null ? '' : `, the next in about ${counting(Math.max(1, Math.round(next)))}`}`;
	}
	if (free === 0)
		return `${name} is full: all ${most} slots are held, nobody waits`;
	if (waiting > 0) {
		const atShare = line.filter((waiter) => waiter.present).every((waiter) => waiter.reason === 'at-share');
		return `${name} has ${free} of ${most} slots free: ${wait}${atShare ? ' at their share' : ''}`;
	}
	if (held === 0 && free === most)
		return `${name} is idle: all ${most} slots are free`;
	return `${name} has ${free} of ${most} slots free, nobody waits`;
}
