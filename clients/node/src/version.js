// SPDX-License-Identifier: MIT
export const USER_AGENT = 'fairshare-node/0.1.0';
