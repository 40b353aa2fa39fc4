/* SPDX-License-Identifier: MIT */
#include "health.h"

#include "socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 4096 /* of which the first line is read */

/* ask reads the answer up to its end, so that the server sees a client that leaves in order; -1 with errno. */
static ssize_t ask(int fd, char answer[ANSWER_MAX])
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		return -1;
	return recv(fd, answer, ANSWER_MAX - 1, MSG_WAITALL);
}

static bool judge(const struct config *config, const char *answer, char *error)
{
	if (!strncmp(answer, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")))
		return true;
	return config_fail(error, "the server at %s is not healthy: it answers '%.*s'", config->listen,
					   (int)strcspn(answer, "\r\n"), answer);
}

/* silent tells why there is no answer; a time-out has EAGAIN, or EINPROGRESS for connect. */
static bool silent(const struct config *config, char *error)
{
	bool late = errno == EAGAIN || errno == EINPROGRESS;

	return config_fail(error, "the server at %s does not answer: %s", config->listen,
					   late ? strerror(ETIMEDOUT) : strerror(errno));
}

bool health_check(const struct config *config, char error[CONFIG_ERROR_MAX])
{
	char answer[ANSWER_MAX] = "";
	ssize_t size = -1;
	bool healthy;
	int fd;

	if (config->listen_address.any.sa_family != AF_UNIX && value_address_port(&config->listen_address) == 0)
		return config_fail(error, "%s: listen is '%s': say which port to ask",
						   config_origin(&config->pools[0], "listen"), config->listen);
	fd = socket_connect(&config->listen_address, HEALTH_TIMEOUT_S);
	if (fd >= 0)
		size = ask(fd, answer);
	healthy = size < 0 ? silent(config, error) : judge(config, answer, error);
	if (fd >= 0)
		close(fd);
	return healthy;
}
