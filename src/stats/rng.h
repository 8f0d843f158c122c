/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reproducible random numbers for orders and arrivals: xoshiro256** 1.0 (Blackman & Vigna 2018), seeded by
 * splitmix64, so that a campaign's seed gives the same order on every machine.
 */
#ifndef VTAX_STATS_RNG_H
#define VTAX_STATS_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n), unbiased (Lemire 2019); n > 0 */
double rng_uniform(struct rng *r);	       /* in (0, 1), 53 bits */
void rng_shuffle(struct rng *r, unsigned *a, size_t n); /* Fisher–Yates */

#endif
