/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/strvec.h"

#include "base/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void own(struct strvec *s, char *text)
{
	if (s->n + 2 > s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->v = xrealloc(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = text;
	s->v[s->n] = NULL;
}

void strvec_push(struct strvec *s, const char *text)
{
	own(s, xstrdup(text));
}

void strvec_pushf(struct strvec *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	own(s, xvasprintf(fmt, ap));
	va_end(ap);
}

void strvec_pushv(struct strvec *s, const char *const *texts)
{
	for (; *texts; texts++)
		strvec_push(s, *texts);
}

bool strvec_contains(const struct strvec *s, const char *text)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], text) == 0)
			return true;
	return false;
}

void strvec_release(struct strvec *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = STRVEC_INIT;
}
