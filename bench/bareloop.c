/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that a client can do: an epoll loop that writes and counts bytes, and checks and times nothing.
 * What the load engine costs beyond it is the price of measuring.
 *
 *	bareloop PORT CONNECTIONS DEPTH SECONDS REQUEST REPLY_BYTES	(\r and \n in REQUEST are understood)
 */
#include "base/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS 65536

static size_t unescape(const char *in, char *out)
{
	char *o = out;

	for (; *in; in++)
		*o++ = *in != '\\' ? *in : *++in == 'r' ? '\r' : '\n';
	return (size_t)(o - out);
}

static int add(int ep, unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

	if (fd < 0 || fd >= FDS || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0 ? -1 : fd;
}

int main(int argc, char **argv)
{
	static char buffer[1 << 18];
	static size_t got[FDS];
	struct epoll_event events[256];
	unsigned long ops = 0, depth = argc == 7 ? strtoul(argv[3], NULL, 10) : 0;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	size_t len, reply, done;
	uint64_t end;
	char *burst;

	if (depth == 0 || (reply = strtoul(argv[6], NULL, 10)) == 0)
		return EXIT_FAILURE;
	burst = malloc(strlen(argv[5]) * depth);
	len = unescape(argv[5], burst);
	for (unsigned long i = 1; i < depth; i++)
		memcpy(burst + i * len, burst, len);
	end = clock_deadline_ns((uint64_t)(strtod(argv[4], NULL) * 1e9));
	for (unsigned long i = strtoul(argv[2], NULL, 10); i > 0; i--) {
		int fd = add(ep, (unsigned)strtoul(argv[1], NULL, 10));

		if (fd < 0 || write(fd, burst, len * depth) < 0)
			return EXIT_FAILURE;
	}
	while (clock_now_ns() < end) {
		int n = epoll_wait(ep, events, 256, 100);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			ssize_t r = read(fd, buffer, sizeof buffer);

			if (r <= 0)
				continue;
			got[fd] += (size_t)r;
			done = got[fd] / reply;
			got[fd] %= reply;
			ops += done;
			if (done && write(fd, burst, len * done) < 0)
				return EXIT_FAILURE;
		}
	}
	printf("%lu\n", ops);
	return EXIT_SUCCESS;
}
