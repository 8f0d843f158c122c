/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparisons of many groups against R 4.2.2 on data sets that come with it (PlantGrowth: equal sizes;
 * chickwts: unequal sizes) and, for blocks, the hardness testing experiment of Montgomery, Design and
 * Analysis of Experiments (four tips on four coupons; the book gives F = 14.44). Games–Howell is not in base
 * R, but ptukey() is:
 *   gh <- function(x, g) for each pair i < j of levels, with m, v, n by tapply(x, g, mean | var | length):
 *     vi <- v[i]/n[i]; vj <- v[j]/n[j]; df <- (vi+vj)^2 / (vi^2/(n[i]-1) + vj^2/(n[j]-1))
 *     se <- sqrt((vi+vj)/2); d <- m[j]-m[i]
 *     p <- ptukey(abs(d)/se, k, df, lower.tail=FALSE); d -+ qtukey(.95, k, df)*se
 */
#include "stats/anova.h"

#include "base/cleanup.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* PlantGrowth$weight, 10 each of ctrl, trt1, trt2 */
static const double plant[30] = {
	4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14, /**/
	4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69, /**/
	6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26,
};
static const unsigned plant_group[30] = { [10] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 };

/* chickwts: casein, horsebean, linseed, meatmeal, soybean, sunflower = 0 … 5 */
static const double chick[71] = { 179, 160, 136, 227, 217, 168, 108, 124, 143, 140, 309, 229, 181, 141, 260,
	203, 148, 169, 213, 257, 244, 271, 243, 230, 248, 327, 329, 250, 193, 271, 316, 267, 199, 171, 158,
	248, 423, 340, 392, 339, 341, 226, 320, 295, 334, 322, 297, 318, 325, 257, 303, 315, 380, 153, 263,
	242, 206, 344, 258, 368, 390, 379, 260, 404, 318, 352, 359, 216, 222, 283, 332 };
static const unsigned feed[71] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4,
	4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

/* Montgomery: one row per coupon (block), one column per tip */
static const double hardness[16] = {
	9.3, 9.4, 9.2, 9.7, /**/
	9.4, 9.3, 9.4, 9.6, /**/
	9.6, 9.8, 9.5, 10.0, /**/
	10.0, 9.9, 9.7, 10.2,
};

#define assert_near(got, expected, rel) near_(got, expected, rel, __FILE__, __LINE__)
static void near_(double got, double expected, double rel, const char *file, int line)
{
	if (!(fabs(got - expected) <= rel * fabs(expected) + 1e-13)) {
		print_error("%.17g instead of %.17g\n", got, expected);
		_fail(file, line);
	}
}

static void check_pairs(const struct comparison *c, const struct comparison *expected, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(c[i].a, expected[i].a);
		assert_int_equal(c[i].b, expected[i].b);
		assert_near(c[i].diff, expected[i].diff, 1e-9);
		/* qtukey() converges to about 1e-4 of the quantile, the same in R. */
		assert_near(c[i].lo, expected[i].lo, 1e-8);
		assert_near(c[i].hi, expected[i].hi, 1e-8);
		assert_near(c[i].p, expected[i].p, 1e-6);
	}
}

/* summary(aov(weight ~ group, PlantGrowth)) */
static void oneway_equal_sizes(void **state)
{
	struct anova a;

	assert_int_equal(anova_oneway(&a, plant, plant_group, 30, 3), 0);
	assert_near(a.treatment.ss, 3.7663399999999987, 1e-10);
	assert_true(a.treatment.df == 2);
	assert_near(a.error_ss, 10.492089999999997, 1e-10);
	assert_true(a.error_df == 27);
	assert_near(a.error_ms, 0.38859592592592584, 1e-10);
	assert_near(a.treatment.f, 4.8460878623801351, 1e-10);
	assert_near(a.treatment.p, 0.015909958325622937, 1e-10);
	assert_true(isnan(a.block.f) && isnan(a.block.p));
}

