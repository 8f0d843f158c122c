/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One decoder, which never reads past the NUL and never yields a surrogate, an overlong form or a character
 * that could steer a terminal; the writers differ only in what they escape.
 */
#include "report/text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT 0xfffd

/* The character at *s, which is advanced by at least one byte unless it is at the NUL. */
static uint32_t decode(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned extra = p[0] < 0x80 ? 0 : p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
	uint32_t c = extra == 0 ? p[0] : extra == 1 ? p[0] & 0x1fu : extra == 2 ? p[0] & 0x0fu : p[0] & 0x07u;

	(*s)++;
	if ((p[0] >= 0x80 && p[0] < 0xc0) || p[0] >= 0xf8)
		return REPLACEMENT;
	for (unsigned i = 1; i <= extra; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[extra] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return REPLACEMENT;
	*s += extra;
	return c;
}

/* Control characters, line and paragraph separators, and the marks that reorder what follows. */
static bool unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static uint32_t next(const char **s)
{
	uint32_t c = decode(s);

	return unsafe(c) ? ' ' : c;
}

static void put(struct buf *out, uint32_t c)
{
	char u[4];
	size_t n = 1;

	if (c < 0x80) {
		u[0] = (char)c;
	} else if (c < 0x800) {
		u[0] = (char)(0xc0 | c >> 6);
		u[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		u[0] = (char)(0xe0 | c >> 12);
		u[1] = (char)(0x80 | (c >> 6 & 0x3f));
		u[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		u[0] = (char)(0xf0 | c >> 18);
		u[1] = (char)(0x80 | (c >> 12 & 0x3f));
		u[2] = (char)(0x80 | (c >> 6 & 0x3f));
		u[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	buf_add(out, u, n);
}

void text_plain(struct buf *out, const char *s)
{
	while (*s)
		put(out, next(&s));
}

void text_markdown(struct buf *out, const char *s)
{
	while (*s) {
		uint32_t c = next(&s);

		if (c == '<')
			buf_puts(out, "&lt;");
		else if (c == '&')
			buf_puts(out, "&amp;");
		else if (c < 0x80 && strchr("\\`*_[]|~#", (int)c))
			buf_printf(out, "\\%c", (char)c);
		else
			put(out, c);
	}
}

void text_html(struct buf *out, const char *s)
{
	while (*s) {
		uint32_t c = next(&s);

		switch (c) {
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		case '\'':
			buf_puts(out, "&#39;");
			break;
		default:
			put(out, c);
		}
	}
}

/* In single quotes gnuplot gives a meaning to nothing but the quote itself. */
void text_gnuplot(struct buf *out, const char *s)
{
	buf_puts(out, "'");
	while (*s) {
		uint32_t c = next(&s);

		if (c == '\'')
			buf_puts(out, "''");
		else
			put(out, c);
	}
	buf_puts(out, "'");
}

void text_csv(struct buf *out, const char *s)
{
	if (!strpbrk(s, ",\"\r\n") && *s != ' ' && (!*s || s[strlen(s) - 1] != ' ')) {
		buf_puts(out, s);
		return;
	}
	buf_puts(out, "\"");
	for (; *s; s++) {
		if (*s == '"')
			buf_puts(out, "\"");
		buf_add(out, s, 1);
	}
	buf_puts(out, "\"");
}

static bool wide(uint32_t c)
{
	return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
	       (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
	       (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1f9ff) || c >= 0x20000;
}

static bool combining(uint32_t c)
{
	return (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200d) || (c >= 0xfe00 && c <= 0xfe0f);
}

size_t text_width(const char *s, size_t len)
{
	const char *end = s + len;
	size_t w = 0;

	while (s < end && *s) {
		uint32_t c = decode(&s);

		w += combining(c) ? 0 : wide(c) ? 2 : 1;
	}
	return w;
}

void text_slug(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s && n + 1 < size && n < 48; s++) {
		unsigned char c = (unsigned char)*s;

		if (isascii(c) && isalnum(c))
			out[n++] = (char)tolower(c);
		else if (c == '_' || c == '-')
			out[n++] = (char)c;
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	if (n == 0)
		out[n++] = 'x';
	out[n] = '\0';
}

void text_shell(struct buf *out, const char *s)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";

	if (*s && strspn(s, safe) == strlen(s)) {
		buf_puts(out, s);
		return;
	}
	buf_puts(out, "'");
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(out, "'\\''");
		else
			buf_add(out, s, 1);
	}
	buf_puts(out, "'");
}
