/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawing is done ahead of the measured path, but for gaps: those cost one logarithm or power each, which is
 * far below the system call that follows.
 */
#include "load/gen.h"

#include <math.h>

#define ETC_GAP_SHAPE 0.154971

/* Of value sizes 0 … 14 bytes; what is left of 1 is the tail. */
static const double etc_small[] = { .00536, .00047, .17820, .09239, .00018, .02740, .00065, .00606, .00023,
	.00837, .00837, .08989, .00092, .00326, .01980 };

double gen_exponential(struct rng *r)
{
	return -log(rng_uniform(r));
}

double gen_gev(struct rng *r, double loc, double scale, double shape)
{
	return loc + scale * (pow(gen_exponential(r), -shape) - 1) / shape;
}

double gen_gpareto(struct rng *r, double loc, double scale, double shape)
{
	return loc + scale * (pow(rng_uniform(r), -shape) - 1) / shape;
}

static uint32_t digits(uint64_t v)
{
	uint32_t n = 1;

	while (v >= 10) {
		v /= 10;
		n++;
	}
	return n;
}

static uint32_t held(double v, uint32_t least, uint32_t most)
{
	v = round(v);
	if (!(v > (double)least))
		return least;
	return v > (double)most ? most : (uint32_t)v;
}

/* Keys and values of a record must not be drawn from the same number. */
static void seed(struct rng *r, uint64_t record, uint64_t purpose)
{
	rng_seed(r, (record + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ purpose);
}

uint32_t gen_key_bytes(const struct gen_records *g, uint64_t record)
{
	uint32_t least = digits(g->n ? g->n - 1 : 0);
	struct rng r;

	switch (g->sizes) {
	case GEN_SIZES_ETC:
		seed(&r, record, 1);
		return held(gen_gev(&r, 30.7984, 8.20449, 0.078688), least, GEN_KEY_MAX);
	case GEN_SIZES_REDIS:
		return least > 10 ? least : 10;
	default:
		return held((double)g->key_bytes, least, GEN_KEY_MAX);
	}
}

static uint32_t etc_value_bytes(struct rng *r)
{
	double u = rng_uniform(r);

	for (uint32_t i = 0; i < sizeof etc_small / sizeof etc_small[0]; i++) {
		if (u < etc_small[i])
			return i;
		u -= etc_small[i];
	}
	return held(gen_gpareto(r, 15, 214.476, 0.348238), 15, GEN_VALUE_MAX);
}

uint32_t gen_value_bytes(const struct gen_records *g, uint64_t record)
{
	struct rng r;

	if (g->sizes == GEN_SIZES_FIXED)
		return g->value_bytes < GEN_VALUE_MAX ? g->value_bytes : GEN_VALUE_MAX;
	seed(&r, record, 2);
	return g->sizes == GEN_SIZES_ETC ? etc_value_bytes(&r) : 40 + (uint32_t)rng_below(&r, 21);
}

uint32_t gen_key(const struct gen_records *g, uint64_t record, char out[GEN_KEY_MAX])
{
	uint32_t bytes = gen_key_bytes(g, record);

	for (uint32_t i = bytes; i-- > 0; record /= 10)
		out[i] = (char)('0' + record % 10);
	return bytes;
}

void gen_value(uint64_t record, uint8_t *out, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = gen_value_byte(record, i);
}

/* --- Zipf --- */

/* (e^x − 1)/x and log(1 + x)/x, whole at 0. */
static double expm1_over(double x)
{
	return fabs(x) > 1e-8 ? expm1(x) / x : 1 + x / 2;
}

static double log1p_over(double x)
{
	return fabs(x) > 1e-8 ? log1p(x) / x : 1 - x / 2;
}

/* The integral of x^−s from 1, and its inverse. */
static double integral(double s, double x)
{
	double l = log(x);

	return expm1_over((1 - s) * l) * l;
}

static double inverse(double s, double y)
{
	double t = y * (1 - s);

	if (t < -1)
		t = -1;
	return exp(log1p_over(t) * y);
}

void gen_zipf_init(struct gen_zipf *z, uint64_t n, double s)
{
	z->n = n ? n : 1;
	z->s = s;
	z->h_first = integral(s, 1.5) - 1;
	z->h_last = integral(s, (double)z->n + 0.5);
	z->cut = 2 - inverse(s, integral(s, 2.5) - pow(2, -s));
}

uint64_t gen_zipf_draw(const struct gen_zipf *z, struct rng *r)
{
	if (z->s <= 0)
		return rng_below(r, z->n);
	for (;;) {
		double u = z->h_last + rng_uniform(r) * (z->h_first - z->h_last);
		double x = inverse(z->s, u), k = floor(x + 0.5);

		if (k < 1)
			k = 1;
		else if (k > (double)z->n)
			k = (double)z->n;
		if (k - x <= z->cut || u >= integral(z->s, k + 0.5) - pow(k, -z->s))
			return (uint64_t)k - 1;
	}
}

double gen_gap_ns(enum gen_arrivals kind, double mean_ns, struct rng *r)
{
	switch (kind) {
	case GEN_EXPONENTIAL:
		return mean_ns * gen_exponential(r);
	case GEN_GPARETO:
		/* GPareto(0, s, k) has the mean s/(1 − k). */
		return gen_gpareto(r, 0, mean_ns * (1 - ETC_GAP_SHAPE), ETC_GAP_SHAPE);
	default:
		return mean_ns;
	}
}
