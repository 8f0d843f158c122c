/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Column widths are the widest cell of each column; cells are padded by columns on the screen, not by bytes.
 * A cell that spans does not widen its column. The first column wraps after commas, where technique options
 * part, so that one long name does not push the numbers off the screen.
 */
#include "report/grid.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "report/text.h"

#include <string.h>

#define GAP 2

static const char *const looks[] = {
	[LOOK_PLAIN] = "",
	[LOOK_BOLD] = "\033[1m",
	[LOOK_DIM] = "\033[2m",
	[LOOK_BAD] = "\033[31m",
	[LOOK_GOOD] = "\033[32m",
	[LOOK_DOUBT] = "\033[33m",
};

const char *grid_on(enum report_table_style style, enum grid_look look)
{
	return style == REPORT_COLOUR ? looks[look] : "";
}

const char *grid_off(enum report_table_style style, enum grid_look look)
{
	return style == REPORT_COLOUR && look != LOOK_PLAIN ? "\033[0m" : "";
}

void grid_row(struct grid *g)
{
	g->rows = xrealloc(g->rows, (g->nrows + 1) * sizeof *g->rows);
	g->rows[g->nrows++] = (struct grid_row){ 0 };
}

static void add(struct grid *g, enum grid_look look, const char *text)
{
	struct grid_row *row = &g->rows[g->nrows - 1];
	_cleanup_buf_ struct buf clean = BUF_INIT(1 << 16);

	if (row->filled == GRID_COLS)
		return;
	text_plain(&clean, text);
	row->cell[row->filled++] = (struct grid_cell){ .text = xstrdup(buf_str(&clean)), .look = look };
}

void grid_cell(struct grid *g, enum grid_look look, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	add(g, look, text);
}

void grid_span(struct grid *g, enum grid_look look, const char *text)
{
	add(g, look, text);
	g->rows[g->nrows - 1].span = true;
}

/* Bytes of the first line of `s`: all of it, or up to the last comma that fits in `wrap` columns. */
static size_t line_length(const char *s, size_t wrap)
{
	size_t len = strlen(s), cut = 0;

	if (text_width(s, len) <= wrap)
		return len;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == ',' && (text_width(s, i + 1) <= wrap || !cut))
			cut = i + 1;
	}
	return cut ? cut : len;
}

static void pad(struct buf *out, size_t n)
{
	while (n--)
		buf_puts(out, " ");
}

static void widths(const struct grid *g, size_t wrap, size_t *w)
{
	for (size_t i = 0; i < g->nrows; i++) {
		const struct grid_row *row = &g->rows[i];

		for (unsigned c = 0; c < row->filled && !(row->span && c + 1 == row->filled); c++) {
			const char *s = row->cell[c].text;
			/* Nothing stands beside a continuation line: only the first one needs room. */
			size_t n = text_width(s, c ? strlen(s) : line_length(s, wrap));

			w[c] = n > w[c] ? n : w[c];
		}
	}
}

static void render_cell(const struct grid *g, const struct grid_cell *cell, size_t len, size_t width,
	bool left, bool last, struct buf *out)
{
	size_t fill = width > text_width(cell->text, len) ? width - text_width(cell->text, len) : 0;

	if (!left)
		pad(out, fill);
	buf_puts(out, grid_on(g->style, cell->look));
	buf_add(out, cell->text, len);
	buf_puts(out, grid_off(g->style, cell->look));
	if (left && !last)
		pad(out, fill);
}

static void render_row(
	const struct grid *g, const struct grid_row *row, size_t wrap, const size_t *w, struct buf *out)
{
	const char *rest = NULL;

	for (unsigned c = 0; c < row->filled; c++) {
		bool last = c + 1 == row->filled;
		size_t len = c ? strlen(row->cell[c].text) : line_length(row->cell[c].text, wrap);

		if (!c)
			rest = row->cell[c].text + len;
		pad(out, GAP);
		render_cell(g, &row->cell[c], len, row->span && last ? 0 : w[c],
			g->left[c] || (row->span && last), last, out);
	}
	buf_puts(out, "\n");
	while (rest && *rest) {
		size_t len = line_length(rest, wrap - GAP);

		pad(out, 2 * GAP);
		buf_add(out, rest, len);
		buf_puts(out, "\n");
		rest += len;
	}
}

static void render_markdown(const struct grid *g, struct buf *out)
{
	for (size_t i = 0; i < g->nrows; i++) {
		const struct grid_row *row = &g->rows[i];

		for (unsigned c = 0; c < g->cols; c++) {
			buf_puts(out, c ? " | " : "| ");
			if (c < row->filled)
				text_markdown(out, row->cell[c].text);
		}
		buf_puts(out, " |\n");
		if (i)
			continue;
		for (unsigned c = 0; c < g->cols; c++)
			buf_printf(out, "%s%s", c ? "|" : "|", g->left[c] ? " :-- " : " --: ");
		buf_puts(out, "|\n");
	}
}

void grid_render(const struct grid *g, size_t wrap, struct buf *out)
{
	size_t w[GRID_COLS] = { 0 };

	if (g->style == REPORT_MARKDOWN) {
		render_markdown(g, out);
		return;
	}
	widths(g, wrap, w);
	for (size_t i = 0; i < g->nrows; i++)
		render_row(g, &g->rows[i], wrap, w, out);
}

void grid_release(struct grid *g)
{
	for (size_t i = 0; i < g->nrows; i++) {
		for (unsigned c = 0; c < g->rows[i].filled; c++)
			free(g->rows[i].cell[c].text);
	}
	free(g->rows);
	*g = (struct grid){ 0 };
}
