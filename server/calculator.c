/* SPDX-License-Identifier: MIT */
#include "calculator.h"

#include "log.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED 4096
#define INSTRUCTIONS_MAX 10000
#define MEMORY_MAX ((size_t)128 * 1024)
#define SHARE_MAX INT32_MAX

/* The results met last: a row is overwritten by the next number of tenants that falls on it. */
struct memo {
	uint32_t max_slots, tenants; /* tenants 0: an empty row */
	int32_t share;				 /* -1: it failed */
};

struct calculator {
	lua_State *lua;
	const char *pool;
	const char *expression;
	size_t memory;
	bool told; /* a failure has been logged */
	struct memo memos[REMEMBERED];
};

/* What one protected call is about; errors of Lua leap out of it, so it holds no resource. */
struct call {
	struct calculator *calculator;
	uint32_t max_slots, tenants;
	int32_t share;
};

/* The stack of the Lua state holds these two at all times. */
enum { AT_FUNCTION = 1, AT_VARIABLES = 2 };

static void *bounded_alloc(void *context, void *old, size_t old_size, size_t size)
{
	struct calculator *c = context;
	void *memory;

	if (!old)
		old_size = 0; /* Lua passes the kind of the new object there */
	if (size == 0) {
		free(old);
		c->memory -= old_size;
		return NULL;
	}
	if (size > old_size && c->memory + (size - old_size) > MEMORY_MAX)
		return NULL;
	memory = realloc(old, size);
	if (memory)
		c->memory = c->memory - old_size + size;
	return memory;
}

static void too_long(lua_State *lua, lua_Debug *debug)
{
	(void)debug;
	luaL_error(lua, "it takes more than %d instructions", INSTRUCTIONS_MAX);
}

static void copy_functions(lua_State *lua)
{
	static const char *const names[] = {"abs", "ceil", "floor", "min", "max", "log", "sqrt", "tointeger"};

	luaopen_math(lua);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		lua_getfield(lua, -1, names[i]);
		lua_setfield(lua, -3, names[i]);
	}
	lua_pop(lua, 1);
}

/* compile leaves the function and the table of its variables: the only thing that it can see. */
static int compile(lua_State *lua)
{
	struct call *call = lua_touserdata(lua, 1);
	const char *text;

	lua_settop(lua, 0);
	lua_pushliteral(lua, "");
	lua_pushnil(lua);
	lua_setmetatable(lua, -2); /* of all strings: their methods can run for ever within one instruction */
	lua_newtable(lua);
	copy_functions(lua);
	text = lua_pushfstring(lua, "return %s", call->calculator->expression);
	if (luaL_loadbufferx(lua, text, strlen(text), "=share_calculator", "t") != LUA_OK)
		return lua_error(lua);
	lua_pushvalue(lua, 2);
	lua_setupvalue(lua, -2, 1);
	lua_pushvalue(lua, 2);
	return 2;
}

static int32_t as_share(lua_State *lua)
{
	lua_Number number;

	if (lua_type(lua, -1) != LUA_TNUMBER)
		return luaL_error(lua, "its value is a %s, not a number", luaL_typename(lua, -1));
	if (lua_isinteger(lua, -1)) {
		lua_Integer integer = lua_tointeger(lua, -1);

		return integer < 0 ? 0 : integer > SHARE_MAX ? SHARE_MAX : (int32_t)integer;
	}
	number = lua_tonumber(lua, -1);
	if (isnan(number))
		return luaL_error(lua, "its value is not a number (nan)");
	if (isinf(number))
		return luaL_error(lua, "its value is infinite, as after a division by zero");
	return number < 0 ? 0 : number > SHARE_MAX ? SHARE_MAX : (int32_t)floor(number);
}

static int evaluate(lua_State *lua)
{
	struct call *call = lua_touserdata(lua, 3);

	lua_pushinteger(lua, call->max_slots);
	lua_setfield(lua, AT_VARIABLES, "max_slots");
	lua_pushinteger(lua, call->tenants);
	lua_setfield(lua, AT_VARIABLES, "num_demanding_tenants");
	lua_sethook(lua, too_long, LUA_MASKCOUNT, INSTRUCTIONS_MAX);
	lua_pushvalue(lua, AT_FUNCTION);
	lua_call(lua, 0, 1);
	call->share = as_share(lua);
	return 0;
}