/* summary(aov(weight ~ feed, chickwts)) */
static void oneway_unequal_sizes(void **state)
{
	struct anova a;

	assert_int_equal(anova_oneway(&a, chick, feed, 71, 6), 0);
	assert_near(a.treatment.ss, 231129.16210292038, 1e-10);
	assert_near(a.error_ss, 195556.0209956709, 1e-10);
	assert_true(a.treatment.df == 5 && a.error_df == 65);
	assert_near(a.treatment.f, 15.364799774712539, 1e-10);
	assert_near(a.treatment.p, 5.9364198534713305e-10, 1e-8);
}

static void oneway_needs_data(void **state)
{
	const unsigned each[] = { 0, 1, 2 }, one[] = { 1, 1, 1 };
	struct anova a;

	assert_int_equal(anova_oneway(&a, plant, each, 3, 3), -EINVAL); /* none left for the error */
	assert_true(isnan(a.treatment.f) && isnan(a.error_ms));
	assert_int_equal(anova_oneway(&a, plant, one, 3, 3), -EINVAL); /* one group only */
	assert_int_equal(anova_oneway(&a, plant, one, 0, 3), -EINVAL);
	/* A group without values does not count: as with two groups. */
	assert_int_equal(anova_oneway(&a, plant, plant_group, 20, 5), 0);
	assert_true(a.treatment.df == 1 && a.error_df == 18);
}

static void oneway_without_variance(void **state)
{
	const double same[] = { 5, 5, 5, 5 }, apart[] = { 5, 5, 6, 6 };
	const unsigned g[] = { 0, 0, 1, 1 };
	struct anova a;

	assert_int_equal(anova_oneway(&a, same, g, 4, 2), 0);
	assert_true(isnan(a.treatment.f) && isnan(a.treatment.p)); /* 0/0: nothing can be said */
	assert_int_equal(anova_oneway(&a, apart, g, 4, 2), 0);
	assert_true(isinf(a.treatment.f) && a.treatment.p == 0);
}

/* x <- as.vector(t(table)); summary(aov(x ~ tip + coupon)) */
static void blocked_matches_r(void **state)
{
	struct anova a;
	size_t used;

	assert_int_equal(anova_blocked(&a, hardness, 4, 4, &used), 0);
	assert_int_equal(used, 4);
	assert_near(a.treatment.ss, 0.385, 1e-9);
	assert_near(a.block.ss, 0.825, 1e-9);
	assert_near(a.error_ss, 0.08, 1e-9);
	assert_true(a.treatment.df == 3 && a.block.df == 3 && a.error_df == 9);
	assert_near(a.treatment.f, 14.4375, 1e-9);
	assert_near(a.treatment.p, 0.00087127207111169875, 1e-9);
	assert_near(a.block.f, 30.9375, 1e-9);
	assert_near(a.block.p, 4.5232698579964366e-05, 1e-9);
}

/* A block with a hole is left out whole, wherever it is; the rest gives what it gives alone. */
static void blocked_drops_incomplete_blocks(void **state)
{
	double holes[24];
	struct anova a, b;
	size_t used;

	for (int i = 0; i < 4; i++)
		holes[i] = i == 2 ? NAN : 77;
	for (int i = 0; i < 8; i++)
		holes[4 + i] = hardness[i];
	for (int i = 0; i < 4; i++)
		holes[12 + i] = i == 0 ? NAN : 1e6;
	for (int i = 0; i < 8; i++)
		holes[16 + i] = hardness[8 + i];
	assert_int_equal(anova_blocked(&a, holes, 6, 4, &used), 0);
	assert_int_equal(used, 4);
	assert_int_equal(anova_blocked(&b, hardness, 4, 4, NULL), 0);
	assert_true(a.treatment.f == b.treatment.f && a.block.f == b.block.f && a.error_ss == b.error_ss);
	assert_int_equal(anova_blocked(&a, holes, 2, 4, &used), -EINVAL);
	assert_int_equal(used, 1);
	assert_true(isnan(a.treatment.f));
	assert_int_equal(anova_blocked(&a, hardness, 4, 1, &used), -EINVAL);
	assert_int_equal(anova_blocked(&a, NULL, 0, 4, &used), -EINVAL);
}

