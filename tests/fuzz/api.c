/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the API by value. An input is a text of blocks with an empty line between them. A block is a request (its
 * first line is "METHOD target", then headers, then the body), or one word of the world around it:
 *
 *   auto      only as the first: --auto-register
 *   +MS       time passes            slow, fast   the store takes its time, or not
 *   commit    the batch is durable   fail, well   the batch failed and grants are held; the hold ends
 *   keep, go  answers are not handed over by themselves, or are
 *   hang N    the client of request N leaves        sent N, lost N   its answer went, or could not go
 *   drain, ready   readiness
 *
 * In a request `$N` stands for the N-th lease that was told of; numbers count modulo what there is.
 */
#include "fuzz.h"

#include <string.h>

#include "harness.h"
#include "id.h"

#define REQUESTS_MAX 80
#define IDS_MAX 64
#define PASS_MAX_MS 700000
#define BLOCK_MAX 70000
#define POOL_SLOTS 3

/* The input, block by block; what requests borrow lives until the world ends. */
struct play {
	struct world *world;
	char ids[IDS_MAX][32];
	size_t num_ids;
	char *kept[REQUESTS_MAX];
	size_t num_kept;
};

static const unsigned statuses[] = {200, 201, 202, 204, 400, 403, 404, 405, 409, 410, 413, 422, 429, 503};

/* ---- what an outside user sees ---- */

static void check_reply(const struct exchange *e)
{
	const struct api_reply *r = &e->reply;
	bool stream = strcmp(e->request.route, "/events") == 0 && r->status == 200;
	bool known = false, json = r->content_type != NULL && strstr(r->content_type, "json") != NULL;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		known |= r->status == statuses[i];
	MUST(known);
	MUST((r->body != NULL || stream || (r->file != NULL && r->status == 200)) == (r->content_type != NULL));
	MUST(json == (e->json != NULL));
	MUST((r->status == 405) <= (r->allow != NULL));
	MUST((r->status == 429 || r->status == 503) == (r->retry_after > 0));
	MUST((r->status >= 400) == (json && strcmp(r->content_type, "application/problem+json") == 0));
	if (r->status >= 400) {
		MUST(number(e, "status") == r->status);
		MUST(*text(e, "code") != '\0' && *text(e, "detail") != '\0');
		MUST(strcmp(text(e, "request_id"), e->request.id) == 0);
	}
	MUST(*e->request.id != '\0');
}

/* Every request is answered, or parked and known as such. */
static void check_requests(const struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct exchange *e = w->exchanges[i];

		if (e->sent && !e->answered)
			continue; /* its client left */
		MUST(e->answered || e->request.parked);
		if (e->answered)
			check_reply(e);
	}
}

/* A slot belongs to at most one lease, durable or not. */
static void check_slots(const struct world *w)
{
	const char *pool;

	for (uint32_t i = 0; (pool = fair_pool_name(w->fair, i)) != NULL; i++) {
		bool taken[POOL_SLOTS] = {false};
		struct fair_lease_view l;

		for (uint64_t n = 0; fair_lease_next(w->fair, pool, NULL, FAIR_ACTIVE, n, &l); n = l.number) {
			MUST(l.slots == 1 && l.slot_ids[0] < POOL_SLOTS);
			MUST(!taken[l.slot_ids[0]]);
			taken[l.slot_ids[0]] = true;
		}
	}
}

/* ---- requests ---- */

static void remember_id(struct play *p, const json_t *lease)
{
	const char *id = json_string_value(json_object_get(lease, "id"));

	if (id == NULL || p->num_ids == IDS_MAX)
		return;
	for (size_t i = 0; i < p->num_ids; i++) {
		if (strcmp(p->ids[i], id) == 0)
			return;
	}
	snprintf(p->ids[p->num_ids++], sizeof(p->ids[0]), "%s", id);
}

