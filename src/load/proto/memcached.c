/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memcached's text protocol: "get KEY", answered by VALUE … END or by END alone (a miss), and "set".
 */
#include "load/proto/proto.h"

#include <errno.h>
#include <string.h>

enum op { GET, SET };
enum phase { LINE, BODY, BODY_END, END };

#define BODY_MAX (UINT64_C(1) << 30)

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
		buf_puts(&pool->bytes, write ? "set " : "get ");
		buf_add(&pool->bytes, key, k);
		if (write) {
			buf_printf(&pool->bytes, " 0 0 %u\r\n", v);
			proto_kv_value(pool, record, v);
		}
		buf_puts(&pool->bytes, "\r\n");
		rc = pool_end(pool, rq, err);
	}
	return rc;
}

static bool is(const uint8_t *line, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(line, word, n) == 0;
}

static bool begins(const uint8_t *line, size_t n, const char *word)
{
	return n >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

static bool is_error(const uint8_t *line, size_t n)
{
	return is(line, n, "ERROR") || begins(line, n, "CLIENT_ERROR ") || begins(line, n, "SERVER_ERROR ");
}

/* "VALUE key flags bytes" with the key that was asked for. */
static bool value_line(struct proto_state *st, const struct proto_pool *pool, const struct proto_request *rq,
	const uint8_t *line, size_t n)
{
	size_t key = rq->length - strlen("get \r\n");
	const uint8_t *at = line + 6, *end = line + n, *space;
	uint64_t flags;

	if ((size_t)(end - at) < key + 1 || memcmp(at, proto_bytes(pool, rq) + 4, key) != 0 || at[key] != ' ')
		return false;
	at += key + 1;
	space = memchr(at, ' ', (size_t)(end - at));
	if (!space || !proto_number(at, (size_t)(space - at), UINT32_MAX, &flags))
		return false;
	at = space + 1;
	if (!proto_number(at, (size_t)(end - at), BODY_MAX, &st->left))
		return false;
	st->verdict = (uint8_t)proto_length(rq, st->left);
	return true;
}

static enum proto_step first_line(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *line, size_t n, struct proto_reply *reply)
{
	reply->verdict = PROTO_OK;
	if (rq->op == SET && is(line, n, "STORED"))
		return PROTO_DONE;
	if (rq->op == GET && is(line, n, "END")) {
		reply->verdict = PROTO_MISS;
		return PROTO_DONE;
	}
	if (rq->op == GET && begins(line, n, "VALUE ")) {
		st->phase = BODY;
		return value_line(st, pool, rq, line, n) ? PROTO_MORE : PROTO_BAD;
	}
	reply->verdict = PROTO_WRONG;
	return is_error(line, n) || (rq->op == SET && is(line, n, "NOT_STORED")) ? PROTO_DONE : PROTO_BAD;
}

static enum proto_step parse(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	const uint8_t *line;
	enum proto_step step;
	size_t n, took;

	*used = 0;
	for (;;) {
		const uint8_t *at = data + *used;
		size_t have = len - *used;

		switch (st->phase) {
		case LINE:
			line = proto_line(at, have, &n, &took);
			if (!line)
				return PROTO_MORE;
			*used += took;
			step = first_line(st, pool, rq, line, n, reply);
			if (step == PROTO_MORE)
				break;
			*st = (struct proto_state){ .phase = LINE };
			return step;
		case BODY:
			*used += proto_body(st, rq, at, have);
			if (st->left > 0)
				return PROTO_MORE;
			st->phase = BODY_END;
			break;
		case BODY_END:
			if (have < 2)
				return PROTO_MORE;
			if (at[0] != '\r' || at[1] != '\n')
				return PROTO_BAD;
			*used += 2;
			st->phase = END;
			break;
		default:
			line = proto_line(at, have, &n, &took);
			if (!line)
				return PROTO_MORE;
			if (!is(line, n, "END"))
				return PROTO_BAD;
			*used += took;
			reply->verdict = st->verdict;
			*st = (struct proto_state){ .phase = LINE };
			return PROTO_DONE;
		}
	}
}

const struct proto proto_memcached = {
	.name = "memcached",
	.summary = "memcached text protocol: get and set",
	.port = 11211,
	.caps = PROTO_PIPELINE | PROTO_PER_REQUEST,
	.render = render,
	.parse = parse,
};
