/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws the figures with gnuplot: scripts and data are written first, so that they are there even where
 * gnuplot is not. One gnuplot per figure, in the folder of the figures, with a deadline: what one figure does
 * wrong cannot spoil another. Drawings of an earlier report are removed before, so that none can be mistaken
 * for a new one.
 */
#include "report/figures.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "report/text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SCRIPT_MAX (1u << 20)
#define DATA_MAX (64u << 20)
#define DRAW_TIMEOUT_NS (60 * NS_PER_S)

static const struct kind {
	const char *suffix;
	int (*write)(struct script *s, struct vt_err *err);
	const char *caption;
} kinds[] = {
	[FIG_OVERHEAD] = { "overhead", figure_overhead,
		"Overhead over the baseline per technique and metric, paired within blocks; positive is "
		"worse, for rates "
		"too. Whiskers are 95 % intervals." },
	[FIG_CDF] = { "latency-cdf", figure_cdf,
		"Share of requests answered within a time, all valid trials merged. Overheads are not "
		"computed from this: "
		"requests of one trial are not independent." },
	[FIG_DRIFT] = { "drift", figure_drift,
		"Each trial against the median of its own technique, in the order run. A common slope or "
		"step is drift of "
		"the machine, which pairing within blocks cancels." },
	[FIG_ORDER] = { "order", figure_order,
		"The order in which the trials ran, drawn from the seed within each block." },
};

static void list_add(
	const struct report *r, struct figure **list, size_t *n, enum figure_kind kind, size_t cell)
{
	char slug[56];
	struct figure *f;

	*list = xrealloc(*list, (*n + 1) * sizeof **list);
	f = &(*list)[(*n)++];
	*f = (struct figure){ .kind = kind, .first_cell = cell };
	if (kind == FIG_ORDER) {
		snprintf(f->stem, sizeof f->stem, "%s", kinds[kind].suffix);
		return;
	}
	text_slug(slug, sizeof slug, r->cells[cell].workload_text);
	snprintf(
		f->stem, sizeof f->stem, "%02u-%s-%s", r->cells[cell].workload + 1, slug, kinds[kind].suffix);
}

static bool has_values(const struct report *r, size_t first, const char *metric, bool overheads)
{
	size_t end = report_next(r, first);

	for (size_t c = first; c < end; c++) {
		const struct report_cell *row = report_row(r, &r->cells[c], metric);

		if (row && (overheads ? row->overhead.n : row->values.n))
			return true;
	}
	return false;
}

size_t figure_list(const struct report *r, struct figure **list)
{
	size_t n = 0;

	*list = NULL;
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		const struct store_metric_def *m = report_primary(r, r->cells[c].workload_name);
		char hist[32] = "";

		if (m && has_values(r, c, m->name, true))
			list_add(r, list, &n, FIG_OVERHEAD, c);
		if (figure_hist_name(r, c, hist, sizeof hist, NULL) == 0 && *hist)
			list_add(r, list, &n, FIG_CDF, c);
		if (m && has_values(r, c, m->name, false))
			list_add(r, list, &n, FIG_DRIFT, c);
	}
	if (r->ntrials)
		list_add(r, list, &n, FIG_ORDER, 0);
	return n;
}

void figure_caption(const struct report *r, const struct figure *f, struct buf *out)
{
	buf_puts(out, kinds[f->kind].caption);
}

static int enter_folder(void *arg, struct vt_err *err)
{
	return chdir(arg) < 0 ? vt_fail_errno(err, "cannot enter '%s'", (char *)arg) : 0;
}

static int write_text(
	const struct buf *b, const char *dir, const char *stem, const char *suffix, struct vt_err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.%s", dir, stem, suffix);
	int r = buf_write_file(b, path, 0644, err);

	if (r == 0)
		store_give(path);
	return r;
}

static void each_drawing(const char *dir, const char *stem, void (*fn)(const char *path))
{
	_cleanup_free_ char *svg = xasprintf("%s/%s.svg", dir, stem),
			    *pdf = xasprintf("%s/%s.pdf", dir, stem);

	fn(svg);
	fn(pdf);
}

static void remove_one(const char *path)
{
	unlink(path);
}

static int write_script(const struct report *r, const struct figure *f, const char *dir, struct vt_err *err)
{
	struct script s = { .r = r, .f = f, .gp = BUF_INIT(SCRIPT_MAX), .dat = BUF_INIT(DATA_MAX) };
	int res;

	buf_printf(
		&s.gp, "# Drawn by vtax from %s.dat; draw it again with: gnuplot %s.gp\n", f->stem, f->stem);
	buf_puts(&s.gp, "reset session\nset encoding utf8\n");
	res = kinds[f->kind].write(&s, err);
	each_drawing(dir, f->stem, remove_one);
	if (res == 0)
		res = write_text(&s.gp, dir, f->stem, "gp", err);
	if (res == 0)
		res = write_text(&s.dat, dir, f->stem, "dat", err);
	buf_release(&s.gp);
	buf_release(&s.dat);
	return res;
}

/* -d: the user's own gnuplot settings must not change a report. */
static int draw(const char *dir, const char *stem, struct vt_err *err)
{
	_cleanup_free_ char *script = xasprintf("%s.gp", stem);
	const char *const argv[] = { "gnuplot", "-d", script, NULL };
	struct child_spec spec = {
		.argv = argv, .prepare = enter_folder, .arg = (void *)(uintptr_t)dir, .die_with_parent = true
	};
	int r = child_run(&spec, DRAW_TIMEOUT_NS, NULL, err);

	if (r == -ENOENT)
		return vt_fail(err, r,
			"gnuplot is not installed: get it with 'apt-get install gnuplot-nox', "
			"then run 'vtax report --html'");
	if (r < 0)
		return vt_wrap(err, "figure '%s' could not be drawn", stem);
	each_drawing(dir, stem, store_give);
	return 0;
}

int report_figures(const struct report *r, const char *dir, struct vt_err *err)
{
	_cleanup_free_ char *folder = xasprintf("%s/figures", dir);
	_cleanup_free_ struct figure *list = NULL;
	size_t n = figure_list(r, &list);
	int first = store_make_dir(folder, err);
	bool gnuplot = true;

	if (first < 0)
		return first;
	for (size_t i = 0; i < n; i++) {
		struct vt_err one = { 0 };
		int res = write_script(r, &list[i], folder, &one);

		if (res == 0 && gnuplot)
			res = draw(folder, list[i].stem, &one);
		if (res == -ENOENT)
			gnuplot = false;
		if (res < 0 && first == 0) {
			first = res;
			if (err)
				*err = one;
		}
	}
	return first;
}
