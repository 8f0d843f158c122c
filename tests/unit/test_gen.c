/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes, popularity and gaps against their exact moments and quantiles. The draws are seeded, so a bound of
 * some standard errors either holds always or never.
 */
#include "load/gen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define DRAWS 400000

static void assert_near(double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%.6g is not %.6g ± %.3g", got, want, tolerance);
}

/* Share of draws at or below the quantile that the formula gives must be that of the quantile. */
static void check_quantiles(double (*draw)(struct rng *), double (*quantile)(double))
{
	static const double q[] = { 0.01, 0.25, 0.5, 0.75, 0.99, 0.999 };
	size_t below[6] = { 0 };
	struct rng r;

	rng_seed(&r, 7);
	for (int i = 0; i < DRAWS; i++) {
		double v = draw(&r);

		for (int j = 0; j < 6; j++)
			below[j] += v <= quantile(q[j]);
	}
	for (int j = 0; j < 6; j++)
		assert_near((double)below[j] / DRAWS, q[j], 5 * sqrt(q[j] * (1 - q[j]) / DRAWS));
}

static double draw_gev(struct rng *r)
{
	return gen_gev(r, 30.7984, 8.20449, 0.078688);
}

static double gev_quantile(double q)
{
	return 30.7984 + 8.20449 * (pow(-log(q), -0.078688) - 1) / 0.078688;
}

static double draw_gpareto(struct rng *r)
{
	return gen_gpareto(r, 15, 214.476, 0.348238);
}

static double gpareto_quantile(double q)
{
	return 15 + 214.476 * (pow(1 - q, -0.348238) - 1) / 0.348238;
}

static double exp_quantile(double q)
{
	return -log(1 - q);
}

static void quantiles(void **state)
{
	check_quantiles(draw_gev, gev_quantile);
	check_quantiles(draw_gpareto, gpareto_quantile);
	check_quantiles(gen_exponential, exp_quantile);
}

static void etc_sizes(void **state)
{
	const struct gen_records g = { .sizes = GEN_SIZES_ETC, .n = DRAWS };
	static const double small[] = { .00536, .00047, .17820, .09239, .00018, .02740, .00065, .00606,
		.00023, .00837,
		.00837, .08989, .00092, .00326, .01980 };
	double keys = 0, values = 0;
	size_t share[15] = { 0 };

	for (uint64_t i = 0; i < g.n; i++) {
		uint32_t v = gen_value_bytes(&g, i);

		keys += gen_key_bytes(&g, i);
		values += v;
		if (v < 15)
			share[v]++;
	}
	assert_near(keys / DRAWS, 36.22, 0.1);
	assert_near(values / DRAWS, 194.4, 3); /* a heavy tail: the standard error is 0.7 */
	for (int i = 0; i < 15; i++)
		assert_near((double)share[i] / DRAWS, small[i], 5 * sqrt(small[i] / DRAWS));
}

static uint64_t number(const char *key, uint32_t n)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < n; i++)
		v = v * 10 + (uint64_t)(key[i] - '0');
	return v;
}

static void a_record_keeps_its_sizes_and_name(void **state)
{
	const struct gen_records etc = { .sizes = GEN_SIZES_ETC, .n = 10000 };
	char a[GEN_KEY_MAX], b[GEN_KEY_MAX];

	for (uint64_t i = 0; i < etc.n; i += 97) {
		uint32_t n = gen_key(&etc, i, a);

		assert_true(n >= 4 && n <= GEN_KEY_MAX); /* digits of 9999 */
		assert_int_equal(gen_key(&etc, i, b), n);
		assert_memory_equal(a, b, n);
		assert_true(number(a, n) == i);
		assert_int_equal(gen_value_bytes(&etc, i), gen_value_bytes(&etc, i));
	}
}

