// SPDX-License-Identifier: MIT
export { FairShareClient } from './client.js';
export { FairShareError, LeaseLostError, NoSlotError } from './errors.js';
