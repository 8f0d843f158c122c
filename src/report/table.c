/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table for people. Short form: per workload one row per technique, with the primary metric and two
 * companions (median latency, CPU). Long form: per workload every metric, and how the techniques compare with
 * each other. The footer says what the words mean
 * and what these blocks can and cannot tell; without it the numbers would be half of the truth.
 */
#include "report/report.h"

#include "base/cleanup.h"
#include "base/units.h"
#include "base/xalloc.h"
#include "report/compare.h"
#include "report/grid.h"
#include "report/model.h"
#include "report/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NAME_WRAP 34
#define LINE 100

struct printer {
	const struct report *r;
	enum report_table_style style;
	struct buf *out;
};

static void say(const struct printer *p, const char *text)
{
	if (p->style == REPORT_MARKDOWN)
		text_markdown(p->out, text);
	else
		text_plain(p->out, text);
}

static enum grid_look verdict_look(enum verdict v)
{
	switch (v) {
	case VERDICT_TAX:
		return LOOK_BAD;
	case VERDICT_GAIN:
	case VERDICT_NONE:
		return LOOK_GOOD;
	case VERDICT_INCONCLUSIVE:
		return LOOK_DOUBT;
	case VERDICT_BASELINE:
	case VERDICT_NOT_RUN:
		break;
	}
	return LOOK_DIM;
}

static void cell_absent(struct grid *g, const struct report *r, const struct report_cell *row)
{
	_cleanup_free_ char *text = report_absence_text(r, row);

	grid_span(g, LOOK_DIM, text);
}

/* A companion's point estimate, in parentheses while its interval includes zero. */
static void cell_companion(struct grid *g, const struct report_cell *row)
{
	char text[32];

	if (!row || row->overhead.n == 0) {
		grid_cell(g, LOOK_DIM, "–");
		return;
	}
	units_percent(text, sizeof text, row->overhead.ratio);
	if (row->verdict == VERDICT_TAX || row->verdict == VERDICT_GAIN)
		grid_cell(g, LOOK_PLAIN, "%s", text);
	else
		grid_cell(g, LOOK_PLAIN, "(%s)", text);
}

static void cells_of_row(struct grid *g, const struct report *r, const struct report_cell *row)
{
	char value[64], half[32], overhead[96];

	report_value_text(value, sizeof value, half, sizeof half, row);
	report_overhead_text(overhead, sizeof overhead, &row->overhead);
	grid_cell(g, LOOK_PLAIN, "%s%s%s", value, *half ? " " : "", half);
	grid_cell(g, verdict_look(row->verdict), "%s",
		row->verdict == VERDICT_BASELINE ? "baseline" : overhead);
}

static void cells_verdict(struct grid *g, const struct report *r, const struct report_cell *row)
{
	char verdict[48];

	report_verdict_text(verdict, sizeof verdict, r, row);
	grid_cell(g, LOOK_PLAIN, "%zu", row->verdict == VERDICT_BASELINE ? row->values.n : row->overhead.n);
	grid_cell(g, verdict_look(row->verdict), "%s", verdict);
}

static void head(struct grid *g, const char *const *titles)
{
	grid_row(g);
	for (; *titles; titles++) {
		grid_cell(g, LOOK_DIM, "%s", *titles);
		g->cols++;
	}
}

static void title(const struct printer *p, const struct store_cell *c, const struct store_metric_def *m)
{
	_cleanup_buf_ struct buf about = BUF_INIT(4096);

	if (m) {
		buf_printf(&about, "%s: %s (%s is better)", m->name, m->summary,
			m->higher_is_better ? "higher" : "lower");
	}
	if (p->style == REPORT_MARKDOWN) {
		buf_puts(p->out, "### ");
		say(p, c->workload_text);
		buf_puts(p->out, "\n\n");
		say(p, buf_str(&about));
		buf_puts(p->out, about.len ? "\n\n" : "");
		return;
	}
	buf_puts(p->out, grid_on(p->style, LOOK_BOLD));
	say(p, c->workload_text);
	buf_puts(p->out, grid_off(p->style, LOOK_BOLD));
	buf_puts(p->out, about.len ? "   " : "");
	say(p, buf_str(&about));
	buf_puts(p->out, "\n");
}

