/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option tables. A technique or workload describes its options once; the command line (`oci:net=nat`), the
 * plan file and the help are all made from that table. Values are parsed strictly: a typo is an error that
 * names the nearest valid word.
 */
#ifndef VTAX_BASE_OPTION_H
#define VTAX_BASE_OPTION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum opt_type {
	OPT_BOOL,     /* on|off, yes|no, true|false, 1|0 */
	OPT_ENUM,     /* one of `choices` */
	OPT_UINT,     /* decimal within min..max */
	OPT_SIZE,     /* bytes, with optional K M G (1024) suffix, either case, within min..max */
	OPT_DURATION, /* ns; "10" (seconds), "1.5s", "3m30s"; units h m s ms us ns; within min..max (ns) */
	OPT_STRING,   /* anything without ',' and control characters */
};

struct opt_def {
	const char *name;
	enum opt_type type;
	const char *def;     /* default in the same notation; NULL: unset ("" / 0 / false), see opt_given() */
	const char *choices; /* OPT_ENUM: "host|bridge|nat" */
	uint64_t min, max;   /* OPT_UINT, OPT_SIZE, OPT_DURATION; max 0 means no bound */
	const char *help;    /* one line, lower case, no full stop */
};

#define OPT_END { .name = NULL }

/* The values of one option table, as parsed. */
struct opt_set {
	const struct opt_def *const *tables; /* NULL-terminated list of OPT_END-terminated tables */
	struct opt_val *vals;		     /* one per definition, in table order */
	size_t n;
};

#define OPT_TEXT_MAX 4096 /* longest option text accepted */

#define OPT_SET_INIT ((struct opt_set){ 0 })

struct opt_val {
	bool given;	/* said by the user, not a default */
	char *text;	/* as given, or the default; NULL when unset */
	uint64_t num;	/* OPT_UINT, OPT_SIZE, OPT_DURATION, OPT_BOOL (0/1), OPT_ENUM (index in choices) */
};

/*
 * Parses "key=value,key=value" ("" and NULL: all defaults) against the tables, which must outlive the set.
 * `owner` names the technique or workload in errors. A bare `key` for an OPT_BOOL means on. Giving a key
 * twice is an error. Usage errors; *set is untouched on failure, and not released before it is overwritten.
 */
int opt_parse(struct opt_set *set, const struct opt_def *const *tables, const char *text, const char *owner,
	struct vt_err *err);

/*
 * Parses one value of a definition (for global flags such as --duration; owner NULL leaves the "of 'owner'"
 * out of errors). `num` may be NULL; it is 0 for OPT_STRING.
 */
int opt_parse_value(const struct opt_def *def, const char *text, const char *owner, uint64_t *num,
	struct vt_err *err);

/* Look-ups abort on a name that is not in the tables: that is a bug, not an input. */
bool opt_given(const struct opt_set *set, const char *name);
const char *opt_str(const struct opt_set *set, const char *name); /* NULL when unset */
uint64_t opt_num(const struct opt_set *set, const char *name);
bool opt_bool(const struct opt_set *set, const char *name);
bool opt_is(const struct opt_set *set, const char *name, const char *value); /* same text; false when unset */

/* "key=value,…" of what was given (`all` false) or of every set option (`all` true), in table order. */
int opt_format(const struct opt_set *set, bool all, struct buf *out);

/* Walks name/value text pairs of every option that has a value. Returns false past the end. */
bool opt_at(const struct opt_set *set, size_t i, const struct opt_def **def, const struct opt_val **val);

void opt_release(struct opt_set *set);

/*
 * Expands globs (* ? [) in the values of OPT_ENUM and OPT_BOOL options: "net=*,rootfs=bind" gives one text
 * per matching choice, in table order (cartesian product when several). Text without globs gives itself.
 * At most 256 results; a glob that matches nothing is a usage error. Nothing else is checked: the results go
 * through opt_parse(). *out is added to, and untouched on failure.
 */
int opt_expand(const struct opt_def *const *tables, const char *text, const char *owner, struct strvec *out,
	struct vt_err *err);

/* The bounds of a number as a person would type them: "1 to 64", "at least 1K", "any". */
void opt_range(const struct opt_def *def, char *out, size_t size);

/* Help lines "  net=host|bridge|nat   how … (default bridge)" for each definition of a table. */
void opt_help(const struct opt_def *table, struct buf *out);

#endif
