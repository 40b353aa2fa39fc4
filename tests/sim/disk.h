/* SPDX-License-Identifier: MIT */
/*
 * A disk beside the simulated core: the records of leases and tenants, as a store keeps them. What events touched
 * gathers and becomes one batch of the present records when it is sent off; a batch is on the disk as a whole or not
 * at all. Numbers, names, labels and keys are those of the simulator: small.
 */
#ifndef FAIRSHARE_SIM_DISK_H
#define FAIRSHARE_SIM_DISK_H

#include "model.h"

#define DISK_NUMBERS 16384 /* of leases of a world */
#define DISK_TEXT 8

struct disk_lease {
	bool used;
	uint64_t number;
	struct fair_lease_record record; /* its texts and slots are those below */
	bool has_slots;
	uint32_t slot_ids[MODEL_SLOTS_MAX];
	char pool[DISK_TEXT], tenant[DISK_TEXT], label[DISK_TEXT], key[DISK_TEXT];
};

struct disk_tenant {
	bool used;
	struct fair_tenant_record record;
	char pool[DISK_TEXT], tenant[DISK_TEXT], instances[MODEL_INSTANCES][DISK_TEXT];
};

struct disk_touched {
	uint64_t number;
	struct fair_id id;
};

struct disk {
	/* The disk. */
	struct disk_lease leases[DISK_NUMBERS]; /* by number */
	struct disk_tenant tenants[MODEL_POOLS * MODEL_TENANTS];
	uint64_t next_token, end; /* all numbers are below */

	/* What events touched since the last batch was sent off. */
	struct disk_touched touched[DISK_NUMBERS];
	uint32_t num_touched;
	bool is_touched[DISK_NUMBERS];
	bool tenant_touched[MODEL_POOLS * MODEL_TENANTS];

	/* The batch in flight. */
	bool in_flight;
	struct disk_lease batch[DISK_NUMBERS];
	struct disk_touched sent[DISK_NUMBERS];
	uint32_t num_sent;
	struct disk_tenant batch_tenants[MODEL_POOLS * MODEL_TENANTS];
	bool tenant_sent[MODEL_POOLS * MODEL_TENANTS];
	uint64_t batch_token;
};

void disk_clear(struct disk *d, uint64_t first_token);
/* disk_touch notes what an event is about. `at`: the tenant, MODEL_TENANTS to a pool. */
void disk_touch(struct disk *d, const struct fair_event *e, uint32_t at);
void disk_send_off(struct disk *d, const struct fair *f, const char *const *pools, const char *const *tenants);
/* disk_written puts the batch in flight on the disk; disk_failed has the next one write it, too. */
void disk_written(struct disk *d);
void disk_failed(struct disk *d);
/* disk_crash forgets what is not on the disk. */
void disk_crash(struct disk *d);
/* disk_load restores all that is on the disk. */
enum fair_err disk_load(struct disk *d, struct fair *f, uint64_t now);
/* disk_is_loaded: whether the records of that state are those on the disk, but for times after `now`. */
bool disk_is_loaded(const struct disk *d, const struct fair *f, uint64_t now);
/* disk_set_back makes times after `now` what they are in the state that was loaded: the model knows one time only. */
void disk_set_back(struct disk *d, uint64_t now);

#endif
