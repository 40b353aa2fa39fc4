/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 4096
#define ESTABLISHED 1 /* TCP_ESTABLISHED: its header does not go with linux/tcp.h, which alone has tcpi_bytes_sent */

static socklen_t size_of(const union value_address *address)
{
	switch (address->any.sa_family) {
	case AF_INET:
		return sizeof(address->four);
	case AF_INET6:
		return sizeof(address->six);
	default:
		return sizeof(address->local);
	}
}

static bool bind_and_listen(int fd, const union value_address *address)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		   bind(fd, &address->any, size_of(address)) == 0 && listen(fd, BACKLOG) == 0;
}

static int open_socket(const union value_address *address)
{
	return socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Whether a local socket's name was left behind by somebody who was killed. Any other file refuses a connection, too.
 */
static bool is_left_behind(const union value_address *address)
{
	struct stat info;
	int fd = lstat(address->local.sun_path, &info) == 0 && S_ISSOCK(info.st_mode) ? open_socket(address) : -1;
	bool refused = fd >= 0 && connect(fd, &address->any, size_of(address)) != 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused;
}

static bool take_place(int fd, const union value_address *address)
{
	if (bind_and_listen(fd, address))
		return true;
	if (errno != EADDRINUSE || address->any.sa_family != AF_UNIX)
		return false;
	if (is_left_behind(address))
		socket_remove(address);
	return bind_and_listen(fd, address);
}

int socket_listen(const union value_address *address)
{
	int fd = open_socket(address), error;

	if (fd < 0 || take_place(fd, address))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int socket_connect(const union value_address *address, unsigned timeout_s)
{
	const struct timeval timeout = {.tv_sec = (time_t)timeout_s};
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0 &&
		connect(fd, &address->any, size_of(address)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* numeric writes an address with its port; false for a local one. */
static bool numeric(const union value_address *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	switch (address->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &address->four.sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(address->four.sin_port));
		return true;
	case AF_INET6:
		inet_ntop(AF_INET6, &address->six.sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, ntohs(address->six.sin6_port));
		return true;
	default:
		return false;
	}
}

void socket_peer(int fd, char text[SOCKET_WHERE_MAX])
{
	union value_address address = {.any = {0}};
	socklen_t size = sizeof(address), length = sizeof(struct ucred);
	struct ucred who;

	text[0] = '\0';
	if (getpeername(fd, &address.any, &size) != 0 || numeric(&address, text, SOCKET_WHERE_MAX))
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0)
		snprintf(text, SOCKET_WHERE_MAX, VALUE_LOCAL "pid=%d,uid=%u", (int)who.pid, (unsigned)who.uid);
}

bool socket_where(int fd, char text[SOCKET_WHERE_MAX])
{
	union value_address address = {.any = {0}};
	socklen_t size = sizeof(address);
	char host[SOCKET_WHERE_MAX - sizeof("http://")];

	if (getsockname(fd, &address.any, &size) != 0)
		return false;
	if (numeric(&address, host, sizeof(host)))
		snprintf(text, SOCKET_WHERE_MAX, "http://%s", host);
	else
		snprintf(text, SOCKET_WHERE_MAX, VALUE_LOCAL "%.*s", (int)sizeof(address.local.sun_path),
				 address.local.sun_path);
	return true;
}

void socket_remove(const union value_address *address)
{
	if (address->any.sa_family == AF_UNIX)
		(void)unlink(address->local.sun_path);
}

/* An option that the kernel refuses makes a socket slower or its loss noticed later, but not wrong. */
static void set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void socket_prompt(int fd)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void socket_guard(int fd)
{
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 20000);
}

void socket_narrow(int fd, int bytes)
{
	set(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

void socket_refuse(int fd, unsigned status, const char *reason)
{
	char date[CLOCK_DATE_SIZE], reply[256];
	int size;

	clock_date(date);
	size =
		snprintf(reply, sizeof(reply), "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
				 status, reason, date);
	(void)send(fd, reply, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
}

static bool read_info(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

bool socket_gone(int fd, uint64_t *ret_sent)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
	struct tcp_info info;

	*ret_sent = 0;
	if (!read_info(fd, &info))
		return poll(&poll_fd, 1, 0) > 0;
	*ret_sent = info.tcpi_bytes_sent;
	return info.tcpi_state != ESTABLISHED;
}

bool socket_sent_since(int fd, uint64_t sent)
{
	struct tcp_info info;

	return !read_info(fd, &info) || info.tcpi_bytes_sent > sent;
}
