/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overhead per technique, one panel per metric: mean, median, 10th and 90th percentile of latency, the rate,
 * and CPU. Bars lie, so that the techniques' names, which are long, can be read, and so that any number of
 * techniques fits; the eye compares techniques within a panel and panels along a line. Whiskers are 95 %
 * intervals. Each bar's number stands beside it, right of its whisker, because one emulated technique may
 * dwarf the others. What is longer than the axis is cut, and its number marked.
 */
#include "report/figures.h"

#include "base/cleanup.h"
#include "base/units.h"
#include "base/xalloc.h"

#include <math.h>
#include <string.h>

#define WIDTH 1000
#define WRAP 34
#define CHAR_PX 7.0
#define PANELS_MAX 8
#define COLUMNS 3

/* Each panel takes the first metric of its list that the workload has. NULL: the primary metric. */
static const struct panel_def {
	const char *title;
	const char *metrics[3];
} panel_defs[] = {
	{ NULL, { NULL } },
	{ "mean latency", { "latency_mean_ns", "response_mean_ns" } },
	{ "median latency (p50)", { "latency_p50_ns", "response_p50_ns" } },
	{ "10th percentile latency (p10)", { "latency_p10_ns", "response_p10_ns" } },
	{ "90th percentile latency (p90)", { "latency_p90_ns", "response_p90_ns" } },
	{ "host CPU per operation", { "cpu_host_ns_per_op" } },
	{ "host CPU per byte", { "cpu_host_ns_per_byte" } },
};

struct panel {
	const char *title, *metric;
	double lo, hi; /* of the x axis, % */
	bool cut;      /* some bars are longer than shown */
};

static bool has_overheads(const struct report *r, size_t first, const char *metric)
{
	size_t end = report_next(r, first);

	for (size_t c = first; c < end; c++) {
		const struct report_cell *row = report_row(r, &r->cells[c], metric);

		if (row && row->overhead.n)
			return true;
	}
	return false;
}

static size_t choose(const struct report *r, size_t first, struct panel *panels)
{
	const struct store_metric_def *primary = report_primary(r, r->cells[first].workload_name);
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(panel_defs); i++) {
		const char *metric = i	       ? report_first_of(r, first, panel_defs[i].metrics)
				     : primary ? primary->name
					       : NULL;
		const char *title = panel_defs[i].title;

		if (!metric || !has_overheads(r, first, metric))
			continue;
		if (i && primary && strcmp(metric, primary->name) == 0) {
			panels[0].title = title; /* the better name of the same thing */
			continue;
		}
		panels[n++] = (struct panel){ .title = title ? title : metric, .metric = metric };
	}
	/* One kind of CPU cost is enough; per operation comes first. */
	if (n >= 2 && strcmp(panels[n - 2].metric, "cpu_host_ns_per_op") == 0)
		n--;
	return n;
}

static const char *colour(enum verdict v)
{
	return v == VERDICT_TAX	   ? "0xD55E00"
	       : v == VERDICT_GAIN ? "0x0072B2"
	       : v == VERDICT_NONE ? "0x009E73"
				   : "0xA0A0A0";
}

/* The right end of a row's bar, %; NaN without an overhead. */
static double bar_end(const struct report_cell *row)
{
	return row && row->overhead.n ? fmax(100 * row->overhead.ratio, 0) : NAN;
}

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Where bars are cut: one emulated technique at 600 % would press all others against zero. A bar is cut when
 * it is more than eight times as long as the one before it (or 10 %) and that one, with at least half of all,
 * is kept. INFINITY: none.
 */
static double cut_at(const struct report *r, size_t first, const char *metric)
{
	size_t end = report_next(r, first), n = 0;
	_cleanup_free_ double *ends = xcalloc(end - first, sizeof *ends);

	for (size_t c = first; c < end; c++) {
		double v = bar_end(report_row(r, &r->cells[c], metric));

		if (!isnan(v))
			ends[n++] = v;
	}
	qsort(ends, n, sizeof *ends, rising);
	for (size_t i = n / 2; n && i + 1 < n; i++) {
		if (ends[i + 1] > 8 * fmax(ends[i], 10))
			return 1.7 * fmax(ends[i], 10);
	}
	return INFINITY;
}

/*
 * How far whiskers may reach, %: three times the longest bar that is kept. Those of two noisy blocks reach a
 * hundred times as far, and would leave nothing of the bars.
 */
