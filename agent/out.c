/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to the controller. Writes block: a controller that stops reading stops the measurement it asked
 * for, and one that dies makes them fail, since it held the other end. SIGPIPE is ignored in this program.
 */
#include "agent.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void out_init(struct out *o, int fd)
{
	o->fd = fd;
	pthread_mutex_init(&o->lock, NULL);
}

static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			/* Whoever started us may have made the pipe non-blocking; it is shared with them. */
			struct pollfd f = { .fd = fd, .events = POLLOUT };

			poll(&f, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int out_send(struct out *o, uint16_t type, uint32_t serial, const void *body, size_t len)
{
	struct abi_head h;
	int r;

	wire_head(&h, type, (uint32_t)len, serial);
	pthread_mutex_lock(&o->lock);
	r = write_all(o->fd, &h, sizeof h);
	if (r == 0)
		r = write_all(o->fd, body, len);
	pthread_mutex_unlock(&o->lock);
	return r;
}

int out_error(struct out *o, uint32_t serial, const struct vt_err *err)
{
	uint8_t body[ABI_STRING_MAX];
	struct vt_err line = *err;
	struct wire_writer w;

	vt_err_sanitize(&line);
	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_TEXT, line.msg);
	wire_u64(&w, ABI_K_ERRNO, line.code < 0 ? (uint64_t)-line.code : 0);
	return out_send(o, ABI_ERROR, serial, body, w.len);
}

int out_hello(struct out *o)
{
	char cpus[FACTS_CPUS_MAX], text[512];
	uint8_t body[4096];
	uint64_t nofile;
	struct wire_writer w;

	if (facts_raise_nofile(&nofile) < 0)
		nofile = 0;
	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_BUILD, VTAX_VERSION);
	wire_u64(&w, ABI_K_PID, (uint64_t)getpid());
	facts_uname(text, sizeof text);
	wire_text(&w, ABI_K_UNAME, text);
	facts_cpus_allowed(cpus);
	wire_text(&w, ABI_K_CPUS_ALLOWED, cpus);
	facts_clocksource(text, sizeof text);
	wire_text(&w, ABI_K_CLOCKSOURCE, text);
	wire_u64(&w, ABI_K_MONOTONIC_NS, clock_now_ns());
	wire_u64(&w, ABI_K_NOFILE, nofile);
	return out_send(o, ABI_HELLO, 0, body, w.len);
}
