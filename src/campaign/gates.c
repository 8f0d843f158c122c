/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign/gates.h"

#include "base/cleanup.h"
#include "stats/summary.h"

#include <math.h>
#include <string.h>

#define DRIFT_TOLERANCE 0.10
#define MARGIN_OF_COUNTERS 0.9 /* the cable must have carried at least this share of what was measured */

#define CLIENT_CPU_LIMIT 0.95

struct gate_limits gate_limits_of(const struct plan *p)
{
	return (struct gate_limits){
		.steal = p->max_steal,
		.other_load = p->max_other_load,
		.client_cpu = CLIENT_CPU_LIMIT,
	};
}

/* CPU time of each party over the measured time, ns. */
struct split {
	double host, env, monitor, client, softirq, ksoftirqd, rest, wall, steal_ratio;
};

static bool split_of(struct split *s, const struct trial_info *info)
{
	struct cpu_usage u;

	if (!info->begin.taken || !info->end.taken)
		return false;
	cpu_usage_between(&u, &info->begin.host, &info->end.host);
	s->wall = u.wall_ns;
	s->host = u.busy_ns;
	s->softirq = u.softirq_ns;
	s->ksoftirqd = u.ksoftirqd_ns;
	s->steal_ratio = u.steal_ratio;
	s->env = (double)(info->end.env_ns - info->begin.env_ns);
	s->monitor = (double)(info->end.monitor_ns - info->begin.monitor_ns);
	s->client = (double)(info->end.client_ns - info->begin.client_ns);
	s->rest = s->host - s->env - s->monitor - s->client;
	return s->wall > 0;
}

static void per_unit(struct trial_result *r, const struct split *s, const char *unit, double n)
{
	const struct {
		const char *who;
		double ns;
	} parts[] = {
		{ "host", s->host },	 { "env", s->env },	    { "monitor", s->monitor },
		{ "client", s->client }, { "softirq", s->softirq }, { "rest", s->rest },
	};
	char name[48];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(name, sizeof name, "cpu_%s_ns_per_%s", parts[i].who, unit);
		trial_metric(r, name, parts[i].ns / n);
	}
}

static bool any_drift(const struct trial_result *r)
{
	for (unsigned i = 0; i < r->nseries; i++)
		if (series_drifts(r->series[i].v, r->series[i].n, DRIFT_TOLERANCE))
			return true;
	return false;
}

void gates_cpu_metrics(struct trial_result *r, const struct trial_info *info)
{
	struct split s;

	trial_metric(r, "startup_ns", (double)info->startup_ns);
	trial_metric(r, "drifts", any_drift(r) ? 1 : 0);
	if (!split_of(&s, info))
		return;
	if (r->bytes > 0) {
		per_unit(r, &s, "byte", (double)r->bytes);
		trial_metric(r, "service_demand_us_per_kb", s.host / 1e3 / ((double)r->bytes / 1024));
	} else if (r->ops > 0) {
		per_unit(r, &s, "op", (double)r->ops);
		trial_metric(r, "service_demand_us_per_transaction", s.host / 1e3 / (double)r->ops);
	}
	trial_metric(r, "cpu_host_ratio", s.host / (s.wall * info->end.host.ncpus));
	trial_metric(r, "client_cpu_ratio", s.client / s.wall);
	trial_metric(r, "steal_ratio", s.steal_ratio);
}

static void check_affinity(struct trial_result *r, const struct trial_info *info, const struct testbed *tb)
{
	char want[16];

	if (!tb->config.pin)
		return;
	if (tb->client.cpu >= 0) {
		snprintf(want, sizeof want, "%d", tb->client.cpu);
		if (strcmp(want, info->client_cpus) != 0)
			trial_gate(r, "affinity", "the client ran on CPUs %s, not on %s as asked", info->client_cpus, want);
	}
	if (tb->sut.cpu >= 0) {
		snprintf(want, sizeof want, "%d", tb->sut.cpu);
		if (strcmp(want, info->sut_cpus) != 0)
			trial_gate(r, "affinity", "the environment ran on CPUs %s, not on %s as asked", info->sut_cpus, want);
	}
}

/* Every transaction is at least a packet each way, and every byte that arrived crossed the cable. */
static void check_cable(struct trial_result *r, const struct trial_info *info)
{
	if (r->bytes > 0) {
		if ((double)info->cable_bytes < MARGIN_OF_COUNTERS * (double)r->bytes)
			trial_gate(r, "shortcut", "only %llu bytes crossed the cable for %llu measured",
				(unsigned long long)info->cable_bytes, (unsigned long long)r->bytes);
	} else if (r->ops > 0 && (double)info->cable_packets < MARGIN_OF_COUNTERS * 2 * (double)r->ops) {
		trial_gate(r, "shortcut", "only %llu packets crossed the cable for %llu transactions",
			(unsigned long long)info->cable_packets, (unsigned long long)r->ops);
	}
}

void gates_check(struct trial_result *r, const struct trial_info *info, const struct testbed *tb,
	const struct workload *w, const struct gate_limits *limits)
{
	struct split s;
	double other;

	check_affinity(r, info, tb);
	check_cable(r, info);
	if (!info->testbed_as_asked)
		trial_gate(r, "testbed", "%s", info->testbed_why);
	if (!split_of(&s, info)) {
		trial_gate(r, "cpu", "the host's CPU time could not be read");
		return;
	}
	if (s.steal_ratio > limits->steal)
		trial_gate(r, "steal", "the hypervisor below took %.1f %% of the CPU time, more than %.0f %%",
			100 * s.steal_ratio, 100 * limits->steal);
	/* ksoftirqd handles the trial's own packets; other softirqs ran on top of tasks and are in their accounts */
	other = (s.rest - s.ksoftirqd) / (s.wall * info->end.host.ncpus);
	if (other > limits->other_load)
		trial_gate(r, "other-load", "other processes used %.1f %% of the CPUs, more than %.0f %%", 100 * other,
			100 * limits->other_load);
	if (!w->ops->saturates && s.client / s.wall > limits->client_cpu)
		trial_gate(r, "client-saturated", "the client used %.0f %% of its CPU: it was measured, not the environment",
			100 * s.client / s.wall);
}
