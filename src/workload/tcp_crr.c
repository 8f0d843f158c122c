/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP_CRR: connect, one request, one response, close; what a new connection costs. */
#include "workload/netperf.h"

static const struct opt_def *const options[] = {
	netperf_rr_options, netperf_tcp_options, netperf_socket_options, NULL,
};

static const struct metric_def metrics[] = {
	{ "transactions_per_s", "1/s", true, true, "connections opened, used once and closed" },
	LATENCY_METRICS,
	{ "port_waits", "1", false, false, "connects that found no free port and were tried again" },
	{ "retransmits", "1", false, false, "TCP segments sent again by the client" },
	{ .name = NULL },
};

static int run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	int n = netperf_run(w, ctx, r, err);

	if (n < 0)
		return n;
	netperf_gate_loss(r, "connects without a free port", trial_metric_get(r, "port_waits"), (double)r->ops, NETPERF_LOSS_RR);
	netperf_gate_loss(r, "segments sent again", trial_metric_get(r, "retransmits"), (double)r->ops, NETPERF_LOSS_RR);
	return 0;
}

const struct workload_ops workload_tcp_crr = {
	.name = "tcp_crr",
	.summary = "a new TCP connection for every request (netperf TCP_CRR)",
	.group = "network",
	.needs = WORK_AGENT | WORK_TCP,
	.options = options,
	.metrics = metrics,
	.ports = netperf_ports,
	.run = run,
};
