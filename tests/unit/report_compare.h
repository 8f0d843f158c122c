/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of test_report.c, apart for its length. Techniques against each other: on the campaign of
 * report_fixture.h, where the truth is known and R has been asked the same, and on reports made by hand for
 * what a campaign rarely gives.
 */
#ifndef VTAX_TESTS_REPORT_COMPARE_H
#define VTAX_TESTS_REPORT_COMPARE_H

#include "base/buf.h"
#include "report/compare.h"
#include "report/report.h"
#include "report_fixture.h"

#include <jansson.h>

static struct report load(struct fixture *f, const struct report_options *o); /* test_report.c */

static void close_to(double x, double expected, double relative)
{
	if (!(fabs(x - expected) <= relative * fabs(expected) + 1e-13))
		fail_msg("%.12g is not %.12g", x, expected);
}

/*
 * From the CSV of this fixture, in R, with e the valid values of complete blocks, t and b factors:
 * x <- -log(e$value); a <- aov(x ~ t + b); summary(a); TukeyHSD(a, "t"); kruskal.test(x ~ t); and
 * Games–Howell by its formula with ptukey() and qtukey().
 */
static void numbers_are_those_of_r(void **state)
{
	static const struct {
		double diff, lo, hi, p, gh_lo, gh_hi, gh_p;
	} r[] = {
		[0] = { 0.102793539238, 0.09012778688, 0.11545929160, 0, 0.07498174286, 0.1306053356,
			1.484667e-08 },
		[2] = { -0.002127276409, -0.01479302877, 0.01053847595, 0.9885241123, -0.02613773644,
			0.02188318362, 0.9986987395 },
		[3] = { -0.049433080190, -0.06209883255, -0.03676732782, 2.466693516e-12, -0.07695607638,
			-0.02191008401, 0.0003161362684 },
		[9] = { -0.047305803781, -0.05997155614, -0.03464005142, 8.999245793e-12, -0.07185499376,
			-0.02275661381, 0.0001798835681 },
	};
	static const size_t checked[] = { 0, 2, 3, 9 };
	struct fixture *f = make(BLOCKS, 0.01);
	struct report report = load(f, NULL);
	_cleanup_comparison_ struct report_comparison c = { 0 };

	report_compare(&c, &report, 0);
	assert_string_equal(c.reason, "");
	assert_int_equal(c.n, 5);
	assert_int_equal(c.blocks, 10); /* one spoiled, one missing */
	close_to(c.anova.treatment.f, 1229.419835, 1e-8);
	close_to(c.anova.treatment.p, 6.032484294e-38, 1e-6);
	assert_int_equal((int)c.anova.treatment.df, 4);
	assert_int_equal((int)c.anova.error_df, 36);
	close_to(c.kruskal.h, 43.77129412, 1e-8);
	close_to(c.kruskal.p, 7.157270736e-09, 1e-7);
	for (size_t i = 0; i < ARRAY_SIZE(checked); i++) {
		const struct comparison *t = &c.tukey[checked[i]], *g = &c.games_howell[checked[i]];

		close_to(t->diff, r[checked[i]].diff, 1e-8);
		close_to(t->lo, r[checked[i]].lo, 1e-8);
		close_to(t->hi, r[checked[i]].hi, 1e-8);
		close_to(t->p, r[checked[i]].p, 1e-5);
		close_to(g->lo, r[checked[i]].gh_lo, 1e-6);
		close_to(g->hi, r[checked[i]].gh_hi, 1e-6);
		close_to(g->p, r[checked[i]].gh_p, 1e-5);
	}
	report_release(&report);
	done(f);
}

