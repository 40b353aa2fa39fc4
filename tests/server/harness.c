/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32
#define HANDED_FIRST 3 /* of the descriptors that systemd hands over */
#define HANDED_MAX 4
#define POLL_MS 2 /* between two looks at a condition that cannot wake us */

/* ---- what the harness owns ---- */

struct owned {
	struct owned *next;
	void *thing;
	void (*end)(void *thing);
};

static struct owned *all_owned;

static void *own(void *thing, void (*end)(void *thing))
{
	struct owned *owned = malloc(sizeof(*owned));

	cr_assert(owned && thing, "out of memory");
	*owned = (struct owned){all_owned, thing, end};
	all_owned = owned;
	return thing;
}

void harness_fini(void)
{
	while (all_owned) {
		struct owned *owned = all_owned;

		all_owned = owned->next;
		owned->end(owned->thing);
		free(owned);
	}
}

static void *make(size_t size, void (*end)(void *thing))
{
	return own(calloc(1, size), end);
}

const char *text_format(const char *format, ...)
{
	va_list arguments;
	char *text;
	int size;

	va_start(arguments, format);
	size = vasprintf(&text, format, arguments);
	va_end(arguments);
	cr_assert(size >= 0, "out of memory");
	return own(text, free);
}

char *text_repeat(char c, size_t count)
{
	char *text = make(count + 1, free);

	memset(text, c, count);
	return text;
}

/* ---- time ---- */

uint64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

void pause_until(uint64_t ms)
{
	uint64_t now;

	while ((now = now_ms()) < ms)
		poll(NULL, 0, (int)(ms - now));
}

static int left_until(uint64_t end)
{
	uint64_t now = now_ms();

	return now >= end ? 0 : (int)(end - now);
}

/* ---- folders and files ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void remove_tree(void *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

const char *temp_dir(void)
{
	char *dir = strdup("/tmp/fairshared-test-XXXXXX");

	cr_assert(dir && mkdtemp(dir), "no temporary folder: %s", strerror(errno));
	return own(dir, remove_tree);
}

const char *temp_file(const char *dir, const char *name, const char *text)
{
	const char *path = text_format("%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	cr_assert(file, "%s: %s", path, strerror(errno));
	cr_assert(fputs(text, file) >= 0 && fclose(file) == 0, "%s cannot be written", path);
	return path;
}

static void disk_end(void *path)
{
	umount2(path, MNT_DETACH);
	free(path);
}

const char *small_disk(size_t bytes)
{
	const char *dir = temp_dir();

	cr_assert(unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0,
			  "mounting needs root or user namespaces: %s", strerror(errno));
	cr_assert(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "no mounts of our own: %s", strerror(errno));
	cr_assert(mount("tmpfs", dir, "tmpfs", 0, text_format("size=%zu", bytes)) == 0, "cannot mount a tmpfs: %s",
			  strerror(errno));
	own(strdup(dir), disk_end);
	return dir;
}

/* ---- processes ---- */

struct server {
	pid_t pid; /* 0 once it has been waited for */
	int pidfd;
	unsigned port;
	const char *local; /* the local socket that it listens on, or NULL */
	const char *dir;
	CURL *curl;
	int words_fd; /* its standard error, and what came from there: */
	pthread_t reader;
	bool reading;
	pthread_mutex_t lock;
	pthread_cond_t more;
	char *words;
	size_t words_len;
	bool words_end;
};