/* Leases are told of by what names one and by lists. */
static void remember_ids(struct play *p)
{
	for (size_t i = 0; i < p->world->count; i++) {
		const json_t *body = p->world->exchanges[i]->json, *items = json_object_get(body, "items"), *item;
		size_t at;

		remember_id(p, body);
		json_array_foreach(items, at, item) remember_id(p, item);
	}
}

/* Writes a block with the ids put in. */
static char *fill_in(const struct play *p, const char *block, size_t size, size_t *ret_size)
{
	char *out = malloc(size * 16 + 1);
	size_t at = 0;

	MUST(out != NULL);
	for (size_t i = 0; i < size; i++) {
		if (block[i] == '$' && p->num_ids > 0 && i + 1 < size && block[i + 1] >= '0' && block[i + 1] <= '9') {
			const char *id = p->ids[(size_t)(block[++i] - '0') % p->num_ids];

			memcpy(out + at, id, strlen(id));
			at += strlen(id);
		} else {
			out[at++] = block[i];
		}
	}
	out[at] = '\0';
	*ret_size = at;
	return out;
}

/* Takes the next line of *at off; NULL when there is no line end left. */
static char *next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return line;
}

static bool read_header(struct headers *headers, const char *line, size_t len)
{
	const struct {
		const char *name;
		const char **value;
	} known[] = {{"Idempotency-Key: ", &headers->key},
				 {"X-Request-Id: ", &headers->request_id},
				 {"Sec-Fetch-Site: ", &headers->sec_fetch_site},
				 {"Origin: ", &headers->origin},
				 {"Host: ", &headers->host},
				 {"Accept: ", &headers->accept}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t prefix = strlen(known[i].name);

		if (len >= prefix && memcmp(line, known[i].name, prefix) == 0) {
			*known[i].value = line + prefix;
			return true;
		}
	}
	return false;
}

/* Takes the headers off *at; each line is one as long as its name is known. */
static void read_headers(struct headers *headers, char **at)
{
	char *end;

	while ((end = strchr(*at, '\n')) != NULL && read_header(headers, *at, (size_t)(end - *at)))
		next_line(at);
}

static void send(struct play *p, const char *block, size_t size)
{
	struct headers headers = {0};
	size_t left;
	char *at, *end, *line;

	if (p->num_kept == REQUESTS_MAX)
		return;
	at = p->kept[p->num_kept++] = fill_in(p, block, size, &left);
	end = at + left;
	line = next_line(&at);
	if (line == NULL) {
		line = at;
		at = end;
	}
	/* The harness's lines name a method and a target. */
	if (strchr(line, ' ') == NULL)
		return;
	read_headers(&headers, &at);
	if (end - at > API_BODY_MAX) {
		headers.body_too_large = true;
		at = end;
	}
	ask_with(p->world, line, at, (size_t)(end - at), headers);
}

/* ---- the world around ---- */

static struct exchange *numbered(const struct world *w, const char *number)
{
	return w->exchanges[strtoul(number, NULL, 10) % w->count];
}

static void on_one(struct world *w, const char *word)
{
	struct exchange *e = numbered(w, word + 5);

	if (e->sent)
		return;
	if (strncmp(word, "hang ", 5) == 0)
		hang_up(w, e);
	else if (e->answered)
		hand_over(w, e, word[0] == 's');
}

static void hold(struct world *w, bool on)
{
	MUST(fair_hold(w->fair, w->now, NULL, on) == FAIR_OK);
	while (api_advance(w->api, w->now, 100))
		;
}

/* Time passes from deadline to deadline, as the server sleeps. */
static void go_by(struct world *w, uint64_t ns)
{
	uint64_t end = w->now + ns;

	for (uint64_t at; (at = api_next_deadline(w->api)) <= end;) {
		if (at > w->now)
			w->now = at;
		api_advance(w->api, w->now, 100);
	}
	w->now = end;
}

