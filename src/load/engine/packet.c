/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams: many in one system call, both ways. Requests are short, so that copying one to set its id costs
 * less than a second piece of scattered memory would in the kernel. They are not joined to one large packet
 * for the kernel to cut (UDP_SEGMENT): that would halve our cost, and hide what each packet costs on the path
 * we measure.
 *
 * An id is a slot's number and, above it, how often the slot was used. An answer to a request that was given
 * up is thus known as late, and a second one as extra, as long as the slot has not been used again; there are
 * at least as many free slots as there are in flight, and the oldest is used first.
 */
#include "load/engine/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static uint16_t *free_list(struct engine_worker *w, struct conn *c)
{
	return w->free_slots + (size_t)c->index * w->ring;
}

static uint16_t *pending_list(struct engine_worker *w, struct conn *c)
{
	return w->pending + (size_t)c->index * w->ring;
}

static void give_back(struct engine_worker *w, struct conn *c, uint32_t slot)
{
	free_list(w, c)[(c->free_head + c->nfree++) & (w->ring - 1)] = (uint16_t)slot;
}

void packet_init(struct engine_worker *w, struct conn *c)
{
	c->nfree = c->free_head = c->npending = 0;
	for (uint32_t i = 0; i < w->ring; i++) {
		struct slot *s = conn_slot(w, c, i);

		s->state = SLOT_FREE;
		s->id = (uint16_t)((s->id & ~(w->ring - 1)) | i);
		give_back(w, c, i);
	}
	c->inflight = 0;
}

void packet_issue(struct engine_worker *w, struct conn *c, uint64_t intended_ns, uint64_t ready_ns)
{
	uint32_t slot = free_list(w, c)[c->free_head++ & (w->ring - 1)];
	struct slot *s = conn_slot(w, c, slot);

	c->nfree--;
	s->id = (uint16_t)(s->id + w->ring);
	s->intended_ns = intended_ns;
	s->ready_ns = ready_ns;
	s->request = c->cursor;
	s->state = SLOT_WAITING;
	s->sent_ns = UINT64_MAX;
	if (++c->cursor == w->pool->n)
		c->cursor = 0;
	pending_list(w, c)[c->npending++] = (uint16_t)slot;
	c->inflight++;
	w->counts.sent++;
}

/* Sends up to BURST of them; how many were taken, or -errno. */
static int send_burst(struct engine_worker *w, struct conn *c, const uint16_t *slots, uint32_t n,
	uint64_t now)
{
	uint8_t *at = w->buffer; /* nothing is being read now */
	struct mmsghdr m[BURST];
	struct iovec iov[BURST];
	int done;

	for (uint32_t i = 0; i < n; i++) {
		struct slot *s = conn_slot(w, c, slots[i]);
		const struct proto_request *rq = &w->pool->requests[s->request];

		if (s->sent_ns == UINT64_MAX)
			conn_stamp(w, s, now);
		memcpy(at, proto_bytes(w->pool, rq), rq->length);
		at[0] = (uint8_t)(s->id >> 8);
		at[1] = (uint8_t)s->id;
		iov[i] = (struct iovec){ .iov_base = at, .iov_len = rq->length };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
		at += rq->length;
	}
	if (n == 1)
		done = send(c->fd, w->buffer, iov[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
	else
		done = sendmmsg(c->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (int i = 0; i < done; i++)
		w->counts.bytes_out += iov[i].iov_len;
	return done < 0 ? -errno : done;
}

void packet_flush(struct engine_worker *w, struct conn *c, uint64_t now)
{
	uint16_t *pending = pending_list(w, c);
	uint32_t at = 0;

	while (at < c->npending) {
		uint32_t n = c->npending - at < BURST ? c->npending - at : BURST;
		int done = send_burst(w, c, pending + at, n, now);

		if (done == -ECONNREFUSED) {
			w->counts.refused++; /* said of an earlier one; this one was not sent */
			continue;
		}
		if (done == -EINTR)
			continue;
		if (done < 0)
			break; /* full: an edge will tell, or (the device's queue) the next look */
		at += (uint32_t)done;
		if (at < c->npending)
			now = clock_now_ns();
	}
	if (at > 0)
		memmove(pending, pending + at, (c->npending - at) * sizeof *pending);
	c->npending -= at;
}

static void answer(struct engine_worker *w, struct conn *c, const uint8_t *data, size_t len)
{
	struct proto_reply reply = { .verdict = PROTO_OK };
	struct proto_state st = { .phase = 0 };
	struct slot *s;
	size_t used;
	unsigned id;

	if (len < 2) {
		w->counts.garbage++;
		return;
	}
	id = (unsigned)data[0] << 8 | data[1];
	s = conn_slot(w, c, id);
	if (s->id != id || s->state == SLOT_FREE) {
		w->counts.extra++;
		return;
	}
	w->proto->parse(&st, w->pool, &w->pool->requests[s->request], data, len, &used, &reply);
	if (s->state == SLOT_LOST) { /* counted as lost already, and its slot is free */
		s->state = SLOT_FREE;
		if (w->counts.lost > 0) {
			w->counts.lost--;
			w->counts.late++;
		}
		return;
	}
	worker_answer(w, s, reply.verdict);
	s->state = SLOT_FREE;
	c->inflight--;
	give_back(w, c, id & (w->ring - 1));
}

void packet_read(struct engine_worker *w, struct conn *c)
{
	struct mmsghdr m[BURST];
	struct iovec iov[BURST];
	int n;

	memset(m, 0, sizeof m);
	for (unsigned i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){ .iov_base = w->buffer + (size_t)i * DATAGRAM_BYTES,
			.iov_len = DATAGRAM_BYTES };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	c->hangup = false; /* says nothing about a datagram socket */
	do {
		n = recvmmsg(c->fd, m, BURST, MSG_DONTWAIT, NULL);
		w->now_ns = clock_now_ns();
		if (n < 0 && errno == ECONNREFUSED)
			w->counts.refused++;
		for (int i = 0; i < n; i++) {
			w->counts.bytes_in += m[i].msg_len;
			answer(w, c, iov[i].iov_base, m[i].msg_len);
		}
		if (n > 0)
			worker_room(w, c);
	} while (n == BURST || (n < 0 && (errno == EINTR || errno == ECONNREFUSED)));
}

void packet_overdue(struct engine_worker *w, struct conn *c, uint64_t now)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < w->ring && c->inflight > lost; i++) {
		struct slot *s = conn_slot(w, c, i);

		if (s->state != SLOT_WAITING || s->sent_ns == UINT64_MAX || now < s->sent_ns ||
			now - s->sent_ns <= w->config->timeout_ns)
			continue;
		s->state = SLOT_LOST;
		give_back(w, c, i);
		lost++;
	}
	if (lost == 0)
		return;
	c->inflight -= lost;
	worker_lost(w, c, lost);
	worker_room(w, c);
}
