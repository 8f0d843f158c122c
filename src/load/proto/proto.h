/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A protocol of the load engine: how its requests are written ahead of time, and how its replies are read.
 *
 * Requests are rendered once into a pool: one block of bytes, requests back to back in the order in which a
 * connection sends them, so that any run of requests is one write() without a copy. The pool is read-only
 * while measuring and shared by all threads. Connections start at different places and go round.
 *
 * Replies are read from whatever the socket gave. parse() consumes what it can and keeps its place in a
 * struct proto_state; bodies are consumed as they come, so only an unfinished line or head (at most
 * PROTO_CARRY_MAX bytes) is ever kept by the engine and shown again with more behind it. What a server sends
 * is hostile: every parser is fuzzed, and its result must not depend on where the bytes were split.
 *
 * Each reply is checked against what its request expects: status, length, sampled content.
 *
 * How to add one: write src/load/proto/NAME.c with a `const struct proto proto_NAME`, add it to the table in
 * proto.c, give it rows in tests/unit/test_proto.c (split at every byte) and a fuzz target with seeds.
 */
#ifndef VTAX_LOAD_PROTO_PROTO_H
#define VTAX_LOAD_PROTO_PROTO_H

#include "base/buf.h"
#include "base/err.h"
#include "load/gen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_CARRY_MAX 8192 /* unfinished line or head; a longer one is a broken server */
#define PROTO_ANY UINT32_MAX /* proto_request.expect: any length */

struct proto_request {
	uint32_t offset, length; /* in pool->bytes */
	uint32_t expect;	 /* bytes of value or body that the reply should have, or PROTO_ANY */
	uint32_t tag;		 /* record whose value it is; opaque; DNS id */
	uint16_t status;	 /* HTTP status or DNS rcode that is right */
	uint8_t op;		 /* of the protocol */
	uint8_t check;		 /* the reply's content is gen_value() of `tag` */
};

struct proto_pool {
	struct buf bytes;
	struct proto_request *requests;
	uint32_t n, room;
	/* Sent first on every connection, not measured; length 0: none. Its bytes come last. */
	struct proto_request greeting;
	uint32_t cycle_bytes; /* of requests 0 … n − 1 */
};

static inline const uint8_t *proto_bytes(const struct proto_pool *p, const struct proto_request *rq)
{
	return (const uint8_t *)p->bytes.data + rq->offset;
}

/* Zero is the start of a reply. 32 bytes, because every connection has one. */
struct proto_state {
	uint64_t left;	/* bytes of the present piece still to come */
	uint64_t seen;	/* bytes of the body so far */
	uint32_t items;	/* replies (RESP) still to come */
	uint16_t status;
	uint8_t phase, verdict, flags, any; /* any: some byte of this reply was consumed */
};

enum proto_step {
	PROTO_MORE, /* consumed *used; the rest makes no sense without more bytes */
	PROTO_DONE, /* a whole reply, *used bytes to its end; *st is ready for the next */
	PROTO_BAD,  /* not this protocol: the connection is of no use any more */
};

enum proto_verdict {
	PROTO_OK,
	PROTO_MISS,  /* right, but there is no such record */
	PROTO_WRONG, /* an error, another status, or other content */
	PROTO_SHORT, /* less than there should be */
};

struct proto_reply {
	enum proto_verdict verdict;
	bool close; /* the server will close the connection after it */
};

enum proto_caps {
	PROTO_PIPELINE = 1 << 0,    /* several requests in flight on a connection */
	PROTO_DATAGRAM = 1 << 1,    /* UDP; both ways a 16-bit id comes first, which the engine sets */
	PROTO_UNORDERED = 1 << 2,   /* a stream whose replies carry the tag of their request, in any order */
	PROTO_PER_REQUEST = 1 << 3, /* a new connection for each request makes sense */
	PROTO_IN_PROCESS = 1 << 4,  /* the peer is a thread of ours, behind a socketpair */
};

enum proto_mix {
	PROTO_MIX,	/* `update` of the requests write, drawn per request */
	PROTO_POPULATE, /* writes every record once, in order; `requests` is ignored */
};

