/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include "clock.h"
#include "exposition.h"
#include "tally.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_A_PART 1000
#define COMMIT_LEAST (50 * CLOCK_US)
#define COMMIT_MOST (10 * CLOCK_S)
#define TURN_LEAST (50 * CLOCK_US)
#define TURN_MOST (10 * CLOCK_S)

void metrics_init(struct metrics *metrics)
{
	*metrics = (struct metrics){.started_ms = clock_wall()};
}

void metrics_fini(struct metrics *metrics)
{
	if (metrics->descriptors)
		closedir(metrics->descriptors);
	metrics->descriptors = NULL;
}

static void write_connections(const struct metrics *metrics, struct exposition *out)
{
	struct http_counts counts = http_counts(metrics->http);

	exposition_family(out, "fairshared_http_connections", "gauge", "Open connections; suspended: their request waits.");
	exposition_count(out, counts.connections - counts.suspended, "state=\"active\"");
	exposition_count(out, counts.suspended, "state=\"suspended\"");
}

static void write_store(const struct metrics *metrics, struct exposition *out)
{
	const struct commit_counts *counts = commit_counts(metrics->commit);

	exposition_family(out, "fairshared_store_commits_total", "counter", "Batches that the store was given, by outcome.");
	exposition_count(out, counts->committed, "outcome=\"ok\"");
	exposition_count(out, counts->failed, "outcome=\"failed\"");
	exposition_family(out, "fairshared_store_commit_seconds", "histogram", "How long the store took for a batch.");
	exposition_spans(out, &counts->took, COMMIT_LEAST, COMMIT_MOST, "%s", "");
	exposition_family(out, "fairshared_store_batch_records", "histogram", "Records of a batch.");
	exposition_bins(out, counts->bins, COMMIT_BINS, counts->records);
}

static void write_loop(const struct metrics *metrics, struct exposition *out)
{
	exposition_family(out, "fairshared_loop_turn_seconds", "histogram",
	                  "How long a turn of the loop took, without waiting for something to do: a request waits for one.");
	exposition_spans(out, &metrics->turns, TURN_LEAST, TURN_MOST, "%s", "");
}

static uint64_t nanoseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * CLOCK_S + (uint64_t)time->tv_usec * CLOCK_US;
}

static void write_memory(struct exposition *out)
{
	unsigned long long size, resident, page = (unsigned long long)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return;
	if (fscanf(file, "%llu %llu", &size, &resident) == 2) {
		exposition_family(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.");
		exposition_count(out, size * page, "%s", "");
		exposition_family(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
		exposition_count(out, resident * page, "%s", "");
	}
	fclose(file);
}

static void write_process(const struct metrics *metrics, struct exposition *out)
{
	struct rusage usage;
	struct rlimit limit;

	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		exposition_family(out, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.");
		exposition_seconds(out, nanoseconds(&usage.ru_utime) + nanoseconds(&usage.ru_stime), "%s", "");
	}
	exposition_family(out, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.");
	exposition_seconds(out, (uint64_t)metrics->started_ms * CLOCK_MS, "%s", "");
	write_memory(out);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		exposition_family(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.");
		exposition_count(out, limit.rlim_cur, "%s", "");
	}
}

/*
 * count_descriptors goes on counting; false when all are. To read the folder of ten thousand descriptors takes
 * milliseconds, and the kernel of Debian 12 has no other way.
 */
static bool count_descriptors(struct metrics *metrics)
{
	const struct dirent *entry;

	for (unsigned i = 0; i < DESCRIPTORS_A_PART; i++) {
		entry = readdir(metrics->descriptors);
		if (!entry)
			return false;
		metrics->open += entry->d_name[0] != '.';
	}
	return true;
}

/* Where there is no /proc the server does without. */
static void begin_descriptors(struct metrics *metrics)
{
	metrics->open = 0;
	if (metrics->descriptors)
		rewinddir(metrics->descriptors);
	else
		metrics->descriptors = opendir("/proc/self/fd");
}

static bool write_descriptors(struct metrics *metrics, struct exposition *out)
{
	if (!metrics->descriptors)
		return false;
	if (count_descriptors(metrics))
		return true;
	exposition_family(out, "process_open_fds", "gauge", "Number of open file descriptors.");
	exposition_count(out, metrics->open, "%s", "");
	return false;
}

bool metrics_write(void *context, unsigned part, struct exposition *out)
{
	struct metrics *metrics = context;

	switch (part) {
	case 0:
		tally_write_answers(http_counts(metrics->http).tally, out);
		return true;
	case 1:
		tally_write_times(http_counts(metrics->http).tally, out);
		return true;
	case 2:
		write_connections(metrics, out);
		write_store(metrics, out);
		write_loop(metrics, out);
		write_process(metrics, out);
		begin_descriptors(metrics);
		return true;
	default:
		return write_descriptors(metrics, out);
	}
}
