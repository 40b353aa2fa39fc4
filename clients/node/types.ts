// SPDX-License-Identifier: MIT
// What index.d.ts must allow and refuse; `npm run types` checks it.
import { FairShareClient, FairShareError, LeaseLostError, NoSlotError, type Lease } from 'fairshare-client';

export async function work(signal: AbortSignal): Promise<number> {
	await using client = new FairShareClient({ url: 'unix:/run/fairshared.sock', tenant: 'alice', ttl: 10 });
	await client.register({ pool: 'browsers' });
	const slot: number = await client.withLease((lease) => lease.slot_ids[0]!, { signal, timeout: 5 });
	await using lease: Lease = await client.acquire({ timeout: null, label: 'a' });
	lease.signal.throwIfAborted();
	lease.addEventListener('reclaim', () => console.log(lease.reclaim?.by_seconds), { once: true });
	await using two = await client.acquire({ slots: 2, priority: -10, maxLease: 600 });
	const urls: string[] = two.slot_urls ?? [];
	const { total_active_slots, tenants } = await client.stats();
	return slot + urls.length + total_active_slots + tenants['alice']!.share;
}

export function tell(error: unknown): string {
	if (error instanceof NoSlotError)
		return `${error.code satisfies 'no-slot'}: ${error.problem?.detail}`;
	if (error instanceof LeaseLostError)
		return `${error.leaseId} ${error.reason}`;
	return error instanceof FairShareError ? error.code : 'not ours';
}

// @ts-expect-error: it is seconds
new FairShareClient({ ttl: '10s' });
// @ts-expect-error: events of that name there are none
(lease: Lease) => lease.addEventListener('lost', () => {});
// @ts-expect-error: leases come from acquire
new Lease();
