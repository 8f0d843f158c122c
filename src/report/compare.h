/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All techniques of a workload against each other, where the contrast (stats/paired.h) has each against the
 * baseline alone. Nobody outside src/report includes this.
 */
#ifndef VTAX_REPORT_COMPARE_H
#define VTAX_REPORT_COMPARE_H

#include "report/model.h"
#include "stats/anova.h"

#define COMPARE_ALPHA 0.05 /* as the 95 % intervals of stats/anova.h */

/*
 * Differences are of the mean logarithm of the cost (the value, or its inverse where higher is better), so a
 * `diff` d means that b costs exp(d) times what a costs.
 */
struct report_comparison {
	const struct store_metric_def *metric; /* the primary one; NULL: the workload has none */
	const struct store_cell **cells;       /* the n techniques compared, in plan order */
	size_t n;
	const struct store_cell **left_out; /* too few values */
	size_t nleft;
	size_t blocks;	  /* complete in all of the n */
	char reason[160]; /* why nothing was computed; "" when it was */
	struct anova anova;
	struct kruskal kruskal;			 /* ranks over all values, blind to blocks */
	struct comparison *tukey, *games_howell; /* COMPARISONS(n) each; NULL with a reason */
};

/*
 * Computed when asked for: forty techniques take a second. A technique joins when at least half of the
 * workload's blocks, and two, have a value of it, so that one that mostly fails does not take all complete
 * blocks from the others.
 */
void report_compare(struct report_comparison *c, const struct report *r, size_t first_cell);
void report_comparison_release(struct report_comparison *c);
#define _cleanup_comparison_ __attribute__((cleanup(report_comparison_release)))

/* Whether the plan has so few techniques that the contrast with the baseline says all there is. */
bool report_compare_is_idle(const struct report *r, size_t first_cell);

size_t report_pairs_that_differ(const struct comparison *pairs, size_t n);

/* "+9.8 % [+8.1, +11.5]": what b costs over a */
void report_pair_text(char *out, size_t size, const struct comparison *pair);

/* "p = 0.034", "p < 0.0001" */
void report_p_text(char *out, size_t size, double p);

/* "F(4,36) = 512, p < 0.0001; …": the tests of all at once and how many pairs differ, as plain text. */
void report_comparison_tests(const struct report_comparison *c, struct buf *out);

/* A paragraph for the terminal: the tests, and the pairs that differ or those that do not, whichever are
 * fewer. */
void report_comparison_text(const struct report_comparison *c, struct buf *out);

#endif
