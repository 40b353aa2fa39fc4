// SPDX-License-Identifier: MIT
// The real server for a test, whose binary FAIRSHARED names.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

for (const name of Object.keys(process.env))
	if (name.startsWith('FAIRSHARE_') || name.startsWith('FAIRSHARED_'))
		delete process.env[name];

/** Starts a server. At the end of the test `clients` are closed and the server is stopped. */
export async function serve(t, ...flags) {
	const child = spawn(process.env.FAIRSHARED, ['--listen', '127.0.0.1:0', '--store', 'memory', '--min-ttl', '100ms',
		'--drain-timeout', '100ms', '--log-format', 'text', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
	const exited = once(child, 'exit');
	const lines = createInterface({ input: child.stderr });
	const clients = [];
	t.after(async () => {
		child.kill('SIGCONT');
		await Promise.all(clients.map((client) => client.close()));
		child.kill('SIGTERM');
		await exited;
	});
	const url = await new Promise((resolve, reject) => {
		lines.on('line', (line) => {
			if (/Sanitizer|runtime error:/.test(line))
				console.error(line);    // for ctest, which fails on it
			const found = /listening on (\S+)/.exec(line);
			if (found)
				resolve(found[1]);
		});
		exited.then(() => reject(new Error('The server did not start.')));
	});
	const get = async (path) => (await fetch(url + path)).json();
	return { url, child, clients, get, stats: () => get('/stats'), leases: async () => (await get('/leases')).items };
}

/** Waits until condition() is true and returns its value. */
export async function until(condition, what, seconds = 5) {
	const end = performance.now() + 1000 * seconds;
	for (;;) {
		const value = await condition();
		if (value)
			return value;
		if (performance.now() > end)
			throw new Error(`not within ${seconds} s: ${what}`);
		await sleep(20);
	}
}

/** Blocks the event loop. */
export function block(seconds) {
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000 * seconds);
}

/** Runs a program that imports the client as `FairShareClient`; ended with the test. */
export function program(t, text, environment) {
	const client = new URL('../../../clients/node/src/index.js', import.meta.url).href;
	const child = spawn(process.execPath, ['--input-type=module', '--eval', `import { FairShareClient } from '${client}';\n${text}`],
		{ stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
	const ended = once(child, 'exit');    // [code, signal]
	t.after(() => child.kill('SIGKILL'));
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return { child, ended, line: async () => (await lines.next()).value };
}
