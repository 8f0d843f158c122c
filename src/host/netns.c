/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces. A namespace is a property of a thread, so everything that has to happen "inside" one
 * happens on a helper thread that ends there: the controller itself never leaves the host's namespace, and no
 * process has to be forked. A socket keeps the namespace it was made in, therefore most callers only need
 * netns_socket() and then work from where they are.
 *
 * A namespace lives as long as something holds it; its name is a bind mount of /proc/…/ns/net on a file in
 * /run/netns, the convention of iproute2. That folder is iproute2's as much as ours: it is created, and made
 * a shared mount (so that unmounting a name here unmounts it in every private copy of the mount table, and
 * the namespace can really go), only when nobody did so before, under the lock that iproute2 takes. The undo
 * is the plain `umount` and `rmdir`: both refuse as long as somebody else's namespace is in there, which is
 * the condition wanted, checked by the kernel.
 */
#include "host/netns.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strvec.h"
#include "host/journal.h"
#include "host/net.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define RUN_DIR "/run/netns"
#define LOCK_WAIT_NS (5 * NS_PER_S)
#define SUBMOUNTS_MAX 64

struct call {
	int ns_fd; /* NETNS_SELF: fn changes namespaces itself */
	int (*fn)(void *arg, struct vt_err *err);
	void *arg;
	struct vt_err err;
	int result;
};

static void *call_thread(void *p)
{
	struct call *c = p;

	if (c->ns_fd != NETNS_SELF && setns(c->ns_fd, CLONE_NEWNET) < 0)
		c->result = vt_fail_errno(&c->err, "cannot enter a network namespace");
	else
		c->result = c->fn(c->arg, &c->err);
	return NULL;
}

static int call_on_thread(struct call *c, struct vt_err *err)
{
	sigset_t all, old;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, NULL, call_thread, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return vt_fail(err, -r, "cannot start a helper thread: %s", strerror(r));
	pthread_join(thread, NULL);
	if (c->result < 0 && err)
		*err = c->err;
	return c->result;
}

int netns_call(int ns_fd, int (*fn)(void *arg, struct vt_err *err), void *arg, struct vt_err *err)
{
	struct call c = { .ns_fd = ns_fd, .fn = fn, .arg = arg };

	if (ns_fd == NETNS_SELF)
		return fn(arg, err);
	return call_on_thread(&c, err);
}

struct socket_call {
	int domain, type, protocol, fd;
};

static int make_socket(void *arg, struct vt_err *err)
{
	struct socket_call *s = arg;

	s->fd = socket(s->domain, s->type | SOCK_CLOEXEC, s->protocol);
	if (s->fd < 0)
		return vt_fail_errno(
			err, "cannot make a socket (family %d, protocol %d)", s->domain, s->protocol);
	return 0;
}

int netns_socket(int ns_fd, int domain, int type, int protocol, struct vt_err *err)
{
	struct socket_call s = { domain, type, protocol, -1 };
	int r = netns_call(ns_fd, make_socket, &s, err);

	return r < 0 ? r : s.fd;
}

/* The lock iproute2 takes around setting the folder up. Best effort there, and so here: -1 is fine. */
static int lock_run_dir(void)
{
	int fd = open(RUN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t deadline = clock_deadline_ns(LOCK_WAIT_NS);

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		if (clock_now_ns() >= deadline)
			break;
		clock_sleep_until(clock_deadline_ns(5 * NS_PER_MS));
	}
	return fd;
}

static int is_mount_point(const char *path, bool *is, struct vt_err *err)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &st) < 0)
		return vt_fail_errno(err, "cannot look at '%s'", path);
	*is = st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return 0;
}

