// SPDX-License-Identifier: MIT
// What is known of the pool that is shown. Times are those of performance.now(): the server tells durations.
import { endedTotal, plain } from './words.js';

export const LEASES_MAX = 3000;
export const LINE_MAX = 200;
export const TENANTS_MAX = 2000;
const SAMPLES_MAX = 300;
const SAMPLE_MS = 1000;
const SAMPLE_TENANTS = 40;
const WAITS_MAX = 1000;
const GONE_MAX = 2000;
const TONES = 12;

export class Model {
	constructor(name) {
		this.name = name;
		this.pools = [];
		this.pool = null;         // as GET /pools tells of it
		this.stats = null;
		this.leases = new Map();  // id -> lease with `since`, `expires`, `beat`, and a label that can be shown
		this.line = [];           // pending leases with `since`, in order of arrival
		this.tenants = new Map(); // name -> tenant
		this.history = [];        // {at, ended, share, held: Map}
		this.waits = new Map();   // id -> seconds, of leases that were granted while the page looked
		this.gone = new Set();    // ids that have ended: a list that was made before does not bring them back
		this.tones = new Map();
		this.began = performance.now();
	}

	/** The colour of a tenant, from its place among all. */
	tone(tenant) {
		if (!this.tones.has(tenant))
			this.tones.set(tenant, this.tones.size % TONES);
		return this.tones.get(tenant);
	}

	/** false: the pool is not there any more. */
	takePools(pools) {
		const pool = pools.find(({ pool: name }) => name === this.name);
		this.pools = pools;
		this.pool = pool ?? this.pool;
		return pool !== undefined;
	}

	takeStats(stats) {
		this.stats = stats;
	}

	/** Tenants in the order of their creation, which their colours follow. */
	takeTenants(tenants) {
		for (const { tenant_id: name } of tenants)
			this.tone(name);
		this.tenants = new Map(tenants.map((tenant) => [tenant.tenant_id, tenant]));
	}

	/** A list that was asked for at `asked` and came at `at`: what an event granted in between stays. */
	takeLeases(leases, at, asked) {
		const old = this.leases;
		this.leases = new Map([...old].filter(([, { heard }]) => heard > asked));
		for (const lease of leases) {
			if (!this.gone.has(lease.id))
				this.grant(lease, at, old.get(lease.id));
		}
	}

	takeLine(line, at) {
		this.line = line.filter(({ id }) => !this.leases.has(id) && !this.gone.has(id))
			.map((waiter) => ({ ...waiter, label: plain(waiter.label), since: at - 1000 * waiter.waited_seconds }));
	}

	/** An event tells of a grant. */
	hear(lease, at) {
		this.grant(lease, at);
		this.leases.get(lease.id).heard = at;
	}

	/** A lease is active; `at` is when the server said so. */
	grant(lease, at, old) {
		const expires = at + 1000 * lease.expires_in_seconds;
		const since = old?.since ?? expires - (Date.parse(lease.expires_at) - Date.parse(lease.acquired_at));
		this.leases.set(lease.id, { ...lease, label: plain(lease.label), since, expires, beat: expires - 1000 * lease.ttl_seconds });
		if (!this.waits.has(lease.id)) {
			this.waits.set(lease.id, lease.waited_seconds);
			if (this.waits.size > WAITS_MAX)
				this.waits.delete(this.waits.keys().next().value);
		}
		this.line = this.line.filter(({ id }) => id !== lease.id);
	}

	/** A lease has ended, or a waiter has left. */
	end(id) {
		this.gone.add(id);
		if (this.gone.size > GONE_MAX)
			this.gone.delete(this.gone.values().next().value);
		this.leases.delete(id);
		this.line = this.line.filter((waiter) => waiter.id !== id);
	}

	/** Entries that are known. */
	size() {
		return this.leases.size + this.line.length + this.tenants.size;
	}

	/** Slots out of use that nobody holds. */
	idleCordoned() {
		const { cordoned } = this.pool;
		if (cordoned.length === 0)
			return 0;
		const held = new Set([...this.leases.values()].flatMap(({ slot_ids: ids }) => ids));
		return cordoned.filter((id) => !held.has(id) && id < this.stats.max_slots).length;
	}

	/** Adds to the history once a second. */
	sample(now) {
		const last = this.history.at(-1);
		if (this.stats === null || (last !== undefined && now - last.at < SAMPLE_MS - 50))
			return;
		const held = Object.values(this.stats.tenants).filter(({ active_slots: slots }) => slots > 0)
			.sort((a, b) => b.active_slots - a.active_slots).slice(0, SAMPLE_TENANTS)
			.map(({ tenant_id: name, active_slots: slots }) => [name, slots]);
		this.history.push({
			at: now, ended: endedTotal(this.stats), share: this.stats.share, most: this.stats.max_slots,
			total: this.stats.total_active_slots, held: new Map(held),
		});
		if (this.history.length > SAMPLES_MAX)
			this.history.shift();
	}
}
