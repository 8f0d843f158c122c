/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces made by us, named by a bind mount in /run/netns (so that `ip netns` shows them while a
 * campaign runs), and how to enter them in a way that every runtime can live with.
 */
#ifndef VTAX_HOST_NETNS_H
#define VTAX_HOST_NETNS_H

#include "base/err.h"

#include <stdbool.h>

struct journal;

struct netns {
	char name[48]; /* "vtax-3f2a-sut" */
	char path[96]; /* "/run/netns/vtax-3f2a-sut" */
	int fd;	       /* O_CLOEXEC; -1 closed */
};

#define NETNS_INIT ((struct netns){ .fd = -1 })

/*
 * Creates it with `lo` up; -EEXIST when a namespace of that name is already there. /run/netns is made, and made
 * a shared mount as iproute2 does, when it is not yet; that too is undone, unless somebody uses it by then.
 */
int netns_create(struct netns *ns, struct journal *j, const char *name, struct vt_err *err);
void netns_close(struct netns *ns); /* the descriptor only */

/* Enters it in the calling thread for good (in a child, before exec). */
int netns_enter(const struct netns *ns, struct vt_err *err);

/*
 * Enters it, and a private mount namespace where /sys shows its interfaces while the cgroup hierarchies stay
 * reachable: unshare(CLONE_NEWNS), bind /sys/fs/cgroup aside, fresh sysfs on /sys, bind the cgroups back.
 * `hide_unified` also detaches /sys/fs/cgroup/unified, which crun refuses to see beside v1. Whatever else is
 * mounted below /sys (securityfs, bpf, tracefs …) is carried over too. Nothing mounted from here on shows on
 * the host; what the host mounts or unmounts later shows here.
 */
int netns_enter_with_sysfs(const struct netns *ns, bool hide_unified, struct vt_err *err);

/* In place of a namespace's descriptor: the one that the calling thread is in. */
#define NETNS_SELF (-2)

/* A socket that belongs to that namespace (it stays so whoever uses it): the descriptor, or a negative errno. */
int netns_socket(int ns_fd, int domain, int type, int protocol, struct vt_err *err);

/*
 * Runs fn in a namespace (fd) on a helper thread, so that the caller's own namespace never changes. All signals
 * are blocked on that thread. With NETNS_SELF fn is called directly.
 */
int netns_call(int ns_fd, int (*fn)(void *arg, struct vt_err *err), void *arg, struct vt_err *err);

#endif
