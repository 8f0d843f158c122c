/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The results on disk: one SQLite database per campaign (DIR/results.db), written by the campaign, read by
 * reports. The only code that speaks SQLite.
 *
 * A trial is committed (synchronous=FULL) before the next one starts; a killed campaign loses at most the
 * trial that was running. The schema is versioned (PRAGMA user_version) and documented in docs/store.md;
 * a newer database than this program knows is refused with a clear line.
 */
#ifndef VTAX_STORE_STORE_H
#define VTAX_STORE_STORE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store_campaign {
	char id[32], suite[64], started_at[24];
	uint64_t seed;
	char *plan;	   /* the resolved plan as JSON text, for resume and report (owned by the store) */
	char *fingerprint; /* JSON text */
	double wall_s, measuring_s; /* summed over run and resumes */
	bool complete;
	char baseline[128]; /* label of the baseline technique */
};

/* One row per (workload, technique) that the plan has, in plan order. */
struct store_cell {
	unsigned workload, technique;	     /* indices into the plan's lists */
	char *workload_text, *workload_name; /* as given; the name alone */
	char *params;			     /* resolved options as JSON object text */
	char *technique_label, *technique_text;
	char *not_run; /* reason why this cell never runs here; NULL when it runs */
};

struct store_metric_def {
	char *workload_name, *name, *unit, *summary;
	bool higher_is_better, primary;
};

struct store_trial {
	int64_t id;				       /* set by store_trial_begin */
	unsigned block, position, workload, technique; /* position: order within the block, from 0 */
	unsigned sequence;			       /* order within the campaign, from 0 */
	char started_at[24];
	double duration_s; /* all of it, start and stop of the environment included */
	double measured_s; /* between the marks */
	bool valid;
	char *reason;  /* why invalid or failed; NULL when valid */
	char *applied; /* technique options as applied, JSON text; may be NULL */
};

/*
 * Opening for writing. `create` makes DIR and the database, and refuses (-EEXIST) a DIR that already holds a
 * campaign; otherwise both must exist (-ENOENT). One writer at a time: a campaign that another process is
 * running is refused with -EBUSY. Reading needs no lock, and works in a folder that may not be written.
 */
int store_open(struct store **s, const char *dir, bool create, struct vt_err *err);
int store_open_readonly(struct store **s, const char *dir, struct vt_err *err);
void store_close(struct store *s);
const char *store_dir(const struct store *s);
#define _cleanup_store_ __attribute__((cleanup(store_closep)))
static inline void store_closep(struct store **s)
{
	store_close(*s);
	*s = NULL;
}

/*
 * Results belong to the person who typed sudo: store_make_dir makes DIR and its missing parents and gives
 * what it made to SUDO_UID/SUDO_GID; store_give does the same for one file made by us. Neither follows a
 * link. Without SUDO_UID, or not as root, store_give does nothing.
 */
int store_make_dir(const char *dir, struct vt_err *err);
void store_give(const char *path);

/*
 * Writing. Each put is durable when it returns; many of them between store_begin and store_commit are durable
 * together, at the price of one disk flush instead of one each. Putting a row again replaces it.
 */
int store_begin(struct store *s, struct vt_err *err);
int store_commit(struct store *s, struct vt_err *err);
void store_rollback(struct store *s); /* nothing to do outside a transaction */
int store_campaign_put(
	struct store *s, const struct store_campaign *c, struct vt_err *err); /* insert or replace */
int store_campaign_progress(
	struct store *s, double wall_s, double measuring_s, bool complete, struct vt_err *err);
int store_cell_put(struct store *s, const struct store_cell *c, struct vt_err *err);
int store_metric_def_put(struct store *s, const struct store_metric_def *m, struct vt_err *err);

/* A trial with its values is one transaction: begin, any number of values, commit. */
int store_trial_begin(struct store *s, struct store_trial *t, struct vt_err *err);
int store_trial_metric(struct store *s, int64_t trial, const char *name, double value, struct vt_err *err);
int store_trial_hist(
	struct store *s, int64_t trial, const char *name, const void *data, size_t len, struct vt_err *err);
int store_trial_series(
	struct store *s, int64_t trial, const char *name, const double *v, size_t n, struct vt_err *err);
int store_trial_gate(
	struct store *s, int64_t trial, const char *name, const char *reason, struct vt_err *err);
int store_trial_commit(struct store *s, struct vt_err *err);
void store_trial_rollback(struct store *s);

/*
 * Reading: each calls fn for every row, in the order named; a non-zero return of fn stops and is returned.
 * What fn is given lives until it returns. store_campaign_get fails with -ENOENT before the first put.
 */
int store_campaign_get(
	struct store *s, struct store_campaign *c, struct vt_err *err); /* strings live until close */
int store_each_cell(
	struct store *s, int (*fn)(void *arg, const struct store_cell *c), void *arg, struct vt_err *err);
int store_each_metric_def(struct store *s, int (*fn)(void *arg, const struct store_metric_def *m), void *arg,
	struct vt_err *err);
int store_each_trial(struct store *s, int (*fn)(void *arg, const struct store_trial *t), void *arg,
	struct vt_err *err); /* by sequence */
int store_each_metric(struct store *s, int64_t trial, int (*fn)(void *arg, const char *name, double value),
	void *arg, struct vt_err *err);
int store_each_hist(struct store *s, int64_t trial,
	int (*fn)(void *arg, const char *name, const void *data, size_t len), void *arg, struct vt_err *err);
int store_each_series(struct store *s, int64_t trial,
	int (*fn)(void *arg, const char *name, const double *v, size_t n), void *arg, struct vt_err *err);
int store_each_gate(struct store *s, int64_t trial,
	int (*fn)(void *arg, const char *name, const char *reason), void *arg, struct vt_err *err);

#endif
