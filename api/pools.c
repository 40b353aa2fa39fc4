/* SPDX-License-Identifier: MIT */
/* /pools */
#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "refuse.h"

/* GET /pools (listPools): pools are configured, so they are few: always one page. */
void pool_list(struct api *api, struct call *call)
{
	struct fair_pool_view view;
	const char *name;

	write_object(api->out, NULL);
	write_array(api->out, "items");
	for (uint32_t i = 0; (name = fair_pool_name(api->fair, i)) != NULL; i++) {
		if (fair_pool_get(api->fair, call->now, name, &view) == FAIR_OK)
			encode_pool(api, &view);
	}
	write_array_end(api->out);
	write_null(api->out, "next_cursor");
	write_object_end(api->out);
	reply_json(api, call->request, 200);
}

/* GET /pools/{pool} (getPool) */
void pool_get(struct api *api, struct call *call)
{
	struct fair_pool_view view;

	if (fair_pool_get(api->fair, call->now, call->param, &view) != FAIR_OK) {
		refuse_no_pool(api, call->request, call->param);
		return;
	}
	encode_pool(api, &view);
	reply_json(api, call->request, 200);
}
