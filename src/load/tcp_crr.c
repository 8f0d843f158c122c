/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_crr: socket, connect, request, response, close for every transaction (netperf TCP_CRR).
 *
 * The client closes first and so owns the TIME_WAIT state; with net.ipv4.tcp_tw_reuse=1 and a wide
 * ip_local_port_range in its namespace a port comes round again before they run out. Should they run out
 * all the same, the wait is inside the transaction's time and counted (port_waits), so that it shows.
 * Nothing here sets a time limit on the socket, which would be two more system calls per transaction: the
 * crew watches for progress. A lost SYN is retransmitted after 1 s and is an honest outlier; so are
 * `retransmits`, which only the namespace can count for connections that are gone.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/crew.h"
#include "load/server.h"

#include <netinet/tcp.h>
#include <string.h>

#define STALL_NS (10 * NS_PER_S)
#define PORT_TRIES 3000 /* of 1 ms: then there is no free port, and the error says so */

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

struct crr_target {
	struct sock_addr to, local;
	bool bind;
};

static int crr_target(struct crr_target *t, const struct kernel_params *p, struct vt_err *err)
{
	int rc = sock_addr_parse(&t->to, p->address, p->port, err);

	t->bind = p->local_address[0] != '\0';
	if (rc == 0 && t->bind)
		rc = sock_addr_parse(&t->local, p->local_address, 0, err);
	return rc;
}

/* Proves that the server answers before anything is timed, and makes the buffer. */
static int crr_connect(struct worker *w, enum phase phase, struct vt_err *err)
{
	const struct kernel_params *p = w->p;
	uint32_t bytes = p->request_bytes > p->response_bytes ? p->request_bytes : p->response_bytes;
	_cleanup_close_ int fd = -1;
	int rc = worker_buffer(w, bytes, err);

	if (rc < 0)
		return rc;
	rc = fd = sock_connect(p, SOCK_STREAM, err);
	if (rc < 0)
		return rc;
	rc = sock_send_all(fd, w->buffer, p->request_bytes);
	if (rc == 0)
		rc = sock_recv_all(fd, w->buffer, p->response_bytes);
	return rc < 0 ? worker_failed(w, rc, "a first transaction with", err) : 0;
}

static int crr_open(struct worker *w, const struct crr_target *t)
{
	static const int on = 1;
	int fd = socket(t->to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (w->p->sockbuf_bytes && sock_set_buffers(fd, w->p->sockbuf_bytes, NULL) < 0)
		goto fail;
	if (w->p->nodelay && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
		goto fail;
	if (t->bind && (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0 ||
			       bind(fd, &t->local.sa, t->local.len) < 0))
		goto fail;
	for (unsigned tries = 0; connect(fd, &t->to.sa, t->to.len) < 0; tries++) {
		if (errno != EADDRNOTAVAIL || tries == PORT_TRIES)
			goto fail;
		if (worker_stopped(w)) {
			errno = EINTR;
			goto fail;
		}
		w->waits++;
		clock_sleep_until(clock_deadline_ns(NS_PER_MS));
	}
	return fd;
fail:
	cleanup_closep(&fd);
	return -errno;
}

static int crr_transaction(struct worker *w, const struct crr_target *t)
{
	int rc = w->fd = crr_open(w, t);

	if (rc < 0)
		return rc;
	rc = sock_send_all(w->fd, w->buffer, w->p->request_bytes);
	if (rc == 0)
		rc = sock_recv_all(w->fd, w->buffer, w->p->response_bytes);
	cleanup_closep(&w->fd);
	return rc;
}

static int crr_traffic(struct worker *w, enum phase phase, struct vt_err *err)
{
	struct hist *latency = w->latency;
	uint64_t then, now, n = 0;
	struct crr_target target;
	int rc = crr_target(&target, w->p, err);

	if (rc < 0)
		return rc;
	/* Both readings lie outside the measured time; one worker speaks for the namespace. */
	if (w->index == 0 && !sock_retransmitted_segments(&w->before.retransmits))
		w->before.retransmits = UINT64_MAX;
	then = worker_begin(w, phase);
	while (then < worker_until(w, phase)) {
		rc = crr_transaction(w, &target);
		if (rc == -EADDRNOTAVAIL)
			return vt_fail(err, rc,
				"no free local port towards '%s': widen net.ipv4.ip_local_port_range and set "
				"net.ipv4.tcp_tw_reuse=1 for the client",
				w->p->address);
		if (rc < 0)
			return worker_failed(w, rc, "a transaction with", err);
		now = clock_now_ns();
		hist_record(latency, now - then);
		ticks_at(&w->ticks, now, n);
		worker_progress(w, ++n);
		then = now;
	}
	w->stop_ns = then;
	w->ops = n;
	if (w->index == 0 && !sock_retransmitted_segments(&w->tcp.retransmits))
		w->before.retransmits = UINT64_MAX;
	return 0;
}

static int crr_load(const struct kernel_params *params, const struct kernel_sink *out, struct vt_err *err)
{
	_cleanup_(crew_release) struct crew crew = { .workers = NULL };
	struct crew_job job = { .verb = "answer from", .connect = crr_connect, .traffic = crr_traffic };
	struct kernel_params p;
	const struct worker *first;
	uint64_t waits = 0;
	int rc;

	rc = kernel_params_check(&p, params, true, err);
	if (rc < 0)
		return rc;
	job.connect_ns = job.stall_ns = p.timeout_ns ? p.timeout_ns : STALL_NS;
	rc = crew_run(&crew, &p, &job, out, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < p.streams; i++)
		waits += crew.workers[i].waits;
	first = &crew.workers[0];
	crew_report_transactions(&crew);
	out->metric(out->arg, "port_waits", (double)waits);
	if (first->before.retransmits != UINT64_MAX)
		out->metric(out->arg, "retransmits",
			(double)(first->tcp.retransmits - first->before.retransmits));
	crew_report_common(&crew, params->tick_ns);
	return 0;
}

static void crr_serve(struct kernel_server *s, int fd)
{
	const uint32_t request = s->p.request_bytes, response = s->p.response_bytes;
	uint32_t bytes = request > response ? request : response;
	_cleanup_free_ char *large = NULL;
	char small[16384], *data = small;

	if (bytes > sizeof small && !(data = large = calloc(1, bytes)))
		return;
	if (bytes <= sizeof small)
		memset(small, 0, response);
	if (sock_recv_all(fd, data, request) == 0 && sock_send_all(fd, data, response) == 0)
		/* The client's end-of-file: closing before it would move TIME_WAIT to this side. */
		(void)!recv(fd, small, 1, 0);
}

static int crr_start(
	struct kernel_server **s, const struct kernel_params *p, uint16_t *port, struct vt_err *err)
{
	/* One thread per stream and none to spare: the same one accepts again, on a warm stack. */
	return server_start(
		s, &kernel_tcp_crr, p, SOCK_STREAM, p->streams ? p->streams : 1, crr_serve, NULL, port, err);
}

static int crr_stop(struct kernel_server *s, const struct kernel_sink *out, struct vt_err *err)
{
	server_free(s);
	return 0;
}

const struct kernel kernel_tcp_crr = {
	.name = "tcp_crr",
	.summary = "TCP connect, request, response, close for every transaction",
	.serve = crr_start,
	.stop = crr_stop,
	.load = crr_load,
};
