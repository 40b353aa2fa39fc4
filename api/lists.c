/* SPDX-License-Identifier: MIT */
#include "lists.h"

#include <assert.h>
#include <stdio.h>

#include "decode.h"
#include "encode.h"
#include "parse.h"
#include "text.h"

#include <uthash.h>

/* What makes the list that a cursor belongs to: its path and its filters, and not the limit, which may change. */
static uint32_t list_mark(const struct call *call)
{
	const struct input *in = &call->in;
	char text[API_SEGMENT_MAX + 2 * FAIR_NAME_MAX + 4 * TEXT_LABEL_CHARACTERS + 16];
	uint32_t mark;
	int len;

	/* None of these has a newline; an empty label is a filter too. */
	len = snprintf(text, sizeof(text), "%s\n%s\n%s\n%d\n%s%s", call->request->route, in->pool != NULL ? in->pool : "",
				   in->tenant_id != NULL ? in->tenant_id : "", (int)in->state, in->label != NULL ? "=" : "",
				   in->label != NULL ? in->label : "");
	assert(len > 0 && (size_t)len < sizeof(text));
	HASH_JEN(text, (unsigned)len, mark);
	return mark;
}

/* A cursor is "NUMBER~MARK~POOL": the last entry of the page before, and its list. Clients must not know. */
static bool cursor_parse(const char *text, struct page *page)
{
	const char *tilde = strchr(text, '~');
	const char *pool = tilde != NULL ? strchr(tilde + 1, '~') : NULL;
	char mark[LIST_MARK_SIZE];

	if (pool == NULL || !parse_count(text, (size_t)(tilde - text), &page->from_number) || !text_is_name(++pool))
		return false;
	snprintf(mark, sizeof(mark), "~%08x~", page->mark);
	if ((size_t)(pool - tilde) != strlen(mark) || strncmp(tilde, mark, strlen(mark)) != 0)
		return false;
	memcpy(page->from_pool, pool, strlen(pool) + 1);
	return true;
}

bool page_begin(struct api *api, struct call *call, struct page *ret)
{
	char shown[TEXT_SHOWN];

	*ret = (struct page){
		.limit = call->in.limit > 0 ? call->in.limit : LIST_LIMIT, .pool = call->in.pool, .mark = list_mark(call)};
	if (call->in.cursor != NULL && !cursor_parse(call->in.cursor, ret)) {
		decode_refuse(api, call, "cursor", "'%s' is no cursor of this list: take it from next_cursor of the same query",
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
	snprintf(page->cursor, sizeof(page->cursor), "%llu~%08x~%s", (unsigned long long)number, page->mark, pool);
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
