/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of DNS servers: a datagram, or (the top bit of the first byte) a stream. */
#include "proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "a.test", "www.example.test", NULL };
static const struct proto_options options = { .requests = 4, .names = names };

static int datagram(const struct proto_pool *pool, const uint8_t *data, size_t size)
{
	struct proto_state st = { .phase = 0 };
	struct proto_reply reply = { .verdict = PROTO_OK };
	size_t used;

	if (size < 2)
		return 0;
	require(proto_dns.parse(&st, pool, &pool->requests[data[0] % pool->n], data + 1, size - 1, &used,
			&reply) == PROTO_DONE);
	require(used == size - 1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proto_pool udp, tcp;

	if (size > 0 && data[0] & 0x80)
		return fuzz_proto(&proto_dns_tcp, fuzz_pool(&proto_dns_tcp, &tcp, &options), data, size);
	return datagram(fuzz_pool(&proto_dns, &udp, &options), data, size);
}
