/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the cgroup hierarchies. Pure v2 has one mount; hybrid has v1 mounts and a cgroup2 beside them; v1 may
 * bind several controllers to one mount ("cpu,cpuacct"). A hierarchy can be mounted in several places
 * (container engines do): the first is taken, recognised by device number.
 *
 * The roots are kept open for the life of the program. A child that has changed its mount namespace, where
 * /sys/fs/cgroup may have vanished, can then still enter its cgroup.
 */
#include "host/cgroup_fs.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <string.h>
#include <sys/vfs.h>

static const struct {
	const char *name;
	unsigned bit;
} controllers[] = {
	{ "cpu", CTRL_CPU },
	{ "cpuacct", CTRL_CPUACCT },
	{ "cpuset", CTRL_CPUSET },
	{ "memory", CTRL_MEMORY },
	{ "pids", CTRL_PIDS },
	{ "freezer", CTRL_FREEZER },
	{ "devices", CTRL_DEVICES },
};

static unsigned controllers_of(const char *super)
{
	unsigned bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (mountinfo_has_option(super, controllers[i].name))
			bits |= controllers[i].bit;
	return bits;
}

static bool seen_before(const struct mountinfo *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(m->mounts[k].dev, m->mounts[i].dev) &&
			!strcmp(m->mounts[k].fstype, m->mounts[i].fstype))
			return true;
	return false;
}

int hierarchies_find(struct hierarchies *hs, const struct mountinfo *m)
{
	bool v2 = false, v1 = false;

	*hs = (struct hierarchies){ 0 };
	for (size_t i = 0; i < m->n && hs->n < HIERARCHY_MAX; i++) {
		const struct mount *mnt = &m->mounts[i];
		struct hierarchy *h = &hs->h[hs->n];
		bool is_v2 = !strcmp(mnt->fstype, "cgroup2");

		if ((!is_v2 && strcmp(mnt->fstype, "cgroup") != 0) || strlen(mnt->point) >= sizeof h->point ||
			seen_before(m, i))
			continue;
		*h = (struct hierarchy){ .fd = -1, .v2 = is_v2 };
		snprintf(h->point, sizeof h->point, "%s", mnt->point);
		if (!is_v2)
			h->controllers = controllers_of(mnt->super);
		v2 |= is_v2;
		v1 |= h->controllers != 0;
		hs->n++;
	}
	if (!v1 && !v2)
		return -ENODEV;
	hs->layout = v2 ? (v1 ? CGROUP_HYBRID : CGROUP_V2) : CGROUP_V1;
	return 0;
}

static struct {
	pthread_once_t once;
	struct hierarchies hs;
	struct vt_err err;
	int result;
} machine = { .once = PTHREAD_ONCE_INIT };

/* A mount point may be covered by something else: only what is a cgroup file system counts. */
static bool open_root(struct hierarchy *h)
{
	_cleanup_close_ int fd = open(h->point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return false;
	if ((unsigned long)fs.f_type != (h->v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
		return false;
	h->fd = steal_fd(&fd);
	return true;
}

static void find_machine(void)
{
	_cleanup_mountinfo_ struct mountinfo m = MOUNTINFO_INIT;
	struct hierarchies *hs = &machine.hs;
	size_t n = 0;

	machine.result = mountinfo_read(&m, &machine.err);
	if (machine.result < 0)
		return;
	machine.result = hierarchies_find(hs, &m);
	for (size_t i = 0; machine.result == 0 && i < hs->n; i++)
		if (open_root(&hs->h[i]))
			hs->h[n++] = hs->h[i];
	hs->n = n;
	if (machine.result < 0 || n == 0)
		machine.result = vt_fail(&machine.err, -ENODEV,
			"no cgroup hierarchy is mounted; mount one with 'mount -t cgroup2 none "
			"/sys/fs/cgroup'");
}

int hierarchies_get(const struct hierarchies **hs, struct vt_err *err)
{
	pthread_once(&machine.once, find_machine);
	if (machine.result < 0) {
		if (err)
			*err = machine.err;
		return machine.result;
	}
	*hs = &machine.hs;
	return 0;
}

int cgroup_layout(enum cgroup_layout *layout, struct vt_err *err)
{
	const struct hierarchies *hs;
	int r = hierarchies_get(&hs, err);

	if (r == 0)
		*layout = hs->layout;
	return r;
}

const char *cgroup_layout_name(enum cgroup_layout layout)
{
	return layout == CGROUP_V2 ? "v2" : layout == CGROUP_HYBRID ? "hybrid" : "v1";
}
