/* SPDX-License-Identifier: MIT */
/*
 * The one thread that owns all state. A turn reads the clock once, serves what is ready, and only then lets time pass:
 * a heartbeat that waited in a socket while we stalled counts before the lease it renews expires.
 */
#ifndef FAIRSHARED_LOOP_H
#define FAIRSHARED_LOOP_H

#include <stdint.h>

#include "api.h"
#include "commit.h"
#include "http.h"

struct loop_parts {
	int epoll;                     /* its events carry a struct watch */
	int store_descriptor;          /* readable when a commit has ended; -1: there is none */
	uint64_t drain_timeout_ns;
	struct fair *fair;
	struct api *api;
	struct http *http;
	struct commit *commit;
	void (*reload)(void *context, uint64_t now);   /* SIGHUP: the configuration is to be read again */
	void *context;
	struct fair_spans *turns;      /* how long each turn took, is added to them */
};

/* loop_block_signals keeps SIGTERM, SIGINT and SIGHUP for loop_run; before anything else can be interrupted by them. */
void loop_block_signals(void);

/* loop_run works until it is told to stop; returns the exit status: 0 after draining, 1 when told twice or on failure. */
int loop_run(const struct loop_parts *parts);

#endif
