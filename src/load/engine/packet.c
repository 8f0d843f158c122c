/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams: many in one system call, both ways. A request is sent from the pool; only its two bytes of id come
 * from elsewhere, so nothing is copied here.
 *
 * An id is a slot's number and, above it, how often the slot was used. An answer to a request that was given up
 * is thus known as late, and a second one as extra, as long as the slot has not been used again; there are
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

/* Sends up to BURST of those from pending[from]; how many were taken, or -errno. */
static int send_burst(struct engine_worker *w, struct conn *c, const uint16_t *slots, uint32_t n, uint64_t now)
{
	struct mmsghdr m[BURST];
	struct iovec iov[BURST][2];
	uint8_t id[BURST][2];
	int done;

	for (uint32_t i = 0; i < n; i++) {
		struct slot *s = conn_slot(w, c, slots[i]);
		const struct proto_request *rq = &w->pool->requests[s->request];

		if (s->sent_ns == UINT64_MAX)
			conn_stamp(w, s, now);
		id[i][0] = (uint8_t)(s->id >> 8);
		id[i][1] = (uint8_t)s->id;
		iov[i][0] = (struct iovec){ .iov_base = id[i], .iov_len = 2 };
		iov[i][1] = (struct iovec){ .iov_base = w->pool->bytes.data + rq->offset + 2, .iov_len = rq->length - 2 };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = iov[i], .msg_iovlen = 2 } };
	}
	if (n == 1)
		done = sendmsg(c->fd, &m[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
	else
		done = sendmmsg(c->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (int i = 0; i < done; i++)
		w->counts.bytes_out += w->pool->requests[conn_slot(w, c, slots[i])->request].length;
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
		iov[i] = (struct iovec){ .iov_base = w->buffer + (size_t)i * DATAGRAM_BYTES, .iov_len = DATAGRAM_BYTES };
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
