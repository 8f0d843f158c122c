/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results folders and who owns them. vtax runs as root, mostly through sudo, but a person reads, copies and
 * deletes the results: what is made here is given to that person.
 */
#include "store/store.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A uid or gid from the environment; false when it is absent or not a plain number. */
static bool id_from_env(const char *name, unsigned *id)
{
	const char *text = getenv(name);
	unsigned long v;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v >= UINT32_MAX)
		return false;
	*id = (unsigned)v;
	return true;
}

void store_give(const char *path)
{
	unsigned uid, gid;

	if (geteuid() != 0 || !id_from_env("SUDO_UID", &uid) || !id_from_env("SUDO_GID", &gid))
		return;
	/* A file system without owners (vfat, some network mounts) is no reason to fail. */
	if (lchown(path, uid, gid) < 0)
		errno = 0;
}

static int make_one(const char *dir, struct vt_err *err)
{
	struct stat st;

	if (mkdir(dir, 0755) == 0) {
		store_give(dir);
		return 0;
	}
	if (errno == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (errno == EEXIST || errno == ENOTDIR) {
		vt_fail(err, -ENOTDIR,
			"cannot make results folder '%s': something that is no folder is in the way", dir);
		if (err)
			err->kind = VT_ERR_USAGE;
		return -ENOTDIR;
	}
	if (errno == ENOSPC)
		return vt_fail(err, -ENOSPC,
			"no space left to make results folder '%s': free some, or choose another "
			"with --out",
			dir);
	return vt_fail_errno(err, "cannot make results folder '%s' (choose another with --out)", dir);
}

int store_make_dir(const char *dir, struct vt_err *err)
{
	_cleanup_free_ char *part = xstrdup(dir);
	struct stat st;
	int r;

	if (!*dir)
		return vt_usage(err, "the name of the results folder is empty");
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* A parent that exists need not be writable, so only missing ones are made. */
		if (stat(part, &st) < 0 || !S_ISDIR(st.st_mode)) {
			r = make_one(part, err);
			if (r < 0)
				return r;
		}
		*slash = '/';
	}
	return make_one(part, err);
}
