/* SPDX-License-Identifier: MIT */
#include "linger.h"

#include "clock.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_TIMEOUT (10 * CLOCK_S)
#define DROP_MAX ((size_t)1 << 20)       /* bytes thrown away in one turn */

struct lingering {
	struct watch watch;
	TAILQ_ENTRY(lingering) in_sockets;
	struct linger_line *linger;
	uint64_t deadline;
	int fd;
};

void linger_init(struct linger_line *linger, int epoll)
{
	linger->epoll = epoll;
	linger->count = 0;
	TAILQ_INIT(&linger->sockets);
}

static void end(struct lingering *l)
{
	TAILQ_REMOVE(&l->linger->sockets, l, in_sockets);
	l->linger->count--;
	close(l->fd);
	free(l);
}

/* The kernel throws the bytes away itself: with MSG_TRUNC it copies none. */
static void socket_ready(struct watch *watch)
{
	struct lingering *l = (struct lingering *)watch;
	ssize_t dropped = recv(l->fd, NULL, DROP_MAX, MSG_TRUNC | MSG_DONTWAIT);

	if (dropped == 0 || (dropped < 0 && errno != EAGAIN && errno != EINTR))
		end(l);
}

void linger_add(struct linger_line *linger, int fd, uint64_t now)
{
	struct lingering *l = malloc(sizeof(*l));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};

	if (!l)
		return;
	*l = (struct lingering){.watch.ready = socket_ready, .linger = linger, .deadline = now + LINGER_TIMEOUT};
	l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (l->fd < 0) {
		free(l);
		return;
	}
	shutdown(l->fd, SHUT_WR);
	TAILQ_INSERT_TAIL(&linger->sockets, l, in_sockets);
	linger->count++;
	if (epoll_ctl(linger->epoll, EPOLL_CTL_ADD, l->fd, &event) != 0)
		end(l);
}

/* It may have an event in this very turn, so it is only made ready. */
bool linger_cut(struct linger_line *linger)
{
	const struct lingering *oldest = TAILQ_FIRST(&linger->sockets);

	if (oldest)
		shutdown(oldest->fd, SHUT_RDWR);
	return oldest != NULL;
}

void linger_expire(struct linger_line *linger, uint64_t now)
{
	struct lingering *l;

	while ((l = TAILQ_FIRST(&linger->sockets)) != NULL && l->deadline <= now)
		end(l);
}

uint64_t linger_deadline(const struct linger_line *linger)
{
	const struct lingering *first = TAILQ_FIRST(&linger->sockets);

	return first ? first->deadline : UINT64_MAX;
}

void linger_fini(struct linger_line *linger)
{
	linger_expire(linger, UINT64_MAX);
}
