/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trial-level statistics against R 4.2.2; the expression that gave each expected value is beside it, with
 *   x <- c(12.1,11.8,13.4,12.9,30.5,12.2,11.1,12.6,13.0,12.4)
 */
#include "stats/summary.h"

#include "base/cleanup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const double x[] = { 12.1, 11.8, 13.4, 12.9, 30.5, 12.2, 11.1, 12.6, 13.0, 12.4 };
#define N (sizeof x / sizeof *x)

#define assert_near(got, expected) near_(got, expected, __FILE__, __LINE__)
static void near_(double got, double expected, const char *file, int line)
{
	if (!(fabs(got - expected) <= 1e-10 * fabs(expected) + 1e-300)) {
		print_error("%.17g instead of %.17g\n", got, expected);
		_fail(file, line);
	}
}

static void summary_matches_r(void **state)
{
	double copy[N];
	struct summary s;

	memcpy(copy, x, sizeof x);
	summary_of(&s, x, N);
	assert_int_equal(s.n, 10);
	assert_near(s.mean, 14.199999999999999);    /* mean(x) */
	assert_near(s.sd, 5.7642576856579435);	    /* sd(x) */
	assert_near(s.median, 12.5);		    /* median(x) */
	assert_near(s.ci_lo, 10.076498456770109);   /* t.test(x)$conf.int */
	assert_near(s.ci_hi, 18.323501543229888);
	assert_near(s.min, 11.1);
	assert_near(s.max, 30.5);
	assert_memory_equal(copy, x, sizeof x); /* arrays are not modified */
}

static void few_values(void **state)
{
	struct summary s;

	summary_of(&s, x, 0);
	assert_int_equal(s.n, 0);
	assert_true(isnan(s.mean) && isnan(s.sd) && isnan(s.median) && isnan(s.min) && isnan(s.max));
	assert_true(isnan(s.ci_lo) && isnan(s.ci_hi));
	summary_of(&s, x, 1);
	assert_true(s.mean == 12.1 && s.median == 12.1 && s.min == 12.1 && s.max == 12.1);
	assert_true(isnan(s.sd) && isnan(s.ci_lo) && isnan(s.ci_hi));
	summary_of(&s, x, 3); /* odd */
	assert_near(s.median, 12.1);
}

/* Rates near 1e10 that differ in the last digits: Σx² − n·mean² would lose them all. */
static void variance_survives_a_large_mean(void **state)
{
	const double big[] = { 1e10 + 1, 1e10 + 2, 1e10 + 3, 1e10 + 4 };
	struct summary s;

	summary_of(&s, big, 4);
	assert_near(s.sd, 1.2909944487358056); /* sd(1:4) */
	assert_near(s.mean, 1e10 + 2.5);
}

static void quantile_is_type_7(void **state)
{
	/* quantile(x, c(0, .1, .25, .333, .5, .9, 1)) */
	static const double q[] = { 0, .1, .25, .333, .5, .9, 1 };
	static const double expected[] = {
		11.1, 11.73, 12.125, 12.199699999999998, 12.5, 15.109999999999996, 30.5 };

	for (size_t i = 0; i < ARRAY_SIZE(q); i++)
		assert_near(quantile7(x, N, q[i]), expected[i]);
	assert_true(isnan(quantile7(x, 0, 0.5)));
	assert_true(isnan(quantile7(x, N, 1.01)));
	assert_true(isnan(quantile7(x, N, NAN)));
	assert_true(quantile7(x, 1, 0.99) == 12.1);
}

/* abs(x - median(x)) / (1.4826 * mad(x, constant = 1)): 27.0 for 30.5, otherwise at most 2.1 */
static void outlier_is_flagged(void **state)
{
	bool flag[N];

	assert_int_equal(outliers_mad(x, N, flag), 1);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(flag[i], i == 4);
}

/* |x − 3| / (1.4826 · 1): 8.2 gives 3.5073, 8.1 gives 3.4399. */
static void outlier_threshold(void **state)
{
	double y[] = { 1, 2, 3, 4, 8.2 };
	bool flag[5];

	assert_int_equal(outliers_mad(y, 5, flag), 1);
	assert_true(flag[4]);
	y[4] = 8.1;
	assert_int_equal(outliers_mad(y, 5, flag), 0);
}

static void outliers_without_spread(void **state)
{
	const double y[] = { 5, 5, 5, 5, 9 };
	bool flag[5] = { true, true, true, true, true };

	assert_int_equal(outliers_mad(y, 5, flag), 0);
	for (size_t i = 0; i < 5; i++)
		assert_false(flag[i]);
	assert_int_equal(outliers_mad(y, 0, flag), 0);
}

static void mid_ranks(void **state)
{
	const double y[] = { 3, 1, 3, 2, 3 };
	const double expected[] = { 4, 1, 4, 2, 4 }; /* rank(c(3, 1, 3, 2, 3)) */
	double rank[5];

	ranks_mid(y, 5, rank);
	assert_memory_equal(rank, expected, sizeof rank);
}

/* cor.test(y, seq_along(y), method = "spearman", exact = FALSE)$p.value */
static void trend_matches_r(void **state)
{
	const double up[] = { 10, 11, 10.5, 12, 11.5, 13, 12.5, 14, 13.2, 14.5, 15, 14.8 };
	const double ties[] = { 10, 12, 10, 11, 12, 10, 11, 12, 11, 10, 12, 11, 10, 12, 11 };
	const double three[] = { 5, 3, 4 };
	const double same[] = { 7, 7, 7, 7 };
	const double straight[] = { 1, 2, 3, 4, 5 };

	assert_near(series_trend_p(up, 12), 3.8809852996273908e-07);
	assert_near(series_trend_p(ties, 15), 0.63837359152875095);
	assert_near(series_trend_p(three, 3), 0.66666666666666674);
	assert_true(isnan(series_trend_p(three, 2)));
	assert_true(isnan(series_trend_p(same, 4)));
	assert_true(series_trend_p(straight, 5) == 0);
}

static void drift(void **state)
{
	double y[30];

	for (int i = 0; i < 30; i++)
		y[i] = 100 + i; /* thirds' medians: 104.5 and 124.5, 19 % apart */
	assert_true(series_drifts(y, 30, 0.05));
	assert_false(series_drifts(y, 30, 0.25)); /* a trend, but too small to matter */
	assert_false(series_drifts(y, 8, 0.001)); /* too few points to tell */
	assert_true(series_drifts(y, 9, 0.001));
	for (int i = 0; i < 30; i++)
		y[i] = 100 - i;
	assert_true(series_drifts(y, 30, 0.05)); /* down counts too */
	for (int i = 0; i < 30; i++)
		y[i] = 100 + (i * 7919 % 31); /* noise without a trend */
	assert_false(series_drifts(y, 30, 0.0));
	for (int i = 0; i < 30; i++)
		y[i] = 100;
	assert_false(series_drifts(y, 30, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(summary_matches_r),
		cmocka_unit_test(few_values),
		cmocka_unit_test(variance_survives_a_large_mean),
		cmocka_unit_test(quantile_is_type_7),
		cmocka_unit_test(outlier_is_flagged),
		cmocka_unit_test(outlier_threshold),
		cmocka_unit_test(outliers_without_spread),
		cmocka_unit_test(mid_ranks),
		cmocka_unit_test(trend_matches_r),
		cmocka_unit_test(drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
