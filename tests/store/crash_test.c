/* SPDX-License-Identifier: MIT */
/*
 * Crashes: clients that register, acquire, wait, beat, release, give up and leave play against a server by value, whose
 * power goes at a random moment, over and over, on the same file. What was told must be there after each start
 * (checker.h). Between the crashes the disk fails for a while, too.
 *
 * crash_test [--seed N] [--crashes N] [--off]. A seed replays the same choices; where the committer stands when the
 * loop makes them is the threads' affair, so a run follows another only as far as their timing does. --off runs SQLite
 * with synchronous=OFF and succeeds as soon as a grant that was told is lost: else the test could not see a loss.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "checker.h"
#include "clients.h"
#include "crash_vfs.h"
#include "id.h"
#include "machine.h"
#include "sqlite.h"

#define CRASHES 5000
#define CRASHES_OF_A_FILE 20
#define NUM(a) (sizeof(a) / sizeof(*(a)))

static uint64_t seed;
static bool off;
static char folder[] = "/dev/shm/fairshared-crash-XXXXXX", path[64];
static bool has_fault, has_lost_grant; /* with --off; has_fault: of this file */
static struct {
	uint64_t stories, openings, clean;
} counts;

/* ---- failing ---- */

static void remove_folder(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		abort();
}

void fail(const char *what)
{
	printf("crash_test: %s\nthe file is in %s; replay, as far as the timing of the threads allows: crash_test --seed "
		   "%" PRIu64 "%s\n",
		   what, folder, seed, off ? " --off" : "");
	exit(1);
}

static void on_fault(void *context, enum checker_fault kind, const char *what)
{
	(void)context;
	if (!off)
		fail(what);
	if (kind == CHECKER_LOST_GRANT && !has_lost_grant)
		printf("with synchronous=OFF: %s\n", what);
	has_lost_grant = has_lost_grant || kind == CHECKER_LOST_GRANT;
	has_fault = true;
}

void expect(bool holds, const char *what)
{
	if (!holds && !off)
		fail(what);
}

/* ---- a failing disk ---- */

static struct exchange *ask_now(const char *method, const char *target)
{
	return ask(&machine, method, target, NULL, "");
}

static unsigned readiness(void)
{
	struct exchange *e = ask_now("GET", "/readyz");
	unsigned status = e->reply.status;

	expect(status == 200 || strcmp(text(e, "code"), "store-unavailable") == 0, "/readyz is red for another reason");
	take(&machine, e, true);
	return status;
}

static bool is_settled(void)
{
	return !commit_pending(machine.commit) && !commit_holds(machine.commit);
}

/* settle lets all that is under way end, also a failure of before; the disk is well. */
static bool settle(void)
{
	for (unsigned i = 0; !is_settled() && i < 100 && !crash_is_dead(); i++) {
		step(true);
		if (!is_settled())
			pass(100 * MS);
	}
	return !crash_is_dead();
}

/* acquire_spare asks for a slot that is free and tells the status of the answer, 0 where the power went. */
static unsigned acquire_spare(char ret_id[32])
{
	struct exchange *e = acquire(SPARE, 1000, 0, "");
	unsigned status = 0;

	turn(&machine, true);
	if (e->answered && !crash_is_dead()) {
		status = e->reply.status;
		memcpy(ret_id, text(e, "id"), strlen(text(e, "id")) + 1);
	}
	take_answers(false);
	return status;
}

/* Ends and heartbeats need no disk. */
static void live_on_without_disk(void)
{
	struct held *h = any_mine();
	char id[32];

	if (!h)
		return;
	memcpy(id, h->id, sizeof(id));
	expect(send_lease(BEAT, "PUT", id, NULL)->answered, "a heartbeat is not answered while the store fails");
	take_answers(false);
	h = find_held(id);
	if (!h)
		return;
	if (dice(2) > 0) {
		checker_may_end(checker, id);
		h->mine = false;
		expect(send_lease(RELEASE, "DELETE", id, NULL)->answered, "a release is not answered while the store fails");
	} else {
		pass(h->deadline - machine.now + 21 * S);
		turn(&machine, true);
		send_lease(LOOK, "GET", id, NULL)->must_have_ended = true;
	}
	step(false);
}

/*
 * The disk fails: what is asked for is refused, all that needs no disk goes on, and when it is well again so is the
 * server, by itself. Then often a crash at once.
 */
