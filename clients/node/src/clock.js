// SPDX-License-Identifier: MIT
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';

/**
 * Seconds that also pass while the machine sleeps, as leases run out then too: os.uptime() reads CLOCK_BOOTTIME on Linux.
 * Elsewhere it follows the wall clock, so there it is the monotonic clock.
 */
export const now = process.platform === 'linux' ? () => os.uptime() : () => performance.now() / 1000;

/** Resolves after so many seconds, or when `signal` is aborted. */
export function sleep(seconds, signal) {
	return setTimeout(1000 * seconds, undefined, { signal }).catch(() => {});
}

/** Resolves as the promise does, or with undefined after so many seconds. */
export async function within(seconds, promise) {
	const timer = new AbortController();
	try {
		return await Promise.race([promise, sleep(seconds, timer.signal)]);
	} finally {
		timer.abort();
	}
}

/** Full jitter: the next try comes after anything up to a limit that doubles from 0.1 s to 5 s, and not before Retry-After. */
export class Backoff {
	#limit = 0.1;

	next(retryAfter = 0) {
		const delay = Math.random() * this.#limit;
		this.#limit = Math.min(5, 2 * this.#limit);
		return Math.max(delay, retryAfter);
	}

	reset() {
		this.#limit = 0.1;
	}
}
