/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing rows. Statements are prepared at first use and kept. A trial's rows are one transaction, so that a
 * reader, or a resumed campaign, sees all of a trial or nothing of it.
 */
#include "store/internal.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *const write_sql[W_COUNT] = {
	[W_CAMPAIGN] = "INSERT INTO campaign (one, id, suite, started_at, seed, plan, fingerprint, wall_s, "
		       "measuring_s,"
		       " complete, baseline) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		       " ON CONFLICT (one) DO UPDATE SET id = excluded.id, suite = excluded.suite,"
		       " started_at = excluded.started_at, seed = excluded.seed, plan = excluded.plan,"
		       " fingerprint = excluded.fingerprint, wall_s = excluded.wall_s,"
		       " measuring_s = excluded.measuring_s, complete = excluded.complete,"
		       " baseline = excluded.baseline",
	[W_PROGRESS] = "UPDATE campaign SET wall_s = ?, measuring_s = ?, complete = ?",
	[W_CELL] = "INSERT OR REPLACE INTO cell (workload, technique, workload_text, workload_name, params,"
		   " technique_label, technique_text, not_run) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	/* Not REPLACE, which would move the row to the end: reports list metrics in the order first put. */
	[W_METRIC_DEF] =
		"INSERT INTO metric_def (workload_name, name, unit, summary, higher_is_better, is_primary)"
		" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (workload_name, name) DO UPDATE SET"
		" unit = excluded.unit, summary = excluded.summary,"
		" higher_is_better = excluded.higher_is_better, is_primary = excluded.is_primary",
	[W_TRIAL] =
		"INSERT INTO trial (block, position, workload, technique, sequence, started_at, duration_s,"
		" measured_s, valid, reason, applied) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[W_METRIC] = "INSERT OR REPLACE INTO metric (trial, name, value) VALUES (?, ?, ?)",
	[W_HIST] = "INSERT OR REPLACE INTO hist (trial, name, data) VALUES (?, ?, ?)",
	[W_SERIES] = "INSERT OR REPLACE INTO series (trial, name, data) VALUES (?, ?, ?)",
	[W_GATE] = "INSERT OR REPLACE INTO gate (trial, name, reason) VALUES (?, ?, ?)",
};

/* A row being written: arguments are bound from left to right, and the first failure is kept to the end. */
struct row {
	struct store *s;
	sqlite3_stmt *st;
	int next, rc;
};

static struct row row_begin(struct store *s, enum write_stmt which)
{
	struct row row = {.s = s, .next = 1};

	if (!s->write[which])
		row.rc = sqlite3_prepare_v3(
			s->db, write_sql[which], -1, SQLITE_PREPARE_PERSISTENT, &s->write[which], NULL);
	row.st = s->write[which];
	return row;
}

static void row_text(struct row *row, const char *text)
{
	if (row->rc == SQLITE_OK)
		row->rc = text ? sqlite3_bind_text(row->st, row->next++, text, -1, SQLITE_STATIC)
			       : sqlite3_bind_null(row->st, row->next++);
}

static void row_int(struct row *row, int64_t v)
{
	if (row->rc == SQLITE_OK)
		row->rc = sqlite3_bind_int64(row->st, row->next++, v);
}

/* NaN is stored as NULL; the readers turn it back. */
static void row_real(struct row *row, double v)
{
	if (row->rc == SQLITE_OK)
		row->rc = isnan(v) ? sqlite3_bind_null(row->st, row->next++)
				   : sqlite3_bind_double(row->st, row->next++, v);
}

static void row_blob(struct row *row, const void *data, size_t len)
{
	/* A NULL pointer would bind SQL NULL: an empty blob is still a blob. */
	if (row->rc == SQLITE_OK)
		row->rc = sqlite3_bind_blob64(row->st, row->next++, len ? data : "", len, SQLITE_STATIC);
}

static int row_write(struct row *row, struct vt_err *err)
{
	int rc = row->rc, r = 0;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(row->st);
	/* The error's details live in the connection until the next call on it: read them before resetting.
	 */
	if (rc != SQLITE_OK && rc != SQLITE_DONE)
		r = store_sql_fail(row->s, rc, "write", err);
	if (row->st) {
		sqlite3_reset(row->st);
		sqlite3_clear_bindings(row->st);
	}
	return r;
}

int store_begin(struct store *s, struct vt_err *err)
{
	int rc;

	if (!sqlite3_get_autocommit(s->db))
		return vt_fail(err, -EALREADY, "cannot write '%s': a transaction is already open", s->path);
	rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_sql_fail(s, rc, "write", err);
}

int store_commit(struct store *s, struct vt_err *err)
{
	int rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	int r = rc == SQLITE_OK ? 0 : store_sql_fail(s, rc, "write", err);

	if (r < 0)
		store_rollback(s);
	return r;
}

