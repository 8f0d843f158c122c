/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of a handful of trial-level values. Arrays are small (tens of blocks, hundreds of points in a
 * trial's series), so sorting a copy is the plain and fast enough way to every order statistic.
 *
 * r-mathlib prints to stdout when it is asked for something outside a function's domain: arguments are
 * checked here first.
 */
#include "stats/summary.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#define MATHLIB_STANDALONE
#include <Rmath.h>

#include <math.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double *sorted_copy(const double *x, size_t n)
{
	double *s = xmalloc(n * sizeof *s);

	memcpy(s, x, n * sizeof *s);
	qsort(s, n, sizeof *s, by_value);
	return s;
}

static double quantile_of_sorted(const double *s, size_t n, double q)
{
	double h = (double)(n - 1) * q;
	size_t i = (size_t)h;

	if (i + 1 >= n)
		return s[n - 1];
	if (h == (double)i)
		return s[i]; /* and not s[i] + 0·(s[i + 1] − s[i]), which an infinite neighbour makes NaN */
	return s[i] + (h - (double)i) * (s[i + 1] - s[i]);
}

double quantile7(const double *x, size_t n, double q)
{
	_cleanup_free_ double *s = NULL;

	if (n == 0 || !(q >= 0 && q <= 1))
		return NAN;
	s = sorted_copy(x, n);
	return quantile_of_sorted(s, n, q);
}

void summary_of(struct summary *s, const double *x, size_t n)
{
	_cleanup_free_ double *sorted = NULL;
	double mean = 0, m2 = 0;

	*s = (struct summary){ .n = n, .mean = NAN, .sd = NAN, .median = NAN, .min = NAN, .max = NAN,
		.ci_lo = NAN, .ci_hi = NAN };
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		double delta = x[i] - mean;

		mean += delta / (double)(i + 1);
		m2 += delta * (x[i] - mean);
	}
	sorted = sorted_copy(x, n);
	s->mean = mean;
	s->median = quantile_of_sorted(sorted, n, 0.5);
	s->min = sorted[0];
	s->max = sorted[n - 1];
	if (n >= 2) {
		double half;

		s->sd = sqrt(m2 / (double)(n - 1));
		half = qt(0.975, (double)(n - 1), 1, 0) * s->sd / sqrt((double)n);
		s->ci_lo = mean - half;
		s->ci_hi = mean + half;
	}
}

size_t outliers_mad(const double *x, size_t n, bool *flag)
{
	_cleanup_free_ double *away = NULL;
	double median, mad;
	size_t flagged = 0;

	for (size_t i = 0; i < n; i++)
		flag[i] = false;
	if (n == 0)
		return 0;
	median = quantile7(x, n, 0.5);
	away = xmalloc(n * sizeof *away);
	for (size_t i = 0; i < n; i++)
		away[i] = fabs(x[i] - median);
	mad = quantile7(away, n, 0.5);
	if (!(mad > 0))
		return 0;
	for (size_t i = 0; i < n; i++) {
		flag[i] = away[i] / (1.4826 * mad) > 3.5;
		flagged += flag[i];
	}
	return flagged;
}

struct ranked {
	double value;
	size_t at;
};

static int by_ranked(const void *a, const void *b)
{
	return by_value(&((const struct ranked *)a)->value, &((const struct ranked *)b)->value);
}

void ranks_mid(const double *x, size_t n, double *rank)
{
	_cleanup_free_ struct ranked *r = xmalloc(n * sizeof *r);

	for (size_t i = 0; i < n; i++)
		r[i] = (struct ranked){ .value = x[i], .at = i };
	qsort(r, n, sizeof *r, by_ranked);
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && r[j].value == r[i].value; j++)
			;
		for (size_t k = i; k < j; k++)
			rank[r[k].at] = (double)(i + 1 + j) / 2;
	}
}

/* Pearson's correlation of the ranks with 1 … n; NaN when all values are equal. */
static double spearman_with_time(const double *y, size_t n)
{
	_cleanup_free_ double *rank = xmalloc(n * sizeof *rank);
	double centre = (double)(n + 1) / 2, syy = 0, stt = 0, sty = 0;

	ranks_mid(y, n, rank);
	for (size_t i = 0; i < n; i++) {
		double dt = (double)(i + 1) - centre, dy = rank[i] - centre;

		stt += dt * dt;
		syy += dy * dy;
		sty += dt * dy;
	}
	return sty / sqrt(stt * syy);
}

double series_trend_p(const double *y, size_t n)
{
	double rho, t;

	if (n < 3)
		return NAN;
	rho = spearman_with_time(y, n);
	if (isnan(rho))
		return NAN;
	if (fabs(rho) >= 1 - 1e-12)
		return 0;
	t = rho * sqrt((double)(n - 2) / (1 - rho * rho));
	return 2 * pt(-fabs(t), (double)(n - 2), 1, 0);
}

bool series_drifts(const double *y, size_t n, double tolerance)
{
	size_t third = n / 3;
	double first, last;

	if (n < 9 || !(series_trend_p(y, n) < 0.01))
		return false;
	first = quantile7(y, third, 0.5);
	last = quantile7(y + n - third, third, 0.5);
	return fabs(last - first) > tolerance * fabs(first);
}
