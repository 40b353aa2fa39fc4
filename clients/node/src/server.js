// SPDX-License-Identifier: MIT
import http from 'node:http';
import https from 'node:https';
import { Backoff, now, sleep } from './clock.js';
import { FairShareError } from './errors.js';
import { USER_AGENT } from './version.js';

/** Parses where the server is: http://host:port, https://…, a path before the API's own, or unix:/path. */
export function parseUrl(url) {
	if (/^unix:\/[^/]/.test(url))
		return { module: http, options: { socketPath: url.slice('unix:'.length), host: 'localhost' }, prefix: '' };
	const parsed = URL.canParse(url) ? new URL(url) : undefined;
	if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
		throw new FairShareError('invalid-option', `url is ${JSON.stringify(url)}: it must be http://host:port, https://host or unix:/path.`);
	return {
		module: parsed.protocol === 'http:' ? http : https,
		options: { host: parsed.hostname.replace(/^\[|\]$/g, ''), port: parsed.port },
		prefix: parsed.pathname.replace(/\/$/, ''),
	};
}

/** An answer. `code` is set where it is a problem of fairshared's, and not of something in between. */
class Reply {
	constructor(response, text) {
		this.status = response.statusCode;
		this.retryAfter = /^\d{1,6}$/.test(response.headers['retry-after']) ? Number(response.headers['retry-after']) : 0;
		try {
			this.body = JSON.parse(text);
		} catch {
			this.body = undefined;    // 204, or a page of a proxy
		}
		const isProblem = response.headers['content-type']?.startsWith('application/problem+json');
		this.code = isProblem ? this.body?.code : undefined;
	}

	get ok() {
		return this.status < 300;
	}

	/** Whether the same request may get another answer: by load, a restart, or a proxy that does not reach the server. */
	get passing() {
		return this.status >= 500 || this.status === 429 || (this.code === undefined && [404, 408].includes(this.status));
	}

	error() {
		return new FairShareError(this.code ?? 'unexpected-answer',
			this.code ? this.body.detail : `The answer was ${this.status}, and not from fairshared: check the url and what stands in between.`,
			{ problem: this.code && this.body });
	}
}

/** Speaks to one server. */
export class Server {
	#module;
	#options;
	#prefix;
	#waiting;
	#brief;

	constructor({ url, token }) {
		const { module, options, prefix } = parseUrl(url);
		this.#module = module;
		this.#prefix = prefix;
		this.#options = { ...options, headers: { 'user-agent': USER_AGENT, ...(token && { authorization: `Bearer ${token}` }) } };
		// A request that waits has its connection for itself; a thousand releases share a few.
		this.#waiting = new module.Agent({ keepAlive: true });
		this.#brief = new module.Agent({ keepAlive: true, maxSockets: 16 });
	}

	/** One request, given up after `timeout` seconds or when `signal` is aborted. Rejects when no answer came. */
	async request(method, path, { body, key, timeout, signal, waits = false } = {}) {
		const data = body && JSON.stringify(body);
		const send = () => this.#send(method, path, { data, key, timeout, signal, agent: waits ? this.#waiting : this.#brief });
		try {
			return await send();
		} catch (error) {
			if (!error.wasIdle)
				throw error;
			return send();
		}
	}

	#send(method, path, { data, key, timeout, signal, agent }) {
		return new Promise((resolve, reject) => {
			const request = this.#module.request({
				...this.#options, agent, method, path: this.#prefix + path, signal,
				headers: {
					...this.#options.headers,
					...(key && { 'idempotency-key': key }),
					...(data && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) }),
				},
			});
			const timer = setTimeout(() => request.destroy(new Error(`No answer within ${timeout} s.`)), 1000 * timeout);
			const fail = (error) => {
				clearTimeout(timer);
				reject(error);
			};
			request.on('error', (error) => {
				// The server may close a connection just when we use it again; every request of ours is safe to repeat.
				error.wasIdle = request.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(error.code);
				fail(error);
			});
			request.on('response', (response) => {
				const parts = [];
				response.on('data', (part) => parts.push(part));
				response.on('error', fail);
				response.on('end', () => {
					clearTimeout(timer);
					resolve(new Reply(response, Buffer.concat(parts).toString()));
				});
			});
			request.end(data);
		});
	}

	/** Repeats a request until there is an answer that will stay, or the time `end` has come: then undefined. */
	async persist(method, path, { end, ...options }) {
		const backoff = new Backoff();
		for (let left = end - now(); left > 0; left = end - now()) {
			const reply = await this.request(method, path, { timeout: Math.min(2, left), ...options }).catch(() => undefined);
			if (reply && !reply.passing)
				return reply;
			await sleep(Math.min(backoff.next(reply?.retryAfter), Math.max(0, end - now())));
		}
		return undefined;
	}
}
