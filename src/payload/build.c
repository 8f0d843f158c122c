/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building a payload. All packages of its programs are unpacked into one scratch tree (a link of one package
 * may point into another), the ELF closure is taken over that tree first and the host second, and exactly
 * those files are copied into the root filesystem. Dependencies of a package are fetched only when a library
 * is missing, or when the host has it in a version that will not do: Debian's dependencies are wider than
 * what a program links with, and the host usually has the C library and its friends.
 *
 * Everything happens in CACHE/payload/.build-XXXXXX; the last step is one rename.
 */
#include "payload/build.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/xalloc.h"
#include "payload/closure.h"
#include "payload/package.h"
#include "payload/rootfs.h"
#include "payload/inroot.h"

#include <fcntl.h>
#include <sha2.h>
#include <string.h>
#include <sys/stat.h>

enum { ROOT_SCRATCH, ROOT_HOST }; /* order of the closure's roots */

struct build {
	const char *cache, *agent;
	const struct payload_program *const *programs;
	bool offline;
	char *dir, *scratch; /* the build directory and the unpacked packages in it */
	struct package *packages;
	size_t npackages;
};

static void build_release(struct build *b)
{
	for (size_t i = 0; i < b->npackages; i++)
		package_release(&b->packages[i]);
	free(b->packages);
	if (b->dir)
		inroot_remove(b->dir, NULL, NULL);
	free(b->dir);
	free(b->scratch);
}

static bool have_package(const struct build *b, const char *name)
{
	for (size_t i = 0; i < b->npackages; i++)
		if (strcmp(b->packages[i].name, name) == 0)
			return true;
	return false;
}

static int fetch(struct build *b, const char *name, struct vt_err *err)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	int r;

	if (have_package(b, name))
		return 0;
	r = package_find(&p, b->cache, name, b->offline, err);
	if (r == 0)
		r = package_unpack(&p, b->scratch, err);
	if (r < 0)
		return r;
	b->packages = xrealloc(b->packages, (b->npackages + 1) * sizeof *b->packages);
	b->packages[b->npackages++] = p;
	p = PACKAGE_INIT;
	return 0;
}

/*
 * Fetches what packages[from..] want of others, and with `outdated_only` what those want in turn. A
 * dependency that cannot be had is no error: perhaps no library of it is needed, and if one is, it is
 * reported as missing with the name of the file that needs it.
 */
static int fetch_wanted(struct build *b, size_t from, bool outdated_only, struct vt_err *err)
{
	size_t to = b->npackages;

	for (size_t i = from; i < (outdated_only ? b->npackages : to); i++) {
		_cleanup_strvec_ struct strvec names = STRVEC_INIT;
		int r = package_wants(&b->packages[i], outdated_only, &names, err);

		if (r < 0)
			return r;
		for (size_t n = 0; n < names.n; n++)
			fetch(b, names.v[n], NULL);
	}
	return 0;
}

static int fetch_programs(struct build *b, struct vt_err *err)
{
	for (size_t i = 0; b->programs[i]; i++) {
		const struct payload_program *p = b->programs[i];
		int r = fetch(b, p->package, err);

		for (size_t n = 0; r == 0 && p->packages && p->packages[n]; n++)
			r = fetch(b, p->packages[n], err);
		if (r < 0)
			return r;
	}
	return fetch_wanted(b, 0, true, err);
}

