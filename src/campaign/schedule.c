/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign/schedule.h"

#include "base/clock.h"
#include "stats/rng.h"

#include <sys/random.h>

/* One generator per order; the multipliers keep (block, workload) pairs apart before splitmix64 mixes them. */
static void draw(uint64_t seed, uint64_t block, uint64_t which, unsigned *order, size_t n)
{
	struct rng rng;

	for (size_t i = 0; i < n; i++)
		order[i] = (unsigned)i;
	rng_seed(&rng, seed ^ (block + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ which * UINT64_C(0xd1b54a32d192ed03));
	rng_shuffle(&rng, order, n);
}

void schedule_workloads(uint64_t seed, unsigned block, unsigned *order, size_t n)
{
	draw(seed, block, 0, order, n);
}

void schedule_techniques(uint64_t seed, unsigned block, unsigned workload, unsigned *order, size_t n)
{
	draw(seed, block, (uint64_t)workload + 1, order, n);
}

uint64_t schedule_fresh_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = clock_now_ns();
	return seed >> 11;
}
