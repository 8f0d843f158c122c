/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP_STREAM: bulk TCP from the client into the environment. Bytes are counted where they arrive; time is the client's. */
#include "workload/netperf.h"

static const struct metric_def metrics[] = { BULK_METRICS("client to SUT") };

const struct workload_ops workload_tcp_stream = {
	.name = "tcp_stream",
	.summary = "bulk TCP from the client into the environment (netperf TCP_STREAM)",
	.group = "network",
	.needs = WORK_AGENT | WORK_TCP,
	.saturates = true,
	.options = netperf_bulk_options,
	.metrics = metrics,
	.ports = netperf_ports,
	.run = netperf_run_bulk,
};
