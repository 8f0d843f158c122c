/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of a stream: read into the thread's one buffer, cut by the protocol, matched to slots.
 *
 * A read that does not fill the buffer has emptied the socket; the next edge tells of more. That saves the
 * second read of "until EAGAIN". Only after a hang-up is it read on, to the end.
 */
#include "load/engine/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* PROTO_MORE: cannot be told yet. *s is NULL for the greeting and for a stray. */
static enum proto_step match(struct engine_worker *w, struct conn *c, const uint8_t *data, size_t len,
	struct slot **s)
{
	uint32_t tag, first, offset;

	*s = NULL;
	if (c->state == CONN_GREETING)
		return PROTO_DONE;
	if (!w->proto->identify) {
		*s = conn_slot(w, c, c->head);
		return PROTO_DONE;
	}
	if (!c->mid) {
		if (w->proto->identify(data, len, &tag) == PROTO_MORE)
			return PROTO_MORE;
		c->current = CONN_STRAY;
		first = conn_slot(w, c, c->head)->request;
		offset = (tag + w->pool->n - first) % w->pool->n;
		if (tag < w->pool->n && offset < c->tail - c->head &&
			conn_slot(w, c, c->head + offset)->state == SLOT_WAITING)
			c->current = c->head + offset;
	}
	if (c->current != CONN_STRAY)
		*s = conn_slot(w, c, c->current);
	return PROTO_DONE;
}

static void settle(struct engine_worker *w, struct conn *c, struct slot *s, enum proto_verdict verdict)
{
	worker_answer(w, s, verdict);
	s->state = SLOT_FREE;
	c->inflight--;
	while (c->head != c->tail && conn_slot(w, c, c->head)->state == SLOT_FREE)
		c->head++;
}

/* The server's close is often here by now, and need not be waited for. */
static bool closed_already(struct conn *c)
{
	char byte;

	return c->hangup || recv(c->fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* After an answer that ends the connection. */
static void finish(struct engine_worker *w, struct conn *c, const struct proto_reply *reply)
{
	if (!w->config->per_request) {
		conn_renew(w, c);
		return;
	}
	if (reply->close && !closed_already(c)) {
		c->state = CONN_CLOSING; /* let the server go first */
		c->since_ns = w->now_ns;
		return;
	}
	if (!reply->close && !c->hangup && w->config->abort_close) {
		struct linger l = { .l_onoff = 1, .l_linger = 0 };

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	}
	conn_close(w, c);
	worker_room(w, c);
}

static void greeted(struct engine_worker *w, struct conn *c, enum proto_verdict verdict)
{
	if (verdict != PROTO_OK) {
		w->counts.wrong++;
		conn_break(w, c);
		return;
	}
	c->state = CONN_READY;
	c->since_ns = 0;
	conn_flush(w, c, w->now_ns);
	if (c->state == CONN_READY)
		worker_room(w, c);
}

static void broken(struct engine_worker *w, struct conn *c, uint64_t *count)
{
	(*count)++;
	c->partial = false;
	conn_break(w, c);
}

/* True to go on with the next answer. */
static bool answered(struct engine_worker *w, struct conn *c, struct slot *s, const struct proto_reply *reply)
{
	if (c->state == CONN_GREETING) {
		greeted(w, c, reply->verdict);
		return c->state == CONN_READY;
	}
	if (!s) {
		w->counts.extra++;
		return true;
	}
	settle(w, c, s, reply->verdict);
	if (!reply->close && !w->config->per_request)
		return true;
	finish(w, c, reply);
	return false;
}

static bool keep(struct engine_worker *w, struct conn *c, const uint8_t *rest, size_t n)
{
	if (n > PROTO_CARRY_MAX) {
		broken(w, c, &w->counts.garbage);
		return false;
	}
	if (n > 0)
		memcpy(conn_carry(w, c), rest, n);
	c->carry = (uint32_t)n;
	c->partial = true;
	return true;
}

/* False when the connection is not to be read any more. */
static bool consume(struct engine_worker *w, struct conn *c, size_t len)
{
	size_t at = 0, used = 0;

	c->partial = false;
	while (at < len) {
		const struct proto_request *rq = &w->pool->greeting;
		struct proto_reply reply = { .verdict = PROTO_OK };
		enum proto_step step;
		struct slot *s;

		if ((c->inflight == 0 && c->state != CONN_GREETING) || c->state == CONN_CLOSING) {
			if (!w->proto->identify || c->state == CONN_CLOSING) {
				broken(w, c, &w->counts.extra);
				return false;
			}
		}
		if (match(w, c, w->buffer + at, len - at, &s) == PROTO_MORE)
			return keep(w, c, w->buffer + at, len - at);
		if (c->state != CONN_GREETING)
			rq = s ? &w->pool->requests[s->request] : NULL;
		step = w->proto->parse(&c->parse, w->pool, rq, w->buffer + at, len - at, &used, &reply);
		at += used;
		if (step == PROTO_BAD) {
			broken(w, c, &w->counts.garbage);
			return false;
		}
		c->mid = step == PROTO_MORE && (c->mid || used > 0);
		if (step == PROTO_MORE)
			return keep(w, c, w->buffer + at, len - at);
		if (!answered(w, c, s, &reply))
			return false;
	}
	return true;
}

/* The peer closed (error 0) or reset the connection. */
static void ended(struct engine_worker *w, struct conn *c, int error)
{
	struct proto_reply reply = { .verdict = PROTO_OK };
	struct slot *s = conn_slot(w, c, c->head);

	if (c->state == CONN_CLOSING) {
		conn_close(w, c);
		worker_room(w, c);
		return;
	}
	if (error == 0 && c->state == CONN_READY && c->partial && c->carry == 0 && w->proto->eof &&
		c->inflight > 0 &&
		w->proto->eof(&c->parse, &w->pool->requests[s->request], &reply)) {
		c->hangup = true;
		settle(w, c, s, reply.verdict);
		finish(w, c, &reply);
		return;
	}
	if (error)
		w->counts.reset++;
	else
		w->counts.closed++;
	conn_break(w, c);
}

void stream_read(struct engine_worker *w, struct conn *c)
{
	while (c->fd >= 0) {
		uint32_t kept = c->carry;
		ssize_t n;

		if (kept)
			memcpy(w->buffer, conn_carry(w, c), kept);
		n = recv(c->fd, w->buffer + kept, RECEIVE_BYTES, MSG_DONTWAIT);
		w->now_ns = clock_now_ns();
		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			if (n == 0 || errno != EAGAIN)
				ended(w, c, n < 0 ? errno : 0);
			return;
		}
		w->counts.bytes_in += (uint64_t)n;
		c->carry = 0;
		if (!consume(w, c, kept + (size_t)n))
			return;
		if (c->state == CONN_READY && !c->hangup && !w->config->per_request)
			worker_room(w, c);
		if ((size_t)n < RECEIVE_BYTES && !c->hangup)
			return;
	}
}
