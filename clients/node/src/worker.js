// SPDX-License-Identifier: MIT
// The thread that speaks to the servers: a caller that blocks its event loop blocks nothing here.
import { parentPort } from 'node:worker_threads';
import { Acquire } from './acquire.js';
import { now, within } from './clock.js';
import { FairShareError, LeaseLostError, pack } from './errors.js';
import { Heartbeats } from './heartbeats.js';
import { Server } from './server.js';

const CLOSE = 2;       // seconds within which everything is given back
const CALL = 10;       // an answer that waits for nothing comes within this

const servers = new Map();
const clients = new Map();
const holders = new Map();    // of each lease, by its id

function serverAt({ url, token }) {
	const name = JSON.stringify([url, token]);
	if (!servers.has(name)) {
		const server = new Server({ url, token });
		server.heartbeats = new Heartbeats(server, (id, reason) => {
			holders.delete(id);
			parentPort.postMessage({ lease: id, lost: reason });
		}, (id, reclaim) => parentPort.postMessage({ lease: id, reclaim }));
		server.registrations = new Map();
		servers.set(name, server);
	}
	return servers.get(name);
}

function query(parameters) {
	const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
	return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}

class Client {
	#server;
	#instance;
	#acquires = new Map();
	#registered = new Map();
	#background = new Set();    // what goes on after the caller was answered
	#closing;

	constructor({ url, token, instance }) {
		this.#server = serverAt({ url, token });
		this.#instance = instance;
	}

	async acquire({ want, timeout }, task) {
		const acquire = new Acquire(this.#server, want, timeout, () => this.#registerAgain(want));
		this.#acquires.set(task, acquire);
		try {
			const granted = await acquire.run();
			if (!granted)
				throw new FairShareError('closed', 'The client was closed, or the acquire cancelled, while it waited.');
			this.#hold(granted);
			return granted.lease;
		} catch (error) {
			// Any other error is a refusal, which keeps no place.
			if (error.code === 'no-slot' || error.code === 'unexpected-answer')
				this.#keep(acquire.giveUp());
			throw error;
		} finally {
			this.#acquires.delete(task);
		}
	}

	/**
	 * A grant that was waited for does not say when it was made: it lives at the time the answer came, and the first beat makes
	 * sure. So it does for one that would end before that beat is due: by its longest life, or as its answer came late.
	 */
	#hold({ lease, sent, took }) {
		const waited = took >= lease.heartbeat_seconds;
		const since = waited ? sent + took : sent;
		const due = waited || lease.expires_in_seconds < lease.heartbeat_seconds ? since : since + lease.heartbeat_seconds;
		holders.set(lease.id, this);
		this.#server.heartbeats.add(lease, since, due);
	}

	cancel(task) {
		const acquire = this.#acquires.get(task);
		acquire?.cancel();
		if (acquire)
			this.#keep(acquire.giveUp());
	}

	/** Resolves once the slot is given back, or after 2 s: it goes on trying until the lease has run out by itself. */
	release(id) {
		holders.delete(id);
		return within(CLOSE, this.#keep(this.#giveBack(id)));
	}

	async #giveBack(id) {
		const end = this.#server.heartbeats.remove(id);
		const reply = end === undefined ? undefined : await this.#server.persist('DELETE', `/leases/${id}`, { end });
		if (reply?.code === 'lease-ended' || reply?.code === 'lease-not-found')
			throw new LeaseLostError(id, reply.body.reason ?? 'not-found');
		if (reply && !reply.ok)
			throw reply.error();
	}

	async #call(method, path, body) {
		const reply = await this.#server.request(method, path, { body, timeout: CALL }).catch((error) => {
			throw new FairShareError('no-answer', `fairshared did not answer: ${error.message}`);
		});
		if (!reply.ok || !reply.body)
			throw reply.error();
		return reply.body;
	}

	stats({ pool }) {
		return this.#call('GET', `/stats${query({ pool })}`);
	}

	/** Clients of one process have one instance: it is unregistered when the last of them leaves. */
	async register({ tenant, pool }) {
		const value = await this.#call('POST', '/tenants', { tenant_id: tenant, pool, instance: this.#instance });
		const name = `${value.pool}/${tenant}`;
		if (!this.#registered.has(name)) {
			this.#registered.set(name, { tenant, pool: value.pool });
			this.#server.registrations.set(name, (this.#server.registrations.get(name) ?? 0) + 1);
		}
		return value;
	}

	async #registerAgain({ tenant_id: tenant, pool = 'default' }) {
		return this.#registered.has(`${pool}/${tenant}`) && await this.register({ tenant, pool }).then(() => true, () => false);
	}

	async #unregister({ tenant, pool }, end) {
		const name = `${pool}/${tenant}`;
		const count = this.#server.registrations.get(name) - 1;
		this.#server.registrations.set(name, count);
		if (count === 0)
			await this.#server.persist('DELETE', `/tenants/${tenant}${query({ pool, instance: this.#instance })}`, { end });
	}

	/** Gives everything back. */
	close() {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close() {
		for (const task of this.#acquires.keys())
			this.cancel(task);
		for (const [id, holder] of holders)
			if (holder === this)
				this.#keep(this.#giveBack(id));
		await Promise.allSettled(this.#background);
		await Promise.all([...this.#registered.values()].map((registration) => this.#unregister(registration, now() + CLOSE)));
	}

	#keep(promise) {
		const drop = () => this.#background.delete(promise);
		this.#background.add(promise);
		promise.then(drop, drop);
		return promise;
	}
}

/** The process ends, and its main thread stands still until `done` is set. */
async function exit(done) {
	await Promise.all([...clients.values()].map((client) => client.close()));
	Atomics.store(done, 0, 1);
	Atomics.notify(done, 0);
}

const calls = {
	acquire: (options, task, client) => clients.get(client).acquire(options, task),
	release: ({ id }, task, client) => clients.get(client).release(id),
	register: (options, task, client) => clients.get(client).register(options),
	stats: (options, task, client) => clients.get(client).stats(options),
	async close(options, task, client) {
		await within(CLOSE, clients.get(client).close());
		clients.delete(client);
	},
};

parentPort.on('message', async ({ open, call, options, task, client, cancel, done }) => {
	if (open)
		return clients.set(client, new Client(open));
	if (done)
		return exit(done);
	if (cancel)
		return clients.get(client)?.cancel(cancel);
	try {
		parentPort.postMessage({ task, value: await calls[call](options, task, client) });
	} catch (error) {
		parentPort.postMessage({ task, error: pack(error) });
	}
});
