/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS queries over UDP and TCP (RFC 1035, RFC 7766).
 *
 * Over UDP the engine sets the id of each query, so that one that is answered late is not taken for another.
 * Over TCP the id is the query's place in the pool, and servers may answer out of order. A reply must carry
 * our question back (names compare without case), the rcode that is expected, and some answer where that is
 * NOERROR.
 */
#include "load/proto/proto.h"

#include <errno.h>
#include <string.h>

#define HEAD_BYTES 12
#define NAME_MAX_BYTES 255
#define TYPE_A 1
#define CLASS_IN 1
#define TCP_POOL_MAX 65536

/* Text to labels; 0 when it is no name. */
static size_t encode_name(const char *name, uint8_t out[NAME_MAX_BYTES])
{
	size_t n = 0;

	if (strcmp(name, ".") == 0)
		name = "";
	while (*name) {
		size_t label = strcspn(name, ".");

		if (label == 0 || label > 63 || n + 1 + label + 1 > NAME_MAX_BYTES)
			return 0;
		out[n++] = (uint8_t)label;
		memcpy(out + n, name, label);
		n += label;
		name += label;
		if (*name == '.')
			name++;
	}
	out[n++] = 0;
	return n;
}

static int render_one(struct proto_pool *pool, const struct proto_options *o, const char *name, bool tcp,
	struct vt_err *err)
{
	struct proto_request *rq = pool_begin(pool);
	uint16_t qtype = o->qtype ? o->qtype : TYPE_A, id = (uint16_t)pool->n;
	/* Not recursive: the server is asked for what it holds. */
	uint8_t m[2 + HEAD_BYTES + NAME_MAX_BYTES + 4] = { [6] = 0, [7] = 1 }, *head = m + 2;
	size_t n = encode_name(name, head + HEAD_BYTES);

	if (!rq)
		return vt_fail(err, -ENOMEM, "no memory for %u requests", o->requests);
	if (n == 0)
		return vt_usage(err, "'%s' is not a domain name", name);
	n += HEAD_BYTES;
	head[n++] = (uint8_t)(qtype >> 8);
	head[n++] = (uint8_t)qtype;
	head[n++] = 0;
	head[n++] = CLASS_IN;
	m[0] = (uint8_t)(n >> 8);
	m[1] = (uint8_t)n;
	head[0] = (uint8_t)(id >> 8);
	head[1] = (uint8_t)id;
	rq->tag = id;
	rq->status = o->rcode;
	if (tcp)
		buf_add(&pool->bytes, m, n + 2);
	else
		buf_add(&pool->bytes, head, n);
	return pool_end(pool, rq, err);
}

static int render(struct proto_pool *pool, const struct proto_options *o, bool tcp, struct vt_err *err)
{
	const char *const *name = o->names;
	uint32_t n = o->requests;
	int rc = 0;

	if (!name || !*name)
		return vt_usage(err, "no domain name to ask for");
	if (tcp && n > TCP_POOL_MAX)
		n = TCP_POOL_MAX; /* as many as there are ids */
	while (rc == 0 && (pool->n < n || (name != o->names && !tcp))) {
		rc = render_one(pool, o, *name, tcp, err);
		if (*++name == NULL)
			name = o->names;
	}
	return rc;
}

static int render_udp(struct proto_pool *pool, const struct proto_options *o, struct vt_err *err)
{
	return render(pool, o, false, err);
}

static int render_tcp(struct proto_pool *pool, const struct proto_options *o, struct vt_err *err)
{
	return render(pool, o, true, err);
}

/* Our name in a reply: letters may have changed case, nothing else. */
static bool same_name(const uint8_t *a, const uint8_t *b, size_t n)
{
	if (memcmp(a, b, n) == 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		uint8_t x = a[i], y = b[i];

		if (x != y && ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
			return false;
	}
	return true;
}

/* `m`: the first `have` bytes of a message, with its whole question if it is an answer to `query`. */
static enum proto_verdict judge(const struct proto_request *rq, const uint8_t *query, size_t query_len,
	const uint8_t *m, size_t have)
{
	size_t question = query_len - HEAD_BYTES;
	unsigned answers = (unsigned)m[6] << 8 | m[7];

	if (!(m[2] & 0x80) || m[4] != 0 || m[5] != 1)
		return PROTO_WRONG;
	if (have < query_len)
		return PROTO_SHORT;
	if (!same_name(m + HEAD_BYTES, query + HEAD_BYTES, question - 4) ||
		memcmp(m + query_len - 4, query + query_len - 4, 4) != 0)
		return PROTO_WRONG;
	if ((m[3] & 0x0f) != rq->status)
		return PROTO_WRONG;
	if (m[2] & 0x02) /* truncated: the answer is not in it */
		return PROTO_SHORT;
	return rq->status == 0 && answers == 0 ? PROTO_SHORT : PROTO_OK;
}

static enum proto_step parse_udp(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	*used = len;
	if (!rq)
		return PROTO_DONE;
	if (len < HEAD_BYTES)
		reply->verdict = PROTO_SHORT;
	else
		reply->verdict = judge(rq, proto_bytes(pool, rq), rq->length, data, len);
	return PROTO_DONE;
}

enum phase { START, REST };

static enum proto_step parse_tcp(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	*used = 0;
	if (st->phase == START) {
		size_t message, want;

		if (len < 2)
			return PROTO_MORE;
		message = (size_t)data[0] << 8 | data[1];
		if (message < HEAD_BYTES)
			return PROTO_BAD;
		/* The head and as much of the message as our question takes. */
		want = rq && rq->length - 2 < message ? rq->length - 2 : rq ? message : HEAD_BYTES;
		if (len < 2 + want)
			return PROTO_MORE;
		if (rq)
			st->verdict = (uint8_t)judge(rq, proto_bytes(pool, rq) + 2, rq->length - 2, data + 2,
				want);
		*used = 2 + want;
		st->left = message - want;
		st->phase = REST;
	}
	*used += proto_body(st, NULL, data + *used, len - *used);
	if (st->left > 0)
		return PROTO_MORE;
	reply->verdict = st->verdict;
	*st = (struct proto_state){ .phase = START };
	return PROTO_DONE;
}

static enum proto_step identify(const uint8_t *data, size_t len, uint32_t *tag)
{
	if (len < 4)
		return PROTO_MORE;
	*tag = (uint32_t)data[2] << 8 | data[3];
	return PROTO_DONE;
}

const struct proto proto_dns = {
	.name = "dns",
	.summary = "DNS queries over UDP",
	.port = 53,
	.caps = PROTO_PIPELINE | PROTO_DATAGRAM,
	.render = render_udp,
	.parse = parse_udp,
};

const struct proto proto_dns_tcp = {
	.name = "dns-tcp",
	.summary = "DNS queries over TCP",
	.port = 53,
	.caps = PROTO_PIPELINE | PROTO_UNORDERED | PROTO_PER_REQUEST,
	.render = render_tcp,
	.parse = parse_tcp,
	.identify = identify,
};
