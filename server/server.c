/* SPDX-License-Identifier: MIT */
#include "server.h"

#include "clock.h"
#include "openapi.h"
#include "socket.h"
#include "version.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_SPARE 128  /* besides connections: the daemons' own, files, signals */
#define CONNECTIONS_SPARE 1000 /* never parked, so that heartbeats and releases get in */
#define WAIT_STANDARD (30 * CLOCK_S)
#define CALL_BUDGET 256 /* units of work that one call of the core may do besides its own */

/* ---- what the configuration asks for ---- */

static bool calculators_create(struct server *server, char *error)
{
	const struct config *config = server->config;

	server->calculators = calloc(config->pool_count, sizeof(*server->calculators));
	if (!server->calculators)
		return config_fail(error, "out of memory");
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];
		char reason[512];

		if (!*pool->share_calculator)
			continue;
		server->calculators[i] =
			calculator_create(pool->name, pool->share_calculator, (uint32_t)pool->max_slots, reason, sizeof(reason));
		if (!server->calculators[i])
			return config_fail(error, "%s: share_calculator of pool '%s': %s", config_origin(pool, "share_calculator"),
							   pool->name, reason);
	}
	return true;
}

/* raise_limit lets the process open as many files as its connections need. */
static bool raise_limit(const struct config *config, char *error)
{
	rlim_t needed = config->max_connections + 2 * config->http_daemons + DESCRIPTORS_SPARE;
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return config_fail(error, "the limit of open files cannot be read: %s", strerror(errno));
	if (limit.rlim_cur >= needed)
		return true;
	raised = (struct rlimit){.rlim_cur = needed, .rlim_max = limit.rlim_max > needed ? limit.rlim_max : needed};
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return true;
	return config_fail(
		error,
		"%s: max_connections %llu needs %llu open files, but this process may have %llu: raise that limit "
		"(ulimit -n) or lower max_connections",
		config_origin(&config->pools[0], "max_connections"), (unsigned long long)config->max_connections,
		(unsigned long long)needed, (unsigned long long)limit.rlim_max);
}

bool server_check(struct server *server, const struct config *config, char error[CONFIG_ERROR_MAX])
{
	char reason[256];

	memset(server, 0, sizeof(*server));
	server->config = config;
	server->epoll = -1;
	server->store = store_create(config->store, reason, sizeof(reason));
	if (!server->store)
		return config_fail(error, "%s: %s", config_origin(&config->pools[0], "store"), reason);
	return calculators_create(server, error) && raise_limit(config, error);
}

/* ---- the core ---- */

static bool pool_create(struct server *server, size_t i)
{
	const struct config_pool *pool = &server->config->pools[i];
	struct fair_pool_config config = {
		.pool = pool->name,
		.max_slots = (uint32_t)pool->max_slots,
		.min_share = (uint32_t)pool->min_share,
		.max_waiting = (uint32_t)pool->max_waiting,
		.tenant_max_waiting = (uint32_t)pool->tenant_max_waiting,
	};

	if (server->calculators[i]) {
		config.calculator = calculator_share;
		config.calculator_context = server->calculators[i];
	}
	return fair_pool_add(server->fair, &config) == FAIR_OK;
}

static bool core_create(struct server *server)
{
	const struct config *config = server->config;
	struct fair_config core = fair_config_default();

	randombytes_buf(&core.hash_seed, sizeof(core.hash_seed));
	core.first_token = (uint64_t)clock_wall() * 1000;
	core.queue_grace_ns = config->queue_grace_ns;
	core.claim_ns = config->claim_ns;
	core.key_memory_ns = config->key_memory_ns;
	core.ended_max = (uint32_t)config->ended_max;
	core.tenant_idle_ns = config->tenant_idle_ns;
	core.max_tenants = (uint32_t)config->max_tenants;
	core.call_budget = CALL_BUDGET;
	server->fair = fair_create(&core);
	for (size_t i = 0; server->fair && i < config->pool_count; i++)
		if (!pool_create(server, i))
			return false;
	return server->fair != NULL;
}

/* ---- the api ---- */

static void fill_random(void *context, void *bytes, size_t size)
{
	(void)context;
	arc4random_buf(bytes, size);
}

