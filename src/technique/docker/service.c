/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See service.h. dockerd is started in the SUT's network namespace with a sysfs that shows it, and in a
 * private mount namespace where it cannot write to the host's /etc, /opt and /run: it keeps a key in
 * /etc/docker, and containerd makes /opt/containerd and /run/containerd, whatever the two are told on the
 * command line.
 *
 * "container" in its environment keeps dockerd from loading its AppArmor profile into the kernel, where it
 * would stay; a private Docker therefore runs without one on every machine.
 */
#include "technique/docker/service.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strvec.h"
#include "base/xalloc.h"
#include "host/cpu.h"
#include "technique/docker/docker_argv.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define RETRY_MS 5 /* between two attempts to connect to a socket that is not there yet */

/* dockerd looks for "iptables" in PATH: this one is ours. */
static int link_iptables(const struct docker_service *s, struct vt_err *err)
{
	const struct {
		const char *name, *target;
	} links[] = {
		{ "iptables", s->tools->iptables },
		{ "iptables-save", s->tools->save },
		{ "iptables-restore", s->tools->restore },
	};
	_cleanup_free_ char *bin = xasprintf("%s/bin", s->dir);

	if (mkdir(bin, 0700) < 0)
		return vt_fail_errno(err, "cannot create '%s'", bin);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", bin, links[i].name);

		if (symlink(links[i].target, path) < 0)
			return vt_fail_errno(err, "cannot create '%s'", path);
	}
	return 0;
}

int docker_service_place(
	struct docker_service *s, struct testbed *tb, const struct docker_tools *tools, struct vt_err *err)
{
	_cleanup_free_ char *group = xasprintf("%s/docker", tb->root.path);
	static const char *const hidden[] = { "/run/", "/var/run/", "/etc/", "/opt/" };
	/* containerd, which dockerd starts, has the longest name of a socket; its own message says only "timeout". */
	static const char longest[] = "/exec/containerd/containerd.sock.ttrpc";
	const char *scratch = journal_dir(tb->journal);
	static unsigned counter; /* a daemon may be started again within a campaign */
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (!strncmp(scratch, hidden[i], strlen(hidden[i])))
			return vt_fail(err, -EINVAL,
				"a private Docker cannot keep its state in '%s': set VTAX_STATE elsewhere",
				scratch);
	s->tb = tb;
	s->tools = tools;
	if ((size_t)snprintf(s->dir, sizeof(s->dir), "%s/docker%u", scratch, ++counter) >= sizeof(s->dir) ||
		(size_t)snprintf(s->socket, sizeof(s->socket), "%s/sock", s->dir) >= sizeof(s->socket) ||
		strlen(s->dir) + sizeof(longest) > sizeof(s->socket))
		return vt_fail(err, -ENAMETOOLONG,
			"'%s' is too long a path for a socket: set VTAX_STATE elsewhere", scratch);
	snprintf(s->log, sizeof(s->log), "%s/log", s->dir);
	r = journal_add(tb->journal, UNDO_TREE, s->dir, err);
	if (r < 0)
		return r;
	if (mkdir(s->dir, 0700) < 0)
		return vt_fail_errno(err, "cannot create '%s'", s->dir);
	r = cgroup_create(&s->cgroup, tb->journal, group, err);
	return r < 0 ? r : link_iptables(s, err);
}

/* An overlay that takes the writes to a directory of the host. */
static int shield(const char *dir, const char *name, struct vt_err *err)
{
	_cleanup_free_ char *upper = xasprintf("/run/shield-%s", name),
			    *work = xasprintf("/run/work-%s", name);
	_cleanup_free_ char *data = xasprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work);

	if (access(dir, F_OK) < 0)
		return 0;
	if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0 || mount("overlay", dir, "overlay", 0, data) < 0)
		return vt_fail_errno(err, "cannot shield '%s' from dockerd", dir);
	return 0;
}

