/* SPDX-License-Identifier: MIT */
/* What the files of the command `fairshare` share. Knows libfairshare-client and openapi.yaml, nothing of the server.
 */
#ifndef FAIRSHARE_CLI_H
#define FAIRSHARE_CLI_H

#include <fairshare/client.h>

#include <argp.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* What the command exits with besides 0 and the code of the command it ran; 126 and 127 as timeout(1). */
enum {
	CODE_LOST = 123,
	CODE_NO_SLOT = 124,
	CODE_FAILED = 125,
	CODE_CANNOT_RUN = 126,
	CODE_NOT_FOUND = 127,
	CODE_SIGNAL = 128, /* and the signal's number */
};

#define REQUEST_SECONDS 10.0 /* that a request may take which does not wait */

/* --- verbs: each parses its own arguments, argv[0] is "fairshare VERB" ---------------------------------------------
 */

int verb_run(int argc, char **argv);
int verb_acquire(int argc, char **argv);
int verb_renew(int argc, char **argv);
int verb_release(int argc, char **argv);
int verb_register(int argc, char **argv);
int verb_unregister(int argc, char **argv);
int verb_tenants(int argc, char **argv);
int verb_leases(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_pools(int argc, char **argv);
int verb_resize(int argc, char **argv);
int verb_drain(int argc, char **argv);
int verb_cordon(int argc, char **argv);
int verb_revoke(int argc, char **argv);
int verb_clear(int argc, char **argv);
int verb_top(int argc, char **argv);

/* --- arguments ---------------------------------------------------------------------------------------------------- */

/* What several verbs are told. */
struct common {
	const struct argp_child *children; /* of the verb's argp, which fill in the rest */
	const char *url;				   /* NULL: the environment's */
	const char *tenant;				   /* NULL: the environment's; lists: of all */
	const char *pool;				   /* NULL: the environment's; lists: of all */
	bool json;
};

/* What a verb takes besides its own options, as children of its argp; all have struct common as input. */
extern const struct argp url_argp;
extern const struct argp pool_argp;
extern const struct argp tenant_argp;
extern const struct argp json_argp;

/* common_begin hands `common` to all its children; called by each parser at ARGP_KEY_INIT. */
void common_begin(struct argp_state *state, struct common *common);

/* parse_seconds reads "30", "0.5", "250ms", "1m30s", "2h" as the server does, or ends with what is wrong. */
double parse_seconds(const char *text, const struct argp_state *state, const char *option);

/* parse_number reads a whole number of least..most, or ends with what is wrong. */
long parse_number(const char *text, long least, long most, const struct argp_state *state, const char *option);

/* parse_lease_state reads active or pending, or ends with what is wrong; it returns the text itself. */
const char *parse_lease_state(const char *text, const struct argp_state *state);

/* --- speaking to the server --------------------------------------------------------------------------------------- */

/* client_open opens a client, or tells why not and answers NULL. */
struct fairshare_client *client_open(const struct common *common);

/* Fills options with what all clients of the command have in common. */
void client_options(struct fairshare_options *options, const struct common *common);

/* ask sends one request; *ret_json is its answer's JSON, the caller's, NULL where it has none. Tells what failed. */
FAIRSHARE_MUST_CHECK bool ask(struct fairshare_client *client, const char *method, const char *path, const char *body,
							  json_t **ret_json);

/* send_and_show sends one request, shows its answer as the server gave it, frees path and body, closes the client, and
 * answers what to exit with. */
int send_and_show(struct fairshare_client *client, const char *method, char *path, char *body);

/* dump takes the JSON and answers its text, to be freed. Ends the process without memory. */
char *dump(json_t *json);

/* path_add appends ?name=value or &name=value, escaped; nothing where value is NULL. Ends the process without memory.
 */
void path_add(char **path, const char *name, const char *value);

/* path_make makes "prefix" + escaped name. */
char *path_make(const char *prefix, const char *name);

/* ask_pages follows next_cursor and answers all items as one page, or NULL after it told what failed. */
json_t *ask_pages(struct fairshare_client *client, const char *path);

/* --- telling ------------------------------------------------------------------------------------------------------ */

/* complain writes "fairshare: …" and a line break to standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* complain_of writes what the library or the server said, with its code in brackets. */
void complain_of(const struct fairshare_error *error);

/* no_memory ends the process. */
_Noreturn void no_memory(void);

/* print_json writes one line of JSON. */
void print_json(const json_t *json);

/* colours tells whether what is written to `file` may be coloured: a terminal, and no NO_COLOR. */
bool colours(FILE *file);

/* duration_text writes seconds as people read them: 0.4s, 12s, 3m05s, 2h10m. */
#define DURATION_TEXT 32
void duration_text(double seconds, char text[DURATION_TEXT]);

/* A column of a table, of a member of the rows. */
struct column {
	const char *title;
	const char *member;
	enum { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_SECONDS, COLUMN_AGE } kind; /* of AGE the member is an instant */
};

/* table_print writes an array of objects as a table; columns that no row has a value for are left out. */
void table_print(const json_t *rows, const struct column *columns, size_t count);

/* shell_quote writes text so that sh(1) reads it as one word. */
void shell_quote(FILE *file, const char *text);

/* --- taking a slot ------------------------------------------------------------------------------------------------ */

/* What `run` and `acquire` are told about the slot they want; its argp has struct wanted as input. */
struct wanted {
	struct common common;
	double timeout_seconds; /* FAIRSHARE_FOREVER, 0: try once */
	double ttl_seconds;		/* 0: the pool's */
	uint32_t slots;			/* 0: one */
	int32_t priority;
	double max_lease_seconds; /* 0: the pool's */
	const char *label;		  /* NULL: host:pid */
	int no_slot_code;
	bool register_tenant;
};

extern const struct argp wanted_argp;
void wanted_init(struct wanted *wanted);

/* What was taken, and by whom. */
struct taken {
	struct fairshare_client *client;
	struct fairshare_lease *lease;
	int signal;	   /* that came while it was granted, 0: none; the lease is to be given back */
	sigset_t mask; /* as it was before; all that watch_child() reads are blocked since */
};

/* Who is told of the lease from the library's thread; functions may be NULL. */
struct listener {
	fairshare_lost_fn *lost;
	fairshare_reclaim_fn *reclaim;
	void *data;
};

/*
 * take waits in line, shows the place on a terminal, and leaves the line on HUP, INT, QUIT and TERM. Answers 0, or what
 * to exit with after it told why.
 */
FAIRSHARE_MUST_CHECK int take(const struct wanted *wanted, const struct listener *listener, struct taken *ret_taken);

/* give_back releases and closes, within 2 s; tells what went wrong. */
enum fairshare_err give_back(struct taken *taken);

/* lease_variables answers the lease as FAIRSHARE_… strings "NAME=value", and ends with NULL; for variables_free(). */
char **lease_variables(const struct taken *taken);
void variables_free(char **variables);

/* --- running a command -------------------------------------------------------------------------------------------- */

enum on_lost { ON_LOST_TERM, ON_LOST_KILL, ON_LOST_IGNORE };

struct child {
	pid_t pid;
	bool leads_group; /* signals go to all of its group */
	sigset_t missed;  /* that came before it was there, also from the terminal */
};

/* inherited_note notes which descriptors were handed to us; called before any is opened. */
void inherited_note(void);

/*
 * child_start runs argv with the process's environment and `variables`, under the signal mask `mask`. Answers 0, or 125
 * after it told why. A child that cannot run the command tells so itself, and ends with 126 or 127. It gets
 * death_signal (0: none) when this process dies.
 */
FAIRSHARE_MUST_CHECK int child_start(struct child *ret_child, char *const *argv, char *const *variables,
									 const sigset_t *mask, int death_signal);
void child_signal(const struct child *child, int signal);

/* child_gone tells whether nothing is left of a child that leads a group and was waited for. */
bool child_gone(const struct child *child);

/* Looks after a child until it ends. */
struct watch {
	struct child child;
	const struct fairshare_lease *lease;
	enum on_lost on_lost;
	double kill_after_seconds;
	int on_reclaim; /* the signal that the command gets when the lease is asked back; 0: none */
	int news_fd;	/* becomes readable when the lease is lost or asked back */
};

/* watched_signals_block blocks the signals that watch_child() reads. */
void watched_signals_block(void);

/* watch_child forwards signals, ends the child when its lease is lost, and answers what to exit with. */
int watch_child(struct watch *watch);

#endif