/* The reader takes what the server says all the time, so that the server never waits for us to read. */
static void *read_words(void *context)
{
	struct server *server = context;
	char piece[4096];
	ssize_t size;

	while ((size = read(server->words_fd, piece, sizeof(piece))) > 0) {
		pthread_mutex_lock(&server->lock);
		server->words = realloc(server->words, server->words_len + (size_t)size + 1);
		if (!server->words)
			abort();
		memcpy(server->words + server->words_len, piece, (size_t)size);
		server->words_len += (size_t)size;
		server->words[server->words_len] = '\0';
		pthread_cond_signal(&server->more);
		pthread_mutex_unlock(&server->lock);
	}
	pthread_mutex_lock(&server->lock);
	server->words_end = true;
	pthread_cond_signal(&server->more);
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

static void server_end(void *context)
{
	struct server *server = context;

	if (server->pid > 0) {
		kill(server->pid, SIGKILL);
		waitpid(server->pid, NULL, 0);
	}
	if (server->reading)
		pthread_join(server->reader, NULL);
	if (server->words && (strstr(server->words, "Sanitizer") || strstr(server->words, "runtime error:")))
		fprintf(stderr, "%s\n", server->words);
	if (server->curl)
		curl_easy_cleanup(server->curl);
	if (server->pidfd >= 0)
		close(server->pidfd);
	if (server->words_fd >= 0)
		close(server->words_fd);
	pthread_mutex_destroy(&server->lock);
	pthread_cond_destroy(&server->more);
	free(server->words);
	free(server);
}

static int handed[HANDED_MAX];
static size_t handed_count;

void hand_over(int fd)
{
	cr_assert(handed_count < HANDED_MAX, "too many descriptors");
	handed[handed_count] = fcntl(fd, F_DUPFD_CLOEXEC, HANDED_FIRST + HANDED_MAX);
	cr_assert(handed[handed_count++] >= 0, "fcntl: %s", strerror(errno));
}

/* take_handed is how systemd does it, in the process to be; false when it fails. */
static bool take_handed(void)
{
	char number[16];

	for (size_t i = 0; i < handed_count; i++)
		if (dup2(handed[i], HANDED_FIRST + (int)i) < 0)
			return false;
	snprintf(number, sizeof(number), "%zu", handed_count);
	if (handed_count > 0 && setenv("LISTEN_FDS", number, 1) != 0)
		return false;
	snprintf(number, sizeof(number), "%d", getpid());
	return handed_count == 0 || setenv("LISTEN_PID", number, 1) == 0;
}

/* start_process runs a program in the folder; its standard output and error go to `out`, or stay ours with -1. */
static pid_t start_process(const char *const *arguments, const char *const *environment, const char *dir, int out)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;

	cr_assert(pid >= 0, "fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (out >= 0 && (dup2(out, STDERR_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0))
		_exit(126);
	if ((dir && chdir(dir) != 0) || !take_handed())
		_exit(126);
	/* The state that a server keeps when it is not told where. */
	if (dir && setenv("XDG_STATE_HOME", dir, 1) != 0)
		_exit(126);
	for (size_t i = 0; environment && environment[i]; i++)
		putenv((char *)(uintptr_t)environment[i]);
	execv(arguments[0], (char *const *)(uintptr_t)arguments);
	_exit(127);
}

static const char *say(struct server *server)
{
	const char *words;

	pthread_mutex_lock(&server->lock);
	words = text_format("%s", server->words ? server->words : "(nothing)");
	pthread_mutex_unlock(&server->lock);
	return words;
}

/* wait_words waits for the text and returns what follows it; NULL when the server ended or time is over. */
static const char *wait_words(struct server *server, const char *text)
{
	struct timespec end;
	const char *found = NULL;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&server->lock);
	while (true) {
		const char *line = server->words ? strstr(server->words, text) : NULL;

		if (line && strchr(line, '\n'))
			found = text_format("%s", line + strlen(text));
		if (found || server->words_end || pthread_cond_timedwait(&server->more, &server->lock, &end) != 0)
			break;
	}
	pthread_mutex_unlock(&server->lock);
	return found;
}

/* server_launch: LAUNCHER of our environment is a program that starts the server in surroundings of its own. */
static struct server *server_launch(const char *const *arguments, const char *const *environment)
{
	const char *all[ARGUMENTS_MAX + 1] = {getenv("LAUNCHER")}, *dir = temp_dir();
	struct server *server = make(sizeof(*server), server_end);
	int ends[2];

