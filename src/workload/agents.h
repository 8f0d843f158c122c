/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driving a kernel in the two agents: SERVE on the SUT, LOAD on the client, STOP on the SUT. Shared by every
 * workload whose work is a kernel of src/load.
 *
 * An agent is not trusted: only metrics in the workload's own table are taken, each at most once, and a
 * histogram or series must decode within its bounds.
 */
#ifndef VTAX_WORKLOAD_AGENTS_H
#define VTAX_WORKLOAD_AGENTS_H

#include "workload/workload.h"

#define AGENTS_BODY_MAX 2048 /* a request of parameters is far smaller */

/*
 * One whole trial: SERVE (when `serve`) on `port`, LOAD, marks, RESULT, STOP. `params` is called to add the
 * kernel's parameters to both requests.
 */
struct agents_job {
	const struct workload *w;
	const char *kernel;
	bool serve;
	uint16_t port;
	void (*params)(const struct workload *w, struct wire_writer *out);
};
int agents_run(const struct agents_job *job, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err);

/* latency_min_ns, _mean_, _max_ and METHOD.md's percentiles, from the histogram "latency" of the result. */
void agents_latency_metrics(struct trial_result *r);

/* The rows those metrics have in a workload's metric table. */
#define LATENCY_METRICS                                                                                    \
	{ "latency_mean_ns", "ns", false, false, "mean latency" },                                         \
		{ "latency_min_ns", "ns", false, false, "least latency" },                                 \
		{ "latency_p1_ns", "ns", false, false, "1st percentile of latency" },                      \
		{ "latency_p5_ns", "ns", false, false, "5th percentile of latency" },                      \
		{ "latency_p10_ns", "ns", false, false, "10th percentile of latency" },                    \
		{ "latency_p25_ns", "ns", false, false, "25th percentile of latency" },                    \
		{ "latency_p50_ns", "ns", false, false, "median latency" },                                \
		{ "latency_p75_ns", "ns", false, false, "75th percentile of latency" },                    \
		{ "latency_p90_ns", "ns", false, false, "90th percentile of latency" },                    \
		{ "latency_p95_ns", "ns", false, false, "95th percentile of latency" },                    \
		{ "latency_p99_ns", "ns", false, false, "99th percentile of latency" },                    \
		{ "latency_p99_9_ns", "ns", false, false, "99.9th percentile of latency" },                \
		{ "latency_p99_99_ns", "ns", false, false, "99.99th percentile of latency" },              \
		{ "latency_max_ns", "ns", false, false, "greatest latency" }

#endif
