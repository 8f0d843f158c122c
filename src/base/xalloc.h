/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation that cannot fail, for small control-plane objects: out of memory prints one line and aborts
 * (the undo journal on disk still lets `vtax clean` undo everything). Anything whose size an outsider
 * chooses goes through `struct buf` and its ceiling instead.
 */
#ifndef VTAX_BASE_XALLOC_H
#define VTAX_BASE_XALLOC_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size); /* zeroed */
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif
