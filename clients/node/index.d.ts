// SPDX-License-Identifier: MIT
// Times are seconds, and the members of leases are named, as in the server's openapi.yaml.

export interface ClientOptions {
	/** Where the server is: `http://host:port`, `https://host/path` or `unix:/path`. Default: FAIRSHARE_URL. */
	url?: string;
	/** Default: FAIRSHARE_TENANT. */
	tenant?: string;
	/** Default: FAIRSHARE_POOL, else the pool `default`. */
	pool?: string;
	/** Sent as bearer. Default: FAIRSHARE_TOKEN. */
	token?: string;
	/** Seconds a lease lives without heartbeats. Default: the server's. */
	ttl?: number;
	/** Shown in lists. Default: `host:pid`. */
	label?: string;
}

export interface AcquireOptions {
	/** Ends the waiting: acquire rejects with `signal.reason`. It does not end the lease. */
	signal?: AbortSignal;
	/** Seconds to wait for a slot; 0 tries once. Default: for ever. */
	timeout?: number | null;
	/** For this one, in place of the client's. */
	tenant?: string;
	pool?: string;
	ttl?: number;
	label?: string;
	/** So many at once, or none. Default: 1. */
	slots?: number;
	/** Among the tenant's own that wait: -10 to 10. Default: 0. */
	priority?: number;
	/** Seconds after its grant at which the lease ends, whatever its heartbeats. Default: the pool's. */
	maxLease?: number;
}

export class FairShareClient {
	constructor(options?: ClientOptions);
	/**
	 * Waits for a slot.
	 * @throws NoSlotError when `timeout` has passed, `signal.reason` when it is aborted, FairShareError where the server refuses.
	 */
	acquire(options?: AcquireOptions): Promise<Lease>;
	/**
	 * Runs `fn` while holding a slot, and returns what it returns. Where the lease is lost meanwhile `lease.signal` is
	 * aborted; `fn` is waited for all the same.
	 * @throws LeaseLostError where the lease was lost, with what `fn` threw as its cause.
	 */
	withLease<T>(fn: (lease: Lease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>;
	/** Registers the tenant, with this process as its instance; close() takes that back. */
	register(options?: { tenant?: string; pool?: string }): Promise<Tenant>;
	/** How the pool goes. */
	stats(options?: { pool?: string }): Promise<Stats>;
	/** Gives everything back: leases, places in line, registrations. Takes 2 s at most, and does not reject. */
	close(): Promise<void>;
	[Symbol.asyncDispose](): Promise<void>;
}

/** Slots that are held, as they were granted. */
export interface Lease extends EventTarget, AsyncDisposable {
	/** The key to the lease: whoever knows it can end it. */
	readonly id: string;
	readonly tenant_id: string;
	readonly pool: string;
	readonly slots: number;
	/** Which slots of the pool: each of 0 to max_slots - 1. */
	readonly slot_ids: number[];
	/** One for each slot id, where the pool has them. */
	readonly slot_urls?: string[];
	/** Grows with every grant: what the slot stands for can refuse those with a smaller one. */
	readonly fencing_token: number;
	readonly ttl_seconds: number;
	readonly heartbeat_seconds: number;
	/** When it was granted; heartbeats put the end off. */
	readonly expires_in_seconds: number;
	readonly acquired_at: string;
	/** As it was granted. */
	readonly expires_at: string;
	readonly waited_seconds: number;
	readonly label: string;
	readonly priority: number;
	/** Aborted when the lease is lost, with the LeaseLostError as its reason. */
	readonly signal: AbortSignal;
	/**
	 * While the server wishes the lease back, as others wait and the tenant has more than its share: within how many
	 * seconds, as the last heartbeat was told. Nothing is taken by force. The event `reclaim` tells of a wish that is new.
	 */
	readonly reclaim?: { readonly by_seconds: number };
	addEventListener(type: 'reclaim', listener: (event: Event) => void, options?: { once?: boolean; signal?: AbortSignal }): void;
	/**
	 * Gives the slots back; again the same. If the server cannot be reached it resolves after 2 s, and goes on trying
	 * until the lease has run out by itself.
	 * @throws LeaseLostError where the lease was lost before.
	 */
	release(): Promise<void>;
	[Symbol.asyncDispose](): Promise<void>;
}

export interface Tenant {
	readonly tenant_id: string;
	readonly pool: string;
	readonly state: 'active' | 'closing';
	readonly instances: string[];
	readonly active_slots: number;
	readonly waiting: number;
	readonly absent: number;
	readonly share: number;
	readonly weight: number;
	readonly reserved_slots: number;
	readonly max_slots: number | null;
	readonly max_waiting: number;
}

export interface Stats {
	readonly pool: string;
	readonly policy: string;
	readonly max_slots: number;
	readonly min_share: number;
	readonly share: number | null;
	readonly active_tenants: number;
	readonly demanding_tenants: number;
	readonly total_active_slots: number;
	readonly available_slots: number;
	readonly waiting: number;
	readonly absent: number;
	readonly tenants: Record<string, { tenant_id: string; active_slots: number; share: number; waiting: number; absent: number }>;
	readonly granted_total: number;
	readonly released_total: number;
	readonly expired_total: number;
	readonly revoked_total: number;
	readonly unclaimed_total: number;
	readonly no_slot_total: number;
	/** What else the server tells. */
	readonly [member: string]: unknown;
}

export class FairShareError extends Error {
	/** The problem's code, or `invalid-option`, `no-answer`, `unexpected-answer`, `closed`, `internal`. */
	readonly code: string;
	/** The server's answer, where it was one of fairshared. */
	readonly problem?: { code: string; title: string; status: number; detail: string; [member: string]: unknown };
}

/** `timeout` has passed; `problem` tells the last place in line where there was one. */
export class NoSlotError extends FairShareError {
	readonly code: 'no-slot';
}

/** The slot belongs to somebody else now, or may. */
export class LeaseLostError extends FairShareError {
	readonly code: 'lease-lost';
	readonly leaseId: string;
	/** The server's reason (`revoked`, `max-lease`, `not-found` …), or `no-heartbeat` where none got through for a ttl. */
	readonly reason: string;
}
