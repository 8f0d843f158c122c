/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of message bodies. Whatever the bytes are, it stays inside them (ASan), ends, and what it
 * accepts is written back by the writer as the same fields: the two agree on the format.
 */
#include "abi/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_back(struct wire_writer *w, const struct wire_field *f)
{
	char text[ABI_STRING_MAX + 1];

	switch (f->type) {
	case ABI_U64:
		wire_u64(w, f->key, f->u64);
		break;
	case ABI_F64:
		wire_f64(w, f->key, f->f64);
		break;
	case ABI_TEXT:
		wire_get_text(f, text, sizeof text);
		wire_text(w, f->key, text);
		break;
	default:
		wire_bytes(w, f->key, f->data, f->length);
	}
}

static void require(int true_)
{
	if (!true_)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r, again;
	struct wire_field f, g;
	struct wire_writer w;
	uint8_t *body;
	size_t fields = 0;
	int n;

	if (size > ABI_BODY_MAX)
		return 0;
	body = malloc(size + 1);
	wire_writer_init(&w, body, size);
	wire_reader_init(&r, data, size);
	while ((n = wire_next(&r, &f)) > 0) {
		require(f.data >= data && f.data + f.length <= data + size);
		write_back(&w, &f);
		fields++;
	}
	require(n <= 0 && !w.failed);
	require(n < 0 || r.at == size);

	wire_reader_init(&r, data, size);
	wire_reader_init(&again, body, w.len);
	for (; fields; fields--) {
		require(wire_next(&r, &f) == 1 && wire_next(&again, &g) == 1);
		require(f.key == g.key && f.length == g.length && memcmp(f.data, g.data, f.length) == 0);
	}
	require(wire_next(&again, &g) == 0);
	free(body);
	return 0;
}
