/* SPDX-License-Identifier: MIT */
/*
 * Sockets of refused requests. A socket that is closed while its client still sends is reset, and a reset destroys the
 * reply that the client has not read yet. So what comes is thrown away until the client is done, for 10 s at most.
 */
#ifndef FAIRSHARED_LINGER_H
#define FAIRSHARED_LINGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct lingering;

struct linger_line {
	int epoll;                       /* the loop's, whose events carry a struct watch; borrowed */
	unsigned count;
	TAILQ_HEAD(lingerings, lingering) sockets; /* in the order of their deadlines: all stay equally long */
};

void linger_init(struct linger_line *linger, int epoll);
void linger_fini(struct linger_line *linger);
/* linger_add ends the sending half and keeps a duplicate of fd, which stays the caller's to close. Without memory or
 * descriptors nothing lingers. */
void linger_add(struct linger_line *linger, int fd, uint64_t now);
/* linger_cut has the oldest end at once, in the next turn; false: there is none. */
bool linger_cut(struct linger_line *linger);
/* linger_expire ends those whose time is over; linger_deadline is when it must run next, UINT64_MAX: not. */
void linger_expire(struct linger_line *linger, uint64_t now);
uint64_t linger_deadline(const struct linger_line *linger);

#endif
