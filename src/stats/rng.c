/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xoshiro256** 1.0 and splitmix64 after the authors' public-domain reference code (Blackman & Vigna,
 * "Scrambled linear pseudorandom number generators", 2018). libc's generators are not used: their sequences
 * differ between libraries, and the order of a campaign must be the same wherever its seed is replayed.
 * The agent links this file into a static binary: nothing here needs libm.
 */
#include "stats/rng.h"

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Four outputs of a bijective generator are never all zero, the one state xoshiro cannot leave. */
void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&seed);
}

static inline uint64_t rotl(uint64_t x, unsigned k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

/* Lemire's multiplication method: the modulo is only computed in the rare case that may be biased. */
uint64_t rng_below(struct rng *r, uint64_t n)
{
	unsigned __int128 m = (unsigned __int128)rng_next(r) * n;
	uint64_t low = (uint64_t)m;

	if (low < n) {
		uint64_t threshold = -n % n;

		while (low < threshold) {
			m = (unsigned __int128)rng_next(r) * n;
			low = (uint64_t)m;
		}
	}
	return (uint64_t)(m >> 64);
}

/* Zero is drawn again rather than shifted by half a step, which would round up to 1.0 at the top. */
double rng_uniform(struct rng *r)
{
	uint64_t u;

	do
		u = rng_next(r) >> 11;
	while (u == 0);
	return (double)u * 0x1p-53;
}

void rng_shuffle(struct rng *r, unsigned *a, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)rng_below(r, i);
		unsigned t = a[i - 1];

		a[i - 1] = a[j];
		a[j] = t;
	}
}
