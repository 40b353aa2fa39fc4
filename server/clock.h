/* SPDX-License-Identifier: MIT */
/* The only place of the program that reads clocks. Everything else is handed the time of its turn. */
#ifndef FAIRSHARED_CLOCK_H
#define FAIRSHARED_CLOCK_H

#include <stdint.h>

#define CLOCK_US UINT64_C(1000)
#define CLOCK_MS UINT64_C(1000000)
#define CLOCK_S UINT64_C(1000000000)

/* clock_now returns monotonic nanoseconds that began at the wall clock of the start: times that are kept mean the same
 * to the next process. */
uint64_t clock_now(void);

/* clock_wall returns milliseconds since 1970. */
int64_t clock_wall(void);

#define CLOCK_DATE_SIZE 32
/* clock_date writes the wall clock's time as HTTP tells it. */
void clock_date(char ret_text[CLOCK_DATE_SIZE]);

#endif
