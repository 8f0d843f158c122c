/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The histogram against exact quantiles of the same samples, and its portable form against a hostile sender.
 */
#include "stats/hist.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "stats/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SAMPLES 200000

static struct hist *new_hist(void)
{
	struct hist *h = xmalloc(sizeof *h);

	hist_init(h);
	return h;
}

/* Latencies in ns, one distribution per row; `u` is uniform in (0, 1). */
static double exponential(double u)
{
	return -50e3 * log(u);
}

static double log_uniform(double u)
{
	return 100 * pow(3.6e12 / 100, u); /* 100 ns … 1 h */
}

static double pareto(double u)
{
	return 2000 + 30000 * (pow(u, -0.35) - 1) / 0.35;
}

static double narrow(double u)
{
	return 5120 + 40 * u;
}

static double bimodal(double u)
{
	return u < 0.6 ? 8000 + 1000 * u : 4e6 * u;
}

static double fast(double u)
{
	return 100 + 900 * u; /* the exact part of the range */
}

static double constant(double u)
{
	return 123456789;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void check_against_exact(double (*draw)(double), uint64_t seed)
{
	static const double qs[] = { 0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.333, 0.5, 0.75, 0.9, 0.95, 0.99,
		0.999, 0.9999, 0.99999, 1 };
	_cleanup_free_ uint64_t *x = xmalloc(SAMPLES * sizeof *x);
	_cleanup_free_ struct hist *h = new_hist();
	double sum = 0;
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < SAMPLES; i++) {
		x[i] = (uint64_t)draw(rng_uniform(&r));
		sum += (double)x[i];
		hist_record(h, x[i]);
	}
	qsort(x, SAMPLES, sizeof *x, by_value);
	assert_int_equal(h->n, SAMPLES);
	assert_int_equal(h->min, x[0]);
	assert_int_equal(h->max, x[SAMPLES - 1]);
	assert_true(hist_mean(h) == sum / SAMPLES);
	for (size_t i = 0; i < ARRAY_SIZE(qs); i++) {
		size_t rank = (size_t)ceil(qs[i] * SAMPLES - 1e-6);
		double exact = (double)x[rank ? rank - 1 : 0], got = hist_quantile(h, qs[i]);

		if (fabs(got - exact) > 0.001 * exact)
			fail_msg("quantile %g: %.17g instead of %.17g", qs[i], got, exact);
	}
}

static void quantiles_within_a_thousandth(void **state)
{
	double (*const draws[])(double) = { exponential, log_uniform, pareto, narrow, bimodal, fast,
		constant };

	for (size_t i = 0; i < ARRAY_SIZE(draws); i++)
		check_against_exact(draws[i], 1000 + i);
}

/* Every power of two, its neighbours and the bucket edges: error ≤ 1/1024, and the index never steps back. */
static void every_bucket_edge(void **state)
{
	_cleanup_free_ struct hist *h = new_hist();
	unsigned last = 0;

	for (unsigned e = 0; e < HIST_TOP_BITS; e++) {
		for (int sub = 0; sub < 512; sub++) {
			uint64_t v = (UINT64_C(1) << e) + ((UINT64_C(1) << e) * (uint64_t)sub >> 9);
			unsigned i = hist_index(v), cursor = 0;
			double value;
			uint64_t count;

			assert_true(i < HIST_BUCKETS);
			assert_true(i >= last);
			last = i;
			hist_record(h, v);
			h->min = 0; /* so that clamping does not hide the bucket's middle */
			h->max = UINT64_MAX;
			assert_int_equal(hist_next(h, &cursor, &value, &count), 1);
			assert_true(fabs(value - (double)v) <= (double)v / 1024);
			h->bucket[i] = 0;
		}
	}
	assert_int_equal(hist_index((UINT64_C(1) << HIST_TOP_BITS) - 1), HIST_BUCKETS - 1);
	assert_int_equal(hist_index(0), 0);
	assert_int_equal(hist_index(1023), 1023);
	assert_int_equal(hist_index(1024), 1024);
	assert_int_equal(hist_index(1025), 1024);
	assert_int_equal(hist_index(1026), 1025);
}

