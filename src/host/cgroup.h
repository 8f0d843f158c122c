/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control groups of ours, on pure v2, hybrid and pure v1 layouts alike.
 *
 * A `struct cgroup` is one relative path ("vtax-3f2a/env") that exists in every mounted hierarchy: cgroup2
 * where there is one (process tracking and cpu.stat need no controller there), and the v1 hierarchies.
 * Processes started in it are found by it: vtax never looks for a process by name. What a runtime makes below
 * it, or next to the process that started it, is removed with it. Give a runtime an explicit path below ours
 * all the same: without one, crun and runc go to the root of some hierarchies.
 */
#ifndef VTAX_HOST_CGROUP_H
#define VTAX_HOST_CGROUP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_layout { CGROUP_V2, CGROUP_HYBRID, CGROUP_V1 };

/* Found once; cannot-run error when no usable hierarchy is mounted. */
int cgroup_layout(enum cgroup_layout *layout, struct vt_err *err);
const char *cgroup_layout_name(enum cgroup_layout layout); /* "v2", "hybrid", "v1" */

struct cgroup {
	char path[128]; /* relative to each hierarchy's root, no leading '/' */
};

/* A path vtax may make and remove: first component "vtax…", no "." or "..", [A-Za-z0-9._:-] and '/'. */
bool cgroup_path_is_ours(const char *path);

/*
 * Makes it, and those above it that are missing, in every hierarchy. `j` may be NULL (nothing is undone
 * then). On cgroup2 a cgroup with children cannot hold processes itself: enter leaves only.
 */
struct journal;
int cgroup_create(struct cgroup *cg, struct journal *j, const char *path, struct vt_err *err);
int cgroup_enter(
	const struct cgroup *cg, struct vt_err *err); /* the calling process, e.g. in child prepare */

/*
 * CPU time used by everything in it and below, ns since it was made: the larger of cgroup2's and cpuacct's
 * account, since a runtime may move its container out of one of them (docs/method-cpu.md).
 */
int cgroup_cpu_ns(const struct cgroup *cg, uint64_t *ns, struct vt_err *err);

/* Bytes charged (memory.current / memory.usage_in_bytes); -ENOTSUP without the controller. */
int cgroup_memory_bytes(const struct cgroup *cg, uint64_t *bytes, struct vt_err *err);

/* SIGKILLs every process in it and below, until none is left or the deadline passes. Refuses to kill
 * ourselves. */
int cgroup_kill(const struct cgroup *cg, uint64_t deadline_ns, struct vt_err *err);

/* Kills what is left and removes it with everything below (runtimes leave sub-groups). Fine when absent. */
int cgroup_remove(const struct cgroup *cg, struct vt_err *err);

/* The pids in it and below, through every hierarchy, ascending; free() the array. None (NULL) when absent. */
int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n, struct vt_err *err);

#endif