/* Adds a file, or every file below a directory, of one root. Links to files are followed, others are not. */
static int add_tree(struct closure *c, size_t root, const char *path, unsigned depth, struct vt_err *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	struct stat st;
	int r, fd = inroot_open(c->roots[root].fd, path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return vt_fail(err, fd, "cannot open '%s': %s", path, strerror(-fd));
	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode)) {
		close(fd);
		return closure_add(c, root, path, err);
	}
	d = fdopendir(fd);
	if (!d || depth > 32) {
		if (!d)
			close(fd);
		return vt_fail(err, -ELOOP, "cannot list '%s'", path);
	}
	while ((de = readdir(d))) {
		_cleanup_free_ char *sub = xasprintf("%s/%s", path, de->d_name);
		bool link;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return vt_fail_errno(err, "cannot look at '%s'", sub);
		link = S_ISLNK(st.st_mode);
		if (link) {
			_cleanup_close_ int to = inroot_open(c->roots[root].fd, sub, O_PATH, 0);

			if (to < 0 || fstat(to, &st) < 0 || !S_ISREG(st.st_mode))
				continue; /* leads nowhere, or to a directory */
		}
		r = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? add_tree(c, root, sub, depth + 1, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* A path of a program: from its packages when they were unpacked, from the host when they are installed. */
static int add_path(const struct build *b, struct closure *c, const struct payload_program *p,
	const char *path, struct vt_err *err)
{
	_cleanup_close_ int fd = inroot_open(c->roots[ROOT_SCRATCH].fd, path, O_PATH, 0);

	if (fd >= 0)
		return add_tree(c, ROOT_SCRATCH, path, 0, err);
	for (size_t i = 0; i < b->npackages; i++)
		if (strcmp(b->packages[i].name, p->package) == 0 && !b->packages[i].deb)
			return add_tree(c, ROOT_HOST, path, 0, err);
	return vt_fail(err, -ENOENT, "package '%s' has no '%s'", p->package, path);
}

static int take_closure(const struct build *b, struct closure *c, struct vt_err *err)
{
	int r = closure_add_root(c, b->scratch, err);

	if (r == 0)
		r = closure_add_root(c, "/", err);
	if (r == 0)
		r = closure_add(c, ROOT_HOST, b->agent, err); /* files[0]; static, so normally all of it */
	for (size_t i = 0; r == 0 && b->programs[i]; i++) {
		const struct payload_program *p = b->programs[i];

		r = add_path(b, c, p, p->path, err);
		for (size_t n = 0; r == 0 && p->extra && p->extra[n]; n++)
			r = add_path(b, c, p, p->extra[n], err);
	}
	return r;
}

/* Repeats until no library is missing, fetching one more level of dependencies each time. */
static int complete_closure(struct build *b, struct closure *c, struct vt_err *err)
{
	for (size_t from = 0;;) {
		size_t before = b->npackages;
		int r = take_closure(b, c, err);

		if (r < 0 || c->missing.n == 0)
			return r;
		r = fetch_wanted(b, from, false, err);
		if (r < 0)
			return r;
		if (b->npackages == before)
			return vt_fail(err, -ENOENT, "no package brings the library %s", c->missing.v[0]);
		from = before;
		closure_release(c);
	}
}

static int copy_files(struct rootfs *fs, const struct closure *c, const char *agent_sha256,
	struct vt_err *err)
{
	_cleanup_free_ char *prefix = xasprintf("file 0755 %s ", agent_sha256);
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->nfiles; i++) {
		const struct closure_file *f = &c->files[i];
		_cleanup_close_ int fd = inroot_open(c->roots[f->root].fd, f->found, O_RDONLY | O_NONBLOCK, 0);

		if (fd < 0)
			return vt_fail(err, fd, "cannot open '%s': %s", f->found, strerror(-fd));
		r = i == 0 ? rootfs_add(fs, fd, PAYLOAD_AGENT, "agent", err)
			   : rootfs_add(fs, fd, f->path, f->library ? "library" : "file", err);
		if (r == 0 && i == 0 && strncmp(fs->lines.v[fs->lines.n - 1], prefix, strlen(prefix)) != 0)
			r = vt_fail(err, -ESTALE, "the agent '%s' is not executable or changed while it was "
				"copied; run again", f->found);
	}
	return r;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_manifest(const struct build *b, const struct rootfs *fs, struct buf *out, struct vt_err *err)
{
	_cleanup_strvec_ struct strvec packages = STRVEC_INIT;

	for (size_t i = 0; i < b->npackages; i++)
		strvec_pushf(&packages, "package %s %s %s", b->packages[i].name, b->packages[i].version,
			b->packages[i].deb ? "unpacked" : "installed");
	if (packages.n)
		qsort(packages.v, packages.n, sizeof *packages.v, by_text);
	buf_puts(out, "vtax-payload 1\narch " PACKAGE_ARCH "\n");
	for (size_t i = 0; i < packages.n; i++)
		buf_printf(out, "%s\n", packages.v[i]);
	for (size_t i = 0; b->programs[i]; i++)
		buf_printf(out, "program %s %s\n", b->programs[i]->name, b->programs[i]->path);
	return rootfs_manifest(fs, out, err);
}

/* Moves the finished build to its name, unless a good one is there already. */
static int publish(struct build *b, const struct buf *manifest, const char *digest, struct vt_err *err)
{
	_cleanup_free_ char *final = xasprintf("%s/payload/%s", b->cache, digest);
	_cleanup_free_ char *rootfs = xasprintf("%s/rootfs", final);
	_cleanup_free_ char *path = xasprintf("%s/manifest", final);
	_cleanup_buf_ struct buf was = BUF_INIT(BUILD_MANIFEST_MAX);
	_cleanup_close_ int fd = -1;
	uint64_t bytes;
	int r;

	if (buf_read_file(&was, path, NULL) == 0 && strcmp(buf_str(&was), buf_str(manifest)) == 0 &&
		rootfs_intact(rootfs, buf_str(manifest), &bytes))
		return 0;
	r = inroot_remove(final, NULL, err);
	if (r == 0)
		r = inroot_remove(b->scratch, NULL, err);
	if (r < 0)
		return r;
	fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0755) < 0 || syncfs(fd) < 0) /* whole on disk before it has its name */
		return vt_fail_errno(err, "cannot write '%s' to disk", b->dir);
	if (rename(b->dir, final) < 0)
		return vt_fail_errno(err, "cannot make '%s'", final);
	free(steal_ptr(b->dir));
	return 0;
}

