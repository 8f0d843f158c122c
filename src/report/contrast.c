/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From trials to rows: for every workload, metric and technique the values per block, their summary, and the
 * overhead against the baseline in the same blocks. Only valid trials have a value; a block counts for a
 * technique when both it and the baseline have one there.
 */
#include "report/model.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <limits.h>
#include <math.h>
#include <string.h>

double report_trial_value(const struct report_trial *t, const char *metric)
{
	size_t lo = 0, hi = t->nmetrics; /* sorted by the store */

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(metric, t->metrics[mid].name);

		if (d == 0)
			return t->metrics[mid].value;
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NAN;
}

static double *values_per_block(const struct report *r, const struct store_cell *c, const char *metric)
{
	double *v = xcalloc(r->nblocks + 1, sizeof *v);

	for (size_t b = 0; b < r->nblocks; b++) {
		const struct report_trial *t = r->by_block[(size_t)(c - r->cells) * r->nblocks + b];

		v[b] = t ? report_trial_value(t, metric) : NAN;
		if (!isfinite(v[b]))
			v[b] = NAN;
	}
	return v;
}

static const char *keep(struct report *r, char *text)
{
	strvec_push(&r->texts, text);
	free(text);
	return r->texts.v[r->texts.n - 1];
}

static void count_trials(const struct report *r, struct report_cell *row)
{
	for (size_t i = 0; i < r->ntrials; i++) {
		row->trials += r->trials[i].cell == row->cell;
		row->valid += r->trials[i].cell == row->cell && r->trials[i].t.valid;
	}
}

/* Why a cell that the plan has shows no value of this metric. */
static const char *why_no_value(struct report *r, const struct report_cell *row)
{
	const char *last = NULL;

	if (row->cell->not_run)
		return row->cell->not_run;
	if (row->valid)
		return "not measured here";
	if (!row->trials)
		return "no trial was run yet";
	for (size_t i = 0; i < r->ntrials; i++) {
		if (r->trials[i].cell == row->cell)
			last = r->trials[i].t.reason;
	}
	return keep(r, xasprintf("all %zu trial%s invalid, the last: %s", row->trials,
			       row->trials == 1 ? "" : "s", last ? last : "no reason recorded"));
}

static const char *why_no_overhead(
	struct report *r, const struct report_cell *row, const struct report_cell *base)
{
	if (r->baseline_technique == UINT_MAX || !base)
		return keep(r, xasprintf("the baseline '%s' is not in this campaign", r->baseline));
	if (base->values.n == 0)
		return "the baseline has no valid trial";
	for (size_t b = 0; b < r->nblocks; b++) {
		if (!isnan(row->per_block[b]) && !isnan(base->per_block[b]))
			return "no ratio can be taken of values that are zero";
	}
	return "no block has a valid trial of both it and the baseline";
}

static void judge(struct report *r, struct report_cell *row, const struct report_cell *base)
{
	row->reason = "";
	overhead_paired(&row->overhead, row->per_block, row->per_block, 0, row->metric->higher_is_better);
	if (row->values.n == 0) {
		row->verdict = VERDICT_NOT_RUN;
		row->reason = why_no_value(r, row);
		return;
	}
	if (row->cell->technique == r->baseline_technique) {
		row->verdict = VERDICT_BASELINE;
		return;
	}
	if (base)
		overhead_paired(&row->overhead, base->per_block, row->per_block, r->nblocks,
			row->metric->higher_is_better);
	row->verdict = row->overhead.n ? overhead_verdict(&row->overhead, r->margin) : VERDICT_INCONCLUSIVE;
	if (row->overhead.n == 0)
		row->reason = why_no_overhead(r, row, base);
	else if (row->overhead.n == 1)
		row->reason = "a single block has no interval";
	else if (row->verdict == VERDICT_INCONCLUSIVE)
		row->reason = "the interval includes zero and is too wide to rule out a tax";
}

static void summarize(struct report *r, struct report_cell *row)
{
	_cleanup_free_ double *v = xcalloc(r->nblocks + 1, sizeof *v);
	_cleanup_free_ bool *flags = xcalloc(r->nblocks + 1, sizeof *flags);
	size_t n = 0;

	for (size_t b = 0; b < r->nblocks; b++) {
		if (!isnan(row->per_block[b]))
			v[n++] = row->per_block[b];
	}
	summary_of(&row->values, v, n);
	row->outliers = outliers_mad(v, n, flags);
}

/* The rows of one metric of the workload whose cells are [first, end). */
static void add_rows(struct report *r, size_t first, size_t end, const struct store_metric_def *m)
{
	struct report_cell *rows = r->rows + r->nrows, *base = NULL;
	size_t n = end - first, with_values = 0;

	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct report_cell){ .cell = &r->cells[first + i], .metric = m };
		rows[i].per_block = values_per_block(r, rows[i].cell, m->name);
		count_trials(r, &rows[i]);
		summarize(r, &rows[i]);
		with_values += rows[i].values.n > 0;
		if (rows[i].cell->technique == r->baseline_technique)
			base = &rows[i];
	}
	/* A metric that this workload never gives here is no row; its primary one is, to say why not. */
	if (!with_values && !m->primary) {
		for (size_t i = 0; i < n; i++)
			free(rows[i].per_block);
		return;
	}
	for (size_t i = 0; i < n; i++)
		judge(r, &rows[i], base);
	r->nrows += n;
}

void report_contrast(struct report *r)
{
	r->rows = xcalloc(r->ncells * r->nmetrics + 1, sizeof *r->rows);
	for (size_t first = 0, end; first < r->ncells; first = end) {
		end = report_next(r, first);
		for (size_t m = 0; m < r->nmetrics; m++) {
			if (strcmp(r->metrics[m].workload_name, r->cells[first].workload_name) == 0)
				add_rows(r, first, end, &r->metrics[m]);
		}
	}
}
