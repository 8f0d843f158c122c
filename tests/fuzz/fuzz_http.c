/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of HTTP servers, to plain and conditional requests (the top bit of the first byte). */
#include "proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct proto_options plain = { .requests = 1, .body_bytes = 5 };
	static const struct proto_options conditional = { .requests = 1, .body_bytes = 5,
		.if_none_match = "\"1\"" };
	static struct proto_pool a, b;

	if (size > 0 && data[0] & 0x80)
		return fuzz_proto(&proto_http, fuzz_pool(&proto_http, &b, &conditional), data, size);
	return fuzz_proto(&proto_http, fuzz_pool(&proto_http, &a, &plain), data, size);
}
