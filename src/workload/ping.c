/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ping: ICMP echo round trips, answered by the kernel that owns the environment's address. No server. */
#include "workload/netperf.h"

static const struct opt_def own_options[] = {
	{ "size", OPT_SIZE, "56", NULL, 16, 65000, "payload bytes of an echo request" },
	{ "interval", OPT_DURATION, "0", NULL, 0, UINT64_C(60000000000), "time between requests; 0 is as soon as answered (ping -f)" },
	{ "timeout", OPT_DURATION, "200ms", NULL, 1000000, UINT64_C(60000000000), "an answer later than this is lost" },
	OPT_END,
};

static const struct opt_def *const options[] = { own_options, NULL };
static const uint16_t no_ports[] = { 0 };

static const struct metric_def metrics[] = {
	{ "latency_p50_ns", "ns", false, true, "median round-trip time" },
	LATENCY_METRICS,
	{ "transactions_per_s", "1/s", true, false, "answered requests" },
	{ "lost_transactions", "1", false, false, "requests without an answer in time" },
	{ .name = NULL },
};

static int run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err)
{
	struct agents_job job = { .w = w, .kernel = "ping", .serve = false, .params = netperf_params };
	int n = agents_run(&job, ctx, r, err);

	if (n < 0)
		return n;
	agents_latency_metrics(r);
	netperf_gate_loss(r, "requests lost", trial_metric_get(r, "lost_transactions"),
		(double)r->ops + trial_metric_get(r, "lost_transactions"), NETPERF_LOSS_RR);
	return 0;
}

const struct workload_ops workload_ping = {
	.name = "ping",
	.summary = "ICMP echo round trips (002-rtt)",
	.group = "network",
	.needs = WORK_AGENT | WORK_ICMP,
	.saturates = true, /* the answer is made in the softirq of the CPU that asked: without a pause it is never idle */
	.options = options,
	.metrics = metrics,
	.ports = no_ports,
	.run = run,
};
