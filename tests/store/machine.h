/* SPDX-License-Identifier: MIT */
/*
 * The server without its sockets and its clock: store, pools, core, commit and api, put together as server.c does it,
 * and driven by value. It is started, falls, and is started again on the same file.
 */
#ifndef FAIRSHARED_TESTS_STORE_MACHINE_H
#define FAIRSHARED_TESTS_STORE_MACHINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api.h"
#include "commit.h"
#include "config.h"
#include "pools.h"

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

/* A request from when it is sent until its answer was taken, or its client left. */
struct exchange {
	struct api_request request;
	char *method, *target, *body, *key; /* what the request points into */
	bool answered;
	struct api_reply reply;
	json_t *json; /* of the body, or NULL */
	uint64_t at;  /* when it was sent */
	uint64_t made; /* when its answer was made, which may be looked at later */
	/* For who sent it. */
	int kind;
	char id[32]; /* the lease it is about, "" for none */
	size_t tenant, client;
	uint64_t asked, first_asked, ttl_ms;
	bool must_have_ended, is_stale;
	struct exchange *prev, *next;
};

struct machine {
	struct config *config;
	struct pools *pools;
	struct store *store;
	struct store_ops ops; /* of the store, with an eye on its flights */
	const struct store_ops *real_ops;
	bool flies;
	struct fair *fair;
	struct commit *commit;
	struct api *api;
	uint64_t now; /* ns since 1970 */
	uint64_t random;
	struct exchange *open;	  /* utlist, in the order sent */
	struct exchange *answers; /* utlist, in the order answered */
};

/* machine_start loads the file; false with the reason in error. Call machine_stop in either case. */
bool machine_start(struct machine *m, const char *path, enum store_durability durability, char error[CONFIG_ERROR_MAX]);
/* machine_stop lets go of all; requests that are open are not answered any more. */
void machine_stop(struct machine *m);

/* ask sends a request; "" for no key and NULL for no body. Its answer comes now or in some turn. */
struct exchange *ask(struct machine *m, const char *method, const char *target, const char *body, const char *key);
/* take ends an exchange that was answered; not handed_over: the client had left. */
void take(struct machine *m, struct exchange *e, bool handed_over);
/* hang_up ends one that was not. */
void hang_up(struct machine *m, struct exchange *e);

/* turn lets happen what is due; `waits`: and what is at the committer end. */
void turn(struct machine *m, bool waits);

/* text, number: a member of an answer, "" and 0 when it is not there. */
const char *text(const struct exchange *e, const char *name);
double number(const struct exchange *e, const char *name);

/* machine_dice answers 0..sides - 1; it has 31 bits, so that ns are good for 2 s only. */
uint64_t machine_dice(struct machine *m, uint64_t sides);

#endif
