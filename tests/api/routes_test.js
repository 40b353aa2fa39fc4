// SPDX-License-Identifier: MIT
// The route table of the server is openapi.yaml: same operations, same parameters, same members.
import { execFileSync } from 'node:child_process';
import { openapi, resolve } from './openapi.js';

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

function listed(names) {
	return names.length > 0 ? names.sort().join(',') : '-';
}

function described() {
	const lines = [];
	for (const [path, item] of Object.entries(openapi.paths)) {
		for (const method of methods.filter((name) => name in item)) {
			const parameters = [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(resolve);
			const query = parameters.filter((p) => p.in === 'query').map((p) => p.name + (p.required ? '!' : ''));
			const schema = resolve(resolve(item[method].requestBody)?.content['application/json'].schema) ?? { properties: {} };
			const body = Object.keys(schema.properties).map((name) => name + (schema.required?.includes(name) ? '!' : ''));
			lines.push(`${method.toUpperCase()} ${path} ${listed(query)} ${listed(body)}`);
		}
	}
	return lines;
}

function built(program) {
	const lines = execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
	return lines.map((line) => {
		const [method, path, query, body] = line.split(' ');
		return `${method} ${path} ${listed(query.split(','))} ${listed(body.split(','))}`;
	});
}

const wanted = new Set(described());
const found = new Set(built(process.argv[2]));
const faults = [
	...[...wanted].filter((line) => !found.has(line)).map((line) => `only in openapi.yaml: ${line}`),
	...[...found].filter((line) => !wanted.has(line)).map((line) => `only in api/route.c: ${line}`),
];
for (const fault of faults)
	console.error(fault);
console.log(`${found.size} routes, ${faults.length} faults`);
process.exit(faults.length === 0 && found.size > 0 ? 0 : 1);