	server->pidfd = server->words_fd = -1;
	server->dir = dir;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->more, NULL);
	for (size_t i = 0, first = all[0] ? 1 : 0; arguments[i]; i++)
		all[first + i] = arguments[i];
	cr_assert(pipe2(ends, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	server->words_fd = ends[0];
	server->pid = start_process(all, environment, server->dir, ends[1]);
	close(ends[1]);
	server->pidfd = (int)syscall(SYS_pidfd_open, server->pid, 0);
	cr_assert(server->pidfd >= 0, "pidfd_open: %s", strerror(errno));
	cr_assert(pthread_create(&server->reader, NULL, read_words, server) == 0, "no thread");
	server->reading = true;
	return server;
}

static struct server *start_with(const char *const *environment, const char *flag, va_list flags)
{
	const char *arguments[ARGUMENTS_MAX] = {FAIRSHARED, "--listen", "127.0.0.1:0", "--auto-register"};
	const char *where;
	struct server *server;
	bool drains = false;
	size_t count = 4;

	for (; flag; flag = va_arg(flags, const char *)) {
		cr_assert(count + 3 < ARGUMENTS_MAX, "too many flags");
		drains = drains || !strcmp(flag, "--drain-timeout");
		arguments[count++] = flag;
	}
	if (!drains) {
		arguments[count++] = "--drain-timeout";
		arguments[count++] = "0s";
	}
	server = server_launch(arguments, environment);
	where = wait_words(server, "listening on ");
	cr_assert(where, "the server did not start: %s", say(server));
	if (strncmp(where, "unix:", 5) == 0)
		server->local = text_format("%.*s", (int)strcspn(where + 5, "\n"), where + 5);
	else
		cr_assert(sscanf(where, "http://127.0.0.1:%u", &server->port) == 1, "it listens elsewhere: %s", where);
	return server;
}

struct server *server_start(const char *flag, ...)
{
	struct server *server;
	va_list flags;

	va_start(flags, flag);
	server = start_with(NULL, flag, flags);
	va_end(flags);
	return server;
}

struct server *server_start_in(const char *const *environment, const char *flag, ...)
{
	struct server *server;
	va_list flags;

	va_start(flags, flag);
	server = start_with(environment, flag, flags);
	va_end(flags);
	return server;
}

unsigned server_port(const struct server *server)
{
	return server->port;
}

void server_says(struct server *server, const char *words)
{
	cr_assert(wait_words(server, words), "the server does not say '%s': %s", words, say(server));
}

bool server_has_said(struct server *server, const char *words)
{
	return strstr(say(server), words) != NULL;
}

void server_signal(const struct server *server, int signal)
{
	cr_assert(kill(server->pid, signal) == 0, "kill: %s", strerror(errno));
}

/* wait_end waits until the process is gone, with all that it said. */
static int wait_end(struct server *server)
{
	struct pollfd poll_fd = {.fd = server->pidfd, .events = POLLIN};
	int status;

	cr_assert(poll(&poll_fd, 1, PATIENCE_MS) == 1, "the server does not leave; it said: %s", say(server));
	cr_assert(waitpid(server->pid, &status, 0) == server->pid, "waitpid: %s", strerror(errno));
	server->pid = 0;
	pthread_join(server->reader, NULL);
	server->reading = false;
	return status;
}

void server_kill(struct server *server)
{
	int status;

	server_signal(server, SIGKILL);
	status = wait_end(server);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended before it was killed: %s", say(server));
}

int server_leaves(struct server *server)
{
	int status = wait_end(server);

	cr_assert(WIFEXITED(status), "the server died of signal %d; it said: %s", WTERMSIG(status), say(server));
	return WEXITSTATUS(status);
}

void server_stop(struct server *server)
{
	int status;

	server_signal(server, SIGTERM);
	status = server_leaves(server);
	cr_assert(status == 0, "the server left with %d; it said: %s", status, say(server));
}

int run_once(const char *const *arguments, const char *const *environment, const char **ret_words)
{
	const char *all[ARGUMENTS_MAX] = {FAIRSHARED};
	struct server *server;
	int status;

	for (size_t i = 0; arguments[i]; i++) {
		cr_assert(i + 2 < ARGUMENTS_MAX, "too many arguments");
		all[i + 1] = arguments[i];
	}
	server = server_launch(all, environment);
	status = server_leaves(server);
	*ret_words = say(server);
	return status;
}

static void spawned_end(void *context)
{
	pid_t *pid = context;

	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	free(pid);
}

pid_t spawn(const char *const *arguments)
{
	pid_t *pid = malloc(sizeof(*pid));

	cr_assert(pid, "out of memory");
	*pid = start_process(arguments, NULL, NULL, -1);
	own(pid, spawned_end);
	return *pid;
}

/* ---- raw sockets ---- */

struct conn {
	int fd;
	bool head;	 /* the reply to come has no body */
	char *bytes; /* received, and in no reply yet */
	size_t len, room;
};

static void conn_end(void *context)
{
	struct conn *conn = context;

	if (conn->fd >= 0)
		close(conn->fd);
	free(conn->bytes);
	free(conn);
}

static struct sockaddr_in loopback(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static struct conn *open_with(unsigned port, int window)
{
	struct conn *conn = make(sizeof(*conn), conn_end);
	struct sockaddr_in address = loopback(port);
	int on = 1;

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(conn->fd >= 0, "socket: %s", strerror(errno));
	if (window > 0)
		setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
	cr_assert(connect(conn->fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect: %s", strerror(errno));
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	cr_assert(fcntl(conn->fd, F_SETFL, O_NONBLOCK) == 0, "fcntl: %s", strerror(errno));
	return conn;
}

struct conn *conn_open(unsigned port)
{
	return open_with(port, 0);
}

struct conn *conn_open_small(unsigned port)
{
	return open_with(port, 2048);
}

struct conn *conn_open_local(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct conn *conn = make(sizeof(*conn), conn_end);

	cr_assert(strlen(path) < sizeof(address.sun_path), "%s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	conn->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(conn->fd >= 0 && connect(conn->fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%s: %s", path,
			  strerror(errno));
	return conn;
}

unsigned free_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
				  getsockname(fd, (struct sockaddr *)&address, &size) == 0,
			  "no free port: %s", strerror(errno));
	close(fd);
	return ntohs(address.sin_port);
}

static bool try_send(struct conn *conn, const char *bytes, size_t size)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (size > 0) {
		struct pollfd poll_fd = {.fd = conn->fd, .events = POLLOUT};
		ssize_t sent = send(conn->fd, bytes, size, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (sent < 0)
			cr_assert(poll(&poll_fd, 1, left_until(end)) == 1, "the server takes no more bytes");
		else {
			bytes += sent;
			size -= (size_t)sent;
		}
	}
	return true;
}

void conn_send(struct conn *conn, const void *bytes, size_t size)
{
	cr_assert(try_send(conn, bytes, size), "send: %s", strerror(errno));
}

void conn_say(struct conn *conn, const char *text)
{
	conn_send(conn, text, strlen(text));
}

bool conn_try_say(struct conn *conn, const char *text)
{
	return try_send(conn, text, strlen(text));
}

void conn_ask(struct conn *conn, const char *method, const char *target, const char *body, const char *key)
{
	const char *key_line = key ? text_format("Idempotency-Key: %s\r\n", key) : "";
	const char *length = body ? text_format("Content-Length: %zu\r\n", strlen(body)) : "";

	conn->head = !strcmp(method, "HEAD");
	conn_say(conn, text_format("%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s", method, target, key_line, length,
							   body ? body : ""));
}

static const char *acquire_body(const char *tenant, const char *more)
{
	return text_format("{\"tenant_id\":\"%s\",\"ttl_seconds\":3600%s}", tenant, more);
}

void conn_acquire(struct conn *conn, const char *tenant, const char *more, const char *key)
{
	conn_ask(conn, "POST", "/leases", acquire_body(tenant, more), key);
}

bool conn_readable(struct conn *conn, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = conn->fd, .events = POLLIN};

	return conn->len > 0 || poll(&poll_fd, 1, timeout_ms) == 1;
}

int conn_fd(const struct conn *conn)
{
	return conn->fd;
}

/* receive reads once; 0 at the end of the stream, also when it was reset. */
static size_t receive(struct conn *conn, uint64_t end)
{
	struct pollfd poll_fd = {.fd = conn->fd, .events = POLLIN};
	ssize_t size;

	if (conn->room < conn->len + 65536) {
		conn->room = conn->len + 131072;
		conn->bytes = realloc(conn->bytes, conn->room);
		cr_assert(conn->bytes, "out of memory");
	}
	do {
		int ready = poll(&poll_fd, 1, left_until(end));

		cr_assert(ready == 1 || (ready < 0 && errno == EINTR), "no reply from the server in time; so far: '%.*s'",
				  (int)conn->len, conn->bytes);
		size = recv(conn->fd, conn->bytes + conn->len, conn->room - conn->len - 1, 0);
	} while (size < 0 && (errno == EAGAIN || errno == EINTR));
	if (size <= 0)
		return 0;
	conn->len += (size_t)size;
	conn->bytes[conn->len] = '\0';
	return (size_t)size;
}

static void reply_end(void *context)
{
	struct reply *reply = context;

	free(reply->head);
	free(reply->body);
	json_decref(reply->json);
	free(reply);
}

const char *reply_header(const struct reply *reply, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = reply->head; (line = strstr(line, "\r\n")) != NULL;) {
		line += 2;
		if (!strncasecmp(line, name, size) && line[size] == ':') {
			line += size + 1;
			line += strspn(line, " ");
			return text_format("%.*s", (int)strcspn(line, "\r"), line);
		}
	}
	return NULL;
}