/* All but the two that are the same thing. */
static void injected_differences_are_found(void **state)
{
	struct fixture *f = make(BLOCKS, 0.01);
	struct report r = load(f, NULL);
	_cleanup_comparison_ struct report_comparison c = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
	static const unsigned who[] = { NATIVE, BRIDGE, NAT, SAME, EVIL };

	report_compare(&c, &r, 0);
	for (size_t i = 0; i < COMPARISONS(c.n); i++) {
		const struct comparison *t = &c.tukey[i];
		double truth = (1 + techniques[who[t->b]].rr) / (1 + techniques[who[t->a]].rr);

		assert_true(log(truth) > t->lo && log(truth) < t->hi);
		assert_int_equal(t->p < COMPARE_ALPHA, truth != 1);
	}
	report_comparison_text(&c, &text);
	assert_non_null(strstr(
		buf_str(&text), "5 techniques in 10 complete blocks, on the log of transactions_per_s"));
	assert_non_null(strstr(buf_str(&text), "blocked ANOVA F(4,36) = 1229, p < 0.0001"));
	assert_non_null(strstr(buf_str(&text), "Of 10 pairs 9 differ by Tukey's HSD"));
	assert_non_null(strstr(buf_str(&text), "Not told apart: native:label=again over native -0.2 % ["));
	assert_null(strstr(buf_str(&text), "runsc")); /* not run: said elsewhere */
	report_release(&r);
	done(f);
}

/* EVIL is invalid in every block of tcp_stream: it must not take all complete blocks away. */
static void who_never_counts_is_left_out(void **state)
{
	struct fixture *f = make(BLOCKS, 0.01);
	struct report r = load(f, NULL);
	_cleanup_comparison_ struct report_comparison c = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	report_compare(&c, &r, TECHNIQUES);
	assert_int_equal(c.n, 4);
	assert_int_equal(c.blocks, 10);
	assert_int_equal(c.nleft, 2);
	assert_ptr_equal(c.left_out[0], &r.cells[TECHNIQUES + EVIL]);
	report_comparison_text(&c, &text);
	assert_non_null(strstr(buf_str(&text), "Left out for want of valid trials: ev\"il"));
	report_release(&r);
	done(f);
}

static const json_t *at(const json_t *array, size_t i)
{
	const json_t *j = json_array_get(array, i);

	assert_non_null(j);
	return j;
}

static void json_has_the_same(void **state)
{
	struct fixture *f = make(BLOCKS, 0.01);
	struct report r = load(f, NULL);
	_cleanup_comparison_ struct report_comparison c = { 0 };
	_cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
	const json_t *all, *rr, *pair;
	json_auto_t *root = NULL;

	report_compare(&c, &r, 0);
	assert_int_equal(report_json(&r, &out, NULL), 0);
	root = json_loads(buf_str(&out), JSON_REJECT_DUPLICATES, NULL);
	all = json_object_get(root, "comparisons");
	assert_int_equal(json_array_size(all), WORKLOADS);
	rr = at(all, 0);
	assert_string_equal(json_string_value(json_object_get(rr, "metric")), "transactions_per_s");
	assert_string_equal(json_string_value(json_object_get(rr, "reason")), "");
	assert_int_equal(json_integer_value(json_object_get(rr, "blocks")), 10);
	assert_int_equal(json_array_size(json_object_get(rr, "techniques")), 5);
	assert_int_equal(json_array_size(json_object_get(rr, "left_out")), 1);
	close_to(json_real_value(json_object_get(json_object_get(rr, "anova"), "f")), c.anova.treatment.f,
		1e-12);
	close_to(json_real_value(json_object_get(json_object_get(rr, "kruskal_wallis"), "h")), c.kruskal.h,
		1e-12);
	assert_int_equal(json_array_size(json_object_get(rr, "pairs")), 10);
	pair = at(json_object_get(rr, "pairs"), 2);
	assert_string_equal(json_string_value(json_object_get(pair, "a")), "native");
	assert_string_equal(json_string_value(json_object_get(pair, "b")), "native:label=again");
	close_to(json_real_value(json_object_get(pair, "ratio")), exp(c.tukey[2].diff), 1e-12);
	close_to(json_real_value(at(json_object_get(pair, "ratio_ci95"), 1)), exp(c.tukey[2].hi), 1e-12);
	close_to(json_real_value(json_object_get(pair, "p")), c.tukey[2].p, 1e-12);
	close_to(json_real_value(json_object_get(json_object_get(pair, "games_howell"), "p")),
		c.games_howell[2].p, 1e-12);
	report_release(&r);
	done(f);
}

