/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp_rr: one request datagram, one response datagram, one transaction in flight (netperf UDP_RR, but it
 * cannot stall).
 *
 * An answer that has not come after the timeout is lost: it is counted, and the next transaction starts. A
 * sequence number leads every request and is sent back, so that an answer that comes late is not taken for
 * the current one: 8 bytes where both messages have room for them, else one byte that comes round after 256.
 * The wait is the socket's own timeout, armed once. A refused port after the first answer (the server died)
 * is a loss like any other: the error is taken off the socket and the timeout runs on.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/dgram.h"

#include <string.h>

#define TIMEOUT_NS (100 * NS_PER_MS)

struct rr {
	const struct worker *w;
	int fd;
	size_t request, response, echo; /* echo: bytes of the sequence number */
	uint64_t timeout_ns;
};

static int rr_check(const struct kernel_params *p, struct vt_err *err)
{
	if (p->request_bytes > DGRAM_MAX || p->response_bytes > DGRAM_MAX)
		return vt_usage(err, "request or response of %u bytes is no UDP datagram: at most %u",
			p->request_bytes > p->response_bytes ? p->request_bytes : p->response_bytes,
			DGRAM_MAX);
	return 0;
}

static size_t echo_bytes(const struct kernel_params *p)
{
	return p->request_bytes >= 8 && p->response_bytes >= 8 ? 8 : 1;
}

static int rr_connect(struct worker *w, enum phase phase, struct vt_err *err)
{
	const struct kernel_params *p = w->p;
	int rc = worker_buffer(w, 2 * (size_t)DGRAM_MAX, err);

	if (rc == 0)
		rc = sock_connect(p, SOCK_DGRAM, err);
	if (rc < 0)
		return rc;
	w->fd = rc;
	/* Where numbers have room, they start where no earlier client's answer can match. */
	w->sequence = clock_now_ns() << 8 | w->index;
	memcpy(w->buffer, &w->sequence, echo_bytes(p));
	rc = dgram_hello(w, p->request_bytes, echo_bytes(p), err);
	return rc < 0 ? rc : sock_set_recv_timeout(w->fd, p->timeout_ns, err);
}

/*
 * Waits for the answer that carries `sequence`. 0, 1 when it is lost, or a negative errno. The clock is read
 * only where something other than the answer came, which would have started the socket's timeout anew.
 */
static int await(const struct rr *r, uint64_t sequence, uint64_t sent_ns, char *in)
{
	for (;;) {
		ssize_t n = recv(r->fd, in, DGRAM_MAX, 0);

		if (__builtin_expect(n >= (ssize_t)r->echo && memcmp(in, &sequence, r->echo) == 0, 1))
			return 0;
		if (n < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return 1;
			if (errno != ECONNREFUSED && (errno != EINTR || worker_stopped(r->w)))
				return -errno;
		}
		if (clock_now_ns() - sent_ns >= r->timeout_ns)
			return 1;
	}
}

/* ECONNREFUSED here is the fate of an earlier datagram, reported late: this one was not sent. */
static int ask(const struct rr *r, const char *out)
{
	for (int i = 0; i < 3; i++) {
		if (send(r->fd, out, r->request, 0) >= 0)
			return 0;
		if (errno != ECONNREFUSED)
			break;
	}
	return errno == ENOBUFS || errno == ECONNREFUSED ? 0 : -errno; /* never left: it will time out */
}

static int rr_traffic(struct worker *w, enum phase phase, struct vt_err *err)
{
	const struct kernel_params *p = w->p;
	const struct rr r = { w, w->fd, p->request_bytes, p->response_bytes, echo_bytes(p), p->timeout_ns };
	char *out = w->buffer, *in = out + DGRAM_MAX;
	uint64_t then, now, n = 0, lost = 0, sequence = w->sequence;
	int rc;

	then = worker_begin(w, phase);
	while (then < worker_until(w, phase)) {
		sequence++;
		memcpy(out, &sequence, r.echo);
		rc = ask(&r, out);
		if (rc == 0)
			rc = await(&r, sequence, then, in);
		if (rc < 0)
			return worker_failed(w, rc, "a transaction with", err);
		now = clock_now_ns();
		ticks_at(&w->ticks, now, n);
		if (__builtin_expect(rc == 0, 1)) {
			hist_record(w->latency, now - then);
			n++;
		} else {
			lost++;
		}
		worker_progress(w, n + lost);
		then = now;
	}
	w->sequence = sequence;
	w->stop_ns = then;
	w->ops = n;
	w->lost = lost;
	return 0;
}

static int rr_load(const struct kernel_params *params, const struct kernel_sink *out, struct vt_err *err)
{
	_cleanup_(crew_release) struct crew crew = { .workers = NULL };
	struct crew_job job = { .verb = "answer from", .connect = rr_connect, .traffic = rr_traffic };
	struct kernel_params p;
	uint64_t lost = 0;
	int rc;

	rc = kernel_params_check(&p, params, true, err);
	if (rc == 0)
		rc = rr_check(&p, err);
	if (rc < 0)
		return rc;
	if (p.timeout_ns == 0)
		p.timeout_ns = TIMEOUT_NS;
	/* The workers time out by themselves; the crew only minds one that cannot. */
	job.connect_ns = DGRAM_HELLO_NS + 5 * NS_PER_S;
	job.stall_ns = 2 * p.timeout_ns + 5 * NS_PER_S;
	rc = crew_run(&crew, &p, &job, out, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < p.streams; i++)
		lost += crew.workers[i].lost;
	crew_report_transactions(&crew);
	out->metric(out->arg, "lost_transactions", (double)lost);
	crew_report_common(&crew, params->tick_ns);
	return 0;
}

static void rr_serve(struct kernel_server *s, int fd)
{
	const size_t response = s->p.response_bytes;
	char *data = sock_buffer(DGRAM_MAX);
	struct sock_addr from;

	/* The request's first bytes stay in the buffer and so lead the response: that is the echo. */
	while (data && !group_stopping(&s->group)) {
		from.len = sizeof from.any;
		if (recvfrom(fd, data, DGRAM_MAX, 0, &from.sa, &from.len) < 0)
			continue; /* a signal, or an ICMP error of an earlier client */
		sendto(fd, data, response, 0, &from.sa, from.len);
	}
	sock_buffer_free(data, DGRAM_MAX);
}

static int rr_start(
	struct kernel_server **s, const struct kernel_params *p, uint16_t *port, struct vt_err *err)
{
	int rc = rr_check(p, err);

	if (rc < 0)
		return rc;
	return server_start(
		s, &kernel_udp_rr, p, SOCK_DGRAM, p->streams ? p->streams : 1, rr_serve, NULL, port, err);
}

static int rr_stop(struct kernel_server *s, const struct kernel_sink *out, struct vt_err *err)
{
	server_free(s);
	return 0;
}

const struct kernel kernel_udp_rr = {
	.name = "udp_rr",
	.summary = "UDP request and response, one transaction in flight per stream",
	.serve = rr_start,
	.stop = rr_stop,
	.load = rr_load,
};
