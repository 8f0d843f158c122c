/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removing files in places where others (containers, guests) could write: by descriptor, never by a long
 * path. */
#ifndef VTAX_HOST_TREE_H
#define VTAX_HOST_TREE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Absolute, no empty, "." or ".." component, no trailing '/', shorter than PATH_MAX. */
bool tree_path_is_plain(const char *path);

/* Strictly below `base`, both plain. */
bool tree_is_below(const char *path, const char *base);

/* mkdir -p of an absolute path: missing folders are made with `mode` (the last one) and 0755 (those above
 * it). */
int tree_make(const char *path, unsigned mode, struct vt_err *err);

/*
 * Removes `path` and everything in it. `base` is a trusted folder above it: from there on no symbolic link
 * is followed. Never crosses into a mounted file system (-EBUSY: unmount first). Absent is fine. `keep`,
 * which may be NULL, names one entry of the top folder that stays (and the folder with it).
 */
int tree_remove(const char *base, const char *path, const char *keep, struct vt_err *err);

/* Removes one file (not a folder) in the same manner. Absent is fine. */
int tree_unlink(const char *base, const char *path, struct vt_err *err);

#endif
