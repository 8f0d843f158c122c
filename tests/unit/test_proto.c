/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every protocol: the requests it renders, and replies judged the same wherever the stream was split. A case
 * is a reply and what must come of it; it is parsed whole, split at every byte, and byte by byte, in the way
 * the engine does it (what is not consumed is shown again).
 */
#include "base/cleanup.h"
#include "load/proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { BAD = 100, MORE, DONE_CLOSE = 200 }; /* outcomes besides enum proto_verdict; DONE_CLOSE + verdict */

struct fixture {
	const struct proto *proto;
	struct proto_pool pool;
};

static void render(struct fixture *f, const char *name, const struct proto_options *o)
{
	struct vt_err err = { .code = 0 };

	f->proto = proto_find(name);
	assert_non_null(f->proto);
	if (proto_render(f->proto, &f->pool, o, &err) < 0)
		fail_msg("%s", err.msg);
}

/* What comes of `reply`, cut at `first` and then into pieces of `step` bytes. */
static int run(const struct fixture *f, const struct proto_request *rq, const uint8_t *reply, size_t len,
	size_t first,
	size_t step, size_t *consumed)
{
	struct proto_state st = { .phase = 0 };
	struct proto_reply out = { .verdict = PROTO_OK };
	size_t shown = first, at = 0;

	for (;;) {
		/* A copy of exactly what may be read, for the address sanitizer. */
		_cleanup_free_ uint8_t *piece = malloc(shown - at + 1);
		size_t used = SIZE_MAX;
		enum proto_step s = PROTO_MORE;

		assert_non_null(piece);
		memcpy(piece, reply + at, shown - at);
		if (shown > at) {
			s = f->proto->parse(&st, &f->pool, rq, piece, shown - at, &used, &out);
			if (s == PROTO_BAD)
				return BAD;
			assert_true(used <= shown - at);
			at += used;
		}
		*consumed = at;
		if (s == PROTO_DONE)
			return (int)out.verdict + (out.close ? DONE_CLOSE : 0);
		assert_true(shown - at <= PROTO_CARRY_MAX);
		if (shown == len)
			return f->proto->eof && f->proto->eof(&st, rq, &out) ?
				(int)out.verdict + DONE_CLOSE : MORE;
		shown = shown + step < len ? shown + step : len;
	}
}

static void check(const struct fixture *f, const struct proto_request *rq, const void *reply, size_t len,
	int want)
{
	size_t whole = 0, consumed = 0;
	int got = run(f, rq, reply, len, len, 1, &whole);

	if (got != want)
		fail_msg("%s: %d instead of %d for '%.60s'", f->proto->name, got, want, (const char *)reply);
	for (size_t cut = 1; cut < len; cut++) {
		got = run(f, rq, reply, len, cut, len, &consumed);
		if (got != want || (want < BAD && consumed != whole))
			fail_msg("%s: cut at %zu gives %d instead of %d for '%.60s'", f->proto->name, cut,
				got, want,
				(const char *)reply);
	}
	got = run(f, rq, reply, len, 1, 1, &consumed);
	if (got != want || (want < BAD && consumed != whole))
		fail_msg("%s: byte by byte gives %d instead of %d", f->proto->name, got, want);
}

static void check_text(const struct fixture *f, const struct proto_request *rq, const char *reply, int want)
{
	check(f, rq, reply, strlen(reply), want);
}

/* The request text is exactly this. */
static void assert_request(const struct fixture *f, uint32_t i, const char *text)
{
	const struct proto_request *rq = &f->pool.requests[i];

	assert_int_equal(rq->length, strlen(text));
	assert_memory_equal(proto_bytes(&f->pool, rq), text, rq->length);
}

static const struct proto_options kv = {
	.mix = PROTO_POPULATE,
	.records = { .n = 3, .key_bytes = 4, .value_bytes = 6 },
};

static const struct proto_options kv_get = {
	.requests = 100,
	.records = { .n = 3, .key_bytes = 4, .value_bytes = 6 },
};

/* The first request for this record. */
static const struct proto_request *request_for(const struct fixture *f, uint32_t record)
{
	for (uint32_t i = 0; i < f->pool.n; i++)
		if (f->pool.requests[i].tag == record)
			return &f->pool.requests[i];
	fail();
	return NULL;
}

static void value_of(uint32_t record, char out[7])
{
	gen_value(record, (uint8_t *)out, 6);
	out[6] = '\0';
}

