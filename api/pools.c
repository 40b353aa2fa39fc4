/* SPDX-License-Identifier: MIT */
/* /pools */
#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "refuse.h"

/* GET /pools (listPools): pools are configured, so they are few: always one page. */
void pool_list(struct api *api, struct call *call)
{
	json_t *body = json_object(), *items = json_array();
	struct fair_pool_view view;
	const char *name;

	for (uint32_t i = 0; (name = fair_pool_name(api->fair, i)) != NULL; i++) {
		if (fair_pool_get(api->fair, call->now, name, &view) == FAIR_OK)
			json_array_append_new(items, encode_pool(api, &view));
	}
	json_object_set_new(body, "items", items);
	encode_null(body, "next_cursor");
	reply_json(api, call->request, 200, body);
}

/* GET /pools/{pool} (getPool) */
void pool_get(struct api *api, struct call *call)
{
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, call->now, call->param, &view) == FAIR_OK)
		reply_json(api, call->request, 200, encode_pool(api, &view));
	else
		refuse_no_pool(api, call->request, call->param);
}
