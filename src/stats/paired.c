/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ratios multiply, so they are averaged as logarithms: a technique twice as slow in one block and twice as
 * fast in the next has no overhead, where the arithmetic mean of the ratios would report 25 %. Working within
 * blocks cancels what drifts from block to block (temperature, neighbours), which is most of the noise.
 */
#include "stats/paired.h"

#define MATHLIB_STANDALONE
#include <Rmath.h>

#include <math.h>
#include <stdint.h>

/* qnorm(0.975) + qnorm(0.8): two-sided 5 %, power 0.8 */
#define Z_DETECT (1.959963984540054 + 0.8416212335729143)
#define BLOCKS_MAX ((size_t)1 << 40)

static bool usable(double v)
{
	return isfinite(v) && v > 0;
}

void overhead_paired(struct overhead *o, const double *base, const double *t, size_t n, bool higher_is_better)
{
	double mean = 0, m2 = 0, se;

	*o = (struct overhead){ .ratio = NAN, .lo = NAN, .hi = NAN, .log_mean = NAN, .log_sd = NAN,
		.equiv_lo = NAN, .equiv_hi = NAN };
	for (size_t i = 0; i < n; i++) {
		double d, delta;

		if (!usable(base[i]) || !usable(t[i]))
			continue;
		/* A difference of logarithms: the quotient itself could overflow. */
		d = higher_is_better ? log(base[i]) - log(t[i]) : log(t[i]) - log(base[i]);
		o->n++;
		delta = d - mean;
		mean += delta / (double)o->n;
		m2 += delta * (d - mean);
	}
	if (o->n == 0)
		return;
	o->log_mean = mean;
	o->ratio = expm1(mean);
	if (o->n < 2)
		return;
	o->log_sd = sqrt(m2 / (double)(o->n - 1));
	se = o->log_sd / sqrt((double)o->n);
	o->lo = expm1(mean - qt(0.975, (double)(o->n - 1), 1, 0) * se);
	o->hi = expm1(mean + qt(0.975, (double)(o->n - 1), 1, 0) * se);
	o->equiv_lo = expm1(mean - qt(0.95, (double)(o->n - 1), 1, 0) * se);
	o->equiv_hi = expm1(mean + qt(0.95, (double)(o->n - 1), 1, 0) * se);
}

enum verdict overhead_verdict(const struct overhead *o, double margin)
{
	if (o->n == 0)
		return VERDICT_NOT_RUN;
	if (o->n < 2)
		return VERDICT_INCONCLUSIVE;
	if (o->lo > 0)
		return VERDICT_TAX;
	if (o->hi < 0)
		return VERDICT_GAIN;
	if (o->equiv_lo > 1 / (1 + margin) - 1 && o->equiv_hi < margin)
		return VERDICT_NONE;
	return VERDICT_INCONCLUSIVE;
}

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {
		[VERDICT_BASELINE] = "baseline",
		[VERDICT_TAX] = "tax",
		[VERDICT_GAIN] = "gain",
		[VERDICT_NONE] = "none",
		[VERDICT_INCONCLUSIVE] = "inconclusive",
		[VERDICT_NOT_RUN] = "not-run",
	};

	return names[v];
}

static bool narrow_enough(size_t n, double log_sd, double half)
{
	return qt(0.975, (double)(n - 1), 1, 0) * log_sd / sqrt((double)n) <= half;
}

size_t overhead_blocks_needed(const struct overhead *o, double target)
{
	double half = log1p(target);
	size_t lo = 1, hi = 2;

	if (isnan(o->log_sd) || o->log_sd == 0)
		return 2;
	if (!(half > 0))
		return SIZE_MAX;
	while (!narrow_enough(hi, o->log_sd, half)) {
		if (hi >= BLOCKS_MAX)
			return SIZE_MAX;
		lo = hi;
		hi *= 2;
	}
	/* The half-width falls with n: lo is too few, hi is enough. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (narrow_enough(mid, o->log_sd, half))
			hi = mid;
		else
			lo = mid;
	}
	return hi;
}

double overhead_detectable(double log_sd, size_t n)
{
	return n ? expm1(Z_DETECT * log_sd / sqrt((double)n)) : NAN;
}
