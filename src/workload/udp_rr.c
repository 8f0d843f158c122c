/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP_RR: one request and one response in flight; a lost answer times out and is counted, never waited for. */
#include "workload/netperf.h"

static const struct opt_def own_options[] = {
	{ "timeout", OPT_DURATION, "200ms", NULL, 1000000, UINT64_C(60000000000), "an answer later than this is lost" },
	OPT_END,
};

static const struct opt_def *const options[] = { netperf_rr_options, own_options, netperf_socket_options, NULL };

static const struct metric_def metrics[] = {
	{ "transactions_per_s", "1/s", true, true, "completed transactions" },
	LATENCY_METRICS,
	{ "lost_transactions", "1", false, false, "requests without an answer in time" },
	{ .name = NULL },
};

static int run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	int n = netperf_run(w, ctx, r, err);

	if (n == 0)
		netperf_gate_loss(r, "transactions lost", trial_metric_get(r, "lost_transactions"),
			(double)r->ops + trial_metric_get(r, "lost_transactions"), NETPERF_LOSS_RR);
	return n;
}

const struct workload_ops workload_udp_rr = {
	.name = "udp_rr",
	.summary = "UDP request/response (netperf UDP_RR)",
	.group = "network",
	.needs = WORK_AGENT | WORK_UDP,
	.options = options,
	.metrics = metrics,
	.ports = netperf_ports,
	.run = run,
};
