/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Analysis of variance over complete blocks, Tukey's pairs with the error of that analysis, and, for readers
 * who doubt its equal variances or its normal errors, Games–Howell and Kruskal–Wallis on the same values.
 * These two know nothing of blocks: what drifts from block to block counts as noise for them, so they err
 * towards finding less.
 *
 * Overheads multiply, so all of it works on logarithms of trial-level values, as the contrast does, and on
 * costs, so that positive is worse here too.
 */
#include "report/compare.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <math.h>
#include <string.h>

#define LIST_MAX 6 /* pairs named in a paragraph */

bool report_compare_is_idle(const struct report *r, size_t first_cell)
{
	return report_next(r, first_cell) - first_cell < 3;
}

static bool usable(double v)
{
	return isfinite(v) && v > 0;
}

static size_t usable_blocks(const struct report *r, const struct report_cell *row)
{
	size_t n = 0;

	for (size_t b = 0; row && b < r->nblocks; b++)
		n += usable(row->per_block[b]);
	return n;
}

/* Blocks in which any technique of the workload has a value: a campaign may end within a round. */
static size_t blocks_begun(const struct report *r, size_t first, size_t end, const char *metric)
{
	size_t n = 0;

	for (size_t b = 0; b < r->nblocks; b++) {
		bool any = false;

		for (size_t c = first; c < end && !any; c++) {
			const struct report_cell *row = report_row(r, &r->cells[c], metric);

			any = row && usable(row->per_block[b]);
		}
		n += any;
	}
	return n;
}

/* Who takes part, and the values: x[block * n + technique] of log cost, complete blocks only. */
static double *gather(struct report_comparison *c, const struct report *r, size_t first, size_t end)
{
	const char *metric = c->metric->name;
	size_t begun = blocks_begun(r, first, end, metric);
	_cleanup_free_ const struct report_cell **rows = xcalloc(end - first, sizeof *rows);
	double *x;

	for (size_t i = first; i < end; i++) {
		const struct report_cell *row = report_row(r, &r->cells[i], metric);
		size_t have = usable_blocks(r, row);

		if (have < 2 || 2 * have < begun) {
			c->left_out[c->nleft++] = &r->cells[i];
			continue;
		}
		rows[c->n] = row;
		c->cells[c->n++] = &r->cells[i];
	}
	x = xcalloc(r->nblocks * c->n + 1, sizeof *x);
	for (size_t b = 0; b < r->nblocks; b++) {
		size_t i = 0;

		for (; i < c->n && usable(rows[i]->per_block[b]); i++)
			x[c->blocks * c->n + i] =
				log(rows[i]->per_block[b]) * (c->metric->higher_is_better ? -1 : 1);
		c->blocks += c->n && i == c->n;
	}
	if (begun < 2)
		snprintf(c->reason, sizeof c->reason, "it takes two complete blocks at least");
	return x;
}

/* The reason why the values gathered are not enough; false: they are. */
static bool too_few(struct report_comparison *c)
{
	if (*c->reason)
		return true;
	if (c->n < 3)
		snprintf(c->reason, sizeof c->reason,
			"only %zu technique%s valid trials in half of the blocks, and it takes three", c->n,
			c->n == 1 ? " has" : "s have");
	else if (c->blocks < 2)
		snprintf(c->reason, sizeof c->reason,
			"%zu block%s a valid trial of every technique, and it takes two", c->blocks,
			c->blocks == 1 ? " has" : "s have");
	return *c->reason;
}

static void compute(struct report_comparison *c, const double *x)
{
	size_t total = c->blocks * c->n;
	unsigned k = (unsigned)c->n;
	_cleanup_free_ unsigned *technique = xcalloc(total, sizeof *technique);
	_cleanup_free_ struct group *groups = xcalloc(k, sizeof *groups);

	if (anova_blocked(&c->anova, x, c->blocks, k, NULL) < 0 || !(c->anova.error_ms > 0)) {
		snprintf(c->reason, sizeof c->reason, "the values do not vary, so no test can be made");
		return;
	}
	for (size_t i = 0; i < total; i++)
		technique[i] = (unsigned)(i % k);
	groups_of(groups, x, technique, total, k);
	kruskal_wallis(&c->kruskal, x, technique, total, k);
	c->tukey = xcalloc(COMPARISONS(k), sizeof *c->tukey);
	c->games_howell = xcalloc(COMPARISONS(k), sizeof *c->games_howell);
	tukey_hsd(c->tukey, groups, k, c->anova.error_ms, c->anova.error_df);
	games_howell(c->games_howell, groups, k);
}

