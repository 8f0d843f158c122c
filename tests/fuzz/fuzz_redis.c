/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of redis, RESP2 and RESP3, the greeting too. */
#include "proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct proto_options options = {
		.requests = 16,
		.update = 0.4,
		.resp3 = true,
		.records = { .n = 4, .key_bytes = 4, .value_bytes = 6 },
	};
	static struct proto_pool pool;

	return fuzz_proto(&proto_redis, fuzz_pool(&proto_redis, &pool, &options), data, size);
}
