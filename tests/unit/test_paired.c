/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contrast against R 4.2.2; the expression that gave each expected value is beside it, with
 *   b <- c(100,110,95,102,98,105); t <- c(120,128,117,119,121,122); d <- log(t/b)
 */
#include "stats/paired.h"

#include "stats/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const double b[] = { 100, 110, 95, 102, 98, 105 };
static const double t[] = { 120, 128, 117, 119, 121, 122 };

#define assert_near(got, expected) near_(got, expected, __FILE__, __LINE__)
static void near_(double got, double expected, const char *file, int line)
{
	if (!(fabs(got - expected) <= 1e-10 * fabs(expected) + 1e-15)) {
		print_error("%.17g instead of %.17g\n", got, expected);
		_fail(file, line);
	}
}

static void latency_matches_r(void **state)
{
	struct overhead o;

	overhead_paired(&o, b, t, 6, false);
	assert_int_equal(o.n, 6);
	assert_near(o.ratio, 0.19267715441459388);    /* expm1(mean(d)) */
	assert_near(o.lo, 0.15760932834867825);	      /* expm1(t.test(d)$conf.int) */
	assert_near(o.hi, 0.22880730124354581);
	assert_near(o.log_mean, 0.17620048990792192); /* mean(d) */
	assert_near(o.log_sd, 0.028437699386560763);  /* sd(d) */
	assert_near(o.equiv_lo, 0.16509950962828343); /* expm1(t.test(d, conf.level = .9)$conf.int) */
	assert_near(o.equiv_hi, 0.22090755588449659);
}

/* A rate that rises is better: the overhead is negative. expm1(mean(-d)), expm1(t.test(-d)$conf.int) */
static void rate_has_the_opposite_sign(void **state)
{
	struct overhead o;

	overhead_paired(&o, b, t, 6, true);
	assert_near(o.ratio, -0.16155013425168382);
	assert_near(o.lo, -0.18620275206046888);
	assert_near(o.hi, -0.1361507068826984);
	/* Half the rate costs twice as much: +100 %, not +50 %. */
	overhead_paired(&o, (double[]){ 200, 300 }, (double[]){ 100, 150 }, 2, true);
	assert_near(o.ratio, 1.0);
}

/* Twice as slow in one block, twice as fast in the next: no overhead (arithmetic means would say +25 %). */
static void ratios_average_on_the_log_scale(void **state)
{
	struct overhead o;

	overhead_paired(&o, (double[]){ 1, 2 }, (double[]){ 2, 1 }, 2, false);
	assert_near(o.ratio, 0);
}

static void incomplete_pairs_are_dropped(void **state)
{
	const double base[] = { 100, NAN, 110, 95, 0, 102, 98, INFINITY, 105 };
	const double with[] = { 120, 1, 128, 117, 7, 119, 121, 3, 122 };
	const double holes[] = { NAN, -1, 0 };
	struct overhead o;

	overhead_paired(&o, base, with, 9, false);
	assert_int_equal(o.n, 6);
	assert_near(o.ratio, 0.19267715441459388);
	overhead_paired(&o, b, holes, 3, false);
	assert_int_equal(o.n, 0);
	assert_true(isnan(o.ratio) && isnan(o.lo) && isnan(o.hi) && isnan(o.log_mean) && isnan(o.log_sd));
	assert_int_equal(overhead_verdict(&o, 0.05), VERDICT_NOT_RUN);
}

static void one_pair_has_no_interval(void **state)
{
	struct overhead o;

	overhead_paired(&o, b, t, 1, false);
	assert_int_equal(o.n, 1);
	assert_near(o.ratio, 0.2);
	assert_true(isnan(o.lo) && isnan(o.hi) && isnan(o.log_sd) && isnan(o.equiv_lo) && isnan(o.equiv_hi));
	assert_int_equal(overhead_verdict(&o, 0.05), VERDICT_INCONCLUSIVE);
	assert_int_equal(overhead_blocks_needed(&o, 0.05), 2);
}

static void extreme_values_do_not_overflow(void **state)
{
	struct overhead o;

	overhead_paired(&o, (double[]){ 1e300, 1e300 }, (double[]){ 1e-300, 1e-300 }, 2, false);
	assert_near(o.ratio, -1);
	assert_true(isfinite(o.log_mean));
}

static enum verdict verdict_of(double lo, double hi, double equiv_lo, double equiv_hi, double margin)
{
	struct overhead o = { .n = 10, .lo = lo, .hi = hi, .equiv_lo = equiv_lo, .equiv_hi = equiv_hi };

	return overhead_verdict(&o, margin);
}

