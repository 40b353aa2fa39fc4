/* SPDX-License-Identifier: MIT */
/*
 * What systemd hands the server and hears from it: the listening socket, readiness, signs of life. Where another has
 * started the server nothing is handed over, and nobody is told.
 */
#ifndef FAIRSHARED_SYSTEMD_H
#define FAIRSHARED_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

/*
 * systemd_listener takes the listening socket that systemd has opened, and sees to it that it does not block;
 * *ret_fd is -1 when there is none. False, with the reason in error, when it is not exactly one TCP socket that
 * listens.
 */
bool systemd_listener(int *ret_fd, char error[CONFIG_ERROR_MAX]);

/* systemd_status tells in a few words what the server does; systemd_ready also that it serves from now on. */
void systemd_status(const char *words);
void systemd_ready(const char *words);

/* systemd_stopping tells that the server stops, and how long that may take. */
void systemd_stopping(uint64_t longest_ns);

/* systemd_watchdog tells after how long without systemd_alive the server is taken for hung, in nanoseconds; 0: never.
 */
uint64_t systemd_watchdog(void);
void systemd_alive(void);

#endif
