// SPDX-License-Identifier: MIT
// What an operator does: every verb is asked about first, and says what it did.
import { call, segment } from './api.js';
import { el, say, the } from './dom.js';
import { count, moment } from './words.js';

let hush;

/** Says what was done, for a while. */
export function tell(text) {
	say(the('told'), text);
	clearTimeout(hush);
	hush = setTimeout(() => say(the('told'), ''), 6000);
}

/**
 * Opens the sheet: {title, body: nodes, verbs: [{name, danger?, run?}]}. A verb without `run` closes it; one with `run` does it and
 * closes, or shows why the server refused. Enter in an input is the last verb.
 */
export function open({ title, body, verbs, first }) {
	const sheet = the('sheet');
	const refusal = the('sheet-refusal');
	say(the('sheet-title'), title);
	the('sheet-body').replaceChildren(...body);
	refusal.hidden = true;
	const buttons = verbs.map(({ name, danger, run }, index) => el('button', {
		type: run !== undefined && index === verbs.length - 1 ? 'submit' : 'button', class: danger ? 'danger' : undefined,
		click: (event) => {
			event.preventDefault();
			if (run === undefined)
				sheet.close();
			else
				attempt(run, buttons, refusal);
		},
	}, name));
	the('sheet-verbs').replaceChildren(...buttons);
	if (!sheet.open)
		sheet.showModal();
	(first ?? buttons[0]).focus();
}

async function attempt(run, buttons, refusal) {
	buttons.forEach((button) => button.disabled = true);
	refusal.hidden = true;
	try {
		const told = await run();
		if (told !== undefined) {
			the('sheet').close();
			tell(told);
		}
	} catch (error) {
		say(refusal, error.status === undefined ? 'The server could not be reached. Nothing may have changed: look before you try again.' : `Refused: ${error.message}`);
		refusal.hidden = false;
	}
	buttons.forEach((button) => button.disabled = false);
}

function facts(rows) {
	return el('dl', { class: 'facts' }, ...rows.filter(([, value]) => value !== '').map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}

const KEEP = { name: 'Cancel' };

export function resize(pool, done) {
	const input = el('input', { type: 'number', id: 'max-slots', min: '1', max: '1000000', step: '1', required: '', value: String(pool.max_slots) });
	open({
		title: `Resize ${pool.pool}`,
		body: [
			el('label', { for: 'max-slots' }, 'Slots'), input,
			el('p', {}, 'More slots are granted at once. Fewer take nothing away: the pool shrinks as leases end.'),
			...(pool.configured ? [el('p', { class: 'quiet' }, 'This pool is set by the configuration: a restart sets it back.')] : []),
		],
		verbs: [KEEP, { name: 'Resize', run: async () => {
			if (!input.reportValidity())
				return undefined;
			const { max_slots: slots } = await call('PATCH', segment('pools', pool.pool), { body: { max_slots: Number(input.value) } });
			done();
			return `${pool.pool} has ${count(slots, 'slot', 'slots')} now.`;
		} }],
		first: input,
	});
	input.select();
}

export function drain(pool, done) {
	const draining = !pool.draining;
	open({
		title: draining ? `Drain ${pool.pool}` : `End the draining of ${pool.pool}`,
		body: [el('p', {}, draining
			? `Nothing new is granted in ${pool.pool}; who waits goes on waiting, and ${count(pool.total_active_slots, 'slot that is held ends', 'slots that are held end')} in their own time.`
			: `${pool.pool} grants again, at once to those who wait.`)],
		verbs: [KEEP, { name: draining ? 'Drain' : 'Grant again', danger: draining, run: async () => {
			await call('PATCH', segment('pools', pool.pool), { body: { draining } });
			done();
			return draining ? `${pool.pool} is draining.` : `${pool.pool} grants again.`;
		} }],
	});
}

function askCordon(pool, slot, cordon, done) {
	open({
		title: cordon ? `Cordon slot ${slot} of ${pool}` : `Put slot ${slot} of ${pool} back to use`,
		body: [el('p', {}, cordon ? 'It is not granted any more. Who holds it keeps it until the lease ends.' : 'It is granted again.')],
		verbs: [KEEP, { name: cordon ? 'Cordon' : 'Put back to use', danger: cordon, run: async () => {
			const { cordoned } = await call('GET', segment('pools', pool));    // another operator may have been here
			const wanted = cordoned.filter((other) => other !== slot);
			await call('PATCH', segment('pools', pool), { body: { cordoned: cordon ? [...wanted, slot].sort((a, b) => a - b) : wanted } });
			done();
			return cordon ? `Slot ${slot} is cordoned.` : `Slot ${slot} is in use again.`;
		} }],
	});
}

export function revoke(lease, done) {
	open({
		title: `Revoke slot ${lease.slot_ids.join(', ')} from ${lease.tenant_id}`,
		body: [
			facts([['Tenant', lease.tenant_id], ['Label', lease.label], ['Lease', lease.id]]),
			el('p', {}, 'The slot goes to the next in the line, at once or after its rest. Whoever holds the lease learns of it with the next heartbeat and may still be at work until then.'),
		],
		verbs: [KEEP, { name: 'Revoke', danger: true, run: async () => {
			await call('DELETE', segment('leases', lease.id), { query: { revoke: true } });
			done();
			return `The lease of ${lease.tenant_id} is revoked.`;
		} }],
	});
}

export function revokeAll(pool, tenant, done) {
	open({
		title: `Revoke all that ${tenant.tenant_id} holds`,
		body: [el('p', {}, `${count(tenant.active_slots, 'slot is', 'slots are')} taken away and ${count(tenant.waiting + tenant.absent, 'place', 'places')} in the line. ` +
			`${tenant.tenant_id} stays registered and may ask again.`)],
		verbs: [KEEP, { name: 'Revoke all', danger: true, run: async () => {
			const { ended } = await call('DELETE', 'leases', { query: { revoke: true, pool, tenant_id: tenant.tenant_id } });
			done();
			return `${count(ended, 'lease', 'leases')} of ${tenant.tenant_id} ended.`;
		} }],
	});
}

/** All about one slot, and what can be done with it. */
export function slot(model, number, done) {
	const lease = [...model.leases.values()].find(({ slot_ids: ids }) => ids.includes(number));
	const cordoned = model.pool.cordoned.includes(number);
	const rows = lease === undefined ? [['State', cordoned ? 'free, cordoned' : 'free']] : [
		['Tenant', lease.tenant_id], ['Label', lease.label], ['State', cordoned ? 'held, cordoned' : 'held'], ['Slots', lease.slot_ids.join(', ')],
		['Since', moment(lease.acquired_at)], ['Waited for it', `${lease.waited_seconds} s`], ['Runs out', moment(lease.expires_at)],
		['Ttl', `${lease.ttl_seconds} s`], ['Address', (lease.slot_urls ?? []).join(', ')], ['Fencing token', String(lease.fencing_token)], ['Asked back', lease.reclaim === undefined ? '' : `within ${lease.reclaim.by_seconds} s`], ['Lease', lease.id]];
	open({
		title: `Slot ${number} of ${model.name}`, body: [facts(rows)],
		verbs: [{ name: 'Close' },
			{ name: cordoned ? 'Put back to use…' : 'Cordon…', run: () => askCordon(model.name, number, !cordoned, done) },
			...(lease === undefined ? [] : [{ name: 'Revoke…', danger: true, run: () => revoke(lease, done) }])],
	});
}
