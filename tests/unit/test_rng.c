/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generator against published sequences, and the properties that a randomized order rests on.
 */
#include "stats/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The state {1, 2, 3, 4} is what most ports of the authors' xoshiro256starstar.c are checked with. */
static void reference_sequence(void **state)
{
	static const uint64_t expected[] = {
		UINT64_C(11520),
		UINT64_C(0),
		UINT64_C(1509978240),
		UINT64_C(1215971899390074240),
		UINT64_C(1216172134540287360),
		UINT64_C(607988272756665600),
		UINT64_C(16172922978634559625),
		UINT64_C(8476171486693032832),
		UINT64_C(10595114339597558777),
		UINT64_C(2904607092377533576),
	};
	struct rng r = { .s = { 1, 2, 3, 4 } };

	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		assert_int_equal(rng_next(&r), expected[i]);
}

/* splitmix64 from 1234567, as listed on Rosetta Code ("Pseudo-random numbers/Splitmix64"). */
static void seeding_is_splitmix64(void **state)
{
	struct rng r;

	rng_seed(&r, 1234567);
	assert_int_equal(r.s[0], UINT64_C(6457827717110365317));
	assert_int_equal(r.s[1], UINT64_C(3203168211198807973));
	assert_int_equal(r.s[2], UINT64_C(9817491932198370423));
	assert_int_equal(r.s[3], UINT64_C(4593380528125082431));
}

static void same_seed_same_order(void **state)
{
	unsigned a[20], b[20], c[20];
	struct rng r, s, t;

	for (unsigned i = 0; i < 20; i++)
		a[i] = b[i] = c[i] = i;
	rng_seed(&r, 42);
	rng_seed(&s, 42);
	rng_seed(&t, 43);
	rng_shuffle(&r, a, 20);
	rng_shuffle(&s, b, 20);
	rng_shuffle(&t, c, 20);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, c, sizeof a);
}

static void shuffle_is_a_permutation(void **state)
{
	struct rng r;

	rng_seed(&r, 7);
	for (unsigned n = 0; n < 40; n++) {
		unsigned a[40];
		bool seen[40] = { false };

		for (unsigned i = 0; i < n; i++)
			a[i] = i;
		rng_shuffle(&r, a, n);
		for (unsigned i = 0; i < n; i++) {
			assert_true(a[i] < n);
			assert_false(seen[a[i]]);
			seen[a[i]] = true;
		}
	}
}

/*
 * All 24 orders of 4 equally often: chi-squared on 23 degrees of freedom. The seed is fixed, so this passes
 * or fails for ever; R: qchisq(0.999, 23) = 49.7282. The wrong shuffle (swap with any place) gives > 1000.
 */
static void shuffle_is_uniform(void **state)
{
	unsigned count[256] = { 0 };
	double chi2 = 0;
	struct rng r;
	int orders = 0;

	rng_seed(&r, 20240229);
	for (int i = 0; i < 48000; i++) {
		unsigned a[4] = { 0, 1, 2, 3 };

		rng_shuffle(&r, a, 4);
		count[a[0] << 6 | a[1] << 4 | a[2] << 2 | a[3]]++;
	}
	for (int i = 0; i < 256; i++) {
		if (!count[i])
			continue;
		orders++;
		chi2 += (count[i] - 2000.0) * (count[i] - 2000.0) / 2000.0;
	}
	assert_int_equal(orders, 24);
	assert_true(chi2 < 49.7282);
}

static void below_stays_below_and_is_even(void **state)
{
	unsigned count[7] = { 0 };
	double chi2 = 0;
	struct rng r;

	rng_seed(&r, 1);
	for (int i = 0; i < 70000; i++) {
		uint64_t v = rng_below(&r, 7);

		assert_true(v < 7);
		count[v]++;
	}
	for (int i = 0; i < 7; i++)
		chi2 += (count[i] - 10000.0) * (count[i] - 10000.0) / 10000.0;
	assert_true(chi2 < 22.4577); /* qchisq(0.999, 6) */
	for (int i = 0; i < 100; i++)
		assert_int_equal(rng_below(&r, 1), 0);
}

/*
 * With n = 3·2^62, multiplication without rejection maps four inputs in a row to 3k, 3k, 3k + 1, 3k + 2:
 * every multiple of 3 would come twice as often as the others.
 */
static void below_rejects_the_biased_part(void **state)
{
	const uint64_t n = UINT64_C(3) << 62;
	unsigned third[3] = { 0 };
	struct rng r;

	rng_seed(&r, 5);
	for (int i = 0; i < 30000; i++) {
		uint64_t v = rng_below(&r, n);

		assert_true(v < n);
		third[v % 3]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(third[i], 9700, 10300); /* ± 3.7 sigma */
}

static void uniform_is_inside_the_unit_interval(void **state)
{
	double sum = 0, least = 1, most = 0;
	struct rng r;

	rng_seed(&r, 99);
	for (int i = 0; i < 100000; i++) {
		double u = rng_uniform(&r);

		assert_true(u > 0 && u < 1);
		sum += u;
		least = u < least ? u : least;
		most = u > most ? u : most;
	}
	assert_true(sum / 100000 > 0.497 && sum / 100000 < 0.503);
	assert_true(least < 0.001 && most > 0.999);
}

/* A draw of zero is drawn again: ln(0) would be an infinite inter-arrival time. */
static void uniform_is_never_zero(void **state)
{
	struct rng r = { .s = { 1, 0, 0, 0 } }; /* its next output is rotl(0 · 5, 7) · 9 = 0 */
	struct rng copy = r;

	assert_int_equal(rng_next(&copy), 0);
	assert_true(rng_uniform(&r) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_sequence),
		cmocka_unit_test(seeding_is_splitmix64),
		cmocka_unit_test(same_seed_same_order),
		cmocka_unit_test(shuffle_is_a_permutation),
		cmocka_unit_test(shuffle_is_uniform),
		cmocka_unit_test(below_stays_below_and_is_even),
		cmocka_unit_test(below_rejects_the_biased_part),
		cmocka_unit_test(uniform_is_inside_the_unit_interval),
		cmocka_unit_test(uniform_is_never_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
