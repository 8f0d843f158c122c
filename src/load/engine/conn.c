/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection: opened without blocking, bound to one of the source addresses, written to from the pool.
 *
 * A descriptor is added to epoll once, for reading and writing, edge-triggered: a full socket buffer then
 * costs no epoll_ctl() to wait for room and none to stop waiting.
 *
 * connect(2) on a short path has often succeeded by the time it returns EINPROGRESS: the handshake is done in
 * the same call, when the socket lock is released. So the request is written at once; while that works (and
 * it is given up for good after it failed often), a round of epoll per new connection is saved.
 *
 * Ports: the kernel chooses when connecting (IP_BIND_ADDRESS_NO_PORT), so that all of the range serves every
 * source address. Who closes first is left with TIME_WAIT: where the server says that it closes, it is waited
 * for; where it does not, abort_close spares the port by a reset.
 */
#include "load/engine/worker.h"
#include "base/cleanup.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#define RETRY_NS (2 * NS_PER_MS) /* doubled up to 32 times */
#define RETRY_DOUBLINGS 5

static void set_int(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof value);
}

static void try_later(struct conn *c, uint64_t now)
{
	uint32_t doublings = c->fails < RETRY_DOUBLINGS ? c->fails : RETRY_DOUBLINGS;

	c->fails++;
	c->since_ns = now + (RETRY_NS << doublings);
}

static int in_process(struct engine_worker *w, struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ev.data.fd = pair[1];
	if (epoll_ctl(w->peer_epoll, EPOLL_CTL_ADD, pair[1], &ev) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -ENOMEM;
	}
	c->fd = pair[0];
	return 0;
}

/* 0, -EINPROGRESS, or why not. */
static int start_connect(struct engine_worker *w, struct conn *c)
{
	const struct engine_config *k = w->config;
	int type = is_datagram(w) ? SOCK_DGRAM : SOCK_STREAM;
	_cleanup_close_ int fd = -1;
	int rc;

	if (w->proto->caps & PROTO_IN_PROCESS)
		return in_process(w, c);
	fd = socket(k->to.sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM && !k->per_request)
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* one write per connection needs none */
	if (k->nlocal) {
		const struct sock_addr *a = &k->local[(w->first + w->local_next++) % k->nlocal];

		if (type == SOCK_STREAM)
			set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		if (bind(fd, &a->sa, a->len) < 0)
			return -errno;
	}
	rc = connect(fd, &k->to.sa, k->to.len) < 0 ? -errno : 0;
	if (rc == 0 || rc == -EINPROGRESS)
		c->fd = steal_fd(&fd);
	return rc;
}

/* Descriptor, memory and permission trouble will not pass by itself. */
static bool hopeless(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -EACCES || rc == -EPERM ||
		rc == -EINVAL ||
	       rc == -EAFNOSUPPORT;
}

/* The ring is emptied; what is sent next begins with the request after the last one. */
static void forget(struct engine_worker *w, struct conn *c)
{
	c->head = c->unstamped = c->tail;
	c->inflight = 0;
	c->wpos = w->pool->requests[c->cursor].offset;
}

static void count_failure(struct engine_worker *w, struct conn *c, int rc)
{
	if (rc == -EADDRNOTAVAIL)
		w->counts.no_port++;
	else
		w->counts.refused++;
	worker_lost(w, c, c->inflight);
	forget(w, c);
	c->unsent = 0;
	try_later(c, w->now_ns);
}

static void established(struct engine_worker *w, struct conn *c)
{
	const struct proto_request *greeting = &w->pool->greeting;

	w->counts.opened++;
	c->fails = 0;
	c->since_ns = 0;
	c->state = CONN_READY;
	if (greeting->length) {
		c->state = CONN_GREETING;
		c->since_ns = w->now_ns;
		if (send(c->fd, proto_bytes(w->pool, greeting), greeting->length,
			MSG_NOSIGNAL | MSG_DONTWAIT) !=
			(ssize_t)greeting->length)
			conn_break(w, c);
	}
}

static int watch(struct engine_worker *w, struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events | EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = c };

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0 ? -errno : 0;
}

int conn_open(struct engine_worker *w, struct conn *c, uint64_t now)
{
	bool early = false;
	int rc;

	if (w->config->per_request) /* the connection is a part of the request */
		for (; c->unstamped != c->tail; c->unstamped++)
			conn_stamp(w, conn_slot(w, c, c->unstamped), now);
	rc = start_connect(w, c);
	if (rc < 0 && rc != -EINPROGRESS) {
		if (hopeless(rc))
			return worker_fail(w, rc);
		count_failure(w, c, rc);
		return rc;
	}
	c->parse = (struct proto_state){ .phase = 0 };
	c->partial = c->hangup = c->mid = false;
	c->carry = 0;
	c->since_ns = now;
	c->state = CONN_CONNECTING;
	if (rc == 0) {
		established(w, c);
	} else if (w->config->per_request && w->optimism > 0 && c->unsent > 0) {
		conn_flush(w, c, now);
		if (c->state == CONN_IDLE)
			return -ECONNRESET;
		early = c->state == CONN_READY && c->unsent == 0;
	}
	if (c->state == CONN_IDLE)
		return -ECONNRESET;
	rc = watch(w, c, early ? 0 : EPOLLOUT);
	return rc < 0 ? worker_fail(w, rc) : 0;
}

void conn_close(struct engine_worker *w, struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = CONN_IDLE;
	c->since_ns = 0;
	c->carry = 0;
	c->partial = c->hangup = c->mid = false;
	c->npending = 0;
	c->unsent = 0;
}

