/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A NULL-terminated, growing list of owned strings: argv arrays, environments, lists of names.
 * Out of memory aborts: a controller that cannot allocate an argv has nothing sensible left to do.
 */
#ifndef VTAX_BASE_STRVEC_H
#define VTAX_BASE_STRVEC_H

#include <stdbool.h>
#include <stddef.h>

struct strvec {
	char **v; /* NULL-terminated once anything was pushed; use strvec_argv() for exec */
	size_t n, cap;
};

#define STRVEC_INIT ((struct strvec){ 0 })

void strvec_push(struct strvec *s, const char *text);
void strvec_pushf(struct strvec *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strvec_pushv(struct strvec *s, const char *const *texts); /* NULL-terminated */
bool strvec_contains(const struct strvec *s, const char *text);

/* For exec: the array as `const char *const *`. */
static inline const char *const *strvec_argv(const struct strvec *s)
{
	static const char *const none[] = { NULL };

	return s->n ? (const char *const *)s->v : none;
}

void strvec_release(struct strvec *s);

#define _cleanup_strvec_ __attribute__((cleanup(strvec_release)))

#endif
