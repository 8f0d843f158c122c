/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP has no connect that proves anything: before a measurement a datagram goes there and back.
 */
#include "load/dgram.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define HELLO_EVERY_NS (50 * NS_PER_MS)

/* 1 answered, 0 not yet, negative errno. */
static int hello_once(struct worker *w, size_t len, size_t echo)
{
	char *out = w->buffer, *in = out + DGRAM_MAX;
	ssize_t n;

	if (send(w->fd, out, len, 0) < 0)
		return errno == ENOBUFS || errno == EAGAIN ? 0 : -errno;
	do {
		n = recv(w->fd, in, DGRAM_MAX, 0);
	} while (n >= 0 && ((size_t)n < echo || memcmp(out, in, echo) != 0));
	if (n >= 0)
		return 1;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
}

int dgram_hello(struct worker *w, size_t len, size_t echo, struct vt_err *err)
{
	const struct kernel_params *p = w->p;
	uint64_t deadline = clock_deadline_ns(DGRAM_HELLO_NS);
	int rc = sock_set_recv_timeout(w->fd, HELLO_EVERY_NS, err);

	if (rc < 0)
		return rc;
	do {
		rc = hello_once(w, len, echo);
		if (rc > 0)
			return 0;
		if (rc < 0)
			return worker_failed(w, rc, "a first datagram to", err);
		if (worker_stopped(w))
			return -EINTR;
	} while (clock_now_ns() < deadline);
	return vt_fail(err, -ETIMEDOUT,
		"no answer from '%s' UDP port %u for %.1f s: is the server running and reachable?",
		p->address, p->port, (double)DGRAM_HELLO_NS / 1e9);
}