/* reply_cut makes a reply of the first `head` bytes and a body of `body` bytes after them. */
static struct reply *reply_cut(const char *bytes, size_t head, size_t body)
{
	struct reply *reply = make(sizeof(*reply), reply_end);

	reply->head = strndup(bytes, head);
	reply->body = malloc(body + 1);
	cr_assert(reply->head && reply->body, "out of memory");
	memcpy(reply->body, bytes + head, body);
	reply->body[body] = '\0';
	reply->body_len = body;
	cr_assert(sscanf(reply->head, "HTTP/1.%*d %u", &reply->status) == 1, "no status line: '%s'", reply->head);
	if (body > 0)
		reply->json = json_loadb(reply->body, body, JSON_REJECT_DUPLICATES, NULL);
	return reply;
}

static size_t body_length(const char *bytes, size_t head)
{
	char *copy = strndup(bytes, head), *found;
	size_t length = 0;

	cr_assert(copy, "out of memory");
	found = strcasestr(copy, "\r\nContent-Length:");
	if (found)
		length = (size_t)strtoull(found + 17, NULL, 10);
	free(copy);
	return length;
}

/* reply_there takes a whole reply out of the bytes received; NULL while it is not complete. */
static struct reply *reply_there(struct conn *conn)
{
	const char *end = conn->len > 0 ? memmem(conn->bytes, conn->len, "\r\n\r\n", 4) : NULL;
	size_t head, body;
	struct reply *reply;

