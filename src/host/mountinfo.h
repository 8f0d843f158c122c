/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mounted, in the calling process's mount namespace: /proc/self/mountinfo, see proc(5). */
#ifndef VTAX_HOST_MOUNTINFO_H
#define VTAX_HOST_MOUNTINFO_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct mount {
	char *dev;    /* "0:38" */
	char *root;   /* what of the file system is mounted: "/" or a folder of it */
	char *point;  /* where */
	char *fstype; /* "cgroup2" */
	char *super;  /* options of the file system: "rw,cpu,cpuacct" */
};

struct mountinfo {
	struct mount *mounts; /* in the order in which they were made: a later one may cover an earlier one */
	size_t n;
};

#define MOUNTINFO_INIT ((struct mountinfo){ 0 })

int mountinfo_read(struct mountinfo *m, struct vt_err *err);
void mountinfo_parse(struct mountinfo *m, const char *text); /* lines that make no sense are left out */
void mountinfo_release(struct mountinfo *m);

#define _cleanup_mountinfo_ __attribute__((cleanup(mountinfo_release)))

/* Is `word` one of the comma-separated options? */
bool mountinfo_has_option(const char *options, const char *word);

/*
 * Detaches (umount -l) whatever is mounted at `path` and, when `below`, under it, newest first. `path` is
 * absolute and canonical. Nothing mounted is fine.
 */
int mountinfo_detach(const char *path, bool below, struct vt_err *err);

#endif
