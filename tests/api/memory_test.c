/* SPDX-License-Identifier: MIT */
/*
 * No memory: each allocation that handling a request makes fails once, each in a run of its own. The request is
 * answered 503, or as it is with memory to the byte; no slot is lost, and the core is whole (the harness checks it).
 */
#include "check.h"

TestSuite(memory);

static long allocations_left = -1; /* -1: none fails */

static bool fails(void)
{
	return harness_inside && allocations_left >= 0 && allocations_left-- == 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
FILE *__real_open_memstream(char **text, size_t *len);
FILE *__wrap_open_memstream(char **text, size_t *len);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

FILE *__wrap_open_memstream(char **text, size_t *len)
{
	return fails() ? NULL : __real_open_memstream(text, len);
}

struct scenario {
	const char *name;
	/* Makes what is there before, and the id that goes into %s of line and body. */
	struct exchange *(*before)(struct world *w);
	const char *line, *body, *key, *accept;
	unsigned status;
	int active;			   /* slots in use once it is answered like this ... */
	int active_unanswered; /* ... and once it is answered 503 */
};

static struct exchange *nothing(struct world *w)
{
	(void)w;
	return NULL;
}

static struct exchange *one_lease(struct world *w)
{
	return acquire(w, "bob", "", NULL);
}

/* Both slots are taken and another tenant waits; its place in the world is after the two. */
static struct exchange *a_waiter(struct world *w)
{
	struct exchange *first = acquire(w, "bob", "", NULL);

	acquire(w, "bob", "", NULL);
	acquire(w, "alice", "", NULL);
	return first;
}

static const struct scenario scenarios[] = {
	{"acquire", nothing, "POST /leases?wait=1s", "{\"tenant_id\":\"alice\",\"label\":\"x\"}", NULL, NULL, 201, 1, 0},
	{"acquire of a new tenant", nothing, "POST /leases", "{\"tenant_id\":\"carol\"}", NULL, NULL, 201, 1, 0},
	{"acquire with a wait of 0", a_waiter, "POST /leases?wait=0", "{\"tenant_id\":\"alice\"}", NULL, NULL, 429, 2, 2},
	{"acquire that waits", a_waiter, "POST /leases", "{\"tenant_id\":\"alice\"}", NULL, NULL, 0, 2, 2},
	{"acquire that is wrong", nothing, "POST /leases?wait=x", "{\"tenant_id\":7,\"nope\":1}", NULL, NULL, 422, 0, 0},
	{"get", one_lease, "GET /leases/%s", NULL, NULL, NULL, 200, 1, 1},
	{"renew", one_lease, "PUT /leases/%s", "{\"ttl_seconds\":9}", NULL, NULL, 200, 1, 1},
	{"heartbeats", one_lease, "POST /heartbeats", "{\"lease_ids\":[\"%s\",\"nonsense\"]}", NULL, NULL, 200, 1, 1},
	{"release", one_lease, "DELETE /leases/%s", NULL, NULL, NULL, 204, 0, 1},
	{"list", a_waiter, "GET /leases?limit=2&pool=default", NULL, NULL, NULL, 200, 2, 2},
	{"list tenants", a_waiter, "GET /tenants?limit=1", NULL, NULL, NULL, 200, 2, 2},
	{"stats", a_waiter, "GET /stats?pool=default", NULL, NULL, NULL, 200, 2, 2},
	{"stats as text", a_waiter, "GET /stats", NULL, NULL, "text/plain", 200, 2, 2},
	{"events", nothing, "GET /events?tenant_id=alice", NULL, NULL, NULL, 200, 0, 0},
	{"pools", nothing, "GET /pools", NULL, NULL, NULL, 200, 0, 0},
	{"register", nothing, "POST /tenants",
	 "{\"tenant_id\":\"a123456789012345678901234567890123456789012345678901234567890\",\"instance\":\"p\"}", NULL, NULL,
	 201, 0, 0},
};

static struct exchange *send(struct world *w, const struct scenario *s, struct exchange *of)
{
	char line[256], body[256];
	const char *id = of != NULL ? text(of, "id") : "";
	size_t len = 0;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(line, sizeof(line), s->line, id);
	if (s->body != NULL)
		len = (size_t)snprintf(body, sizeof(body), s->body, id);
#pragma GCC diagnostic pop
	return ask_with(w, line, body, len, (struct headers){.key = s->key, .accept = s->accept});
}

static void check_reply(const struct scenario *s, long n, const struct exchange *e, const char *whole)
{
	cr_expect(status(e) == s->status || status(e) == 503, "%s, allocation %ld: status %u", s->name, n, status(e));
	if (status(e) == 503)
		cr_expect(e->reply.retry_after == 1 && (e->json == NULL || strcmp(text(e, "code"), "overloaded") == 0),
				  "%s, allocation %ld: 503 %s", s->name, n, e->reply.body != NULL ? e->reply.body : "");
	else
		cr_expect(strlen(whole) == e->reply.body_len &&
					  memcmp(whole, e->reply.body != NULL ? e->reply.body : "", e->reply.body_len) == 0,
				  "%s, allocation %ld: %.*s, wanted %s", s->name, n, (int)e->reply.body_len, e->reply.body, whole);
}

/* One run with allocation n failing; false: there was no such allocation. */
static bool run(const struct scenario *s, long n, char *whole, size_t size)
{
	struct world *w = world_create((struct world_config){.auto_register = true});
	struct exchange *of = s->before(w), *e;
	bool failed;

	allocations_left = n;
	e = send(w, s, of);
	failed = n >= 0 && allocations_left < 0;
	allocations_left = -1;
	if (n < 0)
		snprintf(whole, size, "%.*s", (int)e->reply.body_len, e->reply.body != NULL ? e->reply.body : "");
	check_reply(s, n, e, whole);
	expect_stat(w, "total_active_slots", status(e) == 503 ? s->active_unanswered : s->active);
	if (status(e) == 503) {
		e = send(w, s, of);
		/* A tenant is registered by then: 200 instead of 201. */
		cr_expect(status(e) / 100 == s->status / 100, "%s, allocation %ld, again: status %u", s->name, n, status(e));
		expect_stat(w, "total_active_slots", s->active);
	}
	world_destroy(w);
	return failed;
}

Test(memory, each_request_is_answered_503_or_whole_and_loses_no_slot)
{
	static char whole[65536];

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		long n = 0;

		run(&scenarios[i], -1, whole, sizeof(whole));
		while (run(&scenarios[i], n, whole, sizeof(whole)))
			n++;
		/* A test that fails nothing tests nothing; a release of one lease needs no memory. */
		cr_expect(n > 0 || scenarios[i].status == 204, "%s allocates nothing", scenarios[i].name);
	}
}

