// SPDX-License-Identifier: MIT
// What is particular to the Node client; what all clients do is in ../scenarios.py.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { FairShareClient, FairShareError, LeaseLostError, NoSlotError } from '../../../clients/node/src/index.js';
import { USER_AGENT } from '../../../clients/node/src/version.js';
import { block, program, serve, until } from './server.js';

async function open(server, options) {
	const client = new FairShareClient({ url: server.url, tenant: 'alice', ...options });
	server.clients.push(client);
	await client.register();
	return client;
}

function revoke(server, tenant) {
	return fetch(`${server.url}/tenants/${tenant}?force=true`, { method: 'DELETE' });
}

test('withLease holds a slot while its function runs, and hands on what it returns or throws', async (t) => {
	const server = await serve(t, '--max-slots', '1');
	const client = await open(server);
	const held = await client.withLease(async (lease) => {
		assert.equal(lease.tenant_id, 'alice');
		assert.deepEqual(lease.slot_ids, [0]);
		assert.equal(lease.signal.aborted, false);
		return (await server.leases())[0].id === lease.id;
	});
	assert.equal(held, true);
	await assert.rejects(client.withLease(() => Promise.reject(new RangeError('of the function'))), { message: 'of the function' });
	assert.equal((await server.stats()).total_active_slots, 0);
	assert.equal((await server.stats()).released_total, 2);
});

test('a lost lease aborts its signal, and withLease throws LeaseLostError with what the function threw as its cause', async (t) => {
	const server = await serve(t, '--max-slots', '2');
	const client = await open(server, { ttl: 2 });
	const other = await client.acquire();
	const told = new Promise((resolve) => other.signal.addEventListener('abort', () => resolve(other.signal.reason)));
	const stopped = new Error('stopped');
	const failure = await client.withLease(async (lease) => {
		await revoke(server, 'alice');
		await new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
		throw stopped;
	}).catch((error) => error);
	assert(failure instanceof LeaseLostError && failure instanceof FairShareError);
	assert.deepEqual([failure.code, failure.reason, failure.cause], ['lease-lost', 'revoked', stopped]);
	const reason = await told;
	assert.deepEqual([reason.leaseId, reason.reason], [other.id, 'revoked']);
	await assert.rejects(other.release(), reason);
});

test('a lease that was lost without a listener is told by a warning', async (t) => {
	const server = await serve(t);
	const client = await open(server, { ttl: 2 });
	const lease = await client.acquire();
	const warned = new Promise((resolve) => process.once('warning', resolve));
	await revoke(server, 'alice');
	const warning = await warned;
	assert.equal(warning.name, 'LeaseLostWarning');
	assert.match(warning.message, new RegExp(lease.id));
});

test('release is idempotent, and says where the lease was lost before the next beat', async (t) => {
	const server = await serve(t);
	const client = await open(server);
	const [first, second] = [await client.acquire(), await client.acquire()];
	await first.release();
	await first.release();
	assert.equal((await server.stats()).released_total, 1);
	await revoke(server, 'alice');
	await assert.rejects(second.release(), { name: 'LeaseLostError', reason: 'revoked' });
});

test('leases and clients can be disposed of', async (t) => {
	const server = await serve(t);
	const client = await open(server);
	const lease = await client.acquire();
	await lease[Symbol.asyncDispose]();
	assert.equal((await server.stats()).total_active_slots, 0);
	await client.acquire();
	await client[Symbol.asyncDispose]();
	assert.equal((await server.stats()).total_active_slots, 0);
	assert.equal((await server.stats()).active_tenants, 0);
	await assert.rejects(client.acquire(), { code: 'closed' });
});

