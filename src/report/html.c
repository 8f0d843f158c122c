/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.html: one file that can be mailed, without script and without anything from elsewhere (its content
 * security policy forbids both, should any label find a way past the escaping). Findings first, then the
 * table, figures, all pairs, every metric, what did not count and why, the order of the trials, the machine,
 * and how to read and repeat it.
 */
#include "report/html.h"

#include "base/cleanup.h"
#include "base/units.h"
#include "base/xalloc.h"
#include "report/compare.h"
#include "report/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define PAGE_MAX (256u << 20)

static void heading(struct buf *out, const char *id, const char *text)
{
	buf_printf(out, "<h2 id=\"%s\">%s</h2>\n", id, text);
}

static void page_head(const struct report *r, struct buf *out)
{
	const struct store_campaign *c = &r->campaign;

	buf_puts(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		      "'unsafe-inline'\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
	html_text(out, "vtax: %s %s", c->suite, c->id);
	buf_puts(out, "</title>\n<style>\n");
	buf_puts(out, html_style);
	buf_puts(out,
		"</style>\n</head>\n<body>\n<header>\n<h1>The tax of isolation</h1>\n<p class=\"soft\">");
	html_text(out,
		"campaign %s · suite %s · started %s · %zu trial%s in %zu block%s, %zu valid · baseline %s",
		c->id, *c->suite ? c->suite : "none", c->started_at, r->ntrials, r->ntrials == 1 ? "" : "s",
		r->nblocks, r->nblocks == 1 ? "" : "s", r->ntrials - r->ninvalid, r->baseline);
	buf_puts(out, "</p>\n");
	if (!c->complete) {
		buf_puts(out, "<p class=\"missing\">This campaign is unfinished: <code>");
		html_text(out, "vtax resume %s", store_dir(r->store));
		buf_puts(out, "</code> goes on with it.</p>\n");
	}
	buf_puts(out, "<nav><a href=\"#summary\">Summary</a><a href=\"#figures\">Figures</a>"
		      "<a href=\"#pairs\">Against each other</a><a href=\"#metrics\">All metrics</a><a "
		      "href=\"#invalid\">What did not count</a><a href=\"#order\">Order</a>"
		      "<a href=\"#machine\">Machine</a><a href=\"#method\">How to read this</a>"
		      "<a href=\"#repeat\">Repeat it</a></nav>\n</header>\n<main>\n");
}

static void noise_line(const struct report *r, size_t first_cell, struct buf *out)
{
	struct report_noise n;

	report_noise(&n, r, first_cell);
	if (isnan(n.floor))
		return;
	buf_puts(out, "<p class=\"soft\">");
	html_text(out,
		"Noise floor %.1f %%: the smallest overhead that these blocks would find in every "
		"technique. ",
		100 * n.floor);
	if (n.needed > n.pairs)
		html_text(out, "For ±2 %% in every technique it takes %zu blocks, %zu more.", n.needed,
			n.needed - n.pairs);
	else
		html_text(out, "Every interval is within ±2 %% already.");
	buf_puts(out, "</p>\n");
}

static void summary(const struct report *r, struct buf *out)
{
	heading(out, "summary", "Summary");
	buf_puts(out, "<p class=\"soft\">Overheads are cost over the baseline; positive is worse, for rates "
		      "too. In "
		      "brackets their 95 % intervals; in parentheses where that includes zero.</p>\n");
	buf_puts(out, "<ul class=\"findings\">\n");
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

		report_finding(r, c, &text);
		buf_puts(out, "<li><b>");
		text_html(out, r->cells[c].workload_text);
		buf_puts(out, "</b> ");
		text_html(out, buf_str(&text));
		buf_puts(out, "</li>\n");
	}
	buf_puts(out, "</ul>\n");
	if (r->ncells && report_next(r, 0) < r->ncells) {
		buf_puts(out, "<h3>At a glance</h3>\n<p class=\"soft\">Overhead of the primary metric of "
			      "each workload; the "
			      "baseline's own value.</p>\n");
		html_glance(r, out);
	}
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		buf_puts(out, "<h3>");
		text_html(out, r->cells[c].workload_text);
		buf_puts(out, "</h3>\n");
		html_short_table(r, c, out);
		noise_line(r, c, out);
	}
}

static void figures(
	const struct report *r, const char *dir, const struct figure *list, size_t n, struct buf *out)
{
	size_t last = SIZE_MAX;

	heading(out, "figures", "Figures");
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == FIG_ORDER)
			continue;
		if (list[i].first_cell != last) {
			buf_puts(out, "<h3>");
			text_html(out, r->cells[list[i].first_cell].workload_text);
			buf_puts(out, "</h3>\n");
		}
		last = list[i].first_cell;
		html_figure(r, &list[i], dir, out);
	}
	if (last == SIZE_MAX)
		buf_puts(out, "<p>Nothing to draw yet.</p>\n");
}

