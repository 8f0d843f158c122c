/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workload/netperf.h"

#include "base/cleanup.h"

#include <math.h>
#include <string.h>

const uint16_t netperf_ports[] = { NETPERF_PORT, 0 };

const struct opt_def netperf_socket_options[] = {
	{ "sockbuf", OPT_SIZE, "0", NULL, 0, 1 << 30, "send and receive socket buffer; 0 leaves it to the system" },
	OPT_END,
};

const struct opt_def netperf_tcp_options[] = {
	{ "nodelay", OPT_BOOL, "on", NULL, 0, 0, "switch Nagle's algorithm off; netperf's own default is nodelay=off" },
	OPT_END,
};

const struct opt_def netperf_rr_options[] = {
	{ "request", OPT_SIZE, "1", NULL, 1, 65507, "bytes of a request" },
	{ "response", OPT_SIZE, "1", NULL, 1, 65507, "bytes of a response" },
	{ "streams", OPT_UINT, "1", NULL, 1, 256, "parallel connections, one transaction in flight on each" },
	OPT_END,
};

const struct opt_def netperf_stream_options[] = {
	{ "message", OPT_SIZE, "0", NULL, 0, 16 << 20, "bytes of one send; 0 is the size of the socket send buffer" },
	{ "streams", OPT_UINT, "1", NULL, 1, 256, "parallel connections" },
	OPT_END,
};

const struct opt_def *const netperf_bulk_options[] = {
	netperf_stream_options, netperf_tcp_options, netperf_socket_options, NULL,
};

static const struct {
	const char *option;
	uint16_t key;
} keys[] = {
	{ "request", ABI_K_REQUEST_BYTES },   { "response", ABI_K_RESPONSE_BYTES },
	{ "message", ABI_K_MESSAGE_BYTES },   { "sockbuf", ABI_K_SOCKBUF_BYTES },
	{ "nodelay", ABI_K_NODELAY },	      { "streams", ABI_K_STREAMS },
	{ "interval", ABI_K_INTERVAL_NS },    { "timeout", ABI_K_TIMEOUT_NS },
	{ "size", ABI_K_MESSAGE_BYTES },
};

void netperf_params(const struct workload *w, struct wire_writer *out)
{
	const struct opt_def *def;
	const struct opt_val *val;

	for (size_t i = 0; opt_at(&w->opts, i, &def, &val); i++)
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			if (strcmp(def->name, keys[k].option) == 0)
				wire_u64(out, keys[k].key, val->num);
}

int netperf_run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	struct agents_job job = {
		.w = w,
		.kernel = w->ops->name,
		.serve = true,
		.port = NETPERF_PORT,
		.params = netperf_params,
	};
	int n = agents_run(&job, ctx, r, err);

	if (n == 0)
		agents_latency_metrics(r);
	return n;
}

void netperf_gate_loss(struct trial_result *r, const char *what, double lost, double of, double limit)
{
	if (isfinite(lost) && isfinite(of) && of > 0 && lost / of > limit)
		trial_gate(r, "loss", "%.0f %s of %.0f (%.2f %%), more than %.1f %%", lost, what, of, 100 * lost / of,
			100 * limit);
}

#define SEGMENT_BYTES 1448.0 /* MSS at MTU 1500 with timestamps: only scales the loss gate */

int netperf_run_bulk(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	int n = netperf_run(w, ctx, r, err);
	double bits, elapsed;

	if (n < 0)
		return n;
	bits = trial_metric_get(r, "throughput_bits_per_s");
	elapsed = trial_metric_get(r, "elapsed_ns");
	if (bits > 0 && elapsed > 0)
		r->bytes = (uint64_t)(bits / 8 * elapsed / 1e9);
	netperf_gate_loss(r, "segments sent again", trial_metric_get(r, "retransmits"),
		(double)r->bytes / SEGMENT_BYTES, NETPERF_LOSS_BULK);
	return 0;
}
