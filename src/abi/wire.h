/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing and reading message bodies. The writer fills a caller's array and remembers overflow; the reader
 * never looks past the bytes it was given.
 */
#ifndef VTAX_ABI_WIRE_H
#define VTAX_ABI_WIRE_H

#include "abi/abi.h"

#include <stdbool.h>

struct wire_writer {
	uint8_t *data;
	size_t size, len;
	bool failed; /* something did not fit */
};

void wire_writer_init(struct wire_writer *w, void *data, size_t size);
void wire_u64(struct wire_writer *w, uint16_t key, uint64_t v);
void wire_f64(struct wire_writer *w, uint16_t key, double v);
void wire_text(struct wire_writer *w, uint16_t key, const char *text); /* cut at ABI_STRING_MAX */
void wire_bytes(struct wire_writer *w, uint16_t key, const void *data, size_t len);
void wire_head(struct abi_head *h, uint16_t type, uint32_t length, uint32_t serial);

/* 0, -EBADMSG (magic, length), -EPROTONOSUPPORT (version). Returned as negative constants, see wire.c. */
int wire_check_head(const struct abi_head *h);

struct wire_field {
	uint16_t key, type;
	uint32_t length;
	const uint8_t *data; /* into the body */
	uint64_t u64;	     /* when type is ABI_U64 */
	double f64;	     /* when type is ABI_F64 */
};

struct wire_reader {
	const uint8_t *data;
	size_t len, at;
};

void wire_reader_init(struct wire_reader *r, const void *body, size_t len);

/*
 * Next field: 1, 0 at the end, negative -EBADMSG for a malformed body (short head, value past the end, wrong
 * length for the type, text over ABI_STRING_MAX or with a NUL, non-zero padding is accepted).
 */
int wire_next(struct wire_reader *r, struct wire_field *f);

/* Copies a text field into a string; cut to fit, always terminated. */
void wire_get_text(const struct wire_field *f, char *out, size_t size);

/* First field with this key and type; 1 found, 0 not, negative malformed. */
int wire_find(const void *body, size_t len, uint16_t key, uint16_t type, struct wire_field *f);

#endif