/* The release is answered; the waiter that gets its slot is told, or the slot is free again. */
Test(memory, a_waiter_that_cannot_be_told_of_its_grant_does_not_keep_it)
{
	unsigned refused = 0;
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct world *w = world_create((struct world_config){.max_slots = 1});
		struct exchange *holder = acquire(w, "bob", "", NULL), *waiter = acquire(w, "alice", "", NULL), *gone;

		allocations_left = n;
		gone = lease(w, "DELETE", holder, "", NULL);
		failed = allocations_left < 0;
		allocations_left = -1;
		expect_status(gone, 204);
		cr_expect(status(waiter) == 201 || status(waiter) == 503, "allocation %ld: %u", n, status(waiter));
		refused += status(waiter) == 503;
		expect_stat(w, "total_active_slots", status(waiter) == 201 ? 1 : 0);
		expect_status(acquire(w, "bob", ",\"wait_seconds\":0", NULL), status(waiter) == 201 ? 429 : 201);
		world_destroy(w);
	}
	cr_expect(refused > 0);
}

Test(memory, a_keyed_acquire_that_was_answered_503_gets_its_lease_when_repeated)
{
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct world *w = world_create((struct world_config){.max_slots = 1});
		struct exchange *e;

		allocations_left = n;
		e = acquire(w, "alice", "", "k");
		failed = allocations_left < 0;
		allocations_left = -1;
		cr_expect(status(e) == 201 || status(e) == 503, "allocation %ld: %u", n, status(e));
		expect_status(acquire(w, "alice", "", "k"), 201);
		expect_stat(w, "total_active_slots", 1);
		world_destroy(w);
	}
}

Test(memory, a_keyed_grant_that_could_not_be_told_ends_when_nobody_claims_it)
{
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct world *w = world_create((struct world_config){.max_slots = 1});
		struct exchange *e;

		allocations_left = n;
		e = acquire(w, "alice", "", "k");
		failed = allocations_left < 0;
		allocations_left = -1;
		pass(w, 11 * S);
		expect_stat(w, "total_active_slots", status(e) == 201 ? 1 : 0);
		world_destroy(w);
	}
}

/* As above, with a store that takes its time: the grant is told from the commit. */
Test(memory, a_commit_that_cannot_be_told_leaves_no_lease)
{
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct world *w = world_create((struct world_config){.max_slots = 1});
		struct exchange *e;

		w->slow = true;
		e = acquire(w, "alice", "", NULL);
		allocations_left = n;
		commit(w);
		failed = allocations_left < 0;
		allocations_left = -1;
		cr_expect(status(e) == 201 || status(e) == 503, "allocation %ld: %u", n, status(e));
		expect_stat(w, "total_active_slots", status(e) == 201 ? 1 : 0);
		world_destroy(w);
	}
}

/* A piece of a stream for which there is no memory is told when there is. */
Test(memory, a_stream_loses_nothing)
{
	unsigned without = 0;
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct world *w = world_create((struct world_config){0});
		struct exchange *stream = watch(w, "", NULL);
		const char *told = listen_to(w, stream);

		cr_assert(strcmp(told, "stats") == 0, "%s", told);
		acquire(w, "alice", ",\"label\":\"x\"", NULL);
		allocations_left = n;
		told = listen_to(w, stream);
		failed = allocations_left < 0;
		allocations_left = -1;
		without += *told == '\0';
		if (*told == '\0')
			told = listen_to(w, stream);
		cr_expect(strcmp(told, "granted stats") == 0, "allocation %ld: '%s'", n, told);
		world_destroy(w);
	}
	cr_expect(without > 0);
}
