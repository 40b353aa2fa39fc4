/* SPDX-License-Identifier: MIT */
/* The parts of the process, put together and taken apart. */
#ifndef FAIRSHARED_SERVER_H
#define FAIRSHARED_SERVER_H

#include "config.h"
#include "loop.h"
#include "metrics.h"
#include "pools.h"
#include "presets.h"
#include "socket.h"
#include "store.h"

struct server {
	const struct config *config;
	struct pools *pools;
	struct presets *presets;
	struct store *store;
	struct fair *fair;
	struct commit *commit;
	struct api *api;
	struct http *http;
	struct metrics metrics;
	int epoll;
	char where[SOCKET_WHERE_MAX]; /* it listens */
};

/* server_check makes the parts that show whether the configuration is right; false with the reason in error. */
bool server_check(struct server *server, const struct config *config, char error[CONFIG_ERROR_MAX]);

/* server_start makes the others and listens; false with the reason in error. After server_check. */
bool server_start(struct server *server, char error[CONFIG_ERROR_MAX]);

/* server_run serves until the process is told to stop; returns the exit status. */
int server_run(struct server *server);

/* server_stop takes apart whatever there is. */
void server_stop(struct server *server);

#endif
