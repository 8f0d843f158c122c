/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redis, RESP2 and RESP3: GET and SET.
 *
 * Any reply is read to its end, however nested: a counter of elements still to come is enough, because an
 * aggregate only adds to it. Attributes ("|") add their pairs and take the place of no element. A push (">")
 * at the top level is no reply to anything and is passed over. Streamed forms ("$?", "*?") are sent by no
 * released server and are refused.
 */
#include "load/proto/proto.h"

#include <errno.h>
#include <string.h>

enum op { GET, SET, HELLO };
enum phase { ELEMENT, BODY, BODY_END };
enum flags { SKIP = 1, FIRST_SEEN = 2 }; /* SKIP: inside a push */

#define BULK_MAX (UINT64_C(512) << 20) /* redis' own limit */
#define ITEMS_MAX (UINT32_C(1) << 20)

static void bulk(struct buf *b, const void *data, uint32_t n)
{
	buf_printf(b, "$%u\r\n", n);
	buf_add(b, data, n);
	buf_puts(b, "\r\n");
}

static int render(struct proto_pool *pool, const struct proto_options *o, struct vt_err *err)
{
	struct proto_kv kv;
	uint64_t record;
	bool write;
	int rc = proto_kv_init(&kv, o, err);

	while (rc == 0 && proto_kv_next(&kv, &record, &write)) {
		struct proto_request *rq = pool_begin(pool);
		char key[GEN_KEY_MAX];
		uint32_t k = gen_key(&o->records, record, key), v = gen_value_bytes(&o->records, record);

		if (!rq)
			return vt_fail(err, -ENOMEM, "no memory for %u requests", kv.n);
		rq->op = write ? SET : GET;
		rq->tag = (uint32_t)record;
		rq->expect = v;
		rq->check = !write;
		buf_puts(&pool->bytes, write ? "*3\r\n$3\r\nSET\r\n" : "*2\r\n$3\r\nGET\r\n");
		bulk(&pool->bytes, key, k);
		if (write) {
			buf_printf(&pool->bytes, "$%u\r\n", v);
			proto_kv_value(pool, record, v);
			buf_puts(&pool->bytes, "\r\n");
		}
		rc = pool_end(pool, rq, err);
	}
	if (rc == 0 && o->resp3) {
		static const char hello[] = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

		pool->cycle_bytes = (uint32_t)pool->bytes.len;
		pool->greeting = (struct proto_request){ .offset = pool->cycle_bytes,
			.length = sizeof hello - 1,
			.expect = PROTO_ANY, .op = HELLO };
		if (buf_puts(&pool->bytes, hello) < 0)
			return vt_fail(err, -ENOMEM, "no memory for requests");
	}
	return rc;
}

/* The element that is the reply itself, not one inside it. */
static void judge(struct proto_state *st, const struct proto_request *rq, uint8_t type, const uint8_t *line,
	size_t n)
{
	bool right;

	if (st->flags & (SKIP | FIRST_SEEN))
		return;
	st->flags |= FIRST_SEEN;
	if (rq->op == SET)
		right = type == '+' && n == 2 && memcmp(line, "OK", 2) == 0;
	else if (rq->op == HELLO)
		right = type == '%' || type == '*';
	else
		right = type == '$' || type == '=';
	if (!right)
		st->verdict = PROTO_WRONG;
}

static enum proto_step string_head(struct proto_state *st, const struct proto_request *rq, uint8_t type,
	const uint8_t *text, size_t n)
{
	bool own = !(st->flags & (SKIP | FIRST_SEEN));

	if (type == '$' && n == 2 && text[0] == '-' && text[1] == '1') { /* nil in RESP2 */
		st->items--;
		judge(st, rq, type, NULL, 0);
		if (own && rq->op == GET)
			st->verdict = PROTO_MISS;
		return PROTO_MORE;
	}
	if (!proto_number(text, n, BULK_MAX, &st->left))
		return PROTO_BAD;
	judge(st, rq, type, NULL, 0);
	st->phase = BODY;
	st->seen = 0;
	/* Only the reply itself has a content to check. */
	st->status = own && rq->op == GET && type == '$';
	if (st->status)
		st->verdict = (uint8_t)proto_length(rq, st->left);
	return PROTO_MORE;
}

static enum proto_step aggregate(struct proto_state *st, const struct proto_request *rq, uint8_t type,
	const uint8_t *text, size_t n)
{
	uint64_t count;

	if (type == '*' && n == 2 && text[0] == '-' && text[1] == '1') {
		judge(st, rq, '_', NULL, 0);
		st->items--;
		return PROTO_MORE;
	}
	if (!proto_number(text, n, ITEMS_MAX, &count))
		return PROTO_BAD;
	if (type == '%' || type == '|')
		count *= 2;
	if (type == '>' && st->items == 1 && !(st->flags & (SKIP | FIRST_SEEN))) {
		st->flags |= SKIP;
		st->items--;
	} else if (type != '|') {
		judge(st, rq, type, NULL, 0);
		st->items--;
	} else if (!(st->flags & (SKIP | FIRST_SEEN))) {
		return PROTO_BAD; /* nothing we ask for is answered with attributes in front */
	}
	if (st->items + count > ITEMS_MAX)
		return PROTO_BAD;
	st->items += (uint32_t)count;
	return PROTO_MORE;
}