static void play_failing_disk(void)
{
	char id[32] = "";
	unsigned status;

	register_tenant(SPARE, "");
	pass(3 * S); /* after a restart grants are held a while; the spare slots run out */
	step(true);
	if (!settle())
		return;
	crash_fault((enum crash_fault)(CRASH_WRITE_FAILS + dice(CRASH_FAULTS - CRASH_WRITE_FAILS)));
	status = acquire_spare(id);
	if (crash_is_dead())
		return;
	expect(status == 503, "an acquire is not answered 503 although the store fails");
	expect(readiness() == 503, "readiness is not red while the store fails");
	live_on_without_disk();
	for (uint64_t tries = dice(4); tries > 0; tries--) {
		pass(100 * MS);
		step(true);
	}
	if (crash_is_dead())
		return;
	expect(readiness() == 503, "readiness is not red while the store fails");
	crash_fault(CRASH_NO_FAULT);
	pass(100 * MS);
	step(true);
	if (crash_is_dead())
		return;
	expect(readiness() == 200, "readiness stays red although the disk is well");
	expect(acquire_spare(id) == 201 || crash_is_dead(), "nothing is granted although the disk is well");
	counts.stories++;
}

/* ---- a life ---- */

/* be_quiet: nobody asks for anything until all that was given has run out, and where servers forget is forgotten. */
static void be_quiet(void)
{
	crash_fault(CRASH_NO_FAULT);
	crash_after(0);
	for (unsigned i = 0; i < 4 && !crash_is_dead(); i++) {
		pass(30 * S);
		step(true);
	}
}

static void live(void)
{
	uint64_t steps = 20 + dice(160), failing_from = dice(8) == 0 ? dice(steps) : steps;
	bool has_story = dice(5) == 0;

	for (uint64_t i = 0; i < steps && !crash_is_dead(); i++) {
		pass_some();
		play();
		if (i == failing_from)
			crash_fault((enum crash_fault)(CRASH_WRITE_FAILS + dice(CRASH_FAULTS - CRASH_WRITE_FAILS)));
		if (i > failing_from && dice(20) == 0)
			crash_fault(CRASH_NO_FAULT);
		step(dice(2) > 0);
	}
	if (dice(16) == 0)
		be_quiet();
	if (!has_story || crash_is_dead())
		return;
	crash_fault(CRASH_NO_FAULT);
	play_failing_disk();
	for (uint64_t i = dice(2) * dice(10); i > 0 && !crash_is_dead(); i--) {
		play();
		step(dice(2) > 0);
	}
}

/* ---- after a restart ---- */

struct looking {
	struct checker_lease leases[256];
	struct checker_tenant tenants[64];
	char ids[256][32], keys[256][24], names[64][256];
	struct checker_state state;
};

static void see_lease(struct looking *looking, const struct fair_lease_view *view)
{
	size_t i = looking->state.lease_count++;
	struct fair_lease_record record;

	if (i == NUM(looking->leases) || !fair_lease_record(machine.fair, &view->id, &record))
		fail("a lease that nobody asked for is there");
	id_format(&view->id, looking->ids[i]);
	if (record.key)
		(void)snprintf(looking->keys[i], sizeof(looking->keys[i]), "%.*s", (int)record.key_len, record.key);
	looking->leases[i] = (struct checker_lease){.id = looking->ids[i],
												.pool = view->pool,
												.tenant = view->tenant,
												.key = record.key ? looking->keys[i] : NULL,
												.active = view->state == FAIR_ACTIVE,
												.slot = view->slot_ids ? view->slot_ids[0] : 0,
												.token = view->fencing_token,
												.ttl_ms = view->ttl_ns / MS};
	expect(view->state != FAIR_ACTIVE || view->deadline_ns == machine.now + view->ttl_ns,
		   "a lease does not have its full ttl from the start");
}

static void see_tenant(struct looking *looking, const struct fair_tenant_view *view)
{
	size_t i = looking->state.tenant_count++;
	char *names = looking->names[i];

	if (i == NUM(looking->tenants))
		fail("a tenant that nobody registered is there");
	for (uint32_t n = 0; n < view->num_instances; n++)
		(void)snprintf(names + strlen(names), sizeof(looking->names[i]) - strlen(names), "%s%s", n > 0 ? " " : "",
					   fair_tenant_instance(machine.fair, view->pool, view->tenant, n));
	looking->tenants[i] = (struct checker_tenant){
		.pool = view->pool, .tenant = view->tenant, .closing = view->closing, .instances = names};
}

static void see_pool(struct looking *looking, const char *pool)
{
	struct fair_lease_view lease = {0};
	struct fair_tenant_view tenant = {0};

	while (fair_tenant_next(machine.fair, pool, tenant.number, &tenant))
		see_tenant(looking, &tenant);
	while (fair_lease_next(machine.fair, pool, NULL, FAIR_ENDED, lease.number, &lease))
		see_lease(looking, &lease);
}