/* take_error pops the error on the stack into text. */
static void take_error(lua_State *lua, char *text, size_t size)
{
	const char *message = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;

	snprintf(text, size, "%s", message ? message : "it raises an error");
	lua_pop(lua, 1);
}

/* run evaluates the expression; the function and its variables are copied into the protected call. */
static bool run(struct calculator *c, struct call *call, char *error, size_t error_size)
{
	lua_State *lua = c->lua;
	bool ok;

	lua_pushcfunction(lua, evaluate);
	lua_pushvalue(lua, AT_FUNCTION);
	lua_pushvalue(lua, AT_VARIABLES);
	lua_pushlightuserdata(lua, call);
	ok = lua_pcall(lua, 3, 0, 0) == LUA_OK;
	lua_sethook(lua, NULL, 0, 0);
	if (!ok)
		take_error(lua, error, error_size);
	return ok;
}

static void tell_once(struct calculator *c, uint32_t tenants, const char *error)
{
	const struct log_field fields[] = {
		{"pool", c->pool, 0},
		{"share_calculator", c->expression, 0},
		{"num_demanding_tenants", NULL, tenants},
		{"error", error, 0},
	};

	if (!c->told)
		log_write(LOG_WARNING, "the share calculator failed; max_slots // num_demanding_tenants is used instead",
				  fields, 4);
	c->told = true;
}

bool calculator_share(uint32_t max_slots, uint32_t num_demanding_tenants, void *context, uint64_t *ret_share)
{
	struct calculator *c = context;
	struct memo *memo = &c->memos[num_demanding_tenants % REMEMBERED];
	char error[256];

	if (memo->tenants != num_demanding_tenants || memo->max_slots != max_slots) {
		struct call call = {.calculator = c, .max_slots = max_slots, .tenants = num_demanding_tenants};
		bool ok = run(c, &call, error, sizeof(error));

		*memo = (struct memo){max_slots, num_demanding_tenants, ok ? call.share : -1};
		if (!ok)
			tell_once(c, num_demanding_tenants, error);
	}
	if (memo->share < 0)
		return false;
	*ret_share = (uint64_t)memo->share;
	return true;
}

static bool start(struct calculator *c, char *error, size_t error_size)
{
	struct call call = {.calculator = c};

	lua_pushcfunction(c->lua, compile);
	lua_pushlightuserdata(c->lua, &call);
	if (lua_pcall(c->lua, 1, 2, 0) == LUA_OK)
		return true;
	take_error(c->lua, error, error_size);
	return false;
}

/* try_all evaluates it for the numbers of tenants that are likely, so that a mistake shows at the start. */
static bool try_all(struct calculator *c, uint32_t max_slots, char *error, size_t error_size)
{
	uint32_t last = max_slots < REMEMBERED / 2 ? 2 * max_slots : REMEMBERED;
	char reason[256];

	for (uint32_t n = 1; n <= last; n++) {
		struct call call = {.calculator = c, .max_slots = max_slots, .tenants = n};

		if (!run(c, &call, reason, sizeof(reason))) {
			snprintf(error, error_size, "for %u demanding tenants: %s", n, reason);
			return false;
		}
		c->memos[n % REMEMBERED] = (struct memo){max_slots, n, call.share};
	}
	return true;
}

struct calculator *calculator_create(const char *pool, const char *expression, uint32_t max_slots, char *error,
									 size_t error_size)
{
	struct calculator *c = calloc(1, sizeof(*c));

	snprintf(error, error_size, "out of memory");
	if (!c)
		return NULL;
	c->pool = pool;
	c->expression = expression;
	c->lua = lua_newstate(bounded_alloc, c);
	if (!c->lua || !start(c, error, error_size) || !try_all(c, max_slots, error, error_size)) {
		calculator_destroy(c);
		return NULL;
	}
	return c;
}

void calculator_destroy(struct calculator *calculator)
{
	if (!calculator)
		return;
	if (calculator->lua)
		lua_close(calculator->lua);
	free(calculator);
}
