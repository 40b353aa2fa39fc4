/* SPDX-License-Identifier: MIT */
/* The rows of the SQLite store, read into the records of the core; nothing in them is believed. */
#include "sqlite.h"

#include <inttypes.h>
#include <obstack.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

#define NUMBER_MAX ((uint64_t)INT64_MAX)
#define INSTANCES_TEXT_MAX ((size_t)FAIR_INSTANCES_MAX * (FAIR_NAME_MAX + 1))
#define SLOT_IDS_TEXT_MAX ((size_t)FAIR_SLOTS_MAX * 8)
#define CALCULATOR_MAX 65536
#define URLS_MAX ((size_t)1000000000) /* SQLite's own limit of a text */

/* The columns are read one after the other; `fault` names the first that holds what it must not. */
struct row {
	const struct sqlite_file *file;
	sqlite3_stmt *statement;
	int column;
	const char *fault;
	struct obstack texts; /* of this row */
};

static void row_fault(struct row *row)
{
	if (!row->fault)
		row->fault = sqlite3_column_name(row->statement, row->column - 1);
}

static uint64_t read_number(struct row *row, uint64_t least, uint64_t most)
{
	int i = row->column++;
	sqlite3_int64 number = sqlite3_column_int64(row->statement, i);

	if (sqlite3_column_type(row->statement, i) == SQLITE_INTEGER && number >= 0 && (uint64_t)number >= least &&
		(uint64_t)number <= most)
		return (uint64_t)number;
	row_fault(row);
	return least;
}

static const char *read_text(struct row *row, size_t least, size_t most)
{
	int i = row->column++;

	if (sqlite3_column_type(row->statement, i) == SQLITE_TEXT) {
		const char *text = (const char *)sqlite3_column_text(row->statement, i);
		size_t length = (size_t)sqlite3_column_bytes(row->statement, i);

		if (text && length >= least && length <= most && strlen(text) == length)
			return text;
	}
	row_fault(row);
	return "";
}

static const char *read_name(struct row *row)
{
	return read_text(row, 1, FAIR_NAME_MAX);
}

static struct fair_id read_id(struct row *row)
{
	int i = row->column++;
	struct fair_id id = {.bytes = {0}};

	if (sqlite3_column_type(row->statement, i) == SQLITE_BLOB &&
		sqlite3_column_bytes(row->statement, i) == (int)sizeof(id.bytes))
		memcpy(id.bytes, sqlite3_column_blob(row->statement, i), sizeof(id.bytes));
	else
		row_fault(row);
	return id;
}

static const char *read_key(struct row *row, size_t *ret_length)
{
	int i = row->column++, type = sqlite3_column_type(row->statement, i);
	const char *key = sqlite3_column_blob(row->statement, i);

	*ret_length = (size_t)sqlite3_column_bytes(row->statement, i);
	if (type != SQLITE_NULL && (type != SQLITE_BLOB || *ret_length == 0 || *ret_length > FAIR_KEY_MAX))
		row_fault(row);
	return key;
}

static enum fair_state read_state(struct row *row)
{
	static const char *const codes[] = {[FAIR_PENDING] = "pending", [FAIR_ACTIVE] = "active", [FAIR_ENDED] = "ended"};
	const char *text = read_text(row, 1, FAIR_NAME_MAX);

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(text, codes[i]) == 0)
			return (enum fair_state)i;
	row_fault(row);
	return FAIR_ENDED;
}

static enum fair_reason read_reason(struct row *row)
{
	static const enum fair_reason reasons[] = {FAIR_REASON_NONE,
#define FAIR_X(name, code) FAIR_REASON_##name,
											   FAIR_REASON_LIST(FAIR_X)
#undef FAIR_X
	};
	const char *text = read_text(row, 1, FAIR_NAME_MAX);

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(text, fair_reason_code(reasons[i])) == 0)
			return reasons[i];
	row_fault(row);
	return FAIR_REASON_NONE;
}

static enum fair_policy read_policy(struct row *row)
{
	enum fair_policy policy = FAIR_POLICY_EQUAL;

	if (!parse_policy(read_text(row, 1, FAIR_NAME_MAX), &policy))
		row_fault(row);
	return policy;
}

/* read_priority reads the only number that may be negative. */
static int32_t read_priority(struct row *row)
{
	int i = row->column++;
	sqlite3_int64 number = sqlite3_column_int64(row->statement, i);

	if (sqlite3_column_type(row->statement, i) == SQLITE_INTEGER && number >= -FAIR_PRIORITY_MAX &&
		number <= FAIR_PRIORITY_MAX)
		return (int32_t)number;
	row_fault(row);
	return 0;
}

static char *copy_text(struct row *row, const char *text)
{
	obstack_printf(&row->texts, "%s", text);
	obstack_1grow(&row->texts, '\0');
	return obstack_finish(&row->texts);
}

