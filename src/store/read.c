/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading rows. A results file may come from another machine, so nothing in it is trusted: text is cut to the
 * field that holds it, blobs are checked for size, numbers are range-checked by whoever uses them as an
 * index. Statements are prepared per call, because a callback may well read again (metrics of each trial).
 */
#include "store/internal.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <string.h>

static void finalizep(sqlite3_stmt **st)
{
	sqlite3_finalize(*st);
}
#define _cleanup_stmt_ _cleanup_(finalizep)

static int prepare(struct store *s, sqlite3_stmt **st, const char *sql, struct vt_err *err)
{
	int rc = sqlite3_prepare_v2(s->db, sql, -1, st, NULL);

	return rc == SQLITE_OK ? 0 : store_sql_fail(s, rc, "read", err);
}

/* 1: a row, 0: no more, negative: failed. */
static int step(struct store *s, sqlite3_stmt *st, struct vt_err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : store_sql_fail(s, rc, "read", err);
}

/* The text of a column; NULL for SQL NULL. SQLite's own memory, gone at the next step. */
static char *text(sqlite3_stmt *st, int col)
{
	return (char *)(uintptr_t)sqlite3_column_text(st, col);
}

static char *text_or_empty(sqlite3_stmt *st, int col)
{
	static char empty[1];
	char *t = text(st, col);

	return t ? t : empty;
}

static double real(sqlite3_stmt *st, int col)
{
	return sqlite3_column_type(st, col) == SQLITE_NULL ? NAN : sqlite3_column_double(st, col);
}

static unsigned u32(sqlite3_stmt *st, int col)
{
	sqlite3_int64 v = sqlite3_column_int64(st, col);

	return v < 0 || v > UINT32_MAX ? UINT32_MAX : (unsigned)v;
}

static char *keep(struct store *s, const char *t)
{
	if (!t)
		return NULL;
	strvec_push(&s->kept, t);
	return s->kept.v[s->kept.n - 1];
}

int store_campaign_get(struct store *s, struct store_campaign *c, struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st,
		"SELECT id, suite, started_at, seed, plan, fingerprint, wall_s, measuring_s, complete,"
		" baseline FROM campaign",
		err);

	if (r == 0)
		r = step(s, st, err);
	if (r < 0)
		return r;
	if (r == 0) {
		vt_fail(err, -ENOENT, "'%s' holds no campaign yet: start one with 'vtax run'", s->path);
		if (err)
			err->kind = VT_ERR_USAGE;
		return -ENOENT;
	}
	*c = (struct store_campaign){
		.seed = strtoull(text_or_empty(st, 3), NULL, 10),
		.plan = keep(s, text(st, 4)),
		.fingerprint = keep(s, text(st, 5)),
		.wall_s = real(st, 6),
		.measuring_s = real(st, 7),
		.complete = sqlite3_column_int(st, 8) != 0,
	};
	snprintf(c->id, sizeof c->id, "%s", text_or_empty(st, 0));
	snprintf(c->suite, sizeof c->suite, "%s", text_or_empty(st, 1));
	snprintf(c->started_at, sizeof c->started_at, "%s", text_or_empty(st, 2));
	snprintf(c->baseline, sizeof c->baseline, "%s", text_or_empty(st, 9));
	return 0;
}

int store_each_cell(
	struct store *s, int (*fn)(void *arg, const struct store_cell *c), void *arg, struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st,
		"SELECT workload, technique, workload_text, workload_name, params, technique_label,"
		" technique_text, not_run FROM cell ORDER BY workload, technique",
		err);

	while (r == 0 && (r = step(s, st, err)) > 0) {
		struct store_cell c = {
			.workload = u32(st, 0),
			.technique = u32(st, 1),
			.workload_text = text_or_empty(st, 2),
			.workload_name = text_or_empty(st, 3),
			.params = text_or_empty(st, 4),
			.technique_label = text_or_empty(st, 5),
			.technique_text = text_or_empty(st, 6),
			.not_run = text(st, 7),
		};

		r = fn(arg, &c);
	}
	return r;
}

