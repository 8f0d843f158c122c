/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contrast vtax reports: how much worse is T than the baseline, paired within blocks, on the log scale.
 *
 * For each block i with both values positive, d_i = ln(cost_T / cost_B), where cost is the value itself when
 * lower is better and 1/value when higher is better. The overhead is exp(mean d) − 1 with the interval
 * exp(mean d ± t(0.975, n−1)·s/√n) − 1. Positive is worse, always.
 */
#ifndef VTAX_STATS_PAIRED_H
#define VTAX_STATS_PAIRED_H

#include <stdbool.h>
#include <stddef.h>

struct overhead {
	size_t n;	   /* complete pairs */
	double ratio;	   /* overhead: 0.10 is 10 % worse; NaN for n = 0 */
	double lo, hi;	   /* 95 % interval of it; NaN for n < 2 */
	double log_mean, log_sd;
	double equiv_lo, equiv_hi; /* 90 % interval: inside ±margin is TOST at 5 % */
};

enum verdict {
	VERDICT_BASELINE,
	VERDICT_TAX,
	VERDICT_GAIN,
	VERDICT_NONE,
	VERDICT_INCONCLUSIVE,
	VERDICT_NOT_RUN,
};

/* base[i] and t[i] are of the same block; NaN or ≤ 0 in either drops the pair. */
void overhead_paired(struct overhead *o, const double *base, const double *t, size_t n,
	bool higher_is_better);

/*
 * TAX/GAIN when the 95 % interval excludes 0; NONE when the 90 % interval lies inside (1/(1+margin) − 1,
 * margin) (two one-sided tests at 5 %, Schuirmann 1987); otherwise INCONCLUSIVE. n < 2 is INCONCLUSIVE, n = 0
 * NOT_RUN.
 */
enum verdict overhead_verdict(const struct overhead *o, double margin);
const char *verdict_name(enum verdict v); /* "baseline" "tax" "gain" "none" "inconclusive" "not-run" */

/*
 * Blocks that a 95 % interval of half-width ln(1 + target) would need, given log_sd: the smallest n ≥ 2 with
 * t(0.975, n−1)·log_sd/√n at most that. 2 while log_sd is unknown (n < 2): nobody can tell before two blocks.
 * SIZE_MAX when no number of blocks is enough (target ≤ 0, or more than 2^40).
 */
size_t overhead_blocks_needed(const struct overhead *o, double target);

/* Smallest overhead that n blocks of this noise detect with power 0.8 at 5 % (two-sided, normal approx.). */
double overhead_detectable(double log_sd, size_t n);

#endif
