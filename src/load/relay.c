/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocking threads, one per direction: a hop costs one receive and one send, and no poll between them.
 *
 * The delay is spun, not slept: a sleep overshoots by what the timer and the scheduler like, and the point is
 * to know what was added. It is counted from the return of the receive, so it does not add up with the cost
 * of reading.
 *
 * TCP: the thread that accepted carries client → target and starts one for the way back; whichever ends first
 * passes the end-of-file on, and the second closes both. UDP: a thread per port carries client → target and
 * keeps a connected socket per client, each with a thread for the way back.
 */
#include "load/relay.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "load/group.h"
#include "load/sock.h"

#include <poll.h>
#include <string.h>

#define CHUNK (UINT32_C(128) << 10)
#define DATAGRAM 65536
#define CLIENTS_MAX 256 /* per UDP port */

struct relay {
	const struct relay_config *config;
	struct group group;
	struct hop *hops; /* what listens: 2 × nports */
};

struct client {
	struct sock_addr from;
	struct hop *hop;
	int fd; /* connected to the target */
};

struct hop {
	struct relay *relay;
	struct kernel_params listen, target;
	int fd, type;
	struct client *clients; /* UDP */
	unsigned nclients;
};

/* One TCP connection through the relay; freed by the second of its two threads. */
struct pair {
	struct hop *hop;
	int client, target;
	atomic_int users;
};

static void delay_since(const struct relay *r, uint64_t since_ns)
{
	while (clock_now_ns() - since_ns < r->config->delay_ns)
		;
}

static void pair_put(struct pair *p)
{
	if (atomic_fetch_sub(&p->users, 1) > 1)
		return;
	cleanup_closep(&p->client);
	cleanup_closep(&p->target);
	free(p);
}

static void pump(struct relay *r, int from, int to, bool delayed)
{
	char *data = malloc(CHUNK);
	ssize_t n;

	while (data && !group_stopping(&r->group) && (n = recv(from, data, CHUNK, 0)) > 0) {
		if (delayed)
			delay_since(r, clock_now_ns());
		if (sock_send_all(to, data, (size_t)n) < 0)
			break;
	}
	/* An error ends both ways, an end-of-file only this one. */
	shutdown(to, SHUT_WR);
	free(data);
}

static void pair_back(void *arg)
{
	struct pair *p = arg;

	pump(p->hop->relay, p->target, p->client, false);
	pair_put(p);
}

static void pair_forth(void *arg)
{
	struct pair *p = arg;
	struct relay *r = p->hop->relay;

	p->target = sock_connect(&p->hop->target, SOCK_STREAM, NULL);
	if (p->target >= 0 && sock_set_nodelay(p->client, true, NULL) == 0) {
		atomic_fetch_add(&p->users, 1);
		if (group_spawn(&r->group, "vtax-relay-back", pair_back, p, NULL) < 0)
			pair_put(p);
		else
			pump(r, p->client, p->target, true);
	}
	pair_put(p);
}

static void tcp_main(void *arg)
{
	struct hop *h = arg;
	struct relay *r = h->relay;

	while (!group_stopping(&r->group)) {
		int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC);
		struct pair *p;

		if (fd < 0) {
			if (errno != EINTR && errno != ECONNABORTED)
				clock_sleep_until(clock_deadline_ns(NS_PER_MS));
			continue;
		}
		p = xcalloc(1, sizeof *p);
		p->hop = h;
		p->client = fd;
		p->target = -1;
		atomic_init(&p->users, 1);
		if (group_spawn(&r->group, "vtax-relay-tcp", pair_forth, p, NULL) < 0)
			pair_put(p);
	}
}

static void udp_back(void *arg)
{
	struct client *c = arg;
	struct relay *r = c->hop->relay;
	char *data = malloc(DATAGRAM);

	while (data && !group_stopping(&r->group)) {
		ssize_t n = recv(c->fd, data, DATAGRAM, 0);

		/* An error is an ICMP answer of a target that has gone: it may come again. */
		if (n >= 0)
			sendto(c->hop->fd, data, (size_t)n, 0, &c->from.sa, c->from.len);
	}
	free(data);
}