/* What to render; the members of other protocols are ignored. Strings are the caller's. */
struct proto_options {
	uint32_t requests; /* at least so many in the pool */
	uint64_t seed;
	/* key-value stores */
	enum proto_mix mix;
	struct gen_records records;
	double zipf;   /* 0: uniform */
	double update; /* probability of a write */
	bool resp3;
	/* HTTP */
	const char *host, *const *paths; /* paths: NULL-terminated; NULL is "/" */
	const char *headers;		 /* added to each request, lines with CRLF, or NULL */
	const char *if_modified_since;	 /* conditional GET; NULL: none */
	const char *if_none_match;
	bool close; /* "Connection: close" */
	uint16_t status; /* expected; 0: 200, or 304 when conditional (then 200 is right too) */
	uint32_t body_bytes; /* expected, or PROTO_ANY */
	/* DNS */
	const char *const *names; /* NULL-terminated */
	uint16_t qtype;	  /* 0: A */
	uint16_t rcode;	  /* expected */
	/* null */
	uint32_t request_bytes; /* 0: 16 */
};

struct proto {
	const char *name, *summary;
	uint16_t port;
	unsigned caps;
	/* Fills an empty pool with pool_begin()/pool_end(). */
	int (*render)(struct proto_pool *pool, const struct proto_options *o, struct vt_err *err);
	/*
	 * `rq` is the request the reply belongs to; NULL when it belongs to none (unordered and datagram
	 * protocols: a stray): then it is read to its end and *reply says nothing. Never called with len 0.
	 */
	enum proto_step (*parse)(struct proto_state *st, const struct proto_pool *pool,
		const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
		struct proto_reply *reply);
	/* The stream ended inside a reply. True when that is how this reply ends. NULL: never. */
	bool (*eof)(struct proto_state *st, const struct proto_request *rq, struct proto_reply *reply);
	/* Unordered: the tag of the reply that begins at data; PROTO_MORE or PROTO_DONE. */
	enum proto_step (*identify)(const uint8_t *data, size_t len, uint32_t *tag);
};

extern const struct proto proto_memcached, proto_memcached_binary, proto_redis, proto_http, proto_dns,
	proto_dns_tcp, proto_null;
extern const struct proto *const protos[]; /* NULL-terminated */
const struct proto *proto_find(const char *name);

/* Renders; on failure the pool is empty. *pool need not be initialised. */
int proto_render(const struct proto *p, struct proto_pool *pool, const struct proto_options *o,
	struct vt_err *err);
void proto_pool_release(struct proto_pool *pool);

/* For render(): the bytes added to pool->bytes between the two are one request. */
struct proto_request *pool_begin(struct proto_pool *pool);
int pool_end(struct proto_pool *pool, struct proto_request *rq, struct vt_err *err);

/* For render() of key-value stores: how many requests, and record and kind of each. */
struct proto_kv {
	const struct proto_options *o;
	struct gen_zipf zipf;
	struct rng rng;
	uint32_t i, n;
};
int proto_kv_init(struct proto_kv *kv, const struct proto_options *o, struct vt_err *err);
bool proto_kv_next(struct proto_kv *kv, uint64_t *record, bool *write);
int proto_kv_value(struct proto_pool *pool, uint64_t record, uint32_t bytes); /* adds a value's bytes */

/* For parse(): the line that begins at data, without its end; *used includes it. NULL: not whole yet. */
const uint8_t *proto_line(const uint8_t *data, size_t len, size_t *line_len, size_t *used);

/* Decimal, all of it; false when empty, not a number or above `max`. */
bool proto_number(const uint8_t *s, size_t n, uint64_t max, uint64_t *out);

/* Consumes the part of st->left body bytes that is here, sampling content when the request says so. */
size_t proto_body(struct proto_state *st, const struct proto_request *rq, const uint8_t *data, size_t len);

/* What a body of `n` bytes means where rq->expect are expected. */
static inline enum proto_verdict proto_length(const struct proto_request *rq, uint64_t n)
{
	if (rq->expect == PROTO_ANY || n == rq->expect)
		return PROTO_OK;
	return n < rq->expect ? PROTO_SHORT : PROTO_WRONG;
}

#endif
