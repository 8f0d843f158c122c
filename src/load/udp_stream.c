/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp_stream: the client sends datagrams as fast as the socket takes them, or one per interval (netperf
 * UDP_STREAM). The client knows what was sent and for how long; the server what arrived, in which order and
 * how evenly. Throughput is the server's bytes over the client's time, loss is sent minus received: whoever
 * has both sides' numbers divides.
 *
 * One datagram per system call, as netperf and iperf3 send: batching or segmentation offload would measure
 * another path.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/arrivals.h"
#include "load/dgram.h"

#include <endian.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#define PROBE_MAGIC UINT32_C(0x55585456) /* "VTXU" */
#define QUIET_NS (50 * NS_PER_MS)	 /* nothing for so long: nothing is queued on the way any more */
#define LOOK_NS (5 * NS_PER_US)		 /* before the receiver sleeps: see receive_soon() */
#define DRAIN_NS (2 * NS_PER_S)
#define SPIN_NS (100 * NS_PER_US) /* the last of a pause is spun: a sleep ends late by about half of it */

enum { PROBE_WARMUP = 0, PROBE_MEASURE = 1, PROBE_HELLO = 2 };

/* Heads every datagram; little-endian. */
struct probe {
	uint32_t magic;
	uint16_t phase, stream;
	uint64_t sequence; /* from 0 in each phase */
	uint64_t sent_ns;  /* client's CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct probe) == 24, "probe is 24 bytes on the wire");

static void probe_write(void *at, unsigned phase, unsigned stream, uint64_t sequence, uint64_t now)
{
	struct probe p = {
		.magic = htole32(PROBE_MAGIC),
		.phase = htole16((uint16_t)phase),
		.stream = htole16((uint16_t)stream),
		.sequence = htole64(sequence),
		.sent_ns = htole64(now),
	};

	memcpy(at, &p, sizeof p);
}

/* --- client --- */

static int stream_connect(struct worker *w, enum phase phase, struct vt_err *err)
{
	const struct kernel_params *p = w->p;
	int rc = worker_buffer(w, 2 * (size_t)DGRAM_MAX, err);

	if (rc == 0)
		rc = sock_connect(p, SOCK_DGRAM, err);
	if (rc < 0)
		return rc;
	w->fd = rc;
	w->message_bytes = p->message_bytes ? p->message_bytes : sock_buffer_bytes(w->fd, SO_SNDBUF);
	if (w->message_bytes > DGRAM_MAX)
		w->message_bytes = DGRAM_MAX;
	probe_write(w->buffer, PROBE_HELLO, w->index, 0, clock_now_ns());
	return dgram_hello(w, sizeof(struct probe), sizeof(struct probe), err);
}

/* Until the next send is due or the phase is over: slept, but for the end, which is spun. Returns now. */
static uint64_t pause_until(struct worker *w, enum phase phase, uint64_t due)
{
	uint64_t now = clock_now_ns();

	while (now < due && now < worker_until(w, phase)) {
		uint64_t until = worker_until(w, phase);

		if (due < until)
			until = due;
		if (until > now + 2 * SPIN_NS)
			clock_sleep_until(until - SPIN_NS);
		now = clock_now_ns();
	}
	return now;
}

static int send_failed(struct worker *w, struct vt_err *err)
{
	if (errno == ENOBUFS || errno == EAGAIN || errno == EWOULDBLOCK) {
		/* A device queue is full. Not sent, so not counted as such: the same number goes again. */
		w->waits++;
		sched_yield();
		return 0;
	}
	if (errno == EMSGSIZE)
		return vt_fail(err, -EMSGSIZE, "datagrams of %u bytes do not fit: ask for smaller messages",
			w->message_bytes);
	return worker_failed(w, -errno, "sending to", err);
}

static int stream_traffic(struct worker *w, enum phase phase, struct vt_err *err)
{
	const unsigned kind = phase == PHASE_MEASURE ? PROBE_MEASURE : PROBE_WARMUP;
	const uint64_t interval = w->p->interval_ns;
	const size_t size = w->message_bytes;
	uint64_t now, due, n = 0;
	char *data = w->buffer;
	const int fd = w->fd;
	int rc;

	now = due = worker_begin(w, phase);
	while (now < worker_until(w, phase)) {
		probe_write(data, kind, w->index, n, now);
		if (send(fd, data, size, 0) < 0) {
			rc = send_failed(w, err);
			if (rc < 0)
				return rc;
			now = clock_now_ns();
			continue;
		}
		now = clock_now_ns();
		ticks_at(&w->ticks, now, n * size);
		worker_progress(w, ++n);
		if (interval)
			now = pause_until(w, phase, due += interval);
	}
	w->stop_ns = now;
	w->ops = n;
	w->bytes = n * size;
	return 0;
}

static int check(const struct kernel_params *p, struct vt_err *err)
{
	if (p->message_bytes && (p->message_bytes < sizeof(struct probe) || p->message_bytes > DGRAM_MAX))
		return vt_usage(err, "message of %u bytes is no datagram of udp_stream: %zu to %u",
			p->message_bytes, sizeof(struct probe), DGRAM_MAX);
	return 0;
}

static int stream_load(const struct kernel_params *params, const struct kernel_sink *out, struct vt_err *err)
{
	_cleanup_(crew_release) struct crew crew = { .workers = NULL };
	struct crew_job job = {
		.verb = "room to send to", .connect = stream_connect, .traffic = stream_traffic
	};
	uint64_t bytes = 0, waits = 0;
	struct kernel_params p;
	int rc;

	rc = kernel_params_check(&p, params, true, err);
	if (rc == 0)
		rc = check(&p, err);
	if (rc < 0)
		return rc;
	job.bytes = true;
	job.connect_ns = DGRAM_HELLO_NS + 5 * NS_PER_S;
	job.stall_ns = 5 * NS_PER_S + 2 * p.interval_ns;
	rc = crew_run(&crew, &p, &job, out, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < p.streams; i++) {
		bytes += crew.workers[i].bytes;
		waits += crew.workers[i].waits;
	}
	out->ops(out->arg, crew_ops(&crew));
	out->metric(out->arg, "sent_datagrams", (double)crew_ops(&crew));
	out->metric(out->arg, "sent_bytes", (double)bytes);
	out->metric(out->arg, "elapsed_ns", (double)crew_elapsed_ns(&crew));
	out->metric(out->arg, "send_waits", (double)waits);
	out->metric(out->arg, "message_bytes", crew.workers[0].message_bytes);
	crew_report_common(&crew, params->tick_ns);
	return 0;
}

/* --- server --- */

struct tally {
	struct arrivals stream[KERNEL_STREAMS_MAX];
	uint64_t bytes, first_ns, last_ns;
};

/* False when there was nothing. */
static bool receive(struct kernel_server *s, int fd, char *data, int flags)
{
	struct tally *t = s->state;
	struct sock_addr from = { .len = sizeof from.any };
	ssize_t n = recvfrom(fd, data, DGRAM_MAX, flags, &from.sa, &from.len);
	struct probe p;
	uint64_t now;

	if (n < (ssize_t)sizeof p)
		return n >= 0;
	memcpy(&p, data, sizeof p);
	if (le32toh(p.magic) != PROBE_MAGIC || le16toh(p.stream) >= KERNEL_STREAMS_MAX)
		return true;
	if (__builtin_expect(le16toh(p.phase) != PROBE_MEASURE, 0)) {
		if (le16toh(p.phase) == PROBE_HELLO)
			sendto(fd, data, sizeof p, 0, &from.sa, from.len);
		return true;
	}
	now = clock_now_ns();
	if (arrivals_add(&t->stream[le16toh(p.stream)], le64toh(p.sequence), le64toh(p.sent_ns), now))
		t->bytes += (uint64_t)n;
	if (t->first_ns == 0)
		t->first_ns = now;
	t->last_ns = now;
	return true;
}

/*
 * A receiver that sleeps between datagrams makes the sender pay for waking it, several µs in a VM, and
 * whether it gets to sleep depends on who is the faster by a hair: throughput would jump between two states
 * from run to run (seen: 200 and 330 thousand datagrams per second). So it looks for as long as a sleep and a
 * wake-up would cost before it sleeps, which at worst doubles the cost of that sleep (Karlin et al. 1990).
 * False: nothing came.
 */
static bool receive_soon(struct kernel_server *s, int fd, char *data)
{
	uint64_t until;

	if (receive(s, fd, data, MSG_DONTWAIT))
		return true;
	until = clock_deadline_ns(LOOK_NS);
	do
		if (receive(s, fd, data, MSG_DONTWAIT))
			return true;
	while (clock_now_ns() < until);
	return false;
}

/*
 * The client is done, but not what it sent: queued here, or on the way through a slow environment. Until then
 * the threads are woken again and again, so the quiet is measured by the clock and not by one poll.
 */
static void drain(struct kernel_server *s, int fd, char *data)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_now_ns(), last = now;
	const uint64_t deadline = now + DRAIN_NS;

