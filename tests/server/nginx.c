/* SPDX-License-Identifier: MIT */
#include "nginx.h"

#include "harness.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NGINX "/usr/sbin/nginx"

static bool reachable(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	there = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return there;
}

void nginx_start(const char *dir, const char *conf, unsigned port)
{
	const char *path = temp_file(dir, "nginx.conf", conf);
	uint64_t end = now_ms() + PATIENCE_MS;

	cr_assert(access(NGINX, X_OK) == 0, NGINX " is not there: apt-get install nginx-light");
	spawn((const char *[]){NGINX, "-c", path, "-e", text_format("%s/error.log", dir), "-p", dir, "-g",
						   "daemon off; master_process off;", NULL});
	while (!reachable(port)) {
		cr_assert(now_ms() < end, "nginx does not start, see %s/error.log", dir);
		poll(NULL, 0, 10);
	}
}
