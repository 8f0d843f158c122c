/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Balanced or one-way designs only, where sums of squares are sums over means: no matrix is ever inverted.
 * Deviations are taken from means computed first (two passes), because throughputs near 1e10 that differ by
 * a percent lose half their digits to Σx² − (Σx)²/n.
 *
 * r-mathlib prints to stdout when it is asked for something outside a function's domain (ptukey with less
 * than 2 degrees of freedom): arguments are checked before every call.
 */
#include "stats/anova.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "stats/summary.h"

#define MATHLIB_STANDALONE
#include <Rmath.h>

#include <math.h>
#include <stdbool.h>

static struct anova_effect no_effect(void)
{
	return (struct anova_effect){ .ss = NAN, .df = NAN, .f = NAN, .p = NAN };
}

static struct anova no_anova(void)
{
	return (struct anova){ .treatment = no_effect(), .block = no_effect(), .error_ss = NAN,
		.error_df = NAN, .error_ms = NAN };
}

/* Without any error variance F is infinite, or undefined when there is no effect either. */
static struct anova_effect effect(double ss, double df, double error_ms, double error_df)
{
	struct anova_effect e = { .ss = ss, .df = df, .f = ss / df / error_ms, .p = NAN };

	if (isfinite(e.f))
		e.p = pf(e.f, df, error_df, 0, 0);
	else if (isinf(e.f))
		e.p = 0;
	return e;
}

void groups_of(struct group *g, const double *x, const unsigned *group, size_t n, unsigned k)
{
	for (unsigned j = 0; j < k; j++)
		g[j] = (struct group){ .n = 0 };
	for (size_t i = 0; i < n; i++) {
		struct group *of = &g[group[i]];
		double delta = x[i] - of->mean;

		of->n++;
		of->mean += delta / (double)of->n;
		of->var += delta * (x[i] - of->mean); /* Welford: the sum of squares, until the end */
	}
	for (unsigned j = 0; j < k; j++) {
		g[j].var = g[j].n > 1 ? g[j].var / (double)(g[j].n - 1) : NAN;
		if (g[j].n == 0)
			g[j].mean = NAN;
	}
}

int anova_oneway(struct anova *a, const double *x, const unsigned *group, size_t n, unsigned k)
{
	_cleanup_free_ struct group *g = xcalloc(k, sizeof *g);
	double grand = 0, between = 0, within = 0, df, error_df;
	unsigned present = 0;

	*a = no_anova();
	groups_of(g, x, group, n, k);
	for (unsigned j = 0; j < k; j++) {
		if (g[j].n == 0)
			continue;
		present++;
		grand += g[j].mean * (double)g[j].n / (double)n;
	}
	if (present < 2 || n <= present)
		return -EINVAL;
	for (unsigned j = 0; j < k; j++) {
		if (g[j].n)
			between += (double)g[j].n * (g[j].mean - grand) * (g[j].mean - grand);
		if (g[j].n > 1)
			within += g[j].var * (double)(g[j].n - 1);
	}
	df = present - 1;
	error_df = (double)(n - present);
	a->error_ss = within;
	a->error_df = error_df;
	a->error_ms = within / error_df;
	a->treatment = effect(between, df, a->error_ms, error_df);
	return 0;
}

/* Moves the complete blocks to the front of a copy; returns how many. */
static size_t complete_blocks(double *to, const double *x, size_t blocks, unsigned k)
{
	size_t used = 0;

	for (size_t b = 0; b < blocks; b++) {
		bool complete = true;

		for (unsigned j = 0; j < k; j++) {
			to[used * k + j] = x[b * k + j];
			complete = complete && !isnan(x[b * k + j]);
		}
		used += complete;
	}
	return used;
}

/* Row means, column means and the grand mean of an n × k table. */
static double table_means(const double *x, size_t n, unsigned k, double *row, double *column)
{
	double grand = 0;

	for (size_t b = 0; b < n; b++)
		for (unsigned j = 0; j < k; j++) {
			row[b] += x[b * k + j] / k;
			column[j] += x[b * k + j] / (double)n;
		}
	for (unsigned j = 0; j < k; j++)
		grand += column[j] / k;
	return grand;
}

