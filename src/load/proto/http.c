/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.1 GET: keep-alive, pipelined, one connection per request, conditional (304).
 *
 * A head is read when it is whole: servers send it in one piece, so the scan is done once. Of the headers
 * only those that frame the message matter. A message that could be framed in two ways (RFC 9112, 6.3) is
 * refused rather than guessed at, but for Transfer-Encoding beside Content-Length, which the RFC decides.
 */
#include "load/proto/proto.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum op { PLAIN, CONDITIONAL };
enum phase { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, UNTIL_CLOSE };
enum flags { CLOSE = 1, CHUNKED = 2, LENGTH = 4 };

#define BODY_MAX (UINT64_C(1) << 50)
#define REQUEST_MAX 8192

static int render_one(struct proto_pool *pool, const struct proto_options *o, const char *path,
	struct vt_err *err)
{
	struct proto_request *rq = pool_begin(pool);
	struct buf *b = &pool->bytes;
	bool conditional = o->if_modified_since || o->if_none_match;

	if (!rq)
		return vt_fail(err, -ENOMEM, "no memory for %u requests", o->requests);
	rq->op = conditional ? CONDITIONAL : PLAIN;
	rq->status = o->status ? o->status : conditional ? 304 : 200;
	rq->expect = o->body_bytes;
	buf_printf(b, "GET %s HTTP/1.1\r\nHost: %s\r\n", path, o->host ? o->host : "localhost");
	if (o->if_modified_since)
		buf_printf(b, "If-Modified-Since: %s\r\n", o->if_modified_since);
	if (o->if_none_match)
		buf_printf(b, "If-None-Match: %s\r\n", o->if_none_match);
	if (o->close)
		buf_puts(b, "Connection: close\r\n");
	buf_printf(b, "%s\r\n", o->headers ? o->headers : "");
	return pool_end(pool, rq, err);
}

static int render(struct proto_pool *pool, const struct proto_options *o, struct vt_err *err)
{
	static const char *const root[] = { "/", NULL };
	const char *const *paths = o->paths && o->paths[0] ? o->paths : root, *const *path = paths;
	int rc = 0;

	for (const char *const *p = paths; *p; p++) {
		if ((*p)[0] != '/' || strpbrk(*p, " \r\n\t"))
			return vt_usage(err, "path '%s' must begin with a slash and hold no space", *p);
		if (strlen(*p) > REQUEST_MAX)
			return vt_usage(err, "a path of %zu bytes is too long, at most %d", strlen(*p),
				REQUEST_MAX);
	}
	/* Whole rounds, so that every path is asked for equally often. */
	while (rc == 0 && (pool->n < o->requests || path != paths)) {
		rc = render_one(pool, o, *path, err);
		if (*++path == NULL)
			path = paths;
	}
	return rc;
}

static bool status_line(struct proto_state *st, const uint8_t *line, size_t n)
{
	uint64_t status;

	if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
		return false;
	if (!proto_number(line + 9, 3, 999, &status) || status < 100 || (n > 12 && line[12] != ' '))
		return false;
	st->status = (uint16_t)status;
	st->flags = line[7] == '0' ? CLOSE : 0;
	return true;
}

/* The value of header `name` when the line has it; NULL when it is another. */
static const uint8_t *header(const uint8_t *line, size_t n, const char *name, size_t *value_len)
{
	size_t k = strlen(name);
	const uint8_t *v = line + k + 1, *end = line + n;

	if (n <= k || line[k] != ':' || strncasecmp((const char *)line, name, k) != 0)
		return NULL;
	while (v < end && (*v == ' ' || *v == '\t'))
		v++;
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*value_len = (size_t)(end - v);
	return v;
}

static bool is(const uint8_t *v, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp((const char *)v, word, n) == 0;
}

static bool framing(struct proto_state *st, const uint8_t *line, size_t n)
{
	const uint8_t *v;
	uint64_t length;
	size_t k;

	if ((v = header(line, n, "content-length", &k))) {
		if (!proto_number(v, k, BODY_MAX, &length) || ((st->flags & LENGTH) && length != st->left))
			return false;
		st->left = length;
		st->flags |= LENGTH;
	} else if ((v = header(line, n, "transfer-encoding", &k))) {
		if (!is(v, k, "chunked"))
			return false; /* we offered no other coding */
		st->flags |= CHUNKED;
	} else if ((v = header(line, n, "connection", &k))) {
		if (is(v, k, "close"))
			st->flags |= CLOSE;
		else if (is(v, k, "keep-alive"))
			st->flags &= (uint8_t)~CLOSE;
	}
	return true;
}

static bool read_head(struct proto_state *st, const uint8_t *at, const uint8_t *end)
{
	size_t n, took;

	if (!proto_line(at, (size_t)(end - at), &n, &took) || !status_line(st, at, n))
		return false;
	for (at += took; at < end; at += took) {
		if (!proto_line(at, (size_t)(end - at), &n, &took))
			return false;
		if ((at[0] | 0x20) != 'c' && (at[0] | 0x20) != 't')
			continue; /* most headers end here */
		if (!framing(st, at, n))
			return false;
	}
	return true;
}

