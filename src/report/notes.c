/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people are told beside the numbers, said in one place so that the terminal, the Markdown and the page
 * use the same words: look-ups, the noise floor, kinds of invalid trials, verdicts and the finding's
 * sentence.
 */
#include "report/model.h"

#include "base/cleanup.h"
#include "base/units.h"
#include "base/xalloc.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Beyond these an interval's end only says "far": two noisy blocks easily give -99 to +40000 %. */
#define OVERHEAD_SHOWN_MIN (-0.9)
#define OVERHEAD_SHOWN_MAX 10.0

const char *const report_latency_metrics[] = { "latency_p50_ns", "response_p50_ns", NULL };
const char *const report_cpu_metrics[] = { "cpu_host_ns_per_op", "cpu_host_ns_per_byte", NULL };

size_t report_next(const struct report *r, size_t cell)
{
	size_t i = cell;

	while (i < r->ncells && r->cells[i].workload == r->cells[cell].workload)
		i++;
	return i;
}

const struct store_metric_def *report_metric(
	const struct report *r, const char *workload_name, const char *name)
{
	for (size_t i = 0; i < r->nmetrics; i++) {
		if (strcmp(r->metrics[i].workload_name, workload_name) == 0 &&
			strcmp(r->metrics[i].name, name) == 0)
			return &r->metrics[i];
	}
	return NULL;
}

const struct store_metric_def *report_primary(const struct report *r, const char *workload_name)
{
	for (size_t i = 0; i < r->nmetrics; i++) {
		if (r->metrics[i].primary && strcmp(r->metrics[i].workload_name, workload_name) == 0)
			return &r->metrics[i];
	}
	return NULL;
}

const struct report_cell *report_row(
	const struct report *r, const struct store_cell *cell, const char *metric)
{
	for (size_t i = 0; metric && i < r->nrows; i++) {
		if (r->rows[i].cell == cell && strcmp(r->rows[i].metric->name, metric) == 0)
			return &r->rows[i];
	}
	return NULL;
}

const char *report_first_of(const struct report *r, size_t first_cell, const char *const *metrics)
{
	size_t end = report_next(r, first_cell);

	for (; *metrics; metrics++) {
		for (size_t c = first_cell; c < end; c++) {
			const struct report_cell *row = report_row(r, &r->cells[c], *metrics);

			if (row && row->values.n)
				return *metrics;
		}
	}
	return NULL;
}

void report_noise(struct report_noise *n, const struct report *r, size_t first_cell)
{
	const struct store_metric_def *m = report_primary(r, r->cells[first_cell].workload_name);
	size_t end = report_next(r, first_cell);

	*n = (struct report_noise){ .floor = NAN, .pairs = SIZE_MAX };
	for (size_t c = first_cell; m && c < end; c++) {
		const struct report_cell *row = report_row(r, &r->cells[c], m->name);
		const struct overhead *o = row ? &row->overhead : NULL;
		size_t needed;
		double floor;

		if (!o || o->n == 0)
			continue;
		if (o->n < n->pairs)
			n->pairs = o->n;
		if (o->n < 2)
			continue;
		floor = overhead_detectable(o->log_sd, o->n);
		needed = overhead_blocks_needed(o, REPORT_TARGET);
		n->floor = fmax(n->floor, floor); /* fmax ignores the first NaN */
		if (needed > n->needed)
			n->needed = needed;
	}
	if (n->pairs == SIZE_MAX)
		n->pairs = 0;
}

static void add_kind(struct report_kind **kinds, size_t *n, const char *what)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp((*kinds)[i].what, what) == 0) {
			(*kinds)[i].n++;
			return;
		}
	}
	*kinds = xrealloc(*kinds, (*n + 1) * sizeof **kinds);
	(*kinds)[(*n)++] = (struct report_kind){ .what = xstrdup(what), .n = 1 };
}

static int more_frequent(const void *a, const void *b)
{
	const struct report_kind *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->what, y->what);
}

size_t report_invalid_kinds(const struct report *r, struct report_kind **kinds)
{
	size_t n = 0;

	*kinds = NULL;
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];

		if (t->t.valid)
			continue;
		for (size_t g = 0; g < t->ngates; g++)
			add_kind(kinds, &n, t->gates[g].name);
		if (!t->ngates)
			add_kind(kinds, &n, t->t.reason ? t->t.reason : "no reason recorded");
	}
	if (n)
		qsort(*kinds, n, sizeof **kinds, more_frequent);
	return n;
}

void report_kinds_free(struct report_kind *kinds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(kinds[i].what);
	free(kinds);
}

void report_verdict_text(char *out, size_t size, const struct report *r, const struct report_cell *row)
{
	if (row->verdict == VERDICT_NONE)
		snprintf(out, size, "no tax > %g %%", r->margin * 100);
	else if (row->verdict == VERDICT_INCONCLUSIVE && row->overhead.n == 1)
		snprintf(out, size, "1 block");
	else
		snprintf(out, size, "%s", verdict_name(row->verdict));
}

void report_value_text(char *value, size_t size, char *half, size_t half_size, const struct report_cell *row)
{
	const struct summary *v = &row->values;
	double share = (v->ci_hi - v->mean) / v->mean;

	units_format(value, size, v->mean, row->metric->unit);
	if (isnan(v->ci_hi) || !(v->mean > 0))
		*half = '\0';
	else if (share > 1)
		snprintf(half, half_size, "± >100 %%");
	else
		snprintf(half, half_size, "± %.1f %%", 100 * share);
}

