/* SPDX-License-Identifier: MIT */
/* `top`: a thread looks at the pool each second, so that keys and resizing never wait for the server. */
#include "top.h"

#include "cli.h"

#include <curses.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_SECONDS 1
#define LOOK_TIMEOUT_SECONDS 2.0
#define KEY_WAIT_MS 100
#define BACK_SECONDS 5.0 /* that the return of the connection is told */

/* Shared by the thread that looks and the one that draws. */
struct top {
	struct fairshare_client *client;
	char *stats_path;
	char *line_path;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool quit;
	json_t *stats;
	json_t *line;
	struct fairshare_error error; /* of the last look; no message when it went well */
	uint64_t heard_ns;
	uint64_t back_ns; /* when the connection came back, 0: it was never lost */
};

/* --- looking ------------------------------------------------------------------------------------------------------ */

static enum fairshare_err get(struct top *top, const char *path, json_t **ret_json, struct fairshare_error *error)
{
	struct fairshare_answer answer;
	enum fairshare_err err = fairshare_request(top->client, "GET", path, NULL, LOOK_TIMEOUT_SECONDS, &answer, error);

	*ret_json = err == FAIRSHARE_OK ? json_loadb(answer.body, answer.size, 0, NULL) : NULL;
	fairshare_answer_fini(&answer);
	if (err != FAIRSHARE_OK || *ret_json != NULL)
		return err;
	snprintf(error->message, sizeof(error->message), "the answer is no JSON: check the address");
	return FAIRSHARE_E_UNREACHABLE;
}

/* keep takes over what a look brought, under the lock. */
static void keep(struct top *top, json_t *stats, json_t *line)
{
	json_decref(top->stats);
	json_decref(top->line);
	top->stats = stats;
	top->line = json_incref(json_object_get(line, "items"));
	json_decref(line);
	top->heard_ns = fairshare_now_ns();
	if (top->error.message[0] != '\0')
		top->back_ns = top->heard_ns;
	top->error.message[0] = '\0';
}

static void look(struct top *top)
{
	struct fairshare_error error;
	json_t *stats = NULL;
	json_t *line = NULL;
	bool good = get(top, top->stats_path, &stats, &error) == FAIRSHARE_OK &&
				get(top, top->line_path, &line, &error) == FAIRSHARE_OK;

	pthread_mutex_lock(&top->lock);
	if (good) {
		keep(top, stats, line);
	} else {
		json_decref(stats);
		top->error = error;
	}
	pthread_mutex_unlock(&top->lock);
}

static void *look_on(void *data)
{
	struct top *top = data;
	bool quit = false;

	while (!quit) {
		struct timespec until;

		look(top);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_SECONDS;
		pthread_mutex_lock(&top->lock);
		while (!top->quit && pthread_cond_clockwait(&top->changed, &top->lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
			;
		quit = top->quit;
		pthread_mutex_unlock(&top->lock);
	}
	return NULL;
}

/* --- drawing ------------------------------------------------------------------------------------------------------ */

static double seconds_since(uint64_t instant_ns)
{
	return (double)(fairshare_now_ns() - instant_ns) / 1e9;
}

static void draw(struct top *top)
{
	struct view view = {.url = fairshare_client_url(top->client), .pool = fairshare_client_pool(top->client)};

	pthread_mutex_lock(&top->lock);
	view.stats = json_incref(top->stats);
	view.line = json_incref(top->line);
	snprintf(view.failure, sizeof(view.failure), "%s", top->error.message);
	view.silent_seconds = seconds_since(top->heard_ns);
	view.back = top->back_ns != 0 && seconds_since(top->back_ns) < BACK_SECONDS;
	pthread_mutex_unlock(&top->lock);
	top_draw(&view);
	json_decref(view.stats);
	json_decref(view.line);
}

/* A key, or the terminal's new size, ends the wait at once. */
static void draw_on(struct top *top)
{
	int key;

	do {
		draw(top);
		key = getch();
	} while (key != 'q' && key != 'Q');
}

/* --- begin and end ------------------------------------------------------------------------------------------------ */

static bool begin_screen(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || newterm(NULL, stdout, stdin) == NULL) {
		complain("top needs a terminal, and TERM to name it: use `fairshare stats` elsewhere");
		return false;
	}
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	timeout(KEY_WAIT_MS);
	top_colours(colours(stdout));
	return true;
}

static bool begin_looking(struct top *top, const struct common *common)
{
	pthread_mutex_init(&top->lock, NULL);
	pthread_cond_init(&top->changed, NULL);
	top->client = client_open(common);
	if (top->client == NULL)
		return false;
	top->heard_ns = fairshare_now_ns();
	top->stats_path = path_make("/stats", "");
	path_add(&top->stats_path, "pool", fairshare_client_pool(top->client));
	top->line_path = path_make("/leases", "");
	path_add(&top->line_path, "pool", fairshare_client_pool(top->client));
	path_add(&top->line_path, "state", "pending");
	if (pthread_create(&top->thread, NULL, look_on, top) == 0)
		return true;
	complain("no thread is to be had: end other programs and try again");
	return false;
}

/* Waits for a request under way: it may not outlive its client. */
static void end_looking(struct top *top)
{
	pthread_mutex_lock(&top->lock);
	top->quit = true;
	pthread_cond_signal(&top->changed);
	pthread_mutex_unlock(&top->lock);
	pthread_join(top->thread, NULL);
	fairshare_close(top->client);
	json_decref(top->stats);
	json_decref(top->line);
	free(top->stats_path);
	free(top->line_path);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	common_begin(state, state->input);
	return 0;
}

int verb_top(int argc, char **argv)
{
	static const struct argp_child children[] = {{&pool_argp, 0, NULL, 0}, {&url_argp, 0, NULL, 0}, {0}};
	const struct argp argp = {.parser = parse,
							  .doc = "Watches a pool: who holds how many slots of what share, and who waits. q quits.",
							  .children = children};
	struct common common = {.children = children};
	struct top top = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &common);
	if (!begin_screen())
		return CODE_FAILED;
	if (!begin_looking(&top, &common)) {
		endwin();
		return CODE_FAILED;
	}
	draw_on(&top);
	endwin();
	end_looking(&top);
	return 0;
}
