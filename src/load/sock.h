/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets as the kernels need them: numeric addresses only (no resolver in a static program), buffers and
 * Nagle as asked and read back, TCP_INFO.
 */
#ifndef VTAX_LOAD_SOCK_H
#define VTAX_LOAD_SOCK_H

#include "load/kernel.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct sock_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage any;
	};
	socklen_t len;
};

/* "198.18.0.2", "::1", "fe80::1%vtax0". Usage error when it is none. */
int sock_addr_parse(struct sock_addr *a, const char *text, uint16_t port, struct vt_err *err);

/* SO_SNDBUF and SO_RCVBUF (0: left alone); fails when the system gives less than asked. */
int sock_set_buffers(int fd, uint32_t bytes, struct vt_err *err);
int sock_set_nodelay(int fd, bool on, struct vt_err *err);
int sock_set_recv_timeout(int fd, uint64_t ns, struct vt_err *err);

/* SO_SNDBUF or SO_RCVBUF as the system sees it; netperf's default message size. */
uint32_t sock_buffer_bytes(int fd, int option);

/*
 * A blocking socket bound to p->local_address (when given) and connected to p->address. It returns the
 * descriptor. TCP waits in connect(2); a signal ends that with -EINTR and no message, for the crew to
 * explain.
 */
int sock_connect(const struct kernel_params *p, int type, struct vt_err *err);

/* A socket bound to p->address; TCP listens with a backlog of 4096. *port is what was bound. */
int sock_bind(const struct kernel_params *p, int type, uint16_t *port, struct vt_err *err);

/* What sender's state METHOD wants. */
struct sock_tcp_info {
	uint64_t retransmits, cwnd_segments, rtt_ns;
};
int sock_tcp_info(int fd, struct sock_tcp_info *info);
void sock_tcp_add(struct sock_tcp_info *sum, const struct sock_tcp_info *one);

/* RetransSegs of this thread's network namespace; false when /proc does not say. */
bool sock_retransmitted_segments(uint64_t *n);

/*
 * Whole messages over a blocking TCP socket. 0, -EINTR after a signal (bytes may have moved: only good for
 * giving up), -ECONNRESET when the peer closed early, or another negative errno.
 */
int sock_send_all(int fd, const void *data, size_t len);
int sock_recv_all(int fd, void *data, size_t len);

/* Page-aligned memory, already touched; NULL when there is none. Released with sock_buffer_free(). */
void *sock_buffer(size_t bytes);
void sock_buffer_free(void *p, size_t bytes);

#endif
