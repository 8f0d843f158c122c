/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of report.html: the same numbers as the terminal's, in the same words. */
#include "report/html.h"

#include "base/cleanup.h"
#include "base/units.h"
#include "base/xalloc.h"
#include "report/text.h"

#include <math.h>
#include <string.h>

void html_text(struct buf *out, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	text_html(out, text);
}

static void cell(struct buf *out, const char *class, const char *text)
{
	buf_printf(out, *class ? "<td class=\"%s\">" : "<td>", class);
	text_html(out, text);
	buf_puts(out, "</td>");
}

/* Option lists may break after each comma, and elsewhere only if they must. */
void html_name_cell(struct buf *out, const char *class, const char *name)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	text_html(&text, name);
	buf_printf(out, "<td class=\"%s\">", class);
	for (const char *p = buf_str(&text); *p; p++) {
		buf_add(out, p, 1);
		if (*p == ',')
			buf_puts(out, "<wbr>");
	}
	buf_puts(out, "</td>");
}

void html_head(struct buf *out, const char *const *titles)
{
	buf_puts(out, "<div class=\"scroll\"><table>\n<thead><tr>");
	for (; *titles; titles++) {
		bool left = **titles == '<';

		buf_printf(out, "<th%s>", left ? " class=\"l\"" : "");
		text_html(out, *titles + left);
		buf_puts(out, "</th>");
	}
	buf_puts(out, "</tr></thead>\n<tbody>\n");
}

void html_tail(struct buf *out)
{
	buf_puts(out, "</tbody></table></div>\n");
}

static void value_cell(const struct report_cell *row, struct buf *out)
{
	char value[64], half[32];

	report_value_text(value, sizeof value, half, sizeof half, row);
	buf_puts(out, "<td>");
	text_html(out, value);
	buf_puts(out, *half ? " <span class=\"ci\">" : "");
	text_html(out, half);
	buf_puts(out, *half ? "</span></td>" : "</td>");
}

static void overhead_cell(const struct report_cell *row, struct buf *out)
{
	char text[96], *ci;

	if (row->verdict == VERDICT_BASELINE) {
		buf_puts(out, "<td class=\"ci\">baseline</td>");
		return;
	}
	report_overhead_text(text, sizeof text, &row->overhead);
	ci = strchr(text, '[');
	buf_puts(out, "<td>");
	html_text(out, "%.*s", ci ? (int)(ci - text) : (int)strlen(text), text);
	if (ci) {
		buf_puts(out, "<span class=\"ci\">");
		text_html(out, ci);
		buf_puts(out, "</span>");
	}
	buf_puts(out, "</td>");
}

static void verdict_cells(const struct report *r, const struct report_cell *row, struct buf *out)
{
	char text[48];

	report_verdict_text(text, sizeof text, r, row);
	buf_printf(out, "<td>%zu</td><td class=\"l\"><span class=\"v %s\"",
		row->verdict == VERDICT_BASELINE ? row->values.n : row->overhead.n,
		verdict_name(row->verdict));
	if (*row->reason) {
		buf_puts(out, " title=\"");
		text_html(out, row->reason);
		buf_puts(out, "\"");
	}
	buf_puts(out, ">");
	text_html(out, text);
	buf_puts(out, "</span></td>");
}

static void absent_cells(
	const struct report *r, const struct report_cell *row, unsigned columns, struct buf *out)
{
	_cleanup_free_ char *text = report_absence_text(r, row);

	buf_printf(out, "<td class=\"why\" colspan=\"%u\">", columns);
	text_html(out, text);
	buf_puts(out, "</td>");
}

static void companion_cell(const struct report_cell *row, struct buf *out)
{
	char text[32];

	if (!row || row->overhead.n == 0) {
		buf_puts(out, "<td class=\"ci\">–</td>");
		return;
	}
	units_percent(text, sizeof text, row->overhead.ratio);
	if (row->verdict == VERDICT_TAX || row->verdict == VERDICT_GAIN)
		buf_printf(out, "<td>%s</td>", text);
	else
		buf_printf(out, "<td class=\"ci\">(%s)</td>", text);
}

