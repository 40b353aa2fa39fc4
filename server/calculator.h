/* SPDX-License-Identifier: MIT */
/*
 * The share calculator of a pool: a Lua expression of max_slots and num_demanding_tenants, such as
 * max_slots // num_demanding_tenants + 2. It sees these two and abs, ceil, floor, min, max, log, sqrt, tointeger;
 * what it may take of instructions and memory is bounded.
 */
#ifndef FAIRSHARED_CALCULATOR_H
#define FAIRSHARED_CALCULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct calculator;

/*
 * calculator_create compiles the expression and tries it for 1 .. min(2 max_slots, 4096) tenants; on any failure it
 * returns NULL with the reason in error. `expression` and `pool` are borrowed as long as it lives.
 */
struct calculator *calculator_create(const char *pool, const char *expression, uint32_t max_slots, char *error,
                                     size_t error_size);
void calculator_destroy(struct calculator *calculator);

/* calculator_share is a fair_calculator; context is the struct calculator. */
bool calculator_share(uint32_t max_slots, uint32_t num_demanding_tenants, void *context, uint64_t *ret_share);

#endif