/* TukeyHSD(aov(weight ~ group, PlantGrowth)) */
static void tukey_equal_sizes(void **state)
{
	static const struct comparison expected[] = {
		{ 0, 1, -0.371, -1.06221605141045883, 0.32021605141045795, 0.390871144202124654 },
		{ 0, 2, 0.494, -0.19721605141045861, 1.18521605141045816, 0.197995991299708241 },
		{ 1, 2, 0.865, 0.17378394858954183, 1.55621605141045860, 0.012006423979452729 },
	};
	struct comparison c[COMPARISONS(3)];
	struct group g[3];
	struct anova a;

	groups_of(g, plant, plant_group, 30, 3);
	assert_int_equal(anova_oneway(&a, plant, plant_group, 30, 3), 0);
	tukey_hsd(c, g, 3, a.error_ms, a.error_df);
	check_pairs(c, expected, 3);
}

/* TukeyHSD(aov(weight ~ feed, chickwts)): Kramer's form, 15 pairs; five of them, the extremes among them */
static void tukey_unequal_sizes(void **state)
{
	static const struct comparison expected[] = {
		{ 0, 1, -163.38333333333321, -232.34687620444657, -94.4197904622199, 0.000000030701968 },
		{ 0, 4, -77.15476190476187, -140.51705413943085, -13.7924696700929, 0.008365308683058 },
		{ 0, 5, 5.33333333333331, -60.42082481610781, 71.0874914827744, 0.999890217393269 },
		{ 2, 4, 27.67857142857133, -35.68372080609765, 91.0408636632403, 0.793285316154053 },
		{ 4, 5, 82.48809523809518, 19.12580300342621, 145.8503874727642, 0.003884521207235 },
	};
	static const size_t place[] = { 0, 3, 4, 10, 14 };
	struct comparison c[COMPARISONS(6)];
	struct group g[6];
	struct anova a;

	groups_of(g, chick, feed, 71, 6);
	assert_int_equal(anova_oneway(&a, chick, feed, 71, 6), 0);
	tukey_hsd(c, g, 6, a.error_ms, a.error_df);
	for (size_t i = 0; i < ARRAY_SIZE(place); i++)
		check_pairs(&c[place[i]], &expected[i], 1);
}

/* TukeyHSD(aov(x ~ tip + coupon), "tip"): the error of the blocked analysis */
static void tukey_after_blocks(void **state)
{
	static const struct comparison expected[] = {
		{ 0, 1, 0.025, -0.1831199164130453, 0.2331199164130496, 0.980900527554634 },
		{ 0, 2, -0.125, -0.3331199164130475, 0.0831199164130475, 0.302756343552432 },
		{ 0, 3, 0.3, 0.0918800835869532, 0.5081199164130482, 0.006658314691187 },
		{ 1, 2, -0.15, -0.3581199164130496, 0.0581199164130453, 0.181590716851877 },
		{ 1, 3, 0.275, 0.0668800835869511, 0.4831199164130461, 0.011328393982563 },
		{ 2, 3, 0.425, 0.2168800835869532, 0.6331199164130482, 0.000606136594566 },
	};
	struct comparison c[COMPARISONS(4)];
	unsigned tip[16];
	struct group g[4];
	struct anova a;

	for (unsigned i = 0; i < 16; i++)
		tip[i] = i % 4;
	groups_of(g, hardness, tip, 16, 4);
	assert_int_equal(anova_blocked(&a, hardness, 4, 4, NULL), 0);
	tukey_hsd(c, g, 4, a.error_ms, a.error_df);
	check_pairs(c, expected, 6);
}

static void games_howell_matches_r(void **state)
{
	static const struct comparison plants[] = {
		{ 0, 1, -0.371, -1.172087501501756, 0.43008750150175501, 0.47455492219398021 },
		{ 0, 2, 0.494, -0.1005544333331545, 1.088554433333154, 0.1128891768542174 },
		{ 1, 2, 0.865, 0.11351299331719533, 1.6164870066828052, 0.0237034547392031 },
	};
	static const struct comparison chicks[] = {
		{ 0, 1, -163.38333333333333, -233.95000942365596, -92.816657243010681, 9.43590003943395e-06 },
		{ 0, 2, -104.83333333333331, -179.71212457323901, -29.954542093427605, 0.00310157977384096 },
		{ 0, 3, -46.674242424242379, -131.21438374678851, 37.865898898303755, 0.52927013195817141 },
		{ 0, 4, -77.154761904761898, -150.67110854467469, -3.638415264849101, 0.036042783223903752 },
		{ 0, 5, 5.3333333333333712, -67.850730781616789, 78.517397448283532, 0.99990003811539152 },
	};
	struct comparison c[COMPARISONS(6)];
	struct group g[6];

	groups_of(g, plant, plant_group, 30, 3);
	games_howell(c, g, 3);
	check_pairs(c, plants, 3);
	groups_of(g, chick, feed, 71, 6);
	games_howell(c, g, 6);
	check_pairs(c, chicks, 5);
}

