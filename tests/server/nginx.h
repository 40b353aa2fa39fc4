/* SPDX-License-Identifier: MIT */
/* A real nginx in the foreground, killed when the test ends. */
#ifndef FAIRSHARED_TESTS_SERVER_NGINX_H
#define FAIRSHARED_TESTS_SERVER_NGINX_H

/* nginx_start starts nginx with that configuration, whose files are in dir, and waits until it listens on the port. */
void nginx_start(const char *dir, const char *conf, unsigned port);

#endif