void conn_break(struct engine_worker *w, struct conn *c)
{
	uint32_t lost = c->inflight;

	if (lost > 0 && c->partial) {
		w->counts.short_++;
		lost--;
		if (w->config->once)
			w->left--;
	}
	worker_lost(w, c, lost);
	conn_close(w, c);
	if (is_datagram(w))
		packet_init(w, c);
	forget(w, c);
	try_later(c, w->now_ns);
}

void conn_renew(struct engine_worker *w, struct conn *c)
{
	uint32_t resend = 0;

	conn_close(w, c);
	for (uint32_t i = c->head; i != c->tail; i++)
		if (conn_slot(w, c, i)->state == SLOT_WAITING)
			resend++;
	if (resend != c->tail - c->head) { /* answered out of order: too entangled to send again */
		worker_lost(w, c, c->inflight);
		forget(w, c);
	} else if (resend > 0) {
		c->wpos = w->pool->requests[conn_slot(w, c, c->head)->request].offset;
		c->unsent = 0;
		for (uint32_t i = c->head; i != c->tail; i++)
			c->unsent += w->pool->requests[conn_slot(w, c, i)->request].length;
		c->unstamped = c->head;
		w->counts.resent += resend;
	}
	conn_open(w, c, w->now_ns);
}

void conn_stamp(struct engine_worker *w, struct slot *s, uint64_t now)
{
	s->sent_ns = now;
	if (!w->open_loop)
		s->intended_ns = now;
	else if (w->measuring && s->intended_ns >= w->begin_ns)
		hist_record(w->lag, now > s->ready_ns ? now - s->ready_ns : 0);
}

void conn_issue(struct engine_worker *w, struct conn *c, uint64_t intended_ns, uint64_t ready_ns)
{
	struct slot *s;

	if (is_datagram(w)) {
		packet_issue(w, c, intended_ns, ready_ns);
		return;
	}
	s = conn_slot(w, c, c->tail++);
	s->intended_ns = intended_ns;
	s->ready_ns = ready_ns;
	s->request = c->cursor;
	s->state = SLOT_WAITING;
	c->inflight++;
	c->unsent += w->pool->requests[c->cursor].length;
	if (++c->cursor == w->pool->n)
		c->cursor = 0;
	w->counts.sent++;
}

/* Closed loop: `n` requests, stamped when they are written. */
void conn_issue_many(struct engine_worker *w, struct conn *c, uint32_t n)
{
	const struct proto_request *rq = w->pool->requests;
	uint32_t cursor = c->cursor, tail = c->tail, last = w->pool->n;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct slot *s = conn_slot(w, c, tail++);

		s->request = cursor;
		s->state = SLOT_WAITING;
		bytes += rq[cursor].length;
		if (++cursor == last)
			cursor = 0;
	}
	c->tail = tail;
	c->cursor = cursor;
	c->inflight += n;
	c->unsent += bytes;
	w->counts.sent += n;
}

/* Nothing could be written: no room, not connected yet, or broken. */
static void not_written(struct engine_worker *w, struct conn *c, int error)
{
	if (error == EAGAIN || error == EINPROGRESS || error == ENOTCONN) {
		if (c->state == CONN_CONNECTING)
			w->optimism--;
		return;
	}
	if (c->state == CONN_CONNECTING)
		w->counts.refused++;
	else
		w->counts.reset++;
	conn_break(w, c);
}

void conn_flush(struct engine_worker *w, struct conn *c, uint64_t now)
{
	const char *bytes = w->pool->bytes.data;
	uint32_t cycle = w->pool->cycle_bytes;

	if (is_datagram(w)) {
		packet_flush(w, c, now);
		return;
	}
	for (; c->unstamped != c->tail; c->unstamped++)
		conn_stamp(w, conn_slot(w, c, c->unstamped), now);
	while (c->unsent > 0) {
		uint64_t n = c->unsent < cycle - c->wpos ? c->unsent : cycle - c->wpos;
		ssize_t done = send(c->fd, bytes + c->wpos, n,
			MSG_NOSIGNAL | MSG_DONTWAIT | (n < c->unsent ? MSG_MORE : 0));

		if (done < 0) {
			not_written(w, c, errno);
			return;
		}
		if (c->state == CONN_CONNECTING)
			established(w, c);
		w->counts.bytes_out += (uint64_t)done;
		c->unsent -= (uint64_t)done;
		c->wpos += (uint32_t)done;
		if (c->wpos == cycle)
			c->wpos = 0;
		if ((uint64_t)done < n)
			return; /* an edge will tell */
	}
}

static void connected(struct engine_worker *w, struct conn *c, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		w->now_ns = clock_now_ns();
		if (error == EADDRNOTAVAIL)
			w->counts.no_port++;
		else
			w->counts.refused++;
		conn_break(w, c);
		if (!w->measuring && error)
			w->err.code = -error; /* the set-up will want to say why */
		return;
	}
	w->now_ns = clock_now_ns();
	established(w, c);
	if (c->state == CONN_READY) {
		conn_flush(w, c, w->now_ns);
		if (c->state == CONN_READY && !w->config->per_request)
			worker_room(w, c);
	}
}

void conn_event(struct engine_worker *w, struct conn *c, uint32_t events)
{
	if (c->state == CONN_IDLE)
		return;
	if (c->state == CONN_CONNECTING) {
		connected(w, c, events);
		if (c->state == CONN_IDLE || c->state == CONN_CONNECTING)
			return;
	}
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->hangup = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		if (is_datagram(w))
			packet_read(w, c);
		else
			stream_read(w, c);
	}
	if ((events & EPOLLOUT) && (c->unsent > 0 || c->npending > 0) && c->state == CONN_READY)
		conn_flush(w, c, w->now_ns);
}
