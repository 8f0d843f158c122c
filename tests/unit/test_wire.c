/* SPDX-License-Identifier: GPL-2.0-or-later */
/* src/abi: what the writer writes, and what the reader refuses. */
#include "abi/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A body of one field made by hand, so that its head can lie. */
struct raw {
	struct abi_field head;
	uint8_t value[56];
};

static int read_one(const void *body, size_t len, struct wire_field *f)
{
	struct wire_reader r;

	wire_reader_init(&r, body, len);
	return wire_next(&r, f);
}

static void round_trip(void **state)
{
	uint8_t body[256];
	const uint8_t blob[5] = { 0, 1, 2, 0xff, 0 };
	struct wire_writer w;
	struct wire_reader r;
	struct wire_field f;
	char text[16];

	wire_writer_init(&w, body, sizeof body);
	wire_u64(&w, 1, UINT64_MAX - 1);
	wire_f64(&w, 2, -0.125);
	wire_text(&w, 3, "seven b");
	wire_text(&w, 4, "");
	wire_bytes(&w, 5, blob, sizeof blob);
	wire_bytes(&w, 6, NULL, 0);
	assert_false(w.failed);
	assert_int_equal(w.len % 8, 0);

	wire_reader_init(&r, body, w.len);
	assert_int_equal(wire_next(&r, &f), 1);
	assert_true(f.key == 1 && f.type == ABI_U64 && f.u64 == UINT64_MAX - 1);
	assert_int_equal(wire_next(&r, &f), 1);
	assert_true(f.key == 2 && f.type == ABI_F64 && f.f64 == -0.125);
	assert_int_equal(wire_next(&r, &f), 1);
	assert_true(f.key == 3 && f.type == ABI_TEXT && f.length == 7);
	wire_get_text(&f, text, sizeof text);
	assert_string_equal(text, "seven b");
	assert_int_equal(wire_next(&r, &f), 1);
	assert_true(f.key == 4 && f.length == 0);
	wire_get_text(&f, text, sizeof text);
	assert_string_equal(text, "");
	assert_int_equal(wire_next(&r, &f), 1);
	assert_true(f.key == 5 && f.type == ABI_BYTES && f.length == sizeof blob);
	assert_memory_equal(f.data, blob, sizeof blob);
	assert_int_equal(wire_next(&r, &f), 1);
	assert_true(f.key == 6 && f.length == 0);
	assert_int_equal(wire_next(&r, &f), 0);
	assert_int_equal(wire_next(&r, &f), 0);
}

static void bytes_on_the_wire(void **state)
{
	static const uint8_t expected[] = {
		0x20, 0, 3, 0, 3, 0, 0, 0, 'p', 'i', 'x', 0, 0, 0, 0, 0, /* text */
		0x22, 0, 1, 0, 8, 0, 0, 0, 0x39, 0x30, 0, 0, 0, 0, 0, 0, /* u64 12345 */
	};
	static const uint8_t head[] = { 'V', 'T', 'A', 'X', 1, 0, 4, 0, 32, 0, 0, 0, 7, 0, 0, 0 };
	uint8_t body[64];
	struct abi_head h;
	struct wire_writer w;

	memset(body, 0xaa, sizeof body); /* padding must be written, not inherited */
	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, ABI_K_KERNEL, "pix");
	wire_u64(&w, ABI_K_PORT, 12345);
	assert_int_equal(w.len, sizeof expected);
	assert_memory_equal(body, expected, sizeof expected);
	wire_head(&h, ABI_LOAD, (uint32_t)w.len, 7);
	assert_memory_equal(&h, head, sizeof head);
}