void store_rollback(struct store *s)
{
	/* SQLite itself has rolled back after some errors (no space, out of memory). */
	if (s && s->db && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

int store_campaign_put(struct store *s, const struct store_campaign *c, struct vt_err *err)
{
	struct row row = row_begin(s, W_CAMPAIGN);
	char seed[24];

	snprintf(seed, sizeof seed, "%" PRIu64, c->seed);
	row_text(&row, c->id);
	row_text(&row, c->suite);
	row_text(&row, c->started_at);
	row_text(&row, seed);
	row_text(&row, c->plan);
	row_text(&row, c->fingerprint);
	row_real(&row, c->wall_s);
	row_real(&row, c->measuring_s);
	row_int(&row, c->complete);
	row_text(&row, c->baseline);
	return row_write(&row, err);
}

int store_campaign_progress(
	struct store *s, double wall_s, double measuring_s, bool complete, struct vt_err *err)
{
	struct row row = row_begin(s, W_PROGRESS);

	row_real(&row, wall_s);
	row_real(&row, measuring_s);
	row_int(&row, complete);
	return row_write(&row, err);
}

int store_cell_put(struct store *s, const struct store_cell *c, struct vt_err *err)
{
	struct row row = row_begin(s, W_CELL);

	row_int(&row, c->workload);
	row_int(&row, c->technique);
	row_text(&row, c->workload_text ? c->workload_text : c->workload_name);
	row_text(&row, c->workload_name);
	row_text(&row, c->params ? c->params : "{}");
	row_text(&row, c->technique_label ? c->technique_label : c->technique_text);
	row_text(&row, c->technique_text ? c->technique_text : c->technique_label);
	row_text(&row, c->not_run);
	return row_write(&row, err);
}

int store_metric_def_put(struct store *s, const struct store_metric_def *m, struct vt_err *err)
{
	struct row row = row_begin(s, W_METRIC_DEF);

	row_text(&row, m->workload_name);
	row_text(&row, m->name);
	row_text(&row, m->unit);
	row_text(&row, m->summary ? m->summary : "");
	row_int(&row, m->higher_is_better);
	row_int(&row, m->primary);
	return row_write(&row, err);
}

static int trial_insert(struct store *s, const struct store_trial *t, struct vt_err *err)
{
	struct row row = row_begin(s, W_TRIAL);

	row_int(&row, t->block);
	row_int(&row, t->position);
	row_int(&row, t->workload);
	row_int(&row, t->technique);
	row_int(&row, t->sequence);
	row_text(&row, t->started_at);
	row_real(&row, t->duration_s);
	row_real(&row, t->measured_s);
	row_int(&row, t->valid);
	row_text(&row, t->reason);
	row_text(&row, t->applied);
	return row_write(&row, err);
}

int store_trial_begin(struct store *s, struct store_trial *t, struct vt_err *err)
{
	int r = store_begin(s, err);

	if (r < 0)
		return r;
	r = trial_insert(s, t, err);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	t->id = sqlite3_last_insert_rowid(s->db);
	return 0;
}

int store_trial_metric(struct store *s, int64_t trial, const char *name, double value, struct vt_err *err)
{
	struct row row = row_begin(s, W_METRIC);

	row_int(&row, trial);
	row_text(&row, name);
	row_real(&row, value);
	return row_write(&row, err);
}

int store_trial_hist(
	struct store *s, int64_t trial, const char *name, const void *data, size_t len, struct vt_err *err)
{
	struct row row = row_begin(s, W_HIST);

	row_int(&row, trial);
	row_text(&row, name);
	row_blob(&row, data, len);
	return row_write(&row, err);
}

int store_trial_series(
	struct store *s, int64_t trial, const char *name, const double *v, size_t n, struct vt_err *err)
{
	_cleanup_free_ uint64_t *le = xcalloc(n ? n : 1, sizeof *le);
	struct row row = row_begin(s, W_SERIES);

	for (size_t i = 0; i < n; i++) {
		memcpy(&le[i], &v[i], sizeof le[i]);
		le[i] = htole64(le[i]);
	}
	row_int(&row, trial);
	row_text(&row, name);
	row_blob(&row, le, n * sizeof *le);
	return row_write(&row, err);
}

int store_trial_gate(struct store *s, int64_t trial, const char *name, const char *reason, struct vt_err *err)
{
	struct row row = row_begin(s, W_GATE);

	row_int(&row, trial);
	row_text(&row, name);
	row_text(&row, reason);
	return row_write(&row, err);
}

int store_trial_commit(struct store *s, struct vt_err *err)
{
	return store_commit(s, err);
}

void store_trial_rollback(struct store *s)
{
	store_rollback(s);
}
