/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow half of the histogram (recording is inline in hist.h): merging, reading, and the portable form.
 *
 * The encoding is canonical: one histogram has exactly one form, and hist_decode() refuses every other
 * (overlong varints, empty buckets, a min or max that its bucket contradicts). A hostile agent can still
 * invent numbers, but not a histogram that no measurement could have made. Counts are held below 2^53, so
 * that merging thousands of decoded histograms cannot overflow and ranks are exact in a double.
 * The agent links this file into a static binary: nothing here needs libm.
 */
#include "stats/hist.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define VERSION 1u
#define HEADER_BYTES 44 /* version u32; n, over, min, max u64; sum f64 */
#define COUNT_MAX (UINT64_C(1) << 53)

const struct hist_percentile hist_percentiles[] = {
	{ "p1", 0.01 },
	{ "p5", 0.05 },
	{ "p10", 0.10 },
	{ "p25", 0.25 },
	{ "p50", 0.50 },
	{ "p75", 0.75 },
	{ "p90", 0.90 },
	{ "p95", 0.95 },
	{ "p99", 0.99 },
	{ "p99_9", 0.999 },
	{ "p99_99", 0.9999 },
};
const size_t hist_percentiles_n = sizeof hist_percentiles / sizeof hist_percentiles[0];

void hist_init(struct hist *h)
{
	memset(h, 0, sizeof *h);
	h->min = UINT64_MAX;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	into->n += from->n;
	into->over += from->over;
	into->sum += from->sum;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

double hist_mean(const struct hist *h)
{
	return h->n ? h->sum / (double)h->n : NAN;
}

/* The middle of the integers that fall into bucket i, held within what was seen. */
static double middle(const struct hist *h, unsigned i)
{
	double v = (double)i;

	if (i >= 1u << HIST_LINEAR_BITS) {
		unsigned k = i - (1u << HIST_LINEAR_BITS);
		unsigned shift = (k >> HIST_SUB_BITS) + HIST_LINEAR_BITS - HIST_SUB_BITS;
		uint64_t sub = (1u << HIST_SUB_BITS) + (k & ((1u << HIST_SUB_BITS) - 1));

		v = (double)(sub << shift) + (double)((UINT64_C(1) << shift) - 1) / 2;
	}
	if (v < (double)h->min)
		return (double)h->min;
	if (v > (double)h->max)
		return (double)h->max;
	return v;
}

/* ceil(q·n), 1 … n. The fuzz keeps 0.07 · 100 (7.000000000000001 in binary) at 7, as R's quantile() does. */
static uint64_t rank_of(double q, uint64_t n)
{
	double exact = q * (double)n * (1 - 4 * DBL_EPSILON);
	uint64_t r;

	if (!(exact > 0))
		return 1;
	if (exact >= (double)n)
		return n;
	r = (uint64_t)exact;
	return (double)r < exact || r == 0 ? r + 1 : r;
}

double hist_quantile(const struct hist *h, double q)
{
	uint64_t rank, seen = 0;

	if (h->n == 0 || isnan(q))
		return NAN;
	rank = rank_of(q, h->n);
	if (rank == h->n)
		return (double)h->max; /* known exactly: no need of a bucket */
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return middle(h, i);
	}
	return (double)h->max;
}

int hist_next(const struct hist *h, unsigned *cursor, double *value, uint64_t *count)
{
	for (; *cursor < HIST_BUCKETS; (*cursor)++) {
		if (h->bucket[*cursor] == 0)
			continue;
		*value = middle(h, *cursor);
		*count = h->bucket[*cursor];
		(*cursor)++;
		return 1;
	}
	if (*cursor == HIST_BUCKETS && h->over) {
		*value = (double)h->max;
		*count = h->over;
		(*cursor)++;
		return 1;
	}
	return 0;
}

static uint8_t *put_u64(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*p++ = (uint8_t)(v >> (8 * i));
	return p;
}