bool report_all_invalid(const struct report *r, const struct report_cell *row)
{
	return !row->cell->not_run && row->trials && !row->valid;
}

char *report_absence_text(const struct report *r, const struct report_cell *row)
{
	const char *last = NULL;

	if (!report_all_invalid(r, row))
		return xasprintf(row->valid ? "%s" : "not run: %s", row->reason);
	for (size_t i = 0; i < r->ntrials; i++) {
		if (r->trials[i].cell == row->cell)
			last = r->trials[i].t.reason;
	}
	last = last ? last : "no reason recorded";
	if (row->trials == 1)
		return xasprintf("invalid: %s", last);
	return xasprintf("invalid: all %zu trials, the last: %s", row->trials, last);
}

/* An end of an interval, without its unit; far out only the order of magnitude says something. */
static void end_text(char *out, size_t size, double end, double estimate)
{
	if (end > OVERHEAD_SHOWN_MAX && !(estimate > OVERHEAD_SHOWN_MAX)) {
		snprintf(out, size, ">+%.0f", 100 * OVERHEAD_SHOWN_MAX);
	} else if (end < OVERHEAD_SHOWN_MIN && !(estimate < OVERHEAD_SHOWN_MIN)) {
		snprintf(out, size, "<%.0f", 100 * OVERHEAD_SHOWN_MIN);
	} else {
		units_percent(out, size, end);
		out[strlen(out) - 2] = '\0'; /* the unit is said once: "+9.8 % [+8.1, +11.5]" */
	}
}

void report_overhead_text(char *out, size_t size, const struct overhead *o)
{
	char mid[32], lo[32], hi[32];

	units_percent(mid, sizeof mid, o->ratio);
	if (isnan(o->lo)) {
		snprintf(out, size, "%s", mid);
		return;
	}
	end_text(lo, sizeof lo, o->lo, o->ratio);
	end_text(hi, sizeof hi, o->hi, o->ratio);
	snprintf(out, size, "%s [%s, %s]", mid, lo, hi);
}

/* Collects what the sentence says about one kind of verdict. */
struct group {
	size_t n;
	const struct report_cell *first, *last, *least, *most;
};

static void group_add(struct group *g, const struct report_cell *row)
{
	g->last = row;
	if (!g->n++) {
		g->first = g->least = g->most = row;
		return;
	}
	if (row->overhead.ratio < g->least->overhead.ratio)
		g->least = row;
	if (row->overhead.ratio > g->most->overhead.ratio)
		g->most = row;
}

static void say_range(struct buf *out, const struct group *g, const char *one, const char *many)
{
	char least[80], most[80];

	if (!g->n)
		return;
	report_overhead_text(least, sizeof least, &g->least->overhead);
	report_overhead_text(most, sizeof most, &g->most->overhead);
	buf_puts(out, out->len ? "; " : "");
	if (g->n == 1)
		buf_printf(out, "%s %s %s", g->most->cell->technique_label, one, most);
	else
		buf_printf(out, "%zu techniques %s between %s (%s) and %s (%s)", g->n, many, least,
			g->least->cell->technique_label, most, g->most->cell->technique_label);
}

/* One or two techniques by name, more by number. */
static void say_count(struct buf *out, const struct group *g, const char *one, const char *many)
{
	const char *sep = out->len ? "; " : "";

	if (g->n == 1)
		buf_printf(out, "%s%s %s", sep, g->last->cell->technique_label, one);
	else if (g->n == 2)
		buf_printf(out, "%s%s and %s %s", sep, g->first->cell->technique_label,
			g->last->cell->technique_label, many);
	else if (g->n)
		buf_printf(out, "%s%zu techniques %s", sep, g->n, many);
}

void report_finding(const struct report *r, size_t first_cell, struct buf *out)
{
	const struct store_metric_def *m = report_primary(r, r->cells[first_cell].workload_name);
	struct group by[VERDICT_NOT_RUN + 1] = { 0 }, invalid = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT(8192);
	size_t end = report_next(r, first_cell);
	char none[64], none_one[64];

	for (size_t c = first_cell; m && c < end; c++) {
		const struct report_cell *row = report_row(r, &r->cells[c], m->name);

		if (row)
			group_add(report_all_invalid(r, row) ? &invalid : &by[row->verdict], row);
	}
	snprintf(none, sizeof none, "show no tax above %g %%", r->margin * 100);
	snprintf(none_one, sizeof none_one, "shows no tax above %g %%", r->margin * 100);
	say_range(&text, &by[VERDICT_TAX], "costs", "cost");
	say_range(&text, &by[VERDICT_GAIN], "is better than the baseline:", "are better than the baseline:");
	say_count(&text, &by[VERDICT_NONE], none_one, none);
	say_count(&text, &by[VERDICT_INCONCLUSIVE], "is inconclusive", "are inconclusive");
	say_count(&text, &invalid, "has no valid trial", "have no valid trial");
	say_count(&text, &by[VERDICT_NOT_RUN], "did not run", "did not run");
	buf_puts(out, text.len ? buf_str(&text) : "nothing to compare with the baseline");
	buf_puts(out, ".");
}
