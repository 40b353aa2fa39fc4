/* SPDX-License-Identifier: MIT */
/* A bare libmicrohttpd program: answers POST with a fixed 201 body and everything else with 204. What the server is measured beside. */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BODY_SIZE 460   /* of a lease as the server answers it */

static struct MHD_Response *created, *empty;
static char seen;

static enum MHD_Result answer(void *context, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **request)
{
	(void)context;
	(void)url;
	(void)version;
	(void)data;
	if (!*request) {
		*request = &seen;
		return MHD_YES;
	}
	if (*size > 0) {
		*size = 0;
		return MHD_YES;
	}
	return strcmp(method, "POST") == 0 ? MHD_queue_response(c, 201, created) : MHD_queue_response(c, 204, empty);
}

int main(void)
{
	static char body[BODY_SIZE];

	memset(body, 'x', sizeof(body));
	created = MHD_create_response_from_buffer(sizeof(body), body, MHD_RESPMEM_PERSISTENT);
	empty = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL, MHD_OPTION_END);

	if (!d)
		return 1;
	fprintf(stderr, "listening on http://127.0.0.1:%u\n", MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
	pause();
	MHD_stop_daemon(d);
	return 0;
}
