/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No server at all: what is sent comes back from a thread of our own behind a socketpair, so that what
 * remains is the cost of the engine and of two system calls. The first bytes of a request are its number.
 */
#include "load/proto/proto.h"

#include <errno.h>
#include <string.h>

#define REQUEST_MAX 4096

static int render(struct proto_pool *pool, const struct proto_options *o, struct vt_err *err)
{
	uint32_t bytes = o->request_bytes ? o->request_bytes : 16;
	uint8_t message[REQUEST_MAX];
	int rc = 0;

	if (bytes < 4 || bytes > sizeof message)
		return vt_usage(err, "a request of %u bytes: 4 to %d are possible", bytes, REQUEST_MAX);
	while (rc == 0 && pool->n < o->requests) {
		struct proto_request *rq = pool_begin(pool);

		if (!rq)
			return vt_fail(err, -ENOMEM, "no memory for %u requests", o->requests);
		rq->tag = pool->n;
		rq->expect = bytes;
		gen_value(rq->tag, message, bytes);
		memcpy(message, &rq->tag, sizeof rq->tag);
		buf_add(&pool->bytes, message, bytes);
		rc = pool_end(pool, rq, err);
	}
	return rc;
}

static enum proto_step parse(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	*used = 0;
	if (len < rq->length)
		return PROTO_MORE;
	*used = rq->length;
	reply->verdict = memcmp(data, &rq->tag, sizeof rq->tag) == 0 ? PROTO_OK : PROTO_WRONG;
	return PROTO_DONE;
}

const struct proto proto_null = {
	.name = "null",
	.summary = "an echo by a thread of this process: the engine's own cost",
	.caps = PROTO_PIPELINE | PROTO_IN_PROCESS,
	.render = render,
	.parse = parse,
};
