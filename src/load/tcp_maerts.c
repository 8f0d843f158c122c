/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_maerts: the server sends, the client receives and counts until its own deadline (netperf TCP_MAERTS).
 *
 * A connection begins with one byte from the client, 'w' for the warm-up or 'm' for the measured time: the
 * server sends from then on until the client is gone. The client leaves with data unread, so the kernel
 * resets the connection; the sender's TCP_INFO survives that, and it is the sender's retransmissions that
 * count. They are reported by the server when it stops, for measured connections only.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/stream.h"

static int maerts_connect(struct worker *w, enum phase phase, struct vt_err *err)
{
	int rc = sock_connect(w->p, SOCK_STREAM, err);

	if (rc < 0)
		return rc;
	w->fd = rc;
	return worker_buffer(w, stream_receive_bytes(w->fd), err);
}

static int maerts_traffic(struct worker *w, enum phase phase, struct vt_err *err)
{
	const size_t size = w->buffer_bytes;
	uint64_t now, n = 0, got = 0;
	const int fd = w->fd;
	int rc;

	now = worker_begin(w, phase);
	rc = sock_send_all(fd, phase == PHASE_MEASURE ? "m" : "w", 1);
	if (rc < 0)
		return worker_failed(w, rc, "asking for data from", err);
	while (now < worker_until(w, phase)) {
		ssize_t m = recv(fd, w->buffer, size, 0);

		if (m <= 0)
			return worker_failed(w, m < 0 ? -errno : -ECONNRESET, "receiving from", err);
		now = clock_now_ns();
		ticks_at(&w->ticks, now, got);
		got += (uint64_t)m;
		worker_progress(w, ++n);
	}
	w->stop_ns = now;
	w->ops = n;
	w->bytes = got;
	return 0;
}

static int maerts_load(const struct kernel_params *params, const struct kernel_sink *out, struct vt_err *err)
{
	_cleanup_(crew_release) struct crew crew = { .workers = NULL };
	struct crew_job job = {
		.verb = "data from",
		.connect = maerts_connect,
		.traffic = maerts_traffic,
		.fresh_connection = true,
		.bytes = true,
		.connect_ns = params->timeout_ns ? params->timeout_ns : STREAM_STALL_NS,
		.stall_ns = params->timeout_ns ? params->timeout_ns : STREAM_STALL_NS,
	};
	struct kernel_params p;

	return stream_load(&crew, &p, params, &job, out, err);
}

static void maerts_serve(struct kernel_server *s, int fd)
{
	/* The size of a message is fixed when the server starts: see maerts_start(). */
	const uint32_t bytes = s->p.message_bytes;
	char *data = sock_buffer(bytes);
	char phase = 0;

	if (!data)
		return;
	if (recv(fd, &phase, 1, 0) == 1)
		/* A signal ends a send that has moved something with what it moved, not with EINTR. */
		while (!group_stopping(&s->group) && send(fd, data, bytes, MSG_NOSIGNAL) > 0)
			;
	if (phase == 'm')
		server_add_tcp(s, fd);
	sock_buffer_free(data, bytes);
}

static int maerts_start(
	struct kernel_server **s, const struct kernel_params *p, uint16_t *port, struct vt_err *err)
{
	struct kernel_params sized = *p;

	if (sized.message_bytes == 0) {
		int rc = stream_default_message(p, &sized.message_bytes, err);

		if (rc < 0)
			return rc;
	}
	return server_start(s, &kernel_tcp_maerts, &sized, SOCK_STREAM, (p->streams ? p->streams : 1) + 2,
		maerts_serve, NULL, port, err);
}

static int maerts_stop(struct kernel_server *s, const struct kernel_sink *out, struct vt_err *err)
{
	server_halt(s);
	stream_report_tcp(out, &s->tcp, s->connections);
	out->metric(out->arg, "message_bytes", s->p.message_bytes);
	server_free(s);
	return 0;
}

const struct kernel kernel_tcp_maerts = {
	.name = "tcp_maerts",
	.summary = "bulk TCP from server to client",
	.serve = maerts_start,
	.stop = maerts_stop,
	.load = maerts_load,
};
