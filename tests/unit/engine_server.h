/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small server for the tests of the load engine: one thread, any of the protocols, and ways to misbehave.
 * Values are gen_value() of the key's number, VALUE_BYTES long. Whoever starts it stops it.
 */
#ifndef VTAX_TESTS_UNIT_ENGINE_SERVER_H
#define VTAX_TESTS_UNIT_ENGINE_SERVER_H

#include "base/buf.h"
#include "base/clock.h"
#include "load/gen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VALUE_BYTES 6
#define SERVER_CONNS 64

enum misbehaviour {
	HONEST,
	GARBAGE,     /* noise instead of an answer */
	TWICE,	     /* each answer twice, in one piece */
	NEVER,	     /* reads, and says nothing */
	EARLY_CLOSE, /* reads a request and closes */
	RESET,	     /* reads a request and resets */
	MIDWAY,	     /* closes in the middle of an answer */
	DRIP,	     /* a byte at a time */
	OTHER_VALUE, /* content of another record */
	SHORT_VALUE,
	DROP_SOME,   /* every fourth answer is not given */
	LATE,	     /* answers after late_ns */
	OTHER_ID,    /* datagrams: the id of a request that was not sent */
	SHUFFLE,     /* answers of one read in reverse order */
	HALF_CLOSE,  /* shuts its side down after an answer, and goes on reading */
	DIES,	     /* closes all it has, and the port, at request 50 */
	CLOSE_THIRD, /* HTTP: announces a close after every third answer, and closes */
};

struct server {
	/* One request of `in`: its answer to *out; returns its length, 0 when it is not whole. */
	size_t (*answer)(struct server *s, const uint8_t *in, size_t len, struct buf *out);
	enum misbehaviour how;
	uint64_t stall_at, stall_ns; /* before answering request number stall_at */
	uint64_t late_ns;
	int type; /* SOCK_STREAM or SOCK_DGRAM; 0 is a stream */
	/* What it saw. */
	uint64_t requests, accepted;
	uint64_t stall_begin_ns, stall_end_ns;
	unsigned writes[1024]; /* per record */
	uint32_t peers[2];     /* distinct source addresses */
	uint16_t port;
	/* Its own. */
	int fd;
	atomic_bool stop;
	pthread_t thread;
	struct pollfd poll[SERVER_CONNS + 1];
	struct buf in[SERVER_CONNS + 1];
	unsigned served[SERVER_CONNS + 1];
	unsigned n;
};

static inline void value_to(struct server *s, struct buf *out, uint64_t record, const char *format)
{
	uint8_t v[VALUE_BYTES];
	unsigned bytes = s->how == SHORT_VALUE ? VALUE_BYTES - 2 : VALUE_BYTES;

	gen_value(s->how == OTHER_VALUE ? record + 1 : record, v, sizeof v);
	buf_printf(out, format, bytes);
	buf_add(out, v, bytes);
}

static inline uint64_t digits_at(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(p[i] - '0');
	return v;
}

static inline size_t memcached_answer(struct server *s, const uint8_t *in, size_t len, struct buf *out)
{
	const uint8_t *end = memmem(in, len, "\r\n", 2);
	size_t n = end ? (size_t)(end - in) + 2 : 0;
	uint64_t record;

	if (!end)
		return 0;
	record = digits_at(in + 4, n - 4);
	if (memcmp(in, "set ", 4) == 0) {
		if (len < n + VALUE_BYTES + 2)
			return 0;
		s->writes[record % 1024]++;
		buf_puts(out, "STORED\r\n");
		return n + VALUE_BYTES + 2;
	}
	buf_puts(out, "VALUE ");
	buf_add(out, in + 4, n - 6);
	value_to(s, out, record, " 0 %u\r\n");
	buf_puts(out, "\r\nEND\r\n");
	return n;
}

static inline size_t binary_answer(struct server *s, const uint8_t *in, size_t len, struct buf *out)
{
	uint8_t head[28] = { 0x81 };
	size_t body;

	if (len < 24 || len < 24u + in[11])
		return 0;
	body = in[11];
	head[1] = in[1];
	memcpy(head + 12, in + 12, 4);
	if (in[1] == 1) {
		buf_add(out, head, 24);
		return 24 + body;
	}
	head[4] = 4;
	head[11] = 4 + VALUE_BYTES;
	buf_add(out, head, 28);
	value_to(s, out, digits_at(in + 24, body), "");
	return 24 + body;
}

