// SPDX-License-Identifier: MIT
// Holds real replies of the server to openapi.yaml, and shows that it would notice one that is broken.
import { execFileSync } from 'node:child_process';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { openapi, resolve } from './openapi.js';

// OpenAPI's own words that JSON Schema does not have.
const ajv = new Ajv({ strict: true, allErrors: false, discriminator: false });
addFormats(ajv);
for (const word of ['example', 'discriminator', 'components', 'paths', 'openapi', 'info', 'servers', 'tags', 'security'])
	ajv.addKeyword(word);
ajv.addSchema(openapi, 'openapi');

const validators = new Map();

function validator(pointer) {
	if (!validators.has(pointer))
		validators.set(pointer, ajv.compile({ $ref: `openapi#${pointer}` }));
	return validators.get(pointer);
}

function escape(key) {
	return encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** The fault of a reply, or undefined. */
function fault(reply) {
	const method = reply.method === 'HEAD' ? 'get' : reply.method.toLowerCase();
	const described = openapi.paths[reply.route]?.[method]?.responses[reply.status];
	if (described === undefined)
		return 'the status is not described';
	const response = resolve(described);
	if (reply.retry_after !== (response.headers?.['Retry-After'] !== undefined))
		return 'Retry-After is there and not described, or the other way round';
	if (reply.location && response.headers?.Location === undefined)
		return 'Location is not described';
	if (reply.content_type === null)
		return response.content === undefined ? undefined : 'the body is missing';
	const type = reply.content_type.split(';')[0];
	if (response.content?.[type] === undefined)
		return `the type ${type} is not described`;
	if (!type.endsWith('json'))
		return undefined;
	const base = described.$ref?.slice(1) ?? `/paths/${escape(reply.route)}/${method}/responses/${reply.status}`;
	const check = validator(`${base}/content/${escape(type)}/schema`);
	return check(reply.body) ? undefined : ajv.errorsText(check.errors);
}

const lines = execFileSync(process.argv[2], { encoding: 'utf8', maxBuffer: 1 << 26 }).trim().split('\n').map((line) => JSON.parse(line));
const replies = lines.filter((line) => line.event === undefined);
const events = lines.filter((line) => line.event !== undefined);
let faults = 0;

// The events of a stream: each kind that is described is seen, and none that is not.
const kinds = openapi.paths['/events'].get.responses['200'].content['text/event-stream']['x-events'];
for (const { event, body } of events) {
	const check = kinds[event] === undefined ? undefined : validator(kinds[event].$ref.slice(1));
	if (check?.(body))
		continue;
	faults++;
	console.error(`event ${event}: ${check === undefined ? 'is not described' : ajv.errorsText(check.errors)}\n  ${JSON.stringify(body)}`);
}
for (const kind of Object.keys(kinds).filter((name) => !events.some(({ event }) => event === name))) {
	faults++;
	console.error(`event ${kind}: described and never seen`);
}
for (const reply of replies) {
	const found = fault(reply);
	if (found === undefined)
		continue;
	faults++;
	console.error(`${reply.method} ${reply.route} ${reply.status}: ${found}\n  ${JSON.stringify(reply.body)}`);
}

// Every way of breaking a good reply must be noticed, else the above says nothing.
const good = replies.find((reply) => reply.route === '/leases' && reply.status === 201);
const broken = [
	{ ...good, body: { ...good.body, more: 1 } },
	{ ...good, body: { ...good.body, slots: 'one' } },
	{ ...good, body: { ...good.body, id: 'ls_x' } },
	{ ...good, body: { ...good.body, label: undefined } },
	{ ...good, status: 299 },
	{ ...good, content_type: 'text/html' },
	{ ...good, retry_after: true },
].map((reply) => JSON.parse(JSON.stringify(reply)));
const missed = broken.filter((reply) => fault(reply) === undefined);

// Each described status of each operation has been seen, but for those that need a failing store or a full server.
const seen = new Set(replies.map((reply) => `${reply.method} ${reply.route} ${reply.status}`));
const unseen = Object.entries(openapi.paths).flatMap(([route, item]) => ['get', 'put', 'post', 'patch', 'delete']
	.filter((method) => method in item)
	.flatMap((method) => Object.keys(item[method].responses).map((status) => `${method.toUpperCase()} ${route} ${status}`)))
	.filter((line) => !seen.has(line) && !line.endsWith(' 503'));
for (const line of unseen)
	console.error(`described and never seen: ${line}`);
console.log(`${replies.length} replies, ${events.length} events, ${faults} faults, ${missed.length} of ${broken.length} broken ones missed, ${unseen.length} unseen`);
process.exit(faults === 0 && missed.length === 0 && unseen.length === 0 && replies.length > 100 ? 0 : 1);
