/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_stream: the client sends as fast as it can (netperf TCP_STREAM).
 *
 * Time runs on the client, from before the first send to the answer that the server gives at end-of-file: so
 * connecting is excluded and the flush of what was still buffered is included. The answer says how many bytes
 * arrived; a throughput made from what was handed to the kernel would count what never got there.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/stream.h"

#include <endian.h>

static int stream_connect(struct worker *w, enum phase phase, struct vt_err *err)
{
	int rc = 0;

	w->message_bytes = w->p->message_bytes;
	if (w->message_bytes == 0)
		rc = stream_default_message(w->p, &w->message_bytes, err);
	if (rc == 0)
		rc = worker_buffer(w, w->message_bytes, err);
	if (rc == 0)
		rc = sock_connect(w->p, SOCK_STREAM, err);
	if (rc < 0)
		return rc;
	w->fd = rc;
	return 0;
}

/* End-of-file to the sink, and how much it says it got. */
static int flush(struct worker *w)
{
	struct stream_answer answer;
	int rc;

	if (shutdown(w->fd, SHUT_WR) < 0)
		return -errno;
	rc = sock_recv_all(w->fd, &answer, sizeof answer);
	if (rc < 0)
		return rc;
	w->stop_ns = clock_now_ns();
	w->bytes = le64toh(answer.bytes);
	return 0;
}

static int stream_traffic(struct worker *w, enum phase phase, struct vt_err *err)
{
	const size_t size = w->message_bytes;
	const char *data = w->buffer;
	uint64_t now, n = 0, sent = 0;
	const int fd = w->fd;
	int rc;

	now = worker_begin(w, phase);
	while (now < worker_until(w, phase)) {
		ssize_t m = send(fd, data, size, MSG_NOSIGNAL);

		if (m < 0)
			return worker_failed(w, -errno, "sending to", err);
		now = clock_now_ns();
		ticks_at(&w->ticks, now, sent);
		sent += (uint64_t)m;
		worker_progress(w, ++n);
	}
	sock_tcp_info(fd, &w->tcp);
	rc = flush(w);
	if (rc < 0)
		return worker_failed(w, rc, "waiting for the byte count of", err);
	w->ops = n;
	if (w->bytes > sent)
		return vt_fail(err, -EPROTO,
			"server at '%s' says it received %llu bytes of %llu sent: not our server?",
			w->p->address, (unsigned long long)w->bytes, (unsigned long long)sent);
	return 0;
}

static int stream_run(const struct kernel_params *params, const struct kernel_sink *out, struct vt_err *err)
{
	_cleanup_(crew_release) struct crew crew = { .workers = NULL };
	struct crew_job job = {
		.verb = "answer from",
		.connect = stream_connect,
		.traffic = stream_traffic,
		.fresh_connection = true,
		.bytes = true,
		.connect_ns = params->timeout_ns ? params->timeout_ns : STREAM_STALL_NS,
		.stall_ns = params->timeout_ns ? params->timeout_ns : STREAM_STALL_NS,
	};
	struct sock_tcp_info sum = { 0 };
	struct kernel_params p;
	int rc;

	rc = stream_load(&crew, &p, params, &job, out, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < p.streams; i++)
		sock_tcp_add(&sum, &crew.workers[i].tcp);
	stream_report_tcp(out, &sum, p.streams);
	out->metric(out->arg, "message_bytes", crew.workers[0].message_bytes);
	return 0;
}

/* Bytes until end-of-file; UINT64_MAX when it did not come. */
static uint64_t drain(struct kernel_server *s, int fd, char *data, size_t bytes)
{
	uint64_t total = 0;
	ssize_t n;

	while ((n = recv(fd, data, bytes, 0)) > 0 && !group_stopping(&s->group))
		total += (uint64_t)n;
	return n == 0 ? total : UINT64_MAX;
}

static void stream_serve(struct kernel_server *s, int fd)
{
	const uint32_t bytes = stream_receive_bytes(fd);
	struct stream_answer answer;
	uint64_t begin, total;
	char *data;

	data = sock_buffer(bytes);
	if (!data)
		return;
	begin = clock_now_ns();
	total = drain(s, fd, data, bytes);
	if (total != UINT64_MAX) {
		answer.bytes = htole64(total);
		answer.span_ns = htole64(clock_now_ns() - begin);
		sock_send_all(fd, &answer, sizeof answer);
	}
	sock_buffer_free(data, bytes);
}

static int stream_start(
	struct kernel_server **s, const struct kernel_params *p, uint16_t *port, struct vt_err *err)
{
	return server_start(s, &kernel_tcp_stream, p, SOCK_STREAM, (p->streams ? p->streams : 1) + 2,
		stream_serve, NULL, port, err);
}

static int stream_stop(struct kernel_server *s, const struct kernel_sink *out, struct vt_err *err)
{
	server_free(s);
	return 0;
}

const struct kernel kernel_tcp_stream = {
	.name = "tcp_stream",
	.summary = "bulk TCP from client to server",
	.serve = stream_start,
	.stop = stream_stop,
	.load = stream_run,
};
