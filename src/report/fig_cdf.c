/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distribution of latency per technique, from the histograms of all its valid trials merged: the one place
 * where requests of different trials are pooled, because this is a picture of a distribution and no inference
 * is made from it. Points are thinned to what the eye can see.
 */
#include "report/figures.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "stats/hist.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define WIDTH 1000
#define HEIGHT 440
#define WRAP 34
#define CHAR_PX 7.0
#define STEP 0.002 /* smallest rise worth a point */

struct named {
	char name[32];
	unsigned rank;
};

static int take_name(void *arg, const char *name, const void *data, size_t len)
{
	static const char *const best[] = { "latency", "response", "service" };
	struct named *n = arg;
	unsigned rank = 0;

	while (rank < ARRAY_SIZE(best) && strcmp(best[rank], name) != 0)
		rank++;
	if (rank < n->rank && strlen(name) < sizeof n->name) {
		snprintf(n->name, sizeof n->name, "%s", name);
		n->rank = rank;
	}
	return 0;
}

int figure_hist_name(const struct report *r, size_t first_cell, char *name, size_t size, struct vt_err *err)
{
	struct named best = { .rank = 100 };
	int res;

	for (size_t i = 0; i < r->ntrials && best.rank; i++) {
		const struct report_trial *t = &r->trials[i];

		if (!t->t.valid || t->t.workload != r->cells[first_cell].workload)
			continue;
		res = store_each_hist(r->store, t->t.id, take_name, &best, err);
		if (res < 0)
			return res;
		if (best.rank < 100)
			break; /* all trials of a workload give the same ones */
	}
	snprintf(name, size, "%s", best.name);
	return 0;
}

struct merge {
	const char *name;
	struct hist *sum, *one;
};

static int merge_one(void *arg, const char *name, const void *data, size_t len)
{
	struct merge *m = arg;

	/* A damaged histogram spoils a picture, not the report: it is left out. */
	if (strcmp(name, m->name) == 0 && hist_decode(m->one, data, len) == 0)
		hist_merge(m->sum, m->one);
	return 0;
}

static int merge_cell(const struct report *r, const struct store_cell *c, struct merge *m, struct vt_err *err)
{
	int res;

	hist_init(m->sum);
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];

		if (t->cell != c || !t->t.valid)
			continue;
		res = store_each_hist(r->store, t->t.id, merge_one, m, err);
		if (res < 0)
			return res;
	}
	return 0;
}

/* Rising steps of the distribution; in the tail, where each step is small, at every halving of what is left.
 */
static void put_points(struct buf *dat, const struct hist *h)
{
	double value, last = 0, n = (double)h->n;
	uint64_t count, seen = 0;
	unsigned cursor = 0;

	while (hist_next(h, &cursor, &value, &count)) {
		double p;

		seen += count;
		p = (double)seen / n;
		if (p - last >= STEP || (1 - p) <= 0.5 * (1 - last) || seen == h->n) {
			buf_printf(dat, "%.6g %.6f\n", value, 100 * p);
			last = p;
		}
	}
}

struct axis {
	double lo, hi; /* ns */
	double scale;  /* ns per shown unit */
	const char *unit;
};

static void axis_of(struct axis *a)
{
	double mid = sqrt(a->lo * a->hi);

	a->scale = mid < 1e3 ? 1 : mid < 1e6 ? 1e3 : mid < 1e9 ? 1e6 : 1e9;
	a->unit = mid < 1e3 ? "ns" : mid < 1e6 ? "µs" : mid < 1e9 ? "ms" : "s";
}

/* Ticks of a logarithmic axis: the finer, the fewer decades it spans. */
static void log_tics(struct buf *gp, double lo, double hi)
{
	static const double fine[] = { 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9 }, coarse[] = { 1, 2, 5 },
			    decade[] = { 1 };
	double decades = log10(hi / lo);
	const double *steps = decades < 1.2 ? fine : decades < 3.5 ? coarse : decade;
	size_t n = decades < 1.2 ? ARRAY_SIZE(fine) : decades < 3.5 ? ARRAY_SIZE(coarse) : 1, put = 0;

	buf_puts(gp, "set xtics (");
	for (double power = pow(10, floor(log10(lo))); power <= hi; power *= 10) {
		for (size_t i = 0; i < n; i++) {
			double v = steps[i] * power;

			if (v >= lo && v <= hi)
				buf_printf(gp, "%s'%g' %g", put++ ? ", " : "", v, v);
		}
	}
	buf_puts(gp, ")\n");
}

