/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Child processes: an argv array (never a shell), explicit stdio, a deadline on every wait, killed by pidfd
 * so that a recycled pid is never hit. All other descriptors of ours are O_CLOEXEC.
 */
#ifndef VTAX_BASE_CHILD_H
#define VTAX_BASE_CHILD_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct child {
	pid_t pid; /* 0: none */
	int pidfd; /* -1: none */
};

#define CHILD_INIT ((struct child){ .pid = 0, .pidfd = -1 })

/* A descriptor for the child's stdin/stdout/stderr; it stays the caller's and is duplicated. */
#define CHILD_NULL (-1)	   /* /dev/null */
#define CHILD_INHERIT (-2) /* ours */

struct child_spec {
	const char *const *argv; /* argv[0] is looked up in PATH unless it has a slash */
	const char *const *envp; /* NULL: our environment */
	int in, out, errout;
	bool new_session; /* setsid(): no controlling terminal, Ctrl-C does not reach it */
	bool die_with_parent; /* PR_SET_PDEATHSIG SIGKILL */
	/*
	 * Runs in the child before exec, for namespaces, cgroup, affinity. Returning a negative errno with
	 * *err set makes child_start() fail with that error in the parent.
	 */
	int (*prepare)(void *arg, struct vt_err *err);
	void *arg;
};

/* Starts it; errors before and in exec (for example -ENOENT) are reported here, not by exit status. */
int child_start(struct child *c, const struct child_spec *spec, struct vt_err *err);

/*
 * Waits for its end. *status is as from waitpid(2) and may be NULL.
 * Returns 0, or -ETIMEDOUT when it still runs at the deadline (it is left running).
 */
int child_wait(struct child *c, uint64_t deadline_ns, int *status, struct vt_err *err);

/* SIGKILL and reap; a `struct child` that holds nothing is fine. */
void child_kill(struct child *c);

/* Sends `sig`, waits up to the deadline, then SIGKILL. */
void child_stop(struct child *c, int sig, uint64_t deadline_ns);

#define _cleanup_child_ __attribute__((cleanup(child_kill)))

/*
 * Runs a command to its end. Its stdout is added to *out, its stderr kept for the error message (last line).
 * `out` may be NULL. Fails when it cannot start, outlives timeout_ns (it is killed) or exits non-zero.
 * spec->in, out, errout are ignored: stdin is /dev/null.
 */
int child_run(const struct child_spec *spec, uint64_t timeout_ns, struct buf *out, struct vt_err *err);

#endif
