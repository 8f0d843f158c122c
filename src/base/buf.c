/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/buf.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int reserve(struct buf *b, size_t extra)
{
	size_t need, cap;
	char *p;

	if (b->failed)
		return -ENOBUFS;
	if (extra > b->max || b->len > b->max - extra) {
		b->failed = true;
		return -ENOBUFS;
	}
	need = b->len + extra + 1;
	if (need <= b->cap)
		return 0;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap *= 2;
	p = realloc(b->data, cap);
	if (!p) {
		b->failed = true;
		return -ENOMEM;
	}
	b->data = p;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	int r = reserve(b, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n, r;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return -EINVAL;
	r = reserve(b, (size_t)n);
	if (r < 0)
		return r;
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return r;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_detach(struct buf *b)
{
	char *p = b->data ? b->data : strdup("");

	*b = BUF_INIT(b->max);
	return p;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void buf_release(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT(b->max);
}

int buf_read_file(struct buf *b, const char *path, struct vt_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[8192];
	ssize_t n;
	int r;

	if (fd < 0)
		return vt_fail_errno(err, "cannot open '%s'", path);
	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return vt_fail_errno(err, "cannot read '%s'", path);
		}
		r = buf_add(b, chunk, (size_t)n);
		if (r == -ENOBUFS)
			return vt_fail(err, -EFBIG, "'%s' is larger than %zu bytes", path, b->max);
		if (r < 0)
			return vt_fail(err, r, "cannot read '%s': %s", path, strerror(-r));
	}
	return 0;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int buf_write_file(const struct buf *b, const char *path, unsigned mode, struct vt_err *err)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (b->failed)
		return vt_fail(err, -ENOMEM, "cannot write '%s': the text outgrew its buffer", path);
	/* Root may replace a device node by a file: /dev/full was the first victim. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode))
		return vt_fail(err, -EEXIST, "cannot write '%s': it is there, and is no regular file", path);
	if (asprintf(&tmp, "%s.tmp.%d", path, (int)getpid()) < 0) {
		tmp = NULL;
		return vt_fail(err, -ENOMEM, "cannot write '%s': out of memory", path);
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return vt_fail_errno(err, "cannot create '%s'", tmp);
	r = write_all(fd, b->data, b->len);
	if (r == 0 && close(steal_fd(&fd)) < 0)
		r = -errno;
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return vt_fail(err, r, "cannot write '%s': %s", path, strerror(-r));
	}
	return 0;
}
