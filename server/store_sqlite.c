/* SPDX-License-Identifier: MIT */
/*
 * The store that keeps the state in a SQLite file. Loading is done by the loop thread; then the committer thread has
 * the connection, and writes one batch at a time in one transaction. The loop thread never waits for it but in destroy.
 */
#include "sqlite.h"

#include <assert.h>
#include <obstack.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

enum statement {
	BEGIN,
	COMMIT,
	PUT_LEASE,
	DELETE_LEASE,
	PUT_TENANT,
	DELETE_TENANT,
	PUT_POOL,
	DELETE_POOL,
	DELETE_POOL_TENANTS,
	DELETE_POOL_LEASES,
	PUT_TOKEN,
	TRY,
	STATEMENTS,
};

static const char *const statements[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[PUT_LEASE] =
		("INSERT OR REPLACE INTO leases(number, id, pool, tenant, label, key, state, reason, slots, slot_ids,"
		 " fencing_token, ttl_ns, asked_ttl_ns, arrived_ns, granted_ns, ended_ns, priority, max_lease_ns, max_ns)"
		 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
	[DELETE_LEASE] = "DELETE FROM leases WHERE number = ?",
	[PUT_TENANT] = ("INSERT OR REPLACE INTO tenants(pool, tenant, number, closing, automatic, anonymous, revoke_below,"
					" instances, weight, reserved_slots, max_slots, max_waiting)"
					" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
	[DELETE_TENANT] = "DELETE FROM tenants WHERE pool = ? AND tenant = ?",
	[PUT_POOL] = ("INSERT OR REPLACE INTO pools(name, max_slots, min_share, max_waiting, tenant_max_waiting,"
				  " share_calculator, configured, policy, draining, cordoned, slot_rest_ns, max_lease_ns, pass_over_ns,"
				  " priority_step_ns, slot_urls) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
	[DELETE_POOL] = "DELETE FROM pools WHERE name = ?",
	[DELETE_POOL_TENANTS] = "DELETE FROM tenants WHERE pool = ?",
	[DELETE_POOL_LEASES] = "DELETE FROM leases WHERE pool = ?",
	[PUT_TOKEN] = "INSERT OR REPLACE INTO meta(name, value) VALUES('next_token', ?)",
	/* SQLite does not write a page that stays as it was: only another value tries whether the disk can be written. */
	[TRY] = "INSERT INTO meta(name, value) VALUES('tries', 1) ON CONFLICT(name) DO UPDATE SET value = value + 1",
};

struct sqlite_store {
	struct store store;
	struct sqlite_file file;
	pthread_t committer;
	bool has_committer;
	int descriptor; /* an eventfd */
	/* Of whoever has the turn: the committer while a batch is in flight, else the loop thread. */
	sqlite3_stmt *statements[STATEMENTS];
	struct obstack texts; /* of one statement */
	void *no_texts;		  /* what they are freed down to */
	uint64_t next_token;  /* as it is kept */
	bool failed;		  /* the last commit did */
	char reason[STORE_ERROR_MAX];
	/* What the two hand over; held for no longer than that takes. */
	pthread_mutex_t mutex;
	pthread_cond_t handed;
	const struct batch *batch; /* the committer's next; NULL: taken, or none */
	enum store_state outcome;  /* of the batch in flight */
	bool leaving;
};

static struct sqlite_store *of(const struct store *store)
{
	return (struct sqlite_store *)store;
}

/* ---- writing: values are bound one after the other, then the statement runs ---- */

struct writing {
	struct sqlite_store *store;
	sqlite3_stmt *statement;
	int column;
	bool bound;
};

static struct writing write_begin(struct sqlite_store *s, enum statement statement)
{
	return (struct writing){.store = s, .statement = s->statements[statement], .bound = true};
}

static void put_number(struct writing *w, uint64_t number)
{
	assert(number <= INT64_MAX);
	if (sqlite3_bind_int64(w->statement, ++w->column, (sqlite3_int64)number) != SQLITE_OK)
		w->bound = false;
}

static void put_signed(struct writing *w, int64_t number)
{
	if (sqlite3_bind_int64(w->statement, ++w->column, number) != SQLITE_OK)
		w->bound = false;
}

static void put_text(struct writing *w, const char *text)
{
	if (sqlite3_bind_text(w->statement, ++w->column, text, -1, SQLITE_STATIC) != SQLITE_OK)
		w->bound = false;
}

/* put_bytes: NULL is NULL. */
static void put_bytes(struct writing *w, const void *bytes, size_t size)
{
	if (sqlite3_bind_blob(w->statement, ++w->column, bytes, (int)size, SQLITE_STATIC) != SQLITE_OK)
		w->bound = false;
}

static bool write_end(struct writing *w)
{
	bool ok = w->bound && sqlite3_step(w->statement) == SQLITE_DONE;

	if (!ok)
		sqlite_error(&w->store->file, w->store->reason);
	sqlite3_reset(w->statement);
	sqlite3_clear_bindings(w->statement);
	obstack_free(&w->store->texts, w->store->no_texts);
	return ok;
}

static bool write_plain(struct sqlite_store *s, enum statement statement)
{
	struct writing w = write_begin(s, statement);

	return write_end(&w);
}

static const char *state_code(enum fair_state state)
{
	static const char *const codes[] = {[FAIR_PENDING] = "pending", [FAIR_ACTIVE] = "active", [FAIR_ENDED] = "ended"};

	return codes[state];
}

static void put_slot_ids(struct writing *w, const uint32_t *slot_ids, uint32_t count)
{
	struct obstack *texts = &w->store->texts;

	for (uint32_t i = 0; i < count; i++)
		obstack_printf(texts, "%s%u", i > 0 ? "," : "", (unsigned)slot_ids[i]);
	obstack_1grow(texts, '\0');
	put_text(w, obstack_finish(texts));
}

static void put_instances(struct writing *w, const struct fair_tenant_record *record)
{
	struct obstack *texts = &w->store->texts;

	for (uint32_t i = 0; i < record->num_instances; i++)
		obstack_printf(texts, "%s%s", i > 0 ? " " : "", record->instances[i]);
	obstack_1grow(texts, '\0');
	put_text(w, obstack_finish(texts));
}

static bool write_lease(struct sqlite_store *s, const struct batch_lease *lease)
{
	const struct fair_lease_record *r = &lease->record;
	struct writing w = write_begin(s, lease->gone ? DELETE_LEASE : PUT_LEASE);

	put_number(&w, r->number);
	if (lease->gone)
		return write_end(&w);
	put_bytes(&w, r->id.bytes, sizeof(r->id.bytes));
	put_text(&w, r->pool);
	put_text(&w, r->tenant);
	put_text(&w, r->label);
	put_bytes(&w, r->key, r->key_len);
	put_text(&w, state_code(r->state));
	put_text(&w, fair_reason_code(r->reason));
	put_number(&w, r->slots);
	put_slot_ids(&w, r->slot_ids, r->slot_ids ? r->slots : 0);
	put_number(&w, r->fencing_token);
	put_number(&w, r->ttl_ns);
	put_number(&w, r->asked_ttl_ns);
	put_number(&w, r->arrived_ns);
	put_number(&w, r->granted_ns);
	put_number(&w, r->ended_ns);
	put_signed(&w, r->priority);
	put_number(&w, r->max_lease_ns);
	put_number(&w, r->max_ns == FAIR_NEVER ? 0 : r->max_ns);
	return write_end(&w);
}

static bool write_tenant(struct sqlite_store *s, const struct batch_tenant *tenant)
{
	const struct fair_tenant_record *r = &tenant->record;
	struct writing w = write_begin(s, tenant->gone ? DELETE_TENANT : PUT_TENANT);

	put_text(&w, r->pool);
	put_text(&w, r->tenant);
	if (tenant->gone)
		return write_end(&w);
	put_number(&w, r->number);
	put_number(&w, r->closing);
	put_number(&w, r->automatic);
	put_number(&w, r->anonymous);
	put_number(&w, r->revoke_below);
	put_instances(&w, r);
	put_number(&w, r->policy.weight);
	put_number(&w, r->policy.reserved_slots);
	put_number(&w, r->policy.max_slots);
	put_number(&w, r->policy.max_waiting);
	return write_end(&w);
}

static bool write_pool(struct sqlite_store *s, const struct store_pool *pool)
{
	struct writing w = write_begin(s, PUT_POOL);

	put_text(&w, pool->core.pool);
	put_number(&w, pool->core.max_slots);
	put_number(&w, pool->core.min_share);
	put_number(&w, pool->core.max_waiting);
	put_number(&w, pool->core.tenant_max_waiting);
	put_text(&w, pool->share_calculator);
	put_number(&w, pool->configured);
	put_text(&w, fair_policy_code(pool->core.policy));
	put_number(&w, pool->core.draining);
	put_slot_ids(&w, pool->core.cordoned, pool->core.num_cordoned);
	put_number(&w, pool->core.slot_rest_ns);
	put_number(&w, pool->core.max_lease_ns);
	put_number(&w, pool->core.pass_over_ns);
	put_number(&w, pool->core.priority_step_ns);
	put_text(&w, pool->slot_urls);
	return write_end(&w);
}

/* A pool goes with all that is in it. */
static bool delete_pool(struct sqlite_store *s, const char *name)
{
	static const enum statement deletes[] = {DELETE_POOL_LEASES, DELETE_POOL_TENANTS, DELETE_POOL};

	for (size_t i = 0; i < sizeof(deletes) / sizeof(deletes[0]); i++) {
		struct writing w = write_begin(s, deletes[i]);

		put_text(&w, name);
		if (!write_end(&w))
			return false;
	}
	return true;
}

static bool write_token(struct sqlite_store *s, uint64_t next_token)
{
	struct writing w = write_begin(s, PUT_TOKEN);

	put_number(&w, next_token);
	return write_end(&w);
}

static bool write_rows(struct sqlite_store *s, const struct batch *batch)
{
	bool nothing;

	for (size_t i = 0; i < batch->pool_count; i++) {
		const struct batch_pool *pool = &batch->pools[i];

		if (pool->gone ? !delete_pool(s, pool->pool.core.pool) : !write_pool(s, &pool->pool))
			return false;
	}
	for (size_t i = 0; i < batch->tenant_count; i++)
		if (!write_tenant(s, &batch->tenants[i]))
			return false;
	for (size_t i = 0; i < batch->lease_count; i++)
		if (!write_lease(s, &batch->leases[i]))
			return false;
	/*
	 * A commit that failed may have reached the disk all the same, and comes back with a crash until the next one is
	 * written over it. That one must write, also where its rows change nothing of what SQLite has.
	 */
	nothing = batch->tenant_count == 0 && batch->lease_count == 0 && batch->pool_count == 0;
	if ((s->failed || nothing) && !write_plain(s, TRY))
		return false;
	return batch->next_token == s->next_token || write_token(s, batch->next_token);
}

/* roll_back ends a transaction that failed; SQLite has ended some by itself. `reason` stays that of the failure. */
static void roll_back(struct sqlite_store *s)
{
	if (!sqlite3_get_autocommit(s->file.db))
		(void)sqlite3_exec(s->file.db, "ROLLBACK", NULL, NULL, NULL);
}

/* What was written to a file that is removed or replaced by then is gone with the process. */
static bool is_in_place(struct sqlite_store *s)
{
	int moved = 0;

	(void)sqlite3_file_control(s->file.db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return moved == 0 ||
		   sqlite_fail(s->reason, "%s was removed, moved or replaced: put it back; a restart begins with what is there then",
					   s->file.path);
}

static bool write_batch(struct sqlite_store *s, const struct batch *batch)
{
	s->failed = !(write_plain(s, BEGIN) && write_rows(s, batch) && write_plain(s, COMMIT) && is_in_place(s));
	if (s->failed)
		roll_back(s);
	else
		s->next_token = batch->next_token;
	return !s->failed;
}

/* ---- the committer ---- */

static void *commit_batches(void *context)
{
	struct sqlite_store *s = context;
	const struct batch *batch;
	bool ok;

	pthread_mutex_lock(&s->mutex);
	for (;;) {
		while (!s->batch && !s->leaving)
			pthread_cond_wait(&s->handed, &s->mutex);
		if (!s->batch)
			break;
		batch = s->batch;
		s->batch = NULL;
		pthread_mutex_unlock(&s->mutex);
		ok = write_batch(s, batch);
		pthread_mutex_lock(&s->mutex);
		s->outcome = ok ? STORE_COMMITTED : STORE_FAILED;
		eventfd_write(s->descriptor, 1);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* start_committer: signals are the loop thread's. */
static bool start_committer(struct sqlite_store *s, char *error)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&s->committer, NULL, commit_batches, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->has_committer = code == 0;
	return s->has_committer || sqlite_fail(error, "cannot start the committer thread: %s", strerror(code));
}

static void stop_committer(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->mutex);
	s->leaving = true;
	pthread_cond_signal(&s->handed);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->committer, NULL);
}

static void commit(struct store *store, uint64_t now, const struct batch *batch)
{
	struct sqlite_store *s = of(store);

	(void)now;
	pthread_mutex_lock(&s->mutex);
	assert(!s->batch);
	s->batch = batch;
	s->outcome = STORE_BUSY;
	pthread_cond_signal(&s->handed);
	pthread_mutex_unlock(&s->mutex);
}

static enum store_state ended(struct store *store, uint64_t now)
{
	struct sqlite_store *s = of(store);
	enum store_state outcome;
	eventfd_t ends;

	(void)now;
	pthread_mutex_lock(&s->mutex);
	outcome = s->outcome;
	if (outcome != STORE_BUSY)
		eventfd_read(s->descriptor, &ends);
	s->outcome = STORE_BUSY;
	pthread_mutex_unlock(&s->mutex);
	return outcome;
}

static int descriptor(const struct store *store)
{
	return of(store)->descriptor;
}

static uint64_t deadline(const struct store *store)
{
	(void)store;
	return FAIR_NEVER;
}

static const char *reason(const struct store *store)
{
	return of(store)->reason;
}

/* ---- before the first commit ---- */

static bool next_token(struct store *store, uint64_t *ret_token, char error[STORE_ERROR_MAX])
{
	return sqlite_read_token(&of(store)->file, ret_token, error);
}

static bool load_pools(struct store *store, bool (*each)(void *context, const struct store_pool *pool), void *context,
					   char error[STORE_ERROR_MAX])
{
	return sqlite_read_pools(&of(store)->file, each, context, error);
}

static bool load(struct store *store, struct fair *fair, uint64_t now, char error[STORE_ERROR_MAX])
{
	struct sqlite_counts counts;

	return sqlite_read_state(&of(store)->file, fair, now, &counts, error);
}

static bool write_pools(struct sqlite_store *s, const struct store_pool *pools, size_t count)
{
	bool ok = sqlite_file_exec(&s->file, "DELETE FROM pools", s->reason);

	for (size_t i = 0; ok && i < count; i++)
		ok = write_pool(s, &pools[i]);
	return ok;
}

static bool keep_pools(struct store *store, const struct store_pool *pools, size_t count, char error[STORE_ERROR_MAX])
{
	struct sqlite_store *s = of(store);

	if (write_plain(s, BEGIN) && write_pools(s, pools, count) && write_plain(s, COMMIT))
		return true;
	roll_back(s);
	return sqlite_fail(error, "%s", s->reason);
}

/* ---- making and ending ---- */

static void destroy(struct store *store)
{
	struct sqlite_store *s = of(store);

	if (s->has_committer)
		stop_committer(s);
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	/* The last connection that closes brings the WAL into the file and removes it; before the lock is let go. */
	sqlite_file_close(&s->file);
	if (s->descriptor >= 0)
		close(s->descriptor);
	obstack_free(&s->texts, NULL);
	pthread_cond_destroy(&s->handed);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

static bool prepare(struct sqlite_store *s, char *error)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		s->statements[i] = sqlite_file_prepare(&s->file, statements[i], error);
		if (!s->statements[i])
			return false;
	}
	s->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s->descriptor >= 0 || sqlite_fail(error, "no descriptor is left for the committer");
}

struct store *store_sqlite_create(const char *path, enum store_durability durability, char error[STORE_ERROR_MAX])
{
	static const struct store_ops ops = {
		.next_token = next_token,
		.load_pools = load_pools,
		.load = load,
		.keep_pools = keep_pools,
		.commit = commit,
		.ended = ended,
		.descriptor = descriptor,
		.deadline = deadline,
		.reason = reason,
		.destroy = destroy,
	};
	struct sqlite_store *s = calloc(1, sizeof(*s));

	if (!s) {
		sqlite_fail_memory(error);
		return NULL;
	}
	s->store.ops = &ops;
	s->descriptor = -1;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->handed, NULL);
	obstack_init(&s->texts);
	s->no_texts = obstack_alloc(&s->texts, 0);
	if (sqlite_file_open(&s->file, path, durability, error) && prepare(s, error) &&
		sqlite_read_token(&s->file, &s->next_token, error) && start_committer(s, error))
		return &s->store;
	destroy(&s->store);
	return NULL;
}