/* R: quantile(1:10, c(.01, .1, .25, .5, .55, .9, .99), type = 1) is 1 1 3 5 6 9 10 */
static void quantile_is_type_1(void **state)
{
	static const double q[] = { 0.01, 0.1, 0.25, 0.5, 0.55, 0.9, 0.99 };
	static const double expected[] = { 1, 1, 3, 5, 6, 9, 10 };
	_cleanup_free_ struct hist *h = new_hist();

	for (uint64_t v = 1; v <= 10; v++)
		hist_record(h, v);
	for (size_t i = 0; i < ARRAY_SIZE(q); i++)
		assert_true(hist_quantile(h, q[i]) == expected[i]);
	hist_init(h);
	for (uint64_t v = 1; v <= 100; v++)
		hist_record(h, v);
	/* 0.07 · 100 and 0.29 · 100 are not whole in binary; every percentile of 1 … 100 is itself. */
	for (int p = 1; p <= 100; p++)
		assert_true(hist_quantile(h, p / 100.0) == p);
}

static void empty_and_single(void **state)
{
	_cleanup_free_ struct hist *h = new_hist();
	unsigned cursor = 0;
	uint64_t count;
	double value;

	assert_true(isnan(hist_mean(h)));
	assert_true(isnan(hist_quantile(h, 0.5)));
	assert_int_equal(hist_next(h, &cursor, &value, &count), 0);
	hist_record(h, 1000003);
	assert_true(hist_quantile(h, 0) == 1000003);
	assert_true(hist_quantile(h, 0.5) == 1000003); /* clamped to what was seen, not the bucket's middle */
	assert_true(hist_quantile(h, 1) == 1000003);
	assert_true(isnan(hist_quantile(h, NAN)));
	hist_record(h, 0);
	assert_true(hist_quantile(h, 0) == 0);
}

static void too_large_is_counted_not_clipped(void **state)
{
	_cleanup_free_ struct hist *h = new_hist();
	uint64_t count, last_count = 0;
	double value, last = 0;
	unsigned cursor = 0;

	for (int i = 0; i < 98; i++)
		hist_record(h, 5000);
	hist_record(h, UINT64_C(1) << HIST_TOP_BITS);
	hist_record(h, UINT64_C(1) << 50);
	assert_int_equal(h->n, 100);
	assert_int_equal(h->over, 2);
	assert_true(fabs(hist_quantile(h, 0.98) - 5000) <= 5);
	assert_true(hist_quantile(h, 0.99) == (double)(UINT64_C(1) << 50));
	while (hist_next(h, &cursor, &value, &count)) {
		last = value;
		last_count = count;
	}
	assert_true(last == (double)(UINT64_C(1) << 50));
	assert_int_equal(last_count, 2);
	assert_int_equal(hist_next(h, &cursor, &value, &count), 0);
}

static void merging_equals_recording_both(void **state)
{
	_cleanup_free_ struct hist *a = new_hist(), *b = new_hist(), *both = new_hist();
	struct rng r;

	rng_seed(&r, 3);
	for (int i = 0; i < 50000; i++) {
		uint64_t v = (uint64_t)(i % 2 ? pareto(rng_uniform(&r)) : log_uniform(rng_uniform(&r)));

		hist_record(i % 3 ? a : b, v);
		hist_record(both, v);
	}
	hist_record(b, UINT64_MAX >> 1);
	hist_record(both, UINT64_MAX >> 1);
	hist_merge(a, b);
	assert_int_equal(a->n, both->n);
	assert_int_equal(a->over, both->over);
	assert_int_equal(a->min, both->min);
	assert_int_equal(a->max, both->max);
	assert_true(fabs(a->sum / both->sum - 1) < 1e-12);
	assert_memory_equal(a->bucket, both->bucket, sizeof a->bucket);
	/* Merging an empty one changes nothing, in either direction. */
	hist_init(b);
	hist_merge(a, b);
	assert_int_equal(a->n, both->n);
	assert_int_equal(a->min, both->min);
	hist_merge(b, a);
	assert_memory_equal(a, b, sizeof *a);
}

static void cdf_walk_covers_all(void **state)
{
	_cleanup_free_ struct hist *h = new_hist();
	uint64_t count, total = 0;
	unsigned cursor = 0;
	double value, before = -1;
	struct rng r;

	rng_seed(&r, 4);
	for (int i = 0; i < 10000; i++)
		hist_record(h, (uint64_t)exponential(rng_uniform(&r)));
	while (hist_next(h, &cursor, &value, &count)) {
		assert_true(value > before);
		assert_true(value >= (double)h->min && value <= (double)h->max);
		before = value;
		total += count;
	}
	assert_int_equal(total, h->n);
}

