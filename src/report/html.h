/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of report.html. Each adds one piece of HTML to the page; text from outside goes through
 * html_text() or text_html() and nothing else. Nobody outside src/report includes this.
 */
#ifndef VTAX_REPORT_HTML_H
#define VTAX_REPORT_HTML_H

#include "report/figures.h"
#include "report/model.h"

/* printf whose result is escaped as a whole. */
void html_text(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

extern const char html_style[];	 /* the style sheet */
extern const char html_method[]; /* "how to read this" */

/* Techniques by workloads: the overhead of each primary metric. */
void html_glance(const struct report *r, struct buf *out);
void html_short_table(const struct report *r, size_t first_cell, struct buf *out);
void html_long_table(const struct report *r, size_t first_cell, struct buf *out);
void html_invalid_trials(const struct report *r, struct buf *out);
void html_not_run(const struct report *r, struct buf *out);
void html_all_trials(const struct report *r, struct buf *out);

/* A workload's techniques against each other: the tests, a matrix, every pair. */
void html_comparison(const struct report *r, size_t first_cell, struct buf *out);

/* What html_tables.c shares: a table's heading (a leading '<' marks a left-aligned column), a technique's
 * name, and the end. */
void html_head(struct buf *out, const char *const *titles);
void html_name_cell(struct buf *out, const char *class, const char *name);
void html_tail(struct buf *out);

/* JSON text as nested lists of names and values; text that is no JSON is shown as it is. */
void html_json(const char *json, struct buf *out);

/*
 * The figure's SVG inside the page, with its caption and links to its files. Without the SVG: a line that
 * says that it could not be drawn, and how to draw it.
 */
void html_figure(const struct report *r, const struct figure *f, const char *dir, struct buf *out);

/* The command line that runs this campaign again. */
void html_command(const struct report *r, struct buf *out);

#endif
