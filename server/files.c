/* SPDX-License-Identifier: MIT */
#include "files.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdio.h>

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define JS "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"
#define ASK "no-cache" /* kept, and asked for before each use: a page and its scripts are of one version */

/* symbol, path, the file (the folders are from CMakeLists.txt), type, Cache-Control */
#define FILES(X)                                                                                                       \
	X(openapi, "/openapi.yaml", ROOT "/openapi.yaml", "application/yaml", "no-store")                                  \
	X(index, "/", PAGE "/index.html", HTML, ASK)                                                                       \
	X(style, "/page/page.css", PAGE "/page.css", CSS, ASK)                                                             \
	X(icon, "/page/icon.svg", PAGE "/icon.svg", SVG, ASK)                                                              \
	X(main, "/page/main.js", PAGE "/main.js", JS, ASK)                                                                 \
	X(feed, "/page/feed.js", PAGE "/feed.js", JS, ASK)                                                                 \
	X(model, "/page/model.js", PAGE "/model.js", JS, ASK)                                                              \
	X(api, "/page/api.js", PAGE "/api.js", JS, ASK)                                                                    \
	X(words, "/page/words.js", PAGE "/words.js", JS, ASK)                                                              \
	X(dom, "/page/dom.js", PAGE "/dom.js", JS, ASK)                                                                    \
	X(slots, "/page/slots.js", PAGE "/slots.js", JS, ASK)                                                              \
	X(line, "/page/line.js", PAGE "/line.js", JS, ASK)                                                                 \
	X(charts, "/page/charts.js", PAGE "/charts.js", JS, ASK)                                                           \
	X(tables, "/page/tables.js", PAGE "/tables.js", JS, ASK)                                                           \
	X(verbs, "/page/verbs.js", PAGE "/verbs.js", JS, ASK)                                                              \
	X(chart, "/page/chart.js", CHART_JS, JS, ASK)

/* The assembler copies a file as it is, however large. */
#define EMBED(symbol, path, file, type, caching)                                                                       \
	__asm__(".pushsection .rodata\n"                                                                                   \
			"file_" #symbol "_begin:\n"                                                                                \
			".incbin \"" file "\"\n"                                                                                   \
			"file_" #symbol "_end:\n"                                                                                  \
			".byte 0\n"                                                                                                \
			".popsection\n");                                                                                          \
	extern const char file_##symbol##_begin[], file_##symbol##_end[];
FILES(EMBED)

#define ETAG_SIZE 19 /* 16 digits, the quotes and a NUL */

#define ROW(symbol, path, file, type, caching) {path, type, caching, NULL, file_##symbol##_begin, 0},
static struct api_file files[] = {FILES(ROW)};

#define COUNT (sizeof(files) / sizeof(files[0]))

#define END(symbol, path, file, type, caching) file_##symbol##_end,
static const char *const ends[COUNT] = {FILES(END)};

const struct api_file *files_get(size_t *ret_count)
{
	static char etags[COUNT][ETAG_SIZE];

	for (size_t i = 0; i < COUNT; i++) {
		files[i].len = (size_t)(ends[i] - files[i].bytes);
		snprintf(etags[i], ETAG_SIZE, "\"%016" PRIx64 "\"", (uint64_t)XXH3_64bits(files[i].bytes, files[i].len));
		files[i].etag = etags[i];
	}
	*ret_count = COUNT;
	return files;
}