int anova_blocked(struct anova *a, const double *x, size_t blocks, unsigned k, size_t *used)
{
	_cleanup_free_ double *table = xcalloc(blocks * k, sizeof *table);
	_cleanup_free_ double *row = xcalloc(blocks, sizeof *row), *column = xcalloc(k, sizeof *column);
	size_t n = complete_blocks(table, x, blocks, k);
	double ss_block = 0, ss_treatment = 0, ss_error = 0, grand, error_df;

	*a = no_anova();
	if (used)
		*used = n;
	if (n < 2 || k < 2)
		return -EINVAL;
	grand = table_means(table, n, k, row, column);
	for (size_t b = 0; b < n; b++) {
		ss_block += k * (row[b] - grand) * (row[b] - grand);
		for (unsigned j = 0; j < k; j++) {
			double rest = table[b * k + j] - row[b] - column[j] + grand;

			ss_error += rest * rest;
		}
	}
	for (unsigned j = 0; j < k; j++)
		ss_treatment += (double)n * (column[j] - grand) * (column[j] - grand);
	error_df = (double)(n - 1) * (k - 1);
	a->error_ss = ss_error;
	a->error_df = error_df;
	a->error_ms = ss_error / error_df;
	a->treatment = effect(ss_treatment, k - 1, a->error_ms, error_df);
	a->block = effect(ss_block, (double)(n - 1), a->error_ms, error_df);
	return 0;
}

/* `scale` is the standard error that the studentized range is measured in: that of one mean, not of diff. */
static struct comparison compare(unsigned a, unsigned b, double diff, double scale, unsigned k, double df)
{
	struct comparison c = { .a = a, .b = b, .diff = diff, .lo = NAN, .hi = NAN, .p = NAN };
	double half;

	if (!(scale > 0) || !(df >= 2) || !isfinite(diff))
		return c;
	half = qtukey(0.95, 1, k, df, 1, 0) * scale;
	c.lo = diff - half;
	c.hi = diff + half;
	c.p = ptukey(fabs(diff) / scale, 1, k, df, 0, 0);
	return c;
}

void tukey_hsd(struct comparison *out, const struct group *g, unsigned k, double error_ms, double error_df)
{
	for (unsigned i = 0; i < k; i++)
		for (unsigned j = i + 1; j < k; j++)
			*out++ = compare(i, j, g[j].mean - g[i].mean,
				sqrt(error_ms / 2 * (1 / (double)g[i].n + 1 / (double)g[j].n)), k, error_df);
}

void games_howell(struct comparison *out, const struct group *g, unsigned k)
{
	for (unsigned i = 0; i < k; i++)
		for (unsigned j = i + 1; j < k; j++) {
			double vi = g[i].var / (double)g[i].n, vj = g[j].var / (double)g[j].n;
			double df = (vi + vj) * (vi + vj) /
				    (vi * vi / ((double)g[i].n - 1) + vj * vj / ((double)g[j].n - 1));

			*out++ = compare(i, j, g[j].mean - g[i].mean, sqrt((vi + vj) / 2), k, df);
		}
}

/* 1 − Σ(t³ − t)/(n³ − n) over runs of t equal values: 0 when all are equal. */
static double tie_correction(const double *rank, size_t n)
{
	double sum = 0, dn = (double)n;

	for (size_t i = 0; i < n; i++) {
		double t = 0;

		for (size_t j = 0; j < n; j++)
			t += rank[j] == rank[i];
		sum += t * t - 1; /* each of the t members adds its share of t³ − t */
	}
	return 1 - sum / (dn * dn * dn - dn);
}

int kruskal_wallis(struct kruskal *kw, const double *x, const unsigned *group, size_t n, unsigned k)
{
	_cleanup_free_ double *rank = xmalloc(n * sizeof *rank);
	_cleanup_free_ struct group *g = xcalloc(k, sizeof *g);
	double centre = ((double)n + 1) / 2, between = 0, ties, dn = (double)n;
	unsigned present = 0;

	*kw = (struct kruskal){ .h = NAN, .df = NAN, .p = NAN };
	ranks_mid(x, n, rank);
	groups_of(g, rank, group, n, k);
	for (unsigned j = 0; j < k; j++) {
		if (g[j].n == 0)
			continue;
		present++;
		between += (double)g[j].n * (g[j].mean - centre) * (g[j].mean - centre);
	}
	ties = tie_correction(rank, n);
	if (present < 2 || !(ties > 1e-12))
		return -EINVAL;
	kw->h = 12 / (dn * (dn + 1)) * between / ties;
	kw->df = present - 1;
	kw->p = pchisq(kw->h, kw->df, 0, 0);
	return 0;
}
