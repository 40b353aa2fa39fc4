// SPDX-License-Identifier: MIT
import os from 'node:os';
import process from 'node:process';
import { inspect } from 'node:util';
import { FairShareError, LeaseLostError } from './errors.js';
import { Lease } from './lease.js';
import { parseUrl } from './server.js';
import { ask, cancel, close } from './thread.js';

let lastClient = 0;

function hostPid() {
	return `${os.hostname().slice(0, 100)}:${process.pid}`;
}

/** A misspelt option would be left out in silence. */
function refuse(unknown, who) {
	for (const name of Object.keys(unknown))
		throw new FairShareError('invalid-option', `${who} has no option ${name}: see the README for those it has.`);
}

/** A connection to fairshared for one tenant; all clients of a process share one thread and one batch of heartbeats. */
export class FairShareClient {
	#self;
	#tenant;
	#pool;
	#ttl;
	#label;
	#closed;

	constructor({ url, tenant, pool, token, ttl, label, ...unknown } = {}) {
		refuse(unknown, 'A client');
		const { FAIRSHARE_URL, FAIRSHARE_TENANT, FAIRSHARE_POOL, FAIRSHARE_TOKEN } = process.env;
		url ??= FAIRSHARE_URL;
		if (!url)
			throw new FairShareError('invalid-option', 'Where is fairshared? Pass url, or set FAIRSHARE_URL: http://host:port or unix:/path.');
		parseUrl(url);
		token ??= FAIRSHARE_TOKEN || undefined;
		if (token && !/^[\x21-\x7e]+$/.test(token))
			throw new FairShareError('invalid-option', 'token has characters that no header can carry: it must be visible ASCII.');
		this.#tenant = tenant ?? FAIRSHARE_TENANT;
		this.#pool = pool ?? (FAIRSHARE_POOL || undefined);
		this.#ttl = ttl;
		this.#label = label ?? hostPid();
		const instance = hostPid().replace(/[^A-Za-z0-9._:@-]/g, '-');
		this.#self = { number: ++lastClient, connection: { url, token, instance } };
	}

	/** Waits for a slot, or `slots` at once: for ever, for `timeout` seconds, or until `signal` is aborted. */
	async acquire({ signal, timeout, tenant, pool = this.#pool, ttl = this.#ttl, label = this.#label, slots, priority, maxLease, ...unknown } = {}) {
		refuse(unknown, 'acquire');
		if (timeout !== undefined && timeout !== null && !(typeof timeout === 'number' && timeout >= 0))
			throw new FairShareError('invalid-option', `timeout is ${inspect(timeout)}: it must be a number of seconds from 0, or left out to wait for ever.`);
		const want = { tenant_id: this.#tenantOf(tenant), pool, ttl_seconds: ttl, label, slots, priority, max_lease_seconds: maxLease };
		signal?.throwIfAborted();
		const granted = this.#ask('acquire', { want, timeout: timeout ?? undefined });
		if (!signal)
			return new Lease(this.#self, await granted);
		return this.#unlessAborted(signal, granted);
	}

	#unlessAborted(signal, granted) {
		return new Promise((resolve, reject) => {
			const onAbort = () => {
				cancel(this.#self, granted.task);
				reject(signal.reason);
			};
			signal.addEventListener('abort', onAbort, { once: true });
			granted.finally(() => signal.removeEventListener('abort', onAbort)).then((lease) => {
				if (signal.aborted)    // the grant was on its way already
					ask('release', this.#self, { id: lease.id }).catch(() => {});
				else
					resolve(new Lease(this.#self, lease));
			}).catch(reject);
		});
	}

	/** Runs `fn(lease)` while holding a slot, and returns what it returns. Throws LeaseLostError where the lease was lost meanwhile. */
	async withLease(fn, options) {
		const lease = await this.acquire(options);
		let result;
		try {
			result = await fn(lease);
		} catch (error) {
			await lease.release().catch((lost) => {
				if (lost instanceof LeaseLostError && lost !== error)
					lost.cause ??= error;
				throw lost;
			});
			throw error;
		}
		await lease.release();
		return result;
	}

	/** Registers the tenant with this process as its instance; close() takes that back. */
	async register({ tenant, pool = this.#pool } = {}) {
		return this.#ask('register', { tenant: this.#tenantOf(tenant), pool });
	}

	/** Who holds and waits for how much: GET /stats. */
	async stats({ pool = this.#pool } = {}) {
		return this.#ask('stats', { pool });
	}

	/** Gives everything back: leases, places in line, registrations. Takes 2 s at most; the client takes no calls then. */
	close() {
		this.#closed ??= close(this.#self);
		return this.#closed;
	}

	[Symbol.asyncDispose]() {
		return this.close();
	}

	#tenantOf(tenant = this.#tenant) {
		if (!tenant)
			throw new FairShareError('invalid-option', 'Which tenant? Pass tenant, or set FAIRSHARE_TENANT.');
		return tenant;
	}

	#ask(call, options) {
		if (this.#closed)
			throw new FairShareError('closed', 'This client is closed: make a new one.');
		return ask(call, this.#self, options);
	}
}
