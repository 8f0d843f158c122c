/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from elsewhere (labels, reasons, summaries) on its way into a terminal, Markdown, HTML, CSV or
 * gnuplot. Every such text goes through one of these: control and direction-changing characters become
 * spaces, bytes that are not UTF-8 become U+FFFD, and the characters that the target gives a meaning are
 * escaped.
 */
#ifndef VTAX_REPORT_TEXT_H
#define VTAX_REPORT_TEXT_H

#include "base/buf.h"

void text_plain(struct buf *out, const char *s);
void text_markdown(struct buf *out, const char *s);
void text_html(struct buf *out, const char *s);	   /* for text and for quoted attributes */
void text_gnuplot(struct buf *out, const char *s); /* with the single quotes around it */
void text_csv(struct buf *out, const char *s); /* RFC 4180: quoted when needed; content is kept as it is */

/* Columns that clean text takes on a terminal: combining marks none, East Asian wide characters two. */
size_t text_width(const char *s, size_t len);

/*
 * A name for a file out of any text: [a-z0-9_-], at most 48 characters, never empty. Not unique: callers
 * number.
 */
void text_slug(char *out, size_t size, const char *s);

/*
 * Shell words that reproduce a command line: quoted only where needed.
 */
void text_shell(struct buf *out, const char *s);

#endif
