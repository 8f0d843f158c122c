/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many techniques at once: is there any difference (analysis of variance, Kruskal–Wallis), and which pairs
 * differ when all are compared (Tukey's HSD, Games–Howell)? Plain arrays in, plain structs out.
 *
 * Values are finite and one per trial. Overheads multiply, so callers normally pass logarithms; a difference
 * of means d is then the ratio exp(d). What cannot be computed (too few values, no variance) is NaN, never 0.
 */
#ifndef VTAX_STATS_ANOVA_H
#define VTAX_STATS_ANOVA_H

#include <stddef.h>

/* One row of the table: an effect against the error. */
struct anova_effect {
	double ss, df; /* sum of squares, degrees of freedom */
	double f, p;   /* F = (ss/df) / (error.ss/error.df), and P(larger F) */
};

struct anova {
	struct anova_effect treatment;
	struct anova_effect block; /* randomized blocks only; NaN otherwise */
	double error_ss, error_df, error_ms;
};

/*
 * One-way: x[i] belongs to group[i] < k; groups may differ in size. R: aov(x ~ factor(group)).
 * Returns 0, or -EINVAL when fewer than 2 groups have values or no degree of freedom is left for the error
 * (then everything is NaN).
 */
int anova_oneway(struct anova *a, const double *x, const unsigned *group, size_t n, unsigned k);

/*
 * Randomized complete blocks: x[block * k + treatment]. A block that misses a value (NaN) is left out whole.
 * R: aov(x ~ factor(treatment) + factor(block)). `used` (may be NULL) gets the number of complete blocks.
 * -EINVAL with fewer than 2 complete blocks or 2 treatments.
 */
int anova_blocked(struct anova *a, const double *x, size_t blocks, unsigned k, size_t *used);

/* A group of values, for the comparisons below. */
struct group {
	size_t n;
	double mean, var; /* var: n − 1; NaN for n < 2 */
};

/* Fills k groups from the same arrays as anova_oneway(). */
void groups_of(struct group *g, const double *x, const unsigned *group, size_t n, unsigned k);

/* One pair a < b, over all k(k − 1)/2 of them: (0,1) (0,2) … (1,2) … */
struct comparison {
	unsigned a, b;
	double diff;   /* mean of b − mean of a */
	double lo, hi; /* simultaneous 95 % interval */
	double p;      /* adjusted for all pairs */
};
#define COMPARISONS(k) ((size_t)(k) * ((k)-1) / 2)

/*
 * Tukey's honest significant differences, in Kramer's form for unequal sizes; error_ms and error_df come from
 * the analysis of variance. `out` has COMPARISONS(k) places. R: TukeyHSD().
 */
void tukey_hsd(struct comparison *out, const struct group *g, unsigned k, double error_ms, double error_df);

/* Games & Howell 1976: like Tukey's, with each pair's own variances and Welch's degrees of freedom. */
void games_howell(struct comparison *out, const struct group *g, unsigned k);

/*
 * Kruskal–Wallis rank sum test with the correction for ties: H, k' − 1 degrees of freedom (k' groups that
 * have values), p from chi-squared. R: kruskal.test(). -EINVAL with fewer than 2 such groups or all values
 * equal (then everything is NaN).
 */
struct kruskal {
	double h, df, p;
};
int kruskal_wallis(struct kruskal *kw, const double *x, const unsigned *group, size_t n, unsigned k);

#endif