static double reach_of(const struct report *r, size_t first, const char *metric, double cut)
{
	size_t end = report_next(r, first);
	double longest = 5;

	for (size_t c = first; c < end; c++) {
		const struct report_cell *row = report_row(r, &r->cells[c], metric);

		if (row && row->overhead.n && 100 * row->overhead.ratio <= cut)
			longest = fmax(longest, fabs(100 * row->overhead.ratio));
	}
	return fmin(3 * longest, cut);
}

static const char *why_no_bar(const struct report *r, const struct report_cell *row)
{
	if (row && report_all_invalid(r, row))
		return "invalid";
	return !row || row->verdict == VERDICT_NOT_RUN ? "not run" : "no ratio";
}

static void row_data(struct script *s, struct panel *p, const struct report_cell *row, size_t y, double reach)
{
	const struct overhead *o = row ? &row->overhead : NULL;
	double right;
	char text[48];
	bool is_cut, whisker;

	if (isnan(bar_end(row))) {
		buf_printf(
			&s->dat, "%zu NaN NaN NaN 0xA0A0A0 NaN NaN NaN 0 \"%s\"\n", y, why_no_bar(s->r, row));
		return;
	}
	/* fmin and fmax ignore the NaN of an interval that does not exist. */
	right = fmax(bar_end(row), 100 * o->hi);
	is_cut = right > reach;
	whisker = !isnan(o->lo) && 100 * o->ratio <= reach; /* none on a bar that is itself cut */
	right = fmin(right, reach);
	p->cut = p->cut || is_cut;
	p->lo = fmin(p->lo, fmin(100 * o->ratio, fmax(100 * (whisker ? o->lo : o->ratio), -reach)));
	p->hi = fmax(p->hi, right);
	units_percent(text, sizeof text, o->ratio);
	buf_printf(&s->dat, "%zu %.6g %.6g %.6g %s %.6g %.6g %.6g %.6g \"%s%s\"\n", y, 100 * o->ratio,
		100 * o->lo, 100 * o->hi, colour(row->verdict), fmin(100 * o->ratio, reach),
		whisker ? 100 * o->lo : NAN, whisker ? fmin(100 * o->hi, reach) : NAN, right,
		is_cut ? "» " : "", text);
}

/* One block of data (gnuplot's `index`): a line per technique, and the panel's range with room for the
 * numbers. */
static void panel_data(struct script *s, struct panel *p)
{
	const struct report *r = s->r;
	size_t first = s->f->first_cell, end = report_next(r, first), y = 0;
	double reach = reach_of(r, first, p->metric, cut_at(r, first, p->metric)), span;

	p->lo = p->hi = 0;
	p->cut = false;
	buf_printf(&s->dat,
		"# %s\n# line overhead_%% low_%% high_%% colour bar_%% whisker_from whisker_to text_at "
		"text\n",
		p->metric);
	for (size_t c = first; c < end; c++) {
		if (r->cells[c].technique != r->baseline_technique)
			row_data(s, p, report_row(r, &r->cells[c], p->metric), y++, reach);
	}
	buf_puts(&s->dat, "\n\n");
	span = fmax(p->hi - p->lo, 2);
	p->lo -= p->lo < 0 ? 0.06 * span : 0.02 * span;
	p->hi += (p->cut ? 0.62 : 0.44) * span;
}

/* A step of 1, 2 or 5 times a power of ten that gives about four ticks. */
static double tick(double span)
{
	double raw = span / 4, power = pow(10, floor(log10(raw))), m = raw / power;

	return power * (m > 5 ? 10 : m > 2 ? 5 : m > 1 ? 2 : 1);
}

/* In screen coordinates, so with the first panel only: with each it would be drawn over itself. */
static void legend(struct script *s, bool cut)
{
	const struct {
		const char *colour, *text;
		int at;
	} parts[] = { { "#D55E00", "tax", 20 }, { "#0072B2", "gain", 80 }, { "#009E73", "no tax >", 145 },
		{ "#808080", "inconclusive", 260 } };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		buf_printf(&s->gp, "\tset label %zu '■ %s", i + 1, parts[i].text);
		if (i == 2)
			buf_printf(&s->gp, " %g %%", 100 * s->r->margin);
		buf_printf(&s->gp, "' at screen %.4f,%.4f left textcolor rgb '%s'\n",
			(double)parts[i].at / s->width, 14.0 / s->height, parts[i].colour);
	}
	buf_printf(&s->gp, "\tset label 5 'whiskers: 95 %% intervals%s'", cut ? "; » longer than drawn" : "");
	buf_printf(&s->gp, " at screen %.4f,%.4f right textcolor rgb '#555555'\n",
		(s->width - 20.0) / s->width, 14.0 / s->height);
}

