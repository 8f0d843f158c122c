/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Latency histogram: log-linear buckets in ns, relative error ≤ 0.1 %, mergeable, never clipping silently.
 *
 * Values below 2^10 ns are exact. Above, each power of two is cut into 2^9 = 512 equal buckets, and a value
 * is reported as its bucket's middle: the error is at most half a bucket, 1/1024 of the value. The range ends
 * at 2^43 ns (2.4 h); larger values are counted in `over`, and their true maximum is kept in `max`.
 * Recording touches one counter and four scalars: no allocation, no branch on the sample count.
 */
#ifndef VTAX_STATS_HIST_H
#define VTAX_STATS_HIST_H

#include <stddef.h>
#include <stdint.h>

#define HIST_LINEAR_BITS 10
#define HIST_SUB_BITS 9
#define HIST_TOP_BITS 43
#define HIST_BUCKETS ((1 << HIST_LINEAR_BITS) + (HIST_TOP_BITS - HIST_LINEAR_BITS) * (1 << HIST_SUB_BITS))

struct hist {
	uint64_t n;    /* values recorded, including `over` */
	uint64_t over; /* values ≥ 2^43 ns */
	uint64_t min, max; /* exact; min is UINT64_MAX while n is 0 */
	double sum;    /* exact to 2^53 */
	uint64_t bucket[HIST_BUCKETS];
};

void hist_init(struct hist *h);

static inline unsigned hist_index(uint64_t v)
{
	unsigned e;

	if (v < (1u << HIST_LINEAR_BITS))
		return (unsigned)v;
	e = 63u - (unsigned)__builtin_clzll(v);
	return (1u << HIST_LINEAR_BITS) + ((e - HIST_LINEAR_BITS) << HIST_SUB_BITS) +
	       (unsigned)((v >> (e - HIST_SUB_BITS)) & ((1u << HIST_SUB_BITS) - 1));
}

static inline void hist_record(struct hist *h, uint64_t v)
{
	h->n++;
	h->sum += (double)v;
	if (v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
	if (v >> HIST_TOP_BITS)
		h->over++;
	else
		h->bucket[hist_index(v)]++;
}

void hist_merge(struct hist *into, const struct hist *from);

double hist_mean(const struct hist *h); /* ns; NaN when empty */

/*
 * q-quantile, 0 ≤ q ≤ 1: the smallest recorded value with at least ceil(q·n) values at or below it (type 1 of
 * Hyndman & Fan 1996), as its bucket's middle, clamped to [min, max]. The n-th value, and any that falls
 * among `over`, is given as `max`. NaN when empty.
 */
double hist_quantile(const struct hist *h, double q);

/* The percentiles METHOD asks for: 1 5 10 25 50 75 90 95 99 99.9 99.99, with names "p1" … "p99_99". */
struct hist_percentile {
	const char *name;
	double q;
};
extern const struct hist_percentile hist_percentiles[];
extern const size_t hist_percentiles_n;

/*
 * Portable form: little-endian header (version, n, over, min, max, sum) and (index delta, count) varints of
 * the non-empty buckets. hist_decode() treats the bytes as hostile: it checks every bound and that the counts
 * add up to n, and that min, max and sum fit them; *h is empty after a failure. Returns 0, -EBADMSG or
 * -EPROTONOSUPPORT. hist_encode() returns bytes written, or -ENOBUFS. At most 2^53 values.
 */
#define HIST_ENCODED_MAX (64 + HIST_BUCKETS * 13)
long hist_encode(const struct hist *h, void *out, size_t size);
int hist_decode(struct hist *h, const void *data, size_t size);

/*
 * Non-empty buckets in rising order: value (middle, ns) and count; then, if there are any, the values `over`
 * as one last step at `max`. For CDFs. Start with *cursor = 0; returns 0 past the end.
 */
int hist_next(const struct hist *h, unsigned *cursor, double *value, uint64_t *count);

#endif
