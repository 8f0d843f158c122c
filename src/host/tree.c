/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rm -r for a hostile tree. What runs in an environment is root in its own files and may swap a folder for
 * a symbolic link while we delete, mount over it, or nest folders deeper than a path or a stack may be. So:
 *
 * - every step is one name relative to a descriptor (openat2 with RESOLVE_NO_SYMLINKS and RESOLVE_BENEATH);
 * - RESOLVE_NO_XDEV makes the kernel refuse mount points, bind mounts of the same file system included, where
 *   comparing st_dev would see none;
 * - below DEPTH_MAX a folder is moved up to the top before it is emptied, so that descriptors and stack are
 * bounded.
 */
#include "host/tree.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DEPTH_MAX 32

bool tree_path_is_plain(const char *path)
{
	const char *p = path;

	if (*p != '/' || strlen(path) >= PATH_MAX)
		return false;
	while (*p == '/') {
		size_t n = strcspn(++p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
	}
	return true;
}

bool tree_is_below(const char *path, const char *base)
{
	size_t n = strlen(base);

	return tree_path_is_plain(path) && tree_path_is_plain(base) && strncmp(path, base, n) == 0 &&
	       path[n] == '/';
}

int tree_make(const char *path, unsigned mode, struct vt_err *err)
{
	char part[PATH_MAX];

	if (path[0] != '/' || strlen(path) >= sizeof part)
		return vt_fail(err, -EINVAL, "'%s' is not an absolute path", path);
	for (const char *p = path; p;) {
		size_t n;

		p = strchr(p + 1, '/');
		n = p ? (size_t)(p - path) : strlen(path);
		memcpy(part, path, n);
		part[n] = '\0';
		if (mkdir(part, p ? 0755 : mode) < 0 && errno != EEXIST)
			return vt_fail_errno(err, "cannot make the folder '%s'", part);
	}
	return 0;
}

static int open_beneath(int dir, const char *name, unsigned long long flags, unsigned long long resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = resolve | RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
}

/* Opens the folder that holds `path`; *leaf is its last component. -ENOENT when something above is missing.
 */
static int open_parent(const char *base, const char *path, const char **leaf, struct vt_err *err)
{
	_cleanup_close_ int root = -1;
	char above[PATH_MAX];
	size_t skip, n;
	int fd;

	if (!tree_is_below(path, base))
		return vt_fail(err, -EPERM, "refusing to remove '%s': it is not below '%s'", path, base);
	skip = strlen(base) + 1;
	*leaf = strrchr(path, '/') + 1;
	n = (size_t)(*leaf - path);
	n = n > skip ? n - skip : 0;
	memcpy(above, path + skip, n);
	above[n ? n - 1 : 0] = '\0';
	root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return errno == ENOENT ? -ENOENT : vt_fail_errno(err, "cannot open '%s'", base);
	if (!n)
		return steal_fd(&root);
	/* A mount above what is removed may be ours: crossing is refused only from the leaf on. */
	fd = open_beneath(root, above, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : vt_fail_errno(err, "cannot open the folder of '%s'", path);
	return fd;
}

struct removal {
	int top;	  /* the folder that deep ones are moved to */
	unsigned moved;	  /* for their names */
	const char *path; /* for messages */
};

static int empty_dir(struct removal *rm, int fd, unsigned depth, const char *keep, struct vt_err *err);

static int remove_folder(struct removal *rm, int dir, const char *name, unsigned depth, struct vt_err *err)
{
	_cleanup_close_ int fd = -1;
	char up[48];
	int r;

	/* For the loops over a folder's entries below: ENOENT is another cleaner at work, which is fine. */
	if (depth >= DEPTH_MAX) {
		snprintf(up, sizeof up, ".vtax-removing-%d-%u", (int)getpid(), rm->moved++);
		if (renameat(dir, name, rm->top, up) < 0 && errno != ENOENT)
			return vt_fail_errno(err, "cannot move '%s' deep in '%s'", name, rm->path);
		return 0;
	}
	fd = open_beneath(dir, name, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && errno == EXDEV)
		return vt_fail(err, -EBUSY,
			"not removing '%s' in '%s': something is mounted there; unmount it", name, rm->path);
	if (fd < 0)
		return vt_fail_errno(err, "cannot open '%s' in '%s'", name, rm->path);
	r = empty_dir(rm, fd, depth + 1, NULL, err);
	if (r < 0)
		return r;
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return vt_fail_errno(err, "cannot remove '%s' in '%s'", name, rm->path);
	return 0;
}

static int remove_entry(struct removal *rm, int dir, const char *name, unsigned depth, struct vt_err *err)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* Linux says EISDIR for a folder, POSIX EPERM. */
	if (errno == EISDIR || errno == EPERM)
		return remove_folder(rm, dir, name, depth, err);
	return vt_fail_errno(err, "cannot remove '%s' in '%s'", name, rm->path);
}

/* One pass over the entries; *left says whether there were any. */
static int empty_pass(
	struct removal *rm, DIR *d, unsigned depth, const char *keep, bool *left, struct vt_err *err)
{
	*left = false;
	for (;;) {
		struct dirent *e;
		int r;

		errno = 0;
		e = readdir(d);
		if (!e)
			return errno ? vt_fail_errno(err, "cannot list a folder in '%s'", rm->path) : 0;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (keep && !strcmp(e->d_name, keep)))
			continue;
		*left = true;
		r = remove_entry(rm, dirfd(d), e->d_name, depth, err);
		if (r < 0)
			return r;
	}
}

/* Entries may appear while we delete (and deep folders are moved to the top): pass until there are none. */
static int empty_dir(struct removal *rm, int fd, unsigned depth, const char *keep, struct vt_err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	bool left = true;

	if (copy < 0)
		return vt_fail_errno(err, "cannot duplicate a descriptor");
	d = fdopendir(copy);
	if (!d) {
		close(copy);
		return vt_fail_errno(err, "cannot list a folder in '%s'", rm->path);
	}
	while (left) {
		int r;

		rewinddir(d);
		r = empty_pass(rm, d, depth, keep, &left, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_remove(const char *base, const char *path, const char *keep, struct vt_err *err)
{
	_cleanup_close_ int parent = -1, top = -1;
	struct removal rm = { .path = path };
	const char *leaf;
	int r;

	parent = open_parent(base, path, &leaf, err);
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	top = open_beneath(parent, leaf, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	if (top < 0 && errno == ENOENT)
		return 0;
	if (top < 0 && errno == EXDEV)
		return vt_fail(
			err, -EBUSY, "not removing '%s': something is mounted there; unmount it", path);
	if (top < 0 &&
		(errno == ENOTDIR || errno == ELOOP)) /* a file, or a link, which goes without its target */
		return tree_unlink(base, path, err);
	if (top < 0)
		return vt_fail_errno(err, "cannot open '%s'", path);
	rm.top = top;
	r = empty_dir(&rm, top, 0, keep, err);
	if (r < 0 || keep)
		return r;
	if (unlinkat(parent, leaf, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return vt_fail_errno(err, "cannot remove '%s'", path);
	return 0;
}

int tree_unlink(const char *base, const char *path, struct vt_err *err)
{
	_cleanup_close_ int parent = -1;
	const char *leaf;

	parent = open_parent(base, path, &leaf, err);
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	if (unlinkat(parent, leaf, 0) < 0 && errno != ENOENT)
		return vt_fail_errno(err, "cannot remove '%s'", path);
	return 0;
}
