/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * CLOCK_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_now(void)
{
	static uint64_t epoch;

	if (epoch == 0)
		epoch = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);
	return epoch + read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_date(char ret_text[CLOCK_DATE_SIZE])
{
	time_t now = (time_t)(clock_wall() / 1000);
	struct tm utc;

	strftime(ret_text, CLOCK_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
}