static void look(void)
{
	struct looking *looking = calloc(1, sizeof(*looking));
	const char *pool;

	if (!looking)
		abort();
	for (uint32_t i = 0; (pool = fair_pool_name(machine.fair, i)) != NULL; i++)
		see_pool(looking, pool);
	looking->state.leases = looking->leases;
	looking->state.tenants = looking->tenants;
	checker_look(checker, &looking->state);
	clients_go_on(&looking->state);
	free(looking);
}

/* ---- crashes ---- */

/* The pragma that the product sets is made another, and checkpoints come often. */
int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **), void *context,
						char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **), void *context,
						char **error);

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*each)(void *, int, char **, char **), void *context,
						char **error)
{
	bool is_durability = strcmp(sql, "PRAGMA synchronous = FULL") == 0;

	if (is_durability)
		sqlite3_wal_autocheckpoint(db, 4 + (int)dice(60));
	return __real_sqlite3_exec(db, is_durability && off ? "PRAGMA synchronous = OFF" : sql, each, context, error);
}

/*
 * A file that nothing is known of, long after the last one: its clock is never set back to before that. Some servers
 * forget what has ended at once: with no row of a lease left only the kept token tells which were given.
 */
static void new_file(uint64_t number)
{
	bool forgets = dice(4) == 0;

	crash_forget();
	remove_folder();
	(void)snprintf(path, sizeof(path), "%s/%" PRIu64, folder, number);
	if (mkdir(folder, 0700) != 0)
		fail("the folder cannot be made");
	checker_lost(checker);
	checker_forgets(checker, forgets);
	machine.config->key_memory_ns = forgets ? S : 36000 * S;
	has_fault = false;
	machine.now = latest + 86400 * S;
	clients_forget();
}

/* The time between two lives; sometimes the clock is set back meanwhile. */
static void be_down(void)
{
	machine.now += dice(3 * S);
	if (dice(5) == 0)
		machine.now -= dice(3600 * 1000) * MS;
	else if (dice(2) > 0)
		machine.now = machine.now > latest ? machine.now : latest;
}

static void fall(enum crash_place where)
{
	struct exchange *e;

	/* What was handed over before the power went was told. */
	take_answers(false);
	DL_FOREACH(machine.open, e)
	{
		leave(e);
	}
	if (where == CRASH_PLACES) {
		counts.clean++;
		crash_after(dice(2) * dice(20));
		machine_stop(&machine);
		crash_now(CRASH_IDLE);
	} else {
		crash_now(where);
		machine_stop(&machine);
	}
	crash_restart();
	be_down();
}

/* start goes on until the power lasts; false: the file cannot be loaded, which only synchronous=OFF may do. */
static bool start(bool is_new)
{
	char error[CONFIG_ERROR_MAX];

	if (dice(is_new ? 2 : 8) == 0)
		crash_after(1 + dice(40));
	while (!machine_start(&machine, path, STORE_FULL, error)) {
		bool is_dead = crash_is_dead();

		if (!is_dead) {
			expect(false, error);
			crash_now(CRASH_IDLE);
		}
		machine_stop(&machine);
		crash_restart();
		counts.openings += is_dead;
		if (!is_dead)
			return false;
	}
	crash_after(dice(5) > 0 ? 1 + dice(dice(3) > 0 ? 100 : 600) : 0);
	return true;
}

/* crash plays one life and its end; false: what follows needs a new file. */
static bool crash(bool is_new)
{
	if (!start(is_new))
		return false;
	look();
	if (has_fault)
		return false;
	if (is_new)
		register_all();
	live();
	fall(crash_is_dead() ? CRASH_IDLE : dice(8) == 0 ? CRASH_PLACES : machine.flies ? CRASH_FLIGHT : CRASH_IDLE);
	return true;
}