static struct client *client_of(struct hop *h, const struct sock_addr *from)
{
	struct client *c;

	for (unsigned i = 0; i < h->nclients; i++) {
		c = &h->clients[i];
		if (c->from.len == from->len && memcmp(&c->from.sa, &from->sa, from->len) == 0)
			return c;
	}
	if (h->nclients == CLIENTS_MAX)
		return NULL;
	c = &h->clients[h->nclients];
	c->from = *from;
	c->hop = h;
	c->fd = sock_connect(&h->target, SOCK_DGRAM, NULL);
	if (c->fd < 0)
		return NULL;
	if (group_spawn(&h->relay->group, "vtax-relay-back", udp_back, c, NULL) < 0) {
		cleanup_closep(&c->fd);
		return NULL;
	}
	h->nclients++;
	return c;
}

static void udp_main(void *arg)
{
	struct hop *h = arg;
	struct relay *r = h->relay;
	char *data = malloc(DATAGRAM);

	while (data && !group_stopping(&r->group)) {
		struct sock_addr from = { .len = sizeof from.any };
		ssize_t n = recvfrom(h->fd, data, DATAGRAM, 0, &from.sa, &from.len);
		struct client *c;
		uint64_t now;

		if (n < 0)
			continue;
		now = clock_now_ns();
		c = client_of(h, &from);
		if (!c)
			continue;
		delay_since(r, now);
		/* A refused port is the fate of an earlier datagram; this one has not been sent yet. */
		if (send(c->fd, data, (size_t)n, 0) < 0 && errno == ECONNREFUSED)
			send(c->fd, data, (size_t)n, 0);
	}
	free(data);
}

static int hop_open(struct hop *h, struct relay *r, uint16_t port, int type, struct vt_err *err)
{
	const struct relay_config *config = r->config;
	uint16_t bound;
	int rc;

	h->relay = r;
	h->type = type;
	snprintf(h->listen.address, sizeof h->listen.address, "%s", config->listen);
	snprintf(h->target.address, sizeof h->target.address, "%s", config->target);
	h->listen.port = h->target.port = port;
	h->listen.nodelay = h->target.nodelay = true;
	if (type == SOCK_DGRAM)
		h->clients = xcalloc(CLIENTS_MAX, sizeof *h->clients);
	rc = h->fd = sock_bind(&h->listen, type, &bound, err);
	return rc < 0 ? rc : 0;
}

static void hop_close(struct hop *h)
{
	for (unsigned i = 0; i < h->nclients; i++)
		cleanup_closep(&h->clients[i].fd);
	free(h->clients);
	cleanup_closep(&h->fd);
}

static int wait_for_stop(int fd, struct vt_err *err)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	while (poll(&pfd, 1, -1) < 0)
		if (errno != EINTR)
			return vt_fail_errno(err, "cannot wait for the end of the relay");
	return 0;
}

static int start(struct relay *r, struct vt_err *err)
{
	const struct relay_config *config = r->config;
	const unsigned n = 2 * config->nports;
	struct sock_addr a;
	int rc = sock_addr_parse(&a, config->target, 0, err);

	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = hop_open(&r->hops[i], r, config->ports[i / 2], i % 2 ? SOCK_DGRAM : SOCK_STREAM, err);
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = group_spawn(&r->group, "vtax-relay", i % 2 ? udp_main : tcp_main, &r->hops[i], err);
	if (rc == 0 && config->ready_fd >= 0 && write(config->ready_fd, "ready\n", 6) != 6)
		rc = vt_fail_errno(err, "cannot say that the relay is ready");
	return rc;
}

int relay_run(const struct relay_config *config, struct vt_err *err)
{
	struct relay r = { .config = config };
	int rc;

	r.hops = xcalloc(2 * (size_t)config->nports, sizeof *r.hops);
	for (unsigned i = 0; i < 2 * config->nports; i++)
		r.hops[i].fd = -1;
	group_init(&r.group);
	rc = start(&r, err);
	if (rc == 0)
		rc = wait_for_stop(config->stop_fd, err);
	group_release(&r.group);
	for (unsigned i = 0; i < 2 * config->nports; i++)
		hop_close(&r.hops[i]);
	free(r.hops);
	return rc;
}
