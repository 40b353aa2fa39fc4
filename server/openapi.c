/* SPDX-License-Identifier: MIT */
#include "openapi.h"

/* The assembler copies the file as it is, however large; OPENAPI_FILE is its path, from CMakeLists.txt. */
__asm__(".pushsection .rodata\n"
		".global openapi_begin, openapi_end\n"
		"openapi_begin:\n"
		".incbin \"" OPENAPI_FILE "\"\n"
		"openapi_end:\n"
		".byte 0\n"
		".popsection\n");
