/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the mount table and detaches mounts. The kernel prints canonical paths, so comparing them as text
 * with a canonical path needs no resolving, and a symbolic link that somebody plants on the way changes
 * nothing. Every string of a `struct mount` is its own allocation, owned by the `struct mountinfo`.
 */
#include "host/mountinfo.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/xalloc.h"

#include <string.h>
#include <sys/mount.h>

#define MOUNTINFO_MAX (16u << 20)

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Blanks, newlines and backslashes are printed as \040 and the like; the result never grows. */
static char *unescape(char *s)
{
	char *out = s;

	for (const char *p = s; *p; p++) {
		if (p[0] == '\\' && is_octal(p[1]) && is_octal(p[2]) && is_octal(p[3])) {
			*out++ = (char)(((p[1] - '0') << 6) | ((p[2] - '0') << 3) | (p[3] - '0'));
			p += 3;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return s;
}

/* "36 35 98:0 /root /point options [optional …] - fstype source super" */
static bool parse_line(struct mount *m, char *line)
{
	char *save = NULL, *word[5], *dash = strstr(line, " - "), *after[3];

	if (!dash)
		return false;
	*dash = '\0';
	for (int i = 0; i < 5; i++) {
		word[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!word[i])
			return false;
	}
	for (int i = 0; i < 3; i++)
		after[i] = strtok_r(i ? NULL : dash + 3, " ", &save);
	if (!after[0])
		return false;
	m->dev = xstrdup(word[2]);
	m->root = xstrdup(unescape(word[3]));
	m->point = xstrdup(unescape(word[4]));
	m->fstype = xstrdup(after[0]);
	/* An empty source name leaves two blanks, which strtok_r() takes for one. */
	m->super = xstrdup(after[2] ? after[2] : after[1] ? after[1] : "");
	return true;
}

void mountinfo_parse(struct mountinfo *m, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	char *save = NULL;
	size_t cap = 0;

	*m = MOUNTINFO_INIT;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (m->n == cap) {
			cap = cap ? cap * 2 : 32;
			m->mounts = xrealloc(m->mounts, cap * sizeof *m->mounts);
		}
		if (parse_line(&m->mounts[m->n], line))
			m->n++;
	}
}

int mountinfo_read(struct mountinfo *m, struct vt_err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(MOUNTINFO_MAX);
	int r = buf_read_file(&text, "/proc/self/mountinfo", err);

	if (r < 0)
		return r;
	mountinfo_parse(m, buf_str(&text));
	return 0;
}

void mountinfo_release(struct mountinfo *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->mounts[i].dev);
		free(m->mounts[i].root);
		free(m->mounts[i].point);
		free(m->mounts[i].fstype);
		free(m->mounts[i].super);
	}
	free(m->mounts);
	*m = MOUNTINFO_INIT;
}

bool mountinfo_has_option(const char *options, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = options; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, word, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

static bool is_at_or_below(const char *point, const char *path, bool below)
{
	size_t n = strlen(path);

	if (strncmp(point, path, n) != 0)
		return false;
	return point[n] == '\0' || (below && point[n] == '/');
}

int mountinfo_detach(const char *path, bool below, struct vt_err *err)
{
	/* Detaching one may uncover another (or bring propagated copies): look again, but not for ever. */
	for (int round = 0; round < 16; round++) {
		_cleanup_mountinfo_ struct mountinfo m = MOUNTINFO_INIT;
		int r = mountinfo_read(&m, err);
		size_t hits = 0;

		if (r < 0)
			return r;
		for (size_t i = m.n; i-- > 0;) {
			if (!is_at_or_below(m.mounts[i].point, path, below))
				continue;
			hits++;
			/* EINVAL, ENOENT: gone with one that was detached above it. */
			if (umount2(m.mounts[i].point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
				errno != ENOENT)
				return vt_fail_errno(err, "cannot unmount '%s'", m.mounts[i].point);
		}
		if (!hits)
			return 0;
	}
	return vt_fail(
		err, -EBUSY, "something keeps mounting at '%s'; see what uses it and unmount it", path);
}
