/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trials over time: do values drift, and in what order did the trials run? Each trial is drawn against the
 * median of its own technique, so that techniques of very different speed lie on one line and what moves them
 * together (temperature, neighbours) shows. Invalid trials are drawn too, as crosses.
 */
#include "report/figures.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <math.h>
#include <string.h>

#define WIDTH 1000
#define WRAP 34
#define CHAR_PX 7.0

struct drift {
	double lo, hi; /* of the valid trials, % */
	unsigned last; /* trial, in the order of the campaign */
	size_t invalid;
};

static void points_of(
	struct script *s, size_t cell, const struct store_metric_def *m, bool valid, struct drift *d)
{
	const struct report *r = s->r;
	const struct report_cell *row = report_row(r, &r->cells[cell], m->name);

	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];
		double v = report_trial_value(t, m->name), percent = 100 * (v / row->values.median - 1);

		if (t->cell != row->cell || t->t.valid != valid || !isfinite(percent))
			continue;
		buf_printf(&s->dat, "%u %.6g %.8g %u\n", t->t.sequence + 1, percent, v, t->t.block);
		d->last = t->t.sequence + 1 > d->last ? t->t.sequence + 1 : d->last;
		d->invalid += !valid;
		if (valid) {
			d->lo = fmin(d->lo, percent);
			d->hi = fmax(d->hi, percent);
		}
	}
}

/* One data block per technique with its valid trials, and a last one with the invalid trials of all. */
static void drift_data(struct script *s, const struct store_metric_def *m, struct drift *d)
{
	size_t first = s->f->first_cell, end = report_next(s->r, first), before;

	buf_printf(&s->dat, "# order deviation_%% %s block\n", m->name);
	for (size_t c = first; c < end; c++) {
		buf_printf(&s->dat, "# technique %zu\n", c - first);
		before = s->dat.len;
		points_of(s, c, m, true, d);
		/* gnuplot counts data blocks, and does not count empty ones. */
		buf_puts(&s->dat, s->dat.len > before ? "\n\n" : "NaN NaN NaN NaN\n\n\n");
	}
	buf_puts(&s->dat, "# invalid\n");
	for (size_t c = first; c < end; c++)
		points_of(s, c, m, false, d);
}

static void drift_plot(struct script *s, const struct store_metric_def *m, const struct drift *d)
{
	const struct report *r = s->r;
	size_t first = s->f->first_cell, end = report_next(r, first);

	buf_puts(&s->gp, "\tplot ");
	for (size_t c = first; c < end; c++) {
		size_t i = c - first;

		if (report_row(r, &r->cells[c], m->name)->values.n == 0)
			continue;
		buf_printf(&s->gp,
			"'%s.dat' index %zu using 1:2 with linespoints pointtype %zu pointsize 0.55",
			s->f->stem, i, 4 + i % 10);
		buf_printf(&s->gp, " linewidth 1.2 dashtype %zu linecolor rgb '%s' title label_%zu, \\\n\t\t",
			script_dash(i), script_colour(i), i);
	}
	/* Invalid trials may lie anywhere: those outside are drawn on the border, so that the valid ones keep
	 * it. */
	if (d->invalid) {
		buf_printf(&s->gp, "'%s.dat' index %zu using 1:($2 < low ? low : $2 > high ? high : $2)",
			s->f->stem, end - first);
		buf_puts(&s->gp, " with points pointtype 2 pointsize 0.9 linewidth 1.6 linecolor rgb "
				 "'#C00000' title 'invalid',"
				 " \\\n\t\t");
	}
	buf_puts(&s->gp, "0 with lines linewidth 1 linecolor rgb '#222222' notitle\n");
}

int figure_drift(struct script *s, struct vt_err *err)
{
	const struct report *r = s->r;
	size_t first = s->f->first_cell, end = report_next(r, first);
	const struct store_metric_def *m = report_primary(r, r->cells[first].workload_name);
	struct label_room room = script_label_room(r, first, end, WRAP);
	_cleanup_free_ char *title = xasprintf("%s: %s of each trial against its technique's own median",
		r->cells[first].workload_text, m->name);
	struct drift d = { 0 };
	double margin;
	char name[32];

	drift_data(s, m, &d);
	s->width = WIDTH;
	s->height = 340;
	script_text(s, "heading", title);
	for (size_t c = first; c < end; c++) {
		snprintf(name, sizeof name, "label_%zu", c - first);
		script_label(s, name, r->cells[c].technique_label, WRAP);
	}
	script_key(s, room, end - first + 1);
	margin = fmax(0.08 * (d.hi - d.lo), 0.1);
	buf_printf(&s->gp, "low = %.6g\nhigh = %.6g\nset yrange [low:high]\nset xrange [0:%u]\n",
		d.lo - margin, d.hi + margin, d.last + 1);
	buf_puts(&s->gp, "set xlabel 'order of the trial in the campaign'\nset ylabel 'deviation, %'\n");
	script_loop(s);
	drift_plot(s, m, &d);
	script_end(s);
	return 0;
}