	while (now < deadline && now - last < QUIET_NS) {
		bool some = poll(&pfd, 1, clock_poll_ms(last + QUIET_NS)) > 0 &&
			    receive(s, fd, data, MSG_DONTWAIT);

		now = clock_now_ns();
		if (some)
			last = now;
	}
}

static void stream_serve(struct kernel_server *s, int fd)
{
	char *data = sock_buffer(DGRAM_MAX);

	if (!data)
		return;
	while (!group_stopping(&s->group))
		if (!receive_soon(s, fd, data))
			receive(s, fd, data, 0);
	drain(s, fd, data);
	sock_buffer_free(data, DGRAM_MAX);
}

static int stream_start(
	struct kernel_server **s, const struct kernel_params *p, uint16_t *port, struct vt_err *err)
{
	struct tally *t;
	int rc = check(p, err);

	if (rc < 0)
		return rc;
	t = calloc(1, sizeof *t);
	if (!t)
		return vt_fail(err, -ENOMEM, "no memory for %d streams", KERNEL_STREAMS_MAX);
	/* One thread: several would take a stream's datagrams out of order themselves. */
	return server_start(s, &kernel_udp_stream, p, SOCK_DGRAM, 1, stream_serve, t, port, err);
}

static int stream_stop(struct kernel_server *s, const struct kernel_sink *out, struct vt_err *err)
{
	const struct tally *t = s->state;
	uint64_t received = 0, duplicates = 0, reordered = 0;
	double jitter = 0;
	unsigned n = 0;

	server_halt(s);
	for (unsigned i = 0; i < KERNEL_STREAMS_MAX; i++) {
		received += t->stream[i].received;
		duplicates += t->stream[i].duplicates;
		reordered += t->stream[i].reordered;
		jitter += t->stream[i].jitter_ns;
		n += t->stream[i].received > 0;
	}
	out->metric(out->arg, "received_datagrams", (double)received);
	out->metric(out->arg, "received_bytes", (double)t->bytes);
	out->metric(out->arg, "received_span_ns", (double)(t->last_ns - t->first_ns));
	out->metric(out->arg, "duplicate_datagrams", (double)duplicates);
	out->metric(out->arg, "reordered_datagrams", (double)reordered);
	if (n > 0)
		out->metric(out->arg, "jitter_ns", jitter / n);
	server_free(s);
	return 0;
}

const struct kernel kernel_udp_stream = {
	.name = "udp_stream",
	.summary = "bulk UDP from client to server, with loss, order and jitter",
	.serve = stream_start,
	.stop = stream_stop,
	.load = stream_load,
};