static int cdf_data(struct script *s, struct merge *m, bool *drawn, struct axis *a, struct vt_err *err)
{
	const struct report *r = s->r;
	size_t first = s->f->first_cell, end = report_next(r, first);

	buf_printf(&s->dat, "# %s_ns share_%% of the requests at or below it; one data block per technique\n",
		m->name);
	a->lo = INFINITY;
	for (size_t c = first; c < end; c++) {
		int res = merge_cell(r, &r->cells[c], m, err);

		if (res < 0)
			return res;
		drawn[c - first] = m->sum->n > 0;
		buf_printf(&s->dat, "# technique %zu: %llu requests\n", c - first,
			(unsigned long long)m->sum->n);
		if (m->sum->n) {
			put_points(&s->dat, m->sum);
			a->lo = fmin(a->lo, fmax(hist_quantile(m->sum, 0.0005), 1) / 1.05);
			a->hi = fmax(a->hi, hist_quantile(m->sum, 0.99) * 1.15);
		} else {
			buf_puts(&s->dat, "NaN NaN\n");
		}
		buf_puts(&s->dat, "\n\n");
	}
	return 0;
}

static void cdf_plot(struct script *s, const bool *drawn, size_t n, const struct axis *a)
{
	size_t last = 0;

	for (size_t i = 0; i < n; i++)
		last = drawn[i] ? i : last;
	buf_puts(&s->gp, "\tplot ");
	for (size_t i = 0; i <= last; i++) {
		if (drawn[i])
			buf_printf(&s->gp,
				"'%s.dat' index %zu using ($1/%g):2 with lines linewidth 2 dashtype %zu "
				"linecolor "
				"rgb '%s' title label_%zu%s",
				s->f->stem, i, a->scale, script_dash(i), script_colour(i), i,
				i < last ? ", \\\n\t\t" : "\n");
	}
}

int figure_cdf(struct script *s, struct vt_err *err)
{
	const struct report *r = s->r;
	size_t first = s->f->first_cell, end = report_next(r, first);
	struct label_room room = script_label_room(r, first, end, WRAP);
	_cleanup_free_ struct hist *sum = xcalloc(1, sizeof *sum), *one = xcalloc(1, sizeof *one);
	_cleanup_free_ bool *drawn = xcalloc(end - first, sizeof *drawn);
	_cleanup_free_ char *title = NULL;
	char name[32];
	struct merge m = { .name = name, .sum = sum, .one = one };
	struct axis a = { 0 };
	int res = figure_hist_name(r, first, name, sizeof name, err);

	if (res == 0)
		res = cdf_data(s, &m, drawn, &a, err);
	if (res < 0)
		return res;
	if (!isfinite(a.lo))
		return vt_fail(
			err, -ENODATA, "no histogram of '%s' can be read", r->cells[first].workload_text);
	axis_of(&a);
	s->width = WIDTH;
	s->height = HEIGHT;
	title = xasprintf("%s: distribution of %s over all valid trials (left is better), up to p99",
		r->cells[first].workload_text, name);
	script_text(s, "heading", title);
	for (size_t c = first; c < end; c++) {
		snprintf(name, sizeof name, "label_%zu", c - first);
		script_label(s, name, r->cells[c].technique_label, WRAP);
	}
	script_key(s, room, end - first);
	buf_printf(&s->gp, "set logscale x\nset xrange [%g:%g]\nset yrange [0:100]\n", a.lo / a.scale,
		a.hi / a.scale);
	log_tics(&s->gp, a.lo / a.scale, a.hi / a.scale);
	buf_printf(&s->gp, "set xlabel 'latency, %s (log scale)'\nset ylabel 'requests at or below, %%'\n",
		a.unit);
	script_loop(s);
	cdf_plot(s, drawn, end - first, &a);
	script_end(s);
	return 0;
}
