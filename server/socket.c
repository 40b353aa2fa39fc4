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
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096
#define ESTABLISHED 1 /* TCP_ESTABLISHED: its header does not go with linux/tcp.h, which alone has tcpi_bytes_sent */

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static socklen_t address_of(const char *host, uint16_t port, union address *address)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host, &address->four.sin_addr) == 1) {
		address->four.sin_family = AF_INET;
		address->four.sin_port = htons(port);
		return sizeof(address->four);
	}
	address->six.sin6_family = AF_INET6;
	address->six.sin6_port = htons(port);
	return inet_pton(AF_INET6, host, &address->six.sin6_addr) == 1 ? sizeof(address->six) : 0;
}

static bool bind_and_listen(int fd, const union address *address, socklen_t size)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && bind(fd, &address->any, size) == 0 &&
		   listen(fd, BACKLOG) == 0;
}

int socket_listen(const char *host, uint16_t port)
{
	union address address;
	socklen_t size = address_of(host, port, &address);
	int fd, error;

	if (size == 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_and_listen(fd, &address, size))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int socket_connect(const char *host, uint16_t port, unsigned timeout_s)
{
	const struct timeval timeout = {.tv_sec = (time_t)timeout_s};
	union address address;
	socklen_t size = address_of(host, port, &address);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0 && connect(fd, &address.any, size) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

bool socket_address(int fd, char host[SOCKET_HOST_MAX], uint16_t *ret_port)
{
	union address address = {.any = {0}};
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) != 0)
		return false;
	if (address.any.sa_family == AF_INET) {
		*ret_port = ntohs(address.four.sin_port);
		return inet_ntop(AF_INET, &address.four.sin_addr, host, SOCKET_HOST_MAX) != NULL;
	}
	*ret_port = ntohs(address.six.sin6_port);
	return inet_ntop(AF_INET6, &address.six.sin6_addr, host, SOCKET_HOST_MAX) != NULL;
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

void socket_refuse(int fd, unsigned status, const char *reason)
{
	time_t now = (time_t)(clock_wall() / 1000);
	struct tm utc;
	char date[32], reply[256];
	int size;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
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

	return read_info(fd, &info) && info.tcpi_bytes_sent > sent;
}
