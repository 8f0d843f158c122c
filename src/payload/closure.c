/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Search order as in ld.so(8): DT_RPATH of the file when it has no DT_RUNPATH, DT_RUNPATH, then Debian's
 * multiarch and plain library directories. /etc/ld.so.conf is left aside on purpose: the payload has none, so
 * a library that only it would find must be missed here and not in the middle of a trial. glibc-hwcaps
 * variants are left aside too: the same bytes must run everywhere.
 *
 * A root is searched to its end before the next one, so that what a downloaded package brings wins over what
 * the host happens to have. `files` is worklist and result at once.
 */
#include "payload/closure.h"

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "payload/elf.h"
#include "payload/inroot.h"

#include <fcntl.h>
#include <string.h>

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#elif defined(__riscv)
#define TRIPLET "riscv64-linux-gnu"
#endif

static const char *const default_dirs[] = {
	"/lib/" TRIPLET, "/usr/lib/" TRIPLET, "/lib64", "/usr/lib64", "/lib", "/usr/lib",
};

int closure_add_root(struct closure *c, const char *dir, struct vt_err *err)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return vt_fail_errno(err, "cannot open the directory '%s'", dir);
	c->roots = xrealloc(c->roots, (c->nroots + 1) * sizeof *c->roots);
	c->roots[c->nroots++] = (struct closure_root){ .dir = xstrdup(dir), .fd = fd };
	return 0;
}

static int add_file(struct closure *c, size_t root, const char *found, bool library, struct vt_err *err)
{
	_cleanup_free_ char *path = inroot_canonical(found);

	if (!path)
		return vt_fail(err, -EBADMSG, "'%s' is not an absolute, plain path", found);
	for (size_t i = 0; i < c->nfiles; i++) {
		if (strcmp(c->files[i].path, path) == 0) {
			c->files[i].library |= library;
			return 0;
		}
	}
	if (c->nfiles >= CLOSURE_FILES_MAX)
		return vt_fail(err, -E2BIG, "over %d files in one payload", CLOSURE_FILES_MAX);
	c->files = xrealloc(c->files, (c->nfiles + 1) * sizeof *c->files);
	c->files[c->nfiles++] = (struct closure_file){
		.path = steal_ptr(path), .root = root, .found = xstrdup(found), .library = library,
	};
	return 0;
}

/* Whether DIR/NAME in this root is a library for this machine; like the loader, others are passed over. */
static bool usable(const struct closure *c, size_t root, const char *path, uint16_t machine)
{
	_cleanup_close_ int fd = inroot_open(c->roots[root].fd, path, O_RDONLY | O_NONBLOCK, 0);
	_cleanup_elf_ struct elf e = ELF_INIT;

	return fd >= 0 && elf_read(&e, fd, path, NULL) == 0 && e.machine == machine && e.dynamic;
}

/* One directory of a search path, with $ORIGIN replaced; NULL when it has another variable or is relative. */
static char *expand(const char *item, size_t len, const char *origin)
{
	static const char *const forms[] = { "$ORIGIN", "${ORIGIN}" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = strlen(forms[i]);

		if (len >= n && memcmp(item, forms[i], n) == 0 && (len == n || item[n] == '/'))
			return xasprintf("%s%.*s", origin, (int)(len - n), item + n);
	}
	if (len == 0 || item[0] != '/' || memchr(item, '$', len))
		return NULL;
	return xasprintf("%.*s", (int)len, item);
}

/* "/usr/lib/foo" and "/usr/lib/foo/../bar": the directory part, with ".." resolved as text for $ORIGIN. */
static char *plain(const char *path)
{
	char *out = xmalloc(strlen(path) + 2);
	size_t len = 0;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0) {
			while (len && out[--len] != '/')
				;
		} else if (n && !(n == 1 && *path == '.')) {
			out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	out[len] = '\0';
	return out;
}

