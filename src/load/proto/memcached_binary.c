/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memcached's binary protocol. The opaque field, which a server must echo, is the request's place in the
 * pool: an answer that belongs to another request is seen at once.
 */
#include "load/proto/proto.h"

#include <errno.h>
#include <string.h>

#define HEAD_BYTES 24
#define BODY_MAX (UINT32_C(1) << 30)

enum op { GET = 0x00, SET = 0x01 };
enum phase { HEAD, EXTRAS, BODY };

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int render(struct proto_pool *pool, const struct proto_options *o, struct vt_err *err)
{
	struct proto_kv kv;
	uint64_t record;
	bool write;
	int rc = proto_kv_init(&kv, o, err);

	while (rc == 0 && proto_kv_next(&kv, &record, &write)) {
		struct proto_request *rq = pool_begin(pool);
		uint8_t head[HEAD_BYTES + 8] = { 0x80 };
		char key[GEN_KEY_MAX];
		uint32_t k = gen_key(&o->records, record, key), v = gen_value_bytes(&o->records, record);
		uint32_t extras = write ? 8 : 0; /* flags and expiry, both 0 */

		if (!rq)
			return vt_fail(err, -ENOMEM, "no memory for %u requests", kv.n);
		rq->op = write ? SET : GET;
		rq->tag = (uint32_t)record;
		rq->expect = v;
		rq->check = !write;
		head[1] = rq->op;
		head[3] = (uint8_t)k; /* at most 250 */
		head[4] = (uint8_t)extras;
		put32(head + 8, extras + k + (write ? v : 0));
		put32(head + 12, pool->n);
		buf_add(&pool->bytes, head, HEAD_BYTES + extras);
		buf_add(&pool->bytes, key, k);
		if (write)
			proto_kv_value(pool, record, v);
		rc = pool_end(pool, rq, err);
	}
	return rc;
}

static enum proto_step read_head(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *head)
{
	uint32_t key = (uint32_t)head[2] << 8 | head[3], extras = head[4], body = get32(head + 8);
	uint16_t status = (uint16_t)(head[6] << 8 | head[7]);

	if (head[0] != 0x81 || head[1] != rq->op || get32(head + 12) != (uint32_t)(rq - pool->requests))
		return PROTO_BAD;
	if (body > BODY_MAX || key + extras > body)
		return PROTO_BAD;
	st->phase = EXTRAS;
	st->items = body - key - extras;
	st->left = key + extras;
	st->status = status;
	if (status == 1 && rq->op == GET)
		st->verdict = PROTO_MISS;
	else if (status != 0)
		st->verdict = PROTO_WRONG;
	else if (rq->op == GET)
		st->verdict = (uint8_t)proto_length(rq, st->items);
	return PROTO_MORE;
}

static enum proto_step parse(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	*used = 0;
	if (st->phase == HEAD) {
		if (len < HEAD_BYTES)
			return data[0] == 0x81 ? PROTO_MORE : PROTO_BAD;
		if (read_head(st, pool, rq, data) == PROTO_BAD)
			return PROTO_BAD;
		*used = HEAD_BYTES;
	}
	if (st->phase == EXTRAS) {
		size_t n = len - *used;

		n = st->left < n ? (size_t)st->left : n;
		*used += n;
		st->left -= n;
		if (st->left > 0)
			return PROTO_MORE;
		st->phase = BODY;
		st->left = st->items;
	}
	/* The text of an error is no value to be checked. */
	*used += proto_body(st, st->status == 0 ? rq : NULL, data + *used, len - *used);
	if (st->left > 0)
		return PROTO_MORE;
	reply->verdict = st->verdict;
	*st = (struct proto_state){ .phase = HEAD };
	return PROTO_DONE;
}

const struct proto proto_memcached_binary = {
	.name = "memcached-binary",
	.summary = "memcached binary protocol: get and set",
	.port = 11211,
	.caps = PROTO_PIPELINE | PROTO_PER_REQUEST,
	.render = render,
	.parse = parse,
};
