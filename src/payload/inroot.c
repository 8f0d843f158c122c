/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packages come verified, but a tree that a container was allowed to write into does not: so every path is
 * resolved by the kernel inside its root, and removal works on descriptors and never follows a link.
 */
#include "payload/inroot.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

int inroot_open(int root_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

static int mkdir_one(int root_fd, const char *path, struct vt_err *err)
{
	const char *leaf;
	_cleanup_close_ int dir = inroot_parent(root_fd, path, &leaf, err);

	if (dir < 0)
		return dir;
	if (mkdirat(dir, leaf, 0755) < 0)
		return errno == EEXIST ? 0 : vt_fail_errno(err, "cannot make the directory '%s'", path);
	if (fchmodat(dir, leaf, 0755, 0) < 0) /* whatever the umask */
		return vt_fail_errno(err, "cannot set the mode of '%s'", path);
	return 0;
}

int inroot_mkdirs(int root_fd, const char *path, struct vt_err *err)
{
	_cleanup_free_ char *copy = xstrdup(path);

	for (char *p = copy; *p; p++) {
		char *end = p + strcspn(p, "/");
		char saved = *end;
		int r;

		if (end > p) {
			*end = '\0';
			r = mkdir_one(root_fd, copy, err);
			*end = saved;
			if (r < 0)
				return r;
		}
		if (!saved)
			break;
		p = end;
	}
	return 0;
}

int inroot_parent(int root_fd, const char *path, const char **leaf, struct vt_err *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = NULL;
	int fd;

	if (!slash || !slash[1])
		return vt_fail(err, -EINVAL, "'%s' names no file", path);
	dir = slash == path ? xstrdup("/") : strndup(path, (size_t)(slash - path));
	if (!dir)
		return vt_fail(err, -ENOMEM, "out of memory");
	fd = inroot_open(root_fd, dir, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return vt_fail(err, fd, "cannot open the directory '%s': %s", dir, strerror(-fd));
	*leaf = slash + 1;
	return fd;
}

static bool below_usr(const char *path)
{
	static const char *const merged[] = { "/bin", "/sbin", "/lib", "/lib64" };

	for (size_t i = 0; i < ARRAY_SIZE(merged); i++) {
		size_t n = strlen(merged[i]);

		if (strncmp(path, merged[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

char *inroot_canonical(const char *path)
{
	_cleanup_free_ char *out = NULL;
	size_t len = 0;

	if (path[0] != '/')
		return NULL;
	out = xmalloc(strlen(path) + 2);
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0)
			return NULL;
		if (n && !(n == 1 && *path == '.')) {
			out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	if (!len)
		out[len++] = '/';
	out[len] = '\0';
	return below_usr(out) ? xasprintf("/usr%s", out) : steal_ptr(out);
}

/* Empties the directory behind `fd` (taken over). `depth` bounds a hostile nesting, `dev` the filesystem. */
static int remove_below(int fd, dev_t dev, unsigned depth, uint64_t *freed, struct vt_err *err)
{
	_cleanup_closedir_ DIR *d = fdopendir(fd);
	struct dirent *de;

	if (!d) {
		close(fd);
		return vt_fail_errno(err, "cannot list a directory");
	}
	if (depth > 200)
		return vt_fail(err, -ELOOP, "directories are nested too deeply");
	while ((de = readdir(d))) {
		const char *name = de->d_name;
		struct stat st;
		int r, sub;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return vt_fail_errno(err, "cannot look at '%s'", name);
		if (st.st_dev != dev)
			return vt_fail(err, -EBUSY, "'%s' is a mount point; unmount it first", name);
		if (S_ISDIR(st.st_mode)) {
			sub = openat(dirfd(d), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub < 0)
				return vt_fail_errno(err, "cannot open '%s'", name);
			r = remove_below(sub, dev, depth + 1, freed, err);
			if (r < 0)
				return r;
		}
		if (unlinkat(dirfd(d), name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
			return vt_fail_errno(err, "cannot remove '%s'", name);
		if (freed && st.st_nlink <= 1 + (S_ISDIR(st.st_mode) ? 1u : 0u))
			*freed += (uint64_t)st.st_blocks * 512;
	}
	return 0;
}

int inroot_remove(const char *path, uint64_t *freed_bytes, struct vt_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return vt_fail_errno(err, "cannot open '%s'", path);
	r = remove_below(steal_fd(&fd), st.st_dev, 0, freed_bytes, err);
	if (r < 0)
		return vt_wrap(err, "cannot remove '%s'", path);
	if (rmdir(path) < 0 && errno != ENOENT)
		return vt_fail_errno(err, "cannot remove '%s'", path);
	return 0;
}
