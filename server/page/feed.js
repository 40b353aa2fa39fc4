// SPDX-License-Identifier: MIT
// Keeps a model up to date: the stream of events tells what happens, lists are asked for where it says too little.
import { call, list, Refused, stream } from './api.js';
import { LEASES_MAX, LINE_MAX, TENANTS_MAX } from './model.js';

const PERIOD = 1000;          // from one asking for a list to the next at least, and
const PERIOD_OF_ITEM = 2.5;   // as much for each entry that is read: a hundred pages together cost a busy server little
const PERIOD_ALONE = 3000;    // without a stream, when all lists are asked for all the time
const SILENCE = 20_000;       // the server says something every 15 s
const PAUSE = 1000;           // before another try, and
const PAUSE_MOST = 60_000;    // for a stream that is refused again and again

/* How old each list may become though nothing tells of a change: heartbeats are no events, nor is what other pools do. */
const AGES = { pools: 2000, stats: 10_000, tenants: 10_000, leases: PERIOD, line: 10_000 };

/* What an event makes older than it may be. */
const OUTDATES = { granted: ['line'], ended: ['line'], tenant: ['tenants'], pool: ['pools'], missed: ['leases', 'line', 'tenants', 'pools'] };

function gone(pool) {
	return new Refused(404, { code: 'pool-not-found', detail: `${pool} is gone` });
}

/** Follows one pool: `changed()` after news, `connection(state, error)` with `live` or `lost`. */
export class Feed {
	constructor(model, { changed, connection }) {
		this.model = model;
		this.changed = changed;
		this.connection = connection;
		this.stopped = false;
		this.pace = 1 + Math.random() / 5;    // many pages do not ask all at once for long
		this.wake = () => {};
		this.run();
	}

	stop() {
		this.stopped = true;
		this.attempt?.abort();
		this.wake();
	}

	/** Asks for all at once: after a verb. */
	refresh() {
		this.asked = {};
		this.wake();
	}

	/** The page is hidden, or seen again. */
	seen() {
		if (document.hidden)
			this.attempt?.abort();
		this.wake();
	}

	pause(ms) {
		return new Promise((resolve) => {
			const timer = ms === Infinity ? undefined : setTimeout(resolve, ms);
			this.wake = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	}

	async run() {
		while (!this.stopped) {
			if (document.hidden) {
				await this.pause(Infinity);
				continue;
			}
			this.attempt = new AbortController();
			this.asked = {};
			this.old = new Set();      // lists that are older than they may be
			this.streaming = false;    // without a stream all lists are asked for all the time
			try {
				await Promise.all([this.listen(), this.keep()]);
			} catch (error) {
				this.attempt.abort(error);
				if (!this.stopped && !document.hidden)
					this.connection('lost', error);
			}
			if (!this.stopped && !document.hidden)
				await this.pause(PAUSE);
		}
	}

	/* ---- the stream ---- */

	/** Listens again and again: a server that has its most streams or drains still answers, and so may a proxy. */
	async listen() {
		const { signal } = this.attempt;
		for (let pause = PAUSE;; pause = Math.min(2 * pause, PAUSE_MOST)) {
			const silent = new AbortController();
			let timer;
			const heard = () => {
				clearTimeout(timer);
				timer = setTimeout(() => silent.abort(), SILENCE);
			};
			heard();
			try {
				for await (const event of stream('events', { query: { pool: this.model.name }, signal: AbortSignal.any([signal, silent.signal]) })) {
					heard();
					pause = PAUSE;
					if (event !== null)
						this.take(event);
				}
			} catch { /* the lists tell whether the server is there */ }
			clearTimeout(timer);
			if (signal.aborted)
				return;
			this.streaming = false;
			this.wake();
			await new Promise((resolve) => setTimeout(resolve, this.pace * pause));
		}
	}

	take({ event, data }) {
		const { model } = this;
		if (event === 'pool' && data.removed && data.pool === model.name) {
			this.attempt.abort(gone(data.pool));
			this.wake();
			return;
		}
		if (!this.streaming) {
			this.streaming = true;
			this.outdate(Object.keys(AGES));    // what happened before nobody told
		}
		if (event === 'granted')
			model.hear(data, performance.now());
		else if (event === 'ended')
			model.end(data.id);
		else if (event === 'stats')
			this.takeStats(data);
		this.outdate((OUTDATES[event] ?? []).filter((name) => name !== 'line' || model.line.length > 0));
		this.changed();
	}

	/** A waiter that came is no event, but the statistics count it. They tell of the busiest tenants only. */
	takeStats(stats) {
		const { model } = this;
		const old = model.stats;
		if (old === null)
			return;    // the lists come first
		if (stats.waiting !== old.waiting || stats.absent !== old.absent)
			this.outdate(['line']);
		if (stats.tenants_omitted > 0)
			this.outdate(['stats']);
		model.takeStats(stats.tenants_omitted > 0 ? { ...stats, tenants: { ...old.tenants, ...stats.tenants } } : stats);
	}

	outdate(names) {
		for (const name of names)
			this.old.add(name);
		if (names.length > 0)
			this.wake();
	}

	/* ---- the lists ---- */

	/** When a list is to be asked for. */
	due(name) {
		const spacing = this.pace * Math.max(this.streaming ? PERIOD : PERIOD_ALONE, PERIOD_OF_ITEM * this.model.size());
		return (this.asked[name] ?? -Infinity) + (this.old.has(name) || !this.streaming ? spacing : Math.max(spacing, AGES[name]));
	}

	/** Asks for what is too old, again and again. */
	async keep() {
		const { signal } = this.attempt;
		while (!signal.aborted) {
			const now = performance.now();
			const due = Object.keys(AGES).filter((name) => this.due(name) <= now);
			if (due.length > 0) {
				await this.ask(due).catch((error) => this.busy(error, due));
				this.connection('live');
				this.changed();
			} else {
				await this.pause(Math.min(...Object.keys(AGES).map((name) => this.due(name))) - now);
			}
		}
		signal.throwIfAborted();
	}

	/** A server that has too much to do is there: it is asked again later. */
	busy(error, names) {
		if (error.code !== 'overloaded')
			throw error;
		this.outdate(names);
	}

	async ask(names) {
		const { model, attempt: { signal } } = this;
		const pool = model.name;
		const lists = {
			pools: [() => call('GET', 'pools', { signal }), ({ items }) => {
				if (!model.takePools(items))
					throw gone(pool);
			}],
			stats: [() => call('GET', 'stats', { query: { pool, limit: 1000 }, signal }), (stats) => model.takeStats(stats)],
			tenants: [() => list('tenants', { pool }, { most: TENANTS_MAX, signal }), (tenants) => model.takeTenants(tenants)],
			leases: [() => list('leases', { pool, state: 'active' }, { most: LEASES_MAX, signal }), (...reply) => model.takeLeases(...reply)],
			line: [() => list('leases', { pool, state: 'pending' }, { most: LINE_MAX, signal }), (...reply) => model.takeLine(...reply)],
		};
		const asked = performance.now();
		for (const name of names) {
			this.asked[name] = asked;
			this.old.delete(name);
		}
		const replies = await Promise.all(names.map(async (name) => [name, await lists[name][0](), performance.now()]));
		for (const [name, reply, at] of replies)
			lists[name][1](reply, at, asked);
	}
}