static int build_in(struct build *b, const char *agent_sha256, char digest[65], struct vt_err *err)
{
	_cleanup_buf_ struct buf manifest = BUF_INIT(BUILD_MANIFEST_MAX);
	_cleanup_free_ char *rootfs = xasprintf("%s/rootfs", b->dir);
	_cleanup_free_ char *path = xasprintf("%s/manifest", b->dir);
	_cleanup_closure_ struct closure c = CLOSURE_INIT;
	_cleanup_rootfs_ struct rootfs fs = ROOTFS_INIT;
	char sha256[65];
	int r;

	if (mkdir(b->scratch, 0755) < 0)
		return vt_fail_errno(err, "cannot make the directory '%s'", b->scratch);
	r = fetch_programs(b, err);
	if (r == 0)
		r = complete_closure(b, &c, err);
	if (r == 0)
		r = rootfs_create(&fs, rootfs, err);
	if (r == 0)
		r = copy_files(&fs, &c, agent_sha256, err);
	if (r == 0)
		r = write_manifest(b, &fs, &manifest, err);
	if (r == 0)
		r = buf_write_file(&manifest, path, 0644, err);
	if (r < 0)
		return r;
	SHA256Data((const uint8_t *)buf_str(&manifest), manifest.len, sha256);
	r = publish(b, &manifest, sha256, err);
	if (r == 0)
		memcpy(digest, sha256, sizeof sha256);
	return r;
}

int payload_build(const char *cache, const char *agent_path, const char agent_sha256[65],
	const struct payload_program *const *programs, bool offline, char digest[65], struct vt_err *err)
{
	__attribute__((cleanup(build_release))) struct build b = {
		.cache = cache, .agent = agent_path, .programs = programs, .offline = offline,
	};
	_cleanup_free_ char *dir = xasprintf("%s/payload/.build-XXXXXX", cache);
	int r;

	if (!mkdtemp(dir))
		return vt_fail_errno(err, "cannot make a directory in '%s/payload'", cache);
	b.dir = steal_ptr(dir);
	b.scratch = xasprintf("%s/scratch", b.dir);
	r = build_in(&b, agent_sha256, digest, err);
	return r < 0 ? vt_wrap(err, "cannot build the payload"), r : 0;
}
