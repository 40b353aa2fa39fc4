// SPDX-License-Identifier: MIT
import { randomUUID } from 'node:crypto';
import { Backoff, now, sleep, within } from './clock.js';
import { FairShareError, NoSlotError } from './errors.js';

const POLL = 30;          // seconds a request waits; proxies bear that much
const LATE = 10;          // an answer may come so much later than the wait it asked for
const LATE_AT_END = 1;    // the same once the caller's own deadline has passed
const ATTACHED = 1;       // a request that lasted so long was in line, and not refused
const GRACE = 15;         // the server keeps a place for so long without a request
const ANSWERED = 0.5;     // a waiter that was given up is answered within this
const NEW_KEY = ['expired', 'unclaimed', 'place-lost'];    // ends of a lease or place that nobody asked for

/** A 201 that shows no lease may hide one: the same key gets it again. */
function isLease(body) {
	return typeof body?.id === 'string' && body.expires_in_seconds > 0 && body.heartbeat_seconds > 0;
}

/** One acquire: a key, and the requests that stand for it until it is granted, refused or given up. */
export class Acquire {
	#server;
	#want;
	#end;
	#registerAgain;
	#key = randomUUID();
	#posted;                           // the request under way
	#cut = new AbortController();      // ends it
	#stop = new AbortController();
	#stopped = new Promise((resolve) => this.#stop.signal.addEventListener('abort', () => resolve({}), { once: true }));

	/** `registerAgain` registers the tenant anew where this client had registered it, else returns false. */
	constructor(server, want, timeout, registerAgain) {
		this.#server = server;
		this.#want = want;
		this.#end = timeout === undefined ? Infinity : now() + timeout;
		this.#registerAgain = registerAgain;
	}

	/** Resolves with the lease and the time it surely lived at; with nothing after cancel(). */
	async run() {
		const backoff = new Backoff();
		let registeredAgain = false;
		let last;
		do {
			const sent = now();
			const left = Math.max(0, this.#end - sent);
			const wait = Math.min(POLL, left);
			const { reply, error } = await this.#ask(wait, Math.min(wait + LATE, left + LATE_AT_END));
			const took = now() - sent;
			if (this.#stop.signal.aborted)
				break;
			if (reply?.status === 201 && isLease(reply.body))
				return { lease: reply.body, sent, took };
			last = error ?? reply.error();
			if (reply?.code === 'no-slot' && took > wait - 0.1) {
				registeredAgain = false;
				backoff.reset();
				continue;
			}
			if (reply?.code === 'tenant-not-registered' && !registeredAgain && await this.#registerAgain()) {
				registeredAgain = true;
				continue;
			}
			if (reply?.code === 'lease-ended' && NEW_KEY.includes(reply.body.reason))
				this.#key = randomUUID();
			else if (reply && !reply.ok && !reply.passing && reply.code !== 'superseded')
				throw last;
			if (took > ATTACHED)
				backoff.reset();
			await sleep(Math.min(backoff.next(reply?.retryAfter), Math.max(0, this.#end - now())), this.#stop.signal);
		} while (now() < this.#end && !this.#stop.signal.aborted);
		if (this.#stop.signal.aborted)
			return undefined;
		throw new NoSlotError(`No slot in time: ${last.message}`, { problem: last.problem });
	}

	/** Ends run(); giveUp() is still to be called. */
	cancel() {
		this.#stop.abort();
	}

	/** Tells the server that nobody waits any more, or that nobody wants what was granted meanwhile. */
	async giveUp() {
		const posted = this.#posted;
		await this.#forget();
		if (!posted)
			return;
		const answer = await within(ANSWERED, posted);
		const code = answer?.reply?.code;
		if (code && code !== 'no-slot')
			return;
		// Neither given up nor refused: the DELETE may have overtaken the POST, which goes over another connection.
		this.#cut.abort();
		await this.#forget();
	}

	#forget() {
		const query = new URLSearchParams({ tenant_id: this.#want.tenant_id, ...(this.#want.pool && { pool: this.#want.pool }) });
		return this.#server.persist('DELETE', `/leases?${query}`, { key: this.#key, end: now() + GRACE });
	}

	async #ask(wait, timeout) {
		this.#posted = this.#server.request('POST', '/leases', {
			body: { ...this.#want, wait_seconds: wait }, key: this.#key, timeout, signal: this.#cut.signal, waits: true,
		}).then((reply) => ({ reply }), (error) => ({ error: new FairShareError('no-answer', error.message) }));
		const outcome = await Promise.race([this.#posted, this.#stopped]);
		if (!this.#stop.signal.aborted)
			this.#posted = undefined;
		return outcome;
	}
}
