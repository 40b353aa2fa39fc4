/* SPDX-License-Identifier: MIT */
/* Asks a server whether it is alive, for whoever starts it and has no HTTP client at hand: `fairshared --healthcheck`.
 */
#ifndef FAIRSHARED_HEALTH_H
#define FAIRSHARED_HEALTH_H

#include <stdbool.h>

#include "config.h"

/*
 * health_check asks GET /healthz where the configuration listens, and waits HEALTH_TIMEOUT_S at most for connection
 * and answer each; false with the reason in error unless it is 200.
 */
#define HEALTH_TIMEOUT_S 4
bool health_check(const struct config *config, char error[CONFIG_ERROR_MAX]);

#endif
