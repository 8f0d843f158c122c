/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ping: ICMP echo, one in flight; the next as soon as the last is answered, or one per interval.
 *
 * A raw socket where that is allowed, else the unprivileged ping socket (net.ipv4.ping_group_range). A raw
 * socket is handed every ICMP message of the namespace, so a filter in the kernel lets through only echo
 * replies with our identifier; the sequence number is compared here. The payload never changes, so the
 * checksum is summed once and only the sequence number is added to it.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/crew.h"

#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define TIMEOUT_NS NS_PER_S
#define PAYLOAD_DEFAULT 56
#define PAYLOAD_MAX 65000
#define HEAD 8 /* of an echo request, ICMP and ICMPv6 */
#define IP_HEAD_MAX 60

struct echo {
	const struct worker *w;
	int fd;
	bool v6, raw;
	uint8_t reply; /* type of an answer */
	uint16_t id;   /* network order */
	size_t size;   /* of the ICMP message */
	uint32_t sum;  /* of everything but the sequence number */
	uint64_t timeout_ns;
};

/* Kept in the worker's buffer, before the messages, so that it lives as long as the worker. */
struct pinger {
	struct echo echo;
	_Alignas(8) uint8_t out[HEAD + PAYLOAD_MAX];
	_Alignas(8) uint8_t in[IP_HEAD_MAX + HEAD + PAYLOAD_MAX];
};

