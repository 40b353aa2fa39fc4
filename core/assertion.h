/* SPDX-License-Identifier: MIT */
/* Assertions stay on in every build: they say what cannot be, never what a peer may send. */
#ifndef FAIRSHARE_ASSERTION_H
#define FAIRSHARE_ASSERTION_H

#include <stdlib.h>

#define FAIR_ASSERT(x)   \
	do {                 \
		if (!(x))        \
			abort();     \
	} while (0)

#endif