void report_compare(struct report_comparison *c, const struct report *r, size_t first_cell)
{
	size_t end = report_next(r, first_cell);
	_cleanup_free_ double *x = NULL;

	*c = (struct report_comparison){ .metric = report_primary(r, r->cells[first_cell].workload_name) };
	if (!c->metric) {
		snprintf(c->reason, sizeof c->reason, "the workload names no primary metric");
		return;
	}
	c->cells = xcalloc(end - first_cell, sizeof *c->cells);
	c->left_out = xcalloc(end - first_cell, sizeof *c->left_out);
	x = gather(c, r, first_cell, end);
	if (report_compare_is_idle(r, first_cell))
		snprintf(c->reason, sizeof c->reason,
			"fewer than three techniques: the overhead says what there is to say");
	if (!too_few(c))
		compute(c, x);
}

void report_comparison_release(struct report_comparison *c)
{
	free(c->cells);
	free(c->left_out);
	free(c->tukey);
	free(c->games_howell);
	*c = (struct report_comparison){ 0 };
}

static bool differs(const struct comparison *pair)
{
	return pair->p < COMPARE_ALPHA; /* false for NaN */
}

size_t report_pairs_that_differ(const struct comparison *pairs, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < COMPARISONS(n); i++)
		found += differs(&pairs[i]);
	return found;
}

void report_pair_text(char *out, size_t size, const struct comparison *pair)
{
	struct overhead o = {
		.n = 1, .ratio = expm1(pair->diff), .lo = expm1(pair->lo), .hi = expm1(pair->hi)
	};

	report_overhead_text(out, size, &o);
}

void report_p_text(char *out, size_t size, double p)
{
	if (isnan(p))
		snprintf(out, size, "p unknown");
	else if (p < 1e-4)
		snprintf(out, size, "p < 0.0001");
	else
		snprintf(out, size, "p = %.2g", p);
}

void report_comparison_tests(const struct report_comparison *c, struct buf *out)
{
	const struct anova_effect *t = &c->anova.treatment;
	char anova_p[32], kruskal_p[32];
	size_t named = 0;

	report_p_text(anova_p, sizeof anova_p, t->p);
	report_p_text(kruskal_p, sizeof kruskal_p, c->kruskal.p);
	buf_printf(out,
		"%zu techniques in %zu complete blocks, on the log of %s: blocked ANOVA F(%g,%g) = %.4g, %s; "
		"Kruskal–Wallis H(%g) = %.4g, %s. Of %zu pairs %zu differ by Tukey's HSD (adjusted p < %g), "
		"%zu by Games–Howell.",
		c->n, c->blocks, c->metric->name, t->df, c->anova.error_df, t->f, anova_p, c->kruskal.df,
		c->kruskal.h, kruskal_p, COMPARISONS(c->n), report_pairs_that_differ(c->tukey, c->n),
		COMPARE_ALPHA, report_pairs_that_differ(c->games_howell, c->n));
	for (size_t i = 0; i < c->nleft; i++) {
		if (c->left_out[i]->not_run)
			continue; /* the tables say so already */
		buf_puts(out, named++ ? ", " : " Left out for want of valid trials: ");
		buf_puts(out, c->left_out[i]->technique_label);
	}
	buf_puts(out, named ? "." : "");
}

static void say_pairs(const struct report_comparison *c, bool differing, struct buf *out)
{
	size_t said = 0, more = 0;

	for (size_t i = 0; i < COMPARISONS(c->n); i++) {
		const struct comparison *pair = &c->tukey[i];
		char cost[96], p[32];

		if (differs(pair) != differing)
			continue;
		if (said == LIST_MAX) {
			more++;
			continue;
		}
		report_pair_text(cost, sizeof cost, pair);
		report_p_text(p, sizeof p, pair->p);
		buf_printf(out, "%s%s over %s %s, %s",
			said++	    ? "; "
			: differing ? " Differ: "
				    : " Not told apart: ",
			c->cells[pair->b]->technique_label, c->cells[pair->a]->technique_label, cost, p);
	}
	if (more)
		buf_printf(out, "; and %zu more", more);
	buf_puts(out, said ? "." : "");
}

void report_comparison_text(const struct report_comparison *c, struct buf *out)
{
	size_t differ;

	if (*c->reason) {
		buf_puts(out, c->reason);
		return;
	}
	report_comparison_tests(c, out);
	differ = report_pairs_that_differ(c->tukey, c->n);
	say_pairs(c, 2 * differ <= COMPARISONS(c->n), out);
}