/* Groups of 0, 1 and 2 values: NaN, and no word from the mathematics library on stdout. */
static void comparisons_of_too_little(void **state)
{
	const double x[] = { 1, 2, 3, 5, 6, 7 };
	const unsigned of[] = { 1, 2, 2, 3, 3, 3 };
	struct comparison c[COMPARISONS(4)];
	struct group g[4];

	groups_of(g, x, of, 6, 4);
	assert_true(isnan(g[0].mean) && isnan(g[0].var) && isnan(g[1].var) && g[1].mean == 1);
	games_howell(c, g, 4);
	for (size_t i = 0; i < 5; i++)
		assert_true(isnan(c[i].p) && isnan(c[i].lo) && isnan(c[i].hi));
	assert_near(c[5].diff, 3.5, 1e-12);
	assert_true(c[5].p > 0 && c[5].p < 0.2); /* sizes 2 and 3: 2.88 degrees of freedom are enough */
	tukey_hsd(c, g, 4, 0, 10);
	assert_true(isnan(c[5].p));
	tukey_hsd(c, g, 4, 1, 1);
	assert_true(isnan(c[5].p));
}

/* kruskal.test() */
static void kruskal_matches_r(void **state)
{
	const double tied[] = { 1, 2, 2, 3, 3, 3, 4, 5, 5, 6 };
	const unsigned of[] = { 0, 0, 0, 0, 1, 1, 1, 1, 1, 1 };
	struct kruskal k;

	assert_int_equal(kruskal_wallis(&k, plant, plant_group, 30, 3), 0);
	assert_near(k.h, 7.9882287494437154, 1e-10);
	assert_near(k.p, 0.01842375573147197, 1e-10);
	assert_true(k.df == 2);
	assert_int_equal(kruskal_wallis(&k, chick, feed, 71, 6), 0);
	assert_near(k.h, 37.342717694256208, 1e-10);
	assert_near(k.p, 5.1128295119371503e-07, 1e-9);
	assert_true(k.df == 5);
	assert_int_equal(kruskal_wallis(&k, tied, of, 10, 2), 0);
	assert_near(k.h, 5.7075471698113205, 1e-10);
	assert_near(k.p, 0.016892125802115125, 1e-10);
}

static void kruskal_needs_data(void **state)
{
	const double same[] = { 4, 4, 4, 4 };
	const unsigned g[] = { 0, 0, 1, 1 };
	struct kruskal k;

	assert_int_equal(kruskal_wallis(&k, same, g, 4, 2), -EINVAL);
	assert_true(isnan(k.h) && isnan(k.p));
	assert_int_equal(kruskal_wallis(&k, plant, plant_group, 10, 3), -EINVAL);
	assert_int_equal(kruskal_wallis(&k, plant, plant_group, 0, 3), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oneway_equal_sizes),
		cmocka_unit_test(oneway_unequal_sizes),
		cmocka_unit_test(oneway_needs_data),
		cmocka_unit_test(oneway_without_variance),
		cmocka_unit_test(blocked_matches_r),
		cmocka_unit_test(blocked_drops_incomplete_blocks),
		cmocka_unit_test(tukey_equal_sizes),
		cmocka_unit_test(tukey_unequal_sizes),
		cmocka_unit_test(tukey_after_blocks),
		cmocka_unit_test(games_howell_matches_r),
		cmocka_unit_test(comparisons_of_too_little),
		cmocka_unit_test(kruskal_matches_r),
		cmocka_unit_test(kruskal_needs_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