static void each_other(const struct report *r, struct buf *out)
{
	heading(out, "pairs", "Against each other");
	buf_puts(out, "<p class=\"soft\">Every technique against every other, not just against the baseline. "
		      "What the "
		      "technique of the line costs over that of the column: positive is worse, in colour "
		      "where the two "
		      "differ, in parentheses where they cannot be told apart. Intervals and p are adjusted "
		      "for all "
		      "pairs of a workload (Tukey's HSD), on the log of the trials' values, in blocks that "
		      "are complete. "
		      "Games–Howell assumes no equal variances and Kruskal–Wallis no normal errors, but both "
		      "are blind "
		      "to blocks.</p>\n");
	if (!r->ncells || report_compare_is_idle(r, 0))
		buf_puts(
			out, "<p>Fewer than three techniques: the overhead says what there is to say.</p>\n");
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		if (!report_compare_is_idle(r, c))
			html_comparison(r, c, out);
	}
}

static void metrics(const struct report *r, struct buf *out)
{
	heading(out, "metrics", "All metrics");
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		buf_puts(out, "<details><summary>");
		text_html(out, r->cells[c].workload_text);
		buf_puts(out, "</summary>\n");
		html_long_table(r, c, out);
		buf_puts(out, "</details>\n");
	}
}

static void left_out(const struct report *r, struct buf *out)
{
	heading(out, "invalid", "What did not count, and why");
	buf_puts(out, "<h3>Invalid trials</h3>\n");
	html_invalid_trials(r, out);
	buf_puts(out, "<h3>Cells without a value</h3>\n");
	html_not_run(r, out);
}

static void order(
	const struct report *r, const char *dir, const struct figure *list, size_t n, struct buf *out)
{
	heading(out, "order", "Order of the trials");
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == FIG_ORDER)
			html_figure(r, &list[i], dir, out);
	}
	buf_puts(out, "<details><summary>Every trial in the order run</summary>\n");
	html_all_trials(r, out);
	buf_puts(out, "</details>\n");
}

static void repeat(const struct report *r, struct buf *out)
{
	const struct store_campaign *c = &r->campaign;
	char wall[32] = "–", measuring[32] = "–";

	if (c->wall_s >= 0 && c->wall_s < 1e9)
		units_duration(wall, sizeof wall, (uint64_t)(c->wall_s * 1e9));
	if (c->measuring_s >= 0 && c->measuring_s < 1e9)
		units_duration(measuring, sizeof measuring, (uint64_t)(c->measuring_s * 1e9));
	heading(out, "repeat", "The campaign, and how to repeat it");
	buf_puts(out, "<dl><dt>seed</dt><dd>");
	buf_printf(out, "%" PRIu64 "</dd><dt>wall time</dt><dd>%s</dd><dt>of it measuring</dt><dd>%s",
		c->seed, wall, measuring);
	if (c->wall_s > 0)
		buf_printf(out, " (%.0f %%)", 100 * c->measuring_s / c->wall_s);
	buf_puts(out, "</dd></dl>\n<p>The same blocks in the same order:</p>\n");
	html_command(r, out);
	buf_puts(out, "<p>All raw trials: <code>");
	html_text(out, "vtax report %s --csv -", store_dir(r->store));
	buf_puts(out, "</code></p>\n<details><summary>The plan</summary>\n");
	html_json(c->plan, out);
	buf_puts(out, "</details>\n");
}

int report_html(const struct report *r, const char *dir, struct vt_err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/report.html", dir);
	_cleanup_free_ struct figure *list = NULL;
	_cleanup_buf_ struct buf out = BUF_INIT(PAGE_MAX);
	size_t n = figure_list(r, &list);
	int res;

	page_head(r, &out);
	summary(r, &out);
	figures(r, dir, list, n, &out);
	each_other(r, &out);
	metrics(r, &out);
	left_out(r, &out);
	order(r, dir, list, n, &out);
	heading(&out, "machine", "The machine");
	buf_puts(&out, "<div class=\"facts\">");
	html_json(r->campaign.fingerprint, &out);
	buf_puts(&out, "</div>\n");
	heading(&out, "method", "How to read this");
	buf_puts(&out, html_method);
	repeat(r, &out);
	buf_puts(&out, "</main>\n<footer><p>Made by vtax " VTAX_VERSION
		       ". A number is shown only if a trial produced it and its gates passed.</p></footer>\n"
		       "</body>\n</html>\n");
	res = buf_write_file(&out, path, 0644, err);
	if (res == 0)
		store_give(path);
	return res;
}
