/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One relative path in every hierarchy. Nothing here holds state: a cgroup is its path, so another process
 * (`vtax clean` after a crash) can do all of it just as well. Every access is relative to the hierarchy's
 * root descriptor (cgroup_fs.c), and a cgroup file system has no symbolic links, so plain openat() is safe.
 *
 * Controllers: on cgroup2 a controller must be enabled in the parent. We do that in the cgroups that we made
 * ourselves and leave the root's settings alone (they are the machine's); what the root does not hand down is
 * then missing, which only costs us memory.current. cpu.stat needs no controller. On v1 a new cpuset is empty
 * and takes no process until its cpus and mems are copied from its parent.
 */
#include "host/cgroup.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "host/cgroup_fs.h"
#include "host/journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define REMOVE_TIMEOUT_NS (2 * NS_PER_S)
#define DEPTH_MAX 64 /* of cgroups below ours; the kernel's own limit is usually far below */

bool cgroup_path_is_ours(const char *path)
{
	size_t len = strlen(path);

	if (strncmp(path, "vtax", 4) != 0 || len >= sizeof((struct cgroup *)0)->path || path[len - 1] == '/')
		return false;
	for (const char *p = path; *p; p++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-/", *p))
			return false;
		if (*p == '/' && (p[1] == '/' || p[1] == '.'))
			return false;
	}
	return true;
}

