/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of kernels, and what parameters any of them accepts. Parameters arrive in messages from the
 * other side of a pipe: nothing in them is believed before kernel_params_check() has seen it.
 */
#include "load/kernel.h"

#include <string.h>

const struct kernel *const kernels[] = {
	&kernel_tcp_stream,
	&kernel_tcp_maerts,
	&kernel_tcp_rr,
	&kernel_tcp_crr,
	&kernel_udp_stream,
	&kernel_udp_rr,
	&kernel_ping,
	NULL,
};

const struct kernel *kernel_find(const char *name)
{
	for (size_t i = 0; kernels[i]; i++)
		if (strcmp(kernels[i]->name, name) == 0)
			return kernels[i];
	return NULL;
}

static int check_bytes(const char *what, uint32_t v, uint32_t max, struct vt_err *err)
{
	if (v > max)
		return vt_usage(err, "%s of %u bytes is too large: at most %u", what, v, max);
	return 0;
}

static int check_times(const struct kernel_params *p, bool client, struct vt_err *err)
{
	const struct {
		const char *what;
		uint64_t v;
	} times[] = {
		{ "duration", p->duration_ns },
		{ "warm-up", p->warmup_ns },
		{ "timeout", p->timeout_ns },
		{ "interval", p->interval_ns },
	};

	if (client && p->duration_ns == 0)
		return vt_usage(err, "duration is 0: nothing would be measured");
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		if (times[i].v > KERNEL_TIME_MAX_NS)
			return vt_usage(err, "%s of %llu ns is too long: at most 7 days", times[i].what,
				(unsigned long long)times[i].v);
	return 0;
}

int kernel_params_check(
	struct kernel_params *out, const struct kernel_params *in, bool client, struct vt_err *err)
{
	struct kernel_params p = *in;
	int rc;

	p.kernel[sizeof p.kernel - 1] = '\0';
	p.address[sizeof p.address - 1] = '\0';
	p.local_address[sizeof p.local_address - 1] = '\0';
	if (p.request_bytes == 0)
		p.request_bytes = 1;
	if (p.response_bytes == 0)
		p.response_bytes = 1;
	if (p.streams == 0)
		p.streams = 1;
	if (p.streams > KERNEL_STREAMS_MAX)
		return vt_usage(err, "%u streams are too many: at most %d", p.streams, KERNEL_STREAMS_MAX);
	if ((rc = check_bytes("request", p.request_bytes, KERNEL_BYTES_MAX, err)) < 0 ||
		(rc = check_bytes("response", p.response_bytes, KERNEL_BYTES_MAX, err)) < 0 ||
		(rc = check_bytes("message", p.message_bytes, KERNEL_BYTES_MAX, err)) < 0 ||
		(rc = check_bytes("socket buffer", p.sockbuf_bytes, KERNEL_SOCKBUF_MAX, err)) < 0 ||
		(rc = check_times(&p, client, err)) < 0)
		return rc;
	if (p.tick_ns && p.duration_ns / p.tick_ns > KERNEL_TICKS_MAX)
		p.tick_ns = (p.duration_ns + KERNEL_TICKS_MAX - 1) / KERNEL_TICKS_MAX;
	*out = p;
	return 0;
}
