/* SPDX-License-Identifier: MIT */
/* Three panels, one a policy: the slots of the greedy tenants upon those of the small ones; what is white idles. */
#include <stdio.h>
#include <stdlib.h>

#include "fairness.h"

#define WIDTH 720
#define HEIGHT 120
#define LEFT 60
#define TOP 44
#define GAP 40
#define STEP (SECOND / 4)

struct panel {
	FILE *file;
	uint64_t end, next;
	uint32_t slots; /* of the last point */
	bool total;		/* the area of all that is held, else of what the small ones hold */
	int y;
};

static double at_x(const struct panel *p, uint64_t at)
{
	return LEFT + WIDTH * (double)at / (double)p->end;
}

/* A step up or down to so many slots. */
static void step(struct panel *p, const struct scenario *s, uint32_t slots)
{
	if (slots != p->slots)
		fprintf(p->file, "H%.0fV%.0f", at_x(p, p->next), p->y + HEIGHT - HEIGHT * (double)slots / s->max_slots);
	p->slots = slots;
}

/* What is held at every quarter of a second. */
static void seen(const struct scenario *s, const struct moment *m, void *context)
{
	struct panel *p = context;
	uint32_t slots = 0;

	for (uint32_t t = 0; t < s->num_tenants; t++)
		slots += p->total || !s->tenants[t].greedy ? m->active[t] : 0;
	for (; p->next < m->to && p->next < p->end; p->next += STEP)
		step(p, s, slots);
}

static void area(struct panel *p, const struct scenario *s, enum policy policy, const char *colour)
{
	struct wait *waits;
	uint32_t count;

	p->next = p->slots = 0;
	fprintf(p->file, "<path fill=\"%s\" d=\"M%d %d", colour, LEFT, p->y + HEIGHT);
	play(s, policy, seen, p, &waits, &count);
	free(waits);
	fprintf(p->file, "H%dV%dz\"/>\n", LEFT + WIDTH, p->y + HEIGHT);
}

static void frame(const struct panel *p, const struct scenario *s, enum policy policy)
{
	fprintf(p->file, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", LEFT, p->y - 6, policy_names[policy]);
	fprintf(p->file, "<path fill=\"none\" stroke=\"#888\" d=\"M%d %dh%dv%dh-%dz\"/>\n", LEFT, p->y, WIDTH, HEIGHT,
			WIDTH);
	fprintf(p->file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%u</text>\n", LEFT - 6, p->y + 10, s->max_slots);
	fprintf(p->file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n", LEFT - 6, p->y + HEIGHT);
}

static void legend(FILE *file, int bottom, uint64_t end)
{
	fprintf(file,
			"<rect x=\"%d\" y=\"10\" width=\"12\" height=\"12\" fill=\"#e08214\"/>"
			"<text x=\"%d\" y=\"20\">the greedy tenant</text>\n"
			"<rect x=\"%d\" y=\"10\" width=\"12\" height=\"12\" fill=\"#2b6cb0\"/>"
			"<text x=\"%d\" y=\"20\">the nine small ones</text>\n",
			LEFT, LEFT + 18, LEFT + 160, LEFT + 178);
	for (uint64_t at = 0; at <= end; at += 10 * SECOND)
		fprintf(file, "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%.0f s</text>\n",
				LEFT + WIDTH * (double)at / (double)end, bottom, (double)at / (double)SECOND);
}

bool plot(const char *path, const struct scenario *s, uint64_t end)
{
	int height = TOP + POLICIES * (HEIGHT + GAP) + 4;
	struct scenario shown = *s;
	FILE *file = fopen(path, "w");

	if (!file)
		return false;
	shown.end = end;
	fprintf(file,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
			"font-size=\"12\" fill=\"#333\">\n<title>Slots over time under three policies</title>\n"
			"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
			LEFT + WIDTH + 20, height);
	for (int policy = 0; policy < POLICIES; policy++) {
		struct panel p = {.file = file, .end = end, .y = TOP + policy * (HEIGHT + GAP) + 6};

		p.total = true;
		area(&p, &shown, (enum policy)policy, "#e08214");
		p.total = false;
		area(&p, &shown, (enum policy)policy, "#2b6cb0");
		frame(&p, s, (enum policy)policy);
	}
	legend(file, height - 12, end);
	fprintf(file, "</svg>\n");
	return fclose(file) == 0;
}