static void writer_remembers_overflow(void **state)
{
	uint8_t body[40];
	struct wire_writer w;

	memset(body, 0xaa, sizeof body);
	wire_writer_init(&w, body, 32);
	wire_u64(&w, 1, 1);
	wire_bytes(&w, 2, "123456789", 9); /* 8 + 16 do not fit into the 16 left */
	assert_true(w.failed);
	assert_int_equal(w.len, 16);
	wire_u64(&w, 3, 3); /* would fit, but the body would have a hole */
	assert_true(w.failed);
	assert_int_equal(w.len, 16);
	assert_int_equal(body[32], 0xaa);

	wire_writer_init(&w, body, 32);
	wire_u64(&w, 1, 1);
	wire_u64(&w, 2, 2); /* exactly full */
	assert_false(w.failed);
	assert_int_equal(w.len, 32);

	wire_writer_init(&w, body, 32);
	wire_bytes(&w, 1, body, SIZE_MAX - 3); /* padding such a length would wrap to 0 */
	assert_true(w.failed);
	wire_writer_init(&w, NULL, 0);
	wire_u64(&w, 1, 1);
	assert_true(w.failed);
}

static void long_text_is_cut_between_characters(void **state)
{
	static char text[ABI_STRING_MAX + 100];
	static uint8_t body[2 * ABI_STRING_MAX];
	struct wire_writer w;
	struct wire_field f;

	memset(text, 'a', sizeof text - 1);
	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, 1, text);
	assert_int_equal(read_one(body, w.len, &f), 1);
	assert_int_equal(f.length, ABI_STRING_MAX);

	memcpy(text + ABI_STRING_MAX - 1, "\xe2\x82\xac", 3); /* a euro sign across the limit */
	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, 1, text);
	assert_int_equal(read_one(body, w.len, &f), 1);
	assert_int_equal(f.length, ABI_STRING_MAX - 1);
}

static void heads(void **state)
{
	struct abi_head h;

	wire_head(&h, ABI_HELLO, 24, 3);
	assert_int_equal(wire_check_head(&h), 0);
	wire_head(&h, ABI_HELLO, ABI_BODY_MAX, 3);
	assert_int_equal(wire_check_head(&h), 0);
	wire_head(&h, ABI_HELLO, ABI_BODY_MAX + 8, 3);
	assert_int_equal(wire_check_head(&h), -EBADMSG);
	wire_head(&h, ABI_HELLO, UINT32_MAX, 3);
	assert_int_equal(wire_check_head(&h), -EBADMSG);
	wire_head(&h, ABI_HELLO, 12, 3);
	assert_int_equal(wire_check_head(&h), -EBADMSG);
	wire_head(&h, ABI_HELLO, 8, 3);
	h.magic ^= 1;
	assert_int_equal(wire_check_head(&h), -EBADMSG);
	wire_head(&h, ABI_HELLO, UINT32_MAX, 3);
	h.version++; /* another version may well mean another length */
	assert_int_equal(wire_check_head(&h), -EPROTONOSUPPORT);
}

static void truncated_at_every_byte(void **state)
{
	uint8_t body[64];
	struct wire_writer w;
	struct wire_reader r;
	struct wire_field f;

	wire_writer_init(&w, body, sizeof body);
	wire_text(&w, 1, "nine char");
	for (size_t len = 1; len < w.len; len++) {
		assert_int_equal(read_one(body, len, &f), -EBADMSG);
		wire_reader_init(&r, body, len);
		assert_int_equal(wire_next(&r, &f), -EBADMSG);
		assert_int_equal(wire_next(&r, &f), -EBADMSG); /* and it stays so */
		assert_int_equal(r.at, 0);
	}
	assert_int_equal(read_one(body, w.len, &f), 1);
	assert_int_equal(read_one(NULL, 0, &f), 0);
}