static inline size_t redis_answer(struct server *s, const uint8_t *in, size_t len, struct buf *out)
{
	size_t at = 0, args = 0, lines = 0;
	const uint8_t *key = NULL;

	/* "*N", then a length and a word for each. */
	while (lines < 1 + 2 * args || lines == 0) {
		const uint8_t *end = memmem(in + at, len - at, "\r\n", 2);

		if (!end)
			return 0;
		if (lines == 0)
			args = in[1] - '0';
		if (lines == 4)
			key = in + at;
		lines++;
		at = (size_t)(end - in) + 2;
	}
	if (args == 2 && memcmp(in + 8, "HELLO", 5) == 0) {
		buf_puts(out, "%1\r\n$5\r\nproto\r\n:3\r\n");
	} else if (args == 3) {
		s->writes[digits_at(key, 10) % 1024]++;
		buf_puts(out, "+OK\r\n");
	} else {
		value_to(s, out, digits_at(key, 10), "$%u\r\n");
		buf_puts(out, "\r\n");
	}
	return at;
}

static inline size_t http_answer(struct server *s, const uint8_t *in, size_t len, struct buf *out)
{
	const uint8_t *end = memmem(in, len, "\r\n\r\n", 4);
	bool close = end && memmem(in, len, "Connection: close", 17);

	if (!end)
		return 0;
	if (s->how == CLOSE_THIRD && s->requests % 3 == 2)
		close = true;
	buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n%s\r\nhello", close ?
		"Connection: close\r\n" : "");
	return (size_t)(end - in) + 4;
}

/* The question back, with one empty answer counted: the client looks no further. */
static inline size_t dns_answer(struct server *s, const uint8_t *in, size_t len, struct buf *out)
{
	size_t skip = s->type == SOCK_DGRAM ? 0 : 2, n = skip ? len < 2 ? SIZE_MAX : in[1] + 2u : len,
		start = out->len;

	if (n > len)
		return 0;
	buf_add(out, in, n);
	out->data[start + skip + 2] = (char)0x84;
	out->data[start + skip + 7] = 1;
	return n;
}

static inline void send_all(int fd, const char *data, size_t len, size_t step)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, data + at, len - at < step ? len - at : step, MSG_NOSIGNAL);

		if (n < 0)
			return;
		at += (size_t)n;
	}
}

static inline void stall(struct server *s, uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;

	s->stall_begin_ns = clock_now_ns();
	while (clock_sleep_until(until) < 0)
		;
	s->stall_end_ns = clock_now_ns();
}

