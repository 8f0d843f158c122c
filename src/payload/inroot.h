/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files below a root directory that is not "/": an unpacked package, a root filesystem being built. Paths
 * are absolute *inside* the root, and no symlink, ".." or absolute link in the tree can lead out of it
 * (openat2(2) RESOLVE_IN_ROOT, Linux 5.6).
 */
#ifndef VTAX_PAYLOAD_INROOT_H
#define VTAX_PAYLOAD_INROOT_H

#include "base/err.h"

#include <stdint.h>
#include <sys/stat.h>

/* A descriptor, or negative errno (-ENOENT and others, no message: the caller knows what it means). */
int inroot_open(int root_fd, const char *path, int flags, mode_t mode);

/* The directory at `path` and all its parents, 0755 where missing. */
int inroot_mkdirs(int root_fd, const char *path, struct vt_err *err);

/* A descriptor (O_PATH) of the directory that holds `path`; *leaf points into `path`. */
int inroot_parent(int root_fd, const char *path, const char **leaf, struct vt_err *err);

/*
 * The one spelling of a path: no "//", no "/./", and /bin, /sbin, /lib, /lib64 below /usr, as where /usr is
 * merged. NULL for a relative path or one with "..". The caller frees.
 */
char *inroot_canonical(const char *path);

/* Removes a directory and everything below, never crossing into another filesystem. Fine when absent. */
int inroot_remove(const char *path, uint64_t *freed_bytes, struct vt_err *err);

#endif