test('acquire rejects with NoSlotError after its timeout, and with the reason of its signal', async (t) => {
	const server = await serve(t, '--max-slots', '1');
	const client = await open(server);
	const lease = await client.acquire();
	const failure = await client.acquire({ timeout: 0.2 }).catch((error) => error);
	assert(failure instanceof NoSlotError);
	assert.deepEqual([failure.code, failure.problem.reason, failure.problem.position], ['no-slot', 'at-share', 1]);
	await assert.rejects(client.acquire({ signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' });
	await assert.rejects(client.acquire({ signal: AbortSignal.abort(new Error('before')) }), { message: 'before' });
	await until(async () => (await server.stats()).waiting + (await server.stats()).absent === 0, 'nobody is in line');
	await lease.release();
	assert.equal((await server.stats()).granted_total, 1);
});

test('an acquire that is aborted at any moment leaves nothing', async (t) => {
	const server = await serve(t, '--max-slots', '1');
	const client = await open(server);
	for (let delay = 0; delay < 8; delay += 0.25) {
		const abort = new AbortController();
		setTimeout(() => abort.abort(), delay);
		const lease = await client.acquire({ signal: abort.signal }).catch((error) => assert.equal(error.name, 'AbortError'));
		await lease?.release();
	}
	await until(async () => (await server.leases()).length === 0, 'nothing is held, nobody is in line');
});

test('close gives back leases, places and the registration, and refuses who waited', async (t) => {
	const server = await serve(t, '--max-slots', '1');
	const client = await open(server);
	const lease = await client.acquire();
	const waiting = assert.rejects(client.acquire(), { code: 'closed' });
	await until(async () => (await server.stats()).waiting === 1, 'one waits');
	await client.close();
	await waiting;
	assert.equal(lease.signal.aborted, false);
	await lease.release();
	assert.deepEqual(await server.leases(), []);
	assert.equal((await server.get('/tenants')).items.length, 0);
});

test('two clients of one process have one registration', async (t) => {
	const server = await serve(t);
	const [first, second] = [await open(server), await open(server)];
	await first.close();
	assert.equal((await server.get('/tenants')).items[0].instances.length, 1);
	await second.close();
	assert.equal((await server.get('/tenants')).items.length, 0);
});

test('wrong options are refused with a sentence', (t) => {
	assert.throws(() => new FairShareClient({ tenant: 'alice' }), { code: 'invalid-option', message: /FAIRSHARE_URL/ });
	assert.throws(() => new FairShareClient({ url: 'localhost:8080' }), { code: 'invalid-option', message: /"localhost:8080".*http:\/\/host:port/ });
	assert.throws(() => new FairShareClient({ url: 'http://127.0.0.1:1', token: 'a\nb' }), { code: 'invalid-option', message: /token/ });
	assert.throws(() => new FairShareClient({ url: 'http://127.0.0.1:1', tenant_id: 'alice' }), { code: 'invalid-option', message: /no option tenant_id/ });
	const client = new FairShareClient({ url: 'http://127.0.0.1:1' });
	t.after(() => client.close());
	return Promise.all([
		assert.rejects(client.acquire(), { code: 'invalid-option', message: /FAIRSHARE_TENANT/ }),
		assert.rejects(client.acquire({ tenant: 'alice', timeout: -1 }), { code: 'invalid-option', message: /timeout is -1/ }),
		assert.rejects(client.acquire({ tenant: 'alice', timeout: '5' }), { code: 'invalid-option', message: /timeout is '5'/ }),
		assert.rejects(client.withLease(() => {}, { tenant: 'alice', max_lease: 5 }), { code: 'invalid-option', message: /no option max_lease/ }),
		assert.rejects(client.stats(), { code: 'no-answer' }),
	]);
});

test('the README shows the examples that are tested', async () => {
	const read = (name) => readFile(new URL(`../../../clients/node/${name}`, import.meta.url), 'utf8');
	const readme = await read('README.md');
	for (const example of [await read('example/pages.js'), await read('example/farm.js')])
		assert(readme.includes(`\`\`\`js\n${example.slice(example.indexOf('\n') + 1)}\`\`\``));
});

test('the version is the one of package.json', async () => {
	const text = await readFile(new URL('../../../clients/node/package.json', import.meta.url), 'utf8');
	assert.equal(USER_AGENT, `fairshare-node/${JSON.parse(text).version}`);
});

test('a refusal of the server is handed on', async (t) => {
	const server = await serve(t);
	const client = await open(server, { ttl: 7200 });
	await assert.rejects(client.acquire(), (error) => error.code === 'invalid-value' && error.problem.errors[0].pointer === '/ttl_seconds');
	await assert.rejects(client.stats({ pool: 'nowhere' }), { code: 'pool-not-found' });
});

test('slots, priorities and lives that the server refuses are told in its words', async (t) => {
	const server = await serve(t, '--max-slots', '2');
	const client = await open(server);
	for (const [options, code, sentence] of [
		[{ slots: 0 }, 'invalid-value', /slots/],
		[{ slots: 1.5 }, 'invalid-value', /slots/],
		[{ slots: 'two' }, 'invalid-value', /slots/],
		[{ slots: 3 }, 'too-many-slots', /ask for fewer/],
		[{ priority: 11 }, 'invalid-value', /priority/],
		[{ priority: 'high' }, 'invalid-value', /priority/],
		[{ maxLease: 0 }, 'invalid-value', /max_lease_seconds/],
	])
		await assert.rejects(client.acquire(options), { name: 'FairShareError', code, message: sentence });
	assert.equal((await server.stats()).granted_total, 0);
});

test('a lease that is asked back says so until nobody waits any more, and tells of it once', async (t) => {
	const server = await serve(t, '--max-slots', '3');
	const client = await open(server, { ttl: 3 });
	const older = await client.acquire();
	const lease = await client.acquire({ slots: 2 });
	assert.equal(lease.reclaim, undefined);
	assert.match(inspect(lease), /^Lease \{[^]*slot_ids: \[ 1, 2 \]/);
	let told = 0;
	lease.addEventListener('reclaim', () => told++);
	const other = await open(server, { tenant: 'bob' });
	const abort = new AbortController();
	const waiting = assert.rejects(other.acquire({ signal: abort.signal }), { name: 'AbortError' });
	const { by_seconds: first } = await until(() => lease.reclaim, 'it is asked back', 10);
	assert(first > 0 && first <= 3, `within ${first} s`);
	await until(() => lease.reclaim.by_seconds < first, 'another heartbeat is told');
	abort.abort();
	await waiting;
	await until(() => lease.reclaim === undefined, 'it is asked back no more');
	assert.deepEqual([told, older.reclaim], [1, undefined]);
});

test('an event loop that is blocked for two ttl keeps its leases, also one that is granted meanwhile', async (t) => {
	const server = await serve(t, '--max-slots', '2');
	const client = await open(server, { ttl: 2 });
	const [lease, other] = [await client.acquire(), await client.acquire({ ttl: 30 })];
	const waiting = client.acquire();
	await until(async () => (await server.stats()).waiting === 1, 'one waits');
	const released = other.release();
	block(4.2);
	await released;
	const granted = await waiting;
	assert.equal(lease.signal.aborted || granted.signal.aborted, false);
	assert.deepEqual((await server.leases()).map(({ id }) => id).sort(), [lease.id, granted.id].sort());
	assert.equal((await server.stats()).expired_total, 0);
});

test('a lease is lost when no beat got through for its ttl', async (t) => {
	const server = await serve(t);
	const client = await open(server, { ttl: 1 });
	const since = performance.now();
	const lease = await client.acquire();
	const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
	server.child.kill('SIGSTOP');
	await lost;
	assert.equal(lease.signal.reason.reason, 'no-heartbeat');
	const seconds = (performance.now() - since) / 1000;
	assert(seconds > 0.98 && seconds < 2.5, `lost after ${seconds} s`);
});

const hold = `
	const client = new FairShareClient({ tenant: 'alice' });
	await client.register();
	await client.acquire();
	client.acquire().catch(() => {});
	while ((await client.stats()).waiting < 1);
	console.log('ready');
`;

/** Starts a program that holds the only slot and waits for another, and ends it by `end`. */
async function endOf(t, text, end = () => {}) {
	const server = await serve(t, '--max-slots', '1');
	const running = program(t, hold + text, { FAIRSHARE_URL: server.url });
	assert.equal(await running.line(), 'ready');
	const since = performance.now();
	end(running.child, server);
	const [code, signal] = await running.ended;
	return { server, code, signal, seconds: (performance.now() - since) / 1000 };
}

async function nothingLeft(server) {
	const { total_active_slots: active, waiting, absent, active_tenants: tenants } = await server.stats();
	assert.deepEqual({ active, waiting, absent, tenants }, { active: 0, waiting: 0, absent: 0, tenants: 0 });
}

for (const [name, text, end, code, signal] of [
	['process.exit', 'process.exit(3);', undefined, 3, null],
	['an exception', `throw new Error('thrown for the test');`, undefined, 1, null],
	['SIGTERM', '', (child) => child.kill('SIGTERM'), null, 'SIGTERM'],
	['SIGINT', '', (child) => child.kill('SIGINT'), null, 'SIGINT'],
	['a signal the program listens to', `process.on('SIGTERM', () => process.exit(7));`, (child) => child.kill('SIGTERM'), 7, null],
]) {
	test(`everything is given back when the process ends by ${name}, which keeps its exit status`, async (t) => {
		const { server, ...ended } = await endOf(t, text, end);
		assert.deepEqual([ended.code, ended.signal], [code, signal]);
		await nothingLeft(server);
	});
}

test('everything is given back at the end of a program that closed nothing', async (t) => {
	const server = await serve(t);
	const { ended } = program(t, `
		const client = new FairShareClient({ tenant: 'alice' });
		await client.register();
		await client.acquire();
	`, { FAIRSHARE_URL: server.url });
	assert.deepEqual(await ended, [0, null]);
	await nothingLeft(server);
	assert.equal((await server.stats()).released_total, 1);
});

test('a signal the program listens to is its own affair, and the next one too', async (t) => {
	const server = await serve(t);
	const running = program(t, `
		process.on('SIGTERM', () => console.log('told', process.listenerCount('SIGTERM')));
		const client = new FairShareClient({ tenant: 'alice' });
		await client.register();
		await client.acquire();
		console.log('ready');
		process.stdin.resume();
		process.stdin.on('end', () => process.exit());
	`, { FAIRSHARE_URL: server.url });
	assert.equal(await running.line(), 'ready');
	for (let i = 0; i < 2; i++) {
		running.child.kill('SIGTERM');
		assert.equal(await running.line(), 'told 1');
	}
	assert.equal((await server.stats()).total_active_slots, 1);
	running.child.stdin.end();
	assert.deepEqual(await running.ended, [0, null]);
	await nothingLeft(server);
});

test('an exit takes no longer than 2 s where the server does not answer', async (t) => {
	const { code, seconds } = await endOf(t, 'process.stdin.on("end", () => process.exit(4)).resume();', (child, server) => {
		server.child.kill('SIGSTOP');
		child.stdin.end();
	});
	assert.equal(code, 4);
	assert(seconds > 1.5 && seconds < 4, `the exit took ${seconds} s`);
});

test('a client that waits for nothing does not keep the process alive', async (t) => {
	const server = await serve(t);
	const running = program(t, `
		const client = new FairShareClient({ tenant: 'alice' });
		await client.register();
		await client.withLease(() => {});
		const since = performance.now();
		process.on('exit', () => console.log(performance.now() - since));
	`, { FAIRSHARE_URL: server.url });
	const milliseconds = Number(await running.line());
	assert(milliseconds < 1500, `it ended after ${milliseconds} ms`);
	assert.deepEqual(await running.ended, [0, null]);
});
