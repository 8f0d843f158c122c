/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Against each other": the tests as a sentence, a matrix to see which techniques form groups, and folded
 * away the list of all pairs with intervals. The matrix is a triangle: what a costs over b says nothing new.
 * Its columns are numbers, because names are long and there may be dozens.
 */
#include "report/compare.h"
#include "report/html.h"
#include "report/text.h"

#include "base/units.h"

#include <math.h>

/* The place of the pair a < b among all pairs of n. */
static size_t pair_at(size_t a, size_t b, size_t n)
{
	return a * (2 * n - a - 1) / 2 + (b - a - 1);
}

static const char *look(const struct comparison *pair)
{
	if (!(pair->p < COMPARE_ALPHA))
		return "inconclusive";
	return pair->diff > 0 ? "tax" : "gain";
}

static void cost_cell(const struct report_comparison *c, const struct comparison *pair, struct buf *out)
{
	char cost[96], p[32];

	report_pair_text(cost, sizeof cost, pair);
	report_p_text(p, sizeof p, pair->p);
	buf_puts(out, "<td title=\"");
	html_text(out, "%s over %s: %s, %s", c->cells[pair->b]->technique_label,
		c->cells[pair->a]->technique_label, cost, p);
	units_percent(cost, sizeof cost, expm1(pair->diff));
	buf_printf(out,
		pair->p < COMPARE_ALPHA ? "\"><span class=\"v %s\">%s</span></td>"
					: "\"><span class=\"v %s\">(%s)</span></td>",
		look(pair), cost);
}

static void matrix(const struct report_comparison *c, struct buf *out)
{
	buf_puts(out, "<div class=\"scroll\"><table>\n<thead><tr><th>technique</th>");
	for (size_t a = 0; a + 1 < c->n; a++)
		buf_printf(out, "<th>%zu</th>", a + 1);
	buf_puts(out, "</tr></thead>\n<tbody>\n");
	for (size_t b = 0; b < c->n; b++) {
		char number[24];

		snprintf(number, sizeof number, "%zu. ", b + 1);
		buf_puts(out, "<tr><td class=\"name\">");
		html_text(out, "%s%s", number, c->cells[b]->technique_label);
		buf_puts(out, "</td>");
		for (size_t a = 0; a + 1 < c->n; a++) {
			if (a < b)
				cost_cell(c, &c->tukey[pair_at(a, b, c->n)], out);
			else
				buf_puts(out, "<td></td>");
		}
		buf_puts(out, "</tr>\n");
	}
	html_tail(out);
}

static void p_cell(const struct comparison *pair, struct buf *out)
{
	char text[32];

	report_p_text(text, sizeof text, pair->p);
	buf_puts(out, pair->p < COMPARE_ALPHA ? "<td>" : "<td class=\"ci\">");
	text_html(out, text);
	buf_puts(out, "</td>");
}

static void list(const struct report_comparison *c, struct buf *out)
{
	static const char *const titles[] = { "technique", "<over", "cost [simultaneous 95 % interval]",
		"Tukey's HSD", "Games–Howell interval", "Games–Howell", NULL };

	buf_puts(out, "<details><summary>Every pair with its intervals</summary>\n");
	html_head(out, titles);
	for (size_t i = 0; i < COMPARISONS(c->n); i++) {
		const struct comparison *t = &c->tukey[i], *g = &c->games_howell[i];
		char text[96];

		buf_puts(out, "<tr>");
		html_name_cell(out, "name", c->cells[t->b]->technique_label);
		html_name_cell(out, "name l", c->cells[t->a]->technique_label);
		report_pair_text(text, sizeof text, t);
		buf_puts(out, "<td>");
		text_html(out, text);
		buf_puts(out, "</td>");
		p_cell(t, out);
		report_pair_text(text, sizeof text, g);
		buf_puts(out, "<td>");
		text_html(out, strchr(text, '[') ? strchr(text, '[') : "–");
		buf_puts(out, "</td>");
		p_cell(g, out);
		buf_puts(out, "</tr>\n");
	}
	html_tail(out);
	buf_puts(out, "</details>\n");
}

void html_comparison(const struct report *r, size_t first_cell, struct buf *out)
{
	_cleanup_comparison_ struct report_comparison c = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	buf_puts(out, "<h3>");
	text_html(out, r->cells[first_cell].workload_text);
	buf_puts(out, "</h3>\n<p>");
	report_compare(&c, r, first_cell);
	if (*c.reason) {
		html_text(out, "Not compared: %s.", c.reason);
		buf_puts(out, "</p>\n");
		return;
	}
	report_comparison_tests(&c, &text);
	text_html(out, buf_str(&text));
	buf_puts(out, "</p>\n");
	matrix(&c, out);
	list(&c, out);
}
