/* SPDX-License-Identifier: MIT */
/* A descriptor in the loop's epoll: a struct watch is what epoll hands back, the first member of what it is about. */
#ifndef FAIRSHARED_WATCH_H
#define FAIRSHARED_WATCH_H

struct watch {
	/* ready is called when the descriptor is; it may stop any watch. */
	void (*ready)(struct watch *watch);
};

#endif
