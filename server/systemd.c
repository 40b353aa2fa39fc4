/* SPDX-License-Identifier: MIT */
#include "systemd.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#define US_NS 1000

bool systemd_listener(int *ret_fd, char error[CONFIG_ERROR_MAX])
{
	int count = sd_listen_fds(1);

	*ret_fd = -1;
	if (count < 0)
		return config_fail(error, "LISTEN_FDS does not tell of open sockets: %s", strerror(-count));
	if (count == 0)
		return true;
	if (count > 1)
		return config_fail(
			error, "%d sockets are handed over, but only one is served: leave one ListenStream in the socket unit",
			count);
	if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		return config_fail(error, "what is handed over is not a listening stream socket: the socket unit needs "
								  "ListenStream=ADDRESS:PORT or ListenStream=/PATH, and Accept=no");
	if (fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK) != 0)
		return config_fail(error, "the socket that is handed over cannot be set up: %s", strerror(errno));
	*ret_fd = SD_LISTEN_FDS_START;
	return true;
}

/* Whether systemd hears us is its concern: there is nothing else that we could do. */

void systemd_status(const char *words)
{
	(void)sd_notifyf(0, "STATUS=%s", words);
}

void systemd_ready(const char *words)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", words);
}

void systemd_stopping(uint64_t longest_ns)
{
	(void)sd_notifyf(0, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%llu",
					 (unsigned long long)(longest_ns / US_NS));
}

uint64_t systemd_watchdog(void)
{
	uint64_t us = 0;
	int enabled = sd_watchdog_enabled(1, &us);

	if (enabled < 0)
		log_text(LOG_WARNING, "there are no signs of life for systemd: WATCHDOG_USEC cannot be read", "error",
				 strerror(-enabled));
	return enabled > 0 ? us * US_NS : 0;
}

void systemd_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}