static void verdicts(void **state)
{
	assert_int_equal(verdict_of(0.01, 0.2, 0.02, 0.19, 0.05), VERDICT_TAX);
	assert_int_equal(verdict_of(-0.2, -0.01, -0.19, -0.02, 0.05), VERDICT_GAIN);
	assert_int_equal(verdict_of(-0.02, 0.02, -0.018, 0.018, 0.05), VERDICT_NONE);
	assert_int_equal(verdict_of(-0.1, 0.1, -0.09, 0.09, 0.05), VERDICT_INCONCLUSIVE);
	/* The margin is symmetric in ratio: 1/1.05 − 1 = −0.0476, so −0.049 is outside, 0.049 inside. */
	assert_int_equal(verdict_of(-0.05, 0.02, -0.049, 0.018, 0.05), VERDICT_INCONCLUSIVE);
	assert_int_equal(verdict_of(-0.05, 0.02, -0.047, 0.018, 0.05), VERDICT_NONE);
	assert_int_equal(verdict_of(-0.02, 0.055, -0.018, 0.049, 0.05), VERDICT_NONE);
	/* A small difference that is certainly there is a tax, even inside the margin. */
	assert_int_equal(verdict_of(0.001, 0.003, 0.0011, 0.0029, 0.05), VERDICT_TAX);
	/* Without a margin nothing is ever "none". */
	assert_int_equal(verdict_of(-0.001, 0.001, -0.0009, 0.0009, 0), VERDICT_INCONCLUSIVE);
}

static void verdict_names(void **state)
{
	assert_string_equal(verdict_name(VERDICT_BASELINE), "baseline");
	assert_string_equal(verdict_name(VERDICT_TAX), "tax");
	assert_string_equal(verdict_name(VERDICT_GAIN), "gain");
	assert_string_equal(verdict_name(VERDICT_NONE), "none");
	assert_string_equal(verdict_name(VERDICT_INCONCLUSIVE), "inconclusive");
	assert_string_equal(verdict_name(VERDICT_NOT_RUN), "not-run");
}

/* need <- function(sd, target) { n <- 2; while (qt(.975, n-1)*sd/sqrt(n) > log1p(target)) n <- n+1; n } */
static void blocks_needed_matches_r(void **state)
{
	struct overhead o = { .n = 5, .log_sd = 0.05 };

	assert_int_equal(overhead_blocks_needed(&o, 0.02), 27);
	o.log_sd = 0.3;
	assert_int_equal(overhead_blocks_needed(&o, 0.05), 148);
	o.log_sd = 0.01;
	assert_int_equal(overhead_blocks_needed(&o, 0.5), 2);
	o.log_sd = 0.04;
	assert_int_equal(overhead_blocks_needed(&o, 0.01), 65);
	assert_int_equal(overhead_blocks_needed(&o, 0), SIZE_MAX);
	assert_int_equal(overhead_blocks_needed(&o, -0.5), SIZE_MAX);
	assert_int_equal(overhead_blocks_needed(&o, 1e-15), SIZE_MAX);
	o.log_sd = 0;
	assert_int_equal(overhead_blocks_needed(&o, 0.01), 2);
}

/* expm1((qnorm(.975) + qnorm(.8)) * .05 / sqrt(10)) */
static void detectable_matches_r(void **state)
{
	assert_near(overhead_detectable(0.05, 10), 0.045292710296555738);
	assert_true(isnan(overhead_detectable(0.05, 0)));
	assert_true(isnan(overhead_detectable(NAN, 10)));
}

/*
 * What the 95 % promise is worth: A/A comparisons of log-uniform noise, 5 000 of them with a fixed seed; the
 * share of intervals that exclude 0 must be near 5 % (± 4 standard errors of a binomial share: 3.8 … 6.2 %).
 */
static void false_positives_are_one_in_twenty(void **state)
{
	unsigned wrong = 0;
	struct rng r;

	rng_seed(&r, 2024);
	for (int i = 0; i < 5000; i++) {
		double x[8], y[8];
		struct overhead o;

		for (int k = 0; k < 8; k++) {
			double drift = exp(rng_uniform(&r)); /* of the block: common to both */

			x[k] = drift * exp(0.1 * rng_uniform(&r) + 0.1 * rng_uniform(&r));
			y[k] = drift * exp(0.1 * rng_uniform(&r) + 0.1 * rng_uniform(&r));
		}
		overhead_paired(&o, x, y, 8, i % 2);
		wrong += o.lo > 0 || o.hi < 0;
	}
	assert_in_range(wrong, 190, 310);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(latency_matches_r),
		cmocka_unit_test(rate_has_the_opposite_sign),
		cmocka_unit_test(ratios_average_on_the_log_scale),
		cmocka_unit_test(incomplete_pairs_are_dropped),
		cmocka_unit_test(one_pair_has_no_interval),
		cmocka_unit_test(extreme_values_do_not_overflow),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(verdict_names),
		cmocka_unit_test(blocks_needed_matches_r),
		cmocka_unit_test(detectable_matches_r),
		cmocka_unit_test(false_positives_are_one_in_twenty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
