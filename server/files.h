/* SPDX-License-Identifier: MIT */
/* The files that the build puts into the program, and how they are served: the page and openapi.yaml. */
#ifndef FAIRSHARED_FILES_H
#define FAIRSHARED_FILES_H

#include "api.h"

/* files_get returns the table, which is there for as long as the process. */
const struct api_file *files_get(size_t *ret_count);

#endif
