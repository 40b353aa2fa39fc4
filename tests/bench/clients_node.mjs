// SPDX-License-Identifier: MIT
// What the Node client costs: node clients_node.mjs PATH_OF_FAIRSHARED
// Prints acquire + release per second, one after the other and 32 at a time, and what a process grows by with 1 000 leases.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { FairShareClient } from '../../clients/node/src/index.js';

const SECONDS = 3;
const LEASES = 1000;

function megabytes() {
	return process.memoryUsage.rss() / 1e6;
}

async function perSecond(client, abreast) {
	const end = performance.now() + 1000 * SECONDS;
	let count = 0;
	await Promise.all(Array.from({ length: abreast }, async () => {
		while (performance.now() < end) {
			await client.withLease(() => {});
			count++;
		}
	}));
	return Math.round(count / SECONDS);
}

const server = spawn(process.argv[2], ['--listen', '127.0.0.1:0', '--store', 'memory', '--max-slots', '2000', '--drain-timeout', '0'],
	{ stdio: ['ignore', 'ignore', 'pipe'] });
try {
	const [line] = await once(createInterface({ input: server.stderr }), 'line');
	const bare = megabytes();
	const client = new FairShareClient({ url: /http:\S+[0-9]/.exec(line)[0], tenant: 'bench', ttl: 3 });
	await client.register();
	const idle = megabytes();
	const [alone, many] = [await perSecond(client, 1), await perSecond(client, 32)];
	const before = megabytes();
	for (let i = 0; i < LEASES; i++)
		await client.acquire();
	await sleep(5000);    // some beats
	const { total_active_slots: held } = await client.stats();
	console.log(`acquire + release a second: ${alone} one after the other, ${many} with 32 at a time`);
	console.log(`memory: ${bare.toFixed(0)} MB bare, ${idle.toFixed(0)} MB with a client and its thread, ${before.toFixed(0)} MB after the load, `
		+ `${megabytes().toFixed(0)} MB with ${held} leases that beat`);
	await client.close();
} finally {
	server.kill();
}
