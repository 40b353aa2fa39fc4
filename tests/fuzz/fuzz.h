/* SPDX-License-Identifier: MIT */
/* What the entry functions share. They abort where something is wrong; libFuzzer and replay.c call them. */
#ifndef FAIRSHARED_TESTS_FUZZ_H
#define FAIRSHARED_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* LLVMFuzzerTestOneInput plays one input; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* MUST aborts, and says what did not hold. */
#define MUST(condition)                                                                                                \
	do {                                                                                                               \
		if (!(condition)) {                                                                                            \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
			abort();                                                                                                   \
		}                                                                                                              \
	} while (0)

#endif
