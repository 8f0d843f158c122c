/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real traffic for the tests of src/host: one exchange by TCP, UDP or ICMP between two namespaces, each step
 * with a deadline; and pictures of what the host has, to compare before and after.
 */
#ifndef VTAX_TESTS_NET_PROBE_H
#define VTAX_TESTS_NET_PROBE_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "host/netns.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>

#define PROBE_MS 2000 /* an answer on a local link takes µs; a missing one must not take long */

static inline struct sockaddr_in probe_addr(const char *ip, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static inline bool probe_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, PROBE_MS) == 1;
}

/* A listener (TCP) or a bound socket (UDP) in a namespace; the caller closes it. */
static inline int probe_listen(int ns, int type, const char *ip, unsigned port)
{
	struct sockaddr_in a = probe_addr(ip, port);
	int fd = netns_socket(ns, AF_INET, type | SOCK_NONBLOCK, 0, NULL), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Connects from `from` to ip:port and exchanges one byte each way with `listener`. *peer gets the address
 * that the server saw, and may be NULL.
 */
static inline bool probe_tcp(int from, const char *ip, unsigned port, int listener, struct sockaddr_in *peer)
{
	_cleanup_close_ int fd = netns_socket(from, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, NULL);
	_cleanup_close_ int served = -1;
	struct sockaddr_in a = probe_addr(ip, port), seen;
	socklen_t len = sizeof seen, elen = sizeof(int);
	int e = 0;
	char c = 'x';

	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0 && errno != EINPROGRESS)
		return false;
	if (!probe_wait(fd, POLLOUT) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &elen) < 0 || e)
		return false;
	if (!probe_wait(listener, POLLIN))
		return false;
	served = accept4(listener, (struct sockaddr *)&seen, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (served < 0 || write(fd, &c, 1) != 1 || !probe_wait(served, POLLIN) || read(served, &c, 1) != 1)
		return false;
	if (write(served, &c, 1) != 1 || !probe_wait(fd, POLLIN) || read(fd, &c, 1) != 1)
		return false;
	if (peer)
		*peer = seen;
	return true;
}

/* One datagram to ip:port, answered by `server`, which the reply must come back from. */
static inline bool probe_udp(int from, const char *ip, unsigned port, int server)
{
	_cleanup_close_ int fd = netns_socket(from, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0, NULL);
	struct sockaddr_in a = probe_addr(ip, port), seen;
	socklen_t len = sizeof seen;
	char c = 'x';

	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0 || send(fd, &c, 1, 0) != 1)
		return false;
	if (!probe_wait(server, POLLIN) || recvfrom(server, &c, 1, 0, (struct sockaddr *)&seen, &len) != 1)
		return false;
	if (sendto(server, &c, 1, 0, (struct sockaddr *)&seen, len) != 1)
		return false;
	return probe_wait(fd, POLLIN) && recv(fd, &c, 1, 0) == 1;
}

static inline uint16_t probe_checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* An echo request and its reply from that address, through a raw socket, within `ms`. */
static inline bool probe_ping(int from, const char *ip, int ms)
{
	_cleanup_close_ int fd = netns_socket(from, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP, NULL);
	struct icmphdr echo = { .type = ICMP_ECHO, .un.echo = { .id = htons(0x7674), .sequence = htons(1) } };
	struct sockaddr_in a = probe_addr(ip, 0), seen;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	socklen_t len = sizeof seen;
	uint8_t in[256];

	echo.checksum = probe_checksum(&echo, sizeof echo);
	if (sendto(fd, &echo, sizeof echo, 0, (struct sockaddr *)&a, sizeof a) < 0)
		return false;
	for (int tries = 0; tries < 16 && poll(&p, 1, ms) == 1; tries++) {
		ssize_t n = recvfrom(fd, in, sizeof in, 0, (struct sockaddr *)&seen, &len);
		size_t head = n > 0 ? (size_t)(in[0] & 15) * 4 : 0;

		if (n >= (ssize_t)(head + sizeof echo) && in[head] == ICMP_ECHOREPLY &&
			seen.sin_addr.s_addr == a.sin_addr.s_addr)
			return true;
	}
	return false;
}

/*
 * Puts the test in mount and network namespaces of its own with an empty /run: tests that run beside it are
 * not seen, and nothing survives it even when it crashes. 0, or -1 when not allowed to (not root).
 */
static inline int probe_isolate(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 || mount("", "/", "none", MS_PRIVATE | MS_REC, NULL) < 0)
		return -1;
	return mount("tmpfs", "/run", "tmpfs", 0, "mode=755");
}

static inline int probe_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

/* A folder and what is in it. */
static inline int probe_remove(const char *path)
{
	return nftw(path, probe_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Links, named namespaces and mounts that the calling process sees, as text. */
static inline void probe_host(struct buf *b)
{
	struct if_nameindex *links = if_nameindex();
	FILE *mounts = fopen("/proc/thread-self/mountinfo", "re");
	DIR *names = opendir("/run/netns");
	char line[4096], point[1024];

	for (struct if_nameindex *i = links; i && i->if_index; i++)
		buf_printf(b, "link %s\n", i->if_name);
	if_freenameindex(links);
	buf_printf(b, "/run/netns %s\n", names ? "there" : "absent");
	for (struct dirent *d; names && (d = readdir(names));)
		buf_printf(b, "netns %s\n", d->d_name);
	if (names)
		closedir(names);
	while (mounts && fgets(line, sizeof line, mounts)) /* without ids, which are handed out again */
		if (sscanf(line, "%*s %*s %*s %*s %1023s", point) == 1)
			buf_printf(b, "mount %s\n", point);
	if (mounts)
		fclose(mounts);
}

#endif
