/* SPDX-License-Identifier: MIT */
#include "top.h"

#include "cli.h"

#include <curses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define HEAD_LINES 3  /* above the tenants */
#define BAR_COLUMN 37 /* where the bars begin */

enum { PAIR_HELD = 1, PAIR_OVER, PAIR_SHARE, PAIR_BAD };

void top_colours(bool on)
{
	if (!on || !has_colors() || start_color() == ERR || use_default_colors() == ERR)
		return;
	init_pair(PAIR_HELD, COLOR_GREEN, -1);
	init_pair(PAIR_OVER, COLOR_YELLOW, -1);
	init_pair(PAIR_SHARE, COLOR_CYAN, -1);
	init_pair(PAIR_BAD, COLOR_RED, -1);
}

static long number(const json_t *object, const char *member)
{
	return (long)json_integer_value(json_object_get(object, member));
}

/* fit tells how many characters of `wide` have room in so many columns. */
static int fit(const wchar_t *wide, int columns)
{
	int count = 0;

	for (; wide[count] != L'\0'; count++) {
		columns -= wcwidth(wide[count]);
		if (columns < 0)
			break;
	}
	return count;
}

/* put writes at a place, cut at the end of the line. */
__attribute__((format(printf, 3, 4))) static void put(int y, int x, const char *format, ...)
{
	char text[1024];
	wchar_t wide[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (y >= LINES || x >= COLS || mbstowcs(wide, text, sizeof(wide) / sizeof(wide[0])) == (size_t)-1)
		return;
	wide[sizeof(wide) / sizeof(wide[0]) - 1] = L'\0';
	mvaddnwstr(y, x, wide, fit(wide, COLS - x));
}

/* --- bars --------------------------------------------------------------------------------------------------------- */

/* scale answers the column of a bar that so many slots reach; each slot has one where there is room. */
static int scale(long slots, long max_slots)
{
	int room = COLS - BAR_COLUMN - 1;

	if (room < 1 || slots <= 0)
		return 0;
	if (slots > max_slots)
		slots = max_slots;
	if (max_slots <= room)
		return (int)slots;
	return (int)((slots * room + max_slots - 1) / max_slots);
}

static void draw_bar(int y, const json_t *tenant, long max_slots)
{
	int held = scale(number(tenant, "active_slots"), max_slots);
	int share = scale(number(tenant, "share"), max_slots);

	for (int x = 0; x < held; x++)
		mvaddch(y, BAR_COLUMN + x, '#' | (chtype)COLOR_PAIR(x < share ? PAIR_HELD : PAIR_OVER));
	for (int x = held; x < share; x++)
		mvaddch(y, BAR_COLUMN + x, '.');
	if (BAR_COLUMN + share < COLS)
		mvinsch(y, BAR_COLUMN + share, '|' | (chtype)COLOR_PAIR(PAIR_SHARE));
}

/* --- tenants ------------------------------------------------------------------------------------------------------ */

static int by_demand(const void *a, const void *b)
{
	const json_t *one = *(json_t *const *)a;
	const json_t *other = *(json_t *const *)b;
	long most = number(other, "active_slots") + number(other, "waiting");
	long less = number(one, "active_slots") + number(one, "waiting");

	if (most != less)
		return most > less ? 1 : -1;
	return strcmp(json_string_value(json_object_get(one, "tenant_id")),
				  json_string_value(json_object_get(other, "tenant_id")));
}

/* sorted answers the tenants of the statistics for free(3), those first that hold and want most. */
static json_t **sorted(const json_t *tenants, size_t *ret_count)
{
	json_t **list = calloc(json_object_size(tenants) + 1, sizeof(json_t *));
	const char *key;
	json_t *tenant;

	*ret_count = 0;
	if (list == NULL)
		return NULL;
	json_object_foreach((json_t *)tenants, key, tenant) if (json_is_string(json_object_get(tenant, "tenant_id")))
		list[(*ret_count)++] = tenant;
	qsort(list, *ret_count, sizeof(json_t *), by_demand);
	return list;
}

static void draw_tenant(int y, const json_t *tenant, long max_slots)
{
	put(y, 0, "%-16.16s %4ld/%-5ld %7ld", json_string_value(json_object_get(tenant, "tenant_id")),
		number(tenant, "active_slots"), number(tenant, "share"), number(tenant, "waiting"));
	draw_bar(y, tenant, max_slots);
}

/* draw_tenants draws as many as have room up to `end`, and answers the line after them. */
static int draw_tenants(int y, int end, const json_t *stats)
{
	size_t count;
	json_t **tenants = sorted(json_object_get(stats, "tenants"), &count);
	size_t i = 0;

	attron(A_BOLD);
	put(y++, 0, "%-16s %4s/%-5s %7s  SLOTS: # held, | the share", "TENANT", "HELD", "SHARE", "WAITING");
	attroff(A_BOLD);
	for (; i < count && y < end - (count - i > 1 ? 1 : 0); i++)
		draw_tenant(y++, tenants[i], number(stats, "max_slots"));
	if (i < count + (size_t)number(stats, "tenants_omitted"))
		put(y++, 0, "and %ld more", (long)(count - i) + number(stats, "tenants_omitted"));
	free(tenants);
	return y;
}

/* --- who waits ---------------------------------------------------------------------------------------------------- */

static void draw_waiter(int y, const json_t *lease)
{
	char waited[DURATION_TEXT];

	duration_text(json_number_value(json_object_get(lease, "waited_seconds")), waited);
	put(y, 0, "%-16.16s %8s  %-10s %s%s", json_string_value(json_object_get(lease, "tenant_id")), waited,
		json_string_value(json_object_get(lease, "reason")), json_string_value(json_object_get(lease, "label")),
		json_is_true(json_object_get(lease, "present")) ? "" : " (absent)");
}

static void draw_line(int y, const json_t *line)
{
	size_t i;
	const json_t *lease;

	attron(A_BOLD);
	put(y++, 0, "%-16s %8s  %-10s %s", "IN LINE", "WAITED", "REASON", "LABEL");
	attroff(A_BOLD);
	json_array_foreach(line, i, lease)
	{
		if (y >= LINES - 1)
			return;
		draw_waiter(y++, lease);
	}
	if (i == 0)
		put(y, 0, "nobody waits");
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static void draw_head(const struct view *view)
{
	const json_t *stats = view->stats;

	put(0, 0, "fairshare top: pool %s at %s", view->pool, view->url);
	if (stats == NULL) {
		put(1, 0, "nothing was heard yet");
		return;
	}
	put(1, 0, "slots %ld of %ld   share %ld   demanding %ld of %ld tenants   waiting %ld   absent %ld",
		number(stats, "total_active_slots"), number(stats, "max_slots"), number(stats, "share"),
		number(stats, "demanding_tenants"), number(stats, "active_tenants"), number(stats, "waiting"),
		number(stats, "absent"));
}

static void draw_foot(const struct view *view)
{
	char silent[DURATION_TEXT];

	duration_text(view->silent_seconds, silent);
	if (view->failure[0] != '\0') {
		attron(COLOR_PAIR(PAIR_BAD) | A_BOLD);
		put(LINES - 1, 0, "connection lost %s ago: %s", silent, view->failure);
		attroff(COLOR_PAIR(PAIR_BAD) | A_BOLD);
	} else {
		put(LINES - 1, 0, view->back ? "connected again   q quits" : "q quits");
	}
}

void top_draw(const struct view *view)
{
	int tenants_end = HEAD_LINES + (LINES - HEAD_LINES) * 2 / 3;
	int y;

	erase();
	draw_head(view);
	if (view->stats != NULL) {
		y = draw_tenants(HEAD_LINES, tenants_end, view->stats);
		draw_line(y + 1, view->line);
	}
	move(LINES - 1, 0);
	clrtoeol();
	draw_foot(view);
	refresh();
}