/* Does a word; false when it is none. */
static bool do_word(struct world *w, const char *word)
{
	if (*word == '+')
		go_by(w, strtoul(word + 1, NULL, 10) % PASS_MAX_MS * MS);
	else if (strcmp(word, "slow") == 0 || strcmp(word, "fast") == 0)
		w->slow = *word == 's';
	else if (strcmp(word, "keep") == 0 || strcmp(word, "go") == 0)
		w->no_send = *word == 'k';
	else if (strcmp(word, "commit") == 0)
		commit(w);
	else if (strcmp(word, "fail") == 0)
		fail(w);
	else if (strcmp(word, "well") == 0)
		hold(w, false);
	else if (strcmp(word, "drain") == 0 || strcmp(word, "ready") == 0)
		api_set_readiness(w->api, w->now, *word == 'd' ? API_DRAINING : API_READY);
	else if (strncmp(word, "hang ", 5) == 0 || strncmp(word, "sent ", 5) == 0 || strncmp(word, "lost ", 5) == 0)
		on_one(w, word);
	else
		return false;
	return true;
}

static void hand_answers_over(struct world *w)
{
	for (size_t i = 0; i < w->count && !w->no_send; i++) {
		if (w->exchanges[i]->answered && !w->exchanges[i]->sent && w->exchanges[i]->request.stream == NULL)
			hand_over(w, w->exchanges[i], true);
	}
}

/* What streams tell is well formed, and no grant of it can be taken back. */
static void listen_in(struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->exchanges[i]->request.stream == NULL)
			continue;
		listen_to(w, w->exchanges[i]);
		for (size_t j = 0; j < w->told_count; j++) {
			struct fair_id id;
			bool grant = strcmp(w->told[j].event, "granted") == 0;

			MUST(!grant || id_parse(json_string_value(json_object_get(w->told[j].data, "id")), &id));
			for (size_t k = 0; grant && k < w->changed; k++)
				MUST(w->changes[k].event.type != FAIR_EV_GRANTED ||
					 memcmp(&w->changes[k].event.id, &id, sizeof(id)) != 0);
		}
	}
}

static void play_block(struct play *p, const char *block, size_t size)
{
	char word[32] = "";

	if (size < sizeof(word))
		memcpy(word, block, size);
	word[strcspn(word, "\n")] = '\0';
	if (!do_word(p->world, word) && size < BLOCK_MAX)
		send(p, block, size);
	hand_answers_over(p->world);
	remember_ids(p);
	fair_check(p->world->fair, p->world->now);
	check_requests(p->world);
	check_slots(p->world);
	listen_in(p->world);
}

/* However it went: with a well store and time, nobody waits for ever. */
static void come_to_an_end(struct world *w)
{
	w->slow = false;
	hold(w, false);
	for (int i = 0; i < 4; i++) {
		commit(w);
		go_by(w, 400 * S);
	}
	for (size_t i = 0; i < w->count; i++)
		MUST(w->exchanges[i]->answered || w->exchanges[i]->sent);
	check_requests(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p = {0};
	const char *at = (const char *)data, *end = at + size;

	/* A world's pools are "default" and "other"; alice and bob are there. */
	p.world = world_create((struct world_config){.max_slots = POOL_SLOTS,
												 .max_waiting = 5,
												 .tenant_max_waiting = 4,
												 .max_tenants = 5,
												 .requests_max = 12,
												 .auto_register = size >= 4 && memcmp(data, "auto", 4) == 0});
	while (at < end) {
		const char *gap = memmem(at, (size_t)(end - at), "\n\n", 2);

		/* The end of its last line is part of the block: it may end a header. */
		play_block(&p, at, (size_t)((gap != NULL ? gap + 1 : end) - at));
		at = gap != NULL ? gap + 2 : end;
	}
	come_to_an_end(p.world);
	world_destroy(p.world);
	for (size_t i = 0; i < p.num_kept; i++)
		free(p.kept[i]);
	return 0;
}
