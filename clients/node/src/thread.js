// SPDX-License-Identifier: MIT
// The caller's side of the thread: one for each process, shared by all clients.
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { FairShareError, unpack } from './errors.js';

const EXIT = 2000;    // milliseconds an exit waits for everything to be given back
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

let worker;
let lastTask = 0;
const opened = new Set();    // clients the thread knows
const calls = new Map();
const leases = new Map();

function start() {
	worker = new Worker(new URL('./worker.js', import.meta.url), { name: 'fairshare', execArgv: [] });
	worker.unref();
	worker.on('message', receive);
	worker.on('error', (error) => fail(error));
	worker.on('exit', () => fail(new Error('The thread that beats has ended.')));
	process.on('exit', giveBack);
}

function receive({ task, value, error, lease, lost, reclaim }) {
	if (lost)
		return leases.get(lease)?.lose(lost);
	if (lease)
		return leases.get(lease)?.wish(reclaim);
	const { resolve, reject } = settle(task);
	if (error)
		reject(unpack(error));
	else
		resolve(value);
}

function settle(task) {
	const call = calls.get(task);
	calls.delete(task);
	if (calls.size === 0)
		worker?.unref();
	watchSignals();
	return call;
}

/** Nobody beats any more: whoever holds or waits is told so, and the next call starts anew. */
function fail(cause) {
	if (!worker)
		return;
	worker = undefined;
	opened.clear();
	process.off('exit', giveBack);
	const error = new FairShareError('internal', `The thread that beats has failed: ${cause.message}`, { cause });
	for (const task of [...calls.keys()])
		settle(task).reject(error);
	for (const { lose } of [...leases.values()])
		lose('no-heartbeat');
}

/**
 * Has the thread do `call` for a client `{ number, connection }`; the process stays alive until it answers. The promise
 * has the number of its `task`.
 */
export function ask(call, { number: client, connection }, options) {
	if (!worker)
		start();
	if (!opened.has(client)) {
		worker.postMessage({ open: connection, client });
		opened.add(client);
	}
	const task = ++lastTask;
	worker.postMessage({ call, client, options, task });
	const promise = new Promise((resolve, reject) => calls.set(task, { resolve, reject }));
	worker.ref();
	watchSignals();
	return Object.assign(promise, { task });
}

export function cancel({ number: client }, task) {
	worker?.postMessage({ cancel: task, client });
}

/** Gives back what a client has. */
export async function close({ number: client }) {
	if (opened.has(client))
		await ask('close', { number: client });
	opened.delete(client);
	for (const [id, lease] of leases)
		if (lease.client === client)
			forget(id);
}

/** Has `lose(reason)` called when the lease is lost, and `wish(reclaim)` when it is asked back or no more, until forget(id). */
export function watch(id, { number: client }, lose, wish) {
	leases.set(id, { client, lose, wish });
	watchSignals();
}

/** Returns whether it was watched: it is not after the client's close. */
export function forget(id) {
	const known = leases.delete(id);
	watchSignals();
	return known;
}

/** Stands still until the thread has given everything back, but no longer than EXIT. */
function giveBack() {
	const done = new Int32Array(new SharedArrayBuffer(4));
	worker.postMessage({ done });
	Atomics.wait(done, 0, 0, EXIT);
}

// Signals are watched only while something is held or under way, and first of all listeners: where the program listens
// too, the signal is its own affair, and an exit of its own gives back. Where it does not, it dies of the signal as it
// would without us, only that everything is given back before.
let watched = false;

function watchSignals() {
	const busy = calls.size > 0 || leases.size > 0;
	if (busy === watched)
		return;
	watched = busy;
	for (const signal of SIGNALS) {
		if (busy)
			process.prependListener(signal, onSignal);
		else
			process.off(signal, onSignal);
	}
}

function onSignal(signal) {
	// Others that count the listeners, to find out whether to end the process themselves, must not find ours.
	process.off(signal, onSignal);
	if (process.listenerCount(signal) > 0) {
		setImmediate(() => watched && process.prependListener(signal, onSignal)).unref();
		return;
	}
	giveBack();
	process.kill(process.pid, signal);
}