static const char *share_calculator_of(void *context, const char *pool)
{
	const struct config *config = context;

	for (size_t i = 0; i < config->pool_count; i++)
		if (!strcmp(config->pools[i].name, pool))
			return *config->pools[i].share_calculator ? config->pools[i].share_calculator : NULL;
	return NULL;
}

/* The api calls back with one context; http and commit each want their own. */
static void answer(void *context, struct api_request *request, struct api_reply *reply)
{
	http_answer(((struct server *)context)->http, request, reply);
}

static bool store(void *context, const struct fair_event *event)
{
	return commit_event(((struct server *)context)->commit, event);
}

static uint32_t parked_max(const struct config *config)
{
	uint64_t spare = config->max_connections / 10;

	return (uint32_t)(config->max_connections - (spare < CONNECTIONS_SPARE ? spare : CONNECTIONS_SPARE));
}

static bool service_create(struct server *server)
{
	const struct config *config = server->config;
	const struct api_hooks hooks = {.context = server, .answer = answer, .store = store, .random = fill_random};
	struct api_config api = api_config_default();

	api.min_ttl_ns = config->min_ttl_ns;
	api.max_ttl_ns = config->max_ttl_ns;
	api.default_ttl_ns = config->ttl_ns;
	api.max_wait_ns = config->max_wait_ns;
	api.default_wait_ns = config->max_wait_ns < WAIT_STANDARD ? config->max_wait_ns : WAIT_STANDARD;
	api.auto_register = config->auto_register;
	api.version = FAIRSHARED_VERSION;
	api.openapi = openapi_begin;
	api.openapi_len = (size_t)(openapi_end - openapi_begin);
	api.share_calculator_of = share_calculator_of;
	api.share_calculator_context = (void *)(uintptr_t)config;
	api.requests_max = parked_max(config);
	server->api = api_create(server->fair, &api, &hooks, clock_now());
	server->commit = commit_create(server->store, server->fair);
	return server->api && server->commit;
}

/* ---- the process ---- */

static bool front_create(struct server *server, char *error)
{
	const struct config *config = server->config;
	struct http_config http = {
		.daemons = (unsigned)config->http_daemons,
		.max_connections = (unsigned)config->max_connections,
		.request_timeout_ns = config->request_timeout_ns,
	};

	server->port = config->listen_port;
	http.listener = socket_listen(config->listen_host, &server->port);
	if (http.listener < 0)
		return config_fail(error, "%s: cannot listen on %s: %s", config_origin(&config->pools[0], "listen"),
						   config->listen, strerror(errno));
	http.epoll = server->epoll;
	server->http = http_create(&http);
	return server->http || config_fail(error, "the HTTP daemons cannot start");
}

bool server_start(struct server *server, char error[CONFIG_ERROR_MAX])
{
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0)
		return config_fail(error, "epoll: %s", strerror(errno));
	if (!core_create(server) || !service_create(server))
		return config_fail(error, "out of memory");
	if (!server->store->ops->load(server->store, server->fair))
		return config_fail(error, "the store %s cannot be read", server->config->store);
	if (!front_create(server, error))
		return false;
	api_clock(server->api, clock_now(), clock_wall());
	http_clock(server->http, clock_now());
	commit_attach(server->commit, server->api);
	api_set_readiness(server->api, clock_now(), API_READY);
	return http_attach(server->http, server->api) || config_fail(error, "epoll: %s", strerror(errno));
}

int server_run(struct server *server)
{
	const struct loop_parts parts = {
		.epoll = server->epoll,
		.store_descriptor = server->store->ops->descriptor(server->store),
		.drain_timeout_ns = server->config->drain_timeout_ns,
		.fair = server->fair,
		.api = server->api,
		.http = server->http,
		.commit = server->commit,
	};

	return loop_run(&parts);
}

void server_stop(struct server *server)
{
	http_destroy(server->http);
	if (server->api)
		api_destroy(server->api);
	commit_destroy(server->commit);
	fair_destroy(server->fair);
	store_destroy(server->store);
	for (size_t i = 0; server->calculators && i < server->config->pool_count; i++)
		calculator_destroy(server->calculators[i]);
	free(server->calculators);
	if (server->epoll >= 0)
		close(server->epoll);
}
