/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root filesystem of an OCI environment. The payload is shared by every technique and never written to:
 *
 *	overlay  an overlayfs with the payload below and a fresh upper directory: everything can be written
 *	bind     the payload's directory itself, mounted read-only, with a fresh directory of the host on
 * /data and tmpfs on /tmp and /run: no layer between a program and its files
 *
 * Mounted in the launcher's private mount namespace: the host's mount table never changes, and the mounts are
 * gone when the last process in it is.
 */
#ifndef VTAX_TECHNIQUE_OCI_ROOT_H
#define VTAX_TECHNIQUE_OCI_ROOT_H

#include "base/err.h"

#include <stdbool.h>

struct oci_root {
	const char *lower; /* the payload's rootfs */
	char path[320];	   /* where the root is mounted */
	char upper[320], work[320], data[320];
	bool overlay, readonly;
	bool complete; /* also mount /proc, /dev, /sys: for a container without a mount namespace */
};

/* Makes the directories below `dir` (an existing scratch directory, undone by its owner). */
int oci_root_make(struct oci_root *root, const char *dir, const char *lower, bool overlay, bool readonly,
	struct vt_err *err);

/* In the child, in its private mount namespace. */
int oci_root_mount(const struct oci_root *root, struct vt_err *err);

#endif