void html_short_table(const struct report *r, size_t first_cell, struct buf *out)
{
	static const char *const titles[] = { "technique", "value ± 95 %", "overhead [95 % interval]",
		"p50 latency", "CPU cost", "n", "<verdict", NULL };
	const struct store_metric_def *m = report_primary(r, r->cells[first_cell].workload_name);
	const char *latency = report_first_of(r, first_cell, report_latency_metrics);
	const char *cpu = report_first_of(r, first_cell, report_cpu_metrics);
	size_t end = report_next(r, first_cell);

	if (!m)
		return;
	buf_puts(out, "<p class=\"soft\">");
	html_text(
		out, "%s: %s (%s is better)", m->name, m->summary, m->higher_is_better ? "higher" : "lower");
	buf_puts(out, "</p>\n");
	html_head(out, titles);
	for (size_t c = first_cell; c < end; c++) {
		const struct report_cell *row = report_row(r, &r->cells[c], m->name);

		buf_puts(out, row->verdict == VERDICT_BASELINE ? "<tr class=\"base\">" : "<tr>");
		html_name_cell(out, "name", r->cells[c].technique_label);
		if (row->verdict == VERDICT_NOT_RUN) {
			absent_cells(r, row, 6, out);
		} else {
			value_cell(row, out);
			overhead_cell(row, out);
			companion_cell(latency && strcmp(latency, m->name)
					       ? report_row(r, &r->cells[c], latency)
					       : NULL,
				out);
			companion_cell(
				cpu && strcmp(cpu, m->name) ? report_row(r, &r->cells[c], cpu) : NULL, out);
			verdict_cells(r, row, out);
		}
		buf_puts(out, "</tr>\n");
	}
	html_tail(out);
}

static void glance_cell(const struct report *r, const struct report_cell *row, struct buf *out)
{
	char text[96];
	bool sure;

	if (!row || row->verdict == VERDICT_NOT_RUN) {
		buf_puts(out, "<td title=\"");
		text_html(out, row ? row->reason : "");
		buf_printf(out, "\" class=\"ci\">%s</td>",
			row && report_all_invalid(r, row) ? "invalid" : "not run");
		return;
	}
	if (row->verdict == VERDICT_BASELINE) {
		units_format(text, sizeof text, row->values.mean, row->metric->unit);
		cell(out, "ci", text);
		return;
	}
	report_overhead_text(text, sizeof text, &row->overhead);
	buf_puts(out, "<td title=\"");
	text_html(out, text);
	units_percent(text, sizeof text, row->overhead.ratio);
	sure = row->verdict == VERDICT_TAX || row->verdict == VERDICT_GAIN || row->overhead.n == 0;
	buf_printf(out,
		sure ? "\"><span class=\"v %s\">%s</span></td>" : "\"><span class=\"v %s\">(%s)</span></td>",
		verdict_name(row->verdict), text);
}

void html_glance(const struct report *r, struct buf *out)
{
	size_t end = r->ncells ? report_next(r, 0) : 0;

	buf_puts(out, "<div class=\"scroll\"><table>\n<thead><tr><th>technique</th>");
	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		buf_puts(out, "<th>");
		text_html(out, r->cells[c].workload_text);
		buf_puts(out, "</th>");
	}
	buf_puts(out, "</tr></thead>\n<tbody>\n");
	for (size_t t = 0; t < end; t++) {
		buf_puts(
			out, r->cells[t].technique == r->baseline_technique ? "<tr class=\"base\">" : "<tr>");
		html_name_cell(out, "name", r->cells[t].technique_label);
		for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
			const struct store_metric_def *m = report_primary(r, r->cells[c].workload_name);
			size_t i = c;

			while (i < report_next(r, c) && r->cells[i].technique != r->cells[t].technique)
				i++;
			glance_cell(r,
				m && i < report_next(r, c) ? report_row(r, &r->cells[i], m->name) : NULL,
				out);
		}
		buf_puts(out, "</tr>\n");
	}
	html_tail(out);
}

static void long_row(const struct report *r, const struct report_cell *row, struct buf *out)
{
	const double extra[] = { row->values.median, row->values.sd, row->values.min, row->values.max };
	char text[64];

	buf_puts(out, row->verdict == VERDICT_BASELINE ? "<tr class=\"base\">" : "<tr>");
	html_name_cell(out, "name", row->cell->technique_label);
	if (row->verdict == VERDICT_NOT_RUN) {
		absent_cells(r, row, 9, out);
	} else {
		value_cell(row, out);
		for (size_t i = 0; i < ARRAY_SIZE(extra); i++) {
			units_format(text, sizeof text, extra[i], row->metric->unit);
			cell(out, "", text);
		}
		buf_printf(out, "<td>%zu</td>", row->outliers);
		overhead_cell(row, out);
		verdict_cells(r, row, out);
	}
	buf_puts(out, "</tr>\n");
}