static void one_block_says_why_not(void **state)
{
	struct fixture *f = make(1, 0.01);
	struct report r = load(f, NULL);
	_cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
	json_auto_t *root = NULL;
	const json_t *rr;

	assert_int_equal(report_json(&r, &out, NULL), 0);
	root = json_loads(buf_str(&out), JSON_REJECT_DUPLICATES, NULL);
	rr = at(json_object_get(root, "comparisons"), 0);
	assert_true(json_is_null(json_object_get(rr, "anova")));
	assert_int_equal(json_array_size(json_object_get(rr, "pairs")), 0);
	assert_string_equal(
		json_string_value(json_object_get(rr, "reason")), "it takes two complete blocks at least");
	buf_clear(&out);
	assert_int_equal(report_table(&r, REPORT_PLAIN, true, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "not compared: it takes two complete blocks at least"));
	report_release(&r);
	done(f);
}

static void short_table_has_none_long_one_has(void **state)
{
	struct fixture *f = make(BLOCKS, 0.01);
	struct report r = load(f, NULL);
	_cleanup_buf_ struct buf out = BUF_INIT(4 << 20);

	assert_int_equal(report_table(&r, REPORT_PLAIN, false, &out, NULL), 0);
	assert_null(strstr(buf_str(&out), "ANOVA"));
	buf_clear(&out);
	assert_int_equal(report_table(&r, REPORT_PLAIN, true, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "ANOVA"));
	buf_clear(&out);
	assert_int_equal(report_table(&r, REPORT_MARKDOWN, true, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "\n\n- **each other**: "));
	assert_null(strstr(buf_str(&out), "<script>"));
	report_release(&r);
	done(f);
}

/* A report of one workload by hand: value[block][technique]. */
#define K_MAX 4
#define B_MAX 6
struct hand {
	struct report r;
	struct store_metric_def m;
	struct store_cell cells[K_MAX];
	struct report_cell rows[K_MAX];
	double values[K_MAX][B_MAX];
};

static void hand_fill(
	struct hand *h, size_t k, size_t blocks, double (*value)(size_t technique, size_t block))
{
	static char workload[] = "w", label[K_MAX][2] = { "A", "B", "C", "D" };

	*h = (struct hand){ .m = { .workload_name = workload, .name = workload, .primary = true } };
	h->r = (struct report){ .cells = h->cells,
		.ncells = k,
		.metrics = &h->m,
		.nmetrics = 1,
		.rows = h->rows,
		.nrows = k,
		.nblocks = blocks };
	for (size_t i = 0; i < k; i++) {
		h->cells[i] = (struct store_cell){
			.technique = (unsigned)i, .workload_name = workload, .technique_label = label[i]
		};
		h->rows[i] = (struct report_cell){
			.cell = &h->cells[i], .metric = &h->m, .per_block = h->values[i]
		};
		for (size_t b = 0; b < blocks; b++)
			h->values[i][b] = value(i, b);
	}
}

/* Each technique twice the one before, and a little of everything else. */
static double doubling(size_t t, size_t b)
{
	return 100 * ldexp(1, (int)t) * (1 + 0.01 * (double)b + 0.001 * (double)((t * 7 + b * b * 5) % 11));
}

static double doubling_but_d_fails(size_t t, size_t b)
{
	return t == 3 && b != 1 && b != 4 ? NAN : doubling(t, b);
}

static double doubling_but_b_is_zero(size_t t, size_t b)
{
	return t == 1 ? 0 : doubling(t, b);
}

static double never_together(size_t t, size_t b)
{
	return b % 2 == (t == 0) ? NAN : doubling(t, b);
}

static double flat(size_t t, size_t b)
{
	return 7;
}

static void a_pair_is_b_over_a_and_costs(void **state)
{
	struct hand h;
	_cleanup_comparison_ struct report_comparison c = { 0 }, up = { 0 };
	char text[96];

	hand_fill(&h, 4, 6, doubling);
	report_compare(&c, &h.r, 0);
	assert_int_equal(c.n, 4);
	assert_int_equal(c.blocks, 6);
	close_to(exp(c.tukey[0].diff), 2, 0.01); /* A, B: lower is better, B costs twice */
	close_to(exp(c.tukey[2].diff), 8, 0.01); /* A, D */
	assert_true(c.tukey[0].lo > 0 && c.tukey[0].p < 1e-6);
	report_pair_text(text, sizeof text, &c.tukey[0]);
	assert_non_null(strstr(text, "+100."));
	h.m.higher_is_better = true;
	report_compare(&up, &h.r, 0);
	close_to(exp(up.tukey[0].diff), 0.5, 0.01); /* now it is a gain */
	close_to(up.anova.treatment.f, c.anova.treatment.f, 1e-9);
}

