/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all workloads share: the text form, the metrics that campaign adds, and the result of one trial.
 * A trial_result owns its histograms and series; everything else in it is by value.
 */
#include "workload/workload.h"

#include "base/cleanup.h"
#include "base/spec.h"
#include "base/suggest.h"
#include "base/xalloc.h"

#include <assert.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define HIGHER true
#define LOWER false

const struct metric_def workload_common_metrics[] = {
	{ "cpu_host_ns_per_op", "ns/op", LOWER, false, "CPU time of the whole host per operation" },
	{ "cpu_host_ns_per_byte", "ns/byte", LOWER, false, "CPU time of the whole host per byte" },
	{ "cpu_env_ns_per_op", "ns/op", LOWER, false, "of it: the environment's own processes" },
	{ "cpu_env_ns_per_byte", "ns/byte", LOWER, false, "of it: the environment's own processes" },
	{ "cpu_monitor_ns_per_op", "ns/op", LOWER, false, "of it: the daemons and monitors that serve it" },
	{ "cpu_monitor_ns_per_byte", "ns/byte", LOWER, false, "of it: the daemons and monitors that serve it" },
	{ "cpu_client_ns_per_op", "ns/op", LOWER, false, "of it: the load generator" },
	{ "cpu_client_ns_per_byte", "ns/byte", LOWER, false, "of it: the load generator" },
	{ "cpu_softirq_ns_per_op", "ns/op", LOWER, false, "interrupts and softirqs, by clock tick; overlaps the processes" },
	{ "cpu_softirq_ns_per_byte", "ns/byte", LOWER, false, "interrupts and softirqs, by clock tick; overlaps the processes" },
	{ "cpu_rest_ns_per_op", "ns/op", LOWER, false, "host minus environment, monitor and client" },
	{ "cpu_rest_ns_per_byte", "ns/byte", LOWER, false, "host minus environment, monitor and client" },
	{ "cpu_host_ratio", "ratio", LOWER, false, "share of all CPUs that was busy" },
	{ "client_cpu_ratio", "ratio", LOWER, false, "share of the client's CPU that the client used" },
	{ "service_demand_us_per_transaction", "us", LOWER, false, "netperf's service demand: host CPU per transaction" },
	{ "service_demand_us_per_kb", "us", LOWER, false, "netperf's service demand: host CPU per 1024 bytes" },
	{ "steal_ratio", "ratio", LOWER, false, "time the hypervisor below gave to others" },
	{ "startup_ns", "ns", LOWER, false, "from the start command to the agent's first message" },
	{ "drifts", "1", LOWER, false, "1 when the trial's own time series still drifted" },
	{ .name = NULL },
};

const struct workload_ops *workload_find(const char *name)
{
	for (size_t i = 0; workload_registry[i]; i++)
		if (strcmp(workload_registry[i]->name, name) == 0)
			return workload_registry[i];
	return NULL;
}

const struct metric_def *workload_metric(const struct workload_ops *ops, const char *name)
{
	for (const struct metric_def *m = ops->metrics; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	for (const struct metric_def *m = workload_common_metrics; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static int unknown(const char *name, struct vt_err *err)
{
	const char *names[64];
	const char *near;
	size_t n = 0;

	for (; workload_registry[n] && n < ARRAY_SIZE(names); n++)
		names[n] = workload_registry[n]->name;
	near = suggest_nearest(name, names, n);
	if (near)
		return vt_usage(err, "no such workload '%s': did you mean '%s'? ('vtax list workloads' shows all)", name, near);
	return vt_usage(err, "no such workload '%s': 'vtax list workloads' shows all", name);
}

int workload_parse(struct workload *w, const char *text, struct vt_err *err)
{
	_cleanup_spec_ struct spec spec = { 0 };
	struct workload out = { 0 };
	int r;

	r = spec_parse(&spec, text, 0, err);
	if (r < 0)
		return r;
	out.ops = workload_find(spec.name);
	if (!out.ops)
		return unknown(spec.name, err);
	r = opt_parse(&out.opts, out.ops->options, spec.opts, spec.name, err);
	if (r < 0)
		return r;
	if (out.ops->check) {
		r = out.ops->check(&out, err);
		if (r < 0) {
			opt_release(&out.opts);
			return r;
		}
	}
	out.text = xstrdup(text);
	*w = out;
	return 0;
}

int workload_expand(const char *text, struct strvec *out, struct vt_err *err)
{
	_cleanup_spec_ struct spec spec = { 0 };
	size_t before = out->n;
	int r;

	r = spec_parse(&spec, text, 1, err);
	if (r < 0)
		return r;
	for (size_t i = 0; workload_registry[i]; i++) {
		const struct workload_ops *ops = workload_registry[i];
		_cleanup_strvec_ struct strvec opts = STRVEC_INIT;

		if (fnmatch(spec.name, ops->name, 0) != 0)
			continue;
		r = opt_expand(ops->options, spec.opts, ops->name, &opts, err);
		if (r < 0)
			return r;
		for (size_t k = 0; k < opts.n; k++)
			strvec_pushf(out, "%s%s%s", ops->name, *opts.v[k] ? ":" : "", opts.v[k]);
	}
	return out->n == before ? unknown(spec.name, err) : 0;
}

void workload_release(struct workload *w)
{
	opt_release(&w->opts);
	free(w->text);
	*w = (struct workload){ 0 };
}

void trial_result_release(struct trial_result *r)
{
	for (unsigned i = 0; i < r->nhists; i++)
		free(r->hists[i].hist);
	for (unsigned i = 0; i < r->nseries; i++)
		free(r->series[i].v);
	*r = (struct trial_result){ 0 };
}

void trial_metric(struct trial_result *r, const char *name, double value)
{
	unsigned i;

	for (i = 0; i < r->nmetrics; i++)
		if (strcmp(r->metrics[i].name, name) == 0)
			break;
	assert(i < TRIAL_METRICS_MAX);
	if (i == r->nmetrics)
		r->nmetrics++;
	snprintf(r->metrics[i].name, sizeof r->metrics[i].name, "%s", name);
	r->metrics[i].value = value;
}

double trial_metric_get(const struct trial_result *r, const char *name)
{
	for (unsigned i = 0; i < r->nmetrics; i++)
		if (strcmp(r->metrics[i].name, name) == 0)
			return r->metrics[i].value;
	return NAN;
}

void trial_gate(struct trial_result *r, const char *name, const char *fmt, ...)
{
	va_list ap;

	if (r->ngates == TRIAL_GATES_MAX)
		return;
	snprintf(r->gates[r->ngates].name, sizeof r->gates[0].name, "%s", name);
	va_start(ap, fmt);
	vsnprintf(r->gates[r->ngates].reason, sizeof r->gates[0].reason, fmt, ap);
	va_end(ap);
	r->ngates++;
}
