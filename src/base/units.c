/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three significant digits, whatever the magnitude: enough for a table of measurements whose intervals are
 * rarely narrower than a percent. The prefix is chosen after rounding, so that 999.7 ns is "1.00 µs" and not
 * "1000 ns". No locale: the decimal point is a point everywhere (vtax never calls setlocale()).
 */
#include "base/units.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DASH "–" /* no value */

/* One scale: each step is 1000 times the one before. */
static const char *const TIME[] = { "ns", "µs", "ms", "s", NULL };
static const char *const SI[] = { "", "k", "M", "G", "T", "P", "E", NULL };

static const struct unit {
	const char *name;
	const char *const *steps;
	const char *suffix; /* after the prefix */
} units[] = {
	{ "ns", TIME, "" },
	{ "ns/op", TIME, "/op" },
	{ "ns/byte", TIME, "/B" },
	{ "bits/s", SI, "b/s" },
	{ "bytes", SI, "B" },
	{ "bytes/s", SI, "B/s" },
	{ "1/s", SI, "/s" },
};

/* |v| with three significant digits, never in e-notation above 1e-4. */
static void digits(char *out, size_t size, double v)
{
	int decimals = 0;

	if (v == 0) {
		snprintf(out, size, "0");
		return;
	}
	if (fabs(v) < 1e-4) {
		snprintf(out, size, "%.2e", v);
		return;
	}
	for (double bound = 99.95; decimals < 6 && fabs(v) < bound; bound /= 10)
		decimals++;
	snprintf(out, size, "%.*f", decimals, v);
}

/* A count stays the whole number it is: "5 losses", not "5.00 losses". */
static void count(char *out, size_t size, double v)
{
	if (v == rint(v) && fabs(v) < 1e15)
		snprintf(out, size, "%.0f", v);
	else
		digits(out, size, v);
}

static void scaled(char *out, size_t size, double value, const struct unit *u)
{
	const char *const *step = u->steps;
	char num[48];

	/* 999.5 is the first value that three digits would print as 1000. */
	while (fabs(value) >= 999.5 && step[1] && isfinite(value)) {
		value /= 1000;
		step++;
	}
	if (*step == u->steps[0] && strcmp(u->name, "bytes") == 0)
		count(num, sizeof num, value);
	else
		digits(num, sizeof num, value);
	snprintf(out, size, "%s %s%s", num, *step, u->suffix);
}

void units_format(char *out, size_t size, double value, const char *unit)
{
	char num[48];

	if (isnan(value)) {
		snprintf(out, size, DASH);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(units[i].name, unit) == 0) {
			scaled(out, size, value, &units[i]);
			return;
		}
	}
	if (strcmp(unit, "ratio") == 0) {
		digits(out, size, value);
		return;
	}
	count(num, sizeof num, value);
	if (strcmp(unit, "1") == 0 || !*unit)
		snprintf(out, size, "%s", num);
	else
		snprintf(out, size, "%s %s", num, unit);
}

void units_duration(char *out, size_t size, uint64_t ns)
{
	uint64_t tenths = ns / 100000000 + (ns % 100000000 >= 50000000);
	uint64_t s = ns / 1000000000 + (ns % 1000000000 >= 500000000);

	if (tenths < 100)
		snprintf(out, size, "%u.%u s", (unsigned)(tenths / 10), (unsigned)(tenths % 10));
	else if (s < 60)
		snprintf(out, size, "%u s", (unsigned)s);
	else if (s < 3600)
		snprintf(out, size, "%u m %02u s", (unsigned)(s / 60), (unsigned)(s % 60));
	else
		snprintf(out, size, "%llu h %02u m", (unsigned long long)(s / 3600),
			(unsigned)(s % 3600 / 60));
}

void units_percent(char *out, size_t size, double ratio)
{
	double p = ratio * 100;

	if (isnan(ratio))
		snprintf(out, size, DASH);
	else if (fabs(p) < 0.05)
		snprintf(out, size, "+0.0 %%"); /* "-0.0 %" would look like a finding */
	else
		snprintf(out, size, fabs(p) < 999.95 ? "%+.1f %%" : "%+.0f %%", p);
}
