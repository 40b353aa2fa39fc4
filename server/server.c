/* SPDX-License-Identifier: MIT */
#include "server.h"

#include "clock.h"
#include "files.h"
#include "systemd.h"
#include "version.h"

#include <errno.h>
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

static void fill_random(void *context, void *bytes, size_t size)
{
	(void)context;
	arc4random_buf(bytes, size);
}

bool server_check(struct server *server, const struct config *config, char error[CONFIG_ERROR_MAX])
{
	char reason[STORE_ERROR_MAX];

	memset(server, 0, sizeof(*server));
	metrics_init(&server->metrics);
	server->config = config;
	server->epoll = -1;
	if (!store_is_known(config->store, reason))
		return config_fail(error, "%s: %s", config_origin(&config->pools[0], "store"), reason);
	server->pools = pools_create(config, error);
	server->presets = presets_create(config);
	if (!server->presets)
		return config_fail(error, "out of memory");
	return server->pools && raise_limit(config, error);
}

/* ---- the state ---- */

/* "Tokens never go back, not even with a lost or restored file": the wall clock outruns every rate of grants. */
static uint64_t first_token(uint64_t stored)
{
	uint64_t by_clock = (uint64_t)clock_wall() * 1000;

	return stored > by_clock ? stored : by_clock;
}

static bool core_create(struct server *server, uint64_t next_token)
{
	const struct config *config = server->config;
	struct fair_config core = fair_config_default();

	fill_random(NULL, &core.hash_seed, sizeof(core.hash_seed));
	core.first_token = first_token(next_token);
	core.queue_grace_ns = config->queue_grace_ns;
	core.claim_ns = config->claim_ns;
	core.key_memory_ns = config->key_memory_ns;
	core.ended_max = (uint32_t)config->ended_max;
	core.tenant_idle_ns = config->tenant_idle_ns;
	core.max_tenants = (uint32_t)config->max_tenants;
	core.accounts_max = (uint32_t)config->metrics_max_tenants;
	core.call_budget = CALL_BUDGET;
	server->fair = fair_create(&core);
	return server->fair && pools_add(server->pools, server->fair);
}

/* state_create makes the state that the store keeps, and has the store keep the pools that are configured now. */
static bool state_create(struct server *server, char *error)
{
	const struct config *config = server->config;
	char reason[STORE_ERROR_MAX];
	uint64_t next_token;

	server->store = store_create(config->store, (enum store_durability)config->durability, reason);
	if (!server->store)
		return config_fail(error, "%s: %s", config_origin(&config->pools[0], "store"), reason);
	if (!store_next_token(server->store, &next_token, reason))
		return config_fail(error, "%s", reason);
	if (!pools_load(server->pools, server->store, error))
		return false;
	if (!core_create(server, next_token))
		return config_fail(error, "out of memory");
	if (!store_load(server->store, server->fair, clock_now(), reason))
		return config_fail(error, "%s", reason);
	return pools_keep(server->pools, server->store, error);
}

/* Whether anybody has a place in line from before. */
static bool has_places(struct server *server, uint64_t now)
{
	struct fair_pool_view view;
	const char *pool;

	for (uint32_t i = 0; (pool = fair_pool_name(server->fair, i)) != NULL; i++)
		if (fair_pool_get(server->fair, now, pool, &view) == FAIR_OK && view.absent > 0)
			return true;
	return false;
}

/* ---- the api ---- */

/* audit logs who has changed what is another's, from where. */
static void audit(void *context, struct api_request *request, const char *act, const struct api_detail *details,
				  size_t count)
{
	char address[SOCKET_WHERE_MAX];
	struct log_field fields[API_DETAILS_MAX + 3] = {{"act", act, 0}};

	(void)context;
	http_address(request, address);
	for (size_t i = 0; i < count; i++)
		fields[i + 1] = (struct log_field){details[i].name, details[i].text, details[i].number};
	fields[count + 1] = (struct log_field){"request_id", request->id, 0};
	fields[count + 2] = (struct log_field){"address", address, 0};
	log_write(LOG_INFO, "audit", fields, (unsigned)count + 3);
}

/* The api calls back with one context; http and commit each want their own. */
static void answer(void *context, struct api_request *request, struct api_reply *reply)
{
	http_answer(((struct server *)context)->http, request, reply);
}

static uint64_t store(void *context, const struct fair_event *event)
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
	const struct api_hooks hooks = {
		.context = server, .answer = answer, .store = store, .random = fill_random, .audit = audit};
	const struct batch_source source = {.fair = server->fair, .get = pools_get, .context = server->pools};
	struct api_config api = api_config_default();

	api.min_ttl_ns = config->min_ttl_ns;
	api.max_ttl_ns = config->max_ttl_ns;
	api.default_ttl_ns = config->ttl_ns;
	api.max_wait_ns = config->max_wait_ns;
	api.default_wait_ns = config->max_wait_ns < WAIT_STANDARD ? config->max_wait_ns : WAIT_STANDARD;
	api.auto_register = config->auto_register;
	api.version = FAIRSHARED_VERSION;
	api.metrics = metrics_write;
	api.metrics_context = &server->metrics;
	api.files = files_get(&api.files_count);
	api.pool_info = pools_info;
	api.pool_set = pools_set;
	api.pool_remove = pools_remove;
	api.pools_context = server->pools;
	api.max_waiting = (uint32_t)config->pools[0].max_waiting;
	api.tenant_max_waiting = (uint32_t)config->pools[0].tenant_max_waiting;
	api.requests_max = parked_max(config);
	api.streams_max = (uint32_t)config->max_streams;
	server->api = api_create(server->fair, &api, &hooks, clock_now());
	server->commit = commit_create(server->store, &source);
	return server->api && server->commit;
}