static void memcached_writes(void **state)
{
	struct fixture f;
	char v[7], text[64];

	render(&f, "memcached", &kv);
	assert_int_equal(f.pool.n, 3);
	value_of(2, v);
	snprintf(text, sizeof text, "set 0002 0 0 6\r\n%s\r\n", v);
	assert_request(&f, 2, text);
	check_text(&f, &f.pool.requests[2], "STORED\r\n", PROTO_OK);
	check_text(&f, &f.pool.requests[2], "NOT_STORED\r\n", PROTO_WRONG);
	check_text(&f, &f.pool.requests[2], "SERVER_ERROR out of memory storing object\r\n", PROTO_WRONG);
	check_text(&f, &f.pool.requests[2], "ERROR\r\n", PROTO_WRONG);
	check_text(&f, &f.pool.requests[2], "STOR", MORE);
	check_text(&f, &f.pool.requests[2], "END\r\n", BAD);
	proto_pool_release(&f.pool);
}

static void memcached_reads(void **state)
{
	static const struct {
		const char *format; /* %s is the right value */
		int want;
	} cases[] = {
		{ "VALUE 0001 0 6\r\n%s\r\nEND\r\n", PROTO_OK },
		{ "END\r\n", PROTO_MISS },
		{ "VALUE 0001 0 5\r\n%.5s\r\nEND\r\n", PROTO_SHORT },
		{ "VALUE 0001 0 7\r\n%sx\r\nEND\r\n", PROTO_WRONG },
		{ "VALUE 0001 0 6\r\nabcdef\r\nEND\r\n", PROTO_WRONG },
		{ "VALUE 0001 0 6\r\n%sx\r\nEND\r\n", BAD },
		{ "VALUE 0001 0 6\r\n%s\r\nSTORED\r\n", BAD },
		{ "VALUE 0002 0 6\r\n%s\r\nEND\r\n", BAD }, /* another key */
		{ "VALUE 00011 0 6\r\n%s\r\nEND\r\n", BAD },
		{ "VALUE 0001 0 -1\r\nEND\r\n", BAD },
		{ "VALUE 0001 0 99999999999999999999\r\n", BAD },
		{ "VALUE 0001 x 6\r\n%s\r\nEND\r\n", BAD },
		{ "VALUE 0001\r\n", BAD },
		{ "VALUE \r\n", BAD },
		{ "STORED\r\n", BAD },
		{ "\r\n", BAD },
		{ "SERVER_ERROR x\r\n", PROTO_WRONG },
		{ "VALUE 0001 0 6\r\n%s\r\nEN", MORE },
	};
	const struct proto_request *rq;
	struct fixture f;
	char v[7], text[128];

	render(&f, "memcached", &kv_get);
	rq = request_for(&f, 1);
	assert_int_equal(rq->length, strlen("get 0001\r\n"));
	assert_memory_equal(proto_bytes(&f.pool, rq), "get 0001\r\n", rq->length);
	value_of(1, v);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof text, cases[i].format, v);
		check_text(&f, rq, text, cases[i].want);
	}
	proto_pool_release(&f.pool);
}

struct binary {
	uint8_t not_magic, op, status; /* not_magic: added to the right one */
	uint32_t not_opaque, total;
	uint8_t extras;
};

static size_t binary_reply(uint8_t *out, uint32_t opaque, const struct binary *b, const char *body, size_t n)
{
	uint8_t head[24] = { (uint8_t)(0x81 + b->not_magic), b->op, 0, 0, b->extras, 0, 0, b->status };

	head[10] = (uint8_t)(b->total >> 8);
	head[11] = (uint8_t)b->total;
	head[8] = (uint8_t)(b->total >> 24);
	head[9] = (uint8_t)(b->total >> 16);
	head[15] = (uint8_t)(opaque + b->not_opaque);
	memcpy(out, head, 24);
	memcpy(out + 24, body, n);
	return 24 + n;
}

