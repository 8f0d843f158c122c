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

/* Adds every option of those tables that the workload has to a request. */
void netperf_params(const struct workload *w, struct wire_writer *out);

/* Runs the kernel of the workload's name, then derives the latency metrics. */
int netperf_run(const struct workload *w, const struct trial_ctx *ctx, struct trial_result *r, struct vt_err *err);

/*
 * Gate "loss": more than this share of the units was lost or sent again. Where one unit is in flight any loss
 * is an accident; a bulk sender fills queues until one overflows, so some of it is how TCP works.
 */
#define NETPERF_LOSS_RR 1e-3
#define NETPERF_LOSS_BULK 5e-2 /* on an unsteered veth up to 4 % are sent again because packets overtake each other */
void netperf_gate_loss(struct trial_result *r, const char *what, double lost, double of, double limit);

#endif
