/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP_MAERTS: bulk TCP out of the environment to the client. Bytes are counted where they arrive; time is the client's. */
#include "workload/netperf.h"

static const struct metric_def metrics[] = { BULK_METRICS("SUT to client") };

const struct workload_ops workload_tcp_maerts = {
	.name = "tcp_maerts",
	.summary = "bulk TCP out of the environment to the client (netperf TCP_MAERTS)",
	.group = "network",
	.needs = WORK_AGENT | WORK_TCP,
	.saturates = true,
	.options = netperf_bulk_options,
	.metrics = metrics,
	.ports = netperf_ports,
	.run = netperf_run_bulk,
};
