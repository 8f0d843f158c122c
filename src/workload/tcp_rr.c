/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP_RR: one request and one response in flight on an open connection; what a round trip costs. */
#include "workload/netperf.h"

static const struct opt_def *const options[] = {
	netperf_rr_options, netperf_tcp_options, netperf_socket_options, NULL,
};

static const struct metric_def metrics[] = {
	{ "transactions_per_s", "1/s", true, true, "completed transactions" },
	LATENCY_METRICS,
	{ "retransmits", "1", false, false, "TCP segments sent again by the client" },
	{ .name = NULL },
};

static int run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	int n = netperf_run(w, ctx, r, err);

	if (n == 0)
		netperf_gate_loss(r, "segments sent again", trial_metric_get(r, "retransmits"), (double)r->ops, NETPERF_LOSS_RR);
	return n;
}

const struct workload_ops workload_tcp_rr = {
	.name = "tcp_rr",
	.summary = "TCP request/response on one connection (netperf TCP_RR)",
	.group = "network",
	.needs = WORK_AGENT | WORK_TCP,
	.options = options,
	.metrics = metrics,
	.ports = netperf_ports,
	.run = run,
};
