/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One value of one option: text to number, strictly. strtoull() would accept blanks, signs and trailing
 * rubbish, and needs errno to tell an overflow, so digits are read by hand. Durations are exact integers all
 * the way (a double would turn 0.1 s into 100000000.00000001 ns).
 */
#include "base/option.h"

#include "base/cleanup.h"
#include "base/suggest.h"

#include <string.h>

#define NAMES_MAX 64  /* choices considered for "did you mean" */
#define QUOTE "%.64s" /* of what the user typed */

static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{ "h", UINT64_C(3600000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "s", UINT64_C(1000000000) },
	{ "ms", UINT64_C(1000000) },
	{ "us", UINT64_C(1000) },
	{ "ns", UINT64_C(1) },
};

static const struct {
	char name;
	unsigned shift;
} size_units[] = { { 'G', 30 }, { 'M', 20 }, { 'K', 10 } };

/* "option 'net' of 'oci'" */
static const char *subject(char *out, size_t size, const struct opt_def *def, const char *owner)
{
	if (owner)
		snprintf(out, size, "option '%s' of '%.96s'", def->name, owner);
	else
		snprintf(out, size, "option '%s'", def->name);
	return out;
}

/* Reads a run of digits; -ERANGE past 64 bits, -EINVAL when there is none. */
static int digits(const char **p, uint64_t *out)
{
	uint64_t v = 0;

	if (**p < '0' || **p > '9')
		return -EINVAL;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(**p - '0'), &v))
			return -ERANGE;
	}
	*out = v;
	return 0;
}

static int parse_uint(const char *text, uint64_t *out)
{
	int r = digits(&text, out);

	return r < 0 ? r : *text ? -EINVAL : 0;
}

static int parse_size(const char *text, uint64_t *out)
{
	unsigned shift = 0;
	uint64_t v;
	int r = digits(&text, &v);

	if (r < 0)
		return r;
	for (size_t i = 0; *text && i < ARRAY_SIZE(size_units); i++)
		if ((*text & ~0x20) == size_units[i].name)
			shift = size_units[i].shift;
	if (*text && (shift == 0 || text[1]))
		return -EINVAL;
	if (v > UINT64_MAX >> shift)
		return -ERANGE;
	*out = v << shift;
	return 0;
}

/* Reads ".25" after a number as frac/scale; without a point, 0/1. */
static int fraction(const char **p, uint64_t *frac, uint64_t *scale)
{
	*frac = 0;
	*scale = 1;
	if (**p != '.')
		return 0;
	for ((*p)++; **p >= '0' && **p <= '9'; (*p)++) {
		if (*scale >= UINT64_C(1000000000000000))
			return -EINVAL;
		*frac = *frac * 10 + (uint64_t)(**p - '0');
		*scale *= 10;
	}
	return *scale == 1 ? -EINVAL : 0;
}

/* The unit at *p, smaller than `below`; 0 when there is none. A bare number is seconds, but only alone. */
static uint64_t duration_unit(const char **p, uint64_t below)
{
	size_t len = strspn(*p, "hmnsu");

	if (len == 0 && **p == '\0' && below == UINT64_MAX)
		return UINT64_C(1000000000);
	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
		if (strlen(duration_units[i].name) != len || strncmp(*p, duration_units[i].name, len) != 0)
			continue;
		*p += len;
		return duration_units[i].ns < below ? duration_units[i].ns : 0;
	}
	return 0;
}

/* "12", "1.5s", "250us", "3m30s": units fall from left to right; what is finer than 1 ns is refused. */
static int parse_duration(const char *text, uint64_t *out)
{
	uint64_t whole, frac, scale, unit = UINT64_MAX;
	unsigned __int128 ns = 0;

	do {
		int r = digits(&text, &whole);

		if (r == 0)
			r = fraction(&text, &frac, &scale);
		if (r < 0)
			return r;
		unit = duration_unit(&text, unit);
		if (!unit || (unsigned __int128)frac * unit % scale)
			return -EINVAL;
		ns += (unsigned __int128)whole * unit + (unsigned __int128)frac * unit / scale;
		if (ns > UINT64_MAX)
			return -ERANGE;
	} while (*text);
	*out = (uint64_t)ns;
	return 0;
}