static bool scalar_ok(uint8_t type, const uint8_t *text, size_t n)
{
	switch (type) {
	case '+':
	case '-':
	case '(': /* big number */
	case ',': /* double */
		return true;
	case ':': {
		uint64_t v;
		size_t sign = n > 0 && (text[0] == '-' || text[0] == '+');

		return proto_number(text + sign, n - sign, INT64_MAX, &v);
	}
	case '#':
		return n == 1 && (text[0] == 't' || text[0] == 'f');
	case '_':
		return n == 0;
	default:
		return false;
	}
}

static enum proto_step element(struct proto_state *st, const struct proto_request *rq, const uint8_t *line,
	size_t n)
{
	uint8_t type;

	if (n == 0)
		return PROTO_BAD;
	type = line[0];
	if (st->items == 0)
		st->items = 1;
	if (type == '$' || type == '=' || type == '!')
		return string_head(st, rq, type, line + 1, n - 1);
	if (type == '*' || type == '%' || type == '~' || type == '>' || type == '|')
		return aggregate(st, rq, type, line + 1, n - 1);
	if (!scalar_ok(type, line + 1, n - 1))
		return PROTO_BAD;
	if (type == '_' && rq->op == GET && !(st->flags & (SKIP | FIRST_SEEN))) {
		st->flags |= FIRST_SEEN;
		st->verdict = PROTO_MISS;
	}
	judge(st, rq, type, line + 1, n - 1);
	st->items--;
	return PROTO_MORE;
}

/* True when a whole reply (and not only a push) is through. */
static bool whole(struct proto_state *st)
{
	if (st->phase != ELEMENT || st->items > 0)
		return false;
	if (st->flags & SKIP) {
		*st = (struct proto_state){ .phase = ELEMENT };
		return false;
	}
	return true;
}

/*
 * The answers that nearly always come, when they are here as a whole: the same result as from the long way,
 * without touching the state. False: take the long way.
 */
static bool quick(const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	size_t at = 1, n = 0;

	if (rq->op == SET) {
		if (len < 5 || memcmp(data, "+OK\r\n", 5) != 0)
			return false;
		*used = 5;
		reply->verdict = PROTO_OK;
		return true;
	}
	if (rq->op != GET || data[0] != '$')
		return false;
	for (; at < len && at < 8 && data[at] >= '0' && data[at] <= '9'; at++)
		n = n * 10 + (size_t)(data[at] - '0');
	if (at == 1 || len - at < n + 4)
		return false;
	if (memcmp(data + at, "\r\n", 2) != 0 || memcmp(data + at + 2 + n, "\r\n", 2) != 0)
		return false;
	*used = at + n + 4;
	reply->verdict = proto_length(rq, n);
	if (reply->verdict == PROTO_OK && rq->check && !gen_value_sample(rq->tag, 0, data + at + 2, n, true))
		reply->verdict = PROTO_WRONG;
	return true;
}

static enum proto_step parse(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	size_t n, took;

	if (st->phase == ELEMENT && st->items == 0 && quick(rq, data, len, used, reply))
		return PROTO_DONE;
	*used = 0;
	for (;;) {
		const uint8_t *at = data + *used, *line;
		size_t have = len - *used;

		if (st->phase == ELEMENT) {
			if (have == 0 || !(line = proto_line(at, have, &n, &took)))
				return PROTO_MORE;
			*used += took;
			if (element(st, rq, line, n) == PROTO_BAD)
				return PROTO_BAD;
		} else if (st->phase == BODY) {
			*used += proto_body(st, st->status ? rq : NULL, at, have);
			if (st->left > 0)
				return PROTO_MORE;
			st->phase = BODY_END;
			continue;
		} else {
			if (have < 2)
				return PROTO_MORE;
			if (at[0] != '\r' || at[1] != '\n')
				return PROTO_BAD;
			*used += 2;
			st->items--;
			st->phase = ELEMENT;
		}
		if (whole(st)) {
			reply->verdict = st->verdict;
			*st = (struct proto_state){ .phase = ELEMENT };
			return PROTO_DONE;
		}
	}
}

const struct proto proto_redis = {
	.name = "redis",
	.summary = "redis, RESP2 or RESP3: GET and SET",
	.port = 6379,
	.caps = PROTO_PIPELINE | PROTO_PER_REQUEST,
	.render = render,
	.parse = parse,
};
