/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures: which there are for a report, and the gnuplot script and data of each. Nobody outside src/report
 * includes this.
 *
 * How to add one: a value in enum figure_kind, a function that fills script and data, a row in the table of
 * figures.c, and the condition under which it has something to show in figure_list().
 */
#ifndef VTAX_REPORT_FIGURES_H
#define VTAX_REPORT_FIGURES_H

#include "report/model.h"

enum figure_kind { FIG_OVERHEAD, FIG_CDF, FIG_DRIFT, FIG_ORDER };

struct figure {
	enum figure_kind kind;
	size_t first_cell; /* of its workload; not for FIG_ORDER */
	char stem[80];	   /* STEM.gp, STEM.dat, STEM.svg, STEM.pdf */
};

/* In the order of the page: the figures of each workload, then the order of the trials. Caller frees. */
size_t figure_list(const struct report *r, struct figure **list);

/* What the figure shows, as plain text for a caption. */
void figure_caption(const struct report *r, const struct figure *f, struct buf *out);

/* A script under construction, with its data. */
struct script {
	const struct report *r;
	const struct figure *f;
	struct buf gp, dat;
	unsigned width, height; /* of the figure, px */
};

int figure_overhead(struct script *s, struct vt_err *err);
int figure_cdf(struct script *s, struct vt_err *err);
int figure_drift(struct script *s, struct vt_err *err);
int figure_order(struct script *s, struct vt_err *err);

/* Name of the histogram to draw for a workload ("latency" before "response" before others); "" when none. */
int figure_hist_name(const struct report *r, size_t first_cell, char *name, size_t size, struct vt_err *err);

/*
 * gnuplot text. All text from outside is assigned to variables before the drawing loop, because gnuplot
 * counts braces inside the loop without minding quotes. script_label breaks a label after commas into at most
 * two lines of `wrap` columns.
 */
void script_text(struct script *s, const char *name, const char *text);
void script_label(struct script *s, const char *name, const char *text, size_t wrap);
void script_loop(struct script *s); /* draws once into the SVG and once into the PDF; close with script_end */
void script_end(struct script *s);

/* Colour i of a palette that colour-blind people can tell apart (Okabe & Ito 2008; 0 is black, the
 * baseline's). */
const char *script_colour(size_t i);
size_t script_dash(size_t i); /* changes when the palette starts again */

/* Widest line of the labels of a workload's techniques as script_label breaks them, and whether any has two.
 */
struct label_room {
	size_t columns, lines;
};
struct label_room script_label_room(const struct report *r, size_t first, size_t end, size_t wrap);

/* Title "heading", and a key of n entries to the right of the plot; the figure becomes as high as the key
 * needs. */
void script_key(struct script *s, struct label_room room, size_t n);

#endif
