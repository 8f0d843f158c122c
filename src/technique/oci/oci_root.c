/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See oci_root.h. */
#include "technique/oci/oci_root.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int make_dir(
	char *out, size_t size, const char *dir, const char *name, mode_t mode, struct vt_err *err)
{
	if ((size_t)snprintf(out, size, "%s/%s", dir, name) >= size)
		return vt_fail(err, -ENAMETOOLONG, "'%s' is too long a path", dir);
	if (mkdir(out, mode) < 0)
		return vt_fail_errno(err, "cannot create '%s'", out);
	return 0;
}

int oci_root_make(struct oci_root *root, const char *dir, const char *lower, bool overlay, bool readonly,
	struct vt_err *err)
{
	int r;

	*root = (struct oci_root){ .lower = lower, .overlay = overlay, .readonly = readonly || !overlay };
	if (overlay && (strpbrk(dir, ",:\\") || strpbrk(lower, ",:\\")))
		return vt_fail(err, -EINVAL,
			"overlayfs cannot take the path '%s' or '%s': it has a ',', ':' or '\\'", dir, lower);
	r = make_dir(root->path, sizeof(root->path), dir, "root", 0755, err);
	if (r == 0)
		r = make_dir(root->upper, sizeof(root->upper), dir, "upper", 0755, err);
	if (r == 0)
		r = make_dir(root->work, sizeof(root->work), dir, "work", 0755, err);
	return r < 0 ? r : make_dir(root->data, sizeof(root->data), dir, "data", 0755, err);
}

static int mount_overlay(const struct oci_root *root, struct vt_err *err)
{
	_cleanup_free_ char *data =
		xasprintf("lowerdir=%s,upperdir=%s,workdir=%s", root->lower, root->upper, root->work);

	if (mount("overlay", root->path, "overlay", 0, data) < 0)
		return vt_fail_errno(
			err, "cannot mount an overlayfs on '%s' (rootfs=bind needs none)", root->path);
	return 0;
}

static int mount_bind(const struct oci_root *root, struct vt_err *err)
{
	if (mount(root->lower, root->path, NULL, MS_BIND, NULL) < 0 ||
		mount(NULL, root->path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return vt_fail_errno(err, "cannot mount '%s' read-only on '%s'", root->lower, root->path);
	return 0;
}

/* What the runtime would have mounted. */
static int mount_rest(const struct oci_root *root, struct vt_err *err)
{
	static const struct {
		const char *source, *dest, *type;
	} rest[] = {
		{ "/proc", "proc", NULL },
		{ "/dev", "dev", NULL },
		{ "/sys", "sys", NULL },
		{ "tmpfs", "tmp", "tmpfs" },
		{ "tmpfs", "run", "tmpfs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rest); i++) {
		_cleanup_free_ char *dest = xasprintf("%s/%s", root->path, rest[i].dest);

		if (rest[i].type && !root->readonly)
			continue;
		if (mount(rest[i].source, dest, rest[i].type, rest[i].type ? 0 : MS_BIND | MS_REC, NULL) < 0)
			return vt_fail_errno(err, "cannot mount '%s' on '%s'", rest[i].source, dest);
	}
	if (root->readonly) {
		_cleanup_free_ char *dest = xasprintf("%s/data", root->path);

		if (mount(root->data, dest, NULL, MS_BIND, NULL) < 0)
			return vt_fail_errno(err, "cannot mount '%s' on '%s'", root->data, dest);
	}
	return 0;
}

int oci_root_mount(const struct oci_root *root, struct vt_err *err)
{
	int r = root->overlay ? mount_overlay(root, err) : mount_bind(root, err);

	if (r < 0 || !root->complete)
		return r;
	if (root->overlay && root->readonly &&
		mount(NULL, root->path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return vt_fail_errno(err, "cannot make '%s' read-only", root->path);
	return mount_rest(root, err);
}
