/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum log_level threshold = LOG_INFO;
static void (*hook)(void);

void log_set_level(enum log_level level)
{
	threshold = level;
}

enum log_level log_get_level(void)
{
	return threshold;
}

void log_set_hook(void (*before_line)(void))
{
	hook = before_line;
}

static void line(enum log_level level, const char *prefix, const char *fmt, va_list ap)
{
	if (level > threshold)
		return;
	if (hook)
		hook();
	fputs(prefix, stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_QUIET, "vtax: ", fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_WARN, "vtax: warning: ", fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_INFO, "", fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_DEBUG, "debug: ", fmt, ap);
	va_end(ap);
}

bool log_is_terminal(int fd)
{
	const char *term = getenv("TERM");

	if (!isatty(fd) || getenv("NO_COLOR"))
		return false;
	return term && strcmp(term, "dumb") != 0;
}