static void add_search_path(struct strvec *dirs, const char *list, const char *file)
{
	const char *slash = strrchr(file, '/');
	_cleanup_free_ char *origin = xasprintf("%.*s", slash ? (int)(slash - file) : 0, file);

	while (list && *list) {
		size_t n = strcspn(list, ":");
		_cleanup_free_ char *dir = expand(list, n, origin);

		if (dir) {
			_cleanup_free_ char *clean = plain(dir);

			strvec_push(dirs, clean);
		}
		list += n + (list[n] == ':');
	}
}

/* 1 found and added, 0 nowhere, negative errno. */
static int find_library(struct closure *c, const struct strvec *dirs, const char *name, uint16_t machine,
	struct vt_err *err)
{
	for (size_t root = 0; root < c->nroots; root++) {
		for (size_t d = 0; d < dirs->n; d++) {
			_cleanup_free_ char *path = xasprintf("%s/%s", dirs->v[d], name);

			if (usable(c, root, path, machine)) {
				int r = add_file(c, root, path, true, err);

				return r < 0 ? r : 1;
			}
		}
	}
	return 0;
}

static int add_interp(struct closure *c, const char *interp, const char *who, struct vt_err *err)
{
	for (size_t root = 0; root < c->nroots; root++) {
		_cleanup_close_ int fd = inroot_open(c->roots[root].fd, interp, O_RDONLY | O_NONBLOCK, 0);

		if (fd >= 0)
			return add_file(c, root, interp, true, err);
	}
	strvec_pushf(&c->missing, "%s (needed by %s)", interp, who);
	return 0;
}

static int add_needs(struct closure *c, const struct elf *e, const char *who, struct vt_err *err)
{
	_cleanup_strvec_ struct strvec dirs = STRVEC_INIT;
	int r = 0;

	if (!e->runpath)
		add_search_path(&dirs, e->rpath, who);
	add_search_path(&dirs, e->runpath, who);
	for (size_t i = 0; i < ARRAY_SIZE(default_dirs); i++)
		strvec_push(&dirs, default_dirs[i]);
	for (size_t i = 0; r >= 0 && i < e->needed.n; i++) {
		const char *name = e->needed.v[i];

		if (strchr(name, '/'))
			return vt_fail(err, -EBADMSG, "'%s' needs a library by path, '%s'", who, name);
		r = find_library(c, &dirs, name, e->machine, err);
		if (r == 0)
			strvec_pushf(&c->missing, "%s (needed by %s)", name, who);
	}
	return r < 0 ? r : 0;
}

/* Everything that files[i] asks for. */
static int follow(struct closure *c, size_t i, struct vt_err *err)
{
	_cleanup_free_ char *who = xstrdup(c->files[i].path); /* the array may move */
	_cleanup_elf_ struct elf e = ELF_INIT;
	_cleanup_close_ int fd = -1;
	int r;

	fd = inroot_open(c->roots[c->files[i].root].fd, c->files[i].found, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return vt_fail(err, fd, "cannot open '%s' in '%s': %s", c->files[i].found,
			c->roots[c->files[i].root].dir, strerror(-fd));
	r = elf_read(&e, fd, c->files[i].found, err);
	if (r == -ENOEXEC)
		return 0; /* a script or data: needs nothing that ELF could tell */
	if (r < 0)
		return r;
	if (!elf_machine_native(e.machine))
		return vt_fail(err, -ENOEXEC, "'%s' is built for another machine type", who);
	if (e.interp) {
		r = add_interp(c, e.interp, who, err);
		if (r < 0)
			return r;
	}
	return add_needs(c, &e, who, err);
}

int closure_add(struct closure *c, size_t root, const char *path, struct vt_err *err)
{
	size_t next = c->nfiles;
	int r = add_file(c, root, path, false, err);

	while (r == 0 && next < c->nfiles)
		r = follow(c, next++, err);
	return r;
}

void closure_release(struct closure *c)
{
	for (size_t i = 0; i < c->nroots; i++) {
		free(c->roots[i].dir);
		close(c->roots[i].fd);
	}
	for (size_t i = 0; i < c->nfiles; i++) {
		free(c->files[i].path);
		free(c->files[i].found);
	}
	free(c->roots);
	free(c->files);
	strvec_release(&c->missing);
	*c = CLOSURE_INIT;
}