static void memcached_binary(void **state)
{
	struct fixture f;
	const struct proto_request *rq;
	uint8_t reply[128];
	char body[12] = { 0 };
	uint32_t i;
	size_t n;

	render(&f, "memcached-binary", &kv_get);
	rq = request_for(&f, 1);
	i = (uint32_t)(rq - f.pool.requests);
	assert_int_equal(rq->length, 24 + 4);
	assert_int_equal(proto_bytes(&f.pool, rq)[0], 0x80);
	gen_value(1, (uint8_t *)body + 4, 6);

#define CHECK(want, body_bytes, ...) \
	do { \
		n = binary_reply(reply, i, &(struct binary){ __VA_ARGS__ }, body, body_bytes); \
		check(&f, rq, reply, n, want); \
	} while (0)
	CHECK(PROTO_OK, 10, .total = 10, .extras = 4);
	CHECK(PROTO_SHORT, 9, .total = 9, .extras = 4);
	CHECK(PROTO_WRONG, 11, .total = 11, .extras = 4);
	CHECK(PROTO_WRONG, 10, .total = 10, .extras = 3);
	CHECK(PROTO_MISS, 9, .total = 9, .status = 1);
	CHECK(PROTO_WRONG, 9, .total = 9, .status = 0x82);
	CHECK(BAD, 10, .total = 10, .extras = 4, .not_opaque = 1);
	CHECK(BAD, 10, .total = 10, .extras = 4, .op = 1);
	CHECK(BAD, 2, .total = 2, .extras = 4); /* more extras than there is body */
	CHECK(BAD, 10, .total = UINT32_MAX, .extras = 4);
	CHECK(BAD, 10, .total = 10, .extras = 4, .not_magic = 255);
	CHECK(MORE, 5, .total = 10, .extras = 4);
#undef CHECK
	proto_pool_release(&f.pool);
}

static void redis_writes(void **state)
{
	struct fixture f;
	char v[7], text[96];

	render(&f, "redis", &kv);
	value_of(1, v);
	snprintf(text, sizeof text, "*3\r\n$3\r\nSET\r\n$4\r\n0001\r\n$6\r\n%s\r\n", v);
	assert_request(&f, 1, text);
	check_text(&f, &f.pool.requests[1], "+OK\r\n", PROTO_OK);
	check_text(&f, &f.pool.requests[1], "-OOM command not allowed\r\n", PROTO_WRONG);
	check_text(&f, &f.pool.requests[1], "$2\r\nOK\r\n", PROTO_WRONG);
	check_text(&f, &f.pool.requests[1], "$-1\r\n", PROTO_WRONG);
	check_text(&f, &f.pool.requests[1], "+QUEUED\r\n", PROTO_WRONG);
	proto_pool_release(&f.pool);
}

static void redis_reads(void **state)
{
	static const struct {
		const char *format;
		int want;
	} cases[] = {
		{ "$6\r\n%s\r\n", PROTO_OK },
		{ "$-1\r\n", PROTO_MISS },
		{ "_\r\n", PROTO_MISS },
		{ "$5\r\n%.5s\r\n", PROTO_SHORT },
		{ "$0\r\n\r\n", PROTO_SHORT },
		{ "$7\r\n%s!\r\n", PROTO_WRONG },
		{ "$6\r\nabcdef\r\n", PROTO_WRONG },
		{ "-MOVED 3999 127.0.0.1:6381\r\n", PROTO_WRONG },
		{ ":12\r\n", PROTO_WRONG },
		{ "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", PROTO_WRONG },
		{ "*0\r\n", PROTO_WRONG },
		{ "*-1\r\n", PROTO_WRONG },
		{ "%%1\r\n+a\r\n~2\r\n#t\r\n,1.5\r\n", PROTO_WRONG },
		{ "!5\r\nERR x\r\n", PROTO_WRONG },
		/* A push comes in between and is no answer. */
		{ ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n$6\r\n%s\r\n", PROTO_OK },
		{ ">0\r\n$-1\r\n", PROTO_MISS },
		{ ">2\r\n+a\r\n", MORE },
		{ "$6\r\n%sxx", BAD },
		{ "$x\r\n", BAD },
		{ "$-2\r\n", BAD },
		{ "$?\r\n", BAD },
		{ "$536870913\r\n", BAD },
		{ "*99999999\r\n", BAD },
		{ "|1\r\n+a\r\n+b\r\n$-1\r\n", BAD },
		{ ":x\r\n", BAD },
		{ "#maybe\r\n", BAD },
		{ "OK\r\n", BAD },
		{ "\r\n", BAD },
		{ "$6\r\n%s", MORE },
	};
	const struct proto_request *rq;
	struct fixture f;
	char v[7], text[128];

	render(&f, "redis", &kv_get);
	rq = request_for(&f, 2);
	value_of(2, v);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof text, cases[i].format, v);
		check_text(&f, rq, text, cases[i].want);
	}
	proto_pool_release(&f.pool);
}

