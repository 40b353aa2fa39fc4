/* SPDX-License-Identifier: MIT */
/* Pages: lists over one pool or all of them, ordered by pool and then by creation, cut by a limit and a cursor. */
#ifndef FAIRSHARED_API_LISTS_H
#define FAIRSHARED_API_LISTS_H

#include "internal.h"

#define LIST_LIMIT 100				   /* entries of a page unless asked otherwise */
#define LIST_SCAN_MAX 10000			   /* entries looked at for one page, shown or not */
#define LIST_MARK_SIZE (1 + 8 + 1 + 1) /* "~", hexadecimal digits, "~" */
#define CURSOR_SIZE (20 + LIST_MARK_SIZE + FAIR_NAME_MAX + 1)

struct page {
	uint64_t limit;
	uint32_t scanned, shown; /* entries looked at; of them, written */
	const char *pool;				   /* the one pool of the list, or NULL: all */
	char from_pool[FAIR_NAME_MAX + 1]; /* where the cursor stands, "" for the start */
	uint64_t from_number;
	uint32_t mark;			  /* of the list and its filters: only its own cursors carry it */
	char cursor[CURSOR_SIZE]; /* of the next page, "" for none */
};

/* page_begin reads limit, pool and cursor of a call and begins the page; false: it was answered. */
bool page_begin(struct api *api, struct call *call, struct page *ret);
/* page_pools calls `each` with every pool of the list and the number to go on after, until it returns false. */
void page_pools(struct api *api, struct page *page,
				bool (*each)(struct api *, struct page *, const char *pool, uint64_t after, void *context),
				void *context);
/* page_full tells whether the page takes no more; then it ends after entry `number` of `pool`. */
bool page_full(struct page *page, const char *pool, uint64_t number);
/* page_send ends the page and answers with it. */
void page_send(struct api *api, struct call *call, struct page *page);

#endif