/* ---- the process ---- */

/* listener_open takes systemd's socket, or makes our own; false with the reason in error. */
static bool listener_open(const struct config *config, struct http_config *http, char *error)
{
	if (!systemd_listener(&http->listener, error))
		return false;
	if (http->listener >= 0) {
		log_text(LOG_INFO, "a listening socket is handed over: listen is ignored", "listen", config->listen);
		return true;
	}
	http->name = &config->listen_address;
	http->listener = socket_listen(http->name);
	return http->listener >= 0 ||
		   config_fail(error, "%s: cannot listen on %s: %s", config_origin(&config->pools[0], "listen"), config->listen,
					   strerror(errno));
}

static bool front_create(struct server *server, char *error)
{
	const struct config *config = server->config;
	struct http_config http = {
		.daemons = (unsigned)config->http_daemons,
		.max_connections = (unsigned)config->max_connections,
		.request_timeout_ns = config->request_timeout_ns,
	};

	if (!listener_open(config, &http, error))
		return false;
	http.epoll = server->epoll;
	server->http = http_create(&http);
	if (!server->http)
		return config_fail(error, "the HTTP daemons cannot start");
	return socket_where(http.listener, server->where) ||
		   config_fail(error, "the listening socket has no address: %s", strerror(errno));
}

/* set_tenants gives the tenants of the configuration their policies; nobody is waiting yet. */
static void set_tenants(struct server *server, uint64_t now)
{
	presets_log(server->presets, NULL, server->fair);
	presets_clear(server->presets, server->fair, now);
	for (size_t i = 0; pools_configured(server->pools, i); i++)
		presets_make_room(server->presets, server->fair, now, pools_configured(server->pools, i));
	presets_set(server->presets, server->fair, now);
	(void)api_advance(server->api, now, 1);
}

bool server_start(struct server *server, char error[CONFIG_ERROR_MAX])
{
	uint64_t now;

	systemd_status("loading the state");
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0)
		return config_fail(error, "epoll: %s", strerror(errno));
	if (!state_create(server, error))
		return false;
	if (!service_create(server))
		return config_fail(error, "out of memory");
	if (!front_create(server, error))
		return false;
	now = clock_now();
	api_clock(server->api, now, clock_wall());
	http_clock(server->http, now);
	commit_attach(server->commit, server->api);
	server->metrics.http = server->http;
	server->metrics.commit = server->commit;
	set_tenants(server, now);
	api_set_readiness(server->api, now, API_READY);
	if (has_places(server, now))
		commit_settle(server->commit, now, now + server->config->settle_ns);
	return http_attach(server->http, server->api) || config_fail(error, "epoll: %s", strerror(errno));
}

static void log_needs_restart(const char *key)
{
	log_text(LOG_WARNING, "another value of this key needs a restart", "key", key);
}

/* set_back brings pools and tenants to what the configuration says. Reserves and slots depend on each other: nothing is
 * granted until all are as they shall be. */
static void set_back(struct server *server, uint64_t now, struct pools *pools, struct presets *presets)
{
	bool hold = !commit_holds(server->commit) && fair_hold(server->fair, now, NULL, true) == FAIR_OK;

	presets_log(presets, server->presets, server->fair);
	presets_clear(server->presets, server->fair, now);
	presets_clear(presets, server->fair, now);
	for (size_t i = 0; pools_configured(pools, i); i++)
		presets_make_room(presets, server->fair, now, pools_configured(pools, i));
	pools_reload(server->pools, pools, server->fair, now);
	presets_set(presets, server->fair, now);
	presets_destroy(server->presets);
	server->presets = presets;
	if (hold && fair_hold(server->fair, now, NULL, false) != FAIR_OK)
		log_say(LOG_ERROR, "granting cannot be resumed");
	(void)api_advance(server->api, now, 1); /* takes in what that has granted */
}

/* reload reads the configuration again. A wrong one changes nothing. */
static void reload(void *context, uint64_t now)
{
	struct server *server = context;
	char error[CONFIG_ERROR_MAX];
	struct pools *pools = NULL;
	struct presets *presets = NULL;
	struct config config;

	if (config_reload(&config, server->config, error)) {
		pools = pools_create(&config, error);
		presets = pools ? presets_create(&config) : NULL;
		if (pools && !presets)
			config_fail(error, "out of memory");
	}
	if (presets) {
		config_differences(server->config, &config, log_needs_restart);
		set_back(server, now, pools, presets);
		log_say(LOG_INFO, "the configuration was read again");
	} else {
		log_text(LOG_ERROR, "the configuration is refused, all stays as it is", "reason", error);
	}
	pools_destroy(pools);
	config_free(&config);
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
		.reload = reload,
		.context = server,
		.turns = &server->metrics.turns,
	};

	return loop_run(&parts);
}

void server_stop(struct server *server)
{
	http_destroy(server->http);
	if (server->api)
		api_destroy(server->api);
	store_destroy(server->store); /* ends the batch in flight, which the commit owns */
	commit_destroy(server->commit);
	fair_destroy(server->fair);
	pools_destroy(server->pools);
	metrics_fini(&server->metrics);
	presets_destroy(server->presets);
	if (server->epoll >= 0)
		close(server->epoll);
}