static int parse_bool(const char *text, uint64_t *out)
{
	static const char *const on[] = { "on", "yes", "true", "1" };
	static const char *const off[] = { "off", "no", "false", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
		if (strcmp(text, on[i]) == 0 || strcmp(text, off[i]) == 0) {
			*out = strcmp(text, on[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

/* Cuts "a|b|c" into words inside `copy`. */
static size_t split_choices(char *copy, const char **words, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(copy, "|", &save); w && n < max; w = strtok_r(NULL, "|", &save))
		words[n++] = w;
	return n;
}

static int parse_enum(const struct opt_def *def, const char *text, const char *who, uint64_t *out,
	struct vt_err *err)
{
	_cleanup_free_ char *copy = strdup(def->choices);
	const char *words[NAMES_MAX], *near;
	size_t n;

	if (!copy)
		return vt_fail(err, -ENOMEM, "out of memory");
	n = split_choices(copy, words, NAMES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return 0;
		}
	}
	near = suggest_nearest(text, words, n);
	if (near)
		return vt_usage(err, "%s must be %s, not '" QUOTE "'; did you mean '%s'?", who, def->choices,
			text, near);
	return vt_usage(err, "%s must be %s, not '" QUOTE "'", who, def->choices, text);
}

/* A bound in the largest unit that holds it exactly, so that it can be typed back. */
static const char *bound(char *out, size_t size, enum opt_type type, uint64_t v)
{
	if (type == OPT_SIZE)
		for (size_t i = 0; v && i < ARRAY_SIZE(size_units); i++)
			if (v % (UINT64_C(1) << size_units[i].shift) == 0) {
				snprintf(out, size, "%llu%c", (unsigned long long)(v >> size_units[i].shift),
					size_units[i].name);
				return out;
			}
	if (type == OPT_DURATION)
		for (size_t i = 0; v && i < ARRAY_SIZE(duration_units); i++)
			if (v % duration_units[i].ns == 0) {
				snprintf(out, size, "%llu%s", (unsigned long long)(v / duration_units[i].ns),
					duration_units[i].name);
				return out;
			}
	snprintf(out, size, "%llu", (unsigned long long)v);
	return out;
}

void opt_range(const struct opt_def *def, char *out, size_t size)
{
	char lo[32], hi[32];

	bound(lo, sizeof lo, def->type, def->min);
	bound(hi, sizeof hi, def->type, def->max);
	if (def->max)
		snprintf(out, size, "%s to %s", lo, hi);
	else if (def->min)
		snprintf(out, size, "at least %s", lo);
	else
		snprintf(out, size, "any");
}

static int check_range(const struct opt_def *def, const char *text, const char *who, uint64_t v,
	struct vt_err *err)
{
	char range[80];

	if (v >= def->min && (def->max == 0 || v <= def->max))
		return 0;
	opt_range(def, range, sizeof range);
	return vt_usage(err, "%s must be %s, not '" QUOTE "'", who, range, text);
}

static int bad_number(const struct opt_def *def, const char *text, const char *who, int code,
	struct vt_err *err)
{
	const char *shape = "a whole number, as in '64'";

	if (def->type == OPT_SIZE)
		shape = "a size, as in '65536', '64K' or '1G'";
	else if (def->type == OPT_DURATION)
		shape = "a time, as in '10', '1.5s', '250us' or '3m30s'";
	if (code == -ERANGE)
		return vt_usage(err, "%s: '" QUOTE "' is too large", who, text);
	return vt_usage(err, "%s must be %s, not '" QUOTE "'", who, shape, text);
}

static int parse_string(const char *text, const char *who, struct vt_err *err)
{
	for (const char *p = text; *p; p++)
		if (*p == ',' || (unsigned char)*p < 0x20 || *p == 0x7f)
			return vt_usage(err, "%s may not hold commas or control characters", who);
	return 0;
}

int opt_parse_value(const struct opt_def *def, const char *text, const char *owner, uint64_t *num,
	struct vt_err *err)
{
	char who[192];
	uint64_t v = 0;
	int r = 0;

	subject(who, sizeof who, def, owner);
	switch (def->type) {
	case OPT_BOOL:
		r = parse_bool(text, &v);
		if (r < 0)
			return vt_usage(err, "%s must be on or off, not '" QUOTE "'", who, text);
		break;
	case OPT_ENUM:
		r = parse_enum(def, text, who, &v, err);
		break;
	case OPT_STRING:
		r = parse_string(text, who, err);
		break;
	case OPT_UINT:
		r = parse_uint(text, &v);
		break;
	case OPT_SIZE:
		r = parse_size(text, &v);
		break;
	case OPT_DURATION:
		r = parse_duration(text, &v);
		break;
	}
	if (def->type == OPT_UINT || def->type == OPT_SIZE || def->type == OPT_DURATION)
		r = r < 0 ? bad_number(def, text, who, r, err) : check_range(def, text, who, v, err);
	if (r == 0 && num)
		*num = v;
	return r;
}