static void redis_greeting(void **state)
{
	struct proto_options o = kv_get;
	struct fixture f;

	o.resp3 = true;
	render(&f, "redis", &o);
	assert_true(f.pool.cycle_bytes + f.pool.greeting.length == f.pool.bytes.len);
	assert_memory_equal(proto_bytes(&f.pool, &f.pool.greeting), "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", 22);
	check_text(&f, &f.pool.greeting, "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n",
		PROTO_OK);
	check_text(&f, &f.pool.greeting, "-NOPROTO unsupported protocol version\r\n", PROTO_WRONG);
	proto_pool_release(&f.pool);
}

/* Deep nesting must cost neither stack nor memory. */
static void redis_nests_deeply(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	struct fixture f;
	size_t used;

	render(&f, "redis", &kv_get);
	for (int i = 0; i < 10000; i++)
		buf_puts(&b, "*1\r\n");
	buf_puts(&b, ":1\r\n");
	assert_int_equal(run(&f, &f.pool.requests[0], (uint8_t *)b.data, b.len, 1000, 777, &used),
		PROTO_WRONG);
	assert_int_equal(used, b.len);
	proto_pool_release(&f.pool);
}

static void http_requests(void **state)
{
	static const char *const paths[] = { "/a", "/b", NULL }, *const bad[] = { "a b", NULL };
	const struct proto_options o = { .requests = 3, .host = "h", .paths = paths, .close = true,
		.body_bytes = 5 };
	const struct proto_options wrong = { .requests = 1, .paths = bad };
	struct vt_err err = { .code = 0 };
	struct fixture f;

	render(&f, "http", &o);
	assert_int_equal(f.pool.n, 4); /* whole rounds */
	assert_request(&f, 1, "GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	proto_pool_release(&f.pool);
	assert_int_equal(proto_render(&proto_http, &f.pool, &wrong, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "'a b'"));
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"

static void http_replies(void **state)
{
	static const struct {
		const char *reply;
		int want;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", PROTO_OK },
		{ "HTTP/1.1 200 OK\r\ncontent-length:5 \r\nConnection: close\r\n\r\nhello",
		DONE_CLOSE + PROTO_OK },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", DONE_CLOSE + PROTO_OK },
		{ "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", PROTO_OK },
		{ "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", DONE_CLOSE + PROTO_OK },
		{ "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhell", DONE_CLOSE + PROTO_SHORT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell", PROTO_SHORT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", PROTO_WRONG },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", PROTO_SHORT },
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!", PROTO_WRONG },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", PROTO_WRONG },
		{ "HTTP/1.1 204 No Content\r\n\r\n", PROTO_WRONG },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		PROTO_OK },
		{ CHUNKED "\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", PROTO_OK },
		{ CHUNKED "\r\n5\r\nhello\r\n0\r\nTrailer: t\r\n\r\n", PROTO_OK },
		{ CHUNKED "Content-Length: 9\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			PROTO_OK },
		{ CHUNKED "\r\n4\r\nhell\r\n0\r\n\r\n",
		PROTO_SHORT },
		{ CHUNKED "\r\n5\r\nhelloX\r\n0\r\n\r\n", BAD },
		{ CHUNKED "\r\nxyz\r\n", BAD },
		{ CHUNKED "\r\n\r\n", BAD },
		{ CHUNKED "\r\nfffffffffffff\r\n", BAD },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", BAD },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", BAD },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", PROTO_OK },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", BAD },
		{ "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", BAD },
		{ "HTTP/1.1 101 Switching Protocols\r\n\r\n", BAD },
		{ "HTTP/2.0 200 OK\r\n\r\n", BAD },
		{ "HTTP/1.1 99 What\r\n\r\n", BAD },
		{ "SSH-2.0-OpenSSH_9.2\r\n", BAD },
		{ "HTTP/1.1 200 OK\r\nContent-Le", MORE },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", MORE },
	};
	const struct proto_options o = { .requests = 1, .body_bytes = 5 };
	struct fixture f;

	render(&f, "http", &o);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_text(&f, &f.pool.requests[0], cases[i].reply, cases[i].want);
	proto_pool_release(&f.pool);
}

