/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal may have been torn by a crash or written by an enemy, so every undo is checked against what
 * vtax creates before anything is touched: files only below STATE, /run/vtax and /run/netns/vtax…, mounts
 * only there, cgroups "vtax…", interfaces in our own namespaces, or "vtax…" in the machine's. Paths must be
 * plain (no "..") and are followed by descriptor without symbolic links (tree.c).
 */
#include "host/undo.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strvec.h"
#include "host/cgroup.h"
#include "host/mountinfo.h"
#include "host/net.h"
#include "host/tree.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define NETNS_DIR "/run/netns"
#define NETNS_PREFIX NETNS_DIR "/vtax"
#define COMMAND_TIMEOUT_NS (10 * NS_PER_S)
#define KILL_TIMEOUT_NS (2 * NS_PER_S)
#define SEPARATOR '\x1f'

bool undo_is_volatile(enum undo_kind kind)
{
	return kind != UNDO_FILE && kind != UNDO_TREE;
}

static bool is_netns_path(const char *path)
{
	return strncmp(path, NETNS_PREFIX, strlen(NETNS_PREFIX)) == 0 && tree_is_below(path, NETNS_DIR) &&
	       !strchr(path + strlen(NETNS_DIR) + 1, '/');
}

/* The trusted folder that `path` lies in, NULL when it lies in none. */
static const char *base_of(const char *state, const char *path)
{
	if (tree_is_below(path, state))
		return state;
	if (tree_is_below(path, UNDO_RUN_DIR))
		return UNDO_RUN_DIR;
	return is_netns_path(path) ? NETNS_DIR : NULL;
}

/* What STATE itself consists of is removed by the journal's own code only. */
static bool is_state_itself(const char *state, const char *path)
{
	const char *rest = tree_is_below(path, state) ? path + strlen(state) + 1 : "";

	return !strcmp(rest, "campaigns") || !strcmp(rest, "lock");
}

static int check_path(const char *state, const char *path, bool netns_too, struct vt_err *err)
{
	const char *base = base_of(state, path);

	if (!base || (!netns_too && is_netns_path(path)) || is_state_itself(state, path))
		return vt_fail(err, -EPERM,
			"refusing to undo '%s': it is not below '%s' or '" UNDO_RUN_DIR "'", path, state);
	return 0;
}

static bool is_ifname(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (!isgraph((unsigned char)*name) || *name == '/' || *name == ':')
			return false;
	return true;
}

/* "NETNS\x1fIFNAME" into its halves; false when it is neither ours nor well-formed. */
static bool split_link(const char *arg, char *ns, size_t size, const char **ifname)
{
	const char *sep = strchr(arg, SEPARATOR);
	size_t n = sep ? (size_t)(sep - arg) : 0;

	if (!sep || n >= size || !is_ifname(sep + 1))
		return false;
	memcpy(ns, arg, n);
	ns[n] = '\0';
	*ifname = sep + 1;
	return n ? is_netns_path(ns) : strncmp(*ifname, "vtax", 4) == 0;
}

static bool parse_pid(const char *arg, pid_t *pid, uint64_t *start)
{
	char extra;
	long p;

	if (!isdigit((unsigned char)arg[0]) || sscanf(arg, "%ld %" SCNu64 "%c", &p, start, &extra) != 2)
		return false;
	*pid = (pid_t)p;
	return p > 1 && p <= INT32_MAX;
}

int undo_check(const char *state, enum undo_kind kind, const char *arg, struct vt_err *err)
{
	char ns[128];
	const char *ifname;
	uint64_t start;
	pid_t pid;

	switch (kind) {
	case UNDO_NETNS:
		if (!is_netns_path(arg))
			return vt_fail(err, -EPERM,
				"refusing to undo the namespace '%s': it is not '" NETNS_PREFIX "…'", arg);
		return 0;
	case UNDO_MOUNT:
	case UNDO_FILE:
		return check_path(state, arg, true, err);
	case UNDO_TREE:
		return check_path(state, arg, false, err);
	case UNDO_CGROUP:
		if (!cgroup_path_is_ours(arg))
			return vt_fail(
				err, -EPERM, "refusing to undo the cgroup '%s': it is not 'vtax…'", arg);
		return 0;
	case UNDO_PID:
		if (!parse_pid(arg, &pid, &start))
			return vt_fail(err, -EPERM, "refusing to undo the process '%s'", arg);
		return 0;
	case UNDO_COMMAND:
		if (!arg[0] || arg[0] == SEPARATOR)
			return vt_fail(err, -EPERM, "refusing to undo by a command without a name");
		return 0;
	case UNDO_LINK:
		if (!split_link(arg, ns, sizeof ns, &ifname))
			return vt_fail(
				err, -EPERM, "refusing to undo the link '%s': it is not one of ours", arg);
		return 0;
	}
	return vt_fail(err, -EPERM, "refusing an undo of unknown kind %d", (int)kind);
}

