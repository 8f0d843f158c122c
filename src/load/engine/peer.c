/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of protocols that need no server: sends back what it gets. One thread per thread of the
 * engine.
 */
#include "load/engine/worker.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK (64u << 10)
#define LOOK_MS 20

static void echo(int fd, char *buffer)
{
	ssize_t n = recv(fd, buffer, CHUNK, MSG_DONTWAIT), done = 0;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(fd);
		return;
	}
	/* Blocks when the engine does not read; it always does, or closes. */
	while (done < n) {
		ssize_t m = send(fd, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);

		if (m < 0 && errno != EINTR)
			return;
		if (m > 0)
			done += m;
	}
}

void peer_main(void *arg)
{
	struct peer *p = arg;
	struct epoll_event events[EVENTS_MAX];
	char *buffer = malloc(CHUNK);
	bool stop = false;
	int n;

	/* At the end every other end is closed: one more round and another closes all of ours. */
	do {
		stop = atomic_load_explicit(p->stop, memory_order_relaxed);
		n = epoll_wait(p->epoll, events, EVENTS_MAX, stop ? 0 : LOOK_MS);
		for (int i = 0; i < n && buffer; i++)
			echo(events[i].data.fd, buffer);
	} while (buffer && (!stop || n > 0));
	free(buffer);
}