static void http_conditional(void **state)
{
	const struct proto_options o = { .requests = 1, .body_bytes = 5,
		.if_modified_since = "Fri, 20 Nov 2026 00:00:00 GMT" };
	struct fixture f;

	render(&f, "http", &o);
	assert_non_null(strstr(buf_str(&f.pool.bytes),
		"If-Modified-Since: Fri, 20 Nov 2026 00:00:00 GMT\r\n"));
	check_text(&f, f.pool.requests, "HTTP/1.1 304 Not Modified\r\n\r\n", PROTO_OK);
	check_text(&f, f.pool.requests, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", PROTO_OK);
	check_text(&f, f.pool.requests, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhe", PROTO_SHORT);
	check_text(&f, f.pool.requests, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", PROTO_WRONG);
	proto_pool_release(&f.pool);
}

static void http_head_without_end(void **state)
{
	const struct proto_options o = { .requests = 1, .body_bytes = PROTO_ANY };
	struct proto_state st = { .phase = 0 };
	struct proto_reply reply;
	struct fixture f;
	char head[PROTO_CARRY_MAX * 2];
	size_t used;

	render(&f, "http", &o);
	memset(head, 'x', sizeof head);
	memcpy(head, "HTTP/1.1 200 OK\r\nX: ", 20);
	assert_int_equal(f.proto->parse(&st, &f.pool, f.pool.requests, (uint8_t *)head, sizeof head, &used,
		&reply),
		PROTO_MORE);
	assert_int_equal(used, 0); /* the engine sees more than PROTO_CARRY_MAX left and gives up */
	proto_pool_release(&f.pool);
}

static const char *const names[] = { "www.Example.test", "mail.example.test.", NULL };

/* An answer to request i: header flags, answers, and the question as given. */
static size_t dns_reply(const struct fixture *f, uint32_t i, uint8_t *out, uint8_t flags1, uint8_t flags2,
	uint8_t answers)
{
	const struct proto_request *rq = &f->pool.requests[i];
	size_t skip = f->proto->caps & PROTO_DATAGRAM ? 0 : 2, n = rq->length;

	memcpy(out, proto_bytes(&f->pool, rq), n);
	out[skip + 2] = flags1;
	out[skip + 3] = flags2;
	out[skip + 7] = answers;
	memset(out + n, 0xc0, 16); /* an answer section nobody looks at */
	n += 16;
	if (skip) {
		out[0] = (uint8_t)((n - 2) >> 8);
		out[1] = (uint8_t)(n - 2);
	}
	return n;
}

static int dns_packet(const struct fixture *f, const uint8_t *data, size_t len)
{
	struct proto_state st = { .phase = 0 };
	struct proto_reply reply = { .verdict = PROTO_OK };
	_cleanup_free_ uint8_t *copy = malloc(len);
	size_t used;

	assert_non_null(copy);
	memcpy(copy, data, len);
	assert_int_equal(f->proto->parse(&st, &f->pool, f->pool.requests, copy, len, &used, &reply),
		PROTO_DONE);
	assert_int_equal(used, len);
	return (int)reply.verdict;
}

static void dns_udp(void **state)
{
	const struct proto_options o = { .requests = 2, .names = names };
	uint8_t m[512];
	struct fixture f;
	size_t n;

	render(&f, "dns", &o);
	assert_memory_equal(proto_bytes(&f.pool, f.pool.requests) + 12, "\3www\7Example\4test\0\0\1\0\1", 22);
	assert_int_equal(f.pool.requests[0].length, 12 + 22);
	n = dns_reply(&f, 0, m, 0x84, 0, 1);
	assert_int_equal(dns_packet(&f, m, n), PROTO_OK);
	m[16] ^= 0x20; /* case of the separator: no letter */
	assert_int_equal(dns_packet(&f, m, n), PROTO_WRONG);
	m[16] ^= 0x20;
	m[17] ^= 0x20; /* "example" */
	assert_int_equal(dns_packet(&f, m, n), PROTO_OK);
	m[17] = 'z';
	assert_int_equal(dns_packet(&f, m, n), PROTO_WRONG);
	assert_int_equal(dns_packet(&f, m, dns_reply(&f, 0, m, 0x84, 0, 0)), PROTO_SHORT);
	assert_int_equal(dns_packet(&f, m, dns_reply(&f, 0, m, 0x84, 3, 0)), PROTO_WRONG);
	assert_int_equal(dns_packet(&f, m, dns_reply(&f, 0, m, 0x86, 0, 1)), PROTO_SHORT); /* truncated */
	assert_int_equal(dns_packet(&f, m, dns_reply(&f, 0, m, 0x04, 0, 1)), PROTO_WRONG); /* a query */
	dns_reply(&f, 0, m, 0x84, 0, 1);
	for (size_t cut = 1; cut < f.pool.requests[0].length; cut++)
		assert_int_not_equal(dns_packet(&f, m, cut), PROTO_OK);
	proto_pool_release(&f.pool);
}

static void dns_negative_answers(void **state)
{
	const struct proto_options o = { .requests = 1, .names = names, .rcode = 3 };
	uint8_t m[512];
	struct fixture f;

	render(&f, "dns", &o);
	assert_int_equal(dns_packet(&f, m, dns_reply(&f, 0, m, 0x84, 3, 0)), PROTO_OK);
	assert_int_equal(dns_packet(&f, m, dns_reply(&f, 0, m, 0x84, 0, 1)), PROTO_WRONG);
	proto_pool_release(&f.pool);
}

static void dns_tcp(void **state)
{
	const struct proto_options o = { .requests = 2, .names = names };
	uint8_t m[512];
	uint32_t tag;
	struct fixture f;
	size_t n;

	render(&f, "dns-tcp", &o);
	n = dns_reply(&f, 1, m, 0x84, 0, 1);
	assert_int_equal(f.proto->identify(m, 3, &tag), PROTO_MORE);
	assert_int_equal(f.proto->identify(m, 4, &tag), PROTO_DONE);
	assert_int_equal(tag, 1);
	check(&f, &f.pool.requests[1], m, n, PROTO_OK);
	check(&f, NULL, m, n, PROTO_OK); /* a stray is read over */
	check(&f, &f.pool.requests[1], m, n - 1, MORE);
	check(&f, &f.pool.requests[1], m, dns_reply(&f, 1, m, 0x84, 2, 0), PROTO_WRONG);
	m[0] = 0;
	m[1] = 11;
	check(&f, &f.pool.requests[1], m, 40, BAD); /* shorter than a head */
	m[1] = 12;
	check(&f, &f.pool.requests[1], m, 14, PROTO_SHORT); /* a head alone */
	proto_pool_release(&f.pool);
}

static void dns_names(void **state)
{
	static const char *const bad[] = { "a..b", ".a",
		"x23456789012345678901234567890123456789012345678901234567890123456.test", NULL };
	struct vt_err err = { .code = 0 };
	struct proto_pool pool;

	for (size_t i = 0; bad[i]; i++) {
		const char *const one[] = { bad[i], NULL };
		const struct proto_options o = { .requests = 1, .names = one };

		assert_int_equal(proto_render(&proto_dns, &pool, &o, &err), -EINVAL);
		assert_null(pool.requests);
	}
	assert_int_equal(proto_render(&proto_dns, &pool, &(struct proto_options){ .requests = 1 }, &err),
		-EINVAL);
}

static void mixes(void **state)
{
	struct proto_options o = { .requests = 20000, .update = 0.3, .seed = 5,
		.records = { .n = 100, .key_bytes = 8, .value_bytes = 3 } };
	struct fixture f, g;
	unsigned writes = 0;

	render(&f, "redis", &o);
	for (uint32_t i = 0; i < f.pool.n; i++)
		writes += !f.pool.requests[i].check;
	assert_in_range(writes, 5700, 6300);
	render(&g, "redis", &o); /* the same seed, the same sequence */
	assert_int_equal(f.pool.bytes.len, g.pool.bytes.len);
	assert_memory_equal(f.pool.bytes.data, g.pool.bytes.data, f.pool.bytes.len);
	proto_pool_release(&f.pool);
	proto_pool_release(&g.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memcached_writes),
		cmocka_unit_test(memcached_reads),
		cmocka_unit_test(memcached_binary),
		cmocka_unit_test(redis_writes),
		cmocka_unit_test(redis_reads),
		cmocka_unit_test(redis_greeting),
		cmocka_unit_test(redis_nests_deeply),
		cmocka_unit_test(http_requests),
		cmocka_unit_test(http_replies),
		cmocka_unit_test(http_conditional),
		cmocka_unit_test(http_head_without_end),
		cmocka_unit_test(dns_udp),
		cmocka_unit_test(dns_negative_answers),
		cmocka_unit_test(dns_tcp),
		cmocka_unit_test(dns_names),
		cmocka_unit_test(mixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
