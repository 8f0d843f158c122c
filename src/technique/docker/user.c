/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See user.h. */
#include "technique/docker/user.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strvec.h"
#include "base/xalloc.h"
#include "technique/program.h"

#include <fcntl.h>
#include <string.h>

#define USUAL_SOCKET "/var/run/docker.sock"
#define ASK_TIMEOUT_NS (5 * NS_PER_S)
#define IMPORT_TIMEOUT_NS (120 * NS_PER_S)
#define ANSWER_MAX (1 << 20)

static int call(const struct docker_user *u, uint64_t timeout_ns, struct buf *out, struct vt_err *err,
	const char *const *words)
{
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	struct child_spec spec = { .new_session = true, .die_with_parent = true };

	strvec_push(&argv, u->docker);
	strvec_pushf(&argv, "--host=unix://%s", u->socket);
	strvec_pushv(&argv, words);
	spec.argv = strvec_argv(&argv);
	return child_run(&spec, timeout_ns, out, err);
}

#define CALL(u, timeout, out, err, ...) call(u, timeout, out, err, (const char *const[]){ __VA_ARGS__, NULL })

/* $DOCKER_HOST may name another machine, whose namespaces we cannot enter. */
static int find_socket(struct docker_user *u, struct vt_err *err)
{
	const char *host = getenv("DOCKER_HOST");

	if (!host || !*host)
		host = "unix://" USUAL_SOCKET;
	if (strncmp(host, "unix:///", 8))
		return vt_fail(err, -ENOTSUP,
			"DOCKER_HOST is '%s': the user's daemon must be on this machine (unix:///…)", host);
	if ((size_t)snprintf(u->socket, sizeof(u->socket), "%s", host + 7) >= sizeof(u->socket))
		return vt_fail(err, -ENAMETOOLONG, "DOCKER_HOST is too long");
	return 0;
}

int docker_user_find(struct docker_user *out, struct vt_err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ANSWER_MAX);
	struct docker_user u = { 0 };
	char driver[32];
	int r = program_find("docker", NULL, u.docker, sizeof(u.docker), err);

	if (r == 0)
		r = find_socket(&u, err);
	if (r == 0 && access(u.socket, F_OK) < 0)
		r = vt_fail(
			err, -ENOENT, "no Docker daemon at '%s'; start it, or use daemon=private", u.socket);
	if (r < 0)
		return r;
	r = CALL(&u, ASK_TIMEOUT_NS, &b, err, "info", "--format={{.ServerVersion}} {{.CgroupDriver}}");
	if (r < 0)
		return vt_wrap(err, "the Docker daemon at '%s' does not answer", u.socket);
	if (sscanf(buf_str(&b), "%63s %31s", u.version, driver) != 2)
		return vt_fail(err, -EBADMSG, "the Docker daemon at '%s' gives an answer that makes no sense",
			u.socket);
	u.systemd = !strcmp(driver, "systemd");
	*out = u;
	return 0;
}

int docker_user_prepare(
	struct docker_user *u, struct testbed *tb, const struct payload *p, struct vt_err *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(ANSWER_MAX);
	char tar[320];
	int r;

	snprintf(u->image, sizeof(u->image), "vtax-%.24s:%.12s", tb->id, p->digest);
	/* Another technique of this campaign may have brought it: a second import would leave a nameless one. */
	if (CALL(u, ASK_TIMEOUT_NS, NULL, NULL, "image", "inspect", u->image) == 0)
		return 0;
	r = payload_tar(p, tar, err);
	if (r < 0)
		return r;
	r = journal_addf(tb->journal, UNDO_COMMAND, err, "%s\x1f--host=unix://%s\x1frmi\x1f--force\x1f%s",
		u->docker, u->socket, u->image);
	return r < 0 ? r : CALL(u, IMPORT_TIMEOUT_NS, &out, err, "import", tar, u->image);
}

int docker_user_journal(
	const struct docker_user *u, struct testbed *tb, const char *container, struct vt_err *err)
{
	return journal_addf(tb->journal, UNDO_COMMAND, err,
		"%s\x1f--host=unix://%s\x1frm\x1f--force\x1f--volumes\x1f%s", u->docker, u->socket,
		container);
}

/* "0::/system.slice/docker-ID.scope" (or a v1 line): the path of its first hierarchy that is not the root. */
static int container_cgroup(pid_t pid, struct cgroup *cg, struct vt_err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ANSWER_MAX);
	_cleanup_free_ char *file = xasprintf("/proc/%d/cgroup", (int)pid);
	char *save = NULL;
	int r = buf_read_file(&b, file, err);

	if (r < 0)
		return r;
	for (char *line = b.data ? strtok_r(b.data, "\n", &save) : NULL; line;
		line = strtok_r(NULL, "\n", &save)) {
		const char *path = strstr(line, ":/");

		if (!path || !path[2] || strlen(path + 2) >= sizeof(cg->path))
			continue;
		snprintf(cg->path, sizeof(cg->path), "%s", path + 2);
		return 0;
	}
	return vt_fail(err, -ENOENT, "cannot tell the cgroup of process %d", (int)pid);
}

static int container_pid(const struct docker_user *u, const char *container, pid_t *pid, struct vt_err *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(ANSWER_MAX);
	int r = CALL(u, ASK_TIMEOUT_NS, &b, err, "inspect", "--format={{.State.Pid}}", container);
	int n = 0;

	if (r < 0)
		return r;
	if (sscanf(buf_str(&b), "%d", &n) != 1 || n <= 0)
		return vt_fail(err, -ESRCH, "the container '%s' has no process on this machine", container);
	*pid = n;
	return 0;
}

int docker_user_wire(const struct docker_user *u, struct testbed *tb, enum wiring_mode mode,
	const char *container, unsigned n, const struct env_request *req, struct netns *ns, struct env *env,
	struct vt_err *err)
{
	_cleanup_free_ char *path = NULL;
	pid_t pid = 0;
	int r = container_pid(u, container, &pid, err);

	if (r == 0 && u->systemd)
		r = container_cgroup(pid, &env->cgroup, err);
	if (r < 0)
		return r;
	path = xasprintf("/proc/%d/ns/net", (int)pid);
	ns->path[0] = '\0';
	ns->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ns->fd < 0)
		return vt_fail_errno(err, "cannot open '%s'", path);
	return wiring_up(tb, mode, ns, n, req, env, err);
}
