// SPDX-License-Identifier: MIT
// Opens each page in a browser of its own: the pool has the addresses of a farm as slot_urls, and the lease says which is ours.
import { chromium } from 'playwright-core';
import { FairShareClient } from 'fairshare-client';

const client = new FairShareClient();    // FAIRSHARE_URL and FAIRSHARE_TENANT say where and who
await client.register();

function title(url) {
	return client.withLease(async (lease) => {
		const browser = await chromium.connect(lease.slot_urls[0]);
		lease.signal.addEventListener('abort', () => browser.close());    // it belongs to somebody else now
		try {
			const page = await browser.newPage();
			await page.goto(url);
			return await page.title();
		} finally {
			await browser.close();
		}
	}, { priority: 5, maxLease: 60 });    // before the tenant's other waiters, and for a minute at most
}

console.log(await Promise.all(process.argv.slice(2).map(title)));
await client.close();
