/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything is written through the directory's descriptor with links resolved inside it (inroot.h), and
 * modes are set explicitly, so that neither the user's umask nor a crafted link changes the result.
 */
#include "payload/rootfs.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "payload/inroot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sha2.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *path;
	mode_t mode;
} skeleton_dirs[] = {
	{ "/usr/bin", 0755 }, { "/usr/sbin", 0755 }, { "/usr/lib", 0755 }, { "/usr/lib64", 0755 },
	{ "/etc", 0755 }, { "/vtax", 0755 }, { "/root", 0700 }, { "/run", 0755 }, { "/var", 0755 },
	{ "/dev", 0755 }, { "/proc", 0755 }, { "/sys", 0755 }, /* mount points */
	{ "/data", 0755 },				       /* what servers write; a volume or a disk */
	{ "/tmp", 01777 }, { "/var/tmp", 01777 },
};

static const struct {
	const char *path, *target;
} skeleton_links[] = {
	{ "/bin", "usr/bin" }, { "/sbin", "usr/sbin" }, { "/lib", "usr/lib" }, { "/lib64", "usr/lib64" },
	{ "/var/run", "../run" },
};

static const struct {
	const char *path, *text;
} skeleton_files[] = {
	{ "/etc/passwd", "root:x:0:0:root:/root:/nonexistent\n"
			 "nobody:x:65534:65534:nobody:/nonexistent:/nonexistent\n" },
	{ "/etc/group", "root:x:0:\nnogroup:x:65534:\n" },
	{ "/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n" },
	{ "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n" },
	{ "/etc/resolv.conf", "" }, /* nothing in an environment may ask the network for a name */
};

static int add_dir(struct rootfs *r, const char *path, mode_t mode, struct vt_err *err)
{
	_cleanup_close_ int dir = -1;
	const char *leaf;
	int ret = inroot_mkdirs(r->fd, path, err);

	if (ret < 0)
		return ret;
	dir = inroot_parent(r->fd, path, &leaf, err);
	if (dir < 0)
		return dir;
	if (fchmodat(dir, leaf, mode, 0) < 0)
		return vt_fail_errno(err, "cannot set the mode of '%s'", path);
	strvec_pushf(&r->lines, "dir %04o %s", mode, path);
	return 0;
}