static int ready_run_dir(struct journal *j, struct vt_err *err)
{
	_cleanup_close_ int lock = -1;
	bool mounted = false;
	int r;

	if (access(RUN_DIR, F_OK) < 0) {
		r = journal_addf(j, UNDO_COMMAND, err, "rmdir\x1f%s", RUN_DIR);
		if (r < 0)
			return r;
		if (mkdir(RUN_DIR, 0755) < 0 && errno != EEXIST)
			return vt_fail_errno(err, "cannot create '%s'", RUN_DIR);
		if (chmod(RUN_DIR, 0755) < 0) /* whatever the umask is */
			return vt_fail_errno(err, "cannot set the mode of '%s'", RUN_DIR);
	}
	lock = lock_run_dir();
	r = is_mount_point(RUN_DIR, &mounted, err);
	if (r < 0 || mounted)
		return r;
	r = journal_addf(j, UNDO_COMMAND, err, "umount\x1f%s", RUN_DIR);
	if (r < 0)
		return r;
	if (mount(RUN_DIR, RUN_DIR, "none", MS_BIND | MS_REC, NULL) < 0)
		return vt_fail_errno(err, "cannot bind mount '%s'", RUN_DIR);
	if (mount("", RUN_DIR, "none", MS_SHARED | MS_REC, NULL) < 0)
		return vt_fail_errno(err, "cannot make '%s' a shared mount", RUN_DIR);
	return 0;
}

static int explain_unshare(struct vt_err *err)
{
	switch (errno) {
	case EPERM:
		return vt_fail(err, -EPERM,
			"not allowed to make a network namespace: run as root, outside of an unprivileged "
			"container");
	case EINVAL:
		return vt_fail(err, -EINVAL, "this kernel has no network namespaces (CONFIG_NET_NS)");
	case ENOSPC:
		return vt_fail(
			err, -ENOSPC, "no more network namespaces: raise the sysctl user.max_net_namespaces");
	}
	return vt_fail_errno(err, "cannot make a network namespace");
}

/* On the helper thread, which is the only thing in the new namespace until it is bound to its name. */
static int create_here(void *arg, struct vt_err *err)
{
	static const char self[] = "/proc/thread-self/ns/net";
	struct netns *ns = arg;
	_cleanup_close_ int fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return explain_unshare(err);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return vt_fail_errno(err, "cannot open '%s'", self);
	if (mount(self, ns->path, "none", MS_BIND, NULL) < 0)
		return vt_fail_errno(err, "cannot mount the namespace '%s'", ns->path);
	ns->fd = steal_fd(&fd);
	return 0;
}

