/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the six netperf workloads share: option tables, parameters, the port, the loss gates. */
#ifndef VTAX_WORKLOAD_NETPERF_H
#define VTAX_WORKLOAD_NETPERF_H

#include "workload/agents.h"

#define NETPERF_PORT 12865 /* netperf's own */

extern const uint16_t netperf_ports[];

extern const struct opt_def netperf_socket_options[]; /* sockbuf */
extern const struct opt_def netperf_tcp_options[];    /* nodelay */
extern const struct opt_def netperf_rr_options[];     /* request, response, streams */
extern const struct opt_def netperf_stream_options[]; /* message, streams */

extern const struct opt_def *const netperf_bulk_options[]; /* of tcp_stream and tcp_maerts */

/* Metrics of bulk TCP; `direction` is a string literal. */
#define BULK_METRICS(direction)                                                                            \
	{ "throughput_bits_per_s", "bits/s", true, true, "payload that arrived, " direction },             \
		{ "retransmits", "1", false, false, "TCP segments sent again by the sender" },             \
		{ "cwnd_segments", "1", true, false, "the sender's congestion window at the end" },        \
		{ "rtt_ns", "ns", false, false,                                                            \
			"the sender's smoothed round-trip time at the end (TCP_INFO)" },                   \
		{ "elapsed_ns", "ns", false, false, "measured time on the client, final flush included" }, \
		{ .name = NULL }

/* Adds every option of those tables that the workload has to a request. */
void netperf_params(const struct workload *w, struct wire_writer *out);

/* Runs the kernel of the workload's name, then derives the latency metrics. */
int netperf_run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err);

/* The same for bulk TCP: also the bytes of the result, and the loss gate. */
int netperf_run_bulk(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err);

/*
 * Gate "loss": more than this share of the units was lost or sent again. Where one unit is in flight any loss
 * is an accident; a bulk sender fills queues until one overflows, so some of it is how TCP works.
 */
#define NETPERF_LOSS_RR 1e-3
#define NETPERF_LOSS_BULK 5e-2 /* on an unsteered veth up to 4 % are sent again because packets overtake each other */
void netperf_gate_loss(struct trial_result *r, const char *what, double lost, double of, double limit);

#endif
