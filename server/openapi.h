/* SPDX-License-Identifier: MIT */
/* The text of openapi.yaml, put into the program by the build: the bytes from begin up to end. */
#ifndef FAIRSHARED_OPENAPI_H
#define FAIRSHARED_OPENAPI_H

extern const char openapi_begin[], openapi_end[];

#endif
