/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every socket here is blocking. That a peer may never answer is the business of whoever owns the thread
 * (see crew.h and group.h), not of a timer armed at each receive.
 */
#include "load/sock.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#define BACKLOG 4096

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

int sock_addr_parse(struct sock_addr *a, const char *text, uint16_t port, struct vt_err *err)
{
	char plain[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	struct sock_addr out = { .len = 0 };
	char *scope;

	snprintf(plain, sizeof plain, "%s", text);
	if (inet_pton(AF_INET, plain, &out.in.sin_addr) == 1) {
		out.in.sin_family = AF_INET;
		out.in.sin_port = htons(port);
		out.len = sizeof out.in;
		*a = out;
		return 0;
	}
	scope = strchr(plain, '%');
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, plain, &out.in6.sin6_addr) != 1)
		return vt_usage(err, "'%s' is not a numeric IPv4 or IPv6 address", text);
	if (scope && (out.in6.sin6_scope_id = if_nametoindex(scope)) == 0)
		return vt_usage(err, "no interface '%s' for address '%s'", scope, text);
	out.in6.sin6_family = AF_INET6;
	out.in6.sin6_port = htons(port);
	out.len = sizeof out.in6;
	*a = out;
	return 0;
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value);
}

uint32_t sock_buffer_bytes(int fd, int option)
{
	int v = 0;
	socklen_t len = sizeof v;

	if (getsockopt(fd, SOL_SOCKET, option, &v, &len) < 0 || v < 1)
		return 1;
	return (uint32_t)v;
}

static int set_buffer(int fd, int option, int force, uint32_t bytes, const char *limit, struct vt_err *err)
{
	uint32_t got;

	/* With the capability the system's limit does not apply; without it, the plain option says what it
	 * gave. */
	if (set_int(fd, SOL_SOCKET, force, (int)bytes) < 0)
		set_int(fd, SOL_SOCKET, option, (int)bytes);
	got = sock_buffer_bytes(fd, option);
	if (got / 2 < bytes) /* Linux doubles what is asked, for its own bookkeeping, and reports that */
		return vt_fail(err, -ENOBUFS,
			"socket buffer of %u bytes is refused, the system gives %u: raise %s or ask for less",
			bytes, got / 2, limit);
	return 0;
}

int sock_set_buffers(int fd, uint32_t bytes, struct vt_err *err)
{
	int rc;

	if (bytes == 0)
		return 0;
	rc = set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, bytes, "net.core.wmem_max", err);
	if (rc == 0)
		rc = set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, bytes, "net.core.rmem_max", err);
	return rc;
}

int sock_set_nodelay(int fd, bool on, struct vt_err *err)
{
	if (set_int(fd, IPPROTO_TCP, TCP_NODELAY, on) < 0)
		return vt_fail_errno(err, "cannot switch Nagle's algorithm %s", on ? "off" : "on");
	return 0;
}

int sock_set_recv_timeout(int fd, uint64_t ns, struct vt_err *err)
{
	struct timeval tv = {
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_usec = (suseconds_t)((ns % NS_PER_S + 999) / 1000),
	};

	if (tv.tv_usec == 1000000) {
		tv.tv_sec++;
		tv.tv_usec = 0;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) < 0)
		return vt_fail_errno(err, "cannot set a receive timeout");
	return 0;
}

static int bind_local(int fd, const struct kernel_params *p, int type, struct vt_err *err)
{
	struct sock_addr local;
	int rc;

	if (p->local_address[0] == '\0')
		return 0;
	rc = sock_addr_parse(&local, p->local_address, 0, err);
	if (rc < 0)
		return rc;
	/* The port is then chosen by connect(2), which may share one that leads to another destination. */
	if (type == SOCK_STREAM)
		set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (bind(fd, &local.sa, local.len) < 0)
		return vt_fail_errno(err, "cannot use local address '%s'", p->local_address);
	return 0;
}

int sock_connect(const struct kernel_params *p, int type, struct vt_err *err)
{
	_cleanup_close_ int fd = -1;
	struct sock_addr to;
	int rc;

	rc = sock_addr_parse(&to, p->address, p->port, err);
	if (rc < 0)
		return rc;
	fd = socket(to.sa.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vt_fail_errno(err, "cannot make a socket for '%s'", p->address);
	rc = sock_set_buffers(fd, p->sockbuf_bytes, err);
	if (rc == 0 && type == SOCK_STREAM)
		rc = sock_set_nodelay(fd, p->nodelay, err);
	if (rc == 0)
		rc = bind_local(fd, p, type, err);
	if (rc < 0)
		return rc;
	if (connect(fd, &to.sa, to.len) < 0) {
		if (errno == EINTR)
			return -EINTR;
		return vt_fail_errno(err, "cannot connect to '%s' port %u", p->address, p->port);
	}
	return steal_fd(&fd);
}

int sock_bind(const struct kernel_params *p, int type, uint16_t *port, struct vt_err *err)
{
	_cleanup_close_ int fd = -1;
	struct sock_addr at, got = { .len = sizeof got.any };
	int rc;

	rc = sock_addr_parse(&at, p->address, p->port, err);
	if (rc < 0)
		return rc;
	fd = socket(at.sa.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vt_fail_errno(err, "cannot make a socket for '%s'", p->address);
	if (at.sa.sa_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	/* TCP only: on UDP it would let a second server take the first one's datagrams without an error. */
	if (type == SOCK_STREAM)
		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	rc = sock_set_buffers(fd, p->sockbuf_bytes, err);
	if (rc == 0 && type == SOCK_STREAM)
		rc = sock_set_nodelay(fd, p->nodelay, err); /* accepted sockets inherit it */
	if (rc < 0)
		return rc;
	if (bind(fd, &at.sa, at.len) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
		getsockname(fd, &got.sa, &got.len) < 0)
		return vt_fail_errno(err, "cannot listen on '%s' port %u", p->address, p->port);
	*port = ntohs(got.sa.sa_family == AF_INET6 ? got.in6.sin6_port : got.in.sin_port);
	return steal_fd(&fd);
}

int sock_tcp_info(int fd, struct sock_tcp_info *info)
{
	struct tcp_info ti = { .tcpi_state = 0 };
	socklen_t len = sizeof ti;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0)
		return -errno;
	info->retransmits = ti.tcpi_total_retrans;
	info->cwnd_segments = ti.tcpi_snd_cwnd;
	info->rtt_ns = ti.tcpi_rtt * NS_PER_US;
	return 0;
}

void sock_tcp_add(struct sock_tcp_info *sum, const struct sock_tcp_info *one)
{
	sum->retransmits += one->retransmits;
	sum->cwnd_segments += one->cwnd_segments;
	sum->rtt_ns += one->rtt_ns;
}

bool sock_retransmitted_segments(uint64_t *n)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/net/snmp", "re");
	char line[1024];

	/* Of the two lines "Tcp:", the second has the values; RetransSegs is the 12th. */
	while (f && fgets(line, sizeof line, f)) {
		unsigned long long v;

		if (sscanf(line, "Tcp: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %llu", &v) == 1) {
			*n = v;
			return true;
		}
	}
	return false;
}

int sock_send_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int sock_recv_all(int fd, void *data, size_t len)
{
	char *at = data;

	while (len > 0) {
		ssize_t n = recv(fd, at, len, 0);

		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

void *sock_buffer(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Written, not only populated: an untouched page would be the shared zero page, warm in every cache.
	 */
	memset(p, 0x5a, bytes);
	return p;
}

void sock_buffer_free(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}
