/* SPDX-License-Identifier: MIT */
/* What is served as it is: the page and openapi.yaml. */
#include <string.h>

#include "encode.h"
#include "handlers.h"
#include "internal.h"
#include "problem.h"
#include "text.h"

/* The file of a call; NULL for none. The parameter stands at the end of the template. */
static const struct api_file *file_of(const struct api *api, const struct call *call)
{
	const char *template = call->request->route;
	size_t fixed = strcspn(template, "{");

	for (size_t i = 0; i < api->config.files_count; i++) {
		const struct api_file *file = &api->config.files[i];

		if (strncmp(file->path, template, fixed) == 0 && strcmp(file->path + fixed, call->param) == 0)
			return file;
	}
	return NULL;
}

/* Whether If-None-Match names what the client would get. A weak tag of ours is as good: W/"...". */
static bool is_known(const char *tags, const char *etag)
{
	const char *found = tags != NULL ? strstr(tags, etag) : NULL;

	return found != NULL || (tags != NULL && strcmp(tags, "*") == 0);
}

/* GET / (getPage), GET /page/{file} (getPageFile), GET /openapi.yaml (getOpenapi) */
void file_get(struct api *api, struct call *call)
{
	const struct api_file *file = file_of(api, call);
	struct api_reply reply = {.status = 200, .file = file};
	char shown[TEXT_SHOWN];

	if (file == NULL) {
		problem_send(api, call->request, PROBLEM_NOT_FOUND, "'%s' is no file of this server: GET / is its page",
					 text_show(call->request->path, shown));
		return;
	}
	if (is_known(call->request->if_none_match, file->etag))
		reply.status = 304;
	else
		reply.content_type = file->content_type;
	reply_send(api, call->request, &reply);
}
