// SPDX-License-Identifier: MIT
// Keeps a model up to date, and says so.
import { call, list } from './api.js';
import { LEASES_MAX, LINE_MAX, TENANTS_MAX } from './model.js';

const PERIOD = 1000;
const TENANTS_PERIOD = 3000;
const RESTS = 8;            // times as long as asking takes, nothing is asked: many pages on a busy server cost it little
const LOST_PAUSE = 1000;

/** Follows one pool: `changed(model)` after news, `connection(state, error)` with `live` or `lost`. */
export class Feed {
	constructor(model, { changed, connection }) {
		this.model = model;
		this.changed = changed;
		this.connection = connection;
		this.stopped = new AbortController();
		this.tenantsAt = -Infinity;
		this.wake = () => {};
		this.run();
	}

	stop() {
		this.stopped.abort();
		this.wake();
	}

	/** Asks at once: after a verb, or when the page is seen again. */
	refresh() {
		this.soon = true;
		this.wake();
	}

	pause(ms) {
		return new Promise((resolve) => {
			const timer = ms === Infinity ? undefined : setTimeout(resolve, ms);
			this.wake = () => {
				clearTimeout(timer);
				resolve();
			};
			if (this.soon)
				this.wake();
		});
	}

	async run() {
		while (!this.stopped.signal.aborted) {
			const began = performance.now();
			this.soon = false;
			let rest = PERIOD;
			try {
				await this.ask();
				rest = Math.max(PERIOD, RESTS * (performance.now() - began));
				this.connection('live');
				this.changed();
			} catch (error) {
				if (this.stopped.signal.aborted)
					return;
				rest = LOST_PAUSE;
				this.connection('lost', error);
			}
			await this.pause(document.hidden ? Infinity : rest);
		}
	}

	async ask() {
		const { model } = this;
		const { signal } = this.stopped;
		const pool = model.name;
		const [{ items: pools }, stats, active, line] = await Promise.all([
			call('GET', 'pools', { signal }),
			call('GET', 'stats', { query: { pool, limit: 1000 }, signal }),
			list('leases', { pool, state: 'active' }, { most: LEASES_MAX, signal }).then((leases) => [leases, performance.now()]),
			list('leases', { pool, state: 'pending' }, { most: LINE_MAX, signal }).then((leases) => [leases, performance.now()]),
			this.askTenants(),
		]);
		model.takePools(pools);
		model.takeStats(stats);
		model.takeLeases(...active);
		model.takeLine(...line);
	}

	async askTenants() {
		const { model, stopped: { signal } } = this;
		if (performance.now() - this.tenantsAt < TENANTS_PERIOD)
			return;
		model.takeTenants(await list('tenants', { pool: model.name }, { most: TENANTS_MAX, signal }));
		this.tenantsAt = performance.now();
	}
}
