/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sysctls of a namespace. /proc/sys/net shows the values of the network namespace of the thread that looks,
 * so the file is opened on a helper thread inside. Only names below "net." are accepted: every other sysctl
 * is the whole host's, and vtax does not change those.
 */
#include "host/net.h"

#include "base/cleanup.h"
#include "host/netns.h"

#include <fcntl.h>
#include <string.h>

struct access {
	const char *name;
	const char *write; /* NULL: only read */
	char path[192];
	char value[256];
};

/* As sysctl(8): '.' separates, and a '/' in the name stands for a dot within a part ("eth0/100"). */
static int to_path(struct access *a, struct vt_err *err)
{
	static const char root[] = "/proc/sys/";
	char *p;

	if (strncmp(a->name, "net.", 4) || strstr(a->name, "..") || strstr(a->name, "//") ||
		strlen(a->name) + sizeof root > sizeof a->path)
		return vt_fail(err, -EINVAL, "'%s' is not a sysctl of a network namespace", a->name);
	snprintf(a->path, sizeof a->path, "%s%s", root, a->name);
	for (p = a->path + sizeof root - 1; *p; p++)
		*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
	return 0;
}

/* "1024\t65535\n" → "1024 65535" */
static void tidy(char *s)
{
	char *out = s;

	for (char *p = s; *p; p++) {
		bool blank = *p == ' ' || *p == '\t' || *p == '\n';

		if (!blank)
			*out++ = *p;
		else if (out > s && out[-1] != ' ')
			*out++ = ' ';
	}
	if (out > s && out[-1] == ' ')
		out--;
	*out = '\0';
}

static int access_here(void *arg, struct vt_err *err)
{
	struct access *a = arg;
	_cleanup_close_ int fd = open(a->path, (a->write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return vt_fail(
			err, -ENOENT, "this kernel has no sysctl '%s' in a network namespace", a->name);
	if (fd < 0)
		return vt_fail_errno(err, "cannot open the sysctl '%s'", a->name);
	if (a->write && write(fd, a->write, strlen(a->write)) < 0)
		return vt_fail_errno(err, "cannot set the sysctl '%s' to '%s'", a->name, a->write);
	n = pread(fd, a->value, sizeof a->value - 1, 0);
	if (n < 0)
		return vt_fail_errno(err, "cannot read the sysctl '%s'", a->name);
	a->value[n] = '\0';
	tidy(a->value);
	return 0;
}

int net_sysctl_set(int ns, const char *name, const char *value, struct vt_err *err)
{
	struct access a = { .name = name, .write = value };
	char want[sizeof a.value];
	int r = to_path(&a, err);

	if (r == 0)
		r = netns_call(ns, access_here, &a, err);
	if (r < 0)
		return r;
	snprintf(want, sizeof want, "%s", value);
	tidy(want);
	if (strcmp(want, a.value))
		return vt_fail(
			err, -EIO, "the sysctl '%s' was set to '%s' but reads '%s'", name, want, a.value);
	return 0;
}

int net_sysctl_get(int ns, const char *name, char *out, unsigned size, struct vt_err *err)
{
	struct access a = { .name = name };
	int r = to_path(&a, err);

	if (r == 0)
		r = netns_call(ns, access_here, &a, err);
	if (r < 0)
		return r;
	if (strlen(a.value) >= size)
		return vt_fail(err, -ENOSPC, "the value of the sysctl '%s' is longer than expected", name);
	snprintf(out, size, "%s", a.value);
	return 0;
}