static inline void drop_conn(struct server *s, unsigned i, bool reset)
{
	struct linger l = { .l_onoff = 1 };

	if (reset)
		setsockopt(s->poll[i].fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	close(s->poll[i].fd);
	buf_release(&s->in[i]);
	s->n--;
	s->poll[i] = s->poll[s->n];
	s->in[i] = s->in[s->n];
	s->served[i] = s->served[s->n];
}

/* False when the connection is gone. */
static inline bool reply(struct server *s, unsigned i, struct buf *out)
{
	_cleanup_buf_ struct buf twice = BUF_INIT(1 << 20);
	int fd = s->poll[i].fd;

	switch (s->how) {
	case DIES:
		if (s->requests < 50)
			break;
		while (s->n > 1)
			drop_conn(s, s->n - 1, false);
		shutdown(s->fd, SHUT_RDWR);
		s->poll[0].fd = -1;
		return false;
	case GARBAGE:
		send_all(fd, "\x15\x03\x01 what is this\r\n\r\n", 20, 20);
		return true;
	case NEVER:
		return true;
	case EARLY_CLOSE:
	case RESET:
		drop_conn(s, i, s->how == RESET);
		return false;
	case MIDWAY:
		send_all(fd, out->data, out->len / 2, out->len);
		drop_conn(s, i, false);
		return false;
	case DRIP:
		send_all(fd, out->data, out->len, 1);
		return true;
	case TWICE:
		buf_add(&twice, out->data, out->len);
		buf_add(out, twice.data, twice.len);
		break;
	default:
		break;
	}
	send_all(fd, out->data, out->len, out->len);
	if (s->how == HALF_CLOSE)
		shutdown(fd, SHUT_WR);
	if (memmem(out->data, out->len, "Connection: close", 17)) {
		struct timeval limit = { .tv_sec = 1 };
		char rest[256];

		/*
		 * As real servers do: closing with requests unread would reset, and answers on their way be
		 * lost.
		 */
		shutdown(fd, SHUT_WR);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		while (recv(fd, rest, sizeof rest, 0) > 0)
			;
		drop_conn(s, i, false);
		return false;
	}
	return true;
}

static inline void serve_conn(struct server *s, unsigned i)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
	char chunk[16384];
	ssize_t n = recv(s->poll[i].fd, chunk, sizeof chunk, 0);
	size_t at = 0, used;

	if (n <= 0) {
		drop_conn(s, i, false);
		return;
	}
	buf_add(&s->in[i], chunk, (size_t)n);
	while ((used = s->answer(s, (uint8_t *)s->in[i].data + at, s->in[i].len - at, &out))) {
		at += used;
		if (s->stall_ns && s->requests == s->stall_at)
			stall(s, s->stall_ns);
		s->requests++;
		if (s->how == SHUFFLE) {
			buf_add(&out, buf_str(&back), back.len);
			buf_clear(&back);
			buf_add(&back, out.data, out.len);
		} else if (!reply(s, i, &out)) {
			return;
		}
		buf_clear(&out);
	}
	if (back.len)
		send_all(s->poll[i].fd, back.data, back.len, back.len);
	memmove(s->in[i].data, s->in[i].data + at, s->in[i].len - at);
	s->in[i].len -= at;
}

static inline void serve_packet(struct server *s)
{
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	uint8_t in[512];
	ssize_t n = recvfrom(s->fd, in, sizeof in, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n <= 0 || s->answer(s, in, (size_t)n, &out) == 0)
		return;
	s->requests++;
	if (s->how == NEVER || (s->how == DROP_SOME && s->requests % 4 == 0))
		return;
	if (s->how == LATE)
		stall(s, s->late_ns);
	if (s->how == GARBAGE)
		out.len = 1;
	if (s->how == OTHER_ID)
		out.data[0] ^= 0x40;
	for (int i = 0; i < (s->how == TWICE ? 2 : 1); i++)
		sendto(s->fd, out.data, out.len, MSG_NOSIGNAL, (struct sockaddr *)&from, len);
}

static inline void accept_one(struct server *s)
{
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	int one = 1, fd = accept4(s->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

	if (fd < 0 || s->n > SERVER_CONNS) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	s->accepted++;
	for (int i = 0; i < 2; i++) {
		if (s->peers[i] == from.sin_addr.s_addr)
			break;
		if (s->peers[i] == 0) {
			s->peers[i] = from.sin_addr.s_addr;
			break;
		}
	}
	s->poll[s->n] = (struct pollfd){ .fd = fd, .events = POLLIN };
	s->in[s->n] = BUF_INIT(1 << 20);
	s->n++;
}

static inline void *server_main(void *arg)
{
	struct server *s = arg;

	while (!atomic_load(&s->stop)) {
		if (poll(s->poll, s->n, 10) <= 0)
			continue;
		for (unsigned i = s->n; i-- > 1;)
			if (s->poll[i].revents)
				serve_conn(s, i);
		if (s->poll[0].revents && s->type == SOCK_DGRAM)
			serve_packet(s);
		else if (s->poll[0].revents)
			accept_one(s);
	}
	while (s->n > 1)
		drop_conn(s, s->n - 1, false);
	return NULL;
}

/* 0, or -errno. */
static inline int server_begin(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;

	s->fd = socket(AF_INET, (s->type ? s->type : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, len) < 0 ||
		(s->type != SOCK_DGRAM && listen(s->fd, 512) < 0) || getsockname(s->fd,
		(struct sockaddr *)&a, &len) < 0)
		return -1;
	s->port = ntohs(a.sin_port);
	s->poll[0] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	s->n = 1;
	return pthread_create(&s->thread, NULL, server_main, s);
}

static inline void server_end(struct server *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

#endif