/* Reads a small file of a cgroup as text. */
static int read_small(int root, const char *path, const char *file, char *out, size_t size)
{
	_cleanup_close_ int fd = -1;
	char name[320];
	ssize_t n;

	snprintf(name, sizeof name, "%s/%s", path, file);
	fd = openat(root, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	return 0;
}

static int write_small(int root, const char *path, const char *file, const char *text)
{
	_cleanup_close_ int fd = -1;
	char name[320];

	snprintf(name, sizeof name, "%s/%s", path, file);
	fd = openat(root, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void copy_setting(int root, const char *from, const char *to, const char *file)
{
	char text[4096];

	if (read_small(root, from, file, text, sizeof text) == 0)
		write_small(root, to, file, text);
}

static int make_in(const struct hierarchy *h, const char *parent, const char *path, struct vt_err *err)
{
	static const char *const wanted[] = { "+cpu", "+cpuset", "+memory", "+pids" };

	/* Unavailable, or the parent holds processes: then this controller is missing below, and that is all.
	 */
	if (h->v2 && strcmp(parent, ".") != 0)
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			write_small(h->fd, parent, "cgroup.subtree_control", wanted[i]);
	if (mkdirat(h->fd, path, 0755) < 0 && errno != EEXIST)
		return vt_fail_errno(err, "cannot make the cgroup '%s/%s'", h->point, path);
	if (h->controllers & CTRL_CPUSET) {
		copy_setting(h->fd, parent, path, "cpuset.cpus");
		copy_setting(h->fd, parent, path, "cpuset.mems");
	}
	return 0;
}

static bool exists_everywhere(const struct hierarchies *hs, const char *path)
{
	for (size_t i = 0; i < hs->n; i++)
		if (faccessat(hs->h[i].fd, path, F_OK, 0) < 0)
			return false;
	return true;
}

/* Makes one level in all hierarchies; the undo of the topmost new level covers those below it. */
static int make_level(const struct hierarchies *hs, struct journal *j, const char *parent, const char *path,
	bool *journaled, struct vt_err *err)
{
	int r;

	if (exists_everywhere(hs, path))
		return 0;
	if (j && !*journaled) {
		r = journal_add(j, UNDO_CGROUP, path, err);
		if (r < 0)
			return r;
		*journaled = true;
	}
	for (size_t i = 0; i < hs->n; i++) {
		r = make_in(&hs->h[i], parent, path, err);
		if (r < 0 && hierarchy_is_needed(&hs->h[i]))
			return r;
	}
	return 0;
}

int cgroup_create(struct cgroup *cg, struct journal *j, const char *path, struct vt_err *err)
{
	char parent[sizeof cg->path] = ".", part[sizeof cg->path];
	const struct hierarchies *hs;
	bool journaled = false;
	int r;

	if (!cgroup_path_is_ours(path))
		return vt_fail(err, -EINVAL, "'%s' is not a cgroup path that vtax may make", path);
	r = hierarchies_get(&hs, err);
	if (r < 0)
		return r;
	for (const char *p = path; p;) {
		size_t n;

		p = strchr(p + 1, '/');
		n = p ? (size_t)(p - path) : strlen(path);
		memcpy(part, path, n);
		part[n] = '\0';
		r = make_level(hs, j, parent, part, &journaled, err);
		if (r < 0)
			return r;
		memcpy(parent, part, n + 1);
	}
	snprintf(cg->path, sizeof cg->path, "%s", path);
	return 0;
}

/* Runs between fork and exec: no allocation. */
int cgroup_enter(const struct cgroup *cg, struct vt_err *err)
{
	const struct hierarchies *hs;
	int r = hierarchies_get(&hs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < hs->n; i++) {
		const struct hierarchy *h = &hs->h[i];

		r = write_small(h->fd, cg->path, "cgroup.procs", "0");
		if (r < 0 && hierarchy_is_needed(h))
			return vt_fail(err, r, "cannot enter the cgroup '%s/%s': %s%s", h->point, cg->path,
				strerror(-r), r == -EBUSY ? " (it has children of its own)" : "");
	}
	return 0;
}

static int parse_u64(const char *text, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	return errno || end == text ? -EINVAL : 0;
}

static int v2_usage(const struct hierarchy *h, const char *path, uint64_t *ns)
{
	char text[4096], *p;
	uint64_t us;
	int r = read_small(h->fd, path, "cpu.stat", text, sizeof text);

	if (r < 0)
		return r;
	p = strstr(text, "usage_usec ");
	if (!p || parse_u64(p + 11, &us) < 0)
		return -EINVAL;
	*ns = us * NS_PER_US;
	return 0;
}

static int v1_number(const struct hierarchy *h, const char *path, const char *file, uint64_t *v)
{
	char text[64];
	int r = read_small(h->fd, path, file, text, sizeof text);

	return r < 0 ? r : parse_u64(text, v);
}

int cgroup_cpu_ns(const struct cgroup *cg, uint64_t *ns, struct vt_err *err)
{
	const struct hierarchies *hs;
	uint64_t best = 0, v;
	bool any = false;
	int r = hierarchies_get(&hs, err), why = -ENOTSUP;

	if (r < 0)
		return r;
	for (size_t i = 0; i < hs->n; i++) {
		const struct hierarchy *h = &hs->h[i];

		if (h->v2)
			r = v2_usage(h, cg->path, &v);
		else if (h->controllers & CTRL_CPUACCT)
			r = v1_number(h, cg->path, "cpuacct.usage", &v);
		else
			continue;
		if (r < 0) {
			why = r;
			continue;
		}
		best = v > best ? v : best;
		any = true;
	}
	if (!any)
		return vt_fail(err, why, "cannot read the CPU time of the cgroup '%s': %s", cg->path,
			strerror(-why));
	*ns = best;
	return 0;
}

int cgroup_memory_bytes(const struct cgroup *cg, uint64_t *bytes, struct vt_err *err)
{
	const struct hierarchies *hs;
	int r = hierarchies_get(&hs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < hs->n; i++) {
		const struct hierarchy *h = &hs->h[i];

		if (h->v2 && v1_number(h, cg->path, "memory.current", bytes) == 0)
			return 0;
		if ((h->controllers & CTRL_MEMORY) &&
			v1_number(h, cg->path, "memory.usage_in_bytes", bytes) == 0)
			return 0;
	}
	return vt_fail(err, -ENOTSUP, "no memory controller for the cgroup '%s'", cg->path);
}

struct pids {
	pid_t *v;
	size_t n, cap;
};

static void pids_release(struct pids *p)
{
	free(p->v);
}

/* The lines of one cgroup.procs. Zero stands for a process of another pid namespace, which we cannot name. */
static void read_pids(int dir, struct pids *out)
{
	_cleanup_close_ int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;
	intmax_t pid;

	if (!f)
		return;
	steal_fd(&fd);
	while (fscanf(f, "%jd", &pid) == 1) {
		if (pid <= 0 || pid > INT32_MAX)
			continue;
		if (out->n == out->cap) {
			out->cap = out->cap ? out->cap * 2 : 64;
			out->v = xrealloc(out->v, out->cap * sizeof *out->v);
		}
		out->v[out->n++] = (pid_t)pid;
	}
}

/* Calls `visit` on each cgroup at and below `name`, children first. Missing is fine. */
typedef int visit_fn(int parent, int self, const char *name, void *arg);
static int walk(int dir, const char *name, unsigned depth, visit_fn *visit, void *arg)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int r = 0, one;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (depth > DEPTH_MAX)
		return -ELOOP;
	d = fdopendir(fd);
	if (!d)
		return -errno;
	steal_fd(&fd);
	while ((e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		one = walk(dirfd(d), e->d_name, depth + 1, visit, arg);
		r = r < 0 ? r : one;
	}
	one = visit(dir, dirfd(d), name, arg);
	return r < 0 ? r : one;
}

static int visit_pids(int parent, int self, const char *name, void *arg)
{
	read_pids(self, arg);
	return 0;
}

static int visit_rmdir(int parent, int self, const char *name, void *arg)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int visit_freezer(int parent, int self, const char *name, void *arg)
{
	write_small(self, ".", "freezer.state", arg);
	return 0;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *n, struct vt_err *err)
{
	struct pids all = { 0 };
	const struct hierarchies *hs;
	int r = hierarchies_get(&hs, err);
	size_t kept = 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < hs->n; i++) {
		r = walk(hs->h[i].fd, cg->path, 0, visit_pids, &all);
		if (r < 0) {
			pids_release(&all);
			return vt_fail(err, r, "cannot list the cgroup '%s/%s': %s", hs->h[i].point, cg->path,
				strerror(-r));
		}
	}
	if (all.n)
		qsort(all.v, all.n, sizeof *all.v, compare_pids);
	for (size_t i = 0; i < all.n; i++)
		if (!i || all.v[i] != all.v[i - 1])
			all.v[kept++] = all.v[i];
	*pids = all.v;
	*n = kept;
	return 0;
}

/*
 * Still ours? The pid may have been recycled since it was listed; with its pidfd open it cannot be any more.
 * Compared by ending, since a bind-mounted hierarchy shows less of the path than /proc does.
 */
static bool pid_is_in(pid_t pid, const char *path)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	char name[48];
	size_t len = strlen(path);

	snprintf(name, sizeof name, "/proc/%d/cgroup", (int)pid);
	if (buf_read_file(&text, name, NULL) < 0)
		return false;
	for (const char *p = buf_str(&text); (p = strstr(p, path)); p += len)
		if (p > text.data && p[-1] == '/' && (p[len] == '/' || p[len] == '\n' || p[len] == '\0'))
			return true;
	return false;
}

/* A descriptor for a process of the cgroup, -1 when it has ended or is another one by now. */
static int open_member(pid_t pid, const char *path)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd >= 0 && pid_is_in(pid, path) ? steal_fd(&fd) : -1;
}

