/* SPDX-License-Identifier: MIT */
/* The audit: who has ended, changed or stopped what is another's. */
#ifndef FAIRSHARED_API_AUDIT_H
#define FAIRSHARED_API_AUDIT_H

#include <math.h>

#include "internal.h"

/* audit_tell tells of an act ("revoke") and its details, at most API_DETAILS_MAX; those without a value are left out.
 */
void audit_tell(struct api *api, const struct call *call, const char *act, const struct api_detail *details,
				size_t count);

/* How a pool is going to change. Taken before: what the old values borrow is gone with the change. */
struct audit_change {
	struct fair_pool_config was;
	bool calculator, slot_urls, cordoned;
};

struct audit_change audit_compare(const struct api_pool *was, const struct api_pool *is);
/* audit_changed tells of each value that differs, audit_made of a new pool. */
void audit_changed(struct api *api, const struct call *call, const struct audit_change *change,
				   const struct api_pool *is);
void audit_made(struct api *api, const struct call *call, const struct api_pool *is);

/* A detail that is a text, NULL where it has no value; and one that is a number, NAN where it has none. */
#define AUDIT_TEXT(name, value)                                                                                        \
	{                                                                                                                  \
		(name), (value), NAN                                                                                           \
	}
#define AUDIT_NUMBER(name, value)                                                                                      \
	{                                                                                                                  \
		(name), NULL, (double)(value)                                                                                  \
	}

#endif