static int undo_netns(const char *path, struct vt_err *err)
{
	int r = mountinfo_detach(path, false, err);

	return r < 0 ? r : tree_unlink(NETNS_DIR, path, err);
}

int undo_start_time(pid_t pid, uint64_t *start, struct vt_err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(8192);
	char name[48], *p;
	int r, field = 2;

	snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
	r = buf_read_file(&text, name, err);
	if (r < 0)
		return r;
	/* The name (field 2) is in parentheses and may itself hold blanks and parentheses. */
	p = text.len ? strrchr(text.data, ')') : NULL;
	while (p && field < 22) {
		p = strchr(p + 1, ' ');
		field++;
	}
	if (!p || sscanf(p, " %" SCNu64, start) != 1)
		return vt_fail(err, -EINVAL, "cannot read the start time of process %d", (int)pid);
	return 0;
}

static int undo_pid(const char *arg, struct vt_err *err)
{
	_cleanup_close_ int fd = -1;
	struct pollfd p = { .events = POLLIN };
	uint64_t start, now;
	pid_t pid;

	if (!parse_pid(arg, &pid, &start) || pid == getpid())
		return vt_fail(err, -EPERM, "refusing to kill the process '%s'", arg);
	/* The descriptor first, then the comparison: from here on the pid cannot become another process. */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == ESRCH || errno == EINVAL
			       ? 0
			       : vt_fail_errno(err, "cannot watch process %d", (int)pid);
	if (undo_start_time(pid, &now, NULL) < 0 || now != start)
		return 0;
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return vt_fail_errno(err, "cannot kill process %d", (int)pid);
	p.fd = fd;
	for (uint64_t deadline = clock_deadline_ns(KILL_TIMEOUT_NS);;) {
		int r = poll(&p, 1, clock_poll_ms(deadline));

		if (r > 0)
			return 0;
		if (r == 0)
			return vt_fail(err, -ETIMEDOUT, "process %d does not end", (int)pid);
		if (errno != EINTR)
			return vt_fail_errno(err, "cannot wait for process %d", (int)pid);
	}
}

static int undo_command(const char *arg, struct vt_err *err)
{
	_cleanup_strvec_ struct strvec argv = STRVEC_INIT;
	struct child_spec spec = { .new_session = true, .die_with_parent = true };

	for (const char *p = arg; p;) {
		const char *sep = strchr(p, SEPARATOR);

		strvec_pushf(&argv, "%.*s", sep ? (int)(sep - p) : (int)strlen(p), p);
		p = sep ? sep + 1 : NULL;
	}
	spec.argv = strvec_argv(&argv);
	child_run(&spec, COMMAND_TIMEOUT_NS, NULL, NULL); /* what it was to undo may be gone: not an error */
	return 0;
}

/* A namespace that is gone took its interfaces with it. */
static int undo_link(const char *arg, struct vt_err *err)
{
	_cleanup_close_ int fd = -1;
	char ns[128];
	const char *ifname;
	struct statfs fs;

	if (!split_link(arg, ns, sizeof ns, &ifname))
		return -EPERM;
	fd = open(ns[0] ? ns : "/proc/self/ns/net", O_RDONLY | O_CLOEXEC | (ns[0] ? O_NOFOLLOW : 0));
	if (fd < 0)
		return errno == ENOENT ? 0 : vt_fail_errno(err, "cannot open the namespace '%s'", ns);
	if (fstatfs(fd, &fs) < 0 ||
		fs.f_type != NSFS_MAGIC) /* the plain file that is left after an unmount */
		return 0;
	return net_delete(fd, ifname, err);
}

static int undo_tree(const char *state, const char *path, struct vt_err *err)
{
	int r = mountinfo_detach(path, true, err);

	return r < 0 ? r : tree_remove(base_of(state, path), path, NULL, err);
}

int undo_perform(const char *state, enum undo_kind kind, const char *arg, struct vt_err *err)
{
	struct cgroup cg;
	int r = undo_check(state, kind, arg, err);

	if (r < 0)
		return r;
	switch (kind) {
	case UNDO_NETNS:
		return undo_netns(arg, err);
	case UNDO_MOUNT:
		return mountinfo_detach(arg, false, err);
	case UNDO_CGROUP:
		snprintf(cg.path, sizeof cg.path, "%s", arg);
		return cgroup_remove(&cg, err);
	case UNDO_PID:
		return undo_pid(arg, err);
	case UNDO_FILE:
		return tree_unlink(base_of(state, arg), arg, err);
	case UNDO_TREE:
		return undo_tree(state, arg, err);
	case UNDO_COMMAND:
		return undo_command(arg, err);
	case UNDO_LINK:
		return undo_link(arg, err);
	}
	return -EPERM;
}
