/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of protocols, the pool, and what parsers have in common. A pool is repeated until it has some
 * tens of kilobytes, so that a pipelined write seldom meets its end.
 */
#include "load/proto/proto.h"
#include "base/cleanup.h"

#include <string.h>

#define POOL_BYTES_MAX (UINT32_C(1) << 30)
#define POOL_REQUESTS_MAX (UINT32_C(1) << 22)

const struct proto *const protos[] = {
	&proto_memcached,
	&proto_memcached_binary,
	&proto_redis,
	&proto_http,
	&proto_dns,
	&proto_dns_tcp,
	&proto_null,
	NULL,
};

const struct proto *proto_find(const char *name)
{
	for (const struct proto *const *p = protos; *p; p++)
		if (strcmp((*p)->name, name) == 0)
			return *p;
	return NULL;
}

struct proto_request *pool_begin(struct proto_pool *pool)
{
	struct proto_request *rq;

	if (pool->n == pool->room) {
		uint32_t room = pool->room ? pool->room * 2 : 1024;

		rq = reallocarray(pool->requests, room, sizeof *rq);
		if (!rq)
			return NULL;
		pool->requests = rq;
		pool->room = room;
	}
	rq = &pool->requests[pool->n];
	*rq = (struct proto_request){ .offset = (uint32_t)pool->bytes.len, .expect = PROTO_ANY };
	return rq;
}

int pool_end(struct proto_pool *pool, struct proto_request *rq, struct vt_err *err)
{
	if (pool->bytes.failed)
		return vt_fail(err, -ENOMEM,
			"the requests do not fit into %u MiB: ask for fewer or smaller ones",
			POOL_BYTES_MAX >> 20);
	rq->length = (uint32_t)pool->bytes.len - rq->offset;
	pool->n++;
	return 0;
}

int proto_render(const struct proto *p, struct proto_pool *pool, const struct proto_options *o,
	struct vt_err *err)
{
	int rc;

	*pool = (struct proto_pool){ .bytes = BUF_INIT(POOL_BYTES_MAX) };
	if (o->requests > POOL_REQUESTS_MAX)
		return vt_usage(err, "%u requests are too many to render ahead, at most %u", o->requests,
			POOL_REQUESTS_MAX);
	rc = p->render(pool, o, err);
	if (rc == 0 && pool->n == 0)
		rc = vt_usage(err, "nothing to send by %s: no request was asked for", p->name);
	if (rc == 0 && pool->cycle_bytes == 0)
		pool->cycle_bytes = (uint32_t)pool->bytes.len;
	if (rc < 0)
		proto_pool_release(pool);
	return rc;
}

void proto_pool_release(struct proto_pool *pool)
{
	buf_release(&pool->bytes);
	free(pool->requests);
	*pool = (struct proto_pool){ .n = 0 };
}

/* --- key-value stores --- */

int proto_kv_init(struct proto_kv *kv, const struct proto_options *o, struct vt_err *err)
{
	if (o->records.n == 0 || o->records.n > UINT32_MAX)
		return vt_usage(err, "the number of records must be 1 to %u", UINT32_MAX);
	if (o->mix == PROTO_POPULATE && o->records.n > POOL_REQUESTS_MAX)
		return vt_usage(err, "too many records to write ahead, at most %u", POOL_REQUESTS_MAX);
	kv->o = o;
	kv->i = 0;
	kv->n = o->mix == PROTO_POPULATE ? (uint32_t)o->records.n : o->requests;
	gen_zipf_init(&kv->zipf, o->records.n, o->zipf);
	rng_seed(&kv->rng, o->seed);
	return 0;
}

bool proto_kv_next(struct proto_kv *kv, uint64_t *record, bool *write)
{
	if (kv->i >= kv->n)
		return false;
	if (kv->o->mix == PROTO_POPULATE) {
		*record = kv->i;
		*write = true;
	} else {
		*record = gen_zipf_draw(&kv->zipf, &kv->rng);
		*write = rng_uniform(&kv->rng) < kv->o->update;
	}
	kv->i++;
	return true;
}

int proto_kv_value(struct proto_pool *pool, uint64_t record, uint32_t bytes)
{
	uint8_t piece[4096];

	/* In pieces: byte `at` depends on where it is. */
	for (uint32_t at = 0; at < bytes;) {
		uint32_t n = bytes - at < sizeof piece ? bytes - at : (uint32_t)sizeof piece;

		for (uint32_t i = 0; i < n; i++)
			piece[i] = gen_value_byte(record, at + i);
		buf_add(&pool->bytes, piece, n);
		at += n;
	}
	return 0;
}

/* --- parsing --- */

const uint8_t *proto_line(const uint8_t *data, size_t len, size_t *line_len, size_t *used)
{
	const uint8_t *end = memchr(data, '\n', len);

	if (!end)
		return NULL;
	*used = (size_t)(end - data) + 1;
	*line_len = *used - 1;
	if (*line_len > 0 && end[-1] == '\r')
		(*line_len)--;
	return data;
}

bool proto_number(const uint8_t *s, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 19)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

size_t proto_body(struct proto_state *st, const struct proto_request *rq, const uint8_t *data, size_t len)
{
	size_t n = st->left < len ? (size_t)st->left : len;

	if (rq && rq->check && st->verdict == PROTO_OK &&
		!gen_value_sample(rq->tag, st->seen, data, n, n == st->left))
		st->verdict = PROTO_WRONG;
	st->left -= n;
	st->seen += n;
	return n;
}