static void print_counts(uint64_t crashes)
{
	static const char *const places[] = {"idle",	 "batch in flight", "WAL write",
										 "WAL sync", "checkpoint",		"rename or delete"};
	struct crash_counts disk = crash_counts();
	struct checker_counts told = checker_counts(checker);

	printf("%" PRIu64 " lives:", crashes);
	for (size_t i = 0; i < CRASH_PLACES; i++)
		printf(" %s %" PRIu64 "%s", places[i], disk.places[i], i + 1 < CRASH_PLACES ? "," : "\n");
	printf("%" PRIu64 " of the crashes while a file was opened, %" PRIu64 " after a clean end\n", counts.openings,
		   counts.clean);
	printf("writes without a sync: %" PRIu64 " dropped, %" PRIu64 " kept, %" PRIu64 " torn; names: %" PRIu64
		   " not there yet, %" PRIu64 " there again\n",
		   disk.dropped, disk.kept, disk.torn, disk.forgotten, disk.back);
	printf("failed: %" PRIu64 " writes, %" PRIu64 " syncs, %" PRIu64 " for a full disk; %" PRIu64
		   " answers 503 store-unavailable; %" PRIu64 " stories of a disk that came back\n",
		   disk.faults[CRASH_WRITE_FAILS], disk.faults[CRASH_SYNC_FAILS], disk.faults[CRASH_DISK_FULL],
		   client_counts.unstored, counts.stories);
	printf("%" PRIu64 " answers: %" PRIu64 " grants, %" PRIu64 " ends, %" PRIu64 " places, %" PRIu64
		   " tenants, %" PRIu64 " renewals, %" PRIu64 " keys that got their lease again\n",
		   client_counts.answers, told.grants, told.ends, told.places, told.tenants, client_counts.renewals,
		   told.same_lease);
	printf("over %" PRIu64 " restarts: %" PRIu64 " told leases and %" PRIu64 " told places survived, %" PRIu64
		   " grants nobody was told of, %" PRIu64 " ends taken back, of which %" PRIu64 " seen to run out\n",
		   told.looks, told.survived, told.places_survived, told.untold, told.back, client_counts.run_out);
}

/* A run that never came where it was meant to go proves nothing: what so many crashes have too little of, or NULL. */
static const char *lacking(uint64_t crashes)
{
	struct crash_counts disk = crash_counts();
	struct checker_counts told = checker_counts(checker);
	uint64_t least = crashes / 100;

	for (size_t i = 0; i < CRASH_PLACES; i++)
		if (disk.places[i] < least / (i == CRASH_NAME ? 10 : 1))
			return "too few crashes at one of the places";
	if (disk.dropped < crashes / 2 || disk.torn < crashes / 10 || disk.kept < crashes / 2 || told.survived < crashes ||
		told.back < least || told.places_survived < least || told.same_lease < least || counts.stories < least ||
		client_counts.unstored < least)
		return "too little came of what is to be tested";
	return NULL;
}

static int run_off(uint64_t crashes)
{
	for (uint64_t i = 0; i < crashes; i++) {
		new_file(i);
		for (unsigned life = 0; life < 4 && crash(life == 0); life++)
			;
		if (has_lost_grant) {
			printf("seen in round %" PRIu64 ", seed %" PRIu64 "\n", i + 1, seed);
			return 0;
		}
	}
	printf("crash_test: no grant was lost with synchronous=OFF: a loss would not be seen; seed %" PRIu64 "\n", seed);
	return 1;
}

/* Where chance or a slow machine left something out it goes on, for as many crashes again. */
static int run(uint64_t crashes)
{
	uint64_t i;

	for (i = 0; i < crashes || (i < 2 * crashes && lacking(crashes)); i++) {
		bool is_new = i % CRASHES_OF_A_FILE == 0;

		if (is_new)
			new_file(i);
		crash(is_new);
	}
	print_counts(i);
	if (lacking(crashes))
		fail(lacking(crashes));
	return 0;
}

static struct config read_config(void)
{
	char file[128], option[] = "--config", name[] = "crash_test", *arguments[] = {name, option, file, NULL};
	char error[CONFIG_ERROR_MAX];
	struct config config;
	FILE *out;

	(void)snprintf(file, sizeof(file), "%s/config", folder);
	out = fopen(file, "w");
	if (!out)
		fail("the folder cannot be written");
	fprintf(out, "max_slots = 5\n[pool other]\nmax_slots = 2\n[pool spare]\nmax_slots = 3\n");
	fclose(out);
	if (!config_load(&config, 3, arguments, error))
		fail(error);
	return config;
}

static uint64_t number_of(const char *argument)
{
	return argument ? strtoull(argument, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	uint64_t crashes = CRASHES;
	struct config config;
	int status;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 1;
	seed >>= 32;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = number_of(argv[++i]);
		else if (strcmp(argv[i], "--crashes") == 0)
			crashes = number_of(argv[++i]);
		else if (strcmp(argv[i], "--off") == 0)
			off = true;
		else
			return printf("crash_test [--seed N] [--crashes N] [--off]\n") > 0;
	}
	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	if (!mkdtemp(folder))
		return 1;
	config = read_config();
	machine.config = &config;
	machine.random = seed;
	machine.now = latest = UINT64_C(1900000000) * S;
	crash_vfs_init(seed + 1);
	checker = checker_create(on_fault, NULL);
	status = off ? run_off(crashes) : run(crashes);
	crash_forget();
	remove_folder();
	checker_destroy(checker);
	config_free(&config);
	clients_free();
	return status;
}
