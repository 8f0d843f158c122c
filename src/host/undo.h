/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Undoing one change, and saying whether it is one that vtax may undo at all. */
#ifndef VTAX_HOST_UNDO_H
#define VTAX_HOST_UNDO_H

#include "host/journal.h"

#include <stdbool.h>

#define UNDO_RUN_DIR "/run/vtax"

/* Pure check of kind and argument; `state` is journal_state_dir(). -EPERM with the reason. */
int undo_check(const char *state, enum undo_kind kind, const char *arg, struct vt_err *err);

/* Checks and does it. What is already gone is fine. */
int undo_perform(const char *state, enum undo_kind kind, const char *arg, struct vt_err *err);

/* Does it belong to the running kernel, so that it is gone after a reboot? */
bool undo_is_volatile(enum undo_kind kind);

/* Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. */
int undo_start_time(pid_t pid, uint64_t *start, struct vt_err *err);

#endif