	if (!end)
		return NULL;
	head = (size_t)(end - conn->bytes) + 4;
	body = conn->head ? 0 : body_length(conn->bytes, head);
	if (conn->len < head + body)
		return NULL;
	reply = reply_cut(conn->bytes, head, body);
	conn->head = false;
	conn->len -= head + body;
	memmove(conn->bytes, conn->bytes + head + body, conn->len);
	return reply;
}

struct reply *conn_maybe_reply(struct conn *conn)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	struct reply *reply;

	while ((reply = reply_there(conn)) == NULL)
		if (receive(conn, end) == 0) {
			cr_assert(conn->len == 0, "the connection ended within a reply: '%.*s'", (int)conn->len, conn->bytes);
			return NULL;
		}
	return reply;
}

void conn_read_all(struct conn *conn)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (receive(conn, end) > 0)
		;
}

struct reply *conn_reply(struct conn *conn)
{
	struct reply *reply = conn_maybe_reply(conn);

	cr_assert(reply, "the server closed the connection without a reply");
	return reply;
}

struct reply *conn_call(struct conn *conn, const char *method, const char *target, const char *body, const char *key)
{
	conn_ask(conn, method, target, body, key);
	return conn_reply(conn);
}

void conn_ends(struct conn *conn)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (receive(conn, end) > 0)
		conn->len = 0;
}

void conn_close(struct conn *conn)
{
	close(conn->fd);
	conn->fd = -1;
}

void conn_reset(struct conn *conn)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	conn_close(conn);
}

void conn_half_close(struct conn *conn)
{
	cr_assert(shutdown(conn->fd, SHUT_WR) == 0, "shutdown: %s", strerror(errno));
}

/* ---- libcurl ---- */

struct sink {
	char *bytes;
	size_t len, head;
};

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct sink *sink = context;
	char *more = realloc(sink->bytes, sink->len + size * count + 1);

	if (!more)
		return 0;
	sink->bytes = more;
	memcpy(sink->bytes + sink->len, bytes, size * count);
	sink->len += size * count;
	sink->bytes[sink->len] = '\0';
	return size * count;
}

static size_t take_head(char *bytes, size_t size, size_t count, void *context)
{
	struct sink *sink = context;
	size_t taken = take(bytes, size, count, sink);

	sink->head = sink->len;
	return taken;
}

static void curl_prepare(struct server *server, const char *method, const char *target, const char *body,
						 struct sink *sink)
{
	CURL *curl = server->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, text_format("http://127.0.0.1:%u%s", server->port, target));
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, server->local);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, sink);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	if (!strcmp(method, "HEAD"))
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
}

