/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers of replies share. The first byte of an input chooses the request and the second where the
 * stream is cut; the rest is what the server sent, any number of replies. Whole and cut, the same must come
 * of it, nothing may be read twice, and no parser may keep more than the engine has room for without saying
 * so.
 */
#ifndef VTAX_TESTS_FUZZ_PROTO_H
#define VTAX_TESTS_FUZZ_PROTO_H

#include "load/proto/proto.h"

#include <stdlib.h>
#include <string.h>

struct outcome {
	size_t replies, consumed;
	unsigned verdicts; /* of all replies, as a sum with place values */
	enum proto_step last;
	bool eof;
};

static inline void require(int true_)
{
	if (!true_)
		abort();
}

/* Parses data[at …] as a stream that first shows `shown` bytes and then all. */
static inline struct outcome replies_of(const struct proto *p, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t size, size_t shown)
{
	struct proto_state st = { .phase = 0 };
	struct outcome o = { .last = PROTO_MORE };
	struct proto_reply reply;

	for (;;) {
		size_t used = 0;
		uint8_t *copy;

		if (o.consumed == shown) {
			if (shown == size)
				break;
			shown = size;
			continue;
		}
		copy = malloc(shown - o.consumed); /* exactly as long as what may be read */
		require(copy != NULL);
		memcpy(copy, data + o.consumed, shown - o.consumed);
		reply = (struct proto_reply){ .verdict = PROTO_OK };
		o.last = p->parse(&st, pool, rq, copy, shown - o.consumed, &used, &reply);
		free(copy);
		if (o.last == PROTO_BAD)
			return o;
		require(used <= shown - o.consumed);
		o.consumed += used;
		if (o.last == PROTO_DONE) {
			require(used > 0 && reply.verdict <= PROTO_SHORT);
			o.replies++;
			o.verdicts = o.verdicts * 5 + (unsigned)reply.verdict + (reply.close ? 100 : 0);
			if (reply.close)
				return o;
		} else {
			if (shown == size)
				break;
			shown = size;
		}
	}
	o.eof = p->eof && p->eof(&st, rq, &reply);
	return o;
}

static inline int fuzz_proto(const struct proto *p, const struct proto_pool *pool, const uint8_t *data,
	size_t size)
{
	const struct proto_request *rq;
	struct outcome whole, cut;

	if (size < 3)
		return 0;
	rq = &pool->requests[data[0] % pool->n];
	if (pool->greeting.length && data[0] == 255)
		rq = &pool->greeting;
	whole = replies_of(p, pool, rq, data + 2, size - 2, size - 2);
	cut = replies_of(p, pool, rq, data + 2, size - 2, data[1] % (size - 1));
	require(whole.last == cut.last && whole.replies == cut.replies && whole.verdicts == cut.verdicts);
	require(whole.last == PROTO_BAD || (whole.consumed == cut.consumed && whole.eof == cut.eof));
	return 0;
}

/* Renders once per process; the fuzzer has no place to release it. */
static inline const struct proto_pool *fuzz_pool(const struct proto *p, struct proto_pool *pool,
	const struct proto_options *o)
{
	if (pool->n == 0)
		require(proto_render(p, pool, o, NULL) == 0);
	return pool;
}

#endif
