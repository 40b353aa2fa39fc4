/* SPDX-License-Identifier: MIT */
#include "lists.h"

#include <stdio.h>

#include "decode.h"
#include "encode.h"
#include "parse.h"
#include "text.h"

/* A cursor is "NUMBER~POOL": the last entry of the page before. Clients must not know. */
static bool cursor_parse(const char *text, struct page *page)
{
	const char *tilde = strchr(text, '~');

	if (tilde == NULL || !parse_count(text, (size_t)(tilde - text), &page->from_number) || !text_is_name(tilde + 1))
		return false;
	if (page->pool != NULL && strcmp(page->pool, tilde + 1) != 0)
		return false;
	memcpy(page->from_pool, tilde + 1, strlen(tilde + 1) + 1);
	return true;
}

bool page_begin(struct api *api, struct call *call, struct page *ret)
{
	char shown[TEXT_SHOWN];

	*ret = (struct page){.limit = call->in.limit > 0 ? call->in.limit : LIST_LIMIT, .pool = call->in.pool};
	if (call->in.cursor != NULL && !cursor_parse(call->in.cursor, ret)) {
		decode_refuse(api, call, "cursor", "'%s' is no cursor of this list: use next_cursor of the page before",
					  text_show(call->in.cursor, shown));
		return false;
	}
	write_object(api->out, NULL);
	write_array(api->out, "items");
	return true;
}

void page_pools(struct api *api, struct page *page,
				bool (*each)(struct api *, struct page *, const char *pool, uint64_t after, void *context),
				void *context)
{
	const char *pool;

	if (page->pool != NULL) {
		each(api, page, page->pool, page->from_number, context);
		return;
	}
	for (uint32_t i = 0; (pool = fair_pool_name(api->fair, i)) != NULL; i++) {
		int order = strcmp(pool, page->from_pool);

		if (order >= 0 && !each(api, page, pool, order == 0 ? page->from_number : 0, context))
			return;
	}
}

bool page_full(struct page *page, const char *pool, uint64_t number)
{
	if (page->shown < page->limit && page->scanned < LIST_SCAN_MAX)
		return false;
	snprintf(page->cursor, sizeof(page->cursor), "%llu~%s", (unsigned long long)number, pool);
	return true;
}

void page_send(struct api *api, struct call *call, struct page *page)
{
	write_array_end(api->out);
	if (page->cursor[0] != '\0')
		write_string(api->out, "next_cursor", page->cursor);
	else
		write_null(api->out, "next_cursor");
	write_object_end(api->out);
	reply_json(api, call->request, 200);
}
