/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP_STREAM: bulk TCP from the client into the environment. Bytes are counted where they arrive; time is the client's. */
#include "workload/netperf.h"

#define SEGMENT_BYTES 1448.0 /* MSS at MTU 1500 with timestamps: only scales the loss gate */

static const struct opt_def *const options[] = {
	netperf_stream_options, netperf_tcp_options, netperf_socket_options, NULL,
};

static const struct metric_def metrics[] = {
	{ "throughput_bits_per_s", "bits/s", true, true, "payload that arrived, client to SUT" },
	{ "retransmits", "1", false, false, "TCP segments sent again by the sender" },
	{ "cwnd_segments", "1", true, false, "the sender's congestion window at the end" },
	{ "rtt_ns", "ns", false, false, "the sender's smoothed round-trip time at the end (TCP_INFO)" },
	{ "elapsed_ns", "ns", false, false, "measured time on the client, final flush included" },
	{ .name = NULL },
};

static int run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	int n = netperf_run(w, ctx, r, err);
	double bits, elapsed;

	if (n < 0)
		return n;
	bits = trial_metric_get(r, "throughput_bits_per_s");
	elapsed = trial_metric_get(r, "elapsed_ns");
	if (bits > 0 && elapsed > 0)
		r->bytes = (uint64_t)(bits / 8 * elapsed / 1e9);
	netperf_gate_loss(r, "segments sent again", trial_metric_get(r, "retransmits"), (double)r->bytes / SEGMENT_BYTES, NETPERF_LOSS_BULK);
	return 0;
}

const struct workload_ops workload_tcp_stream = {
	.name = "tcp_stream",
	.summary = "bulk TCP from the client into the environment (netperf TCP_STREAM)",
	.group = "network",
	.needs = WORK_AGENT | WORK_TCP,
	.saturates = true,
	.options = options,
	.metrics = metrics,
	.ports = netperf_ports,
	.run = run,
};
