// SPDX-License-Identifier: MIT
// Opens each page in a browser that others use too, as many at a time as the tenant's share allows, and prints their titles.
import { chromium } from 'playwright-core';
import { FairShareClient } from 'fairshare-client';

const [browserUrl, ...pages] = process.argv.slice(2);
const client = new FairShareClient();    // FAIRSHARE_URL and FAIRSHARE_TENANT say where and who
await client.register();
const browser = await chromium.connect(browserUrl);
const context = await browser.newContext();

function title(url) {
	return client.withLease(async (lease) => {
		const page = await context.newPage();
		lease.signal.addEventListener('abort', () => page.close());    // the slot belongs to somebody else now
		try {
			lease.signal.throwIfAborted();
			await page.goto(url);
			return await page.title();
		} finally {
			await page.close();
		}
	});
}

console.log(await Promise.all(pages.map(title)));
await client.close();
await browser.close();