static void rare_and_zero_values_are_left_out(void **state)
{
	struct hand h;
	_cleanup_comparison_ struct report_comparison rare = { 0 }, half = { 0 }, zero = { 0 };

	hand_fill(&h, 4, 6, doubling_but_d_fails); /* 2 of 6 blocks: fewer than half */
	report_compare(&rare, &h.r, 0);
	assert_string_equal(rare.reason, "");
	assert_int_equal(rare.n, 3);
	assert_int_equal(rare.blocks, 6);
	assert_ptr_equal(rare.left_out[0], &h.cells[3]);
	h.r.nblocks = 4; /* 1 of 4 is too few as well, half would do */
	h.values[3][2] = doubling(3, 2);
	report_compare(&half, &h.r, 0);
	assert_int_equal(half.n, 4);
	assert_int_equal(half.blocks, 2);
	hand_fill(&h, 4, 6, doubling_but_b_is_zero);
	report_compare(&zero, &h.r, 0);
	assert_int_equal(zero.n, 3);
	assert_ptr_equal(zero.left_out[0], &h.cells[1]);
}

static void says_why_not(const struct hand *h, const char *reason)
{
	_cleanup_comparison_ struct report_comparison c = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT(4096);

	report_compare(&c, &h->r, 0);
	assert_null(c.tukey);
	assert_non_null(strstr(c.reason, reason));
	report_comparison_text(&c, &text);
	assert_string_equal(buf_str(&text), c.reason);
}

static void what_cannot_be_compared_says_why(void **state)
{
	struct hand h;

	hand_fill(&h, 2, 6, doubling);
	assert_true(report_compare_is_idle(&h.r, 0));
	says_why_not(&h, "fewer than three techniques");
	hand_fill(&h, 4, 1, doubling);
	assert_false(report_compare_is_idle(&h.r, 0));
	says_why_not(&h, "it takes two complete blocks");
	hand_fill(&h, 4, 0, doubling);
	says_why_not(&h, "it takes two complete blocks");
	hand_fill(&h, 3, 6, doubling_but_b_is_zero);
	says_why_not(&h, "only 2 techniques have valid trials in half of the blocks");
	hand_fill(&h, 3, 6, never_together);
	says_why_not(&h, "0 blocks have a valid trial of every technique");
	hand_fill(&h, 3, 6, flat);
	says_why_not(&h, "do not vary");
	hand_fill(&h, 3, 6, doubling);
	h.m.primary = false;
	says_why_not(&h, "no primary metric");
}

static void p_reads_well(void **state)
{
	char text[32];

	report_p_text(text, sizeof text, 0.03412);
	assert_string_equal(text, "p = 0.034");
	report_p_text(text, sizeof text, 0);
	assert_string_equal(text, "p < 0.0001");
	report_p_text(text, sizeof text, 1);
	assert_string_equal(text, "p = 1");
	report_p_text(text, sizeof text, NAN);
	assert_string_equal(text, "p unknown");
}

static int run_compare_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_those_of_r),
		cmocka_unit_test(injected_differences_are_found),
		cmocka_unit_test(who_never_counts_is_left_out),
		cmocka_unit_test(json_has_the_same),
		cmocka_unit_test(one_block_says_why_not),
		cmocka_unit_test(short_table_has_none_long_one_has),
		cmocka_unit_test(a_pair_is_b_over_a_and_costs),
		cmocka_unit_test(rare_and_zero_values_are_left_out),
		cmocka_unit_test(what_cannot_be_compared_says_why),
		cmocka_unit_test(p_reads_well),
	};

	return cmocka_run_group_tests_name("techniques against each other", tests, NULL, NULL);
}

#endif