int store_each_metric_def(struct store *s, int (*fn)(void *arg, const struct store_metric_def *m), void *arg,
	struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st,
		"SELECT workload_name, name, unit, summary, higher_is_better, is_primary FROM metric_def"
		" ORDER BY rowid",
		err);

	while (r == 0 && (r = step(s, st, err)) > 0) {
		struct store_metric_def m = {
			.workload_name = text_or_empty(st, 0),
			.name = text_or_empty(st, 1),
			.unit = text_or_empty(st, 2),
			.summary = text_or_empty(st, 3),
			.higher_is_better = sqlite3_column_int(st, 4) != 0,
			.primary = sqlite3_column_int(st, 5) != 0,
		};

		r = fn(arg, &m);
	}
	return r;
}

int store_each_trial(
	struct store *s, int (*fn)(void *arg, const struct store_trial *t), void *arg, struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st,
		"SELECT id, block, position, workload, technique, sequence, started_at, duration_s,"
		" measured_s, valid, reason, applied FROM trial ORDER BY sequence, id",
		err);

	while (r == 0 && (r = step(s, st, err)) > 0) {
		struct store_trial t = {
			.id = sqlite3_column_int64(st, 0),
			.block = u32(st, 1),
			.position = u32(st, 2),
			.workload = u32(st, 3),
			.technique = u32(st, 4),
			.sequence = u32(st, 5),
			.duration_s = real(st, 7),
			.measured_s = real(st, 8),
			.valid = sqlite3_column_int(st, 9) != 0,
			.reason = text(st, 10),
			.applied = text(st, 11),
		};

		snprintf(t.started_at, sizeof t.started_at, "%s", text_or_empty(st, 6));
		r = fn(arg, &t);
	}
	return r;
}

int store_each_metric(struct store *s, int64_t trial, int (*fn)(void *arg, const char *name, double value),
	void *arg, struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st, "SELECT name, value FROM metric WHERE trial = ? ORDER BY name", err);

	if (r == 0)
		sqlite3_bind_int64(st, 1, trial);
	while (r == 0 && (r = step(s, st, err)) > 0)
		r = fn(arg, text_or_empty(st, 0), real(st, 1));
	return r;
}

int store_each_hist(struct store *s, int64_t trial,
	int (*fn)(void *arg, const char *name, const void *data, size_t len), void *arg, struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st, "SELECT name, data FROM hist WHERE trial = ? ORDER BY name", err);

	if (r == 0)
		sqlite3_bind_int64(st, 1, trial);
	while (r == 0 && (r = step(s, st, err)) > 0) {
		const void *data = sqlite3_column_blob(st, 1);

		r = fn(arg, text_or_empty(st, 0), data ? data : "", (size_t)sqlite3_column_bytes(st, 1));
	}
	return r;
}

int store_each_series(struct store *s, int64_t trial,
	int (*fn)(void *arg, const char *name, const double *v, size_t n), void *arg, struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st, "SELECT name, data FROM series WHERE trial = ? ORDER BY name", err);

	if (r == 0)
		sqlite3_bind_int64(st, 1, trial);
	while (r == 0 && (r = step(s, st, err)) > 0) {
		const unsigned char *data = sqlite3_column_blob(st, 1);
		size_t bytes = (size_t)sqlite3_column_bytes(st, 1), n = bytes / sizeof(double);
		_cleanup_free_ double *v = xcalloc(n ? n : 1, sizeof *v);

		if (bytes % sizeof(double))
			return vt_fail(err, -EBADMSG, "'%s' is damaged: a series of trial %lld has %zu bytes",
				s->path, (long long)trial, bytes);
		for (size_t i = 0; i < n; i++) {
			uint64_t le;

			memcpy(&le, data + i * sizeof le, sizeof le);
			le = le64toh(le);
			memcpy(&v[i], &le, sizeof le);
		}
		r = fn(arg, text_or_empty(st, 0), v, n);
	}
	return r;
}

int store_each_gate(struct store *s, int64_t trial,
	int (*fn)(void *arg, const char *name, const char *reason), void *arg, struct vt_err *err)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, &st, "SELECT name, reason FROM gate WHERE trial = ? ORDER BY name", err);

	if (r == 0)
		sqlite3_bind_int64(st, 1, trial);
	while (r == 0 && (r = step(s, st, err)) > 0)
		r = fn(arg, text_or_empty(st, 0), text_or_empty(st, 1));
	return r;
}