static int create_named(struct netns *ns, struct vt_err *err)
{
	struct call c = { .ns_fd = NETNS_SELF, .fn = create_here, .arg = ns };
	_cleanup_close_ int file = open(ns->path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	int r;

	if (file < 0)
		return vt_fail_errno(err, "cannot create '%s'", ns->path);
	r = call_on_thread(&c, err);
	if (r == 0)
		r = net_set_up(ns->fd, "lo", true, err);
	if (r < 0) {
		netns_close(ns);
		umount2(ns->path, MNT_DETACH);
		unlink(ns->path);
	}
	return r;
}

int netns_create(struct netns *ns, struct journal *j, const char *name, struct vt_err *err)
{
	struct netns made = NETNS_INIT;
	int r;

	if (!*name || strchr(name, '/') || *name == '.' || strlen(name) >= sizeof made.name)
		return vt_fail(err, -EINVAL, "'%s' cannot be the name of a network namespace", name);
	snprintf(made.name, sizeof made.name, "%s", name);
	snprintf(made.path, sizeof made.path, "%s/%s", RUN_DIR, name);
	/* Before the journal is told: what is there already is not ours to undo. */
	if (access(made.path, F_OK) == 0)
		return vt_fail(err, -EEXIST,
			"the network namespace '%s' exists already: 'vtax clean' removes what "
			"a killed run left",
			name);
	r = ready_run_dir(j, err);
	if (r == 0)
		r = journal_add(j, UNDO_NETNS, made.path, err);
	if (r == 0)
		r = create_named(&made, err);
	if (r < 0)
		return r;
	*ns = made;
	return 0;
}

void netns_close(struct netns *ns)
{
	cleanup_closep(&ns->fd);
}

int netns_enter(const struct netns *ns, struct vt_err *err)
{
	if (setns(ns->fd, CLONE_NEWNET) < 0)
		return vt_fail_errno(err, "cannot enter the network namespace '%s'", ns->name);
	return 0;
}

/* What is mounted right on top of /sys, from the text of mountinfo: "ID PARENT DEV ROOT MOUNT-POINT …". */
static void find_submounts(char *mountinfo, struct strvec *found)
{
	long sys = -1, id, parent;
	char *line, *save, point[256];

	for (char *p = mountinfo; (p = strstr(p, " /sys ")); p++) {
		char *start = p;

		while (start > mountinfo && start[-1] != '\n')
			start--;
		/* Field 5 of 5, or it was something else; the last one is the topmost. */
		if (sscanf(start, "%ld %ld %*s %*s %255s", &id, &parent, point) == 3 &&
			!strcmp(point, "/sys"))
			sys = id;
	}
	for (line = strtok_r(mountinfo, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%ld %ld %*s %*s %255s", &id, &parent, point) == 3 && parent == sys &&
			!strncmp(point, "/sys/", 5) && !strchr(point, '\\') && found->n < SUBMOUNTS_MAX)
			strvec_push(found, point);
}

/* A fresh /sys with the old one's submounts put back in place. The copies are detached mounts until then. */
static int replace_sys(const struct strvec *points, int *trees, struct vt_err *err)
{
	for (size_t i = 0; i < points->n; i++) {
		trees[i] = open_tree(
			AT_FDCWD, points->v[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (trees[i] < 0 && !strcmp(points->v[i], "/sys/fs/cgroup"))
			return vt_fail_errno(err, "cannot copy the mounts below '%s'", points->v[i]);
	}
	if (umount2("/sys", MNT_DETACH) < 0 && errno != EINVAL)
		return vt_fail_errno(err, "cannot detach '/sys' in a private mount namespace");
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return vt_fail_errno(err, "cannot mount a fresh sysfs on '/sys'");
	for (size_t i = 0; i < points->n; i++)
		if (trees[i] >= 0 &&
			move_mount(trees[i], "", AT_FDCWD, points->v[i], MOVE_MOUNT_F_EMPTY_PATH) < 0 &&
			!strcmp(points->v[i], "/sys/fs/cgroup"))
			return vt_fail_errno(err, "cannot mount '%s' again", points->v[i]);
	return 0;
}

int netns_enter_with_sysfs(const struct netns *ns, bool hide_unified, struct vt_err *err)
{
	_cleanup_buf_ struct buf mountinfo = BUF_INIT(1 << 20);
	_cleanup_strvec_ struct strvec points = STRVEC_INIT;
	int trees[SUBMOUNTS_MAX], r;

	r = netns_enter(ns, err); /* first: a sysfs shows the interfaces of whoever mounts it */
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNS) < 0)
		return vt_fail_errno(err, "cannot make a mount namespace");
	/* Slave, not private: when the host unmounts a namespace, that must reach us, or we would pin it. */
	if (mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0)
		return vt_fail_errno(err, "cannot detach from the host's mount table");
	r = buf_read_file(&mountinfo, "/proc/thread-self/mountinfo", err);
	if (r < 0)
		return r;
	if (mountinfo.len)
		find_submounts(mountinfo.data, &points);
	for (size_t i = 0; i < points.n; i++)
		trees[i] = -1;
	r = replace_sys(&points, trees, err);
	for (size_t i = 0; i < points.n; i++)
		if (trees[i] >= 0)
			close(trees[i]);
	if (r < 0)
		return r;
	if (hide_unified && umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0 && errno != EINVAL &&
		errno != ENOENT)
		return vt_fail_errno(err, "cannot hide '/sys/fs/cgroup/unified'");
	return 0;
}
