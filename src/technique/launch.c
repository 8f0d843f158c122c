/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Launching an environment; see launch.h. The launcher (the agent itself, a runtime, a client of a daemon) is
 * our child and dies with us; the agent dies with its stdin. What neither of the two ends is found by cgroup.
 *
 * The wait for the agent's first byte is here and not left to the link, because only here a launcher that
 * ends without a word can be told from an agent that does, and its last words can be shown.
 */
#include "technique/launch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strvec.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SAID_BYTES                                                                                           \
	600 /* of the end of stderr that are looked at: some lines, the cause is not always in the last */

static int place_cgroup(struct cgroup *cg, struct testbed *tb, char kind, unsigned n, struct vt_err *err)
{
	char path[sizeof(cg->path)];

	if ((size_t)snprintf(path, sizeof(path), "%s/%c%u", tb->root.path, kind, n) >= sizeof(path))
		return vt_fail(err, -ENAMETOOLONG, "the cgroup path '%s' is too long", tb->root.path);
	return cgroup_create(cg, tb->journal, path, err);
}

int launch_place(struct launch *l, struct testbed *tb, struct env *env, bool monitor, struct vt_err *err)
{
	static unsigned counter;
	int r;

	l->n = ++counter;
	snprintf(l->name, sizeof(l->name), "vtax-%s-e%u", tb->id, l->n);
	snprintf(l->dir, sizeof(l->dir), "%s/e%u", journal_dir(tb->journal), l->n);
	r = journal_add(tb->journal, UNDO_TREE, l->dir, err);
	if (r < 0)
		return r;
	if (mkdir(l->dir, 0700) < 0)
		return vt_fail_errno(err, "cannot create '%s'", l->dir);
	snprintf(env->stderr_path, sizeof(env->stderr_path), "%s/stderr", l->dir);
	r = place_cgroup(&env->cgroup, tb, 'e', l->n, err);
	if (r < 0 || !monitor)
		return r;
	return place_cgroup(&env->monitor, tb, 'm', l->n, err);
}

int launch_piped(struct child *c, int *in, int *out, const struct env *env, const struct launch_how *how,
	struct vt_err *err)
{
	_cleanup_close_ int in_child = -1, in_ours = -1, out_child = -1, out_ours = -1, said = -1;
	struct child_spec spec = {
		.argv = how->argv,
		.envp = how->envp,
		.new_session = true,
		.die_with_parent = true,
		.prepare = how->prepare,
		.arg = how->arg,
	};
	int a[2], b[2], r;

	if (pipe2(a, O_CLOEXEC) < 0)
		return vt_fail_errno(err, "cannot make a pipe");
	in_child = a[0];
	in_ours = a[1];
	if (pipe2(b, O_CLOEXEC) < 0)
		return vt_fail_errno(err, "cannot make a pipe");
	out_ours = b[0];
	out_child = b[1];
	said = open(env->stderr_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (said < 0)
		return vt_fail_errno(err, "cannot create '%s'", env->stderr_path);
	spec.in = in_child;
	spec.out = out_child;
	spec.errout = said;
	r = child_start(c, &spec, err);
	if (r < 0)
		return r;
	*in = steal_fd(&in_ours);
	*out = steal_fd(&out_ours);
	return 0;
}

int launch_agent(struct env *env, const struct launch_how *how, struct vt_err *err)
{
	env->started_ns = clock_now_ns();
	return launch_piped(&env->launcher, &env->agent_in, &env->agent_out, env, how, err);
}

void launch_said(const struct env *env, char *out, size_t size)
{
	_cleanup_close_ int fd = open(env->stderr_path, O_RDONLY | O_CLOEXEC);
	char text[SAID_BYTES + 1], *save = NULL;
	size_t used = 0;
	struct stat st;
	ssize_t len;

	out[0] = '\0';
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	len = pread(fd, text, SAID_BYTES, st.st_size > SAID_BYTES ? st.st_size - SAID_BYTES : 0);
	if (len <= 0)
		return;
	text[len] = '\0';
	for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		for (char *c = line; *c; c++)
			if (iscntrl((unsigned char)*c))
				*c = ' ';
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "; " : "", line);
		if (used >= size)
			return;
	}
}

/* Says how an environment failed that never spoke. */
static int silent_end(struct env *env, uint64_t deadline_ns, struct vt_err *err)
{
	char said[SAID_BYTES * 2], how[64] = "closed its output";
	uint64_t soon = clock_deadline_ns(500 * NS_PER_MS);
	int status;

	if (child_wait(&env->launcher, soon < deadline_ns ? soon : deadline_ns, &status, NULL) == 0) {
		if (WIFEXITED(status))
			snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
		else
			snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
	}
	launch_said(env, said, sizeof(said));
	return vt_fail(
		err, -EPIPE, "the environment %s before its agent spoke%s%s", how, *said ? ": " : "", said);
}

int launch_await(struct env *env, uint64_t deadline_ns, struct vt_err *err)
{
	for (;;) {
		struct pollfd p[2] = {
			{ .fd = env->agent_out, .events = POLLIN },
			{ .fd = env->launcher.pidfd, .events = POLLIN },
		};
		char said[SAID_BYTES * 2];

		if (poll(p, 2, clock_poll_ms(deadline_ns)) < 0) {
			if (errno != EINTR)
				return vt_fail_errno(err, "cannot wait for the agent");
			continue; /* the first Ctrl-C lets a trial end by itself */
		}
		if (p[0].revents & POLLIN)
			return 0;
		if (p[0].revents || p[1].revents)
			return silent_end(env, deadline_ns, err);
		if (clock_now_ns() < deadline_ns)
			continue;
		launch_said(env, said, sizeof(said));
		return vt_fail(err, -ETIMEDOUT, "the environment hangs: its agent said nothing in time%s%s",
			*said ? "; the last words were: " : "", said);
	}
}

bool launch_stop(struct env *env, uint64_t grace_ns)
{
	cleanup_closep(&env->agent_in);
	cleanup_closep(&env->agent_out);
	if (env->launcher.pid <= 0)
		return true;
	if (child_wait(&env->launcher, clock_deadline_ns(grace_ns), NULL, NULL) == 0)
		return true;
	if (env->cgroup.path[0])
		cgroup_kill(&env->cgroup, clock_deadline_ns(LAUNCH_GRACE_NS), NULL);
	/* A daemon's client ends by itself once its container is gone, and tidies up: let it. */
	child_wait(&env->launcher, clock_deadline_ns(grace_ns), NULL, NULL);
	child_kill(&env->launcher);
	return false;
}

int launch_bare(struct testbed *tb, const char *program, const struct env_request *req, struct env *env,
	struct vt_err *err)
{
	struct side side = tb->sut; /* the same place, but a cgroup of its own: its CPU starts at zero */
	const char *const argv[] = { program, NULL };
	struct launch_how how = { .argv = argv, .prepare = side_prepare, .arg = &side };
	int r;

	side.cgroup = env->cgroup;
	r = launch_agent(env, &how, err);
	return r < 0 ? r : launch_await(env, req->deadline_ns, err);
}
