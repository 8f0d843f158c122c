/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From readings to CPU metrics, and the validity gates of METHOD.md that look at the host: a trial that fails
 * one is stored, shown as invalid with the reason, and left out of every statistic. Pure functions of the
 * readings, so that each gate has a test that makes it fire.
 */
#ifndef VTAX_CAMPAIGN_GATES_H
#define VTAX_CAMPAIGN_GATES_H

#include "campaign/plan.h"
#include "campaign/trial.h"

struct gate_limits {
	double steal;	   /* share of CPU time taken by the hypervisor below */
	double other_load; /* share of all CPUs used by processes that are neither ours nor the trial's */
	double client_cpu; /* share of the client's CPU above which it is saturated */
};
/* The plan's bounds, and 0.95 for the client. */
struct gate_limits gate_limits_of(const struct plan *p);

/* Adds cpu_*, service_demand_*, steal_ratio, startup_ns and drifts to the result; needs r->ops or r->bytes. */
void gates_cpu_metrics(struct trial_result *r, const struct trial_info *info);

/* Adds a failed gate for each check that does not hold. */
void gates_check(struct trial_result *r, const struct trial_info *info, const struct testbed *tb,
	const struct workload *w, const struct gate_limits *limits);

#endif
