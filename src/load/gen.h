/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of a key-value store asks for, and when: sizes, popularity and inter-arrival times.
 *
 * Formulas (E ~ Exp(1), U uniform in (0, 1)):
 *	GEV(loc, s, k)     = loc + s·(E^−k − 1)/k
 *	GPareto(loc, s, k) = loc + s·(U^−k − 1)/k
 * ETC is the Facebook pool of Atikoglu et al. (SIGMETRICS 2012) as mutilate draws it. Sizes belong to a
 * record, not to a request: they are drawn from a generator that the record's number seeds. So a key always
 * has the same length, a value may be written by one client and checked by another, and nothing need be
 * remembered.
 */
#ifndef VTAX_LOAD_GEN_H
#define VTAX_LOAD_GEN_H

#include "stats/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEN_KEY_MAX 250 /* memcached's limit */
#define GEN_VALUE_MAX 1000000 /* below memcached's default item limit of 1 MiB, head included */

double gen_exponential(struct rng *r); /* mean 1 */
double gen_gev(struct rng *r, double loc, double scale, double shape);
double gen_gpareto(struct rng *r, double loc, double scale, double shape);

/* Sizes of a record in bytes, rounded to the nearest and held within the limits above. */
enum gen_sizes {
	GEN_SIZES_FIXED, /* key_bytes, value_bytes */
	GEN_SIZES_ETC,
	GEN_SIZES_REDIS, /* 10-character keys, values uniform over 40 … 60 bytes */
};

struct gen_records {
	enum gen_sizes sizes;
	/* GEN_SIZES_FIXED; a key has at least the digits of the last record */
	uint32_t key_bytes, value_bytes;
	uint64_t n;			 /* records are 0 … n − 1 */
};

uint32_t gen_key_bytes(const struct gen_records *g, uint64_t record);
uint32_t gen_value_bytes(const struct gen_records *g, uint64_t record);

/* The key: the record's number in decimal, zeros in front. Not NUL-terminated; returns its length. */
uint32_t gen_key(const struct gen_records *g, uint64_t record, char out[GEN_KEY_MAX]);

/* Byte `at` of a record's value: printable, cheap, and different where records or positions are confused. */
static inline uint8_t gen_value_byte(uint64_t record, uint64_t at)
{
	return (uint8_t)(0x40 + ((record * 7 + at + (at >> 5)) & 0x1f));
}

void gen_value(uint64_t record, uint8_t *out, size_t bytes);

/*
 * Samples a piece of a value that begins at byte `at`: every GEN_SAMPLE bytes of the value and, when the
 * piece is its end, the last. Which bytes are looked at does not depend on how the value was cut.
 */
#define GEN_SAMPLE 32
static inline bool gen_value_sample(uint64_t record, uint64_t at, const uint8_t *piece, size_t n, bool end)
{
	for (size_t i = (size_t)(-at & (GEN_SAMPLE - 1)); i < n; i += GEN_SAMPLE)
		if (piece[i] != gen_value_byte(record, at + i))
			return false;
	return !end || n == 0 || piece[n - 1] == gen_value_byte(record, at + n - 1);
}

/*
 * Which record: P(i) ∝ (i + 1)^−s over 0 … n − 1, by rejection-inversion (Hörmann & Derflinger 1996): no
 * table, constant time. s = 0 is uniform.
 */
struct gen_zipf {
	uint64_t n;
	double s, h_first, h_last, cut;
};

void gen_zipf_init(struct gen_zipf *z, uint64_t n, double s);
uint64_t gen_zipf_draw(const struct gen_zipf *z, struct rng *r);

/* When: gaps between arrivals with a given mean. */
enum gen_arrivals {
	GEN_CLOSED,	 /* no schedule: the next as soon as one is answered */
	GEN_CONSTANT,
	GEN_EXPONENTIAL,
	GEN_GPARETO,	 /* shape 0.154971 (ETC), rescaled to the mean */
};

double gen_gap_ns(enum gen_arrivals kind, double mean_ns, struct rng *r);

#endif
