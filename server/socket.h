/* SPDX-License-Identifier: MIT */
/* What the server asks of sockets, TCP or local ones. */
#ifndef FAIRSHARED_SOCKET_H
#define FAIRSHARED_SOCKET_H

#include "value.h"

#include <stdbool.h>
#include <stdint.h>

#define SOCKET_WHERE_MAX 128

/*
 * socket_listen returns a listening socket, or -1 with errno; port 0 picks a free one. A local socket that nobody
 * listens on any more is replaced.
 */
int socket_listen(const union value_address *address);

/* socket_where tells where a socket listens: http://127.0.0.1:8080, http://[::1]:8080 or unix:/PATH; false with errno.
 */
bool socket_where(int fd, char text[SOCKET_WHERE_MAX]);

/* socket_peer tells who is at the other end: 127.0.0.1:40000, [::1]:40000 or unix:pid=42,uid=0; "" when it has left. */
void socket_peer(int fd, char text[SOCKET_WHERE_MAX]);

/* socket_remove takes the name of a local socket away, so that nobody is kept waiting there. */
void socket_remove(const union value_address *address);

/*
 * socket_connect returns a blocking socket that is connected, to an unspecified address (0.0.0.0, ::) meaning to this
 * machine, or -1 with errno. Connecting, and each call that sends or receives, takes so long at most.
 */
int socket_connect(const union value_address *address, unsigned timeout_s);

/* socket_prompt sends small answers at once. */
void socket_prompt(int fd);

/* socket_guard has the kernel notice within 20 s that the machine at the other end vanished. */
void socket_guard(int fd);

/* socket_narrow has the kernel keep no more than about that for a reader that is slow. */
void socket_narrow(int fd, int bytes);

/* socket_refuse sends a reply without a body, if there is room for it, and ends the sending half. */
void socket_refuse(int fd, unsigned status, const char *reason);

/* socket_gone tells whether the other end has shut down or closed; *ret_sent is how much was sent so far. */
bool socket_gone(int fd, uint64_t *ret_sent);

/*
 * socket_sent_since tells whether anything was sent after that, also of a connection that was reset since. A local
 * socket does not say: what is sent there is with the other end at once, which was there just before.
 */
bool socket_sent_since(int fd, uint64_t sent);

#endif
