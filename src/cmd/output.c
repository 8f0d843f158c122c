/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/output.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "campaign/plan.h"

#include <string.h>
#include <sys/stat.h>

#define OUTPUT_MAX ((size_t)512 << 20)

int output_margin(const char *text, double *margin, struct vt_err *err)
{
	double v;
	int r = plan_share(text, "margin", NULL, &v, err);

	if (r < 0)
		return r;
	if (v <= 0)
		return vt_usage(err, "option 'margin' must be more than 0");
	*margin = v;
	return 0;
}

static int put_through(const char *where, const struct buf *b, struct vt_err *err)
{
	_cleanup_fclose_ FILE *f = fopen(where, "we");

	if (!f || fwrite(buf_str(b), 1, b->len, f) != b->len || fflush(f) != 0)
		return vt_fail_errno(err, "cannot write '%s'", where);
	return 0;
}

static int put(const char *where, const struct buf *b, struct vt_err *err)
{
	struct stat st;
	int n;

	if (strcmp(where, "-") == 0) {
		fwrite(buf_str(b), 1, b->len, stdout);
		fflush(stdout); /* before what stderr says next, where both go to one file */
		return 0;
	}
	/* Through a link, and into a device or pipe (/dev/stdout, a fifo), as any program writes. */
	if (lstat(where, &st) == 0 && !S_ISREG(st.st_mode))
		return put_through(where, b, err);
	n = buf_write_file(b, where, 0644, err);
	if (n == 0)
		store_give(where);
	return n;
}

typedef int (*writer)(const struct report *r, struct buf *out, struct vt_err *err);

static int write_markdown(const struct report *r, struct buf *out, struct vt_err *err)
{
	return report_table(r, REPORT_MARKDOWN, false, out, err);
}

static int write_one(const struct report *r, const char *where, writer fn, struct vt_err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
	int n;

	if (!where)
		return 0;
	n = fn(r, &b, err);
	return n < 0 ? n : put(where, &b, err);
}

static bool on_stdout(const struct output_options *o)
{
	return (o->json && strcmp(o->json, "-") == 0) || (o->csv && strcmp(o->csv, "-") == 0) ||
	       (o->markdown && strcmp(o->markdown, "-") == 0);
}

static int table(const struct report *r, const struct output_options *o, struct vt_err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
	enum report_table_style style = log_is_terminal(STDOUT_FILENO) ? REPORT_COLOUR : REPORT_PLAIN;
	int n;

	if (!o->table || on_stdout(o))
		return 0;
	n = report_table(r, style, o->all_metrics, &b, err);
	return n < 0 ? n : put("-", &b, err);
}

/* The table is what the user waited for: a figure that fails must not take it away. */
static void html(const struct report *r, const char *dir, const struct output_options *o)
{
	struct vt_err why = { 0 };

	if (!o->html)
		return;
	if (report_figures(r, dir, &why) < 0)
		log_warn("no figures: %s", why.msg);
	if (report_html(r, dir, &why) < 0)
		log_warn("no report.html: %s", why.msg);
	else
		log_info("report: %s/report.html", dir);
}

/*
 * A cell of which every trial failed its gates, or failed outright, has nothing to show; given up after some failures
 * it is marked as one that does not run, but it was tried.
 */
static bool any_without_values(const struct report *r)
{
	for (size_t i = 0; i < r->nrows; i++) {
		const struct report_cell *row = &r->rows[i];

		if (row->metric->primary && row->values.n == 0 && (!row->cell->not_run || row->trials))
			return true;
	}
	return false;
}

int output_campaign(const char *dir, const struct output_options *o, bool *no_valid, struct vt_err *err)
{
	struct report r = { 0 };
	struct store *s = NULL;
	int n;

	n = store_open_readonly(&s, dir, err);
	if (n < 0)
		return n;
	n = report_load(&r, s, &o->report, err);
	if (n < 0) {
		store_close(s);
		return n;
	}
	*no_valid = any_without_values(&r);
	n = table(&r, o, err);
	if (n == 0)
		n = write_one(&r, o->json, report_json, err);
	if (n == 0)
		n = write_one(&r, o->csv, report_csv, err);
	if (n == 0)
		n = write_one(&r, o->markdown, write_markdown, err);
	html(&r, dir, o);
	report_release(&r);
	store_close(s);
	return n;
}