static void short_rows(
	const struct printer *p, size_t first, const struct store_metric_def *m, struct grid *g)
{
	const struct report *r = p->r;
	const char *latency = report_first_of(r, first, report_latency_metrics);
	const char *cpu = report_first_of(r, first, report_cpu_metrics);
	size_t end = report_next(r, first);

	for (size_t c = first; c < end; c++) {
		const struct store_cell *cell = &r->cells[c];
		const struct report_cell *row = report_row(r, cell, m->name);

		grid_row(g);
		grid_cell(g, LOOK_PLAIN, "%s", cell->technique_label);
		if (row->verdict == VERDICT_NOT_RUN) {
			cell_absent(g, r, row);
			continue;
		}
		cells_of_row(g, r, row);
		cell_companion(g, latency && strcmp(latency, m->name) ? report_row(r, cell, latency) : NULL);
		cell_companion(g, cpu && strcmp(cpu, m->name) ? report_row(r, cell, cpu) : NULL);
		cells_verdict(g, r, row);
	}
}

static void short_table(const struct printer *p, size_t first)
{
	static const char *const titles[] = { "technique", "value ± 95 %", "overhead [95 % interval]",
		"p50 latency", "CPU cost", "n", "verdict", NULL };
	const struct store_cell *c = &p->r->cells[first];
	const struct store_metric_def *m = report_primary(p->r, c->workload_name);
	_cleanup_grid_ struct grid g = { .style = p->style, .left = { [0] = true, [6] = true } };

	title(p, c, m);
	if (!m) {
		buf_puts(p->out, "  this workload names no primary metric: see the long table\n");
		return;
	}
	head(&g, titles);
	short_rows(p, first, m, &g);
	grid_render(&g, NAME_WRAP, p->out);
}

/* One note: a name and running text, wrapped and indented on a terminal. */
static void note(const struct printer *p, const char *name, const char *text)
{
	_cleanup_buf_ struct buf clean = BUF_INIT(1 << 16);
	size_t column;

	if (p->style == REPORT_MARKDOWN) {
		buf_printf(p->out, "- **%s**: ", name);
		text_markdown(p->out, text);
		buf_puts(p->out, "\n");
		return;
	}
	text_plain(&clean, text);
	buf_printf(p->out, "%s%-13s%s", grid_on(p->style, LOOK_DIM), name, grid_off(p->style, LOOK_DIM));
	column = 13;
	for (const char *word = buf_str(&clean); *word;) {
		size_t len = strcspn(word, " "), width = text_width(word, len);

		if (column > 13 && column + width > LINE) {
			buf_printf(p->out, "\n%13s", "");
			column = 13;
		}
		buf_printf(p->out, "%.*s", (int)len, word);
		column += width + 1;
		word += len + strspn(word + len, " ");
		if (*word && column + text_width(word, strcspn(word, " ")) <= LINE)
			buf_puts(p->out, " ");
	}
	buf_puts(p->out, "\n");
}

/* All techniques against each other, below the long table of a workload. */
static void comparison(const struct printer *p, size_t first)
{
	_cleanup_comparison_ struct report_comparison c = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	if (report_compare_is_idle(p->r, first))
		return;
	report_compare(&c, p->r, first);
	if (*c.reason)
		buf_puts(&text, "not compared: ");
	report_comparison_text(&c, &text);
	buf_puts(p->out, p->style == REPORT_MARKDOWN ? "\n" : "");
	note(p, "each other", buf_str(&text));
}

static void long_table(const struct printer *p, size_t first)
{
	static const char *const titles[] = { "metric", "technique", "value ± 95 %",
		"overhead [95 % interval]", "n", "verdict", NULL };
	const struct report *r = p->r;
	_cleanup_grid_ struct grid g = { .style = p->style, .left = { [0] = true, [1] = true, [5] = true } };
	const struct store_metric_def *last = NULL;

	title(p, &r->cells[first], NULL);
	head(&g, titles);
	for (size_t i = 0; i < r->nrows; i++) {
		const struct report_cell *row = &r->rows[i];
		bool repeated = row->metric == last && p->style != REPORT_MARKDOWN;

		if (row->cell->workload != r->cells[first].workload)
			continue;
		grid_row(&g);
		grid_cell(&g, LOOK_BOLD, "%s", repeated ? "" : row->metric->name);
		grid_cell(&g, LOOK_PLAIN, "%s", row->cell->technique_label);
		last = row->metric;
		if (row->verdict == VERDICT_NOT_RUN) {
			cell_absent(&g, r, row);
			continue;
		}
		cells_of_row(&g, r, row);
		cells_verdict(&g, r, row);
	}
	grid_render(&g, NAME_WRAP, p->out);
	comparison(p, first);
}

