/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What gnuplot scripts have in common: look, terminals, quoting. A script stands alone: beside its data file,
 * `gnuplot NAME.gp` draws the same figure again, and it is short enough to be edited for a paper.
 */
#include "report/figures.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "report/text.h"

#include <string.h>

#define PX_PER_INCH 100.0
#define FONT_PX 13
#define CHAR_PX 7.0

const char *script_colour(size_t i)
{
	/* Okabe & Ito's eight, with grey for the yellow that white paper swallows. */
	static const char *const palette[] = { "#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7",
		"#E69F00", "#56B4E9", "#888888" };

	return palette[i % ARRAY_SIZE(palette)];
}

size_t script_dash(size_t i)
{
	return i / 8 % 4 + 1;
}

void script_text(struct script *s, const char *name, const char *text)
{
	buf_printf(&s->gp, "%s = ", name);
	text_gnuplot(&s->gp, text);
	buf_puts(&s->gp, "\n");
}

/* Bytes of the first line: up to the last comma within `wrap` columns, or as many characters as fit. */
static size_t break_at(const char *text, size_t wrap)
{
	size_t len = strlen(text), cut = 0;

	if (text_width(text, len) <= wrap)
		return len;
	for (size_t i = 0; i < len && text_width(text, i + 1) <= wrap; i++) {
		if (text[i] == ',')
			cut = i + 1;
	}
	while (!cut && len && text_width(text, len) > wrap)
		len--;
	while (!cut && len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--; /* not inside a character */
	return cut ? cut : len;
}

/* The two lines of a label; the second is cut with an ellipsis. Both owned by the caller. */
static void two_lines(const char *text, size_t wrap, char **first, char **second)
{
	_cleanup_buf_ struct buf clean = BUF_INIT(1 << 16);
	const char *rest;
	size_t n;

	text_plain(&clean, text);
	n = break_at(buf_str(&clean), wrap);
	*first = xasprintf("%.*s", (int)n, buf_str(&clean));
	rest = buf_str(&clean) + n;
	if (text_width(rest, strlen(rest)) <= wrap)
		*second = xstrdup(rest);
	else
		*second = xasprintf("%.*s…", (int)break_at(rest, wrap - 1), rest);
}

void script_label(struct script *s, const char *name, const char *text, size_t wrap)
{
	_cleanup_free_ char *first = NULL, *second = NULL;

	two_lines(text, wrap, &first, &second);
	buf_printf(&s->gp, "%s = ", name);
	text_gnuplot(&s->gp, first);
	if (*second) {
		buf_puts(&s->gp, ".\"\\n\".");
		text_gnuplot(&s->gp, second);
	}
	buf_puts(&s->gp, "\n");
}

struct label_room script_label_room(const struct report *r, size_t first, size_t end, size_t wrap)
{
	struct label_room room = { 0, 1 };

	for (size_t c = first; c < end; c++) {
		_cleanup_free_ char *one = NULL, *two = NULL;
		size_t w1, w2;

		two_lines(r->cells[c].technique_label, wrap, &one, &two);
		w1 = text_width(one, strlen(one));
		w2 = text_width(two, strlen(two));
		room.columns = w1 > room.columns ? w1 : room.columns;
		room.columns = w2 > room.columns ? w2 : room.columns;
		room.lines = *two ? 2 : room.lines;
	}
	return room;
}

void script_key(struct script *s, struct label_room room, size_t n)
{
	unsigned need = 80 + (unsigned)n * (room.lines > 1 ? 32 : 25);
	double x;

	s->height = s->height < need ? need : s->height;
	x = 1 - ((double)room.columns * CHAR_PX + 62) / s->width;

	buf_puts(&s->gp, "set title heading font ',15'\n");
	buf_printf(&s->gp, "set rmargin at screen %.4f\nset tmargin at screen %.4f\n", x - 0.008,
		1 - 44.0 / s->height);
	buf_printf(&s->gp,
		"set key at screen %.4f,%.4f left top vertical maxrows %zu Left reverse samplen 1.6 spacing "
		"%s\n",
		x, 1 - 44.0 / s->height, n, room.lines > 1 ? "1.6" : "1.25");
}

void script_loop(struct script *s)
{
	struct buf *gp = &s->gp;

	buf_printf(gp, "\nset border linecolor rgb '#555555'\nset tics nomirror scale 0.5\n"
		       "set grid linecolor rgb '#e2e2e2' linetype 1 linewidth 1\n\n");
	buf_puts(gp, "do for [format in 'svg pdf'] {\n\tif (format eq 'svg') {\n");
	buf_printf(gp,
		"\t\tset terminal svg noenhanced dynamic size %u,%u font 'Helvetica,%d' background "
		"'#ffffff'\n",
		s->width, s->height, FONT_PX);
	buf_printf(gp,
		"\t} else {\n\t\tset terminal pdfcairo noenhanced size %.2fin,%.2fin font "
		"'Helvetica,%.1f'\n\t}\n",
		s->width / PX_PER_INCH, s->height / PX_PER_INCH,
		FONT_PX * 80 / PX_PER_INCH); /* a little larger than to scale: paper is read from afar */
	buf_printf(gp, "\tset output '%s.'.format\n", s->f->stem);
}

void script_end(struct script *s)
{
	buf_puts(&s->gp, "\tunset output\n}\n");
}