static void set_freezer(const struct hierarchies *hs, const char *path, const char *state)
{
	for (size_t i = 0; i < hs->n; i++)
		if (hs->h[i].controllers & CTRL_FREEZER)
			walk(hs->h[i].fd, path, 0, visit_freezer, (void *)state);
}

/* One round of killing: cgroup2's own kill reaches everything at once, the rest pid by pid. */
static void kill_listed(const struct hierarchies *hs, const struct cgroup *cg, const pid_t *pids, size_t n,
	uint64_t deadline_ns)
{
	for (size_t i = 0; i < hs->n; i++)
		if (hs->h[i].v2)
			write_small(hs->h[i].fd, cg->path, "cgroup.kill", "1");
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd = open_member(pids[i], cg->path);

		if (fd >= 0)
			syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	}
	set_freezer(hs, cg->path, "THAWED"); /* a paused container dies only when it thaws */
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd = open_member(pids[i], cg->path);
		struct pollfd p = { .fd = fd, .events = POLLIN };

		while (fd >= 0 && poll(&p, 1, clock_poll_ms(deadline_ns)) < 0 && errno == EINTR)
			;
	}
}

int cgroup_kill(const struct cgroup *cg, uint64_t deadline_ns, struct vt_err *err)
{
	const struct hierarchies *hs;
	int r = hierarchies_get(&hs, err);

	if (r < 0)
		return r;
	for (unsigned round = 0;; round++) {
		_cleanup_free_ pid_t *pids = NULL;
		size_t n = 0;

		if (round)
			clock_sleep_until(clock_deadline_ns(NS_PER_MS));
		/* What forks faster than we list it is held still first. */
		if (round > 2)
			set_freezer(hs, cg->path, "FROZEN");
		r = cgroup_pids(cg, &pids, &n, err);
		for (size_t i = 0; r == 0 && i < n; i++)
			if (pids[i] == getpid())
				r = vt_fail(err, -EBUSY,
					"not killing the cgroup '%s': this process (%d) is in it", cg->path,
					(int)getpid());
		if (r < 0 || n == 0)
			return r;
		if (round && clock_now_ns() >= deadline_ns)
			return vt_fail(err, -ETIMEDOUT,
				"process %d in the cgroup '%s' does not end (%zu in all)", (int)pids[0],
				cg->path, n);
		kill_listed(hs, cg, pids, n, deadline_ns);
	}
}

static int remove_once(const struct hierarchies *hs, const char *path, const char **where)
{
	int r = 0;

	for (size_t i = 0; i < hs->n; i++) {
		int one = walk(hs->h[i].fd, path, 0, visit_rmdir, NULL);

		if (one < 0 && r == 0) {
			r = one;
			*where = hs->h[i].point;
		}
	}
	return r;
}

int cgroup_remove(const struct cgroup *cg, struct vt_err *err)
{
	uint64_t deadline = clock_deadline_ns(REMOVE_TIMEOUT_NS), pause = NS_PER_MS;
	const struct hierarchies *hs;
	const char *where = "";
	int r;

	if (!cgroup_path_is_ours(cg->path))
		return vt_fail(
			err, -EPERM, "refusing to remove the cgroup '%s': it is not one of ours", cg->path);
	r = hierarchies_get(&hs, err);
	if (r < 0)
		return r;
	for (;;) {
		r = cgroup_kill(cg, deadline, err);
		if (r < 0)
			return r;
		/* A process that has ended may hold its cgroup a moment longer: no event says when it lets
		 * go. */
		r = remove_once(hs, cg->path, &where);
		if (r == 0)
			return 0;
		if ((r != -EBUSY && r != -ENOTEMPTY) || clock_now_ns() >= deadline)
			return vt_fail(err, r, "cannot remove the cgroup '%s/%s': %s", where, cg->path,
				strerror(-r));
		clock_sleep_until(clock_deadline_ns(pause));
		pause = pause < 20 * NS_PER_MS ? pause * 2 : pause;
	}
}