static uint64_t get_u64(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* LEB128. Room for 10 bytes is the caller's business. */
static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

/* NULL when cut off, past 2^53 (8 bytes), or longer than needed. */
static const uint8_t *get_varint(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 56; shift += 7) {
		uint8_t b = *p++;

		v |= (uint64_t)(b & 0x7f) << shift;
		if (b & 0x80)
			continue;
		if ((b == 0 && shift > 0) || v > COUNT_MAX)
			return NULL;
		*out = v;
		return p;
	}
	return NULL;
}

long hist_encode(const struct hist *h, void *out, size_t size)
{
	uint8_t *p = out, *end = p + size;
	unsigned expected = 0;
	uint64_t sum;

	if (size < HEADER_BYTES || h->n > COUNT_MAX)
		return -ENOBUFS;
	memcpy(&sum, &h->sum, sizeof sum);
	p = put_u64(p, VERSION, 4);
	p = put_u64(p, h->n, 8);
	p = put_u64(p, h->over, 8);
	p = put_u64(p, h->min, 8);
	p = put_u64(p, h->max, 8);
	p = put_u64(p, sum, 8);
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		uint8_t pair[20], *q = pair;

		if (h->bucket[i] == 0)
			continue;
		q = put_varint(q, i - expected);
		q = put_varint(q, h->bucket[i]);
		if (q - pair > end - p)
			return -ENOBUFS;
		memcpy(p, pair, (size_t)(q - pair));
		p += q - pair;
		expected = i + 1;
	}
	return (long)(p - (uint8_t *)out);
}

/* The scalars must be ones that the buckets could have come with. */
static bool plausible(const struct hist *h, unsigned first, unsigned last)
{
	const uint64_t top = UINT64_C(1) << HIST_TOP_BITS;
	double slack;

	if (h->n == 0)
		return h->over == 0 && h->min == UINT64_MAX && h->max == 0 && h->sum == 0 && !signbit(h->sum);
	if (h->min > h->max)
		return false;
	if (h->over == h->n ? h->min < top : h->min >= top || hist_index(h->min) != first)
		return false;
	if (h->over ? h->max < top : h->max >= top || hist_index(h->max) != last)
		return false;
	/* Each addition rounds by at most half an ulp of the sum. */
	slack = 1e-9 + (double)h->n * DBL_EPSILON;
	return isfinite(h->sum) && !signbit(h->sum) &&
	       h->sum >= (double)h->n * (double)h->min * (1 - slack) &&
	       h->sum <= (double)h->n * (double)h->max * (1 + slack);
}

static int decode_buckets(struct hist *h, const uint8_t *p, const uint8_t *end)
{
	uint64_t left = h->n - h->over, gap, count, at = 0;
	unsigned first = 0, last = 0;
	bool any = false;

	while (p < end) {
		p = get_varint(p, end, &gap);
		if (!p || gap >= HIST_BUCKETS - at)
			return -EBADMSG;
		p = get_varint(p, end, &count);
		if (!p || count == 0 || count > left)
			return -EBADMSG;
		at += gap;
		last = (unsigned)at;
		if (!any)
			first = last;
		any = true;
		h->bucket[at++] = count;
		left -= count;
	}
	return left == 0 && plausible(h, first, last) ? 0 : -EBADMSG;
}

int hist_decode(struct hist *h, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t sum;
	int r;

	hist_init(h);
	if (size < 4)
		return -EBADMSG;
	if (get_u64(p, 4) != VERSION)
		return -EPROTONOSUPPORT;
	if (size < HEADER_BYTES)
		return -EBADMSG;
	h->n = get_u64(p + 4, 8);
	h->over = get_u64(p + 12, 8);
	h->min = get_u64(p + 20, 8);
	h->max = get_u64(p + 28, 8);
	sum = get_u64(p + 36, 8);
	memcpy(&h->sum, &sum, sizeof h->sum);
	r = h->n > COUNT_MAX || h->over > h->n ? -EBADMSG : decode_buckets(h, p + HEADER_BYTES, p + size);
	if (r < 0)
		hist_init(h);
	return r;
}
