// SPDX-License-Identifier: MIT
import { getEventListeners } from 'node:events';
import process from 'node:process';
import { inspect } from 'node:util';
import { LeaseLostError } from './errors.js';
import { ask, forget, watch } from './thread.js';

/** Slots that are held: the members of the server's lease as it was granted, and what to do with it. */
export class Lease extends EventTarget {
	#client;
	#lost = new AbortController();
	#reclaim;
	#released;

	constructor(client, granted) {
		super();
		const { reclaim, ...members } = granted;
		Object.assign(this, members);
		this.#reclaim = reclaim;
		this.#client = client;
		watch(this.id, client, (reason) => this.#lose(reason), (reclaim) => this.#wish(reclaim));
	}

	/** Aborted when the lease is lost, with the LeaseLostError as its reason. */
	get signal() {
		return this.#lost.signal;
	}

	/** While the server wishes the lease back: `{ by_seconds }`, as the last heartbeat was told. */
	get reclaim() {
		return this.#reclaim;
	}

	/** Gives the slots back. Rejects with the LeaseLostError where the lease was lost before. */
	release() {
		this.#released ??= this.#release();
		return this.#released;
	}

	async #release() {
		this.signal.throwIfAborted();
		if (forget(this.id))
			await ask('release', this.#client, { id: this.id });
	}

	/** An EventTarget would be shown without its members. */
	[inspect.custom](depth, options) {
		return `Lease ${inspect(Object.fromEntries(Object.entries(this)), options)}`;
	}

	[Symbol.asyncDispose]() {
		return this.release();
	}

	#wish(reclaim) {
		const isNew = reclaim && !this.#reclaim;
		this.#reclaim = reclaim;
		if (isNew)
			this.dispatchEvent(new Event('reclaim'));
	}

	#lose(reason) {
		const error = new LeaseLostError(this.id, reason);
		forget(this.id);
		if (getEventListeners(this.signal, 'abort').length === 0)
			process.emitWarning(error.message, 'LeaseLostWarning');
		this.#lost.abort(error);
	}
}