static void fill(struct hist *h, uint64_t seed, int n)
{
	struct rng r;

	rng_seed(&r, seed);
	for (int i = 0; i < n; i++)
		hist_record(h, (uint64_t)log_uniform(rng_uniform(&r)));
}

static void round_trip(void **state)
{
	_cleanup_free_ struct hist *h = new_hist(), *back = new_hist();
	_cleanup_free_ uint8_t *bytes = xmalloc(HIST_ENCODED_MAX);
	const int sizes[] = { 0, 1, 2, 1000, 100000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		long n;

		hist_init(h);
		fill(h, i, sizes[i]);
		if (i == 3)
			hist_record(h, UINT64_MAX);
		n = hist_encode(h, bytes, HIST_ENCODED_MAX);
		assert_true(n > 0);
		assert_int_equal(hist_decode(back, bytes, (size_t)n), 0);
		assert_memory_equal(h, back, sizeof *h);
		/* One byte too little room is an error, never a cut-off histogram. */
		assert_int_equal(hist_encode(h, bytes, (size_t)n - 1), -ENOBUFS);
	}
	/* The largest there is fits: every bucket filled with a count of many bytes. */
	hist_init(h);
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		h->n += h->bucket[i] = UINT64_C(1) << 38;
	assert_true(hist_encode(h, bytes, HIST_ENCODED_MAX) > 0);
	h->n = (UINT64_C(1) << 53) + 1;
	assert_int_equal(hist_encode(h, bytes, HIST_ENCODED_MAX), -ENOBUFS);
}

/* A small histogram's bytes, for the tests that damage them: header 44, then one pair per bucket. */
static size_t sample(uint8_t *bytes, size_t size)
{
	_cleanup_free_ struct hist *h = new_hist();
	long n;

	hist_record(h, 100);
	hist_record(h, 100);
	hist_record(h, 5000);
	hist_record(h, 70000);
	n = hist_encode(h, bytes, size);
	assert_true(n > 44);
	return (size_t)n;
}

static int decode(const uint8_t *bytes, size_t n)
{
	/* An exact copy, so that a sanitizer sees a read past its end. */
	_cleanup_free_ uint8_t *copy = xmalloc(n);
	_cleanup_free_ struct hist *h = new_hist();
	int r;

	memcpy(copy, bytes, n);
	r = hist_decode(h, copy, n);
	if (r < 0) {
		assert_int_equal(h->n, 0);
		assert_int_equal(h->bucket[100], 0);
	}
	return r;
}

static void hostile_lengths(void **state)
{
	uint8_t bytes[256];
	size_t n = sample(bytes, sizeof bytes);

	assert_int_equal(decode(bytes, n), 0);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(decode(bytes, cut), -EBADMSG);
	bytes[n] = 0; /* a trailing byte */
	assert_int_equal(decode(bytes, n + 1), -EBADMSG);
	bytes[0] = 2;
	assert_int_equal(decode(bytes, n), -EPROTONOSUPPORT);
}

static void hostile_scalars(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
	} lies[] = {
		{ 4, 5 },			   /* n: more than the buckets hold */
		{ 4, 3 },			   /* n: fewer */
		{ 4, UINT64_MAX },		   /* n: absurd */
		{ 12, 1 },			   /* over: the buckets then hold one too many */
		{ 12, UINT64_MAX },		   /* over: more than n */
		{ 20, 99 },			   /* min: not in the first bucket */
		{ 20, UINT64_MAX },		   /* min: past max */
		{ 28, 80000 },			   /* max: not in the last bucket */
		{ 28, UINT64_C(1) << 50 },	   /* max: out of range without an `over` */
		{ 36, UINT64_C(0x7ff8000000000000) }, /* sum: NaN */
		{ 36, UINT64_C(0x7ff0000000000000) }, /* sum: infinite */
		{ 36, UINT64_C(0xc0f0000000000000) }, /* sum: negative */
		{ 36, UINT64_C(0x3ff0000000000000) }, /* sum: 1, less than 4 · min */
		{ 36, UINT64_C(0x41e0000000000000) }, /* sum: 2^31, more than 4 · max */
	};
	uint8_t bytes[256], damaged[256];
	size_t n = sample(bytes, sizeof bytes);

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		memcpy(damaged, bytes, n);
		memcpy(damaged + lies[i].at, &lies[i].value, 8); /* tests run on little-endian hosts */
		if (decode(damaged, n) != -EBADMSG)
			fail_msg("lie %zu was believed", i);
	}
}

