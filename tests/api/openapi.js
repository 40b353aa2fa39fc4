// SPDX-License-Identifier: MIT
// openapi.yaml, read once for the tests beside it.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export const openapi = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));

/** The object itself, or what its $ref points to. */
export function resolve(object) {
	if (object?.$ref === undefined)
		return object;
	return resolve(object.$ref.slice(2).split('/').reduce((at, key) => at[key], openapi));
}
