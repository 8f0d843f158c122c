/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of text cells, laid out once all of it is known. Knows alignment, colour and Markdown; knows
 * nothing of what the cells mean.
 */
#ifndef VTAX_REPORT_GRID_H
#define VTAX_REPORT_GRID_H

#include "base/buf.h"
#include "report/report.h"

#define GRID_COLS 10

enum grid_look { LOOK_PLAIN, LOOK_BOLD, LOOK_DIM, LOOK_BAD, LOOK_GOOD, LOOK_DOUBT };

struct grid_cell {
	char *text; /* clean text (text_plain); NULL: empty */
	enum grid_look look;
};

struct grid {
	enum report_table_style style;
	unsigned cols;
	bool left[GRID_COLS]; /* the others are right-aligned */
	struct grid_row {
		struct grid_cell cell[GRID_COLS];
		unsigned filled;
		bool span; /* its last cell runs over the remaining columns */
	} * rows;	   /* rows[0] is the heading */
	size_t nrows;
};

void grid_row(struct grid *g);
void grid_cell(struct grid *g, enum grid_look look, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void grid_span(struct grid *g, enum grid_look look, const char *text); /* ends the row */

/* `wrap` is the widest first column; longer ones break after a comma into lines of their own. */
void grid_render(const struct grid *g, size_t wrap, struct buf *out);
void grid_release(struct grid *g);

#define _cleanup_grid_ __attribute__((cleanup(grid_release)))

/* The escape sequences of a look; "" unless the style is REPORT_COLOUR. */
const char *grid_on(enum report_table_style style, enum grid_look look);
const char *grid_off(enum report_table_style style, enum grid_look look);

#endif