/* read_slot_ids reads "3,4"; NULL for none. */
static const uint32_t *read_slot_ids(struct row *row, uint32_t *ret_count)
{
	const char *text = read_text(row, 0, SLOT_IDS_TEXT_MAX);
	char *rest = *text ? copy_text(row, text) : NULL, *part;

	for (*ret_count = 0; (part = strsep(&rest, ",")) != NULL; ++*ret_count) {
		uint64_t number;

		if (!parse_count(part, strlen(part), &number) || number >= FAIR_SLOTS_MAX) {
			row_fault(row);
			return NULL;
		}
		obstack_int_grow(&row->texts, (int)number);
	}
	return *ret_count > 0 ? obstack_finish(&row->texts) : NULL;
}

/* read_instances reads names that a space joins. */
static const char *const *read_instances(struct row *row, uint32_t *ret_count)
{
	const char *text = read_text(row, 0, INSTANCES_TEXT_MAX);
	char *rest = *text ? copy_text(row, text) : NULL, *part;

	for (*ret_count = 0; (part = strsep(&rest, " ")) != NULL; ++*ret_count) {
		if (*part == '\0' || strlen(part) > FAIR_NAME_MAX)
			row_fault(row);
		obstack_ptr_grow(&row->texts, part);
	}
	return *ret_count > 0 ? obstack_finish(&row->texts) : NULL;
}

/* each_row hands every row to `take`; what it reads is borrowed until it returns. */
static bool each_row(const struct sqlite_file *file, const char *sql,
					 bool (*take)(struct row *row, void *context, char *error), void *context, char *error)
{
	struct row row = {.file = file, .statement = sqlite_file_prepare(file, sql, error)};
	int code = SQLITE_ROW;
	bool ok = row.statement != NULL;
	void *empty;

	obstack_init(&row.texts);
	empty = obstack_alloc(&row.texts, 0);
	while (ok && (code = sqlite3_step(row.statement)) == SQLITE_ROW) {
		row.column = 0;
		row.fault = NULL;
		ok = take(&row, context, error);
		obstack_free(&row.texts, empty);
	}
	if (ok && code != SQLITE_DONE)
		ok = sqlite_error(file, error);
	obstack_free(&row.texts, NULL);
	sqlite3_finalize(row.statement);
	return ok;
}

/* ---- pools ---- */

struct pools {
	bool (*each)(void *context, const struct store_pool *pool);
	void *context;
};

static bool take_pool(struct row *row, void *context, char *error)
{
	const struct pools *pools = context;
	struct store_pool pool = {0};

	pool.core.pool = read_name(row);
	pool.core.max_slots = (uint32_t)read_number(row, 1, FAIR_SLOTS_MAX);
	pool.core.min_share = (uint32_t)read_number(row, 1, pool.core.max_slots);
	pool.core.max_waiting = (uint32_t)read_number(row, 0, UINT32_MAX);
	pool.core.tenant_max_waiting = (uint32_t)read_number(row, 0, UINT32_MAX);
	pool.share_calculator = read_text(row, 0, CALCULATOR_MAX);
	pool.configured = read_number(row, 0, 1) == 1;
	pool.core.policy = read_policy(row);
	pool.core.draining = read_number(row, 0, 1) == 1;
	pool.core.cordoned = read_slot_ids(row, &pool.core.num_cordoned);
	pool.core.slot_rest_ns = read_number(row, 0, NUMBER_MAX);
	pool.core.max_lease_ns = read_number(row, 0, NUMBER_MAX);
	pool.core.pass_over_ns = read_number(row, 0, NUMBER_MAX);
	pool.core.priority_step_ns = read_number(row, 0, NUMBER_MAX);
	pool.slot_urls = read_text(row, 0, URLS_MAX);
	if (row->fault)
		return sqlite_fail(error, "%s: pool '%s': column %s holds what it must not: restore a backup", row->file->path,
						   pool.core.pool, row->fault);
	return pools->each(pools->context, &pool);
}

bool sqlite_read_pools(const struct sqlite_file *file, bool (*each)(void *context, const struct store_pool *pool),
					   void *context, char error[STORE_ERROR_MAX])
{
	struct pools pools = {.each = each, .context = context};

	return each_row(file,
					"SELECT name, max_slots, min_share, max_waiting, tenant_max_waiting, share_calculator, configured,"
					" policy, draining, cordoned, slot_rest_ns, max_lease_ns, pass_over_ns, priority_step_ns, slot_urls"
					" FROM pools ORDER BY name",
					take_pool, &pools, error);
}

/* ---- tenants and leases ---- */

struct restoring {
	struct fair *fair;
	uint64_t now;
	struct sqlite_counts counts;
};

/* fail_row: `err` says why the core does not take a row whose columns are well. */
static bool fail_row(const struct row *row, const char *name, enum fair_err err, char *error)
{
	if (row->fault)
		return sqlite_fail(error, "%s: %s: column %s holds what it must not: restore a backup", row->file->path, name,
						   row->fault);
	if (err == FAIR_E_NO_MEMORY)
		return sqlite_fail(error, "%s: %s: out of memory", row->file->path, name);
	return sqlite_fail(error, "%s: %s does not fit the other rows (%s): restore a backup", row->file->path, name,
					   fair_err_code(err));
}