struct reply *call(struct server *server, const char *method, const char *target, const char *body, const char *key)
{
	struct curl_slist *headers = NULL;
	struct sink sink = {NULL, 0, 0};
	struct reply *reply;
	CURLcode code;

	if (!server->curl)
		server->curl = curl_easy_init();
	cr_assert(server->curl, "no libcurl");
	curl_prepare(server, method, target, body, &sink);
	if (key)
		headers = curl_slist_append(NULL, text_format("Idempotency-Key: %s", key));
	curl_easy_setopt(server->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(server->curl);
	curl_slist_free_all(headers);
	cr_assert(code == CURLE_OK, "%s %s: %s; the server said: %s", method, target, curl_easy_strerror(code),
			  say(server));
	reply = reply_cut(sink.bytes, sink.head, sink.len - sink.head);
	free(sink.bytes);
	return reply;
}

struct reply *acquire(struct server *server, const char *tenant, const char *more, const char *key)
{
	return call(server, "POST", "/leases", acquire_body(tenant, more), key);
}

struct reply *heartbeat(struct server *server, const char *id)
{
	return call(server, "PUT", lease_path(id, ""), NULL, NULL);
}

struct reply *release(struct server *server, const char *id)
{
	return call(server, "DELETE", lease_path(id, ""), NULL, NULL);
}

const char *must_acquire(struct server *server, const char *tenant, const char *more, const char *key)
{
	return granted(acquire(server, tenant, more, key));
}

void must_release(struct server *server, const char *id)
{
	struct reply *reply = release(server, id);

	cr_assert(reply->status == 204, "DELETE of a lease: %u %s", reply->status, reply->body);
}

double stat_of(struct server *server, const char *name)
{
	struct reply *reply = call(server, "GET", "/stats?tenants=false", NULL, NULL);

	cr_assert(reply->status == 200, "/stats: %u %s", reply->status, reply->body);
	return number_of(reply, name);
}

void wait_stat(struct server *server, const char *name, double value)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	double is;

	while ((is = stat_of(server, name)) < value || is > value) {
		cr_assert(now_ms() < end, "%s of /stats is %g and does not become %g", name, is, value);
		poll(NULL, 0, POLL_MS);
	}
}

/* ---- replies ---- */

const char *text_of(const struct reply *reply, const char *name)
{
	const char *text = json_string_value(json_object_get(reply->json, name));

	return text ? text : "";
}

double number_of(const struct reply *reply, const char *name)
{
	const json_t *number = json_object_get(reply->json, name);

	return json_is_number(number) ? json_number_value(number) : -1;
}

const char *lease_path(const char *id, const char *query)
{
	return text_format("/leases/%s%s", id, query);
}

const char *granted(const struct reply *reply)
{
	cr_assert(reply->status == 201, "not granted: %u %s", reply->status, reply->body);
	cr_assert_str_eq(text_of(reply, "state"), "active");
	cr_assert(strlen(text_of(reply, "id")) == 29, "no id: %s", reply->body);
	cr_assert(reply_header(reply, "Location"), "201 without Location");
	cr_assert_str_eq(reply_header(reply, "Location"), lease_path(text_of(reply, "id"), ""));
	return text_of(reply, "id");
}

void refused(const struct reply *reply, unsigned status, const char *code)
{
	const char *type = reply_header(reply, "Content-Type"), *retry = reply_header(reply, "Retry-After");

	cr_assert(reply->status == status, "%u instead of %u: %s", reply->status, status, reply->body);
	cr_assert(type && !strcmp(type, "application/problem+json"), "%u is of type %s", status, type ? type : "(none)");
	cr_assert(reply->json, "%u is no JSON: %s", status, reply->body);
	cr_assert_str_eq(text_of(reply, "code"), code, "%s", reply->body);
	cr_assert_str_eq(text_of(reply, "type"), text_format("urn:fairshare:problem:%s", code));
	cr_assert(number_of(reply, "status") == status, "status in the body: %s", reply->body);
	cr_assert(*text_of(reply, "title") && strlen(text_of(reply, "detail")) > 10, "says nothing: %s", reply->body);
	cr_assert(*text_of(reply, "request_id"), "no request_id: %s", reply->body);
	if (status == 429 || status == 503)
		cr_assert(retry && strtoul(retry, NULL, 10) >= 1, "%u without Retry-After", status);
}
