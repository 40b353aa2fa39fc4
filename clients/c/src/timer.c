/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

uint64_t fairshare_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Beyond a hundred years is never: sums of instants do not overflow. */
uint64_t seconds_to_ns(double seconds)
{
	if (!(seconds > 0))
		return 0;
	return seconds < 3.2e9 ? (uint64_t)(seconds * 1e9) : (uint64_t)3.2e18;
}

double ns_to_seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

uint64_t backoff_ns(unsigned failures, double least_seconds)
{
	double most = fmin(BACKOFF_MAX_SECONDS, BACKOFF_MIN_SECONDS * (double)(1u << (failures < 10 ? failures : 10)));
	double drawn = most * ((double)arc4random() / (double)UINT32_MAX);

	return seconds_to_ns(fmax(drawn, least_seconds));
}

void timers_init(struct timers *timers)
{
	LIST_INIT(&timers->list);
	timers->bound_ns = NEVER;
}

void timer_arm(struct timers *timers, struct timer *timer, uint64_t due_ns)
{
	timer_disarm(timer);
	timer->due_ns = due_ns;
	timer->armed = true;
	LIST_INSERT_HEAD(&timers->list, timer, link);
	if (due_ns < timers->bound_ns)
		timers->bound_ns = due_ns;
}

void timer_disarm(struct timer *timer)
{
	if (timer->armed)
		LIST_REMOVE(timer, link);
	timer->armed = false;
}

/* Those due are set aside first: what one of them arms waits for the next run, and it may disarm any other. */
void timers_run(struct timers *timers, uint64_t now_ns)
{
	struct timer_list due = LIST_HEAD_INITIALIZER(due);
	struct timer *timer, *next;

	if (now_ns < timers->bound_ns)
		return;
	timers->bound_ns = NEVER;
	for (timer = LIST_FIRST(&timers->list); timer != NULL; timer = next) {
		next = LIST_NEXT(timer, link);
		if (timer->due_ns <= now_ns) {
			LIST_REMOVE(timer, link);
			LIST_INSERT_HEAD(&due, timer, link);
		} else if (timer->due_ns < timers->bound_ns) {
			timers->bound_ns = timer->due_ns;
		}
	}
	while ((timer = LIST_FIRST(&due)) != NULL) {
		timer_disarm(timer);
		timer->fire(timer);
	}
}