static bool take_tenant(struct row *row, void *context, char *error)
{
	struct restoring *restoring = context;
	struct fair_tenant_record record = {0};
	enum fair_err err = FAIR_OK;
	char name[2 * FAIR_NAME_MAX + 32];

	record.pool = read_name(row);
	record.tenant = read_name(row);
	record.number = read_number(row, 1, NUMBER_MAX);
	record.closing = read_number(row, 0, 1) == 1;
	record.automatic = read_number(row, 0, 1) == 1;
	record.anonymous = read_number(row, 0, 1) == 1;
	record.revoke_below = read_number(row, 0, NUMBER_MAX);
	record.instances = read_instances(row, &record.num_instances);
	record.policy.weight = (uint32_t)read_number(row, 0, FAIR_WEIGHT_MAX);
	record.policy.reserved_slots = (uint32_t)read_number(row, 0, FAIR_SLOTS_MAX);
	record.policy.max_slots = (uint32_t)read_number(row, 0, FAIR_SLOTS_MAX);
	record.policy.max_waiting = (uint32_t)read_number(row, 0, UINT32_MAX);
	if (!row->fault)
		err = fair_restore_tenant(restoring->fair, restoring->now, &record);
	restoring->counts.tenants++;
	if (!row->fault && err == FAIR_OK)
		return true;
	(void)snprintf(name, sizeof(name), "tenant '%s' of pool '%s'", record.tenant, record.pool);
	return fail_row(row, name, err, error);
}

static void count_lease(struct sqlite_counts *counts, enum fair_state state)
{
	counts->active += state == FAIR_ACTIVE;
	counts->places += state == FAIR_PENDING;
	counts->remembered += state == FAIR_ENDED;
}

static bool take_lease(struct row *row, void *context, char *error)
{
	struct restoring *restoring = context;
	struct fair_lease_record record = {0};
	enum fair_err err = FAIR_OK;
	uint32_t num_slot_ids;
	char name[64];

	record.number = read_number(row, 1, NUMBER_MAX);
	record.id = read_id(row);
	record.pool = read_name(row);
	record.tenant = read_name(row);
	record.label = read_text(row, 0, FAIR_LABEL_MAX);
	record.key = read_key(row, &record.key_len);
	record.state = read_state(row);
	record.reason = read_reason(row);
	record.slots = (uint32_t)read_number(row, 1, FAIR_SLOTS_MAX);
	record.slot_ids = read_slot_ids(row, &num_slot_ids);
	if (num_slot_ids > 0 && num_slot_ids != record.slots)
		row_fault(row);
	record.fencing_token = read_number(row, 0, NUMBER_MAX);
	record.ttl_ns = read_number(row, 1, NUMBER_MAX);
	record.asked_ttl_ns = read_number(row, 1, NUMBER_MAX);
	record.arrived_ns = read_number(row, 0, NUMBER_MAX);
	record.granted_ns = read_number(row, 0, NUMBER_MAX);
	record.ended_ns = read_number(row, 0, NUMBER_MAX);
	record.priority = read_priority(row);
	record.max_lease_ns = read_number(row, 0, NUMBER_MAX);
	record.max_ns = read_number(row, 0, NUMBER_MAX);
	if (!row->fault)
		err = fair_restore_lease(restoring->fair, restoring->now, &record);
	count_lease(&restoring->counts, record.state);
	if (!row->fault && err == FAIR_OK)
		return true;
	(void)snprintf(name, sizeof(name), "lease %" PRIu64, record.number);
	return fail_row(row, name, err, error);
}

#define LEASES                                                                                                         \
	"SELECT number, id, pool, tenant, label, key, state, reason, slots, slot_ids, fencing_token, ttl_ns, "             \
	"asked_ttl_ns,"                                                                                                    \
	" arrived_ns, granted_ns, ended_ns, priority, max_lease_ns, max_ns FROM leases "

bool sqlite_read_state(const struct sqlite_file *file, struct fair *fair, uint64_t now, struct sqlite_counts *ret,
					   char error[STORE_ERROR_MAX])
{
	struct restoring restoring = {.fair = fair, .now = now};
	bool ok = each_row(file,
					   "SELECT pool, tenant, number, closing, automatic, anonymous, revoke_below, instances, weight,"
					   " reserved_slots, max_slots, max_waiting FROM tenants"
					   " ORDER BY number",
					   take_tenant, &restoring, error) &&
			  each_row(file, LEASES "WHERE state <> 'ended' ORDER BY number", take_lease, &restoring, error) &&
			  each_row(file, LEASES "WHERE state = 'ended' ORDER BY ended_ns, number", take_lease, &restoring, error);

	*ret = restoring.counts;
	return ok;
}

bool sqlite_read_token(const struct sqlite_file *file, uint64_t *ret, char error[STORE_ERROR_MAX])
{
	return sqlite_file_number(file, "SELECT value FROM meta WHERE name = 'next_token'", ret, error) &&
		   (*ret <= NUMBER_MAX || sqlite_fail(error, "%s: meta next_token is negative: restore a backup", file->path));
}