static void judge(struct proto_state *st, const struct proto_request *rq)
{
	if (st->status != rq->status && !(rq->op == CONDITIONAL && st->status == 200))
		st->verdict = PROTO_WRONG;
}

/* What follows the head. PROTO_DONE: nothing. */
static enum proto_step after_head(struct proto_state *st, const struct proto_request *rq)
{
	if (st->status < 200) {
		if (st->status == 101)
			return PROTO_BAD;
		*st = (struct proto_state){ .phase = HEAD }; /* the real answer is still to come */
		return PROTO_MORE;
	}
	judge(st, rq);
	if (st->status == 204 || st->status == 304)
		return PROTO_DONE;
	if (st->flags & CHUNKED) {
		st->left = 0;
		st->phase = CHUNK_SIZE;
	} else if (st->flags & LENGTH) {
		st->phase = BODY;
	} else if (st->flags & CLOSE) {
		st->phase = UNTIL_CLOSE;
		st->left = UINT64_MAX;
	} else {
		return PROTO_BAD; /* kept alive, but without an end */
	}
	return PROTO_MORE;
}

static bool chunk_size(struct proto_state *st, const uint8_t *line, size_t n)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < n && i < 13; i++) {
		uint8_t c = line[i], low = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (uint64_t)(low - 'a' + 10);
		else
			break;
	}
	if (i == 0 || v > BODY_MAX || (i < n && line[i] != ';' && line[i] != ' ' && line[i] != '\t'))
		return false;
	st->left = v;
	st->phase = v > 0 ? CHUNK : TRAILER;
	return true;
}

static enum proto_step finish(struct proto_state *st, const struct proto_request *rq,
	struct proto_reply *reply)
{
	reply->verdict = st->verdict;
	if (st->verdict == PROTO_OK && st->status == 200)
		reply->verdict = proto_length(rq, st->seen);
	reply->close = st->flags & CLOSE;
	*st = (struct proto_state){ .phase = HEAD };
	return PROTO_DONE;
}

/* One line of the chunked form. PROTO_DONE: that was the last. */
static enum proto_step chunk_line(struct proto_state *st, const uint8_t *line, size_t n)
{
	switch (st->phase) {
	case CHUNK_SIZE:
		return chunk_size(st, line, n) ? PROTO_MORE : PROTO_BAD;
	case CHUNK_END:
		st->phase = CHUNK_SIZE;
		return n == 0 ? PROTO_MORE : PROTO_BAD;
	default:
		return n == 0 ? PROTO_DONE : PROTO_MORE;
	}
}

/* From the end of the head at *used; PROTO_MORE also when another head is to follow (phase HEAD). */
static enum proto_step read_body(struct proto_state *st, const struct proto_request *rq, const uint8_t *data,
	size_t len, size_t *used, struct proto_reply *reply)
{
	while (*used < len || st->left == 0) {
		const uint8_t *at = data + *used;
		size_t have = len - *used, n, took;
		enum proto_step step;

		if (st->phase == BODY || st->phase == CHUNK || st->phase == UNTIL_CLOSE) {
			*used += proto_body(st, rq, at, have);
			if (st->left > 0)
				return PROTO_MORE;
			if (st->phase == BODY)
				return finish(st, rq, reply);
			st->phase = CHUNK_END;
			continue;
		}
		if (have == 0 || !proto_line(at, have, &n, &took))
			return PROTO_MORE;
		*used += took;
		step = chunk_line(st, at, n);
		if (step == PROTO_DONE)
			return finish(st, rq, reply);
		if (step == PROTO_BAD)
			return PROTO_BAD;
	}
	return PROTO_MORE;
}

static enum proto_step parse(struct proto_state *st, const struct proto_pool *pool,
	const struct proto_request *rq, const uint8_t *data, size_t len, size_t *used,
	struct proto_reply *reply)
{
	*used = 0;
	while (st->phase == HEAD) {
		const uint8_t *at = data + *used, *end;
		size_t have = len - *used;
		enum proto_step step;

		end = memmem(at, have, "\r\n\r\n", 4);
		if (!end) {
			/* Garbage should not wait for 8 KiB of it. */
			size_t known = have < 7 ? have : 7;

			return memcmp(at, "HTTP/1.", known) == 0 ? PROTO_MORE : PROTO_BAD;
		}
		if (!read_head(st, at, end + 2))
			return PROTO_BAD;
		*used += (size_t)(end - at) + 4;
		step = after_head(st, rq);
		if (step == PROTO_DONE)
			return finish(st, rq, reply);
		if (step == PROTO_BAD)
			return PROTO_BAD;
		if (*used == len && st->phase == HEAD)
			return PROTO_MORE;
	}
	return read_body(st, rq, data, len, used, reply);
}

static bool eof(struct proto_state *st, const struct proto_request *rq, struct proto_reply *reply)
{
	if (st->phase != UNTIL_CLOSE)
		return false;
	finish(st, rq, reply);
	reply->close = true;
	return true;
}

const struct proto proto_http = {
	.name = "http",
	.summary = "HTTP/1.1 GET",
	.port = 80,
	.caps = PROTO_PIPELINE | PROTO_PER_REQUEST,
	.render = render,
	.parse = parse,
	.eof = eof,
};
