/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an environment really is, read from the host's side while it runs: the report shows options as
 * applied, not as asked for. A fact that cannot be read is null, never a guess.
 */
#ifndef VTAX_TECHNIQUE_READBACK_H
#define VTAX_TECHNIQUE_READBACK_H

#include "technique/technique.h"

/*
 * A new object about the process `pid` (host's numbering) and its network interface `ifname` as it sees it:
 *	cpus_allowed, nofile, seccomp (off|strict|filter), no_new_privs, capabilities (effective, hex),
 *	namespaces {kind: own|host} (net: host is the SUT side's; mnt: host is also its launcher's), rootfs {type, readonly}, cgroup (our path), cgroup_monitor,
 *	interface {name, mtu, offloads {…}}.
 * -ESRCH when the process is gone.
 */
int readback_environment(json_t **out, pid_t pid, const struct testbed *tb, const char *ifname, const struct env *env,
	struct vt_err *err);

/* The process in env->cgroup that runs the program `exe_suffix` ("/vtax/agent"), by /proc/PID/exe. -ESRCH. */
int readback_find(pid_t *pid, const struct cgroup *cg, const char *exe_suffix, struct vt_err *err);

#endif