static void lying_lengths(void **state)
{
	static const uint32_t lengths[] = { 57, 64, 65535, 0x7fffffff, 0xfffffff8, 0xfffffff9, 0xffffffff };
	struct raw b = { .head = { .key = 1, .type = ABI_BYTES } };
	struct wire_field f, before;

	memset(&f, 0x55, sizeof f);
	before = f;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		b.head.length = lengths[i];
		assert_int_equal(read_one(&b, sizeof b, &f), -EBADMSG);
	}
	assert_memory_equal(&f, &before, sizeof f); /* outputs untouched on failure */
	b.head.length = 56;
	assert_int_equal(read_one(&b, sizeof b, &f), 1);
}

static void lengths_by_type(void **state)
{
	struct raw b = { .head = { .key = 1, .type = ABI_U64, .length = 4 } };
	struct wire_field f;

	assert_int_equal(read_one(&b, sizeof b, &f), -EBADMSG);
	b.head.length = 16;
	assert_int_equal(read_one(&b, sizeof b, &f), -EBADMSG);
	b.head.type = ABI_F64;
	b.head.length = 0;
	assert_int_equal(read_one(&b, sizeof b, &f), -EBADMSG);
	b.head.length = 8;
	assert_int_equal(read_one(&b, sizeof b, &f), 1);
}

static void hostile_text(void **state)
{
	static uint8_t body[8 + ABI_STRING_MAX + 8];
	struct abi_field h = { .key = 1, .type = ABI_TEXT, .length = ABI_STRING_MAX };
	struct wire_field f;
	char text[5];

	memset(body, 'x', sizeof body);
	memcpy(body, &h, sizeof h);
	assert_int_equal(read_one(body, sizeof body - 8, &f), 1);
	wire_get_text(&f, text, sizeof text); /* cut to fit */
	assert_string_equal(text, "xxxx");
	wire_get_text(&f, text, 0);
	body[sizeof h + 100] = '\0';
	assert_int_equal(read_one(body, sizeof body - 8, &f), -EBADMSG);
	body[sizeof h + 100] = 'x';
	h.length++;
	memcpy(body, &h, sizeof h);
	assert_int_equal(read_one(body, sizeof body, &f), -EBADMSG);
}

static void what_is_accepted(void **state)
{
	struct raw b = { .head = { .key = 1, .type = ABI_BYTES, .length = 1 },
		.value = { 7, 1, 2, 3, 4, 5, 6, 7 } };
	struct wire_field f;

	/* Padding that is not zero. */
	assert_int_equal(read_one(&b, 16, &f), 1);
	assert_true(f.length == 1 && f.data[0] == 7);
	/* A field type of a later version. */
	b.head.type = 99;
	assert_int_equal(read_one(&b, 16, &f), 1);
	assert_int_equal(f.type, 99);
}

static void finding(void **state)
{
	uint8_t body[256];
	struct wire_writer w;
	struct wire_field f;

	wire_writer_init(&w, body, sizeof body);
	wire_bytes(&w, 60000, "later", 5); /* an unknown key is passed over */
	wire_text(&w, ABI_K_PORT, "text"); /* the right key of the wrong type, too */
	wire_u64(&w, ABI_K_PORT, 1);
	wire_u64(&w, ABI_K_PORT, 2);
	assert_int_equal(wire_find(body, w.len, ABI_K_PORT, ABI_U64, &f), 1);
	assert_int_equal(f.u64, 1);
	assert_int_equal(wire_find(body, w.len, ABI_K_ADDRESS, ABI_TEXT, &f), 0);
	assert_int_equal(wire_find(body, w.len - 1, ABI_K_ADDRESS, ABI_TEXT, &f), -EBADMSG);
	assert_int_equal(wire_find(NULL, 0, ABI_K_PORT, ABI_U64, &f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(bytes_on_the_wire),
		cmocka_unit_test(writer_remembers_overflow),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(heads),
		cmocka_unit_test(truncated_at_every_byte),
		cmocka_unit_test(lying_lengths),
		cmocka_unit_test(lengths_by_type),
		cmocka_unit_test(hostile_text),
		cmocka_unit_test(what_is_accepted),
		cmocka_unit_test(finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
