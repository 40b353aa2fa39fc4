/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fairshare_err_text(enum fairshare_err err)
{
	static const char *const texts[] = {
#define FAIRSHARE_X(name, text) [FAIRSHARE_##name] = text,
		FAIRSHARE_ERR_LIST(FAIRSHARE_X)
#undef FAIRSHARE_X
	};

	return (size_t)err < sizeof(texts) / sizeof(texts[0]) ? texts[err] : "unknown";
}

enum fairshare_err error_set(struct fairshare_error *error, enum fairshare_err err, const char *format, ...)
{
	va_list args;

	if (error == NULL)
		return err;
	*error = (struct fairshare_error){0};
	snprintf(error->code, sizeof(error->code), "%s", fairshare_err_text(err));
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return err;
}

enum fairshare_err error_no_memory(struct fairshare_error *error)
{
	return error_set(error, FAIRSHARE_E_NO_MEMORY, "out of memory");
}

enum fairshare_err error_kind(const struct fairshare_error *error)
{
	if (strcmp(error->code, fairshare_err_text(FAIRSHARE_E_NO_MEMORY)) == 0)
		return FAIRSHARE_E_NO_MEMORY;
	if (strcmp(error->code, fairshare_err_text(FAIRSHARE_E_UNREACHABLE)) == 0)
		return FAIRSHARE_E_UNREACHABLE;
	if (strcmp(error->code, fairshare_err_text(FAIRSHARE_E_NO_SLOT)) == 0)
		return FAIRSHARE_E_NO_SLOT;
	return FAIRSHARE_E_REFUSED;
}
