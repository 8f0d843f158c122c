/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the cgroup hierarchies are mounted; only for cgroup.c and its tests. */
#ifndef VTAX_HOST_CGROUP_FS_H
#define VTAX_HOST_CGROUP_FS_H

#include "host/cgroup.h"
#include "host/mountinfo.h"

#define HIERARCHY_MAX 24

/* Controllers as bits. cgroup2 has none: what it offers is asked for per cgroup. */
enum {
	CTRL_CPU = 1 << 0,
	CTRL_CPUACCT = 1 << 1,
	CTRL_CPUSET = 1 << 2,
	CTRL_MEMORY = 1 << 3,
	CTRL_PIDS = 1 << 4,
	CTRL_FREEZER = 1 << 5,
	CTRL_DEVICES = 1 << 6,
};

struct hierarchy {
	int fd; /* its root, O_PATH; -1 until opened */
	bool v2;
	unsigned controllers; /* v1: those of ours that are bound to it */
	char point[256];
};

struct hierarchies {
	struct hierarchy h[HIERARCHY_MAX];
	size_t n;
	enum cgroup_layout layout;
};

/* From a mount table, without opening anything. -ENODEV when there is nothing usable. */
int hierarchies_find(struct hierarchies *hs, const struct mountinfo *m);

/* The machine's, opened once and kept: the descriptors stay valid in another mount namespace. */
int hierarchies_get(const struct hierarchies **hs, struct vt_err *err);

/*
 * Must our cgroups exist in it? The others (blkio, name=systemd, net_cls …) are made and entered too where
 * that works: what a runtime then makes "next to itself" there lies below ours and is swept with it.
 */
static inline bool hierarchy_is_needed(const struct hierarchy *h)
{
	return h->v2 || h->controllers;
}

#endif
