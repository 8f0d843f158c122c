/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a stored campaign to what people and programs read. `report_load` gathers the trials and computes the
 * contrasts once; every output is made from that one object, so that no two outputs can disagree.
 */
#ifndef VTAX_REPORT_REPORT_H
#define VTAX_REPORT_REPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"
#include "stats/paired.h"
#include "stats/summary.h"
#include "store/store.h"

#include <stdbool.h>

struct report_options {
	const char *baseline; /* label or text; NULL: the campaign's */
	double margin;	      /* equivalence margin for the verdict "none"; 0: default 0.03 */
};

/* workload × technique × metric */
struct report_cell {
	const struct store_cell *cell;
	const struct store_metric_def *metric;
	struct summary values;	  /* over valid trials */
	struct overhead overhead; /* against the baseline; n = 0 for the baseline itself */
	enum verdict verdict;
	const char *reason; /* for not-run and inconclusive cells; "" otherwise */
	double *per_block;  /* value per block, NaN where missing or invalid; report.nblocks long */
	size_t outliers;
	size_t trials, valid; /* stored of this cell; of them valid */
};

struct report {
	struct store_campaign campaign;
	struct store_cell *cells;
	size_t ncells;
	struct store_metric_def *metrics;
	size_t nmetrics;
	struct report_trial *trials; /* private to src/report */
	size_t ntrials, ninvalid;
	size_t nblocks;		  /* distinct block numbers seen */
	struct report_cell *rows; /* by workload, metric, technique in plan order */
	size_t nrows;
	double margin;
	char baseline[128];
	struct store *store; /* borrowed */
	/* The rest is private to src/report too. */
	unsigned *blocks;		      /* the block numbers, rising */
	const struct report_trial **by_block; /* [cell][block]: the valid trial, or NULL */
	unsigned baseline_technique;	      /* UINT_MAX: the campaign has no such technique */
	struct strvec texts;		      /* owns the reasons */
};

/*
 * Trials meet by workload and block number; of several valid trials of the same cell and block the last
 * counts. An unknown baseline is a usage error that names the nearest technique. `s` must outlive the report.
 */
int report_load(struct report *r, struct store *s, const struct report_options *o, struct vt_err *err);
void report_release(struct report *r);

enum report_table_style { REPORT_PLAIN, REPORT_COLOUR, REPORT_MARKDOWN };

/* The table: one row per workload and technique. all_metrics false shows primary metrics only. */
int report_table(const struct report *r, enum report_table_style style, bool all_metrics, struct buf *out,
	struct vt_err *err);
int report_json(const struct report *r, struct buf *out, struct vt_err *err); /* schema vtax.report/1 */
int report_csv(
	const struct report *r, struct buf *out, struct vt_err *err); /* every trial and metric, long form */

/*
 * Figures (.gp, .dat, .svg, .pdf) into DIR/figures, then DIR/report.html with the SVGs inside it. A gnuplot
 * that is missing or fails leaves the .gp and .dat files and is an error of report_figures alone: report_html
 * says so in the page and never loses a table for it.
 */
int report_figures(const struct report *r, const char *dir, struct vt_err *err);
int report_html(const struct report *r, const char *dir, struct vt_err *err);

#endif