static int add_link(struct rootfs *r, const char *path, const char *target, struct vt_err *err)
{
	const char *leaf;
	_cleanup_close_ int dir = inroot_parent(r->fd, path, &leaf, err);

	if (dir < 0)
		return dir;
	if (symlinkat(target, dir, leaf) < 0)
		return vt_fail_errno(err, "cannot make the link '%s'", path);
	strvec_pushf(&r->lines, "link %s %s", target, path);
	return 0;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* From the start of `from` to `to`; the hash is of what was written. 0 or negative errno. */
static int copy_hashed(int from, int to, char sha256[65], uint64_t *size)
{
	uint8_t chunk[65536];
	off_t at = 0;
	SHA2_CTX sha;
	int r;

	SHA256Init(&sha);
	for (;;) {
		ssize_t n = pread(from, chunk, sizeof chunk, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		SHA256Update(&sha, chunk, (size_t)n);
		r = write_all(to, chunk, (size_t)n);
		if (r < 0)
			return r;
		at += n;
	}
	SHA256End(&sha, sha256);
	*size = (uint64_t)at;
	return 0;
}

static int open_new(struct rootfs *r, const char *path, struct vt_err *err)
{
	_cleanup_free_ char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	int ret = dir && *dir ? inroot_mkdirs(r->fd, dir, err) : 0;
	int fd;

	if (ret < 0)
		return ret;
	fd = inroot_open(r->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	return fd < 0 ? vt_fail(err, fd, "cannot create '%s': %s", path, strerror(-fd)) : fd;
}

int rootfs_add(struct rootfs *r, int from, const char *path, const char *kind, struct vt_err *err)
{
	_cleanup_close_ int to = -1;
	uint64_t size = 0;
	char sha256[65];
	struct stat st;
	mode_t mode;
	int ret;

	if (fstat(from, &st) < 0)
		return vt_fail_errno(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return vt_fail(err, -EINVAL, "'%s' is not a file", path);
	if (strchr(path, '\n'))
		return vt_fail(err, -EINVAL, "a path of a package has a line break");
	mode = st.st_mode & 0111 ? 0755 : 0644; /* never set-uid: environments differ in what they make of it */
	to = open_new(r, path, err);
	if (to < 0)
		return to;
	ret = copy_hashed(from, to, sha256, &size);
	if (ret == 0 && fchmod(to, mode) < 0)
		ret = -errno;
	if (ret == 0 && close(steal_fd(&to)) < 0)
		ret = -errno;
	if (ret < 0)
		return vt_fail(err, ret, "cannot copy '%s' into the payload: %s", path, strerror(-ret));
	strvec_pushf(&r->lines, "file %04o %s %" PRIu64 " %s %s", mode, sha256, size, kind, path);
	return 0;
}

static int add_text(struct rootfs *r, const char *path, const char *text, struct vt_err *err)
{
	char sha256[65];
	_cleanup_close_ int to = open_new(r, path, err);
	int ret;

	if (to < 0)
		return to;
	ret = write_all(to, (const uint8_t *)text, strlen(text));
	if (ret == 0 && fchmod(to, 0644) < 0)
		ret = -errno;
	if (ret < 0)
		return vt_fail(err, ret, "cannot write '%s' of the payload: %s", path, strerror(-ret));
	SHA256Data((const uint8_t *)text, strlen(text), sha256);
	strvec_pushf(&r->lines, "file 0644 %s %zu file %s", sha256, strlen(text), path);
	return 0;
}

int rootfs_create(struct rootfs *r, const char *dir, struct vt_err *err)
{
	int ret = 0;

	if (mkdir(dir, 0755) < 0)
		return vt_fail_errno(err, "cannot make the directory '%s'", dir);
	r->fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->fd < 0 || fchmod(r->fd, 0755) < 0)
		return vt_fail_errno(err, "cannot open '%s'", dir);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(skeleton_dirs); i++)
		ret = add_dir(r, skeleton_dirs[i].path, skeleton_dirs[i].mode, err);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(skeleton_links); i++)
		ret = add_link(r, skeleton_links[i].path, skeleton_links[i].target, err);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(skeleton_files); i++)
		ret = add_text(r, skeleton_files[i].path, skeleton_files[i].text, err);
	return ret;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int rootfs_manifest(const struct rootfs *r, struct buf *out, struct vt_err *err)
{
	_cleanup_strvec_ struct strvec sorted = STRVEC_INIT;

	strvec_pushv(&sorted, strvec_argv(&r->lines));
	if (sorted.n)
		qsort(sorted.v, sorted.n, sizeof *sorted.v, by_text);
	for (size_t i = 0; i < sorted.n; i++)
		buf_printf(out, "%s\n", sorted.v[i]);
	return out->failed ? vt_fail(err, -ENOBUFS, "the payload has too many files") : 0;
}

void rootfs_release(struct rootfs *r)
{
	if (r->fd >= 0)
		close(r->fd);
	strvec_release(&r->lines);
	*r = ROOTFS_INIT;
}

int rootfs_next_entry(const char **text, struct rootfs_entry *e)
{
	while (**text) {
		const char *line = *text;
		size_t len = strcspn(line, "\n");
		int at = 0;

		*text = line + len + (line[len] == '\n');
		if (strncmp(line, "file ", 5) != 0)
			continue;
		if (sscanf(line, "file %o %64[0-9a-f] %" SCNu64 " %15[a-z] %n", &e->mode, e->sha256, &e->size,
			    e->kind, &at) != 4 || at <= 0 || (size_t)at >= len || line[at] != '/')
			return -EBADMSG;
		e->path = line + at;
		e->path_len = (int)(len - (size_t)at);
		return 1;
	}
	return 0;
}

bool rootfs_intact(const char *dir, const char *manifest, uint64_t *bytes)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct rootfs_entry e;
	uint64_t sum = 0;
	int r, files = 0;

	if (fd < 0)
		return false;
	while ((r = rootfs_next_entry(&manifest, &e)) > 0) {
		_cleanup_free_ char *path = xasprintf("%.*s", e.path_len, e.path);
		struct stat st;

		if (fstatat(fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
			(uint64_t)st.st_size != e.size || (st.st_mode & 07777) != e.mode)
			return false;
		sum += (uint64_t)st.st_blocks * 512;
		files++;
	}
	*bytes = sum;
	return r == 0 && files > 0;
}
