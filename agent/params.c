/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parameters of a kernel, from the wire. The controller is not trusted more than it trusts us: a kernel
 * may take its parameters as they are, since nothing gets past here that would make it allocate, wait or
 * count without end. Absent parameters are 0, which kernels read as "your default"; a key given twice counts
 * as given last.
 */
#include "agent.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <string.h>

#define DAY_NS UINT64_C(86400000000000)
#define SIZE_LIMIT (UINT64_C(64) << 20)
#define TICKS_MAX 100000 /* of a series: a RESULT has room for a few of that length */

#define FIELD(member) offsetof(struct kernel_params, member), sizeof(((struct kernel_params *)0)->member)

static const struct {
	uint16_t key;
	size_t offset, size;
	uint64_t max;
	const char *name;
} numbers[] = {
	{ ABI_K_PORT, FIELD(port), UINT16_MAX, "port" },
	{ ABI_K_TARGET_PORT, FIELD(target_port), UINT16_MAX, "target port" },
	{ ABI_K_DURATION_NS, FIELD(duration_ns), DAY_NS, "duration" },
	{ ABI_K_WARMUP_NS, FIELD(warmup_ns), DAY_NS, "warm-up" },
	{ ABI_K_TIMEOUT_NS, FIELD(timeout_ns), DAY_NS, "timeout" },
	{ ABI_K_INTERVAL_NS, FIELD(interval_ns), DAY_NS, "interval" },
	{ ABI_K_TICK_NS, FIELD(tick_ns), DAY_NS, "tick" },
	{ ABI_K_DELAY_NS, FIELD(delay_ns), DAY_NS, "delay" },
	{ ABI_K_REQUEST_BYTES, FIELD(request_bytes), SIZE_LIMIT, "request size" },
	{ ABI_K_RESPONSE_BYTES, FIELD(response_bytes), SIZE_LIMIT, "response size" },
	{ ABI_K_MESSAGE_BYTES, FIELD(message_bytes), SIZE_LIMIT, "message size" },
	/* The kernel allocates socket buffers, not us, and has its own limits below this one. */
	{ ABI_K_SOCKBUF_BYTES, FIELD(sockbuf_bytes), UINT64_C(1) << 30, "socket buffer" },
	{ ABI_K_STREAMS, FIELD(streams), 1024, "number of streams" },
	{ ABI_K_NODELAY, FIELD(nodelay), 1, "nodelay" },
};

static const struct {
	uint16_t key;
	size_t offset, size;
	const char *name;
} texts[] = {
	{ ABI_K_KERNEL, FIELD(kernel), "kernel" },
	{ ABI_K_ADDRESS, FIELD(address), "address" },
	{ ABI_K_LOCAL_ADDRESS, FIELD(local_address), "local address" },
};

static void store(void *at, size_t size, uint64_t v)
{
	/* Little-endian (wire.c asserts it), so the low bytes come first; every max fits its member. */
	memcpy(at, &v, size);
}

static int take(struct kernel_params *p, const struct wire_field *f, struct vt_err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (numbers[i].key != f->key)
			continue;
		if (f->type != ABI_U64)
			return vt_fail(err, -EBADMSG, "the %s is not a number", numbers[i].name);
		if (f->u64 > numbers[i].max)
			return vt_fail(err, -ERANGE, "the %s is %llu, more than %llu", numbers[i].name,
				(unsigned long long)f->u64, (unsigned long long)numbers[i].max);
		store((char *)p + numbers[i].offset, numbers[i].size, f->u64);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].key != f->key)
			continue;
		if (f->type != ABI_TEXT || f->length >= texts[i].size)
			return vt_fail(err, -EBADMSG, "the %s is no text of less than %zu bytes",
				texts[i].name, texts[i].size);
		wire_get_text(f, (char *)p + texts[i].offset, texts[i].size);
	}
	return 0;
}

static int check_address(const char *address, const char *what, struct vt_err *err)
{
	char bare[sizeof((struct kernel_params *)0)->address];
	struct in6_addr a;

	/* A link-local address may name its interface ("fe80::1%vtax0"), which the kernel will look for. */
	snprintf(bare, sizeof bare, "%.*s", (int)strcspn(address, "%"), address);
	if (inet_pton(AF_INET, address, &a) == 1 || inet_pton(AF_INET6, bare, &a) == 1)
		return 0;
	return vt_fail(err, -EINVAL, "the %s \"%s\" is no numeric address", what, address);
}

static int check(const struct kernel_params *p, struct vt_err *err)
{
	int r;

	if (p->kernel[0] == '\0')
		return vt_fail(err, -EINVAL, "the request names no kernel");
	r = check_address(p->address, "address", err);
	if (r == 0 && p->local_address[0])
		r = check_address(p->local_address, "local address", err);
	if (r < 0)
		return r;
	if (p->streams == 0)
		return vt_fail(err, -ERANGE, "the number of streams is 0; it must be 1 or more");
	if (p->tick_ns && p->duration_ns / p->tick_ns > TICKS_MAX)
		return vt_fail(err, -ERANGE, "ticks of %llu ns in %llu ns are more than %d",
			(unsigned long long)p->tick_ns, (unsigned long long)p->duration_ns, TICKS_MAX);
	return 0;
}

int params_decode(struct kernel_params *p, const void *body, size_t len, struct vt_err *err)
{
	struct kernel_params new = { .streams = 1 };
	struct wire_reader reader;
	struct wire_field f;
	int n;

	wire_reader_init(&reader, body, len);
	while ((n = wire_next(&reader, &f)) > 0) {
		n = take(&new, &f, err);
		if (n < 0)
			return n;
	}
	if (n < 0)
		return vt_fail(
			err, n, "the request's fields are malformed at byte %zu of %zu", reader.at, len);
	n = check(&new, err);
	if (n == 0)
		*p = new;
	return n;
}