/* sample()'s pairs are: 100 → 64 02; 5000 → (gap, 2 bytes) 01; 70000 → (gap, 2 bytes) 01. */
static void hostile_pairs(void **state)
{
	uint8_t bytes[256], damaged[256];
	size_t n = sample(bytes, sizeof bytes);

	assert_int_equal(n, 44 + 2 + 3 + 3);
	assert_int_equal(bytes[44], 100);
	memcpy(damaged, bytes, n);
	damaged[45] = 0; /* an empty bucket */
	assert_int_equal(decode(damaged, n), -EBADMSG);
	memcpy(damaged, bytes, n);
	damaged[45] = 0x7f; /* more than n */
	assert_int_equal(decode(damaged, n), -EBADMSG);
	memcpy(damaged, bytes, n);
	memset(damaged + 44, 0xff, n - 44); /* varints without an end */
	assert_int_equal(decode(damaged, n), -EBADMSG);
	memcpy(damaged, bytes, n);
	damaged[n - 2] = 0xff & ~0x80; /* a gap past the last bucket: 127 · 128 and more */
	damaged[n - 3] = 0xff;
	assert_int_equal(decode(damaged, n), -EBADMSG);
	/* An empty bucket between two others: nothing else about the histogram is wrong. */
	memcpy(damaged, bytes, 46);
	damaged[46] = 0;
	damaged[47] = 0;
	memcpy(damaged + 48, bytes + 46, n - 46);
	damaged[48]--; /* the next gap is one shorter */
	assert_int_equal(decode(damaged, n + 2), -EBADMSG);
	/* 100 written in two bytes: the same value, but not the one canonical form. */
	memcpy(damaged, bytes, 44);
	damaged[44] = 0x80 | 100;
	damaged[45] = 0;
	memcpy(damaged + 46, bytes + 45, n - 45);
	assert_int_equal(decode(damaged, n + 1), -EBADMSG);
}

/* The last bucket is legal, the one after it would be written past the array. */
static void first_index_past_the_end(void **state)
{
	_cleanup_free_ struct hist *h = new_hist();
	uint8_t bytes[64];
	long n;

	hist_record(h, (UINT64_C(1) << HIST_TOP_BITS) - 1);
	n = hist_encode(h, bytes, sizeof bytes);
	assert_int_equal(n, 44 + 3 + 1); /* 17919 takes 3 bytes, the count 1 */
	assert_int_equal(decode(bytes, (size_t)n), 0);
	assert_memory_equal(bytes + 44, "\xff\x8b\x01", 3);
	memcpy(bytes + 44, "\x80\x8c\x01", 3); /* 17920 */
	assert_int_equal(decode(bytes, (size_t)n), -EBADMSG);
}

/* Every single damaged bit is either refused or decodes to something that encodes to those same bytes. */
static void bit_flips(void **state)
{
	_cleanup_free_ struct hist *h = new_hist();
	uint8_t bytes[256], again[256];
	size_t n = sample(bytes, sizeof bytes);
	unsigned refused = 0;

	for (size_t bit = 0; bit < n * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (hist_decode(h, bytes, n) == 0) {
			assert_int_equal(hist_encode(h, again, sizeof again), n);
			assert_memory_equal(bytes, again, n);
		} else {
			refused++;
		}
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(refused > n * 4);
}

static void percentile_names(void **state)
{
	static const char *const names[] = {
		"p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99_9", "p99_99" };

	assert_int_equal(hist_percentiles_n, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char digits[16];
		char *dot;

		assert_string_equal(hist_percentiles[i].name, names[i]);
		snprintf(digits, sizeof digits, "%g", hist_percentiles[i].q * 100);
		if ((dot = strchr(digits, '.')))
			*dot = '_';
		assert_string_equal(digits, names[i] + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_within_a_thousandth),
		cmocka_unit_test(every_bucket_edge),
		cmocka_unit_test(quantile_is_type_1),
		cmocka_unit_test(empty_and_single),
		cmocka_unit_test(too_large_is_counted_not_clipped),
		cmocka_unit_test(merging_equals_recording_both),
		cmocka_unit_test(cdf_walk_covers_all),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(hostile_lengths),
		cmocka_unit_test(hostile_scalars),
		cmocka_unit_test(hostile_pairs),
		cmocka_unit_test(first_index_past_the_end),
		cmocka_unit_test(bit_flips),
		cmocka_unit_test(percentile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
