/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads are made once, before READY: nothing is created while a client measures. A server owns its
 * listening socket; an accepted one belongs to the thread that serves it.
 */
#include "load/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <string.h>

static void server_main(void *arg)
{
	struct kernel_server *s = arg;

	if (!s->accepts) {
		s->serve(s, s->fd);
		return;
	}
	while (!group_stopping(&s->group)) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			s->serve(s, fd);
			close(fd);
		} else if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) {
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			/* No descriptor or memory just now: the connection stays in the queue. */
			clock_sleep_until(clock_deadline_ns(NS_PER_MS));
		}
	}
}

int server_start(struct kernel_server **out, const struct kernel *k, const struct kernel_params *p, int type,
	unsigned threads, void (*serve)(struct kernel_server *s, int fd), void *state, uint16_t *port,
	struct vt_err *err)
{
	struct kernel_server *s = xcalloc(1, sizeof *s);
	uint16_t bound = 0;
	int rc;

	s->kernel = k;
	s->serve = serve;
	s->state = state;
	s->accepts = type == SOCK_STREAM;
	s->fd = -1;
	group_init(&s->group);
	pthread_mutex_init(&s->lock, NULL);
	rc = kernel_params_check(&s->p, p, false, err);
	if (rc == 0)
		rc = s->fd = sock_bind(&s->p, type, &bound, err);
	for (unsigned i = 0; i < threads && rc >= 0; i++)
		rc = group_spawn(&s->group, k->name, server_main, s, err);
	if (rc < 0) {
		server_free(s);
		return rc;
	}
	*port = bound;
	*out = s;
	return 0;
}

void server_halt(struct kernel_server *s)
{
	group_release(&s->group);
	group_init(&s->group);
}

void server_free(struct kernel_server *s)
{
	if (!s)
		return;
	group_release(&s->group);
	cleanup_closep(&s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s->state);
	free(s);
}

void server_add_tcp(struct kernel_server *s, int fd)
{
	struct sock_tcp_info ti;

	if (sock_tcp_info(fd, &ti) < 0)
		return;
	pthread_mutex_lock(&s->lock);
	sock_tcp_add(&s->tcp, &ti);
	s->connections++;
	pthread_mutex_unlock(&s->lock);
}
