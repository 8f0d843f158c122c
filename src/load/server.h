/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server side of a kernel: one bound socket and a fixed set of threads that block on it. TCP threads
 * accept one connection each and serve it to its end, like netperf's processes but without a fork in the
 * way, so that a connection waits for nothing but a free thread. UDP threads share the socket.
 */
#ifndef VTAX_LOAD_SERVER_H
#define VTAX_LOAD_SERVER_H

#include "load/group.h"
#include "load/kernel.h"
#include "load/sock.h"

struct kernel_server {
	const struct kernel *kernel;
	struct kernel_params p;
	struct group group;
	int fd;
	/* Serves one accepted connection (TCP) or the socket itself (UDP) until it ends or group_stopping().
	 */
	void (*serve)(struct kernel_server *s, int fd);
	bool accepts;
	/* What connections add up to, when they end. */
	pthread_mutex_t lock;
	struct sock_tcp_info tcp;
	uint64_t connections; /* in tcp */
	void *state;	      /* of the kernel; freed with free() */
};

/*
 * Binds p->address:port and starts `threads` threads. Takes over `state`, also on failure.
 */
int server_start(struct kernel_server **out, const struct kernel *k, const struct kernel_params *p, int type,
	unsigned threads, void (*serve)(struct kernel_server *s, int fd), void *state, uint16_t *port,
	struct vt_err *err);

/* Ends the threads; what they counted can then be read without a lock. */
void server_halt(struct kernel_server *s);
void server_free(struct kernel_server *s);

/* Adds a connection's TCP_INFO to the server's. */
void server_add_tcp(struct kernel_server *s, int fd);

#endif
