/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The yardstick for tcp_rr and udp_rr: the shortest ping-pong that a careful person would write by hand, with
 * nothing of vtax in it. One byte each way over blocking sockets; the client counts round trips until an
 *alarm.
 *
 *	pingpong tcp|udp server PORT
 *	pingpong tcp|udp client ADDRESS PORT SECONDS	→ round trips per second
 */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t over;

static void alarmed(int sig)
{
	over = 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static _Noreturn void serve(int tcp, int fd)
{
	struct sockaddr_in from;
	socklen_t len;
	int on = 1;
	char c;

	if (!tcp)
		for (;;) {
			len = sizeof from;
			if (recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &len) == 1)
				sendto(fd, &c, 1, 0, (struct sockaddr *)&from, len);
		}
	listen(fd, 16);
	for (;;) {
		int s = accept(fd, NULL, NULL);

		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		while (recv(s, &c, 1, 0) == 1 && send(s, &c, 1, MSG_NOSIGNAL) == 1)
			;
		close(s);
	}
}

static int ping(int fd, double seconds)
{
	const struct itimerval after = {
		.it_value = { (time_t)seconds, (suseconds_t)(fmod(seconds, 1) * 1e6) },
	};
	struct sigaction sa = { .sa_handler = alarmed };
	double begin, n = 0;
	char c = 0;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &after, NULL);
	begin = now();
	while (!over && send(fd, &c, 1, MSG_NOSIGNAL) == 1 && recv(fd, &c, 1, 0) == 1)
		n++;
	if (!over)
		return perror("pingpong"), 1;
	printf("%.1f\n", n / (now() - begin));
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	int tcp = argc > 1 && strcmp(argv[1], "tcp") == 0, server = argc == 4, on = 1;
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);

	if (argc != 4 && argc != 6)
		return fputs("usage: pingpong tcp|udp server PORT | client ADDRESS PORT SECONDS\n", stderr),
		       2;
	a.sin_port = htons((unsigned short)strtoul(argv[server ? 3 : 4], NULL, 10));
	if (!server && inet_pton(AF_INET, argv[3], &a.sin_addr) != 1)
		return fputs("pingpong: not a numeric address\n", stderr), 2;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if ((server ? bind : connect)(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return perror("pingpong"), 1;
	if (server)
		serve(tcp, fd);
	return ping(fd, strtod(argv[5], NULL));
}