/* Techniques in plan order, over all workloads: the line a trial stands on. */
static size_t technique_line(
	const struct report *r, unsigned technique, const struct store_cell **cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cells[i]->technique == technique)
			return i;
	}
	return n;
}

static void order_data(struct script *s, const struct store_cell **lines, size_t nlines)
{
	const struct report *r = s->r;
	bool any;

	buf_puts(&s->dat, "# order technique_line block position; one data block per workload, then the "
			  "invalid ones\n");
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		any = false;
		for (size_t i = 0; i < r->ntrials; i++) {
			const struct report_trial *t = &r->trials[i];

			if (t->t.workload != r->cells[c].workload)
				continue;
			any = true;
			buf_printf(&s->dat, "%u %zu %u %u\n", t->t.sequence + 1,
				technique_line(r, t->t.technique, lines, nlines), t->t.block, t->t.position);
		}
		buf_puts(&s->dat, any ? "\n\n" : "NaN NaN NaN NaN\n\n\n");
	}
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];

		if (!t->t.valid)
			buf_printf(&s->dat, "%u %zu %u %u\n", t->t.sequence + 1,
				technique_line(r, t->t.technique, lines, nlines), t->t.block, t->t.position);
	}
}

static void order_plot(struct script *s)
{
	const struct report *r = s->r;
	size_t w = 0;

	buf_puts(&s->gp, "\tplot ");
	for (size_t c = 0; c < r->ncells; c = report_next(r, c), w++)
		buf_printf(&s->gp,
			"'%s.dat' index %zu using 1:2 with points pointtype %s pointsize 0.7 linecolor rgb "
			"'%s' "
			"title workload_%zu%s",
			s->f->stem, w, w / 8 % 2 ? "5" : "7", script_colour(w + 1), w,
			report_next(r, c) < r->ncells || r->ninvalid ? ", \\\n\t\t" : "\n");
	if (r->ninvalid)
		buf_printf(&s->gp,
			"'%s.dat' index %zu using 1:2 with points pointtype 2 pointsize 1 linewidth 1.6 "
			"linecolor "
			"rgb '#000000' title 'invalid'\n",
			s->f->stem, w);
}

int figure_order(struct script *s, struct vt_err *err)
{
	const struct report *r = s->r;
	_cleanup_free_ const struct store_cell **lines = xcalloc(r->ncells + 1, sizeof *lines);
	struct label_room room;
	size_t n = 0, w = 0;
	char name[32];

	for (size_t c = 0; c < r->ncells; c++) {
		if (technique_line(r, r->cells[c].technique, lines, n) == n)
			lines[n++] = &r->cells[c];
	}
	order_data(s, lines, n);
	room = script_label_room(r, 0, r->ncells, WRAP);
	s->width = WIDTH;
	s->height = (unsigned)(n * (room.lines > 1 ? 36 : 24) + 126 + 20 * (r->ncells / (n ? n : 1) + 3) / 3);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "label_%zu", i);
		script_label(s, name, lines[i]->technique_label, WRAP);
	}
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		snprintf(name, sizeof name, "workload_%zu", w++);
		script_label(s, name, r->cells[c].workload_text, WRAP);
	}
	buf_puts(&s->gp,
		"set title 'Order in which the trials ran' font ',15'\nset xlabel 'order of the trial in the "
		"campaign'\n");
	buf_printf(&s->gp,
		"set key at screen 0.5,%.4f center bottom horizontal Left reverse samplen 0.5 width 1\n",
		10.0 / s->height);
	buf_printf(&s->gp, "set bmargin at screen %.4f\nset xrange [0:%u]\n",
		(78.0 + 20.0 * (double)((w + 3) / 3)) / s->height, r->trials[r->ntrials - 1].t.sequence + 2);
	buf_printf(&s->gp, "set lmargin at screen %.4f\nset yrange [%g:-0.6]\nset ytics scale 0 (",
		((double)room.columns * CHAR_PX + 24) / s->width, (double)n - 0.4);
	for (size_t i = 0; i < n; i++)
		buf_printf(&s->gp, "%slabel_%zu %zu", i ? ", " : "", i, i);
	buf_puts(&s->gp, ")\n");
	script_loop(s);
	order_plot(s);
	script_end(s);
	return 0;
}
