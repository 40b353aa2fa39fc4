// SPDX-License-Identifier: MIT
import { getEventListeners } from 'node:events';
import process from 'node:process';
import { LeaseLostError } from './errors.js';
import { ask, forget, watch } from './thread.js';

/** A slot that is held: the members of the server's lease as it was granted, and what to do with it. */
export class Lease {
	#client;
	#lost = new AbortController();
	#released;

	constructor(client, granted) {
		Object.assign(this, granted);
		this.#client = client;
		watch(this.id, client, (reason) => this.#lose(reason));
	}

	/** Aborted when the lease is lost, with the LeaseLostError as its reason. */
	get signal() {
		return this.#lost.signal;
	}

	/** Gives the slot back. Rejects with the LeaseLostError where the lease was lost before. */
	release() {
		this.#released ??= this.#release();
		return this.#released;
	}

	async #release() {
		this.signal.throwIfAborted();
		if (forget(this.id))
			await ask('release', this.#client, { id: this.id });
	}

	[Symbol.asyncDispose]() {
		return this.release();
	}

	#lose(reason) {
		const error = new LeaseLostError(this.id, reason);
		forget(this.id);
		if (getEventListeners(this.signal, 'abort').length === 0)
			process.emitWarning(error.message, 'LeaseLostWarning');
		this.#lost.abort(error);
	}
}
