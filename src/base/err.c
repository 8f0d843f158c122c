/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int set(struct vt_err *err, int code, enum vt_err_kind kind, const char *fmt, va_list ap)
{
	if (code == 0)
		code = -EIO;
	if (!err)
		return code;
	err->code = code;
	err->kind = kind;
	vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	return code;
}

int vt_fail(struct vt_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = set(err, code, VT_ERR_HOST, fmt, ap);
	va_end(ap);
	return code;
}

int vt_usage(struct vt_err *err, const char *fmt, ...)
{
	va_list ap;
	int code;

	va_start(ap, fmt);
	code = set(err, -EINVAL, VT_ERR_USAGE, fmt, ap);
	va_end(ap);
	return code;
}

int vt_invalid(struct vt_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = set(err, code, VT_ERR_INVALID, fmt, ap);
	va_end(ap);
	return code;
}

int vt_fail_errno(struct vt_err *err, const char *fmt, ...)
{
	int code = -errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	code = set(err, code, VT_ERR_HOST, fmt, ap);
	va_end(ap);
	if (err) {
		n = strlen(err->msg);
		snprintf(err->msg + n, sizeof err->msg - n, ": %s", strerror(-code));
	}
	return code;
}

int vt_wrap(struct vt_err *err, const char *fmt, ...)
{
	char inner[sizeof err->msg];
	va_list ap;
	size_t n;

	if (!err)
		return -EIO;
	memcpy(inner, err->msg, sizeof inner);
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof err->msg - n, ": %.*s", (int)(sizeof inner - 1), inner);
	return err->code ? err->code : -EIO;
}

void vt_err_sanitize(struct vt_err *err)
{
	for (char *p = err->msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}