/* In the child. */
static int service_enter(void *arg, struct vt_err *err)
{
	const struct docker_service *s = arg;
	int r = cgroup_enter(&s->cgroup, err);

	if (r == 0)
		r = netns_enter_with_sysfs(&s->tb->sut.ns, false, err);
	if (r == 0 && s->tb->sut.cpu >= 0)
		r = cpu_pin_self(s->tb->sut.cpu, err);
	if (r < 0)
		return r;
	if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		return vt_fail_errno(err, "cannot shield '/run' from dockerd");
	r = shield("/etc", "etc", err);
	return r < 0 ? r : shield("/opt", "opt", err);
}

/* What dockerd said last about an error, without its time stamp; "" when nothing. */
static void service_said(const struct docker_service *s, char *out, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	const char *last = NULL;

	out[0] = '\0';
	if (buf_read_file(&b, s->log, NULL) < 0)
		return;
	for (char *line = b.data, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line && (!strncmp(line, "failed to", 9) || strstr(line, "level=fatal") || !last))
			last = line;
	}
	snprintf(out, size, "%s", last ? last : "");
	for (char *c = out; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
}

static int service_failed(const struct docker_service *s, int code, const char *what, struct vt_err *err)
{
	char said[512];

	service_said(s, said, sizeof(said));
	return vt_fail(err, code, "dockerd %s%s%s", what, *said ? ": " : "", said);
}

/* One GET /_ping. 1 answered, 0 not yet, negative when the time is over or dockerd has ended. */
static int ping(const struct docker_service *s, uint64_t deadline_ns, struct vt_err *err)
{
	static const char request[] = "GET /_ping HTTP/1.0\r\nHost: vtax\r\n\r\n";
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct pollfd p[2] = { { .fd = s->child.pidfd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	char answer[64] = "";
	int wait_ms = RETRY_MS;

	if (fd < 0)
		return vt_fail_errno(err, "cannot make a socket");
	memcpy(to.sun_path, s->socket, sizeof(to.sun_path));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
		send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1) {
		p[1].fd = fd; /* it listens early, and answers once it is ready */
		wait_ms = clock_poll_ms(deadline_ns);
	}
	if (poll(p, 2, wait_ms) < 0 && errno != EINTR)
		return vt_fail_errno(err, "cannot wait for dockerd");
	if (p[0].revents)
		return service_failed(s, -EPIPE, "ended while it started", err);
	if (clock_now_ns() >= deadline_ns)
		return service_failed(s, -ETIMEDOUT, "hangs: it did not answer in time", err);
	if (!p[1].revents || recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT) <= 0)
		return 0;
	return strstr(answer, " 200 ") != NULL;
}

int docker_service_start(struct docker_service *s, uint64_t deadline_ns, struct vt_err *err)
{
	const struct dockerd d = {
		.program = s->tools->dockerd,
		.dir = s->dir,
		.socket = s->socket,
		.mtu = s->tb->config.mtu ? s->tb->config.mtu : 1500,
	};
	_cleanup_close_ int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT, env = STRVEC_INIT;
	struct child_spec spec = {
		.in = CHILD_NULL,
		.out = log,
		.errout = log,
		.new_session = true,
		.die_with_parent = true,
		.prepare = service_enter,
		.arg = s,
	};
	int r;

	if (log < 0)
		return vt_fail_errno(err, "cannot create '%s'", s->log);
	docker_daemon_argv(&d, &argv);
	strvec_pushf(&env, "PATH=%s/bin:%s", s->dir, s->tools->path);
	strvec_pushf(&env, "HOME=%s", s->dir);
	strvec_push(&env, "container=vtax");
	if (s->tools->libraries[0])
		strvec_pushf(&env, "LD_LIBRARY_PATH=%s", s->tools->libraries);
	spec.argv = strvec_argv(&argv);
	spec.envp = strvec_argv(&env);
	r = child_start(&s->child, &spec, err);
	while (r == 0)
		r = ping(s, deadline_ns, err);
	return r < 0 ? r : 0;
}

void docker_service_stop(struct docker_service *s, uint64_t grace_ns)
{
	if (s->child.pid > 0)
		child_stop(&s->child, SIGTERM, clock_deadline_ns(grace_ns));
	if (s->cgroup.path[0])
		cgroup_kill(&s->cgroup, clock_deadline_ns(grace_ns), NULL);
}