/* The names of the lines, once with text (first column of panels) and once without. */
static void line_names(struct script *s, size_t n, bool text)
{
	buf_puts(&s->gp, "\tset ytics scale 0 (");
	for (size_t i = 0; i < n; i++) {
		buf_puts(&s->gp, i ? ", " : "");
		if (text)
			buf_printf(&s->gp, "label_%zu %zu", i, i);
		else
			buf_printf(&s->gp, "'' %zu", i);
	}
	buf_puts(&s->gp, ")\n");
}

static void panel_plot(struct script *s, const struct panel *p, size_t i, size_t lines)
{
	struct buf *gp = &s->gp;
	const char *stem = s->f->stem;

	buf_puts(gp, "\n");
	line_names(s, lines, i % COLUMNS == 0);
	buf_printf(gp, "\tset title panel_%zu offset 0,-0.6\n", i);
	buf_printf(gp, "\tset xrange [%.6g:%.6g]\n\tset xtics %.6g\n", p->lo, p->hi, tick(p->hi - p->lo));
	buf_printf(gp,
		"\tplot '%s.dat' index %zu using 6:1:(0):6:($1-0.34):($1+0.34):5 with boxxyerror"
		" fillstyle solid 0.85 noborder linecolor rgb variable, \\\n",
		stem, i);
	buf_printf(gp,
		"\t\t'%s.dat' index %zu using 7:1:7:8 with xerrorbars pointtype 0 linewidth 1.3"
		" linecolor rgb '#222222', \\\n",
		stem, i);
	buf_printf(gp, "\t\t'%s.dat' index %zu using 9:1:10 with labels left offset 0.6,0\n", stem, i);
	if (i == 0)
		buf_puts(gp, "\tunset label\n");
}

static void names(struct script *s, const struct panel *panels, size_t n, size_t *lines)
{
	const struct report *r = s->r;
	size_t first = s->f->first_cell, end = report_next(r, first);
	_cleanup_free_ char *title = xasprintf(
		"%s: overhead over %s (positive is worse)", r->cells[first].workload_text, r->baseline);
	char name[32];

	script_text(s, "heading", title);
	*lines = 0;
	for (size_t c = first; c < end; c++) {
		if (r->cells[c].technique == r->baseline_technique)
			continue;
		snprintf(name, sizeof name, "label_%zu", (*lines)++);
		script_label(s, name, r->cells[c].technique_label, WRAP);
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "panel_%zu", i);
		script_text(s, name, panels[i].title);
	}
}

int figure_overhead(struct script *s, struct vt_err *err)
{
	struct panel panels[PANELS_MAX];
	const struct report *r = s->r;
	size_t first = s->f->first_cell, n = choose(r, first, panels), lines;
	struct label_room room = script_label_room(r, first, report_next(r, first), WRAP);
	size_t columns = n < COLUMNS ? n : COLUMNS, rows = (n + columns - 1) / columns;
	bool cut = false;
	double left, line_px = room.lines > 1 ? 36 : 24;

	for (size_t i = 0; i < n; i++) {
		panel_data(s, &panels[i]);
		cut = cut || panels[i].cut;
	}
	names(s, panels, n, &lines);
	left = (double)room.columns * CHAR_PX + 24;
	s->width = columns == 1 ? 700 : WIDTH;
	s->height = (unsigned)((double)rows * (line_px * (double)lines + 78) + 66);
	buf_puts(&s->gp, "unset key\n");
	script_loop(s);
	buf_printf(&s->gp,
		"\tset multiplot layout %zu,%zu title heading font ',15' offset 0,-0.2 margins "
		"%.4f,%.4f,%.4f,%.4f"
		" spacing %.4f,%.4f\n",
		rows, columns, left / s->width, 1 - 16.0 / s->width, 72.0 / s->height, 1 - 62.0 / s->height,
		16.0 / s->width, 78.0 / s->height);
	buf_printf(&s->gp, "\tset yrange [%g:-0.6]\n\tset xlabel 'overhead, %%' offset 0,0.4\n",
		(double)lines - 0.4);
	buf_puts(&s->gp,
		"\tset grid noytics\n\tset arrow 1 from 0, graph 0 to 0, graph 1 nohead front linewidth 1.2"
		" linecolor rgb '#222222'\n");
	legend(s, cut);
	for (size_t i = 0; i < n; i++)
		panel_plot(s, &panels[i], i, lines);
	buf_puts(&s->gp, "\n\tunset multiplot\n");
	script_end(s);
	return 0;
}
