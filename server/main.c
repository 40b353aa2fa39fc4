/* SPDX-License-Identifier: MIT */
/*
 * fairshared: a table of contents.
 *
 *   config      flags, environment, file          http    sockets, requests, answers, parking
 *   server      puts the parts together           loop    the one thread: serves, then lets time pass
 *   pools       the configured and stored ones    commit  group commit: gathers, tells when it is durable
 *   calculator  the share expression              batch   what has changed, as records for a store
 *   systemd     the manager that may have started us    health  asks another process of ours whether it is alive
 */
#include "config.h"
#include "health.h"
#include "log.h"
#include "server.h"
#include "systemd.h"

#include <string.h>

static int refuse(const char *reason)
{
	char line[CONFIG_ERROR_MAX + 16];

	snprintf(line, sizeof(line), "fairshared: %s", reason);
	log_plain(line);
	return 1;
}

/* The line by which others see that the server is ready; it looks the same in every log format. */
static void tell_ready(const struct server *server)
{
	char line[SOCKET_WHERE_MAX + 48];

	snprintf(line, sizeof(line), "listening on %s", server->where);
	log_plain(line);
	systemd_ready(line);
}

static int serve(struct server *server)
{
	char error[CONFIG_ERROR_MAX];

	if (!server_start(server, error))
		return refuse(error);
	tell_ready(server);
	return server_run(server);
}

static int check_store(const char *path)
{
	char error[STORE_ERROR_MAX];

	return store_sqlite_check(path, stdout, error) ? 0 : refuse(error);
}

static int run(const struct config *config)
{
	struct server server;
	char error[CONFIG_ERROR_MAX];
	int status;

	log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
	if (config->action == CONFIG_CHECK_STORE)
		return check_store(config->check_store);
	if (config->action == CONFIG_HEALTH)
		return health_check(config, error) ? 0 : refuse(error);
	if (!server_check(&server, config, error))
		status = refuse(error);
	else if (config->action == CONFIG_RUN)
		status = serve(&server);
	else
		status = 0;
	if (status == 0 && config->action == CONFIG_PRINT && !config_print(config, stdout))
		status = refuse("the configuration cannot be written to standard output");
	server_stop(&server);
	return status;
}

int main(int argc, char **argv)
{
	struct config config;
	char error[CONFIG_ERROR_MAX];
	int status;

	loop_block_signals();
	status = config_load(&config, argc, argv, error) ? run(&config) : refuse(error);
	config_free(&config);
	return status;
}