static int filter(const struct echo *e, struct vt_err *err)
{
	struct sock_filter v4[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* X = length of the IP header */
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, e->reply, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(e->id), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter v6[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, e->reply, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(e->id), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {
		.len = e->v6 ? ARRAY_SIZE(v6) : ARRAY_SIZE(v4),
		.filter = e->v6 ? v6 : v4,
	};

	if (setsockopt(e->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0)
		return vt_fail_errno(err, "cannot filter ICMP answers");
	return 0;
}

static int open_socket(struct echo *e, const struct kernel_params *p, struct vt_err *err)
{
	struct sock_addr to, local;
	int rc = sock_addr_parse(&to, p->address, 0, err);
	int protocol;

	if (rc < 0)
		return rc;
	e->v6 = to.sa.sa_family == AF_INET6;
	e->reply = e->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
	protocol = e->v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
	e->raw = true;
	e->fd = socket(to.sa.sa_family, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (e->fd < 0 && (errno == EPERM || errno == EACCES)) {
		e->raw = false;
		e->fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
	}
	if (e->fd < 0)
		return vt_fail_errno(
			err, "cannot send ICMP: be root, or add your group to net.ipv4.ping_group_range");
	rc = e->raw ? filter(e, err) : 0;
	if (rc == 0)
		rc = sock_set_buffers(e->fd, p->sockbuf_bytes, err);
	if (rc == 0 && p->local_address[0]) {
		rc = sock_addr_parse(&local, p->local_address, 0, err);
		if (rc == 0 && bind(e->fd, &local.sa, local.len) < 0)
			rc = vt_fail_errno(err, "cannot use local address '%s'", p->local_address);
	}
	if (rc == 0 && connect(e->fd, &to.sa, to.len) < 0)
		rc = vt_fail_errno(err, "cannot reach '%s'", p->address);
	return rc;
}

static uint32_t sum_of(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	if (len & 1)
		sum += (uint32_t)data[len - 1] << 8;
	return sum;
}

static void build(struct pinger *g, const struct kernel_params *p, size_t payload)
{
	struct echo *e = &g->echo;

	memset(g->out, 0, HEAD);
	for (size_t i = 0; i < payload; i++)
		g->out[HEAD + i] = (uint8_t)i;
	g->out[0] = e->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	memcpy(g->out + 4, &e->id, sizeof e->id);
	e->size = HEAD + payload;
	e->sum = sum_of(g->out, e->size);
	e->timeout_ns = p->timeout_ns;
}

static void number(struct pinger *g, uint16_t sequence)
{
	uint32_t sum = g->echo.sum + sequence;

	g->out[6] = (uint8_t)(sequence >> 8);
	g->out[7] = (uint8_t)sequence;
	if (g->echo.v6 || !g->echo.raw)
		return; /* the kernel sums */
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	g->out[2] = (uint8_t)(sum >> 8);
	g->out[3] = (uint8_t)sum;
}

/* 0 answered, 1 lost, negative errno. */
static int await(struct pinger *g, uint64_t sent_ns)
{
	const struct echo *e = &g->echo;

	for (;;) {
		ssize_t n = recv(e->fd, g->in, sizeof g->in, 0);
		size_t head = e->raw && !e->v6 && n > 0 ? (g->in[0] & 0xfu) * 4u : 0;

		if (n >= (ssize_t)(head + HEAD) && g->in[head] == e->reply &&
			memcmp(g->in + head + 6, g->out + 6, 2) == 0)
			return 0;
		if (n < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return 1;
			/* EHOSTUNREACH and the like: someone on the way says it is lost. Wait, lest it become
			 * a flood. */
			if (errno == EINTR && worker_stopped(g->echo.w))
				return -EINTR;
		}
		if (clock_now_ns() - sent_ns >= e->timeout_ns)
			return 1;
	}
}

static int ask(struct pinger *g)
{
	if (send(g->echo.fd, g->out, g->echo.size, 0) >= 0 || errno == ENOBUFS || errno == EHOSTUNREACH ||
		errno == ECONNREFUSED)
		return 0;
	return -errno;
}

static int ping_connect(struct worker *w, enum phase phase, struct vt_err *err)
{
	const struct kernel_params *p = w->p;
	struct pinger *g;
	int rc = worker_buffer(w, sizeof *g, err);

	if (rc < 0)
		return rc;
	g = w->buffer;
	g->echo.w = w;
	/* Any other program of this namespace may ping too: an identifier from the clock and the stream. */
	g->echo.id = htons((uint16_t)((clock_now_ns() >> 10) * KERNEL_STREAMS_MAX + w->index));
	rc = open_socket(&g->echo, p, err);
	w->fd = g->echo.fd;
	if (rc == 0)
		rc = sock_set_recv_timeout(w->fd, p->timeout_ns, err);
	if (rc < 0)
		return rc;
	build(g, p, p->message_bytes);
	for (unsigned attempt = 0; attempt < 3; attempt++) {
		uint64_t now = clock_now_ns();

		number(g, (uint16_t)++w->sequence);
		rc = ask(g);
		if (rc == 0)
			rc = await(g, now);
		if (rc <= 0)
			break;
	}
	if (rc > 0)
		return vt_fail(err, -ETIMEDOUT,
			"no ICMP echo from '%s' after 3 attempts of %.1f s: is it reachable?", p->address,
			(double)p->timeout_ns / 1e9);
	return rc < 0 ? worker_failed(w, rc, "a first echo from", err) : 0;
}

static int ping_traffic(struct worker *w, enum phase phase, struct vt_err *err)
{
	const uint64_t interval = w->p->interval_ns;
	struct pinger *g = w->buffer;
	uint64_t then, now, due, n = 0, lost = 0;
	int rc;

	then = due = worker_begin(w, phase);
	while (then < worker_until(w, phase)) {
		number(g, (uint16_t)++w->sequence);
		rc = ask(g);
		if (rc == 0)
			rc = await(g, then);
		if (rc < 0)
			return worker_failed(w, rc, "an echo from", err);
		now = clock_now_ns();
		ticks_at(&w->ticks, now, n);
		if (rc == 0) {
			hist_record(w->latency, now - then);
			n++;
		} else {
			lost++;
		}
		worker_progress(w, n + lost);
		then = now;
		due += interval;
		if (interval && due > now) {
			uint64_t until = worker_until(w, phase);

			clock_sleep_until(due < until ? due : until);
			then = clock_now_ns();
		}
	}
	w->stop_ns = then;
	w->ops = n;
	w->lost = lost;
	return 0;
}

static int ping_load(const struct kernel_params *params, const struct kernel_sink *out, struct vt_err *err)
{
	_cleanup_(crew_release) struct crew crew = { .workers = NULL };
	struct crew_job job = { .verb = "ICMP echo from", .connect = ping_connect, .traffic = ping_traffic };
	struct kernel_params p;
	uint64_t lost = 0;
	int rc;

	rc = kernel_params_check(&p, params, true, err);
	if (rc < 0)
		return rc;
	if (p.message_bytes == 0)
		p.message_bytes = PAYLOAD_DEFAULT;
	if (p.message_bytes > PAYLOAD_MAX)
		return vt_usage(err, "payload of %u bytes is too large for an echo: at most %d",
			p.message_bytes, PAYLOAD_MAX);
	if (p.timeout_ns == 0)
		p.timeout_ns = TIMEOUT_NS;
	job.connect_ns = 4 * p.timeout_ns + 5 * NS_PER_S;
	job.stall_ns = 2 * p.timeout_ns + p.interval_ns + 5 * NS_PER_S;
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

const struct kernel kernel_ping = {
	.name = "ping",
	.summary = "ICMP echo, one in flight",
	.load = ping_load,
};
