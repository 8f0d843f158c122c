/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors: every function that can fail returns 0 or a negative errno and takes `struct vt_err *err` last.
 *
 * The message is written for the person at the terminal: lower case, cause first, subject quoted, and what
 * to do next. It is set where the cause is known and wrapped with context on the way up; only src/cmd prints
 * it. `err` may be NULL when the caller does not care. Outputs are untouched on failure.
 */
#ifndef VTAX_BASE_ERR_H
#define VTAX_BASE_ERR_H

#include <stdarg.h>

/* What the failure means to whoever started us; it becomes the exit code (see docs/manual.md). */
enum vt_err_kind {
	VT_ERR_HOST = 0, /* this machine cannot do it, now or ever: exit 77 */
	VT_ERR_USAGE,	 /* the user asked for something that makes no sense: exit 2 */
	VT_ERR_INVALID,	 /* it ran, but the result cannot be trusted: exit 3 */
};

struct vt_err {
	int code; /* negative errno of the first cause; 0 when nothing failed */
	enum vt_err_kind kind;
	char msg[1024];
};

/* Each sets *err (replacing what was there) and returns `code`, so that callers can `return vt_fail(…)`. */
int vt_fail(struct vt_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vt_usage(struct vt_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int vt_invalid(struct vt_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Like vt_fail() with -errno, appending ": strerror(errno)". */
int vt_fail_errno(struct vt_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the message and returns err->code (or -EIO when err is NULL). */
int vt_wrap(struct vt_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Replaces newlines and unprintable bytes, so that a hostile message stays one harmless line. */
void vt_err_sanitize(struct vt_err *err);

#endif
