/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trial-level values: location, spread, outlier flags. All pure; arrays are not modified. Values are finite:
 * a trial without a value is left out by the caller.
 */
#ifndef VTAX_STATS_SUMMARY_H
#define VTAX_STATS_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>

struct summary {
	size_t n;
	double mean, sd /* n−1; NaN for n < 2 */, median, min, max;
	double ci_lo, ci_hi; /* 95 % t interval of the mean; NaN for n < 2 */
};

/* n = 0 gives NaN everywhere. Sums by Welford's recurrence. */
void summary_of(struct summary *s, const double *x, size_t n);

/* Quantile of raw values, interpolated (type 7 of Hyndman & Fan 1996, R's default). NaN for n = 0. */
double quantile7(const double *x, size_t n, double q);

/*
 * Flags x[i] with |x − median| / (1.4826·MAD) > 3.5 (Iglewicz & Hoaglin 1993). With MAD 0 (more than half of
 * the values equal) nothing is flagged. Returns the number flagged.
 */
size_t outliers_mad(const double *x, size_t n, bool *flag);

/*
 * Does a trial's own time series still drift? Spearman's rank correlation of value against time; drift when
 * its two-sided p < 0.01 AND the last third's median differs from the first third's by more than `tolerance`
 * (relative). n < 9: never drifting.
 */
bool series_drifts(const double *y, size_t n, double tolerance);

/*
 * The p above: of Spearman's rho against 1 … n, with mid-ranks and the t approximation on n − 2 degrees of
 * freedom (R: cor.test(y, seq_along(y), method = "spearman", exact = FALSE)). NaN for n < 3 or equal values.
 */
double series_trend_p(const double *y, size_t n);

/* rank[i] of x[i], 1 … n; equal values share the mean of their ranks. */
void ranks_mid(const double *x, size_t n, double *rank);

#endif
