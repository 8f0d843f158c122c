/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_rr: one request, one response, one transaction in flight per connection (netperf TCP_RR).
 *
 * The end of a transaction is the start of the next, so one clock reading serves both. A server that goes
 * away or falls silent is an error, never a number: TCP does not lose answers.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/crew.h"
#include "load/server.h"

#define STALL_NS (5 * NS_PER_S)

static int rr_connect(struct worker *w, enum phase phase, struct vt_err *err)
{
	const struct kernel_params *p = w->p;
	uint32_t bytes = p->request_bytes > p->response_bytes ? p->request_bytes : p->response_bytes;
	int rc = worker_buffer(w, bytes, err);

	if (rc < 0)
		return rc;
	rc = sock_connect(p, SOCK_STREAM, err);
	if (rc < 0)
		return rc;
	w->fd = rc;
	return 0;
}

static inline int exchange(int fd, char *data, size_t request, size_t response)
{
	ssize_t n;

	for (size_t at = 0; at < request; at += (size_t)n)
		if ((n = send(fd, data + at, request - at, MSG_NOSIGNAL)) < 0)
			return -errno;
	for (size_t at = 0; at < response; at += (size_t)n)
		if ((n = recv(fd, data + at, response - at, 0)) <= 0)
			return n < 0 ? -errno : -ECONNRESET;
	return 0;
}

static int rr_traffic(struct worker *w, enum phase phase, struct vt_err *err)
{
	const size_t request = w->p->request_bytes, response = w->p->response_bytes;
	struct hist *latency = w->latency;
	uint64_t then, now, n = 0;
	int rc;

	sock_tcp_info(w->fd, &w->before);
	then = worker_begin(w, phase);
	while (then < worker_until(w, phase)) {
		rc = exchange(w->fd, w->buffer, request, response);
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
	sock_tcp_info(w->fd, &w->tcp);
	return 0;
}

static const struct crew_job rr_job = {
	.verb = "answer from",
	.connect = rr_connect,
	.traffic = rr_traffic,
};

static int rr_load(const struct kernel_params *params, const struct kernel_sink *out, struct vt_err *err)
{
	_cleanup_(crew_release) struct crew crew = { .workers = NULL };
	struct crew_job job = rr_job;
	struct kernel_params p;
	uint64_t retransmits = 0;
	int rc;

	rc = kernel_params_check(&p, params, true, err);
	if (rc < 0)
		return rc;
	job.connect_ns = job.stall_ns = p.timeout_ns ? p.timeout_ns : STALL_NS;
	rc = crew_run(&crew, &p, &job, out, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < p.streams; i++)
		retransmits += crew.workers[i].tcp.retransmits - crew.workers[i].before.retransmits;
	crew_report_transactions(&crew);
	out->metric(out->arg, "retransmits", (double)retransmits);
	crew_report_common(&crew, params->tick_ns);
	return 0;
}

static void rr_serve(struct kernel_server *s, int fd)
{
	const uint32_t request = s->p.request_bytes, response = s->p.response_bytes;
	uint32_t bytes = request > response ? request : response;
	char *data = sock_buffer(bytes);

	if (data && sock_set_nodelay(fd, s->p.nodelay, NULL) == 0)
		while (!group_stopping(&s->group) && sock_recv_all(fd, data, request) == 0 &&
			sock_send_all(fd, data, response) == 0)
			;
	server_add_tcp(s, fd);
	sock_buffer_free(data, bytes);
}

static int rr_start(
	struct kernel_server **s, const struct kernel_params *p, uint16_t *port, struct vt_err *err)
{
	/* Two to spare: a probe of someone else's must not take the place of a stream. */
	return server_start(s, &kernel_tcp_rr, p, SOCK_STREAM, (p->streams ? p->streams : 1) + 2, rr_serve,
		NULL, port, err);
}

static int rr_stop(struct kernel_server *s, const struct kernel_sink *out, struct vt_err *err)
{
	server_halt(s);
	out->metric(out->arg, "server_retransmits", (double)s->tcp.retransmits);
	server_free(s);
	return 0;
}

const struct kernel kernel_tcp_rr = {
	.name = "tcp_rr",
	.summary = "TCP request and response, one transaction in flight per connection",
	.serve = rr_start,
	.stop = rr_stop,
	.load = rr_load,
};