void html_long_table(const struct report *r, size_t first_cell, struct buf *out)
{
	static const char *const titles[] = { "technique", "value ± 95 %", "median", "sd", "min", "max",
		"outliers", "overhead [95 % interval]", "n", "<verdict", NULL };
	const struct store_metric_def *last = NULL;

	html_head(out, titles);
	for (size_t i = 0; i < r->nrows; i++) {
		const struct report_cell *row = &r->rows[i];

		if (row->cell->workload != r->cells[first_cell].workload)
			continue;
		if (row->metric != last) {
			buf_puts(out, "<tr class=\"metric\"><td colspan=\"10\">");
			text_html(out, row->metric->name);
			buf_puts(out, " <span>");
			html_text(out, "%s (%s is better)", row->metric->summary,
				row->metric->higher_is_better ? "higher" : "lower");
			buf_puts(out, "</span></td></tr>\n");
		}
		last = row->metric;
		long_row(r, row, out);
	}
	html_tail(out);
}

void html_invalid_trials(const struct report *r, struct buf *out)
{
	static const char *const titles[] = { "workload", "<technique", "block", "<reason", NULL };

	if (!r->ninvalid) {
		buf_puts(out, "<p>None: every trial passed every gate.</p>\n");
		return;
	}
	html_head(out, titles);
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];

		if (t->t.valid)
			continue;
		buf_puts(out, "<tr>");
		cell(out, "", t->cell->workload_text);
		html_name_cell(out, "name l", t->cell->technique_label);
		buf_printf(out, "<td>%u</td><td class=\"why\">", t->t.block + 1);
		text_html(out, t->t.reason ? t->t.reason : "");
		for (size_t g = 0; g < t->ngates; g++) {
			/* The trial's reason is usually one of its gates: do not say it twice. */
			if (t->t.reason && strstr(t->t.reason, t->gates[g].reason))
				continue;
			html_text(out, "%s%s: %s", g || t->t.reason ? "; " : "", t->gates[g].name,
				t->gates[g].reason);
		}
		buf_puts(out, "</td></tr>\n");
	}
	html_tail(out);
}

void html_not_run(const struct report *r, struct buf *out)
{
	static const char *const titles[] = { "workload", "<technique", "<reason", NULL };
	bool any = false;

	for (size_t i = 0; i < r->nrows; i++) {
		const struct report_cell *row = &r->rows[i];

		if (!row->metric->primary || row->verdict != VERDICT_NOT_RUN)
			continue;
		if (!any)
			html_head(out, titles);
		any = true;
		buf_puts(out, "<tr>");
		cell(out, "", row->cell->workload_text);
		html_name_cell(out, "name l", row->cell->technique_label);
		cell(out, "why", row->reason);
		buf_puts(out, "</tr>\n");
	}
	if (any)
		html_tail(out);
	else
		buf_puts(out, "<p>None: every cell of the plan has values.</p>\n");
}

void html_all_trials(const struct report *r, struct buf *out)
{
	static const char *const titles[] = { "order", "block", "position", "<workload", "<technique",
		"<started", "took", "value", "<outcome", NULL };

	html_head(out, titles);
	for (size_t i = 0; i < r->ntrials; i++) {
		const struct report_trial *t = &r->trials[i];
		const struct store_metric_def *m = report_primary(r, t->cell->workload_name);
		char value[64] = "–", took[32] = "–";

		if (m)
			units_format(value, sizeof value, report_trial_value(t, m->name), m->unit);
		if (t->t.duration_s >= 0 && t->t.duration_s < 1e9)
			units_duration(took, sizeof took, (uint64_t)(t->t.duration_s * 1e9));
		buf_printf(out, "<tr><td>%u</td><td>%u</td><td>%u</td>", t->t.sequence + 1, t->t.block + 1,
			t->t.position + 1);
		cell(out, "l", t->cell->workload_text);
		html_name_cell(out, "name l", t->cell->technique_label);
		cell(out, "l", t->t.started_at);
		cell(out, "", took);
		cell(out, "", value);
		buf_puts(out, t->t.valid
				      ? "<td class=\"l\">valid</td></tr>\n"
				      : "<td class=\"l\"><span class=\"v tax\">invalid</span></td></tr>\n");
	}
	html_tail(out);
}
