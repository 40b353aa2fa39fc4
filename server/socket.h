/* SPDX-License-Identifier: MIT */
/* What the server asks of TCP sockets. */
#ifndef FAIRSHARED_SOCKET_H
#define FAIRSHARED_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#define SOCKET_HOST_MAX 46

/* socket_listen returns a listening socket at a numeric host, or -1 with errno; port 0 picks a free one. */
int socket_listen(const char *host, uint16_t port);

/* socket_address tells where a socket listens, as a numeric host and a port; false with errno. */
bool socket_address(int fd, char host[SOCKET_HOST_MAX], uint16_t *ret_port);

/*
 * socket_connect returns a blocking socket that is connected to a numeric host, an unspecified one (0.0.0.0, ::)
 * meaning this machine, or -1 with errno. Connecting, and each call that sends or receives, takes so long at most.
 */
int socket_connect(const char *host, uint16_t port, unsigned timeout_s);

/* socket_prompt sends small answers at once. */
void socket_prompt(int fd);

/* socket_guard has the kernel notice within 20 s that the machine at the other end vanished. */
void socket_guard(int fd);

/* socket_refuse sends a reply without a body, if there is room for it, and ends the sending half. */
void socket_refuse(int fd, unsigned status, const char *reason);

/* socket_gone tells whether the other end has shut down or closed; *ret_sent is how much was sent so far. */
bool socket_gone(int fd, uint64_t *ret_sent);

/* socket_sent_since tells whether anything was sent after that, also of a connection that was reset since. */
bool socket_sent_since(int fd, uint64_t sent);

#endif
