/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of options: opt_parse() cuts the text at commas, finds each key's definition and leaves the value to
 * opt_parse_value() (option_value.c). Values are kept as written next to their number, because reports quote
 * what the user said. They live in one array in table order, so a look-up is a walk over a dozen names: fine
 * where a trial is set up, never on the measured path.
 *
 * The text may come from a plan file someone else wrote: its length is bounded, and control characters are
 * refused, so that no value can forge a line of output.
 */
#include "base/option.h"

#include "base/cleanup.h"
#include "base/suggest.h"
#include "base/xalloc.h"

#include <string.h>

#define NAMES_MAX 128 /* names considered for "did you mean" */
#define HELP_COLUMN 32

/* The i-th definition over all tables; NULL past the last. */
static const struct opt_def *def_at(const struct opt_def *const *tables, size_t i)
{
	for (; tables && *tables; tables++)
		for (const struct opt_def *d = *tables; d->name; d++)
			if (i-- == 0)
				return d;
	return NULL;
}

/* Its place in table order, or -1. */
static long def_find(const struct opt_def *const *tables, const char *name, size_t len)
{
	const struct opt_def *d;

	for (long i = 0; (d = def_at(tables, (size_t)i)); i++)
		if (strlen(d->name) == len && memcmp(d->name, name, len) == 0)
			return i;
	return -1;
}

static int unknown(const struct opt_def *const *tables, const char *name, const char *owner,
	struct vt_err *err)
{
	_cleanup_buf_ struct buf known = BUF_INIT(512);
	const char *names[NAMES_MAX], *near;
	const struct opt_def *d;
	size_t n = 0;

	while (n < NAMES_MAX && (d = def_at(tables, n)))
		names[n++] = d->name;
	if (n == 0)
		return vt_usage(err, "'%s' takes no options; remove '%.64s'", owner, name);
	near = suggest_nearest(name, names, n);
	if (near)
		return vt_usage(err, "unknown option '%.64s' of '%s'; did you mean '%s'?", name, owner, near);
	for (size_t i = 0; i < n; i++)
		buf_printf(&known, "%s%s", i ? ", " : "", names[i]);
	return vt_usage(err, "unknown option '%.64s' of '%s'; it has: %s", name, owner, buf_str(&known));
}

static int check_text(const char *text, const char *owner, struct vt_err *err)
{
	size_t len = strnlen(text, OPT_TEXT_MAX + 1);

	if (len > OPT_TEXT_MAX)
		return vt_usage(err, "the options of '%s' are longer than %d bytes; shorten them", owner,
			OPT_TEXT_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return vt_usage(err, "the options of '%s' hold a control character; remove it",
				owner);
	return 0;
}

/* One "key=value" piece (writable) into vals. */
static int parse_piece(struct opt_val *vals, const struct opt_def *const *tables, char *piece,
	const char *owner, struct vt_err *err)
{
	char *eq = strchr(piece, '=');
	const struct opt_def *def;
	uint64_t num;
	long i;
	int r;

	if (!*piece || eq == piece)
		return vt_usage(err,
			"an option without a name in '%s'; write key=value, separated by single commas",
			owner);
	if (eq)
		*eq = '\0';
	i = def_find(tables, piece, strlen(piece));
	if (i < 0)
		return unknown(tables, piece, owner, err);
	def = def_at(tables, (size_t)i);
	if (!eq && def->type != OPT_BOOL)
		return vt_usage(err, "option '%s' of '%s' needs a value: %s=…", piece, owner, piece);
	if (vals[i].given)
		return vt_usage(err, "option '%s' of '%s' is given twice; keep one", piece, owner);
	r = opt_parse_value(def, eq ? eq + 1 : "on", owner, &num, err);
	if (r < 0)
		return r;
	vals[i] = (struct opt_val){ .given = true, .text = xstrdup(eq ? eq + 1 : "on"), .num = num };
	return 0;
}

/* What was not said gets its default; one that does not parse is a bug, found by the table's first test. */
static int fill_defaults(struct opt_val *vals, const struct opt_def *const *tables, const char *owner,
	struct vt_err *err)
{
	const struct opt_def *d;

	for (size_t i = 0; (d = def_at(tables, i)); i++) {
		int r;

		if (vals[i].given || !d->def)
			continue;
		r = opt_parse_value(d, d->def, owner, &vals[i].num, err);
		if (r < 0)
			return r;
		vals[i].text = xstrdup(d->def);
	}
	return 0;
}

int opt_parse(struct opt_set *set, const struct opt_def *const *tables, const char *text, const char *owner,
	struct vt_err *err)
{
	struct opt_set fresh = { .tables = tables };
	_cleanup_free_ char *copy = NULL;
	char *next;
	int r;

	text = text ? text : "";
	r = check_text(text, owner, err);
	if (r < 0)
		return r;
	while (def_at(tables, fresh.n))
		fresh.n++;
	fresh.vals = xcalloc(fresh.n, sizeof *fresh.vals);
	next = copy = xstrdup(text);
	/* strsep and not strtok: an empty piece ("a=1,,b=2") is a typo to be told, not skipped. */
	for (char *piece = *text ? strsep(&next, ",") : NULL; piece && r == 0; piece = strsep(&next, ","))
		r = parse_piece(fresh.vals, tables, piece, owner, err);
	if (r == 0)
		r = fill_defaults(fresh.vals, tables, owner, err);
	if (r < 0) {
		opt_release(&fresh);
		return r;
	}
	*set = fresh;
	return 0;
}

void opt_release(struct opt_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->vals[i].text);
	free(set->vals);
	*set = OPT_SET_INIT;
}

