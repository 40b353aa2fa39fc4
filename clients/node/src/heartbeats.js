// SPDX-License-Identifier: MIT
import { Backoff, now } from './clock.js';

const BATCH = 1000;    // ids a request of /heartbeats may name
const LOOK = 1;        // seconds between two looks at the clock: timers stand still while the machine sleeps

/** Keeps the leases of one server alive, all in one request where they are due about the same time. */
export class Heartbeats {
	#server;
	#onLost;
	#onReclaim;
	#leases = new Map();
	#backoff = new Backoff();
	#timer;
	#wake = Infinity;

	/** `onReclaim(id, reclaim)` is called at each beat that is told of a wish for the lease, and without `reclaim` at its end. */
	constructor(server, onLost, onReclaim) {
		this.#server = server;
		this.#onLost = onLost;
		this.#onReclaim = onReclaim;
	}

	/** `since`: a time at which it had `lease.expires_in_seconds` left. `due`: when to beat first. */
	add(lease, since, due) {
		this.#leases.set(lease.id, {
			id: lease.id, deadline: since + lease.expires_in_seconds, due, interval: lease.heartbeat_seconds, beating: false,
		});
		this.#plan(due);
	}

	/** Stops beating for it, and returns when it runs out by itself; undefined where it is lost. */
	remove(id) {
		const deadline = this.#leases.get(id)?.deadline;
		this.#leases.delete(id);
		return deadline;
	}

	#plan(at) {
		if (at >= this.#wake)
			return;
		clearTimeout(this.#timer);
		this.#wake = at;
		this.#timer = setTimeout(() => this.#turn(), 1000 * Math.max(0, Math.min(at - now(), LOOK)));
	}

	#turn() {
		const time = now();
		this.#wake = Infinity;
		const due = [];
		let isDue = false;
		let next = Infinity;
		for (const lease of this.#leases.values()) {
			if (time >= lease.deadline) {
				this.#lose(lease.id, lease.over ? 'max-lease' : 'no-heartbeat');
			} else if (lease.beating) {
				next = Math.min(next, lease.deadline);
			} else if (time >= lease.due - lease.interval / 2) {
				// Those that are due soon come along, so that leases taken one by one come into one batch.
				isDue ||= time >= lease.due;
				due.push(lease);
			} else {
				next = Math.min(next, lease.due);
			}
		}
		if (isDue) {
			for (let i = 0; i < due.length; i += BATCH)
				this.#beat(due.slice(i, i + BATCH));
		}
		for (const lease of due)
			next = Math.min(next, lease.beating ? lease.deadline : lease.due);
		if (next < Infinity)
			this.#plan(next);
	}

	async #beat(batch) {
		const started = now();
		const interval = Math.min(...batch.map((lease) => lease.interval));
		for (const lease of batch)
			lease.beating = true;
		const reply = await this.#server.request('POST', '/heartbeats', {
			body: { lease_ids: batch.map((lease) => lease.id) }, timeout: interval, waits: true,
		}).catch(() => undefined);
		const good = reply?.status === 200 && Array.isArray(reply.body?.renewed) && Array.isArray(reply.body.lost);
		if (good)
			this.#backoff.reset();
		// Whatever else came, also a 404 of an ingress, is a beat that was missed.
		const again = good ? undefined : now() + Math.min(this.#backoff.next(reply?.retryAfter), interval);
		for (const lease of batch) {
			lease.beating = false;
			lease.due = again ?? lease.due;
		}
		for (const { id, expires_in_seconds, heartbeat_seconds, reclaim } of good ? reply.body.renewed : []) {
			const lease = this.#leases.get(id);
			if (!lease)
				continue;
			if (reclaim || lease.reclaim)
				this.#onReclaim(id, reclaim);
			// What a beat leaves with less than the time to the next has come to the end of its longest life.
			const over = expires_in_seconds < heartbeat_seconds;
			Object.assign(lease, {
				deadline: started + expires_in_seconds, due: started + heartbeat_seconds, interval: heartbeat_seconds, over, reclaim,
			});
		}
		for (const { id, reason } of good ? reply.body.lost : [])
			this.#lose(id, reason);
		for (const lease of batch)
			if (this.#leases.has(lease.id))
				this.#plan(lease.due);
	}

	#lose(id, reason) {
		if (this.#leases.delete(id))
			this.#onLost(id, reason);
	}
}
