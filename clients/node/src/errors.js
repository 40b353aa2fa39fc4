// SPDX-License-Identifier: MIT

/** What went wrong, with the server's or our own `code`; `problem` is the server's whole answer where there is one. */
export class FairShareError extends Error {
	constructor(code, message, { problem, cause } = {}) {
		super(message, cause && { cause });
		this.name = new.target.name;
		this.code = code;
		this.problem = problem;
	}
}

/** The caller's timeout passed without a slot. */
export class NoSlotError extends FairShareError {
	constructor(message, details) {
		super('no-slot', message, details);
	}
}

/** The slot belongs to somebody else now, or may: stop what was done with it. */
export class LeaseLostError extends FairShareError {
	constructor(leaseId, reason) {
		super('lease-lost', `Lease ${leaseId} is lost (${reason}): stop using its slot, and acquire another.`);
		this.leaseId = leaseId;
		this.reason = reason;
	}
}

// Errors lose their class on the way from the thread: it sends these plain objects, and the caller's side makes them anew.
export function pack({ code = 'internal', message, problem, leaseId, reason }) {
	return { code, message, problem, leaseId, reason };
}

export function unpack({ code, message, problem, leaseId, reason }) {
	if (code === 'lease-lost')
		return new LeaseLostError(leaseId, reason);
	return code === 'no-slot' ? new NoSlotError(message, { problem }) : new FairShareError(code, message, { problem });
}
