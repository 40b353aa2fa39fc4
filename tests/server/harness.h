/* SPDX-License-Identifier: MIT */
/*
 * The real binary under test: started on a free port in a folder of its own, spoken to by raw sockets (struct conn)
 * and by libcurl (call), stopped by signals. Whatever these functions hand out belongs to the harness, which frees it
 * when the test ends (harness_fini); a server that a failing test leaves behind dies with the test's process. Every
 * wait has an end; when it passes in vain the test fails and the server's own words are shown.
 */
#ifndef FAIRSHARED_TESTS_SERVER_HARNESS_H
#define FAIRSHARED_TESTS_SERVER_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PATIENCE_MS 20000 /* how long anything that must happen may take */
#define MORE_TIME 120	  /* seconds, for Criterion's own timeout of a test */

struct server;
struct conn;

struct reply {
	unsigned status;
	char *head; /* status line and headers */
	char *body; /* followed by a NUL */
	size_t body_len;
	json_t *json; /* of the body, or NULL */
};

/* harness_fini ends servers, connections and memory: the .fini of every suite. */
void harness_fini(void);

uint64_t now_ms(void);
/* pause_until lets time itself pass, where time is what the test is about. */
void pause_until(uint64_t ms);

/* ---- processes ---- */

/* server_start adds --listen 127.0.0.1:0, --auto-register and, unless given, --drain-timeout 0s. Ends with NULL. */
struct server *server_start(const char *flag, ...) __attribute__((sentinel));
/* server_start_in also sets variables, NAME=VALUE, or takes them away, NAME. */
struct server *server_start_in(const char *const *environment, const char *flag, ...) __attribute__((sentinel));
/* hand_over gives the descriptor (which stays the caller's) to every process started from now on, as systemd does. */
void hand_over(int fd);
unsigned server_port(const struct server *server);
/* server_says waits until the server has written a line with these words. */
void server_says(struct server *server, const char *words);
/* server_has_said looks at what it has said so far. */
bool server_has_said(struct server *server, const char *words);
void server_signal(const struct server *server, int signal);
/* server_kill is SIGKILL; it returns when the process is gone. */
void server_kill(struct server *server);
/* server_leaves waits for the process and returns its exit status. */
int server_leaves(struct server *server);
/* server_stop is SIGTERM, and the status must be 0. */
void server_stop(struct server *server);

/* run_once runs the server with these arguments alone and returns its exit status; *ret_words is what it said. */
int run_once(const char *const *arguments, const char *const *environment, const char **ret_words);
/* temp_dir makes a folder, temp_file a file in it; both are gone when the test ends. */
const char *temp_dir(void);
const char *temp_file(const char *dir, const char *name, const char *text);
/* small_disk is a folder on a disk of its own that only this test and what it starts can see. Before the first server.
 */
const char *small_disk(size_t bytes);
/* spawn starts any program; it is killed when the test ends. */
pid_t spawn(const char *const *arguments);
unsigned free_port(void);

/* ---- raw sockets ---- */

struct conn *conn_open(unsigned port);
/* conn_open_small has little room to receive, so that a long reply stays with the server until it is read. */
struct conn *conn_open_small(unsigned port);
struct conn *conn_open_local(const char *path);
void conn_send(struct conn *conn, const void *bytes, size_t size);
void conn_say(struct conn *conn, const char *text);
/* conn_try_say is for a peer that may have left: false when it has. */
bool conn_try_say(struct conn *conn, const char *text);
/* conn_ask sends a request; body and key may be NULL. */
void conn_ask(struct conn *conn, const char *method, const char *target, const char *body, const char *key);
/* conn_acquire asks for a slot for an hour; more is "" or further members such as ",\"wait_seconds\":1". */
void conn_acquire(struct conn *conn, const char *tenant, const char *more, const char *key);
struct reply *conn_reply(struct conn *conn);
/* conn_maybe_reply is NULL when the peer closed instead. */
struct reply *conn_maybe_reply(struct conn *conn);
/* conn_read_all reads until the peer closes; conn_maybe_reply then gives out what came. */
void conn_read_all(struct conn *conn);
/* conn_readable tells whether something (an end, too) is there within the time. */
bool conn_readable(struct conn *conn, int timeout_ms);
int conn_fd(const struct conn *conn);
/* conn_ends fails the test unless the peer closes, after nothing more or whatever was left. */
void conn_ends(struct conn *conn);
void conn_close(struct conn *conn);
void conn_reset(struct conn *conn);
void conn_half_close(struct conn *conn);
/* conn_call is conn_ask and conn_reply. */
struct reply *conn_call(struct conn *conn, const char *method, const char *target, const char *body, const char *key);

/* ---- libcurl ---- */

struct reply *call(struct server *server, const char *method, const char *target, const char *body, const char *key);
struct reply *acquire(struct server *server, const char *tenant, const char *more, const char *key);
struct reply *heartbeat(struct server *server, const char *id);
struct reply *release(struct server *server, const char *id);
/* must_acquire and must_release fail the test unless it was 201 or 204. */
const char *must_acquire(struct server *server, const char *tenant, const char *more, const char *key);
void must_release(struct server *server, const char *id);
double stat_of(struct server *server, const char *name);
/* wait_stat asks /stats until the number is there. */
void wait_stat(struct server *server, const char *name, double value);

/* ---- replies ---- */

const char *reply_header(const struct reply *reply, const char *name); /* NULL when it is not there */
const char *text_of(const struct reply *reply, const char *name);	   /* "" when it is not there */
double number_of(const struct reply *reply, const char *name);		   /* -1 when it is not there */
const char *lease_path(const char *id, const char *query);
/* granted fails the test unless the reply is a lease, and returns its id. */
const char *granted(const struct reply *reply);
/* refused fails the test unless the reply is the problem of this status and code, with all that belongs to one. */
void refused(const struct reply *reply, unsigned status, const char *code);

const char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_repeat(char c, size_t count);

#endif
