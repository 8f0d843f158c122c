/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people: three digits, a prefix chosen after rounding, and never a sign that misleads. */
#include "base/units.h"

#include "base/cleanup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(double value, const char *unit, const char *expected)
{
	char out[64];

	units_format(out, sizeof out, value, unit);
	assert_string_equal(out, expected);
}

static void known_units(void **state)
{
	check(20.3e9, "bits/s", "20.3 Gb/s");
	check(5120, "ns", "5.12 µs");
	check(104000, "1/s", "104 k/s");
	check(93.44, "1/s", "93.4 /s");
	check(1234567, "ns/op", "1.23 ms/op");
	check(0.351, "ns/byte", "0.351 ns/B");
	check(2.5e6, "bytes", "2.50 MB");
	check(2.5e6, "bytes/s", "2.50 MB/s");
	check(0.98765, "ratio", "0.988");
	check(1, "ratio", "1.00");
	check(12, "1", "12");
	check(12.345, "1", "12.3");
	check(17, "losses", "17 losses");
	check(1.75, "hops", "1.75 hops");
	check(123456, "segments", "123456 segments");
}

static void prefix_follows_rounding(void **state)
{
	check(999.4, "ns", "999 ns");
	check(999.5, "ns", "1.00 µs");
	check(999499, "ns", "999 µs");
	check(999.7e6, "ns", "1.00 s");
	check(99.94, "ns", "99.9 ns");
	check(99.96, "ns", "100 ns");
	check(9.996, "ns", "10.0 ns");
	check(3.6e12, "ns", "3600 s"); /* seconds are the last step */
	check(1e21, "bits/s", "1000 Eb/s");
}

static void small_and_odd_values(void **state)
{
	check(0, "ns", "0 ns");
	check(0, "bytes", "0 B");
	check(7, "bytes", "7 B");
	check(7.25, "bytes", "7.25 B");
	check(0.0351, "1/s", "0.0351 /s");
	check(0.000012, "ratio", "1.20e-05");
	check(-1500, "ns", "-1.50 µs");
	check(NAN, "ns", "–");
	check(NAN, "losses", "–");
	check(INFINITY, "ns", "inf ns");
}

static void small_room_is_not_overrun(void **state)
{
	char out[5] = "....";

	units_format(out, 4, 20.3e9, "bits/s");
	assert_string_equal(out, "20.");
	assert_int_equal(out[4], '\0');
}

static void durations(void **state)
{
	static const struct {
		double s;
		const char *text;
	} rows[] = {
		{ 0, "0.0 s" },
		{ 0.04, "0.0 s" },
		{ 0.05, "0.1 s" },
		{ 0.84, "0.8 s" },
		{ 9.94, "9.9 s" },
		{ 9.96, "10 s" },
		{ 41.4, "41 s" },
		{ 59.4, "59 s" },
		{ 59.6, "1 m 00 s" },
		{ 125, "2 m 05 s" },
		{ 3599.6, "1 h 00 m" },
		{ 3725, "1 h 02 m" },
		{ 360000, "100 h 00 m" },
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		units_duration(out, sizeof out, (uint64_t)(rows[i].s * 1e9));
		assert_string_equal(out, rows[i].text);
	}
	units_duration(out, sizeof out, UINT64_MAX);
	assert_string_equal(out, "5124095 h 34 m");
}

static void percentages(void **state)
{
	static const struct {
		double ratio;
		const char *text;
	} rows[] = {
		{ 0.123, "+12.3 %" }, { -0.5, "-50.0 %" }, { 0, "+0.0 %" }, { -0.0004, "+0.0 %" },
		{ -0.0006, "-0.1 %" }, { 0.0005, "+0.1 %" }, { 12.3, "+1230 %" }, { 9.999, "+999.9 %" },
		{ NAN, "–" },
	};
	char out[32];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		units_percent(out, sizeof out, rows[i].ratio);
		assert_string_equal(out, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_units),
		cmocka_unit_test(prefix_follows_rounding),
		cmocka_unit_test(small_and_odd_values),
		cmocka_unit_test(small_room_is_not_overrun),
		cmocka_unit_test(durations),
		cmocka_unit_test(percentages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
