/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of memcached, text and binary (the top bit of the first byte). */
#include "proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct proto_options options = {
	.requests = 16,
	.update = 0.4,
	.records = { .n = 4, .key_bytes = 4, .value_bytes = 6 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proto_pool text, binary;

	if (size > 0 && data[0] & 0x80)
		return fuzz_proto(&proto_memcached_binary, fuzz_pool(&proto_memcached_binary, &binary,
			&options), data, size);
	return fuzz_proto(&proto_memcached, fuzz_pool(&proto_memcached, &text, &options), data, size);
}
