/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of trials: randomized complete blocks. A block is one workload run once in every technique, in
 * an order drawn from the campaign's seed; a round is one block of every workload, itself in random order, so
 * that slow drift of the machine hits all workloads alike. Each order depends only on (seed, block number,
 * workload), so a resumed campaign goes on exactly where it would have been.
 */
#ifndef VTAX_CAMPAIGN_SCHEDULE_H
#define VTAX_CAMPAIGN_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

/* The order of workloads 0…n−1 in round `block`. */
void schedule_workloads(uint64_t seed, unsigned block, unsigned *order, size_t n);

/* The order of techniques 0…n−1 in block `block` of `workload`. */
void schedule_techniques(uint64_t seed, unsigned block, unsigned workload, unsigned *order, size_t n);

/* A seed from the system's entropy, below 2^53 so that every JSON reader keeps it exact. */
uint64_t schedule_fresh_seed(void);

#endif
