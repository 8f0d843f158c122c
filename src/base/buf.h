/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing byte buffer with a ceiling. `data` is always NUL-terminated (the NUL is not counted), so a
 * buffer of text can be used as a string. Past `max` bytes every add fails with -ENOBUFS and marks the
 * buffer `failed`; a caller may add many times and check once.
 */
#ifndef VTAX_BASE_BUF_H
#define VTAX_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len, cap, max;
	bool failed;
};

#define BUF_INIT(max_) ((struct buf){ .max = (max_) })

int buf_add(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* The text so far; "" for an empty buffer, never NULL. */
const char *buf_str(const struct buf *b);

/* Gives the malloc'ed text to the caller and leaves the buffer empty; NULL when out of memory. */
char *buf_detach(struct buf *b);

void buf_clear(struct buf *b); /* empty, keep the memory */
void buf_release(struct buf *b);

#define _cleanup_buf_ __attribute__((cleanup(buf_release)))

/* Whole file into the buffer; -EFBIG past b->max. `err` may be NULL. */
struct vt_err;
int buf_read_file(struct buf *b, const char *path, struct vt_err *err);

/*
 * Everything into `path` through a temporary file and rename: readers see all or nothing. A link of that name is
 * replaced, not followed; a device, pipe or socket is refused (-EEXIST).
 */
int buf_write_file(const struct buf *b, const char *path, unsigned mode, struct vt_err *err);

#endif
