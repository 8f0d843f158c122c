/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What launching has in common for every environment on this host: a number, a scratch directory, two
 * cgroups, the pipes to the agent, and the wait for its first word.
 *
 * The cgroups of environment 7 of campaign 3f2a are "vtax-3f2a/e7" (the environment alone: env->cgroup) and
 * "vtax-3f2a/m7" (what serves it on the host: env->monitor). They are siblings, never nested: cgroup2 allows
 * no processes in a group whose children have controllers, and runtimes make groups below "e7".
 */
#ifndef VTAX_TECHNIQUE_LAUNCH_H
#define VTAX_TECHNIQUE_LAUNCH_H

#include "technique/technique.h"

struct launch {
	unsigned n;    /* of this process: names are unique within a campaign */
	char name[48]; /* "vtax-3f2a-e7": of the container, the namespace, … */
	char dir[300]; /* scratch directory, removed when the environment is undone */
};

#define LAUNCH_GRACE_NS (2 * NS_PER_S) /* for an agent to leave by itself once its stdin is closed */

/* Journalled: the directory, env->cgroup and, when asked for, env->monitor; sets env->stderr_path. */
int launch_place(struct launch *l, struct testbed *tb, struct env *env, bool monitor, struct vt_err *err);

/* What to start: `prepare` runs in the child; envp NULL is our environment. */
struct launch_how {
	const char *const *argv, *const *envp;
	int (*prepare)(void *arg, struct vt_err *err);
	void *arg;
};

/*
 * Starts it in a session of its own, to die with us, with pipes as stdin and stdout (our ends in *in, *out)
 * and its stderr added to env->stderr_path.
 */
int launch_piped(struct child *c, int *in, int *out, const struct env *env, const struct launch_how *how,
	struct vt_err *err);

/* The same as env->launcher, env->agent_in and env->agent_out; sets env->started_ns. */
int launch_agent(struct env *env, const struct launch_how *how, struct vt_err *err);

/*
 * Waits until the agent says something. -EPIPE when the launcher ends or closes its output before that: the
 * message has how it ended and its last words on stderr; -ETIMEDOUT at the deadline.
 */
int launch_await(struct env *env, uint64_t deadline_ns, struct vt_err *err);

/*
 * Closes what is left of the pipes, which makes the agent leave, and waits for the launcher. Past grace_ns
 * everything in env->cgroup is killed, then the launcher (what else there is, the journal undoes), and false
 * is returned. Copes with an environment that already died.
 */
bool launch_stop(struct env *env, uint64_t grace_ns);

/* The last words of the launcher on stderr, made one printable line; "" when there are none. */
void launch_said(const struct env *env, char *out, size_t size);

/*
 * An agent (any program) on the bare SUT side, in a cgroup of its own: what `native` is. `l` was placed.
 */
int launch_bare(struct testbed *tb, const char *program, const struct env_request *req, struct env *env,
	struct vt_err *err);

#endif
