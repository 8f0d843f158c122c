/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chatter for the person at the terminal, on stderr. Results go to stdout and never pass through here.
 * Not for the measured path.
 */
#ifndef VTAX_BASE_LOG_H
#define VTAX_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_QUIET, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* LOG_INFO until said otherwise */
enum log_level log_get_level(void);

/* Called before a line is written, so that a progress line can be wiped first. NULL: none. */
void log_set_hook(void (*before_line)(void));

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whether colour and cursor movement are welcome on this descriptor (a terminal, TERM not dumb, NO_COLOR unset). */
bool log_is_terminal(int fd);

#endif
