/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gnuplot's SVG inside the page. Inside, not as a data: image, so that its text can be searched, selected and
 * read aloud. Its ids (markers, clip paths) are prefixed with the figure's name, because all figures share
 * the ids of one page; its XML prolog and its <title>, which browsers show as a tooltip "Gnuplot", are
 * dropped.
 */
#include "report/html.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "report/text.h"

#include <ctype.h>
#include <string.h>

#define SVG_MAX (16u << 20)

/* Copies one tag, from '<' to '>', with `prefix` before every id and every reference to one; returns its end.
 */
static const char *copy_tag(const char *p, const char *prefix, struct buf *out)
{
	static const char *const marks[] = { " id=\"", " id='", "href=\"#", "href='#", "url(#" };
	char quote = 0;

	while (*p && (quote || *p != '>')) {
		size_t i = 0;

		while (i < ARRAY_SIZE(marks) && strncmp(p, marks[i], strlen(marks[i])) != 0)
			i++;
		if (i < ARRAY_SIZE(marks) && (!quote || i == 4)) {
			buf_puts(out, marks[i]);
			buf_puts(out, prefix);
			p += strlen(marks[i]);
			if (i < 4)
				quote = marks[i][strlen(marks[i]) - (i < 2 ? 1 : 2)];
			continue;
		}
		if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? 0 : *p;
		buf_add(out, p++, 1);
	}
	return p;
}

static bool starts(const char *p, const char *with)
{
	return strncmp(p, with, strlen(with)) == 0;
}

/* From "<svg" on; nothing that could run is let through, whoever wrote the file. */
static bool inline_svg(const char *svg, const char *prefix, struct buf *out)
{
	const char *p = strstr(svg, "<svg");

	if (!p || strcasestr(svg, "<script") || strcasestr(svg, "javascript:"))
		return false;
	while (*p) {
		if (starts(p, "<title>") && strstr(p, "</title>")) {
			p = strstr(p, "</title>") + strlen("</title>");
			continue;
		}
		if (starts(p, "<desc>") && strstr(p, "</desc>")) {
			p = strstr(p, "</desc>") + strlen("</desc>");
			continue;
		}
		if (*p == '<')
			p = copy_tag(p, prefix, out);
		else
			buf_add(out, p++, 1);
	}
	return !out->failed;
}

/* "… viewBox="0 0 700 324"": the width, so that a small figure is not blown up; 0 when unknown. */
static unsigned natural_width(const char *svg)
{
	const char *p = strstr(svg, "viewBox=\"0 0 ");

	return p ? (unsigned)strtoul(p + strlen("viewBox=\"0 0 "), NULL, 10) : 0;
}

static void missing(const struct figure *f, struct buf *out)
{
	buf_puts(out, "<p class=\"missing\">This figure could not be drawn: gnuplot is missing, or it "
		      "failed. Its script and "
		      "data are beside this page; <code>cd figures &amp;&amp; gnuplot ");
	html_text(out, "%s.gp", f->stem);
	buf_puts(out, "</code> draws it.</p>\n");
}

void html_figure(const struct report *r, const struct figure *f, const char *dir, struct buf *out)
{
	_cleanup_free_ char *path = xasprintf("%s/figures/%s.svg", dir, f->stem),
			    *prefix = xasprintf("%s-", f->stem);
	_cleanup_buf_ struct buf svg = BUF_INIT(SVG_MAX), tags = BUF_INIT(2 * SVG_MAX),
				 caption = BUF_INIT(4096);
	static const char *const suffixes[] = { "svg", "pdf", "gp", "dat" };

	if (buf_read_file(&svg, path, NULL) < 0 || !inline_svg(buf_str(&svg), prefix, &tags)) {
		missing(f, out);
		return;
	}
	figure_caption(r, f, &caption);
	buf_puts(out, "<figure><div class=\"paper\">");
	buf_printf(out, "<div style=\"max-width:%upx;margin:0 auto\">", natural_width(buf_str(&svg)));
	buf_puts(out, buf_str(&tags));
	buf_puts(out, "</div></div>\n<figcaption>");
	text_html(out, buf_str(&caption));
	buf_puts(out, " <span class=\"files\">");
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		buf_printf(out, " <a href=\"figures/%s.%s\">%s</a>", f->stem, suffixes[i], suffixes[i]);
	buf_puts(out, "</span></figcaption></figure>\n");
}