static void fixed_and_redis_sizes(void **state)
{
	const struct gen_records fixed = { .key_bytes = 2, .value_bytes = 3, .n = 1000 };
	const struct gen_records redis = { .sizes = GEN_SIZES_REDIS, .n = 100000 };
	const struct gen_records huge = { .key_bytes = 5000, .value_bytes = UINT32_MAX, .n = 1 };
	char key[GEN_KEY_MAX];
	double values = 0;

	assert_int_equal(gen_key(&fixed, 7, key), 3); /* 2 digits cannot name 1000 records */
	assert_memory_equal(key, "007", 3);
	assert_int_equal(gen_value_bytes(&fixed, 7), 3);
	assert_int_equal(gen_key_bytes(&huge, 0), GEN_KEY_MAX);
	assert_int_equal(gen_value_bytes(&huge, 0), GEN_VALUE_MAX);
	for (uint64_t i = 0; i < redis.n; i++) {
		uint32_t v = gen_value_bytes(&redis, i);

		assert_int_equal(gen_key_bytes(&redis, i), 10);
		assert_in_range(v, 40, 60);
		values += v;
	}
	assert_near(values / 100000, 50, 0.1);
}

static void values_are_checked_by_samples(void **state)
{
	uint8_t v[300];

	gen_value(42, v, sizeof v);
	assert_true(gen_value_sample(42, 0, v, sizeof v, true));
	assert_true(gen_value_sample(42, 100, v + 100, 50, false));
	assert_true(gen_value_sample(42, 5, v, 0, true));
	assert_false(gen_value_sample(43, 0, v, sizeof v, true));
	assert_false(gen_value_sample(42, 1, v, 100, false));
	v[299] ^= 1;
	assert_false(gen_value_sample(42, 0, v, sizeof v, true));
	assert_true(gen_value_sample(42, 0, v, sizeof v, false));
	v[96] ^= 1;
	assert_true(gen_value_sample(42, 60, v + 60, 36, false));
	assert_false(gen_value_sample(42, 60, v + 60, 37, false));
}

static void check_zipf(uint64_t n, double s)
{
	double harmonic = 0;
	uint64_t count[3] = { 0 };
	struct gen_zipf z;
	struct rng r;

	for (uint64_t i = 1; i <= n; i++)
		harmonic += pow((double)i, -s);
	gen_zipf_init(&z, n, s);
	rng_seed(&r, 3);
	for (int i = 0; i < DRAWS; i++) {
		uint64_t k = gen_zipf_draw(&z, &r);

		assert_true(k < n);
		if (k < 3)
			count[k]++;
	}
	for (uint64_t i = 0; i < 3 && i < n; i++) {
		double p = pow((double)(i + 1), -s) / harmonic;

		assert_near((double)count[i] / DRAWS, p, 5 * sqrt(p * (1 - p) / DRAWS) + 1e-12);
	}
}

static void zipf(void **state)
{
	check_zipf(10000, 0.99);
	check_zipf(10000, 1.0);
	check_zipf(1000, 1.5);
	check_zipf(100, 0);
	check_zipf(1, 1.2);
	check_zipf(2, 0.5);
}

static void check_gap(enum gen_arrivals kind, double mean, double sd)
{
	double sum = 0, squares = 0, m;
	struct rng r;

	rng_seed(&r, 11);
	for (int i = 0; i < DRAWS; i++) {
		double g = gen_gap_ns(kind, mean, &r);

		assert_true(g >= 0);
		sum += g;
		squares += g * g;
	}
	m = sum / DRAWS;
	assert_near(m, mean, 5 * sd / sqrt(DRAWS) + 1e-9);
	assert_near(sqrt(fabs(squares / DRAWS - m * m)), sd, 0.05 * sd + 1e-3 * mean);
}

static void gaps(void **state)
{
	const double k = 0.154971, mean = 50000;

	check_gap(GEN_CONSTANT, mean, 0);
	check_gap(GEN_EXPONENTIAL, mean, mean);
	/* The variance of GPareto(0, s, k) is s²/((1 − k)²(1 − 2k)), so the deviation is mean/√(1 − 2k). */
	check_gap(GEN_GPARETO, mean, mean / sqrt(1 - 2 * k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles),
		cmocka_unit_test(etc_sizes),
		cmocka_unit_test(a_record_keeps_its_sizes_and_name),
		cmocka_unit_test(fixed_and_redis_sizes),
		cmocka_unit_test(values_are_checked_by_samples),
		cmocka_unit_test(zipf),
		cmocka_unit_test(gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
