#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// The driver of the Node client: commands come in and events go out as lines of JSON, see README.md beside this folder.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FairShareClient, NoSlotError } from '../../../clients/node/src/index.js';

let client;
const leases = new Map();
const acquires = new Map();

// At once, also when the next command blocks the event loop.
function tell(event) {
	writeSync(1, `${JSON.stringify(event)}\n`);
}

function tellError(error, name) {
	tell({ event: 'error', name, code: error.code ?? error.name, message: error.message });
}

async function open({ url, tenant, pool, ttl, label, register }) {
	try {
		client = new FairShareClient({ url, tenant, pool, ttl, label });
		if (register)
			await client.register();
		tell({ event: 'opened' });
	} catch (error) {
		tellError(error);
	}
}

async function acquire({ name, timeout, slots, priority, max_lease: maxLease }) {
	const cancel = new AbortController();
	acquires.set(name, cancel);
	try {
		const lease = await client.acquire({ timeout, slots, priority, maxLease, signal: cancel.signal });
		leases.set(name, lease);
		lease.signal.addEventListener('abort', () => tell({ event: 'lost', name, reason: lease.signal.reason.reason }));
		lease.addEventListener('reclaim', () => tell({ event: 'reclaim', name, ...lease.reclaim }));
		tell({ event: 'granted', name, lease });
	} catch (error) {
		if (cancel.signal.aborted)
			tell({ event: 'cancelled', name });
		else if (error instanceof NoSlotError)
			tell({ event: 'no-slot', name });
		else
			tellError(error, name);
	}
}

async function release({ name }) {
	try {
		await leases.get(name).release();
		tell({ event: 'released', name });
	} catch (error) {
		tellError(error, name);
	}
}

function block({ seconds }) {
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000 * seconds);
	tell({ event: 'unblocked' });
}

async function close() {
	await client.close();
	tell({ event: 'closed' });
}

const commands = { open, acquire, release, block, close, cancel: ({ name }) => acquires.get(name).abort() };

createInterface({ input: process.stdin }).on('line', (line) => {
	const command = JSON.parse(line);
	commands[command.cmd](command);
});
