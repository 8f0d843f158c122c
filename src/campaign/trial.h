/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One trial: a fresh environment, a fresh client agent, one workload between them, and the host's CPU time
 * over exactly the measured time. Everything it made on the host is undone when it returns.
 */
#ifndef VTAX_CAMPAIGN_TRIAL_H
#define VTAX_CAMPAIGN_TRIAL_H

#include "host/cpu.h"
#include "host/testbed.h"
#include "technique/technique.h"
#include "workload/workload.h"

struct trial_spec {
	struct testbed *tb;
	const struct payload *payload;
	const struct workload *workload;
	struct technique *technique;
	const char *agent; /* path of the agent for the client side */
	uint64_t duration_ns, warmup_ns, start_timeout_ns;
	bool describe; /* read back the options as applied (slower; once per technique is enough) */
	const volatile int *cancel;
};

/* Readings at one end of the measured time. Absent cgroups read 0. */
struct trial_reading {
	struct cpu_sample host;
	uint64_t env_ns, monitor_ns, client_ns;
	bool taken;
};

/* What campaign learned besides the workload's result. */
struct trial_info {
	struct trial_reading begin, end;
	uint64_t startup_ns;	/* start command to the agent's first message */
	char client_cpus[256], sut_cpus[256]; /* affinity as the agents see it */
	uint64_t cable_bytes, cable_packets; /* both directions, over the whole trial, at the client's end */
	bool testbed_as_asked; /* offloads, MTU and links, read back while the environment ran */
	char testbed_why[160]; /* what was not */
	json_t *applied;	/* technique options as applied; NULL unless spec->describe */
};

void trial_info_release(struct trial_info *info);

/* 0 with *r and *info filled (both released by the caller whatever is returned); -EINTR when cancelled. */
int trial_run(const struct trial_spec *spec, struct trial_result *r, struct trial_info *info, struct vt_err *err);

#endif
