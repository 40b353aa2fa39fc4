/* SPDX-License-Identifier: MIT */
/* What every test file says over and over. */
#ifndef FAIRSHARED_TESTS_API_CHECK_H
#define FAIRSHARED_TESTS_API_CHECK_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define expect_status(e, wanted)                                                                                       \
	cr_expect(status(e) == (wanted), "%s %s: status %u, wanted %u: %s", (e)->request.method, (e)->request.path,        \
			  status(e), (unsigned)(wanted), (e)->reply.body != NULL ? (e)->reply.body : "")
#define expect_problem(e, wanted, code)                                                                                \
	do {                                                                                                               \
		expect_status(e, wanted);                                                                                      \
		expect_text(e, "code", code);                                                                                  \
	} while (0)
#define expect_text(e, name, wanted)                                                                                   \
	cr_expect(strcmp(text(e, name), wanted) == 0, "%s is '%s', wanted '%s': %s", name, text(e, name), wanted,          \
			  (e)->reply.body != NULL ? (e)->reply.body : "")
#define expect_number(e, name, wanted)                                                                                 \
	cr_expect(number(e, name) > (wanted)-0.0005 && number(e, name) < (wanted) + 0.0005, "%s is %g, wanted %g", name,   \
			  number(e, name), (double)(wanted))
#define expect_stat(w, name, wanted)                                                                                   \
	cr_expect((long)stat_of(w, name) == (long)(wanted), "%s is %g, wanted %g", name, stat_of(w, name), (double)(wanted))
#define expect_fault(e, place)                                                                                         \
	do {                                                                                                               \
		expect_problem(e, 422, "invalid-value");                                                                       \
		cr_expect(strcmp(fault(e), place) == 0, "fault at '%s', wanted '%s'", fault(e), place);                        \
	} while (0)

#endif
