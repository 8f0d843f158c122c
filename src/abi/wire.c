/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bodies of messages, written and read.
 *
 * The writer owns nothing: it fills an array of its caller's and, once something did not fit, writes no more,
 * so that a body is never one with a hole in it; callers add many fields and check `failed` once. The reader
 * owns nothing either: it points into the bytes it was given, which an outsider chose. It compares every
 * length with the bytes that are left before it uses it, so that no sum can wrap, and it stays where it is on
 * a malformed field, so that asking again gives the same answer.
 *
 * Heads and numbers cross by memcpy, because bodies have no alignment to rely on. Only little-endian machines
 * can say what is on the wire that way; vtax has no others, and the assertion stops the first one that comes.
 *
 * Freestanding: no libc but memcpy and memchr, which a unikernel has to bring anyway.
 */
#include "abi/wire.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian, so is the host");
_Static_assert(sizeof(double) == 8, "ABI_F64 is an IEEE 754 double");
_Static_assert(ABI_BODY_MAX % 8 == 0, "bodies are multiples of 8");

/* <errno.h> is not freestanding; these are Linux's numbers on every architecture vtax runs on. */
enum { WIRE_EBADMSG = 74, WIRE_EPROTONOSUPPORT = 93 };

static size_t pad8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

void wire_writer_init(struct wire_writer *w, void *data, size_t size)
{
	w->data = data;
	w->size = size < ABI_BODY_MAX ? size : ABI_BODY_MAX;
	w->len = 0;
	w->failed = false;
}

static void add(struct wire_writer *w, uint16_t key, uint16_t type, const void *data, size_t len)
{
	struct abi_field f = { .key = key, .type = type, .length = (uint32_t)len };
	uint8_t *at;

	/* w->size ≤ ABI_BODY_MAX, so a length past it is refused before pad8() or the cast could wrap. */
	if (w->failed || len > w->size || sizeof f + pad8(len) > w->size - w->len) {
		w->failed = true;
		return;
	}
	at = w->data + w->len;
	memcpy(at, &f, sizeof f);
	if (len)
		memcpy(at + sizeof f, data, len);
	memset(at + sizeof f + len, 0, pad8(len) - len);
	w->len += sizeof f + pad8(len);
}

void wire_u64(struct wire_writer *w, uint16_t key, uint64_t v)
{
	add(w, key, ABI_U64, &v, sizeof v);
}

void wire_f64(struct wire_writer *w, uint16_t key, double v)
{
	add(w, key, ABI_F64, &v, sizeof v);
}

void wire_text(struct wire_writer *w, uint16_t key, const char *text)
{
	size_t len = 0;

	while (len < ABI_STRING_MAX && text[len])
		len++;
	/* Not in the middle of a character: go back to where that one began. */
	if (text[len])
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	add(w, key, ABI_TEXT, text, len);
}

void wire_bytes(struct wire_writer *w, uint16_t key, const void *data, size_t len)
{
	add(w, key, ABI_BYTES, data, len);
}

void wire_head(struct abi_head *h, uint16_t type, uint32_t length, uint32_t serial)
{
	h->magic = ABI_MAGIC;
	h->version = ABI_VERSION;
	h->type = type;
	h->length = length;
	h->serial = serial;
}

/* The version comes before the length: what a length means is the version's to say. */
int wire_check_head(const struct abi_head *h)
{
	if (h->magic != ABI_MAGIC)
		return -WIRE_EBADMSG;
	if (h->version != ABI_VERSION)
		return -WIRE_EPROTONOSUPPORT;
	if (h->length > ABI_BODY_MAX || h->length % 8)
		return -WIRE_EBADMSG;
	return 0;
}

void wire_reader_init(struct wire_reader *r, const void *body, size_t len)
{
	r->data = body;
	r->len = len;
	r->at = 0;
}

static bool value_ok(const struct abi_field *h, const uint8_t *value)
{
	switch (h->type) {
	case ABI_U64:
	case ABI_F64:
		return h->length == 8;
	case ABI_TEXT:
		return h->length <= ABI_STRING_MAX && (h->length == 0 || !memchr(value, 0, h->length));
	default: /* ABI_BYTES, and types of later versions: opaque, theirs who know the key */
		return true;
	}
}

int wire_next(struct wire_reader *r, struct wire_field *f)
{
	size_t left = r->len - r->at;
	struct abi_field h;
	const uint8_t *value;

	if (left == 0)
		return 0;
	if (left < sizeof h)
		return -WIRE_EBADMSG;
	memcpy(&h, r->data + r->at, sizeof h);
	left -= sizeof h;
	value = r->data + r->at + sizeof h;
	if (h.length > left || pad8(h.length) > left || !value_ok(&h, value))
		return -WIRE_EBADMSG;

	*f = (struct wire_field){ .key = h.key, .type = h.type, .length = h.length, .data = value };
	if (h.type == ABI_U64)
		memcpy(&f->u64, value, sizeof f->u64);
	else if (h.type == ABI_F64)
		memcpy(&f->f64, value, sizeof f->f64);
	r->at += sizeof h + pad8(h.length);
	return 1;
}

void wire_get_text(const struct wire_field *f, char *out, size_t size)
{
	size_t n = f->length;

	if (size == 0)
		return;
	if (n > size - 1)
		n = size - 1;
	if (n)
		memcpy(out, f->data, n);
	out[n] = '\0';
}

int wire_find(const void *body, size_t len, uint16_t key, uint16_t type, struct wire_field *f)
{
	struct wire_reader r;
	struct wire_field at;
	int n;

	wire_reader_init(&r, body, len);
	while ((n = wire_next(&r, &at)) > 0)
		if (at.key == key && at.type == type) {
			*f = at;
			return 1;
		}
	return n;
}