static void note_trials(const struct printer *p)
{
	const struct report *r = p->r;
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
	struct report_kind *kinds;
	size_t n = report_invalid_kinds(r, &kinds);

	buf_printf(&b, "%zu of %zu valid, in %zu block%s", r->ntrials - r->ninvalid, r->ntrials, r->nblocks,
		r->nblocks == 1 ? "" : "s");
	if (n)
		buf_printf(&b, "; %zu invalid and left out:", r->ninvalid);
	for (size_t i = 0; i < n && i < 6; i++)
		buf_printf(&b, "%s %.100s (%zu)", i ? "," : "", kinds[i].what, kinds[i].n);
	if (n > 6)
		buf_printf(&b, ", and %zu other kinds", n - 6);
	report_kinds_free(kinds, n);
	note(p, "trials", buf_str(&b));
}

static void note_noise(const struct printer *p)
{
	const struct report *r = p->r;
	_cleanup_buf_ struct buf floor = BUF_INIT(1 << 16), more = BUF_INIT(1 << 16);

	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		struct report_noise n;
		const char *name = r->cells[c].workload_text;

		report_noise(&n, r, c);
		if (isnan(n.floor))
			continue;
		buf_printf(&floor, "%s%.1f %% in %s", floor.len ? ", " : "", 100 * n.floor, name);
		if (n.needed > n.pairs)
			buf_printf(&more, "%s%zu more blocks of %s", more.len ? ", " : "", n.needed - n.pairs,
				name);
	}
	if (!floor.len) {
		note(p, "noise floor", "unknown: it takes two blocks at least");
		return;
	}
	buf_puts(&floor,
		": the smallest overhead that these blocks find in every technique, 4 times out of 5");
	note(p, "noise floor", buf_str(&floor));
	if (more.len)
		buf_puts(&more, " would bring every interval to ±2 % or less");
	else
		buf_puts(&more, "none: every interval is within ±2 % already");
	note(p, "still needed", buf_str(&more));
}

static void footer(const struct printer *p)
{
	const struct report *r = p->r;
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 14);
	const struct store_campaign *c = &r->campaign;

	buf_puts(p->out, p->style == REPORT_MARKDOWN ? "### Notes\n\n" : "");
	buf_printf(&b,
		"cost over '%s' in the same block, averaged over blocks on the log scale; positive is worse, "
		"for "
		"rates too; in (parentheses) where the 95 %% interval includes zero",
		r->baseline);
	note(p, "overhead", buf_str(&b));
	note(p, "n",
		"blocks that count: both the technique and the baseline ran and passed every gate there");
	note_trials(p);
	note_noise(p);
	buf_clear(&b);
	buf_printf(&b, "%s%s%s, seed %" PRIu64, c->id, *c->suite ? ", suite " : "", c->suite, c->seed);
	if (c->wall_s > 0)
		buf_printf(
			&b, ", %.0f s, %.0f %% of it measuring", c->wall_s, 100 * c->measuring_s / c->wall_s);
	if (!c->complete)
		buf_printf(&b, "; unfinished: go on with 'vtax resume %s'", store_dir(r->store));
	note(p, "campaign", buf_str(&b));
}

int report_table(const struct report *r, enum report_table_style style, bool all_metrics, struct buf *out,
	struct vt_err *err)
{
	struct printer p = { .r = r, .style = style, .out = out };

	for (size_t c = 0; c < r->ncells; c = report_next(r, c)) {
		if (all_metrics)
			long_table(&p, c);
		else
			short_table(&p, c);
		buf_puts(out, "\n");
	}
	footer(&p);
	return out->failed ? vt_fail(err, -ENOBUFS, "the table is larger than %zu bytes", out->max) : 0;
}