static const struct opt_val *look_up(const struct opt_set *set, const char *name)
{
	long i = def_find(set->tables, name, strlen(name));

	if (i < 0 || (size_t)i >= set->n) {
		fprintf(stderr, "vtax: bug: no option '%s' in this table\n", name);
		abort();
	}
	return &set->vals[i];
}

bool opt_given(const struct opt_set *set, const char *name)
{
	return look_up(set, name)->given;
}

const char *opt_str(const struct opt_set *set, const char *name)
{
	return look_up(set, name)->text;
}

uint64_t opt_num(const struct opt_set *set, const char *name)
{
	return look_up(set, name)->num;
}

bool opt_bool(const struct opt_set *set, const char *name)
{
	return look_up(set, name)->num != 0;
}

bool opt_is(const struct opt_set *set, const char *name, const char *value)
{
	const char *text = look_up(set, name)->text;

	return text && strcmp(text, value) == 0;
}

bool opt_at(const struct opt_set *set, size_t i, const struct opt_def **def, const struct opt_val **val)
{
	for (size_t k = 0; k < set->n; k++) {
		if (!set->vals[k].text || i-- > 0)
			continue;
		*def = def_at(set->tables, k);
		*val = &set->vals[k];
		return true;
	}
	return false;
}

int opt_format(const struct opt_set *set, bool all, struct buf *out)
{
	const struct opt_def *def;
	const struct opt_val *val;
	const char *comma = "";

	for (size_t i = 0; opt_at(set, i, &def, &val); i++) {
		int r;

		if (!all && !val->given)
			continue;
		r = buf_printf(out, "%s%s=%s", comma, def->name, val->text);
		if (r < 0)
			return r;
		comma = ",";
	}
	return 0;
}

static const char *placeholder(const struct opt_def *d)
{
	switch (d->type) {
	case OPT_BOOL:
		return "on|off";
	case OPT_ENUM:
		return d->choices;
	case OPT_UINT:
		return "N";
	case OPT_SIZE:
		return "BYTES";
	case OPT_DURATION:
		return "TIME";
	case OPT_STRING:
		break;
	}
	return "TEXT";
}

void opt_help(const struct opt_def *table, struct buf *out)
{
	for (const struct opt_def *d = table; d->name; d++) {
		size_t start = out->len;
		char range[80] = "";

		buf_printf(out, "  %s=%s", d->name, placeholder(d));
		if (out->len - start + 2 > HELP_COLUMN) {
			buf_puts(out, "\n");
			start = out->len;
		}
		buf_printf(out, "%*s%s", (int)(HELP_COLUMN - (out->len - start)), "", d->help);
		if ((d->type == OPT_UINT || d->type == OPT_SIZE || d->type == OPT_DURATION) &&
			(d->min || d->max))
			opt_range(d, range, sizeof range);
		if (*range || d->def)
			buf_printf(out, " (%s%s%s%s)", range, *range && d->def ? "; " : "",
				d->def ? "default " : "", d->def ? d->def : "");
		buf_puts(out, "\n");
	}
}
